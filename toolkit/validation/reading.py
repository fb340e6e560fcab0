"""Stored text, read to be judged: the value, and whether both judges read its numbers alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from toolkit import jsonvalue

if TYPE_CHECKING:
    from toolkit.jsonvalue import JSONValue

_SMALLEST: Final = -(2**63)
_BEYOND: Final = 2**64


def read(text: str) -> tuple[JSONValue, bool]:
    """Read JSON text, and tell whether it holds a number that the two libraries may judge differently.

    Those are the integers beyond 64 bits, and the numbers that a double does not hold.

    Parameters
    ----------
    text : str
        One JSON value.

    Returns
    -------
    value : JSON value
        What `jsonvalue.decode` gives.
    delicate : bool
        As `SchemaValidator.problems` takes it.

    Raises
    ------
    CorruptValue
        For text that `jsonvalue.decode` does not read.

    Examples
    --------
    >>> read('{"n": 12345678901234567, "x": 0.8474337369372327}')
    ({'n': 12345678901234567, 'x': 0.8474337369372327}, False)
    >>> read("0.1000000000000000001")
    (Decimal('0.1000000000000000001'), True)
    """
    try:
        value = _ORDINARY.decode(text)
    except (ValueError, RecursionError):
        return jsonvalue.decode(text), True
    if "\\ud" in text or "\\uD" in text:
        # Half of a character is written so, and refused.
        value = jsonvalue.decode(text)
    return value, False


def _integer(text: str) -> int:
    number = int(text)
    if _SMALLEST <= number < _BEYOND:
        return number
    raise ValueError


def _float(text: str) -> float:
    number = float(text)
    if repr(number) == text or isinstance(jsonvalue.decode(text), float):
        return number
    raise ValueError


def _constant(_name: str) -> Any:
    raise ValueError


# Made once, and of few steps: most of the time that a check takes goes into reading. What is out of the ordinary stops
# it, and is read again by the one that knows all rules.
_ORDINARY: Final = json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_constant)
