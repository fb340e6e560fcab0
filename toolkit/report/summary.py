"""From frames to a summary: what a report says, before anybody thinks of how it looks."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from toolkit import analysis
from toolkit.analysis import COUNT, SIGNATURE, STATUS
from toolkit.columns import COMPLETE, FAILED
from toolkit.report.material import Material, Run
from toolkit.report.model import RunSummary
from toolkit.report.sections import causes as why
from toolkit.report.sections import changes, closing, health, overview, reliability, timing
from toolkit.report.sections.common import named
from toolkit.report.verdicts import Against, outcome, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd


def summarize(
    records: pd.DataFrame,
    variables: pd.DataFrame,
    *,
    title: str,
    source: str,
    created_at: datetime,
    filters: Mapping[str, object] | None = None,
    toolkit_version: str,
) -> RunSummary:
    """Work out what a report on these frames says, of one run alone.

    Parameters
    ----------
    records : DataFrame
        Records as `query_records` returns them, masked; may be empty.
    variables : DataFrame
        Variables as `get_all_variables` returns them, masked; may be empty.
    title : str
        What the report is about, such as the workflow's name.
    source : str
        Where the frames come from, without any password.
    created_at : datetime
        When they were read; a naive time is UTC.
    filters : mapping of str to object, optional
        The arguments of `query_records` that chose the records; those that are None are left out.
        `workflow_id` and texts among them appear in the lines of code under "next steps".
    toolkit_version : str
        The version to name.

    Returns
    -------
    RunSummary
        A frozen value; no record content but ids, types, statuses and error messages.

    Raises
    ------
    InvalidOption
        When a record column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import datetime
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": ["complete", "failed"], "error_message": [None, "Timeout after 30 s"],
    ...     "created_at": start, "updated_at": start, "processed_at": start})
    >>> variables = pd.DataFrame(columns=["key", "value", "type", "category", "created_at", "updated_at"])
    >>> summarize(records, variables, title="nightly", source="toolkit.db", created_at=datetime(2026, 1, 5),
    ...           toolkit_version="0.1.0").verdict
    '1 of 2 complete (50 %); 1 failed: Timeout after <duration>'
    """
    chosen = {name: value for name, value in (filters or {}).items() if value is not None}
    material = Material(
        run=Run(name=str(chosen.get("workflow_id", title)), records=records, variables=variables),
        title=title,
        source=source,
        created_at=created_at,
        toolkit_version=toolkit_version,
        filters=chosen,
        reason="It was not asked for.",
    )
    return draw_up(material)[0]


def draw_up(material: Material) -> tuple[RunSummary, Mapping[str, pd.DataFrame]]:
    """Work out what a report says, and the frames behind its sections.

    Parameters
    ----------
    material : Material
        What was read.

    Returns
    -------
    RunSummary
        A frozen value.
    mapping of str to DataFrame
        The frame behind each section, whole where the summary is cut.

    Raises
    ------
    InvalidOption
        When a record column is missing.
    """
    found = frames_of(material)
    records, table = material.run.records, found["statuses"]
    statuses = overview.statuses(table)
    counts = {row.status: row.count for row in statuses}
    _, types, types_left_out = overview.types(records)
    causes, spans = why.causes(found["causes"]), timing.spans(found["spans"])
    included, included_left_out = why.included(material)
    changed = None if material.baseline is None else changes.counts(found["changes"])
    new = 0 if changed is None else changed[changes.NEWLY_FAILED]
    measured, shown = timing.durations(found["durations"]), closing.variables(found["variables"])
    summary = RunSummary(
        title=named(material.title),
        verdict=verdict(len(records), counts, causes, len(found["causes"]), _against(material, found["changes"])),
        outcome=outcome(len(records), counts),
        total=len(records),
        complete=counts.get(COMPLETE, 0),
        failed=counts.get(FAILED, 0),
        new_failures=None if changed is None else new,
        baseline=overview.baseline(material),
        cards=overview.cards(material, table, changed),
        statuses=statuses,
        changes=changes.groups(material, found["changes"]),
        changes_notes=tuple(found["changes"].attrs["notes"]),
        causes=causes,
        causes_left_out=len(found["causes"]) - len(causes),
        included=included,
        included_left_out=included_left_out,
        reliability=reliability.reliability(material, found["runs"], found["history"]),
        types=types,
        types_left_out=types_left_out,
        spans=spans,
        spans_left_out=len(found["spans"]) - len(spans),
        durations=measured,
        durations_left_out=len(found["durations"]) - len(measured),
        slowest=timing.slowest(found["slowest"]),
        health=health.health(found["health"]),
        variables=shown,
        variables_left_out=len(found["variables"]) - len(shown),
        setup=material.setup,
        next_steps=closing.next_steps(material, counts, causes, new),
        looked_at=closing.scope(material),
    )
    return summary, found


def frames_of(material: Material) -> Mapping[str, pd.DataFrame]:
    """Work out the frames behind the sections.

    Parameters
    ----------
    material : Material
        What was read.

    Returns
    -------
    mapping of str to DataFrame
        Read-only, in the order of the sections.
    """
    records = material.run.records
    known = why.known_causes(material)
    causes = why.causes_frame(material, known)
    changed, notes = changes.changes_frame(material, causes, known)
    changed.attrs["notes"] = notes
    runs, followed = reliability.history_frames(material)
    return MappingProxyType(
        {
            "records": records,
            "statuses": overview.statuses_frame(material),
            "changes": changed,
            "causes": causes,
            "runs": runs,
            "history": followed,
            "types": overview.types(records)[0],
            "spans": timing.spans_frame(records),
            "durations": analysis.durations(records),
            "slowest": analysis.slowest(records, timing.SLOWEST),
            "health": health.health_frame(material),
            "problems": health.problems_frame(material.problems),
            "variables": material.run.variables,
        }
    )


def _against(material: Material, changed: pd.DataFrame) -> Against | None:
    if material.baseline is None:
        return None
    records = material.baseline.records
    new = changed[changed["change"] == changes.NEWLY_FAILED]
    by_cause = new[SIGNATURE].value_counts().rename(COUNT)
    silent = new["error_message"].astype("str").fillna("").str.strip() == ""
    return Against(
        run=material.baseline.name,
        total=len(records),
        complete=int((records[STATUS] == COMPLETE).sum()),
        new=tuple((str(signature), int(count)) for signature, count in by_cause.items()),
        silent=bool(silent.any()),
    )
