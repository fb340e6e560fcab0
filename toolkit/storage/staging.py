"""Rows on their way into PostgreSQL: by COPY, into a table or into a temporary one that statements then read from.

Where the role may make no temporary table, the statements read the same columns from arrays that are bound to them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit.ahead import ahead
from toolkit.celltexts import text_bytes
from toolkit.lazy import pa, pc
from toolkit.storage import bulk, trace
from toolkit.storage.translation import translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

STAGE: Final = "toolkit_loading"
"""The name of the temporary table, which is gone before the call ends."""

_ESCAPES: Final = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_NULL: Final = "\\N"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may do with a table now.

    Attributes
    ----------
    now : str
        The time at which the transaction began.
    copy : bool
        Whether rows can be copied straight into the table.
    temporary : bool
        Whether the role may make temporary tables.
    """

    now: str
    copy: bool
    temporary: bool


def may_load(connection: sa.Connection) -> bool:
    """Tell whether the driver knows COPY.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Of any database.

    Returns
    -------
    bool
    """
    return connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg"


def rights(connection: sa.Connection, table: sa.Table) -> Rights:
    """Ask what the role may do, by one statement.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        That is written.

    Returns
    -------
    Rights
    """
    name = connection.dialect.identifier_preparer.format_table(table)
    found = sa.func.to_regclass(name)
    catalog = sa.table("pg_class", sa.column("oid"), sa.column("relkind"))
    kind = sa.select(catalog.c.relkind.in_(["r", "p"])).where(catalog.c.oid == found).scalar_subquery()
    # Rows are copied past the policies of a table, so a server with policies for this role refuses it.
    free = sa.not_(sa.func.row_security_active(sa.cast(found, postgresql.OID)))
    temporary = sa.func.has_database_privilege(sa.func.current_database(), "TEMP")
    row = connection.execute(sa.select(sa.cast(sa.func.now(), sa.Text), sa.and_(kind, free), temporary)).one()
    return Rights(row[0], bool(row[1]), bool(row[2]))


def copy(connection: sa.Connection, table: sa.Table, names: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
    """Copy rows into a table.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        Of any kind that takes a COPY.
    names : sequence of str
        Its columns, in the order of the batches'.
    batches : iterable of pyarrow.RecordBatch
        Text, integers and times; asked for while the server takes what came before.

    Returns
    -------
    int
        Number of rows.
    """
    quoted = connection.dialect.identifier_preparer
    listed = ", ".join(quoted.quote(name) for name in names)
    text = f"COPY {quoted.format_table(table)} ({listed}) FROM STDIN"
    driver: Any = connection.connection.dbapi_connection
    with _driver_errors(), trace.beside(connection.engine, text) as statement, driver.cursor() as cursor:
        # The next lines are made while the server takes the last ones.
        with ahead(map(lines, batches), lambda: None) as parts, cursor.copy(text) as channel:
            for part in parts:
                channel.write(part)
        statement.rows = cursor.rowcount
        return int(cursor.rowcount)


@contextmanager
def _driver_errors() -> Iterator[None]:
    import psycopg  # noqa: PLC0415 - not needed on SQLite

    try:
        yield
    except psycopg.Error as error:
        known = sa.exc.DBAPIError.instance("COPY", None, error, psycopg.Error)
        raise translate(known) from None


def lines(batch: pa.RecordBatch) -> bytes:
    r"""Return rows as the text that COPY takes.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        Text, integers and times.

    Returns
    -------
    bytes
        A line for each row.

    Examples
    --------
    >>> lines(pa.record_batch({"a": ["x\ty", None], "n": [1, 2]}))
    b'x\\ty\t1\n\\N\t2\n'
    """
    if not len(batch):
        return b""
    texts = [_escaped(column) for column in batch.columns]
    # A line ends where the next one begins, so the end goes in front of the first column, which is short.
    first = texts[0].fill_null(_NULL)
    texts[0] = pc.binary_join_element_wise("\n", first, "")
    joined = pc.binary_join_element_wise(*texts, "\t", null_handling="replace", null_replacement=_NULL)
    return b"".join((memoryview(text_bytes(joined))[1:], b"\n"))


def _escaped(column: pa.Array) -> pa.Array:
    texts = column.cast(pa.string())
    if pa.types.is_string(column.type):
        whole = text_bytes(texts)
        for plain, escaped in _ESCAPES:
            if plain.encode() in whole:
                texts = pc.replace_substring(texts, plain, escaped)
    return texts


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that a statement can read.

    Attributes
    ----------
    rows : sqlalchemy.FromClause
        With a column for each of theirs.
    runs : list of dict or None
        The parameters of each run of a statement that reads them; None for one run without any.
    """

    rows: sa.FromClause
    runs: list[dict[str, Any]] | None = None

    def affected(self, connection: sa.Connection, statement: Any) -> int:
        """Run a statement that reads the rows, in their order, and count what it writes."""
        if self.runs is not None and not self.runs:
            return 0
        return bulk.affected(connection, statement, self.runs)


@contextmanager
def staged(
    connection: sa.Connection,
    types: Mapping[str, sa.types.TypeEngine[Any]],
    batches: Iterable[pa.RecordBatch],
    *,
    temporary: bool,
) -> Iterator[Staged]:
    """Bring rows to where statements can read them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    types : mapping of str to SQLAlchemy type
        The columns, in the order of the batches'.
    batches : iterable of pyarrow.RecordBatch
        The rows.
    temporary : bool
        Whether the role may make temporary tables.

    Yields
    ------
    Staged
    """
    if not temporary:
        yield _bound(types, batches)
        return
    table = sa.Table(
        STAGE,
        sa.MetaData(),
        *(sa.Column(name, kind) for name, kind in types.items()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    connection.execute(sa.schema.CreateTable(table))
    copy(connection, table, list(types), batches)
    # The server reads a temporary table from its first row to its last, so that rows are written in the order of ids.
    yield Staged(table)
    # At once, because a transaction may bring rows more than once.
    connection.execute(sa.schema.DropTable(table))


def _bound(types: Mapping[str, sa.types.TypeEngine[Any]], batches: Iterable[pa.RecordBatch]) -> Staged:
    arrays = [
        sa.cast(sa.bindparam(f"_{name}_array", type_=sa.types.NullType()), postgresql.ARRAY(sa.Text)) for name in types
    ]
    texts = sa.func.unnest(*arrays).table_valued(*types).render_derived(name=STAGE)
    typed = [sa.cast(texts.c[name], kind).label(name) for name, kind in types.items()]
    runs = [
        {f"_{name}_array": batch.column(place).cast(pa.string()).to_pylist() for place, name in enumerate(types)}
        for batch in batches
    ]
    return Staged(sa.select(*typed).subquery(STAGE), runs)
