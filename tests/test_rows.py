"""From what people give to rows that can be inserted: checked whole, and nothing of theirs is changed."""

from __future__ import annotations

import copy
import datetime as dt
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import jsonvalue
from toolkit.columns import DATA, PARTS, RECORD_COLUMNS
from toolkit.errors import HiddenValue, InvalidPath, InvalidValue
from toolkit.storage.rows import GIVEN, parts_of, record_row, record_rows, record_type_of

members = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers() | st.none(), max_size=3)
EMPTY: dict[str, Any] = {"fields": {}, "vars": {}, "targets": {}, "history": []}
FALSY: dict[str, Any] = {"fields": [], "vars": 0, "targets": False, "history": ""}


@given(members, members, members, st.lists(st.integers()))
def test_a_document_is_laid_out_in_its_four_parts(
    outside: dict[str, Any], variables: dict[str, Any], targets: dict[str, Any], history: list[int]
) -> None:
    data = {**outside, "vars": variables, "targets": targets, "history": history}
    before = copy.deepcopy(data)
    assert parts_of(data) == {"fields": outside, "vars": variables, "targets": targets, "history": history}
    assert list(parts_of(data)) == list(PARTS)
    assert data == before


@given(members, members)
def test_keys_outside_the_parts_go_into_fields(fields: dict[str, Any], outside: dict[str, Any]) -> None:
    data = {"fields": fields, **outside}
    before = copy.deepcopy(data)
    if fields.keys() & outside.keys():
        with pytest.raises(InvalidValue, match="both at the top and in fields"):
            parts_of(data)
    else:
        assert parts_of(data)["fields"] == {**fields, **outside}
    assert data == before


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ({}, EMPTY),
        (dict.fromkeys(PARTS), EMPTY),
        (FALSY, FALSY),
        ({"fields": "text"}, {**EMPTY, "fields": "text"}),
        ({"history": {"a": 1}}, {**EMPTY, "history": {"a": 1}}),
        ({"data": {"a": 1}}, {**EMPTY, "fields": {"data": {"a": 1}}}),
        ({"record_id": "x"}, {**EMPTY, "fields": {"record_id": "x"}}),
        (MappingProxyType({"n": 1}), {**EMPTY, "fields": {"n": 1}}),
    ],
)  # fmt: skip
def test_only_what_is_missing_is_filled_in(data: Any, parts: dict[str, Any]) -> None:
    assert parts_of(data) == parts


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "data of a record is a dict, not list"),
        ("text", "data of a record is a dict, not str"),
        ({"a": 1, "fields": "text"}, "keys outside the four parts, and its fields is no object"),
        ({"a": 1, "fields": []}, "keys outside the four parts, and its fields is no object"),
        ({"b": 1, "a": 2, "fields": {"a": 2, "b": 3}}, "data holds 'a' both at the top and in fields"),
    ],
)
def test_a_document_that_cannot_be_laid_out_is_refused(data: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        parts_of(data)


@pytest.mark.parametrize(
    ("record_id", "record_type"),
    [
        ("email_001", "email"),
        ("sales_lead_7", "sales_lead"),
        ("temp:1:x:0001", "temp"),
        ("my_temp_1:x", "my_temp"),
        ("email", "email"),
        ("_x", "_x"),
        (":x", ":x"),
        ("_", "_"),
        ("x" * 60, "x" * 50),
        ("é_1", "é"),
    ],
)
def test_the_type_of_a_record_is_the_prefix_of_its_id(record_id: str, record_type: str) -> None:
    assert record_type_of(record_id) == record_type
    assert record_row({"record_id": record_id})["record_type"] == record_type


@given(st.text(min_size=1, max_size=255))
def test_every_id_names_a_type_that_its_column_holds(record_id: str) -> None:
    assert 1 <= len(record_type_of(record_id)) <= 50


def test_a_row_has_every_column_and_the_defaults() -> None:
    row = record_row({"record_id": "email_001"})
    assert set(row) == {*RECORD_COLUMNS, DATA, GIVEN}
    assert row == {
        "record_id": "email_001",
        "record_type": "email",
        "status": "discovered",
        "iteration_node_alias": None,
        "error_message": None,
        "retry_count": 0,
        "created_at": None,
        "updated_at": None,
        "processed_at": None,
        "data": jsonvalue.encode(EMPTY),
        "given": frozenset({"record_id"}),
    }


def test_an_empty_status_is_a_status() -> None:
    assert record_row({"record_id": "a_1", "status": ""})["status"] == ""
    assert record_row({"record_id": "a_1", "status": None})["status"] == "discovered"


def test_columns_are_carried_and_times_are_utc() -> None:
    row = record_row(
        {
            "record_id": "a",
            "record_type": "mail",
            "status": "own status",
            "iteration_node_alias": "loop",
            "error_message": "",
            "retry_count": 2,
            "created_at": "2026-11-16T02:00+01:00",
            "processed_at": dt.datetime(2026, 11, 16, 2),  # noqa: DTZ001 - a time without a zone is the point
        }
    )
    assert (row["record_type"], row["status"], row["retry_count"], row["error_message"]) == (
        "mail",
        "own status",
        2,
        "",
    )
    assert row["created_at"] == dt.datetime(2026, 11, 16, 1, tzinfo=dt.UTC)
    assert row["processed_at"] == dt.datetime(2026, 11, 16, 2, tzinfo=dt.UTC)


def test_paths_and_data_lay_out_the_same_document() -> None:
    dotted = record_row({"record_id": "a", "fields.n": 1, 'fields."a.b"': {"c": 2}, "history[+]": "x", "data.extra": 3})
    document = {"fields": {"n": 1, "a.b": {"c": 2}}, "vars": {}, "targets": {}, "history": ["x"], "extra": 3}
    assert jsonvalue.decode(dotted["data"]) == document
    assert (
        record_row({"record_id": "a", "data": {"n": 1, "vars": {"x": 2}}})["data"]
        == (record_row({"record_id": "a", "fields.n": 1, "vars.x": 2})["data"])
    )


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, InvalidValue, "a record needs a record_id"),
        (None, InvalidValue, "a record is a dict with a record_id, not NoneType"),
        ("record_id", InvalidValue, "a record is a dict with a record_id, not str"),
        (["record_id"], InvalidValue, "not list"),
        ({"record_id": None}, InvalidValue, "a record_id is text, not NoneType"),
        ({"record_id": 7}, InvalidValue, "a record_id is text, not int"),
        ({"record_id": ""}, InvalidValue, "a record_id cannot be empty"),
        ({"record_id": "x" * 256}, InvalidValue, "a record_id has at most 255 characters"),
        ({"record_id": "a\0"}, InvalidValue, "NUL"),
        ({"record_id": "a", "status": 5}, InvalidValue, "a status of record 'a' is text, not int"),
        ({"record_id": "a", "record_type": "x" * 51}, InvalidValue, "a record_type of record 'a' has at most 50"),
        ({"record_id": "a", "status": "x" * 51}, InvalidValue, "a status of record 'a' has at most 50"),
        ({"record_id": "a", "iteration_node_alias": "x" * 256}, InvalidValue, "at most 255"),
        ({"record_id": "a", "error_message": b"x"}, InvalidValue, "a error_message of record 'a' is text, not bytes"),
        ({"record_id": "a", "retry_count": -1}, InvalidValue, "retry_count is a whole number from 0, not -1"),
        ({"record_id": "a", "created_at": "soon"}, InvalidValue, "a time is a datetime"),
        ({"record_id": "a", "data": [1]}, InvalidValue, "data of a record is a dict, not list"),
        ({"record_id": "a", "data": {"x": {1: 2}}}, InvalidValue, r"data of record 'a'\['fields'\]\['x'\] has a key"),
        ({"record_id": "a", "data": {}, "fields.n": 1}, InvalidPath, "either data or paths such as 'fields.n', not"),
        ({"record_id": "a", "subject": 1}, InvalidPath, r"for a field, write 'fields\.subject'"),
        ({"record_id": "a", "workflow_id": "w"}, InvalidPath, "'workflow_id' is no column and no path"),
        ({"record_id": "a", "fields": {}, "fields.n": 1}, InvalidPath, "one patch cannot hold both"),
        ({"record_id": "a", 5: 1}, InvalidPath, "a path is text"),
        ({"record_id": "a", "data": {"x": "[hidden]"}}, HiddenValue, r"data of record 'a' holds \[hidden\]"),
        ({"record_id": "a", "vars.x": "[hidden]"}, HiddenValue, "data of record 'a'"),
        ({"record_id": "a", "error_message": "[hidden]"}, HiddenValue, "error_message of record 'a'"),
        ({"record_id": "[hidden]"}, HiddenValue, "record_id of record"),
    ],
)  # fmt: skip
def test_a_bad_record_is_refused_and_named_by_its_position(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        record_row(given)
    name = given.get("record_id") if isinstance(given, dict) else None
    with pytest.raises(error, match=message) as caught:
        record_rows([{"record_id": "fine_1"}, {"record_id": "fine_2"}, given])
    assert str(caught.value).startswith(f"row 2 ({name!r}): ")


def test_masks_are_written_when_they_are_meant() -> None:
    row = record_row({"record_id": "a", "error_message": "[hidden]", "data": {"x": "[hidden]"}}, literal=True)
    assert (row["error_message"], jsonvalue.decode(row["data"])["fields"]) == ("[hidden]", {"x": "[hidden]"})


def test_an_id_that_occurs_twice_is_named_with_both_positions() -> None:
    with pytest.raises(InvalidValue, match=r"row 3 \('a'\): this record_id stands in row 1 already"):
        record_rows([{"record_id": name} for name in ("b", "a", "A", "a", "b")])


def test_records_come_from_any_iterable_once() -> None:
    assert [row["record_id"] for row in record_rows({"record_id": name} for name in "abc")] == ["a", "b", "c"]
    assert record_rows([]) == []


def test_nothing_is_written_when_one_row_is_bad(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    for bad in ({"record_id": "a_1"}, {"record_id": "a_3", "data": {"n": float("nan")}}, {"record_id": "x" * 300}):
        with pytest.raises(InvalidValue, match="row 2"):
            service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}, bad])
        assert service.query_records(workflow_id).empty


def test_a_frame_with_two_columns_of_one_name_is_refused(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    frame = pd.DataFrame([["a_1", 1, 2]], columns=["record_id", "fields.n", "fields.n"])
    with pytest.raises(InvalidValue, match=r"more than one column called 'fields\.n'"):
        service.create_records(workflow_id, frame)


def test_falsy_parts_are_stored_as_they_are(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data=FALSY)
    found = service.get_record(workflow_id, "a_1")
    assert found is not None
    assert jsonvalue.same(found["data"], FALSY)
