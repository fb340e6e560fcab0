"""Which rows of two frames are the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.analysis.cells import masked
from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Matched:
    """Places of rows: `old[i]` of the one frame goes with `new[i]` of the other.

    Attributes
    ----------
    old, new : array of int
        Places of the rows that both frames have, in the order of the second frame.
    missing, added : array of int
        Places of the rows that only the first, and only the second frame has.
    notes : tuple of str
        Keys that repeat, rows without a key.
    """

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    missing: NDArray[np.int64]
    added: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def rows(self, before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Take the rows that both frames have, those that go together in the same place."""
        return before.iloc[self.old].reset_index(drop=True), after.iloc[self.new].reset_index(drop=True)


def match(
    before: pd.DataFrame, after: pd.DataFrame, on: str, digests: tuple[pd.DataFrame, pd.DataFrame] | None = None
) -> Matched:
    """Match the rows of two frames by a column.

    Parameters
    ----------
    before, after : DataFrame
        With the column `on`.
    on : str
        Where a value repeats, the first row goes with the first, the second with the second. A row without a value
        goes with none.
    digests : (DataFrame, DataFrame), optional
        One row per row of each, with a column `on` in both where the values themselves are hidden.

    Returns
    -------
    Matched

    Raises
    ------
    InvalidOption
        When the column holds masks, or values that cannot be keys.

    Examples
    --------
    >>> one, other = pd.DataFrame({"id": ["a", "b"]}), pd.DataFrame({"id": ["c", "b", "b"]})
    >>> found = match(one, other, "id")
    >>> found.old, found.new, found.missing, found.added
    (array([1]), array([1]), array([0]), array([0, 2]))
    """
    keys_of = (before, after)
    if digests is not None and all(on in each.columns for each in digests):
        keys_of = digests
    codes = _codes(keys_of[0][on], keys_of[1][on], on)
    old, new = codes[: len(before)], codes[len(before) :]
    keys = _with_occurrence(old, new)
    place = np.full(int(keys.max(initial=-1)) + 1, -1, dtype=np.int64)
    keyed = np.flatnonzero(old >= 0)
    place[keys[keyed]] = keyed
    partner = np.full(len(new), -1, dtype=np.int64)
    partner[new >= 0] = place[keys[len(old) :][new >= 0]]
    found = np.flatnonzero(partner >= 0)
    alone = np.ones(len(old), dtype=bool)
    alone[partner[found]] = False
    notes = tuple(_notes(old, new, on))
    return Matched(partner[found], found, np.flatnonzero(alone), np.flatnonzero(partner < 0), notes)


def _codes(before: pd.Series[Any], after: pd.Series[Any], on: str) -> NDArray[np.int64]:
    if masked(before).any() or masked(after).any():
        raise InvalidOption(f"on={on!r} holds hidden values, so records cannot be matched by it; give another column")
    both = [each.reset_index(drop=True) for each in (before, after)]
    if both[0].dtype != both[1].dtype:
        both = [each.astype("object") for each in both]
    try:
        return pd.factorize(pd.concat(both, ignore_index=True))[0].astype(np.int64)
    except TypeError:
        raise InvalidOption(f"on={on!r} holds arrays or objects, which name no record; give another column") from None


def _with_occurrence(old: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give one number to each pair of a key and how often it stood before in its frame."""
    occurrence = [pd.Series(each).groupby(each).cumcount().to_numpy(dtype=np.int64) for each in (old, new)]
    codes, turns = np.concatenate([old, new]), np.concatenate(occurrence)
    pairs: NDArray[np.int64] = pd.factorize(codes * (int(turns.max(initial=0)) + 1) + turns)[0]
    return pairs


def _notes(old: NDArray[np.int64], new: NDArray[np.int64], on: str) -> list[str]:
    notes = []
    without = int((old < 0).sum() + (new < 0).sum())
    if without:
        notes.append(f"{without:,} records have no {on!r}; they are matched with none.")
    twice = sum(int((np.bincount(each[each >= 0]) > 1).sum()) for each in (old, new))
    if twice:
        notes.append(f"{twice:,} values of {on!r} occur more than once in a run; they are matched in their order.")
    return notes
