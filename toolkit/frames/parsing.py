"""Many JSON objects at once, by Arrow's own parser: columns without a step of Python for each value.

The parser is quick and changes some values without a word; `toolkit.frames.pieces` knows which, and reads those again.
Here stands what must hold before it is asked at all.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWLINE: Final = "\n"
_OPENINGS: Final = 500
"""Brackets of one text above which it is left to the other reader: the time of this one grows with the square of the
levels, and there may be as many levels as brackets."""
_LONG: Final = 2_000
"""Characters of a text below which it may have as many levels as it likes."""
_WIDE: Final = 200
"""Columns above which it is asked how full they are."""
_SPARSE: Final = 4
"""Places of columns for each value, above which objects have too few keys in common for columns."""
_FAILURES: Final = 3
"""Refusals in a row after which the parser is not asked again."""


class Parser:
    """Reads the JSON objects of one result, part by part, and several parts at once."""

    def __init__(self) -> None:
        self._failures = 0
        # What looks like a time in some rows is text all the same, and must be said to be.
        self._texts: dict[str, Any] = {}
        self._noting = threading.Lock()

    def parse(self, texts: pa.Array) -> pa.Table | None:
        """Read objects.

        Parameters
        ----------
        texts : pyarrow.Array
            Of type `string`, some thousand; a null is read as an empty object.

        Returns
        -------
        pyarrow.Table or None
            One row per text, one column per key; objects as structs, arrays as lists. None when the parser cannot
            read them, or is the wrong one for them.
        """
        if self._failures >= _FAILURES or not len(texts):
            return None
        table = self._read(texts.fill_null("{}") if texts.null_count else texts)
        self._failures = 0 if table is not None else self._failures + 1
        return table

    def _read(self, texts: pa.Array) -> pa.Table | None:
        if not pc.all(pc.and_(pc.starts_with(texts, "{"), pc.ends_with(texts, "}"))).as_py():
            return None
        if _may_be_deep(texts):
            return None
        lines = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
        joined = pc.binary_join(lines, _NEWLINE)
        buffer = joined[0].as_buffer()
        # A text of several lines could be taken for several objects.
        if np.count_nonzero(np.frombuffer(buffer, np.uint8) == ord(_NEWLINE)) != len(texts) - 1:
            return None
        table = self._table(buffer)
        if table is not None and self._note(table.schema):
            table = self._table(buffer)
        return None if table is None or len(table) != len(texts) or _is_sparse(table) else table

    def _note(self, schema: pa.Schema) -> bool:
        with self._noting:
            return _note_times(schema, self._texts)

    def _table(self, joined: pa.Buffer) -> pa.Table | None:
        with self._noting:
            known = pa.schema(_fields(self._texts)) if self._texts else None
        try:
            return pa.json.read_json(
                pa.BufferReader(joined),
                pa.json.ReadOptions(use_threads=False, block_size=joined.size + 1),
                pa.json.ParseOptions(explicit_schema=known, unexpected_field_behavior="infer"),
            ).combine_chunks()
        except pa.ArrowException:
            # No JSON, or values of several kinds at one place: the other reader says.
            return None


def _may_be_deep(texts: pa.Array) -> bool:
    """Tell whether a text is long enough for many levels, and has the brackets for them."""
    long = texts.filter(pc.greater(pc.binary_length(texts), _LONG))
    openings = pc.add(pc.count_substring(long, "{"), pc.count_substring(long, "["))
    return len(long) > 0 and pc.max(openings).as_py() > _OPENINGS


def _leaves(fields: Any) -> Iterator[pa.DataType]:
    waiting = [field.type for field in fields]
    while waiting:
        kind = waiting.pop()
        if pa.types.is_struct(kind):
            waiting += [field.type for field in kind]
        elif pa.types.is_list(kind):
            waiting.append(kind.value_type)
        else:
            yield kind


def _is_sparse(table: pa.Table) -> bool:
    width = sum(1 for _ in _leaves(table.schema))
    if width <= _WIDE:
        return False
    filled = sum(len(column) - column.null_count for column in _flattened(table))
    return bool(width * len(table) > _SPARSE * filled)


def _flattened(table: pa.Table) -> list[pa.ChunkedArray]:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return list(table.columns)


def _note_times(fields: Any, known: dict[str, Any]) -> bool:
    """Remember places whose texts were taken for times; tell whether there are new ones."""
    found = False
    for field in fields:
        kind, levels = field.type, 0
        while pa.types.is_list(kind):
            kind, levels = kind.value_type, levels + 1
        if pa.types.is_struct(kind) and not levels:
            below = known.get(field.name)
            below = below if isinstance(below, dict) else {}
            if _note_times(kind, below):
                known[field.name] = below
                found = True
        elif pa.types.is_timestamp(kind):
            known[field.name] = levels
            found = True
    return found


def _fields(known: dict[str, Any]) -> list[pa.Field]:
    return [pa.field(name, _type_of(below)) for name, below in known.items()]


def _type_of(below: dict[str, Any] | int) -> pa.DataType:
    if isinstance(below, dict):
        return pa.struct(_fields(below))
    kind = pa.string()
    for _ in range(below):
        kind = pa.list_(kind)
    return kind
