"""The SQL that gives a PostgreSQL role its rights, to be read and run by whoever owns the tables.

Three levels: `read` sees everything and changes nothing, `clean` also writes, clears and undoes with the archive,
`purge` also forgets what the archive keeps. Nothing here is ever run by the toolkit.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

from toolkit.errors import InvalidOption

ARCHIVE: Final = "toolkit"
"""The archive's schema."""
NEEDED: Final = ("workflow_memory", "workflow_records")
OPTIONAL: Final = ("workflows", "nodes")
"""Tables of the engine's own, where they are."""
KEPT: Final = {"archived_variables": ("workflow_memory", "key"), "archived_records": ("workflow_records", "record_id")}
"""Tables of the archive that hold rows: where the rows came from, and what names them."""

_LONGEST: Final = 63
"""Bytes of a name on PostgreSQL."""
_SHORTER: Final = _LONGEST - len(" select")
"""Bytes of a policy's name before the verb."""
_RESERVED: Final = ("public", "none")
"""What PostgreSQL takes for everybody, and for nobody, even between quotes."""


class Level(StrEnum):
    """What a role may do."""

    READ = "read"
    CLEAN = "clean"
    PURGE = "purge"


def statements(role: str, level: Level | str, *, schema: str = "public") -> str:
    """Return the SQL that gives a role exactly the rights of a level.

    It can be run again, also for another level: what the role had on these tables is taken away first. It holds for
    the toolkit's own tables and for those of a database that others made.

    Parameters
    ----------
    role : str
        Name of the role, which is made where it is not there.
    level : {"read", "clean", "purge"}
        What it may do.
    schema : str, default "public"
        Where the tables are.

    Returns
    -------
    str
        Statements for the owner of the tables, names quoted.

    Raises
    ------
    InvalidOption
        For a level that is none, and for names that PostgreSQL cannot hold or takes for everybody.

    Examples
    --------
    >>> print(statements("analyst", "read").splitlines()[-1])
    COMMIT;
    >>> statements("public", "read")
    Traceback (most recent call last):
    toolkit.errors.InvalidOption: 'public' names no role of its own: PostgreSQL takes it for everybody, or for nobody
    """
    known = [each.value for each in Level]
    if level not in known:
        raise InvalidOption(f"level={level!r} is none of {', '.join(known)}")
    _check_role(role)
    made = _Made(quoted(role), quoted(schema), quoted(policy_name(role)))
    pieces = [_HEAD[Level(level)], "BEGIN;", made.role_itself(), made.tables(Level(level)), made.optional()]
    pieces += [made.archive(Level(level)), made.row_security(Level(level)), "COMMIT;"]
    return "\n\n".join(pieces)


def quoted(name: str) -> str:
    """Return a name between quotes, so that it can be nothing but a name.

    Parameters
    ----------
    name : str
        Of a role, a schema, a table or a policy.

    Returns
    -------
    str

    Raises
    ------
    InvalidOption
        For a name that is empty, too long, or holds a character that no name needs.

    Examples
    --------
    >>> print(quoted('an "odd" one'))
    "an ""odd"" one"
    """
    if not name or len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise InvalidOption(f"a name has 1 to {_LONGEST} bytes, and {name[:20]!r} has not")
    if not name.isprintable():
        # A line break would end the comment that it stands in.
        raise InvalidOption(f"a name holds letters, digits, signs and spaces, and {name!r} holds something else")
    return '"' + name.replace('"', '""') + '"'


def policy_name(role: str) -> str:
    """Return what the role's policies on the archive are called; one name for each role, however long.

    Parameters
    ----------
    role : str
        Name of the role.

    Returns
    -------
    str

    Examples
    --------
    >>> policy_name("analyst")
    'toolkit analyst'
    """
    name = f"toolkit {role}"
    if len(name.encode()) <= _SHORTER:
        return name
    digest = hashlib.sha256(role.encode()).hexdigest()[:8]
    return name.encode()[: _SHORTER - 9].decode(errors="ignore") + f"~{digest}"


def _check_role(role: str) -> None:
    if role.casefold() in _RESERVED:
        raise InvalidOption(f"{role!r} names no role of its own: PostgreSQL takes it for everybody, or for nobody")
    if role.startswith("pg_"):
        raise InvalidOption(f"{role!r} is a name that PostgreSQL keeps for itself")


_HEAD: Final = {
    Level.READ: "-- Level read: sees every row and the list of changes, changes nothing.",
    Level.CLEAN: (
        "-- Level clean: reads, writes, clears, and takes back what was cleared; forgets nothing of the archive.\n"
        "-- Nothing in a database makes a role use the archive: DELETE is DELETE, whoever types it."
    ),
    Level.PURGE: "-- Level purge: as clean, and forgets what the archive keeps, for good.",
}
_READS: Final = "SELECT"
_WRITES: Final = "SELECT, INSERT, UPDATE, DELETE"


class _Made:
    """Statements about one role, its name and others quoted."""

    def __init__(self, role: str, schema: str, policy: str) -> None:
        self.role, self.schema, self.policy = role, schema, policy
        # The text between the marks holds the role's name, which must not hold the mark.
        self.mark = "$toolkit$"
        while self.mark in f"{role}{schema}{policy}":
            self.mark = f"{self.mark[:-1]}_$"

    def block(self, *lines: str) -> str:
        body = "\n".join(f"  {line}" for line in lines)
        return f"DO {self.mark}\nBEGIN\n{body}\nEND\n{self.mark};"

    def where_it_is(self, table: str, *lines: str) -> tuple[str, ...]:
        name = table.replace("'", "''")
        return (f"IF to_regclass('{name}') IS NOT NULL THEN", *(f"  {line}" for line in lines), "END IF;")

    def role_itself(self) -> str:
        made = self.block(f"CREATE ROLE {self.role} LOGIN;", "EXCEPTION WHEN duplicate_object THEN NULL;")
        return f"-- The role, without a password: give it one apart, by \\password in psql.\n{made}"

    def tables(self, level: Level) -> str:
        rights = _READS if level is Level.READ else _WRITES
        lines = [f"GRANT USAGE ON SCHEMA {self.schema} TO {self.role};"]
        for table in NEEDED:
            name = f"{self.schema}.{table}"
            lines += [f"REVOKE ALL ON {name} FROM {self.role};", f"GRANT {rights} ON {name} TO {self.role};"]
        numbers = f"{self.schema}.workflow_memory_id_seq"
        revoked = f"REVOKE ALL ON SEQUENCE {numbers} FROM {self.role};"
        given = () if level is Level.READ else (f"GRANT USAGE ON SEQUENCE {numbers} TO {self.role};",)
        return "\n".join(["-- Variables and records.", *lines, self.block(*self.where_it_is(numbers, revoked, *given))])

    def optional(self) -> str:
        lines: list[str] = []
        for table in OPTIONAL:
            name = f"{self.schema}.{table}"
            lines += self.where_it_is(
                name, f"REVOKE ALL ON {name} FROM {self.role};", f"GRANT SELECT ON {name} TO {self.role};"
            )
        return "-- The engine's own tables, where they are: read at every level.\n" + self.block(*lines)

    def archive(self, level: Level) -> str:
        schema = f"SCHEMA {ARCHIVE}"
        lines = [f"REVOKE ALL ON {schema} FROM {self.role};", f"GRANT USAGE ON {schema} TO {self.role};"]
        lines += self._rights("version", {"SELECT": "true"})
        lines += self._rights("changes", self._on_changes(level))
        for table, (source, name) in KEPT.items():
            lines += self._rights(table, self._on_kept(level, table, f"{self.schema}.{source}", name))
        return "\n".join(
            [
                "-- The archive, where it is. Row security is on there: a right without a policy shows no row.",
                "-- service.setup_archive() takes rights away; run this again after it.",
                self.block(*self.where_it_is(f"{ARCHIVE}.changes", *lines)),
            ]
        )

    def _on_changes(self, level: Level) -> dict[str, str]:
        if level is Level.READ:
            return {"SELECT": "true"}
        both = {"SELECT": "true", "INSERT": "true", "UPDATE (undone_at)": "true"}
        return both if level is Level.CLEAN else {**both, "DELETE": "true"}

    def _on_kept(self, level: Level, table: str, source: str, name: str) -> dict[str, str]:
        if level is Level.READ:
            return {}
        same = " AND ".join(f"own.{column} = {table}.{column}" for column in ("workflow_id", name))
        # What was moved away can be dropped from the archive only where it stands in its table again.
        back = f"EXISTS (SELECT FROM {source} own WHERE {same})"
        gone = "true" if level is Level.PURGE else back
        return {"SELECT": "true", "INSERT": "true", "UPDATE (change_written)": "true", "DELETE": gone}

    def _rights(self, table: str, rights: dict[str, str]) -> list[str]:
        name = f"{ARCHIVE}.{table}"
        lines = [f"REVOKE ALL ON {name} FROM {self.role};"]
        lines += [f"GRANT {', '.join(rights)} ON {name} TO {self.role};"] if rights else []
        for verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            policy = self._policy(verb)
            lines.append(f"DROP POLICY IF EXISTS {policy} ON {name};")
            for right, condition in rights.items():
                if right.split()[0] == verb:
                    check = f"WITH CHECK ({condition})" if verb == "INSERT" else f"USING ({condition})"
                    lines.append(f"CREATE POLICY {policy} ON {name} FOR {verb} TO {self.role} {check};")
        return lines

    def _policy(self, verb: str) -> str:
        return f'{self.policy[:-1]} {verb.casefold()}"'

    def row_security(self, level: Level) -> str:
        may_write = () if level is Level.READ else NEEDED
        lines = [
            f"-- CREATE POLICY {self._policy('rows')} ON {self.schema}.{table} FOR "
            + (f"ALL TO {self.role} USING (true) WITH CHECK (true);" if table in may_write else "")
            + (f"SELECT TO {self.role} USING (true);" if table not in may_write else "")
            for table in (*NEEDED, *OPTIONAL)
        ]
        return "\n".join(
            [
                "-- Row security: where it is on for these tables, the role sees no row, and gets no error, until a",
                "-- policy says otherwise. These would show it every row; a condition can show it less:",
                *lines,
            ]
        )
