"""What records hold: which paths differ, in which records, and whether ids name the same things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.analysis.cells import differ, masked
from toolkit.analysis.common import RECORD_ID, RECORD_TYPE
from toolkit.columns import RECORD_COLUMNS, WORKFLOW_ID
from toolkit.errors import InvalidOption
from toolkit.masking import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from toolkit.analysis.matching import Matched

    Pair = tuple[pd.DataFrame, pd.DataFrame]

DIFFERS: Final = f"{HIDDEN} (differs)"
"""How a hidden value is shown that is not the one before."""

_RECYCLED_FROM: Final = 5
_NOT_CONTENT: Final = frozenset({*RECORD_COLUMNS, WORKFLOW_ID} - {RECORD_TYPE})


def one_per_row(digests: Pair | None, frames: Pair | None) -> Pair | None:
    """Refuse digests that are not those of the frames."""
    if digests is not None and frames is not None:
        for digest, frame in zip(digests, frames, strict=True):
            if len(digest) != len(frame):
                raise InvalidOption(
                    f"digests has {len(digest)} rows for a frame of {len(frame)}; one per row is needed"
                )
    return digests


@dataclass(frozen=True, slots=True)
class Content:
    """Compares the columns that are no record columns.

    Attributes
    ----------
    matched : Matched
        Which rows are the same record.
    digests : (DataFrame, DataFrame) or None
        Of the real values of hidden columns.
    ignore : tuple of str
        Paths to leave out, with all below them.
    """

    matched: Matched
    digests: Pair | None
    ignore: tuple[str, ...]

    def compare(
        self, old: pd.DataFrame, new: pd.DataFrame, on: str, limit: int
    ) -> tuple[pd.DataFrame, pd.DataFrame, bool]:
        """Return `changed_paths`, `changes`, and whether the ids seem to be recycled."""
        size = len(old)
        changed, compared = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        counts, cells = [], []
        for path in self._paths(old, new, on):
            former, present = _values(old, path), _values(new, path)
            unequal, open_ = unlike(former, present, self._differing(path))
            looked_at = ~open_ & ~(former.isna() & present.isna()).to_numpy(dtype=bool)
            if _tells_apart(former):
                changed += unequal
                compared += looked_at
            if unequal.any() or open_.any():
                counts.append((path, int(unequal.sum()), int(looked_at.sum()), int(open_.sum())))
                cells.append(shown(former, present, np.flatnonzero(unequal)[:limit]).assign(path=path))
        recycled = _recycled(changed, compared, enough=on == RECORD_ID)
        return _path_counts(counts), _cells(cells, new[on], on, limit), recycled

    def _paths(self, old: pd.DataFrame, new: pd.DataFrame, on: str) -> Iterator[str]:
        for name in dict.fromkeys([*old.columns, *new.columns]):
            ignored = any(name == path or str(name).startswith(f"{path}.") for path in self.ignore)
            if name not in _NOT_CONTENT and name != on and not ignored:
                yield name

    def _differing(self, path: str) -> tuple[pd.Series[Any], pd.Series[Any]] | None:
        if self.digests is None or not all(path in each.columns for each in self.digests):
            return None
        former, present = self.matched.rows(*self.digests)
        return former[path], present[path]


def unlike(
    before: pd.Series[Any], after: pd.Series[Any], digests: tuple[pd.Series[Any], pd.Series[Any]] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell where values differ, and where a mask leaves that open."""
    unequal = differ(before, after)
    hidden = (masked(before) | masked(after)) & (before.notna() & after.notna()).to_numpy(dtype=bool)
    if not hidden.any():
        return unequal, hidden
    if digests is not None:
        known = (digests[0].notna() & digests[1].notna()).to_numpy(dtype=bool)
        unequal, hidden = np.where(hidden, differ(*digests), unequal), hidden & ~known
    return unequal & ~hidden, hidden


def shown(before: pd.Series[Any], after: pd.Series[Any], places: NDArray[np.int64]) -> pd.DataFrame:
    """Show pairs of values that differ, so that two masks do not look the same."""
    old, new = (
        values.iloc[places].astype("object").where(values.iloc[places].notna(), None) for values in (before, after)
    )
    table = pd.DataFrame({"place": places, "before": old.to_numpy(dtype=object), "after": new.to_numpy(dtype=object)})
    hidden = np.flatnonzero(masked(table["after"]))
    alike = hidden[~differ(table["before"].iloc[hidden], table["after"].iloc[hidden])]
    table.loc[alike, "after"] = DIFFERS
    return table


def _objects(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.reset_index(drop=True).astype("object").where(values.notna().to_numpy(), None)


def _values(records: pd.DataFrame, path: str) -> pd.Series[Any]:
    return records[path] if path in records.columns else pd.Series(None, index=records.index, dtype="object")


def _path_counts(counts: list[tuple[str, int, int, int]]) -> pd.DataFrame:
    table = pd.DataFrame(counts, columns=["path", "changed", "compared", "not_compared"])
    table = table.astype({"path": "str", "changed": "Int64", "compared": "Int64", "not_compared": "Int64"})
    return table.sort_values(["changed", "not_compared", "path"], ascending=[False, False, True], ignore_index=True)


def _cells(cells: list[pd.DataFrame], keys: pd.Series[Any], on: str, limit: int) -> pd.DataFrame:
    columns = ["place", "path", "before", "after"]
    found = [each for each in cells if len(each)]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
    table = table.sort_values("place", kind="stable", ignore_index=True).head(limit)
    table.insert(0, on, keys.iloc[table["place"].to_numpy(dtype=np.int64)].to_numpy())
    dtypes = {on: keys.dtype, "path": "str", "before": "object", "after": "object"}
    return table[list(dtypes)].astype(dtypes)


def _tells_apart(values: pd.Series[Any]) -> bool:
    """Tell whether a column could say which record is which: text or integers, seldom the same twice."""
    if not (isinstance(values.dtype, pd.StringDtype) or pd.api.types.is_integer_dtype(values.dtype)):
        return False
    return bool(2 * values.nunique() > values.notna().sum())


def _recycled(changed: NDArray[np.int64], compared: NDArray[np.int64], *, enough: bool) -> bool:
    told = compared > 0
    mostly = (2 * changed > compared) & told
    return bool(enough and told.sum() >= _RECYCLED_FROM and 2 * mostly.sum() > told.sum())


def notes(
    before: pd.DataFrame, after: pd.DataFrame, paths: pd.DataFrame, changes: pd.DataFrame, on: str, *, recycled: bool
) -> Iterator[str]:
    """Say what a reader of the comparison must know."""
    if open_ := int(paths["not_compared"].sum()):
        yield f"{open_:,} hidden values were not compared."
    if (total := int(paths["changed"].sum())) > len(changes):
        yield f"changes lists {len(changes):,} of {total:,} changed values; changed_paths counts them all."
    if recycled:
        found = suggestions(before, after, on)
        hint = f"try on={found[0]!r}" if found else "no column names the same things in both runs"
        yield f"The ids seem to be recycled: most records of one id have another content now; {hint}."


def suggestions(before: pd.DataFrame, after: pd.DataFrame, on: str) -> list[str]:
    """Return columns that may say which records are the same thing, the best first.

    Parameters
    ----------
    before, after : DataFrame
        The records.
    on : str
        The column that does not.

    Returns
    -------
    list of str
        Columns of text or integers that name every record of each run, without a repetition; those first that have most
        values in common.
    """
    found: list[tuple[int, str]] = []
    for name in before.columns:
        if name in _NOT_CONTENT or name in (on, RECORD_TYPE) or name not in after.columns:
            continue
        old, new = before[name], after[name]
        named = all(pd.api.types.is_string_dtype(each) or pd.api.types.is_integer_dtype(each) for each in (old, new))
        if named and not (masked(old).any() or masked(new).any()) and _names_all(old) and _names_all(new):
            found.append((-int(old.isin(new).sum()), str(name)))
    return [name for _, name in sorted(found)]


def _names_all(values: pd.Series[Any]) -> bool:
    # Lists have no hash, and name nothing.
    plain = values.dtype != "object" or all(isinstance(value, str | int) for value in values)
    return bool(len(values)) and plain and bool(values.notna().all()) and values.is_unique
