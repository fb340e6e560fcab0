"""The answer in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.analysis import NO_MESSAGE
from toolkit.columns import COMPLETE, DISCOVERED, FAILED, NO_STATUS, PROCESSING, SKIPPED
from toolkit.report.wording import cut, percent, plural, points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.report.model import FailureCause, Outcome

_MOST: Final = 0.5
_SIGNATURE_LIMIT: Final = 120
_RUN_LIMIT: Final = 60


@dataclass(frozen=True, slots=True)
class Against:
    """What a verdict says of the baseline: its name and counts, the causes of the new failures with their counts.

    `silent` tells whether a new failure has no message.
    """

    run: str
    total: int
    complete: int
    new: tuple[tuple[str, int], ...]
    silent: bool


def outcome(total: int, counts: Mapping[str, int]) -> Outcome:
    """Say in one word how a run stands."""
    if not total:
        return "empty"
    if counts.get(FAILED):
        return "failed"
    return "complete" if counts.get(COMPLETE) == total else "open"


def verdict(
    total: int,
    counts: Mapping[str, int],
    causes: Sequence[FailureCause],
    kinds: int,
    against: Against | None = None,
) -> str:
    """Say in one sentence how a run stands.

    Parameters
    ----------
    total : int
        All records.
    counts : mapping of str to int
        Records by status.
    causes : sequence of FailureCause
        Why records failed, the most frequent first.
    kinds : int
        How many causes there are in all.
    against : Against, optional
        The baseline, where there is one.

    Returns
    -------
    str
        The share is that of status "complete" among all records, whatever their status: nothing that is
        missing, skipped or unfinished is counted as passed.

    Examples
    --------
    >>> verdict(50, {"complete": 41, "skipped": 9}, [], 0)
    '41 of 50 complete (82 %), 9 skipped; none failed'
    >>> before = Against("nightly-16", total=50, complete=44, new=(("timeout", 3),), silent=False)
    >>> verdict(50, {"complete": 41, "failed": 9}, [], 1, before)
    '41 of 50 complete (82 %), 6 points below nightly-16; 6 still failing, 3 new failures share one cause: timeout'
    """
    if not total:
        return "There are no records to judge."
    complete, failed = counts.get(COMPLETE, 0), counts.get(FAILED, 0)
    beside = _beside(complete / total, against)
    if complete == total:
        whole = "The only record is complete" if total == 1 else f"All {total:,} records are complete"
        return f"{whole}{beside}."
    share = f"{complete:,} of {total:,} complete ({percent(complete, total)}){beside}"
    parts = ", ".join([share, *_undecided(total, counts)])
    said = _failures(failed, causes, kinds) if against is None or not failed else _changes(failed, against)
    return f"{parts}; {said}"


def _beside(share: float, against: Against | None) -> str:
    if against is None or not against.total:
        return ""
    run, difference = cut(against.run, _RUN_LIMIT), share - against.complete / against.total
    if not difference:
        return f", the same share as {run}"
    return f", {points(difference)} {'above' if difference > 0 else 'below'} {run}"


def _undecided(total: int, counts: Mapping[str, int]) -> list[str]:
    known = {name: counts.get(name, 0) for name in (COMPLETE, FAILED, SKIPPED, NO_STATUS, DISCOVERED, PROCESSING)}
    unfinished, other = known[DISCOVERED] + known[PROCESSING], total - sum(known.values())
    parts = (
        (known[SKIPPED], "skipped"),
        (unfinished, "not finished"),
        (known[NO_STATUS], "without a status"),
        (other, "with another status" if other == 1 else "with other statuses"),
    )
    return [f"{count:,} {words}" for count, words in parts if count]


def _failures(failed: int, causes: Sequence[FailureCause], kinds: int) -> str:
    if not failed:
        return "none failed"
    first = causes[0]
    said = cut(first.signature, _SIGNATURE_LIMIT)
    silent = first.example is None and said == NO_MESSAGE
    if kinds > 1 and first.count <= _MOST * failed:
        frequent = "without a message" if silent else said
        return f"{failed:,} failed, of {kinds:,} causes; the most frequent ({first.count:,}): {frequent}"
    if silent:
        extent = "without a message" if failed == 1 else f"{'all' if kinds == 1 else 'most'} without a message"
        return f"{failed:,} failed, {extent}"
    if failed == 1:
        return f"1 failed: {said}"
    return f"{failed:,} failed, {'all' if kinds == 1 else 'most'} of one cause: {said}"


def _changes(failed: int, against: Against) -> str:
    new = sum(count for _, count in against.new)
    # Failures that the baseline has too; a key that repeats may be listed once only.
    still = max(failed - new, 0)
    if not new:
        return f"no new failures, {still:,} still failing"
    before = f"{still:,} still failing, " if still else ""
    return before + _new_failures(new, against)


def _new_failures(new: int, against: Against) -> str:
    (signature, most), kinds = against.new[0], len(against.new)
    silent = against.silent and signature == NO_MESSAGE
    said = "without a message" if silent else cut(signature, _SIGNATURE_LIMIT)
    words = plural(new, "new failure")
    if kinds > 1 and most <= _MOST * new:
        return f"{words} of {kinds:,} causes; the most frequent ({most:,}): {said}"
    if kinds > 1:
        return f"{words}, most {said}" if silent else f"{words}, most of one cause: {said}"
    if silent:
        return f"{words} {said}"
    return f"{words}: {said}" if new == 1 else f"{words} share one cause: {said}"
