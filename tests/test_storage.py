"""The two storages used alone, the transactions they join, and the number of statements of each call."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

import toolkit
from toolkit import jsonvalue
from toolkit.columns import RECORD_COLUMNS, VARIABLE_COLUMNS
from toolkit.model import RecordFilter, VariableFilter
from toolkit.storage import record_reads, records
from toolkit.storage.merge import check_patch
from toolkit.storage.records import RecordStorage
from toolkit.storage.rows import record_rows
from toolkit.storage.variables import VariableStorage

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]


@contextmanager
def counted(service: Service) -> Iterator[list[str]]:
    """Collect the statements that are sent, without those that begin a transaction and set it up."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SET ", "PRAGMA ")):
            sent.append(statement)

    sa.event.listen(service.database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(service.database.engine, "before_cursor_execute", note)


# --- alone ------------------------------------------------------------------------------------------


def test_a_storage_of_variables_stands_alone(service: Service, workflow_id: str) -> None:
    storage = VariableStorage(service.database, service.archive)
    assert storage.read(workflow_id, "x", "default") == "default"
    assert not storage.exists(workflow_id, "x")
    storage.create(workflow_id, "x", {"password": "FAKE-not-real"})
    storage.update(workflow_id, "y", [1])
    storage.create(workflow_id, "x*", None)
    assert storage.exists(workflow_id, "x")
    assert storage.read(workflow_id, "x") == {"password": "FAKE-not-real"}
    table = storage.query(workflow_id, VariableFilter.of("x,y"))
    assert isinstance(table, pa.Table)
    assert table.column_names == ["workflow_id", *VARIABLE_COLUMNS]
    assert list(map(jsonvalue.decode, table["value"].to_pylist())) == [{"password": "FAKE-not-real"}, [1]]
    assert storage.count(workflow_id) == [("array", "custom", 1), ("null", "custom", 1), ("object", "custom", 1)]
    assert storage.delete(workflow_id, "x").variables == 1
    assert storage.delete_all(workflow_id).variables == 2


def test_a_storage_of_records_stands_alone(service: Service, workflow_id: str) -> None:
    storage = RecordStorage(service.database, service.archive)
    with pytest.raises(toolkit.RecordNotFound, match="has no record 'a_1'"):
        storage.read(workflow_id, "a_1")
    storage.create(workflow_id, "a_1", {"status": "failed", "data": {"n": 1}})
    assert storage.create_many(workflow_id, record_rows([{"record_id": f"b_{n}"} for n in range(3)])) == 3
    assert storage.read(workflow_id, "a_1")["fields"] == {"n": 1}
    document = storage.update(workflow_id, "a_1", check_patch({"vars.x": 1.5}))
    assert (document["vars"], storage.exists(workflow_id, "a_1")) == ({"x": 1.5}, True)
    table = storage.query(workflow_id, RecordFilter.of("b_*"), limit=2)
    assert table.column_names == ["workflow_id", *RECORD_COLUMNS, "data"]
    assert table["record_id"].to_pylist() == ["b_0", "b_1"]
    assert storage.count(workflow_id, by=["status"]).to_pylist() == [
        {"status": "discovered", "count": 3},
        {"status": "failed", "count": 1},
    ]
    assert storage.delete(workflow_id, "a_1").records == 1
    assert storage.delete_all(workflow_id).records == 3


def test_text_that_is_no_json_is_named_and_spoils_no_listing(new_database: Callable[[str], str]) -> None:
    with toolkit.connect(new_database("sqlite")) as service:
        service.set_variables("w", {"good": 1, "bad": 2})
        service.create_records("w", [{"record_id": "good"}, {"record_id": "bad"}])
        with service.database.write() as connection:
            connection.exec_driver_sql("UPDATE workflow_memory SET value = '{FAKE' WHERE key = 'bad'")
            connection.exec_driver_sql("UPDATE workflow_records SET data = '[1, FAKE' WHERE record_id = 'bad'")
        with pytest.raises(toolkit.CorruptValue, match="the stored text is not JSON") as caught:
            service.variables.read("w", "bad")
        assert "FAKE" not in str(caught.value)
        with pytest.warns(toolkit.DataWarning, match="variable 'bad' is shown as missing"):
            variables = service.get_all_variables("w")
        assert list(variables["type"]) == ["invalid", "number"]
        with pytest.warns(toolkit.DataWarning, match="record 'bad' is shown as missing"):
            assert len(service.query_records("w")) == 2
        assert service.get_stats("w").variable_types == {"invalid": 1, "number": 1}


def test_a_workflow_id_is_checked_and_taken_literally(service: Service, workflow_id: str) -> None:
    storages: tuple[Any, ...] = (service.variables, service.records)
    several: list[Any] = ["", "w" * 256, "a\0b", "\ud800", 7, None]
    for storage in storages:
        for bad in several:
            with pytest.raises(toolkit.InvalidValue, match="workflow id"):
                storage.delete_all(bad)
        assert storage.in_workflow(workflow_id) is not None
    if service.database.tables.workflow_ids_are_uuids:
        assert service.records.workflow_id(uuid.UUID(workflow_id)) == workflow_id
        with pytest.raises(toolkit.InvalidValue, match=r"'nightly' is no workflow id here.*ids are uuids"):
            service.records.workflow_id("nightly")


def test_a_workflow_that_the_database_does_not_know_is_one_readable_error(new_database: Callable[[str], str]) -> None:
    with toolkit.connect(new_database("production")) as service:
        with pytest.raises(toolkit.ConstraintViolated) as caught:
            service.create_record(str(uuid.UUID(int=7)), "a_1", data={"x": "FAKE-not-real"})
        assert caught.value.cause is not None
        assert (caught.value.cause.sqlstate, caught.value.cause.table) == ("23503", "workflow_records")
        assert "FAKE" not in str(caught.value)
        assert caught.value.__cause__ is None


# --- transactions -----------------------------------------------------------------------------------


class _Stop(Exception):
    """Raised to leave a transaction."""


def test_calls_inside_a_transaction_are_one_change(service: Service, workflow_id: str) -> None:
    def everything() -> None:
        service.set_variable(workflow_id, "x", 1)
        service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}])
        service.update_record(workflow_id, "a_1", {"vars.n": 1})
        service.delete_record(workflow_id, "a_2")

    def leave() -> None:
        with service.database.write():
            everything()
            assert service.get_variable(workflow_id, "x") == 1
            assert len(service.query_records(workflow_id)) == 1
            raise _Stop

    with pytest.raises(_Stop):
        leave()
    assert service.get_stats(workflow_id).records_total == 0
    assert service.get_variable(workflow_id, "x") is None
    assert len(service.changes()) == 0
    with service.database.write():
        everything()
    assert len(service.query_records(workflow_id)) == 1
    assert len(service.changes()) == 1


def test_an_error_inside_a_transaction_that_is_caught_leaves_the_rest(service: Service, workflow_id: str) -> None:
    with service.database.write():
        service.set_variable(workflow_id, "x", 1)
        with pytest.raises(toolkit.RecordNotFound):
            service.update_record(workflow_id, "nope", {"vars.n": 1})
    assert service.get_variable(workflow_id, "x") == 1


def test_a_write_inside_a_read_is_refused(service: Service, workflow_id: str) -> None:
    with service.database.read():
        for write in (
            lambda: service.set_variable(workflow_id, "x", 1),
            lambda: service.create_record(workflow_id, "a_1"),
            lambda: service.delete_all_records(workflow_id),
        ):
            with pytest.raises(RuntimeError, match="inside a transaction that reads"):
                write()
    service.set_variable(workflow_id, "x", 1)


def test_a_read_sees_one_snapshot(service: Service, workflow_id: str) -> None:
    service.set_variable(workflow_id, "x", 1)
    with service.database.read():
        assert service.get_variable(workflow_id, "x") == 1
        writer = threading.Thread(target=lambda: service.set_variable(workflow_id, "x", 2))
        writer.start()
        writer.join()
        assert service.get_variable(workflow_id, "x") == 1
        assert service.get_data(workflow_id).to_dict()["global"] == {"x": 1}
    assert service.get_variable(workflow_id, "x") == 2


def test_a_transaction_belongs_to_its_thread(service: Service, workflow_id: str) -> None:
    seen: list[Any] = []
    with service.database.write():
        service.set_variable(workflow_id, "x", 1)
        reader = threading.Thread(target=lambda: seen.append(service.get_variable(workflow_id, "x", "not yet")))
        reader.start()
        reader.join()
    assert seen == ["not yet"]


def test_a_write_is_over_after_an_error(service: Service, workflow_id: str) -> None:
    for _ in range(20):
        with pytest.raises(toolkit.InvalidPath):
            service.update_record(workflow_id, "a_1", {"wrong": 1})
        with pytest.raises(toolkit.RecordNotFound):
            service.update_record(workflow_id, "a_1", {"vars.x": 1})
    service.set_variable(workflow_id, "x", 1)
    if service.database.dialect.name == "postgresql":
        with service.database.read() as connection:
            states = "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
            assert "idle in transaction" not in set(connection.exec_driver_sql(states).scalars())


# --- statements -------------------------------------------------------------------------------------

CALLS: dict[str, tuple[int, Callable[[Service, str, list[str]], Any]]] = {
    "get_all_variables": (1, lambda service, w, _: service.get_all_variables(w)),
    "get_all_variables by keys": (2, lambda service, w, names: service.get_all_variables(w, keys=names)),
    "get_variable": (1, lambda service, w, names: service.get_variable(w, names[0])),
    "get_variable all": (1, lambda service, w, _: service.get_variable(w, "all")),
    "set_variable": (3, lambda service, w, names: service.set_variable(w, names[0], "new")),
    "set_variables": (3, lambda service, w, names: service.set_variables(w, dict.fromkeys(names, "new"))),
    "query_records": (3, lambda service, w, _: service.query_records(w)),
    "get_record": (2, lambda service, w, names: service.get_record(w, names[0])),
    "get_records_by_ids": (4, lambda service, w, names: service.get_records_by_ids(w, names)),
    "count_records": (1, lambda service, w, _: service.count_records(w)),
    "get_stats": (2, lambda service, w, _: service.get_stats(w)),
    "get_data": (5, lambda service, w, _: service.get_data(w)),
    "list_workflows": (3, lambda service, _, __: service.list_workflows()),
    "update_record": (2, lambda service, w, names: service.update_record(w, names[0], {"vars.x": 1})),
    "create_records": (2, lambda service, w, names: service.create_records(w, _new(names))),
    "create_records again": (
        9,
        lambda service, w, names: service.create_records(w, [{"record_id": name} for name in names], mode="upsert"),
    ),
    "plan_clear": (9, lambda service, w, names: service.plan_clear(w, ids=names, keys=names)),
    "plan_clear and apply": (13, lambda service, w, names: _plan_and_apply(service, w, names=names)),
    "delete_all_records": (3, lambda service, w, _: service.delete_all_records(w)),
    "undo": (11, lambda service, _, __: service.undo(service.changes()["id"][0])),
    "clear_all_variables": (3, lambda service, w, _: service.clear_all_variables(w)),
}
"""For each call the statements it may send, however many rows there are; in an order in which each has rows."""


def _new(names: list[str]) -> list[dict[str, Any]]:
    return [{"record_id": f"new {name}"} for name in names]


def _plan_and_apply(service: Service, workflow_id: str, *, names: list[str]) -> None:
    plan = service.plan_clear(workflow_id, ids=names)
    plan.apply(expect=plan.total)


def _statements(service: Service, workflow_id: str, number: int) -> dict[str, int]:
    names = [f"a_{n}" for n in range(number)]
    service.set_variables(workflow_id, dict.fromkeys(names, 1))
    service.create_records(workflow_id, [{"record_id": name} for name in names])
    found = {}
    for name, (_, call) in CALLS.items():
        with counted(service) as sent:
            call(service, workflow_id, names)
        found[name] = len(sent)
    return found


def test_no_call_sends_more_statements_for_more_rows(
    service: Service, new_workflow: NewWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few rows are read by fewer statements than whole tables: here all come the latter way.
    monkeypatch.setattr(record_reads, "_FEW", 0)
    monkeypatch.setattr(records, "MANY", 0)
    few = _statements(service, new_workflow("few"), 3)
    many = _statements(service, new_workflow("many"), 2500)
    assert few == many
    too_many = {name: (sent, CALLS[name][0]) for name, sent in many.items() if sent > CALLS[name][0]}
    assert too_many == {}
