"""Transactions, read-only, lost connections and threads: what holds whatever a call does."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit
from toolkit import targets
from toolkit.storage import database
from toolkit.storage.tables import ARCHIVE_SCHEMA, VARIABLES

SERVERS = ("postgresql", "production")
INSERT = "INSERT INTO workflow_memory (workflow_id, key) VALUES ('00000000-0000-0000-0000-000000000000', 'a')"


def engine_url(target: str) -> str:
    """Return the URL that SQLAlchemy takes."""
    return target.replace("postgresql:", "postgresql+psycopg:") if "://" in target else f"sqlite:///{target}"


@pytest.fixture
def new_engine(database_url: str) -> Iterator[Callable[..., sa.Engine]]:
    """Make engines as somebody else would."""
    made = []

    def make(**options: Any) -> sa.Engine:
        given = {name: value for name, value in options.items() if value is not None}
        made.append(sa.create_engine(engine_url(database_url), **given))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def look(database_url: str) -> Iterator[Callable[..., list[Any]]]:
    """Ask a database something as somebody else would."""
    engine = sa.create_engine(engine_url(database_url), poolclass=sa.NullPool)

    def ask(sql: str, **values: Any) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(sa.text(sql), values).scalars())

    yield ask
    engine.dispose()


@pytest.fixture
def empty_server(server: sa.URL, execute: Callable[..., None]) -> Iterator[str]:
    """A PostgreSQL database without any table."""
    name = f"empty_{os.getpid()}"
    execute(server, f"CREATE DATABASE {name}")
    yield server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def settings_of_driver(engine: sa.Engine) -> list[Any]:
    """Return what a driver's connection is set to, as it comes out of the pool."""
    names = ("autocommit", "isolation_level", "read_only")
    with engine.connect() as connection:
        return [getattr(connection.connection.dbapi_connection, name, None) for name in names]


def kill_connections(execute: Callable[..., None], url: str) -> None:
    """End every other session of a server's database, as a restart or a pooler would."""
    execute(
        url,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


# Transactions


@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT", "SERIALIZABLE"])
def test_a_transaction_of_a_given_engine_is_one_even_when_the_engine_commits_by_itself(
    new_engine: Callable[..., sa.Engine], isolation: str | None
) -> None:
    engine = new_engine(isolation_level=isolation)
    before = settings_of_driver(engine)
    service = toolkit.connect(engine)
    made = "CREATE TABLE made_by_a_transaction (a int)"

    def fails() -> None:
        with service.database.write() as connection:
            connection.exec_driver_sql(made)
            assert sa.inspect(connection).has_table("made_by_a_transaction")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with service.database.read() as connection:
        assert not sa.inspect(connection).has_table("made_by_a_transaction")
    with service.database.write() as connection:
        connection.exec_driver_sql(made)
    with engine.connect() as connection:
        assert sa.inspect(connection).has_table("made_by_a_transaction")
    assert settings_of_driver(engine) == before


@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT", "SERIALIZABLE"])
def test_a_reading_transaction_sees_one_moment(
    database_url: str, new_engine: Callable[..., sa.Engine], isolation: str | None, execute: Callable[..., None]
) -> None:
    execute(database_url, "CREATE TABLE counted (a int)")
    engine = new_engine(isolation_level=isolation)
    if engine.dialect.name == "sqlite":
        execute(database_url, "PRAGMA journal_mode = WAL")
    service = toolkit.connect(engine)
    with service.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM counted").scalar() == 0
        execute(database_url, "INSERT INTO counted VALUES (1)")
        assert connection.exec_driver_sql("SELECT count(*) FROM counted").scalar() == 0
    with service.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM counted").scalar() == 1


def test_a_given_engine_stays_open_and_as_it_was(new_engine: Callable[..., sa.Engine]) -> None:
    engine = new_engine(poolclass=sa.StaticPool)
    settings = settings_of_driver(engine)
    with engine.connect() as connection:
        before = connection.connection.dbapi_connection
    with toolkit.connect(engine, read_only=True) as service:
        assert len(service.list_workflows()) == 0
    with engine.begin() as connection:
        assert connection.connection.dbapi_connection is before
        connection.exec_driver_sql("CREATE TABLE made_past_the_toolkit (a int)")
    assert settings_of_driver(engine) == settings


@pytest.mark.parametrize("kind", SERVERS)
def test_no_transaction_outlives_a_call(
    service: toolkit.UnifiedDataService, workflow_id: str, look: Callable[..., list[Any]]
) -> None:
    def idle() -> list[Any]:
        return look("SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")

    service.set_variable(workflow_id, "total", 3)
    service.query_records(workflow_id)
    service.get_data(workflow_id)
    assert idle() == []
    with pytest.raises(toolkit.RecordNotFound):
        service.update_record(workflow_id, "email_001", {"status": "complete"})
    with pytest.raises(toolkit.DatabaseError), service.database.write() as connection:
        connection.exec_driver_sql("SELECT nonsense()")
    with pytest.raises(toolkit.ToolkitError), service.database.read() as connection:
        connection.exec_driver_sql("SELECT 1 / 0")
    assert idle() == []
    with service.database.read():
        assert len(idle()) == 1


def test_no_lock_outlives_a_call_that_fails(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.create_record(workflow_id, "email_001")
    with pytest.raises(toolkit.RecordExists):
        service.create_record(workflow_id, "email_001", mode="create")
    with ThreadPoolExecutor(1) as other:
        done = other.submit(service.update_record, workflow_id, "email_001", {"status": "complete"})
        done.result(timeout=30)
    assert list(service.query_records(workflow_id)["status"]) == ["complete"]


@pytest.mark.parametrize("kind", SERVERS)
def test_time_limits_hold_in_every_transaction_and_nowhere_else(service: toolkit.UnifiedDataService) -> None:
    asked = "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'TimeZone')"
    limits = {
        "statement_timeout": str(database.STATEMENT_TIMEOUT * 1000),
        "lock_timeout": str(database.LOCK_TIMEOUT * 1000),
        "TimeZone": "UTC",
    }
    for transaction in (service.database.read, service.database.write, service.database.read):
        with transaction() as connection:
            assert dict(map(tuple, connection.exec_driver_sql(asked))) == limits
    with service.database.engine.connect() as connection:
        found = dict(map(tuple, connection.exec_driver_sql(asked)))
    assert found["statement_timeout"] == found["lock_timeout"] == "0"


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_role_that_reads_by_default_stays_so(database_url: str, execute: Callable[..., None]) -> None:
    execute(database_url, f"ALTER DATABASE {sa.make_url(database_url).database} SET default_transaction_read_only = on")
    with toolkit.connect(database_url) as service:
        for _ in range(2):
            assert len(service.list_workflows()) == 0
            with pytest.raises(toolkit.ReadOnly):
                service.set_variable("nightly", "total", 3)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_the_server_is_told_who_acts(
    database_url: str, look: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
    for actor in ("nightly clean-up", "x" * 200):
        monkeypatch.setenv(targets.ACTOR_VARIABLE, actor)
        with toolkit.connect(database_url) as service:
            assert f"toolkit ({actor})"[:63] in look(shown)
            assert service.database.actor == actor
    monkeypatch.delenv(targets.ACTOR_VARIABLE)
    with toolkit.connect(database_url):
        assert f"toolkit ({targets.actor()})" in look(shown)


# Read-only


@pytest.fixture(params=["url", "engine"])
def read_only_service(
    request: pytest.FixtureRequest, database_url: str, new_engine: Callable[..., sa.Engine]
) -> Iterator[toolkit.UnifiedDataService]:
    """A read-only service, over a URL or over an engine that somebody else made."""
    with toolkit.connect(database_url if request.param == "url" else new_engine(), read_only=True) as service:
        yield service


def test_a_read_only_service_reads_and_refuses_to_write(read_only_service: toolkit.UnifiedDataService) -> None:
    service = read_only_service
    assert len(service.query_records("nightly-*")) == 0
    with pytest.raises(toolkit.ReadOnly, match="read_only=True"):
        service.database.check_writable()
    with pytest.raises(toolkit.ReadOnly):
        service.setup_archive()
    assert "read-only" in repr(service)


def test_the_database_itself_refuses_a_write_inside_a_read(
    service: toolkit.UnifiedDataService, read_only_service: toolkit.UnifiedDataService
) -> None:
    for each in (read_only_service, service):
        with pytest.raises(toolkit.ReadOnly), each.database.read() as connection:
            connection.exec_driver_sql(INSERT)
    with service.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE made_afterwards (a int)")


@pytest.mark.parametrize("read_only_service", ["url"], indirect=True)
def test_the_database_itself_refuses_a_write_past_the_toolkit(
    read_only_service: toolkit.UnifiedDataService, look: Callable[..., list[Any]]
) -> None:
    is_refused_past_the_toolkit(read_only_service.database.engine)
    assert look("SELECT count(*) FROM workflow_memory") == [0]


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("read_only_service", ["engine"], indirect=True)
def test_a_server_refuses_a_write_past_the_toolkit_over_a_given_engine_too(
    read_only_service: toolkit.UnifiedDataService, look: Callable[..., list[Any]]
) -> None:
    is_refused_past_the_toolkit(read_only_service.database.engine)
    assert look("SELECT count(*) FROM workflow_memory") == [0]


def is_refused_past_the_toolkit(engine: sa.Engine) -> None:
    """Write as somebody would who takes the engine of a service."""
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"), engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE made_past_the_toolkit (a int)")


def test_a_read_only_file_is_opened_so_that_no_setting_lifts_it(new_database: Callable[[str], str]) -> None:
    file = new_database("sqlite")
    with toolkit.connect(file, read_only=True) as service, service.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = OFF")
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            connection.exec_driver_sql(INSERT)


@pytest.mark.parametrize("value", ["1", "true", "YES", "anything"])
def test_the_environment_asks_for_read_only_and_code_does_not_lift_it(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    url = new_database("sqlite")
    monkeypatch.setenv(targets.READ_ONLY_VARIABLE, value)
    for read_only in (None, False, True):
        with toolkit.connect(url, read_only=read_only) as service:
            with pytest.raises(toolkit.ReadOnly, match=targets.READ_ONLY_VARIABLE):
                service.set_variable("nightly", "total", 3)
            assert targets.READ_ONLY_VARIABLE in repr(service)


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_the_environment_can_also_say_no(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(targets.READ_ONLY_VARIABLE, value)
    with toolkit.connect(new_database("sqlite")) as service:
        service.set_variable("nightly", "total", 3)
        assert service.get_variable("nightly", "total") == 3


@pytest.fixture
def reader(server: sa.URL, database_url: str, execute: Callable[..., None]) -> Iterator[str]:
    """The URL of a role that may do nothing but SELECT."""
    name = f"reader_{os.getpid()}"
    execute(
        database_url,
        f"CREATE ROLE {name} LOGIN",
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
    )
    yield sa.make_url(database_url).set(username=name).render_as_string(hide_password=False)
    execute(database_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("archive", ["with an archive", "without an archive"])
def test_a_role_that_may_only_select_reads_and_is_told_what_it_lacks(
    service: toolkit.UnifiedDataService, workflow_id: str, reader: str, archive: str, execute: Callable[..., None]
) -> None:
    service.set_variable(workflow_id, "total", 3)
    if archive == "without an archive":
        execute(reader.replace(str(sa.make_url(reader).username), "postgres"), f"DROP SCHEMA {ARCHIVE_SCHEMA} CASCADE")
    with toolkit.connect(reader) as reading:
        assert reading.get_variable(workflow_id, "total") == 3
        assert len(reading.query_records(workflow_id)) == 0
        with pytest.raises(toolkit.PermissionMissing) as caught:
            reading.set_variable(workflow_id, "total", 4)
        assert f"the role lacks a right that this call needs (table {VARIABLES}" in str(caught.value)
        assert caught.value.cause
        assert (caught.value.cause.sqlstate, caught.value.cause.table) == ("42501", VARIABLES)
        assert reading.get_variable(workflow_id, "total") == 3


# Closing, and connections that are lost


def test_closing_twice_is_fine_and_a_closed_service_says_so(database_url: str) -> None:
    service = toolkit.connect(database_url)
    workflow = service.workflow
    service.close()
    service.close()
    for call in (service.list_workflows, lambda: workflow("nightly"), lambda: service.set_variable("nightly", "a", 1)):
        with pytest.raises(toolkit.ServiceClosed, match="connect again"):
            call()
    assert "UnifiedDataService" in repr(service)


def test_leaving_the_block_closes_also_after_an_error(database_url: str) -> None:
    service = toolkit.connect(database_url)
    with pytest.raises(ZeroDivisionError), service:
        raise ZeroDivisionError
    with pytest.raises(toolkit.ServiceClosed):
        service.list_workflows()


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("given", ["url", "engine"])
def test_a_lost_connection_costs_one_call_at_most(
    database_url: str, given: str, new_engine: Callable[..., sa.Engine], execute: Callable[..., None]
) -> None:
    service = toolkit.connect(database_url if given == "url" else new_engine())
    with service.database.read(), ThreadPoolExecutor(1) as other:
        other.submit(service.list_workflows).result()
    for _ in range(2):
        kill_connections(execute, database_url)
        failures = 0
        for _ in range(3):
            try:
                service.list_workflows()
            except toolkit.ConnectionFailed as error:
                assert "the next call opens a new one" in str(error)  # noqa: PT017 - it may or may not be raised
                failures += 1
        assert failures <= (given == "engine")
    service.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_connection_lost_in_the_middle_of_a_call_is_said_and_the_next_works(
    service: toolkit.UnifiedDataService, database_url: str, execute: Callable[..., None]
) -> None:
    def interrupted() -> None:
        with service.database.write() as connection:
            kill_connections(execute, database_url)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(toolkit.ConnectionFailed, match="the next call opens a new one") as caught:
        interrupted()
    assert isinstance(caught.value, ConnectionError)
    assert len(service.list_workflows()) == 0


# Making databases


def test_on_a_server_the_tables_are_made_only_when_asked_for(empty_server: str) -> None:
    with pytest.raises(toolkit.SchemaMismatch, match="create=True"):
        toolkit.connect(empty_server)
    with toolkit.connect(empty_server, create=True) as service:
        service.set_variable("nightly", "total", 3)
        service.delete_variable("nightly", "total")
        assert len(service.changes()) == 1
    with toolkit.connect(empty_server, create=True) as service:
        assert len(service.changes()) == 1


@pytest.mark.parametrize("kind", SERVERS)
def test_tables_that_are_there_stay_as_they_are(
    database_url: str, look: Callable[..., list[Any]], execute: Callable[..., None]
) -> None:
    execute(database_url, f"DROP SCHEMA {ARCHIVE_SCHEMA} CASCADE")
    everything = "SELECT relname || relnatts || coalesce(relacl::text, '') FROM pg_class ORDER BY oid"
    before = look(everything)
    with toolkit.connect(database_url, create=True) as service:
        assert service.database.tables.archive is None
    assert look(everything) == before


def test_all_is_made_or_nothing(empty_server: str, execute: Callable[..., None], server: sa.URL) -> None:
    execute(empty_server, f"CREATE SCHEMA {ARCHIVE_SCHEMA}", f"CREATE VIEW {ARCHIVE_SCHEMA}.changes AS SELECT 1 AS a")
    with pytest.raises(toolkit.ToolkitError):
        toolkit.connect(empty_server, create=True)
    engine = sa.create_engine(engine_url(empty_server), poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert not sa.inspect(connection).get_table_names()


def test_only_a_file_that_the_toolkit_made_writes_ahead(tmp_path: Path) -> None:
    def journal(file: Path) -> str:
        with sqlite3.connect(file) as connection:
            mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.close()
        return mode

    made, found = tmp_path / "made.db", tmp_path / "found.db"
    connection = sqlite3.connect(found)
    connection.execute("CREATE TABLE of_somebody_else (a)")
    connection.close()
    for file in (made, found):
        with toolkit.connect(file, create=True) as service:
            service.set_variable("nightly", "total", 3)
        toolkit.connect(file).close()
    assert (journal(made), journal(found)) == ("wal", "delete")
