"""A picture of how long records took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit import analysis
from toolkit.analysis import COUNT, RECORD_TYPE, STATUS
from toolkit.plots.drawing import STATUS_LIMIT, cut, largest, legend, make_axes, name_rows, say_nothing, tidy, title
from toolkit.plots.styles import styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LOG_FROM: Final = 200
_UNITS: Final = ((2 * 86_400, 86_400, "days"), (2 * 3_600, 3_600, "hours"), (300, 60, "minutes"))


def durations(records: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how long records took: the median, the 95th percentile and the longest.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_type`, `status`, `created_at` and `processed_at`.
    ax : Axes, optional
        Where to draw; a new figure when None.

    Returns
    -------
    Axes
        One row per type and status that `analysis.durations` measures, at most the 30 most frequent; from
        the median (a disc) over the 95th percentile (a diamond) to the longest (a bar). The axis starts at
        zero, or is logarithmic, and says so, when the values lie far apart.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_type": "email", "status": "complete", "created_at": start,
    ...                         "processed_at": start + pd.to_timedelta([2, 4, 9], unit="s")})
    >>> durations(records, ax=Figure().subplots()).get_xlabel()
    'seconds from created to processed'
    """
    table = analysis.durations(records)
    shown = largest(table, COUNT)
    ax = make_axes(ax, len(shown))
    ax.set_title(title("How long records took", len(shown), len(table), "rows"))
    ax.set_xlabel("seconds from created to processed")
    if shown.empty:
        return say_nothing(ax, "no record has both times")
    names = zip(shown[RECORD_TYPE], shown[STATUS], shown[COUNT], strict=True)
    name_rows(ax, [f"{cut(kind)} · {cut(status, STATUS_LIMIT)} ({count:,})" for kind, status, count in names])
    _ranges(ax, shown)
    tidy(ax)
    return ax


def _ranges(ax: Axes, table: pd.DataFrame) -> None:
    values = table[["p50", "p95", "max"]].astype("float64")
    logarithmic = values["p50"].min() > 0 and values["max"].max() / values["p50"].min() > _LOG_FROM
    divisor, unit = (1, "seconds") if logarithmic else _unit(values["max"].max())
    values, rows = values / divisor, range(len(table))
    looks = styles(dict.fromkeys(table[STATUS]))
    colors = [looks[status].color for status in table[STATUS]]
    ax.hlines(rows, values["p50"], values["max"], color=colors, linewidth=1.5)
    ax.hlines(rows, values["p50"], values["p95"], color=colors, linewidth=5)
    points = [
        ax.scatter(values[name], rows, s=size, c=colors, marker=marker, zorder=3)
        for name, marker, size in (("p50", "o", 64), ("p95", "D", 48), ("max", "|", 130))
    ]
    legend(ax, points, ["median", "95th percentile", "longest"])
    ax.set_xlabel(f"{unit} from created to processed{' (logarithmic)' if logarithmic else ''}")
    ax.set_xscale("log" if logarithmic else "linear")
    ax.xaxis.set_major_formatter("{x:,g}")
    if not logarithmic:
        ax.set_xlim(left=0)


def _unit(longest: float) -> tuple[int, str]:
    return next(((size, name) for least, size, name in _UNITS if longest >= least), (1, "seconds"))
