"""Pictures of counts: records by type and status, variables by category and type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit import analysis
from toolkit.analysis import TOTAL
from toolkit.plots.drawing import (
    count_axis,
    cut,
    few_columns,
    largest,
    make_axes,
    name_rows,
    say_nothing,
    stack,
    tidy,
    title,
)
from toolkit.plots.styles import STYLES, TYPE_STYLES, styles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

    from toolkit.plots.styles import Style


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
    counts = analysis.by_status(records)
    shown = largest(counts, TOTAL)
    ax = make_axes(ax, len(shown))
    ax.set_title(title("Records by type and status", len(shown), len(counts), "types"))
    ax.set_xlabel("records")
    return _stacked(ax, shown, STYLES) if len(shown) else say_nothing(ax, "no records")


def variables_by_category(variables: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many variables of each category have which type.

    Parameters
    ----------
    variables : DataFrame
        Variables as `get_all_variables` returns them, with at least `category` and `type`.
    ax : Axes, optional
        Where to draw; a new figure when None.

    Returns
    -------
    Axes
        One horizontal bar per category (custom, node, iteration), stacked by the type of JSON, the total behind it.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> variables = pd.DataFrame({"category": ["node", "custom", "custom"], "type": ["object", "number", "string"]})
    >>> ax = variables_by_category(variables, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['custom', 'node']
    """
    counts = analysis.by_category(variables)
    shown = largest(counts, TOTAL)
    ax = make_axes(ax, len(shown))
    ax.set_title(title("Variables by category and type", len(shown), len(counts), "categories"))
    ax.set_xlabel("variables")
    return _stacked(ax, shown, TYPE_STYLES) if len(shown) else say_nothing(ax, "no variables")


def _stacked(ax: Axes, counts: pd.DataFrame, known: Mapping[str, Style]) -> Axes:
    parts = few_columns(counts.drop(columns=TOTAL))
    name_rows(ax, [cut(name) for name in counts.index])
    stack(ax, parts, styles(parts.columns, known))
    for row, total in enumerate(counts[TOTAL]):
        ax.annotate(f"{total:,}", (total, row), (4, 0), textcoords="offset points", va="center")
    ax.set_xmargin(0.12)
    count_axis(ax, "x")
    tidy(ax)
    return ax
