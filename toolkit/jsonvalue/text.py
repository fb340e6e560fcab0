"""From JSON text and back: Python's own reader and writer wherever they are exact, which is nearly everywhere."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import CorruptValue
from toolkit.jsonvalue.values import (
    INTEGRAL_FROM,
    MAXIMUM_DIGITS,
    JSONValue,
    Plain,
    Written,
    positional,
    text_problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# A number of so few characters that is neither tiny nor huge has 15 digits at most, which a double always gives back.
_SHORT: Final = 16
_TINY: Final = 1e-290
_HUGE: Final = 1e290
_NEGATIVE_ZERO: Final = re.compile(r"-0(?![\d.])")
# A float of that size where a number can stand; a text that looks like one only costs time.
_LARGE_FLOAT: Final = re.compile(r"(?:^|[\[ ])-?\d(?:\.\d+)?e\+")
# Half of a character: no text that is read or written here can hold it, so it marks what is to stand without quotes.
_MARK: Final = "\ud800"
_MARKED: Final = re.compile(f'"{_MARK}([^"]*)"')
_HALF_OF_A_CHARACTER: Final = re.compile(r"\\u[dD][89a-fA-F]")


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
    return encode_exact(Plain(to_be_written=True).copy(value, what))


def encode_exact(value: JSONValue) -> str:
    """Write plain JSON types, `Decimal` digit for digit included; what was read is written as it was.

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
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_marked)
    except RecursionError:
        # Python's own encoder counts its levels together with the caller's stack.
        return _walked(value)
    if "e+" in text and _LARGE_FLOAT.search(text):
        return _walked(value)
    return _MARKED.sub(r"\1", text) if _MARK in text else text


def _marked(number: object) -> str:
    if not isinstance(number, Decimal):
        raise TypeError(f"{type(number).__name__} is no plain JSON type")
    return _MARK + str(number)


def _walked(value: JSONValue) -> str:
    """Write a value with a stack of its own, for any depth and any float; many times slower than Python's encoder."""
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
    if isinstance(item, float) and abs(item) >= INTEGRAL_FROM:
        return positional(item)
    return json.dumps(item, ensure_ascii=False, allow_nan=False)


def decode(text: str | bytes, *, exact: bool = False) -> JSONValue:
    """Read JSON text.

    Parameters
    ----------
    text : str or bytes
        One JSON value.
    exact : bool, default False
        Keep the text of every number, for a document that is going to be written again: a number that would be
        written differently is a `Decimal` that knows its text.

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
    if not (exact and _NEGATIVE_ZERO.search(text)):
        # Python's own reading of integers is much the quickest; it refuses those of more than 4,300 digits.
        with suppress(ValueError):
            return _QUICK[exact].decode(text)
    return _ANY[exact].decode(text)


def _refuse_halves(value: JSONValue) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and (problem := text_problem(item.replace("\0", ""))):
            raise CorruptValue(f"the stored JSON holds {problem}, which nothing can show or write")


def _decimal(text: str, kind: type[Decimal] = Decimal) -> Decimal:
    try:
        return kind(text)
    except InvalidOperation:
        raise CorruptValue("the stored JSON holds a number with an exponent too large to read") from None


def _exact_number(text: str) -> float | Decimal:
    number = float(text)
    return number if abs(number) < INTEGRAL_FROM and repr(number) == text else _decimal(text, Written)


def _number(text: str) -> float | Decimal:
    number = float(text)
    if len(text) <= _SHORT and _TINY < abs(number) < _HUGE:
        return number
    shortest = repr(number)
    if shortest == text:
        return number
    exact = _decimal(text)
    return number if Decimal(shortest) == exact else exact


def _any_integer(text: str) -> int | Decimal:
    return int(text) if len(text.removeprefix("-")) <= MAXIMUM_DIGITS else Decimal(text)


def _exact_integer(text: str) -> int | Decimal:
    return Written(text) if text == "-0" else _any_integer(text)


def _no_constant(name: str) -> Any:
    raise CorruptValue(f"the stored text is not JSON: it holds {name}")


def _decoder(number: Callable[[str], Any], integer: Callable[[str], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=number, parse_int=integer, parse_constant=_no_constant)


# By whether the text is going to be written again.
_QUICK: Final = {False: _decoder(_number, int), True: _decoder(_exact_number, int)}
_ANY: Final = {False: _decoder(_number, _any_integer), True: _decoder(_exact_number, _exact_integer)}
