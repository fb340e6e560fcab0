"""One grammar for places in a record's document: columns, patches, `reveal=`, validation and comparison.

A path is segments joined by dots. A segment that is empty or holds a dot, a quote or a bracket is written as a JSON
string: `fields."X-Header.v1"`. `[+]` at the end means "append one element".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.columns import DATA
from toolkit.errors import InvalidPath

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r'[^."\[\]]+')
_DECODER = json.JSONDecoder()
APPEND = "[+]"


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path.

    Attributes
    ----------
    segments : tuple of str
        The keys, from the top of the document.
    append : bool
        Whether the path ends in `[+]`.
    """

    segments: tuple[str, ...]
    append: bool = False

    def __str__(self) -> str:
        return join(self.segments) + (APPEND if self.append else "")

    @property
    def in_document(self) -> tuple[str, ...]:
        """The keys from the top of a document: without the `data.` in front of a top-level key of one's own."""
        return self.segments[1:] if self.segments[0] == DATA else self.segments

    def contains(self, other: Path) -> bool:
        """Tell whether this path is the other one, or stands above it."""
        return other.segments[: len(self.segments)] == self.segments


def segment(key: str) -> str:
    """Return one key as it stands in a path.

    Parameters
    ----------
    key : str
        A key of a JSON object.

    Returns
    -------
    str

    Examples
    --------
    >>> segment("subject"), segment("X-Header.v1")
    ('subject', '"X-Header.v1"')
    """
    return key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def join(segments: Iterable[str]) -> str:
    """Return keys as a path.

    Parameters
    ----------
    segments : iterable of str
        The keys, from the top.

    Returns
    -------
    str

    Examples
    --------
    >>> join(["fields", "a.b"])
    'fields."a.b"'
    """
    return ".".join(map(segment, segments))


def parse(text: str) -> Path:
    """Parse a path.

    Parameters
    ----------
    text : str
        Such as `vars.label`, `fields."a.b"` or `history[+]`.

    Returns
    -------
    Path

    Raises
    ------
    InvalidPath
        For text outside the grammar, with the place.

    Examples
    --------
    >>> parse('fields."a.b"').segments
    ('fields', 'a.b')
    >>> parse("history[+]")
    Path(segments=('history',), append=True)
    """
    if not isinstance(text, str):
        raise InvalidPath(f"a path is text such as 'vars.label', not {type(text).__name__}")
    body, append = (text[: -len(APPEND)], True) if text.endswith(APPEND) else (text, False)
    segments: list[str] = []
    position = 0
    while True:
        key, position = _next(body, position, text)
        segments.append(key)
        if position == len(body):
            return Path(tuple(segments), append)
        if body[position] != ".":
            raise _outside(text, position)
        position += 1


def _next(body: str, position: int, text: str) -> tuple[str, int]:
    if body.startswith('"', position):
        try:
            return _DECODER.raw_decode(body, position)
        except json.JSONDecodeError:
            raise _outside(text, position) from None
    found = _PLAIN.match(body, position)
    if not found:
        raise _outside(text, position)
    return found.group(), found.end()


def _outside(text: str, position: int) -> InvalidPath:
    return InvalidPath(
        f"{text!r} is no path: see character {position + 1}. Segments are joined by dots; one that is empty or holds "
        'a dot, a quote or a bracket is written as a JSON string, as in fields."a.b"; [+] stands only at the end'
    )
