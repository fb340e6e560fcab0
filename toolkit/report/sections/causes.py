"""Why: the causes of failure, which of them are new, and the failed records whose content was asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import CAUSE, ERROR_MESSAGE, RECORD_ID, RECORD_TYPE, STATUS
from toolkit.columns import FAILED, NO_TYPE, RECORD_COLUMNS, WORKFLOW_ID
from toolkit.report.model import FailureCause, IncludedRecord
from toolkit.report.sections.common import MESSAGE_LIMIT, named, rows, text_or_none, time_or_none
from toolkit.report.wording import cut

if TYPE_CHECKING:
    from toolkit.report.material import Material

VALUE_LIMIT: Final = 100

_MOST_CAUSES: Final = 20
_EXAMPLE_LIMIT: Final = 500
_MOST_INCLUDED: Final = 50
_MOST_VALUES: Final = 12


def known_causes(material: Material) -> pd.DataFrame | None:
    """Group the failures of the baseline, whose causes keep their names."""
    if material.baseline is None:
        return None
    return analysis.causes(material.baseline.records, rules=material.rules)


def causes_frame(material: Material, known: pd.DataFrame | None) -> pd.DataFrame:
    """Group the failures; `new` (`boolean`) is missing where there is no baseline."""
    found = analysis.causes(material.run.records, rules=material.rules, known=known)
    new = pd.array([pd.NA] * len(found), dtype="boolean") if known is None else ~found[CAUSE].isin(known[CAUSE])
    return found.assign(new=new).astype({"new": "boolean"})


def causes(table: pd.DataFrame) -> tuple[FailureCause, ...]:
    """Return the most frequent causes."""
    largest = table.head(_MOST_CAUSES)
    parts = ("cause", "signature", "count", "share", "record_types", "first_seen", "last_seen", "sample_ids", "example")
    return tuple(
        FailureCause(
            cause,
            signature=named(signature),
            count=int(count),
            share=float(share),
            record_types=tuple(named(kind) for kind in kinds),
            first_seen=time_or_none(first),
            last_seen=time_or_none(last),
            sample_ids=tuple(named(record_id) for record_id in ids),
            example=text_or_none(example, _EXAMPLE_LIMIT),
            new=None if pd.isna(new) else bool(new),
        )
        for cause, signature, count, share, kinds, first, last, ids, example, new in rows(largest, *parts, "new")
    )


def included(material: Material) -> tuple[tuple[IncludedRecord, ...], int]:
    """Return failed records with what was asked for of their content."""
    if not material.include:
        return (), 0
    records = material.run.records
    failed = records[(records[STATUS] == FAILED).to_numpy()]
    paths = [name for name in records.columns if name not in (*RECORD_COLUMNS, WORKFLOW_ID)][:_MOST_VALUES]
    found = tuple(
        IncludedRecord(
            named(record_id),
            NO_TYPE if pd.isna(kind) else named(kind),
            text_or_none(message, MESSAGE_LIMIT),
            tuple((named(path), shown(value)) for path, value in zip(paths, values, strict=True) if _is_there(value)),
        )
        for record_id, kind, message, *values in rows(
            failed.head(_MOST_INCLUDED), RECORD_ID, RECORD_TYPE, ERROR_MESSAGE, *paths
        )
    )
    return found, len(failed) - len(found)


def shown(value: Any) -> str:
    """Return a value as short text."""
    # For reading, not for storing: what JSON cannot hold is shown as Python says it.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return cut(text, VALUE_LIMIT)


def _is_there(value: Any) -> bool:
    return bool(isinstance(value, list | dict) or not pd.isna(value))
