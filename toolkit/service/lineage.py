"""Which runs came before one: the same suite, as far as names and branches tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.columns import WORKFLOW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from toolkit.importers import ImportedRun

_NUMBERED: Final = re.compile(
    r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b(?=[a-f]*[0-9])[0-9a-f]{7,40}\b|[0-9]+"
)
_DIGITS: Final = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Line:
    """The runs before one, and the one to hold it against.

    Attributes
    ----------
    earlier : tuple of str
        Ids of the runs to follow records through, the oldest first; without the run itself.
    baseline : str or None
        The id of the run before.
    reason : str
        Why that one, or why none, as a sentence.
    """

    earlier: tuple[str, ...]
    baseline: str | None
    reason: str


def family(name: str) -> str:
    """Return what the names of the runs of one suite have in common: numbers and hashes give way to `#`.

    Parameters
    ----------
    name : str
        Of a run.

    Returns
    -------
    str

    Examples
    --------
    >>> family("nightly-17"), family("smoke 2026-11-16"), family("build-4f1c2ab"), family("monday")
    ('nightly-#', 'smoke #-#-#', 'build-#', 'monday')
    """
    return _NUMBERED.sub("#", name)


def line(runs: pd.DataFrame, workflow_id: str, *, everything: bool = False) -> Line:
    """Find the runs that came before one.

    Those of its family (`family`) count, and of these the ones on its own branch. Where it is the first on its branch,
    the latest run of the family on another branch is the baseline, and the runs of that branch its history.

    Parameters
    ----------
    runs : DataFrame
        As `service.runs()` has them: `workflow_id, name, started_at, branch`.
    workflow_id : str
        The run.
    everything : bool, default False
        Take any other run that began before it: for files that were named together.

    Returns
    -------
    Line
    """
    rows = runs.astype(object).where(runs.notna(), None).to_dict("records")
    here = next((row for row in rows if row[WORKFLOW_ID] == workflow_id), None)
    if here is None:
        return Line((), None, "This is no imported run, so none came before it; baseline= names what to compare with.")
    if here["started_at"] is None:
        return Line((), None, "Nothing says when it began, so nothing says what came before it.")
    name = family(_name(here))
    started = [row for row in rows if row["started_at"] is not None]
    before = sorted((row for row in started if _moment(row) < _moment(here)), key=_moment)
    if everything:
        return _chosen(before, "The latest of the runs before this one.", "This is the first of the runs.")
    before = [row for row in before if family(_name(row)) == name]
    same = [row for row in before if row["branch"] == here["branch"]]
    if same or not before:
        on = f" on the branch {here['branch']}" if here["branch"] else ""
        return _chosen(
            same,
            f"The latest run before this one that is called {name}{on} (# stands for a number).",
            f"This is the first run that is called {name} (# stands for a number); baseline= names another one.",
        )
    other = before[-1]["branch"]
    return _chosen(
        [row for row in before if row["branch"] == other],
        f"It is the first run that is called {name} on the branch {here['branch'] or '(unknown)'}, so the latest one "
        f"before it, on the branch {other or '(unknown)'}, was taken; # stands for a number.",
        "",
    )


def latest(runs: Iterable[ImportedRun]) -> str:
    """Return the name of the run that began last; of several at one moment, that with the highest number in its name.

    Parameters
    ----------
    runs : iterable of ImportedRun
        At least one.

    Returns
    -------
    str
    """
    return max(runs, key=lambda run: (run.started_at is not None, run.started_at or 0, _parts(run.name))).name


def _chosen(before: list[dict[Any, Any]], reason: str, otherwise: str) -> Line:
    ids = tuple(row[WORKFLOW_ID] for row in before)
    return Line(ids, ids[-1], reason) if ids else Line((), None, otherwise)


def _name(row: dict[Any, Any]) -> str:
    return str(row["name"] or row[WORKFLOW_ID])


def _moment(row: dict[Any, Any]) -> tuple[Any, list[Any], str]:
    """Order runs by their start, and those of one moment by the numbers in their names."""
    return row["started_at"], _parts(_name(row)), row[WORKFLOW_ID]


def _parts(name: str) -> list[Any]:
    """Take a name apart, so that 9 comes before 10."""
    return [int(part) if place % 2 else part for place, part in enumerate(_DIGITS.split(name))]
