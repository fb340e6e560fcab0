"""Many runs: pass rates, the strip of each record, what is flaky, broken, new and fixed, and how old a failure is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd

from toolkit.analysis.common import (
    CREATED_AT,
    RECORD_ID,
    RECORD_TYPE,
    RETRY_COUNT,
    STATUS,
    TIME,
    need,
    statuses,
    times,
    types,
)
from toolkit.columns import COMPLETE, FAILED, SKIPPED, WORKFLOW_ID
from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

Runs: TypeAlias = "pd.DataFrame | Mapping[str, pd.DataFrame]"
"""One frame of several workflows, with `workflow_id`; or one frame per run, by its name."""

PASS_RATE_DTYPES: Final = {
    "run": "str", "started_at": TIME, "records": "Int64", COMPLETE: "Int64", FAILED: "Int64", SKIPPED: "Int64",
    "other": "Int64", "pass_rate": "Float64",
}  # fmt: skip
"""The columns of `pass_rates`, in order."""

HISTORY_DTYPES: Final = {
    RECORD_TYPE: "str", "strip": "str", "runs": "Int64", "decided": "Int64", "passed": "Int64", "failed": "Int64",
    "pass_rate": "Float64", "failing": "boolean", "flaky": "boolean", "broken": "boolean", "new": "boolean",
    "fixed": "boolean", "age_runs": "Int64", "age_days": "Float64", "first_failed_in": "str",
}  # fmt: skip
"""The columns of `history` after the key, in order."""

LETTERS: Final = {COMPLETE: "P", FAILED: "F", SKIPPED: "S"}
ABSENT, OPEN = "-", "?"

_WINDOW: Final = 10
_LEAST_DECIDED: Final = 5
_SWITCHES: Final = 2
_BROKEN: Final = 3
_ABSENT, _OPEN, _SKIPPED, _PASSED, _FAILED = range(5)
_CODES: Final = {COMPLETE: _PASSED, FAILED: _FAILED, SKIPPED: _SKIPPED}
_CHARACTERS: Final = np.array([ABSENT, OPEN, LETTERS[SKIPPED], LETTERS[COMPLETE], LETTERS[FAILED]])


def pass_rates(runs: Runs, starts: Mapping[str, dt.datetime] | None = None) -> pd.DataFrame:
    """Count the outcomes of each run.

    The pass rate is complete / (complete + failed). What was skipped, is open or missing is no pass.

    Parameters
    ----------
    runs : DataFrame or mapping of str to DataFrame
        Records of several workflows with `workflow_id`, or one frame per run by its name; with at least `status`.
    starts : mapping of str to datetime, optional
        When each run began, such as `service.runs()` says; naive is UTC. For a run that is not in it, the earliest
        `created_at` of its records.

    Returns
    -------
    DataFrame
        One row per run, ordered by start, then by name: `run` (`str`), `started_at` (`datetime64[us, UTC]`), `records`,
        `complete`, `failed`, `skipped`, `other` (`Int64`), `pass_rate` (`Float64`: 0 to 1, missing where nothing was
        decided).

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05", tz="UTC")
    >>> monday = pd.DataFrame({"status": ["complete", "failed"], "created_at": start})
    >>> tuesday = pd.DataFrame({"status": ["complete", "skipped"], "created_at": start + pd.Timedelta("1D")})
    >>> pass_rates({"monday": monday, "tuesday": tuesday})[["run", "complete", "failed", "skipped", "pass_rate"]]
           run  complete  failed  skipped  pass_rate
    0   monday         1       1        0        0.5
    1  tuesday         1       0        1        1.0
    """
    named, began = _ordered(runs, starts)
    rows = []
    for name, records in named.items():
        counts = statuses(records).value_counts()
        known = {status: int(counts.get(status, 0)) for status in (COMPLETE, FAILED, SKIPPED)}
        row = {"run": name, "started_at": began[name], "records": len(records), **known}
        rows.append(row | {"other": len(records) - sum(known.values())})
    table = pd.DataFrame(rows, columns=list(PASS_RATE_DTYPES)[:-1])
    table["started_at"] = pd.to_datetime(table["started_at"], utc=True)
    decided = (table[COMPLETE] + table[FAILED]).astype("Float64")
    table["pass_rate"] = table[COMPLETE].astype("Float64") / decided.where(decided > 0)
    return table.astype(PASS_RATE_DTYPES)


def history(runs: Runs, on: str = RECORD_ID, *, starts: Mapping[str, dt.datetime] | None = None) -> pd.DataFrame:
    """Follow each record through many runs.

    A run is *decided* for a record where it is complete or failed there. Missing, skipped and open are neither: a
    record that failed and is missing now is still failing. A record that stands several times in one run, such as one
    per shard, is failed there when one of them failed, complete when one is complete and none failed.

    - **flaky**: in one of the last ten decided runs it was complete after a retry (`retry_count` above 0), or its
      outcome changed at least twice within the last ten decided runs, of at least five.
    - **broken**: it failed in its last three decided runs.
    - **new**: it failed in the last run, and did not in the decided run before, or there was none.
    - **fixed**: it is complete in the last run, and failed in the decided run before.
    - **age** of a failure: how many decided runs in a row it has failed, the last one included, and how many days lie
      between the start of the first of them and the start of the last run of all.

    Parameters
    ----------
    runs : DataFrame or mapping of str to DataFrame
        Records of several workflows with `workflow_id`, or one frame per run by its name; with at least `status` and
        the key. `retry_count` and `record_type` are used where they are.
    on : str, default "record_id"
        The column that says which records are the same thing: a path of the document where ids recycle.
    starts : mapping of str to datetime, optional
        When each run began, as `pass_rates` takes it: runs are ordered by it.

    Returns
    -------
    DataFrame
        One row per key, ordered by it: the key, `record_type` (`str`: the latest), `strip` (`str`: a letter per run,
        the oldest first: P complete, F failed, S skipped, ? any other status, - missing), `runs`, `decided`, `passed`,
        `failed` (`Int64`: runs), `pass_rate` (`Float64`: passed of decided, 0 to 1), `failing` (`boolean`: the last
        decided run failed), `flaky`, `broken`, `new`, `fixed` (`boolean`), `age_runs` (`Int64`), `age_days`
        (`Float64`), `first_failed_in` (`str`: the run in which the present failure began), the last three missing where
        it is not failing.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-05", tz="UTC")
    >>> frames = {f"run {number}": pd.DataFrame({"record_id": ["a", "b"], "status": [one, "complete"],
    ...                                          "created_at": day + pd.Timedelta(number, "D")})
    ...           for number, one in enumerate(["complete", "failed", "complete", "complete", "failed"])}
    >>> history(frames)[["record_id", "strip", "pass_rate", "flaky", "new", "age_runs"]]
      record_id  strip  pass_rate  flaky    new  age_runs
    0         a  PFPPF        0.6   True   True         1
    1         b  PPPPP        1.0  False  False      <NA>
    """
    named, began = _ordered(runs, starts)
    keys, codes, retried, kinds = _matrix(named, on)
    table = _measures(codes, retried, list(named), list(began.values()))
    table.insert(0, RECORD_TYPE, kinds)
    table = table[list(HISTORY_DTYPES)].astype(HISTORY_DTYPES)
    table.insert(0, on, keys) if on not in table.columns else None
    return table


def _measures(
    codes: NDArray[np.int8], retried: NDArray[np.bool_], names: list[str], began: list[pd.Timestamp]
) -> pd.DataFrame:
    decided, failed = codes >= _PASSED, codes == _FAILED
    rank = _rank_from_end(decided)
    recent = decided & (rank <= _WINDOW)
    enough = decided.sum(axis=1) >= _LEAST_DECIDED
    switched = _switches(codes, decided) & (rank < _WINDOW)
    flaky = (recent & retried & (codes == _PASSED)).any(axis=1) | ((switched.sum(axis=1) >= _SWITCHES) & enough)
    last_three = (decided & (rank <= _BROKEN) & failed).sum(axis=1)
    failing, age = _streak(decided, failed, rank)
    first = _first_of_streak(failed, rank, age)
    before = _outcome_at(codes, rank, 2)
    last = codes[:, -1] if codes.shape[1] else np.zeros(len(codes), dtype=np.int8)
    days = np.array([_days(begin, began) for begin in began] or [np.nan])
    total = decided.sum(axis=1)
    return pd.DataFrame(
        {
            "strip": _strips(codes),
            "runs": (codes != _ABSENT).sum(axis=1),
            "decided": total,
            "passed": (codes == _PASSED).sum(axis=1),
            "failed": failed.sum(axis=1),
            "pass_rate": np.where(total > 0, (codes == _PASSED).sum(axis=1) / np.maximum(total, 1), np.nan),
            "failing": failing,
            "flaky": flaky,
            "broken": last_three == _BROKEN,
            "new": (last == _FAILED) & (before != _FAILED),
            "fixed": (last == _PASSED) & (before == _FAILED),
            "age_runs": pd.array(age, dtype="Int64"),
            "age_days": days[first],
            "first_failed_in": np.array([*names, ""], dtype=object)[first],
        }
    ).pipe(lambda table: table.assign(**{name: table[name].where(failing) for name in _OF_FAILURES}))


_OF_FAILURES: Final = ("age_runs", "age_days", "first_failed_in")


def _rank_from_end(decided: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the decided runs of each record from the last, which is 1; elsewhere the number means nothing."""
    return np.cumsum(decided[:, ::-1], axis=1, dtype=np.int64)[:, ::-1]


def _switches(codes: NDArray[np.int8], decided: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where the outcome is another than in the decided run before."""
    places = np.where(decided, np.arange(codes.shape[1]), -1)
    latest = np.maximum.accumulate(places, axis=1) if codes.shape[1] else places
    previous = np.full_like(latest, -1)
    previous[:, 1:] = latest[:, :-1]
    rows = np.arange(len(codes))[:, None]
    known = decided & (previous >= 0)
    return known & (codes != codes[rows, np.maximum(previous, 0)]) if codes.shape[1] else known


def _streak(
    decided: NDArray[np.bool_], failed: NDArray[np.bool_], rank: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Tell which records fail now, and for how many decided runs in a row."""
    total = decided.sum(axis=1)
    passes = np.where(decided & ~failed, rank, np.iinfo(np.int64).max)
    since_pass = passes.min(axis=1, initial=np.iinfo(np.int64).max)
    age = np.minimum(since_pass - 1, total)
    return age > 0, age


def _first_of_streak(failed: NDArray[np.bool_], rank: NDArray[np.int64], age: NDArray[np.int64]) -> NDArray[np.int64]:
    begins = failed & (rank == age[:, None])
    return np.where(begins.any(axis=1), begins.argmax(axis=1), -1) if failed.shape[1] else np.full(len(age), -1)


def _outcome_at(codes: NDArray[np.int8], rank: NDArray[np.int64], number: int) -> NDArray[np.int8]:
    """Return the outcome of the decided run of that number from the last; 0 where there is none."""
    found: NDArray[np.int8] = np.where((codes >= _PASSED) & (rank == number), codes, 0).max(axis=1, initial=0)
    return found


def _days(begin: pd.Timestamp, began: list[pd.Timestamp]) -> float:
    return float((began[-1] - begin) / pd.Timedelta(1, "D"))


def _strips(codes: NDArray[np.int8]) -> NDArray[Any]:
    if not codes.shape[1]:
        return np.full(len(codes), "", dtype=object)
    letters = np.ascontiguousarray(_CHARACTERS[codes])
    return letters.view(f"<U{codes.shape[1]}").ravel().astype(object)


def _matrix(
    named: Mapping[str, pd.DataFrame], on: str
) -> tuple[pd.Index[Any], NDArray[np.int8], NDArray[np.bool_], Any]:
    """Lay the runs out: a row per key, a column per run."""
    parts = [_outcomes(records, on, number) for number, records in enumerate(named.values())]
    columns = {"key": "object", "run": "int64", "code": "int8", "retried": "bool", "kind": "str"}
    empty = pd.DataFrame(columns=list(columns)).astype(columns)
    rows = pd.concat(parts, ignore_index=True) if parts else empty
    rows = rows[rows["key"].notna()]
    places, keys = pd.factorize(rows["key"], sort=True)
    codes = np.zeros((len(keys), len(named)), dtype=np.int8)
    retried = np.zeros(codes.shape, dtype=bool)
    # The highest code wins: one failure among several of a run is a failure of the run.
    np.maximum.at(codes, (places, rows["run"].to_numpy()), rows["code"].to_numpy())
    np.logical_or.at(retried, (places, rows["run"].to_numpy()), rows["retried"].to_numpy())
    kinds = np.full(len(keys), None, dtype=object)
    kinds[places] = rows["kind"].to_numpy(dtype=object)
    return pd.Index(keys), codes, retried, kinds


def _outcomes(records: pd.DataFrame, on: str, number: int) -> pd.DataFrame:
    need(records, on, STATUS)
    code = statuses(records).map(_CODES).fillna(_OPEN).astype("int8")
    tries = records[RETRY_COUNT].reset_index(drop=True) if RETRY_COUNT in records.columns else pd.Series(0, code.index)
    return pd.DataFrame(
        {
            "key": records[on].reset_index(drop=True),
            "run": number,
            "code": code,
            "retried": (pd.to_numeric(tries).fillna(0) > 0).astype(bool),
            "kind": types(records) if RECORD_TYPE in records.columns else None,
        }
    )


def _ordered(
    runs: Runs, starts: Mapping[str, dt.datetime] | None
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.Timestamp]]:
    """Order the runs by their start, then by their names."""
    named = _by_name(runs)
    began = {name: _start(name, records, starts or {}) for name, records in named.items()}
    unknown = [name for name, start in began.items() if pd.isna(start) and len(named) > 1]
    if unknown:
        raise InvalidOption(
            f"nothing says when the run {unknown[0]!r} began: give starts={{{unknown[0]!r}: …}}, or frames with "
            f"{CREATED_AT!r}"
        )
    order = sorted(named, key=lambda name: (began[name], name))
    return {name: named[name] for name in order}, {name: began[name] for name in order}


def _by_name(runs: Runs) -> dict[str, pd.DataFrame]:
    if isinstance(runs, Mapping):
        return {str(name): records for name, records in runs.items()}
    need(runs, WORKFLOW_ID)
    return {str(name): records for name, records in runs.groupby(WORKFLOW_ID, sort=True)}


def _start(name: str, records: pd.DataFrame, starts: Mapping[str, dt.datetime]) -> pd.Timestamp:
    if name in starts and not pd.isna(starts[name]):
        start = pd.Timestamp(starts[name])
        return start.tz_localize("UTC") if start.tzinfo is None else start.tz_convert("UTC")
    return pd.Timestamp(times(records, CREATED_AT).min()) if CREATED_AT in records.columns else pd.Timestamp("NaT")
