"""Time along an axis: moments as numbers that matplotlib draws, and lengths that suit the time covered."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from toolkit.analysis.common import times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY: Final = 86_400
"""Seconds of a day; a day is what matplotlib counts in."""

_FIRST: Final = pd.Timestamp("0002-01-01", tz="UTC")
_LAST: Final = pd.Timestamp("9998-01-01", tz="UTC")
_MARGIN: Final = 0.02
_SHORT: Final = 0.02  # of a day, about half an hour


class Interval(NamedTuple):
    """A length of time, as pandas writes it and as people say it."""

    every: str
    words: str


_INTERVALS: Final = tuple(
    Interval(*pair)
    for pair in (
        ("1ms", "millisecond"), ("10ms", "10 milliseconds"), ("100ms", "100 milliseconds"), ("1s", "second"),
        ("5s", "5 seconds"), ("15s", "15 seconds"), ("1min", "minute"), ("5min", "5 minutes"),
        ("15min", "15 minutes"), ("1h", "hour"), ("6h", "6 hours"), ("1D", "day"), ("7D", "7 days"),
    )
)  # fmt: skip


def moments(records: pd.DataFrame, name: str) -> pd.Series[pd.Timestamp]:
    """Return a column as times in UTC by position; missing where matplotlib has no such year."""
    found = times(records, name)
    return found.where(found.between(_FIRST, _LAST))


def interval(seconds: float, most: int, least: str) -> Interval:
    """Choose the shortest interval, of at least that length, of which so many cover the time.

    Examples
    --------
    >>> interval(7200, 60, "1min"), interval(0, 60, "1min")
    (Interval(every='5min', words='5 minutes'), Interval(every='1min', words='minute'))
    >>> interval(86_400 * 3650, 60, "1min").words
    '61 days'
    """
    shortest = pd.Timedelta(least)
    for candidate in _INTERVALS:
        length = pd.Timedelta(candidate.every)
        if length >= shortest and seconds <= most * length.total_seconds():
            return candidate
    days = int(seconds // (most * DAY)) + 1
    return Interval(f"{days}D", f"{days:,} days")


def numbers(moment: pd.Series[pd.Timestamp]) -> pd.Series[float]:
    """Return times as matplotlib's numbers: days since its epoch."""
    from matplotlib.dates import date2num  # noqa: PLC0415 - loaded when a plot is drawn

    found = date2num(moment.dt.tz_localize(None).to_numpy())  # type: ignore[no-untyped-call]
    return pd.Series(found, index=moment.index).astype("float64")


def time_axis(ax: Axes, begin: float, end: float, what: str) -> None:
    """Have the x axis tell times in UTC, from one of matplotlib's numbers to another, and say of what."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, num2date  # noqa: PLC0415 - as above

    locator = AutoDateLocator(tz=UTC, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=UTC, show_offset=False)  # type: ignore[no-untyped-call]
    )
    margin = (end - begin) * _MARGIN
    ax.set_xlim(begin - margin, end + margin)
    # The ticks leave out what they have in common, so the label has the whole.
    first, last = (num2date(number, tz=UTC) for number in (begin, end))  # type: ignore[no-untyped-call]
    time = "%H:%M:%S" if end - begin < _SHORT else "%H:%M"
    day = "" if first.date() == last.date() else "%Y-%m-%d "
    ax.set_xlabel(f"{what}, {first:%Y-%m-%d {time}} to {last:{day}{time}} UTC")
