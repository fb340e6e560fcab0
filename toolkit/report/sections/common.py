"""What the sections have in common: limits of names, and values that may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit.report.wording import cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NAME_LIMIT: Final = 255
MESSAGE_LIMIT: Final = 300
MOST_ROWS: Final = 25
TEXT: Final = "str"
INTEGER: Final = "Int64"
NUMBER: Final = "Float64"
TIME: Final = "datetime64[us, UTC]"


def named(value: Any) -> str:
    """Return a name or an id, cut."""
    return cut(str(value), NAME_LIMIT)


def time_or_none(value: Any) -> datetime | None:
    """Return a time, or None where it is missing."""
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def number_or_none(value: Any) -> float | None:
    """Return a number, or None where it is missing."""
    return None if pd.isna(value) else float(value)


def text_or_none(value: Any, limit: int = NAME_LIMIT) -> str | None:
    """Return a text, cut, or None where it is missing or only space."""
    return None if pd.isna(value) or not str(value).strip() else cut(str(value).strip(), limit)


def rows(table: pd.DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    """Return some columns row by row."""
    return table[list(names)].itertuples(index=False, name=None)
