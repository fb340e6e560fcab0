"""Documents laid out in columns, some hundred at a time: lossless, and no two places share a column.

The work goes by columns wherever documents have the same keys, which they nearly always have: what costs time is a step
of Python for each value, so there is none where a whole column can be moved at once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa

from toolkit import columns, paths
from toolkit.frames.kinds import NOTHING, arrow_type, kinds_of, kinds_of_integers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from toolkit.jsonvalue import JSONValue

_ORDER: Final = (columns.FIELDS, columns.VARS, columns.TARGETS, columns.DATA, columns.HISTORY)
_ARROW: Final = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
_KIND: Final = {str: frozenset({"text"}), bool: frozenset({"boolean"}), float: frozenset({"number"})}
_SPARSE: Final = 4
"""A level of documents is sparse when that many of its cells are empty for each one that is not."""


class _Missing:
    """Stands where a document has no such key, which is not the same as a null."""

    __slots__ = ()


MISSING: Final = _Missing()
"""What `flatten_place` is given for a document that has no such place."""
_NO_OBJECT: Final[dict[str, Any]] = {}
_Objects: TypeAlias = "Sequence[dict[str, Any]]"


@dataclass(frozen=True, slots=True)
class Piece:
    """The values of one column in some documents.

    Attributes
    ----------
    kinds : frozenset of str
        What decides about the dtype; see `kinds_of`.
    cells : pyarrow.Array or list
        One per document; nulls or None where it holds nothing there.
    """

    kinds: frozenset[str]
    cells: pa.Array | list[Any]


def flatten(documents: Sequence[JSONValue], *, history: bool = False) -> dict[str, Piece]:
    """Lay documents out in columns.

    Parameters
    ----------
    documents : sequence of JSON value
        Some hundred at a time, so that what is made of them on the way stays small.
    history : bool, default False
        Whether `history` is a column.

    Returns
    -------
    dict of str to Piece
        By path: one for every place at which a document holds something other than a non-empty object.
    """
    pieces: dict[str, Piece] = {}
    objects, whole = split(columns.DATA, documents, None)
    if whole is not None and any(value is not None for value in whole[0]):
        pieces[columns.DATA] = leaf(*whole)
    for key, values in _members(objects) if objects else ():
        name = key if key in columns.PARTS else f"{columns.DATA}.{paths.segment(key)}"
        if name != columns.HISTORY or history:
            pieces |= flatten_place(name, values)
    return pieces


def flatten_place(name: str, values: Sequence[Any]) -> dict[str, Piece]:
    """Lay out in columns what documents hold at one place.

    Parameters
    ----------
    name : str
        The path of the place.
    values : sequence of JSON value
        One per document.

    Returns
    -------
    dict of str to Piece
        By path, as `flatten` gives them.
    """
    pieces: dict[str, Piece] = {}
    waiting = [(name, values)]
    while waiting:
        name, values = waiting.pop()
        objects, leaves = split(name, values, MISSING)
        if leaves is not None:
            pieces[name] = leaf(*leaves)
        if objects:
            waiting += [(f"{name}.{paths.segment(key)}", below) for key, below in _members(objects)]
    return pieces


def order(name: str) -> tuple[int, str]:
    """Return what columns of documents are sorted by: their part, and then code point.

    Parameters
    ----------
    name : str
        A path.

    Returns
    -------
    tuple
    """
    return _ORDER.index(name.partition(".")[0]), name


def _members(objects: _Objects) -> Iterable[tuple[str, Sequence[Any]]]:
    """Return the members of objects, column by column."""
    first = next(filter(None, objects))
    if set(map(len, objects)) == {len(first)} and len(first) > 1:
        try:
            # As many keys, and none of these missing: the same keys.
            return zip(first, zip(*map(itemgetter(*first), objects), strict=True), strict=True)
        except KeyError:
            pass
    keys = dict.fromkeys(itertools.chain.from_iterable(objects))
    if len(keys) * len(objects) > _SPARSE * sum(map(len, objects)):
        return _scattered(objects)
    return ((key, [one.get(key, MISSING) for one in objects]) for key in keys)


def _scattered(objects: _Objects) -> Iterator[tuple[str, list[Any]]]:
    """Return the members of objects that have few keys in common, with a step for each member that is there."""
    found: dict[str, tuple[list[int], list[Any]]] = {}
    for row, one in enumerate(objects):
        for key, value in one.items():
            rows, values = found.setdefault(key, ([], []))
            rows.append(row)
            values.append(value)
    for key, (rows, values) in found.items():
        spread: list[Any] = [MISSING] * len(objects)
        for row, value in zip(rows, values, strict=True):
            spread[row] = value
        yield key, spread


def split(name: str, values: Sequence[Any], missing: Any) -> tuple[_Objects, tuple[Sequence[Any], set[type]] | None]:
    """Part a column into the objects to look into, and what is a value of its own; an empty object is one.

    Parameters
    ----------
    name : str
        The path of the place.
    values : sequence of JSON value
        One per document.
    missing : object
        What stands for a document that has no such place.

    Returns
    -------
    sequence of dict
        One per document, empty where there is none to look into; none at all when there are none.
    tuple or None
        The values and their types, as `leaf` takes them; None when there are only objects.
    """
    types = set(map(type, values))
    objects: _Objects = ()
    if dict in types:
        if name == columns.HISTORY:
            values = [missing if value == _NO_OBJECT else value for value in values]
        elif types == {dict} and all(values):
            return values, None
        else:
            objects = [value if type(value) is dict else _NO_OBJECT for value in values]
            objects = objects if any(objects) else ()
            # An empty part says nothing: every record that the engine makes has all four; nor does an empty document.
            empty = missing if name in columns.PARTS or missing is None else _NO_OBJECT
            values = [value if type(value) is not dict else missing if value else empty for value in values]
        types = set(map(type, values))
    if _Missing in types:
        if len(types) == 1:
            return objects, None
        values = [None if value is MISSING else value for value in values]
        types = types - {_Missing} | {type(None)}
    return objects, (values, types)


def leaf(values: Sequence[Any], types: set[type]) -> Piece:
    """Make the piece of a column of values that are no objects to look into.

    Parameters
    ----------
    values : sequence of JSON value
        One per document; None where it holds nothing there.
    types : set of type
        Of the values.

    Returns
    -------
    Piece
    """
    kinds = types - {type(None)}
    if not kinds:
        return Piece(NOTHING, pa.nulls(len(values)))
    single = next(iter(kinds)) if len(kinds) == 1 else None
    if single is int:
        try:
            integers = pa.array(values, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            return Piece(kinds_of(values, types), list(values))
        return Piece(kinds_of_integers(integers), integers)
    if single in _KIND:
        return Piece(_KIND[single], pa.array(values, _ARROW[single]))
    return Piece(kinds_of(values, types), list(values))


class Layout:
    """Which columns documents have, and of which type: known when all of them were seen.

    Parameters
    ----------
    kinds : mapping of str to frozenset of str, optional
        What is known already.
    """

    def __init__(self, kinds: Mapping[str, frozenset[str]] | None = None) -> None:
        self._kinds: dict[str, frozenset[str]] = dict(kinds or {})

    def add(self, pieces: Mapping[str, Piece]) -> None:
        """Take columns of some documents into account.

        Parameters
        ----------
        pieces : mapping of str to Piece
            As `flatten` gives them.
        """
        for name, piece in pieces.items():
            self._kinds[name] = self._kinds.get(name, NOTHING) | piece.kinds

    @property
    def names(self) -> list[str]:
        """The columns, in the order of the parts and by code point within each."""
        return sorted(self._kinds, key=order)

    def arrow_type(self, name: str) -> pa.DataType | None:
        """Return the type of a column; None when only Python objects hold its values.

        Parameters
        ----------
        name : str
            One of `names`.

        Returns
        -------
        pyarrow.DataType or None
        """
        return arrow_type(self._kinds[name])
