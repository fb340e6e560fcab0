"""Cells of an edited frame against one record: what is new, what is not, and what cannot be meant."""

from __future__ import annotations

import itertools
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, jsonvalue
from toolkit.errors import HiddenValue, InvalidOption, InvalidPath, InvalidValue
from toolkit.masking import HIDDEN
from toolkit.model import NULL
from toolkit.storage.merge import Patch, check_patch, document_path, merge
from toolkit.storage.tables import TYPE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolkit.jsonvalue import JSONValue
    from toolkit.paths import Path

EDITABLE: Final[Mapping[str, int | None]] = {
    "record_type": TYPE_LIMIT,
    "status": TYPE_LIMIT,
    "iteration_node_alias": jsonvalue.MAXIMUM_NAME,
    "error_message": None,
    "retry_count": None,
}
"""The record columns that an edited frame may change, with the most characters each can hold."""

FIXED: Final = (columns.WORKFLOW_ID, "record_id", *columns.TIME_COLUMNS)
"""Keys and times: they say which row it is and when things happened, and are never written."""

_ABSENT: Final = object()


def path_of(name: str) -> Path:
    """Read the heading of a column of a frame as a place in a document.

    Parameters
    ----------
    name : str
        Such as `fields.subject`.

    Returns
    -------
    Path

    Raises
    ------
    InvalidPath
        For any other heading, with the nearest path.

    Examples
    --------
    >>> path_of("vars.label").segments
    ('vars', 'label')
    """
    try:
        path = document_path(name)
    except InvalidPath as error:
        raise InvalidPath(f"column {error}; take the column out of the frame, or rename it") from None
    if path.append:
        raise InvalidPath(f"column {name!r} would append; a frame holds whole values, so name the place itself")
    return path


def same(old: JSONValue, new: JSONValue) -> bool:
    """Tell whether a cell holds what a record holds; a frame may hold an integer as a float.

    Parameters
    ----------
    old, new : JSON value
        Numbers of the old one may be `Decimal`.

    Returns
    -------
    bool

    Examples
    --------
    >>> same(3, 3.0), same(True, 1), same([1], [1.0]), same("3", 3)
    (True, False, True, False)
    """
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, int | float | Decimal) and isinstance(new, int | float | Decimal):
        return old == new or (isinstance(new, float) and float(old) == new)
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, str) and isinstance(new, str):
        return str(old) == str(new)
    return old is None and new is None


def _same_text(old: JSONValue, new: JSONValue) -> bool:
    """Tell whether two values of different types are written alike: a file of text has lost the type."""
    if old is None or new is None or isinstance(old, str) == isinstance(new, str):
        return False
    text, value = (old, new) if isinstance(old, str) else (new, old)
    if isinstance(value, bool):
        return text.strip().lower() == str(value).lower()
    if isinstance(value, int | float | Decimal):
        try:
            return Decimal(text.strip()) == (value if isinstance(value, Decimal) else Decimal(repr(value)))
        except InvalidOperation:
            return False
    return text in (str(jsonvalue.decode(jsonvalue.encode_exact(value))), jsonvalue.encode_exact(value))


class RowEditor:
    """Turns the cells of one row into what is to be written.

    Parameters
    ----------
    names : iterable of str
        The columns of the frame that may be written: record columns and paths.
    drop : iterable of str
        Paths to remove.
    """

    def __init__(self, names: Iterable[str], drop: Iterable[str]) -> None:
        self._paths = {name: path_of(name) for name in names if name not in EDITABLE and name not in FIXED}
        self._drop = {name: path_of(name) for name in drop}
        for name, path in self._drop.items():
            if path.segments[0] in columns.PARTS and len(path.segments) == 1:
                raise InvalidPath(f"drop={name!r} would remove a whole part of the document; name what is in it")

    def dropped(self, name: str) -> bool:
        """Tell whether a column lies at or below a path that is to be removed."""
        path = self._paths.get(name)
        return path is not None and any(each.contains(path) for each in self._drop.values())

    def edit(
        self, record_id: str, row: Mapping[str, Any], cells: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, tuple[Any, Any]]]:
        """Work out what to write.

        Parameters
        ----------
        record_id : str
            The record, for errors.
        row : mapping of str to object
            Its columns as they are, `data` as JSON text.
        cells : mapping of str to object
            What its cells hold now; those that were not touched are left out.

        Returns
        -------
        dict
            New values by column of the table, `data` as JSON text.
        dict
            By column of the frame, what was there and what is there now; for people.

        Raises
        ------
        HiddenValue, InvalidValue, InvalidPath, InvalidOption
            Naming record and column.
        """
        for name in (name for name in cells if name in FIXED):
            raise InvalidOption(
                f"record {record_id!r}, column {name!r} was changed; a frame writes no keys and times. Put it back, or "
                "take the column out; update_record sets processed_at"
            )
        written: dict[str, Any] = {}
        seen: dict[str, tuple[Any, Any]] = {}
        for name in (name for name in cells if name in EDITABLE):
            old, new = row[name], _checked_column(record_id, name, cells[name])
            if not same(old, new):
                _refuse(record_id, name, old, new)
                written[name], seen[name] = new, (old, new)
        places = {name: cells[name] for name in cells if name not in EDITABLE}
        if places or self._drop:
            text = self._edit_document(record_id, row[columns.DATA], places, seen)
            written |= {} if text is None else {columns.DATA: text}
        return written, seen

    def _edit_document(
        self, record_id: str, text: str | None, cells: Mapping[str, Any], seen: dict[str, tuple[Any, Any]]
    ) -> str | None:
        document = {} if text is None else jsonvalue.decode(text, exact=True)
        if not isinstance(document, dict):
            raise InvalidPath(f"record {record_id!r}: its document is no object, so it has no paths to write to")
        changes = []
        for name, cell in cells.items():
            path = self._paths[name]
            old = _at(document, path.segments, record_id, name)
            new = None if _is_null(cell) else jsonvalue.plain(cell, f"record {record_id!r}, column {name!r}:")
            if old is not _ABSENT and same(old, new):
                continue
            known = None if old is _ABSENT else old
            _refuse(record_id, name, known, new)
            changes.append((path, _as_before(known, new)))
            seen[name] = (known, new)
        removed = [name for name, path in self._drop.items() if _remove(document, path.segments)]
        seen.update(dict.fromkeys(removed, (_REMOVED, None)))
        if not changes and not removed:
            return None
        ordered = sorted((path for path, _ in changes), key=lambda path: path.segments)
        for one, other in itertools.pairwise(ordered):
            if one.contains(other):
                raise InvalidPath(f"record {record_id!r}: {str(one)!r} contains {str(other)!r}; change one of the two")
        return jsonvalue.encode_exact(merge(document, Patch({}, tuple(changes))))


_REMOVED: Final = "(removed)"


def _is_null(cell: Any) -> bool:
    return isinstance(cell, str) and cell == NULL


def _checked_column(record_id: str, name: str, cell: Any) -> Any:
    what = f"{name} of record {record_id!r}"
    if _is_null(cell):
        if name in ("record_type", "retry_count"):
            raise InvalidValue(f"{what} cannot be null")
        return None
    if name == "retry_count":
        whole = int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        return check_patch({name: whole}).columns[name]
    return jsonvalue.check_text(cell, what, limit=EDITABLE[name])


def _refuse(record_id: str, name: str, old: Any, new: Any) -> None:
    where = f"record {record_id!r}, column {name!r}"
    if HIDDEN in (new if isinstance(new, str) else jsonvalue.encode_exact(new)):
        raise HiddenValue(
            f"{where} holds {HIDDEN}, the mask of a value that was not shown, and it was not read so; nothing is "
            "planned. Put the former cell back, or leave it blank"
        )
    if _same_text(old, new):
        raise InvalidOption(
            f"{where} holds the same as before in another type ({type(new).__name__}), as a CSV file makes of it; "
            "nothing is planned. Read the file with dtype= for such columns, or take the column out of the frame"
        )


def _as_before(old: Any, new: Any) -> Any:
    """Write an integer where one was: a frame may have made a float of it."""
    return (
        int(new)
        if isinstance(old, int) and not isinstance(old, bool) and isinstance(new, float) and new.is_integer()
        else new
    )


def _at(document: dict[str, Any], segments: tuple[str, ...], record_id: str, name: str) -> Any:
    parent: Any = document
    for key in segments[:-1]:
        parent = parent.get(key)
        if parent is None:
            return _ABSENT
        if not isinstance(parent, dict):
            raise InvalidPath(f"record {record_id!r}: {name!r} lies below {key!r}, which holds a value and no object")
    return parent.get(segments[-1], _ABSENT)


def _remove(document: dict[str, Any], segments: tuple[str, ...]) -> bool:
    parent: Any = document
    for key in segments[:-1]:
        parent = parent.get(key)
        if not isinstance(parent, dict):
            return False
    return parent.pop(segments[-1], _ABSENT) is not _ABSENT
