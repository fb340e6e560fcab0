"""JSON Schema: the rule and the place are named, the value never is."""

from __future__ import annotations

import traceback
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import jsonvalue
from toolkit.errors import InvalidOption, InvalidValue
from toolkit.masking import HIDDEN
from toolkit.validation import DRAFTS, NOT_CHECKED, Schema, check, place, validator
from toolkit.validation.rules import FORMATS

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
        "a.b": {"type": "integer", "maximum": 9},
        "mail": {"type": "string", "format": "email"},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Ada"},
        {"name": "Ada", "tags": ["a", "b"], "a.b": 2, "mail": "ada@example.com"},
        {"name": "Ada", "tags": ()},
    ],
)
def test_a_value_that_keeps_every_rule_passes(value: Any) -> None:
    check(value, PERSON, "variable 'who'")
    check(value, MappingProxyType(PERSON), "variable 'who'")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("SECRET", "the rule type: the schema says type: 'object'"),
        ({"tags": ["a"], "mail": "SECRET@x"}, "the rule required"),
        ({"name": ["SECRET"]}, "the rule type at name: the schema says type: 'string'"),
        ({"name": "S"}, "the rule minLength at name: the schema says minLength: 2"),
        ({"name": "Ada", "tags": ["a", "SECRET"]}, "the rule enum at tags"),
        ({"name": "Ada", "tags": ["a", "a"]}, "the rule uniqueItems at tags: the schema says uniqueItems: True"),
        ({"name": "Ada", "a.b": 10**20}, 'the rule maximum at "a.b": the schema says maximum: 9'),
        ({"name": "Ada", "mail": "SECRET"}, "the rule format at mail: the schema says format: 'email'"),
        ({"name": "Ada", "extra": "SECRET"}, "the rule additionalProperties"),
    ],
)
def test_a_broken_rule_is_named_with_its_place_and_without_the_value(value: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=f"^variable 'who' breaks {message}") as caught:
        check(value, PERSON, "variable 'who'")
    assert "SECRET" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_rule_nearest_the_top_is_named_first() -> None:
    schema = {"properties": {"a": {"properties": {"b": {"type": "string"}}}, "z": {"type": "string"}}}
    with pytest.raises(InvalidValue, match="at z:"):
        check({"a": {"b": 1}, "z": 1}, schema, "variable 'x'")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strnig"}, "is broken at type"),
        ({"properties": {"a": {"minLength": -1}}}, r"is broken at properties\.a\.minLength"),
        ({"pattern": "("}, "is broken at pattern"),
        ({"required": "name"}, "is broken at required"),
        ("string", "is a dict"),
        (["string"], "is a dict"),
        ({"$ref": "#/$defs/nowhere"}, "refers to .*nowhere', which is not in it"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "refers to 'http://127.0.0.1:9/schema.json', which is not in it"),
        ({"$ref": "other.json"}, "refers to 'other.json', which is not in it"),
        ({"$ref": "#"}, "refers to itself"),
    ],
)
def test_a_broken_schema_is_told_from_a_broken_value(schema: Any, message: str) -> None:
    with pytest.raises(InvalidOption, match=f"^the schema for variable 'x' {message}"):
        check("text", schema, "variable 'x'")


def test_references_inside_a_schema_are_followed() -> None:
    tree = {
        "$defs": {"node": {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}}},
        "$ref": "#/$defs/node",
    }
    check({"a": {"b": {}}}, tree, "variable 'x'")
    with pytest.raises(InvalidValue, match=r"at a\.b"):
        check({"a": {"b": 1}}, tree, "variable 'x'")


def test_a_schema_can_be_a_value() -> None:
    meta = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    check({"type": "string"}, meta, "variable 'x'")
    with pytest.raises(InvalidValue, match="at type"):
        check({"type": 3}, meta, "variable 'x'")


def test_the_draft_is_the_one_the_schema_names() -> None:
    items = [{"type": "string"}, {"type": "integer"}]
    check(["a", 1], {"$schema": "http://json-schema.org/draft-07/schema#", "items": items}, "variable 'x'")
    with pytest.raises(InvalidOption, match="is broken at items"):
        check(["a", 1], {"items": items}, "variable 'x'")
    check(["a", 1], {"prefixItems": items}, "variable 'x'")


def test_numbers_of_any_size_are_held_to_their_rules() -> None:
    check(10**400, {"type": "integer", "minimum": 0}, "variable 'x'")
    check(1.0, {"type": "integer"}, "variable 'x'")
    with pytest.raises(InvalidValue, match="breaks the rule type"):
        check(True, {"type": "integer"}, "variable 'x'")  # noqa: FBT003


def test_a_value_that_is_no_json_is_refused_before_any_rule() -> None:
    with pytest.raises(InvalidValue, match=r"variable 'x'\['a'\] is nan"):
        check({"a": float("nan")}, {}, "variable 'x'")


def test_a_value_that_breaks_its_schema_is_not_written(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.set_variable(workflow_id, "age", 3, schema={"type": "integer"})
    with pytest.raises(InvalidValue, match="variable 'age' breaks the rule type: the schema says type: 'integer'"):
        service.set_variable(workflow_id, "age", "old", schema={"type": "integer"})
    assert service.get_variable(workflow_id, "age") == 3


def told(value: Any, schema: Schema, *, masked: bool = False) -> list[tuple[str, str]]:
    return [(problem.path, problem.rule) for problem in validator(schema).problems(value, masked=masked)]


def test_every_broken_rule_is_a_problem_of_its_own_in_the_order_of_places() -> None:
    value = {"tags": ["a", "c", "d"], "a.b": 10, "typo": 1, "other": 2}
    assert told(value, PERSON) == [
        ('"a.b"', "maximum"),
        ("name", "required"),
        ("other", "additionalProperties"),
        ("typo", "additionalProperties"),
        ("tags[1]", "enum"),
        ("tags[2]", "enum"),
    ]


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((), ""),
        ((0,), "[0]"),
        (("fields", "items", 3, "price"), "fields.items[3].price"),
        ((0, 1, "a"), "[0][1].a"),
        (("a.b", "", "c[0]", "0"), '"a.b"."".\\"c[0]\\".0'.replace("\\", "")),
    ],
)
def test_a_place_is_a_path_with_positions_in_brackets(steps: tuple[str | int, ...], text: str) -> None:
    assert place(steps) == text


STEPS = st.lists(st.one_of(st.integers(0, 20), st.text(alphabet='ab.[]"0 é', max_size=4)), max_size=4).map(tuple)


@given(STEPS, STEPS)
def test_two_places_are_never_written_alike(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> None:
    assert (place(one) == place(other)) == (one == other)


def test_the_words_of_a_long_schema_are_cut() -> None:
    (problem,) = validator({"enum": [f"choice {number}" for number in range(10_000)]}).problems("SECRET")
    assert problem.message.startswith("the schema says enum: ['choice 0', 'choice 1'")
    assert len(problem.message) < 120
    assert problem.message.endswith("…")


ASKING = [
    ({"type": "integer"}, "the schema says type: 'integer'"),
    ({"const": 1}, "the schema says const: 1"),
    ({"enum": [1, 2]}, "the schema says enum: [1, 2]"),
    ({"minLength": 90}, "the schema says minLength: 90"),
    ({"maxLength": 1}, "the schema says maxLength: 1"),
    ({"pattern": "^x"}, "the schema says pattern: '^x'"),
    ({"format": "date"}, "the schema says format: 'date'"),
    ({"anyOf": [{"type": "null"}, {"maxLength": 2}]}, "none of the schemas under anyOf fits"),
    ({"oneOf": [{"type": "null"}, {"maxLength": 2}]}, "none of the schemas under oneOf fits"),
    ({"oneOf": [{}, {"type": "string"}]}, "more than one of the schemas under oneOf fits"),
    ({"not": {"type": "string"}}, "the schema says not: {'type': 'string'}"),
    ({"if": {}, "then": {"maxLength": 1}}, "the schema says maxLength: 1"),
    ({"if": {}, "then": False}, "the schema allows no value here"),
    (False, "the schema allows no value here"),
]


@pytest.mark.parametrize(("schema", "message"), ASKING, ids=str)
def test_a_message_says_what_the_schema_asks_for_and_never_the_value(schema: Schema, message: str) -> None:
    (problem,) = validator(schema).problems("SECRET value")
    assert problem.message == message


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": 1}])
def test_the_schemas_true_and_false_take_everything_and_nothing(value: Any) -> None:
    assert told(value, True) == []  # noqa: FBT003
    assert told(value, False) == [("", "false")]  # noqa: FBT003
    assert told({"a": value}, {"properties": {"a": False}}) == [("a", "false")]


FORMS = {
    "date": ("2024-02-29", "2023-02-29"),
    "date-time": ("2024-05-01T10:00:00Z", "2024-05-01 10:00"),
    "time": ("10:00:00+02:00", "10:00"),
    "duration": ("P1DT2H", "1 day"),
    "email": ("ada@example.com", "ada"),
    "idn-email": ("ädä@example.com", "ädä"),
    "hostname": ("db.example.com", "-db-.example.com"),
    "idn-hostname": ("bücher.example", "-"),
    "ipv4": ("127.0.0.1", "127.0.0.256"),
    "ipv6": ("::1", "1::2::3"),
    "uri": ("https://example.com/a?b=c", "/a"),
    "uri-reference": ("/a", "\\\\a"),
    "iri": ("https://example.com/ä", "ä"),
    "iri-reference": ("/ä", "\\\\ä"),
    "uri-template": ("/a/{b}", "/a/{b"),
    "uuid": ("6f6f0e5c-6b0f-5d3c-9f0c-2b9a4c1d7e11", "6f6f0e5c"),
    "json-pointer": ("/a/0", "a"),
    "relative-json-pointer": ("1/a", "/a"),
    "regex": ("^a+$", "("),
}


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_checked_in_every_draft(form: str, draft: str) -> None:
    good, bad = FORMS[form]
    schema = {"$schema": draft, "format": form}
    assert told(good, schema) == told(17, schema) == []
    assert told(bad, schema) == [("", "format")]


def test_no_format_is_forgotten_here_and_an_unknown_one_forbids_nothing() -> None:
    assert set(FORMS) == set(FORMATS.checkers)
    assert told("anything", {"format": "made-up"}) == []


def test_a_check_of_a_format_that_stumbles_over_a_text_says_no() -> None:
    assert told("²²", {"format": "relative-json-pointer"}) == [("", "format")]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$schema": "https://json-schema.org/draft-07/schema#"}, r"is of a draft that is not known; \$schema may be"),
        ({"$schema": 7}, "is of a draft that is not known"),
        ({"$defs": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}, "mixes drafts"),
        ({"properties": {"rare": {"$ref": "#/$defs/no"}}}, "refers to '#/\\$defs/no', which is not in it"),
        ({"$dynamicRef": "#no"}, "refers to '#no', which is not in it"),
        ({"patternProperties": {"(": {}}}, "is broken at .*: no regular expression"),
        (
            {"$schema": "http://json-schema.org/draft-04/schema#", "patternProperties": {"(": {}}},
            "is broken at patternProperties: '\\(' is no regular expression",
        ),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself without an end"),
        ({"const": float("nan")}, "is no JSON"),
        ({"const": b"bytes"}, "is no JSON"),
        ({1: 2}, "is no JSON"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_before_any_value_is_judged(schema: Any, message: str) -> None:
    with pytest.raises(InvalidOption, match=f"^the schema for it {message}"):
        validator(schema, "it")


def test_the_same_schema_is_compiled_once_and_a_changed_one_again() -> None:
    schema = {"type": "integer"}
    first = validator(schema)
    assert validator(dict(schema)) is first
    schema["type"] = "string"
    assert validator(schema) is not first
    assert first.is_valid(1)


def test_a_draft_named_again_inside_changes_nothing() -> None:
    draft = "https://json-schema.org/draft/2020-12/schema"
    schema = {
        "$schema": draft,
        "properties": {"a": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"$schema": draft, "required": ["b"]}},
    }
    assert told({"a": {}}, schema) == [("a.b", "required")]


def test_a_schema_that_comes_back_to_itself_names_places_as_exactly_as_elsewhere() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "required": ["name"],
        "properties": {"child": {"$ref": "#"}},
    }
    assert told({"name": 1, "child": {"child": {"name": 2}}}, schema) == [("child.name", "required")]


@pytest.mark.parametrize(
    ("number", "unit", "valid"),
    [(19.99, 0.01, True), (0.3, 0.1, True), (0.35, 0.1, False), (7, 2, False), (10**400, 10, True), (1e308, 0.5, True)],
)
def test_a_multiple_is_decided_on_the_number_as_it_is_written(number: float, unit: float, valid: Any) -> None:
    assert validator({"multipleOf": unit}).is_valid(number) is valid
    assert validator({"multipleOf": unit}).is_valid(number, delicate=False) is valid


@pytest.mark.parametrize("text", ["1e400", "1" * 5000, "0.1000000000000000001", "-1e999999999"])
def test_numbers_that_no_double_holds_are_judged_too(text: str) -> None:
    value = jsonvalue.decode(text)
    whole = "." not in text
    assert validator({"type": "number"}).is_valid(value)
    assert validator({"type": "integer"}).is_valid(value) is whole
    assert validator({"minimum": 0}).is_valid(value) is not text.startswith("-")
    assert not validator({"multipleOf": 7.5}).is_valid(value)


def test_a_value_nested_more_deeply_than_rules_can_follow_is_not_called_valid() -> None:
    deep: Any = {}
    for _ in range(499):
        deep = {"a": deep}
    tree = {"properties": {"a": {"$ref": "#"}}, "unevaluatedProperties": False}
    assert told(deep, tree) == [("", NOT_CHECKED)]
    with pytest.raises(InvalidValue, match=r"breaks the rule not checked: .* nested more deeply"):
        check(deep, tree, "it")
    assert validator({"type": "object"}).is_valid(deep, delicate=False)


# --- what is hidden ---


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "integer"},
        {"type": "string"},
        {"minLength": 3},
        {"const": HIDDEN},
        {"enum": ["a"]},
        {"pattern": "^a"},
        {"not": {"pattern": "^a"}},
        {"anyOf": [{"type": "integer"}, {"minLength": 900}]},
        {"$ref": "#/$defs/word"},
    ],
    ids=str,
)
@pytest.mark.parametrize("hidden", [HIDDEN, f"https://u:{HIDDEN}@example.com"])
def test_a_rule_about_something_hidden_says_not_checked_whatever_the_mask_would_do(rule: Any, hidden: str) -> None:
    schema = {"properties": {"token": rule}, "$defs": {"word": {"type": "string"}}}
    assert told({"token": hidden}, schema, masked=True) == [("token", NOT_CHECKED)]


@pytest.mark.parametrize(
    "rule",
    [
        {"const": {"token": "a"}},
        {"enum": [{"token": "a"}]},
        {"anyOf": [{"properties": {"token": {"const": "a"}}}, {"maxProperties": 0}]},
        {"oneOf": [{"properties": {"token": {"const": "a"}}}, {"maxProperties": 0}]},
        {"not": {"properties": {"token": {"pattern": "^a"}}}},
        {"if": {"properties": {"token": {"pattern": "^a"}}}, "then": False},
        {"if": {"properties": {"token": {"pattern": "^a"}}}, "else": False},
    ],
    ids=str,
)
def test_a_rule_that_would_have_to_look_at_something_hidden_says_so_at_its_own_place(rule: Any) -> None:
    schema = {"properties": {"a": rule}}
    assert told({"a": {"token": HIDDEN}}, schema, masked=True) == [("a", NOT_CHECKED)]
    assert told([{"token": HIDDEN}], {"contains": rule}, masked=True) == [("", NOT_CHECKED)]


def test_arrays_with_something_hidden_are_not_said_to_be_unique() -> None:
    assert told([HIDDEN, HIDDEN], {"uniqueItems": True}, masked=True) == [("", NOT_CHECKED)]


def test_rules_about_what_is_not_hidden_are_checked_as_ever() -> None:
    schema = {
        "required": ["token", "password", "n"],
        "properties": {"token": {}, "n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        "maxProperties": 2,
        "additionalProperties": False,
    }
    assert told({"token": HIDDEN, "n": "x", "secret": HIDDEN}, schema, masked=True) == [
        ("", "maxProperties"),
        ("n", "anyOf"),
        ("password", "required"),
        ("secret", "additionalProperties"),
    ]


def test_text_that_says_hidden_is_ordinary_text_when_nothing_was_masked() -> None:
    assert told({"a": HIDDEN}, {"properties": {"a": {"maxLength": 3}}}) == [("a", "maxLength")]
