"""Columns of JSON texts that are single values of one kind: read without a parser of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.jsontexts import decode_texts
from toolkit.lazy import pa, pc

if TYPE_CHECKING:
    from collections.abc import Mapping

_NULL: Final = "null"
_QUOTE: Final = '"'
_BACKSLASH: Final = "\\"


def scalar_table(texts: Mapping[str, pa.Array]) -> pa.Table | None:
    """Read columns of JSON texts.

    Parameters
    ----------
    texts : mapping of str to pyarrow.Array
        By name, arrays of type `string` in which the database wrote JSON.

    Returns
    -------
    pyarrow.Table or None
        What `toolkit.frames.parsing.Parser.parse` would make of objects with these members: text, integers, doubles,
        booleans or nulls. None when a column holds other values, or values of several kinds.
    """
    made = {}
    for name, column in texts.items():
        found = _scalars(column)
        if found is None:
            return None
        made[name] = found
    return pa.table(made)


def _scalars(texts: pa.Array) -> pa.Array | None:
    texts = pc.if_else(pc.equal(texts, _NULL), pa.scalar(None, pa.string()), texts)
    kinds = pc.utf8_slice_codeunits(texts, 0, 1).drop_null().unique().to_pylist()
    if not kinds:
        return pa.nulls(len(texts))
    if kinds == [_QUOTE]:
        return _texts(texts)
    if set(kinds) <= {"t", "f"}:
        return pc.equal(texts, "true")
    return _numbers(texts) if set(kinds) <= set("-0123456789") else None


def _texts(texts: pa.Array) -> pa.Array:
    # Without a backslash, no quote stands within.
    plain = pc.ascii_trim(texts, _QUOTE)
    escaped = pc.match_substring(texts, _BACKSLASH).fill_null(fill_value=False)
    if not pc.any(escaped).as_py():
        return plain
    values = decode_texts(texts.filter(escaped), None, _refuse)
    return pc.replace_with_mask(plain, escaped, pa.array(values, pa.string()))


def _refuse(_position: int, error: Exception) -> None:
    raise error


def _numbers(texts: pa.Array) -> pa.Array | None:
    whole = pc.invert(pc.match_substring_regex(texts, "[.eE]"))
    if pc.any(whole).as_py() is False:
        return texts.cast(pa.float64())
    try:
        return texts.cast(pa.int64()) if pc.all(whole).as_py() else None
    except pa.ArrowInvalid:
        # More than 64 bits.
        return None
