"""Plan, apply, undo and the list of changes, on every database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from tests.changing import rows
from toolkit import changes
from toolkit.profiles import Profile

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]


def names(service: Service, workflow_id: str) -> tuple[set[str], set[str]]:
    records = service.query_records(workflow_id, columns=["record_id"])
    return set(records["record_id"]), set(service.get_all_variables(workflow_id)["key"])


RECORDS: list[dict[str, Any]] = [
    {"record_id": "email_1", "status": "failed", "error_message": "timeout", "retry_count": 2, "fields.n": 1.5},
    {"record_id": "email_2", "status": "complete", "processed_at": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC)},
    {"record_id": "lead_1", "data": {"fields": {"big": 2**70, "é": None}, "history": [{"a": [1, None]}]}},
    {"record_id": "total", "created_at": "2020-01-01", "updated_at": "2020-01-02T00:00:00.000001"},
    {"record_id": "other", "iteration_node_alias": "n"},
]
VARIABLES: dict[str, Any] = {"email_1": 1, "email_list": [1, {"a": None}], "total": 0, "none": None, "x@iter:1:2": ""}
NODES: dict[str, Any] = {"node7": 1, "node7.out": [2]}


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    """The id of a workflow of five records and five variables."""
    service.create_records(workflow_id, RECORDS)
    service.set_variables(workflow_id, VARIABLES)
    return workflow_id


# --- what a plan takes ------------------------------------------------------------------------------

ALL_RECORDS = {row["record_id"] for row in RECORDS}
SELECTIONS: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({"pattern": "email_*"}, {"email_1", "email_2"}, {"email_1", "email_list"}),
    ({"pattern": "total,none"}, {"total"}, {"total", "none"}),
    ({"pattern": ["x@iter:1:2"]}, set(), {"x@iter:1:2"}),
    ({"records": "email_*"}, {"email_1", "email_2"}, set()),
    ({"variables": "email_*"}, set(), {"email_1", "email_list"}),
    ({"records": "lead_*", "variables": "none"}, {"lead_1"}, {"none"}),
    ({"ids": ["total", "email_*", "nope"]}, {"total"}, set()),
    ({"keys": ["total", "email_*", "nope"]}, set(), {"total"}),
    ({"ids": ["total"], "keys": ["none"]}, {"total"}, {"none"}),
    ({"ids": pd.Series(["email_2"])}, {"email_2"}, set()),
    ({"ids": []}, set(), set()),
    ({"keys": []}, set(), set()),
    ({"pattern": []}, set(), set()),
    ({"status": "failed"}, {"email_1"}, set()),
    ({"status": ["failed", "complete"]}, {"email_1", "email_2"}, set()),
    ({"record_type": "email"}, {"email_1", "email_2"}, set()),
    ({"pattern": "email_*", "status": "failed"}, {"email_1"}, set()),
    ({"pattern": "email_*", "ids": ["email_2", "total"]}, {"email_2"}, set()),
    ({"records": "email_*", "record_type": "lead"}, set(), set()),
    ({"status": "failed", "keys": ["none"]}, {"email_1"}, {"none"}),
    ({"ids": pd.DataFrame({"record_id": ["email_1"], "status": ["x"]})}, {"email_1"}, set()),
    ({"keys": pd.DataFrame({"key": ["none"]})}, set(), {"none"}),
    ({"status": []}, set(), set()),
    ({"node": "n"}, {"other"}, set()),
    ({"node": ["n", "m"], "pattern": "e*"}, set(), set()),
    ({"node": 7}, set(), {"node7", "node7.out"}),
    ({"node": 7, "pattern": "*.out,email_*"}, set(), {"node7.out"}),
    ({"category": "iteration"}, set(), {"x@iter:1:2"}),
    ({"category": "node", "records": "lead_*"}, {"lead_1"}, {"node7", "node7.out"}),
    ({"category": "custom", "pattern": "email_*"}, set(), {"email_1", "email_list"}),
    ({"updated_before": "2021-01-01"}, {"total"}, set()),
    ({"updated_before": dt.datetime(2020, 1, 2, tzinfo=dt.UTC)}, set(), set()),
    ({"older_than": "1000d"}, {"total"}, set()),
    ({"older_than": dt.timedelta(days=1000), "pattern": "email_*"}, set(), set()),
    ({"older_than": "1d", "updated_before": "2020-01-01"}, set(), set()),
    ({"older_than": "0s", "status": "failed"}, {"email_1"}, set()),
    ({"pattern": "*"}, ALL_RECORDS, set(VARIABLES)),
    ({"everything": True}, ALL_RECORDS, set(VARIABLES)),
]


def planned(service: Service, workflow_id: str, **selection: Any) -> changes.ClearPlan:
    return service.plan_clear(workflow_id, **selection)


def test_each_selection_takes_exactly_what_it_says(service: Service, filled: str) -> None:
    service.set_variables(filled, NODES)
    before = rows(service)
    for selection, records, variables in SELECTIONS:
        plan = planned(service, filled, **selection)
        if selection in ({"pattern": "*"}, {"everything": True}):
            variables = variables | set(NODES)  # noqa: PLW2901 - they were added
        assert (set(plan.record_ids), set(plan.keys)) == (records, variables), selection
        assert (plan.records, plan.variables) == (len(records), len(variables))
        assert plan.total == len(records) + len(variables)
        assert (plan.records_total, plan.variables_total) == (5, 7)
        assert sum(plan.by_status.values()) == sum(plan.by_type.values()) == len(records)
    assert rows(service) == before
    assert len(service.changes()) == 0


def test_ids_that_hold_wildcards_and_commas_are_literal(service: Service, workflow_id: str) -> None:
    odd = ["a*", "a?", "a,b", "a%", "a_b", "ab", "[a]", "'", '"', "é"]
    service.create_records(workflow_id, [{"record_id": name} for name in odd])
    service.set_variables(workflow_id, dict.fromkeys(odd, 1))
    for name in odd:
        plan = planned(service, workflow_id, ids=[name], keys=[name])
        assert (plan.record_ids, plan.keys) == ((name,), (name,))
    receipt = planned(service, workflow_id, ids=["a*", "a,b"], keys=["a?", "'"]).apply()
    assert (receipt.records, receipt.variables) == (2, 2)
    receipt.undo()
    assert len(service.query_records(workflow_id)) == len(odd)


def test_a_plan_shows_when_its_rows_were_written_and_a_masked_sample(service: Service, filled: str) -> None:
    service.set_variables(filled, {"api_token": "FAKE-not-real-1", "email_9": {"password": "FAKE-not-real-2"}})
    service.create_record(filled, "email_9", data={"login": {"password": "FAKE-not-real-3"}})
    plan = planned(service, filled, everything=True)
    assert plan.oldest == dt.datetime(2020, 1, 2, 0, 0, 0, 1, dt.UTC)
    assert plan.newest is not None
    assert plan.newest > dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    shown = repr(plan.sample) + repr(plan) + plan._repr_html_()
    assert "FAKE" not in shown
    assert "[hidden]" in shown
    assert {row["record_id"] for row in plan.sample if "record_id" in row} == {
        *("email_1", "email_2", "email_9", "lead_1", "other")
    }
    assert plan.notes == ()
    assert planned(service, filled, older_than="0s").notes == (
        "judges variables by updated_at, which programs that write them directly may not move",
    )


def test_a_plan_of_a_span_does_not_move_with_the_clock(service: Service, filled: str) -> None:
    plan = planned(service, filled, records="*", older_than="1s")
    assert plan.record_ids == ("total",)
    (limit,) = plan.selection["updated_before"]
    assert dt.datetime.fromisoformat(limit) <= dt.datetime.now(dt.UTC)


def test_a_clear_of_nothing_in_particular_is_an_error(service: Service, filled: str) -> None:
    with pytest.raises(toolkit.NothingSelected, match=r"say what to clear, such as records='email_\*', or everything="):
        service.plan_clear(filled)
    with pytest.raises(toolkit.InvalidPattern, match=r"is empty; use '\*' to mean everything"):
        service.plan_clear(filled, "")
    for selection in ({"pattern": "a,,b"}, {"records": "a,,b"}, {"variables": ""}, {"records": ["a", ""]}):
        with pytest.raises(toolkit.InvalidPattern, match="empty"):
            planned(service, filled, **selection)
    with pytest.raises(toolkit.InvalidOption, match=r"pattern= means both tables; give it, or records= and variables="):
        service.plan_clear(filled, "a*", records="b*")


def test_a_plan_says_what_it_takes_and_that_nothing_has_changed(service: Service, filled: str) -> None:
    plan = service.plan_clear(filled, "email_*")
    assert repr(plan) == (
        f"ClearPlan: 2 records and 2 variables of workflow {filled}; nothing has changed yet, .apply() does it"
    )
    assert "2 records and 2 variables" in plan._repr_html_()
    assert (plan.by_status, plan.by_type) == ({"complete": 1, "failed": 1}, {"email": 2})
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.keys = ()  # type: ignore[misc]


def test_a_plan_is_about_one_workflow_taken_literally(service: Service, filled: str, new_workflow: NewWorkflow) -> None:
    other = new_workflow("other")
    service.create_records(other, RECORDS)
    service.plan_clear(filled, everything=True).apply(expect=10)
    assert len(service.query_records(other)) == 5
    if not service.database.tables.workflow_ids_are_uuids:
        assert service.plan_clear("*", everything=True).total == 0


# --- applying ---------------------------------------------------------------------------------------


def test_applying_takes_the_planned_rows_and_writes_the_change_down(service: Service, filled: str) -> None:
    receipt = service.plan_clear(filled, "email_*").apply(reason="old mails", expect=4)
    assert (receipt.records, receipt.variables, receipt.total, receipt.kind) == (2, 2, 4, "clear")
    assert names(service, filled) == ({"lead_1", "total", "other"}, {"total", "none", "x@iter:1:2"})
    change = service.changes(filled).iloc[0]
    assert (change["id"], change["kind"], change["workflow_id"]) == (receipt.id, "clear", filled)
    assert (change["reason"], change["records"], change["variables"]) == ("old mails", 2, 2)
    assert "email_*" in change["selection"]
    assert change["actor"] == service.database.actor
    assert pd.isna(change["undone_at"])


def test_a_wrong_expectation_touches_nothing(service: Service, filled: str) -> None:
    before = rows(service)
    plan = service.plan_clear(filled, "email_*")
    with pytest.raises(toolkit.ExpectationFailed, match="expect=3, and the plan takes 4 rows; nothing was touched"):
        plan.apply(expect=3)
    assert rows(service) == before
    assert plan.apply(expect=4).total == 4


def test_a_plan_with_a_warning_wants_a_number(service: Service, filled: str) -> None:
    service.create_records(filled, [{"record_id": "busy", "status": "processing"}])
    before = rows(service)
    for selection, warning in (
        ({"everything": True}, "takes everything in the workflow and takes 1 record in processing"),
        ({"pattern": ["email_1", "email_2", "email_list", "t*", "n*", "o*"]}, "takes more than half of the workflow"),
        ({"ids": ["busy"]}, "takes 1 record in processing"),
    ):
        plan = service.plan_clear(filled, **selection)
        assert " and ".join(plan.warnings) == warning
        with pytest.raises(toolkit.ExpectationFailed, match=f"{warning}.*add expect={plan.total}"):
            plan.apply()
    assert rows(service) == before
    assert service.plan_clear(filled, ids=["busy"]).apply(expect=1).records == 1
    assert service.plan_clear(filled, "email_*").warnings == ()


def test_a_plan_whose_rows_went_is_stale_and_touches_nothing(service: Service, filled: str) -> None:
    plan = service.plan_clear(filled, "email_*")
    service.delete_variable(filled, "email_list")
    before = rows(service)
    with pytest.raises(
        toolkit.StalePlan, match=r"takes 4 rows, 3 of them are still there, 1 row went \(variable 'email_list'\); "
    ):
        plan.apply()
    assert rows(service) == before
    assert len(service.changes()) == 1


def test_rows_that_appear_later_are_never_taken_and_are_counted(service: Service, filled: str) -> None:
    plan = service.plan_clear(filled, "email_*")
    service.create_record(filled, "email_3")
    service.set_variable(filled, "email_new", 1)
    receipt = plan.apply()
    assert (receipt.total, receipt.appeared, receipt.skipped) == (4, 2, ())
    assert "2 rows appeared since and stayed" in str(receipt)
    assert receipt.to_dict()["appeared"] == 2
    left_records, left_variables = names(service, filled)
    assert "email_3" in left_records
    assert "email_new" in left_variables


def test_a_row_that_changed_makes_a_plan_stale_or_is_skipped(service: Service, filled: str) -> None:
    plan = service.plan_clear(filled, "email_*")
    service.update_record(filled, "email_1", {"vars.x": 1})
    service.delete_variable(filled, "email_1")
    before = rows(service)
    with pytest.raises(
        toolkit.StalePlan, match=r"1 row changed \(record 'email_1'\), 1 row went \(variable 'email_1'\)"
    ):
        plan.apply()
    with pytest.raises(toolkit.InvalidOption, match="on_change='maybe' is none of fail, skip"):
        plan.apply(on_change="maybe")
    assert rows(service) == before
    for archive in (False, True):
        receipt = service.plan_clear(filled, "nothing").apply(archive=archive)
        assert receipt.total == 0
    receipt = plan.apply(on_change="skip")
    assert (receipt.records, receipt.variables, set(receipt.skipped)) == (1, 1, {"email_1"})
    assert receipt.appeared == 0
    assert names(service, filled) == ({"email_1", "lead_1", "total", "other"}, {"total", "none", "x@iter:1:2"})
    receipt.undo()
    assert len(service.query_records(filled)) == 5


def test_a_change_that_moves_no_time_is_noticed(service: Service, filled: str) -> None:
    """An engine writes variables without moving their time; a writer that began earlier has an older one."""
    plan = service.plan_clear(filled, "email_*")
    with service.database.write() as connection:
        table = service.database.tables.variables
        connection.execute(sa.update(table).where(table.c.key == "email_1").values(value=sa.text("'7'")))
    with pytest.raises(toolkit.StalePlan, match=r"1 row changed \(variable 'email_1'\)"):
        plan.apply()
    assert plan.apply(on_change="skip").total == 3


def test_a_writer_that_commits_after_the_plan_is_noticed(service: Service, filled: str, database_url: str) -> None:
    """Its transaction, and so its time, is older than the plan."""
    with toolkit.connect(database_url) as other:
        table = other.database.tables.records
        change = sa.update(table).where(table.c.record_id == "email_1").values(error_message="late")
        if other.database.dialect.name == "sqlite":
            # One writer at a time: it can only come after the plan.
            plan = service.plan_clear(filled, "email_*")
            with other.database.write() as connection:
                connection.execute(change)
        else:
            with other.database.write() as connection:
                connection.execute(change)
                plan = service.plan_clear(filled, "email_*")
        with pytest.raises(toolkit.StalePlan, match="record 'email_1'"):
            plan.apply()


def test_a_plan_on_production_wants_a_number(service: Service, filled: str) -> None:
    service.database.profile = Profile("live", "postgresql://nowhere", production=True)
    plan = service.plan_clear(filled, ids=["email_1"])
    with pytest.raises(toolkit.ExpectationFailed, match=r"is for the profile 'live', which is production; .*expect=1"):
        plan.apply()
    assert plan.apply(expect=1).records == 1


def test_a_plan_is_applied_once(service: Service, filled: str) -> None:
    plan = service.plan_clear(filled, "email_*")
    plan.apply()
    before = rows(service)
    with pytest.raises(toolkit.AlreadyDone, match=r"applied before: clear .*; nothing was changed now") as caught:
        plan.apply()
    assert rows(service) == before
    receipt = vars(caught.value)["receipt"]
    assert (receipt.id, receipt.total) == (plan.id, 4)
    receipt.undo()
    with pytest.raises(toolkit.AlreadyDone, match="applied before and undone"):
        plan.apply()


def test_an_empty_plan_does_nothing_and_writes_nothing_down(service: Service, filled: str) -> None:
    receipt = service.plan_clear(filled, ids=[]).apply()
    assert (receipt.total, len(service.changes())) == (0, 0)


def test_a_plan_of_many_rows_is_applied_whole(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{n}"} for n in range(3000)])
    service.create_record(workflow_id, "b_1")
    receipt = service.plan_clear(workflow_id, "a_*").apply(expect=3000)
    assert (receipt.records, len(service.query_records(workflow_id))) == (3000, 1)
    assert receipt.undo().records == 3000


# --- taking back ------------------------------------------------------------------------------------


def test_undo_restores_every_column_exactly(service: Service, filled: str) -> None:
    with service.database.write() as connection:
        # A JSON null and an SQL NULL are two things, and only typed columns keep them apart.
        connection.exec_driver_sql("UPDATE workflow_memory SET value = NULL WHERE key = 'email_list'")
        connection.exec_driver_sql("UPDATE workflow_memory SET created_at = NULL WHERE key = 'total'")
        connection.exec_driver_sql("UPDATE workflow_records SET status = NULL WHERE record_id = 'other'")
    before = rows(service)
    for clear in _ways_to_remove(service, filled):
        receipt = clear()
        assert receipt.total > 0
        assert rows(service) != before
        undone = receipt.undo()
        assert (undone.kind, undone.records, undone.variables) == ("undo", receipt.records, receipt.variables)
        assert rows(service) == before
    assert service.changes()["undone_at"].notna().all()


def _ways_to_remove(service: Service, workflow_id: str) -> Iterator[Callable[[], toolkit.Receipt]]:
    yield lambda: service.plan_clear(workflow_id, everything=True).apply(expect=10)
    yield lambda: service.plan_clear(workflow_id, "email_*").apply()
    yield lambda: service.delete_record(workflow_id, "lead_1")
    yield lambda: service.delete_variable(workflow_id, "none")
    yield lambda: service.delete_all_records(workflow_id)
    yield lambda: service.clear_all_variables(workflow_id)


def test_a_json_null_and_an_sql_null_come_back_apart(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"json": None, "sql": None})
    with service.database.write() as connection:
        connection.exec_driver_sql("UPDATE workflow_memory SET value = NULL WHERE key = 'sql'")
    service.clear_all_variables(workflow_id).undo()
    with service.database.read() as connection:
        found = connection.exec_driver_sql("SELECT key, value IS NULL FROM workflow_memory").all()
    assert {key: bool(null) for key, null in found} == {"json": False, "sql": True}


def test_a_change_is_undone_by_its_receipt_or_its_id_and_only_once(service: Service, filled: str) -> None:
    before = rows(service)
    first = service.delete_record(filled, "lead_1")
    second = service.delete_record(filled, "total")
    service.undo(first)
    service.undo(second.id)
    assert rows(service) == before
    for again in (first, first.id):
        with pytest.raises(toolkit.AlreadyDone, match="was undone before; nothing was changed now"):
            service.undo(again)
    with pytest.raises(toolkit.AlreadyDone):
        first.undo()
    assert rows(service) == before
    with pytest.raises(toolkit.ChangeNotFound, match=r"knows no change 'nope'; service.changes\(\) lists them"):
        service.undo("nope")


def test_undo_refuses_to_overwrite_a_row_that_was_written_again(service: Service, filled: str) -> None:
    receipt = service.plan_clear(filled, "email_*").apply()
    service.set_variable(filled, "email_1", "new")
    before = rows(service)
    with pytest.raises(toolkit.StalePlan, match=r"1 row of workflow_memory, .*'email_1'.*keys=\['email_1', …\]"):
        receipt.undo()
    assert rows(service) == before
    service.plan_clear(filled, keys=["email_1"]).apply()
    assert receipt.undo().total == 4
    assert service.get_variable(filled, "email_1") == 1


def test_rows_that_are_not_archived_are_gone_for_good(service: Service, filled: str) -> None:
    receipts = [
        service.delete_variable(filled, "none", archive=False),
        service.delete_record(filled, "other", archive=False),
        service.plan_clear(filled, "email_*").apply(archive=False),
    ]
    assert [receipt.total for receipt in receipts] == [1, 1, 4]
    assert not any(receipt.archived for receipt in receipts)
    for receipt in receipts:
        with pytest.raises(toolkit.AlreadyDone, match="were not kept"):
            receipt.undo()
        with pytest.raises(toolkit.AlreadyDone, match=r"kept no rows \(archive=False\); they are gone") as caught:
            service.undo(receipt)
        assert vars(caught.value)["receipt"].archived is False
    with pytest.raises(toolkit.ChangeNotFound, match="made no change"):
        service.undo_last(filled)


def test_what_is_gone_for_good_is_written_down_without_its_rows(service: Service, filled: str) -> None:
    service.delete_variable(filled, "none", archive=False, reason="a leak")
    plan = service.plan_clear(filled, "email_*")
    receipt = plan.apply(archive=False)
    frame = service.query_records(filled)
    service.plan_update(filled, frame.assign(**{"vars.x": 1}), before=frame).apply(expect=3, archive=False)
    found = service.changes(filled).set_index("kind")
    assert found["records"].to_dict() == {"delete": 0, "clear": 2, "update": 3}
    assert found["variables"].to_dict() == {"delete": 1, "clear": 2, "update": 0}
    assert found.loc["delete", "reason"] == "a leak"
    assert found["selection"].str.contains('"archive": false', regex=False).all()
    with service.database.read() as connection:
        kept = [table for _, table in service.archive.pairs()]
        assert [connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in kept] == [0, 0]
    with pytest.raises(toolkit.AlreadyDone, match="applied before") as caught:
        plan.apply(archive=False)
    assert vars(caught.value)["receipt"] == receipt
    purge = service.purge_archive(older_than="0s")
    assert (purge.changes, purge.total) == (3, 0)
    purge.apply()
    assert list(service.changes()["kind"]) == ["purge"]


def test_deleting_what_is_not_there_is_a_receipt_of_nothing(service: Service, workflow_id: str) -> None:
    receipts = [
        service.delete_record(workflow_id, "nope"),
        service.delete_variable(workflow_id, "nope"),
        service.delete_all_records(workflow_id),
        service.clear_all_variables(workflow_id),
    ]
    assert [receipt.total for receipt in receipts] == [0, 0, 0, 0]
    assert len(service.changes()) == 0


def test_deleting_takes_ids_literally(service: Service, filled: str) -> None:
    assert service.delete_record(filled, "email_*").records == 0
    assert service.delete_variable(filled, "*").variables == 0
    assert service.delete_record(filled, "email_1").records == 1
    assert len(service.get_all_variables(filled)) == 5
