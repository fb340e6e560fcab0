"""The fast one: jsonschema-rs, asked only where it gives the verdicts of the reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import jsonschema_rs

from toolkit.validation.rules import FORMATS, is_multiple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.jsonvalue import JSONValue

_FAST: Final = {
    jsonschema.Draft202012Validator: jsonschema_rs.Draft202012Validator,
    jsonschema.Draft201909Validator: jsonschema_rs.Draft201909Validator,
    jsonschema.Draft7Validator: jsonschema_rs.Draft7Validator,
}
# What both libraries judge alike, in each of these drafts.
# fmt: off
_ALIKE: Final = frozenset({
    "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
    "minLength", "pattern", "format", "items", "maxItems", "minItems", "uniqueItems", "contains", "maxProperties",
    "minProperties", "required", "properties", "additionalProperties", "propertyNames", "allOf", "anyOf", "oneOf",
    "not", "if", "then", "else", "$ref", "$defs", "definitions",
    "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly",
})
# fmt: on
_NAMED: Final = frozenset({"properties", "$defs", "definitions"})
_VALUES: Final = frozenset({"enum", "const", "default", "examples"})
_OWN_REFERENCE: Final = re.compile(r"#|#/(\$defs|definitions)/[^/]+")


def fast_validator(schema: JSONValue, kind: Any) -> Any:
    """Return the fast validator of a schema without delicate numbers, or None where a verdict might differ."""
    if kind not in _FAST or not isinstance(schema, dict):
        return None
    keywords = list(_keywords(schema))
    if not all(_is_alike(name, asked) for name, asked in keywords):
        return None
    formats = {asked: _conforms(asked) for name, asked in keywords if name == "format"}
    own: dict[str, Any] = {"pattern": _Pattern, "multipleOf": _MultipleOf}
    try:
        return _FAST[kind](schema, formats=formats, validate_formats=True, keywords=own, offline=True)
    except ValueError:
        return None


def _is_alike(name: str, asked: Any) -> bool:
    return name in _ALIKE and (name != "$ref" or _OWN_REFERENCE.fullmatch(asked) is not None)


def _keywords(schema: JSONValue) -> Iterator[tuple[str, Any]]:
    """Go through the keywords of a schema and of all schemas in it; the names of properties are no keywords."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            yield from part.items()
            for name, asked in part.items():
                if name in _NAMED and isinstance(asked, dict):
                    waiting += asked.values()
                elif name not in _VALUES:
                    waiting.append(asked)


def _conforms(name: str) -> Callable[[str], bool]:
    return lambda text: FORMATS.conforms(text, name)


class _Pattern:
    """The rule `pattern`, with Python's regular expressions."""

    def __init__(self, _schema: Any, pattern: str, _path: Any) -> None:
        self._search = re.compile(pattern).search

    def validate(self, value: Any) -> None:
        """Raise for text without a match."""
        if isinstance(value, str) and not self._search(value):
            raise ValueError


class _MultipleOf:
    """The rule `multipleOf`, decided on the number as it is written."""

    def __init__(self, _schema: Any, unit: Any, _path: Any) -> None:
        self._unit = unit

    def validate(self, value: Any) -> None:
        """Raise for a number that is no multiple."""
        if isinstance(value, int | float) and not isinstance(value, bool) and not is_multiple(value, self._unit):
            raise ValueError
