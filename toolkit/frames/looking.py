"""A quick look at records by whole columns of text: which rows need more than the quick way."""

from __future__ import annotations

import functools
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns
from toolkit.frames.hiding import hidden_where, whole
from toolkit.frames.scalars import scalar_table
from toolkit.jsontexts import DELICATE, delicate
from toolkit.lazy import pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from toolkit.frames.parsing import Parser
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
    seen = _see(table, texts, scalars, view)
    front = _hidden_front(table, seen.front, view)
    parts: list[Unit | Parsed] = []
    at_once = _PARSED_AT_ONCE if columns.DATA in names else max(len(table), 1)
    for start in range(0, len(table), at_once):
        flags = (None if one is None else one.slice(start, at_once) for one in (seen.hiding, seen.delicate))
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """In which rows a document may hide something, or holds a delicate number, and which texts in front may."""

    hiding: pa.Array | None
    delicate: pa.Array | None
    front: dict[str, pa.Array]


def _see(table: pa.Table, texts: dict[str, pa.Array], scalars: pa.Table | None, view: View) -> _Seen:
    """Look once at everything: to make the expression ready takes as long as to look at some thousand documents."""
    # Of single values, a number tells nothing but by its name, and only a number can be delicate.
    telling = [text for name, text in texts.items() if _is_of(scalars, name, pa.string())]
    numbers = [text for name, text in texts.items() if _is_of(scalars, name, pa.float64())]
    policy = view.policy
    if policy is None:
        return _Seen(None, _any(map(delicate, numbers)), {})
    front = _front_texts(table, view)
    by_name = _of_names(table, policy)
    if policy.trigger is None:
        return _Seen(by_name, _any(map(delicate, numbers)), {name: text.is_valid() for name, text in front.items()})
    if scalars is None:
        found = _matching_each([*telling, *front.values()], f"{policy.trigger}|{DELICATE}")
        chosen = found[: len(telling)]
        closely = _any(map(_among, telling, chosen, itertools.repeat(delicate)))
        hiding = _any(map(_among, telling, chosen, itertools.repeat(functools.partial(_matching, policy.trigger))))
    else:
        found = _matching_each([*telling, *front.values()], policy.trigger)
        closely, hiding = _any(map(delicate, numbers)), _any(found[: len(telling)])
    in_front = zip(front, found[len(telling) :], strict=True)
    return _Seen(
        hiding if by_name is None else by_name, closely, {name: flags for name, flags in in_front if flags is not None}
    )


def _front_texts(table: pa.Table, view: View) -> dict[str, pa.Array]:
    names = [name for name in table.column_names if name in FRONT and _is_of(table, name, pa.string())]
    return {name: whole(table.column(name)) for name in names if not view.shows(name)}


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


def _matching(expression: str, texts: pa.Array) -> pa.Array | None:
    found = pc.match_substring_regex(texts, expression, ignore_case=True).fill_null(fill_value=False)
    return found if pc.any(found).as_py() else None


def _matching_each(texts: Sequence[pa.Array], expression: str) -> list[pa.Array | None]:
    """Match columns of the same length in one call."""
    found = _matching(expression, pa.concat_arrays(texts)) if texts else None
    if found is None:
        return [None] * len(texts)
    length = len(texts[0])
    return [found.slice(position * length, length) for position in range(len(texts))]


def _among(texts: pa.Array, chosen: pa.Array | None, tell: Callable[[pa.Array], pa.Array | None]) -> pa.Array | None:
    """Tell of chosen rows; the flags are of all rows."""
    flags = None if chosen is None else tell(texts.filter(chosen))
    return None if flags is None else pc.replace_with_mask(chosen, chosen, flags)


def _hidden_front(table: pa.Table, looked_at: dict[str, pa.Array], view: View) -> pa.Table:
    front = table.select([name for name in table.column_names if name in FRONT])
    for name, flags in looked_at.items():
        if view.policy is not None:
            shown = hidden_where(front.column(name), flags, view.policy.mask_text)
            front = front.set_column(front.column_names.index(name), name, shown)
    return front
