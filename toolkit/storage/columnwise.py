"""Rows for writing, checked and laid out column by column: what `rows.record_row` does to one, done to thousands.

Only what is plainly right is taken; anything else is left to `rows.record_row`, which knows every rule and says what is
wrong.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, jsonvalue
from toolkit.celltexts import ABSENT, Cells, NotPlain, document_texts, encode_at, json_texts, spread, text_bytes
from toolkit.errors import ToolkitError
from toolkit.lazy import pa, pc
from toolkit.masking import HIDDEN
from toolkit.storage.merge import document_path, time_for_column
from toolkit.storage.rows import LIMITS, parts_of, record_type_of
from toolkit.storage.tables import EMPTY_DOCUMENT, TYPE_LIMIT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

NAMES: Final = (*LIMITS, "retry_count", *columns.TIME_COLUMNS, columns.DATA)
"""The columns of rows that are ready to be written, in their order; see `schema`."""

_MAXIMUM_COUNT: Final = 2**31
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999
_DEPTH: Final = 200
"""Levels of a path below which the quick writer's own limit keeps the whole document within ours."""


@functools.cache
def schema() -> pa.Schema:
    """Return the schema of rows that are ready to be written.

    Returns
    -------
    pyarrow.Schema
        With the columns of `NAMES`: null where a column was not given; the document is JSON text.

    Examples
    --------
    >>> schema().field("updated_at").type
    TimestampType(timestamp[us, tz=UTC])
    """
    kinds = dict.fromkeys(NAMES, pa.string()) | {"retry_count": pa.int64()}
    kinds |= dict.fromkeys(columns.TIME_COLUMNS, pa.timestamp("us", tz="UTC"))
    return pa.schema(list(kinds.items()))


def _time_type() -> pa.DataType:
    return schema().field(columns.TIME_COLUMNS[0]).type


def lay_out(given: Mapping[str, Cells], length: int, *, literal: bool) -> pa.RecordBatch:
    """Check rows and lay them out.

    Parameters
    ----------
    given : mapping of str to pyarrow.Array or list
        Columns by name: record columns, `data`, and paths.
    length : int
        Number of rows.
    literal : bool
        Write text that holds `[hidden]` as it is.

    Returns
    -------
    pyarrow.RecordBatch
        As `schema` has it.

    Raises
    ------
    NotPlain
        When a row is wrong, or only a look at one row after another can tell.

    Examples
    --------
    >>> lay_out({"record_id": ["a_1"], "fields.n": [2]}, 1, literal=False).column("data").to_pylist()
    ['{"fields":{"n":2},"vars":{},"targets":{},"history":[]}']
    """
    if "record_id" not in given:
        raise NotPlain
    texts = {name: _text(given.get(name), length, limit, literal=literal) for name, limit in LIMITS.items()}
    ids = texts["record_id"]
    if ids.null_count or (length and pc.min(pc.binary_length(ids)).as_py() == 0):
        raise NotPlain
    texts["record_type"] = _types(texts["record_type"], ids)
    texts["status"] = texts["status"].fill_null(columns.DISCOVERED)
    counts = _counts(given.get("retry_count"), length)
    times = [_times(given.get(name), length) for name in columns.TIME_COLUMNS]
    documents = _documents(given, length)
    if not literal and _holds(documents, HIDDEN):
        raise NotPlain
    return pa.record_batch([*texts.values(), counts, *times, documents], schema())


def _text(cells: Cells | None, length: int, limit: int | None, *, literal: bool) -> pa.Array:
    """Take a column of text: of what `jsonvalue.check_text` lets pass, and without a mask."""
    if cells is None:
        return pa.nulls(length, pa.string())
    if isinstance(cells, list):
        if not set(map(type, cells)) <= {str, type(None), type(ABSENT)}:
            raise NotPlain
        try:
            texts = pa.array([None if text is ABSENT else text for text in cells], pa.string())
        except UnicodeEncodeError:
            raise NotPlain from None
    elif pa.types.is_string(cells.type) or pa.types.is_null(cells.type):
        texts = cells.cast(pa.string())
    else:
        raise NotPlain
    if limit is not None and (pc.max(pc.utf8_length(texts)).as_py() or 0) > limit:
        raise NotPlain
    if _holds(texts, "\0") or (not literal and _holds(texts, HIDDEN)):
        raise NotPlain
    return texts


def _holds(texts: pa.Array, part: str) -> bool:
    """Tell whether a text may hold a part; two of them that hold a half each do, too, which costs only time."""
    return part.encode() in text_bytes(texts)


def _types(given: pa.Array, ids: pa.Array) -> pa.Array:
    """Fill in what an id says about the type where none, or an empty one, was given."""
    named = pc.greater(pc.binary_length(given), 0).fill_null(False)  # noqa: FBT003 - Arrow names no parameter
    if pc.all(named).as_py():
        return given
    names = ids.to_pylist()
    if _holds(ids, ":"):
        found = list(map(record_type_of, names))
    else:
        found = [(name.rpartition("_")[0] or name)[:TYPE_LIMIT] for name in names]
    return pc.if_else(named, given, pa.array(found, pa.string()))


def _counts(cells: Cells | None, length: int) -> pa.Array:
    if cells is None:
        return pa.nulls(length, pa.int64())
    if isinstance(cells, list):
        if not set(map(type, cells)) <= {int, type(None), type(ABSENT)}:
            raise NotPlain
        counts = [None if count is ABSENT else count for count in cells]
        if not all(0 <= count < _MAXIMUM_COUNT for count in counts if count is not None):
            raise NotPlain
        return pa.array(counts, pa.int64())
    if not (pa.types.is_integer(cells.type) or pa.types.is_null(cells.type)):
        raise NotPlain
    ends = pc.min_max(cells).as_py() if cells.null_count < len(cells) else {"min": 0, "max": 0}
    if not 0 <= ends["min"] <= ends["max"] < _MAXIMUM_COUNT:
        raise NotPlain
    return cells.cast(pa.int64())


def _times(cells: Cells | None, length: int) -> pa.Array:
    if cells is None:
        return pa.nulls(length, _time_type())
    try:
        if isinstance(cells, list):
            return pa.array([_time(value) for value in cells], _time_type())
        if not (pa.types.is_timestamp(cells.type) or pa.types.is_null(cells.type)):
            raise NotPlain
        # The numbers of a time with a zone count from 1970 in UTC, those of one without are taken to.
        numbers = cells.cast(pa.timestamp("us", cells.type.tz)) if pa.types.is_timestamp(cells.type) else cells
        found = numbers.cast(pa.int64())
    except (ToolkitError, pa.ArrowInvalid):
        raise NotPlain from None
    ends = pc.min_max(found).as_py()
    if ends["min"] is not None and not _FIRST <= ends["min"] <= ends["max"] <= _LAST:
        raise NotPlain
    return found.cast(_time_type())


def _time(value: Any) -> dt.datetime | None:
    return None if value is None or value is ABSENT else time_for_column(value)


def _documents(given: Mapping[str, Cells], length: int) -> pa.Array:
    data = given.get(columns.DATA)
    placed = {
        name: cells
        for name, cells in given.items()
        if name not in (*columns.RECORD_COLUMNS, columns.DATA) and not _nothing(cells)
    }
    if data is None or _nothing(data):
        return _assembled(placed, length)
    # Which of the two a row has, only a look at each can tell.
    if placed or not isinstance(data, list):
        raise NotPlain
    present = [document is not None and document is not ABSENT for document in data]
    if all(present):
        return document_texts(_in_parts(data), jsonvalue.encode)
    there = [document for document, is_there in zip(data, present, strict=True) if is_there]
    return spread(document_texts(_in_parts(there), jsonvalue.encode), present).fill_null(EMPTY_DOCUMENT)


def _nothing(cells: Cells) -> bool:
    """Whether no row says anything there; a null of JSON says something."""
    if isinstance(cells, list):
        return all(cell is ABSENT for cell in cells)
    return bool(cells.null_count == len(cells))


def _in_parts(documents: list[Any]) -> list[Any]:
    """Lay documents out in their parts; they come as they are when all of them already are so."""
    if set(map(type, documents)) == {dict} and set(map(tuple, documents)) == {columns.PARTS}:
        parts = itertools.chain.from_iterable(map(dict.values, documents))
        if type(None) not in set(map(type, parts)):
            return documents
    try:
        return list(map(parts_of, documents))
    except ToolkitError:
        raise NotPlain from None


@dataclasses.dataclass(slots=True)
class _Text:
    """What stands at a place in each document, as pieces of JSON text that are joined once, at the end.

    Attributes
    ----------
    pieces : list of (str or pyarrow.Array)
        One after another, the arrays with an element for each document.
    full : bool
        Whether something stands there in every document: then a null is a piece left out, else it is nothing at all.
    """

    pieces: list[Any]
    full: bool

    def joined(self) -> pa.Array:
        """Return the text of each document; null where nothing stands there."""
        if len(self.pieces) == 1 and not isinstance(self.pieces[0], str):
            return self.pieces[0]
        return pc.binary_join_element_wise(
            *self.pieces, "", null_handling="replace" if self.full else "emit_null", null_replacement=""
        )

    def within(self, before: str, after: str) -> _Text:
        """Return the same between two texts."""
        return _Text([before, *self.pieces, after], self.full)


class _Place:
    """A place in documents: the columns that say what stands there, and the places below it."""

    __slots__ = ("below", "values")

    def __init__(self) -> None:
        self.values: list[_Text] = []
        self.below: dict[str, _Place] = {}

    def at(self, key: str) -> _Place:
        return self.below.setdefault(key, _Place())

    def text(self) -> _Text | None:
        """Return what stands here; None where nothing ever does."""
        members = _object([(key, text) for key, place in self.below.items() if (text := place.text()) is not None])
        ways = self.values if members is None else [*self.values, members]
        if len(ways) < 2:  # noqa: PLR2004 - one way, or none
            return ways[0] if ways else None
        texts = [way.joined() for way in ways]
        numbers = [text.is_valid().cast(pa.int8()).to_numpy(zero_copy_only=False) for text in texts]
        if (sum(numbers) > 1).any():
            # Two columns say what stands at one place.
            raise NotPlain
        found = pc.coalesce(*texts)
        return _Text([found], found.null_count == 0)


def _assembled(placed: Mapping[str, Cells], length: int) -> pa.Array:
    """Make documents of columns that are paths."""
    if not placed:
        return pa.array([EMPTY_DOCUMENT] * length, pa.string())
    top = _Place()
    for part in columns.PARTS:
        top.at(part)
    for name, cells in placed.items():
        _put(top, name, cells)
    members: list[tuple[str, _Text]] = []
    for key, place in top.below.items():
        text = place.text()
        if key in columns.PARTS and (text is None or not text.full):
            empty = "[]" if key == columns.HISTORY else "{}"
            text = _Text([empty if text is None else text.joined().fill_null(empty)], full=True)
        if text is not None:
            members.append((key, text))
    documents = _object(members)
    if documents is None:
        raise NotPlain
    return documents.joined()


def _put(top: _Place, name: str, cells: Cells) -> None:
    try:
        path = document_path(name)
        for key in path.segments:
            jsonvalue.check_text(key, "key")
    except ToolkitError:
        raise NotPlain from None
    if len(path.segments) > _DEPTH:
        raise NotPlain
    place = top
    for key in path.segments:
        place = place.at(key)
    found, quoted = json_texts(cells, encode_at(len(path.segments) + path.append))
    text = _Text([found], found.null_count == 0)
    text = text.within('"', '"') if quoted else text
    place.values.append(text.within("[", "]") if path.append else text)


def _object(members: Sequence[tuple[str, _Text]]) -> _Text | None:
    """Return objects of members, those that every document has in front: each other one then brings its own comma."""
    full = [(key, text) for key, text in members if text.full]
    if not full:
        return _object_of_any(members) if members else None
    pieces: list[Any] = ["{"]
    for position, (key, text) in enumerate(full):
        pieces += [f"{',' if position else ''}{_written(key)}:", *text.pieces]
    pieces += [text.within(f",{_written(key)}:", "").joined() for key, text in members if not text.full]
    return _Text([*pieces, "}"], full=True)


def _object_of_any(members: Sequence[tuple[str, _Text]]) -> _Text:
    """Return objects of members none of which every document has; a document without any has no object."""
    texts = [text.within(f",{_written(key)}:", "").joined() for key, text in members]
    # Arrow could leave nulls out by itself, but then forgets the rows that have nothing else.
    joined = pc.binary_join_element_wise("", *texts, "", null_handling="replace", null_replacement="")
    begun = pc.binary_replace_slice(joined, 0, 1, "{")
    found = pc.if_else(pc.equal(pc.binary_length(joined), 0), pa.scalar(None, pa.string()), begun)
    return _Text([found, "}"], found.null_count == 0)


def _written(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)
