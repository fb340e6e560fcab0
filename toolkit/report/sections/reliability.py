"""How reliable: the run among the runs before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import RECORD_TYPE
from toolkit.columns import COMPLETE, FAILED, SKIPPED
from toolkit.report.material import matched, shown_keys
from toolkit.report.model import RecordHistory, Reliability, RunPoint
from toolkit.report.sections.common import MOST_ROWS, named, number_or_none, rows, text_or_none, time_or_none

if TYPE_CHECKING:
    from toolkit.report.material import Material, Run

LEAST_RUNS: Final = 2

_WORTH_A_LOOK: Final = ["failing", "broken", "age_runs", "flaky"]
_POINT: Final = ("run", "started_at", "records", COMPLETE, FAILED, SKIPPED, "other", "pass_rate")
_RECORD: Final = (
    RECORD_TYPE, "strip", "pass_rate", "failing", "flaky", "broken", "new", "fixed", "age_runs", "age_days",
    "first_failed_in",
)  # fmt: skip


def history_frames(material: Material) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Follow the runs, and each record through them; both empty where there are fewer than two."""
    runs = material.history if len(material.history) >= LEAST_RUNS else ()
    by_name = _by_name(runs)
    starts = {name: run.started_at for name, run in by_name.items() if run.started_at is not None}
    tables = {name: matched(run, material.on) for name, run in by_name.items()}
    followed = analysis.history(tables, material.on, starts=starts)
    shown = shown_keys(runs, material.on)
    followed[material.on] = followed[material.on].map(lambda key: shown.get(key, key))
    return analysis.pass_rates(tables, starts), followed


def reliability(material: Material, runs: pd.DataFrame, followed: pd.DataFrame) -> Reliability | None:
    """Return the runs, and the records to look at: those that fail now, the oldest failure first, and flaky ones."""
    if runs.empty:
        return None
    looked_at = followed[(followed["failing"] | followed["flaky"]).to_numpy(dtype=bool)]
    ordered = looked_at.sort_values(_WORTH_A_LOOK, ascending=False, kind="stable")
    listed = tuple(_record(row) for row in rows(ordered.head(MOST_ROWS), material.on, *_RECORD))
    counts = {name: int(followed[name].sum()) for name in ("failing", "flaky", "broken")}
    return Reliability(
        tuple(_point(row) for row in rows(runs, *_POINT)),
        failing=counts["failing"],
        flaky=counts["flaky"],
        broken=counts["broken"],
        records=listed,
        records_left_out=len(ordered) - len(listed),
    )


def _by_name(runs: tuple[Run, ...]) -> dict[str, Run]:
    """Name each run; names that masks made the same are told apart."""
    found: dict[str, Run] = {}
    for run in runs:
        again = sum(each.name == run.name for each in found.values())
        found[f"{run.name} ({again + 1})" if again else run.name] = run
    return found


def _point(row: tuple[Any, ...]) -> RunPoint:
    run, started, *counts, rate = row
    records, complete, failed, skipped, other = (int(count) for count in counts)
    return RunPoint(named(run), time_or_none(started), records, complete, failed, skipped, other, number_or_none(rate))


def _record(row: tuple[Any, ...]) -> RecordHistory:
    key, kind, strip, rate, failing, flaky, broken, new, fixed, runs, days, first = row
    return RecordHistory(
        named(key),
        named(kind),
        str(strip),
        number_or_none(rate),
        bool(failing),
        bool(flaky),
        bool(broken),
        bool(new),
        bool(fixed),
        None if pd.isna(runs) else int(runs),
        number_or_none(days),
        text_or_none(first),
    )
