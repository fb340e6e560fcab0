"""A picture of when records were in work: a bar for each of a few, a lane for each type of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.analysis import CREATED_AT, PROCESSED_AT, RECORD_ID, RECORD_TYPE, STATUS
from toolkit.analysis.common import status_rank, statuses, text, type_rank, types
from toolkit.analysis.timing import seconds
from toolkit.plots.clock import DAY, interval, moments, numbers, time_axis
from toolkit.plots.drawing import (
    MOST_ROWS,
    STATUS_LIMIT,
    counted,
    cut,
    few_columns,
    legend,
    make_axes,
    name_rows,
    patch,
    say_nothing,
    tidy,
)
from toolkit.plots.styles import styles

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from toolkit.plots.styles import Style

_MOST_INTERVALS: Final = 150
_HEIGHT: Final = 0.8
_BEGIN: Final = "begin"
_END: Final = "end"
_CIRCLE: Final[dict[str, Any]] = {"s": 40, "facecolors": "white", "linewidths": 2, "zorder": 3}


def timeline(records: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw when records were in work, from `created_at` to `processed_at`.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_id`, `record_type`, `status`, `created_at` and `processed_at`.
    ax : Axes, optional
        Where to draw; a new figure when None.

    Returns
    -------
    Axes
        Of up to 30 records a bar each, in the order in which they were created. Of more a lane per type: its height is
        the number of records that were in work in an interval, stacked by status, and each lane is as high as its own
        largest number, which its label says; of more than 30 types the 30 with most records. A record that
        `analysis.durations` does not measure, because it is not processed or its times cannot be, is a circle at its
        `created_at`, and in a lane counts in that interval. Records without `created_at` are not drawn; the title
        counts what is. Times are in UTC.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": ["complete", "failed"], "created_at": start,
    ...     "processed_at": [start + pd.Timedelta("2s"), pd.NaT]})
    >>> [label.get_text() for label in timeline(records, ax=Figure().subplots()).get_yticklabels()]
    ['email_1 · complete', 'email_2 · failed']
    """
    spans = _spans(records)
    drawn = spans[spans[_BEGIN].notna()].sort_values(_BEGIN, kind="stable")
    each = len(drawn) <= MOST_ROWS
    lanes = drawn if each else _of_largest_types(drawn)
    ax = make_axes(ax, len(lanes) if each else lanes[RECORD_TYPE].nunique())
    ax.set_title(_title(len(lanes), len(records)))
    if lanes.empty:
        return say_nothing(ax, "no record has a time of creation")
    if each:
        _draw_records(ax, lanes)
    else:
        _draw_types(ax, lanes)
    tidy(ax)
    return ax


def _spans(records: pd.DataFrame) -> pd.DataFrame:
    """Lay out what is drawn: a row per record, its begin and its end as matplotlib's numbers, the end if known."""
    begin, end = moments(records, CREATED_AT), moments(records, PROCESSED_AT)
    parts = {RECORD_ID: text(records, RECORD_ID, "(no id)"), RECORD_TYPE: types(records), STATUS: statuses(records)}
    measured = seconds(records).notna()
    return pd.DataFrame(parts | {_BEGIN: numbers(begin), _END: numbers(end.where(measured))})


def _of_largest_types(spans: pd.DataFrame) -> pd.DataFrame:
    most = spans[RECORD_TYPE].value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    return spans[spans[RECORD_TYPE].isin(most.index[:MOST_ROWS])]


def _title(drawn: int, all_: int) -> str:
    text = "When records were in work"
    return text if drawn == all_ else f"{text} ({drawn:,} of {all_:,} records)"


def _draw_records(ax: Axes, spans: pd.DataFrame) -> None:
    named = zip(spans[RECORD_ID], spans[STATUS], strict=True)
    name_rows(ax, [f"{cut(name)} · {cut(status, STATUS_LIMIT)}" for name, status in named])
    counts = spans[STATUS].value_counts()
    looks = styles(sorted(counts.index, key=status_rank))
    spans = spans.assign(row=range(len(spans)))
    for status, rows in spans.groupby(STATUS):
        _draw_bars(ax, rows, looks[str(status)])
    begin = spans[_BEGIN].min()
    # An axis needs a length: a millisecond at least.
    end = max(spans[[_BEGIN, _END]].max().max(), begin + 0.001 / DAY)
    time_axis(ax, begin, end, "in work")
    _legend(ax, counts, looks, open_=bool(spans[_END].isna().any()))


def _draw_bars(ax: Axes, spans: pd.DataFrame, look: Style) -> None:
    wide, open_ = spans[spans[_END].notna()], spans[spans[_END].isna()]
    color, hatch = look
    lengths = wide[_END] - wide[_BEGIN]
    ax.barh(wide["row"], lengths, 0.7, wide[_BEGIN], color=color, hatch=hatch, edgecolor="white")
    # So that one that took no time to speak of is seen as well.
    ax.vlines(wide[_BEGIN], wide["row"] - 0.35, wide["row"] + 0.35, color=color, linewidth=1.5)
    ax.scatter(open_[_BEGIN], open_["row"], edgecolors=color, **_CIRCLE)


def _draw_types(ax: Axes, spans: pd.DataFrame) -> None:
    spans = spans.assign(**{_END: spans[_END].fillna(spans[_BEGIN])})
    covered = (spans[_END].max() - spans[_BEGIN].min()) * DAY
    chosen = interval(covered, _MOST_INTERVALS, "1ms")
    cells, edges = _cells(spans, pd.Timedelta(chosen.every).total_seconds() / DAY)
    order = sorted(spans[STATUS].unique(), key=status_rank)
    counts = few_columns(pd.crosstab(spans[RECORD_TYPE], spans[STATUS])[order])
    looks = styles(counts.columns)
    cells[STATUS] = spans[STATUS].where(spans[STATUS].isin(counts.columns), counts.columns[-1])
    labels = []
    for row, kind in enumerate(sorted(counts.index, key=type_rank)):
        layers = {
            status: _in_work(part, len(edges) - 1) for status, part in cells[spans[RECORD_TYPE] == kind].groupby(STATUS)
        }
        most = _draw_lane(ax, row, edges, {look: layers[name] for name, look in looks.items() if name in layers})
        labels.append(f"{cut(kind)} · up to {most:,}")
    name_rows(ax, labels)
    ax.set_ylabel(f"records per {chosen.words}")
    time_axis(ax, edges[0], edges[-1], "in work")
    _legend(ax, counts.sum(), looks)


def _cells(spans: pd.DataFrame, step: float) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Tell in which interval each record begins and ends, and where the intervals lie."""
    first = np.floor(spans[_BEGIN].min() / step)
    cells = (np.floor(spans[[_BEGIN, _END]] / step) - first).astype("int64")
    return cells, (first + np.arange(cells[_END].max() + 2)) * step


def _in_work(cells: pd.DataFrame, number: int) -> NDArray[np.int64]:
    """Count the records that touch each interval."""
    begun = np.bincount(cells[_BEGIN], minlength=number + 1)
    over = np.bincount(cells[_END] + 1, minlength=number + 1)
    return (begun - over).cumsum()[:number]


def _draw_lane(ax: Axes, row: int, edges: NDArray[np.float64], layers: dict[Style, NDArray[np.int64]]) -> int:
    """Draw the records of a type in work, a layer per status; return the largest number."""
    most = int(np.sum(list(layers.values()), axis=0).max())
    ground = row + _HEIGHT / 2
    below = np.zeros(len(edges) - 1)
    for (color, hatch), layer in layers.items():
        top = below + layer * (_HEIGHT / most)
        ax.stairs(
            ground - top,
            edges,
            baseline=ground - below,
            fill=True,
            facecolor=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
        )
        below = top
    return most


def _legend(ax: Axes, counts: pd.Series[int], looks: dict[str, Style], *, open_: bool = False) -> None:
    handles: list[Artist] = [patch(look) for look in looks.values()]
    labels = [counted(name, counts[name]) for name in looks]
    if open_:
        handles.append(ax.scatter([], [], edgecolors="#555555", **_CIRCLE))
        labels.append("created, no end known")
    legend(ax, handles, labels)
