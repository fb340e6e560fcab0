"""JSON Schema: the rule and the place are named, the value never is."""

from __future__ import annotations

import traceback
from types import MappingProxyType
from typing import Any

import pytest

import toolkit
from toolkit.errors import InvalidOption, InvalidValue
from toolkit.validation import check

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
