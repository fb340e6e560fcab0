"""What changed: the records that are different from the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import CAUSE, ERROR_MESSAGE, RECORD_TYPE, SIGNATURE, STATUS
from toolkit.columns import FAILED, NO_TYPE
from toolkit.report.material import matched, shown_keys
from toolkit.report.model import ChangedRecord, ChangeGroup
from toolkit.report.sections.common import MESSAGE_LIMIT, NUMBER, TEXT, named, number_or_none, rows, text_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.analysis import RunDiff
    from toolkit.report.material import Material

NEWLY_FAILED: Final = "newly failed"

GROUPS: Final = {
    NEWLY_FAILED: ("Newly failed", "Failed now, and did not fail in the baseline or were not in it."),
    "still failing": ("Still failing", "Failed both times."),
    "fixed": ("Fixed", "Complete now, failed in the baseline."),
    "unsettled": ("Undecided", "Failed in the baseline, neither complete nor failed now: not counted as fixed."),
    "missing": ("Missing", "In the baseline and not here: not counted as passed."),
    "slower": ("Slower", "Complete both times; took at least 1.5 times as long, and a second longer."),
    "added": ("Added", "Not in the baseline; those of them that failed are listed as newly failed."),
}
"""The ways in which a record changed: title and meaning, in the order of the report."""

CHANGE_DTYPES: Final = {
    "record_id": TEXT, RECORD_TYPE: TEXT, "change": TEXT, "status_before": TEXT, "status_after": TEXT, CAUSE: TEXT,
    SIGNATURE: TEXT, ERROR_MESSAGE: TEXT, "seconds_before": NUMBER, "seconds_after": NUMBER,
}  # fmt: skip
"""The columns of the frame of changes, in order; the first is the one by which records are matched."""

_MOST_NEW: Final = 25
_MOST_OTHERS: Final = 10


def changes_frame(
    material: Material, causes: pd.DataFrame, known: pd.DataFrame | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """List what changed, a row per record and way; empty without a baseline. Then what a reader must know."""
    dtypes = {material.on if name == "record_id" else name: dtype for name, dtype in CHANGE_DTYPES.items()}
    if material.baseline is None:
        return pd.DataFrame(columns=list(dtypes)).astype(dtypes), ()
    runs = (material.baseline, material.run)
    before, after = (matched(run, material.on) for run in runs)
    diff = analysis.compare(before, after, material.on, rules=material.rules)
    parts = [_part(change, table) for change, table in _tables(diff)]
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(dtypes))
    own = _cause_of(material, known)
    # Not the mapping itself: pandas takes no two missing keys.
    table[CAUSE] = table[material.on].map(lambda key: own.get(key)).where(table["status_after"] == FAILED)  # noqa: PLW0108
    table[SIGNATURE] = table[CAUSE].map(dict(zip(causes[CAUSE], causes[SIGNATURE], strict=True)))
    shown = shown_keys(runs, material.on)
    table[material.on] = table[material.on].map(lambda key: shown.get(key, key))
    table[RECORD_TYPE] = table[RECORD_TYPE].fillna(NO_TYPE)
    return table.astype(dtypes), diff.notes


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Count the records that changed in each way."""
    found = table["change"].value_counts()
    return {change: int(found.get(change, 0)) for change in GROUPS}


def groups(material: Material, table: pd.DataFrame) -> tuple[ChangeGroup, ...]:
    """Return what changed, way by way."""
    if material.baseline is None:
        return ()
    made = []
    for change, (title, meaning) in GROUPS.items():
        found = table[table["change"] == change]
        most = _MOST_NEW if change == NEWLY_FAILED else _MOST_OTHERS
        made.append(ChangeGroup(change, title, meaning, len(found), _listed(found.head(most), material.on)))
    return tuple(made)


def _tables(diff: RunDiff) -> list[tuple[str, pd.DataFrame]]:
    failed = diff.added[STATUS] == FAILED
    added = diff.added.rename(columns={STATUS: "status_after"})
    return [
        (NEWLY_FAILED, diff.newly_failed),
        (NEWLY_FAILED, added[failed.to_numpy()]),
        ("still failing", diff.still_failing),
        ("fixed", diff.fixed),
        ("unsettled", diff.unsettled),
        ("missing", diff.missing.rename(columns={STATUS: "status_before"})),
        ("slower", diff.slower.rename(columns={"before": "seconds_before", "after": "seconds_after"})),
        ("added", added[~failed.to_numpy()]),
    ]


def _part(change: str, table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(change=change)


def _cause_of(material: Material, known: pd.DataFrame | None) -> Mapping[Any, Any]:
    """Name the cause of each failed record as the causes of the report are named."""
    records = matched(material.run, material.on)
    found = analysis.cause(records, rules=material.rules, known=known)
    failed = (records[STATUS] == FAILED).to_numpy()
    return dict(zip(records[material.on][failed], found[failed], strict=True))


def _listed(table: pd.DataFrame, on: str) -> tuple[ChangedRecord, ...]:
    names = (on, RECORD_TYPE, "status_before", "status_after", SIGNATURE, ERROR_MESSAGE, "seconds_before")
    return tuple(
        ChangedRecord(
            named(key),
            named(kind),
            text_or_none(before),
            text_or_none(after),
            text_or_none(signature) or text_or_none(_one_line(message), MESSAGE_LIMIT),
            number_or_none(took_before),
            number_or_none(took_after),
        )
        for key, kind, before, after, signature, message, took_before, took_after in rows(
            table, *names, "seconds_after"
        )
    )


def _one_line(message: Any) -> Any:
    return " ".join(message.split()) if isinstance(message, str) else message
