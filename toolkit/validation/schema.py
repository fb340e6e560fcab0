"""One schema, compiled: what it says about values."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import jsonschema
from jsonschema import exceptions
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from toolkit import jsonvalue
from toolkit.errors import CorruptValue, InvalidOption, InvalidValue
from toolkit.validation.fast import fast_validator
from toolkit.validation.problems import CORRUPT, NOT_CHECKED, Problem, cut, place, problem
from toolkit.validation.reading import read
from toolkit.validation.rules import FORMATS, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolkit.jsonvalue import JSONValue

Schema: TypeAlias = "Mapping[str, Any] | bool"
"""A JSON Schema: a dict, or True and False for everything and nothing."""

DRAFTS: Final = {
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
    "http://json-schema.org/draft-06/schema": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-04/schema": jsonschema.Draft4Validator,
}
"""The drafts that `$schema` may name, with or without a `#` at the end; the first is meant without it."""


def check(value: Any, schema: Schema, what: str) -> None:
    """Hold a value to a schema.

    Parameters
    ----------
    value : JSON value
        To be checked.
    schema : dict or bool
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
    judge = validator(schema, what)
    plain = jsonvalue.plain(value, what)
    found = next(iter(judge.problems(plain)), None)
    if found is not None:
        where = f" at {found.path}" if found.steps else ""
        raise InvalidValue(f"{what} breaks the rule {found.rule}{where}: {found.message}")


def validator(schema: Schema, what: str = "the value") -> SchemaValidator:
    """Compile a schema; the same schema is compiled once.

    Parameters
    ----------
    schema : dict or bool
        A JSON Schema, Draft 2020-12 unless its `$schema` says otherwise.
    what : str, default "the value"
        What it is for, for the error.

    Returns
    -------
    SchemaValidator

    Raises
    ------
    InvalidOption
        When the schema is broken, by rule and place, or refers to something that is not in it.

    Examples
    --------
    >>> validator({"minimum": 0}).is_valid(3)
    True
    >>> validator({"type": "object", "properties": {"n": {"type": "whole"}}})
    Traceback (most recent call last):
    toolkit.errors.InvalidOption: the schema for the value is broken at properties.n.type: rule anyOf
    """
    try:
        return _compiled(jsonvalue.encode(schema, "schema"))
    except InvalidValue as error:
        raise InvalidOption(f"the schema for {what} is no JSON: {error}") from None
    except _Broken as broken:
        raise InvalidOption(f"the schema for {what} {broken}") from None


class SchemaValidator:
    """One schema, compiled; made by `validator`.

    Parameters
    ----------
    text : str
        The schema, as JSON text.

    Examples
    --------
    >>> judge = validator({"properties": {"n": {"minimum": 0}}, "required": ["id"]})
    >>> for problem in judge.problems({"n": -1}):
    ...     print(problem.path, problem.rule, problem.message, sep=" | ")
    id | required | the schema asks for it, and it is missing
    n | minimum | the schema says minimum: 0
    """

    __slots__ = ("_fast", "_guarded", "_plain")

    def __init__(self, text: str) -> None:
        schema, delicate = read(text)
        kind = _draft(schema)
        _check_schema(schema, kind)
        _settle(schema, kind)
        self._plain = rules(kind, guarded=False)(schema, format_checker=FORMATS, registry=REGISTRY)
        self._guarded = rules(kind, guarded=True)(schema, format_checker=FORMATS, registry=REGISTRY)
        self._fast = None if delicate else fast_validator(schema, kind)
        self._try_out()

    def _try_out(self) -> None:
        try:
            for _ in self._plain.iter_errors(None):
                pass
        except RecursionError:
            raise _Broken("refers to itself without an end") from None

    @property
    def is_fast(self) -> bool:
        """Whether jsonschema-rs judges ordinary values; else jsonschema judges all of them."""
        return self._fast is not None

    def is_valid(self, value: JSONValue, *, delicate: bool = True) -> bool:
        """Tell whether a value satisfies the schema.

        Parameters
        ----------
        value : JSON value
            As `jsonvalue.decode` gives it.
        delicate : bool, default True
            Whether it may hold a number that is not judged alike by both libraries; see `read`.

        Returns
        -------
        bool
            The same, whichever of them judges.
        """
        return not self.problems(value, delicate=delicate)

    def problems(self, value: JSONValue, *, delicate: bool = True, masked: bool = False) -> tuple[Problem, ...]:
        """Find what a value breaks.

        Parameters
        ----------
        value : JSON value
            As `jsonvalue.decode` gives it.
        delicate : bool, default True
            Whether it may hold a number that is not judged alike by both libraries; see `read`.
        masked : bool, default False
            Whether secrets were replaced by `[hidden]`: where a rule would judge one, the problem is `not checked`.

        Returns
        -------
        tuple of Problem
            Ordered by place, those nearest to the top first.
        """
        if not (delicate or masked) and self._passes(value):
            return ()
        judge = self._guarded if masked else self._plain
        try:
            found = {problem(error) for error in judge.iter_errors(value)}
        except RecursionError:
            return (Problem((), NOT_CHECKED, "the value is nested more deeply than the schema's rules can follow"),)
        return tuple(sorted(found, key=_order))

    def problems_in(
        self, text: str | None, mask: Callable[[JSONValue], JSONValue] | None = None
    ) -> tuple[Problem, ...]:
        """Find what a stored value breaks.

        Parameters
        ----------
        text : str or None
            As the database holds it; None stands for null.
        mask : callable, optional
            Takes the value, and gives a copy in which secrets are hidden, or the value itself.

        Returns
        -------
        tuple of Problem
            As `problems` gives them; one with the rule `json` for text that is no JSON.

        Examples
        --------
        >>> validator({"minimum": 0}).problems_in("3")
        ()
        >>> [problem.rule for problem in validator(True).problems_in("{3")]
        ['json']
        """
        try:
            value, delicate = (None, False) if text is None else read(text)
        except CorruptValue as error:
            return (Problem((), CORRUPT, str(error)),)
        shown = value if mask is None else mask(value)
        return self.problems(shown, delicate=delicate, masked=shown is not value)

    def _passes(self, value: JSONValue) -> bool:
        """Whether the fast one lets a value pass; what it does not, the reference judges again."""
        try:
            return self._fast is not None and bool(self._fast.is_valid(value))
        except ValueError:
            # Nested more deeply than it can follow.
            return False


class _Broken(Exception):
    """What is wrong with a schema."""


@lru_cache(maxsize=128)
def _compiled(text: str) -> SchemaValidator:
    return SchemaValidator(text)


def _order(problem: Problem) -> tuple[Any, ...]:
    steps = tuple((isinstance(step, str), step) for step in problem.steps)
    return len(steps), steps, problem.rule, problem.message


def _draft(schema: JSONValue) -> Any:
    if not isinstance(schema, dict | bool):
        raise _Broken(f"is a dict, or True or False, not {type(schema).__name__}")
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if named is None:
        return jsonschema.Draft202012Validator
    kind = DRAFTS.get(str(named).removesuffix("#"))
    if kind is None:
        raise _Broken(f"is of a draft that is not known; $schema may be {', '.join(DRAFTS)}")
    return kind


def _check_schema(schema: JSONValue, kind: Any) -> None:
    # Of the formats only this one: a reference that cannot be followed is said better than by its form.
    only_patterns = jsonschema.FormatChecker(["regex"])
    try:
        judge = kind(kind.META_SCHEMA, format_checker=only_patterns, registry=REGISTRY)
        error = exceptions.best_match(judge.iter_errors(schema))
    except RecursionError:
        raise _Broken("is nested too deeply") from None
    if error is not None:
        where = place(error.absolute_path) or "the top"
        rule = "no regular expression" if error.validator == "format" else f"rule {error.validator}"
        raise _Broken(f"is broken at {where}: {rule}")


def _settle(schema: JSONValue, kind: Any) -> None:
    """Go through all schemas in a schema once, so that what is wrong is known before any value is judged."""
    specification = specification_with(next(name for name, draft in DRAFTS.items() if draft is kind))
    root = specification.create_resource(schema)
    waiting = [(root, REGISTRY.resolver_with_root(root))]
    while waiting:
        resource, resolver = waiting.pop()
        contents = resource.contents if isinstance(resource.contents, dict) else {}
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(reference := contents.get(keyword), str):
                _look_up(resolver, reference)
        _check_patterns(contents.get("patternProperties"))
        # With it, jsonschema would return to its own rules wherever it comes to this schema again.
        if (named := contents.pop("$schema", None)) is not None and _draft({"$schema": named}) is not kind:
            raise _Broken(f"mixes drafts: {cut(repr(named))} stands in a schema of another draft")
        waiting += [(part, resolver.in_subresource(part)) for part in resource.subresources()]


def _look_up(resolver: Any, reference: str) -> None:
    try:
        resolver.lookup(reference)
    except (Unresolvable, ValueError):
        raise _Broken(
            f"refers to {cut(repr(reference))}, which is not in it; nothing is fetched, so put it under $defs"
        ) from None


def _check_patterns(patterns: Any) -> None:
    """Try each pattern: the oldest draft does not say that the names in `patternProperties` are such."""
    for pattern in patterns if isinstance(patterns, dict) else ():
        try:
            re.compile(pattern)
        except re.error:
            raise _Broken(f"is broken at patternProperties: {cut(repr(pattern))} is no regular expression") from None
