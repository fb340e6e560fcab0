"""Rows with holes: what is secret in them goes, a mask stands in its place, and every such place is written down."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from toolkit import columns, jsonvalue, paths
from toolkit.celltexts import document_texts
from toolkit.errors import InvalidOption
from toolkit.frames.documents import may_hide
from toolkit.frames.hiding import hidden_in_texts
from toolkit.jsontexts import decode_texts, delicate
from toolkit.lazy import pa, pc
from toolkit.masking import HIDDEN
from toolkit.masking.locating import differences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from toolkit.celltexts import Cells
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy

Keys: TypeAlias = "tuple[str | int, ...]"
"""A place in a row: the column, and below it the keys of objects and the numbers of elements."""

_NEAR: Final = 3
_LISTED: Final = 5


class Hole(NamedTuple):
    """A place where a mask stands for a value.

    Parameters
    ----------
    table, row : str
        The table, and what names the row in it.
    keys : tuple of str or int
        The place.
    """

    table: str
    row: str
    keys: Keys

    @property
    def path(self) -> str:
        """The place as people write it: that of a document as in `columns=`, any other begins with its column."""
        first, *below = self.keys
        inside = below and first == columns.DATA and below[0] in columns.PARTS
        text = paths.join([str(below.pop(0)) if inside else str(first)])
        return text + "".join(f"[{key}]" if isinstance(key, int) else f".{paths.segment(key)}" for key in below)

    @property
    def names(self) -> list[str]:
        """What the place may be called when somebody fills it, the most particular first."""
        last = [key for key in self.keys[1:] if isinstance(key, str)][-1:]
        return [self.path, *last, *([self.row] if self.keys == ("value",) else [])]


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the columns of a table hold.

    Attributes
    ----------
    table : str
        Its name.
    row : str
        The column that names a row.
    documents : frozenset of str
        Columns of JSON.
    texts : frozenset of str
        Columns whose names say nothing about what is in them.
    names_values : bool
        Whether `row` is the name of the values: the key of a variable.
    named_by_people : bool
        Whether a secret can stand in `row`.
    """

    table: str
    row: str
    documents: frozenset[str]
    texts: frozenset[str]
    names_values: bool = False
    named_by_people: bool = False


class Holes:
    """Makes holes in rows, part by part.

    Parameters
    ----------
    policy : MaskingPolicy
        Decides.
    values : mapping of str to JSON value
        What is put into holes instead of a mask, by their names.

    Attributes
    ----------
    policy : MaskingPolicy
        Decides; after `look`, with what was found.
    """

    def __init__(self, policy: MaskingPolicy, values: Mapping[str, JSONValue]) -> None:
        self.policy = policy
        self._values = values
        self._filled: set[str] = set()
        self._seen: set[str] = set()
        self._taken: set[str] = set()
        self._made: list[Hole] = []

    # What is secret by its name in one row is removed from all the others, so all are looked at before the first goes.

    def look(self, kinds: Kinds, rows: Mapping[str, Cells]) -> set[str]:
        """Return texts that are secret by their names.

        Parameters
        ----------
        kinds : Kinds
            Of the table.
        rows : mapping of str to Cells
            Some of its rows.

        Returns
        -------
        set of str
        """
        found: set[str] = set()
        for column, cells in rows.items():
            if column in kinds.documents:
                chosen = self._noisy(kinds, rows, column)
                named = self._naming(kinds, rows, column)
                for row, value in zip(chosen, self._values_of(cells, chosen)[0], strict=True):
                    found |= self.policy.sensitive_texts(value, named(row))
            elif column == kinds.row and kinds.named_by_people:
                self._taken.update(text for text in _plain(cells) if HIDDEN in text)
            elif self._is_other(kinds, column) and self._tells(column):
                for value in _plain(cells):
                    found |= self.policy.sensitive_texts(value, column)
        return found

    def make(self, kinds: Kinds, rows: Mapping[str, Cells]) -> dict[str, Cells]:
        """Return rows with their secrets gone.

        Parameters
        ----------
        kinds : Kinds
            Of the table.
        rows : mapping of str to Cells
            Some of its rows.

        Returns
        -------
        dict of str to Cells
        """
        ids = self._ids(kinds, rows)
        made = dict(rows)
        if kinds.named_by_people:
            made[kinds.row] = pa.array(ids, pa.string())
        for column, cells in rows.items():
            if column in kinds.documents:
                made[column] = self._documents(kinds, rows, column, ids)
            elif column in kinds.texts and column != kinds.row:
                made[column] = self._texts(kinds.table, column, cells, ids)
            elif self._is_other(kinds, column):
                made[column] = self._others(kinds.table, column, cells, ids)
        return made

    def taken(self) -> list[Hole]:
        """Return the holes that were made since the last time.

        Returns
        -------
        list of Hole
        """
        made, self._made = self._made, []
        return made

    def check_filled(self) -> None:
        """Refuse values that no hole was named by.

        Raises
        ------
        InvalidOption
        """
        for name in self._values:
            if name not in self._filled:
                near = difflib.get_close_matches(name, self._seen, n=_NEAR)
                some = near or sorted(self._seen)[:_LISTED]
                which = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(some)}"
                raise InvalidOption(
                    f"values= names {self.policy.mask_text(name)!r}, and no hidden place is called that; "
                    + (which if some else "nothing is hidden in this run")
                )

    def _ids(self, kinds: Kinds, rows: Mapping[str, Cells]) -> list[str]:
        found = [str(value) for value in _plain(rows[kinds.row])]
        if not kinds.named_by_people:
            return found
        real = pa.array(found, pa.string())
        shown = hidden_in_texts(real, self.policy.mask_text, self.policy.text_trigger)
        if shown is not real:
            for row in pc.indices_nonzero(pc.not_equal(shown, real)).to_pylist():
                found[row] = self._distinct(shown[row].as_py())
                self._made.append(Hole(kinds.table, found[row], (kinds.row,)))
        return found

    def _distinct(self, masked: str) -> str:
        number, one = 1, masked
        while one in self._taken:
            number += 1
            one = f"{masked} ({number})"
        self._taken.add(one)
        return one

    def _documents(self, kinds: Kinds, rows: Mapping[str, Cells], column: str, ids: Sequence[str]) -> Cells:
        cells = rows[column]
        chosen = self._noisy(kinds, rows, column)
        if not chosen:
            return cells
        named = self._naming(kinds, rows, column)
        values, corrupt = self._values_of(cells, chosen)
        shown, as_they_are = [], {}
        for position, (row, real) in enumerate(zip(chosen, values, strict=True)):
            masked = self.policy.mask(real, named(row))
            if position in corrupt:
                as_they_are[row] = self._plain_text(kinds.table, ids[row], column, real, str(masked))
            else:
                shown.append(real if masked is real else self._dug(kinds.table, ids[row], column, real, masked))
        listed = _plain(cells) if isinstance(cells, pa.Array) else list(cells)
        texts = document_texts(shown, jsonvalue.encode_exact).to_pylist()
        documents = (row for position, row in enumerate(chosen) if position not in corrupt)
        for row, text in [*zip(documents, texts, strict=True), *as_they_are.items()]:
            listed[row] = text
        return listed

    def _plain_text(self, table: str, row: str, column: str, real: str, masked: str) -> str:
        """Take what should be JSON and is not for the text that it is."""
        if masked != real:
            self._made.append(Hole(table, row, (column,)))
        return masked

    @staticmethod
    def _values_of(cells: Cells, chosen: Sequence[int]) -> tuple[list[Any], set[int]]:
        """Read some documents, and tell which of them are no JSON: their values are their texts."""
        texts = _array(cells).take(pa.array(chosen, pa.int64()))
        corrupt: set[int] = set()
        values = decode_texts(texts, delicate(texts), lambda position, _: corrupt.add(position))
        for position in corrupt:
            values[position] = texts[position].as_py()
        return values, corrupt

    def _noisy(self, kinds: Kinds, rows: Mapping[str, Cells], column: str) -> list[int]:
        """Return the rows in whose documents something could be hidden."""
        every = _array(rows[column])
        looked_at = {column: every}
        if kinds.names_values:
            looked_at[kinds.row] = _array(rows[kinds.row])
        flags = may_hide(pa.table(looked_at), list(looked_at), self.policy)
        if not kinds.names_values and column != columns.DATA and self._tells(column):
            flags = [True] * len(every)
        there = every.is_valid().to_pylist()
        return [row for row, (look, some) in enumerate(zip(flags, there, strict=True)) if look and some]

    @staticmethod
    def _naming(kinds: Kinds, rows: Mapping[str, Cells], column: str) -> Callable[[int], str | None]:
        if kinds.names_values:
            keys = _plain(rows[kinds.row])
            return lambda row: keys[row]
        return lambda _: None if column == columns.DATA else column

    def _dug(self, table: str, row: str, column: str, real: Any, masked: Any) -> Any:
        for difference in differences(real, masked, whole=True):
            hole = Hole(table, row, (column, *difference.path))
            name = None if difference.is_name else self._name_of(hole)
            if name is None:
                self._made.append(hole)
            else:
                masked = _put(masked, difference.path, self._values[name])
        return masked

    def _name_of(self, hole: Hole) -> str | None:
        """Return the name of the value that is put into a hole; None when it stays one."""
        if not self._values:
            return None
        called = hole.names
        self._seen.update(called)
        found = next((name for name in called if name in self._values), None)
        if found is not None:
            self._filled.add(found)
        return found

    def _texts(self, table: str, column: str, cells: Cells, ids: Sequence[str]) -> Cells:
        texts = _array(cells)
        shown = hidden_in_texts(texts, self.policy.mask_text, self.policy.text_trigger)
        if shown is texts:
            return cells
        changed = pc.indices_nonzero(pc.not_equal(shown, texts).fill_null(fill_value=False)).to_pylist()
        return self._filled_texts(table, column, shown.to_pylist(), changed, ids)

    def _others(self, table: str, column: str, cells: Cells, ids: Sequence[str]) -> Cells:
        """Hide what is secret in a column of somebody else's, whose name may say so."""
        worth = self._worth(column, cells)
        if not worth:
            return cells
        shown, changed = list(_plain(cells)), []
        for row in worth:
            real = shown[row]
            if real is not None and (masked := self.policy.mask(real, column)) is not real:
                shown[row] = masked
                changed.append(row)
        return self._filled_texts(table, column, shown, changed, ids) if changed else cells

    def _worth(self, column: str, cells: Cells) -> Sequence[int]:
        """Return the rows that must be looked at one by one."""
        if self._tells(column):
            return range(len(cells))
        if isinstance(cells, pa.Array):
            flags = may_hide(pa.table({column: cells}), [column], self.policy)
            return [row for row, look in enumerate(flags) if look]
        return [row for row, value in enumerate(cells) if isinstance(value, str | bytes)]

    def _filled_texts(
        self, table: str, column: str, shown: list[Any], changed: Iterable[int], ids: Sequence[str]
    ) -> list[Any]:
        for row in changed:
            hole = Hole(table, ids[row], (column,))
            name = self._name_of(hole)
            if name is None:
                self._made.append(hole)
            elif isinstance(self._values[name], str):
                shown[row] = self._values[name]
            else:
                raise InvalidOption(f"values={{{name!r}: …}} fills {hole.path}, a column of text: give text")
        return shown

    def _is_other(self, kinds: Kinds, column: str) -> bool:
        known = (kinds.row, columns.WORKFLOW_ID, *columns.TIME_COLUMNS, *kinds.documents, *kinds.texts)
        return column not in known

    def _tells(self, name: str) -> bool:
        """Tell whether a name may be that of a secret."""
        trigger = self.policy.trigger
        return trigger is None or re.search(trigger, name, re.IGNORECASE) is not None


def _plain(cells: Cells) -> list[Any]:
    return cells if isinstance(cells, list) else cells.to_pylist()


def _array(cells: Cells) -> pa.Array:
    return pa.array(cells, pa.string()) if isinstance(cells, list) else cells


def _put(value: Any, path: Keys, new: Any) -> Any:
    """Return a value with another one at a place; what lies on the way was made anew by the mask."""
    if not path:
        return new
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return value
