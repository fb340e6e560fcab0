"""Whole tables at once: rows out as Arrow, rows in by one statement over many."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import DataWarning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import sqlalchemy as sa

TIME: Final = pa.timestamp("us", tz="UTC")
_TIME_ENDINGS: Final = ("_at", "_activity")
_ROWS_AT_ONCE: Final = 10_000
_INTEGERS: Final = frozenset({"retry_count", "count", "variables", "records"})
_ONE_FORM: Final = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)$"
_LENIENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?(?:\.\d+)?))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?"
)


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a column by its name: times, integers, and text for everything else."""
    if "." in name:
        # A place in a document, whatever it is called there, travels as JSON text.
        return pa.string()
    if name.endswith(_TIME_ENDINGS):
        return TIME
    return pa.int64() if name in _INTEGERS else pa.string()


def fetch(connection: sa.Connection, statement: sa.Select[Any]) -> pa.Table:
    """Run a SELECT and return its rows.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    statement : sqlalchemy.Select
        Whose times are selected as text.

    Returns
    -------
    pyarrow.Table
        One column per column of the statement: times `timestamp[us, UTC]`, counts `int64`, everything else `string`.
    """
    result = connection.execute(statement)
    stored = _stored(result)
    return _typed(pa.Table.from_batches([_batch(rows, stored) for rows in result.partitions(_ROWS_AT_ONCE)], stored))


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
    with connection.execution_options(yield_per=rows).execute(statement) as result:
        stored = _stored(result)
        some = False
        for part in result.partitions(rows):
            some = True
            yield _typed(pa.Table.from_batches([_batch(part, stored)], stored))
        if not some:
            yield _typed(stored.empty_table())


def _stored(result: sa.CursorResult[Any]) -> pa.Schema:
    types = [(name, arrow_type(name)) for name in result.keys()]  # noqa: SIM118 - a result is no dict
    return pa.schema([(name, pa.string() if kind == TIME else kind) for name, kind in types])


def _batch(rows: Sequence[Sequence[Any]], stored: pa.Schema) -> pa.RecordBatch:
    found = zip(*rows, strict=True)
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(found, stored, strict=True)], stored)


def _typed(table: pa.Table) -> pa.Table:
    for position, name in enumerate(table.column_names):
        if arrow_type(name) == TIME:
            table = table.set_column(position, name, _times(table.column(name), name))
    return table


def _times(texts: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Read times; the forms that SQLite and PostgreSQL write take the fast way."""
    ordinary = pc.all(pc.match_substring_regex(texts, _ONE_FORM)).as_py()
    if ordinary is not False:
        return texts.cast(TIME)
    values = [None if text is None else _time(text) for text in texts.to_pylist()]
    lost = sum(value is None for value in values) - texts.null_count
    if lost:
        warnings.warn(
            f"{lost:,} of {len(values):,} times in {name} are infinite or no time that a frame can hold; they are "
            "shown as missing",
            DataWarning,
            stacklevel=2,
        )
    return pa.chunked_array([pa.array(values, TIME)])


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
