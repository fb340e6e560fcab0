"""What happened, as frames: each function takes a frame of records and returns a new one.

The input is a frame as `query_records` returns it: one row per record, the record columns of
`toolkit.columns` and whatever stands beside them. It is never changed, and it may be empty or hold the
records of several workflows. *Failed* means ``status == "failed"`` and nothing else; a record without a
status or a type is counted under `NO_STATUS` or `NO_TYPE`.
"""

from __future__ import annotations

from toolkit.analysis.cells import canonical, masked
from toolkit.analysis.common import (
    CAUSE,
    COUNT,
    CREATED_AT,
    DURATION,
    ERROR_MESSAGE,
    EXAMPLE,
    PROCESSED_AT,
    RECORD_ID,
    RECORD_TYPE,
    SIGNATURE,
    STATUS,
    TOTAL,
    UPDATED_AT,
)
from toolkit.analysis.comparison import RunDiff, compare
from toolkit.analysis.counts import by_category, by_status, error_rate, leftovers, retries
from toolkit.analysis.grouping import CAUSE_DTYPES, NO_MESSAGE, CauseRules, cause, causes, explain
from toolkit.analysis.outcomes import history, pass_rates
from toolkit.analysis.timing import DURATION_DTYPES, durations, slowest, stuck
from toolkit.analysis.turns import iterations

__all__ = [
    "CAUSE",
    "CAUSE_DTYPES",
    "COUNT",
    "CREATED_AT",
    "DURATION",
    "DURATION_DTYPES",
    "ERROR_MESSAGE",
    "EXAMPLE",
    "NO_MESSAGE",
    "PROCESSED_AT",
    "RECORD_ID",
    "RECORD_TYPE",
    "SIGNATURE",
    "STATUS",
    "TOTAL",
    "UPDATED_AT",
    "CauseRules",
    "RunDiff",
    "by_category",
    "by_status",
    "canonical",
    "cause",
    "causes",
    "compare",
    "durations",
    "error_rate",
    "explain",
    "history",
    "iterations",
    "leftovers",
    "masked",
    "pass_rates",
    "retries",
    "slowest",
    "stuck",
]
