"""Watching calls work: which statements they send, and that no number of rows makes them send more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import toolkit
from toolkit.service.tracing import ServiceTrace

Service = toolkit.UnifiedDataService
FAKE = "FAKE-not-a-real-value"
SET_UP = ("BEGIN", "SET TRANSACTION", "SET LOCAL")


def statements(trace: ServiceTrace) -> list[str]:
    """The statements of calls, without those that set a transaction up."""
    return [each.text for each in trace if not each.text.startswith(SET_UP)]


def traced(service: Service, call: Callable[[], Any]) -> ServiceTrace:
    with service.trace() as trace:
        call()
    return trace


def test_each_statement_has_its_text_time_and_rows(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"a": 1, "b": 2, "c": 3})
    trace = traced(service, lambda: service.get_all_variables(workflow_id))
    begin, select = trace
    assert begin.text.startswith(SET_UP)
    assert begin.rows is None
    assert select.text.startswith("SELECT")
    assert select.rows == 3
    assert select.seconds > 0
    assert trace.seconds == pytest.approx(begin.seconds + select.seconds)
    assert (len(trace), trace[1].failed) == (2, False)


def test_rows_that_were_written_are_counted(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"a": 1, "b": 2, "c": 3})
    trace = traced(service, lambda: service.delete_variable(workflow_id, "a", archive=False))
    assert [each.rows for each in trace if each.text.startswith("DELETE")] == [1]
    trace = traced(service, lambda: service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}]))
    assert [each.rows for each in trace if each.text.startswith("INSERT")] == [2]


def test_no_value_is_kept(service: Service, workflow_id: str) -> None:
    def call() -> None:
        service.set_variable(workflow_id, "api_token", FAKE)
        service.create_record(workflow_id, "email_1", data={"password": FAKE})
        service.update_record(workflow_id, "email_1", {"vars.x": FAKE})
        service.query_records(workflow_id, contains=FAKE, status=FAKE, columns=["fields.password"])
        service.get_variable(workflow_id, "api_token", reveal=True)
        service.plan_clear(workflow_id, f"{FAKE}*,email_1").apply(reason=FAKE, expect=1)

    trace = traced(service, call)
    shown = repr(trace) + str(trace.statements) + trace.frame().to_csv()
    assert FAKE not in shown
    assert workflow_id not in shown


def test_a_trace_is_a_frame(service: Service, workflow_id: str) -> None:
    frame = traced(service, lambda: service.get_variable(workflow_id, "a")).frame()
    assert list(frame.columns) == ["statement", "seconds", "rows", "failed"]
    assert list(map(str, frame.dtypes)) == ["str", "Float64", "Int64", "boolean"]
    assert frame["rows"].isna().to_list() == [True, False]
    empty = traced(service, lambda: None).frame()
    assert list(map(str, empty.dtypes)) == list(map(str, frame.dtypes))
    assert empty.empty


def test_a_trace_reads_well(service: Service, workflow_id: str) -> None:
    lines = repr(traced(service, lambda: service.get_all_variables(workflow_id))).split("\n")
    assert lines[0].startswith("Trace: 2 statements in ")
    assert " ms " in lines[2]
    assert "0 rows  SELECT" in lines[2]
    assert all(len(line) < 160 for line in lines)


def test_only_the_block_is_traced(service: Service, workflow_id: str) -> None:
    service.get_variable(workflow_id, "a")
    trace = traced(service, lambda: service.get_variable(workflow_id, "a"))
    service.get_variable(workflow_id, "a")
    assert len(trace) == 2


def test_a_trace_ends_with_an_error(service: Service, workflow_id: str) -> None:
    with pytest.raises(LookupError), service.trace() as trace:
        raise LookupError
    service.get_variable(workflow_id, "a")
    assert len(trace) == 0


def test_traces_stand_in_one_another(service: Service, workflow_id: str) -> None:
    with service.trace() as outer:
        service.get_variable(workflow_id, "a")
        with service.trace() as inner:
            service.get_variable(workflow_id, "a")
    assert (len(outer), len(inner)) == (4, 2)


def test_other_threads_are_not_traced(service: Service, workflow_id: str) -> None:
    def other() -> None:
        service.set_variable(workflow_id, "b", 1)
        with pytest.raises(toolkit.ToolkitError), service.database.read() as connection:
            connection.exec_driver_sql("SELECT * FROM nowhere")

    with service.trace() as trace:
        service.get_variable(workflow_id, "a")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(trace) == 2
    assert service.variables.read(workflow_id, "b") == 1


def test_a_statement_that_failed_is_there(service: Service) -> None:
    def call() -> None:
        with pytest.raises(toolkit.ToolkitError), service.database.read() as connection:
            connection.exec_driver_sql("SELECT * FROM nowhere")

    last = list(traced(service, call))[-1]
    assert (last.text, last.rows, last.failed) == ("SELECT * FROM nowhere", None, True)
    assert "failed  SELECT * FROM nowhere" in repr(traced(service, call))


def rows(number: int) -> list[dict[str, Any]]:
    return [{"record_id": f"email_{place}", "fields.n": place} for place in range(number)]


def many(number: int) -> dict[str, Any]:
    return {f"key_{place}": place for place in range(number)} | {f"a@iter:4:{place}": 1 for place in range(number)}


# How many statements each call sends, the same on every database; a change of a number is looked at, not waved through.
# A read that shows texts asks for the variables as well: their secrets are removed wherever they stand.
CALLS: dict[str, tuple[int, Callable[[Service, str, int], Any]]] = {
    "get_all_variables": (1, lambda service, w, _: service.get_all_variables(w)),
    "get_variable": (1, lambda service, w, _: service.get_variable(w, "key_0")),
    "get_variable all": (1, lambda service, w, _: service.get_variable(w, "all")),
    "get_iterations": (2, lambda service, w, _: service.get_iterations(w)),
    "get_formatted_variables": (1, lambda service, w, _: service.get_formatted_variables(w)),
    "query_records": (2, lambda service, w, _: service.query_records(w, flatten=False)),
    "query_records ids": (
        2,
        lambda service, w, n: service.query_records(w, ids=[f"email_{place}" for place in range(n)], flatten=False),
    ),
    "get_record": (2, lambda service, w, _: service.get_record(w, "email_0")),
    "count_records": (1, lambda service, w, _: service.count_records(w)),
    "get_stats": (2, lambda service, w, _: service.get_stats(w)),
    "get_data": (4, lambda service, w, _: service.get_data(w)),
    "set_variable": (2, lambda service, w, _: service.set_variable(w, "key_0", 7)),
    "set_variables": (2, lambda service, w, n: service.set_variables(w, dict.fromkeys(many(n), "new"))),
    "update_record": (2, lambda service, w, _: service.update_record(w, "email_0", {"vars.x": 1})),
    "create_records": (
        1,
        lambda service, w, n: service.create_records(w, [{"record_id": f"new_{place}"} for place in range(n)]),
    ),
    "cleanup_iteration_variables": (
        3,
        lambda service, w, _: service.cleanup_iteration_variables(w, [4], archive=False),
    ),
}


LOOKING_AT_NODES = {"get_iterations", "set_variable", "set_variables"}
"""The calls that ask for the nodes of the workflow, where there is a table of them."""


@pytest.mark.parametrize("name", CALLS)
def test_the_number_of_statements_does_not_grow_with_the_rows(
    service: Service, new_workflow: Callable[[str], str], name: str
) -> None:
    expected, call = CALLS[name]
    if name in LOOKING_AT_NODES and service.database.tables.nodes is not None:
        expected += 1
    for number in (2, 40):
        workflow_id = new_workflow(f"{name} {number}")
        service.create_records(workflow_id, rows(number))
        service.set_variables(workflow_id, many(number))
        with service.trace() as trace:
            call(service, workflow_id, number)
        sent = statements(trace)
        assert len(sent) == expected, "\n".join(sent)
