"""What every reader of reports makes of a test case: one record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from toolkit.columns import COMPLETE, FAILED, FIELDS, HISTORY, SKIPPED, TARGETS, VARS
from toolkit.errors import ImportFailed
from toolkit.importers.model import FROM_CALLER, FROM_FILE, FROM_REPORT, TIME_SOURCE, ImportedRecord
from toolkit.importers.values import TYPE_LENGTH, UniqueNames, one_line, shorten
from toolkit.times import in_utc

if TYPE_CHECKING:
    from pathlib import Path

PASSED: Final = "passed"
FAILURE: Final = "failure"
ERROR: Final = "error"
SKIP: Final = "skipped"

STATUS: Final = {PASSED: COMPLETE, FAILURE: FAILED, ERROR: FAILED, SKIP: SKIPPED}
"""The status of each outcome; any other outcome is carried as it is."""


@dataclass(frozen=True, slots=True)
class Context:
    """What holds for every case of one file.

    Attributes
    ----------
    variant : str or None
        The system or configuration the file stands for.
    time : datetime
        The time of cases for which the report names none.
    time_source : str
        Where that time comes from.
    """

    variant: str | None
    time: datetime
    time_source: str

    def with_variant(self, name: str) -> str:
        """Add the variant to a name, so that it is part of the identity."""
        return name if self.variant is None else f"{name} [{self.variant}]"


def context_of(path: Path, variant: str | None, started_at: datetime | None) -> Context:
    """Say what holds for the cases of a file: its variant, and a time for those without one.

    Parameters
    ----------
    path : Path
        The file.
    variant : str or None
        The system or configuration.
    started_at : datetime or None
        A time that somebody gave; else the file's own.

    Returns
    -------
    Context

    Raises
    ------
    ImportFailed
        When the file cannot be looked at.
    """
    if started_at is not None:
        return Context(variant, in_utc(started_at), FROM_CALLER)
    try:
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise ImportFailed(f"{one_line(str(path))}: cannot be read: {error.strerror}") from None
    return Context(variant, modified, FROM_FILE)


@dataclass(frozen=True, slots=True)
class Case:
    """One test case, whatever the report.

    Attributes
    ----------
    class_name : str or None
        What the case belongs to: a class, a suite, a file.
    name : str
        Its own name.
    outcome : str
        `passed`, `failure`, `error`, `skipped`, or a word of the report.
    message : str or None
        What it said, when it failed.
    begin : datetime or None
        When it began, aware; None when the report does not say.
    seconds : float or None
        How long it took.
    attempts : list of dict
        Former attempts that failed, the first one first.
    fields : dict of str to Any
        What else is known of it; parts that are None are left out.
    record_id : str or None
        Its id, where the report gives one; else `<class>::<name>`.
    retries : int or None
        How often it was tried again, where the report gives only the number.
    """

    class_name: str | None
    name: str
    outcome: str
    message: str | None = None
    begin: datetime | None = None
    seconds: float | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    record_id: str | None = None
    retries: int | None = None

    def record(self, ids: UniqueNames, context: Context) -> ImportedRecord:
        """Make the record of this case.

        Parameters
        ----------
        ids : UniqueNames
            The ids of the file so far.
        context : Context
            What holds for the file.

        Returns
        -------
        ImportedRecord
        """
        begin, source = (context.time, context.time_source) if self.begin is None else (self.begin, FROM_REPORT)
        known = {"name": self.name, "classname": self.class_name, "outcome": self.outcome, "time": self.seconds}
        known |= self.fields | {"variant": context.variant, TIME_SOURCE: source}
        kept = {name: value for name, value in known.items() if value is not None}
        named = self.name if self.class_name is None else f"{self.class_name}::{self.name}"
        full_name = named if self.record_id is None else self.record_id
        return ImportedRecord(
            record_id=ids.take(context.with_variant(full_name)),
            record_type=shorten(self.class_name or "test", TYPE_LENGTH),
            status=STATUS.get(self.outcome, self.outcome),
            error_message=self.message or None,
            retry_count=len(self.attempts) if self.retries is None else self.retries,
            created_at=begin,
            processed_at=end_of(begin, self.seconds),
            data={FIELDS: kept, VARS: {}, TARGETS: {}, HISTORY: self.attempts},
        )


def end_of(begin: datetime, seconds: float | None) -> datetime:
    """Return when something ended that took so long; the begin itself where that is beyond all calendars."""
    try:
        return begin + timedelta(seconds=seconds or 0)
    except OverflowError:
        return begin
