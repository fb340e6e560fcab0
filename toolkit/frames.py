"""Arrow → DataFrame: column names, dtypes, flattening of documents, and masks.

The tables that come in hold times, counts and text; JSON is text. Here each document is decoded exactly, masked as a
whole (a secret may be named by its neighbour), and laid out in columns. Flattening is lossless: every place in a
document has one column, and no two places share one.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns, jsonvalue, paths
from toolkit.errors import CorruptValue, DataWarning, InvalidPath, InvalidValue

if TYPE_CHECKING:
    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy
    from toolkit.paths import Path

TEXT: Final = pd.StringDtype(na_value=np.nan)
"""The dtype that pandas calls `str`."""

TIME: Final = pd.DatetimeTZDtype("us", "UTC")
INTEGER: Final = pd.Int64Dtype()
NUMBER: Final = pd.Float64Dtype()
BOOLEAN: Final = pd.BooleanDtype()

_KINDS: Final = {str: "text", bool: "boolean", float: "number"}
_DTYPES: Final = {"text": TEXT, "boolean": BOOLEAN, "number": NUMBER, "integer": INTEGER, "long integer": INTEGER}

_FRONT: Final = frozenset({columns.WORKFLOW_ID, *columns.RECORD_COLUMNS})
"""Columns that are no document."""

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
        looked_at = may_hide(table.select(["key", "value"]), ["key", "value"], policy)
        rows = zip(keys, values, looked_at, strict=True)
        values = [policy.mask(value, key) if look else value for key, value, look in rows]
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
    layout: Layout | None = None,
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
    layout : Layout, optional
        Which columns and dtypes a flat frame has; worked out from its own documents when left out.

    Returns
    -------
    pandas.DataFrame
        One row per record: the record columns, then the document's, by code point within each part.
    """
    documents = masked_documents(table, policy)
    front = plain_frame(table.select([name for name in table.column_names if name in _FRONT]))
    if not flatten:
        front[columns.DATA] = _objects(documents)
        return front
    if layout is None:
        layout = empty_layout(history=history, wanted=wanted)
        layout.add(documents)
    # A row whose document is a mask or no object still is one row: index and length come from the table.
    frame = pd.concat([front, pd.DataFrame(layout.lay_out(documents), index=front.index)], axis=1)
    return frame if wanted is None else _select(frame, wanted)


def masked_documents(table: pa.Table, policy: MaskingPolicy | None) -> list[JSONValue]:
    """Decode the documents of records, and hide what is to be hidden in them.

    Parameters
    ----------
    table : pyarrow.Table
        As `RecordStorage.query` gives it.
    policy : MaskingPolicy or None
        Hides values by their names; None shows everything.

    Returns
    -------
    list of JSON value
        One per record.
    """
    documents = _documents(table)
    if policy is None:
        return documents
    names = [name for name in table.column_names if name not in _FRONT]
    looked_at = may_hide(table, names, policy)
    return [policy.mask(document) if look else document for document, look in zip(documents, looked_at, strict=True)]


def may_hide(table: pa.Table, names: Sequence[str], policy: MaskingPolicy) -> list[bool]:
    """Tell for each row whether a policy could hide anything in it, by one quick pass over whole columns of text.

    Parameters
    ----------
    table : pyarrow.Table
        With columns of JSON text, or of names.
    names : sequence of str
        Of these columns; a column that is a place in a document is named by its path.
    policy : MaskingPolicy
        Hides values by their names.

    Returns
    -------
    list of bool
        False where nothing can be hidden, so that nobody need look closer.
    """
    trigger = policy.trigger
    named = trigger is not None and any(re.search(trigger, name, re.IGNORECASE) for name in names)
    if trigger is None or named:
        return [True] * len(table)
    looks = [pc.match_substring_regex(table.column(name), trigger, ignore_case=True).to_pylist() for name in names]
    return [any(row) for row in zip(*looks, strict=True)] if looks else [False] * len(table)


def places(wanted: Sequence[str]) -> list[Path]:
    """Return the places in documents that a choice of columns is about.

    Parameters
    ----------
    wanted : sequence of str
        Record columns and paths.

    Returns
    -------
    list of Path
        Without those that lie within another one; empty when record columns are enough.

    Raises
    ------
    InvalidPath
        For a name that is neither.

    Examples
    --------
    >>> [str(place) for place in places(["status", "fields.from", "fields.from.name"])]
    ['fields.from']
    """
    found = [_path(name) for name in dict.fromkeys(wanted) if name not in columns.RECORD_COLUMNS]
    return [path for path in found if not any(other.contains(path) for other in found if other != path)]


def _path(name: str) -> Path:
    path = paths.parse(name)
    if path.append or path.segments[0] not in (*columns.PARTS, columns.DATA):
        raise InvalidPath(
            f"columns={name!r} is no record column and no path; paths start with "
            f"{', '.join((*columns.PARTS, columns.DATA))}"
        )
    return path


def _documents(table: pa.Table) -> list[JSONValue]:
    """Decode the documents, or put together what was read of them, each place where it belongs."""
    ids = table.column("record_id").to_pylist()
    if columns.DATA in table.column_names:
        texts = table.column(columns.DATA).to_pylist()
        return [_decoded(text, f"record {name!r}") for name, text in zip(ids, texts, strict=True)]
    documents: list[JSONValue] = [{} for _ in ids]
    for name in (name for name in table.column_names if name not in _FRONT):
        *above, last = paths.parse(name).in_document
        for document, text in zip(documents, table.column(name).to_pylist(), strict=True):
            if text is not None:
                parent = document
                for key in above:
                    parent = parent.setdefault(key, {})
                parent[last] = jsonvalue.decode(text)
    return documents


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


def empty_layout(*, history: bool = False, wanted: Sequence[str] | None = None) -> Layout:
    """Begin to work out the columns of a flat frame.

    Parameters
    ----------
    history : bool, default False
        Whether `history` is a column.
    wanted : sequence of str, optional
        Record columns and paths that are going to be kept; asking for `history` there makes it a column.

    Returns
    -------
    Layout
    """
    return Layout(history=history or _asks_for_history(wanted))


class Layout:
    """Which columns documents have, and of which dtype: worked out from all of them before the first chunk is made.

    Parameters
    ----------
    history : bool, default False
        Whether `history` is a column.
    """

    def __init__(self, *, history: bool = False) -> None:
        self._history = history
        self._kinds: dict[str, set[str]] = {}

    def add(self, documents: Iterable[JSONValue]) -> None:
        """Take documents into account; they are not kept.

        Parameters
        ----------
        documents : iterable of JSON value
            Masked, when the frame is going to be.
        """
        for name, (_, values) in self._cells(documents).items():
            self._kinds.setdefault(name, set()).update(_kinds(values))

    def lay_out(self, documents: Sequence[JSONValue]) -> dict[str, Any]:
        """Lay documents out in columns, in the order of the parts and by code point within each.

        Parameters
        ----------
        documents : sequence of JSON value
            Among those that were added.

        Returns
        -------
        dict of str to array
        """
        cells, length = self._cells(documents), len(documents)
        return {
            name: _column(_spread(*cells.get(name, ([], [])), length), _dtype(self._kinds[name]))
            for name in sorted(self._kinds, key=_order)
        }

    def _cells(self, documents: Iterable[JSONValue]) -> dict[str, tuple[list[int], list[Any]]]:
        """Collect, for each place, the rows that hold something there, and what."""
        cells: dict[str, tuple[list[int], list[Any]]] = {}
        for row, document in enumerate(documents):
            for name, value in _leaves(document):
                if name != columns.HISTORY or self._history:
                    rows, values = cells.setdefault(name, ([], []))
                    if value is not None:
                        rows.append(row)
                        values.append(value)
        return cells


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


def _kinds(values: Sequence[Any]) -> set[str]:
    """Return what kinds of values a column holds, as far as they decide about its dtype."""
    types = set(map(type, values))
    kinds = {_KINDS.get(kind, "other") for kind in types - {int}}
    return kinds | {_integer_kind(value) for value in values if type(value) is int} if int in types else kinds


def _integer_kind(value: int) -> str:
    exact = abs(value) <= _EXACT_IN_A_DOUBLE or _is_exact(value)
    if _SMALLEST <= value <= _LARGEST:
        return "integer" if exact else "long integer"
    return "big integer" if exact else "other"


def _is_exact(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _dtype(kinds: set[str]) -> Any:
    """Return the dtype that the kinds of a column's values call for; see the table in the docs."""
    if len(kinds) == 1 and (single := _DTYPES.get(next(iter(kinds)))):
        return single
    if kinds and kinds <= {"integer", "long integer"}:
        return INTEGER
    return NUMBER if "number" in kinds and kinds <= {"integer", "big integer", "number"} else object


def _column(values: list[Any], dtype: Any) -> Any:
    if dtype is object:
        return _objects(values).array
    if dtype is NUMBER:
        return pd.array([None if value is None else float(value) for value in values], dtype=NUMBER)
    return pd.array(values, dtype=dtype)


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
    text = str(_path(name))
    return [column for column in frame.columns if column == text or column.startswith(text + ".")] or [text]
