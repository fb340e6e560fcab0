"""The calls about both tables, the list of workflows, one workflow bound, and what a service says of itself."""

from __future__ import annotations

import datetime as dt
import inspect
import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import toolkit
from toolkit.columns import RECORD_COLUMNS, STATUSES, VARIABLE_COLUMNS

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]

WORKFLOW_COLUMNS = [
    "workflow_id",
    "name",
    "variables",
    "records",
    *STATUSES,
    "other",
    "first_activity",
    "last_activity",
]


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 1, number, tzinfo=dt.UTC)


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    """The id of a workflow with a little of everything."""
    service.set_variables(
        workflow_id, {"total": 0, "email_list": [1], "api_token": "FAKE-not-real", "node4.result": None}
    )
    service.create_records(
        workflow_id,
        [
            {"record_id": "email_1", "status": "failed", "error_message": "timeout", "fields.password": "FAKE-2"},
            {"record_id": "email_2", "created_at": day(1), "updated_at": day(2)},
            {"record_id": "odd id!", "record_type": "odd", "status": "waiting"},
        ],
    )
    return workflow_id


# --- get_data ---------------------------------------------------------------------------------------


def test_data_holds_both_tables_masked(service: Service, filled: str) -> None:
    data = service.get_data(filled)
    assert data.variables is not None
    assert data.records is not None
    assert (data.workflow_id, len(data.variables), len(data.records)) == (filled, 4, 3)
    assert abs(data.timestamp - dt.datetime.now(dt.UTC)) < dt.timedelta(hours=1)
    assert tuple(data.variables.columns) == VARIABLE_COLUMNS
    assert tuple(data.records.columns) == (*RECORD_COLUMNS, "data")
    assert "FAKE" not in str(data.to_dict()) + repr(data)
    assert repr(data) == f"WorkflowData({filled}: 3 records and 4 variables)"
    revealed = service.get_data(filled, reveal=True).to_dict()
    assert revealed["global"]["api_token"] == "FAKE-not-real"
    assert revealed["records"]["email_1"]["data"]["fields"] == {"password": "FAKE-2"}


def test_data_has_the_shape_of_the_first_plan(service: Service, filled: str) -> None:
    shape = service.get_data(filled).to_dict()
    assert list(shape) == ["workflow_id", "timestamp", "global", "records"]
    assert dt.datetime.fromisoformat(shape["timestamp"]).tzinfo is not None
    assert shape["global"] == {"api_token": "[hidden]", "email_list": [1], "node4.result": None, "total": 0}
    empty: dict[str, Any] = {"fields": {}, "vars": {}, "targets": {}, "history": []}
    assert shape["records"]["email_2"] == {"type": "email", "data": empty}
    told = service.get_data(filled, "records", include_metadata=True).to_dict()["records"]
    assert told["email_2"] == {
        "type": "email",
        "data": empty,
        "status": "discovered",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "updated_at": "2026-01-02T00:00:00.000000Z",
    }
    assert told["email_1"]["error"] == "timeout"


def test_a_bucket_is_one_table_or_one_record(service: Service, filled: str) -> None:
    for bucket, parts in {
        "all": {"global": 4, "records": 3},
        "global": {"global": 4},
        "records": {"records": 3},
        "odd id!": {"records": 1},
        "email_*": {"records": 0},
        "nope": {"records": 0},
    }.items():
        shape = service.get_data(filled, bucket).to_dict()
        assert {part: len(shape[part]) for part in ("global", "records") if part in shape} == parts, bucket


def test_a_pattern_of_data_means_both_tables(service: Service, filled: str) -> None:
    shape = service.get_data(filled, pattern="email_*").to_dict()
    assert (list(shape["global"]), sorted(shape["records"])) == (["email_list"], ["email_1", "email_2"])
    with pytest.raises(toolkit.InvalidPattern, match=r"use '\*'"):
        service.get_data(filled, pattern="")


def test_calls_about_one_workflow_refuse_several(service: Service, new_workflow: NewWorkflow) -> None:
    for name in ("one", "two"):
        service.set_variable(new_workflow(name), "x", name)
    for call in (service.get_data, service.get_stats, service.report):
        for several in ("*", "one,two", "on?"):
            with pytest.raises(
                toolkit.InvalidOption, match=r"is about one workflow, and .* stands for several; .*take"
            ):
                call(several)


# --- counts -----------------------------------------------------------------------------------------


def test_stats_counted_in_the_database_are_those_of_the_frames(service: Service, new_workflow: NewWorkflow) -> None:
    chance = random.Random(1)  # noqa: S311 - the same rows in every run
    values: list[Any] = [0, 1.5, "", "a", True, False, None, [], [1], {}, {"a": 1}, 2**70]
    keys = [
        "a",
        "node4",
        "node4.x",
        "nodejs",
        "node",
        "b@iter:1:2",
        "node4@iter:1:2",
        "c@iter:1",
        "@iter:1:2",
        "d@iter:1:2:3:4",
    ]
    for number in range(5):
        workflow_id = new_workflow(f"w{number}")
        service.set_variables(
            workflow_id,
            {f"{key}{n}" if "iter" not in key else key: chance.choice(values) for key in keys for n in (1, 2)},
        )
        service.create_records(
            workflow_id,
            [
                {
                    "record_id": f"r{n}",
                    "record_type": chance.choice("abc"),
                    "status": chance.choice(["failed", "x", "complete"]),
                }
                for n in range(chance.randrange(40))
            ],
        )
        stats = service.get_stats(workflow_id)
        variables, records = service.get_all_variables(workflow_id), service.query_records(workflow_id)
        assert stats.variable_types == Counter(variables["type"])
        assert stats.variable_categories == Counter(variables["category"])
        assert stats.records == Counter(zip(records["record_type"], records["status"], strict=True))
        assert (stats.variables_total, stats.records_total) == (len(variables), len(records))
        assert stats.by_status == Counter(records["status"])
        assert stats.by_type == Counter(records["record_type"])
        counted = service.count_records(workflow_id)
        assert stats.records == {(row["record_type"], row["status"]): row["count"] for _, row in counted.iterrows()}


def test_stats_have_the_shape_of_the_first_plan(service: Service, filled: str) -> None:
    stats = service.get_stats(filled)
    assert stats.to_dict() == {
        "variables": {
            "total": 4,
            "types": {"array": 1, "null": 1, "number": 1, "string": 1},
            "categories": {"iterationVariables": 0, "nodeVariables": 1, "customVariables": 3},
        },
        "records": {
            "total": 3,
            "byType": {"email": 2, "odd": 1},
            "byStatus": {"discovered": 1, "failed": 1, "waiting": 1},
        },
    }
    assert str(stats) == f"workflow {filled}: 3 records and 4 variables (discovered 1, failed 1, waiting 1)"
    assert "discovered" in stats._repr_html_()


def test_an_empty_workflow_has_frames_with_columns_and_no_counts(service: Service, workflow_id: str) -> None:
    stats = service.get_stats(workflow_id)
    assert (stats.variables_total, stats.records_total, stats.records) == (0, 0, {})
    data = service.get_data(workflow_id)
    assert data.to_dict()["global"] == data.to_dict()["records"] == {}
    assert data.records is not None
    assert list(map(str, data.records.dtypes)) == [*["str"] * 5, "Int64", *["datetime64[us, UTC]"] * 3, "object"]


# --- workflows --------------------------------------------------------------------------------------


def test_workflows_are_listed_with_their_counts_the_latest_first(service: Service, new_workflow: NewWorkflow) -> None:
    old, new = new_workflow("old"), new_workflow("new")
    service.create_records(old, [{"record_id": "a_1", "status": "failed", "created_at": day(1), "updated_at": day(2)}])
    service.create_records(
        new, [{"record_id": f"a_{n}", "status": status} for n, status in enumerate(["complete", "complete", "odd"])]
    )
    service.set_variable(new, "x", 1)
    frame = service.list_workflows()
    assert list(frame.columns) == WORKFLOW_COLUMNS
    assert list(map(str, frame.dtypes)) == ["str", "str", *["Int64"] * 8, *["datetime64[us, UTC]"] * 2]
    assert list(frame["workflow_id"]) == [new, old]
    assert frame[["variables", "records", "complete", "failed", "other"]].to_numpy().tolist() == [
        [1, 3, 2, 0, 1],
        [0, 1, 0, 1, 0],
    ]
    assert (frame["first_activity"][1], frame["last_activity"][1]) == (day(1), day(2))
    named = service.database.tables.workflows is not None
    assert list(frame["name"].fillna("")) == (["new", "old"] if named else ["", ""])


def test_workflows_are_found_by_a_pattern_of_their_ids(service: Service, new_workflow: NewWorkflow) -> None:
    made = sorted(new_workflow(name) for name in ("nightly-1", "nightly-2", "weekly"))
    for workflow_id in made:
        service.set_variable(workflow_id, "x", 1)
    assert sorted(service.list_workflows()["workflow_id"]) == made
    assert list(service.list_workflows(made[0])["workflow_id"]) == made[:1]
    assert sorted(service.list_workflows([made[0], made[2]])["workflow_id"]) == [made[0], made[2]]
    for workflow_id in made:
        found = service.list_workflows(f"{workflow_id[:3]}*{workflow_id[4:-1]}?")
        assert set(found["workflow_id"]) == {each for each in made if each[:-1] == workflow_id[:-1]}
    nothing = service.list_workflows([])
    assert (len(nothing), list(nothing.columns)) == (0, WORKFLOW_COLUMNS)
    pd.testing.assert_series_equal(nothing.dtypes, service.list_workflows().dtypes)


def test_a_workflow_without_rows_is_listed_where_the_database_knows_it(service: Service, workflow_id: str) -> None:
    frame = service.list_workflows()
    if service.database.tables.workflows is None:
        assert frame.empty
    else:
        assert frame[["workflow_id", "name", "records"]].to_numpy().tolist() == [[workflow_id, "nightly", 0]]
        assert frame["last_activity"].isna().all()


def test_an_sql_null_as_status_counts_as_other(service: Service, filled: str) -> None:
    with service.database.write() as connection:
        connection.exec_driver_sql("UPDATE workflow_records SET status = NULL WHERE record_id = 'email_1'")
    row = service.list_workflows().iloc[0]
    assert (row["records"], row["other"], row["failed"]) == (3, 2, 0)


# --- one workflow bound -----------------------------------------------------------------------------


def test_a_workflow_is_found_by_id_or_name(service: Service, filled: str) -> None:
    assert service.workflow(filled).id == filled
    assert service.workflow("nightly").id == filled
    if service.database.tables.workflow_ids_are_uuids:
        assert service.workflow(uuid.UUID(filled)).id == filled
        assert service.workflow(filled.upper()).id == filled
    with pytest.raises(toolkit.WorkflowNotFound, match=r"there is no workflow 'nigthly'; did you mean 'nightly'\?"):
        service.workflow("nigthly")
    with pytest.raises(toolkit.WorkflowNotFound, match=r"service.list_workflows\(\) shows all"):
        service.workflow("zzz")


def test_a_name_that_several_workflows_share_is_an_error_with_their_ids(new_database: Callable[[str], str]) -> None:
    with toolkit.connect(new_database("production")) as service:
        with service.database.write() as connection:
            connection.exec_driver_sql("INSERT INTO workflows (name) VALUES ('twin'), ('twin')")
        with pytest.raises(toolkit.WorkflowNotFound, match="2 workflows are named 'twin'; give one of the ids"):
            service.workflow("twin")


def test_a_workflow_binds_the_calls_of_the_service(service: Service, filled: str) -> None:
    wf = service.workflow("nightly")
    pd.testing.assert_frame_equal(wf.variables(pattern="e*"), service.get_all_variables(filled, pattern="e*"))
    pd.testing.assert_frame_equal(
        wf.records("email_*", status="failed"), service.query_records(filled, ids=["email_1"])
    )
    assert wf.get("nope", 7) == 7
    assert wf.set("total", 5, reason="counted").reason == "counted"
    assert wf.get("total") == 5
    assert wf.stats() == service.get_stats(filled)
    assert len(wf.count(by="status")) == 3
    assert wf.create_record("new_1", data={"a": 1}) == "new_1"
    assert wf.create_records([{"record_id": "new_2"}]) == 1
    assert wf.update_record("new_1", {"vars.b": 2})["record_id"] == "new_1"
    assert wf.data("new_1").to_dict()["records"]["new_1"]["data"]["vars"] == {"b": 2}
    assert wf.delete_record("new_1").records == wf.plan_clear("new_*").apply().records == 1
    assert wf.delete_variable("total").variables == 1
    assert len(wf.changes()) == 3
    assert wf.report().summary.failed == 1
    assert repr(wf) == f"Workflow({wf.stats()})"
    assert "failed" in wf._repr_html_()


def test_a_bound_call_shows_its_options_and_takes_no_workflow() -> None:
    for name, call in inspect.getmembers(toolkit.Workflow, inspect.isfunction):
        if not name.startswith("_"):
            parameters = list(inspect.signature(call).parameters)
            assert parameters[0] == "self", name
            assert "workflow_id" not in parameters, name
            assert "with the id of this workflow" in str(inspect.getdoc(call)), name


# --- the service ------------------------------------------------------------------------------------


def test_a_service_says_where_it_is_and_never_a_password(service: Service, kind: str, database_url: str) -> None:
    said = repr(service)
    assert said.startswith("UnifiedDataService(SQLite 3" if kind == "sqlite" else "UnifiedDataService(PostgreSQL 1")
    assert "password" not in said
    assert ("role " in said) == (kind != "sqlite")
    assert said.endswith(", 0 workflows)")
    with toolkit.connect(database_url, read_only=True) as guarded:
        lock = "read_only=True" if kind == "sqlite" else "read_only=True; the role may write"
        assert f", read-only ({lock}), 0 workflows)" in repr(guarded)


def test_closing_twice_is_fine_and_a_closed_service_says_so(database_url: str) -> None:
    with toolkit.connect(database_url) as service:
        service.list_workflows()
    service.close()
    service.close()
    with pytest.raises(toolkit.ServiceClosed, match="was closed; connect again"):
        service.list_workflows()


def test_an_archive_on_postgresql_is_nobody_elses(service: Service, kind: str) -> None:
    service.setup_archive()
    if kind == "sqlite":
        return
    with service.database.read() as connection:
        secured = connection.exec_driver_sql(
            "SELECT relname, relrowsecurity FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname = 'toolkit' AND relkind = 'r'"
        ).all()
        usable = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'toolkit' AND grantee = 0"
        ).scalar()
    assert dict(map(tuple, secured)) == dict.fromkeys(
        ("archived_records", "archived_variables", "changes", "version"), True
    )
    assert usable == 0


def test_a_workflow_whose_id_looks_like_a_pattern_is_meant_literally(service: Service) -> None:
    if service.database.tables.workflow_ids_are_uuids:
        with pytest.raises(toolkit.WorkflowNotFound):
            service.workflow("a,b*")
        return
    for workflow_id in ("a,b*", "a", "b", "b2"):
        service.create_record(workflow_id, "r_1", data={"of": workflow_id})
        service.set_variable(workflow_id, "of", workflow_id)
    wf = service.workflow("a,b*")
    assert list(wf.records()["fields.of"]) == ["a,b*"]
    assert "workflow_id" not in wf.records().columns
    assert wf.get("of") == "a,b*"
    assert list(wf.variables()["value"]) == ["a,b*"]
    assert wf.stats().records_total == 1
    assert wf.plan_clear("*", everything=True).total == 2
    wf.set("new", 1)
    wf.update_record("r_1", {"status": "complete"})
    assert wf.data().to_dict()["global"] == {"new": 1, "of": "a,b*"}
    assert wf.report().summary.total == 1
