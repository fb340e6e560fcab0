"""Frames on their way back: columns of Arrow wherever these hold the same values, of Python objects elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.celltexts import ABSENT, Cells, NotPlain
from toolkit.frames.cells import names_of, plain_values, to_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN: Final = frozenset({str, int, bool, dict, list, type(None)})
"""Types of cells that are what they are; of these only None is missing."""


class FrameRows:
    """The rows of a frame, to be written.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns are record columns, `data`, or paths; a missing cell says nothing. It is not changed.

    Raises
    ------
    InvalidValue
        When two columns have one name.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"record_id": ["a", "b"], "fields.n": pd.array([1, None], dtype="Int64")})
    >>> FrameRows(frame).rows(0, 2)
    [{'record_id': 'a', 'fields.n': 1}, {'record_id': 'b'}]
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._columns: dict[str, Cells] = {
            name: _cells(frame.iloc[:, position]) for position, name in enumerate(names_of(frame))
        }

    def __len__(self) -> int:
        return len(self._frame)

    def ids(self) -> Sequence[Any]:
        """Return what stands for the record id in each row.

        Returns
        -------
        sequence of object
            None where nothing does.
        """
        cells = self._columns.get("record_id")
        if cells is None:
            return [None] * len(self)
        return cells.to_pylist() if isinstance(cells, pa.Array) else [None if x is ABSENT else x for x in cells]

    def reordered(self, order: Sequence[int]) -> FrameRows:
        """Return the same rows in another order.

        Parameters
        ----------
        order : sequence of int
            The positions.

        Returns
        -------
        FrameRows
        """
        return FrameRows(self._frame.iloc[np.asarray(order, dtype=np.intp)])

    def cells(self, start: int, stop: int) -> dict[str, Cells]:
        """Return some rows column by column.

        Parameters
        ----------
        start, stop : int
            Which.

        Returns
        -------
        dict of str to pyarrow.Array or list
            Null, or `ABSENT`, where a cell is missing.
        """
        return {
            name: cells.slice(start, stop - start) if isinstance(cells, pa.Array) else cells[start:stop]
            for name, cells in self._columns.items()
        }

    def rows(self, start: int, stop: int) -> Sequence[Any]:
        """Return some rows.

        Parameters
        ----------
        start, stop : int
            Which.

        Returns
        -------
        sequence of dict
            As `to_rows` gives them.
        """
        return list(to_rows(self._frame.iloc[start:stop]))


def frame_rows(many: object) -> FrameRows | None:
    """Return the rows of a frame, to be written; None for anything else.

    Parameters
    ----------
    many : object
        What was given.

    Returns
    -------
    FrameRows or None
    """
    return FrameRows(many) if isinstance(many, pd.DataFrame) else None


def _cells(column: pd.Series[Any]) -> Cells:
    try:
        return _arrow(column)
    except (NotPlain, UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError):
        return _objects(column)


def _objects(column: pd.Series[Any]) -> list[Any]:
    types = set(map(type, column)) if column.dtype == object else {object}
    if types <= _PLAIN:
        return [ABSENT if value is None else value for value in column] if type(None) in types else list(column)
    return [ABSENT if value is None else value for value in plain_values(column)]


def _arrow(column: pd.Series[Any]) -> pa.Array:
    """Return a column of one of the types that Arrow and JSON both have, its missing cells null."""
    if column.dtype.kind not in "OUSTbiufM" or column.dtype == object:
        raise NotPlain
    found = pa.array(column.array, from_pandas=True)
    whole = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks)
    kind = whole.type.value_type if pa.types.is_dictionary(whole.type) else whole.type
    if pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return whole.cast(pa.string())
    if pa.types.is_dictionary(whole.type):
        raise NotPlain
    if pa.types.is_floating(kind):
        numbers = whole.cast(pa.float64())
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind):
        return whole
    raise NotPlain
