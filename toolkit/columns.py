"""The names of columns, said once, for the half that speaks SQL and the half that makes frames."""

from __future__ import annotations

from typing import Final

WORKFLOW_ID: Final = "workflow_id"

VARIABLE_COLUMNS: Final = ("key", "value", "type", "category", "created_at", "updated_at")
"""The columns of a frame of variables, in order."""

RECORD_COLUMNS: Final = (
    "record_id",
    "record_type",
    "status",
    "iteration_node_alias",
    "error_message",
    "retry_count",
    "created_at",
    "updated_at",
    "processed_at",
)
"""The columns of the records table that stand first in a frame of records, in order."""

TIME_COLUMNS: Final = ("created_at", "updated_at", "processed_at")

DATA: Final = "data"
"""The column that holds a record's JSON document."""

FIELDS: Final = "fields"
VARS: Final = "vars"
TARGETS: Final = "targets"
HISTORY: Final = "history"

PARTS: Final = (FIELDS, VARS, TARGETS, HISTORY)
"""The four reserved parts of a record's document: three objects and one array."""

IMPORT_COLUMNS: Final = ("path", "workflow_id", "records", "complete", "failed", "skipped", "error")
"""The columns of the frame that an import returns, one row per file."""

DISCOVERED: Final = "discovered"
PROCESSING: Final = "processing"
COMPLETE: Final = "complete"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"

NO_STATUS: Final = "(no status)"
NO_TYPE: Final = "(no type)"
"""What counts say of records that have none."""

STATUSES: Final = (DISCOVERED, PROCESSING, COMPLETE, FAILED, SKIPPED)
"""The statuses the engine and test reports use, in the order of a record's life; others are free."""
