"""Whole tables at once: rows out as Arrow, rows in by one statement over many."""

from __future__ import annotations

import datetime as dt
import functools
import re
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from toolkit.errors import DataWarning
from toolkit.lazy import pa, pc
from toolkit.storage.digests import READ_STATE, READ_VERSION
from toolkit.storage.translation import from_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import sqlalchemy as sa

ORDER: Final = "order"
"""The column that says what rows are to be sorted by, before their ids, where the database was not asked to."""

Order: TypeAlias = Literal["text", "time"]

_TIME_ENDINGS: Final = ("_at", "_activity")
_ROWS_AT_ONCE: Final = 10_000
_INTEGERS: Final = frozenset({"retry_count", "count", "variables", "records", READ_STATE, READ_VERSION})
_ONE_FORM: Final = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)$"
_LENIENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?(?:\.\d+)?))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?"
)
# What Python's datetime can hold, in microseconds since 1970.
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999
# The driver counts from 1970 instead of 2000, by an addition in which the largest numbers go once around: those of
# PostgreSQL's latest years, and its two infinities, land below its earliest year.
_EARLIEST: Final = -210_866_803_200_000_000
_MINUS_INFINITY: Final = 946_684_800_000_000 - 2**63


@functools.cache
def _time_type() -> pa.DataType:
    return pa.timestamp("us", tz="UTC")


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a column by its name: times, integers, and text for everything else."""
    if "." in name:
        # A place in a document, whatever it is called there, travels as JSON text.
        return pa.string()
    if name.endswith(_TIME_ENDINGS):
        return _time_type()
    return pa.int64() if name in _INTEGERS else pa.string()


def fetch(connection: sa.Connection, statement: sa.Select[Any], *, order: Order | None = None) -> pa.Table:
    """Run a SELECT and return its rows.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    statement : sqlalchemy.Select
        Whose times are selected as text.
    order : {"text", "time"}, optional
        Add the column `order`: what the rows are to be sorted by, made of `created_at` as the database compares it.

    Returns
    -------
    pyarrow.Table
        One column per column of the statement: times `timestamp[us, UTC]`, counts `int64`, everything else `string`.
    """
    result = connection.execute(statement)
    stored = _stored(result)
    return _typed(pa.Table.from_batches([_batch(rows, stored) for rows in _fetched(result)], stored), order)


def fetching(connection: sa.Connection, statement: sa.Select[Any], order: Order) -> Iterator[pa.Table]:
    """Run a SELECT of many rows, to be read part by part.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that stays open while the parts are read.
    statement : sqlalchemy.Select
        Whose times are selected as text.
    order : {"text", "time"}
        As in `fetch`.

    Yields
    ------
    pyarrow.Table
        As `fetch` gives them; at least one, which may be empty.
    """
    result = connection.execute(statement)
    stored = _stored(result)
    yield _typed(stored.empty_table(), order)
    for rows in _fetched(result):
        yield _typed(pa.Table.from_batches([_batch(rows, stored)], stored), order)


def fetched(connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """Run a SELECT on SQLite, and give its rows some thousand at a time, as the driver has them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that stays open meanwhile.
    statement : sqlalchemy.Select
        Of any columns.

    Returns
    -------
    iterator of sequence of tuple
    """
    return _fetched(connection.execute(statement))


def is_ordinary_time(texts: pa.Array) -> pa.Array:
    """Tell which texts are times in the forms that SQLite and PostgreSQL write, and that Arrow reads.

    Parameters
    ----------
    texts : pyarrow.Array
        Of type `string`.

    Returns
    -------
    pyarrow.Array
        Of type `bool`; null where there is none.
    """
    return pc.match_substring_regex(texts, _ONE_FORM)


def _fetched(result: sa.CursorResult[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """Return rows as the driver gives them: SQLAlchemy's own row objects cost as much as all the rest."""
    cursor: Any = result.cursor
    try:
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows
    except sqlite3.Error as error:
        raise from_sqlite(error) from None
    finally:
        result.close()


def stream(connection: sa.Connection, statement: sa.Select[Any], rows: int) -> Iterator[pa.Table]:
    """Run a SELECT and return its rows part by part, none of which is kept.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that stays open while the parts are read.
    statement : sqlalchemy.Select
        Whose times are selected as text.
    rows : int
        Rows of a part.

    Yields
    ------
    pyarrow.Table
        As `fetch` gives it; at least one, which may be empty.
    """
    # Of this statement alone: options of a connection stay, and later reads of the transaction would find nothing.
    with connection.execute(statement, execution_options={"yield_per": rows}) as result:
        stored = _stored(result)
        some = False
        for part in result.partitions(rows):
            some = True
            yield _typed(pa.Table.from_batches([_batch(part, stored)], stored))
        if not some:
            yield _typed(stored.empty_table())


def _stored(result: sa.CursorResult[Any]) -> pa.Schema:
    types = [(name, arrow_type(name)) for name in result.keys()]  # noqa: SIM118 - a result is no dict
    return pa.schema([(name, pa.string() if kind == _time_type() else kind) for name, kind in types])


def _batch(rows: Sequence[Sequence[Any]], stored: pa.Schema) -> pa.RecordBatch:
    found = zip(*rows, strict=True)
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(found, stored, strict=True)], stored)


def _typed(table: pa.Table, order: Order | None = None) -> pa.Table:
    key = None if order is None else table.column("created_at")
    for position, name in enumerate(table.column_names):
        if arrow_type(name) == _time_type():
            table = table.set_column(position, name, _times(table.column(name), name))
    if key is None:
        return table
    return table.append_column(ORDER, key if order == "text" else _moments(key, table.column("created_at")))


def _moments(texts: pa.ChunkedArray, times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times as numbers to sort by; what no frame can hold still comes first or last."""
    numbers = times.cast(pa.int64())
    for word, end in (("infinity", 2**63 - 1), ("-infinity", -(2**63))):
        numbers = pc.if_else(pc.equal(texts, word), pa.scalar(end, pa.int64()), numbers)
    return numbers


def from_batch(batch: pa.RecordBatch) -> pa.Table:
    """Return rows that a driver read straight into Arrow as `fetch` with `order="time"` gives them.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        Whose times are times, with or without a zone, beyond what a frame can hold too.

    Returns
    -------
    pyarrow.Table
    """
    made: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if arrow_type(name) == _time_type():
            numbers = column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64())
            made[name] = _possible(numbers, name).view(_time_type())
        else:
            made[name] = column.cast(arrow_type(name))
    order = batch.column("created_at").view(pa.int64())
    around = pc.and_(pc.less(order, _EARLIEST), pc.not_equal(order, _MINUS_INFINITY))
    # Later than all others, and in their own order.
    back = pc.add(pc.subtract(order, pa.scalar(_MINUS_INFINITY, pa.int64())), pa.scalar(2**63 - 1, pa.int64()))
    return pa.table({**made, ORDER: pc.if_else(around, back, order)})


def _possible(numbers: pa.Array, name: str) -> pa.Array:
    inside = pc.and_(pc.greater_equal(numbers, _FIRST), pc.less_equal(numbers, _LAST))
    if pc.all(inside).as_py() is not False:
        return numbers
    kept = pc.if_else(inside, numbers, pa.scalar(None, pa.int64()))
    _warn_of_lost_times(kept.null_count - numbers.null_count, len(numbers), name)
    return kept


def _times(texts: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Read times; the forms that SQLite and PostgreSQL write take the fast way."""
    ordinary = pc.all(is_ordinary_time(texts)).as_py()
    if ordinary is not False:
        return texts.cast(_time_type())
    values = [None if text is None else _time(text) for text in texts.to_pylist()]
    lost = sum(value is None for value in values) - texts.null_count
    if lost:
        _warn_of_lost_times(lost, len(values), name)
    return pa.chunked_array([pa.array(values, _time_type())])


def _warn_of_lost_times(lost: int, number: int, name: str) -> None:
    warnings.warn(
        f"{lost:,} of {number:,} times in {name} are infinite or no time that a frame can hold; they are shown as "
        "missing",
        DataWarning,
        stacklevel=2,
    )


def _time(text: str) -> dt.datetime | None:
    found = _LENIENT.fullmatch(text.strip())
    if not found:
        return None
    zone = (found[3] or "Z").replace("UTC", "Z")
    try:
        return dt.datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}{zone}").astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def insert_many(connection: sa.Connection, statement: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    """Run one statement over many rows.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    statement : sqlalchemy.Insert
        With a parameter for each value.
    rows : iterable of dict
        The parameters.

    Returns
    -------
    int
        Number of rows that were written; one that `ON CONFLICT DO NOTHING` left out does not count.
    """
    values: Sequence[Mapping[str, Any]] = list(rows)
    return affected(connection, statement, values) if values else 0


def affected(connection: sa.Connection, statement: Any, values: Sequence[Mapping[str, Any]] | None = None) -> int:
    """Run a statement that writes, and count its rows.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    statement : sqlalchemy.Insert, sqlalchemy.Update or sqlalchemy.Delete
        Without rows of its own to return.
    values : sequence of dict, optional
        The parameters of each run.

    Returns
    -------
    int
        Rows inserted, changed or deleted.
    """
    # SQLAlchemy forgets the count of an INSERT when it closes the cursor, unless it is told to keep it.
    kept = statement.execution_options(preserve_rowcount=True)
    return connection.execute(kept, values).rowcount
