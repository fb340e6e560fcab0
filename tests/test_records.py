"""The calls about records, on every database."""

from __future__ import annotations

import copy
import datetime as dt
import threading
import types
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from toolkit.columns import RECORD_COLUMNS

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]

EMPTY: dict[str, Any] = {"fields": {}, "vars": {}, "targets": {}, "history": []}
AWKWARD_IDS = ["x*", "a?b", "a,b", "100%", "email_1", "emailX1", "it's", "[x]", "a\\b", "Ünï", "z:1", "a b"]


def ids(frame: pd.DataFrame) -> list[str]:
    return list(frame["record_id"])


def data(service: Service, workflow_id: str, record_id: str) -> Any:
    found = service.get_record(workflow_id, record_id, reveal=True)
    assert found is not None
    return found["data"]


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 1, number, tzinfo=dt.UTC)


# --- creating ---------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_created(service: Service, workflow_id: str) -> None:
    given = {
        "subject": "é✉",
        "n": 2**70,
        "vars": {"label": None},
        "history": [{"action": "seen"}],
        "fields": {"f": 1.5},
    }
    before = copy.deepcopy(given)
    assert service.create_record(workflow_id, "email_001", data=given, iteration_node_alias="each mail") == "email_001"
    assert given == before
    found = service.get_record(workflow_id, "email_001")
    assert found is not None
    assert found["data"] == {
        "fields": {"subject": "é✉", "n": 2**70, "f": 1.5},
        "vars": {"label": None},
        "targets": {},
        "history": [{"action": "seen"}],
    }
    assert [
        found[name] for name in ("record_type", "status", "iteration_node_alias", "error_message", "retry_count")
    ] == [
        "email",
        "discovered",
        "each mail",
        None,
        0,
    ]
    assert found["created_at"] == found["updated_at"]
    assert found["created_at"].tzinfo is not None
    assert found["processed_at"] is None


def test_a_record_that_is_not_there_is_none(service: Service, workflow_id: str) -> None:
    assert service.get_record(workflow_id, "email_001") is None
    service.create_record(workflow_id, "email_001")
    assert service.get_record(workflow_id, "email_*") is None


def test_a_replaced_record_keeps_what_the_engine_keeps(service: Service, workflow_id: str) -> None:
    row = {
        "record_id": "a_1",
        "status": "failed",
        "error_message": "timeout",
        "retry_count": 2,
        "created_at": day(1),
        "updated_at": day(2),
        "processed_at": day(3),
        "fields.old": 1,
    }
    service.create_records(workflow_id, [row])
    service.create_record(workflow_id, "a_1", "other", {"new": 2}, status="complete", iteration_node_alias="n")
    found = service.get_record(workflow_id, "a_1")
    assert found is not None
    assert found["updated_at"] > day(4)
    assert {name: found[name] for name in RECORD_COLUMNS if name != "updated_at"} == {
        "record_id": "a_1",
        "record_type": "other",
        "status": "complete",
        "iteration_node_alias": "n",
        "error_message": "timeout",
        "retry_count": 2,
        "created_at": day(1),
        "processed_at": day(3),
    }
    assert found["data"] == {**EMPTY, "fields": {"new": 2}}


def test_what_an_upsert_replaces_goes_to_the_archive(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{n}", "fields.n": n} for n in range(4)])
    service.create_records(workflow_id, [{"record_id": f"a_{n}"} for n in range(2, 6)], mode="upsert")
    change = service.changes(workflow_id).iloc[0]
    assert (change["kind"], change["records"], len(service.changes())) == ("replace", 2, 1)
    service.undo(change["id"])
    assert [data(service, workflow_id, f"a_{n}")["fields"] for n in (2, 3)] == [{"n": 2}, {"n": 3}]


def test_undoing_an_upsert_notices_what_was_written_since(service: Service, workflow_id: str) -> None:
    for n in (1, 2):
        service.create_record(workflow_id, "a_1", data={"n": n})
    change = service.changes()["id"][0]
    service.update_record(workflow_id, "a_1", {"vars.seen": 1})
    with pytest.raises(toolkit.StalePlan, match=r"'a_1' among them; nothing was brought back"):
        service.undo(change)
    assert data(service, workflow_id, "a_1")["fields"] == {"n": 2}
    service.undo(change, on_conflict="overwrite")
    assert data(service, workflow_id, "a_1")["fields"] == {"n": 1}


def test_create_fails_where_a_record_exists(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_2", data={"n": 2}, mode="create")
    many = [{"record_id": f"a_{n}"} for n in range(4)]
    for call in (
        lambda: service.create_record(workflow_id, "a_2", mode="create"),
        lambda: service.create_records(workflow_id, many),
    ):
        with pytest.raises(toolkit.RecordExists, match=r"'a_2'; nothing was written. mode='upsert' replaces"):
            call()
    assert ids(service.query_records(workflow_id)) == ["a_2"]
    assert data(service, workflow_id, "a_2")["fields"] == {"n": 2}


def test_update_fails_where_a_record_does_not_exist(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"n": 1})
    with pytest.raises(toolkit.RecordNotFound, match=r"1 of 2 records do not exist, 'a_2' among them; nothing"):
        service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}], mode="update")
    assert data(service, workflow_id, "a_1")["fields"] == {"n": 1}
    service.create_record(workflow_id, "a_1", data={"n": 2}, mode="update")
    assert data(service, workflow_id, "a_1")["fields"] == {"n": 2}
    with pytest.raises(toolkit.InvalidOption, match="mode='replace' is none of create, update, upsert"):
        service.create_record(workflow_id, "a_1", mode="replace")


def test_a_bad_row_in_the_middle_writes_nothing(service: Service, workflow_id: str) -> None:
    bad_rows: list[tuple[Any, type[Exception], str]] = [
        ({"record_id": "b", "fields.x": float("nan")}, toolkit.InvalidValue, "x"),
        ({"record_id": "b", "data": {"s": "[hidden]"}}, toolkit.HiddenValue, "data of record 'b'"),
        ({"record_id": "b", "error_message": "[hidden]"}, toolkit.HiddenValue, "error_message of record 'b'"),
        ({"record_id": "b", "feilds.x": 1}, toolkit.InvalidPath, "'fields.x'"),
        ({"record_id": "b", "status": "s" * 51}, toolkit.InvalidValue, "at most 50"),
        ({"record_id": "b" * 256}, toolkit.InvalidValue, "at most 255"),
        ({"record_id": "b\0"}, toolkit.InvalidValue, "NUL"),
        ({"record_id": "ok_1"}, toolkit.InvalidValue, "stands in row 1 already"),
        ({"record_id": "b", "created_at": "yesterday"}, toolkit.InvalidValue, "time"),
        ({"record_id": "b", "retry_count": -1}, toolkit.InvalidValue, "retry_count"),
        ({"fields.x": 1}, toolkit.InvalidValue, "needs a record_id"),
    ]
    for bad, kind, message in bad_rows:
        rows = [*({"record_id": f"ok_{n}"} for n in range(3)), bad, {"record_id": "later"}]
        with pytest.raises(kind, match=rf"^row 3 \(.*{message}"):
            service.create_records(workflow_id, rows)
        assert len(service.query_records(workflow_id)) == 0


def test_records_of_a_frame_leave_missing_cells_out(service: Service, workflow_id: str) -> None:
    frame = pd.DataFrame(
        {
            "record_id": ["a_1", "a_2"],
            "status": ["failed", None],
            "fields.n": pd.array([1, None], dtype="Int64"),
            'fields."a.b"': [None, "text"],
            "created_at": pd.Series([day(1), None], dtype="datetime64[us, UTC]"),
        }
    )
    before = frame.copy(deep=True)
    assert service.create_records(workflow_id, frame) == 2
    pd.testing.assert_frame_equal(frame, before)
    first, second = (service.get_record(workflow_id, name) for name in ("a_1", "a_2"))
    assert first is not None
    assert second is not None
    assert (first["data"]["fields"], first["created_at"]) == ({"n": 1}, day(1))
    assert (second["data"]["fields"], second["status"]) == ({"a.b": "text"}, "discovered")


def test_a_mask_is_written_only_when_taken_literally(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"password": "FAKE-not-real"})
    with pytest.raises(toolkit.HiddenValue, match=r"\[hidden\].*literal=True"):
        service.create_records(workflow_id, service.query_records(workflow_id), mode="upsert")
    with pytest.raises(toolkit.HiddenValue, match=r"'a_1'.*nothing was written"):
        service.update_record(workflow_id, "a_1", {"status": "complete", "vars.x": [{"y": "[hidden]"}]})
    with pytest.raises(toolkit.HiddenValue, match="error_message"):
        service.update_record(workflow_id, "a_1", {"error_message": "is [hidden]"})
    assert data(service, workflow_id, "a_1") == {**EMPTY, "fields": {"password": "FAKE-not-real"}}
    service.update_record(workflow_id, "a_1", {"vars.x": "[hidden]"}, literal=True)
    service.create_record(workflow_id, "a_2", data={"x": "[hidden]"}, literal=True)
    service.create_records(workflow_id, [{"record_id": "a_3", "fields.x": "[hidden]"}], literal=True)
    assert data(service, workflow_id, "a_1")["vars"] == {"x": "[hidden]"}
    assert data(service, workflow_id, "a_3") == data(service, workflow_id, "a_2")


def test_a_record_that_appears_meanwhile_is_not_overwritten_by_create(
    service: Service, workflow_id: str, database_url: str
) -> None:
    outcome = _while_somebody_writes(
        service,
        lambda connection: connection.execute(
            sa.insert(service.database.tables.records).values(
                workflow_id=workflow_id,
                record_id="a_1",
                record_type="theirs",
                data=_as_json(service, '{"vars": {"n": 1}}'),
            )
        ),
        lambda: service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}]),
    )
    assert isinstance(outcome, toolkit.RecordExists)
    assert list(service.query_records(workflow_id)["record_type"]) == ["theirs"]


def test_what_an_upsert_archives_is_what_it_replaced(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"n": 1})
    records = service.database.tables.records
    outcome = _while_somebody_writes(
        service,
        lambda connection: connection.execute(sa.update(records).values(error_message="theirs")),
        lambda: service.create_record(workflow_id, "a_1", data={"n": 2}),
    )
    assert outcome == "a_1"
    service.undo(service.changes()["id"][0])
    found = service.get_record(workflow_id, "a_1")
    assert found is not None
    assert (found["error_message"], found["data"]["fields"]) == ("theirs", {"n": 1})


def _as_json(service: Service, text: str) -> Any:
    return text if service.database.dialect.name == "sqlite" else sa.cast(sa.cast(text, sa.Text), sa.JSON)


def _while_somebody_writes(service: Service, theirs: Callable[[sa.Connection], Any], ours: Callable[[], Any]) -> Any:
    """Begin our call while another transaction has written and not committed; return our result or error."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append(ours())
        except toolkit.ToolkitError as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    with service.database.write() as connection:
        theirs(connection)
        thread.start()
        # SQLite's writers wait before they read anything; on PostgreSQL ours must have come to where it waits.
        while service.database.dialect.name == "postgresql" and not connection.scalar(_WAITING) and thread.is_alive():
            pass
    thread.join()
    return outcome[0]


_WAITING = sa.text(
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN "
    "(SELECT pid FROM pg_stat_get_activity(NULL) WHERE datid = (SELECT oid FROM pg_database WHERE datname = "
    "current_database()))"
)


# --- updating ---------------------------------------------------------------------------------------


def test_a_patch_merges_paths_and_sets_columns(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"keep": 1, "vars": {"deep": {"a": 1, "list": [1, 2]}}})
    patch = {
        "status": "complete",
        "error_message": None,
        "processed_at": "2026-01-01T01:00:00+01:00",
        "retry_count": 3,
        "vars.deep": {"b": 2, "list": [3]},
        'fields."a.b"': "dotted",
        "history[+]": {"action": "done"},
        "data.extra.note": "top",
    }
    result = service.update_record(workflow_id, "a_1", patch)
    assert result == {"record_id": "a_1", "updated": list(patch)}
    found = service.get_record(workflow_id, "a_1")
    assert found is not None
    assert (found["status"], found["error_message"], found["retry_count"]) == ("complete", None, 3)
    assert found["processed_at"] == day(1)
    assert found["updated_at"] >= found["created_at"]
    assert found["data"] == {
        "fields": {"keep": 1, "a.b": "dotted"},
        "vars": {"deep": {"a": 1, "b": 2, "list": [3]}},
        "targets": {},
        "history": [{"action": "done"}],
        "extra": {"note": "top"},
    }


def test_paths_that_are_not_named_keep_every_digit(service: Service, workflow_id: str) -> None:
    numbers = [2**80, 1e16, 1.0, 0.1, -0.0, 1e300, 123456789012345678]
    service.create_record(workflow_id, "a_1", data={"numbers": numbers})
    for n in range(3):
        service.update_record(workflow_id, "a_1", {"vars.n": n})
    found = data(service, workflow_id, "a_1")["fields"]["numbers"]
    assert list(map(repr, found)) == [repr(number) if number else repr(found[4]) for number in numbers]


def test_a_patch_of_a_missing_record_is_an_error(service: Service, workflow_id: str) -> None:
    for patch in ({"vars.a": 1}, {"status": "complete"}):
        with pytest.raises(toolkit.RecordNotFound, match="has no record 'a_1'"):
            service.update_record(workflow_id, "a_1", patch)
    assert len(service.query_records(workflow_id)) == 0


def test_a_wrong_path_is_an_error_and_changes_nothing(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"text": "t"})
    for patch, message in (
        ({"feilds.x": 1}, "did you mean 'fields.x'"),
        ({"statsu": "failed"}, "did you mean 'status'"),
        ({"subject": 1}, "for a field, write 'fields.subject'"),
        ({"vars.a": 1, "vars.a.b": 2}, "'vars.a' contains 'vars.a.b'"),
        ({"status": "failed", "fields.text[+]": 1}, "appends to an array"),
        ({"data": {}}, "no path"),
        ({"vars..a": 1}, "is no path: see character 6"),
    ):
        with pytest.raises(toolkit.InvalidPath, match=message):
            service.update_record(workflow_id, "a_1", patch)
    assert data(service, workflow_id, "a_1") == {**EMPTY, "fields": {"text": "t"}}
    assert service.get_record(workflow_id, "a_1", reveal=True)["status"] == "discovered"  # type: ignore[index]


def test_concurrent_updates_of_different_paths_are_all_kept(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1")
    failures: list[BaseException] = []

    def update(name: str) -> None:
        try:
            for number in range(100):
                service.update_record(workflow_id, "a_1", {f"vars.{name}.n{number}": number, "history[+]": name})
        except BaseException as error:  # noqa: BLE001 - a thread's error would be lost
            failures.append(error)

    threads = [threading.Thread(target=update, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = data(service, workflow_id, "a_1")
    assert found["vars"] == {name: {f"n{number}": number for number in range(100)} for name in ("one", "two")}
    assert sorted(found["history"]) == ["one"] * 100 + ["two"] * 100


def test_a_live_context_of_the_same_record_is_updated_too(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"price": 1.5})
    here = types.SimpleNamespace(record_id="a_1", data={}, status="processing")
    other = types.SimpleNamespace(record_id="a_2", data={}, status="processing")
    for context in (here, other):
        service.update_record(workflow_id, "a_1", {"vars.x": 2.25, "status": "complete"}, context)
    assert (here.status, here.data) == ("complete", {**EMPTY, "fields": {"price": 1.5}, "vars": {"x": 2.25}})
    assert {type(here.data["fields"]["price"]), type(here.data["vars"]["x"])} == {float}
    assert (other.status, other.data) == ("processing", {})


# --- literal ids ------------------------------------------------------------------------------------


def test_records_by_ids_come_in_the_order_asked_and_missing_ones_are_named(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, [{"record_id": name} for name in AWKWARD_IDS])
    asked = ["z:1", "nope", "x*", "a,b", "a?b", "*", "x*"]
    frame = service.get_records_by_ids(workflow_id, asked)
    assert (ids(frame), frame.attrs["missing"]) == (["z:1", "x*", "a,b", "a?b"], ["nope", "*"])
    assert list(frame.index) == [0, 1, 2, 3]
    for name in AWKWARD_IDS:
        assert ids(service.query_records(workflow_id, ids=[name])) == [name]
        assert service.get_record(workflow_id, name) is not None
    with pytest.raises(toolkit.InvalidOption, match=r"give \['x\*'\]"):
        service.get_records_by_ids(workflow_id, "x*")


def test_no_ids_are_no_records(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"n": 1})
    for frame in (service.get_records_by_ids(workflow_id, []), service.query_records(workflow_id, ids=[])):
        assert len(frame) == 0
        assert tuple(frame.columns[: len(RECORD_COLUMNS)]) == RECORD_COLUMNS
        assert list(map(str, frame.dtypes[:9])) == [*["str"] * 5, "Int64", *["datetime64[us, UTC]"] * 3]
    assert service.query_records(workflow_id, [], ids=["a_1"]).empty


def test_fifty_thousand_ids_fit_into_one_call(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{n}"} for n in range(0, 1000, 100)])
    many = [f"a_{n}" for n in range(50_000)]
    frame = service.get_records_by_ids(workflow_id, many)
    assert ids(frame) == [f"a_{n}" for n in range(0, 1000, 100)]
    assert len(frame.attrs["missing"]) == 49_990
    assert service.plan_clear(workflow_id, ids=many).total == 10


def test_an_id_of_another_type_is_an_error_not_a_silence(service: Service, workflow_id: str) -> None:
    several: list[Any] = [7, None, "a\0b", "\ud800"]
    for bad in several:
        for call in (
            lambda bad=bad: service.get_record(workflow_id, bad),
            lambda bad=bad: service.get_records_by_ids(workflow_id, [bad, "a"]),
            lambda bad=bad: service.delete_record(workflow_id, bad),
            lambda bad=bad: service.update_record(workflow_id, bad, {"status": "failed"}),
            lambda bad=bad: service.create_record(workflow_id, bad),
        ):
            with pytest.raises((toolkit.InvalidValue, toolkit.InvalidOption), match=r"record|text"):
                call()


def test_many_patches_are_written_together_and_none_when_one_is_wrong(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{n}", "fields.n": n} for n in range(3)])
    patches: list[tuple[str, dict[str, Any]]] = [
        ("a_0", {"vars.label": "x", "status": "complete"}),
        ("a_2", {"error_message": "late", "retry_count": 2}),
        ("a_0", {"vars.other": 1, "history[+]": {"step": 1}}),
    ]
    assert service.update_records(workflow_id, patches) == 2
    first, second, third = (service.get_record(workflow_id, f"a_{n}") or {} for n in range(3))
    assert first["data"] == {
        "fields": {"n": 0},
        "vars": {"label": "x", "other": 1},
        "targets": {},
        "history": [{"step": 1}],
    }
    assert (first["status"], second["status"], third["status"]) == ("complete", "discovered", "discovered")
    assert (third["error_message"], third["retry_count"], second["retry_count"]) == ("late", 2, 0)
    with pytest.raises(toolkit.RecordNotFound, match="a_9"):
        service.update_records(workflow_id, {"a_0": {"status": "failed"}, "a_9": {"status": "failed"}})
    with pytest.raises(toolkit.InvalidPath, match="a_1"):
        service.update_records(workflow_id, [("a_0", {"status": "failed"}), ("a_1", {"labels": 1})])
    assert (service.get_record(workflow_id, "a_0") or {})["status"] == "complete"
    assert service.update_records(workflow_id, {}) == 0


def test_a_live_context_follows_its_record_whether_dict_or_object(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.create_record(workflow_id, "a_1")
    of_this, of_another = {"record_id": "a_1", "data": {}}, {"record_id": "a_2", "data": {}}
    for context in (of_this, of_another):
        service.update_record(workflow_id, "a_1", {"vars.price": 1.1, "status": "complete"}, context)
    assert of_this["status"] == "complete"
    assert of_this["data"] == (service.get_record(workflow_id, "a_1") or {})["data"]
    assert of_another == {"record_id": "a_2", "data": {}}


def test_replacing_keeps_the_columns_that_are_not_given_and_takes_those_that_are(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    former = {"error_message": "late", "retry_count": 2, "processed_at": "2026-11-15T02:00:00Z"}
    service.create_records(workflow_id, [{"record_id": name, **former} for name in ("kept", "given")])
    again = {"error_message": "again", "retry_count": 3, "created_at": "2026-11-01T00:00:00Z"}
    service.create_records(workflow_id, [{"record_id": "kept"}, {"record_id": "given", **again}], mode="upsert")
    kept, given = (service.get_record(workflow_id, name) or {} for name in ("kept", "given"))
    assert (kept["error_message"], kept["retry_count"]) == ("late", 2)
    assert (given["error_message"], given["retry_count"]) == ("again", 3)
    assert (given["created_at"].day, given["processed_at"]) == (1, kept["processed_at"])
