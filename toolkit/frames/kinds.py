"""Which dtype a column has: decided by the kinds of all its values, never by the first of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

TEXT: Final = pd.StringDtype(na_value=np.nan)
"""The dtype that pandas calls `str`."""

TIME: Final = pd.DatetimeTZDtype("us", "UTC")
INTEGER: Final = pd.Int64Dtype()
NUMBER: Final = pd.Float64Dtype()
BOOLEAN: Final = pd.BooleanDtype()

_KINDS: Final = {str: "text", bool: "boolean", float: "number"}
_TYPES: Final = {"text": pa.string(), "boolean": pa.bool_(), "number": pa.float64()}
_DTYPES: Final = {pa.string(): TEXT, pa.bool_(): BOOLEAN, pa.float64(): NUMBER, pa.int64(): INTEGER}

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_EXACT_IN_A_DOUBLE: Final = 2**53
_BEYOND_64_BITS: Final = 2.0**63

NOTHING: Final[frozenset[str]] = frozenset()


def kinds_of(values: Iterable[Any], types: Collection[type]) -> frozenset[str]:
    """Return what kinds of values there are, as far as they decide about a dtype.

    Parameters
    ----------
    values : iterable of JSON value
        None among them means missing.
    types : collection of type
        Of the values.

    Returns
    -------
    frozenset of str
        `text`, `boolean`, `number`, `other`; and of integers `integer` (exact in a double), `long integer` (of 64 bits,
        not exact in a double), `big integer` (longer, exact in a double).
    """
    kinds = {_KINDS.get(kind, "other") for kind in types if kind is not int and kind is not type(None)}
    if int in types:
        kinds |= {_kind_of_integer(value) for value in values if type(value) is int}
    return frozenset(kinds)


def kinds_of_integers(integers: pa.Array) -> frozenset[str]:
    """Return the kinds of integers that fit into 64 bits; see `kinds_of`.

    Parameters
    ----------
    integers : pyarrow.Array
        Of type `int64`; nulls are missing.

    Returns
    -------
    frozenset of str
    """
    found = integers.drop_null().to_numpy(zero_copy_only=False)
    doubles = found.astype(np.float64)
    # A double at the upper end is no integer of 64 bits any more, so that it cannot be turned back.
    inside = doubles < _BEYOND_64_BITS
    exact = inside & (np.where(inside, doubles, 0.0).astype(np.int64) == found)
    return frozenset(name for name, some in (("integer", exact.any()), ("long integer", (~exact).any())) if some)


def _kind_of_integer(value: int) -> str:
    exact = abs(value) <= _EXACT_IN_A_DOUBLE or _is_exact(value)
    if _SMALLEST <= value <= _LARGEST:
        return "integer" if exact else "long integer"
    return "big integer" if exact else "other"


def _is_exact(value: int) -> bool:
    if abs(value) > sys.float_info.max:
        return False
    return int(float(value)) == value


def arrow_type(kinds: frozenset[str]) -> pa.DataType | None:
    """Return the Arrow type that holds every value of some kinds as it is; see the table of dtypes in the docs.

    Parameters
    ----------
    kinds : frozenset of str
        As `kinds_of` gives them.

    Returns
    -------
    pyarrow.DataType or None
        `string`, `bool`, `int64` or `double`; None when only Python objects can.
    """
    if len(kinds) == 1 and (single := _TYPES.get(next(iter(kinds)))) is not None:
        return single
    if kinds and kinds <= {"integer", "long integer"}:
        return pa.int64()
    return pa.float64() if "number" in kinds and kinds <= {"integer", "big integer", "number"} else None


def dtype_of(kind: pa.DataType) -> Any:
    """Return the pandas dtype of an Arrow type that `arrow_type` gave.

    Parameters
    ----------
    kind : pyarrow.DataType
        `string`, `bool`, `int64` or `double`.

    Returns
    -------
    pandas dtype
    """
    return _DTYPES[kind]
