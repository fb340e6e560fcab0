"""The only place that writes and reads JSON.

Python's own `json` is fast, but it writes NaN, turns the key `1` into `"1"`, and reads `0.1000000000000000001` as
something else without a word. Here a value is checked once, on its way in, so that SQLite and PostgreSQL give back
the same thing.
"""

from __future__ import annotations

from toolkit.jsonvalue.text import decode, encode, encode_exact
from toolkit.jsonvalue.values import (
    MAXIMUM_DEPTH,
    MAXIMUM_DIGITS,
    MAXIMUM_NAME,
    JSONValue,
    check_text,
    plain,
    same,
)

__all__ = [
    "MAXIMUM_DEPTH",
    "MAXIMUM_DIGITS",
    "MAXIMUM_NAME",
    "JSONValue",
    "check_text",
    "decode",
    "encode",
    "encode_exact",
    "plain",
    "same",
]
