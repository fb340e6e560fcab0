"""The state of a row as a short text, and rows that are handed to a statement by name and state.

A timestamp cannot say whether a row changed: a writer that began earlier and committed later has an older one, and
some writers never move it. A digest over every column can. PostgreSQL works it out in the server; SQLite calls a
function that stands here.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.storage.dialects import Column, Condition, Dialect

DIGITS: Final = 32
"""Hexadecimal digits of a digest: 128 bits."""

BATCH: Final = "batch"
"""The parameter that holds a batch of rows as JSON text; see `batch`."""

READ_STATE: Final = "read_state"
"""The column of a read that holds what it remembers of each row; see `read_state`."""

READ_VERSION: Final = "read_version"
"""The column that stands in its place where it is the version of the row; see `version_state`."""

VERSIONS: Final = "versions"
"""The parameter that holds only the versions of a batch; see `lies`."""

VERSION: Final = "version"
"""What rows may hold beside their digest: which version of a row it is, where the database can say so at no cost."""

_IS_TABLE: Final = sa.text("SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass(:name)")

_FUNCTION: Final = "toolkit_row_digest"


class _JSON(sa.types.UserDefinedType[str]):
    """A type that is named in a CAST and leaves its text alone."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"


def prepare(connection: sa.Connection) -> None:
    """Make the digest known to a connection; it sends no statement.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.dbapi_connection
    # SQLite refuses to register a function again while a statement is being read.
    if not connection.info.get(_FUNCTION):
        driver.create_function(_FUNCTION, -1, _digest, deterministic=True)
        driver.create_function("toolkit_read_state", -1, _read_state, deterministic=True)
        connection.info[_FUNCTION] = True


def _read_state(*values: Any) -> int:
    return hash(values)


def _digest(*values: Any) -> str:
    # The five types of SQLite's values arrive as five types of Python's, so that no two states look alike.
    return hashlib.sha256(repr(values).encode()).hexdigest()[:DIGITS]


def read_state(dialect: Dialect, table: sa.FromClause, names: Iterable[str], document: Column, seed: Column) -> Column:
    """Return the expression of a record's state as a read remembers it: a number that costs little.

    It is enough to notice that somebody wrote the row: 64 bits, made of the text of the document that the read makes
    anyway. On SQLite it means something in this process alone. What a plan keeps is the digest.

    Parameters
    ----------
    dialect : Dialect
        Of the database.
    table : SQLAlchemy table
        Whose rows.
    names : iterable of str
        Its columns, in the order that counts.
    document : SQLAlchemy column
        The text of the document, as it is read.
    seed : SQLAlchemy column
        A whole number made of what is not in that text; 0 when it is whole.

    Returns
    -------
    SQLAlchemy column
        A whole number of 64 bits; call `prepare` before it is read.
    """
    listed = [table.c[name] for name in names]
    if dialect.name == "sqlite":
        return sa.func.toolkit_read_state(*listed, type_=sa.BigInteger)
    state: Column = sa.func.coalesce(sa.func.hashtextextended(document, seed), _ZERO)
    alike: dict[str, list[Column]] = {}
    for column in (each for each in listed if each.name != columns.DATA):
        kind = next((name for name, kinds in _HASHED.items() if isinstance(column.type, kinds)), "text")
        as_it_is = isinstance(column.type, sa.Text) or kind != "text"
        alike.setdefault(kind, []).append(column if as_it_is else sa.cast(column, sa.Text))
    # Functions that every version of the server has; whole rows can be hashed since 14 alone.
    for some in alike.values():
        state = sa.func.hash_array_extended(postgresql.array(some), state, type_=sa.BigInteger)
    return state


def json_state(column: Column) -> Column:
    """Return the seed for `read_state` that a part of a document makes.

    Parameters
    ----------
    column : SQLAlchemy column
        Binary JSON; NULL where there is no such part.

    Returns
    -------
    SQLAlchemy column
    """
    return sa.func.coalesce(sa.func.jsonb_hash_extended(column, _ZERO), _ZERO, type_=sa.BigInteger)


_ZERO: Final[Column] = sa.literal_column("0", sa.BigInteger)
_HASHED: Final = {"uuid": sa.Uuid, "integer": sa.Integer, "time": sa.DateTime}
"""Types whose values are hashed as they are, several to an array; all others are as text."""


def version_state(version: Column) -> Column:
    """Return the number that a read remembers of a row where it does not read the whole row anyway.

    Parameters
    ----------
    version : SQLAlchemy column
        As `version` gives it.

    Returns
    -------
    SQLAlchemy column
        A whole number of 64 bits. A row that was written, and written back, has another one.
    """
    return sa.func.hashtextextended(version, _ZERO, type_=sa.BigInteger)


def digest(dialect: Dialect, table: sa.FromClause, names: Iterable[str]) -> Column:
    """Return the expression of a row's state.

    Parameters
    ----------
    dialect : Dialect
        Of the database.
    table : SQLAlchemy table
        Whose rows.
    names : iterable of str
        Its columns, in the order that counts; always say them, a table may gain others.

    Returns
    -------
    SQLAlchemy column
        Text of 32 hexadecimal digits.
    """
    listed = [table.c[name] for name in names]
    if dialect.name == "sqlite":
        return sa.func.toolkit_row_digest(*map(_bytes, listed), type_=sa.Text)
    # Three times as fast as the SHA-256 of the row as text, and nobody gains by two rows of one digest.
    return sa.func.md5(sa.func.concat(*itertools.chain.from_iterable(map(_parts, listed))), type_=sa.Text)


def version(connection: sa.Connection, table: sa.Table) -> Column | None:
    """Return the expression of which version of a row it is: the same again means the same row in the same state.

    Another one means nothing, as a table may have been rewritten, or dumped and restored: then the digest decides.
    On PostgreSQL it is the transaction that wrote the row and the place where it lies. No two versions share both:
    a place is free for another only when nobody can see the former row, and then another transaction writes there.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    table : sqlalchemy.Table
        Whose rows.

    Returns
    -------
    SQLAlchemy column or None
        Text; None on SQLite, and for what is no plain table.
    """
    if connection.dialect.name == "sqlite":
        return None
    name = connection.dialect.identifier_preparer.format_table(table)
    if not connection.scalar(_IS_TABLE, {"name": name}):
        return None
    written: Column = sa.literal_column(f"{table.name}.xmin")
    place: Column = sa.literal_column(f"{table.name}.ctid")
    return sa.cast(written, sa.Text).concat("/").concat(sa.cast(place, sa.Text))


def lies(table: sa.Table) -> Condition:
    """Return the condition that a row is one of the versions that are bound to the parameter `versions`.

    They lead the server straight to the rows. The texts that `version` gave are joined by semicolons, which takes less
    reading than JSON.

    Parameters
    ----------
    table : sqlalchemy.Table
        Whose rows; the versions tell them apart by themselves.

    Returns
    -------
    SQLAlchemy condition
    """
    # In a subquery, so that the planner does not count them: it would think that to go straight to ten thousand places
    # takes longer than to read a whole table, batch after batch.
    texts = sa.select(
        sa.func.string_to_array(sa.bindparam(VERSIONS, type_=sa.Text), sa.literal_column("';'"))
    ).scalar_subquery()
    given = sa.func.unnest(texts).table_valued(VERSION).render_derived(name="given_versions").c[VERSION]
    written, place = [sa.func.split_part(given, sa.literal_column("'/'"), sa.literal_column(part)) for part in "12"]
    return sa.and_(
        _system_column(table, "ctid") == sa.cast(place, _TID()),
        _system_column(table, "xmin") == sa.cast(written, _XID()),
    )


def _system_column(table: sa.Table, name: str) -> Column:
    column: Any = sa.column(name)
    column.table = table
    made: Column = column
    return made


class _TID(sa.types.UserDefinedType[str]):
    """The place of a row."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "tid"


class _XID(sa.types.UserDefinedType[str]):
    """The number of a transaction."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid"


def _parts(column: Column) -> tuple[Any, ...]:
    """Write a value so that no two rows are written alike: it ends by itself, or its length stands before it."""
    end: Column = sa.literal_column("'|'")
    if isinstance(column.type, sa.Uuid | sa.Integer | sa.DateTime | postgresql.JSON):
        # Never empty, as NULL is here; and no bar in it, but within the quotes of JSON.
        return sa.cast(column, sa.Text), end
    text = column if isinstance(column.type, sa.Text) else sa.cast(column, sa.Text)
    return sa.func.octet_length(text), end, text, end


def _bytes(column: Column) -> Column:
    """Hand text over as bytes: other programs may have written some that is no UTF-8."""
    kind = sa.func.typeof(column)
    return sa.case(
        (kind == "text", sa.cast(column, sa.LargeBinary)),
        (kind == "blob", sa.func.hex(column)),
        else_=column,
    )


def batch(dialect: Dialect, extra: Sequence[str] = ()) -> sa.FromClause:
    """Return the rows that are bound as JSON text to the parameter `batch`, as something to join with.

    One value is bound however many rows there are, so that no statement grows, and no temporary table is needed.

    Parameters
    ----------
    dialect : Dialect
        Of the database.
    extra : sequence of str, optional
        What the rows hold besides `name`, `digest` and `version`; all of it text.

    Returns
    -------
    SQLAlchemy selectable
        Columns `name`, `digest`, `version` and the extra ones, of type text.
    """
    names = ("name", "digest", VERSION, *extra)
    given: Any = sa.bindparam(BATCH, type_=sa.Text)
    if dialect.name == "sqlite":
        each = sa.func.json_each(given).table_valued("value")
        parts = [each.c.value.op("->>", return_type=sa.Text())(f"$.{name}").label(name) for name in names]
        # Read once, or each row of the table would look through all of them; and inside, because Python's driver does
        # not count the rows of a statement that begins with WITH.
        read = sa.select(*parts).cte("given_json", nesting=True).prefix_with("MATERIALIZED")
        return sa.select(*(read.c[name] for name in names)).subquery("given_rows")
    made = sa.func.json_to_recordset(sa.cast(given, _JSON()))
    rows = made.table_valued(*(sa.column(name, sa.Text) for name in names))
    return rows.render_derived(name="given_rows", with_types=True)


def rows_differ(dialect: Dialect, one: sa.FromClause, other: sa.FromClause, names: Sequence[str]) -> Condition:
    """Return the condition that two rows are not the same in every column, bit for bit.

    Parameters
    ----------
    dialect : Dialect
        Of the database.
    one, other : SQLAlchemy table
        Of the same columns.
    names : sequence of str
        Which columns.

    Returns
    -------
    SQLAlchemy condition
    """
    if dialect.name == "postgresql":
        # By image: `=` calls 1.0 and 1.00 the same, and `json` has no `=` at all.
        records = [sa.func.row(*(table.c[name] for name in names)) for table in (one, other)]
        return sa.func.record_image_ne(*records, type_=sa.Boolean)
    return sa.or_(*(values_differ(dialect, one.c[name], other.c[name]) for name in names))


def values_differ(dialect: Dialect, one: Column, other: Column) -> Condition:
    """Return the condition that two values are not the same, bit for bit.

    Parameters
    ----------
    dialect : Dialect
        Of the database.
    one, other : SQLAlchemy column
        Of the same type.

    Returns
    -------
    SQLAlchemy condition
    """
    if dialect.name == "postgresql":
        return sa.func.record_image_ne(sa.func.row(one), sa.func.row(other), type_=sa.Boolean)
    # Values of different types can be equal here; text is compared as it is written.
    return sa.or_(sa.func.quote(one) != sa.func.quote(other), sa.func.typeof(one) != sa.func.typeof(other))
