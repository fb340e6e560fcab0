"""JSON: what is written comes back the same, and what cannot is refused with its place."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import inspect
import json
import math
import sys
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit import jsonvalue
from toolkit.errors import CorruptValue, HiddenValue, InvalidValue
from toolkit.jsonvalue import MAXIMUM_DEPTH, MAXIMUM_DIGITS
from toolkit.jsonvalue import text as text_of_values
from toolkit.storage.base import encode_for_writing

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
integers = st.integers() | st.integers(2**53 - 9, 2**53 + 9) | st.integers(-(10**40), 10**40)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | floats | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


def nested(levels: int, make: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = make(value)
    return value


@given(values)
def test_every_value_comes_back_the_same(value: Any) -> None:
    text = jsonvalue.encode(value)
    assert jsonvalue.same(jsonvalue.decode(text), value)
    assert jsonvalue.same(jsonvalue.decode(text.encode()), value)


@given(values)
def test_what_is_written_is_json_to_everybody_else(value: Any) -> None:
    assert json.loads(jsonvalue.encode(value)) == value


@given(floats)
def test_a_float_comes_back_as_the_same_float(number: float) -> None:
    found = jsonvalue.decode(jsonvalue.encode(number))
    assert type(found) is float
    assert math.copysign(1, found) == math.copysign(1, number)
    assert found == number


@given(floats)
def test_a_float_is_written_with_a_point_or_a_negative_exponent(number: float) -> None:
    text = jsonvalue.encode([number])
    # Without either, PostgreSQL's jsonb gives it back as an integer.
    assert "." in text or "e-" in text
    assert "e+" not in text


@pytest.mark.parametrize("number", [5e-324, sys.float_info.max, -sys.float_info.max, 1e16, 1e22, 1e-7, 0.1, 2.0**70])
def test_extreme_floats_come_back(number: float) -> None:
    assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode({"n": number})), {"n": number})


@given(values)
def test_encoding_never_changes_its_input(value: Any) -> None:
    before = copy.deepcopy(value)
    jsonvalue.encode(value)
    made = jsonvalue.plain(value)
    assert jsonvalue.same(value, before)
    assert jsonvalue.same(made, value)


@given(values)
def test_a_copy_shares_no_container_with_its_input(value: Any) -> None:
    def containers(item: Any) -> set[int]:
        members = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        return set() if members is None else {id(item)}.union(*map(containers, members))

    made = jsonvalue.plain(value)
    assert not containers(made) & containers(value)


@given(values)
def test_exact_text_is_written_as_it_was_read(value: Any) -> None:
    text = jsonvalue.encode(value)
    exact = jsonvalue.encode_exact(jsonvalue.decode(text, exact=True))
    assert jsonvalue.same(jsonvalue.decode(exact), value)


@pytest.mark.parametrize(
    "text",
    [
        "1.10", "-0", "-0.0", "1E+400", "1E400", "1e0", "1.5e1", "1e16", "1e+16", "0e5", "0.0000001", "1e-07", "-1e22",
        "0.1000000000000000001", "100000000000000000000.50", "100000000000000000000.0", "1.0", "9" * 5000,
        '{"a": [1.10, {"b": -0}], "c": {}}', '{"a": 1e400, "b": " 1e+20", "c": "\\"1.10"}', "[[], {}, null, true]",
        '"é\\u0001"',
    ],
)  # fmt: skip
def test_exact_reading_keeps_every_digit(text: str) -> None:
    assert jsonvalue.encode_exact(jsonvalue.decode(text, exact=True)) == text


numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,4})?", fullmatch=True)
documents = st.recursive(
    numbers | texts.map(jsonvalue.encode) | st.sampled_from(["null", "true", "[]", "{}"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: f"[{', '.join(parts)}]")
        | st.lists(inner, min_size=1, max_size=4).map(
            lambda parts: "{" + ", ".join(f'"{key}": {part}' for key, part in enumerate(parts)) + "}"
        )
    ),
    max_leaves=20,
)


@given(documents)
def test_a_document_that_is_read_to_be_written_again_keeps_its_text(text: str) -> None:
    assert jsonvalue.encode_exact(jsonvalue.decode(text, exact=True)) == text


@given(documents, floats)
def test_a_float_that_is_put_into_such_a_document_changes_nothing_else(text: str, number: float) -> None:
    document = [jsonvalue.decode(text, exact=True), number]
    assert jsonvalue.encode_exact(document) == f"[{text}, {jsonvalue.encode(number)}]"


@given(documents, floats)
def test_the_quick_way_and_the_way_for_any_depth_write_the_same(text: str, number: float) -> None:
    document = [jsonvalue.decode(text, exact=True), {"n": number}]
    assert jsonvalue.encode_exact(document) == text_of_values._walked(document)


def test_depth_is_written_also_from_deep_within_a_program() -> None:
    def within(calls: int) -> str:
        return within(calls - 1) if calls else jsonvalue.encode(nested(MAXIMUM_DEPTH))

    assert (
        within(sys.getrecursionlimit() - len(inspect.stack(0)) - 100) == "[" * MAXIMUM_DEPTH + "0" + "]" * MAXIMUM_DEPTH
    )


def test_what_is_no_json_type_is_never_written() -> None:
    with pytest.raises(TypeError, match="date is no plain JSON type"):
        jsonvalue.encode_exact({"a": [dt.date(2026, 11, 16)]})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1000000000000000001", Decimal("0.1000000000000000001")),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("-1E400", Decimal("-1e400")),
        ("123456789012345678.5", Decimal("123456789012345678.5")),
        ("0.10000000000000000000", 0.1),
        ("100000000000000000000.0", 1e20),
        ("1.10", 1.1),
        ("1e2", 100.0),
        ("-0", 0),
        (str(2**70), 2**70),
        ("9" * 5000, Decimal("9" * 5000)),
    ],
)
def test_a_number_that_a_double_changes_is_read_as_a_decimal(text: str, value: Any) -> None:
    found = jsonvalue.decode(text)
    assert jsonvalue.same(found, value)
    assert jsonvalue.same(jsonvalue.decode(f'["x", {text}]'), ["x", value])


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,20}([eE][-+]?[0-9]{1,3})?", fullmatch=True))
@example("90071992547409.93")
def test_no_number_is_changed_by_being_read(text: str) -> None:
    found = jsonvalue.decode(text)
    assert Decimal(repr(found) if isinstance(found, float) else found) == Decimal(text)
    exact = jsonvalue.decode(text, exact=True)
    assert Decimal(repr(exact) if isinstance(exact, float) else exact) == Decimal(text)


def test_the_longest_integers_come_back_with_either_sign() -> None:
    for number in (10**MAXIMUM_DIGITS - 1, -(10**MAXIMUM_DIGITS) + 1):
        assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode([number])), [number])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, math.nan]}, r"value\['a'\]\[1\] is nan, which JSON does not have; use None for a missing number"),
        ({"a": {"b": math.inf}}, r"value\['a'\]\['b'\] is inf"),
        ([-math.inf], r"value\[0\] is -inf"),
        ([np.float64("nan")], r"value\[0\] is nan"),
        ({"a": "x\0"}, r"value\['a'\] holds the NUL character, which PostgreSQL refuses"),
        ({"a\0": 1}, "value holds the NUL character"),
        ({"a": "\ud800"}, r"value\['a'\] holds a lone surrogate \(half of a character\)"),
        ({"b": {"\udfff": 1}}, r"value\['b'\] holds a lone surrogate"),
        ({"a": {1: "x"}}, r"value\['a'\] has a key of type int; JSON has text keys only"),
        ({None: 1}, "value has a key of type NoneType"),
        ({"a": {1, 2}}, r"value\['a'\] is a set, which JSON cannot hold$"),
        ({"a": b"x"}, r"value\['a'\] is a bytes"),
        ([dt.datetime(2026, 11, 16, tzinfo=dt.UTC)], r"value\[0\] is a datetime.*; write value.isoformat\(\)$"),
        ([pd.Timestamp("2026-11-16")], r"value\[0\] is a Timestamp.*; write value.isoformat\(\)$"),
        ([pd.NA], r"value\[0\] is a NAType"),
        ([pd.NaT], r"value\[0\] is a NaTType"),
        ({"a": object()}, r"value\['a'\] is a object"),
        ([1j], r"value\[0\] is a complex"),
        ({"n": 10**5000}, r"value\['n'\] is an integer of more than 4,300 digits"),
        ([-(10**MAXIMUM_DIGITS)], r"value\[0\] is an integer of more than 4,300 digits"),
        ([Decimal("0.1000000000000000001")], r"value\[0\] is 0.1000000000000000001, which a double cannot hold"),
        ([Decimal(2**53 + 1)], r"value\[0\] is 9007199254740993, which a double cannot hold; write it as text"),
        ([Decimal("1e400")], "a double cannot hold"),
        ([Decimal("NaN")], r"value\[0\] is NaN"),
        ([Decimal("sNaN")], r"value\[0\] is sNaN"),
        ([Decimal("-Infinity")], r"value\[0\] is -Infinity"),
        ([np.datetime64("2026-11-16", "ns")], r"value\[0\] is a datetime64"),
        ([np.datetime64("2026-11-16", "D")], r"value\[0\] is a datetime64"),
        ([np.timedelta64(5, "ns")], r"value\[0\] is a timedelta64"),
        ({"a": np.array(["2026-11-16"], dtype="datetime64[ns]")}, r"value\['a'\] is a ndarray"),
        ([np.longdouble("1.5")], r"value\[0\] is a longdouble"),
        ([np.complex128(1)], r"value\[0\] is a complex"),
        ([np.array([1.0, math.nan])], r"value\[0\]\[1\] is nan"),
        (np.array([b"x"]), "value is a ndarray"),
        (np.ma.masked_array([1], [True]), "value is a MaskedArray"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, message: str) -> None:
    for call in (jsonvalue.encode, jsonvalue.plain):
        with pytest.raises(InvalidValue, match=message):
            call(value)


def test_a_refusal_uses_the_name_it_is_given() -> None:
    with pytest.raises(InvalidValue, match=r"^variable 'total'\['a'\] is nan"):
        jsonvalue.encode({"a": math.nan}, "variable 'total'")


def test_a_long_way_down_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidValue, match=r"^value(\[0\]){8}… is nan"):
        jsonvalue.encode(nested(20, lambda inner: [inner or math.nan]))


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"k": inner}, lambda inner: ({"k": inner},)])
def test_nesting_ends_at_five_hundred_levels(make: Callable[[Any], Any]) -> None:
    each = 2 if isinstance(make(0), tuple) else 1
    deepest = nested(MAXIMUM_DEPTH // each, make)
    assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode(deepest)), jsonvalue.plain(deepest))
    with pytest.raises(InvalidValue, match="is nested deeper than 500 levels, or holds itself"):
        jsonvalue.encode([deepest])
    with pytest.raises(InvalidValue, match="is nested deeper than 500 levels"):
        jsonvalue.plain(nested(10_000, make))


@pytest.mark.parametrize("levels", [1, 199, 200, 201, 499])
def test_every_level_of_nesting_is_written_alike(levels: int) -> None:
    text = jsonvalue.encode(nested(levels, lambda inner: {"k": [inner]} if levels < 250 else {"k": inner}))
    assert text == json.dumps(json.loads(text))


def test_levels_above_a_value_count() -> None:
    assert jsonvalue.plain(nested(300), depth=200) == nested(300)
    with pytest.raises(InvalidValue, match="500 levels"):
        jsonvalue.plain(nested(300), depth=201)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append({"again": loop})
    with pytest.raises(InvalidValue, match="or holds itself"):
        jsonvalue.encode(loop)
    array = np.empty(1, dtype=object)
    array[0] = array
    with pytest.raises(InvalidValue, match="or holds itself"):
        jsonvalue.encode(array)


def test_an_object_that_stands_in_two_places_is_no_loop() -> None:
    shared = {"n": 1}
    assert jsonvalue.encode([shared, shared]) == '[{"n": 1}, {"n": 1}]'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(3), "3"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.float64(1.5), "1.5"),
        (np.float32(0.5), "0.5"),
        (np.bool_(True), "true"),  # noqa: FBT003 - the value is the point
        (np.str_("x"), '"x"'),
        (np.array(3), "3"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array(["a", None], dtype=object), '["a", null]'),
        ({"a": np.array([1.5]), "b": np.int8(-1)}, '{"a": [1.5], "b": -1}'),
        ((1, (2,)), "[1, [2]]"),
        (MappingProxyType({"a": 1}), '{"a": 1}'),
        (Decimal("1.10"), "1.1"),
        (Decimal(5), "5.0"),
        (Decimal("1e22"), "10000000000000000000000.0"),
    ],
)
def test_values_of_other_libraries_become_plain_json(value: Any, text: str) -> None:
    assert jsonvalue.encode(value) == text
    assert jsonvalue.same(jsonvalue.plain(value), jsonvalue.decode(text))


class Colour(str, enum.Enum):  # noqa: UP042 - the older spelling, whose str() is the member's name
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


def test_subclasses_of_plain_types_count_by_their_value() -> None:
    value = {Colour.RED: Colour.RED, Loud("quiet"): [Level.HIGH, Loud("quiet")]}
    assert jsonvalue.encode(value) == '{"red": "red", "quiet": [3, "quiet"]}'
    made = jsonvalue.plain(value)
    assert {type(key) for key in made} == {str}
    assert [type(item) for item in (made["red"], *made["quiet"])] == [str, int, str]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ('{"a": 1,\n "b": }', "Expecting value at line 2, column 7"),
        ("", "Expecting value at line 1, column 1"),
        ("[NaN]", "not JSON: it holds NaN"),
        ("-Infinity", "not JSON: it holds -Infinity"),
        ('[Infinity, "1234567890123456"]', "not JSON: it holds Infinity"),
        ("1 2", "Extra data"),
        ("[" * 100_000, "nested too deeply to read"),
        (b'"\xff"', "not JSON: it is no UTF-8 at byte 2"),
        ("\ufeff1", "not JSON"),
        ("[1e99999999999999999999]", "exponent too large to read"),
        (r'["\ud800"]', r"holds a lone surrogate \(half of a character\)"),
        (r'{"a": {"\uDFFF": 1}}', "holds a lone surrogate"),
        (r'"\ude00\ud83d"', "holds a lone surrogate"),
    ],
)
def test_stored_text_that_cannot_be_read_says_why(text: str | bytes, message: str) -> None:
    for exact in (False, True):
        with pytest.raises(CorruptValue, match=message):
            jsonvalue.decode(text, exact=exact)


def test_escapes_that_make_a_whole_character_are_read() -> None:
    assert jsonvalue.decode(r'["\ud83d\ude00", "\\ud800", "\u0000"]') == ["😀", r"\ud800", "\0"]


def test_an_error_about_stored_text_does_not_show_it() -> None:
    with pytest.raises(CorruptValue) as caught:
        jsonvalue.decode('{"password": hunter2}')
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@given(values, values)
def test_two_values_are_the_same_when_their_texts_are(one: Any, other: Any) -> None:
    def positive(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: positive(member) for key, member in value.items()}
        if isinstance(value, list):
            return [positive(member) for member in value]
        return value + 0.0 if isinstance(value, float) else value

    def text(value: Any) -> str:
        return json.dumps(positive(value), sort_keys=True)

    assert jsonvalue.same(one, one)
    assert jsonvalue.same(one, other) == (text(one) == text(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True), (0, False), (1, 1.0), (None, 0), ("1", 1), ([], {}), ([1], [1, 2]), ({"a": 1}, {"b": 1}),
        ({"a": None}, {}), ([1, 2], [2, 1]), ({"a": [1, {"b": 1}]}, {"a": [1, {"b": 1.0}]}), (1.5, Decimal("1.5")),
    ],
)  # fmt: skip
def test_values_of_different_types_or_shapes_differ(one: Any, other: Any) -> None:
    assert not jsonvalue.same(one, other)
    assert not jsonvalue.same([other], [one])


def test_the_order_of_keys_does_not_matter_and_depth_is_no_limit() -> None:
    assert jsonvalue.same({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1})
    assert jsonvalue.same(nested(5_000), nested(5_000))
    assert not jsonvalue.same(nested(5_000), nested(5_001))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (5, {}, "a record id is text, not int"),
        (None, {}, "a record id is text, not NoneType"),
        ("", {"empty": False}, "a record id cannot be empty"),
        ("x" * 256, {"limit": 255}, "a record id has at most 255 characters, this one has 256"),
        ("a\0b", {}, "a record id cannot hold the NUL character"),
        ("a\ud800", {}, "a record id cannot hold a lone surrogate"),
    ],
)
def test_text_that_no_database_holds_is_refused(text: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        jsonvalue.check_text(text, "record id", **options)


def test_a_limit_counts_characters_not_bytes() -> None:
    assert jsonvalue.check_text("😀" * 255, "record id", limit=255) == "😀" * 255
    assert jsonvalue.check_text("", "note") == ""


@pytest.mark.parametrize(
    "value",
    ["[hidden]", "the token is [hidden] now", ["a", {"b": "[hidden]"}], {"[hidden]": 1}, {"a": '{"b": "[hidden]"}'}],
)
def test_a_mask_is_never_written_unless_it_is_meant(value: Any) -> None:
    with pytest.raises(HiddenValue, match="variable 'x' holds \\[hidden\\]"):
        encode_for_writing(value, "variable 'x'")
    assert jsonvalue.decode(encode_for_writing(value, "variable 'x'", literal=True)) == value


@pytest.mark.parametrize("value", ["hidden", ["hidden"], "[ hidden ]", "[HIDDEN]", [["hidden"]], "[hid"])
def test_text_that_only_resembles_a_mask_is_written(value: Any) -> None:
    assert jsonvalue.decode(encode_for_writing(value, "variable 'x'")) == value
