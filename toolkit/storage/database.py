"""One database: its engine, its tables, and the two kinds of transaction that everything runs in."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from toolkit.errors import ReadOnly, ServiceClosed
from toolkit.storage.dialects import DIALECTS, Dialect
from toolkit.storage.tables import Tables, found_tables
from toolkit.storage.translation import translate
from toolkit.storage.whereabouts import Whereabouts, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.profiles import Profile
    from toolkit.storage.arrow import ArrowSource

STATEMENT_TIMEOUT: Final = 600
"""Seconds a statement may take on PostgreSQL."""

LOCK_TIMEOUT: Final = 30
"""Seconds a statement may wait for a lock on PostgreSQL."""

# Milliseconds of one wait for SQLite's write lock, drawn anew each time so that no two processes wait in step.
_SHORT_WAIT: Final = (20, 60)
# Per transaction, because behind a pooler no session lasts; UTC and ISO because times are read as text. A write is not
# said to be one: a role that may only read by default stays so.
_READ: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
_WRITE: Final = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
SETTINGS: Final = {
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    "lock_timeout": f"{LOCK_TIMEOUT}s",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
}
"""Of every transaction on PostgreSQL."""

_SETTINGS: Final = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in SETTINGS.items())


A_SNAPSHOT: Final = "being a snapshot"
"""Why a file is read-only about which nobody said anything."""

OPEN_FOR_WRITING: Final = "connect(…, read_only=False) opens it for writing"


class Running(NamedTuple):
    """The transaction that a thread is in."""

    connection: sa.Connection
    writes: bool


class Database:
    """An open database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        SQLite or PostgreSQL.
    place : str
        Where it is, for people: without a password.
    read_only : str, optional
        Who asked for read-only (`read_only=True`, an environment variable); None when it may be written.
    owned : bool, default True
        Whether closing the service disposes of the engine; a given engine is the caller's.
    one_connection : bool, default False
        Whether all threads share one connection, as in `":memory:"`.

    Attributes
    ----------
    dialect : Dialect
        What this database says differently.
    tables : Tables
        Set when the database was looked at.
    whereabouts : Whereabouts
        Likewise: which server, as which role, with which rights.
    actor : str
        Who acts, for the list of changes.
    profile : Profile or None
        The profile that it was opened by.
    arrow_source : ArrowSource or None
        The quick way to whole tables; None on SQLite and for a given engine, whose role and schemas it would not share.
    writes : int
        Transactions that wrote here and ended, committed or not: what was read at another count may be old.
    """

    tables: Tables
    whereabouts: Whereabouts
    actor: str = "unknown"
    writes: int = 0
    profile: Profile | None = None
    arrow_source: ArrowSource | None = None

    def __init__(
        self,
        engine: sa.Engine,
        place: str,
        *,
        read_only: str | None = None,
        owned: bool = True,
        one_connection: bool = False,
    ) -> None:
        self.engine = engine
        self.place = place
        self.read_only = read_only
        self.dialect: Dialect = DIALECTS[engine.dialect.name]
        self._owned = owned
        self._one_connection = one_connection
        self._closed = False
        self._begin_afresh()
        _databases.add(self)

    def _begin_afresh(self) -> None:
        """Forget which thread is in a transaction, and who waits for the one connection."""
        self._turn: AbstractContextManager[Any] = threading.RLock() if self._one_connection else nullcontext()
        self._running = threading.local()
        self._counting = threading.Lock()

    @property
    def has_one_connection(self) -> bool:
        """Whether all threads share one connection, so that no transaction can stay open beside another."""
        return self._one_connection

    @property
    def in_transaction(self) -> bool:
        """Whether the calling thread is in a transaction."""
        return getattr(self._running, "now", None) is not None

    @property
    def in_write(self) -> bool:
        """Whether the calling thread is in a transaction that writes."""
        running: Running | None = getattr(self._running, "now", None)
        return running is not None and running.writes

    def look(self) -> None:
        """Look at the tables again, after they were made or an archive was set up."""
        with self.read() as connection:
            self.tables = found_tables(connection, self.dialect)
            self.whereabouts = ask(connection, self.dialect, self.tables)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one snapshot and cannot write, or join the one this thread is in.

        Yields
        ------
        sqlalchemy.Connection
        """
        running: Running | None = getattr(self._running, "now", None)
        if running is not None:
            yield running.connection
        else:
            with self._transaction(write=False) as connection:
                yield connection

    @contextmanager
    def read_apart(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one snapshot for as long as its reader takes, apart from the thread's others.

        Nothing joins it: what is written meanwhile is written, and read by other calls, as if it were not there.

        Yields
        ------
        sqlalchemy.Connection
        """
        with self._transaction(write=False, joined=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes, committed at the end, rolled back on any error; or join the running one.

        Joining is what lets a storage stand alone and still be one step of a larger change.

        Yields
        ------
        sqlalchemy.Connection

        Raises
        ------
        ReadOnly
            When the connection is read-only.
        RuntimeError
            Inside a transaction that reads: it could only see the past.
        """
        self.check_writable()
        running: Running | None = getattr(self._running, "now", None)
        if running is None:
            with self._transaction(write=True) as connection:
                yield connection
        elif running.writes:
            yield running.connection
        else:
            raise RuntimeError("a write was begun inside a transaction that reads")

    def describe(self) -> str:
        """Say where this is, for people: without a password, and which lock keeps it from being written.

        Returns
        -------
        str
            Such as `PostgreSQL 15 at db.example.com/app, role analyst, read-only (the role may not write)`.
        """
        where = self.whereabouts
        parts = [self.place.replace(where.product.partition(" ")[0], where.product, 1)]
        parts += [str(self.tables.snapshot)] if self.tables.snapshot else []
        parts += [f"role {where.role}"] if where.role else []
        parts += [f"read-only ({lock})"] if (lock := self._lock()) else []
        parts += ["row security active"] if where.row_security else []
        return ", ".join(parts)

    def _lock(self) -> str | None:
        """Only a role without rights is a lock; anything else guards against mistakes."""
        if not self.whereabouts.may_write:
            return "the role may not write"
        return f"{self.read_only}; the role may write" if self.read_only and self.whereabouts.role else self.read_only

    def check_writable(self) -> None:
        """Refuse a write before anything is sent.

        Raises
        ------
        ReadOnly
            When the connection is read-only.
        """
        if self.read_only:
            advice = f"; {OPEN_FOR_WRITING}" if self.read_only == A_SNAPSHOT else ""
            raise ReadOnly(f"this connection is read-only: {self.read_only} asked for it{advice}")

    @contextmanager
    def _transaction(self, *, write: bool, joined: bool = True) -> Iterator[sa.Connection]:
        if self._closed:
            raise ServiceClosed("this service was closed; connect again")
        try:
            with self._turn, self.engine.connect() as connection:
                yield from self._begun(connection, write=write, joined=joined)
        except sa.exc.SQLAlchemyError as error:
            raise translate(error) from None
        finally:
            if write:
                # One that failed may have been committed all the same, when the connection was lost on the way.
                with self._counting:
                    self.writes += 1

    def _begun(self, connection: sa.Connection, *, write: bool, joined: bool) -> Iterator[sa.Connection]:
        if self.dialect.name == "postgresql" and getattr(connection.connection.dbapi_connection, "autocommit", False):
            # A given engine may commit by itself: with a level, a transaction is one.
            connection = connection.execution_options(isolation_level="READ COMMITTED")
        with connection.begin(), self._set_up(connection, write=write):
            if not joined:
                yield connection
                return
            self._running.now = Running(connection, write)
            try:
                yield connection
            finally:
                self._running.now = None

    def _set_up(self, connection: sa.Connection, *, write: bool) -> AbstractContextManager[None]:
        if self.dialect.name == "postgresql":
            connection.exec_driver_sql((_WRITE if write else _READ) + _SETTINGS)
            return nullcontext()
        _begin_sqlite(connection, write=write)
        return nullcontext() if write else _query_only(connection)

    def close(self) -> None:
        """Close every connection; closing twice is fine."""
        if not self._closed and self._owned:
            self.engine.dispose()
        self._closed = True

    def reconnect_in_child(self) -> None:
        """Leave the connections to the parent process after a fork; memory was copied, and stays as it is."""
        self._begin_afresh()
        if not self._one_connection:
            # Neither closed nor collected: both would be noticed at the parent's end.
            _of_the_parent.append(self.engine.pool)
            self.engine.dispose(close=False)


def _begin_sqlite(connection: sa.Connection, *, write: bool) -> None:
    """Begin at once: Python's driver would leave a SELECT outside and take the write lock too late."""
    driver = connection.connection.dbapi_connection
    if driver is None or driver.in_transaction:
        return
    if not write:
        connection.exec_driver_sql("BEGIN")
        return
    (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
    try:
        _take_turn(connection, driver, patience)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")


def _take_turn(connection: sa.Connection, driver: Any, patience: int) -> None:
    """Wait for the write lock for so many milliseconds at most, in short waits.

    SQLite looks ever more rarely, the longer it waits, so that who has just come takes the lock away from who has
    waited long. Waits that begin anew give everybody the same chance, and let Ctrl-C through in between.
    """
    until = time.monotonic() + patience / 1000
    while True:
        driver.execute(f"PRAGMA busy_timeout = {min(patience, random.randint(*_SHORT_WAIT))}")  # noqa: S311 - no secret
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        else:
            return


@contextmanager
def _query_only(connection: sa.Connection) -> Iterator[None]:
    """Have SQLite refuse a write; it has no transaction that only reads."""
    driver = connection.connection.cursor()
    (before,) = driver.execute("PRAGMA query_only").fetchone()
    driver.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA query_only = {before}")
        driver.close()


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_of_the_parent: list[sa.Pool] = []


def _reconnect_in_child() -> None:
    for database in list(_databases):
        database.reconnect_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reconnect_in_child)
