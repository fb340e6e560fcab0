"""Many records into their table: by COPY on PostgreSQL, by one statement over a stream of rows on SQLite."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns
from toolkit.ahead import ahead
from toolkit.lazy import pa, pc
from toolkit.storage import trace
from toolkit.storage.columnwise import NAMES
from toolkit.storage.translation import from_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from toolkit.storage.dialects import Dialect
    from toolkit.storage.staging import Staged

REPLACED: Final = ("record_type", "status", "iteration_node_alias", columns.DATA, "updated_at")
"""Columns that replacing a record sets in any case."""

KEPT: Final = ("error_message", "retry_count", "created_at", "processed_at")
"""Columns that replacing a record sets where they were given; else the record keeps its own."""

_STAMPED: Final = ("created_at", "updated_at")
_MOST_TOGETHER: Final = 2_000
WRITTEN_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
"""The one form of times in SQLite, for Arrow."""


def complete(batches: Iterable[pa.RecordBatch], workflow_id: str, now: str) -> Iterator[pa.RecordBatch]:
    """Fill in what a new row has where nothing was given, and the workflow in front.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Records as `columnwise.schema` has them.
    workflow_id : str
        The workflow.
    now : str
        The database's time, as it reads it.

    Yields
    ------
    pyarrow.RecordBatch
        The columns of `COMPLETE`, times as text.
    """
    for batch in batches:
        found = dict(zip(batch.schema.names, batch.columns, strict=True))
        found["retry_count"] = found["retry_count"].fill_null(0)
        for name in _STAMPED:
            found[name] = found[name].cast(pa.string()).fill_null(now)
        yield pa.record_batch({columns.WORKFLOW_ID: pa.array([workflow_id] * len(batch), pa.string()), **found})


COMPLETE: Final = (columns.WORKFLOW_ID, *NAMES)


def staged_types(table: sa.Table) -> dict[str, sa.types.TypeEngine[Any]]:
    """Return the columns of records that are staged for a table.

    Parameters
    ----------
    table : sqlalchemy.Table
        The records.

    Returns
    -------
    dict of str to SQLAlchemy type
        In the order of `columnwise.schema`.
    """
    kinds: dict[str, sa.types.TypeEngine[Any]] = dict.fromkeys(NAMES, sa.Text())
    kinds["retry_count"] = sa.Integer()
    kinds |= dict.fromkeys(columns.TIME_COLUMNS, sa.DateTime(timezone=True))
    data = table.c.data.type
    return {**kinds, columns.DATA: data if isinstance(data, postgresql.JSON) else sa.Text()}


def insertion(table: sa.Table, dialect: Dialect, workflow_id: str, rows: sa.FromClause) -> Any:
    """Return the statement that adds staged records, and leaves those that are there alone.

    Parameters
    ----------
    table : sqlalchemy.Table
        The records.
    dialect : Dialect
        Of the database.
    workflow_id : str
        The workflow.
    rows : sqlalchemy.FromClause
        The staged records.

    Returns
    -------
    sqlalchemy.Insert
    """
    values: dict[str, Any] = {columns.WORKFLOW_ID: sa.literal(workflow_id, table.c.workflow_id.type)}
    values |= {name: rows.c[name] for name in NAMES}
    values["retry_count"] = sa.func.coalesce(rows.c.retry_count, 0)
    values |= {name: sa.func.coalesce(rows.c[name], dialect.now()) for name in _STAMPED}
    chosen = sa.select(*(value.label(f"_{name}") for name, value in values.items())).select_from(rows)
    return dialect.insert(table).from_select(list(values), chosen, include_defaults=False).on_conflict_do_nothing()


def replacement(table: sa.Table, dialect: Dialect, condition: Any, rows: sa.FromClause) -> sa.Update:
    """Return the statement that replaces records by staged ones.

    Parameters
    ----------
    table : sqlalchemy.Table
        The records.
    dialect : Dialect
        Of the database.
    condition : SQLAlchemy condition
        That a record belongs to the workflow.
    rows : sqlalchemy.FromClause
        The staged records.

    Returns
    -------
    sqlalchemy.Update
    """
    values: dict[str, Any] = {name: rows.c[name] for name in REPLACED}
    values["updated_at"] = sa.func.coalesce(rows.c.updated_at, dialect.now())
    values |= {name: sa.func.coalesce(rows.c[name], table.c[name]) for name in KEPT}
    return sa.update(table).values(values).where(condition, table.c.record_id == rows.c.record_id)


def locked(connection: sa.Connection, table: sa.Table, dialect: Dialect, condition: Any, staged: Staged) -> int:
    """Lock the records that staged ones are going to replace, in one order, and count them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        The records.
    dialect : Dialect
        Of the database.
    condition : SQLAlchemy condition
        That a record belongs to the workflow.
    staged : Staged
        The records that come, in a temporary table.

    Returns
    -------
    int
    """
    rows = staged.rows
    found = (
        sa.select(sa.literal(1).label("one"))
        .select_from(table.join(rows, table.c.record_id == rows.c.record_id))
        .where(condition)
        .order_by(dialect.by_code_point(table.c.record_id))
        .with_for_update(of=table)
        .subquery()
    )
    return connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0


def execute_many(
    connection: sa.Connection, statement: Any, batches: Iterable[pa.RecordBatch], constants: Mapping[str, Any]
) -> int:
    """Run a statement over a stream of records on SQLite, none of which is kept.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    statement : sqlalchemy.Insert
        With parameters called `_record_id` and so on.
    batches : iterable of pyarrow.RecordBatch
        The records.
    constants : mapping of str to object
        The other parameters, and what a column is where it is null.

    Returns
    -------
    int
        Number of rows that were written.
    """
    # A stream has a time for each row, so the database is not asked for one each time.
    stamped = {name: sa.bindparam(f"_{name}", type_=sa.Text) for name in _STAMPED}
    compiled = statement.values(stamped).compile(dialect=connection.dialect)
    names, values = compiled.positiontup, {**compiled.params, **constants}
    lists = ([_values(batch, name, values) for name in names] for batch in batches)
    return _run(connection, compiled.string, len(names), lists)


def insert_columns(
    connection: sa.Connection, table: sa.Table, names: Sequence[str], parts: Iterable[Sequence[list[Any]]]
) -> int:
    """Insert a stream of rows on SQLite as they come, none of which is kept.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        Of any kind.
    names : sequence of str
        Its columns.
    parts : iterable of sequence of list
        Of some rows each: one list for each of the columns, of what SQLite keeps as it is.

    Returns
    -------
    int
        Number of rows.
    """
    parameters: dict[str, Any] = {name: sa.bindparam(f"p{place}") for place, name in enumerate(names)}
    compiled = sa.insert(table).values(parameters).compile(dialect=connection.dialect)
    order = [int(name[1:]) for name in compiled.positiontup or ()]
    return _run(connection, compiled.string, len(order), ([part[place] for place in order] for part in parts))


def _run(connection: sa.Connection, text: str, width: int, lists: Iterable[Sequence[list[Any]]]) -> int:
    driver: Any = connection.connection.dbapi_connection
    with trace.beside(connection.engine, text) as noted, closing(driver.cursor()) as cursor:
        try:
            together = _Together.of(text, width, driver)
            noted.rows = together.run(cursor, lists) if together else _one_by_one(cursor, text, lists)
        except sqlite3.Error as error:
            raise from_sqlite(error) from None
    return noted.rows


def _one_by_one(cursor: sqlite3.Cursor, text: str, lists: Iterable[Sequence[list[Any]]]) -> int:
    cursor.executemany(text, itertools.chain.from_iterable(zip(*each, strict=True) for each in lists))
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class _Together:
    """A statement that inserts many rows at once: SQLite then works on them while Python prepares the next ones.

    Attributes
    ----------
    head, row, tail : str
        What stands in front of the rows, a row of parameters, and what stands behind them.
    width : int
        Number of parameters of a row.
    most : int
        Rows that one statement may have.
    """

    head: str
    row: str
    tail: str
    width: int
    most: int

    @classmethod
    def of(cls, text: str, width: int, driver: sqlite3.Connection) -> _Together | None:
        """Take a statement for one row apart; None when parameters stand elsewhere, too."""
        row = f" VALUES ({', '.join('?' * width)})"
        head, found, tail = text.partition(row)
        most = driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // width
        return cls(head, row, tail, width, min(most, _MOST_TOGETHER)) if found else None

    def run(self, cursor: sqlite3.Cursor, lists: Iterable[Sequence[list[Any]]]) -> int:
        """Insert rows, and count them."""
        with ahead(self._flat(lists), lambda: None) as parts:
            return sum(cursor.execute(self._text(len(part) // self.width), part).rowcount for part in parts)

    def _text(self, rows: int) -> str:
        more = self.row.replace(" VALUES ", ", ")
        return f"{self.head}{self.row}{more * (rows - 1)}{self.tail}"

    def _flat(self, lists: Iterable[Sequence[list[Any]]]) -> Iterator[list[Any]]:
        """Lay columns out as the parameters of a statement, row after row."""
        for each in lists:
            for start in range(0, len(each[0]), self.most):
                some = [column[start : start + self.most] for column in each]
                flat: list[Any] = [None] * (len(some[0]) * self.width)
                for place, column in enumerate(some):
                    flat[place :: self.width] = column
                yield flat


def _values(batch: pa.RecordBatch, name: str, constants: Mapping[str, Any]) -> list[Any]:
    if not name.startswith("_"):
        return [constants[name]] * len(batch)
    name = name[1:]
    if name.startswith("has_"):
        return batch.column(name.removeprefix("has_")).is_valid().to_pylist()  # type: ignore[no-any-return]
    if name not in batch.schema.names:
        return [constants[name]] * len(batch)
    column = batch.column(name)
    if column.null_count == len(column):
        return [constants.get(name)] * len(batch)
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column, WRITTEN_TIME)
    values: list[Any] = (column.fill_null(constants[name]) if name in constants else column).to_pylist()
    return values
