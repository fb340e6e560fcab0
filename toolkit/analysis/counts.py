"""How many: by type and status, retries, failures over time, what is left over, variables by category."""

from __future__ import annotations

from typing import Final

import pandas as pd

from toolkit.analysis.common import (
    COUNT,
    ERROR_MESSAGE,
    RECORD_TYPE,
    RETRY_COUNT,
    STATUS,
    TIME,
    TOTAL,
    UPDATED_AT,
    column,
    failed,
    in_order,
    need,
    status_rank,
    statuses,
    text,
    times,
    type_rank,
    types,
)
from toolkit.columns import COMPLETE, FAILED
from toolkit.errors import InvalidOption

RETRY_DTYPES: Final = {
    RECORD_TYPE: "str", COUNT: "Int64", "retried": "Int64", "retries": "Int64", "most": "Int64", "complete": "Int64",
    "failed": "Int64", "share": "Float64",
}  # fmt: skip
"""The columns of `retries`, in order."""

RATE_DTYPES: Final = {"time": TIME, "decided": "Int64", FAILED: "Int64", "rate": "Float64"}
"""The columns of `error_rate`, in order."""

_CATEGORIES: Final = ("custom", "node", "iteration")
_JSON_TYPES: Final = ("string", "number", "boolean", "array", "object", "null")
_MOST_INTERVALS: Final = 100_000


def by_status(records: pd.DataFrame) -> pd.DataFrame:
    """Count records by type and status.

    Parameters
    ----------
    records : DataFrame
        Records, with at least the columns `record_type` and `status`.

    Returns
    -------
    DataFrame
        One row per record type, by code point (the index, named `record_type`), and one `Int64` column per
        status that occurs, the engine's own first, in the order of a record's life, then the others by code
        point; records without a type or a status come last. The column `total`, the sum of the row, ends it.
        A status that is itself called "total" is shown as "total (status)".

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> records = pd.DataFrame({"record_type": ["email", "email", "invoice"],
    ...                         "status": ["failed", "complete", "complete"]})
    >>> by_status(records)
    status       complete  failed  total
    record_type
    email               1       1      2
    invoice             1       0      1
    """
    counts = pd.crosstab(types(records), statuses(records))
    rows, names = sorted(counts.index, key=type_rank), sorted(counts.columns, key=status_rank)
    table = counts.reindex(index=rows, columns=names).astype("Int64")
    shown = [f"{TOTAL} (status)" if name == TOTAL else name for name in names]
    table = table.set_axis(in_order(shown, STATUS), axis="columns").set_axis(in_order(rows, RECORD_TYPE))
    table[TOTAL] = table.sum(axis="columns").astype("Int64")
    return table


def retries(records: pd.DataFrame) -> pd.DataFrame:
    """Count what was tried more than once.

    A record was retried when its `retry_count` is above 0. An engine that runs a record again keeps the count of the
    former runs, so the numbers are those of a record's whole life.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_type`, `status` and `retry_count`.

    Returns
    -------
    DataFrame
        One row per record type, by code point: `record_type` (`str`), `count` (`Int64`: all records), `retried`
        (`Int64`: those of them that were retried), `retries` (`Int64`: the sum of `retry_count`), `most` (`Int64`: the
        largest), `complete` and `failed` (`Int64`: retried records that have that status now), `share` (`Float64`:
        retried of all, 0 to 1).

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> records = pd.DataFrame({"record_type": "email", "status": ["failed", "complete", "complete", "complete"],
    ...                         "retry_count": [3, 1, 0, None]})
    >>> retries(records)
      record_type  count  retried  retries  most  complete  failed  share
    0       email      4        2        4     3         1       1    0.5
    """
    tries = pd.to_numeric(column(records, RETRY_COUNT)).astype("Int64").fillna(0)
    again, status = tries > 0, statuses(records)
    parts = {
        RECORD_TYPE: types(records), COUNT: 1, "retried": again, "retries": tries, "most": tries,
        "complete": again & (status == COMPLETE), "failed": again & (status == FAILED),
    }  # fmt: skip
    numbers = pd.DataFrame(parts).astype({name: "Int64" for name in parts if name != RECORD_TYPE})
    table = numbers.groupby(RECORD_TYPE).agg({name: "max" if name == "most" else "sum" for name in numbers.columns[1:]})
    table = table.reindex(sorted(table.index, key=type_rank)).rename_axis(RECORD_TYPE).reset_index()
    table["share"] = table["retried"] / table[COUNT]
    return table.astype(RETRY_DTYPES)


def error_rate(records: pd.DataFrame, every: str = "1h") -> pd.DataFrame:
    """Say how much failed, over time.

    A record counts in the interval of its `updated_at`: only that says when the last run touched it. The rate is
    failed / (failed + complete); records with another status are not decided and do not count.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status` and `updated_at`.
    every : str
        The length of an interval, as pandas writes it: `"15min"`, `"1h"`, `"1D"`.

    Returns
    -------
    DataFrame
        One row per interval, from the first to the last in which something was decided, also those between in which
        nothing was: `time` (`datetime64[us, UTC]`: its begin), `decided`, `failed` (`Int64`), `rate` (`Float64`: 0 to
        1, missing where nothing was decided).

    Raises
    ------
    InvalidOption
        When a column is missing, or `every` is no length of time, or too short for the time covered.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"status": ["failed", "complete", "complete"],
    ...                         "updated_at": start + pd.to_timedelta([0, 10, 130], unit="min")})
    >>> error_rate(records)
                           time  decided  failed  rate
    0 2026-01-05 06:00:00+00:00        2       1   0.5
    1 2026-01-05 07:00:00+00:00        0       0  <NA>
    2 2026-01-05 08:00:00+00:00        1       0   0.0
    """
    status, when = statuses(records), times(records, UPDATED_AT)
    decided = status.isin([FAILED, COMPLETE]) & when.notna()
    begin = when[decided].dt.floor(_interval(every, when[decided])).astype(TIME)
    table = (status[decided] == FAILED).groupby(begin).agg(["size", "sum"]).set_axis(["decided", FAILED], axis=1)
    if len(table):
        table = table.reindex(pd.date_range(table.index.min(), table.index.max(), freq=every), fill_value=0)
    table = table.rename_axis("time").reset_index().astype({"time": TIME, "decided": "Int64", FAILED: "Int64"})
    table["rate"] = (table[FAILED] / table["decided"].where(table["decided"] > 0)).astype("Float64")
    return table.astype(RATE_DTYPES)


def leftovers(records: pd.DataFrame) -> pd.DataFrame:
    """List records that carry an error message though they did not fail.

    An engine that runs a record again keeps the message of the former attempt: a question of data health,
    not a failure.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status` and `error_message`.

    Returns
    -------
    DataFrame
        The frame's own rows, columns and index, with only the records that have a message (more than
        white space) and a status other than "failed".

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> records = pd.DataFrame({"status": ["failed", "complete"], "error_message": ["Timeout", "Timeout"]})
    >>> leftovers(records)
         status error_message
    1  complete       Timeout
    """
    need(records, STATUS, ERROR_MESSAGE)
    said = text(records, ERROR_MESSAGE, "").str.strip() != ""
    return records.loc[(said & ~failed(records)).to_numpy()].copy()


def by_category(variables: pd.DataFrame) -> pd.DataFrame:
    """Count variables by category and type.

    Parameters
    ----------
    variables : DataFrame
        Variables as `get_all_variables` returns them, with at least `category` and `type`.

    Returns
    -------
    DataFrame
        One row per category that occurs (the index, named `category`: custom, node, iteration), one `Int64` column per
        JSON type that occurs (string, number, boolean, array, object, null), and `total`, the sum of the row.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> variables = pd.DataFrame({"category": ["node", "custom", "custom"], "type": ["object", "number", "string"]})
    >>> by_category(variables)
    type      string  number  object  total
    category
    custom         1       1       0      2
    node           0       0       1      1
    """
    counts = pd.crosstab(text(variables, "category", "(none)"), text(variables, "type", "(none)"))
    rows = sorted(counts.index, key=lambda name: _rank(name, _CATEGORIES))
    names = sorted(counts.columns, key=lambda name: _rank(name, _JSON_TYPES))
    table = counts.reindex(index=rows, columns=names).astype("Int64")
    table = table.set_axis(in_order(names, "type"), axis="columns").set_axis(in_order(rows, "category"))
    table[TOTAL] = table.sum(axis="columns").astype("Int64")
    return table


def _rank(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(name), "") if name in order else (len(order), name)


def _interval(every: str, when: pd.Series[pd.Timestamp]) -> pd.Timedelta:
    try:
        length = pd.Timedelta(f"1{every}" if every.isalpha() else every)
    except ValueError:
        raise InvalidOption(f"every={every!r} is no length of time; give one such as '15min', '1h' or '1D'.") from None
    if length <= pd.Timedelta(0):
        raise InvalidOption(f"every={every!r} is no length of time above 0; give one such as '1h'.")
    number = (when.max() - when.min()) / length if len(when) else 0
    if number > _MOST_INTERVALS:
        raise InvalidOption(
            f"every={every!r} makes {number:,.0f} intervals, {_MOST_INTERVALS:,} are allowed; give a longer one."
        )
    return length
