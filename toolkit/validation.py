"""JSON Schema, with errors that name the rule and the place but never the value, which may be a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema import validators
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing.exceptions import Unresolvable

from toolkit import jsonvalue, paths
from toolkit.errors import InvalidOption, InvalidValue


def check(value: Any, schema: Mapping[str, Any], what: str) -> None:
    """Hold a value to a schema.

    Parameters
    ----------
    value : JSON value
        To be checked.
    schema : mapping
        A JSON Schema, Draft 2020-12 unless its `$schema` says otherwise.
    what : str
        What the value is, for the error.

    Raises
    ------
    InvalidValue
        For the first rule that the value breaks, by its place in the value.
    InvalidOption
        When the schema itself is broken, or refers to something that is not in it: nothing is ever fetched.

    Examples
    --------
    >>> check(123, {"type": "string"}, "variable 'name'")
    Traceback (most recent call last):
    toolkit.errors.InvalidValue: variable 'name' breaks the rule type: the schema says type: 'string'
    """
    if not isinstance(schema, Mapping):
        raise InvalidOption(f"the schema for {what} is a dict, not {type(schema).__name__}")
    kind = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        place = paths.join(map(str, error.path)) or "the top"
        raise InvalidOption(f"the schema for {what} is broken at {place}: rule {error.validator}") from None
    validator = kind(dict(schema), format_checker=kind.FORMAT_CHECKER, registry=REGISTRY)
    found = _first(validator, jsonvalue.plain(value, what), what)
    if found is not None:
        place = f" at {paths.join(map(str, found.absolute_path))}" if found.absolute_path else ""
        raise InvalidValue(f"{what} breaks the rule {found.validator}{place}: {_rule(found)}")


def _first(validator: Any, value: Any, what: str) -> jsonschema.ValidationError | None:
    try:
        return min(validator.iter_errors(value), key=_depth, default=None)
    except Unresolvable as error:
        raise InvalidOption(f"the schema for {what} refers to {error.ref!r}, which is not in it") from None
    except RecursionError:
        raise InvalidOption(f"the schema for {what} refers to itself more deeply than can be followed") from None
    except OverflowError:
        raise InvalidValue(f"{what} holds a number too large for a rule of its schema") from None


def _depth(error: jsonschema.ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), str(error.absolute_path)


def _rule(error: jsonschema.ValidationError) -> str:
    """Say what the schema asks for, in its own words."""
    return f"the schema says {error.validator}: {error.validator_value!r}"
