"""Columns that Arrow's parser made, turned into what the exact reader would have said.

The parser changes some values without a word. What it may have changed is told by what it made, and read again:

- a null and a missing key are both null, and an empty object is one whose members all are;
- integers beside other numbers become doubles, as do integers of more than 64 bits and numbers of any length;
- a null in an array is dropped, and objects in an array gain each other's keys.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns, paths
from toolkit.frames.flat import MISSING, Piece, flatten_place, leaf, split
from toolkit.frames.kinds import NOTHING, kinds_of_integers
from toolkit.jsontexts import decode_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from toolkit.errors import CorruptValue
    from toolkit.frames.looking import Unit
    from toolkit.jsonvalue import JSONValue

_TEXT: Final = frozenset({"text"})
_BOOLEAN: Final = frozenset({"boolean"})
_NUMBER: Final = frozenset({"number"})
_OTHER: Final = frozenset({"other"})
_ESCAPED: Final = "\\u"


class NotThisWay(Exception):
    """Documents that only the exact reader can lay out."""


class Exact:
    """Documents, of which some are needed as the exact reader gives them; each is read once.

    Parameters
    ----------
    unit : Unit
        Records.
    """

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._known: dict[int, JSONValue] = {}

    @property
    def delicate(self) -> pa.Array | None:
        """In which rows a number may not be what was written."""
        return self._unit.delicate

    def texts(self, rows: Sequence[int]) -> pa.Array:
        """Return the JSON objects of some records.

        Parameters
        ----------
        rows : sequence of int
            Which.

        Returns
        -------
        pyarrow.Array
            Of type `string`.
        """
        return self._unit.objects(pa.array(rows, pa.int64()))

    def at(self, rows: Sequence[int], keys: Sequence[str]) -> list[Any]:
        """Return what documents hold at one place.

        Parameters
        ----------
        rows : sequence of int
            Which documents.
        keys : sequence of str
            The place, from the top.

        Returns
        -------
        list of JSON value
            `MISSING` where a document has no such place.

        Raises
        ------
        NotThisWay
            When one of them is no JSON.
        """
        self._read([row for row in rows if row not in self._known])
        return [_found(self._known[row], keys) for row in rows]

    def everywhere(self, keys: Sequence[str]) -> list[Any]:
        """Return what all the documents hold at one place; see `at`.

        Parameters
        ----------
        keys : sequence of str
            The place.

        Returns
        -------
        list of JSON value
        """
        return self.at(range(len(self._unit.table)), keys)

    def _read(self, rows: list[int]) -> None:
        if rows:
            closely = None if self.delicate is None else self.delicate.take(pa.array(rows, pa.int64()))
            self._known.update(zip(rows, decode_texts(self.texts(rows), closely, _refuse), strict=True))


def _refuse(_position: int, _error: CorruptValue) -> None:
    raise NotThisWay


def _found(document: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if type(document) is not dict or key not in document:
            return MISSING
        document = document[key]
    return document


def pieces_of(table: pa.Table, exact: Exact, *, of_places: bool = False, history: bool = False) -> dict[str, Piece]:
    """Lay out in columns what Arrow's parser made of documents.

    Parameters
    ----------
    table : pyarrow.Table
        One row per document, one column per key.
    exact : Exact
        The same documents.
    of_places : bool, default False
        Whether the keys are the paths of places already, instead of those of documents.
    history : bool, default False
        Whether `history` is a column.

    Returns
    -------
    dict of str to Piece
        By path, as `toolkit.frames.flat.flatten` gives them.

    Raises
    ------
    NotThisWay
        When only the exact reader can lay them out.
    """
    if not all(map(_is_finite, table.columns)):
        raise NotThisWay
    everywhere = pa.repeat(pa.scalar(value=True), len(table))
    waiting: list[tuple[str, tuple[str, ...], pa.Array, pa.Array]] = []
    for key, column in zip(table.column_names, table.columns, strict=True):
        name = key if of_places or key in columns.PARTS else f"{columns.DATA}.{paths.segment(key)}"
        if name != columns.HISTORY or history:
            waiting.append((name, (key,), column.chunk(0), everywhere))
    pieces: dict[str, Piece] = {}
    while waiting:
        name, keys, column, above = waiting.pop()
        if name == columns.HISTORY or not pa.types.is_struct(column.type):
            pieces |= _leaves(name, keys, column, exact)
            continue
        pieces |= _beside_objects(name, keys, column, above, exact)
        inside = column.is_valid()
        for field, member in zip(column.type, column.flatten(), strict=True):
            waiting.append((f"{name}.{paths.segment(field.name)}", (*keys, field.name), member, inside))
    return pieces


def _is_finite(column: pa.ChunkedArray) -> bool:
    """Tell whether all is well with the numbers: the parser reads `NaN` and `Infinity`, which are no JSON."""
    waiting = list(column.chunks)
    while waiting:
        array = waiting.pop()
        if pa.types.is_struct(array.type):
            waiting += array.flatten()
        elif pa.types.is_list(array.type):
            waiting.append(array.values)
        elif pa.types.is_floating(array.type) and pc.all(pc.is_finite(array)).as_py() is False:
            return False
    return True


def _beside_objects(
    name: str, keys: tuple[str, ...], column: pa.Array, above: pa.Array, exact: Exact
) -> dict[str, Piece]:
    """Return what stands at a place in documents that hold no object there, or an empty one."""
    objects = column.is_valid()
    unclear = pc.and_not(above, objects)
    if name not in columns.PARTS:
        # An empty part says nothing, anywhere else an empty object is a value.
        members = [member.is_valid() for member in column.flatten()]
        some = functools.reduce(pc.or_, members) if members else pa.repeat(pa.scalar(value=False), len(column))
        unclear = pc.or_(unclear, pc.and_not(objects, some))
    rows = _that_mention(keys[-1], _nonzero(unclear), exact)
    _, own = split(name, exact.at(rows, keys), MISSING) if rows else ((), None)
    return {} if own is None else {name: _spread(leaf(*own), rows, len(column))}


def _nonzero(flags: pa.Array) -> list[int]:
    found: list[int] = pc.indices_nonzero(flags).to_pylist()
    return found


def _that_mention(key: str, rows: list[int], exact: Exact) -> list[int]:
    """Leave out documents in whose text a key does not stand at all: they do not have it, quite surely."""
    if not rows or not (key.isascii() and key.isprintable()) or '"' in key or "\\" in key:
        return rows
    chosen = exact.texts(rows)
    mentioned = pc.or_(pc.match_substring(chosen, f'"{key}"'), pc.match_substring(chosen, _ESCAPED))
    return [row for row, kept in zip(rows, mentioned.to_pylist(), strict=True) if kept]


def _spread(piece: Piece, rows: Sequence[int], length: int) -> Piece:
    if isinstance(piece.cells, pa.Array):
        # Nothing but nulls: objects stand in the other rows.
        return Piece(piece.kinds, pa.nulls(length))
    cells: list[Any] = [None] * length
    for row, value in zip(rows, piece.cells, strict=True):
        cells[row] = value
    return Piece(piece.kinds, cells)


def _leaves(name: str, keys: tuple[str, ...], column: pa.Array, exact: Exact) -> dict[str, Piece]:
    if name != columns.HISTORY:
        kind = column.type
        if column.null_count == len(column):
            return {name: Piece(NOTHING, pa.nulls(len(column)))}
        if pa.types.is_string(kind) or pa.types.is_boolean(kind):
            return {name: Piece(_TEXT if pa.types.is_string(kind) else _BOOLEAN, column)}
        if pa.types.is_int64(kind):
            return {name: Piece(kinds_of_integers(column), column)}
        if pa.types.is_floating(kind):
            return {name: _numbers(keys, column, exact)}
        if pa.types.is_list(kind) and (piece := _arrays(column)) is not None:
            return {name: piece}
    return flatten_place(name, exact.everywhere(keys))


def _numbers(keys: tuple[str, ...], column: pa.Array, exact: Exact) -> Piece:
    """Return numbers of which some may have been written as integers, or longer."""
    unclear = pc.equal(pc.floor(column), column)
    if exact.delicate is not None:
        unclear = pc.or_(unclear, exact.delicate)
    rows = _nonzero(pc.and_(unclear.fill_null(fill_value=False), column.is_valid()))
    values = exact.at(rows, keys)
    if all(type(value) is float for value in values):
        return Piece(_NUMBER, column)
    cells = column.to_pylist()
    for row, value in zip(rows, values, strict=True):
        cells[row] = value
    return leaf(cells, set(map(type, cells)))


def _arrays(column: pa.Array) -> Piece | None:
    """Return arrays of texts, of integers or of booleans; None for others, and where one holds a null."""
    values = column.values
    simple = pa.types.is_string(values.type) or pa.types.is_int64(values.type) or pa.types.is_boolean(values.type)
    ends = column.offsets.to_numpy()
    if ends[-1] != len(values) or values.null_count or not (simple or not len(values)):
        return None
    flat = values.to_numpy(zero_copy_only=False).tolist() if len(values) else []
    cells = list(_cut(flat, ends, column.is_valid()))
    return Piece(_OTHER, cells)


def _cut(flat: list[Any], ends: np.ndarray[Any, Any], there: pa.Array) -> Iterator[list[Any] | None]:
    places = ends.tolist()
    valid = there.to_pylist()
    for start, end, some in zip(places, places[1:], valid, strict=False):
        yield flat[start:end] if some else None
