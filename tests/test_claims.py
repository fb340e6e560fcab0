"""Several processes on one workflow, records that come back, and arrays that become records: on every database."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit
from toolkit.iterate import LARGE
from toolkit.storage.claims import WINDOW

Service = toolkit.UnifiedDataService
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)

# A process of its own: it iterates, says which record it holds, and goes on when it is told to.
PROCESS = """
import os, sys, toolkit
target, workflow_id, waits = sys.argv[1:]
def body(record):
    if waits == "yes" or waits == record["record_id"]:
        print(record["record_id"], flush=True)
        sys.stdin.readline()
    return {"history[+]": {"by": os.getpid()}}
with toolkit.connect(target) as service:
    print("ready", flush=True)
    sys.stdin.readline()
    print(service.iterate_records(workflow_id, "*", body=body).processed, flush=True)
"""


class Process:
    """Another process that iterates the same workflow."""

    def __init__(self, target: str, workflow_id: str, waits: str) -> None:
        self.running = subprocess.Popen(
            [sys.executable, "-c", PROCESS, target, workflow_id, waits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.says() == "ready"

    def says(self) -> str:
        assert self.running.stdout is not None
        return self.running.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.running.stdin is not None
        self.running.stdin.write("\n")
        self.running.stdin.flush()

    def end(self) -> int:
        self.running.communicate()
        return self.running.returncode


@pytest.fixture
def process(database_url: str, workflow_id: str) -> Iterator[Callable[[str], Process]]:
    """Start other processes on the database of the test."""
    started: list[Process] = []

    def start(waits: str) -> Process:
        started.append(Process(database_url, workflow_id, waits))
        return started[-1]

    yield start
    for one in started:
        one.running.kill()
        one.end()


def record(service: Service, workflow_id: str, record_id: str) -> dict[str, Any]:
    found = service.get_record(workflow_id, record_id, reveal=True)
    assert found is not None
    return found


def statuses(service: Service, workflow_id: str) -> list[str]:
    return list(service.query_records(workflow_id)["status"])


def create(service: Service, workflow_id: str, count: int, **row: Any) -> list[str]:
    made = [f"a_{n:03}" for n in range(count)]
    service.create_records(workflow_id, [{"record_id": name, **row} for name in made])
    return made


def counted(service: Service, call: Callable[[], object]) -> int:
    """Run a call and count its statements."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    sa.event.listen(service.database.engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        sa.event.remove(service.database.engine, "before_cursor_execute", note)
    return len(seen)


# Several processes


def test_two_processes_take_no_record_twice(
    service: Service, workflow_id: str, process: Callable[[str], Process]
) -> None:
    made = create(service, workflow_id, 120)
    both = [process("no"), process("no")]
    for one in both:
        one.go_on()
    processed = [int(one.says()) for one in both]
    assert sum(processed) == len(made)
    table = service.query_records(workflow_id, flatten=False)
    assert [len(document["history"]) for document in table["data"]] == [1] * len(made)
    assert set(table["status"]) == {"complete"}


def test_what_another_process_has_in_hand_is_passed_by(
    service: Service, workflow_id: str, process: Callable[[str], Process]
) -> None:
    made = create(service, workflow_id, 2 * WINDOW + 5)
    other = process(made[1])
    other.go_on()
    assert other.says() == made[1]
    seen: list[str] = []
    result = service.iterate_records(workflow_id, "*", body=lambda one: seen.append(one["record_id"]))
    assert (seen, result.total) == (made[2:], len(made) - 2)
    other.go_on()
    assert int(other.says()) == 2
    assert set(statuses(service, workflow_id)) == {"complete"}


def test_an_interrupted_process_puts_its_record_back(
    service: Service, workflow_id: str, process: Callable[[str], Process]
) -> None:
    create(service, workflow_id, 2)
    other = process("yes")
    other.go_on()
    assert other.says() == "a_000"
    assert statuses(service, workflow_id) == ["processing", "discovered"]
    other.running.send_signal(signal.SIGINT)
    assert other.end() == -signal.SIGINT
    assert statuses(service, workflow_id) == ["discovered", "discovered"]


def test_the_record_of_a_killed_process_comes_back_by_requeue_stuck(
    service: Service, workflow_id: str, process: Callable[[str], Process]
) -> None:
    create(service, workflow_id, 2)
    other = process("yes")
    other.go_on()
    assert other.says() == "a_000"
    other.running.kill()
    other.end()
    assert statuses(service, workflow_id) == ["processing", "discovered"]
    assert service.iterate_records(workflow_id, "*", body=lambda _: None).processed == 1
    assert service.requeue_stuck(workflow_id, "1h") == []
    assert service.requeue_stuck(workflow_id, LATER) == ["a_000"]
    assert service.iterate_records(workflow_id, "*", body=lambda _: None).processed == 1
    assert set(statuses(service, workflow_id)) == {"complete"}


# Bringing records back


def test_requeue_stuck_takes_only_old_records_in_work(service: Service, workflow_id: str) -> None:
    now = record_time = dt.datetime.now(dt.UTC)
    rows = [
        ("a_1", "processing", record_time - dt.timedelta(hours=2), 3),
        ("a_2", "processing", now + dt.timedelta(hours=2), 0),
        ("a_3", "failed", record_time - dt.timedelta(hours=2), 0),
        ("b_1", "processing", record_time - dt.timedelta(hours=2), 0),
    ]
    names = ("record_id", "status", "updated_at", "retry_count")
    service.create_records(workflow_id, [dict(zip(names, row, strict=True)) for row in rows])
    assert service.requeue_stuck(workflow_id, dt.timedelta(hours=1), pattern="a_*") == ["a_1"]
    assert statuses(service, workflow_id) == ["discovered", "processing", "failed", "processing"]
    found = record(service, workflow_id, "a_1")
    assert found["retry_count"] == 3
    assert found["updated_at"] > now - dt.timedelta(hours=1)
    assert service.requeue_stuck(workflow_id, "1h", ids=["a_2"]) == []
    with pytest.raises(toolkit.InvalidOption, match="older_than=None"):
        service.requeue_stuck(workflow_id, None)  # type: ignore[arg-type]
    with pytest.raises(toolkit.InvalidOption, match="is about processing records"):
        service.requeue_stuck(workflow_id, "1h", status="failed")


def test_retry_failed_moves_the_message_into_the_history(service: Service, workflow_id: str) -> None:
    exact = {"big": 2**70, "one": 1.0, "small": 5e-324, "large": 1.7e308, "text": 'é"✉', "none": None, "nested": [[{}]]}
    seen = {"action": "seen", "n": 2.0}
    service.create_records(
        workflow_id,
        [
            {
                "record_id": "a_1",
                "status": "failed",
                "error_message": 'tim"eout ✉',
                "retry_count": 2,
                "data": {"fields": exact, "history": [seen]},
            },
            {"record_id": "a_2", "status": "failed"},
            {"record_id": "a_3", "status": "complete", "error_message": "leftover"},
        ],
    )
    before = record(service, workflow_id, "a_1")
    receipt = service.retry_failed(workflow_id, reason="again")
    assert (receipt.records, receipt.variables, receipt.kind) == (2, 0, "replace")
    found = record(service, workflow_id, "a_1")
    assert (found["status"], found["error_message"], found["retry_count"]) == ("discovered", None, 2)
    *first, last = found["data"]["history"]
    assert first == [seen]
    assert last.keys() == {"time", "action", "error_message"}
    assert (last["action"], last["error_message"]) == ("retry", 'tim"eout ✉')
    assert dt.datetime.fromisoformat(last["time"]) >= before["updated_at"]
    assert toolkit.jsonvalue.same(found["data"]["fields"], exact)
    assert record(service, workflow_id, "a_2")["data"]["history"][0]["error_message"] is None
    assert record(service, workflow_id, "a_3")["error_message"] == "leftover"
    change = service.changes(workflow_id).iloc[0]
    assert (change["kind"], change["records"], change["reason"]) == ("replace", 2, "again")
    assert '"status": ["failed"]' in change["selection"]


def test_retry_failed_archives_the_former_rows(service: Service, workflow_id: str) -> None:
    create(service, workflow_id, 2, status="failed", error_message="timeout", updated_at="2026-01-01")
    before = [record(service, workflow_id, name) for name in ("a_000", "a_001")]
    receipt = service.retry_failed(workflow_id)
    assert receipt.undo().records == 2
    assert [record(service, workflow_id, name) for name in ("a_000", "a_001")] == before


def test_retry_failed_loses_no_message_of_a_document_without_a_place_for_it(
    service: Service, workflow_id: str, database_url: str, execute: Callable[..., None]
) -> None:
    documents = {
        "a_1": ({}, True),
        "a_2": ({"history": None}, True),
        "a_3": ({"history": "text"}, False),
        "a_4": ([1], False),
        "a_5": (None, False),
    }
    texts = {"a_1": "{}", "a_2": '{"history": null}', "a_3": '{"history": "text"}', "a_4": "[1]", "a_5": "null"}
    for name, text in texts.items():
        service.create_record(workflow_id, name, status="failed")
        service.update_record(workflow_id, name, {"error_message": "timeout"})
        execute(database_url, f"UPDATE workflow_records SET data = '{text}' WHERE record_id = '{name}'")  # noqa: S608 - values of this test
    assert service.retry_failed(workflow_id, archive=False).records == 5
    for name, (document, fits) in documents.items():
        found = record(service, workflow_id, name)
        assert found["status"] == "discovered"
        assert found["error_message"] == (None if fits else "timeout")
        if fits:
            assert [entry["error_message"] for entry in found["data"]["history"]] == ["timeout"]
        else:
            assert found["data"] == document


def test_retry_failed_takes_the_filters_of_a_read(service: Service, workflow_id: str) -> None:
    made = create(service, workflow_id, 4, status="failed")
    assert service.retry_failed(workflow_id, "a_*", ids=[made[1]]).records == 1
    assert service.retry_failed(workflow_id, "a_003", updated_before=LATER).records == 1
    assert statuses(service, workflow_id) == ["failed", "discovered", "failed", "discovered"]
    assert service.retry_failed(workflow_id, []).records == 0
    receipt = service.retry_failed(workflow_id, record_type="a", archive=False)
    assert (receipt.records, receipt.archived) == (2, False)
    with pytest.raises(toolkit.InvalidOption, match="takes no other status"):
        service.retry_failed(workflow_id, status="complete")
    with pytest.raises(toolkit.InvalidOption, match="nonsense"):
        service.retry_failed(workflow_id, nonsense=1)  # type: ignore[call-arg]


def test_retry_failed_without_an_archive_writes_nothing(
    service: Service, workflow_id: str, database_url: str, execute: Callable[..., None]
) -> None:
    create(service, workflow_id, 1, status="failed")
    changes = "toolkit_changes" if service.database.dialect.name == "sqlite" else "toolkit.changes"
    execute(database_url, f"DROP TABLE {changes}")
    with toolkit.connect(database_url) as again:
        with pytest.raises(toolkit.ArchiveMissing, match="archive=False"):
            again.retry_failed(workflow_id)
        assert statuses(again, workflow_id) == ["failed"]
        assert again.retry_failed(workflow_id, archive=False).records == 1


# Cost


def test_no_call_makes_more_statements_for_more_records(service: Service, workflow_id: str) -> None:
    def of(count: int) -> list[int]:
        service.delete_all_records(workflow_id)
        create(service, workflow_id, count)
        body = {"vars.x": 1}
        each = counted(service, lambda: service.iterate_records(workflow_id, "*", body=lambda _: body))
        again = counted(service, lambda: service.iterate_records(workflow_id, "*", body=print, statuses="none"))
        service.iterate_records(workflow_id, "*", body=lambda _: 1 / 0, statuses="complete")
        retried = counted(service, lambda: service.retry_failed(workflow_id))
        service.iterate_records(
            workflow_id, "*", body=lambda one: service.update_record(workflow_id, one["record_id"], {})
        )
        requeued = counted(service, lambda: service.requeue_stuck(workflow_id, LATER))
        made = counted(service, lambda: service.convert_array_to_records(workflow_id, range(count), run_id="r"))
        return [each - again, again, retried, requeued, made]

    few, many = of(2), of(2 * WINDOW + 1)
    # What a call needs once, to know which texts in its result are secret, counts apart from what each record needs.
    for_each = (many[0] - few[0]) / (2 * WINDOW - 1)
    assert for_each <= 7
    assert few[0] - 2 * for_each <= 2
    assert few[1:] == many[1:]


def test_a_progress_bar_is_shown_only_when_asked_for_or_for_many_records_at_a_terminal(
    service: Service, workflow_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    create(service, workflow_id, 3)
    for progress, shown in ((None, False), (False, False), (True, True)):
        service.iterate_records(workflow_id, "a_00?", body=lambda _: {"status": "discovered"}, progress=progress)
        printed = capsys.readouterr()
        assert printed.out == ""
        assert ("3/3" in printed.err) == shown
    service.delete_all_records(workflow_id)
    create(service, workflow_id, LARGE)
    # Nobody watches a test: standard error is no terminal.
    with pytest.raises(ZeroDivisionError):
        service.iterate_records(workflow_id, "*", body=lambda _: 1 / 0, on_error="stop")
    assert capsys.readouterr().err == ""
