"""The documents of records: read exactly, and masked before anything is made of them."""

from __future__ import annotations

import gc
import json
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns, paths
from toolkit.errors import DataWarning
from toolkit.frames.hiding import hidden_in_texts, revealed_in, whole
from toolkit.jsontexts import DELICATE, decode_texts, delicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.errors import CorruptValue
    from toolkit.frames.parsing import Parser
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy, View

FRONT: Final = frozenset({columns.WORKFLOW_ID, *columns.RECORD_COLUMNS})
"""Columns that are no document."""

_PARSED_AT_ONCE: Final = 4_000
"""Documents parsed at a time, so that few rows are concerned where keys differ from row to row."""
_DECODED_AT_ONCE: Final = 1_000
"""Documents decoded at a time: as Python objects they stay in the processor's cache until they are columns. Places are
columns already."""

ORDER: Final = "order"
"""The column of a table whose rows are still to be put in order: what they are sorted by before the record id."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Some hundred records, and which of their documents need more than the quick way.

    Attributes
    ----------
    table : pyarrow.Table
        As the storage gives it.
    hiding : dict of str to (pyarrow.Array or None)
        For each column of JSON text, in which rows something could be hidden; None for none.
    delicate : dict of str to (pyarrow.Array or None)
        Likewise, in which rows a number needs the exact reader.
    """

    table: pa.Table
    hiding: dict[str, pa.Array | None]
    delicate: dict[str, pa.Array | None]


@dataclass(frozen=True, slots=True)
class Parsed:
    """Some thousand records whose documents are columns already, nearly exact.

    Attributes
    ----------
    source : pyarrow.Table
        The records, as the storage gives them.
    texts : pyarrow.Array
        One JSON object for each; where places were read alone, of these.
    table : pyarrow.Table
        What Arrow's parser made of them.
    hiding : pyarrow.Array or None
        In which rows something could be hidden; None for none.
    delicate : pyarrow.Array or None
        In which rows a number may not be what was written.
    """

    source: pa.Table
    texts: pa.Array
    table: pa.Table
    hiding: pa.Array | None
    delicate: pa.Array | None


@dataclass(frozen=True, slots=True)
class Looked:
    """Records that were looked at by whole columns of text.

    Attributes
    ----------
    table : pyarrow.Table
        As the storage gives it.
    front : pyarrow.Table
        The columns of it that are no document, with what is secret in their texts hidden.
    parts : tuple of Unit or Parsed
        All of its rows, in order.
    """

    table: pa.Table
    front: pa.Table
    parts: tuple[Unit | Parsed, ...]


def look(table: pa.Table, view: View, parser: Parser | None = None) -> Looked:
    """Look at whole columns of text, which is quick, to find the rows that must be looked at one by one.

    Parameters
    ----------
    table : pyarrow.Table
        As the storage gives it.
    view : View
        What is hidden.
    parser : Parser, optional
        Makes columns of documents, where it can.

    Returns
    -------
    Looked
    """
    front = _hidden_front(table.select([name for name in table.column_names if name in FRONT]), view)
    texts = None if parser is None else _objects(table)
    if parser is None or texts is None:
        return Looked(table, front, tuple(units(table, view)))
    return Looked(table, front, tuple(_parsed(table, texts, view, parser)))


def _parsed(table: pa.Table, texts: pa.Array, view: View, parser: Parser) -> Iterator[Unit | Parsed]:
    hiding, closely = _looked_at(texts, document_columns(table), view.policy)
    for start in range(0, len(table), _PARSED_AT_ONCE):
        part, some = table.slice(start, _PARSED_AT_ONCE), texts.slice(start, _PARSED_AT_ONCE)
        made = parser.parse(some)
        if made is None:
            yield from units(part, view)
            continue
        flags = (None if one is None else one.slice(start, _PARSED_AT_ONCE) for one in (hiding, closely))
        yield Parsed(part, some, made, *flags)


def units(table: pa.Table, view: View) -> Iterator[Unit]:
    """Return records with what a look at their texts tells, a few at a time.

    Parameters
    ----------
    table : pyarrow.Table
        As the storage gives it.
    view : View
        What is hidden.

    Yields
    ------
    Unit
    """
    names = document_columns(table)
    at_once = _DECODED_AT_ONCE if columns.DATA in names else max(len(table), 1)
    for start in range(0, len(table), at_once):
        part = table.slice(start, at_once)
        looks = {name: _looked_at(whole(part.column(name)), [name], view.policy) for name in names}
        hiding, closely = ({name: look[which] for name, look in looks.items()} for which in (0, 1))
        yield Unit(part, hiding, closely)


def document_columns(table: pa.Table) -> list[str]:
    """Return the columns of a table that hold JSON text: `data`, or places that were read alone."""
    return [name for name in table.column_names if name not in FRONT and name != ORDER]


def _objects(table: pa.Table) -> pa.Array | None:
    """Return one JSON object for each record: the document, or one with a member for each place that was read alone."""
    names = document_columns(table)
    if columns.DATA in names or not names:
        return whole(table.column(columns.DATA)) if names else None
    pieces: list[Any] = []
    for position, name in enumerate(names):
        pieces += ["{" if position == 0 else ",", f"{json.dumps(name)}:", whole(table.column(name)).fill_null("null")]
    return pc.binary_join_element_wise(*pieces, "}", "")


def _looked_at(
    texts: pa.Array, names: Sequence[str], policy: MaskingPolicy | None
) -> tuple[pa.Array | None, pa.Array | None]:
    if policy is None:
        return None, delicate(texts)
    trigger = policy.trigger
    if trigger is None or any(re.search(trigger, name, re.IGNORECASE) for name in names):
        # A place is named by its path, which may be that of a secret.
        return pa.array([True] * len(texts), pa.bool_()), delicate(texts)
    # Most texts need neither, which one look tells.
    either = pc.match_substring_regex(texts, f"{trigger}|{DELICATE}", ignore_case=True).fill_null(fill_value=False)
    if not pc.any(either).as_py():
        return None, None
    some = texts.filter(either)
    return _in_all(either, _may_hide(some, policy)), _in_all(either, delicate(some))


def _in_all(chosen: pa.Array, flags: pa.Array | None) -> pa.Array | None:
    """Return flags of chosen rows as flags of all rows."""
    return None if flags is None else pc.replace_with_mask(chosen, chosen, flags)


def _hidden_front(front: pa.Table, view: View) -> pa.Table:
    if view.policy is None:
        return front
    trigger = view.policy.text_trigger
    for position, (name, column) in enumerate(zip(front.column_names, front.columns, strict=True)):
        if column.type == pa.string() and not view.shows(name):
            front = front.set_column(position, name, hidden_in_texts(column, view.policy.mask_text, trigger))
    return front


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
    values = _decoded_column(records, columns.DATA, trusted=False)
    if not history:
        for value in values:
            if type(value) is dict:
                value.pop(columns.HISTORY, None)
    return _masked(values, records.hiding[columns.DATA], None, view, found)


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
    return _masked(_decoded_column(records, name, trusted=True), records.hiding[name], name, view, found)


def _decoded_column(records: Unit, name: str, *, trusted: bool) -> list[JSONValue]:
    ids = records.table.column("record_id")
    return _decoded(records.table.column(name), records.delicate[name], ids, "record", trusted=trusted)


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
    return _decoded(texts, delicate(whole(texts)), ids, kind, trusted=False)


def _decoded(
    texts: pa.ChunkedArray, closely: pa.Array | None, ids: pa.ChunkedArray, kind: str, *, trusted: bool
) -> list[JSONValue]:
    found: list[tuple[int, CorruptValue]] = []
    values = decode_texts(whole(texts), closely, lambda *problem: found.append(problem), trusted=trusted)
    for position, error in found:
        what = f"{kind} {ids[position].as_py()!r}"
        warnings.warn(f"{what} is shown as missing: {error}", DataWarning, stacklevel=3)
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
