"""Iteration variables as a table: one row per turn of a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.analysis.common import need
from toolkit.columns import WORKFLOW_ID
from toolkit.keys import ITERATION_MARK, iteration

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY, _VALUE = "key", "value"
INDEX_COLUMNS: Final = ("iteration", "positions", "indexes")


def iterations(variables: pd.DataFrame) -> pd.DataFrame:
    """Pivot iteration variables, so that each turn of a loop is a row.

    Parameters
    ----------
    variables : DataFrame
        Variables as `get_all_variables` or `get_iterations` returns them, with at least `key` and `value`; those of
        other categories are left out.

    Returns
    -------
    DataFrame
        One row per turn of a loop, ordered by the positions of the loops, then by the indexes: `workflow_id` where the
        frame has it, `iteration` (`str`: the suffix, such as `28:0:35:2`), `positions` and `indexes` (`object`: tuples
        of int, the outermost loop first), then one column per base name, by code point (`object`: the value, missing
        where this turn has none).

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> variables = pd.DataFrame({"key": ["name@iter:4:0", "age@iter:4:0", "name@iter:4:1", "total"],
    ...                           "value": ["Ann", 31, "Bob", 2]})
    >>> iterations(variables)
      iteration positions indexes   age name
    0       4:0      (4,)    (0,)    31  Ann
    1       4:1      (4,)    (1,)  None  Bob
    """
    need(variables, _KEY, _VALUE)
    parsed = [iteration(key) for key in variables[_KEY]]
    kept = [place for place, key in enumerate(parsed) if key is not None]
    keys = [key for key in parsed if key is not None]
    front = [WORKFLOW_ID] if WORKFLOW_ID in variables.columns else []
    rows = pd.DataFrame(
        {
            "iteration": pd.Series(
                [key.partition(ITERATION_MARK)[2] for key in variables[_KEY].iloc[kept]], dtype="str"
            ),
            "positions": _tuples([key.positions for key in keys]),
            "indexes": _tuples([key.indexes for key in keys]),
            "base": pd.Series([key.base for key in keys], dtype="str"),
            _VALUE: variables[_VALUE].iloc[kept].reset_index(drop=True).astype("object"),
        }
    )
    for name in front:
        rows[name] = variables[name].iloc[kept].reset_index(drop=True)
    return _pivot(rows, [*front, *INDEX_COLUMNS])


def _pivot(rows: pd.DataFrame, front: list[str]) -> pd.DataFrame:
    # One text names a turn, because tuples in a column are no keys.
    turn = rows[front[:-2]].astype("str").agg("\0".join, axis="columns") if len(rows) else pd.Series(dtype="str")
    order = rows[front].assign(turn=turn).drop_duplicates("turn")
    order = order.sort_values([*front[:-3], "positions", "indexes"], ignore_index=True)
    places = pd.Index(order.pop("turn"))
    for base, group in rows.groupby("base", sort=True)[_VALUE]:
        cells = np.full(len(order), None, dtype=object)
        cells[places.get_indexer(turn[group.index])] = group.to_numpy(dtype=object)
        name = str(base)
        order[f"{name} (variable)" if name in front else name] = pd.Series(cells, dtype="object")
    return order


def _tuples(values: Sequence[tuple[int, ...]]) -> pd.Series[Any]:
    return _objects(values)


def _objects(values: Sequence[Any]) -> pd.Series[Any]:
    # Cell by cell, because numpy would lay tuples and lists of equal length out as a table.
    cells = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        cells[place] = value
    return pd.Series(cells, dtype="object")
