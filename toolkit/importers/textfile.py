"""A file → lines or JSON values; what is wrong with it is said in one line, with file and place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolkit.errors import CorruptValue, ImportFailed
from toolkit.importers.values import one_line
from toolkit.jsonvalue import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_text(path: Path) -> str:
    """Return the text of a file, in UTF-8, with or without a mark in front."""
    shown = one_line(str(path))
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ImportFailed(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ImportFailed(f"{shown}, byte {error.start + 1}: not UTF-8") from None


def read_json(path: Path) -> Any:
    """Return the one JSON value of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    JSON value

    Raises
    ------
    ImportFailed
        One line with the file and the place.
    """
    return _parsed(read_text(path), one_line(str(path)), first_line=1)


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the JSON value of each line that is not blank, with the line's number.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    (int, JSON value)

    Raises
    ------
    ImportFailed
        One line with the file and the place.
    """
    shown = one_line(str(path))
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, _parsed(line, shown, first_line=number)


def _parsed(text: str, shown: str, first_line: int) -> Any:
    try:
        return decode(text)
    except CorruptValue:
        raise ImportFailed(f"{shown}, {_place(text, first_line)}") from None


def _place(text: str, first_line: int) -> str:
    """Say where a text stops to be JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno + first_line - 1}, column {error.colno}: not JSON: {error.msg}"
    except (ValueError, RecursionError):
        pass
    return f"line {first_line}: not JSON that can be stored"
