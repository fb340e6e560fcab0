"""What is hidden in columns that were laid out already: names decide once per column, a quick look about texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import paths
from toolkit.frames.flat import MISSING, Piece, flatten_place, leaf
from toolkit.frames.kinds import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.frames.pieces import Exact
    from toolkit.masking import MaskingPolicy
    from toolkit.masking.places import Place, Shape

_TELL_NOTHING: Final = frozenset({"integer", "long integer", "big integer", "number", "boolean"})
"""Kinds of values that hold nothing secret but by their names."""
_TEXT: Final = frozenset({"text"})


class Veil:
    """Hides what a policy hides in the columns of documents, part by part.

    Parameters
    ----------
    policy : MaskingPolicy
        Decides.
    found : set of str
        Filled with the texts that are secret by a name.
    roots : sequence of str, default ()
        The paths of places that were read alone; whole documents were, when there are none.
    """

    def __init__(self, policy: MaskingPolicy, found: set[str], roots: Sequence[str] = ()) -> None:
        self._policy = policy
        self._found = found
        self._roots = {paths.parse(root).segments: root for root in roots}
        self._known: dict[frozenset[str], dict[str, Place] | None] = {}

    def over(self, pieces: dict[str, Piece], exact: Exact, rows: Sequence[int]) -> dict[str, Piece] | None:
        """Hide what is secret in columns.

        Parameters
        ----------
        pieces : dict of str to Piece
            By path; changed.
        exact : Exact
            The documents of which they were made.
        rows : sequence of int
            In which of the documents something could be hidden.

        Returns
        -------
        dict of str to Piece or None
            None when only a walk through the documents can tell.
        """
        names = frozenset(pieces)
        if names not in self._known:
            self._known[names] = self._places(names)
        places = self._known[names]
        if places is None:
            return None
        for name, place in places.items():
            if place.whole:
                self._whole(name, place, pieces, exact, rows)
            elif (piece := pieces.get(name)) is not None and piece.kinds != NOTHING:
                pieces[name] = self._hidden(piece, place, rows)
        return pieces

    def _places(self, names: Iterable[str]) -> dict[str, Place] | None:
        shape: Shape = {}
        spelled: dict[tuple[str, ...], str] = {}
        for name in sorted(names):
            keys = self._keys(paths.parse(name))
            here = shape
            for depth, key in enumerate(keys, 1):
                here = here.setdefault(key, {})
                spelled.setdefault(keys[:depth], _above(name, len(keys) - depth))
        found = self._policy.places(shape, of_places=bool(self._roots))
        if found is None:
            return None
        return {spelled[place.keys]: place for place in found}

    def _keys(self, path: paths.Path) -> tuple[str, ...]:
        for length in range(1, len(path.segments) + 1):
            if (root := self._roots.get(path.segments[:length])) is not None:
                return (root, *path.segments[length:])
        return path.in_document

    def _hidden(self, piece: Piece, place: Place, rows: Sequence[int]) -> Piece:
        """Hide what is secret in one column, in rows where something could be."""
        cells = piece.cells
        if place.verdict is None:
            rows = self._noisy(piece, rows)
        if not rows:
            return piece
        chosen = [cells[row] for row in rows] if isinstance(cells, list) else cells.take(pa.array(rows)).to_pylist()
        shown = [self._shown(place, value) for value in chosen]
        changed = {row: new for row, old, new in zip(rows, chosen, shown, strict=True) if new is not old}
        if not changed:
            return piece
        if piece.kinds == _TEXT and not isinstance(cells, list):
            flags = np.zeros(len(cells), bool)
            flags[list(changed)] = True
            texts = pa.array(changed.values(), pa.string())
            return Piece(_TEXT, pc.replace_with_mask(cells, pa.array(flags), texts))
        values = list(cells) if isinstance(cells, list) else cells.to_pylist()
        for row, new in changed.items():
            values[row] = new
        return leaf(values, set(map(type, values)))

    def _noisy(self, piece: Piece, rows: Sequence[int]) -> Sequence[int]:
        """Leave out rows in whose cells nothing is hidden, unless for a name."""
        if piece.kinds <= _TELL_NOTHING:
            return ()
        noise = self._policy.noise
        if noise is None or piece.kinds != _TEXT or isinstance(piece.cells, list):
            return rows
        found = pc.match_substring_regex(piece.cells.take(pa.array(rows)), noise)
        return [rows[place] for place in pc.indices_nonzero(found.fill_null(fill_value=False)).to_pylist()]

    def _shown(self, place: Place, value: Any) -> Any:
        if value is None or (place.verdict is None and self._policy.is_quiet(value)):
            return value
        return self._policy.mask_at(place, value, self._found)

    def _whole(self, name: str, place: Place, pieces: dict[str, Piece], exact: Exact, rows: Sequence[int]) -> None:
        """Walk through the values at a place, and lay them out again where something was hidden."""
        hidden = {}
        for row, value in zip(rows, exact.at(rows, place.keys), strict=True):
            if value is not MISSING and (shown := self._policy.mask_at(place, value, self._found)) is not value:
                hidden[row] = shown
        if not hidden:
            return
        every = exact.everywhere(place.keys)
        for row, shown in hidden.items():
            every[row] = shown
        for other in [one for one in pieces if one == name or one.startswith(f"{name}.")]:
            del pieces[other]
        pieces |= flatten_place(name, every)


def _above(name: str, levels: int) -> str:
    """Return the path that lies so many levels above another one."""
    segments = paths.parse(name).segments
    return paths.join(segments[: len(segments) - levels])
