"""What is asked of the database while a call runs: each statement, its time and its rows, and never a value."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.storage.database import Database

_WIDTH: Final = 120


@dataclass(slots=True)
class Statement:
    """One statement that was sent.

    Attributes
    ----------
    text : str
        With placeholders where values stand.
    seconds : float
        Until the database answered; the fetching of rows comes after it.
    rows : int or None
        Rows that were read or changed; None where the database does not say, and when it failed. Rows of a SELECT on
        SQLite count as they are fetched.
    failed : bool
        Whether the database refused it.
    """

    text: str
    seconds: float
    rows: int | None = None
    failed: bool = False


class Trace:
    """The statements of one thread on one database, in the order in which they were sent.

    The statement that sets a transaction up is among them, its end is not. `len`, indexing and iteration work as on a
    list.

    Attributes
    ----------
    statements : list of Statement
        So far.
    """

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._thread = threading.get_ident()
        self._started = 0.0

    @property
    def seconds(self) -> float:
        """How long the database took for all statements."""
        return sum(statement.seconds for statement in self.statements)

    def begin(self, *_: Any) -> None:
        """Take the time at which a statement is sent."""
        if threading.get_ident() == self._thread:
            self._started = time.perf_counter()

    def end(self, _: Any, cursor: Any, text: str, *_others: Any) -> None:
        """Note a statement that the database answered."""
        if threading.get_ident() == self._thread:
            statement = Statement(text, time.perf_counter() - self._started)
            self.statements.append(statement)
            _count_rows(cursor, statement)

    def note(self, statement: Statement) -> None:
        """Note a statement that the driver ran by itself."""
        if threading.get_ident() == self._thread:
            self.statements.append(dataclasses.replace(statement))

    def fail(self, context: sa.engine.ExceptionContext) -> None:
        """Note a statement that the database refused."""
        if context.statement is not None and threading.get_ident() == self._thread:
            self.statements.append(Statement(context.statement, time.perf_counter() - self._started, failed=True))

    def __len__(self) -> int:
        return len(self.statements)

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __getitem__(self, position: int) -> Statement:
        return self.statements[position]

    def __repr__(self) -> str:
        lines = [f"Trace: {len(self)} statements in {self.seconds * 1000:.1f} ms"]
        return "\n".join(lines + [_line(statement) for statement in self.statements])


def _line(statement: Statement) -> str:
    rows = "failed" if statement.failed else "" if statement.rows is None else f"{statement.rows:,} rows"
    text = " ".join(statement.text.split())
    shown = text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
    return f"{statement.seconds * 1000:8.1f} ms {rows:>13}  {shown}"


def _count_rows(cursor: Any, statement: Statement) -> None:
    if cursor.rowcount >= 0:
        statement.rows = cursor.rowcount
    elif isinstance(cursor, sqlite3.Cursor) and cursor.description is not None:
        _count_as_fetched(cursor, statement)


def _count_as_fetched(cursor: sqlite3.Cursor, statement: Statement) -> None:
    """SQLite finds the rows of a SELECT one by one, while they are fetched: nobody knows their number before."""
    statement.rows = 0

    def counted(_: sqlite3.Cursor, row: tuple[Any, ...]) -> tuple[Any, ...]:
        statement.rows = (statement.rows or 0) + 1
        return row

    cursor.row_factory = counted


_running: Final[dict[sa.Engine, list[Trace]]] = {}


@contextmanager
def beside(engine: sa.Engine, text: str) -> Iterator[Statement]:
    """Note a statement that the driver runs by itself, past SQLAlchemy, where somebody watches.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the connection.
    text : str
        The statement, without a value.

    Yields
    ------
    Statement
        To be told the number of rows.
    """
    begin = time.perf_counter()
    statement = Statement(text, 0.0, failed=True)
    try:
        yield statement
        statement.failed = False
    finally:
        statement.seconds = time.perf_counter() - begin
        for trace in _running.get(engine, ()):
            trace.note(statement)


AnyTrace = TypeVar("AnyTrace", bound=Trace)


@contextmanager
def traced(database: Database, trace: AnyTrace) -> Iterator[AnyTrace]:
    """Collect the statements that the calling thread sends, until the block ends.

    Parameters
    ----------
    database : Database
        Open.
    trace : Trace
        Made in this thread; it is filled.

    Yields
    ------
    Trace
        The one that was given.
    """
    listeners = {
        "before_cursor_execute": trace.begin,
        "after_cursor_execute": trace.end,
        "handle_error": trace.fail,
    }
    for event, listener in listeners.items():
        sa.event.listen(database.engine, event, listener)
    _running[database.engine] = [*_running.get(database.engine, ()), trace]
    try:
        yield trace
    finally:
        _running[database.engine] = [one for one in _running[database.engine] if one is not trace]
        for event, listener in listeners.items():
            sa.event.remove(database.engine, event, listener)
