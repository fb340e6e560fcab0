"""Many values at once as JSON text: by the quick writer where that changes nothing, one by one where it might.

The quick writer knows more types than JSON has, writes NaN as null, and large floats so that PostgreSQL's `jsonb` gives
them back as integers. What it may write is found out for many values together, so that only what needs it is written by
`jsonvalue`, which also says what is wrong with a value.
"""

from __future__ import annotations

import marshal
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from toolkit import jsonvalue
from toolkit.errors import ToolkitError
from toolkit.lazy import np, pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Absent:
    """Stands where a row does not say anything, which is not the same as a null."""

    __slots__ = ()


ABSENT: Final = _Absent()
"""In a list of cells, what an array of Arrow says by a null."""

Cells: TypeAlias = "pa.Array | list[Any]"
"""One column: an array of text, integers, floats, booleans, times or nothing, or a list of Python objects."""

Write: TypeAlias = "Callable[[Any], str]"


class NotPlain(Exception):
    """Something that only a look at one row after another can judge."""


# How marshal begins a float, with and without a flag of its own; eight bytes follow, the exponent's come last.
_FLOAT: Final = (0x67, 0xE7)
# What the quick writer writes otherwise than `jsonvalue`: a float of 1e16 or more, and the character that is refused.
_DELICATE: Final = r"\\u0000|(?:^|[:,\[])-?[0-9]+(?:\.[0-9]+)?e\+?[0-9]"
# To look for these first is quicker, and for one character of them quicker still; before its version 3.12 the quick
# writer left the plus out.
_SIGNS: Final = ((b"\\", b"\\u0000"), (b"+", b"e+") if orjson.dumps(1e16) == b"1e+16" else (b"e", b"e"))
# The quick writer escapes line breaks, so that none stands in a text.
_BREAK: Final = orjson.Fragment(b"\n")
_BETWEEN: Final = ",\n,"
_NEEDS_ESCAPE: Final = r'["\\\x00-\x1f]'
_CONTROL: Final = r"[\x00-\x1f]"
_ESCAPES: Final = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_LARGE: Final = 1e16
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def json_texts(cells: Cells, write: Write) -> tuple[pa.Array, bool]:
    """Return the JSON text of each cell, or what stands between its quotes.

    Parameters
    ----------
    cells : pyarrow.Array or list
        One column.
    write : callable
        Writes one value exactly, or refuses it.

    Returns
    -------
    pyarrow.Array
        Of type `string`, null where a cell is absent.
    bool
        Whether the quotes are still to be put around each text.

    Raises
    ------
    NotPlain
        When a value may be none that JSON has.

    Examples
    --------
    >>> from toolkit.jsonvalue import encode
    >>> texts, quoted = json_texts(["a", ABSENT, None, [1e16]], encode)
    >>> texts.to_pylist(), quoted
    (['"a"', None, 'null', '[10000000000000000.0]'], False)
    """
    if isinstance(cells, list):
        return _of_objects(cells, write), False
    kind = cells.type
    if pa.types.is_string(kind):
        return _of_texts(cells, write)
    if pa.types.is_floating(kind):
        return _of_floats(cells, write), False
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return cells.cast(pa.string()), False
    raise NotPlain


def document_texts(documents: Sequence[Any], write: Write) -> pa.Array:
    """Return the JSON text of each document.

    Parameters
    ----------
    documents : sequence of JSON value
        None of them absent.
    write : callable
        Writes one value exactly, or refuses it.

    Returns
    -------
    pyarrow.Array
        Of type `string`.

    Raises
    ------
    NotPlain
        When a value may be none that JSON has.
    """
    written = _quickly(documents) if documents else None
    if written is None:
        return _joined([_one(value, write) for value in documents])
    array = _split(written)
    if not any(character in written and sign in written for character, sign in _SIGNS):
        return array
    delicate = pc.match_substring_regex(array, _DELICATE).to_pylist()
    rows = zip(written.split(_BETWEEN.encode()), documents, delicate, strict=True)
    return _joined([_exactly(value, write) if look else text for text, value, look in rows])


def _joined(texts: Sequence[bytes]) -> pa.Array:
    """Make an array of two buffers: Arrow itself takes many times as long to collect texts of Python."""
    ends = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, texts), np.int32, len(texts)), out=ends[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


def _quickly(values: Sequence[Any]) -> bytes | None:
    """Write values by the quick writer, `_BETWEEN` between them; None if one of them could be changed, or refused."""
    with_breaks: list[Any] = [_BREAK] * (2 * len(values) - 1)
    with_breaks[::2] = values
    try:
        # It takes the plain types and none that derives from them, so it tells what the quick writer would let pass.
        if not _all_finite(marshal.dumps(list(values))):
            return None
        # All at once: for each by itself, to begin takes longer than to write.
        return orjson.dumps(with_breaks, None, _OPTIONS)[1:-1]
    except (ValueError, TypeError):
        return None


def _split(written: bytes) -> pa.Array:
    """Make an array of what the quick writer wrote."""
    ends = np.array([0, len(written)], np.int32)
    whole = pa.StringArray.from_buffers(1, pa.py_buffer(ends), pa.py_buffer(written))
    return pc.split_pattern(whole, _BETWEEN).values


def _all_finite(written: bytes) -> bool:
    """Tell whether marshal's text has no float of which all bits of the exponent are set: infinity, and no number."""
    codes = np.frombuffer(written, np.uint8)
    ends = np.flatnonzero((codes & 0x7F) == 0x7F)  # noqa: PLR2004 - the sign and seven bits of the exponent
    ends = ends[(ends >= 8) & (codes[ends - 1] >= 0xF0)]  # noqa: PLR2004 - the other four bits
    return not np.isin(codes[ends - 8], _FLOAT).any()


def _one(value: Any, write: Write) -> bytes:
    written = _quickly([value])
    if written is None or re.search(_DELICATE.encode(), written):
        return _exactly(value, write)
    return written


def _exactly(value: Any, write: Write) -> bytes:
    try:
        return write(value).encode()
    except (ToolkitError, UnicodeEncodeError):
        raise NotPlain from None


def _of_objects(cells: list[Any], write: Write) -> pa.Array:
    present = [value for value in cells if value is not ABSENT]
    if not present:
        return pa.nulls(len(cells), pa.string())
    texts = document_texts(present, write)
    return texts if len(present) == len(cells) else spread(texts, [value is not ABSENT for value in cells])


def spread(texts: pa.Array, present: Sequence[bool]) -> pa.Array:
    """Return values with a null in between for each place where there is none.

    Parameters
    ----------
    texts : pyarrow.Array
        The values that are there.
    present : sequence of bool
        Where they are.

    Returns
    -------
    pyarrow.Array
        As long as `present`.

    Examples
    --------
    >>> spread(pa.array(["a", "b"]), [True, False, True]).to_pylist()
    ['a', None, 'b']
    """
    flags = np.asarray(present, dtype=bool)
    places = np.cumsum(flags) - 1
    return texts.take(pa.array(places, pa.int64(), mask=~flags))


def _of_texts(unescaped: pa.Array, write: Write) -> tuple[pa.Array, bool]:
    texts = unescaped
    if pc.any(pc.match_substring_regex(texts, _NEEDS_ESCAPE)).as_py():
        for plain, escaped in _ESCAPES:
            texts = pc.replace_substring(texts, plain, escaped)
        if pc.any(pc.match_substring_regex(texts, _CONTROL)).as_py():
            return _of_objects([ABSENT if text is None else text for text in unescaped.to_pylist()], write), False
    return texts, True


def _of_floats(numbers: pa.Array, write: Write) -> pa.Array:
    filled = numbers.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    if not np.isfinite(filled).all():
        raise NotPlain
    texts = orjson.dumps(filled, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",") if len(filled) else []
    for place in np.flatnonzero(np.abs(filled) >= _LARGE):
        texts[place] = write(filled[place].item()).encode()
    array = _joined(texts)
    return pc.if_else(numbers.is_valid(), array, pa.scalar(None, pa.string())) if numbers.null_count else array


def encode_at(depth: int) -> Write:
    """Return what writes a value exactly that has so many levels above it.

    Parameters
    ----------
    depth : int
        Levels of the document above the value.

    Returns
    -------
    callable
        From a value to its JSON text; it raises InvalidValue as `jsonvalue.plain` does.

    Examples
    --------
    >>> encode_at(2)(1e16)
    '10000000000000000.0'
    """
    return lambda value: jsonvalue.encode_exact(jsonvalue.plain(value, depth=depth))


def text_bytes(texts: pa.Array) -> bytes:
    """Return all texts of an array one after another, in UTF-8.

    Parameters
    ----------
    texts : pyarrow.Array
        Of type `string`.

    Returns
    -------
    bytes

    Examples
    --------
    >>> text_bytes(pa.array(["a", None, "bc"]).slice(1))
    b'bc'
    """
    _, ends, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    first, last = (
        int.from_bytes(memoryview(ends)[place * 4 : place * 4 + 4], "little")
        for place in (texts.offset, texts.offset + len(texts))
    )
    return bytes(memoryview(data)[first:last])
