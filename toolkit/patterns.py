"""The one wildcard language, for variables, records and workflows, for reading and clearing.

`*` is any run of characters, `?` is one character, everything else is literal; case matters. In a text, commas part
alternatives; in a list each item is one, and a comma is literal. A pattern is parsed once; `matches` is the reference,
and the databases get the same parse as their own `LIKE` or `GLOB` text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from toolkit.errors import InvalidPattern, InvalidValue
from toolkit.jsonvalue import check_text

PatternLike: TypeAlias = "str | Iterable[str] | Pattern"

_WILDCARDS = re.compile(r"[*?]")


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern: some literal texts and some texts with wildcards; either may be empty.

    Attributes
    ----------
    exact : tuple of str
        Alternatives without a wildcard.
    wild : tuple of str
        Alternatives with at least one wildcard, runs of `*` folded into one.

    Examples
    --------
    >>> parse("email_*,temp:1")
    Pattern(exact=('temp:1',), wild=('email_*',))
    """

    exact: tuple[str, ...]
    wild: tuple[str, ...]

    @property
    def takes_everything(self) -> bool:
        """Whether no text is left out."""
        return "*" in self.wild

    @property
    def takes_nothing(self) -> bool:
        """Whether it is an empty selection, made from an empty list."""
        return not self.exact and not self.wild

    @property
    def single(self) -> str | None:
        """The one literal text that it names, or None."""
        return self.exact[0] if len(self.exact) == 1 and not self.wild else None

    def __str__(self) -> str:
        return ",".join((*self.exact, *self.wild))

    def matches(self, text: str) -> bool:
        """Tell whether a text is taken. This is the reference that the databases are held to.

        Parameters
        ----------
        text : str
            A key, a record id or a workflow id.

        Returns
        -------
        bool

        Examples
        --------
        >>> parse("email_*").matches("email_001"), parse("email_*").matches("emailX1")
        (True, False)
        """
        return text in self.exact or self._expression.fullmatch(text) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        if not self.wild:
            return re.compile(r"(?!)")
        return re.compile("|".join(map(_regex, self.wild)), re.DOTALL)

    def like(self) -> list[str]:
        r"""Return the alternatives with wildcards as `LIKE` text, escaped by a backslash."""
        return [_translated(text, {"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"}) for text in self.wild]

    def glob(self) -> list[str]:
        """Return the alternatives with wildcards as SQLite `GLOB` text."""
        # GLOB knows the same two wildcards, and classes in brackets, which this language does not have.
        return [_translated(text, {"[": "[[]"}) for text in self.wild]


def _translated(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)


def _regex(text: str) -> str:
    first, *rest = ["".join("." if mark == "?" else re.escape(mark) for mark in part) for part in text.split("*")]
    if not rest:
        return first
    # What stands between two `*` is taken where it first occurs, for good: trying other places could take for ever.
    return first + "".join(f"(?>.*?{part})" for part in rest[:-1]) + ".*" + rest[-1]


def parse(pattern: PatternLike, what: str = "pattern") -> Pattern:
    """Parse a pattern.

    Parameters
    ----------
    pattern : str, iterable of str, or Pattern
        A text with comma-separated alternatives, or one alternative an item.
    what : str, default "pattern"
        The name of the argument, for the error.

    Returns
    -------
    Pattern

    Raises
    ------
    InvalidPattern
        For an empty pattern, an empty alternative, or something that is no text.

    Examples
    --------
    >>> parse(["a,b"]).exact
    ('a,b',)
    >>> parse([]).takes_nothing
    True
    >>> parse("a,,b")
    Traceback (most recent call last):
    toolkit.errors.InvalidPattern: pattern 'a,,b' has an empty alternative; use '*' to mean everything
    """
    if isinstance(pattern, Pattern):
        return pattern
    if isinstance(pattern, str):
        alternatives = pattern.split(",")
    elif isinstance(pattern, Iterable) and not isinstance(pattern, bytes | dict):
        alternatives = list(pattern)
    else:
        raise InvalidPattern(f"{what}= is a text or a list of texts, not {type(pattern).__name__}")
    return _parsed([_checked(text, pattern, what) for text in alternatives])


def _checked(text: object, pattern: object, what: str) -> str:
    if text == "":
        problem = "is empty" if pattern == "" else "has an empty alternative"
        raise InvalidPattern(f"{what} {pattern!r} {problem}; use '*' to mean everything")
    try:
        return check_text(text, what)
    except InvalidValue as error:
        raise InvalidPattern(str(error)) from None


def _parsed(alternatives: list[str]) -> Pattern:
    wild = dict.fromkeys(re.sub(r"\*+", "*", text) for text in alternatives if _WILDCARDS.search(text))
    exact = dict.fromkeys(text for text in alternatives if not _WILDCARDS.search(text))
    return Pattern(tuple(exact), tuple(wild))
