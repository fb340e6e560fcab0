"""The old service's names and shapes, over the new service."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit
from toolkit.legacy import CALLS, VariableManagementService

FAKE = "FAKE-not-a-real-value"
MIGRATION = Path(__file__).parents[1] / "docs" / "migration.md"

REAL_CLASS = {
    *("get_all_variables", "get_variable", "set_variable", "delete_variable", "clear_all_variables"),
    *("get_formatted_variables", "search_variables", "get_node_variables", "get_variable_stats"),
    *("find_iterate_references", "find_iterate_nodes_referencing_variable"),
    *("cleanup_iteration_variables", "cleanup_all_iteration_variables"),
    *("validate_against_schema", "is_sensitive_key", "format_variable_for_display"),
    *("create_record", "update_record", "get_record", "get_records_by_ids", "query_records", "delete_record"),
    *("delete_all_records", "convert_array_to_records", "get_data", "clear_data", "get_stats"),
}


@pytest.fixture
def old(service: toolkit.UnifiedDataService) -> VariableManagementService:
    with pytest.deprecated_call():
        return VariableManagementService(service)


def is_time(text: Any) -> bool:
    return isinstance(text, str) and dt.datetime.fromisoformat(text).tzinfo is not None


def test_every_old_name_is_there_and_nothing_else() -> None:
    methods = {name for name, _ in inspect.getmembers(VariableManagementService, inspect.isfunction) if name[0] != "_"}
    assert methods == set(CALLS) == REAL_CLASS


def test_a_method_says_its_arguments_and_where_to_read_on() -> None:
    method = vars(VariableManagementService)["set_variable"]
    assert str(inspect.signature(method)).startswith("(self, /, workflow_id")
    assert (method.__name__, method.__qualname__) == ("set_variable", "VariableManagementService.set_variable")
    assert "docs/migration.md" in (method.__doc__ or "")


def test_it_warns_once_and_names_the_line_that_makes_it() -> None:
    with toolkit.connect(":memory:", create=True) as service, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old = VariableManagementService(service)
        old.set_variable("nightly", "a", 1)
        old.get_variable("nightly", "a")
    assert [(each.category, each.filename) for each in caught] == [(DeprecationWarning, __file__)]
    assert "shows secrets" in str(caught[0].message)
    assert "reads unmasked" in (VariableManagementService.__doc__ or "")


def test_without_a_service_it_connects_as_connect_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.deprecated_call():
        old = VariableManagementService()
    with old.service:
        assert repr(old) == f"VariableManagementService({old.service!r})"
    assert (tmp_path / "toolkit.db").exists()


def test_a_wrong_argument_names_the_old_call(old: VariableManagementService) -> None:
    with pytest.raises(TypeError, match=r"VariableManagementService\.get_variable"):
        old.get_variable("nightly")
    with pytest.raises(AttributeError):
        old.get_variables("nightly")


def test_variables_come_as_rows_with_their_real_values(old: VariableManagementService, workflow_id: str) -> None:
    old.service.set_variables(workflow_id, {"b": [1, None], "api_token": FAKE})
    first, second = old.get_all_variables(workflow_id)
    assert list(first) == ["key", "value", "created_at", "updated_at"]
    assert (first["key"], first["value"], second["value"]) == ("api_token", FAKE, [1, None])
    assert is_time(first["created_at"])
    assert old.get_variable(workflow_id, "api_token") == FAKE
    assert old.get_variable(workflow_id, "all") == {"api_token": FAKE, "b": [1, None]}
    assert old.get_variable(workflow_id, "missing") is None


def test_a_falsy_value_comes_back(old: VariableManagementService, workflow_id: str) -> None:
    for value in (0, False, ""):
        assert old.set_variable(workflow_id, "a", value)["success"]
        assert old.get_variable(workflow_id, "a") is value


def test_a_set_variable_answers_with_the_real_value(old: VariableManagementService, workflow_id: str) -> None:
    answer = old.set_variable(workflow_id, "api_token", FAKE, {"type": "string"}, "a new one")
    assert answer == {"success": True, "key": "api_token", "value": FAKE, "reason": "a new one"}
    with pytest.raises(toolkit.InvalidValue):
        old.set_variable(workflow_id, "api_token", 1, {"type": "string"})


def test_variables_are_searched_and_taken_by_node(old: VariableManagementService, workflow_id: str) -> None:
    old.service.set_variables(
        workflow_id, {"node4": 1, "node4.Result": 2, "node40": 3, "result_x": 4, "a_b": 5, "aXb": 6}
    )
    assert [row["key"] for row in old.search_variables(workflow_id, "RESULT")] == ["node4.Result", "result_x"]
    assert [row["key"] for row in old.search_variables(workflow_id, "a_")] == ["a_b"]
    assert [row["key"] for row in old.get_node_variables(workflow_id, 4)] == ["node4", "node4.Result"]


def test_what_goes_is_counted_and_comes_back(old: VariableManagementService, workflow_id: str) -> None:
    old.service.set_variables(workflow_id, {"a": 1, "b": 2})
    old.service.create_records(workflow_id, [{"record_id": "e_1"}, {"record_id": "e_2"}, {"record_id": "e_3"}])
    answers = [
        old.delete_variable(workflow_id, "a"),
        old.clear_all_variables(workflow_id),
        old.delete_record(workflow_id, "e_1"),
        old.delete_all_records(workflow_id),
    ]
    assert [(answer["success"], answer["deleted"]) for answer in answers] == [
        (True, 1),
        (True, 1),
        (True, 1),
        (True, 2),
    ]
    for answer in answers:
        old.service.undo(answer["receipt"])
    assert old.get_stats(workflow_id)["variables"]["total"] == 2
    assert old.get_stats(workflow_id)["records"]["total"] == 3
    assert old.delete_variable(workflow_id, "missing") == {"success": True, "deleted": 0, "receipt": None}


def test_text_for_people_hides_secrets(old: VariableManagementService, workflow_id: str) -> None:
    assert old.get_formatted_variables(workflow_id) == "No variables stored yet"
    old.service.set_variables(workflow_id, {"api_token": FAKE, "list": [1, 2]})
    assert old.get_formatted_variables(workflow_id) == "- api_token = [hidden]\n- list = [1, +1 more]"
    assert old.format_variable_for_display("api_token", FAKE) == "[hidden]"
    assert old.format_variable_for_display("x", {"password": FAKE}) == '{"password": "[hidden]"}'
    assert old.format_variable_for_display("x", "y" * 101) == "y" * 100 + "…"
    assert [old.is_sensitive_key(key) for key in ("api_token", "monkey", "author")] == [True, False, False]


def test_stats_have_the_old_key_names(old: VariableManagementService, workflow_id: str) -> None:
    old.service.set_variables(workflow_id, {"node4": 1, "a": "x", "a@iter:1:0": []})
    old.service.create_record(workflow_id, "email_1", status="failed")
    stats = old.get_stats(workflow_id)
    assert stats["records"] == {"total": 1, "byType": {"email": 1}, "byStatus": {"failed": 1}}
    assert old.get_variable_stats(workflow_id) == stats["variables"]
    assert stats["variables"] == {
        "total": 3,
        "types": {"array": 1, "number": 1, "string": 1},
        "categories": {"iterationVariables": 1, "nodeVariables": 1, "customVariables": 1},
    }


def test_iteration_variables_are_cleaned_up(old: VariableManagementService, workflow_id: str) -> None:
    old.service.set_variables(workflow_id, {"a@iter:28:0:35:2": 1, "a@iter:28:1": 2, "b@iter:3:0": 3, "c@iter:3": 4})
    assert old.cleanup_iteration_variables(workflow_id, [35])["deleted"] == 1
    answer = old.cleanup_all_iteration_variables(workflow_id)
    assert answer["deleted"] == 2
    assert [row["key"] for row in old.get_all_variables(workflow_id)] == ["c@iter:3"]
    old.service.undo(answer["receipt"])
    assert len(old.get_all_variables(workflow_id)) == 3
    assert old.find_iterate_references(workflow_id, "items") == []


def test_both_names_find_the_nodes(old: VariableManagementService, workflow_id: str) -> None:
    nodes = old.service.database.tables.nodes
    if nodes is not None:
        with old.service.database.write() as connection:
            connection.execute(
                sa.insert(nodes).values(
                    workflow_id=workflow_id, position=4, type="iterate", config={"over": "{{items}}"}
                )
            )
    expected = [] if nodes is None else [4]
    assert old.find_iterate_references(workflow_id, "items") == expected
    assert old.find_iterate_nodes_referencing_variable(workflow_id, "items") == expected


def test_a_schema_is_held_to(old: VariableManagementService) -> None:
    assert old.validate_against_schema("a", {"type": "string"}) is True
    with pytest.raises(toolkit.InvalidValue):
        old.validate_against_schema(1, {"type": "string"})


def test_a_record_comes_as_a_row(old: VariableManagementService, workflow_id: str) -> None:
    given = {"subject": "Hello", "vars": {"password": FAKE}}
    row = old.create_record(workflow_id, "email_001", "email", given, "fetch")
    assert given == {"subject": "Hello", "vars": {"password": FAKE}}
    assert row == old.get_record(workflow_id, "email_001")
    assert [row[name] for name in ("workflow_id", "record_id", "record_type", "iteration_node_alias", "status")] == [
        workflow_id,
        "email_001",
        "email",
        "fetch",
        "discovered",
    ]
    assert row["data"] == {"fields": {"subject": "Hello"}, "vars": {"password": FAKE}, "targets": {}, "history": []}
    assert is_time(row["created_at"])
    assert row["processed_at"] is None
    assert old.get_record(workflow_id, "missing") is None


def test_records_are_found_by_pattern_and_by_id(old: VariableManagementService, workflow_id: str) -> None:
    for name in ("email_1", "email_2", "emailX1"):
        old.create_record(workflow_id, name, "email", {"password": FAKE})
    found = old.query_records(workflow_id, "email_*")
    assert [row["record_id"] for row in found] == ["email_1", "email_2"]
    assert found[0] == old.get_record(workflow_id, "email_1")
    assert found[0]["data"]["fields"] == {"password": FAKE}
    assert len(old.query_records(workflow_id)) == 3
    assert [row["record_id"] for row in old.get_records_by_ids(workflow_id, ["emailX1", "nothing"])] == ["emailX1"]
    assert old.get_records_by_ids(workflow_id, []) == []


def test_a_live_context_is_updated_too(old: VariableManagementService, workflow_id: str) -> None:
    old.create_record(workflow_id, "email_1", "email")
    context = SimpleNamespace(record_id="email_1", data={}, status="discovered")
    old.update_record(workflow_id, "email_1", {"vars.label": "a", "status": "complete"}, context)
    row = old.get_record(workflow_id, "email_1")
    assert (row["status"], row["data"]["vars"]) == ("complete", {"label": "a"})
    assert (context.status, context.data) == ("complete", row["data"])
    with pytest.raises(toolkit.RecordNotFound):
        old.update_record(workflow_id, "missing", {"status": "complete"})


def test_an_array_becomes_records(old: VariableManagementService, workflow_id: str) -> None:
    listed = old.convert_array_to_records(workflow_id, ["a", {"b": 1}], "temp", "loop", "run1")
    assert [row["record_id"] for row in listed] == ["temp:run1:loop:0001", "temp:run1:loop:0002"]
    assert listed[1]["data"]["fields"] == {"value": {"b": 1}, "index": 1, "total": 2}
    assert len(old.convert_array_to_records(workflow_id, ["a"])) == 1


def test_the_data_come_in_the_old_shape(old: VariableManagementService, workflow_id: str) -> None:
    old.set_variable(workflow_id, "api_token", FAKE)
    old.create_record(workflow_id, "email_1", "email", {"subject": "Hello"})
    data = old.get_data(workflow_id)
    assert list(data) == ["workflow_id", "timestamp", "global", "records"]
    assert data["global"] == {"api_token": FAKE}
    assert list(data["records"]["email_1"]) == ["type", "data"]
    one = old.get_data(workflow_id, bucket="email_1", include_metadata=True)
    assert one["records"]["email_1"]["status"] == "discovered"
    assert "global" not in one
    assert old.get_data(workflow_id, "records", "nothing*")["records"] == {}


def test_a_clear_takes_what_it_is_told_and_no_more(old: VariableManagementService, workflow_id: str) -> None:
    for name in ("email_1", "email_2", "email_3"):
        old.create_record(workflow_id, name, "email")
        old.set_variable(workflow_id, name, 1)
    with pytest.raises(toolkit.NothingSelected):
        old.clear_data(workflow_id)
    answer = old.clear_data(workflow_id, pattern="email_1")
    assert answer["records"] == answer["variables"] == {"deleted": 1, "pattern": "email_1"}
    assert old.clear_data(workflow_id, "variables", expect=2)["variables"] == {"deleted": 2}
    assert len(old.query_records(workflow_id)) == 2


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


@pytest.mark.parametrize("name", CALLS)
def test_the_migration_guide_shows_each_call_before_and_after(name: str) -> None:
    text = MIGRATION.read_text(encoding="utf-8")
    before = "\n".join(re.findall(r"^```js\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert f".{camel(name)}(" in before
    assert f"`{name}`" in text or f".{name}(" in text
