"""Two judges, one verdict: the fast one and the exact one, on schemas, values and numbers of every kind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import jsonvalue
from toolkit.errors import CorruptValue
from toolkit.masking import HIDDEN
from toolkit.validation import DRAFTS, NOT_CHECKED, read, validator
from toolkit.validation.rules import FORMATS

TEXTS = st.text(alphabet='ab1٣é\U0001f600 \n."-', max_size=4)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-4, 4),
    st.sampled_from([2**53, 2**53 + 1, 2**63, -(2**63), 2**64, 10**30, 1.0, 0.5, 0.1, 1e16, 1e300, -0.0, 2.0**53]),
    st.floats(-4, 4, allow_nan=False),
    TEXTS,
    st.sampled_from(["2024-01-01", "2024-02-30", "a@b", "::1", "12:00:00Z"]),
)
NAMES = st.sampled_from(["a", "b", "a.b", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
COUNTS = st.integers(0, 3)
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 1.0, -1.5, 2**53, 2**63]))
ASSERTIONS: list[st.SearchStrategy[dict[str, Any]]] = [
    st.fixed_dictionaries({name: strategy})
    for name, strategy in {
        "type": st.one_of(
            st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"]),
            st.lists(st.sampled_from(["null", "integer", "number", "string"]), min_size=1, max_size=3, unique=True),
        ),
        "const": VALUES,
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "multipleOf": st.sampled_from([1, 2, 0.5, 0.1, 0.01, 3]),
        **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], NUMBERS),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"], COUNTS),
        "pattern": st.sampled_from([r"^a", r"b$", r"\d", r"^\w+$", ".", r"\s", "é", "[^a]", r"a.b", r"(?i)A"]),
        "format": st.sampled_from(["date", "email", "ipv6", "time", "uuid", "regex", "uri", "made-up"]),
        "uniqueItems": st.booleans(),
        "required": st.lists(NAMES, max_size=3, unique=True),
        "$ref": st.sampled_from(["#/$defs/one", "#/definitions/two"]),
        "title": TEXTS,
    }.items()
]


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: asked for part in parts for name, asked in part.items()}


def compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        *(st.fixed_dictionaries({name: several}) for name in ("allOf", "anyOf", "oneOf")),
        *(
            st.fixed_dictionaries({name: inner})
            for name in ("not", "items", "contains", "propertyNames", "additionalProperties")
        ),
        st.fixed_dictionaries({"properties": named}, optional={"additionalProperties": inner}),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.lists(st.one_of(*ASSERTIONS), min_size=1, max_size=3).map(joined),
    )


SIMPLE = st.one_of(st.booleans(), *ASSERTIONS)
SCHEMAS = st.recursive(SIMPLE, compound, max_leaves=6)
# Those that `$ref` leads to hold no reference of their own, so that none of them goes round in a circle.
TARGETS = st.one_of(*ASSERTIONS).filter(lambda schema: "$ref" not in schema)
FAST_DRAFTS = sorted(draft for draft in DRAFTS if validator({"$schema": draft}).is_fast)


@settings(max_examples=400)
@given(st.sampled_from(FAST_DRAFTS), SCHEMAS, TARGETS, TARGETS, st.lists(VALUES, min_size=1, max_size=6))
def test_the_fast_judge_and_the_exact_one_never_differ(
    draft: str, schema: Any, one: Any, two: Any, values: Any
) -> None:
    whole = {"$schema": draft, "allOf": [schema], "$defs": {"one": one}, "definitions": {"two": two}}
    judge = validator(whole)
    for value, delicate in [read(jsonvalue.encode(value)) for value in values]:
        assert judge.is_valid(value, delicate=delicate) is judge.is_valid(value)
        stock = jsonschema.validators.validator_for(whole)(whole, format_checker=FORMATS)
        if "multipleOf" not in str(whole):
            assert judge.is_valid(value) is stock.is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": r"^\W$"}, "é"),
        ({"not": {"pattern": r"^\d$"}}, "٣"),
        ({"not": {"pattern": "b$"}}, "b\n"),
        ({"not": {"format": "email"}}, "a@b@c"),
        ({"format": "regex"}, r"\p{L}"),
    ],
    ids=str,
)
def test_patterns_and_formats_are_the_same_code_for_both_judges(schema: Any, value: str) -> None:
    judge = validator(schema)
    assert judge.is_fast
    assert not judge.is_valid(value)
    assert not judge.is_valid(value, delicate=False)


@pytest.mark.parametrize("part", ["properties", "$defs", "definitions"])
def test_a_property_may_be_called_anything_and_the_schema_is_still_judged_fast(part: str) -> None:
    names = ["subject", "unevaluatedItems", "x-unit", "$ref", "format"]
    judge = validator({"allOf": [{part: {name: {"type": "string"} for name in names}}]})
    assert judge.is_fast
    assert judge.is_valid({"$ref": 1, "format": 2}) is (part != "properties")


def test_three_drafts_have_a_fast_judge() -> None:
    assert len(FAST_DRAFTS) == 3


@pytest.mark.parametrize(
    "schema",
    [
        {"patternProperties": {"^a": {}}},
        {"unevaluatedProperties": False},
        {"contentEncoding": "base64"},
        {"x-unit": "ms"},
        {"minimum": 2**64},
        {"enum": [-(2**63) - 1]},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"},
        True,
    ],
    ids=str,
)
def test_what_the_two_might_judge_differently_is_left_to_the_exact_one(schema: Any) -> None:
    assert not validator(schema).is_fast


# --- numbers, as they may stand in a database ---

# Where doubles, 64 bits and the two libraries change their ways, and their neighbours.
EDGES = [0, 1, 15, 2**53, 10**16, 10**22, 10**23, int(1e23), 2**63, 2**64, 10**30, 10**400]
AROUND = st.builds(
    lambda edge, step, sign: sign * (edge + step),
    st.sampled_from(EDGES),
    st.integers(-2, 2),
    st.sampled_from([1, -1]),
)
FRACTIONS = st.sampled_from(["", ".0", ".5", ".10", ".0000000001", f".{'0' * 19}1"])
EXPONENTS = st.sampled_from(["", "", "", "e0", "E5", "e-7", "e+22", "e23", "e-324", "e400", "e-400", "e999999999"])
SPELLED = st.one_of(
    st.builds("{}{}{}".format, AROUND, FRACTIONS, EXPONENTS),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "-0.0", "0.1", "0.1000000000000000001", "0.30000000000000004", "1e23", "-1e16", "5e-324"]),
)
# What a schema can ask for is what a value can be: a number that a double holds, or an integer of any size.
ASKED = SPELLED.map(jsonvalue.decode).filter(lambda number: not isinstance(number, Decimal))
UNITS = st.one_of(st.integers(1, 2**64 + 1), st.sampled_from([0.5, 0.1, 0.01, 1e-7, 2.5, 1e16, 1e23]))
ABOUT_NUMBERS = st.one_of(
    *(
        st.fixed_dictionaries({name: ASKED})
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "const")
    ),
    st.fixed_dictionaries({"multipleOf": UNITS}),
    st.fixed_dictionaries({"enum": st.lists(ASKED, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number", "string"])}),
)
SPELLED_LISTS = st.lists(SPELLED, max_size=4).map(lambda texts: f"[{', '.join(texts)}]")
OF_LISTS = st.one_of(
    st.just({"uniqueItems": True}),
    st.fixed_dictionaries({"const": st.lists(ASKED, max_size=2)}),
    *(st.fixed_dictionaries({name: ABOUT_NUMBERS}) for name in ("items", "contains")),
)


@settings(max_examples=400)
@given(st.lists(ABOUT_NUMBERS, min_size=1, max_size=3).map(joined), st.lists(SPELLED, min_size=1, max_size=8))
def test_a_number_is_judged_alike_however_large_and_however_it_is_written(schema: Any, texts: list[str]) -> None:
    assert_same_verdicts(schema, texts)


@settings(max_examples=400)
@given(OF_LISTS, st.lists(SPELLED_LISTS, min_size=1, max_size=6))
def test_numbers_in_arrays_are_judged_alike_however_they_are_written(schema: Any, texts: list[str]) -> None:
    assert_same_verdicts(schema, texts)


def assert_same_verdicts(schema: Any, texts: list[str]) -> None:
    judge = validator(schema)
    for text in texts:
        found = judge.problems_in(text)
        assert found == judge.problems(jsonvalue.decode(text)), text


@pytest.mark.parametrize("limit", [2**53 + 1, 2**64 - 1, -(2**63), 1e23, 0.1, 5e-324])
def test_a_schema_may_ask_for_a_number_of_64_bits_or_any_double_and_is_still_judged_fast(limit: float) -> None:
    assert validator({"minimum": limit}).is_fast


@given(st.one_of(SPELLED, SPELLED_LISTS, VALUES.map(jsonvalue.encode)))
def test_what_is_read_to_be_judged_is_what_everybody_reads(text: str) -> None:
    value, _ = read(text)
    assert jsonvalue.same(value, jsonvalue.decode(text))
    assert type(value) is type(jsonvalue.decode(text))


@pytest.mark.parametrize(
    ("text", "delicate"),
    [
        ('{"n": 123456789012345678}', False),
        (f"[{2**64 - 1}, {-(2**63)}]", False),
        (f"[{2**64}]", True),
        (f"[{-(2**63) - 1}]", True),
        ('{"n": "99999999999999999999"}', False),
        ("[0.8474337369372327, 1.10, 1e5, 1E23, 5e-324]", False),
        ("0.1000000000000000001", True),
        ("1e400", True),
        ("[1e-400]", True),
        ("9" * 5000, True),
        (r'"\ud83d\ude00"', False),
    ],
)
def test_only_numbers_that_may_be_read_in_two_ways_are_delicate(text: str, delicate: Any) -> None:
    assert read(text)[1] is delicate


@pytest.mark.parametrize("text", ["", "{3", "NaN", "[Infinity]", "1 2", r'"\ud83d"', r'{"\uDE00": 1}', "[" * 100_000])
def test_text_that_nobody_reads_is_refused_with_the_same_words(text: str) -> None:
    with pytest.raises(CorruptValue) as expected:
        jsonvalue.decode(text)
    with pytest.raises(CorruptValue) as caught:
        read(text)
    assert str(caught.value) == str(expected.value)
    (problem,) = validator(True).problems_in(text)  # noqa: FBT003
    assert (problem.path, problem.rule, problem.message) == ("", "json", str(expected.value))


def test_a_value_that_was_masked_is_judged_masked() -> None:
    judge = validator({"properties": {"token": {"const": "a"}}})
    assert judge.problems_in('{"token": "a"}', lambda value: value) == ()
    (problem,) = judge.problems_in('{"token": "a"}', lambda _: {"token": HIDDEN})
    assert (problem.path, problem.rule) == ("token", NOT_CHECKED)


def test_what_the_database_has_nothing_for_is_judged_as_null() -> None:
    assert validator({"type": "null"}).problems_in(None) == ()
