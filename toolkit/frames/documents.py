"""The documents of records: read exactly, and masked before anything is made of them."""

from __future__ import annotations

import gc
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns
from toolkit.errors import DataWarning
from toolkit.jsontexts import decode_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.errors import CorruptValue
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy

FRONT: Final = frozenset({columns.WORKFLOW_ID, *columns.RECORD_COLUMNS})
"""Columns that are no document."""


def masked_documents(table: pa.Table, policy: MaskingPolicy | None) -> list[JSONValue]:
    """Decode the documents of records, and hide what is to be hidden in them.

    Parameters
    ----------
    table : pyarrow.Table
        As `RecordStorage.query` gives it.
    policy : MaskingPolicy or None
        Hides values by their names; None shows everything.

    Returns
    -------
    list of JSON value
        One per record; None where a table has no documents.
    """
    if columns.DATA not in table.column_names:
        return [None] * len(table)
    documents = decoded(table.column(columns.DATA), table.column("record_id"), "record")
    return documents if policy is None else _masked(documents, table, columns.DATA, None, policy)


def masked_place(table: pa.Table, name: str, policy: MaskingPolicy | None) -> list[JSONValue]:
    """Decode what records hold at one place, and hide what is to be hidden there.

    Parameters
    ----------
    table : pyarrow.Table
        With a column of JSON text for the place, as the database found it.
    name : str
        The path of the place, and of the column.
    policy : MaskingPolicy or None
        Hides values by the names on the path and below it; None shows everything.

    Returns
    -------
    list of JSON value
        One per record.
    """
    values = decoded(table.column(name), table.column("record_id"), "record", trusted=True)
    return values if policy is None else _masked(values, table, name, name, policy)


def _masked(
    values: list[JSONValue], table: pa.Table, column: str, path: str | None, policy: MaskingPolicy
) -> list[JSONValue]:
    looked_at = may_hide(table, [column], policy)
    if not any(looked_at):
        return values
    return [policy.mask(value, path) if look else value for value, look in zip(values, looked_at, strict=True)]


def may_hide(table: pa.Table, names: Sequence[str], policy: MaskingPolicy) -> list[bool]:
    """Tell for each row whether a policy could hide anything in it, by one quick pass over whole columns of text.

    Parameters
    ----------
    table : pyarrow.Table
        With columns of JSON text, or of names.
    names : sequence of str
        Of these columns; a column that is a place in a document is named by its path.
    policy : MaskingPolicy
        Hides values by their names.

    Returns
    -------
    list of bool
        False where nothing can be hidden, so that nobody need look closer.
    """
    trigger = policy.trigger
    named = trigger is not None and any(re.search(trigger, name, re.IGNORECASE) for name in names)
    if trigger is None or named:
        return [True] * len(table)
    looks = [pc.match_substring_regex(table.column(name), trigger, ignore_case=True) for name in names]
    if not any(pc.any(look).as_py() for look in looks):
        return [False] * len(table)
    return [any(row) for row in zip(*(look.to_pylist() for look in looks), strict=True)]


def decoded(texts: pa.ChunkedArray, ids: pa.ChunkedArray, kind: str, *, trusted: bool = False) -> list[JSONValue]:
    """Read a column of JSON text; what is no JSON is missing, with a warning.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray
        One per row.
    ids : pyarrow.ChunkedArray
        The name of each row, for the warning.
    kind : str
        What a row is: `record` or `variable`.
    trusted : bool, default False
        Whether the database itself wrote the texts, so that each is JSON.

    Returns
    -------
    list of JSON value
    """
    found: list[tuple[int, CorruptValue]] = []
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    values = decode_texts(whole, lambda position, error: found.append((position, error)), trusted=trusted)
    for position, error in found:
        what = f"{kind} {ids[position].as_py()!r}"
        warnings.warn(f"{what} is shown as missing: {error}", DataWarning, stacklevel=3)
    return values


def decoded(texts: pa.ChunkedArray, ids: pa.ChunkedArray, kind: str, *, trusted: bool = False) -> list[JSONValue]:
    """Read a column of JSON text; what is no JSON is missing, with a warning.

    Parameters
    ----------
    texts : pyarrow.ChunkedArray
        One per row.
    ids : pyarrow.ChunkedArray
        The name of each row, for the warning.
    kind : str
        What a row is: `record` or `variable`.
    trusted : bool, default False
        Whether the database itself wrote the texts, so that each is JSON.

    Returns
    -------
    list of JSON value
    """
    found: list[tuple[int, CorruptValue]] = []
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    values = decode_texts(whole, lambda position, error: found.append((position, error)), trusted=trusted)
    for position, error in found:
        what = f"{kind} {ids[position].as_py()!r}"
        warnings.warn(f"{what} is shown as missing: {error}", DataWarning, stacklevel=3)
    return values


@contextmanager
def many_objects() -> Iterator[None]:
    """Keep Python from looking for circles while many documents are read: there are none, and it takes half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
