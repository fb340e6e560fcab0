"""From frames to a summary: what a report says, before anybody thinks of how it looks."""

from __future__ import annotations

import json
import platform
from datetime import UTC
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import (
    COUNT,
    CREATED_AT,
    ERROR_MESSAGE,
    PROCESSED_AT,
    RECORD_TYPE,
    STATUS,
    TOTAL,
    UPDATED_AT,
)
from toolkit.columns import COMPLETE, DISCOVERED, FAILED, PROCESSING, STATUSES, VARIABLE_COLUMNS, WORKFLOW_ID
from toolkit.report.model import (
    DurationRange,
    FailureCause,
    HealthCheck,
    NextStep,
    RunSummary,
    Scope,
    StatusCount,
    TypeCounts,
    VariableView,
)
from toolkit.report.wording import cut, outcome, plural, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

KEY, VALUE, VALUE_TYPE, CATEGORY, _, _ = VARIABLE_COLUMNS
OTHER_STATUSES: Final = "(other statuses)"

_MOST_STATUSES: Final = 6
_MOST_TYPES: Final = 25
_MOST_CAUSES: Final = 20
_MOST_VARIABLES: Final = 100
_NAME_LIMIT: Final = 255
_EXAMPLE_LIMIT: Final = 500
_VALUE_LIMIT: Final = 100
_ITERATION: Final = "iteration"
_STEPS: Final = 3

_DURATION_PARTS: Final = (RECORD_TYPE, STATUS, COUNT, "p50", "p95", "max")
_CAUSE_PARTS: Final = (
    "cause", "signature", COUNT, "share", "record_types", "first_seen", "last_seen", "sample_ids", "example",
)  # fmt: skip


def summarize(
    records: pd.DataFrame,
    variables: pd.DataFrame,
    *,
    title: str,
    source: str,
    created_at: datetime,
    filters: Mapping[str, object] | None = None,
    toolkit_version: str,
) -> RunSummary:
    """Work out what a report on these frames says.

    Parameters
    ----------
    records : DataFrame
        Records as `query_records` returns them, masked; may be empty.
    variables : DataFrame
        Variables as `get_all_variables` returns them, masked; may be empty.
    title : str
        What the report is about, such as the workflow's name.
    source : str
        Where the frames come from, without any password.
    created_at : datetime
        When they were read; a naive time is UTC.
    filters : mapping of str to object, optional
        The arguments of `query_records` that chose the records; those that are None are left out.
        `workflow_id` and texts among them appear in the lines of code under "next steps".
    toolkit_version : str
        The version to name.

    Returns
    -------
    RunSummary
        A frozen value; no record content but ids, types, statuses and error messages.

    Raises
    ------
    InvalidOption
        When a record column is missing.

    Examples
    --------
    >>> from datetime import datetime
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": ["complete", "failed"], "error_message": [None, "Timeout after 30 s"],
    ...     "created_at": start, "updated_at": start, "processed_at": start})
    >>> variables = pd.DataFrame(columns=["key", "value", "type", "category", "created_at", "updated_at"])
    >>> summarize(records, variables, title="nightly", source="toolkit.db", created_at=datetime(2026, 1, 5),
    ...           toolkit_version="0.1.0").verdict
    '1 of 2 complete (50 %); 1 failed: Timeout after <duration>'
    """
    statuses, types, kinds = _counts(records)
    counts = {status.status: status.count for status in statuses}
    grouped, durations = analysis.causes(records), analysis.durations(records)
    causes, measured = _causes(grouped), _durations(durations)
    chosen = {name: value for name, value in (filters or {}).items() if value is not None}
    shown = _variables(variables)
    return RunSummary(
        title=cut(title, _NAME_LIMIT),
        verdict=verdict(len(records), counts, causes, len(grouped)),
        outcome=outcome(len(records), counts),
        total=len(records),
        complete=counts.get(COMPLETE, 0),
        failed=counts.get(FAILED, 0),
        statuses=statuses,
        types=types,
        types_left_out=kinds - len(types),
        causes=causes,
        causes_left_out=len(grouped) - len(causes),
        durations=measured,
        durations_left_out=len(durations) - len(measured),
        health=_health(records),
        variables=shown,
        variables_left_out=len(variables) - len(shown),
        next_steps=_next_steps(records, counts, causes, chosen),
        looked_at=_scope(records, len(variables), source, created_at, filters=chosen, version=toolkit_version),
    )


def _counts(records: pd.DataFrame) -> tuple[tuple[StatusCount, ...], tuple[TypeCounts, ...], int]:
    table = analysis.by_status(_fewer_statuses(records))
    names, totals = [str(name) for name in table.columns[:-1]], table.sum()
    statuses = tuple(
        StatusCount(cut(name, _NAME_LIMIT), int(totals[name]), int(totals[name]) / len(records)) for name in names
    )
    by = [FAILED, TOTAL] if FAILED in names else [TOTAL]
    largest = table.sort_values(by, ascending=False, kind="stable").head(_MOST_TYPES)
    types = tuple(
        TypeCounts(
            cut(str(kind), _NAME_LIMIT),
            counts=tuple(int(count) for count in row[names]),
            total=int(row[TOTAL]),
            complete=int(row.get(COMPLETE, 0)),
        )
        for kind, row in largest.iterrows()
    )
    return statuses, types, len(table)


def _fewer_statuses(records: pd.DataFrame) -> pd.DataFrame:
    """Gather rare statuses of one's own, so that no data makes a table of a thousand columns."""
    named = records[STATUS].astype("str")
    own = named[~named.isin(STATUSES)].value_counts()
    if len(own) <= _MOST_STATUSES:
        return records[[RECORD_TYPE, STATUS]]
    gathered = named.isin(own.index[_MOST_STATUSES - 1 :])
    return pd.DataFrame({RECORD_TYPE: records[RECORD_TYPE], STATUS: named.mask(gathered, OTHER_STATUSES)})


def _causes(grouped: pd.DataFrame) -> tuple[FailureCause, ...]:
    rows = grouped.head(_MOST_CAUSES)[list(_CAUSE_PARTS)].itertuples(index=False, name=None)
    return tuple(
        FailureCause(
            cause,
            signature=cut(signature, _NAME_LIMIT),
            count=int(count),
            share=float(share),
            record_types=tuple(cut(kind, _NAME_LIMIT) for kind in kinds),
            first_seen=_time(first),
            last_seen=_time(last),
            sample_ids=tuple(cut(record_id, _NAME_LIMIT) for record_id in ids),
            example=None if pd.isna(example) or not example.strip() else cut(example.strip(), _EXAMPLE_LIMIT),
        )
        for cause, signature, count, share, kinds, first, last, ids, example in rows
    )


def _time(value: Any) -> datetime | None:
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def _durations(table: pd.DataFrame) -> tuple[DurationRange, ...]:
    largest = table.sort_values(COUNT, ascending=False, kind="stable").head(_MOST_TYPES)[list(_DURATION_PARTS)]
    return tuple(
        DurationRange(cut(kind, _NAME_LIMIT), cut(status, _NAME_LIMIT), int(count), p50, p95, longest)
        for kind, status, count, p50, p95, longest in largest.itertuples(index=False)
    )


def _health(records: pd.DataFrame) -> tuple[HealthCheck, ...]:
    created, updated, processed = (records[name] for name in (CREATED_AT, UPDATED_AT, PROCESSED_AT))
    status, message = records[STATUS], records[ERROR_MESSAGE].astype("str").fillna("").str.strip()
    checks = (
        (
            "Message without failure",
            len(analysis.leftovers(records)),
            "An error message on a record that did not fail: left over from a former attempt.",
        ),
        (
            "Failure without message",
            ((status == FAILED) & (message == "")).sum(),
            "Nothing says why these records failed.",
        ),
        ("No status", status.isna().sum(), "Counted as neither complete nor failed."),
        (
            "Impossible times",
            ((processed < created) | (updated < created)).sum(),
            "Processed or updated before it was created; left out of the durations where it matters.",
        ),
        (
            "Complete without end",
            ((status == COMPLETE) & processed.isna()).sum(),
            "Complete, but without a processed time, so that its duration is unknown.",
        ),
    )
    return tuple(HealthCheck(name, int(count), meaning) for name, count, meaning in checks)


def _variables(variables: pd.DataFrame) -> tuple[VariableView, ...]:
    last = (variables[CATEGORY] == _ITERATION).to_numpy()
    ordered = pd.concat([variables[~last], variables[last]]).head(_MOST_VARIABLES)
    return tuple(
        VariableView(cut(str(key), _NAME_LIMIT), str(kind), _shown(value))
        for key, value, kind in zip(ordered[KEY], ordered[VALUE], ordered[VALUE_TYPE], strict=True)
    )


def _shown(value: Any) -> str:
    # For reading, not for storing: what JSON cannot hold is shown as Python says it.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return cut(text, _VALUE_LIMIT)


def _next_steps(
    records: pd.DataFrame,
    counts: Mapping[str, int],
    causes: tuple[FailureCause, ...],
    filters: Mapping[str, object],
) -> tuple[NextStep, ...]:
    steps = []
    if failed := counts.get(FAILED, 0):
        steps.append(NextStep(f"Read the {plural(failed, 'failed record')}:", f"failed = {_query(filters, FAILED)}"))
        if len(causes) > 1:
            kept = f'failed[toolkit.analysis.cause(failed) == "{causes[0].cause}"]'
            steps.append(NextStep("Keep those of the most frequent cause:", kept))
    open_ = [status for status in (DISCOVERED, PROCESSING) if counts.get(status)]
    if open_:
        unfinished = plural(sum(counts[status] for status in open_), "record that is", "records that are")
        steps.append(NextStep(f"See the {unfinished} not finished:", _query(filters, open_)))
    if left := len(analysis.leftovers(records)):
        code = f"toolkit.analysis.leftovers({_query(filters)})"
        steps.append(NextStep(f"Look at the {plural(left, 'message')} left over from former attempts:", code))
    if not steps:
        text = "See how long each record took:" if len(records) else "Count what is there, without any filter:"
        code = (
            f"toolkit.analysis.slowest({_query(filters)})"
            if len(records)
            else f"service.count_records({_workflow(filters)})"
        )
        steps.append(NextStep(text, code))
    return tuple(steps[:_STEPS])


def _query(filters: Mapping[str, object], status: str | list[str] | None = None) -> str:
    chosen = {name: value for name, value in filters.items() if _argument(name)}
    if status:
        chosen[STATUS] = status
    texts = [f"{name}={value!r}" for name, value in chosen.items() if isinstance(value, str | list)]
    return f"service.query_records({', '.join([_workflow(filters), *texts])})"


def _argument(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and name != WORKFLOW_ID


def _workflow(filters: Mapping[str, object]) -> str:
    name = filters.get(WORKFLOW_ID)
    return repr(name) if isinstance(name, str | list) else WORKFLOW_ID


def _scope(
    records: pd.DataFrame,
    variables: int,
    source: str,
    created_at: datetime,
    *,
    filters: Mapping[str, object],
    version: str,
) -> Scope:
    made = created_at.astimezone(UTC) if created_at.tzinfo else created_at.replace(tzinfo=UTC)
    return Scope(
        source=cut(source, _NAME_LIMIT),
        filters=tuple((name, cut(_listed(value), _NAME_LIMIT)) for name, value in filters.items()),
        records=len(records),
        variables=variables,
        oldest=_time(records[UPDATED_AT].min()),
        newest=_time(records[UPDATED_AT].max()),
        created_at=made,
        time_zone="UTC",
        versions=(
            ("toolkit", version),
            ("pandas", pd.__version__),
            ("Python", platform.python_version()),
        ),
    )


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
