"""Documents as columns: every value has one place, one dtype by its kind, and can be found again."""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import frames, jsonvalue, paths
from toolkit.columns import DATA, HISTORY, PARTS, RECORD_COLUMNS, TIME_COLUMNS, VARIABLE_COLUMNS, WORKFLOW_ID
from toolkit.errors import DataWarning, InvalidPath, InvalidValue
from toolkit.masking import EVERYTHING, HIDDEN, MaskingPolicy, View

ORDER = ("fields", "vars", "targets", "data", "history")
RECORD_DTYPES = {name: "datetime64[us, UTC]" if name in TIME_COLUMNS else "str" for name in RECORD_COLUMNS} | {
    "retry_count": "Int64"
}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
scalars = st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts
keys = st.sampled_from(["a", "b", "a.b", "", '"', "[+]", "fields", "data", "é", "z", "A", "a b", 'a."b"', "\n"])
members = st.recursive(
    st.none() | scalars | st.lists(st.none() | scalars, max_size=2),
    lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
tops = st.sampled_from([*PARTS, "data", "extra", "record_id", "workflow_id", "fields.a", "", "key"])
documents = st.dictionaries(tops, members, max_size=4) | members


def table(given: Sequence[Any], **more: Any) -> pa.Table:
    """Records as the storage hands them over."""
    size = len(given)
    columns: dict[str, Any] = {name: pa.array([None] * size, pa.string()) for name in RECORD_COLUMNS}
    columns["record_id"] = pa.array([f"a_{number}" for number in range(size)], pa.string())
    columns["retry_count"] = pa.array([0] * size, pa.int64())
    for name in TIME_COLUMNS:
        columns[name] = pa.array([None] * size, pa.timestamp("us", tz="UTC"))
    columns[DATA] = pa.array([None if one is None else jsonvalue.encode(one) for one in given], pa.string())
    return pa.table({**more, **columns})


def flat(*given: Any, **options: Any) -> pd.DataFrame:
    return frames.records(table(given), EVERYTHING, **options)


def of_documents(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name not in RECORD_COLUMNS]


def rebuilt(frame: pd.DataFrame) -> list[Any]:
    """Put every document together again from the names of its columns and their cells."""
    made: list[Any] = [None] * len(frame)
    for name in of_documents(frame):
        keys = paths.parse(name).segments
        for row, value in enumerate(frames.plain_values(frame[name])):
            if value is None:
                continue
            if keys == (DATA,):
                made[row] = value
                continue
            below = made[row] = {} if made[row] is None else made[row]
            *way, last = keys[1:] if keys[0] == DATA else keys
            for key in way:
                below = below.setdefault(key, {})
            assert last not in below, "two columns stand for one place"
            below[last] = value
    return made


def without_nulls(value: Any, *, top: bool = True) -> Any:
    """What a flat frame keeps of a document.

    A null is a missing cell, an object that holds nothing but nulls is gone with them, and so is an empty part; an
    object that was empty already stays, and within arrays and `history` everything does.
    """
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, member in value.items():
        if member is None or (top and key in PARTS and member == {}):
            continue
        if isinstance(member, dict) and member and not (top and key == HISTORY):
            member = without_nulls(member, top=False)  # noqa: PLW2901 - the member without its nulls takes its place
            if not member:
                continue
        kept[key] = member
    return kept or None if top else kept


def alike(one: Any, other: Any) -> bool:
    """Compare values; a number beside others with a fraction becomes a double of the same value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if type(one) is int and type(other) is float:
        return one == other
    return jsonvalue.same(one, other)


@given(st.lists(documents, max_size=4))
def test_every_document_can_be_put_together_again(given: list[Any]) -> None:
    frame = flat(*given, history=True)
    assert len(frame) == len(given)
    for document, found in zip(given, rebuilt(frame), strict=True):
        assert alike(without_nulls(document), found)


@given(st.lists(documents, max_size=4))
def test_columns_stand_in_one_order_and_none_twice(given: list[Any]) -> None:
    frame = flat(*given, history=True)
    names = of_documents(frame)
    assert list(frame.columns) == [*RECORD_COLUMNS, *names]
    assert len(set(frame.columns)) == len(frame.columns)
    assert names == sorted(names, key=lambda name: (ORDER.index(name.partition(".")[0]), name))
    assert str(frame.columns.dtype) == "str"
    assert frame.index.equals(pd.RangeIndex(len(given)))


@given(st.lists(documents, max_size=4), st.randoms())
def test_dtypes_do_not_depend_on_the_order_of_rows(given: list[Any], random: Any) -> None:
    shuffled = random.sample(given, len(given))
    assert flat(*given).dtypes.to_dict() == flat(*shuffled).dtypes.to_dict()


@given(st.lists(documents, max_size=4))
def test_history_is_left_out_unless_it_is_asked_for(given: list[Any]) -> None:
    without, with_history = flat(*given), flat(*given, history=True)
    assert HISTORY not in without
    assert list(without.columns) == [name for name in with_history.columns if name != HISTORY]
    pd.testing.assert_frame_equal(without, with_history[list(without.columns)])


@given(st.lists(documents, max_size=3))
def test_a_frame_that_is_not_flat_holds_the_documents(given: list[Any]) -> None:
    frame = flat(*given, flatten=False)
    assert list(frame.columns) == [*RECORD_COLUMNS, DATA]
    assert frame[DATA].dtype == object
    assert all(jsonvalue.same(one, other) for one, other in zip(frame[DATA], given, strict=True))


@pytest.mark.parametrize(
    ("values", "dtype", "cells"),
    [
        ([1, None, -2], "Int64", [1, None, -2]),
        ([2**63 - 1, None, -(2**63)], "Int64", [2**63 - 1, None, -(2**63)]),
        ([2**63], "object", [2**63]),
        ([1, -(2**63) - 1], "object", [1, -(2**63) - 1]),
        ([10**400, 1], "object", [10**400, 1]),
        ([1.5, None], "Float64", [1.5, None]),
        ([1.0], "Float64", [1.0]),
        ([1, 1.5], "Float64", [1.0, 1.5]),
        ([2**53, 0.5], "Float64", [2.0**53, 0.5]),
        ([2**53 + 1, 0.5], "object", [2**53 + 1, 0.5]),
        ([2**53 + 2, 0.5], "Float64", [2.0**53 + 2, 0.5]),
        ([2**70, 0.5], "Float64", [2.0**70, 0.5]),
        ([2**70 + 1, 0.5], "object", [2**70 + 1, 0.5]),
        ([10**400, 0.5], "object", [10**400, 0.5]),
        ([2**1024 - 1, 0.5], "object", [2**1024 - 1, 0.5]),
        ([5e-324, 1.7976931348623157e308], "Float64", [5e-324, 1.7976931348623157e308]),
        ([True, None, False], "boolean", [True, None, False]),
        ([True, 1], "object", [True, 1]),
        ([True, 1.5], "object", [True, 1.5]),
        (["x", None, ""], "str", ["x", None, ""]),
        (["2026-11-16", "2026-11-16T02:00:00Z"], "str", ["2026-11-16", "2026-11-16T02:00:00Z"]),
        (["1", "2"], "str", ["1", "2"]),
        (["nan", "None", "<NA>"], "str", ["nan", "None", "<NA>"]),
        (["x", 1], "object", ["x", 1]),
        (["1", 1.5, True, None], "object", ["1", 1.5, True, None]),
        ([[1, 2], None, []], "object", [[1, 2], None, []]),
        ([[1], [{"a": None}]], "object", [[1], [{"a": None}]]),
        ([[1], "x"], "object", [[1], "x"]),
        ([{}, None], "object", [{}, None]),
        ([{}, "x"], "object", [{}, "x"]),
        ([None, None], "object", [None, None]),
    ],
)
def test_the_dtype_of_a_column_follows_from_its_values(values: list[Any], dtype: str, cells: list[Any]) -> None:
    column = flat(*({"fields": {"x": value}} for value in values))["fields.x"]
    assert str(column.dtype) == dtype
    assert jsonvalue.same(frames.plain_values(column), cells)
    missing = [value is None for value in values]
    assert list(column.isna()) == missing


def test_a_number_that_no_double_holds_stays_a_decimal() -> None:
    stored = table([{}]).set_column(
        len(RECORD_COLUMNS), DATA, pa.array(['{"fields": {"x": 0.1000000000000000001, "y": 1e400}}'])
    )
    frame = frames.records(stored, EVERYTHING)
    assert [frame["fields.x"][0], frame["fields.y"][0]] == [Decimal("0.1000000000000000001"), Decimal("1e400")]
    assert frame["fields.x"].dtype == object


def test_a_missing_key_and_a_null_are_both_missing() -> None:
    frame = flat({"fields": {"x": None, "y": 1}}, {"fields": {"y": 2}}, {"fields": {"x": 5}})
    assert frames.plain_values(frame["fields.x"]) == [None, None, 5]
    assert str(frame["fields.x"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("document", "columns"),
    [
        (None, {}),
        ({}, {}),
        ({"fields": {}, "vars": {}, "targets": {}, "history": {}}, {}),
        ({"fields": {"a": {}}}, {"fields.a": {}}),
        ({"fields": None}, {"fields": None}),
        ({"fields": 5}, {"fields": 5}),
        ({"fields": []}, {"fields": []}),
        ({"fields": {"a": {"b": {"c": 1}}}}, {"fields.a.b.c": 1}),
        ({"fields": {"a.b": 1, "a": {"b": 2}}}, {'fields."a.b"': 1, "fields.a.b": 2}),
        ({"fields.a": 1, "fields": {"a": 2}}, {"fields.a": 2, 'data."fields.a"': 1}),
        ({"data": 1, "extra": {"fields": 2}}, {"data.data": 1, "data.extra.fields": 2}),
        ({"record_id": 1, "status": "x"}, {"data.record_id": 1, "data.status": "x"}),
        ({"": 1}, {'data.""': 1}),
        ({"extra": {}}, {"data.extra": {}}),
        ({"vars": {"history": {"a": 1}}}, {"vars.history.a": 1}),
        ({"history": {"a": 1}}, {"history": {"a": 1}}),
        ({"history": []}, {"history": []}),
        ({"history": [{"n": 1}]}, {"history": [{"n": 1}]}),
        ([1, {"a": 2}], {"data": [1, {"a": 2}]}),
        (5, {"data": 5}),
        ("text", {"data": "text"}),
        (False, {"data": False}),
        ("", {"data": ""}),
        ([], {"data": []}),
    ],
)
def test_a_document_of_any_shape_is_one_row(document: Any, columns: dict[str, Any]) -> None:
    frame = flat({"vars": {"x": 1}}, document, history=True)
    assert len(frame) == 2
    found = {name: frames.plain_values(frame[name])[1] for name in of_documents(frame) if name != "vars.x"}
    assert jsonvalue.same(found, columns)


def test_an_object_in_one_row_and_a_value_in_another_have_a_column_each() -> None:
    frame = flat({"fields": {"a": 1}}, {"fields": {"a": {"b": 2}}}, {"fields": 3})
    assert of_documents(frame) == ["fields", "fields.a", "fields.a.b"]
    assert [frames.plain_values(frame[name]) for name in of_documents(frame)] == [
        [None, None, 3],
        [1, None, None],
        [None, 2, None],
    ]


def test_an_empty_result_has_the_record_columns_and_their_dtypes() -> None:
    frame = flat()
    assert list(frame.columns) == list(RECORD_COLUMNS)
    assert frame.dtypes.astype(str).to_dict() == RECORD_DTYPES
    asked = flat(wanted=["status", "fields.a", 'vars."b.c"', "created_at", "history"])
    assert asked.dtypes.astype(str).to_dict() == {
        "status": "str",
        "fields.a": "object",
        'vars."b.c"': "object",
        "created_at": "datetime64[us, UTC]",
        "history": "object",
    }
    assert list(flat(flatten=False).columns) == [*RECORD_COLUMNS, DATA]


def test_record_columns_have_their_dtypes_whatever_they_hold() -> None:
    assert flat({}, None).dtypes.astype(str).to_dict() == RECORD_DTYPES


@pytest.mark.parametrize(
    ("wanted", "columns"),
    [
        (["status", "record_id"], ["status", "record_id"]),
        (["fields"], ["fields.a", "fields.a.b", 'fields."c.d"', "fields.n"]),
        (["fields.a"], ["fields.a", "fields.a.b"]),
        (["fields.a.b"], ["fields.a.b"]),
        (['fields."c.d"'], ['fields."c.d"']),
        (['fields."n"'], ["fields.n"]),
        (['fields."nowhere"'], ["fields.nowhere"]),
        (["fields.n", "fields.n", "record_id"], ["fields.n", "record_id"]),
        (["fields.n", "fields"], ["fields.n", "fields.a", "fields.a.b", 'fields."c.d"']),
        (["data"], ["data.n", "data.nn"]),
        (["data.n"], ["data.n"]),
        (["history"], ["history"]),
        (["vars"], ["vars"]),
        ([], []),
    ],
)
def test_a_choice_of_columns_keeps_their_order(wanted: list[str], columns: list[str]) -> None:
    given = (
        {"fields": {"a": {"b": 1}, "c.d": 2, "n": 3}, "n": 4, "history": [5]},
        {"fields": {"a": 6}, "nn": 7},
    )
    found = flat(*given, wanted=wanted)
    assert sorted(found.columns) == sorted(columns)
    if "fields" not in wanted:
        assert list(found.columns) == columns
    assert found.shape == (2, len(columns))
    assert str(found.columns.dtype) == "str"
    whole = flat(*given, history=True)
    for name in found:
        if name in whole:
            pd.testing.assert_series_equal(found[name], whole[name])


def test_record_columns_alone_need_no_document() -> None:
    front = table([{"fields": {"a": 1}}, {}]).drop_columns([DATA])
    assert list(frames.records(front, EVERYTHING, wanted=["status"]).columns) == ["status"]
    assert frames.records(front, EVERYTHING, wanted=[]).shape == (2, 0)
    assert list(frames.records(front, EVERYTHING).columns) == list(RECORD_COLUMNS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("subject", "columns='subject' is no record column and no path; paths start with fields, vars, targets"),
        ("history[+]", r"is no record column and no path"),
        ("fields..a", "is no path: see character 8"),
        ("", "is no path"),
        (5, "a path is text such as 'vars.label', not int"),
    ],
)
def test_a_column_that_cannot_be_is_refused(name: Any, message: str) -> None:
    for few in ((), ({"fields": {"a": 1}},)):
        with pytest.raises(InvalidPath, match=message):
            flat(*few, wanted=["record_id", name])


def test_several_workflows_have_their_id_in_front() -> None:
    stored = table([{"fields": {"a": 1}}], **{WORKFLOW_ID: pa.array(["w"], pa.string())})
    assert list(frames.records(stored, EVERYTHING).columns) == [WORKFLOW_ID, *RECORD_COLUMNS, "fields.a"]
    assert list(frames.records(stored, EVERYTHING, wanted=["fields.a"]).columns) == [WORKFLOW_ID, "fields.a"]


def test_hidden_cells_change_only_columns_of_text_and_objects() -> None:
    given = [
        {
            "fields": {"n": 1, "x": 1.5, "ok": True, "text": "a", "list": [1], "api_token": 123456},
            "vars": {"db": {"password": "FAKE-not-real", "port": 5432}, "credentials": {"user": "ada", "n": 1}},
        },
        {
            "fields": {"n": 2, "x": 2, "ok": False, "text": "b", "list": [], "api_token": None},
            "vars": {"db": {"port": 1}},
        },
    ]
    before = copy.deepcopy(given)
    shown, masked = flat(*given), frames.records(table(given), View(MaskingPolicy()))
    hidden = [name for name in masked if masked[name].isin([HIDDEN]).any()]
    assert {"fields.api_token", "vars.db.password"} <= set(hidden)
    for name in masked:
        if name in hidden:
            assert str(masked[name].dtype) in {"str", "object"}
        else:
            pd.testing.assert_series_equal(masked[name], shown[name])
    assert given == before
    assert "FAKE-not-real" not in str(frames.to_dicts(masked))
    assert "123456" not in str(frames.to_dicts(masked))


def test_a_document_that_is_hidden_whole_is_still_a_row() -> None:
    policy = MaskingPolicy(hide_paths=("data", "data.*", "fields", "fields.*"), rules={"all": "(?s).+"})
    frame = frames.records(table(["text", "more"]), View(policy))
    assert of_documents(frame) == [DATA]
    assert list(frame[DATA]) == [HIDDEN, HIDDEN]


def test_stored_text_that_is_no_json_is_missing_and_said_so() -> None:
    stored = table([{}, {}, {"vars": {"x": 1}}])
    broken = stored.set_column(
        len(RECORD_COLUMNS), DATA, pa.array(["{", r'{"vars": {"x": "\ud800"}}', '{"vars": {"x": 1}}'])
    )
    with pytest.warns(DataWarning) as caught:
        frame = frames.records(broken, EVERYTHING)
    assert frames.plain_values(frame["vars.x"]) == [None, None, 1]
    messages = [str(warning.message) for warning in caught]
    assert messages[0].startswith("record 'a_0' is shown as missing: the stored text is not JSON: ")
    assert messages[1].startswith("record 'a_1' is shown as missing: the stored JSON holds a lone surrogate")


def variables_table(values: Mapping[str, str | None]) -> pa.Table:
    size = len(values)
    times = pa.array([None] * size, pa.timestamp("us", tz="UTC"))
    columns: dict[str, Any] = dict.fromkeys(VARIABLE_COLUMNS, pa.array([None] * size, pa.string()))
    columns |= {"key": pa.array(list(values), pa.string()), "value": pa.array(list(values.values()), pa.string())}
    return pa.table({**columns, "created_at": times, "updated_at": times})


def test_values_of_variables_are_what_they_are() -> None:
    values = {"a": 1, "b": 2**70, "c": [1, {"d": None}], "e": None, "f": "", "g": False, "h": 1.0, "i": {}}
    stored = {key: jsonvalue.encode(value) for key, value in values.items()}
    frame = frames.variables(variables_table({**stored, "null": None}), EVERYTHING)
    assert list(frame.columns) == list(VARIABLE_COLUMNS)
    assert jsonvalue.same(list(frame["value"]), [*values.values(), None])
    dtypes = {"value": "object", "created_at": "datetime64[us, UTC]", "updated_at": "datetime64[us, UTC]"}
    assert frame.dtypes.astype(str).to_dict() == {**dict.fromkeys(VARIABLE_COLUMNS, "str"), **dtypes}
    empty = frames.variables(variables_table({}), EVERYTHING)
    assert empty.dtypes.equals(frame.dtypes)


def test_a_variable_that_is_no_json_is_missing_and_said_so() -> None:
    with pytest.warns(DataWarning, match="variable 'b' is shown as missing"):
        frame = frames.variables(variables_table({"a": "1", "b": "{", "c": "[2]"}), EVERYTHING)
    assert list(frame["value"]) == [1, None, [2]]


def test_a_variable_is_hidden_by_its_key() -> None:
    stored = {"api_token": '"FAKE-not-real"', "count": "3"}
    assert list(frames.variables(variables_table(stored), View(MaskingPolicy()))["value"]) == [HIDDEN, 3]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series([1.5, math.nan]), [1.5, None]),
        (pd.Series([1.5, None], dtype="Float64"), [1.5, None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series([True, False]), [True, False]),
        (pd.Series(["x", None], dtype="str"), ["x", None]),
        (pd.Series(["x", "y"], dtype="category"), ["x", "y"]),
        (pd.Series([[1], None, {}, math.nan, pd.NA, pd.NaT], dtype=object), [[1], None, {}, None, None, None]),
        (pd.Series([2**70, "x"], dtype=object), [2**70, "x"]),
        (pd.Series([np.int8(1), np.str_("x"), np.bool_(True)], dtype=object), [1, "x", True]),  # noqa: FBT003
        (pd.Series([], dtype="Int64"), []),
    ],
)  # fmt: skip
def test_cells_become_plain_values(column: Any, values: list[Any]) -> None:
    assert jsonvalue.same(frames.plain_values(column), values)


def test_times_become_datetimes_and_never_numbers() -> None:
    times = pd.Series([pd.Timestamp("2026-11-16T02:00Z"), pd.NaT])
    found = frames.plain_values(times)
    assert found == [dt.datetime(2026, 11, 16, 2, tzinfo=dt.UTC), None]
    assert type(found[0]) is dt.datetime
    moment = np.datetime64("2026-11-16", "ns")
    assert frames.plain_values(pd.Series([moment, "x"], dtype=object))[0] is not None
    with pytest.raises(InvalidValue, match="cannot hold"):
        jsonvalue.plain(frames.plain_values(pd.Series([moment, "x"], dtype=object)))


def test_rows_of_a_frame_are_dicts_without_missing_cells() -> None:
    frame = pd.DataFrame({"record_id": ["a", "b"], "fields.n": pd.array([1, None], dtype="Int64"), 0: [None, 1.5]})
    before = frame.copy(deep=True)
    assert frames.to_rows(frame) == [{"record_id": "a", "fields.n": 1}, {"record_id": "b", "0": 1.5}]
    assert frames.to_dicts(frame) == [
        {"record_id": "a", "fields.n": 1, "0": None},
        {"record_id": "b", "fields.n": None, "0": 1.5},
    ]
    pd.testing.assert_frame_equal(frame, before)
    given = [{"record_id": "a", "fields.n": None}]
    assert frames.to_rows(given) is given
    assert frames.to_dicts(frame.iloc[:0]) == []


def test_a_frame_with_any_index_gives_its_rows_in_order() -> None:
    frame = pd.DataFrame({"record_id": ["a", "b"]}, index=[7, 7])
    assert frames.to_rows(frame) == [{"record_id": "a"}, {"record_id": "b"}]


@pytest.mark.parametrize("names", [["a", "a"], ["0", 0]])
def test_two_columns_of_one_name_are_refused(names: list[Any]) -> None:
    with pytest.raises(InvalidValue, match="more than one column called"):
        frames.to_dicts(pd.DataFrame([[1, 2]], columns=pd.Index(names, dtype=object)))


HARD = [
    {"fields": {"n": 1, "x": 1, "big": 2**70, "mixed": 1, "a.b": 1, "text": "2026", "ok": True, "list": [1.0, 2]}},
    {"fields": {"n": 2**63 - 1, "x": 0.5, "big": 1, "mixed": "x", "a": {"b": None}, "text": "é😀", "list": []}},
    {"fields": {"n": None, "x": 1e300, "e": {}, "deep": {"er": {"": [{"k": None}]}}}, "vars": {"x": -0.5}, "extra": 1},
    {"history": [{"n": 1}], "targets": {"only_null": None}, "fields": {"x": 2**60, "float": 1e16}},
    None,
]  # fmt: skip
HARD_COLUMNS = {
    'fields."a.b"': "Int64",
    "fields.a.b": "object",
    "fields.big": "object",
    'fields.deep.er.""': "object",
    "fields.e": "object",
    "fields.extra": "Int64",
    "fields.float": "Float64",
    "fields.list": "object",
    "fields.mixed": "object",
    "fields.n": "Int64",
    "fields.ok": "boolean",
    "fields.text": "str",
    "fields.x": "Float64",
    "vars.x": "Float64",
    "targets.only_null": "object",
    "history": "object",
}


def test_every_database_gives_the_same_frame(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    at = "2026-11-16T02:00:00Z"
    service.create_records(
        workflow_id,
        [{"record_id": f"a_{place}", "data": data, "created_at": at} for place, data in enumerate(HARD)],
    )
    frame = service.query_records(workflow_id, columns="all")
    assert {name: str(frame[name].dtype) for name in of_documents(frame)} == HARD_COLUMNS
    assert list(frame.columns) == [*RECORD_COLUMNS, *HARD_COLUMNS]
    assert jsonvalue.same(frames.plain_values(frame["fields.big"]), [2**70, 1, None, None, None])
    assert jsonvalue.same(frames.plain_values(frame["fields.list"]), [[1.0, 2], [], None, None, None])
    assert jsonvalue.same(frames.plain_values(frame["fields.x"]), [1.0, 0.5, 1e300, 2.0**60, None])
    empty = service.query_records(workflow_id, "nothing_*", columns=["record_id", "fields.n"])
    assert empty.dtypes.astype(str).to_dict() == {"record_id": "str", "fields.n": "object"}
    assert service.query_records(workflow_id, "nothing_*").dtypes.astype(str).to_dict() == RECORD_DTYPES


def test_a_frame_that_was_read_can_be_written_again(
    service: toolkit.UnifiedDataService, new_workflow: Callable[[str], str]
) -> None:
    first, second = new_workflow("first"), new_workflow("second")
    service.create_records(first, [{"record_id": f"a_{place}", "data": data} for place, data in enumerate(HARD)])
    read = service.query_records(first, columns="all")
    service.create_records(second, read)
    # A column of nothing but nulls leaves no trace: a missing cell is left out.
    held = [name for name in read if name in RECORD_COLUMNS or read[name].notna().any()]
    pd.testing.assert_frame_equal(service.query_records(second, columns="all"), read[held])
