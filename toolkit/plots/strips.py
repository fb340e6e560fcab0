"""A picture of many runs: a strip of outcomes for each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from toolkit.analysis.outcomes import ABSENT, LETTERS, OPEN
from toolkit.columns import COMPLETE, FAILED, PROCESSING, SKIPPED
from toolkit.errors import InvalidOption
from toolkit.plots.drawing import MOST_ROWS, counted, cut, legend, make_axes, name_rows, patch, say_nothing
from toolkit.plots.styles import STYLES, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MOST_RUNS: Final = 60
_LEAST_WIDTH: Final = 12  # in runs, so that the cells of three runs are not bars
_FEW_RUNS: Final = 20  # of which each is numbered
_EVERY: Final = 5
_RIGHT: Final = 0.43
_CORNERS: Final = np.array([(-_RIGHT, -0.35), (_RIGHT, -0.35), (_RIGHT, 0.35), (-_RIGHT, 0.35)])
"""Of a cell, about its middle."""

_LABEL: Final = 40
_FLAGS: Final = ("new", "broken", "flaky", "fixed")
_FIRST: Final = ("failing", "flaky", "fixed", "failed")
_CELLS: Final = {
    LETTERS[COMPLETE]: (COMPLETE, STYLES[COMPLETE]),
    LETTERS[FAILED]: (FAILED, STYLES[FAILED]),
    LETTERS[SKIPPED]: (SKIPPED, STYLES[SKIPPED]),
    OPEN: ("open", STYLES[PROCESSING]),
    ABSENT: ("missing", Style("#FFFFFF", "")),
}


def history(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the outcomes of records over many runs: a row per record, a cell per run.

    Parameters
    ----------
    table : DataFrame
        What `analysis.history` returns: one row per record, with the key in its first column, and `strip`.
    ax : Axes, optional
        Where to draw; a new figure when None.

    Returns
    -------
    Axes
        The runs from left to right, the oldest first; at most the latest 60. Of more than 30 records only those that
        ever failed are drawn, at most 30 of them: those that fail now, then the flaky, then the fixed. What is new,
        broken, flaky or fixed is said behind the row. An empty cell is a missing record. The title counts records.

    Raises
    ------
    InvalidOption
        When the column `strip` is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"record_id": ["login", "search"], "strip": ["PPFF", "PP-P"], "new": [False, False],
    ...                       "broken": [True, False]})
    >>> ax = history(table, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()], [text.get_text() for text in ax.texts]
    (['login', 'search'], ['broken'])
    """
    if "strip" not in table.columns:
        raise InvalidOption("the frame has no column 'strip'; give what analysis.history(…) returns.")
    shown = _first(table)
    outcomes = _outcomes(shown["strip"])
    runs = outcomes.shape[1]
    ax = make_axes(ax, len(shown))
    ax.set_title(_title(len(shown), len(table)))
    if not outcomes.size:
        return say_nothing(ax, "no runs" if len(shown) else "no records")
    name_rows(ax, [cut(str(key), _LABEL) for key in shown.iloc[:, 0]])
    _draw(ax, outcomes[:, -_MOST_RUNS:])
    _name_runs(ax, min(runs, _MOST_RUNS), runs)
    _flag(ax, shown, min(runs, _MOST_RUNS))
    return ax


def _first(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the rows that somebody has to look at, in the frame's own order where they are equal."""
    if len(table) <= MOST_ROWS:
        return table
    ranked = pd.DataFrame(
        {name: pd.to_numeric(table[name]).fillna(0).array for name in _FIRST if name in table.columns},
        index=range(len(table)),
    )
    ranked = ranked.assign(ever=table["strip"].str.contains(LETTERS[FAILED], regex=False, na=False).array)
    ranked = ranked[ranked["ever"]] if ranked["ever"].any() else ranked
    return table.iloc[ranked.sort_values(list(ranked.columns), ascending=False, kind="stable").index[:MOST_ROWS]]


def _outcomes(strips: pd.Series[str]) -> NDArray[np.str_]:
    """Lay the strips out: a row per record, a letter per run; a shorter strip lacks the oldest runs."""
    texts = strips.astype("str").fillna("")
    longest = int(texts.str.len().max()) if len(texts) else 0
    return np.array([list(text.rjust(longest, ABSENT)) for text in texts], dtype="<U1").reshape(len(texts), longest)


def _draw(ax: Axes, outcomes: NDArray[np.str_]) -> None:
    from matplotlib.collections import PolyCollection  # noqa: PLC0415 - loaded when a plot is drawn

    patches, labels = [], []
    for letter, (name, look) in _CELLS.items():
        rows, places = np.nonzero(outcomes == letter)
        edge = "#BBBBBB" if letter == ABSENT else "white"
        if len(rows):
            corners = np.stack([places + 1, rows], axis=1)[:, None, :] + _CORNERS
            ax.add_collection(
                PolyCollection(corners, facecolor=look.color, hatch=look.hatch, edgecolor=edge, label=name)
            )
            patches.append(patch(look, edge))
            labels.append(counted(name, len(rows)))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    legend(ax, patches, labels)


def _name_runs(ax: Axes, shown: int, runs: int) -> None:
    places = [place for place in range(1, shown + 1) if shown <= _FEW_RUNS or (runs - shown + place) % _EVERY == 0]
    ax.set_xticks(places, [str(runs - shown + place) for place in places])
    ax.set_xlim(0.4, max(shown, _LEAST_WIDTH) + 0.6)
    ax.set_xlabel(
        "runs, the oldest first" if shown == runs else f"the latest {shown} of {runs:,} runs, the oldest first",
        loc="left",
    )


def _flag(ax: Axes, table: pd.DataFrame, shown: int) -> None:
    """Say behind each row what is to be known of it."""
    flags = table[[name for name in _FLAGS if name in table.columns]]
    for row, values in enumerate(flags.astype("boolean").fillna(value=False).to_numpy(dtype=bool)):
        if values.any():
            ax.annotate(
                ", ".join(flags.columns[values]),
                (shown + _RIGHT, row),
                (6, 0),
                textcoords="offset points",
                va="center",
            )


def _title(shown: int, all_: int) -> str:
    return "Outcomes over runs" if shown == all_ else f"Outcomes over runs ({shown} of {all_:,} records)"
