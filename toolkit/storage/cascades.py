"""Foreign keys of other tables that would take their own rows along when a variable or a record goes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit.errors import InvalidOption
from toolkit.model import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.storage.dialects import Condition, Dialect

CASCADE: Final = "CASCADE"

_POSTGRESQL_KEYS: Final = sa.text(
    "SELECT k.conname AS name, n.nspname AS schema, c.relname AS table, k.conrelid::bigint AS child, "
    "k.confrelid::bigint AS parent, "
    "CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END AS action, "
    "ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(number, place) "
    "JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY place) AS columns, "
    "ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(number, place) "
    "JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY place) AS above "
    "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') AND k.conparentid = 0 ORDER BY n.nspname, c.relname"
)
_SQLITE_KEYS: Final = sa.text(
    'SELECT m.name AS child, f.id, f."table" AS parent, f."from" AS column_, f."to" AS above_, f.on_delete AS action '
    "FROM sqlite_master m, pragma_foreign_key_list(m.name) f "
    "WHERE m.type = 'table' AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY m.name, f.id, f.seq"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key that does something to its own rows when the row it refers to is deleted.

    Attributes
    ----------
    child, parent : tuple of (str or None, str)
        Schema and name of the table that has the key, and of the table it refers to.
    columns, above : tuple of str
        The columns on either side, in the same order; `above` is empty where the primary key is meant.
    action : str
        `CASCADE`, `SET NULL` or `SET DEFAULT`.
    """

    child: tuple[str | None, str]
    parent: tuple[str | None, str]
    columns: tuple[str, ...]
    above: tuple[str, ...]
    action: str


def chains_of(connection: sa.Connection, dialect: Dialect, table: sa.Table) -> list[tuple[Key, ...]]:
    """Find the keys that would act when rows of a table go, and those behind them, nearest first.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    dialect : Dialect
        Of the database.
    table : sqlalchemy.Table
        The table.

    Returns
    -------
    list of tuple of Key
        The way from the table to each key, which is the last one; empty on an SQLite connection that does not enforce
        foreign keys.
    """
    below: dict[tuple[str | None, str], list[Key]] = {}
    for key in _in_sqlite(connection) if dialect.name == "sqlite" else _in_postgresql(connection):
        below.setdefault(key.parent, []).append(key)
    top = (table.schema, table.name)
    chains: list[tuple[Key, ...]] = []
    waiting: list[tuple[Key, ...]] = [()]
    while waiting:
        way = waiting.pop(0)
        passed = {top, *(key.child for key in way)}
        for key in below.get(way[-1].child if way else top, ()):
            chains.append((*way, key))
            # Only a deletion goes on to the next table; one that refers to itself is followed once.
            if key.action == CASCADE and key.child not in passed:
                waiting.append((*way, key))
    return chains


def _in_postgresql(connection: sa.Connection) -> list[Key]:
    rows = connection.execute(_POSTGRESQL_KEYS).all()
    names: dict[int, tuple[str | None, str]] = {row.child: (row.schema, row.table) for row in rows}
    parents = [row.parent for row in rows if row.parent not in names]
    if parents:
        asked = sa.text(
            "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = ANY(:parents)"
        )
        names |= {number: (schema, name) for number, schema, name in connection.execute(asked, {"parents": parents})}
    return [Key(names[row.child], names[row.parent], tuple(row.columns), tuple(row.above), row.action) for row in rows]


def _in_sqlite(connection: sa.Connection) -> list[Key]:
    if not connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
        return []
    rows = connection.execute(_SQLITE_KEYS).all()
    made = []
    for (child, _), parts in itertools.groupby(rows, key=lambda row: (row.child, row.id)):
        each = list(parts)
        above = tuple(row.above_ for row in each if row.above_ is not None)
        names = tuple(row.column_ for row in each)
        made.append(Key((None, child), (None, each[0].parent), names, above, each[0].action))
    return made


@dataclass(frozen=True, slots=True)
class Along:
    """Rows of another table that go along.

    Attributes
    ----------
    key : Key
        By which they do.
    table : sqlalchemy.Table
        Theirs.
    rows : SQLAlchemy selectable
        The same table as the condition names it.
    condition : SQLAlchemy condition
        Which rows.
    depth : int
        How many keys it is from the rows that were chosen.
    leads_back : bool
        Whether the table was passed on the way: rows behind these would go, too, and so on.
    """

    key: Key
    table: sa.Table
    rows: sa.FromClause
    condition: Condition
    depth: int
    leads_back: bool


def reflect(connection: sa.Connection, name: tuple[str | None, str]) -> sa.Table:
    """Look at one of the tables that keys name.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    name : tuple of (str or None, str)
        Schema and name.

    Returns
    -------
    sqlalchemy.Table
        With its columns and primary key, and without types of its own.
    """
    inspector = sa.inspect(connection)
    primary = set(inspector.get_pk_constraint(name[1], schema=name[0])["constrained_columns"])
    listed = [
        sa.Column(each["name"], sa.types.NullType(), primary_key=each["name"] in primary)
        for each in inspector.get_columns(name[1], schema=name[0])
    ]
    return sa.Table(name[1], sa.MetaData(), *listed, schema=name[0])


def along(connection: sa.Connection, chain: Sequence[Key], top: sa.Table, taken: Condition) -> Along:
    """Find the rows at the end of a chain of keys.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    chain : sequence of Key
        As `chains_of` gives it.
    top : sqlalchemy.Table
        Where the chain begins.
    taken : SQLAlchemy condition
        Which of its rows go.

    Returns
    -------
    Along
    """
    parent: sa.FromClause = top
    primary = _primary_key(connection, top)
    condition = taken
    for number, key in enumerate(chain):
        table = reflect(connection, key.child)
        # A table that refers to itself stands in the statement twice.
        child: sa.FromClause = table.alias(f"below_{number}")
        names = key.above or primary
        related = (child.c[name] == parent.c[other] for name, other in zip(key.columns, names, strict=True))
        condition = sa.exists(sa.select(1).select_from(parent).where(*related, condition).correlate(child))
        parent, primary = child, tuple(column.name for column in table.primary_key)
    passed = {(top.schema, top.name), *(key.child for key in chain[:-1])}
    return Along(chain[-1], table, child, condition, len(chain), chain[-1].child in passed)


def _primary_key(connection: sa.Connection, table: sa.Table) -> tuple[str, ...]:
    return tuple(sa.inspect(connection).get_pk_constraint(table.name, schema=table.schema)["constrained_columns"])


def refuse(found: Iterable[tuple[Along, int]], *, cascade: bool, archive: bool) -> None:
    """Refuse a change that would take rows of other tables along without leave, or in a way nobody could undo.

    Parameters
    ----------
    found : iterable of (Along, int)
        What each key would act on, and how many rows those are.
    cascade : bool
        Whether rows of other tables may go.
    archive : bool
        Whether all of it is to be kept.

    Raises
    ------
    InvalidOption
        Naming tables and counts, when there is any such row.
    """
    acting = [(each, number) for each, number in found if number]
    if archive:
        _refuse_what_no_undo_brings_back(acting)
    if acting and not cascade:
        raise InvalidOption(
            f"foreign keys would take along {_listed(acting)}; nothing was touched. "
            "cascade=True moves those rows to the archive, too"
        )


def _refuse_what_no_undo_brings_back(acting: Sequence[tuple[Along, int]]) -> None:
    tables = [each.key.child for each, _ in acting]
    whys = {
        "would change columns whose values nobody keeps, in": [
            pair for pair in acting if pair[0].key.action != CASCADE
        ],
        "lead back to a table that was passed on the way, so that more rows would go than were counted, after": [
            pair for pair in acting if pair[0].leads_back and pair[0].key.action == CASCADE
        ],
        "would take along in more than one way rows that no primary key tells apart,": [
            pair for pair in acting if not pair[0].table.primary_key and tables.count(pair[0].key.child) > 1
        ],
    }
    for why, pairs in whys.items():
        if pairs:
            raise InvalidOption(
                f"foreign keys {why} {_listed(pairs)}, and no undo could bring that back; nothing was touched. Change "
                "or clear those rows first, or pass archive=False with cascade=True"
            )


def _listed(found: Iterable[tuple[Along, int]]) -> str:
    return ", ".join(
        f"{counted(number, 'row')} of {_written(each.key.child)} (ON DELETE {each.key.action})"
        for each, number in found
    )


def _written(name: tuple[str | None, Any]) -> str:
    return ".".join(part for part in name if part)
