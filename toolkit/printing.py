"""Text on a terminal: tables that fit, results on stdout, messages on stderr."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolkit import jsonvalue

if TYPE_CHECKING:
    import pandas as pd

MAXIMUM_CELL = 60
"""Characters of a cell; longer text is cut with an ellipsis."""


def line(text: str) -> None:
    """Print one line on stdout, never wrapped, so that a path in it can be copied.

    Parameters
    ----------
    text : str
        Printed as it is: brackets in it are no markup.
    """
    Console().print(Text(text), soft_wrap=True)


def heading(text: str) -> None:
    """Print a heading with an empty line before it.

    Parameters
    ----------
    text : str
        Printed as it is.
    """
    Console().print(Text(f"\n{text}", style="bold"), soft_wrap=True)


def message(text: str) -> None:
    """Print one line on stderr.

    Parameters
    ----------
    text : str
        Printed as it is.
    """
    Console(stderr=True).print(Text(text), soft_wrap=True)


def table(frame: pd.DataFrame) -> None:
    """Print a frame as a table that fits the terminal.

    Parameters
    ----------
    frame : pandas.DataFrame
        Masked; every row is printed.
    """
    from pandas.api import types  # noqa: PLC0415 - loaded by whoever made the frame

    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        numeric = types.is_numeric_dtype(frame[name]) and not types.is_bool_dtype(frame[name])
        # Numbers and times keep their width; text gives way.
        fixed = numeric or types.is_datetime64_any_dtype(frame[name])
        made.add_column(Text(str(name)), justify="right" if numeric else "left", overflow="fold", no_wrap=fixed)
    for row in frame.astype(object).itertuples(index=False):
        made.add_row(*(Text(cell(value)) for value in row))
    Console().print(made)


def cell(value: Any) -> str:
    """Return one value as short text.

    Parameters
    ----------
    value : object
        A cell of a frame.

    Returns
    -------
    str
        A missing value is empty; a time is in UTC to the second; a list of texts is joined by commas.

    Examples
    --------
    >>> cell(None), cell(1200), cell(["a", "b"]), cell({"a": 1})
    ('', '1,200', 'a, b', '{"a": 1}')
    """
    if value is None or value != value:  # noqa: PLR0124 - only NaN is not itself
        return ""
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else jsonvalue.encode(value)
    text = " ".join(text.split())
    return text if len(text) <= MAXIMUM_CELL else text[: MAXIMUM_CELL - 1] + "…"
