"""Documents that become columns at once give, value for value, what the exact reader and the walk give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolkit import jsonvalue
from toolkit.columns import DATA, PARTS
from toolkit.frames.looking import Parsed, look
from toolkit.frames.making import Flat
from toolkit.frames.parsing import Parser
from toolkit.masking import EVERYTHING, MaskingPolicy, View

SECRET = "FAKE-not-a-real-value-0001"
POLICIES = [
    None,
    MaskingPolicy(),
    MaskingPolicy(extra=("customer*", "vars.z"), hide_paths=("fields.plain",)),
    MaskingPolicy(allow=("token",)),
    MaskingPolicy(rules={"account": "ACC-[0-9]+"}),
    MaskingPolicy().sweeping([SECRET]),
]

plain = st.sampled_from(["", "two boxes", "2026-11-16", "2026-11-16T02:00:00Z", "é", "\n", "-v", "\u2028", "ACC-17"])
telling = st.sampled_from(
    [
        SECRET,
        f"login: password={SECRET}",
        f"https://a.example/?access_token={SECRET}",
        json.dumps({"password": SECRET, "n": 1}),
        json.dumps({"url": f"https://hooks.example/{SECRET}", "key": SECRET}),
        "--password",
        "${DB_PASSWORD}",
        "token",
        "password",
    ]
)
numbers = (
    st.sampled_from(
        [0, 1, -1, 17, 2**53 + 1, 2**63 - 1, 2**63, 2**70, -0.0, 0.0, 0.5, 1.0, 1e16, 1e22, 0.1 + 0.2, 12345.678]
    )
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = plain | telling | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
scalars = st.none() | st.booleans() | numbers | texts
NAMES = ["a", "b", "c.d", "", '"', "é", "z", "from", "to", "name", "value", "key", "type", "label", "url", "plain"]
SENSITIVE = ["api_token", "password", "token", "token_count", "token_usage", "credentials", "webhook", "customer_no"]
names = st.sampled_from([*NAMES, *SENSITIVE, f"seen {SECRET}"])
members = st.recursive(
    scalars
    | st.lists(scalars, max_size=3)
    | st.lists(st.none() | plain, max_size=3)
    | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(names, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)
tops = st.sampled_from([*PARTS, "history", "extra", "name", "value", "password", "data"])


@st.composite
def alike(draw: st.DrawFn) -> list[Any]:
    """Documents of much the same shape, as an engine writes them: values differ in what they are, and some are gone."""
    shape = draw(st.dictionaries(tops, st.dictionaries(names, members, min_size=1, max_size=4), min_size=1, max_size=3))
    kinds: dict[str, st.SearchStrategy[Any]] = {"text": texts, "number": numbers, "flag": st.booleans()}

    def again(value: Any) -> Any:
        if draw(st.integers(0, 7)) == 0:
            return draw(st.sampled_from([None, {}, []]) if not isinstance(value, str) else st.none() | texts)
        if isinstance(value, dict):
            return {key: again(member) for key, member in value.items() if draw(st.integers(0, 7))}
        if isinstance(value, list):
            return value[: draw(st.integers(0, 3))]
        kind = "text" if isinstance(value, str) else "flag" if isinstance(value, bool) else "number"
        return value if value is None else draw(kinds[kind] if not isinstance(value, int) else st.just(value) | numbers)

    return [again(shape) for _ in range(draw(st.integers(1, 5)))]


def records(written: Sequence[str | None]) -> pa.Table:
    ids = pa.array([f"a_{number}" for number in range(len(written))])
    return pa.table({"record_id": ids, DATA: pa.array(written, pa.string())})


def places(written: Sequence[Sequence[str | None]]) -> pa.Table:
    """Records of which some places were read alone; the database wrote their texts."""
    ids = pa.array([f"a_{number}" for number in range(len(written))])
    columns = zip(("vars.a", "vars.api_token", 'fields."c.d"'), zip(*written, strict=True), strict=True)
    return pa.table({"record_id": ids, **{name: pa.array(texts, pa.string()) for name, texts in columns}})


def laid_out(table: pa.Table, view: View, parser: Parser | None, *, history: bool) -> tuple[dict[str, Any], set[str]]:
    flat = Flat(view, history=history)
    flat.add(look(table, view, parser))
    made, _ = flat.columns()
    return {name: (_type(column), _values(column)) for name, column in made.items()}, flat.secrets


def _type(column: Any) -> str:
    return "object" if isinstance(column, np.ndarray) else str(column.type)


def _values(column: Any) -> list[Any]:
    found: list[Any] = column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()
    return found


def same_columns(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name, (kind, values) in one.items():
        assert kind == other[name][0], name
        for left, right in zip(values, other[name][1], strict=True):
            assert jsonvalue.same(left, right), (name, left, right)
            assert repr(left) == repr(right) or isinstance(left, Decimal), (name, left, right)


def check(written: Sequence[str | None], policy: MaskingPolicy | None, *, history: bool = False) -> bool:
    """Compare both ways; tell whether the quick one was taken at all."""
    return check_table(records(written), policy, history=history)


def check_table(table: pa.Table, policy: MaskingPolicy | None, *, history: bool = False) -> bool:
    view = EVERYTHING if policy is None else View(policy)
    quick, found = laid_out(table, view, Parser(), history=history)
    slow, walked = laid_out(table, view, None, history=history)
    same_columns(quick, slow)
    assert found == walked
    return any(isinstance(part, Parsed) for part in look(table, view, Parser()).parts)


@settings(max_examples=400, deadline=None)
@given(alike(), st.sampled_from(POLICIES), st.booleans())
def test_documents_of_one_shape_give_the_same_columns(
    given: list[Any], policy: MaskingPolicy | None, history: bool
) -> None:
    check([jsonvalue.encode(one) for one in given], policy, history=history)


@settings(deadline=None)
@given(st.lists(st.dictionaries(tops, members, max_size=4) | members, max_size=4), st.sampled_from(POLICIES))
@example([{"fields": {"a": {}}}, {"fields": {"a": {"b": 1}}}, {"fields": {"a": None}}, {"fields": {}}, {}], None)
@example([{"vars": {"a": [None, 5]}}, {"vars": {"a": [1]}}, {"vars": {"a": []}}], None)
@example([{"vars": {"a": 1}}, {"vars": {"a": 2.5}}, {"vars": {"a": 2**70}}], None)
@example([{"vars": {"a": 2**53 + 1}}, {"vars": {"a": 0.5}}], None)
@example([{"vars": {"name": "api_token", "value": SECRET}}, {"vars": {"name": "n", "value": "two"}}], POLICIES[1])
@example([{"vars": {f"password={SECRET}": 1}}], POLICIES[1])
@example([{"vars": {f"seen {SECRET}": 1}}], POLICIES[5])
@example([{"vars": {"run": ["--password", "two boxes"]}}], POLICIES[1])
@example([{"vars": {"run": [["password", "two boxes"]]}}], POLICIES[1])
@example([{"vars": {"token_usage": {"input": 5}}}, {"vars": {"token_usage": {"input": SECRET}}}], POLICIES[1])
@example([{"fields": {"plain": {"n": 1}}}, {"fields": {"plain": {"n": None}}}], POLICIES[2])
@example([{"vars": {"credentials": {"user": "ada", "password": SECRET}}}, {"vars": {"credentials": {}}}], POLICIES[1])
@example([{"vars": {"webhook": json.dumps({"url": SECRET})}}], POLICIES[1])
def test_documents_of_any_shape_give_the_same_columns(given: list[Any], policy: MaskingPolicy | None) -> None:
    check([jsonvalue.encode(one) for one in given], policy)


values = st.lists(members.map(jsonvalue.encode) | st.none(), min_size=3, max_size=3)
scalar_values = [
    st.none() | texts.map(json.dumps),
    st.none() | texts.map(jsonvalue.encode),
    st.none() | st.integers(-(2**64), 2**64).map(str),
    st.none() | st.floats(allow_nan=False, allow_infinity=False).map(jsonvalue.encode),
    st.sampled_from([None, "0.1000000000000000055", "1E400", "1.5", "-0", "null"]),
    st.sampled_from(["null", "true", "false"]),
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(scalar_values), min_size=3, max_size=3).flatmap(
        lambda three: st.lists(st.tuples(*three), min_size=1, max_size=5)
    )
    | st.lists(values, min_size=1, max_size=4),
    st.sampled_from(POLICIES),
)
def test_places_that_were_read_alone_give_the_same_columns(
    written: list[Sequence[str | None]], policy: MaskingPolicy | None
) -> None:
    check_table(places(written), policy)


WRITTEN = [
    '{"vars": {"a": 0.1000000000000000055}}',
    '{"vars": {"a": 0.5}}',
    '{"vars": {"a": 1.10, "b": [1e400]}}',
    '{"vars": {"a": NaN}}',
    '{"vars": {"a": -0}}',
    '{"vars": {"a": 1e5}}',
    '{"vars": {"a": 123456789012345678901234567890}}',
    '{"vars": {"a": 1, "a": 2}}',
    '{"vars":{"a":1}}{"vars":{"a":2}}',
    '{"vars": {"a": "\\ud800"}}',
    '{"vars": {"\\u0061": {"b": null}}}',
    '{"vars": {"a": null}}',
    '{"vars": {"a": {"b": 1}}}',
    '{"vars": null}',
    '{"vars":\n{"a": 1}}',
    ' {"vars": {"a": 1}} ',
    '{"history": [{"old": 1, "new": "x"}], "vars": {"a": 2}}',
    '{"history": {"old": NaN}}',
    '{"vars": {"a": [}]}}',
    "{}",
    "",
    "null",
    "[1]",
    None,
]


@pytest.mark.filterwarnings("ignore:record:toolkit.errors.DataWarning")
@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(WRITTEN), min_size=1, max_size=4))
def test_texts_of_any_kind_give_the_same_columns(written: list[str | None]) -> None:
    check(written, None)


def test_what_can_be_read_at_once_is() -> None:
    documents = [{"fields": {"n": n, "list": ["a"], "at": "2026-11-16"}, "vars": {"half": n / 2}} for n in range(9)]
    assert check([json.dumps(one) for one in documents], POLICIES[1])


def test_objects_with_few_keys_in_common_are_not_spread_over_columns() -> None:
    written = [json.dumps({"vars": {f"key {row} {number}": row for number in range(20)}}) for row in range(200)]
    assert Parser().parse(pa.array(written)) is None
    check(written[:40], POLICIES[1])


@pytest.mark.parametrize("text", ['{"a":' + "[" * 2000 + "]" * 2000 + "}", '{"a":' * 2000 + "1" + "}" * 2000])
def test_deep_documents_are_left_to_the_reader_that_counts_levels(text: str) -> None:
    assert Parser().parse(pa.array([text])) is None


def test_a_parser_that_was_refused_again_and_again_is_not_asked() -> None:
    parser = Parser()
    mixed = pa.array(['{"a": 1}', '{"a": "x"}'])
    assert [parser.parse(mixed) for _ in range(3)] == [None] * 3
    assert parser.parse(pa.array(['{"a": 1}'])) is None


def test_texts_that_look_like_times_stay_texts_in_every_part() -> None:
    parser = Parser()
    tables = [
        parser.parse(pa.array([text])) for text in ('{"a": {"t": "2026-11-16"}}', '{"a": {"t": "later", "n": 1}}')
    ]
    assert [table and str(table.schema.field("a").type.field("t").type) for table in tables] == ["string", "string"]
