"""The documents of records: read exactly, and masked before anything is made of them."""

from __future__ import annotations

import gc
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolkit import columns, paths
from toolkit.errors import DataWarning
from toolkit.frames.hiding import revealed_in, whole
from toolkit.jsontexts import decode_texts, delicate
from toolkit.lazy import pa, pc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.errors import CorruptValue
    from toolkit.frames.looking import Unit
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy, View


def masked_documents(records: Unit, view: View, found: set[str], *, history: bool = True) -> list[JSONValue]:
    """Decode the documents of records, and hide what is to be hidden in them.

    Parameters
    ----------
    records : Unit
        With or without documents.
    view : View
        What is hidden.
    found : set of str
        Filled with the texts that are secret by their names, to be removed from the rest of the result.
    history : bool, default True
        Whether `history` is part of the result; else it is left out, and not looked at.

    Returns
    -------
    list of JSON value
        One per record; None where a table has no documents.
    """
    if columns.DATA not in records.table.column_names:
        return [None] * len(records.table)
    values = _decoded_column(records, columns.DATA, view, trusted=False)
    if not history:
        for value in values:
            if type(value) is dict:
                value.pop(columns.HISTORY, None)
    return _masked(values, records.hiding, None, view, found)


def masked_place(records: Unit, name: str, view: View, found: set[str]) -> list[JSONValue]:
    """Decode what records hold at one place, and hide what is to be hidden there.

    Parameters
    ----------
    records : Unit
        With a column of JSON text for the place, as the database found it.
    name : str
        The path of the place, and of the column.
    view : View
        What is hidden.
    found : set of str
        As in `masked_documents`.

    Returns
    -------
    list of JSON value
        One per record.
    """
    # A place was read by the database itself, so that it is JSON for sure.
    return _masked(_decoded_column(records, name, view, trusted=True), records.hiding, name, view, found)


def _decoded_column(records: Unit, name: str, view: View, *, trusted: bool) -> list[JSONValue]:
    ids = records.table.column("record_id")
    texts = records.table.column(name)
    return _decoded(texts, records.delicate, ids, "record", view, trusted=trusted)


def _masked(
    values: list[JSONValue], hiding: pa.Array | None, path: str | None, view: View, found: set[str]
) -> list[JSONValue]:
    if view.policy is None or hiding is None or (path is not None and view.shows(path)):
        return values
    for position in pc.indices_nonzero(hiding.fill_null(fill_value=False)).to_pylist():
        real = values[position]
        masked, secrets = view.policy.mask_and_find(real, path)
        found.update(secrets)
        if view.revealed and masked is not real:
            masked = _with_revealed(masked, real, path, view)
        values[position] = masked
    return values


def _with_revealed(masked: JSONValue, real: JSONValue, path: str | None, view: View) -> JSONValue:
    if path is None:
        return revealed_in(masked, real, view)
    keys = paths.parse(path).in_document
    above, real_above = masked, real
    for key in reversed(keys):
        above, real_above = {key: above}, {key: real_above}
    document = revealed_in(above, real_above, view)
    for key in keys:
        document = document[key]
    return document


def may_hide(table: pa.Table, names: Sequence[str], policy: MaskingPolicy) -> list[bool]:
    """Tell for each row whether a policy could hide anything in it, by one quick pass over whole columns of text.

    Parameters
    ----------
    table : pyarrow.Table
        With columns of JSON text, or of names.
    names : sequence of str
        Of these columns.
    policy : MaskingPolicy
        Hides values by their names.

    Returns
    -------
    list of bool
        False where nothing can be hidden, so that nobody need look closer.
    """
    looks = [_may_hide(whole(table.column(name)), policy) for name in names]
    found = [flags.to_pylist() for flags in looks if flags is not None]
    return [any(row) for row in zip(*found, strict=True)] if found else [False] * len(table)


def _may_hide(texts: pa.Array, policy: MaskingPolicy) -> pa.Array | None:
    if policy.trigger is None:
        return pa.array([True] * len(texts), pa.bool_())
    found = pc.match_substring_regex(texts, policy.trigger, ignore_case=True)
    return found if pc.any(found).as_py() else None


def decoded(texts: pa.ChunkedArray, ids: pa.ChunkedArray, kind: str, view: View) -> list[JSONValue]:
    """Read a column of JSON text; what is no JSON is missing, with a warning.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray
        One per row.
    ids : pyarrow.ChunkedArray
        The name of each row, for the warning.
    kind : str
        What a row is: `record` or `variable`.
    view : View
        What is hidden in its name.

    Returns
    -------
    list of JSON value
    """
    return _decoded(texts, delicate(whole(texts)), ids, kind, view, trusted=False)


def _decoded(
    texts: pa.ChunkedArray, closely: pa.Array | None, ids: pa.ChunkedArray, kind: str, view: View, *, trusted: bool
) -> list[JSONValue]:
    found: list[tuple[int, CorruptValue]] = []
    values = decode_texts(whole(texts), closely, lambda *problem: found.append(problem), trusted=trusted)
    for position, error in found:
        name = ids[position].as_py()
        what = name if view.policy is None else view.policy.mask_text(name)
        warnings.warn(f"{kind} {what!r} is shown as missing: {error}", DataWarning, stacklevel=3)
    return values


@contextmanager
def many_objects() -> Iterator[None]:
    """Keep Python from looking for circles while documents are read: there are none, and it takes half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
