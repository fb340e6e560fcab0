"""A picture of failures over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import STATUS, UPDATED_AT
from toolkit.analysis.common import need
from toolkit.columns import COMPLETE, FAILED
from toolkit.plots.clock import DAY, interval, moments, numbers, time_axis
from toolkit.plots.drawing import count_axis, counted, legend, make_axes, say_nothing, tidy
from toolkit.plots.styles import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_INTERVALS: Final = 60
_ROWS: Final = 5  # of other pictures, that this one is high
_GAP: Final = 0.9


def failures_over_time(records: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many records failed and how many are complete, by the time at which they were last written.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status` and `updated_at`.
    ax : Axes, optional
        Where to draw; a new figure when None.

    Returns
    -------
    Axes
        One bar per interval of `analysis.error_rate`, at most about 60: the failed records, and the complete ones on
        top of them. The axes say how long an interval is, and the time covered, in UTC. Records with another status or
        without `updated_at` are not drawn; the title counts those that are.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"status": ["failed", "complete", "complete"],
    ...                         "updated_at": start + pd.to_timedelta([0, 10, 130], unit="min")})
    >>> failures_over_time(records, ax=Figure().subplots()).get_xlabel()
    'last written, 2026-01-05 06:00 to 08:15 UTC'
    """
    need(records, STATUS)
    when = moments(records, UPDATED_AT)
    decided = pd.DataFrame({STATUS: records[STATUS].array, UPDATED_AT: when})
    decided = decided[decided[STATUS].isin([FAILED, COMPLETE]) & when.notna()]
    ax = make_axes(ax, _ROWS)
    whole = len(decided) == len(records)
    ax.set_title("Failures over time" if whole else _title(len(decided), len(records)))
    if decided.empty:
        return say_nothing(ax, "no record is decided")
    covered = decided[UPDATED_AT].max() - decided[UPDATED_AT].min()
    every, words = interval(covered.total_seconds(), _MOST_INTERVALS, "1min")
    _bars(ax, analysis.error_rate(decided, every), pd.Timedelta(every).total_seconds() / DAY)
    ax.set_ylabel(f"records per {words}")
    return ax


def _title(drawn: int, all_: int) -> str:
    return f"Failures over time ({drawn:,} of {all_:,} records; the others are not decided)"


def _bars(ax: Axes, rates: pd.DataFrame, width: float) -> None:
    begin = numbers(rates["time"])
    failed, complete = rates[FAILED].astype("int64"), (rates["decided"] - rates[FAILED]).astype("int64")
    bars, labels = [], []
    for name, counts, below in ((FAILED, failed, 0 * failed), (COMPLETE, complete, failed)):
        color, hatch = STYLES[name]
        bars.append(
            ax.bar(begin, counts, width * _GAP, below, align="edge", color=color, hatch=hatch, edgecolor="white")
        )
        labels.append(counted(name, counts.sum()))
    time_axis(ax, begin.iloc[0], begin.iloc[-1] + width, "last written")
    count_axis(ax, "y")
    tidy(ax, "y")
    legend(ax, bars, labels)
