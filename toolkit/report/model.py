"""The values a report consists of: frozen, plain, and the same for every rendering.

Text is as the database has it, but for the masks, for lone surrogates, which no file can hold, and for a cut
where something is longer than anybody reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

Outcome: TypeAlias = Literal["complete", "failed", "open", "empty"]
"""All complete; something failed; nothing failed, but not all is complete; no records."""


Tone: TypeAlias = Literal["better", "worse", "even"]
"""Whether a change is good news; "even" where nothing changed, or nobody can say."""


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many records have a status; `share` is of all records, 0 to 1."""

    status: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Card:
    """One number that people look for first, as it is said, and its change against the baseline.

    `status` names the status it counts, if it counts one; `change` is None where there is no baseline.
    """

    name: str
    value: str
    detail: str
    change: str | None
    tone: Tone
    status: str | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """The run that this one is held against; `reason` says why it was chosen, or why there is none (`run` is None)."""

    run: str | None
    reason: str
    started_at: datetime | None
    total: int | None
    complete: int | None
    failed: int | None


@dataclass(frozen=True, slots=True)
class ChangedRecord:
    """A record that is different from the baseline.

    `said` is what says why, cut: the signature of its cause, or the message where there is no cause.
    """

    record_id: str
    record_type: str
    status_before: str | None
    status_after: str | None
    said: str | None
    seconds_before: float | None
    seconds_after: float | None


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """The records that changed in one way: `count` of them, the first of which are listed."""

    change: str
    title: str
    meaning: str
    count: int
    records: tuple[ChangedRecord, ...]


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """The records of one type; `counts` has one number per `RunSummary.statuses`, in their order."""

    record_type: str
    counts: tuple[int, ...]
    total: int
    complete: int


@dataclass(frozen=True, slots=True)
class FailureCause:
    """One row of `analysis.causes`; `example` is cut, and None where the failures say nothing.

    `new` tells whether the baseline did not fail of it, and is None where there is no baseline.
    """

    cause: str
    signature: str
    count: int
    share: float
    record_types: tuple[str, ...]
    first_seen: datetime | None
    last_seen: datetime | None
    sample_ids: tuple[str, ...]
    example: str | None
    new: bool | None


@dataclass(frozen=True, slots=True)
class IncludedRecord:
    """A failed record with the content that was asked for: paths and their masked values as text, cut."""

    record_id: str
    record_type: str
    message: str | None
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RunPoint:
    """One row of `analysis.pass_rates`; `pass_rate` is complete of complete and failed, 0 to 1."""

    run: str
    started_at: datetime | None
    records: int
    complete: int
    failed: int
    skipped: int
    other: int
    pass_rate: float | None


@dataclass(frozen=True, slots=True)
class RecordHistory:
    """One row of `analysis.history`."""

    record_id: str
    record_type: str
    strip: str
    pass_rate: float | None
    failing: bool
    flaky: bool
    broken: bool
    new: bool
    fixed: bool
    age_runs: int | None
    age_days: float | None
    first_failed_in: str | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """The run among the runs before it: how many records fail, are flaky or broken, and those of them to look at."""

    runs: tuple[RunPoint, ...]
    failing: int
    flaky: int
    broken: int
    records: tuple[RecordHistory, ...]
    records_left_out: int


@dataclass(frozen=True, slots=True)
class DurationRange:
    """One row of `analysis.durations`, in seconds."""

    record_type: str
    status: str
    count: int
    p50: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class TypeSpan:
    """When the records of a type were at work: from the first that was created to the last that was processed.

    `begin` and `end` are the same as shares of the whole run, 0 to 1.
    """

    record_type: str
    count: int
    started_at: datetime
    ended_at: datetime
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class SlowRecord:
    """One row of `analysis.slowest`, in seconds."""

    record_id: str
    record_type: str
    status: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One question asked of the data: how many records it is true of, and what that means.

    `count` is None where it was not asked.
    """

    name: str
    count: int | None
    meaning: str


@dataclass(frozen=True, slots=True)
class VariableView:
    """A variable as it is shown: `shown` is the masked value as text, cut."""

    key: str
    type: str
    shown: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something worth doing now, and the line of Python that does it."""

    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What exactly was looked at. `oldest` and `newest` are of the records' `updated_at`.

    `run` is the workflow's id, `runs` those of the runs in "Reliability", the oldest first; `included` the paths whose
    content is shown; `branch`, `commit` and `url` say where the run comes from, as far as that is known.
    """

    source: str
    run: str
    runs: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]
    matched_on: str
    included: tuple[str, ...]
    records: int
    variables: int
    oldest: datetime | None
    newest: datetime | None
    branch: str | None
    commit: str | None
    url: str | None
    created_at: datetime
    time_zone: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run at a glance: computed once, rendered as HTML, Markdown, JSON or in a notebook.

    Attributes
    ----------
    title : str
        What the report is about.
    verdict : str
        The answer in one sentence.
    outcome : {"complete", "failed", "open", "empty"}
        The sentence in one word; "open" when nothing failed and not everything is complete.
    total, complete, failed : int
        Records looked at, and those with the statuses "complete" and "failed".
    new_failures : int or None
        Records that failed and did not fail in the baseline, or were not in it; None where there is no baseline.
    baseline : Baseline
        The run that this one is held against, and why that one.
    cards : tuple of Card
        One per status, then the records, and what changed.
    statuses : tuple of StatusCount
        In the order of a record's life, statuses of one's own after it.
    changes : tuple of ChangeGroup
        What is different from the baseline, also what nothing is; empty where there is none.
    changes_notes : tuple of str
        What a reader of them must know, such as keys that repeat.
    causes : tuple of FailureCause
        The most frequent first; at most 20.
    causes_left_out : int
        How many more causes there are.
    included : tuple of IncludedRecord
        Failed records with the content that was asked for; at most 50.
    included_left_out : int
        How many more there are.
    reliability : Reliability or None
        None where fewer than two runs were looked at.
    types : tuple of TypeCounts
        Most failures first; at most 25.
    types_left_out : int
        How many more types there are.
    spans : tuple of TypeSpan
        When each type was at work, the first to begin first; at most 25.
    spans_left_out : int
        How many more there are.
    durations : tuple of DurationRange
        Types and statuses with the most records first; at most 25.
    durations_left_out : int
        How many more rows there are.
    slowest : tuple of SlowRecord
        The records that took longest; at most 10.
    health : tuple of HealthCheck
        Every check made, also those that found nothing.
    variables : tuple of VariableView
        Ordered by key, those of iterations last; at most 100.
    variables_left_out : int
        How many more variables there are.
    setup : str
        The line of Python that makes the `service` of the next steps.
    next_steps : tuple of NextStep
        At most three.
    looked_at : Scope
        Source, filters, runs, rows, times and versions.
    """

    title: str
    verdict: str
    outcome: Outcome
    total: int
    complete: int
    failed: int
    new_failures: int | None
    baseline: Baseline
    cards: tuple[Card, ...]
    statuses: tuple[StatusCount, ...]
    changes: tuple[ChangeGroup, ...]
    changes_notes: tuple[str, ...]
    causes: tuple[FailureCause, ...]
    causes_left_out: int
    included: tuple[IncludedRecord, ...]
    included_left_out: int
    reliability: Reliability | None
    types: tuple[TypeCounts, ...]
    types_left_out: int
    spans: tuple[TypeSpan, ...]
    spans_left_out: int
    durations: tuple[DurationRange, ...]
    durations_left_out: int
    slowest: tuple[SlowRecord, ...]
    health: tuple[HealthCheck, ...]
    variables: tuple[VariableView, ...]
    variables_left_out: int
    setup: str
    next_steps: tuple[NextStep, ...]
    looked_at: Scope
