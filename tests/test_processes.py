"""Several processes and threads at once: every acknowledged write is there at the end."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

import toolkit
from toolkit import jsonvalue

PROCESSES = 4
STEPS = 40
"""Of each process: three writes and up to two reads each."""

UPDATERS = 8
UPDATES = 25
"""Of one record by each of them; `python -m benchmarks.contention` makes 500."""

UPDATER = """
import sys
import toolkit

url, workflow_id, me, updates = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with toolkit.connect(url) as service:
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(updates):
        entry = {"process": me, "step": i, "price": 1.5}
        service.update_record(workflow_id, "shared_001", {f"vars.p{me}.v{i}": i, "history[+]": entry})
    print("done", flush=True)
"""

WRITER = """
import sys
import toolkit

url, name, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
with toolkit.connect(url) as service:
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(steps):
        service.set_variable("nightly", f"{name}_{step}", {"step": step})
        service.create_records("nightly", [{"record_id": f"{name}_{step}_{i}", "fields.step": step} for i in range(3)])
        service.update_record("nightly", "shared_001", {f"vars.{name}_{step}": step})
        if step % 4 == 0:
            assert len(service.query_records("nightly", f"{name}_*")) == 3 * (step + 1)
            assert len(service.get_all_variables("nightly", pattern=f"{name}_*")) == step + 1
    print("done", flush=True)
"""

WAITER = """
import sys
import sqlalchemy as sa
import toolkit

with toolkit.connect(sys.argv[1]) as service:
    sa.event.listen(service.database.engine, "handle_error", lambda _: print("waiting", flush=True))
    try:
        service.set_variable("nightly", "total", 3)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""

MAKER = """
import sys
import toolkit

print("ready", flush=True)
sys.stdin.readline()
with toolkit.connect(sys.argv[1], create=True) as service:
    service.set_variable("nightly", sys.argv[2], 1)
print("done", flush=True)
"""

FORKING = """
import os
import sys
import toolkit

target = sys.argv[1]
with toolkit.connect(target, create=True) as service:
    service.set_variable("nightly", "before", 1)
    child = os.fork()
    if child == 0:
        assert service.get_variable("nightly", "before") == 1
        service.set_variable("nightly", "of_the_child", 2)
        assert len(service.query_records("nightly")) == 0
        os._exit(0)
    service.set_variable("nightly", "of_the_parent", 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert service.get_variable("nightly", "before") == 1
    assert service.get_variable("nightly", "of_the_child") == (None if target == ":memory:" else 2)
    assert service.get_variable("nightly", "of_the_parent") == 3

    with service.database.write() as connection:
        child = os.fork()
        if child == 0:
            assert service.get_variable("nightly", "before") == 1
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        service.set_variable("nightly", "after", 4)
    assert service.get_variable("nightly", "after") == 4
print("done", flush=True)
"""


def together(program: str, arguments: list[list[str]]) -> None:
    """Run a program in several processes that begin at one moment, and hold each to saying that it is done."""
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in arguments
    ]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        output, errors = process.communicate(timeout=120)
        assert (output, errors) == ("done\n", "")


@pytest.fixture
def empty_server(server: sa.URL, execute: Callable[..., None]) -> Iterator[str]:
    """A PostgreSQL database without any table."""
    name = f"empty_{os.getpid()}"
    execute(server, f"CREATE DATABASE {name}")
    yield server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_write_and_read_at_once_lose_nothing(database_url: str, kind: str) -> None:
    names = [f"of{number}" for number in range(PROCESSES)]
    with toolkit.connect(database_url) as service:
        service.create_record("nightly", "shared_001")
    together(WRITER, [[database_url, name, str(STEPS)] for name in names])
    written = {f"{name}_{step}": step for name in names for step in range(STEPS)}
    with toolkit.connect(database_url) as service:
        assert service.get_variable("nightly", "all") == {key: {"step": step} for key, step in written.items()}
        ids = {f"{key}_{number}" for key in written for number in range(3)}
        assert set(service.query_records("nightly", "of*")["record_id"]) == ids
        record = service.get_record("nightly", "shared_001")
        assert record
        assert record["data"]["vars"] == written
    if kind == "sqlite":
        connection = sqlite3.connect(database_url)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_every_update_of_one_record_by_eight_processes_is_kept(
    service: toolkit.UnifiedDataService, workflow_id: str, database_url: str
) -> None:
    service.create_record(workflow_id, "shared_001", data={"untouched": [1e22, 0.1, 10**40]})
    together(UPDATER, [[database_url, workflow_id, str(me), str(UPDATES)] for me in range(UPDATERS)])
    record = service.get_record(workflow_id, "shared_001")
    assert record
    document = record["data"]
    assert document["vars"] == {f"p{me}": {f"v{i}": i for i in range(UPDATES)} for me in range(UPDATERS)}
    steps = [(entry["process"], entry["step"]) for entry in document["history"]]
    assert sorted(steps) == [(me, i) for me in range(UPDATERS) for i in range(UPDATES)]
    for me in range(UPDATERS):
        assert [step for process, step in steps if process == me] == list(range(UPDATES))
    assert jsonvalue.same(document["fields"], {"untouched": [1e22, 0.1, 10**40]})


def test_a_wait_for_the_lock_of_a_file_can_be_interrupted(new_database: Callable[[str], str]) -> None:
    file = new_database("sqlite")
    with toolkit.connect(file) as service, service.database.write():
        waiting = subprocess.Popen([sys.executable, "-c", WAITER, file], stdout=subprocess.PIPE, text=True)
        assert waiting.stdout
        assert waiting.stdout.readline() == "waiting\n"
        waiting.send_signal(signal.SIGINT)
        # Long before the minute is over for which it would wait.
        output, _ = waiting.communicate(timeout=30)
    assert output.endswith("interrupted\n")
    assert waiting.returncode == 0


@pytest.mark.parametrize("milliseconds", [0, 250])
def test_a_write_waits_as_long_as_its_connection_says(new_database: Callable[[str], str], milliseconds: int) -> None:
    file = new_database("sqlite")
    engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": milliseconds / 1000})

    def patience() -> int:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    with toolkit.connect(engine) as impatient, toolkit.connect(file) as other:
        with other.database.write(), impatient.trace() as trace, pytest.raises(toolkit.DatabaseTimeout):
            impatient.set_variable("nightly", "total", 3)
        assert [statement.failed for statement in trace] == [True] * len(trace)
        assert (len(trace) == 1) == (milliseconds == 0)
        assert patience() == milliseconds
        impatient.set_variable("nightly", "total", 3)
        assert patience() == milliseconds
    engine.dispose()


def makers(target: str) -> None:
    """Have two processes make one database at once, and find what each of them wrote in it."""
    together(MAKER, [[target, f"of_{number}"] for number in range(2)])
    with toolkit.connect(target) as service:
        assert service.get_variable("nightly", "all") == {f"of_{number}": 1 for number in range(2)}
        assert len(service.changes()) == 0


def test_processes_that_make_the_tables_of_a_server_at_once_make_them_once(empty_server: str) -> None:
    makers(empty_server)


def test_processes_that_make_one_file_at_once_make_it_once(tmp_path: object) -> None:
    makers(f"{tmp_path}/together.db")


@pytest.mark.parametrize("where", ["file", "memory", "postgresql"])
def test_parent_and_child_go_on_after_a_fork(new_database: Callable[[str], str], where: str) -> None:
    target = ":memory:" if where == "memory" else new_database("sqlite" if where == "file" else where)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKING, target], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


# Threads


@pytest.fixture(params=["file", "memory", "postgresql"])
def threaded(
    request: pytest.FixtureRequest, new_database: Callable[[str], str]
) -> Iterator[toolkit.UnifiedDataService]:
    """A service that several threads use."""
    kind = {"file": "sqlite"}.get(request.param, request.param)
    target = ":memory:" if kind == "memory" else new_database(kind)
    with toolkit.connect(target, create=True) as service:
        yield service


def test_several_threads_write_and_read_and_every_write_is_kept(threaded: toolkit.UnifiedDataService) -> None:
    threaded.create_record("nightly", "email_001")
    together = threading.Barrier(4)

    def work(number: int) -> None:
        together.wait(timeout=30)
        for step in range(25):
            threaded.set_variable("nightly", f"of_{number}_{step}", step)
            threaded.update_record("nightly", "email_001", {f"fields.of_{number}_{step}": step})
            assert len(threaded.get_all_variables("nightly", pattern=f"of_{number}_*")) == step + 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result(timeout=60)
    wanted = {f"of_{number}_{step}": step for number in range(4) for step in range(25)}
    assert threaded.get_variable("nightly", "all") == wanted
    record = threaded.get_record("nightly", "email_001")
    assert record
    assert record["data"]["fields"] == wanted


def test_the_transaction_of_one_thread_is_not_that_of_another(threaded: toolkit.UnifiedDataService) -> None:
    with ThreadPoolExecutor(1) as other:
        with threaded.database.read() as mine:
            later = other.submit(threaded.set_variable, "nightly", "total", 3)
            assert mine.exec_driver_sql("SELECT count(*) FROM workflow_records").scalar() == 0
            with pytest.raises(RuntimeError, match="inside a transaction that reads"), threaded.database.write():
                pass
        later.result(timeout=30)
    assert threaded.get_variable("nightly", "total") == 3
