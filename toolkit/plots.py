"""Pictures of records: each function takes a frame and returns the matplotlib Axes it drew on.

As with pandas' own ``.plot``, nothing is shown and nothing is saved; give `ax` to draw into a figure of your
own. Colours are those of Okabe and Ito, which people with any colour vision tell apart; a status is
told by hatch and label as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from toolkit import analysis
from toolkit.analysis import COUNT, RECORD_TYPE, STATUS, TOTAL
from toolkit.columns import COMPLETE, DISCOVERED, FAILED, PROCESSING, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import Container
    from matplotlib.text import Text


class Style(NamedTuple):
    """How a status looks: its colour, and the hatch that tells it without colour."""

    color: str
    hatch: str


STYLES: Final = {
    DISCOVERED: Style("#BBBBBB", "...."),
    PROCESSING: Style("#56B4E9", "----"),
    COMPLETE: Style("#009E73", ""),
    FAILED: Style("#D55E00", "////"),
    SKIPPED: Style("#F0E442", "xxxx"),
}
OTHER_STYLES: Final = (
    Style("#CC79A7", "\\\\\\\\"),
    Style("#E69F00", "++++"),
    Style("#0072B2", "oo"),
    Style("#999999", "||||"),
)
"""The looks of statuses of one's own, in turn."""

_MOST_ROWS: Final = 30
_WIDTH: Final = 8.0
_CHARACTERS: Final = 90  # that stand side by side in a figure of that width
_LABEL_LIMIT: Final = 24
_STATUS_LIMIT: Final = 12
_LOG_FROM: Final = 200
_UNITS: Final = ((2 * 86_400, 86_400, "days"), (2 * 3_600, 3_600, "hours"), (300, 60, "minutes"))


def status_by_type(records: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many records of each type have which status.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_type` and `status`.
    ax : Axes, optional
        Where to draw; a new figure when None.

    Returns
    -------
    Axes
        One horizontal bar per type, stacked by status in the order of a record's life, the total behind it.
        Of more than 30 types the 30 largest are drawn, and the title says so.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> records = pd.DataFrame({"record_type": ["email", "email", "invoice"],
    ...                         "status": ["failed", "complete", "complete"]})
    >>> ax = status_by_type(records, ax=Figure().subplots())
    >>> ax.get_title(), [text.get_text() for text in ax.get_legend().get_texts()]
    ('Records by type and status', ['complete (2)', 'failed (1)'])
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - matplotlib is loaded when a plot is drawn

    counts = analysis.by_status(records)
    shown = _largest(counts, TOTAL)
    ax = _axes(ax, len(shown))
    ax.set_title(_title("Records by type and status", len(shown), len(counts), "types"))
    ax.set_xlabel("records")
    if shown.empty:
        return _say_nothing(ax, "no records")
    _rows(ax, [_cut(kind) for kind in shown.index])
    _stack(ax, shown.drop(columns=TOTAL))
    for row, total in enumerate(shown[TOTAL]):
        ax.annotate(f"{total:,}", (total, row), (4, 0), textcoords="offset points", va="center")
    ax.set_xmargin(0.12)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    _tidy(ax)
    return ax


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
    shown = _largest(table, COUNT)
    ax = _axes(ax, len(shown))
    ax.set_title(_title("How long records took", len(shown), len(table), "rows"))
    ax.set_xlabel("seconds from created to processed")
    if shown.empty:
        return _say_nothing(ax, "no record has both times")
    names = zip(shown[RECORD_TYPE], shown[STATUS], shown[COUNT], strict=True)
    _rows(ax, [f"{_cut(kind)} · {_cut(status, _STATUS_LIMIT)} ({count:,})" for kind, status, count in names])
    _ranges(ax, shown)
    _tidy(ax)
    return ax


def _axes(ax: Axes | None, rows: int) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # noqa: PLC0415 - it chooses a display and takes a second

    return plt.subplots(figsize=(_WIDTH, 2 + 0.35 * rows), layout="constrained")[1]


def _stack(ax: Axes, counts: pd.DataFrame) -> None:
    left = [0] * len(counts)
    bars, labels = [], []
    for status, (color, hatch) in _styles(counts.columns).items():
        values = counts[status].tolist()
        bars.append(ax.barh(range(len(left)), values, 0.7, left, color=color, hatch=hatch, edgecolor="white"))
        labels.append(f"{_cut(status)} ({sum(values):,})")
        left = [start + value for start, value in zip(left, values, strict=True)]
    _legend(ax, bars, labels)


def _ranges(ax: Axes, table: pd.DataFrame) -> None:
    values = table[["p50", "p95", "max"]].astype("float64")
    logarithmic = values["p50"].min() > 0 and values["max"].max() / values["p50"].min() > _LOG_FROM
    divisor, unit = (1, "seconds") if logarithmic else _unit(values["max"].max())
    values, rows = values / divisor, range(len(table))
    styles = _styles(dict.fromkeys(table[STATUS]))
    colors = [styles[status].color for status in table[STATUS]]
    ax.hlines(rows, values["p50"], values["max"], color=colors, linewidth=1.5)
    ax.hlines(rows, values["p50"], values["p95"], color=colors, linewidth=5)
    points = [
        ax.scatter(values[name], rows, s=size, c=colors, marker=marker, zorder=3)
        for name, marker, size in (("p50", "o", 64), ("p95", "D", 48), ("max", "|", 130))
    ]
    _legend(ax, points, ["median", "95th percentile", "longest"])
    ax.set_xlabel(f"{unit} from created to processed{' (logarithmic)' if logarithmic else ''}")
    ax.set_xscale("log" if logarithmic else "linear")
    ax.xaxis.set_major_formatter("{x:,g}")
    if not logarithmic:
        ax.set_xlim(left=0)


def _styles(statuses: Iterable[str]) -> dict[str, Style]:
    names = list(statuses)
    own = [name for name in names if name not in STYLES]
    turns = {name: OTHER_STYLES[turn % len(OTHER_STYLES)] for turn, name in enumerate(own)}
    return {name: STYLES.get(name) or turns[name] for name in names}


def _largest(table: pd.DataFrame, by: str) -> pd.DataFrame:
    kept = table[by].reset_index(drop=True).sort_values(ascending=False, kind="stable").index[:_MOST_ROWS]
    return table.iloc[sorted(kept)]


def _unit(longest: float) -> tuple[int, str]:
    return next(((size, name) for least, size, name in _UNITS if longest >= least), (1, "seconds"))


def _title(text: str, shown: int, all_: int, things: str) -> str:
    return text if shown == all_ else f"{text} (the {shown} largest of {all_:,} {things})"


def _cut(text: str, limit: int = _LABEL_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _rows(ax: Axes, labels: list[str]) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    _literal(ax.get_yticklabels())


def _legend(ax: Axes, handles: Sequence[Artist | Container], labels: list[str]) -> None:
    from matplotlib.transforms import ScaledTranslation  # noqa: PLC0415 - loaded when a plot is drawn

    # Below the axis and its label, so that it never lies on the data; in points, for axes of any height.
    below = ax.transAxes + ScaledTranslation(0, -0.55, ax.figure.dpi_scale_trans)
    legend = ax.legend(
        handles,
        [str(turn) for turn in range(len(labels))],
        ncols=_columns(ax, labels),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        borderaxespad=0,
        frameon=False,
    )
    # A label that begins with an underscore would have been left out, so the texts come afterwards.
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)
    _literal(legend.get_texts())


def _columns(ax: Axes, labels: list[str]) -> int:
    beside = max(len(label.get_text()) for label in ax.get_yticklabels())
    fitting = (_CHARACTERS - beside) // (max(map(len, labels)) + 6)
    return max(1, min(fitting, len(labels), 4))


def _literal(texts: Iterable[Text]) -> None:
    # A "$" in a status or type is a dollar sign, not the start of a formula.
    for text in texts:
        text.set_parse_math(False)


def _tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def _say_nothing(ax: Axes, text: str) -> Axes:
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")
    return ax
