"""What the functions of this room have in common: names of columns, and how a column is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit.columns import FAILED, NO_STATUS, NO_TYPE, RECORD_COLUMNS, STATUSES
from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_ID, RECORD_TYPE, STATUS, _, ERROR_MESSAGE, RETRY_COUNT, CREATED_AT, UPDATED_AT, PROCESSED_AT = RECORD_COLUMNS

TOTAL: Final = "total"
DURATION: Final = "duration"
CAUSE: Final = "cause"
SIGNATURE: Final = "signature"
COUNT: Final = "count"
EXAMPLE: Final = "example"

TIME: Final = "datetime64[us, UTC]"


def need(records: pd.DataFrame, *columns: str) -> None:
    """Refuse a frame in which a column is missing, naming it."""
    missing = [name for name in columns if name not in records.columns]
    if missing:
        raise InvalidOption(
            f"the frame of records has no column {', '.join(map(repr, missing))}; "
            "read it with query_records(…) without columns=, or name the column there."
        )


def column(records: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column by position, because a frame put together by hand may hold an index label twice."""
    need(records, name)
    return records[name].reset_index(drop=True)


def text(records: pd.DataFrame, name: str, missing: str) -> pd.Series[str]:
    """Return a column as text."""
    return column(records, name).astype("str").fillna(missing)


def times(records: pd.DataFrame, name: str) -> pd.Series[pd.Timestamp]:
    """Return a column as times in UTC; what is no time is missing."""
    return pd.to_datetime(column(records, name), utc=True, errors="coerce", format="ISO8601").astype(TIME)


def types(records: pd.DataFrame) -> pd.Series[str]:
    """Return the type of each record."""
    return text(records, RECORD_TYPE, NO_TYPE)


def statuses(records: pd.DataFrame) -> pd.Series[str]:
    """Return the status of each record."""
    return text(records, STATUS, NO_STATUS)


def failed(records: pd.DataFrame) -> pd.Series[bool]:
    """Tell which records failed."""
    return statuses(records) == FAILED


def type_rank(record_type: str) -> tuple[bool, str]:
    """Order types by code point, the missing one last."""
    return record_type == NO_TYPE, record_type


def status_rank(status: str) -> tuple[int, str]:
    """Order statuses by a record's life, then those of one's own by code point, the missing one last."""
    if status in STATUSES:
        return STATUSES.index(status), ""
    return len(STATUSES) + (status == NO_STATUS), status


def in_order(names: Sequence[str], index_name: str) -> pd.Index[Any]:
    """Make an index of text."""
    return pd.Index(list(names), name=index_name, dtype="str")
