"""The reference: jsonschema's rules, some of them said more exactly, and all of them blind to what is hidden."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import jsonschema
from jsonschema import ValidationError, validators

from toolkit import jsonvalue
from toolkit.masking import HIDDEN
from toolkit.validation.problems import NOT_CHECKED

if TYPE_CHECKING:
    from collections.abc import Iterator

# Rules that judge a value as a whole, and rules that try a value out against other schemas: what they say about a
# value with something hidden in it would be about the mask.
_WHOLE: Final = frozenset({"const", "enum", "uniqueItems", "unevaluatedItems", "unevaluatedProperties"})
_TRYING: Final = frozenset({"anyOf", "oneOf", "not", "if", "contains"})


def _formats() -> jsonschema.FormatChecker:
    known = jsonschema.Draft202012Validator.FORMAT_CHECKER.checkers
    checker = jsonschema.FormatChecker(sorted(known))
    # Some of the checks raise more than they say: that text is not of the format either.
    checker.checkers = {
        name: (function, (ValueError, *(raises if isinstance(raises, tuple) else (raises,))))
        for name, (function, raises) in known.items()
    }
    return checker


FORMATS: Final = _formats()
"""The formats that are checked, in every draft; see the package's own page."""


@lru_cache(maxsize=16)
def rules(kind: Any, *, guarded: bool) -> Any:
    """Return the rules of a draft, the toolkit's own in place of some.

    Parameters
    ----------
    kind : jsonschema validator class
        The draft.
    guarded : bool
        Whether values hold masks, which no rule may judge.

    Returns
    -------
    jsonschema validator class
    """
    own = {name: rule for name, rule in _OWN_RULES.items() if name in kind.VALIDATORS}
    made = {**kind.VALIDATORS, **own}
    if guarded:
        made = {name: _guard(name, rule) for name, rule in made.items()}
    types = kind.TYPE_CHECKER.redefine("integer", lambda _, value: _is_integer(kind, value))
    return validators.extend(kind, validators=made, type_checker=types)  # type: ignore[no-untyped-call]


def _is_integer(kind: Any, value: Any) -> bool:
    # A number that a double cannot hold comes as a Decimal, and so does one of very many digits.
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return bool(kind.TYPE_CHECKER.is_type(value, "integer"))


def _required(judge: Any, names: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if judge.is_type(value, "object"):
        yield from (ValidationError("", path=(name,)) for name in names if name not in value)


def _properties(judge: Any, named: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    for name in named if judge.is_type(value, "object") else ():
        if name in value and named[name] is False:
            # jsonschema leaves the place out here.
            yield ValidationError("", validator=None, path=(name,))  # type: ignore[arg-type]
        elif name in value:
            yield from judge.descend(value[name], named[name], path=name, schema_path=name)


def _additional(rule: Any) -> Any:
    def additional(judge: Any, allowed: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if allowed is not False or not judge.is_type(value, "object"):
            yield from rule(judge, allowed, value, schema)
            return
        named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for key in value:
            if key not in named and not any(re.search(pattern, key) for pattern in patterns):
                yield ValidationError("", path=(key,))

    return additional


def _multiple(judge: Any, unit: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if judge.is_type(value, "number") and not is_multiple(value, unit):
        yield ValidationError("")


def is_multiple(number: Any, unit: Any) -> bool:
    """Divide what is written: 19.99 is a multiple of 0.01, though its double is not."""
    if isinstance(number, int) and isinstance(unit, int):
        return number % unit == 0
    if isinstance(number, Decimal) and abs(number.adjusted()) > jsonvalue.MAXIMUM_DIGITS:
        # To write it out would take longer than anybody waits.
        return False
    return (Fraction(str(number)) / Fraction(str(unit))).denominator == 1


_OWN_RULES: Final = {
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional(jsonschema.Draft202012Validator.VALIDATORS["additionalProperties"]),
    "multipleOf": _multiple,
}


def _guard(name: str, rule: Any) -> Any:
    """Keep a rule from judging what is hidden: what it would say is about the mask, or gives the secret away."""

    def guarded(judge: Any, asked: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        hidden = _holds_hidden(value) if name in _WHOLE or name in _TRYING else _is_hidden(value)
        if hidden and (name not in _TRYING or _is_hidden(value) or _meets_hidden(name, judge, asked, value)):
            yield ValidationError("", validator=NOT_CHECKED)
        else:
            yield from rule(judge, asked, value, schema) or ()

    return guarded


def _is_hidden(value: Any) -> bool:
    return isinstance(value, str) and HIDDEN in value


def _holds_hidden(value: Any) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if _is_hidden(item):
            return True
        if isinstance(item, dict | list):
            waiting += item.values() if isinstance(item, dict) else item
    return False


def _meets_hidden(name: str, judge: Any, asked: Any, value: Any) -> bool:
    """Whether trying a value out would come to something hidden."""
    tried = value if name == "contains" and isinstance(value, list) else [value]
    errors = (
        error
        for schema in (asked if isinstance(asked, list) else [asked])
        for one in tried
        for error in judge.evolve(schema=schema).iter_errors(one)
    )
    return any(error.validator == NOT_CHECKED for error in errors)
