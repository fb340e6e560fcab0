"""Many JSON texts at once, read as exactly as one: quickly where that changes nothing, one by one where it might."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from toolkit import jsonvalue
from toolkit.errors import CorruptValue
from toolkit.lazy import pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.jsonvalue import JSONValue

_DIGITS_OF_A_DOUBLE: Final = 15
_DIGITS_OF_AN_INTEGER: Final = 18

# The quick reader takes an integer beyond 64 bits for a double, and any number for the nearest double, which gives 15
# digits back whatever they are. So text is looked at closely when it holds more digits than that where a number can
# begin, or a large exponent. (Digits inside a text that follow a space only cost time.)
DELICATE: Final = r"(?:^|[\[:,\s])-?(?:{})".format(
    "|".join(
        [
            f"[0-9]{{{_DIGITS_OF_AN_INTEGER + 1}}}",
            r"[0-9][0-9.]*[eE][+-]?[0-9]{3}",
            rf"[0-9]{{{_DIGITS_OF_A_DOUBLE + 1}}}[0-9]*\.",
            *(
                rf"[0-9]{{{before}}}\.[0-9]{{{_DIGITS_OF_A_DOUBLE + 1 - before}}}"
                for before in range(1, _DIGITS_OF_A_DOUBLE + 1)
            ),
        ]
    )
)
"""What a JSON text matches that may hold such a number."""
_SPACES: Final = b" \t\n\r"


def delicate(texts: pa.Array) -> pa.Array | None:
    """Tell which JSON texts may hold a number that the quick reader would change.

    Parameters
    ----------
    texts : pyarrow.Array
        Of type `string`.

    Returns
    -------
    pyarrow.Array or None
        Of type `bool`, one per text; None when there is no such text.

    Examples
    --------
    >>> delicate(pa.array(['{"n": 17}', "12345678901234567890"])).to_pylist()
    [False, True]
    """
    found = pc.match_substring_regex(texts, DELICATE)
    return found if pc.any(found).as_py() else None


def decode_texts(
    texts: pa.Array,
    closely: pa.Array | None,
    corrupt: Callable[[int, CorruptValue], None],
    *,
    trusted: bool = False,
) -> list[JSONValue]:
    """Read JSON texts.

    Parameters
    ----------
    texts : pyarrow.Array
        Of type `string`; a null is read as None.
    closely : pyarrow.Array or None
        What `delicate` says of them.
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
    >>> texts = pa.array(['{"n": 17}', None, "123456789012345678901234567890"])
    >>> decode_texts(texts, delicate(texts), print)
    [{'n': 17}, None, 123456789012345678901234567890]
    """
    try:
        return _joined(texts) if trusted and closely is None else _quickly(texts, closely)
    except orjson.JSONDecodeError:
        # One of them is no JSON, or what the quick reader takes for none; which one, only a second look tells.
        pass
    values: list[JSONValue] = []
    for position, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else jsonvalue.decode(text))
        except CorruptValue as error:
            corrupt(position, error)
            values.append(None)
    return values


def _quickly(texts: pa.Array, closely: pa.Array | None) -> list[JSONValue]:
    found = texts.cast(pa.binary()).to_pylist()
    loads = orjson.loads
    if closely is None:
        return (
            [None if text is None else loads(text) for text in found] if texts.null_count else list(map(loads, found))
        )
    return [
        None if text is None else _closely(text) if look else loads(text)
        for text, look in zip(found, closely.to_pylist(), strict=True)
    ]


def _closely(text: bytes) -> JSONValue:
    """Read a text with long numbers: quickly if the quick reader's value, written again, has the same digits."""
    value: JSONValue = orjson.loads(text)
    # Writers of JSON differ in their spaces, and no number holds one.
    again = orjson.dumps(value).translate(None, _SPACES)
    return value if again == text.translate(None, _SPACES) else jsonvalue.decode(text)


def _joined(texts: pa.Array) -> list[JSONValue]:
    """Read texts as the elements of one array: for single numbers, a call for each would take most of the time."""
    joined = b",".join(texts.cast(pa.binary()).fill_null(b"null").to_pylist())
    values: list[JSONValue] = orjson.loads(b"[" + joined + b"]")
    return values


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
