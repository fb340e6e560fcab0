"""What is wrong with a value: the rule, the place and the schema's own words, never the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema import ValidationError

NOT_CHECKED: Final = "not checked"
"""Stands in place of the rule where a value is hidden, or nested too deeply to be followed."""

CORRUPT: Final = "json"
"""The rule that stored text breaks which is no JSON at all."""

FALSE: Final = "false"
"""The rule of the schema False, which allows no value at all."""

_ASKED_SHOWN: Final = 80
_MESSAGES: Final = {
    FALSE: "the schema allows no value here",
    "required": "the schema asks for it, and it is missing",
    "additionalProperties": "the schema allows no property of this name",
    NOT_CHECKED: "the value is hidden; reveal=True checks it",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that a value breaks at one place.

    Attributes
    ----------
    steps : tuple of (str or int)
        The keys and positions from the top of the value.
    rule : str
        The schema's keyword; `false` for a place where the schema allows nothing, `not checked` where the value is
        hidden, `json` for stored text that is no JSON.
    message : str
        What the schema asks for, in its own words; never the value.
    """

    steps: tuple[str | int, ...]
    rule: str
    message: str

    @property
    def path(self) -> str:
        """The place as text; empty for the whole value."""
        return place(self.steps)


def place(steps: Iterable[str | int]) -> str:
    """Write a place in a value.

    Parameters
    ----------
    steps : iterable of (str or int)
        The keys and positions from the top.

    Returns
    -------
    str
        A path, with positions in brackets.

    Examples
    --------
    >>> place(["fields", "items", 3, "a.b"])
    'fields.items[3]."a.b"'
    """
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' if text else ''}{paths.segment(step)}"
    return text


def problem(error: ValidationError) -> Problem:
    """Word an error of jsonschema from its rule and its place; its own message holds the value."""
    rule = FALSE if error.validator is None else str(error.validator)
    return Problem(tuple(error.absolute_path), rule, _message(rule, error))


def _message(rule: str, error: ValidationError) -> str:
    asked = error.validator_value
    if rule in {"anyOf", "oneOf"}:
        return f"{'none' if error.context else 'more than one'} of the schemas under {rule} fits"
    return _MESSAGES.get(rule) or f"the schema says {rule}: {cut(repr(asked))}"


def cut(text: str) -> str:
    """Shorten words of a schema, which may be a list of thousands."""
    return text if len(text) <= _ASKED_SHOWN else f"{text[:_ASKED_SHOWN]}…"
