"""Arrow → DataFrame: column names, dtypes, flattening of documents, and masks.

The tables that come in hold times, counts and text; JSON is text. Here each document is decoded exactly, masked before
anything is made of it, and laid out in columns. Flattening is lossless: every place in a document has one column, and
no two places share one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from toolkit.frames.documents import may_hide
from toolkit.frames.looking import ORDER, Looked, look

if TYPE_CHECKING:
    from toolkit.frames.cells import plain_values, to_dicts, to_rows
    from toolkit.frames.choosing import asks_for_history, places
    from toolkit.frames.histories import HISTORY_COLUMNS, history
    from toolkit.frames.kinds import BOOLEAN, INTEGER, NUMBER, TEXT, TIME
    from toolkit.frames.making import (
        DtypeBackend,
        Flat,
        arrow_records,
        check_backend,
        plain_frame,
        records,
        variables,
    )
    from toolkit.frames.writing import FrameRows, frame_rows

# pandas is loaded by the first name that needs it: a call that makes no frame does without.
_HOMES = {
    **dict.fromkeys(("plain_values", "to_dicts", "to_rows"), "cells"),
    **dict.fromkeys(("HISTORY_COLUMNS", "history"), "histories"),
    **dict.fromkeys(("BOOLEAN", "INTEGER", "NUMBER", "TEXT", "TIME"), "kinds"),
    **dict.fromkeys(("asks_for_history", "places"), "choosing"),
    **dict.fromkeys(("DtypeBackend", "Flat", "arrow_records", "check_backend"), "making"),
    **dict.fromkeys(("plain_frame", "records", "variables"), "making"),
    **dict.fromkeys(("FrameRows", "frame_rows"), "writing"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'toolkit.frames' has no attribute {name!r}")
    return getattr(importlib.import_module(f"toolkit.frames.{_HOMES[name]}"), name)


__all__ = [
    "BOOLEAN",
    "HISTORY_COLUMNS",
    "INTEGER",
    "NUMBER",
    "ORDER",
    "TEXT",
    "TIME",
    "DtypeBackend",
    "Flat",
    "FrameRows",
    "Looked",
    "arrow_records",
    "asks_for_history",
    "check_backend",
    "frame_rows",
    "history",
    "look",
    "may_hide",
    "places",
    "plain_frame",
    "plain_values",
    "records",
    "to_dicts",
    "to_rows",
    "variables",
]
