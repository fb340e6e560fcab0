"""Whether the data can be trusted: what is odd about it, and what schemas found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import CREATED_AT, ERROR_MESSAGE, PROCESSED_AT, STATUS, UPDATED_AT
from toolkit.columns import COMPLETE, FAILED
from toolkit.report.model import HealthCheck
from toolkit.report.sections.common import INTEGER, TEXT

if TYPE_CHECKING:
    from toolkit.report.material import Material

PROBLEM_COLUMNS: Final = ("record_id", "key", "path", "rule", "message")
"""The columns of the frame of problems, all `str`; a problem is of a record or of a variable."""

_UNASKED: Final = "Not checked: give the report a JSON Schema as schema= or variable_schemas=."
_BROKEN: Final = "Places in records and variables where the schema asks for something else."


def problems_frame(problems: pd.DataFrame | None) -> pd.DataFrame:
    """Put what schemas found into one shape."""
    found = pd.DataFrame() if problems is None else problems
    return found.reindex(columns=list(PROBLEM_COLUMNS)).astype(TEXT)


def health_frame(material: Material) -> pd.DataFrame:
    """Ask what is odd: `name` (`str`), `count` (`Int64`, missing where it was not asked), `meaning` (`str`)."""
    problems = material.problems
    schema = (
        "Schema problems",
        None if problems is None else len(problems),
        _UNASKED if problems is None else _BROKEN,
    )
    table = pd.DataFrame([*_checks(material.run.records), schema], columns=["name", "count", "meaning"])
    return table.astype({"name": TEXT, "count": INTEGER, "meaning": TEXT})


def health(table: pd.DataFrame) -> tuple[HealthCheck, ...]:
    """Return every check."""
    found = zip(table["name"], table["count"], table["meaning"], strict=True)
    return tuple(HealthCheck(name, None if pd.isna(count) else int(count), said) for name, count, said in found)


def _checks(records: pd.DataFrame) -> list[tuple[str, int, str]]:
    created, updated, processed = (records[name] for name in (CREATED_AT, UPDATED_AT, PROCESSED_AT))
    status, message = records[STATUS], records[ERROR_MESSAGE].astype(TEXT).fillna("").str.strip()
    checks = (
        (
            "Message without failure",
            len(analysis.leftovers(records)),
            "An error message on a record that did not fail: left over from a former attempt.",
        ),
        (
            "Failure without message",
            ((status == FAILED) & (message == "")).sum(),
            "Nothing says why these records failed.",
        ),
        ("No status", status.isna().sum(), "Counted as neither complete nor failed."),
        (
            "Impossible times",
            ((processed < created) | (updated < created)).sum(),
            "Processed or updated before it was created; left out of the durations where it matters.",
        ),
        (
            "Complete without end",
            ((status == COMPLETE) & processed.isna()).sum(),
            "Complete, but without a processed time, so that its duration is unknown.",
        ),
    )
    return [(name, int(count), meaning) for name, count, meaning in checks]
