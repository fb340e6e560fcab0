"""Text on a terminal: tables that fit, results on stdout, messages on stderr."""

from __future__ import annotations

import datetime as dt
import io
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolkit import jsonvalue

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

MAXIMUM_CELL: Final = 60
"""Characters of a cell; longer text is cut with an ellipsis."""

_GAP: Final = 2
_NARROW_TEXT: Final = 16
_NARROW_HEADER: Final = 4
# Escape sequences and the marks that turn text around could make a terminal show, or do, something else.
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def accept_any_text() -> None:
    """Let text that a terminal's encoding cannot show appear as `?` instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def line(text: str) -> None:
    """Print one line on stdout, never wrapped, so that a path in it can be copied.

    Parameters
    ----------
    text : str
        Printed as it is: brackets in it are no markup, and control characters are shown as `�`.
    """
    Console().print(_plain(text), soft_wrap=True)


def heading(text: str) -> None:
    """Print a heading with an empty line before it.

    Parameters
    ----------
    text : str
        Printed as `line` does.
    """
    Console().print(_plain(f"\n{text}", style="bold"), soft_wrap=True)


def message(text: str) -> None:
    """Print one line on stderr.

    Parameters
    ----------
    text : str
        Printed as `line` does.
    """
    Console(stderr=True).print(_plain(text), soft_wrap=True)


def table(frame: pd.DataFrame, *, whole: Sequence[str] = ()) -> None:
    """Print a frame as a table that fits the terminal.

    Parameters
    ----------
    frame : pandas.DataFrame
        Masked; every row is printed. Numbers and times are never broken; text and headings give way.
    whole : sequence of str, optional
        Columns whose text is never cut: paths and ids.
    """
    from pandas.api import types  # noqa: PLC0415 - loaded by whoever made the frame

    console = Console()
    names = [str(name) for name in frame.columns]
    columns = [frame.iloc[:, position] for position in range(len(names))]
    numeric = [types.is_numeric_dtype(each) and not types.is_bool_dtype(each) for each in columns]
    fixed = [number or types.is_datetime64_any_dtype(each) for number, each in zip(numeric, columns, strict=True)]
    cells = [
        [cell(value, grouped=number, whole=name in whole) for value in each.astype(object).where(each.notna(), None)]
        for name, number, each in zip(names, numeric, columns, strict=True)
    ]
    shared, gap = widths(names, cells, fixed, console.width)
    made = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    for name, width, right in zip(names, shared, numeric, strict=True):
        made.add_column(_plain(name), justify="right" if right else "left", overflow="fold", width=width)
    for row in zip(*cells, strict=True):
        made.add_row(*map(_plain, row))
    # A terminal too narrow for the numbers breaks the lines itself; a table cut to its width would lose some.
    Console(width=max(console.width, sum(shared) + gap * len(shared))).print(made, soft_wrap=True)


def widths(
    names: Sequence[str], cells: Sequence[Sequence[str]], fixed: Sequence[bool], room: int
) -> tuple[list[int], int]:
    """Share the width of a terminal among the columns of a table.

    Parameters
    ----------
    names : sequence of str
        The headings.
    cells : sequence of sequence of str
        The texts of each column.
    fixed : sequence of bool
        Which columns must not be broken.
    room : int
        Characters of a line.

    Returns
    -------
    list of int
        Characters of each column; the widest gives way first. More than `room` only where it cannot be helped.
    int
        Characters between two columns.

    Examples
    --------
    >>> widths(["key", "count"], [["a" * 60], ["12"]], [False, True], 40)
    ([34, 5], 1)
    """
    contents = [max(map(cell_len, column), default=0) for column in cells]
    made = [max(cell_len(name), content) for name, content in zip(names, contents, strict=True)]
    least = [
        max(content, min(cell_len(name), _NARROW_HEADER)) if whole else min(width, _NARROW_TEXT)
        for name, content, whole, width in zip(names, contents, fixed, made, strict=True)
    ]
    gap = _GAP if sum(made) + _GAP * (len(made) - 1) <= room else 1
    for _ in range(sum(made) + gap * (len(made) - 1) - room):
        gives = max(range(len(made)), key=lambda position: (made[position] > least[position], made[position]))
        if made[gives] <= least[gives]:
            break
        made[gives] -= 1
    return made, gap


def cell(value: Any, *, grouped: bool = False, whole: bool = False) -> str:
    """Return one value as short text.

    Parameters
    ----------
    value : object
        A cell of a frame.
    grouped : bool, default False
        Write the digits of an integer in groups of three: for a count, never for an id.
    whole : bool, default False
        Keep text that is longer than `MAXIMUM_CELL`.

    Returns
    -------
    str
        A missing value is empty; a time is in UTC to the second; a list of texts is joined by commas.

    Examples
    --------
    >>> cell(None), cell(1200), cell(1200, grouped=True), cell(["a", "b"]), cell({"a": 1})
    ('', '1200', '1,200', 'a, b', '{"a": 1}')
    """
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if grouped and isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else jsonvalue.encode(value)
    text = " ".join(text.split())
    return text if whole or len(text) <= MAXIMUM_CELL else text[: MAXIMUM_CELL - 1] + "…"


def _plain(text: str, style: str = "") -> Text:
    return Text(_CONTROL.sub("�", text), style=style)
