"""The only place that writes and reads JSON.

Python's own `json` is fast, but it writes NaN, turns the key `1` into `"1"`, and reads `0.1000000000000000001` as
something else without a word. Here a value is checked once, on its way in, so that SQLite and PostgreSQL give back
the same thing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from toolkit.errors import CorruptValue, InvalidValue

JSONValue: TypeAlias = Any
"""dict, list, str, int, float, bool, None, or a `Decimal` for a number that a double cannot hold."""

MAXIMUM_DEPTH: Final = 500
"""Levels of nesting that every database and Python's own decoder can carry."""

MAXIMUM_NAME: Final = 255
"""Characters of a key or an id."""

MAXIMUM_DIGITS: Final = 4300
"""Digits of an integer: Python's own limit for reading one from text."""

# PostgreSQL's jsonb prints a float without a point or an exponent as an integer from here on.
_INTEGRAL_FROM: Final = 1e16
_DEEP: Final = 200
_STEPS_SHOWN: Final = 8
_MAXIMUM_BITS: Final = 14_200
# Only such text can hold a number that a double does not give back: many digits, or a large exponent. It is looked for
# where a number can begin, which is much quicker than everywhere.
_RISKY_NUMBER: Final = re.compile(r"(?:^|[:,\[\s])-?(?:[\d.]{16}|\d[\d.]*[eE][+-]?\d{3})")
_HALF_OF_A_CHARACTER: Final = re.compile(r"\\u[dD][89a-fA-F]")
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
    problem = _text_problem(text)
    if problem:
        raise InvalidValue(f"a {what} cannot hold {problem}, which PostgreSQL refuses")
    return text


def _text_problem(text: str) -> str | None:
    if "\0" in text:
        return "the NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "a lone surrogate (half of a character)"
    return None


class _Refused(Exception):
    """A value that JSON cannot hold."""


class _Plain:
    """Copies a value into plain JSON types, with a stack of its own, and notes whether it needs the exact writer."""

    __slots__ = ("_scalars", "exact")

    def __init__(self) -> None:
        self.exact = False
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

    def _check_depth(self, depth: int) -> None:
        if depth >= MAXIMUM_DEPTH:
            raise _Refused(f"is nested deeper than {MAXIMUM_DEPTH} levels, or holds itself")
        if depth >= _DEEP:
            # Python's own encoder counts its levels together with the caller's stack.
            self.exact = True

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise _Refused(f"has a key of type {type(key).__name__}; JSON has text keys only")
        return self._text(key)

    @staticmethod
    def _text(text: str) -> str:
        problem = _text_problem(text)
        if problem:
            raise _Refused(f"holds {problem}, which PostgreSQL refuses")
        # `str(text)` would ask a subclass, and an Enum of texts answers with the name of the member.
        return str.__str__(text)

    @staticmethod
    def _integer(number: int) -> int:
        if number.bit_length() > _MAXIMUM_BITS and abs(number) >= 10**MAXIMUM_DIGITS:
            raise _Refused(f"is an integer of more than {MAXIMUM_DIGITS:,} digits")
        return int(number)

    def _float(self, number: float) -> float:
        if not math.isfinite(number):
            raise _Refused(f"is {number}, which JSON does not have; use None for a missing number")
        if abs(number) >= _INTEGRAL_FROM:
            self.exact = True
        return float(number)

    def _decimal(self, number: Decimal) -> float:
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
    return _Plain().copy(value, what, depth)


def encode(value: Any, what: str = "value") -> str:
    """Return a value as JSON text that every database gives back unchanged.

    Parameters
    ----------
    value : JSON value
        See `plain`.
    what : str, default "value"
        How to call it in an error, such as `"variable 'total'"`.

    Returns
    -------
    str
        JSON text. Floats of 1e16 and above are written out with a decimal point, because PostgreSQL's `jsonb`
        would give them back as integers otherwise.

    Raises
    ------
    InvalidValue
        For everything that `plain` refuses.

    Examples
    --------
    >>> encode({"n": 1, "names": ["é"]})
    '{"n": 1, "names": ["é"]}'
    >>> encode(1e16)
    '10000000000000000.0'
    """
    walk = _Plain()
    copy = walk.copy(value, what)
    return encode_exact(copy) if walk.exact else json.dumps(copy, ensure_ascii=False, allow_nan=False)


def encode_exact(value: JSONValue) -> str:
    """Write plain JSON types, `Decimal` digit for digit included.

    Parameters
    ----------
    value : JSON value
        As `decode` with `exact=True` gives it, or `plain`.

    Returns
    -------
    str
        JSON text.

    Examples
    --------
    >>> encode_exact(decode('{"price": 1.10}', exact=True))
    '{"price": 1.10}'
    """
    written: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Literal):
            written.append(item)
        elif isinstance(item, dict):
            waiting.append(_Literal("}"))
            for position, (key, member) in reversed(list(enumerate(item.items()))):
                opening = "{" if position == 0 else ", "
                waiting += [member, _Literal(f"{opening}{json.dumps(key, ensure_ascii=False)}: ")]
            if not item:
                written.append("{")
        elif isinstance(item, list):
            waiting.append(_Literal("]"))
            for position, member in reversed(list(enumerate(item))):
                waiting += [member, _Literal("[" if position == 0 else ", ")]
            if not item:
                written.append("[")
        else:
            written.append(_scalar(item))
    return "".join(written)


class _Literal(str):
    """Text that goes into the output as it is."""

    __slots__ = ()


def _scalar(item: Any) -> str:
    if isinstance(item, Decimal):
        return str(item)
    if isinstance(item, float) and abs(item) >= _INTEGRAL_FROM:
        return f"{Decimal(repr(item)):f}.0"
    return json.dumps(item, ensure_ascii=False, allow_nan=False)


def decode(text: str | bytes, *, exact: bool = False) -> JSONValue:
    """Read JSON text.

    Parameters
    ----------
    text : str or bytes
        One JSON value.
    exact : bool, default False
        Keep the digits of every number with a fraction or an exponent as a `Decimal`, for text that is going to be
        written again.

    Returns
    -------
    JSON value
        Integers keep every digit; a number with a fraction is a float, or a `Decimal` where a float would change it.

    Raises
    ------
    CorruptValue
        For text that is no JSON (NaN and Infinity included), with the place; and for what Python would read but no
        frame could hold: a lone surrogate, an exponent beyond any number.

    Examples
    --------
    >>> decode('[1, 1.5, 0.1000000000000000001]')
    [1, 1.5, Decimal('0.1000000000000000001')]
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        value = _loaded(text, exact=exact)
    except UnicodeDecodeError as error:
        raise CorruptValue(f"the stored text is not JSON: it is no UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CorruptValue(f"the stored text is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise CorruptValue("the stored JSON is nested too deeply to read") from None
    if _HALF_OF_A_CHARACTER.search(text):
        _refuse_halves(value)
    return value


def _loaded(text: str, *, exact: bool) -> JSONValue:
    if exact:
        return json.loads(text, parse_float=_decimal, parse_int=_exact_integer, parse_constant=_no_constant)
    if _RISKY_NUMBER.search(text):
        return json.loads(text, parse_float=_number, parse_int=_any_integer, parse_constant=_no_constant)
    return json.loads(text, parse_constant=_no_constant)


def _refuse_halves(value: JSONValue) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and (problem := _text_problem(item.replace("\0", ""))):
            raise CorruptValue(f"the stored JSON holds {problem}, which nothing can show or write")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CorruptValue("the stored JSON holds a number with an exponent too large to read") from None


def _number(text: str) -> float | Decimal:
    number = _decimal(text)
    return float(text) if _double_holds(number) else number


def _double_holds(number: Decimal) -> bool:
    """Whether the shortest text of the nearest double is the same number (so 0.1 counts as held)."""
    nearest = float(number)
    return math.isfinite(nearest) and Decimal(repr(nearest)) == number


def _any_integer(text: str) -> int | Decimal:
    return int(text) if len(text.removeprefix("-")) <= MAXIMUM_DIGITS else Decimal(text)


def _exact_integer(text: str) -> int | Decimal:
    return Decimal(text) if text == "-0" else _any_integer(text)


def _no_constant(name: str) -> Any:
    raise CorruptValue(f"the stored text is not JSON: it holds {name}")


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
