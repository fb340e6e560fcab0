"""What a report is made of: frames that were read in one moment, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.analysis import RECORD_ID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd

    from toolkit.analysis import CauseRules


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Run:
    """One run: its name as it is shown, its rows, masked, and what is known of its origin.

    Attributes
    ----------
    name : str
        The workflow's id.
    records : DataFrame
        Records as `query_records` returns them.
    variables : DataFrame
        Variables as `get_all_variables` returns them.
    title : str, optional
        What people call it, where that is not its id.
    keys : Series, optional
        What tells for each record, by position, which record of another run is the same: digests where an id is
        hidden. By default the column by which runs are matched.
    started_at : datetime, optional
        When it began.
    branch, commit, url : str, optional
        Where it comes from.
    """

    name: str
    records: pd.DataFrame
    variables: pd.DataFrame
    title: str | None = None
    keys: pd.Series[Any] | None = None
    started_at: datetime | None = None
    branch: str | None = None
    commit: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Material:
    """Everything that a report looks at.

    Attributes
    ----------
    run : Run
        The run it is about.
    title : str
        What to call it.
    source : str
        Where the rows come from, without any password.
    created_at : datetime
        When they were read; naive is UTC.
    toolkit_version : str
        The version to name.
    filters : mapping of str to object
        The arguments of `query_records` that chose the records.
    baseline : Run, optional
        The run to hold it against.
    reason : str
        Why that one, or why none.
    history : tuple of Run
        The runs to follow records through, the oldest first, this one last; empty when not asked for.
    include : tuple of str
        Paths of records whose content may be shown.
    on : str
        The column that says which records of two runs are the same.
    problems : DataFrame, optional
        What schemas found, as `validate_records` and `validate_variables` return it; None where nobody asked.
    rules : mapping, optional
        Causes of one's own, as `analysis.causes` takes them.
    setup : str
        The line of Python that makes the `service` of the lines under "next steps".
    """

    run: Run
    title: str
    source: str
    created_at: datetime
    toolkit_version: str
    filters: Mapping[str, object] = field(default_factory=dict)
    baseline: Run | None = None
    reason: str = ""
    history: tuple[Run, ...] = ()
    include: tuple[str, ...] = ()
    on: str = RECORD_ID
    problems: pd.DataFrame | None = None
    rules: CauseRules | None = None
    setup: str = "service = toolkit.connect(…)"


def matched(run: Run, on: str) -> pd.DataFrame:
    """Return a run's records with the key by which they are matched in place of the column `on`."""
    keys = run.records[on] if run.keys is None else run.keys
    return run.records.assign(**{on: keys.to_numpy()})


def shown_keys(runs: tuple[Run, ...], on: str) -> dict[object, object]:
    """Return how each key of some runs is shown, where that is another text: a digest as the hidden id it is of."""
    pairs: dict[object, object] = {}
    for run in runs:
        if run.keys is not None:
            pairs |= dict(zip(run.keys, run.records[on], strict=True))
    return pairs
