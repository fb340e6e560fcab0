"""Secrets in tables, in HTML and in plain text: a heading names what stands below it, a first cell what follows.

No text rule sees that, because name and value stand far apart.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from toolkit.masking.shapes import Literal
from toolkit.masking.tokens import looks_drawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.masking import MaskingPolicy

_TAG = re.compile(r"<(/?)(table|tr|th|td)\b[^<>]*+>", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*+>")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,9})?")
_CELL = re.compile(r"\S+(?: \S+)*")
_WORD = re.compile(r"\S+")
_NAME = re.compile(r"[\w.$@-]{2,255}")
_HEADING = re.compile(r"(?:\s*+[\w.$@-]++)++\s*+")
_UNSET: Final = frozenset({"", "nan", "none", "nat", "<na>", "null", "true", "false", "...", "…", "-"})
_MOST: Final = 50
"""Columns of a plain table that are looked at for their names."""
_LONGEST_NAME: Final = 255
_LEAST: Final = 5


class TableSecret(NamedTuple):
    """A secret in a cell: where it stands, the name that tells it, and the text of the cell."""

    start: int
    name: str
    secret: str


class _Cell(NamedTuple):
    start: int
    text: str
    heads: bool


def without_tags(text: str) -> str:
    """Return the text of HTML, its lines where they were.

    Parameters
    ----------
    text : str
        HTML.

    Returns
    -------
    str

    Examples
    --------
    >>> without_tags("<b>password</b>=&quot;x&quot;")
    'password="x"'
    """
    return html.unescape(_ANY_TAG.sub(lambda found: "\n" * found[0].count("\n"), text))


def in_markup(policy: MaskingPolicy, text: str) -> Iterator[TableSecret]:
    """Find secrets in the tables of HTML.

    Parameters
    ----------
    policy : MaskingPolicy
        Decides by names; a row is judged as an object with the headings as its names.
    text : str
        HTML.

    Yields
    ------
    TableSecret
    """
    for rows in _tables(text):
        heading, number = _heading(rows)
        for row in rows[number:]:
            yield from _in_row(policy, heading, row)


def _tables(text: str) -> Iterator[list[list[_Cell]]]:
    rows: list[list[_Cell]] = []
    opened: tuple[int, bool] | None = None
    for found in _TAG.finditer(text):
        tag, closes = found[2].casefold(), bool(found[1])
        if opened is not None:
            start, heads = opened
            rows[-1].append(_Cell(start, " ".join(without_tags(text[start : found.start()]).split()), heads))
            opened = None
        if tag == "table":
            if rows:
                yield rows
            rows = []
        elif tag == "tr" and not closes:
            rows.append([])
        elif tag in {"th", "td"} and not closes:
            rows = rows or [[]]
            opened = found.end(), tag == "th"
    if rows:
        yield rows


def _heading(rows: Sequence[Sequence[_Cell]]) -> tuple[list[str], int]:
    """Return the names of the columns, and how many rows they take."""
    number = next((index for index, row in enumerate(rows) if not all(cell.heads for cell in row)), len(rows))
    width = max((len(row) for row in rows[:number]), default=0)
    names = [
        [row[place].text for row in rows[:number] if place < len(row) and row[place].text] for place in range(width)
    ]
    return [below[-1] if below else "" for below in names], number


def _in_row(policy: MaskingPolicy, heading: Sequence[str], row: Sequence[_Cell]) -> Iterator[TableSecret]:
    named = [(name, cell) for name, cell in zip(heading, row, strict=False) if name and len(name) <= _LONGEST_NAME]
    record = {name: _typed(cell.text) for name, cell in named if not _is_unset(cell.text)}
    shown = policy.mask(record)
    told = {cell.start for name, cell in named if name in record and shown.get(name) is not record[name]}
    yield from (TableSecret(cell.start, name, cell.text) for name, cell in named if cell.start in told)
    first = row[0] if row else None
    if first is not None and (first.heads or len(row) == 2):  # noqa: PLR2004 - a name and a value
        others = (cell for cell in row[1:] if cell.start not in told and not _NUMBER.fullmatch(cell.text))
        yield from (
            TableSecret(cell.start, first.text, cell.text) for cell in others if _hides(policy, first.text, cell.text)
        )


def _typed(text: str) -> str:
    return Literal(text) if _NUMBER.fullmatch(text) else text


def _is_unset(text: str) -> bool:
    return text.casefold() in _UNSET


def _hides(policy: MaskingPolicy, name: str, text: str) -> bool:
    return bool(name) and len(name) <= _LONGEST_NAME and not _is_unset(text) and policy.hides(name, _typed(text))


def in_columns(policy: MaskingPolicy, text: str) -> Iterator[TableSecret]:
    """Find secrets in the tables of plain text, as frames are printed: columns that stand below each other.

    Parameters
    ----------
    policy : MaskingPolicy
        Decides by names. A value must look like none of a sentence's words as well.
    text : str
        Plain text.

    Yields
    ------
    TableSecret
    """
    start, names = 0, None
    for line in text.split("\n"):
        if not line.strip():
            names = None
        elif names is None:
            names = _names(policy, line)
            yield from _in_line(policy, line, start)
        else:
            told = list(_below(policy, line, start, names))
            yield from told
            known = {secret.start for secret in told}
            yield from (secret for secret in _in_line(policy, line, start) if secret.start not in known)
        start += len(line) + 1


def _names(policy: MaskingPolicy, line: str) -> list[re.Match[str]]:
    """Return the words of a heading that tell a secret; what is no heading has none."""
    if "  " not in line or not _HEADING.fullmatch(line):
        return []
    words = list(_WORD.finditer(line))[:_MOST]
    return [word for word in words if len(word[0]) <= _LONGEST_NAME and policy.is_sensitive_name(word[0])]


def _below(policy: MaskingPolicy, line: str, start: int, names: Sequence[re.Match[str]]) -> Iterator[TableSecret]:
    for name in names:
        begin = _word_at(line, name.start(), name.end())
        if begin is not None and (found := _WORD.match(line, begin)) and _looks(policy, name[0], found[0]):
            yield TableSecret(start + begin, name[0], found[0])


def _word_at(line: str, first: int, last: int) -> int | None:
    """Return where the word begins that stands below another: they begin, or end, at the same place."""
    if last <= len(line) and not line[last - 1].isspace() and line[last : last + 1] in {"", " "}:
        return line.rfind(" ", 0, last) + 1
    if first < len(line) and not line[first].isspace() and (first == 0 or line[first - 1] == " "):
        return first
    return None


def _in_line(policy: MaskingPolicy, line: str, start: int) -> Iterator[TableSecret]:
    if "  " not in line.strip():
        return
    name = ""
    for found in _CELL.finditer(line):
        if name and _looks(policy, name, found[0]):
            yield TableSecret(start + found.start(), name, found[0])
        name = found[0] if _NAME.fullmatch(found[0]) else ""


def _looks(policy: MaskingPolicy, name: str, text: str) -> bool:
    return looks_drawn(text, least=_LEAST) and _hides(policy, name, text)
