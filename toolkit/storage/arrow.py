"""Rows of PostgreSQL straight into Arrow, over a connection of their own.

The driver reads the server's binary COPY without a step of Python for each row. It does so for statements without bound
parameters only, so the values of a statement are put into settings of the transaction, and the statement reads them
from there: no text of a statement is made from a value.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from toolkit.ahead import ahead
from toolkit.storage.trace import beside
from toolkit.storage.translation import from_arrow_driver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    import sqlalchemy as sa

    from toolkit.storage.trace import Statement

_BATCH_BYTES: Final = 8_000_000
"""How much of the server's answer makes a part, about: so that there is always one to work on while more comes."""

_SNAPSHOT: Final = re.compile(r"[0-9A-F-]+")


class NotSupported(Exception):
    """A statement, or a server, that only the ordinary way can read."""


class ArrowSource:
    """A server that can be read straight into Arrow.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Connected to the server by a URL.
    options : mapping of str to str
        Parameters of libpq beside those of the URL.
    settings : mapping of str to str
        Of every transaction.
    """

    def __init__(self, engine: sa.Engine, options: Mapping[str, str], settings: Mapping[str, str]) -> None:
        url = engine.url
        self._engine = engine
        self._url = url.set(drivername="postgresql").update_query_dict({**options, **_texts(url.query)})
        self._settings = settings

    @contextmanager
    def parts(self, statement: sa.Select[Any], snapshot: str | None = None) -> Iterator[Iterator[pa.RecordBatch]]:
        """Run a SELECT.

        Parameters
        ----------
        statement : sqlalchemy.Select
            Of any number of rows.
        snapshot : str, optional
            Of an open transaction, to see what it sees.

        Yields
        ------
        iterator of pyarrow.RecordBatch
            Read ahead of who takes them. The server stops sending when the block is left.

        Raises
        ------
        NotSupported
            When the driver is missing, or cannot connect, or a value has no form in which it could be sent.
        """
        text, values = _without_parameters(statement)
        connection = self._connected()
        try:
            with connection.cursor() as cursor:
                self._begin(cursor, values, snapshot)
                cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
                with beside(self._engine, text) as noted, ahead(_batches(cursor, text), cursor.adbc_cancel) as batches:
                    yield _counted(batches, noted)
        finally:
            # Whatever happened, the server is left without a transaction.
            _close(connection)

    def _connected(self) -> Any:
        try:
            from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - not needed until whole tables are read
        except ImportError:
            raise NotSupported("the driver is not installed") from None
        try:
            return dbapi.connect(self._url.render_as_string(hide_password=False))
        except dbapi.Error:
            raise NotSupported("the driver cannot connect") from None

    def _begin(self, cursor: Any, values: Mapping[str, str], snapshot: str | None) -> None:
        settings = {**self._settings, **values}
        calls = ", ".join(
            f"set_config(${position * 2 + 1}, ${position * 2 + 2}, true)" for position in range(len(settings))
        )
        parameters = [text for setting in settings.items() for text in setting]
        try:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            if snapshot is not None and _SNAPSHOT.fullmatch(snapshot):
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            cursor.execute(f"SELECT {calls}", parameters)
            cursor.fetchall()
        except _driver_error() as error:
            raise from_arrow_driver(error) from None


def _driver_error() -> type[Exception]:
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - as above

    found: type[Exception] = dbapi.Error
    return found


def _batches(cursor: Any, text: str) -> Iterator[pa.RecordBatch]:
    """Run a statement and read its rows in the thread that waits for them; the other one hears Ctrl-C meanwhile."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    try:
        cursor.execute(text)
        yield from cursor.fetch_record_batch()
    except (_driver_error(), pa.ArrowException, OSError) as error:
        raise from_arrow_driver(error) from None


def _counted(batches: Iterator[pa.RecordBatch], noted: Statement) -> Iterator[pa.RecordBatch]:
    noted.rows = 0
    for batch in batches:
        noted.rows += batch.num_rows
        yield batch


def _close(connection: Any) -> None:
    try:
        connection.rollback()
    except _driver_error():
        # The connection was lost, or its statement was stopped: there is nothing left to roll back.
        pass
    finally:
        connection.close()


def _texts(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if name != "application_name"}


@functools.cache
def _dialect() -> sa.Dialect:
    from sqlalchemy.dialects.postgresql import psycopg  # noqa: PLC0415 - not needed on SQLite

    made: sa.Dialect = psycopg.dialect()  # type: ignore[no-untyped-call]
    return made


def _without_parameters(statement: sa.Select[Any]) -> tuple[str, dict[str, str]]:
    """Return the text of a statement that reads its values from settings, and the settings."""
    compiled = statement.compile(dialect=_dialect(), compile_kwargs={"render_postcompile": True})
    names = {name: f"toolkit.p{position}" for position, name in enumerate(compiled.params)}
    values = {names[name]: _text(value) for name, value in compiled.params.items()}
    return compiled.string % {name: f"current_setting('{setting}')" for name, setting in names.items()}, values


def _text(value: Any) -> str:
    """Return a value as PostgreSQL reads it from text, whatever it is cast to."""
    if isinstance(value, bool) or value is None:
        raise NotSupported(f"{value!r} has no such form")
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return f"{value // dt.timedelta(microseconds=1)} microseconds"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "{" + ",".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in value) + "}"
    raise NotSupported(f"a {type(value).__name__} has no such form")
