"""Behind a transaction pooler no session lasts: every call works all the same, and leaves nothing in a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit

Service = toolkit.UnifiedDataService

# Of a session, as the next client would find it; PgBouncer itself hands over what a client says when it connects.
STATE = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('search_path'),
       current_setting('default_transaction_read_only'), current_setting('transaction_isolation'), current_user,
       (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),
       (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
       (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())
"""
RECORDS = 600


@pytest.fixture
def many_clients(database_url: str) -> Iterator[list[Service]]:
    """More clients than the pooler has sessions for."""
    with ExitStack() as stack:
        yield [stack.enter_context(toolkit.connect(database_url)) for _ in range(6)]


def driver_engine(url: str) -> sa.Engine:
    """Make an engine without the toolkit."""
    driver = sa.make_url(url).set(drivername="postgresql+psycopg")
    return sa.create_engine(driver, poolclass=sa.NullPool, connect_args={"prepare_threshold": None})


@pytest.fixture
def untouched(direct_url: str) -> tuple[Any, ...]:
    """The state of a session that nobody has used."""
    with driver_engine(direct_url).connect() as connection:
        return tuple(connection.exec_driver_sql(STATE).one())


@pytest.fixture
def sessions(database_url: str) -> Iterator[Callable[[], dict[int, tuple[Any, ...]]]]:
    """Look at the state of every session that the pooler has, by the number of its process."""
    engine = driver_engine(database_url)

    def look() -> dict[int, tuple[Any, ...]]:
        with ExitStack() as stack:
            # Two transactions at once are in two sessions.
            open_now = [stack.enter_context(engine.begin()) for _ in range(2)]
            pids = [connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for connection in open_now]
            states = [tuple(connection.exec_driver_sql(STATE).one()) for connection in open_now]
            return dict(zip(pids, states, strict=True))

    yield look
    engine.dispose()


def fill(service: Service, workflow_id: str) -> None:
    rows = [{"record_id": f"a_{number:05}", "fields.n": number, "vars.x": 1e22} for number in range(RECORDS)]
    assert service.create_records(workflow_id, rows) == RECORDS


def work(service: Service, workflow_id: str) -> None:
    """Do a bit of everything that sends statements of its own kind."""
    fill(service, workflow_id)
    service.create_records(workflow_id, [{"record_id": "a_00001", "fields.n": -1}], mode="upsert")
    service.set_variables(workflow_id, {f"name_{number}": number for number in range(50)})
    service.update_record(workflow_id, "a_00002", {"fields.n": -2, "history[+]": {"n": 1}})
    assert service.get_variable(workflow_id, "name_7") == 7
    assert len(service.query_records(workflow_id, "a_000*", columns=["status", "fields.n"])) == 100
    with service.query_records(workflow_id, chunksize=250) as chunks:
        assert [len(chunk) for chunk in chunks] == [250, 250, 100]
    receipt = service.plan_clear(workflow_id, "a_0001*").apply()
    assert receipt.records == 10
    assert receipt.undo().records == 10
    ids = [f"a_{number:05}" for number in range(5)]
    result = service.iterate_records(workflow_id, ids, body=lambda one: {"vars.seen": one["record_id"]})
    assert (result.processed, result.failed) == (5, 0)


def test_every_kind_of_call_works(service: Service, workflow_id: str) -> None:
    work(service, workflow_id)
    found = service.query_records(workflow_id)
    assert len(found) == RECORDS
    numbers = dict(zip(found["record_id"], found["fields.n"], strict=True))
    assert [numbers[f"a_{number:05}"] for number in range(4)] == [0, -1, -2, 3]
    assert set(found["vars.x"].dropna()) == {1e22}
    assert list(found["vars.seen"].dropna()) == [f"a_{number:05}" for number in range(5)]
    assert service.count_records(workflow_id, by=("status",)).to_dict("list") == {
        "status": ["discovered", "complete"],
        "count": [RECORDS - 5, 5],
    }


def test_tables_are_made_through_the_pooler(
    server: sa.URL, pooler: Callable[[str], str], execute: Callable[..., None]
) -> None:
    name = "made_through_the_pooler"
    execute(server, f"CREATE DATABASE {name}")
    try:
        url = server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        with toolkit.connect(pooler(url), create=True) as service:
            work(service, "nightly")
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def test_nothing_of_a_call_stays_in_a_session(
    many_clients: list[Service],
    service: Service,
    database_url: str,
    new_workflow: Callable[[str], str],
    sessions: Callable[[], dict[int, tuple[Any, ...]]],
    untouched: tuple[Any, ...],
) -> None:
    before = sessions()
    assert len(before) == 2
    for number, client in enumerate(many_clients):
        work(client, new_workflow(f"of_{number}"))
    with toolkit.connect(database_url, read_only=True) as reader, pytest.raises(toolkit.ReadOnly):
        reader.set_variable("nightly", "total", 3)
    after = sessions()
    # The same sessions as before, so all the work was done in them.
    assert after.keys() == before.keys()
    assert set(after.values()) == {untouched}
    workflow_id = new_workflow("nightly")
    service.set_variable(workflow_id, "total", 3)
    assert service.get_variable(workflow_id, "total") == 3


def test_more_clients_than_sessions_lose_no_update(
    many_clients: list[Service], service: Service, workflow_id: str
) -> None:
    service.create_record(workflow_id, "shared_001")

    def update(number: int) -> None:
        for step in range(20):
            patch = {f"vars.of_{number}.n{step}": step, "history[+]": [number, step]}
            many_clients[number].update_record(workflow_id, "shared_001", patch)

    with ThreadPoolExecutor(len(many_clients)) as threads:
        for done in [threads.submit(update, number) for number in range(len(many_clients))]:
            done.result(timeout=60)
    record = service.get_record(workflow_id, "shared_001")
    assert record
    wanted = {f"of_{number}": {f"n{step}": step for step in range(20)} for number in range(len(many_clients))}
    assert record["data"]["vars"] == wanted
    steps = [[number, step] for number in range(len(many_clients)) for step in range(20)]
    assert sorted(record["data"]["history"]) == steps


def test_two_threads_of_one_service_work_at_once(service: Service, workflow_id: str) -> None:
    fill(service, workflow_id)
    with ThreadPoolExecutor(1) as other, service.query_records(workflow_id, chunksize=250) as chunks:
        read = len(next(iter(chunks)))
        other.submit(service.update_record, workflow_id, "a_00599", {"fields.n": -1}).result(timeout=30)
        rest = [number for chunk in chunks for number in chunk["fields.n"]]
    assert read + len(rest) == RECORDS
    # Of the snapshot in which the reading began.
    assert -1 not in rest
    assert list(service.query_records(workflow_id, "a_00599")["fields.n"]) == [-1]


def test_read_only_is_held_by_the_server_in_every_transaction(
    database_url: str, service: Service, workflow_id: str
) -> None:
    service.set_variable(workflow_id, "total", 3)
    with toolkit.connect(database_url, read_only=True) as reader:
        assert "read-only" in repr(reader)
        with pytest.raises(toolkit.ReadOnly):
            reader.set_variable(workflow_id, "total", 4)
        for _ in range(4):
            with reader.database.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
                connection.exec_driver_sql("DELETE FROM workflow_memory")
            assert getattr(caught.value.orig, "sqlstate", None) == "25006"
            # In the same session, perhaps, another client writes.
            service.set_variable(workflow_id, "total", 5)
        assert reader.get_variable(workflow_id, "total") == 5


def end_sessions(execute: Callable[..., None], url: str) -> None:
    """End every other session of a database, as a restart of the server would."""
    execute(
        url,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_a_server_connection_that_was_ended_costs_one_call_at_most(
    service: Service, workflow_id: str, direct_url: str, execute: Callable[..., None]
) -> None:
    for number in range(3):
        service.set_variable(workflow_id, "total", number)
        end_sessions(execute, direct_url)
        lost = 0
        for call in range(3):
            try:
                service.set_variable(workflow_id, "total", 10 * number + call)
            except toolkit.ConnectionFailed:
                lost += 1
        assert lost <= 1
        assert service.get_variable(workflow_id, "total") == 10 * number + 2


def test_a_server_connection_that_ends_in_a_call_is_said_and_the_next_call_works(
    service: Service, workflow_id: str, direct_url: str, execute: Callable[..., None]
) -> None:
    def interrupted() -> None:
        with service.database.write() as connection:
            service.set_variable(workflow_id, "total", 3)
            end_sessions(execute, direct_url)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(toolkit.ConnectionFailed):
        interrupted()
    assert service.get_variable(workflow_id, "total", "nothing") == "nothing"
