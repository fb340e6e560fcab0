"""What the plots have in common: where they draw, how rows and legends are named, what is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import Container
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    from toolkit.plots.styles import Style

MOST_ROWS: Final = 30
"""How many rows a picture has at most."""

LABEL_LIMIT: Final = 24
STATUS_LIMIT: Final = 12
"""Characters of a label, and of a status that stands beside another label."""

_REPLACED: Final = ("\N{REPLACEMENT CHARACTER}", " ")
_MOST_PARTS: Final = 12
_WIDTH: Final = 8.0
_CHARACTERS: Final = 90  # that stand side by side in a figure of that width


def make_axes(ax: Axes | None, rows: int) -> Axes:
    """Return the Axes given, else those of a new figure with room for so many rows."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # noqa: PLC0415 - it chooses a display and takes a second

    return plt.subplots(figsize=(_WIDTH, 2 + 0.35 * rows), layout="constrained")[1]


def largest(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Keep the rows that hold most, in the order in which they stood."""
    kept = table[by].reset_index(drop=True).sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
    return table.iloc[sorted(kept)]


def few_columns(counts: pd.DataFrame) -> pd.DataFrame:
    """Take the columns that hold least together where there are more than anybody can tell apart."""
    if counts.shape[1] <= _MOST_PARTS:
        return counts
    order = counts.sum().reset_index(drop=True).sort_values(ascending=False, kind="stable").index
    kept = sorted(order[: _MOST_PARTS - 1])
    rest = counts.iloc[:, sorted(order[_MOST_PARTS - 1 :])]
    return counts.iloc[:, kept].assign(**{f"({rest.shape[1]:,} others)": rest.sum(axis="columns")})


def title(text: str, shown: int, all_: int, things: str) -> str:
    """Say in the title how much of the whole is drawn."""
    return text if shown == all_ else f"{text} (the {shown} largest of {all_:,} {things})"


def cut(text: str, limit: int = LABEL_LIMIT) -> str:
    r"""Shorten a label, keeping both ends, and write it as one line.

    Examples
    --------
    >>> cut("tests.test_login::test_an_expired_password"), cut("two\nlines")
    ('tests.test_lo…d_password', 'two lines')
    """
    tail = limit * 2 // 5 + 1
    line = text if len(text) <= limit else text[: limit - tail - 1] + "…" + text[-tail:]
    return "".join(char if char.isprintable() else _REPLACED[char.isspace()] for char in line)


def name_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Name the rows, the first one on top."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    literal(ax.get_yticklabels())


def stack(ax: Axes, counts: pd.DataFrame, looks: Mapping[str, Style]) -> None:
    """Draw each row as a bar of parts that stand side by side."""
    left = [0] * len(counts)
    bars, labels = [], []
    for name in counts.columns:
        values = counts[name].tolist()
        color, hatch = looks[name]
        bars.append(ax.barh(range(len(left)), values, 0.7, left, color=color, hatch=hatch, edgecolor="white"))
        labels.append(counted(name, sum(values)))
        left = [start + value for start, value in zip(left, values, strict=True)]
    legend(ax, bars, labels)


def patch(look: Style, edge: str = "white") -> Patch:
    """Return what stands in a legend for a look."""
    from matplotlib.patches import Patch  # noqa: PLC0415 - loaded when a plot is drawn

    return Patch(facecolor=look.color, hatch=look.hatch, edgecolor=edge)


def counted(name: str, count: int) -> str:
    """Name a part of the legend."""
    return f"{cut(name)} ({count:,})"


def legend(ax: Axes, handles: Sequence[Artist | Container], labels: Sequence[str]) -> None:
    """Put the legend below the axis and its label, where it never lies on the data."""
    from matplotlib.transforms import ScaledTranslation  # noqa: PLC0415 - loaded when a plot is drawn

    # In inches, for axes of any height.
    below = ax.transAxes + ScaledTranslation(0, -0.55, ax.figure.dpi_scale_trans)
    box = ax.legend(
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
    for text, label in zip(box.get_texts(), labels, strict=True):
        text.set_text(label)
    literal(box.get_texts())


def _columns(ax: Axes, labels: Sequence[str]) -> int:
    beside = max((len(label.get_text()) for label in ax.get_yticklabels()), default=0)
    fitting = (_CHARACTERS - beside) // (max(map(len, labels)) + 6)
    return max(1, min(fitting, len(labels), 4))


def literal(texts: Iterable[Text]) -> None:
    """Have a "$" be a dollar sign, not the start of a formula."""
    for text in texts:
        text.set_parse_math(False)


def tidy(ax: Axes, grid: Literal["x", "y"] = "x") -> None:
    """Leave the lines that help to read a value."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def count_axis(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Have an axis count from 0 in whole numbers."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - loaded when a plot is drawn

    counting = ax.xaxis if axis == "x" else ax.yaxis
    counting.set_major_locator(MaxNLocator(integer=True))
    counting.set_major_formatter("{x:,.0f}")
    ax.set(**{f"{axis}lim": (0, None)})


def say_nothing(ax: Axes, text: str) -> Axes:
    """Say in an empty picture why it is empty."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")
    return ax
