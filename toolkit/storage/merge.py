"""What an `update_record` patch does to a record: columns, and one merge of its document.

The merge is done here, in Python, under the row's lock, so that it is the same on every database: objects merge,
everything else is replaced, and what a patch does not name keeps its value digit for digit.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, jsonvalue, paths
from toolkit.errors import InvalidPath, InvalidValue
from toolkit.masking import HIDDEN
from toolkit.paths import Path
from toolkit.storage.base import refuse_mask
from toolkit.times import in_utc

if TYPE_CHECKING:
    from toolkit.jsonvalue import JSONValue

PATCH_COLUMNS: Final = ("status", "error_message", "processed_at", "retry_count")
"""Keys of a patch that are columns of the record; every other key is a path in its document."""

_STARTS: Final = (*columns.PARTS, columns.DATA)


@dataclass(frozen=True, slots=True)
class Patch:
    """A checked patch.

    Attributes
    ----------
    columns : dict of str to object
        New values of record columns.
    document : tuple of (Path, JSON value)
        New values in the document, none of which contains another.
    """

    columns: Mapping[str, Any]
    document: tuple[tuple[Path, JSONValue], ...]

    def refuse_masks(self, what: str) -> None:
        """Refuse a patch that holds the mask of a value that was not shown.

        Parameters
        ----------
        what : str
            What is patched, for the error.

        Raises
        ------
        HiddenValue
        """
        for name, text in self.columns.items():
            if isinstance(text, str):
                refuse_mask(text, f"{name} of {what}")
        for path, value in self.document:
            if any(HIDDEN in key for key in path.segments):
                refuse_mask(str(path), f"the path {path} of {what}")
            text = (
                value if isinstance(value, str) else jsonvalue.encode(value) if isinstance(value, list | dict) else ""
            )
            if HIDDEN in text:
                refuse_mask(text, f"{path} of {what}")


def check_patch(patch: Mapping[str, Any]) -> Patch:
    """Check a patch before anything is read or written.

    Parameters
    ----------
    patch : mapping of str to object
        See `UnifiedDataService.update_record`.

    Returns
    -------
    Patch

    Raises
    ------
    InvalidPath
        For a key that is neither a column nor a path of the document, naming the nearest, and for two paths of which
        one contains the other.
    InvalidValue
        For a value that a column or JSON cannot hold.
    """
    if type(patch) is not dict and not isinstance(patch, Mapping):
        raise InvalidValue(f"a patch is a dict of paths and values, not {type(patch).__name__}")
    new_columns = {name: _column(name, patch[name]) for name in PATCH_COLUMNS if name in patch}
    places = _places(tuple(patch))
    return Patch(new_columns, tuple([(path, _plain(patch[name], name, depth)) for name, path, depth in places]))


@functools.lru_cache(maxsize=256)
def _places(names: tuple[str, ...]) -> tuple[tuple[str, Path, int], ...]:
    """Read the paths of a patch once, each with its levels: of many patches, most name the same places."""
    named = [name for name in names if name not in PATCH_COLUMNS]
    found = [_checked(document_path(name), name) for name in named]
    _refuse_conflicts(found)
    return tuple((name, path, len(path.segments) + path.append) for name, path in zip(named, found, strict=True))


def _plain(value: Any, name: str, depth: int) -> JSONValue:
    if value is None or type(value) is bool or (type(value) is str and value.isascii() and "\0" not in value):
        return value
    return jsonvalue.plain(value, name, depth=depth)


def _checked(path: Path, name: str) -> Path:
    """Check the way down together with what it leads to: its keys are data too, and each is a level."""
    depth = len(path.segments) + path.append
    if depth > jsonvalue.MAXIMUM_DEPTH:
        raise InvalidPath(f"a path of {depth:,} levels is too deep; a document has {jsonvalue.MAXIMUM_DEPTH} at most")
    for key in path.segments:
        jsonvalue.check_text(key, f"key in the path {name!r}")
    return path


def _column(name: str, value: Any) -> Any:
    if name == "retry_count":
        return _count(value)
    if value is None:
        return None
    if name == "processed_at":
        return time_for_column(value)
    return jsonvalue.check_text(value, name, limit=50 if name == "status" else None)


def _count(value: Any) -> int:
    try:
        count = -1 if isinstance(value, bool) else index(value)
    except TypeError:
        count = -1
    if not 0 <= count < 2**31:
        raise InvalidValue(
            f"retry_count is a whole number from 0, not {value if isinstance(value, int) else type(value).__name__}"
        )
    return count


def time_for_column(value: Any) -> dt.datetime:
    """Read a time that goes into a column.

    Parameters
    ----------
    value : datetime or str
        ISO 8601 text or a datetime; without a zone it is UTC.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    InvalidValue
        For anything else.
    """
    try:
        return in_utc(dt.datetime.fromisoformat(value) if isinstance(value, str) else value)
    except (ValueError, OverflowError, AttributeError, TypeError):
        raise InvalidValue(f"a time is a datetime or text such as '2026-11-16T02:00:00Z', not {value!r}") from None


def document_path(text: str) -> Path:
    """Parse the path of a patch: it starts in one of the four parts, or with `data.` for another top-level key.

    Parameters
    ----------
    text : str
        Such as `vars.label` or `data.extra.note`.

    Returns
    -------
    Path
        From the top of the document, so without the `data.` in front.

    Raises
    ------
    InvalidPath
        With the nearest path that is allowed.

    Examples
    --------
    >>> document_path("data.extra").segments
    ('extra',)
    """
    path = paths.parse(text)
    first = path.segments[0]
    if first not in _STARTS or path.segments == (columns.DATA,):
        raise InvalidPath(f"{text!r} is no column and no path of a record; {_nearest(text, path)}")
    return Path(path.segments[1:], path.append) if first == columns.DATA else path


def _nearest(text: str, path: Path) -> str:
    first, *below = path.segments
    if first == columns.DATA:
        return "name what is in it: data.<key>, or a path that starts in one of the four parts"
    near = difflib.get_close_matches(first, _STARTS if below or path.append else (*PATCH_COLUMNS, *_STARTS), n=1)
    if near:
        return f"did you mean {str(Path((near[0], *below), path.append))!r}?"
    return f"for a field, write {'fields.' + text!r}; paths start with {', '.join(_STARTS)}"


def _refuse_conflicts(found: list[Path]) -> None:
    ordered = sorted(found, key=lambda path: path.segments)
    for one, other in itertools.pairwise(ordered):
        if one.contains(other):
            raise InvalidPath(f"{str(one)!r} contains {str(other)!r}: one patch cannot hold both")


def merge(document: JSONValue, patch: Patch) -> JSONValue:
    """Return a document with the patch merged into it.

    Parameters
    ----------
    document : JSON value
        Decoded with `exact=True`; it is changed in place and must not be used afterwards.
    patch : Patch
        Checked.

    Returns
    -------
    JSON value

    Raises
    ------
    InvalidPath
        When `[+]` names something that is no array, or the document is no object.

    Examples
    --------
    >>> merge({"vars": {"a": 1, "b": {"c": 2}}}, check_patch({"vars.b": {"d": 3}}))
    {'vars': {'a': 1, 'b': {'c': 2, 'd': 3}}}
    """
    root = {} if document is None else document
    if not isinstance(root, dict):
        raise InvalidPath("this record's document is no object, so it has no paths; create_record replaces it")
    for path, value in patch.document:
        parent = root
        for key in path.segments[:-1]:
            child = parent.get(key)
            if not isinstance(child, dict):
                child = parent[key] = {}
            parent = child
        last = path.segments[-1]
        parent[last] = _appended(parent.get(last), value, path) if path.append else _merged(parent.get(last), value)
    return root


def _appended(former: JSONValue, value: JSONValue, path: Path) -> JSONValue:
    if former is None:
        return [value]
    if not isinstance(former, list):
        raise InvalidPath(f"{str(path)!r} appends to an array, and this record holds something else there")
    former.append(value)
    return former


def _merged(former: JSONValue, value: JSONValue) -> JSONValue:
    """Merge one level after another: objects merge, everything else is replaced."""
    if not isinstance(former, dict) or not isinstance(value, dict):
        return value
    waiting = [(former, value)]
    while waiting:
        old, new = waiting.pop()
        for key, member in new.items():
            below = old.get(key)
            if isinstance(below, dict) and isinstance(member, dict):
                waiting.append((below, member))
            else:
                old[key] = member
    return former
