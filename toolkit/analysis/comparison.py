"""What changed between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.analysis.common import (
    CREATED_AT,
    DURATION,
    ERROR_MESSAGE,
    PROCESSED_AT,
    RECORD_ID,
    RECORD_TYPE,
    STATUS,
    in_order,
    need,
    status_rank,
)
from toolkit.analysis.contents import Content, notes, one_per_row, shown, unlike
from toolkit.analysis.grouping import cause
from toolkit.analysis.matching import Matched, match
from toolkit.analysis.timing import seconds
from toolkit.columns import COMPLETE, FAILED, NO_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from toolkit.analysis.grouping import CauseRules

MISSING: Final = "(missing)"
"""The status, in a table of transitions, of a record that the other run does not have."""

OUTCOME_COLUMNS: Final = (
    RECORD_TYPE, "status_before", "status_after", "cause_before", "cause_after", ERROR_MESSAGE,
)  # fmt: skip
"""What the frames of outcomes hold beside the key."""

LIMIT: Final = 100_000


@dataclass(frozen=True, eq=False)
class RunDiff:
    """What changed between two runs, as frames; made by `compare`.

    Attributes
    ----------
    on : str
        The column by which records were matched. It is the first column of every frame of records.
    before, after : int
        How many records each run has.
    added, missing : pandas.DataFrame
        Records of one run only: the key, `record_type`, `status`, `error_message` (`str`).
    newly_failed, fixed, still_failing, unsettled : pandas.DataFrame
        Records of both runs by outcome: failed now and not before; complete now and failed before; failed both times;
        failed before and neither complete nor failed now. Columns: the key, `record_type`, `status_before`,
        `status_after`, `cause_before`, `cause_after`, `error_message` (`str`: the present one, else the former).
    slower : pandas.DataFrame
        Records complete in both runs that took longer by both guards, the largest ratio first: the key, `record_type`
        (`str`), `before`, `after` (`Float64`: seconds), `ratio` (`Float64`).
    transitions : pandas.DataFrame
        One row per status before, one `Int64` column per status after, `(missing)` among them.
    changed_paths : pandas.DataFrame
        One row per path in which something differs or could not be compared, most changes first: `path` (`str`),
        `changed`, `compared`, `not_compared` (`Int64`: records).
    changes : pandas.DataFrame
        One row per record and path that differ, in the order of the records: the key, `path` (`str`), `before`,
        `after` (`object`: as they are shown; a hidden value that differs is `[hidden] (differs)`).
    variables : pandas.DataFrame
        One row per variable that was added, removed or changed, by key: `key`, `change` (`str`), `before`, `after`
        (`object`), missing where there is none. `change` is "not compared" where a mask leaves it open.
    recycled : bool
        Whether the same ids name different things: of the columns of text and integers that tell records apart (more
        than half of their values are different ones), more than half differ, in more than half of the records.
    notes : tuple of str
        What a reader must know: keys that repeat or are missing, cells not compared, recycled ids, what was cut.
    names : (str, str) or None
        What the two runs are called, where that is known.
    """

    on: str
    before: int
    after: int
    added: pd.DataFrame
    missing: pd.DataFrame
    newly_failed: pd.DataFrame
    fixed: pd.DataFrame
    still_failing: pd.DataFrame
    unsettled: pd.DataFrame
    slower: pd.DataFrame
    transitions: pd.DataFrame
    changed_paths: pd.DataFrame
    changes: pd.DataFrame
    variables: pd.DataFrame
    recycled: bool
    notes: tuple[str, ...]
    names: tuple[str, str] | None = None

    @property
    def counts(self) -> pd.Series[int]:
        """How many records, or variables, each frame lists: a Series of `int64` by name."""
        names = ("added", "missing", "newly_failed", "fixed", "still_failing", "unsettled", "slower", "variables")
        return pd.Series({name: len(getattr(self, name)) for name in names}, dtype="int64")

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {str(name).replace('_', ' ')}" for name, count in self.counts.items() if count)
        named = "" if self.names is None else f"{' → '.join(self.names)}, "
        shown = f"RunDiff({named}{self.before} → {self.after} records: {counts or 'nothing changed'})"
        lines = [shown, *self.notes]
        return "\n".join(lines)


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    on: str = RECORD_ID,
    *,
    variables: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    digests: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    variable_digests: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    ignore: Iterable[str] = (),
    ratio: float = 1.5,
    at_least: float = 1.0,
    rules: CauseRules | None = None,
    limit: int = LIMIT,
) -> RunDiff:
    """Compare two runs.

    Records are matched by `on`; where a key repeats, the first with the first, the second with the second. A record
    that is missing is never counted as passed. Content is everything but the record columns, and the type. A hidden
    cell says nothing about its value, so a pair with one is not compared, unless digests of the real values are given.

    Parameters
    ----------
    before, after : DataFrame
        Records of the former and the present run. Only the column `on` must be there; what else is missing is not
        compared.
    on : str, default "record_id"
        The column that says which records are the same thing: a path of the document where ids recycle.
    variables : (DataFrame, DataFrame), optional
        The variables of both, with at least `key` and `value`.
    digests : (DataFrame, DataFrame), optional
        For columns with hidden cells, that of `on` among them: the same columns with a digest of each real value in
        place of it, one row per record in the same order; missing where it is not known. Both made with one key.
    variable_digests : (DataFrame, DataFrame), optional
        Likewise for variables, in the column `value`, and in `key` where keys are hidden.
    ignore : iterable of str, default ()
        Paths that are not compared, with all below them.
    ratio : float, default 1.5
        A record is slower when it took at least so many times as long,
    at_least : float, default 1.0
        and at least so many seconds longer.
    rules : mapping, optional
        As `causes` takes them.
    limit : int, default 100000
        So many rows `changes` has at most; `changed_paths` counts them all, and a note says what was cut.

    Returns
    -------
    RunDiff

    Raises
    ------
    InvalidOption
        When `on` is no column of both, or is hidden; when digests do not have one row per record.

    Examples
    --------
    >>> before = pd.DataFrame({"record_id": ["a", "b", "c"], "status": ["complete", "failed", "failed"]})
    >>> after = pd.DataFrame({"record_id": ["a", "b", "d"], "status": ["failed", "complete", "complete"]})
    >>> diff = compare(before, after)
    >>> diff
    RunDiff(3 → 3 records: 1 added, 1 missing, 1 newly failed, 1 fixed)
    >>> diff.newly_failed[["record_id", "status_before", "status_after"]]
      record_id status_before status_after
    0         a      complete       failed
    """
    need(before, on)
    need(after, on)
    digests = one_per_row(digests, (before, after))
    matched = match(before, after, on, digests)
    old, new = matched.rows(before, after)
    content = Content(matched, digests, tuple(ignore))
    paths, changes, recycled = content.compare(old, new, on, limit)
    outcomes = _outcomes(before, after, matched, on, rules)
    return RunDiff(
        on=on,
        before=len(before),
        after=len(after),
        added=_alone(after, matched.added, on),
        missing=_alone(before, matched.missing, on),
        newly_failed=outcomes["newly_failed"],
        fixed=outcomes["fixed"],
        still_failing=outcomes["still_failing"],
        unsettled=outcomes["unsettled"],
        slower=_slower(old, new, on, ratio=ratio, at_least=at_least),
        transitions=_transitions(before, after, matched),
        changed_paths=paths,
        changes=changes,
        variables=_variables(variables, one_per_row(variable_digests, variables)),
        recycled=recycled,
        notes=(*matched.notes, *notes(before, after, paths, changes, on, recycled=recycled)),
    )


# --- outcomes ---------------------------------------------------------------------------------------


def _optional(records: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name in records.columns:
        return records[name].reset_index(drop=True).astype("str")
    return pd.Series(np.nan, index=range(len(records)), dtype="str")


def _status(records: pd.DataFrame) -> pd.Series[str]:
    return _optional(records, STATUS).fillna(NO_STATUS)


def _alone(records: pd.DataFrame, places: NDArray[np.int64], on: str) -> pd.DataFrame:
    key = records[on].reset_index(drop=True)
    parts = {on: key} | {name: _optional(records, name) for name in (RECORD_TYPE, STATUS, ERROR_MESSAGE) if name != on}
    return pd.DataFrame(parts).iloc[places].reset_index(drop=True)


def _causes(
    before: pd.DataFrame, after: pd.DataFrame, rules: CauseRules | None
) -> tuple[pd.Series[str], pd.Series[str]]:
    # Named together: what is near in both runs is one cause in both.
    parts = [
        {STATUS: _optional(each, STATUS), ERROR_MESSAGE: _optional(each, ERROR_MESSAGE)} for each in (before, after)
    ]
    named = cause(pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True), rules=rules)
    return named.iloc[: len(before)], named.iloc[len(before) :].reset_index(drop=True)


def _outcomes(
    before: pd.DataFrame, after: pd.DataFrame, matched: Matched, on: str, rules: CauseRules | None
) -> dict[str, pd.DataFrame]:
    causes = _causes(before, after, rules)
    message, former = _optional(after, ERROR_MESSAGE), _optional(before, ERROR_MESSAGE)
    old, new = matched.old, matched.new
    parts = {
        on: after[on].reset_index(drop=True).iloc[new],
        RECORD_TYPE: _optional(after, RECORD_TYPE).iloc[new],
        "status_before": _status(before).iloc[old],
        "status_after": _status(after).iloc[new],
        "cause_before": causes[0].iloc[old],
        "cause_after": causes[1].iloc[new],
        ERROR_MESSAGE: message.iloc[new].reset_index(drop=True).fillna(former.iloc[old].reset_index(drop=True)),
    }
    pairs = pd.DataFrame({name: values.reset_index(drop=True) for name, values in parts.items()})
    was, now = pairs["status_before"] == FAILED, pairs["status_after"] == FAILED
    passed = pairs["status_after"] == COMPLETE
    chosen = {"newly_failed": now & ~was, "fixed": was & passed, "still_failing": was & now}
    chosen["unsettled"] = was & ~now & ~passed
    return {name: pairs[rows].reset_index(drop=True) for name, rows in chosen.items()}


def _slower(old: pd.DataFrame, new: pd.DataFrame, on: str, *, ratio: float, at_least: float) -> pd.DataFrame:
    kind = _optional(new, RECORD_TYPE)
    took = [_seconds(each) for each in (old, new)]
    table = pd.DataFrame({on: new[on], RECORD_TYPE: kind, "before": took[0], "after": took[1]})
    both = (_status(old) == COMPLETE) & (_status(new) == COMPLETE)
    slower = both & (took[1] >= ratio * took[0]) & (took[1] - took[0] >= at_least)
    table = table[slower].astype({"before": "Float64", "after": "Float64"})
    table["ratio"] = table["after"] / table["before"]
    return table.sort_values("ratio", ascending=False, kind="stable", ignore_index=True)


def _seconds(records: pd.DataFrame) -> pd.Series[float]:
    if {STATUS, CREATED_AT, PROCESSED_AT} <= set(records.columns):
        return seconds(records)
    return pd.Series(np.nan, index=range(len(records)), dtype="float64", name=DURATION)


def _transitions(before: pd.DataFrame, after: pd.DataFrame, matched: Matched) -> pd.DataFrame:
    was, now = _status(before), _status(after)
    pairs = [
        (was.iloc[matched.old], now.iloc[matched.new]),
        (was.iloc[matched.missing], pd.Series(MISSING, index=matched.missing, dtype="str")),
        (pd.Series(MISSING, index=matched.added, dtype="str"), now.iloc[matched.added]),
    ]
    table = pd.crosstab(*(pd.concat(parts, ignore_index=True) for parts in zip(*pairs, strict=True)))
    rows, names = (sorted(axis, key=lambda name: (name == MISSING, status_rank(name))) for axis in table.axes)
    table = table.reindex(index=rows, columns=names).astype("Int64")
    return table.set_axis(in_order(rows, "before")).set_axis(in_order(names, "after"), axis="columns")


# --- variables --------------------------------------------------------------------------------------


def _variables(
    variables: tuple[pd.DataFrame, pd.DataFrame] | None, digests: tuple[pd.DataFrame, pd.DataFrame] | None
) -> pd.DataFrame:
    dtypes = {"key": "str", "change": "str", "before": "object", "after": "object"}
    if variables is None:
        return pd.DataFrame(columns=list(dtypes)).astype(dtypes)
    matched = match(*variables, "key", digests)
    old, new = matched.rows(*variables)
    both = None if digests is None else matched.rows(*digests)
    of_values = None if both is None else (both[0]["value"], both[1]["value"])
    unequal, open_ = unlike(old["value"], new["value"], of_values)
    parts = [
        _variable_rows(new["key"], old["value"], new["value"], np.flatnonzero(unequal), "changed"),
        _variable_rows(new["key"], old["value"], new["value"], np.flatnonzero(open_), "not compared"),
        _variable_rows(variables[0]["key"], variables[0]["value"], None, matched.missing, "removed"),
        _variable_rows(variables[1]["key"], None, variables[1]["value"], matched.added, "added"),
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values("key", kind="stable", ignore_index=True)[list(dtypes)].astype(dtypes)


def _variable_rows(
    keys: pd.Series[Any],
    before: pd.Series[Any] | None,
    after: pd.Series[Any] | None,
    places: NDArray[np.int64],
    change: str,
) -> pd.DataFrame:
    nothing = pd.Series(None, index=range(len(keys)), dtype="object")
    old, new = (nothing if values is None else values.reset_index(drop=True) for values in (before, after))
    if change == "changed":
        table = shown(old, new, places)
    else:
        table = pd.DataFrame({"before": old.iloc[places], "after": new.iloc[places]}, dtype="object")
    return table.assign(key=keys.iloc[places].to_numpy(), change=change).reset_index(drop=True)
