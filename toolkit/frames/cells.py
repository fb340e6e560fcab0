"""Cells as plain Python values, and frames as rows: the way back from pandas."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def plain_values(column: pd.Series[Any]) -> list[Any]:
    """Return a column's cells as plain Python values.

    Parameters
    ----------
    column : pandas.Series
        Of any dtype.

    Returns
    -------
    list
        NumPy and pandas scalars as int, float, bool, str or datetime; missing cells as None.
    """
    missing = [_is_missing(value) for value in column]
    return [None if gone else _plain_cell(value) for value, gone in zip(column, missing, strict=True)]


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _plain_cell(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    # NumPy's own times stay what they are: as plain Python, those of nanoseconds would be bare integers.
    return value.item() if isinstance(value, np.generic) and value.dtype.kind not in "mM" else value


def to_rows(many: pd.DataFrame | Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Return rows for writing.

    Parameters
    ----------
    many : pandas.DataFrame or iterable of mapping
        Columns or keys are record columns, `data`, or paths.

    Returns
    -------
    iterable of mapping
        One per row: of a frame as dicts without its missing cells, anything else as it is.
    """
    if not isinstance(many, pd.DataFrame):
        return many
    return [{name: value for name, value in row.items() if value is not None} for row in to_dicts(many)]


def to_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dicts with every column, for programs.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `records` makes it.

    Returns
    -------
    list of dict
        One per row: plain Python values, times as datetime in UTC, missing cells as None.

    Raises
    ------
    InvalidValue
        When two columns have one name.
    """
    names = names_of(frame)
    cells = {name: plain_values(frame.iloc[:, position]) for position, name in enumerate(names)}
    return [{name: values[position] for name, values in cells.items()} for position in range(len(frame))]


def names_of(frame: pd.DataFrame) -> list[str]:
    """Return the names of a frame's columns as text.

    Parameters
    ----------
    frame : pandas.DataFrame
        With columns of any names.

    Returns
    -------
    list of str

    Raises
    ------
    InvalidValue
        When two columns have one name.
    """
    names = [str(name) for name in frame.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidValue(f"the frame has more than one column called {twice[0]!r}")
    return names


def objects(values: Sequence[Any]) -> Any:
    """Return values as an array of Python objects, each as it is: NumPy would make a table of lists.

    Parameters
    ----------
    values : sequence of object
        One per cell.

    Returns
    -------
    numpy.ndarray
        Of dtype `object`.
    """
    return np.fromiter(values, dtype=object, count=len(values))
