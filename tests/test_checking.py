"""What is stored, held to a schema: one row per problem, and no value in any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from toolkit.errors import InvalidOption, InvalidPattern
from toolkit.masking import HIDDEN, MaskingPolicy

FAKE = "FAKE-not-a-real-value"
OF_VARIABLES = ["key", "path", "rule", "message"]
OF_RECORDS = ["record_id", "path", "rule", "message"]


def rows(frame: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    chosen = frame[list(names)] if names else frame.drop(columns="message")
    return list(chosen.itertuples(index=False, name=None))


def fields(**rules: Any) -> dict[str, Any]:
    return {"properties": {"fields": {"properties": rules}}}


@pytest.fixture
def filled(service: toolkit.UnifiedDataService, workflow_id: str) -> toolkit.UnifiedDataService:
    service.set_variables(
        workflow_id,
        {"total": -3, "node1.result": {"items": [{"price": 1}, {"price": "free"}]}, "api_token": FAKE, "label": "ok"},
    )
    service.create_records(
        workflow_id,
        [
            {"record_id": "email_1", "fields.size": 3, "fields.password": FAKE, "data.source": "imap"},
            {"record_id": "email_2", "fields.size": -1, "vars.items": [1, "x"], "status": "failed"},
            {"record_id": "call_1", "fields.size": "big"},
        ],
    )
    return service


def test_each_problem_of_a_variable_is_a_row_with_key_place_and_rule(
    filled: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    price = {"properties": {"price": {"type": "number"}}}
    schemas: dict[str, Any] = {
        "node*": {"properties": {"items": {"items": price}}},
        "total,label": {"type": "integer", "minimum": 0},
    }
    frame = filled.validate_variables(workflow_id, schemas)
    assert list(frame.columns) == OF_VARIABLES
    assert rows(frame) == [
        ("label", "", "type"),
        ("node1.result", "items[1].price", "type"),
        ("total", "", "minimum"),
    ]
    assert frame["message"].tolist()[2] == "the schema says minimum: 0"
    assert frame.attrs == {"checked": 3, "missing": []}


def test_a_variable_that_two_patterns_take_is_held_to_both_schemas(
    filled: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    frame = filled.validate_variables(workflow_id, {"tot*": {"minimum": 0}, "total": {"type": "string"}})
    assert rows(frame, "key", "rule") == [("total", "minimum"), ("total", "type")]


def test_a_pattern_that_takes_no_variable_is_named_and_not_called_fine(
    filled: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    frame = filled.validate_variables(workflow_id, {"totl": {"minimum": 0}, "label": True, "x_*,y_*": True})
    assert frame.empty
    assert frame.attrs == {"checked": 1, "missing": ["totl", "x_*,y_*"]}


def test_each_problem_of_a_record_is_a_row_with_id_place_and_rule(
    filled: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    schema = {
        "properties": {
            "fields": {"properties": {"size": {"type": "integer", "minimum": 0}}},
            "vars": {"properties": {"items": {"items": {"type": "integer"}}}},
            "source": {"maxLength": 2},
        },
        "required": ["vars", "owner"],
        "maxProperties": 4,
    }
    frame = filled.validate_records(workflow_id, schema)
    assert list(frame.columns) == OF_RECORDS
    assert rows(frame) == [
        ("call_1", "data.owner", "required"),
        ("call_1", "fields.size", "type"),
        ("email_1", "data", "maxProperties"),
        ("email_1", "data.owner", "required"),
        ("email_1", "data.source", "maxLength"),
        ("email_2", "data.owner", "required"),
        ("email_2", "fields.size", "minimum"),
        ("email_2", "vars.items[1]", "type"),
    ]
    assert frame.attrs == {"checked": 3}


def test_pattern_and_filters_choose_the_records(filled: toolkit.UnifiedDataService, workflow_id: str) -> None:
    schema = fields(size={"type": "integer", "minimum": 0})
    assert rows(filled.validate_records(workflow_id, schema, "call_*"), "record_id") == [("call_1",)]
    assert rows(filled.validate_records(workflow_id, schema, status="failed"), "record_id") == [("email_2",)]
    assert filled.validate_records(workflow_id, schema, ids=[]).attrs == {"checked": 0}
    with pytest.raises(InvalidOption, match="no filter is called 'statsu'"):
        filled.validate_records(workflow_id, schema, statsu="failed")  # type: ignore[call-arg]


@pytest.mark.parametrize("empty", [True, False])
def test_a_frame_of_problems_has_the_same_dtypes_with_and_without_problems(
    filled: toolkit.UnifiedDataService, workflow_id: str, *, empty: bool
) -> None:
    of_variables = filled.validate_variables(workflow_id, {"*": empty})
    of_records = filled.validate_records(workflow_id, empty)
    for frame, names in ((of_variables, OF_VARIABLES), (of_records, OF_RECORDS)):
        assert frame.empty is empty
        assert list(frame.columns) == names
        assert set(map(str, frame.dtypes)) == {"str"}
        assert list(frame.index) == list(range(len(frame)))


def test_no_cell_holds_a_value(filled: toolkit.UnifiedDataService, workflow_id: str) -> None:
    rules: dict[str, Any] = {"not": {}, "const": 0, "enum": [0], "type": "null", "allOf": [False]}
    inner = {"additionalProperties": {**rules, "additionalProperties": rules}}
    for reveal in (False, True):
        told = filled.validate_records(workflow_id, inner, reveal=reveal).to_csv()
        told += filled.validate_variables(workflow_id, {"*": rules}, reveal=reveal).to_csv()
        assert FAKE not in told
        assert "imap" not in told
        assert "big" not in told


def test_rules_about_a_secret_say_not_checked_whether_it_keeps_them_or_not(
    filled: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    for rule in ({"const": FAKE}, {"const": "other"}, {"minLength": 99}, {"minLength": 1}):
        frame = filled.validate_records(workflow_id, fields(password=rule))
        assert rows(frame) == [("email_1", "fields.password", "not checked")]
        assert frame["message"].item() == "the value is hidden; reveal=True checks it"
        assert rows(filled.validate_variables(workflow_id, {"*": rule, "total": True}))[0] == (
            "api_token",
            "",
            "not checked",
        )


def test_a_revealed_secret_is_checked_and_still_not_shown(filled: toolkit.UnifiedDataService, workflow_id: str) -> None:
    assert filled.validate_records(workflow_id, fields(password={"const": FAKE}), reveal=True).empty
    frame = filled.validate_records(workflow_id, fields(password={"minLength": 99}), reveal=True)
    assert rows(frame) == [("email_1", "fields.password", "minLength")]
    assert filled.validate_variables(workflow_id, {"api_token": {"const": FAKE}}, reveal=True).empty
    assert rows(filled.validate_variables(workflow_id, {"api_token": {"type": "null"}}, reveal=True)) == [
        ("api_token", "", "type")
    ]


def test_what_is_not_asked_about_a_secret_is_checked(filled: toolkit.UnifiedDataService, workflow_id: str) -> None:
    schema = fields(size={"type": "integer"})
    schema["properties"]["fields"]["required"] = ["password"]
    assert rows(filled.validate_records(workflow_id, schema, "email_*")) == [("email_2", "fields.password", "required")]


def test_the_services_own_policy_decides_what_is_a_secret(
    database_url: str, filled: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    with toolkit.connect(database_url, masking=MaskingPolicy(extra=("size",), allow=("password",))) as service:
        schema = fields(size={"type": "string"}, password={"type": "integer"})
        found = rows(service.validate_records(workflow_id, schema, "email_1"))
    assert found == [("email_1", "fields.password", "type"), ("email_1", "fields.size", "not checked")]


def test_text_that_says_hidden_is_checked_like_any_other(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.set_variable(workflow_id, "note", {"text": HIDDEN, "password": FAKE}, literal=True)
    short = {"properties": {"text": {"maxLength": 3}}}
    assert rows(service.validate_variables(workflow_id, {"note": short}, reveal=True)) == [
        ("note", "text", "maxLength")
    ]


def test_several_workflows_are_checked_in_one_call(
    service: toolkit.UnifiedDataService, new_workflow: Callable[[str], str]
) -> None:
    ids = sorted(new_workflow(name) for name in ("nightly-1", "nightly-2"))
    for workflow_id in ids:
        service.set_variable(workflow_id, "total", -1)
        service.create_record(workflow_id, "a_1", data={"size": -1})
    negative = {"minimum": 0}
    of_variables = service.validate_variables(ids, {"total": negative})
    of_records = service.validate_records(ids, fields(size=negative))
    assert rows(of_variables) == [(workflow_id, "total", "", "minimum") for workflow_id in ids]
    assert sorted(rows(of_records)) == [(workflow_id, "a_1", "fields.size", "minimum") for workflow_id in ids]
    assert list(of_records.columns) == ["workflow_id", *OF_RECORDS]


def test_numbers_are_judged_by_every_digit(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"exact": 2**53 + 1, "larger": 10**30, "small": 3})
    below = {"maximum": 2**53}
    assert rows(service.validate_variables(workflow_id, {"*": below}), "key") == [("exact",), ("larger",)]
    service.create_records(
        workflow_id, [{"record_id": "a_1", "fields.n": 2**64 + 1}, {"record_id": "a_2", "fields.n": 2}]
    )
    frame = service.validate_records(workflow_id, fields(n={"const": 2**64 + 1}))
    assert rows(frame, "record_id") == [("a_2",)]


def test_stored_text_that_is_no_json_is_a_problem_of_its_own(tmp_path: Any, execute: Callable[..., None]) -> None:
    path = tmp_path / "corrupt.db"
    with toolkit.connect(path, create=True) as service:
        service.set_variable("nightly", "a", 1)
        service.create_record("nightly", "a_1")
        execute(
            str(path), "UPDATE workflow_memory SET value = '{SECRET'", "UPDATE workflow_records SET data = '{SECRET'"
        )
        of_variables = service.validate_variables("nightly", {"*": True})
        of_records = service.validate_records("nightly", True)  # noqa: FBT003
    assert rows(of_variables) == [("a", "", "json")]
    assert rows(of_records) == [("a_1", "data", "json")]
    assert "SECRET" not in of_variables.to_csv() + of_records.to_csv()


def test_records_are_checked_part_by_part_and_reported_in_one_frame(
    service: toolkit.UnifiedDataService, workflow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{number}", "fields.n": number} for number in range(7)])
    schema = fields(n={"enum": [0, 2, 3, 6]})
    whole = service.validate_records(workflow_id, schema)
    monkeypatch.setattr("toolkit.service.checking._ROWS_AT_ONCE", 2)
    parts = service.validate_records(workflow_id, schema)
    assert rows(parts, "record_id") == [("a_1",), ("a_4",), ("a_5",)]
    pd.testing.assert_frame_equal(parts, whole)
    assert parts.attrs == whole.attrs == {"checked": 7}


def test_a_broken_schema_is_refused_before_anything_is_read(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    with pytest.raises(InvalidOption, match=r"the schema for the records is broken at properties\.fields\.type"):
        service.validate_records(workflow_id, {"properties": {"fields": {"type": "objekt"}}})
    with pytest.raises(
        InvalidOption, match=r"the schema for 'total' refers to 'http://127\.0\.0\.1:9/x', which is not"
    ):
        service.validate_variables(workflow_id, {"total": {"$ref": "http://127.0.0.1:9/x"}})
    with pytest.raises(InvalidOption, match="the schema for 'type' is a dict, or True or False, not str"):
        service.validate_variables(workflow_id, {"type": "object"})  # type: ignore[dict-item]
    with pytest.raises(InvalidOption, match="schemas are a dict of a JSON Schema for each pattern, not bool"):
        service.validate_variables(workflow_id, True)  # type: ignore[arg-type]  # noqa: FBT003
    with pytest.raises(InvalidPattern):
        service.validate_variables(workflow_id, {"": True})


def test_a_check_is_one_statement_however_many_rows_there_are(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.set_variables(workflow_id, {f"v{number}": number for number in range(50)})
    service.create_records(workflow_id, [{"record_id": f"a_{number}", "fields.n": number} for number in range(50)])
    statements: list[str] = []
    sa.event.listen(
        service.database.engine, "before_cursor_execute", lambda _c, _cursor, text, *_rest: statements.append(text)
    )
    service.validate_records(workflow_id, fields(n={"maximum": 3}))
    service.validate_variables(workflow_id, {"v1*": {"maximum": 3}, "v2": True})
    assert len([text for text in statements if text.lstrip().upper().startswith("SELECT") and "workflow_" in text]) == 4


def test_what_is_read_after_a_check_in_the_same_snapshot_is_all_there(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.create_record(workflow_id, "email_001")
    service.set_variable(workflow_id, "total", 3)
    with service.database.read():
        assert len(service.validate_records(workflow_id, False)) == 1  # noqa: FBT003 - a schema that nothing meets
        assert len(service.get_all_variables(workflow_id)) == 1
        assert len(service.query_records(workflow_id)) == 1
