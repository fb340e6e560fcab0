"""What a JSON value is here: checked once, on its way in, so that SQLite and PostgreSQL give back the same thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from toolkit.errors import InvalidValue

JSONValue: TypeAlias = Any
"""dict, list, str, int, float, bool, None, or a `Decimal` for a number that a double cannot hold."""

MAXIMUM_DEPTH: Final = 500
"""Levels of nesting that every database and Python's own decoder can carry."""

MAXIMUM_NAME: Final = 255
"""Characters of a key or an id."""

MAXIMUM_DIGITS: Final = 4300
"""Digits of an integer: Python's own limit for reading one from text."""

INTEGRAL_FROM: Final = 1e16
"""PostgreSQL's jsonb prints a float without a point or an exponent as an integer from here on."""

_STEPS_SHOWN: Final = 8
_MAXIMUM_BITS: Final = 14_200
# Those of NumPy that mean one thing in JSON: a time of nanoseconds, for one, would become a bare integer.
_NUMPY_KINDS: Final = frozenset("biufUO")


def check_text(text: object, what: str, *, limit: int | None = None, empty: bool = True) -> str:
    """Return `text` if every database can hold it.

    Parameters
    ----------
    text : object
        What should be a str.
    what : str
        How to call it in an error, such as `"record id"`.
    limit : int, optional
        The largest number of characters.
    empty : bool, default True
        Whether the empty text is allowed.

    Returns
    -------
    str
        The text, unchanged.

    Raises
    ------
    InvalidValue
        For another type, the NUL character, a lone surrogate, an empty or an over-long text.

    Examples
    --------
    >>> check_text("email_001", "record id", limit=255)
    'email_001'
    """
    if not isinstance(text, str):
        raise InvalidValue(f"a {what} is text, not {type(text).__name__}")
    if not text and not empty:
        raise InvalidValue(f"a {what} cannot be empty")
    if limit is not None and len(text) > limit:
        raise InvalidValue(f"a {what} has at most {limit} characters, this one has {len(text):,}")
    problem = text_problem(text)
    if problem:
        raise InvalidValue(f"a {what} cannot hold {problem}, which PostgreSQL refuses")
    return text


def text_problem(text: str) -> str | None:
    r"""Say what in a text no database can hold.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    str or None
        None when every database can hold it.

    Examples
    --------
    >>> text_problem("a\0b")
    'the NUL character'
    """
    if "\0" in text:
        return "the NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "a lone surrogate (half of a character)"
    return None


class Written(Decimal):
    """A number that keeps its own text: `1e0` is a float, and a Decimal would write 1.

    Parameters
    ----------
    text : str
        The number, as JSON writes it.

    Examples
    --------
    >>> str(Written("1e0")), Written("1e0") == 1
    ('1e0', True)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def positional(number: float) -> str:
    """Write a large float without an exponent, so that every database gives it back as a float.

    Parameters
    ----------
    number : float
        Of 1e16 or more, or its negative.

    Returns
    -------
    str

    Examples
    --------
    >>> positional(-1.5e17)
    '-150000000000000000.0'
    """
    return f"{Decimal(repr(float(number))):f}.0"


class _Refused(Exception):
    """A value that JSON cannot hold."""


class Plain:
    """Copies a value into plain JSON types, with a stack of its own.

    Parameters
    ----------
    to_be_written : bool, default False
        Make large floats what `text.encode_exact` writes as it is.
    """

    __slots__ = ("_scalars", "_to_be_written")

    def __init__(self, *, to_be_written: bool = False) -> None:
        self._to_be_written = to_be_written
        self._scalars: dict[type, Callable[[Any], JSONValue]] = {
            str: self._text,
            int: self._integer,
            float: self._float,
            bool: bool,
            type(None): lambda none: none,
        }

    def copy(self, root: Any, what: str, depth: int = 0) -> JSONValue:
        """Copy a value, or raise InvalidValue that names the place."""
        made: list[JSONValue] = [None]
        # What to copy, the container and the place in it that it goes to, and the way down to it.
        waiting: list[tuple[Any, Any, Any, _Way]] = [(root, made, 0, (None, None, depth))]
        while waiting:
            value, container, place, way = waiting.pop()
            try:
                copied, members = self._one(value, way[2])
            except _Refused as refused:
                raise InvalidValue(f"{what}{_place(way)} {refused}") from None
            container[place] = copied
            waiting += [(member, copied, key, (way, key, way[2] + 1)) for key, member in members]
        return made[0]

    def _one(self, value: Any, depth: int) -> tuple[JSONValue, Iterable[tuple[Any, Any]]]:
        """Return the copy of a scalar, or an empty container of the right keys and what goes into it."""
        scalar = self._scalars.get(type(value))
        if scalar is not None:
            return scalar(value), ()
        if isinstance(value, Mapping):
            self._check_depth(depth)
            return {self._key(key): None for key in value}, value.items()
        if isinstance(value, list | tuple):
            self._check_depth(depth)
            return [None] * len(value), enumerate(value)
        return self._other(value, depth)

    @staticmethod
    def _check_depth(depth: int) -> None:
        if depth >= MAXIMUM_DEPTH:
            raise _Refused(f"is nested deeper than {MAXIMUM_DEPTH} levels, or holds itself")

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise _Refused(f"has a key of type {type(key).__name__}; JSON has text keys only")
        return self._text(key)

    @staticmethod
    def _text(text: str) -> str:
        problem = text_problem(text)
        if problem:
            raise _Refused(f"holds {problem}, which PostgreSQL refuses")
        # `str(text)` would ask a subclass, and an Enum of texts answers with the name of the member.
        return str.__str__(text)

    @staticmethod
    def _integer(number: int) -> int:
        if number.bit_length() > _MAXIMUM_BITS and abs(number) >= 10**MAXIMUM_DIGITS:
            raise _Refused(f"is an integer of more than {MAXIMUM_DIGITS:,} digits")
        return int(number)

    def _float(self, number: float) -> float | Decimal:
        if not math.isfinite(number):
            raise _Refused(f"is {number}, which JSON does not have; use None for a missing number")
        if self._to_be_written and abs(number) >= INTEGRAL_FROM:
            return Written(positional(number))
        return float(number)

    def _decimal(self, number: Decimal) -> float | Decimal:
        if not number.is_finite() or not _double_holds(number):
            raise _Refused(f"is {number}, which a double cannot hold; write it as text")
        return self._float(float(number))

    def _other(self, value: Any, depth: int) -> tuple[JSONValue, Iterable[tuple[Any, Any]]]:
        if isinstance(value, str):
            return self._text(value), ()
        if isinstance(value, int):
            return self._integer(value), ()
        if isinstance(value, float):
            return self._float(value), ()
        if isinstance(value, Decimal):
            return self._decimal(value), ()
        if type(value).__module__ == "numpy" and getattr(getattr(value, "dtype", None), "kind", "") in _NUMPY_KINDS:
            made = value.tolist()
            if type(made) is not type(value):
                return self._one(made, depth)
        hint = "; write value.isoformat()" if hasattr(value, "isoformat") else ""
        raise _Refused(f"is a {type(value).__name__}, which JSON cannot hold{hint}")


_Way: TypeAlias = tuple[Any, Any, int]
"""The way of the container above, the key or index in it, and the depth."""


def _place(way: _Way) -> str:
    steps = []
    while way[0] is not None:
        way, key = way[0], way[1]
        steps.append(f"[{key!r}]")
    shown = steps[::-1]
    return "".join(shown if len(shown) <= _STEPS_SHOWN else [*shown[:_STEPS_SHOWN], "…"])


def _double_holds(number: Decimal) -> bool:
    """Whether the shortest text of the nearest double is the same number (so 0.1 counts as held)."""
    nearest = float(number)
    return math.isfinite(nearest) and Decimal(repr(nearest)) == number


def plain(value: Any, what: str = "value", *, depth: int = 0) -> JSONValue:
    """Return a copy of a value in plain JSON types.

    Parameters
    ----------
    value : JSON value
        dict, list, tuple, str, int, float, bool, None, NumPy scalars and arrays, and any `Decimal` that a double
        can hold.
    what : str, default "value"
        How to call it in an error.
    depth : int, default 0
        Levels that the value is going to have above it.

    Returns
    -------
    JSON value
        A new object; nothing in it is shared with `value`.

    Raises
    ------
    InvalidValue
        For NaN, infinity, keys that are no text, the NUL character, lone surrogates, nesting deeper than 500, and
        every type JSON does not have.

    Examples
    --------
    >>> plain({"scores": (1, 2.5)})
    {'scores': [1, 2.5]}
    """
    return Plain().copy(value, what, depth)


def same(one: JSONValue, other: JSONValue) -> bool:
    """Tell whether two values are the same JSON (`1`, `1.0` and `true` are three different values).

    Parameters
    ----------
    one, other : JSON value
        As `plain` or `decode` give them.

    Returns
    -------
    bool
        True when they are equal and of the same types throughout; the order of keys does not matter.

    Examples
    --------
    >>> same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    True
    >>> same(1, True)
    False
    """
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            waiting += [(left[key], right[key]) for key in left]
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            waiting += zip(left, right, strict=True)
        elif left != right:
            return False
    return True
