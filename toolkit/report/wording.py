"""Numbers and sentences: how counts, shares, times and a verdict are said in a report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.analysis import NO_MESSAGE
from toolkit.columns import COMPLETE, DISCOVERED, FAILED, NO_STATUS, PROCESSING, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from toolkit.report.model import FailureCause, Outcome

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Control characters are drawn as their pictures; marks that turn the reading direction become visible, too.
_PICTURES: Final = (
    {code: 0x2400 + code for code in range(0x20)}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    | dict.fromkeys((0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
)
_PICTURES_OF_LINES: Final = {code: to for code, to in _PICTURES.items() if code not in {0x09, 0x0A}}
_UNITS: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_MOST: Final = 0.5
_SIGNATURE_LIMIT: Final = 120


def cut(text: str, limit: int) -> str:
    """Shorten a text to `limit` characters, the last of them "…"; lone surrogates become "�"."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return _SURROGATE.sub("\ufffd", shown)


def visible(text: str, *, lines: bool = False) -> str:
    """Make control characters visible; with `lines`, tabs and line ends stay what they are."""
    return text.replace("\r\n", "\n").translate(_PICTURES_OF_LINES if lines else _PICTURES)


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Say a count with its noun: "1 record", "2,000 records"."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def percent(part: int, whole: int) -> str:
    """Say a share in per cent, never rounding up to everything or down to nothing.

    Examples
    --------
    >>> percent(41, 50), percent(249, 250), percent(99_999, 100_000), percent(1, 100_000), percent(0, 0)
    ('82 %', '99.6 %', 'over 99.9 %', 'under 0.1 %', '0 %')
    """
    if not whole or part in {0, whole}:
        return "100 %" if whole and part == whole else "0 %"
    rounded, finer = f"{100 * part / whole:.0f}", f"{100 * part / whole:.1f}"
    if rounded not in {"0", "100"}:
        return f"{rounded} %"
    return {"0.0": "under 0.1 %", "100.0": "over 99.9 %"}.get(finer, f"{finer} %")


def seconds(value: float) -> str:
    """Say a duration in the one or two units that matter.

    Examples
    --------
    >>> [seconds(value) for value in (0, 0.0001, 0.25, 4.24, 59.9, 90, 3725, 200_000)]
    ['0 s', 'under 1 ms', '250 ms', '4.2 s', '1 min', '1 min 30 s', '1 h 2 min', '2 d 8 h']
    """
    for size, name, step, part in _UNITS:
        count, left = divmod(round(value / step), size // step)
        if count:
            return f"{count:,} {name} {left} {part}" if left else f"{count:,} {name}"
    milliseconds = round(value * 1000)
    if value >= 1 or not value:
        return f"{value:.2g} s"
    return f"{milliseconds} ms" if milliseconds else "under 1 ms"


def outcome(total: int, counts: Mapping[str, int]) -> Outcome:
    """Say in one word how a run stands."""
    if not total:
        return "empty"
    if counts.get(FAILED):
        return "failed"
    return "complete" if counts.get(COMPLETE) == total else "open"


def verdict(total: int, counts: Mapping[str, int], causes: Sequence[FailureCause], kinds: int) -> str:
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

    Returns
    -------
    str
        The share is that of status "complete" among all records, whatever their status: nothing that is
        missing, skipped or unfinished is counted as passed.

    Examples
    --------
    >>> verdict(50, {"complete": 41, "skipped": 9}, [], 0)
    '41 of 50 complete (82 %), 9 skipped; none failed'
    """
    if not total:
        return "There are no records to judge."
    complete, failed = counts.get(COMPLETE, 0), counts.get(FAILED, 0)
    if complete == total:
        return "The only record is complete." if total == 1 else f"All {total:,} records are complete."
    share = f"{complete:,} of {total:,} complete ({percent(complete, total)})"
    parts = ", ".join([share, *_undecided(total, counts)])
    return f"{parts}; {_failures(failed, causes, kinds)}"


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


def moment(time: datetime | None) -> str:
    """Say a point in time to the minute; the page says the zone."""
    return "unknown" if time is None else f"{time:%Y-%m-%d %H:%M}"


def period(first: datetime | None, last: datetime | None) -> str:
    """Say from when to when, naming a day once.

    Examples
    --------
    >>> from datetime import datetime
    >>> period(datetime(2026, 1, 5, 6, 0), datetime(2026, 1, 5, 7, 30))
    '2026-01-05 06:00 to 07:30'
    """
    start, end = moment(first), moment(last)
    if first is None or last is None or start == end:
        return start if start == end else f"{start} to {end}"
    return f"{start} to {last:%H:%M}" if first.date() == last.date() else f"{start} to {end}"
