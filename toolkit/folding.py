"""A JSON value as a tree to fold and unfold: cut where it is huge, and saying so."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

from toolkit import jsonvalue

BRANCHES: Final = 300
"""Branches of one tree at most."""
_MEMBERS: Final = 50
_DEPTH: Final = 8
_NAME: Final = 80
_TEXT: Final = 240
_PREVIEW: Final = 80
_ESCAPED: Final = 8
"""Characters that one of a text takes in JSON at most, and its quotes."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One place in a JSON value.

    Attributes
    ----------
    name : str
        Its key, or its number in an array.
    text : str
        The value as JSON; of an object or array that has members, what it is and how many.
    preview : str
        The first names in an object, for as long as it is folded.
    branches : tuple of Branch
        Its members, as far as they are shown.
    left_out : int
        Members that are not.
    """

    name: str
    text: str
    preview: str = ""
    branches: tuple[Branch, ...] = ()
    left_out: int = 0


def fold(name: str, value: Any, branches: int = BRANCHES) -> Branch:
    """Make a tree of a value.

    Parameters
    ----------
    name : str
        What stands at the top.
    value : JSON value
        Masked.
    branches : int, default 300
        Branches at most. What lies near the top goes first; of one object or array, 50 members are shown, and eight
        levels.

    Returns
    -------
    Branch

    Examples
    --------
    >>> tree = fold("fields", {"subject": "Hello", "tags": ["a", "b"], "from": {}})
    >>> tree.text, [(branch.name, branch.text) for branch in tree.branches]
    ('object of 3', [('subject', '"Hello"'), ('tags', 'array of 2'), ('from', '{}')])
    """
    return _fold(name, value, _DEPTH, [branches])


def _fold(name: str, value: Any, depth: int, left: list[int]) -> Branch:
    if not isinstance(value, dict | list) or not value:
        return Branch(one_line(name, _NAME), written(value, _TEXT))
    number = min(len(value), _MEMBERS, left[0]) if depth else 0
    left[0] -= number
    members = value.items() if isinstance(value, dict) else ((str(place), one) for place, one in enumerate(value))
    branches = tuple(_fold(key, one, depth - 1, left) for key, one in itertools.islice(members, number))
    kind = "object" if isinstance(value, dict) else "array"
    preview = ", ".join(branch.name for branch in branches) if kind == "object" else ""
    what = f"{kind} of {len(value):,}"
    return Branch(one_line(name, _NAME), what, one_line(preview, _PREVIEW, told=False), branches, len(value) - number)


def written(value: Any, limit: int) -> str:
    """Write a JSON value that has no members on one line.

    Parameters
    ----------
    value : JSON value
        Text stands in quotes.
    limit : int
        Characters of a text at most, without those that JSON adds.

    Returns
    -------
    str

    Examples
    --------
    >>> written("3", 10), written(3, 10), written("a" * 100, 3)
    ('"3"', '3', '"aaa"… (100 characters)')
    """
    if not isinstance(value, str) or len(value) <= limit:
        return one_line(jsonvalue.encode_exact(value), _ESCAPED * limit)
    return one_line(jsonvalue.encode_exact(value[:limit]), _ESCAPED * limit) + _cut(value)


def one_line(text: str, limit: int, *, told: bool = True) -> str:
    r"""Write a text on one line, cut where it is long, with signs that nobody would see as their codes.

    Parameters
    ----------
    text : str
        Any.
    limit : int
        Characters at most.
    told : bool, default True
        Whether a cut says how long the text is.

    Returns
    -------
    str

    Examples
    --------
    >>> one_line("a\nb", 10), one_line("a" * 100, 3)
    ('a\\nb', 'aaa… (100 characters)')
    """
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in shown)
    if len(text) <= limit:
        return shown
    return shown + (_cut(text) if told else "…")


def _cut(text: str) -> str:
    return f"… ({len(text):,} characters)"
