"""Arrow → DataFrame: column names, dtypes, flattening of documents, and masks.

The tables that come in hold times, counts and text; JSON is text. Here each document is decoded exactly, masked before
anything is made of it, and laid out in columns. Flattening is lossless: every place in a document has one column, and
no two places share one.
"""

from __future__ import annotations

from toolkit.frames.cells import plain_values, to_dicts, to_rows
from toolkit.frames.documents import ORDER, Looked, look, may_hide
from toolkit.frames.kinds import BOOLEAN, INTEGER, NUMBER, TEXT, TIME
from toolkit.frames.making import (
    DtypeBackend,
    Flat,
    arrow_records,
    asks_for_history,
    check_backend,
    places,
    plain_frame,
    records,
    variables,
)
from toolkit.frames.writing import FrameRows, frame_rows

__all__ = [
    "BOOLEAN",
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
