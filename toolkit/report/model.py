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


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many records have a status; `share` is of all records, 0 to 1."""

    status: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """The records of one type; `counts` has one number per `RunSummary.statuses`, in their order."""

    record_type: str
    counts: tuple[int, ...]
    total: int
    complete: int


@dataclass(frozen=True, slots=True)
class FailureCause:
    """One row of `analysis.causes`; `example` is cut, and None where the failures say nothing."""

    cause: str
    signature: str
    count: int
    share: float
    record_types: tuple[str, ...]
    first_seen: datetime | None
    last_seen: datetime | None
    sample_ids: tuple[str, ...]
    example: str | None


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
class HealthCheck:
    """One question asked of the data: how many records it is true of, and what that means."""

    name: str
    count: int
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
    """What exactly was looked at. `oldest` and `newest` are of the records' `updated_at`."""

    source: str
    filters: tuple[tuple[str, str], ...]
    records: int
    variables: int
    oldest: datetime | None
    newest: datetime | None
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
    statuses : tuple of StatusCount
        In the order of a record's life, statuses of one's own after it.
    types : tuple of TypeCounts
        Most failures first; at most 25.
    types_left_out : int
        How many more types there are.
    causes : tuple of FailureCause
        The most frequent first; at most 20.
    causes_left_out : int
        How many more causes there are.
    durations : tuple of DurationRange
        Types and statuses with the most records first; at most 25.
    durations_left_out : int
        How many more rows there are.
    health : tuple of HealthCheck
        Every check made, also those that found nothing.
    variables : tuple of VariableView
        Ordered by key, those of iterations last; at most 100.
    variables_left_out : int
        How many more variables there are.
    next_steps : tuple of NextStep
        At most three.
    looked_at : Scope
        Source, filters, rows, times and versions.
    """

    title: str
    verdict: str
    outcome: Outcome
    total: int
    complete: int
    failed: int
    statuses: tuple[StatusCount, ...]
    types: tuple[TypeCounts, ...]
    types_left_out: int
    causes: tuple[FailureCause, ...]
    causes_left_out: int
    durations: tuple[DurationRange, ...]
    durations_left_out: int
    health: tuple[HealthCheck, ...]
    variables: tuple[VariableView, ...]
    variables_left_out: int
    next_steps: tuple[NextStep, ...]
    looked_at: Scope
