"""How long: durations, the slowest records, and when each type was at work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import COUNT, CREATED_AT, DURATION, PROCESSED_AT, RECORD_ID, RECORD_TYPE, STATUS
from toolkit.columns import NO_TYPE
from toolkit.report.model import DurationRange, SlowRecord, TypeSpan
from toolkit.report.sections.common import INTEGER, MOST_ROWS, NUMBER, TEXT, TIME, named, rows

if TYPE_CHECKING:
    from datetime import datetime

SPAN_DTYPES: Final = {RECORD_TYPE: TEXT, COUNT: INTEGER, "started_at": TIME, "ended_at": TIME, "seconds": NUMBER}
"""The columns of the frame of spans, in order."""

SLOWEST: Final = 10


def durations(table: pd.DataFrame) -> tuple[DurationRange, ...]:
    """Return the rows of `analysis.durations` with the most records."""
    largest = table.sort_values(COUNT, ascending=False, kind="stable").head(MOST_ROWS)
    found = rows(largest, RECORD_TYPE, STATUS, COUNT, "p50", "p95", "max")
    return tuple(
        DurationRange(named(kind), named(status), int(count), p50, p95, longest)
        for kind, status, count, p50, p95, longest in found
    )


def slowest(table: pd.DataFrame) -> tuple[SlowRecord, ...]:
    """Return the rows of `analysis.slowest`."""
    found = rows(table, RECORD_ID, RECORD_TYPE, STATUS, DURATION)
    return tuple(SlowRecord(named(key), _kind(kind), named(status), float(took)) for key, kind, status, took in found)


def spans_frame(records: pd.DataFrame) -> pd.DataFrame:
    """Say when the records of each type were at work, of those that have a duration; the first to begin first."""
    measured = analysis.slowest(records, n=len(records))
    groups = measured.assign(**{RECORD_TYPE: measured[RECORD_TYPE].fillna(NO_TYPE)}).groupby(RECORD_TYPE)
    table = groups.agg(
        count=(CREATED_AT, "size"), started_at=(CREATED_AT, "min"), ended_at=(PROCESSED_AT, "max")
    ).reset_index()
    table = table.astype({"started_at": TIME, "ended_at": TIME})
    table["seconds"] = (table["ended_at"] - table["started_at"]).dt.total_seconds()
    return table.sort_values(["started_at", RECORD_TYPE], ignore_index=True).astype(SPAN_DTYPES)


def spans(table: pd.DataFrame) -> tuple[TypeSpan, ...]:
    """Return when each type was at work, as times and as shares of the whole."""
    if table.empty:
        return ()
    first, last = table["started_at"].min().to_pydatetime(), table["ended_at"].max().to_pydatetime()
    found = rows(table.head(MOST_ROWS), RECORD_TYPE, COUNT, "started_at", "ended_at")
    return tuple(
        TypeSpan(
            named(kind),
            int(count),
            start.to_pydatetime(),
            end.to_pydatetime(),
            _share(start.to_pydatetime(), first, last),
            _share(end.to_pydatetime(), first, last),
        )
        for kind, count, start, end in found
    )


def _share(time: datetime, first: datetime, last: datetime) -> float:
    whole = (last - first).total_seconds()
    return (time - first).total_seconds() / whole if whole else 0.0


def _kind(kind: Any) -> str:
    return NO_TYPE if pd.isna(kind) else named(kind)
