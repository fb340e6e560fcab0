"""From a summary to something to read: HTML, Markdown, JSON, and the small form in a notebook."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from toolkit.columns import STATUSES
from toolkit.errors import InvalidOption
from toolkit.report import wording

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from toolkit.report.model import RunSummary

SCHEMA_VERSION: Final = 1
"""The shape of `RunReport.to_json`; raised when a reader would have to change."""

_OTHER_STYLES: Final = 4
_LEAST_WIDTH: Final = 0.6
_SHORT: Final = 64
_PLACEHOLDER: Final = re.compile(r"(<[a-z]+>)")
_PUNCTUATION: Final = re.compile(r"([\\`*_{}\[\]<>#!|~^$&])")
_REFERENCE: Final = re.compile(r"([@#])(?=\w)")
_SPACE: Final = re.compile(r"\s+")
_BACKTICKS: Final = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class RunReport:
    """A report on a run: the summary, and the ways to read it.

    Attributes
    ----------
    summary : RunSummary
        Everything the report says.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import datetime
    >>> from toolkit.columns import RECORD_COLUMNS, VARIABLE_COLUMNS
    >>> from toolkit.report import summarize
    >>> records, variables = pd.DataFrame(columns=RECORD_COLUMNS), pd.DataFrame(columns=VARIABLE_COLUMNS)
    >>> RunReport(summarize(records, variables, title="nightly", source="toolkit.db",
    ...                     created_at=datetime(2026, 1, 5), toolkit_version="0.1.0"))
    <RunReport 'nightly': There are no records to judge.>
    .save('report.html') writes the page
    """

    summary: RunSummary

    def to_html(self) -> str:
        """Render the page: one file without scripts, which opens offline.

        Returns
        -------
        str
            A whole HTML document; all text of the database is escaped.
        """
        style = Markup(files(__package__).joinpath("style.css").read_text("utf-8"))  # noqa: S704 - our own file
        return _render("report.html.j2", self.summary, style=style)

    def to_markdown(self) -> str:
        """Render the report as Markdown, for a pull request or a chat.

        Returns
        -------
        str
            GitHub's Markdown; text of the database stands in code spans or is escaped.
        """
        return _render("report.md.j2", self.summary)

    def to_json(self) -> str:
        """Render the summary as JSON, for programs.

        Returns
        -------
        str
            An object with `schema_version` and the fields of `RunSummary`; times are ISO 8601 in UTC.
        """
        document = {"schema_version": SCHEMA_VERSION, **asdict(self.summary)}
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, default=datetime.isoformat)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the HTML page to a file.

        Parameters
        ----------
        path : str or path-like
            The file, such as "report.html"; one that is there is replaced, missing folders are made.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InvalidOption
            When the path is a folder.
        """
        target = Path(path)
        if target.is_dir():
            raise InvalidOption(f"{target} is a folder; name the file to write, such as {target / 'report.html'}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.to_html(), encoding="utf-8", newline="\n")
        return target

    def _repr_html_(self) -> str:
        return _render("notebook.html.j2", self.summary)

    def __repr__(self) -> str:
        title, verdict = (wording.visible(text) for text in (self.summary.title, self.summary.verdict))
        return f"<RunReport {title!r}: {verdict}>\n.save('report.html') writes the page"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("toolkit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": wording.visible,
        "lines": lambda text: wording.visible(text, lines=True),
        "short": lambda text: wording.cut(text, _SHORT),
        "number": lambda count: f"{count:,}",
        "seconds": wording.seconds,
        "moment": wording.moment,
        "pieces": _pieces,
        "plural": wording.plural,
        "md": _escaped,
        "span": _span,
        "cell": _cell,
    }
    environment.globals |= {"percent": wording.percent, "period": wording.period, "segments": _segments}
    return environment


def _render(template: str, summary: RunSummary, **more: Markup) -> str:
    text: str = _environment().get_template(template).render(_context(summary), **more)
    return text


def _context(summary: RunSummary) -> dict[str, Any]:
    names = [status.status for status in summary.statuses]
    own = [name for name in names if name not in STATUSES]
    looks = [name if name in STATUSES else f"own-{own.index(name) % _OTHER_STYLES + 1}" for name in names]
    return {"run": summary, "looks": looks, "longest": max((row.longest for row in summary.durations), default=0)}


def _segments(counts: Sequence[int]) -> list[tuple[int, float, float]]:
    """Lay counts side by side: for each that is not 0, its position, start and width in per cent.

    One record of ten thousand is still to be seen, so no part is narrower than a hair.
    """
    whole = sum(counts)
    widths = [max(100 * count / whole, _LEAST_WIDTH) if count else 0.0 for count in counts]
    scale = 100 / sum(widths) if whole else 0.0
    starts = [sum(widths[:position]) for position in range(len(widths))]
    return [
        (position, round(starts[position] * scale, 3), round(width * scale, 3))
        for position, width in enumerate(widths)
        if width
    ]


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Take a signature apart: whether each piece is a placeholder, and its text."""
    return [(bool(_PLACEHOLDER.fullmatch(piece)), piece) for piece in _PLACEHOLDER.split(text) if piece]


def _escaped(text: str) -> Markup:
    """Escape text for Markdown, and keep "@name" and "#1" from becoming mentions and links."""
    plain = _SPACE.sub(" ", wording.visible(text, lines=True)).strip()
    return Markup(_REFERENCE.sub("\\1\u2060", _PUNCTUATION.sub(r"\\\1", plain)))  # noqa: S704


def _span(text: str) -> Markup:
    """Put text into a code span, whatever backticks it holds."""
    plain = _SPACE.sub(" ", wording.visible(text, lines=True)).strip() or " "
    fence = "`" * (max(map(len, _BACKTICKS.findall(plain)), default=0) + 1)
    space = " " if "`" in (plain[0], plain[-1]) else ""
    return Markup(fence + space + plain + space + fence)  # noqa: S704


def _cell(text: str) -> Markup:
    """Put text into a code span within a table, where a bar would end the cell."""
    return Markup(_span(text).replace("|", "\\|"))  # noqa: S704
