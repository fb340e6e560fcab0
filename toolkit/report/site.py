"""A folder of pages: an index over runs, and a page of each, at addresses that stay."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from toolkit.report.environment import looks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from toolkit.report.material import Material
    from toolkit.report.model import RunSummary

UP: Final = "../index.html"
"""Where a page finds the index."""

_LONGEST: Final = 80
_UNSAFE: Final = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a site.

    Attributes
    ----------
    summary : RunSummary
        What it is about.
    anchor : str
        The id of its entry in the index.
    address : str
        Its file, as the index links to it.
    names : tuple of str
        How its statuses look.
    started_at : datetime or None
        When the run began.
    """

    summary: RunSummary
    anchor: str
    address: str
    names: tuple[str, ...]
    started_at: datetime | None


def slug(name: str) -> str:
    """Return what a run is called in addresses: the same for the same name, on every host and file system.

    Parameters
    ----------
    name : str
        The run's id.

    Returns
    -------
    str
        Lower-case letters, digits, `.`, `_` and `-`; a name that is anything else is told apart by a hash.

    Examples
    --------
    >>> slug("nightly-17"), slug("Nightly 17")
    ('nightly-17', 'nightly-17-fd91e0b6')
    """
    plain = _UNSAFE.sub("-", name.lower())[:_LONGEST].strip(".-") or "run"
    if plain == name:
        return plain
    return f"{plain}-{blake2s(name.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"


def earlier(material: Material) -> Iterator[Material]:
    """Say what the reports of the runs before one are made of, the latest first.

    Parameters
    ----------
    material : Material
        Of the run itself; its history holds the others.

    Yields
    ------
    Material
        Each held against the run before it in the history.
    """
    runs = material.history
    for place in range(len(runs) - 2, -1, -1):
        run = runs[place]
        yield dataclasses.replace(
            material,
            run=run,
            title=run.title or run.name,
            filters={**material.filters, "workflow_id": run.name},
            baseline=runs[place - 1] if place else None,
            reason="It is the run before it in this history." if place else "It is the first run of this history.",
            history=runs[: place + 1],
            include=(),
            problems=None,
        )


def pages(summaries: Sequence[RunSummary]) -> list[Page]:
    """Name the page of each run.

    Parameters
    ----------
    summaries : sequence of RunSummary
        The latest run first.

    Returns
    -------
    list of Page
        In the same order; no two have the same address.
    """
    taken: set[str] = set()
    return [_page(summary, taken) for summary in summaries]


def _page(summary: RunSummary, taken: set[str]) -> Page:
    own = slug(summary.looked_at.run)
    while own in taken:
        own += "-again"
    taken.add(own)
    shown = looks(summary)
    names = tuple(shown[row.status] for row in summary.statuses)
    started = summary.reliability.runs[-1].started_at if summary.reliability is not None else summary.looked_at.oldest
    return Page(summary, f"run-{own}", f"runs/{own}.html", names, started)


def write(target: Path, text: str) -> Path:
    """Write a page, making the folders it needs.

    Parameters
    ----------
    target : Path
        The file.
    text : str
        Of the page.

    Returns
    -------
    Path
        The file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")
    return target
