"""How long: durations by type and status, the slowest records, and those that are stuck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit.analysis.common import (
    COUNT,
    CREATED_AT,
    DURATION,
    PROCESSED_AT,
    RECORD_ID,
    RECORD_TYPE,
    STATUS,
    TIME,
    UPDATED_AT,
    column,
    need,
    status_rank,
    statuses,
    times,
    type_rank,
    types,
)
from toolkit.columns import DISCOVERED, HISTORY, PROCESSING, WORKFLOW_ID
from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    import datetime as dt

DURATION_DTYPES: Final = {
    RECORD_TYPE: "str", STATUS: "str", COUNT: "Int64", "p50": "Float64", "p95": "Float64", "max": "Float64",
    "queue_p50": "Float64", "queue_p95": "Float64", "work_p50": "Float64", "work_p95": "Float64",
}  # fmt: skip
"""The columns of `durations`, in order."""

STUCK_DTYPES: Final = {
    RECORD_ID: "str", RECORD_TYPE: "str", "since": TIME, "waited": "Float64", "usual": "Float64", "usual_of": "str",
}  # fmt: skip
"""The columns of `stuck`, in order."""

ALL_TYPES: Final = "all types"


def durations(records: pd.DataFrame, *, started: str | None = None) -> pd.DataFrame:
    """How long records took, by type and status.

    A duration is the time from `created_at` to `processed_at`. Left out are records without one of the two, those that
    were processed before they were created, and those that are discovered or processing now: what stands in their
    `processed_at` is left from a former run. Where it is known when work began, the duration falls into the time in
    the queue and the time of work.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_type`, `status`, `created_at` and `processed_at`.
    started : str, optional
        The column that says when work began. By default the `time` of the first entry of `history`, where the frame
        has that column. A time outside the record's duration is taken as unknown.

    Returns
    -------
    DataFrame
        One row per type and status that has a duration, in the order of `by_status`: `record_type`, `status`
        (`str`), `count` (`Int64`), and in seconds (`Float64`) `p50`, `p95` (interpolated linearly) and `max`; then
        `queue_p50, queue_p95, work_p50, work_p95` (`Float64`: seconds, missing where no begin is known).

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_type": "email", "status": "complete", "created_at": start,
    ...                         "processed_at": start + pd.to_timedelta([2, 4, None], unit="s")})
    >>> durations(records)[["record_type", "status", "count", "p50", "p95", "max"]]
      record_type    status  count  p50  p95  max
    0       email  complete      2  3.0  3.9  4.0
    """
    total = seconds(records)
    queue = (_begin(records, started) - times(records, CREATED_AT)).dt.total_seconds()
    queue = queue.where((queue >= 0) & (queue <= total))
    parts = {RECORD_TYPE: types(records), STATUS: statuses(records), DURATION: total, "queue": queue}
    groups = pd.DataFrame(parts).assign(work=total - queue)[total.notna()].groupby([RECORD_TYPE, STATUS])
    measures = {COUNT: groups.size(), "max": groups[DURATION].max()}
    for part, prefix in ((DURATION, ""), ("queue", "queue_"), ("work", "work_")):
        measures |= {f"{prefix}p50": groups[part].quantile(), f"{prefix}p95": groups[part].quantile(0.95)}
    table = pd.DataFrame(measures)
    order = sorted(table.index, key=lambda pair: (type_rank(pair[0]), status_rank(pair[1])))
    return table.reindex(order).reset_index()[list(DURATION_DTYPES)].astype(DURATION_DTYPES)


def slowest(records: pd.DataFrame, n: int = 10) -> pd.DataFrame:
    """List the records that took longest.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_id`, `record_type`, `status`, `created_at` and `processed_at`.
    n : int
        How many to list; 0 or more.

    Returns
    -------
    DataFrame
        One row per record, slowest first, equal ones in the frame's order, on the frame's own index:
        `workflow_id` where the frame has it, `record_id`, `record_type`, `status` (`str`), `duration`
        (`Float64`: seconds, as `durations` measures them), `created_at`, `processed_at`. Records without a duration
        are left out.

    Raises
    ------
    InvalidOption
        When a column is missing, or `n` is negative.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": "complete", "created_at": start,
    ...     "processed_at": start + pd.to_timedelta([2, 4], unit="s")})
    >>> slowest(records, n=1)[["record_id", "duration"]]
      record_id  duration
    1   email_2       4.0
    """
    if n < 0:
        raise InvalidOption(f"n is the number of records to list, 0 or more; it was given as {n}.")
    columns = [RECORD_ID, RECORD_TYPE, STATUS, CREATED_AT, PROCESSED_AT]
    need(records, *columns)
    if WORKFLOW_ID in records.columns:
        columns.insert(0, WORKFLOW_ID)
    table = records[columns].reset_index(drop=True)
    table.insert(columns.index(CREATED_AT), DURATION, seconds(records).astype("Float64"))
    table.index = records.index
    measured = table.loc[table[DURATION].notna().to_numpy()]
    return measured.sort_values(DURATION, ascending=False, kind="stable").head(n)


def stuck(records: pd.DataFrame, now: dt.datetime | None = None) -> pd.DataFrame:
    """List records that have been in work for longer than usual.

    A record is stuck when its status is `processing`, and the time since its `updated_at` (when it was claimed) is
    longer than the 95th percentile of the durations of its type. For a type of which nothing has finished, the 95th
    percentile of all types counts; where nothing has finished at all, nothing is called stuck.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_id`, `record_type`, `status`, `created_at`, `updated_at` and `processed_at`:
        those that are processing and those that have finished.
    now : datetime, optional
        The moment at which the frame was read; naive is UTC. By default the present.

    Returns
    -------
    DataFrame
        One row per stuck record, the one that waits longest first, on the frame's own index: `workflow_id` where the
        frame has it, `record_id`, `record_type` (`str`), `since` (`datetime64[us, UTC]`), `waited`, `usual`
        (`Float64`: seconds; the latter the 95th percentile), `usual_of` (`str`: the type, or "all types").

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": ["complete", "processing"], "created_at": start, "updated_at": start,
    ...     "processed_at": [start + pd.Timedelta("2s"), pd.NaT]})
    >>> stuck(records, now=start + pd.Timedelta("1min"))[["record_id", "waited", "usual"]]
      record_id  waited  usual
    1   email_2    60.0    2.0
    """
    need(records, RECORD_ID)
    took, kinds, since = seconds(records), types(records), times(records, UPDATED_AT)
    of_type = kinds.map(took.groupby(kinds).quantile(0.95)).astype("float64")
    moment = pd.Timestamp.now("UTC") if now is None else pd.Timestamp(now)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    table = pd.DataFrame(
        {
            RECORD_ID: column(records, RECORD_ID),
            RECORD_TYPE: kinds,
            "since": since,
            "waited": (moment - since).dt.total_seconds(),
            "usual": of_type.fillna(took.quantile(0.95)),
            "usual_of": kinds.where(of_type.notna(), ALL_TYPES),
        }
    ).astype(STUCK_DTYPES)
    if WORKFLOW_ID in records.columns:
        table.insert(0, WORKFLOW_ID, column(records, WORKFLOW_ID))
    waits = (statuses(records) == PROCESSING) & (table["waited"] > table["usual"]).fillna(value=False).astype(bool)
    return table.set_axis(records.index)[waits.to_numpy()].sort_values("waited", ascending=False, kind="stable")


def seconds(records: pd.DataFrame) -> pd.Series[float]:
    """Measure each record.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status`, `created_at` and `processed_at`.

    Returns
    -------
    Series of float
        Seconds by position, as `durations` defines them; NaN where there is no duration.
    """
    took = (times(records, PROCESSED_AT) - times(records, CREATED_AT)).dt.total_seconds()
    open_ = statuses(records).isin([DISCOVERED, PROCESSING])
    return took.where((took >= 0) & ~open_).rename(DURATION)


def _begin(records: pd.DataFrame, started: str | None) -> pd.Series[pd.Timestamp]:
    if started is not None:
        return times(records, started)
    if HISTORY not in records.columns:
        return pd.Series(pd.NaT, index=range(len(records)), dtype=TIME)
    first = pd.Series(list(map(_first_time, column(records, HISTORY))), index=range(len(records)), dtype="str")
    return pd.to_datetime(first, utc=True, errors="coerce", format="ISO8601").astype(TIME)


def _first_time(history: Any) -> str | None:
    entry = history[0] if isinstance(history, list) and history else None
    time = entry.get("time") if isinstance(entry, dict) else None
    return time if isinstance(time, str) else None
