"""The history of a record as a frame: one row per entry, whatever the entries are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit.frames.cells import objects
from toolkit.frames.kinds import TEXT, TIME, arrow_type, dtype_of, kinds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HISTORY_COLUMNS: Final = ("time", "gap", "action", "node")
"""The columns that stand first in the frame of a history, in order."""

ENTRY: Final = "entry"
"""The column of entries that the others do not hold as they are; only there when there is one."""

_FURTHER: Final = 100
"""Further columns at most: entries that make up a key each would be a table of nothing but holes."""


def history(entries: Any) -> pd.DataFrame:
    """Lay out the history of one record.

    Parameters
    ----------
    entries : JSON value
        What stands under `history`, masked; an array of objects, as engines write it, or anything else.

    Returns
    -------
    pandas.DataFrame
        One row per entry, in the order of the document: `time` (`datetime64[us, UTC]`), `gap` (`timedelta64[us]`: since
        the entry with a time before it), `action`, `node` (`str`); then one column for each further key, in the order
        in which they come up, with the dtype that a column of records has. An entry that is no object, whose time
        cannot be read, or that has a key beyond the hundredth, stands whole in a last column `entry` (`object`).

    Examples
    --------
    >>> history([{"time": "2026-11-16T02:00:00Z", "action": "claimed", "try": 1},
    ...          {"time": "2026-11-16T02:00:04Z", "action": "failed"}])[["gap", "action", "node", "try"]]
                  gap   action node   try
    0             NaT  claimed  NaN     1
    1 0 days 00:00:04   failed  NaN  <NA>
    """
    listed = entries if isinstance(entries, list) else [] if entries is None else [entries]
    rows = [entry if isinstance(entry, dict) else {} for entry in listed]
    time, _, action, node = HISTORY_COLUMNS
    times = _times([row.get(time) for row in rows])
    further = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in (time, action, node)]
    kept = {time, action, node, *further[:_FURTHER]}
    made: dict[str, Any] = {
        time: times,
        "gap": times.dropna().diff().reindex(times.index).astype("timedelta64[us]"),
        action: _column([row.get(action) for row in rows], empty=TEXT),
        node: _column([row.get(node) for row in rows], empty=TEXT),
    }
    for key in further[:_FURTHER]:
        made[_new_name(key, made)] = _column([row.get(key) for row in rows])
    untold = times.isna().to_numpy()
    whole = [
        entry if not isinstance(entry, dict) or not kept.issuperset(entry) or (gone and entry.get(time)) else None
        for entry, gone in zip(listed, untold, strict=True)
    ]
    if any(entry is None or other is not None for entry, other in zip(listed, whole, strict=True)):
        made[_new_name(ENTRY, made)] = objects(whole)
    return pd.DataFrame(made, columns=pd.Index(made, dtype=TEXT), index=pd.RangeIndex(len(listed)))


def _times(values: Sequence[Any]) -> pd.Series[Any]:
    texts = pd.Series([value if isinstance(value, str) else None for value in values], dtype=TEXT)
    return pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601").astype(TIME)


def _column(values: Sequence[Any], empty: Any = None) -> Any:
    kinds = kinds_of(values, set(map(type, values)))
    kind = arrow_type(kinds)
    if kind is None:
        return objects(values) if kinds or empty is None else pd.array(list(values), dtype=empty)
    exact = kinds - {"text", "boolean", "integer", "long integer"}
    # Integers among numbers with a fraction are exact as doubles, or there would be no such type.
    plain = [None if value is None else float(value) for value in values] if exact else list(values)
    return pd.array(plain, dtype=dtype_of(kind))


def _new_name(name: str, taken: Iterable[str]) -> str:
    number, one = 1, name
    while one in taken:
        number += 1
        one = f"{name} ({number})"
    return one
