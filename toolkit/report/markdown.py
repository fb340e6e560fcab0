"""A report as Markdown that fits where it is posted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.errors import InvalidOption
from toolkit.report.environment import blocks

if TYPE_CHECKING:
    from toolkit.report.model import RunSummary

LEAST: Final = 4_000
"""Characters below which not even a verdict and its numbers surely fit."""

_ADDRESS: Final = re.compile(r"https?://[^\s<>()\[\]\\|`]{1,1000}")
_SEVERAL_LINES: Final = re.compile(r"\n{3,}")
_HEADING: Final = re.compile(r"^## (.*)$", re.MULTILINE)


def to_markdown(summary: RunSummary, max_chars: int, link: str | None) -> str:
    """Render a report, leaving out whole sections from the bottom until it fits; see `RunReport.to_markdown`."""
    if isinstance(max_chars, bool) or not isinstance(max_chars, int) or max_chars < LEAST:
        raise InvalidOption(f"max_chars={max_chars!r} is no number of characters from {LEAST:,} on")
    if link is not None and not _ADDRESS.fullmatch(link):
        raise InvalidOption("link= is no address such as 'https://example.org/report.html', without spaces or brackets")
    found = [_SEVERAL_LINES.sub("\n\n", text).strip() for text in blocks("report.md.j2", run=summary).values()]
    sections = [text for text in found if text]
    for kept in range(len(sections), 0, -1):
        text = "\n\n".join([*sections[:kept], *_ending(sections[kept:], max_chars, link)]) + "\n"
        if len(text) <= max_chars:
            break
    return text


def _ending(left_out: list[str], max_chars: int, link: str | None) -> list[str]:
    full = f"The full report: <{link}>" if link else ""
    if not left_out:
        return [full] if full else []
    names = ", ".join(found[1] for text in left_out if (found := _HEADING.search(text)))
    return [f"Left out, to stay below {max_chars:,} characters: {names}. {full}".strip()]
