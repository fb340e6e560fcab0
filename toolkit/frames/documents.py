"""The documents of records: read exactly, and masked before anything is made of them."""

from __future__ import annotations

import functools
import gc
import json
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, paths
from toolkit.errors import DataWarning
from toolkit.frames.hiding import hidden_where, revealed_in, whole
from toolkit.frames.scalars import scalar_table
from toolkit.jsontexts import DELICATE, decode_texts, delicate
from toolkit.lazy import pa, pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
    """Some thousand records, and which of their documents need more than the quick way.

    Attributes
    ----------
    table : pyarrow.Table
        As the storage gives it.
    hiding : pyarrow.Array or None
        In which rows something in the documents could be hidden; None for none.
    delicate : pyarrow.Array or None
        In which rows a number needs the exact reader.
    """

    table: pa.Table
    hiding: pa.Array | None
    delicate: pa.Array | None

    def objects(self, rows: pa.Array | None = None) -> pa.Array:
        """Return one JSON object for each record: the document, or one with a member for each place.

        Parameters
        ----------
        rows : pyarrow.Array, optional
            Which records; all when left out.

        Returns
        -------
        pyarrow.Array
            Of type `string`.
        """
        table = self.table if rows is None else self.table.take(rows)
        names = document_columns(table)
        if columns.DATA in names:
            return whole(table.column(columns.DATA))
        pieces: list[Any] = []
        for position, name in enumerate(names):
            value = whole(table.column(name)).fill_null("null")
            pieces += ["{" if position == 0 else ",", f"{json.dumps(name)}:", value]
        return pc.binary_join_element_wise(*pieces, "}", "")

    def pieces(self) -> Iterator[Unit]:
        """Return the same records, as many at a time as are decoded at once.

        Yields
        ------
        Unit
        """
        at_once = _DECODED_AT_ONCE if columns.DATA in self.table.column_names else max(len(self.table), 1)
        for start in range(0, len(self.table), at_once):
            flags = (None if one is None else one.slice(start, at_once) for one in (self.hiding, self.delicate))
            yield Unit(self.table.slice(start, at_once), *flags)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Some thousand records whose documents are columns already, nearly exact.

    Attributes
    ----------
    unit : Unit
        The records.
    made : pyarrow.Table
        One column for each key of the documents, or for each place that was read alone.
    """

    unit: Unit
    made: pa.Table


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
    names = document_columns(table)
    texts = {name: whole(table.column(name)) for name in names}
    scalars = None if columns.DATA in names or not names or parser is None else scalar_table(texts)
    hiding, closely, in_front = _looks(table, texts, scalars, view)
    front = _hidden_front(table, in_front, view)
    parts: list[Unit | Parsed] = []
    at_once = _PARSED_AT_ONCE if columns.DATA in names else max(len(table), 1)
    for start in range(0, len(table), at_once):
        flags = (None if one is None else one.slice(start, at_once) for one in (hiding, closely))
        unit = Unit(table.slice(start, at_once), *flags)
        made = parser.parse(unit.objects()) if parser is not None and names and scalars is None else scalars
        parts.append(unit if made is None else Parsed(unit, made))
    return Looked(table, front, tuple(parts))


def document_columns(table: pa.Table) -> list[str]:
    """Return the columns of a table that hold JSON text: `data`, or places that were read alone.

    Parameters
    ----------
    table : pyarrow.Table
        As the storage gives it.

    Returns
    -------
    list of str
    """
    return [name for name in table.column_names if name not in FRONT and name != ORDER]


def _looks(
    table: pa.Table, texts: dict[str, pa.Array], scalars: pa.Table | None, view: View
) -> tuple[pa.Array | None, pa.Array | None, dict[str, pa.Array]]:
    """Tell in which rows a document could hide something, in which one holds a delicate number, and likewise in front.

    One look for all, because to make the expression ready takes as long as to look at some thousand documents.
    """
    policy = view.policy
    may_be_delicate = [text for name, text in texts.items() if _is_of(scalars, name, pa.float64())]
    if policy is None:
        return None, _any(map(delicate, may_be_delicate)), {}
    names = [name for name in table.column_names if name in FRONT and _is_of(table, name, pa.string())]
    front = {name: whole(table.column(name)) for name in names if not view.shows(name)}
    everywhere = _of_names(table, policy)
    if policy.trigger is None:
        shown = {name: column.is_valid() for name, column in front.items()}
        return everywhere, _any(map(delicate, may_be_delicate)), shown
    # A number tells nothing but by its name.
    telling = [text for name, text in texts.items() if _is_of(scalars, name, pa.string())]
    together = pa.concat_arrays([*telling, *front.values(), pa.array([], pa.string())])
    closely = None if scalars is None else _any(map(delicate, may_be_delicate))
    either = _matching(together, policy.trigger if scalars is not None else f"{policy.trigger}|{DELICATE}")
    if either is None:
        return everywhere, closely, {}
    found = [either.slice(start, len(table)) for start in range(0, len(either), max(len(table), 1))]
    some = [(flags, text.filter(flags)) for flags, text in zip(found, telling, strict=False)]
    if scalars is None:
        closely = _any(_in_all(flags, delicate(text)) for flags, text in some)
    if everywhere is None:
        everywhere = _any(_in_all(flags, _matching(text, policy.trigger)) for flags, text in some)
    return everywhere, closely, dict(zip(front, found[len(telling) :], strict=True))


def _is_of(table: pa.Table | None, name: str, kind: pa.DataType) -> bool:
    return table is None or bool(table.schema.field(name).type == kind)


def _any(flags: Iterable[pa.Array | None]) -> pa.Array | None:
    found = [one for one in flags if one is not None]
    return functools.reduce(pc.or_kleene, found).fill_null(fill_value=False) if found else None


def _of_names(table: pa.Table, policy: MaskingPolicy) -> pa.Array | None:
    """Return every row when nobody can say by a look, or a place is named by a path that may be that of a secret."""
    places = (name for name in document_columns(table) if name != columns.DATA)
    told = policy.trigger is None or any(re.search(policy.trigger, name, re.IGNORECASE) for name in places)
    return pa.repeat(pa.scalar(value=True), len(table)) if told else None


def _matching(texts: pa.Array, expression: str) -> pa.Array | None:
    found = pc.match_substring_regex(texts, expression, ignore_case=True).fill_null(fill_value=False)
    return found if pc.any(found).as_py() else None


def _in_all(chosen: pa.Array, flags: pa.Array | None) -> pa.Array | None:
    """Return flags of chosen rows as flags of all rows."""
    return None if flags is None else pc.replace_with_mask(chosen, chosen, flags)


def _hidden_front(table: pa.Table, looked_at: dict[str, pa.Array], view: View) -> pa.Table:
    front = table.select([name for name in table.column_names if name in FRONT])
    for name, flags in looked_at.items():
        if view.policy is not None:
            shown = hidden_where(front.column(name), flags, view.policy.mask_text)
            front = front.set_column(front.column_names.index(name), name, shown)
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
