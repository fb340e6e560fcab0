"""What a patch does to a document: what it names changes, everything else stays digit for digit."""

from __future__ import annotations

import copy
import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import jsonvalue, paths
from toolkit.columns import PARTS
from toolkit.errors import HiddenValue, InvalidPath, InvalidValue
from toolkit.storage.merge import check_patch, document_path, merge

keys = st.sampled_from(["a", "b", "c.d", "", "[+]", 'say "x"', "é"])
leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2))
objects = st.recursive(
    st.dictionaries(keys, leaves, max_size=3),
    lambda inner: st.dictionaries(keys, leaves | inner, max_size=3),
    max_leaves=8,
)
documents = st.fixed_dictionaries({}, optional={"fields": objects, "vars": objects, "targets": objects})


def changed(document: Any, patch: dict[str, Any]) -> Any:
    return merge(copy.deepcopy(document), check_patch(patch))


def deep_merge(former: Any, new: Any) -> Any:
    """The rule in one sentence: objects merge, everything else is replaced."""
    if not isinstance(former, dict) or not isinstance(new, dict):
        return new
    return {key: deep_merge(former.get(key), new[key]) if key in new else former[key] for key in {**former, **new}}


@given(documents, objects)
def test_objects_merge_and_everything_else_is_replaced(document: dict[str, Any], value: dict[str, Any]) -> None:
    assert changed(document, {"vars": value}) == deep_merge(document, {"vars": value})


@given(documents, st.lists(keys, min_size=1, max_size=4), leaves | objects)
def test_a_path_means_the_same_as_nested_objects(document: dict[str, Any], steps: list[str], value: Any) -> None:
    nested = value
    for key in reversed(steps):
        nested = {key: nested}
    dotted = changed(document, {paths.join(["fields", *steps]): value})
    assert jsonvalue.same(dotted, deep_merge(document, {"fields": nested}))
    assert jsonvalue.same(dotted, changed(document, {"fields": nested}))


@given(documents, objects)
def test_a_patch_is_never_changed_nor_shared(document: dict[str, Any], value: dict[str, Any]) -> None:
    before = copy.deepcopy(value)
    made = changed(document, {"fields": value})
    made["fields"]["new"] = "mark"
    for member in made["fields"].values():
        if isinstance(member, dict | list):
            member.clear()
    assert value == before


@given(documents, objects)
def test_what_a_patch_does_not_name_keeps_value_and_order(document: dict[str, Any], value: dict[str, Any]) -> None:
    untouched = {part: former for part, former in document.items() if part != "vars"}
    made = changed(document, {"vars": value})
    assert [part for part in made if part in document] == list(document)
    for part, former in untouched.items():
        assert jsonvalue.encode(made[part]) == jsonvalue.encode(former)
    former_keys = list(document.get("vars", {}))
    assert list(made["vars"])[: len(former_keys)] == former_keys


def test_numbers_that_are_not_named_keep_every_digit() -> None:
    text = '{"vars": {"price": 1.10, "huge": 1E+400, "zero": -0, "long": 0.1000000000000000001, "x": 1}, "fields": 2.0}'
    document = jsonvalue.decode(text, exact=True)
    made = merge(document, check_patch({"vars.x": 2}))
    assert jsonvalue.encode_exact(made) == text.replace('"x": 1', '"x": 2')


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        (None, {"vars.a": 1}, {"vars": {"a": 1}}),
        ({}, {"fields.a.b.c": 1}, {"fields": {"a": {"b": {"c": 1}}}}),
        ({"fields": {"a": "text"}}, {"fields.a.b": 1}, {"fields": {"a": {"b": 1}}}),
        ({"fields": {"a": [1, 2]}}, {"fields.a.b": 1}, {"fields": {"a": {"b": 1}}}),
        ({"fields": None}, {"fields.a": 1}, {"fields": {"a": 1}}),
        ({"fields": 5}, {"fields": {"a": 1}}, {"fields": {"a": 1}}),
        ({"fields": {"a": [1, 2]}}, {"fields.a": [3]}, {"fields": {"a": [3]}}),
        ({"fields": {"a": {"b": 1}}}, {"fields.a": None}, {"fields": {"a": None}}),
        ({"fields": {"a": {"b": 1}}}, {"fields.a": {}}, {"fields": {"a": {"b": 1}}}),
        ({"fields": {"a.b": 1, "a": {"b": 2}}}, {'fields."a.b"': 3}, {"fields": {"a.b": 3, "a": {"b": 2}}}),
        ({"fields": {"a.b": 1, "a": {"b": 2}}}, {"fields.a.b": 3}, {"fields": {"a.b": 1, "a": {"b": 3}}}),
        ({}, {"fields": {"a.b": 1}}, {"fields": {"a.b": 1}}),
        ({}, {'fields.""': 1}, {"fields": {"": 1}}),
        ({"extra": 1}, {"data.extra": {"n": 2}, "data.more.x": 3}, {"extra": {"n": 2}, "more": {"x": 3}}),
        ({"history": [1]}, {"history[+]": {"n": 2}}, {"history": [1, {"n": 2}]}),
        ({"history": [1]}, {"history[+]": [2]}, {"history": [1, [2]]}),
        ({"history": [1]}, {"history": [2]}, {"history": [2]}),
        ({"history": None}, {"history[+]": 1}, {"history": [1]}),
        ({}, {"history[+]": None}, {"history": [None]}),
        ({}, {"vars.seen[+]": "x"}, {"vars": {"seen": ["x"]}}),
        ({}, {"data.log[+]": "x"}, {"log": ["x"]}),
        ({"fields": {"a": 1}}, {}, {"fields": {"a": 1}}),
    ],
)
def test_one_patch_after_another(document: Any, patch: dict[str, Any], result: Any) -> None:
    assert jsonvalue.same(changed(document, patch), result)


def test_the_order_in_which_paths_are_given_makes_no_difference() -> None:
    patch = {"fields.a": 1, "vars.b": 2, "history[+]": 3, 'fields."a.b"': 4, "fields.c.d": 5}
    assert changed({}, patch) == changed({}, dict(reversed(patch.items())))


@pytest.mark.parametrize(
    ("document", "path"),
    [({"history": {"a": 1}}, "history[+]"), ({"vars": {"a": "x"}}, "vars.a[+]"), ({"vars": {}}, "vars[+]")],
)
def test_an_append_to_something_else_is_refused(document: Any, path: str) -> None:
    with pytest.raises(InvalidPath, match="appends to an array, and this record holds something else there"):
        changed(document, {path: 1})


@pytest.mark.parametrize("document", [[], [1], "text", 5, 0, False, 1.5])
def test_a_document_that_is_no_object_has_no_paths(document: Any) -> None:
    with pytest.raises(InvalidPath, match="this record's document is no object"):
        changed(document, {"vars.a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fields", "fields.a"),
        ("fields.a", "fields.a.b.c"),
        ("fields.a", 'fields."a"'),
        ("history", "history[+]"),
        ("history[+]", "history"),
        ('fields."a.b"', 'fields."a.b".c'),
        ("data.fields", "fields.a"),
        ("data.x", "data.x.y"),
    ],
)
def test_two_paths_of_which_one_contains_the_other_are_refused(one: str, other: str) -> None:
    # Others stand between them, in whatever order they are sorted.
    for names in ((one, "fields.ab", "fields.a!", "vars.z", other), (other, "vars.z", one)):
        with pytest.raises(InvalidPath, match="one patch cannot hold both"):
            check_patch(dict.fromkeys(names, 1))


def test_paths_that_only_look_alike_are_no_conflict() -> None:
    names = ["fields.a", "fields.ab", 'fields."a.b"', "vars.a", "data.a"]
    assert len(check_patch(dict.fromkeys(names, 1)).document) == len(names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("subject", r"for a field, write 'fields\.subject'; paths start with fields, vars, targets, history, data"),
        ("a.b", r"for a field, write 'fields\.a\.b'"),
        ("field.a", r"did you mean 'fields\.a'\?"),
        ("var.label", r"did you mean 'vars\.label'\?"),
        ('"field"."a.b"', r"""did you mean 'fields\."a\.b"'\?"""),
        ("histry[+]", r"did you mean 'history\[\+\]'\?"),
        ("statu", r"did you mean 'status'\?"),
        ("retry_counts", r"did you mean 'retry_count'\?"),
        ("record_type", r"for a field, write 'fields\.record_type'"),
        ("data", r"name what is in it: data\.<key>, or a path that starts in one of the four parts"),
        ("data[+]", r"name what is in it"),
        ("", "is no path: see character 1"),
        ("fields.", "is no path: see character 8"),
        ("fields[0]", "is no path: see character 7"),
        (5, "a path is text such as 'vars.label', not int"),
    ],
)
def test_a_mistyped_path_is_refused_with_the_nearest_one(name: Any, message: str) -> None:
    with pytest.raises(InvalidPath, match=message):
        check_patch({name: 1})


def test_a_suggestion_is_never_the_text_that_was_refused() -> None:
    for name in ("data", "data[+]", "status.x", "status[+]", "retry_count.x"):
        with pytest.raises(InvalidPath) as caught:
            check_patch({name: 1})
        assert f"did you mean {name!r}" not in str(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_and_every_other_key_has_a_path(part: str) -> None:
    assert document_path(part).segments == (part,)
    assert document_path(f"data.{part}x").segments == (f"{part}x",)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"vars.a": {"b": [math.nan]}}, r"vars\.a\['b'\]\[0\] is nan"),
        ({"vars.a": {1: 2}}, r"vars\.a has a key of type int"),
        ({"vars.a": dt.date(2026, 11, 16)}, "is a date"),
        ({"vars.a\0": 1}, "a key in the path 'vars.a\\\\x00' cannot hold the NUL character"),
        ({r'vars."\u0000"': 1}, "cannot hold the NUL character"),
        ({r'vars."\ud800".x': 1}, "cannot hold a lone surrogate"),
        ({"status": 5}, "a status is text, not int"),
        ({"status": "x" * 51}, "a status has at most 50 characters, this one has 51"),
        ({"error_message": ["x"]}, "a error_message is text, not list"),
        ({"error_message": "x\0"}, "NUL"),
        ({"retry_count": -1}, "retry_count is a whole number from 0, not -1"),
        ({"retry_count": True}, "not True"),
        ({"retry_count": 1.0}, "a whole number from 0, not float"),
        ({"retry_count": 2**31}, "not 2147483648"),
        ({"retry_count": None}, "not None"),
        ({"retry_count": "3"}, "a whole number from 0, not str"),
        ({"processed_at": "yesterday"}, "a time is a datetime or text such as '2026-11-16T02:00:00Z', not 'yesterday'"),
        ({"processed_at": 5}, "not 5"),
        ({"processed_at": dt.date(2026, 11, 16)}, "not datetime.date"),
        ({"processed_at": pd.NaT}, "not NaT"),
        ({"processed_at": "0001-01-01T00:00+05:00"}, "a time is a datetime"),
    ],
)
def test_a_value_that_nothing_can_hold_is_refused(patch: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        check_patch(patch)


@pytest.mark.parametrize("patch", [None, [], [("vars.a", 1)], "vars.a"])
def test_a_patch_is_a_dict(patch: Any) -> None:
    with pytest.raises(InvalidValue, match=f"a patch is a dict of paths and values, not {type(patch).__name__}"):
        check_patch(patch)


def test_columns_are_read_as_the_database_wants_them() -> None:
    patch = check_patch(
        {"status": None, "error_message": "", "retry_count": np.int64(3), "processed_at": "2026-11-16T02:00+01:00"}
    )
    assert patch.columns == {
        "status": None,
        "error_message": "",
        "retry_count": 3,
        "processed_at": dt.datetime(2026, 11, 16, 1, tzinfo=dt.UTC),
    }
    assert type(patch.columns["retry_count"]) is int
    assert patch.document == ()
    assert check_patch({"processed_at": None}).columns == {"processed_at": None}


def test_the_levels_of_a_path_and_its_value_count_together() -> None:
    def nested(levels: int) -> Any:
        return [nested(levels - 1)] if levels else 1

    deep = "fields" + ".a" * 399
    assert jsonvalue.encode_exact(changed({}, {deep: nested(100)})).count("[") == 100
    jsonvalue.decode(jsonvalue.encode(changed({}, {deep + "[+]": nested(99)})))
    for path, levels in ((deep, 101), (deep + "[+]", 100)):
        with pytest.raises(InvalidValue, match="nested deeper than 500 levels"):
            check_patch({path: nested(levels)})
    assert check_patch({"fields" + ".a" * 499: 1}).document
    for path in ("fields" + ".a" * 500, "fields" + ".a" * 499 + "[+]"):
        with pytest.raises(InvalidPath, match="a path of 501 levels is too deep; a document has 500 at most"):
            check_patch({path: 1})


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        ({"vars.token": "[hidden]"}, "vars.token of record 'a'"),
        ({"vars.note": {"x": ["it is [hidden] now"]}}, "vars.note of record 'a'"),
        ({"error_message": "failed with [hidden]"}, "error_message of record 'a'"),
        ({"status": "[hidden]"}, "status of record 'a'"),
        ({'vars."[hidden]".n': 1}, "the path vars.*of record 'a'"),
    ],
)
def test_a_mask_is_refused_with_its_place(patch: dict[str, Any], what: str) -> None:
    with pytest.raises(HiddenValue, match=what):
        check_patch(patch).refuse_masks("record 'a'")


def test_a_patch_on_every_database_is_the_merge(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    data = {"fields": {"a": 1.5, "b": {"c": [1]}, "d": 2**70, "e": 1e20}, "history": [{"n": 1}], "extra": "x"}
    service.create_record(workflow_id, "a_1", data={"fields": data["fields"], "history": data["history"]})
    service.update_record(workflow_id, "a_1", {"data.extra": "x"})
    service.update_record(
        workflow_id,
        "a_1",
        {"fields.b": {"d": None}, "history[+]": {"n": 2}, 'vars."a.b".c': [2.0], "status": "complete"},
    )
    found = service.get_record(workflow_id, "a_1")
    assert found is not None
    assert found["status"] == "complete"
    assert jsonvalue.same(
        found["data"],
        {
            "fields": {"a": 1.5, "b": {"c": [1], "d": None}, "d": 2**70, "e": 1e20},
            "vars": {"a.b": {"c": [2.0]}},
            "targets": {},
            "history": [{"n": 1}, {"n": 2}],
            "extra": "x",
        },
    )
