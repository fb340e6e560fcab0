"""Many JSON texts at once, read as exactly as one: quickly where that changes nothing, one by one where it might."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import jsonvalue
from toolkit.errors import CorruptValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.jsonvalue import JSONValue

_DIGITS_OF_A_DOUBLE: Final = 15
_DIGITS_OF_AN_INTEGER: Final = 18

_BEGIN: Final = r"(?:^|[\[:,\s])-?"
_NUMBER: Final = re.compile(_BEGIN + r"(\d[\d.]*(?:[eE][+-]?\d+)?)")

# The quick reader takes an integer beyond 64 bits for a double, and any number for the nearest double. A double gives
# 15 digits back whatever they are, so only text with more of them in a row, or with a large exponent, is looked at
# again. (Digits within text count too, where they follow a space or a comma: that only costs time.)
_DELICATE: Final = _BEGIN + "(?:{})".format(
    "|".join(
        [
            f"[0-9]{{{_DIGITS_OF_AN_INTEGER + 1}}}",
            r"[0-9][0-9.]*[eE][+-]?[0-9]{3}",
            *(rf"[0-9]{{{before}}}\.[0-9]{{{_DIGITS_OF_A_DOUBLE + 1 - before}}}" for before in range(1, 16)),
        ]
    )
)


def decode_texts(
    texts: pa.Array, corrupt: Callable[[int, CorruptValue], None], *, trusted: bool = False
) -> list[JSONValue]:
    """Read JSON texts.

    Parameters
    ----------
    texts : pyarrow.Array
        Of type `string`; a null is read as None.
    corrupt : callable
        Told the position of each text that is no JSON, and why; its value is None.
    trusted : bool, default False
        Whether the database itself wrote the texts, so that each is JSON.

    Returns
    -------
    list of JSON value
        One per text, exactly what `jsonvalue.decode` gives.

    Examples
    --------
    >>> decode_texts(pa.array(['{"n": 17}', None, "123456789012345678901234567890"]), print)
    [{'n': 17}, None, 123456789012345678901234567890]
    """
    delicate = pc.match_substring_regex(texts, _DELICATE)
    if not pc.any(delicate).as_py():
        try:
            return _joined(texts) if trusted else _quickly(texts)
        except orjson.JSONDecodeError:
            # One of them is no JSON, or what the quick reader takes for none; which one, only a second look tells.
            pass
    values: list[JSONValue] = []
    for position, (text, careful) in enumerate(zip(texts.to_pylist(), delicate.to_pylist(), strict=True)):
        try:
            values.append(None if text is None else _one(text, careful=careful))
        except CorruptValue as error:
            corrupt(position, error)
            values.append(None)
    return values


def _quickly(texts: pa.Array) -> list[JSONValue]:
    loads = orjson.loads
    found = texts.cast(pa.binary()).to_pylist()
    return [None if text is None else loads(text) for text in found] if texts.null_count else list(map(loads, found))


def _joined(texts: pa.Array) -> list[JSONValue]:
    """Read texts as the elements of one array: for single numbers, a call for each would take most of the time."""
    joined = b",".join(texts.cast(pa.binary()).fill_null(b"null").to_pylist())
    values: list[JSONValue] = orjson.loads(b"[" + joined + b"]")
    return values


def _one(text: str, *, careful: bool) -> JSONValue:
    if careful and not all(map(_is_plain, _NUMBER.findall(text))):
        return jsonvalue.decode(text)
    try:
        value: JSONValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        return jsonvalue.decode(text)
    return value


def _is_plain(number: str) -> bool:
    """Tell whether the quick reader gives a number what its digits say."""
    if "." not in number and "e" not in number and "E" not in number:
        return len(number) <= _DIGITS_OF_AN_INTEGER
    return len(number) <= _DIGITS_OF_A_DOUBLE or repr(float(number)) == number


def encode_texts(values: Sequence[Any]) -> pa.Array:
    """Write values as JSON texts.

    Parameters
    ----------
    values : sequence of JSON value
        As `decode_texts` gives them; None becomes a null.

    Returns
    -------
    pyarrow.Array
        Of type `string`, every number digit for digit.

    Examples
    --------
    >>> encode_texts([[1, 2.5], None]).to_pylist()
    ['[1, 2.5]', None]
    """
    return pa.array([None if value is None else jsonvalue.encode_exact(value) for value in values], pa.string())
