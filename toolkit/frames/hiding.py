"""What is hidden in whole columns: secrets inside texts, and those that were found elsewhere in the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from toolkit import columns, jsonvalue, paths
from toolkit.errors import InvalidPath
from toolkit.lazy import pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from toolkit.masking import MaskingPolicy, View


def hidden_in_texts(
    texts: pa.ChunkedArray | pa.Array, hide: Callable[[str], str], trigger: str | None
) -> pa.ChunkedArray | pa.Array:
    """Hide what is secret in a column of text, looking closely only at what a quick look does not let pass.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray or pyarrow.Array
        Of type `string`.
    hide : callable
        Given a text, returns what is shown of it, such as the `mask_text` of a policy.
    trigger : str or None
        A regular expression that a text matches where something could be hidden; None where every text could.

    Returns
    -------
    pyarrow.ChunkedArray or pyarrow.Array
        The same one when nothing was hidden.
    """
    if trigger is None:
        looked_at = texts.is_valid()
    else:
        looked_at = pc.match_substring_regex(texts, trigger, ignore_case=True).fill_null(fill_value=False)
    return hidden_where(texts, looked_at, hide)


def hidden_where(
    texts: pa.ChunkedArray | pa.Array, looked_at: pa.ChunkedArray | pa.Array, hide: Callable[[str], str]
) -> pa.ChunkedArray | pa.Array:
    """Hide what is secret in a column of text, in rows that are known.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray or pyarrow.Array
        Of type `string`.
    looked_at : pyarrow.ChunkedArray or pyarrow.Array
        Of type `bool`: in which rows something could be hidden.
    hide : callable
        As in `hidden_in_texts`.

    Returns
    -------
    pyarrow.ChunkedArray or pyarrow.Array
        The same one when nothing was hidden.
    """
    if not pc.any(looked_at).as_py():
        return texts
    # Texts repeat: each is looked at once.
    every, flags = whole(texts), whole(looked_at)
    found = every.filter(flags).dictionary_encode()
    known = found.dictionary.to_pylist()
    shown = [None if text is None else hide(text) for text in known]
    if shown == known:
        return texts
    made = pc.replace_with_mask(every, flags, pa.array(shown, pa.string()).take(found.indices))
    return pa.chunked_array([made]) if isinstance(texts, pa.ChunkedArray) else made


def whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column in one piece.

    Parameters
    ----------
    column : pyarrow.ChunkedArray or pyarrow.Array
        Of any type.

    Returns
    -------
    pyarrow.Array
    """
    found = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def hidden_in_values(
    values: Sequence[Any], policy: MaskingPolicy, mask: Callable[[int, Any], Any] | None = None
) -> list[Any]:
    """Remove texts that are known to be secret from values that are no plain text.

    Parameters
    ----------
    values : sequence of JSON value
        Masked already.
    policy : MaskingPolicy
        That sweeps.
    mask : callable, optional
        Given a position and the value there, returns what is shown; the policy's own `mask` when left out.

    Returns
    -------
    list of JSON value
    """
    if not _may_hold(values, policy.sweep_trigger):
        return list(values)
    texts = pa.array(map(_quick_text, values), pa.string())
    looked_at = pc.match_substring_regex(texts, policy.sweep_trigger, ignore_case=True)
    shown = list(values)
    for position in pc.indices_nonzero(looked_at.fill_null(fill_value=False)).to_pylist():
        value = shown[position]
        shown[position] = policy.mask(value) if mask is None else mask(position, value)
    return shown


def _may_hold(values: Sequence[Any], trigger: str | None) -> bool:
    """Tell whether arrays of texts may hold what is looked for; of other values, that they may."""
    try:
        texts = pa.array(values, pa.list_(pa.string())).flatten()
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return True
    return trigger is None or pc.any(pc.match_substring_regex(texts, trigger, ignore_case=True)).as_py() is True


def _quick_text(value: Any) -> bytes | str | None:
    """Return a value as text to look at; quickly, but where a number is too long for the quick writer."""
    if value is None:
        return None
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        return jsonvalue.encode_exact(value)


def hidden_name(name: str, policy: MaskingPolicy) -> str:
    """Remove texts that are known to be secret from the name of a column.

    Parameters
    ----------
    name : str
        A path.
    policy : MaskingPolicy
        That sweeps.

    Returns
    -------
    str
        A path.
    """
    if policy.mask_text(name) == name:
        return name
    segments = [policy.mask_text(segment) for segment in paths.parse(name).segments]
    return ".".join(map(paths.segment, segments))


def without_twins(names: Iterable[str]) -> list[str]:
    """Return names, of which no two are the same.

    Parameters
    ----------
    names : iterable of str
        Paths.

    Returns
    -------
    list of str

    Examples
    --------
    >>> without_twins(["fields.a", "fields.b", "fields.a"])
    ['fields.a', 'fields.b', 'fields.a (2)']
    """
    taken: set[str] = set()
    made = []
    for name in names:
        number, one = 1, name
        while one in taken:
            number += 1
            *above, last = paths.parse(name).segments
            one = ".".join(map(paths.segment, [*above, f"{last} ({number})"]))
        taken.add(one)
        made.append(one)
    return made


def revealed_in(document: Any, real: Any, view: View) -> Any:
    """Put the values that were asked for back into a masked document.

    Parameters
    ----------
    document : JSON value
        Masked.
    real : JSON value
        As it is stored.
    view : View
        Names the paths.

    Returns
    -------
    JSON value
        A new document where something was put back.
    """
    for name in view.revealed:
        try:
            path = paths.parse(name)
        except InvalidPath:
            continue
        if path.append or path.segments[0] not in (*columns.PARTS, columns.DATA):
            continue
        document = _put_back(document, real, path.in_document)
    return document


def _put_back(document: Any, real: Any, keys: Sequence[str]) -> Any:
    if not keys:
        return real
    key, *below = keys
    if not isinstance(real, dict) or key not in real:
        return document
    # What lies above may be hidden as one; then only the way to the value is shown.
    members: Mapping[str, Any] = document if isinstance(document, dict) else {}
    return {**members, key: _put_back(members.get(key), real[key], below)}
