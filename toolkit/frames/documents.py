"""The documents of records: read exactly, and masked before anything is made of them."""

from __future__ import annotations

import gc
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns, paths
from toolkit.errors import DataWarning
from toolkit.frames.hiding import hidden_in_texts, revealed_in
from toolkit.jsontexts import DELICATE, decode_texts, delicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.errors import CorruptValue
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy, View

FRONT: Final = frozenset({columns.WORKFLOW_ID, *columns.RECORD_COLUMNS})
"""Columns that are no document."""

ORDER: Final = "order"
"""The column of a table whose rows are still to be put in order: what they are sorted by before the record id."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Records, and which of their documents need more than the quick way.

    Attributes
    ----------
    table : pyarrow.Table
        As the storage gives it.
    front : pyarrow.Table
        The columns of it that are no document, with what is secret in their texts hidden.
    hiding : dict of str to (pyarrow.Array or None)
        For each column of JSON text, in which rows something could be hidden; None for none.
    delicate : dict of str to (pyarrow.Array or None)
        Likewise, in which rows a number needs the exact reader.
    """

    table: pa.Table
    front: pa.Table
    hiding: dict[str, pa.Array | None]
    delicate: dict[str, pa.Array | None]

    def slice(self, start: int, length: int) -> Looked:
        """Return some of the rows, with the front of all.

        Parameters
        ----------
        start, length : int
            Which.

        Returns
        -------
        Looked
        """
        hiding, found = (
            {name: None if flags is None else flags.slice(start, length) for name, flags in each.items()}
            for each in (self.hiding, self.delicate)
        )
        return Looked(self.table.slice(start, length), self.front, hiding, found)


def look(table: pa.Table, view: View) -> Looked:
    """Look at whole columns of text, which is quick, to find the rows that must be looked at one by one.

    Parameters
    ----------
    table : pyarrow.Table
        As the storage gives it.
    view : View
        What is hidden.

    Returns
    -------
    Looked
    """
    hiding, closely = {}, {}
    for name in (name for name in table.column_names if name not in FRONT and name != ORDER):
        hiding[name], closely[name] = _looked_at(_whole(table.column(name)), name, view.policy)
    front = _hidden_front(table.select([name for name in table.column_names if name in FRONT]), view)
    return Looked(table, front, hiding, closely)


def _looked_at(texts: pa.Array, name: str, policy: MaskingPolicy | None) -> tuple[pa.Array | None, pa.Array | None]:
    if policy is None:
        return None, delicate(texts)
    trigger = policy.trigger
    if trigger is None or re.search(trigger, name, re.IGNORECASE):
        # A place is named by its path, which may be that of a secret.
        return pa.array([True] * len(texts), pa.bool_()), delicate(texts)
    # Most texts need neither, which one look tells.
    either = pc.match_substring_regex(texts, f"{trigger}|{DELICATE}", ignore_case=True)
    if not pc.any(either).as_py():
        return None, None
    return _may_hide(texts, policy), delicate(texts)


def _hidden_front(front: pa.Table, view: View) -> pa.Table:
    if view.policy is None:
        return front
    trigger = view.policy.text_trigger
    for position, (name, column) in enumerate(zip(front.column_names, front.columns, strict=True)):
        if column.type == pa.string() and not view.shows(name):
            front = front.set_column(position, name, hidden_in_texts(column, view.policy, trigger))
    return front


def masked_documents(records: Looked, view: View, found: set[str]) -> list[JSONValue]:
    """Decode the documents of records, and hide what is to be hidden in them.

    Parameters
    ----------
    records : Looked
        With or without documents.
    view : View
        What is hidden.
    found : set of str
        Filled with the texts that are secret by their names, to be removed from the rest of the result.

    Returns
    -------
    list of JSON value
        One per record; None where a table has no documents.
    """
    if columns.DATA not in records.table.column_names:
        return [None] * len(records.table)
    return _masked(records, columns.DATA, None, view, found)


def masked_place(records: Looked, name: str, view: View, found: set[str]) -> list[JSONValue]:
    """Decode what records hold at one place, and hide what is to be hidden there.

    Parameters
    ----------
    records : Looked
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
    return _masked(records, name, name, view, found)


def _masked(records: Looked, name: str, path: str | None, view: View, found: set[str]) -> list[JSONValue]:
    texts, ids = records.table.column(name), records.table.column("record_id")
    # A place was read by the database itself, so that it is JSON for sure.
    values = _decoded(texts, records.delicate[name], ids, "record", trusted=path is not None)
    hiding = records.hiding[name]
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
    looks = [_may_hide(_whole(table.column(name)), policy) for name in names]
    found = [flags.to_pylist() for flags in looks if flags is not None]
    return [any(row) for row in zip(*found, strict=True)] if found else [False] * len(table)


def _may_hide(texts: pa.Array, policy: MaskingPolicy) -> pa.Array | None:
    if policy.trigger is None:
        return pa.array([True] * len(texts), pa.bool_())
    found = pc.match_substring_regex(texts, policy.trigger, ignore_case=True)
    return found if pc.any(found).as_py() else None


def decoded(texts: pa.ChunkedArray, ids: pa.ChunkedArray, kind: str) -> list[JSONValue]:
    """Read a column of JSON text; what is no JSON is missing, with a warning.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray
        One per row.
    ids : pyarrow.ChunkedArray
        The name of each row, for the warning.
    kind : str
        What a row is: `record` or `variable`.

    Returns
    -------
    list of JSON value
    """
    return _decoded(texts, delicate(_whole(texts)), ids, kind, trusted=False)


def _decoded(
    texts: pa.ChunkedArray, closely: pa.Array | None, ids: pa.ChunkedArray, kind: str, *, trusted: bool
) -> list[JSONValue]:
    found: list[tuple[int, CorruptValue]] = []
    values = decode_texts(_whole(texts), closely, lambda *problem: found.append(problem), trusted=trusted)
    for position, error in found:
        what = f"{kind} {ids[position].as_py()!r}"
        warnings.warn(f"{what} is shown as missing: {error}", DataWarning, stacklevel=3)
    return values


def _whole(texts: pa.ChunkedArray) -> pa.Array:
    found = texts.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


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
