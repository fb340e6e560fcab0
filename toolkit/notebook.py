"""What a notebook says beneath the toolkit's frames: how many rows of how many, and how many values are hidden.

pandas carries `attrs` along unpredictably (`head(1)` keeps them), so a frame carries only what was true when it was
read, the number of rows there were; everything else is counted when it is shown. Frames that the toolkit did not make
are shown as ever.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from toolkit.display import render
from toolkit.masking import HIDDEN

if TYPE_CHECKING:
    import pandas as pd

TOTAL: Final = "total"
"""The key of `attrs` under which a frame keeps how many rows there were when it was read."""

Frame = TypeVar("Frame", bound="pd.DataFrame")


def mark(frame: Frame, total: int) -> Frame:
    """Have a frame say, wherever a notebook shows it, how many rows there were.

    Parameters
    ----------
    frame : pandas.DataFrame
        Just made.
    total : int
        Number of rows that the call was about, cut or not.

    Returns
    -------
    pandas.DataFrame
        The same frame.
    """
    frame.attrs[TOTAL] = total
    return frame


def hidden_in(frame: pd.DataFrame) -> tuple[int, int]:
    """Count what is hidden in a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any.

    Returns
    -------
    int
        Masks in its cells.
    int
        Columns that have some.

    Examples
    --------
    >>> import pandas as pd
    >>> hidden_in(pd.DataFrame({"token": ["[hidden]", None], "log": ["pin [hidden], key [hidden]", "-"], "n": [1, 2]}))
    (3, 2)
    """
    counts = [_count(frame.iloc[:, position]) for position in range(frame.shape[1])]
    return sum(counts), sum(count > 0 for count in counts)


def _count(column: pd.Series[Any]) -> int:
    import pandas as pd  # noqa: PLC0415 - not needed until a frame is shown

    if column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype | pd.ArrowDtype):
        return sum(str(value).count(HIDDEN) for value in column)
    if not isinstance(column.dtype, pd.StringDtype):
        return 0
    # Most columns hold none, and Arrow tells so without a step of Python for each cell.
    masked = column[column.str.contains(HIDDEN, regex=False, na=False)]
    return sum(value.count(HIDDEN) for value in masked)


def footer(frame: pd.DataFrame) -> str:
    """Return what stands beneath a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        With `attrs["total"]`, or without.

    Returns
    -------
    str
        Such as `20 of 300 rows; 3 values hidden in 2 columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> footer(mark(pd.DataFrame({"n": [1, 2]}), 300))
    '2 of 300 rows'
    """
    total = frame.attrs.get(TOTAL, len(frame))
    rows = f"{len(frame):,} of {total:,} rows" if len(frame) < total else f"{len(frame):,} row{'s' * (len(frame) != 1)}"
    values, columns = hidden_in(frame)
    if not values:
        return rows
    return f"{rows}; {values:,} value{'s' * (values != 1)} hidden in {columns} column{'s' * (columns != 1)}"


def _html(frame: pd.DataFrame) -> str | None:
    # What pandas itself would show: None where the user wants plain text.
    shown: str | None = frame._repr_html_()  # type: ignore[operator]
    if shown is None or TOTAL not in frame.attrs:
        return shown
    return shown + render("footer.html.j2", text=footer(frame))


def install() -> None:
    """Have the notebook that runs this say it beneath every frame of the toolkit; elsewhere, do nothing."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    # By name, so that pandas need not be loaded.
    formatter.for_type_by_name("pandas", "DataFrame", _html)
