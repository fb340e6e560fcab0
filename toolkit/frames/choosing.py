"""Which columns a read is to have: record columns, and places in documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit import columns, paths
from toolkit.errors import InvalidPath
from toolkit.frames.cells import objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.paths import Path


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


def asks_for_history(wanted: Sequence[str] | None) -> bool:
    """Tell whether a choice of columns asks for `history`.

    Parameters
    ----------
    wanted : sequence of str or None
        Record columns and paths.

    Returns
    -------
    bool
    """
    return wanted is not None and any(str(name).partition(".")[0] == columns.HISTORY for name in wanted)


def select(found: dict[str, Any], wanted: Sequence[str], length: int) -> dict[str, Any]:
    """Keep what was asked for; a path that no record has becomes a column of nothing.

    Parameters
    ----------
    found : dict of str to column
        Everything there is.
    wanted : sequence of str
        Record columns and paths; a path takes everything below it.
    length : int
        How many rows.

    Returns
    -------
    dict of str to column
        In the order asked for, `workflow_id` in front where there is one.
    """
    chosen: dict[str, Any] = {columns.WORKFLOW_ID: found[columns.WORKFLOW_ID]} if columns.WORKFLOW_ID in found else {}
    for name in wanted:
        for match in _below(found, name):
            chosen[match] = found[match] if match in found else objects([None] * length)
    return chosen


def _below(found: Iterable[str], name: str) -> list[str]:
    """Return the columns that a name asks for; a path is spelled in one way, found or not."""
    if name in columns.RECORD_COLUMNS:
        return [name]
    text = str(_path(name))
    return [column for column in found if column == text or column.startswith(text + ".")] or [text]
