"""From a summary to something to read: HTML, Markdown, JSON, a folder of pages, and the small form in a notebook."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from toolkit.errors import InvalidOption
from toolkit.report import markdown, site, wording
from toolkit.report.charts import drawn
from toolkit.report.environment import looks, render, style
from toolkit.report.summary import draw_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from toolkit.report.material import Material
    from toolkit.report.model import RunSummary

SCHEMA_VERSION: Final = 2
"""The shape of `RunReport.to_json`; raised when a reader would have to change."""

SECTIONS: Final = {
    "changes": "What changed",
    "causes": "Causes",
    "records": "Failed records",
    "reliability": "Reliability",
    "types": "Types",
    "time": "Time",
    "health": "Data health",
    "variables": "Variables",
    "next": "Next steps",
    "scope": "What was looked at",
}
"""The anchors of a page after `verdict`, and how the navigation calls them, in order; they stay as they are."""

FailOn = Literal["new", "flaky", "any"]


@dataclass(frozen=True, slots=True)
class RunReport:
    """A report on a run: the summary, the frames behind it, and the ways to read it.

    Attributes
    ----------
    summary : RunSummary
        Everything the report says.
    frames : mapping of str to DataFrame
        The frame behind each section, whole where the report is cut: `records`, `statuses`, `changes`, `causes`,
        `runs`, `history`, `types`, `spans`, `durations`, `slowest`, `health`, `problems`, `variables`.

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
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict, compare=False)
    # What it was made of: a folder has pages of the runs before it, too.
    material: Material | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, material: Material) -> Self:
        """Make a report of what was read.

        Parameters
        ----------
        material : Material
            Frames and where they come from.

        Returns
        -------
        RunReport
        """
        summary, frames = draw_up(material)
        return cls(summary, frames, material)

    def to_html(self) -> str:
        """Render the page: one file without scripts, which opens offline.

        Returns
        -------
        str
            A whole HTML document; all text of the database is escaped.
        """
        return self._page(up=None)

    def to_markdown(self, max_chars: int = 60_000, link: str | None = None) -> str:
        """Render the report as Markdown, for a pull request or a chat.

        Parameters
        ----------
        max_chars : int, default 60000
            So long it is at most, 4,000 or more: whole sections are left out from the bottom, and the end says which.
        link : str, optional
            The address of the full report, for the end.

        Returns
        -------
        str
            GitHub's Markdown; text of the database stands in code spans or is escaped.

        Raises
        ------
        InvalidOption
            When `max_chars` is too small, or `link` is no address.
        """
        return markdown.to_markdown(self.summary, max_chars, link)

    def to_json(self) -> str:
        """Render the summary as JSON, for programs.

        Returns
        -------
        str
            An object with `schema_version` and the fields of `RunSummary`; times are ISO 8601 in UTC.
        """
        document = {"schema_version": SCHEMA_VERSION, **asdict(self.summary)}
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, default=datetime.isoformat)

    def fails(self, on: FailOn) -> bool:
        """Tell whether a build should fail.

        Parameters
        ----------
        on : {"new", "flaky", "any"}
            Of what: records that failed and did not fail in the baseline, or were not in it; records that are flaky;
            any record that failed. Without a baseline nothing is known to have failed before, so every failure is new.

        Returns
        -------
        bool

        Raises
        ------
        InvalidOption
            For another word.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> name = service.create_record("nightly", "email_001", status="failed")
        >>> service.report("nightly").fails("new")
        True
        """
        summary = self.summary
        new = summary.failed if summary.new_failures is None else summary.new_failures
        flaky = 0 if summary.reliability is None else summary.reliability.flaky
        counts = {"new": new, "flaky": flaky, "any": summary.failed}
        if on not in counts:
            raise InvalidOption(f"{on!r} is no reason to fail; there are {', '.join(counts)}")
        return counts[on] > 0

    def save(self, path: str | os.PathLike[str], *, link: str | None = None) -> Path:
        """Write the report to a file, or to a folder that any host of static files can serve.

        Parameters
        ----------
        path : str or path-like
            A file that ends in `.html`, `.md` or `.json`; one that is there is replaced, missing folders are made. A
            folder, or a path that ends in "/": an `index.html` over the runs, and a page of each below `runs/`.
        link : str, optional
            The address of the full report, for the end of Markdown.

        Returns
        -------
        Path
            The file written; of a folder, its index.

        Raises
        ------
        InvalidOption
            When the ending is another one, or `link` is no address.
        """
        target = Path(path)
        if os.fspath(path).endswith(("/", os.sep)) or target.is_dir():
            return self._save_site(target)
        writers: dict[str, Callable[[], str]] = {
            ".html": self.to_html,
            ".md": functools.partial(self.to_markdown, link=link),
            ".json": self.to_json,
        }
        if target.suffix.lower() not in writers:
            raise InvalidOption(
                f"{target} ends in {target.suffix or 'nothing'}; a report is written to a file that ends in .html, "
                ".md or .json, or to a folder such as 'site/'"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(writers[target.suffix.lower()](), encoding="utf-8", newline="\n")
        return target

    def _page(self, up: str | None) -> str:
        shown = looks(self.summary)
        anchors = [(anchor, name) for anchor, name in SECTIONS.items() if anchor != "records" or self.summary.included]
        return render(
            "report.html.j2",
            run=self.summary,
            style=style(),
            looks=shown,
            names=[shown[row.status] for row in self.summary.statuses],
            sections=anchors,
            charts=drawn(self.frames),
            up=up,
        )

    def _save_site(self, folder: Path) -> Path:
        reports = [self]
        if self.material is not None:
            reports += [type(self).of(earlier) for earlier in site.earlier(self.material)]
        pages = site.pages([report.summary for report in reports])
        for page, report in zip(pages, reports, strict=True):
            site.write(folder / page.address, report._page(up=site.UP))  # noqa: SLF001 - its own
        return site.write(folder / "index.html", render("index.html.j2", runs=pages, style=style()))

    def _repr_html_(self) -> str:
        return render("notebook.html.j2", run=self.summary, frames=self.frames)

    def __repr__(self) -> str:
        title, verdict = (wording.visible(text) for text in (self.summary.title, self.summary.verdict))
        return f"<RunReport {title!r}: {verdict}>\n.save('report.html') writes the page"
