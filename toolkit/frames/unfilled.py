"""Rows of a snapshot on their way into a database: a mask is no value, so the places that hold one are left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from toolkit import jsonvalue
from toolkit.frames.holes import Hole, Kinds
from toolkit.lazy import pa, pc
from toolkit.masking import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.celltexts import Cells

    StandIns = Mapping[str, Callable[[str], Any]]

# PostgreSQL reads a number with an exponent as an integer, where it is one.
_EXPONENT: Final = r"[0-9][eE][+-]?[0-9]"


def without_holes(
    kinds: Kinds, rows: Mapping[str, Cells], holes: Cells, instead: StandIns
) -> tuple[dict[str, Cells], list[Hole]]:
    """Leave the hidden places of rows out.

    Parameters
    ----------
    kinds : Kinds
        Of the table.
    rows : mapping of str to Cells
        Some of its rows.
    holes : Cells
        For each row the places that are hidden in it, as a JSON array; null for none.
    instead : mapping of str to callable
        For columns that must hold something: from the row's name to what they hold.

    Returns
    -------
    dict of str to Cells
        Without rows whose own name, or only value, is hidden.
    list of Hole
        What was left out. A place that holds no mask any more is no hole.
    """
    listed = _plain(holes)
    if not any(listed):
        return dict(rows), []
    values = {column: list(_plain(cells)) for column, cells in rows.items()}
    left: list[Hole] = []
    gone: set[int] = set()
    for row, text in enumerate(listed):
        if text is not None:
            found = _Row(kinds, {column: cells[row] for column, cells in values.items()})
            left += found.without(json.loads(text), instead)
            gone |= {row} if found.gone else set()
            for column, value in found.changed.items():
                values[column][row] = value
    keep = [row not in gone for row in range(len(listed))]
    return {
        column: [one for one, stays in zip(cells, keep, strict=True) if stays] for column, cells in values.items()
    }, left


class _Row:
    """One row that has holes."""

    def __init__(self, kinds: Kinds, values: Mapping[str, Any]) -> None:
        self._kinds = kinds
        self._values = values
        self._name = str(values[kinds.row])
        self._documents: dict[str, Any] = {}
        self.changed: dict[str, Any] = {}
        self.gone = False

    def without(self, places: Sequence[Sequence[str | int]], instead: StandIns) -> list[Hole]:
        left = [Hole(self._kinds.table, self._name, tuple(keys)) for keys in places if self._leaves_out(keys, instead)]
        self.changed |= {column: jsonvalue.encode_exact(value) for column, value in self._documents.items()}
        return left

    def _leaves_out(self, keys: Sequence[str | int], instead: StandIns) -> bool:
        column, *below = keys
        value = self._values.get(str(column))
        if not isinstance(value, str) or HIDDEN not in value:
            return False
        if below:
            return self._cut(str(column), value, below)
        if column == self._kinds.row or (self._kinds.names_values and column in self._kinds.documents):
            self.gone = True
        else:
            self.changed[str(column)] = instead[str(column)](self._name) if column in instead else None
        return True

    def _cut(self, column: str, text: str, below: Sequence[str | int]) -> bool:
        if column not in self._documents:
            self._documents[column] = jsonvalue.decode(text, exact=True)
        at: Any = self._documents[column]
        for key in below[:-1]:
            at = _member(at, key)
        last = below[-1]
        value = _member(at, last)
        if not (isinstance(value, str) and HIDDEN in value) and not (isinstance(last, str) and HIDDEN in last):
            return False
        if isinstance(at, dict) and last in at:
            del at[last]
            return True
        if isinstance(at, list) and isinstance(last, int):
            # The others keep their places.
            at[last] = None
            return True
        return False


def _member(container: Any, key: str | int) -> Any:
    if isinstance(container, dict):
        return container.get(key)
    return container[key] if isinstance(container, list) and isinstance(key, int) and key < len(container) else None


def for_server(kinds: Kinds, rows: Mapping[str, Cells]) -> dict[str, Cells]:
    """Write numbers so that PostgreSQL gives each back as the kind of number that it is.

    Parameters
    ----------
    kinds : Kinds
        Of the table.
    rows : mapping of str to Cells
        Some of its rows, as SQLite had them.

    Returns
    -------
    dict of str to Cells
    """
    made = dict(rows)
    for column in kinds.documents & made.keys():
        texts = pa.array(_plain(made[column]), pa.string())
        flags = pc.match_substring_regex(texts, _EXPONENT).fill_null(fill_value=False)
        if pc.any(flags).as_py():
            again = [jsonvalue.encode_exact(jsonvalue.decode(text)) for text in texts.filter(flags).to_pylist()]
            texts = pc.replace_with_mask(texts, flags, pa.array(again, pa.string()))
        made[column] = texts
    return made


def _plain(cells: Cells) -> list[Any]:
    return cells if isinstance(cells, list) else cells.to_pylist()
