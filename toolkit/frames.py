"""Arrow → DataFrame: column names, dtypes, flattening of documents, and masks.

The tables that come in hold times, counts and text; JSON is text. Here each document is decoded exactly, masked as a
whole (a secret may be named by its neighbour), and laid out in columns. Flattening is lossless: every place in a
document has one column, and no two places share one.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit import columns, jsonvalue, paths
from toolkit.errors import CorruptValue, DataWarning, InvalidPath, InvalidValue

if TYPE_CHECKING:
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy

TEXT: Final = pd.StringDtype(na_value=np.nan)
"""The dtype that pandas calls `str`."""

TIME: Final = pd.DatetimeTZDtype("us", "UTC")
INTEGER: Final = pd.Int64Dtype()
NUMBER: Final = pd.Float64Dtype()
BOOLEAN: Final = pd.BooleanDtype()

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_EXACT_IN_A_DOUBLE: Final = 2**53
_LARGEST_DOUBLE: Final = sys.float_info.max

Mask = Callable[[Any], Any]


def variables(table: pa.Table, policy: MaskingPolicy | None) -> pd.DataFrame:
    """Make the frame of variables.

    Parameters
    ----------
    table : pyarrow.Table
        As `VariableStorage.query` gives it; `workflow_id` in front only when the frame should have it.
    policy : MaskingPolicy or None
        Hides values by their keys; None shows everything.

    Returns
    -------
    pandas.DataFrame
        One row per variable: `key, type, category` of dtype `str`, `value` `object`, times `datetime64[us, UTC]`.
    """
    keys = table.column("key").to_pylist()
    texts = table.column("value").to_pylist()
    values = [_decoded(text, f"variable {key!r}") for key, text in zip(keys, texts, strict=True)]
    if policy is not None:
        values = [policy.mask(value, key) for key, value in zip(keys, values, strict=True)]
    frame = plain_frame(table)
    frame["value"] = _objects(values)
    return frame


def records(
    table: pa.Table,
    policy: MaskingPolicy | None,
    *,
    flatten: bool = True,
    wanted: Sequence[str] | None = None,
    history: bool = False,
) -> pd.DataFrame:
    """Make the frame of records.

    Parameters
    ----------
    table : pyarrow.Table
        As `RecordStorage.query` gives it, with or without documents; `workflow_id` in front only when the frame
        should have it.
    policy : MaskingPolicy or None
        Hides values by their names; None shows everything.
    flatten : bool, default True
        One column per place in the documents; else one column `data` that holds them as dicts.
    wanted : sequence of str, optional
        Record columns and paths to keep, in that order; a path takes everything below it.
    history : bool, default False
        Whether a flat frame has the column `history`.

    Returns
    -------
    pandas.DataFrame
        One row per record: the record columns, then the document's, by code point within each part.
    """
    if columns.DATA not in table.column_names:
        return _select(plain_frame(table), columns.RECORD_COLUMNS if wanted is None else wanted)
    texts = table.column(columns.DATA).to_pylist()
    ids = table.column("record_id").to_pylist()
    documents = [_decoded(text, f"record {name!r}") for name, text in zip(ids, texts, strict=True)]
    if policy is not None:
        documents = [policy.mask(document) for document in documents]
    front = plain_frame(table.drop_columns([columns.DATA]))
    if not flatten:
        front[columns.DATA] = _objects(documents)
        return front
    flat = _flat(documents, history=history or _asks_for_history(wanted))
    # A row whose document is a mask or no object still is one row: index and length come from the table.
    frame = pd.concat([front, pd.DataFrame(flat, index=front.index)], axis=1)
    return frame if wanted is None else _select(frame, wanted)


def are_record_columns(wanted: Sequence[str]) -> bool:
    """Tell whether a choice of columns needs no document.

    Parameters
    ----------
    wanted : sequence of str
        Record columns and paths.

    Returns
    -------
    bool

    Examples
    --------
    >>> are_record_columns(["status"]), are_record_columns(["status", "fields.subject"])
    (True, False)
    """
    return set(wanted) <= set(columns.RECORD_COLUMNS)


def plain_frame(table: pa.Table) -> pd.DataFrame:
    """Make a frame of a table that holds no JSON.

    Parameters
    ----------
    table : pyarrow.Table
        Text, counts and times.

    Returns
    -------
    pandas.DataFrame
        The same columns: text `str`, counts `Int64`, times `datetime64[us, UTC]`.
    """
    made: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            made[name] = pd.Series(column.to_pandas(), dtype=TIME)
        elif pa.types.is_integer(column.type):
            made[name] = pd.array(column.to_pylist(), dtype=INTEGER)
        else:
            made[name] = pd.array(column.to_pandas(), dtype=TEXT)
    return pd.DataFrame(made, columns=pd.Index(table.column_names, dtype=TEXT))


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
    names = [str(name) for name in frame.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidValue(f"the frame has more than one column called {twice[0]!r}")
    cells = {name: plain_values(frame.iloc[:, position]) for position, name in enumerate(names)}
    return [{name: values[position] for name, values in cells.items()} for position in range(len(frame))]


def _decoded(text: str | None, what: str) -> JSONValue:
    if text is None:
        return None
    try:
        return jsonvalue.decode(text)
    except CorruptValue as error:
        warnings.warn(f"{what} is shown as missing: {error}", DataWarning, stacklevel=3)
        return None


def _objects(values: Sequence[Any]) -> pd.Series[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = [None] * len(values)
    for position, value in enumerate(values):
        array[position] = value
    return pd.Series(array, dtype=object)


def _flat(documents: Sequence[JSONValue], *, history: bool) -> dict[str, Any]:
    """Lay documents out in columns, in the order of the parts and by code point within each."""
    cells: dict[str, tuple[list[int], list[Any]]] = {}
    for row, document in enumerate(documents):
        for name, value in _leaves(document):
            if name != columns.HISTORY or history:
                rows, values = cells.setdefault(name, ([], []))
                if value is not None:
                    rows.append(row)
                    values.append(value)
    return {name: _column(*cells[name], len(documents)) for name in sorted(cells, key=_order)}


def _order(name: str) -> tuple[int, str]:
    part = name.partition(".")[0]
    order = (columns.FIELDS, columns.VARS, columns.TARGETS, columns.DATA, columns.HISTORY)
    return order.index(part), name


def _leaves(document: JSONValue) -> Iterable[tuple[str, JSONValue]]:
    """Walk a document: every place that holds something other than a non-empty object, with its path."""
    if not isinstance(document, dict):
        if document is not None:
            yield columns.DATA, document
        return
    waiting = [(_top(key), value) for key, value in document.items()]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict) and value and name != columns.HISTORY:
            waiting += [(f"{name}.{paths.segment(key)}", member) for key, member in value.items()]
        elif not (value == {} and name in columns.PARTS):
            # An empty part says nothing: every record that the engine makes has all four.
            yield name, value


def _top(key: str) -> str:
    return key if key in columns.PARTS else f"{columns.DATA}.{paths.segment(key)}"


def _column(rows: list[int], values: list[Any], length: int) -> Any:
    """Make a column of the dtype that its values call for; see the table in the docs."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return pd.array(_spread(rows, values, length), dtype=TEXT)
    if kinds == {bool}:
        return pd.array(_spread(rows, values, length), dtype=BOOLEAN)
    if kinds == {int} and all(_SMALLEST <= value <= _LARGEST for value in values):
        return pd.array(_spread(rows, values, length), dtype=INTEGER)
    if kinds in ({float}, {int, float}) and all(_exact_as_double(value) for value in values):
        return pd.array([None if value is None else float(value) for value in _spread(rows, values, length)], NUMBER)
    return _objects(_spread(rows, values, length)).array


def _exact_as_double(value: float) -> bool:
    if isinstance(value, float) or abs(value) <= _EXACT_IN_A_DOUBLE:
        return True
    return abs(value) <= _LARGEST_DOUBLE and int(float(value)) == value


def _spread(rows: list[int], values: list[Any], length: int) -> list[Any]:
    spread: list[Any] = [None] * length
    for row, value in zip(rows, values, strict=True):
        spread[row] = value
    return spread


def _asks_for_history(wanted: Sequence[str] | None) -> bool:
    return wanted is not None and any(str(name).partition(".")[0] == columns.HISTORY for name in wanted)


def _select(frame: pd.DataFrame, wanted: Sequence[str]) -> pd.DataFrame:
    """Keep what was asked for; a path that no record has becomes a column of nothing."""
    chosen: dict[str, Any] = {columns.WORKFLOW_ID: frame[columns.WORKFLOW_ID]} if columns.WORKFLOW_ID in frame else {}
    for name in wanted:
        for match in _below(frame, name):
            chosen[match] = frame[match] if match in frame else _objects([None] * len(frame)).set_axis(frame.index)
    return pd.DataFrame(chosen, index=frame.index, columns=pd.Index(chosen, dtype=TEXT))


def _below(frame: pd.DataFrame, name: str) -> list[str]:
    """Return the columns that a name asks for; a path is spelled in one way, found or not."""
    if name in columns.RECORD_COLUMNS:
        return [name]
    path = paths.parse(name)
    if path.append or path.segments[0] not in (*columns.PARTS, columns.DATA):
        raise InvalidPath(
            f"columns={name!r} is no record column and no path; paths start with "
            f"{', '.join((*columns.PARTS, columns.DATA))}"
        )
    text = str(path)
    return [column for column in frame.columns if column == text or column.startswith(text + ".")] or [text]
