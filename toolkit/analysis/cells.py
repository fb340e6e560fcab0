"""Cell by cell: whether two columns hold the same values, and where a mask leaves that open."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.masking import HIDDEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]

_OBJECT: Final = "object"


def differ(before: pd.Series[Any], after: pd.Series[Any]) -> Flags:
    """Tell where two columns of equal length differ, by position.

    Parameters
    ----------
    before, after : Series
        Of any dtype. 1 and 1.0 are equal, 1 and True, 1 and "1" are not; missing equals missing; arrays and objects
        are compared as JSON.

    Returns
    -------
    array of bool

    Examples
    --------
    >>> differ(pd.Series([1, 2, None], dtype="Int64"), pd.Series([1.0, 2.5, None], dtype="Float64")).tolist()
    [False, True, False]
    """
    missing, gone = before.isna().to_numpy(), after.isna().to_numpy()
    both = ~missing & ~gone
    kinds = _kind(before), _kind(after)
    if _OBJECT in kinds:
        unequal = _unequal_values(before, after, both)
    elif kinds[0] != kinds[1]:
        unequal = both
    else:
        unequal = _unequal(before, after) & both
    return np.asarray((missing != gone) | unequal, dtype=bool)


def masked(values: pd.Series[Any]) -> Flags:
    """Tell which cells hold a mask, whole or somewhere inside.

    Parameters
    ----------
    values : Series
        Of any dtype.

    Returns
    -------
    array of bool

    Examples
    --------
    >>> masked(pd.Series(["[hidden]", "a", ["key=[hidden]"], None])).tolist()
    [True, False, True, False]
    """
    kind = _kind(values)
    if kind == "text":
        return values.str.contains(HIDDEN, regex=False, na=False).to_numpy(dtype=bool)
    if kind == _OBJECT:
        return np.fromiter((HIDDEN in str(value) for value in values), dtype=bool, count=len(values))
    return np.zeros(len(values), dtype=bool)


def _kind(values: pd.Series[Any]) -> str:
    """Sort a column's dtype to what its values are in JSON."""
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if isinstance(dtype, pd.StringDtype) or (isinstance(dtype, pd.ArrowDtype) and dtype.type is str):
        return "text"
    return "time" if pd.api.types.is_datetime64_any_dtype(dtype) else _OBJECT


def _unequal(before: pd.Series[Any], after: pd.Series[Any]) -> Flags:
    if before.dtype != after.dtype and pd.api.types.is_numeric_dtype(before.dtype):
        # As doubles, neighbouring integers of 64 bits would be equal; Python compares them exactly.
        return np.asarray(_objects(before) != _objects(after), dtype=bool)
    unequal = before.reset_index(drop=True) != after.reset_index(drop=True)
    return unequal.fillna(value=False).to_numpy(dtype=bool)


def _objects(values: pd.Series[Any]) -> NDArray[np.object_]:
    return values.astype("object").where(values.notna(), None).to_numpy(dtype=object)


def _unequal_values(before: pd.Series[Any], after: pd.Series[Any], both: Flags) -> Flags:
    unequal = np.zeros(len(both), dtype=bool)
    old, new = before.to_numpy(dtype=object), after.to_numpy(dtype=object)
    for place in np.flatnonzero(both):
        unequal[place] = _unlike(old[place], new[place])
    return unequal


def _unlike(old: Any, new: Any) -> bool:
    if isinstance(old, str) and isinstance(new, str):
        return old != new
    # What Python writes alike is alike; the slower look is for what is left.
    return repr(old) != repr(new) and canonical(old) != canonical(new)


def canonical(value: Any) -> str:
    """Write a JSON value so that equal values are one text.

    Parameters
    ----------
    value : Any
        As a cell holds it.

    Returns
    -------
    str

    Examples
    --------
    >>> canonical({"b": 1.0, "a": [True, None]}) == canonical({"a": [True, None], "b": 1})
    True
    """
    return json.dumps(_plain(value), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(member) for member in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float | Decimal) and value == value and value == value.__trunc__():  # noqa: PLR0124 - NaN
        return int(value)
    return str(value) if isinstance(value, Decimal) else value
