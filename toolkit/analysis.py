"""What happened, as frames: each function takes a frame of records and returns a new one.

The input is a frame as `query_records` returns it: one row per record, the record columns of
`toolkit.columns` and whatever stands beside them. It is never changed, and it may be empty or hold the
records of several workflows. *Failed* means ``status == "failed"`` and nothing else; a record without a
status or a type is counted under `NO_STATUS` or `NO_TYPE`.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from toolkit.columns import FAILED, NO_STATUS, NO_TYPE, RECORD_COLUMNS, STATUSES, WORKFLOW_ID
from toolkit.errors import InvalidOption
from toolkit.signatures import signatures

RECORD_ID, RECORD_TYPE, STATUS, _, ERROR_MESSAGE, _, CREATED_AT, UPDATED_AT, PROCESSED_AT = RECORD_COLUMNS

NO_MESSAGE: Final = "no message"
"""The signature of failures that say nothing."""

TOTAL: Final = "total"
DURATION: Final = "duration"
CAUSE: Final = "cause"
SIGNATURE: Final = "signature"
COUNT: Final = "count"
EXAMPLE: Final = "example"

DURATION_DTYPES: Final = {
    RECORD_TYPE: "str", STATUS: "str", COUNT: "Int64", "p50": "Float64", "p95": "Float64", "max": "Float64",
}  # fmt: skip
"""The columns of `durations`, in order."""

CAUSE_DTYPES: Final = {
    CAUSE: "str", SIGNATURE: "str", COUNT: "Int64", "share": "Float64", "record_types": "object",
    "first_seen": "datetime64[us, UTC]", "last_seen": "datetime64[us, UTC]", "sample_ids": "object",
    EXAMPLE: "str",
}  # fmt: skip
"""The columns of `causes`, in order."""

_SAMPLES: Final = 3


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
    counts = pd.crosstab(_types(records), _statuses(records))
    rows, columns = sorted(counts.index, key=_type_rank), sorted(counts.columns, key=_status_rank)
    table = counts.reindex(index=rows, columns=columns).astype("Int64")
    names = [f"{TOTAL} (status)" if name == TOTAL else name for name in columns]
    table = table.set_axis(pd.Index(names, name=STATUS, dtype="str"), axis="columns")
    table.index = pd.Index(rows, name=RECORD_TYPE, dtype="str")
    table[TOTAL] = table.sum(axis="columns").astype("Int64")
    return table


def durations(records: pd.DataFrame) -> pd.DataFrame:
    """How long records took, by type and status.

    A duration is the time from `created_at` to `processed_at`. Records without one of the two, and those
    that were processed before they were created, are left out.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_type`, `status`, `created_at` and `processed_at`.

    Returns
    -------
    DataFrame
        One row per type and status that has a duration, in the order of `by_status`: `record_type`, `status`
        (`str`), `count` (`Int64`), and in seconds (`Float64`) `p50`, `p95` (interpolated linearly) and `max`.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_type": "email", "status": "complete", "created_at": start,
    ...                         "processed_at": start + pd.to_timedelta([2, 4, None], unit="s")})
    >>> durations(records)
      record_type    status  count  p50  p95  max
    0       email  complete      2  3.0  3.9  4.0
    """
    parts = {RECORD_TYPE: _types(records), STATUS: _statuses(records), DURATION: _seconds(records)}
    seconds = pd.DataFrame(parts).dropna().groupby([RECORD_TYPE, STATUS])[DURATION]
    measures = {COUNT: seconds.size(), "p50": seconds.quantile(), "p95": seconds.quantile(0.95)}
    table = pd.DataFrame(measures | {"max": seconds.max()})
    order = sorted(table.index, key=lambda pair: (_type_rank(pair[0]), _status_rank(pair[1])))
    return table.reindex(order).reset_index().astype(DURATION_DTYPES)


def causes(records: pd.DataFrame) -> pd.DataFrame:
    """Group failures by what went wrong.

    Two failures have one cause when the first line of substance of their messages is the same after numbers,
    ids, dates, durations, paths, addresses and quoted text have given way to placeholders such as
    ``<number>``. Codes of HTTP and exit codes stay: 404 and 503 are two causes. Failures without a message
    are one cause of their own.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_id`, `record_type`, `status`, `error_message` and `updated_at`.

    Returns
    -------
    DataFrame
        One row per cause, the most frequent first: `cause` (`str`: a stable id, the hash of the signature),
        `signature` (`str`: the message with placeholders, at most 200 characters), `count` (`Int64`),
        `share` (`Float64`: of all failures, 0 to 1), `record_types` (`object`: a list of the types hit, by
        code point), `first_seen` and `last_seen` (`datetime64[us, UTC]`: of `updated_at`), `sample_ids`
        (`object`: a list of up to three record ids, in the frame's order), `example` (`str`: the whole
        message of the first of them, missing where there is none).

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": "failed", "error_message": ["Timeout after 30 s", "Timeout after 45 s"],
    ...     "updated_at": pd.Timestamp("2026-01-05 06:00", tz="UTC")})
    >>> causes(records)[["signature", "count", "share", "sample_ids"]]
                        signature  count  share          sample_ids
    0  Timeout after <duration>      2    1.0  [email_1, email_2]
    """
    failures = _failures(records)
    groups = failures.groupby(CAUSE)
    seen = groups[UPDATED_AT]
    types = failures[[CAUSE, RECORD_TYPE]].drop_duplicates()
    types = types.assign(untyped=types[RECORD_TYPE] == NO_TYPE).sort_values(["untyped", RECORD_TYPE])
    measures = {
        SIGNATURE: groups[SIGNATURE].first().replace("", NO_MESSAGE),
        COUNT: groups.size(),
        "share": groups.size() / max(len(failures), 1),
        "record_types": _lists(types, RECORD_TYPE),
        "first_seen": seen.min(),
        "last_seen": seen.max(),
        "sample_ids": _lists(groups.head(_SAMPLES), RECORD_ID),
        EXAMPLE: failures.drop_duplicates(CAUSE).set_index(CAUSE)[EXAMPLE],
    }
    table = pd.DataFrame(measures).rename_axis(CAUSE).reset_index()
    table = table.sort_values([COUNT, SIGNATURE, CAUSE], ascending=[False, True, True], ignore_index=True)
    return table[list(CAUSE_DTYPES)].astype(CAUSE_DTYPES)


def cause(records: pd.DataFrame) -> pd.Series[str]:
    """Name the cause of each failed record.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status` and `error_message`.

    Returns
    -------
    Series of str
        One value per row of the frame, on its index: the id that `causes` gives, the same in every run;
        missing for records that did not fail.

    Raises
    ------
    InvalidOption
        When a column is missing.

    Examples
    --------
    >>> records = pd.DataFrame({"status": ["failed", "complete", "failed"],
    ...                         "error_message": ["Timeout after 30 s", None, "Timeout after 45 s"]})
    >>> cause(records).tolist()
    ['78355b8cf2', nan, '78355b8cf2']
    """
    failed = _failed(records)
    messages = _text(records, ERROR_MESSAGE, "")[failed]
    return _cause_ids(_signatures(messages)).reindex(failed.index).set_axis(records.index).rename(CAUSE)


def slowest(records: pd.DataFrame, n: int = 10) -> pd.DataFrame:
    """List the records that took longest.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_id`, `record_type`, `status`, `created_at` and `processed_at`.
    n : int
        How many to list; 0 or more.

    Returns
    -------
    DataFrame
        One row per record, slowest first, equal ones in the frame's order, on the frame's own index:
        `workflow_id` where the frame has it, `record_id`, `record_type`, `status` (`str`), `duration`
        (`Float64`: seconds from `created_at` to `processed_at`), `created_at`, `processed_at`. Records
        without a duration, or with a negative one, are left out.

    Raises
    ------
    InvalidOption
        When a column is missing, or `n` is negative.

    Examples
    --------
    >>> start = pd.Timestamp("2026-01-05 06:00", tz="UTC")
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": "complete", "created_at": start,
    ...     "processed_at": start + pd.to_timedelta([2, 4], unit="s")})
    >>> slowest(records, n=1)[["record_id", "duration"]]
      record_id  duration
    1   email_2       4.0
    """
    if n < 0:
        raise InvalidOption(f"n is the number of records to list, 0 or more; it was given as {n}.")
    columns = [RECORD_ID, RECORD_TYPE, STATUS, CREATED_AT, PROCESSED_AT]
    _need(records, *columns)
    if WORKFLOW_ID in records.columns:
        columns.insert(0, WORKFLOW_ID)
    table = records[columns].reset_index(drop=True)
    table.insert(columns.index(CREATED_AT), DURATION, _seconds(records).astype("Float64"))
    table.index = records.index
    measured = table.loc[table[DURATION].notna().to_numpy()]
    return measured.sort_values(DURATION, ascending=False, kind="stable").head(n)


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
    _need(records, STATUS, ERROR_MESSAGE)
    said = _text(records, ERROR_MESSAGE, "").str.strip() != ""
    return records.loc[(said & ~_failed(records)).to_numpy()].copy()


def _need(records: pd.DataFrame, *columns: str) -> None:
    missing = [name for name in columns if name not in records.columns]
    if missing:
        raise InvalidOption(
            f"the frame of records has no column {', '.join(map(repr, missing))}; "
            "read it with query_records(…) without columns=, or name the column there."
        )


def _text(records: pd.DataFrame, column: str, missing: str) -> pd.Series[str]:
    # By position, because a frame put together by hand may hold an index label twice.
    _need(records, column)
    return records[column].reset_index(drop=True).astype("str").fillna(missing)


def _times(records: pd.DataFrame, column: str) -> pd.Series[pd.Timestamp]:
    _need(records, column)
    return pd.to_datetime(records[column].reset_index(drop=True), utc=True)


def _types(records: pd.DataFrame) -> pd.Series[str]:
    return _text(records, RECORD_TYPE, NO_TYPE)


def _statuses(records: pd.DataFrame) -> pd.Series[str]:
    return _text(records, STATUS, NO_STATUS)


def _failed(records: pd.DataFrame) -> pd.Series[bool]:
    return _statuses(records) == FAILED


def _type_rank(record_type: str) -> tuple[bool, str]:
    return record_type == NO_TYPE, record_type


def _status_rank(status: str) -> tuple[int, str]:
    if status in STATUSES:
        return STATUSES.index(status), ""
    return len(STATUSES) + (status == NO_STATUS), status


def _seconds(records: pd.DataFrame) -> pd.Series[float]:
    start, end = _times(records, CREATED_AT), _times(records, PROCESSED_AT)
    seconds = (end - start).dt.total_seconds()
    return seconds.where(seconds >= 0).rename(DURATION)


def _failures(records: pd.DataFrame) -> pd.DataFrame:
    """Take the failed records, and what `causes` says of each: type, message, signature and cause."""
    _need(records, RECORD_ID)
    failed = _failed(records).to_numpy()
    messages = _text(records, ERROR_MESSAGE, "")[failed]
    return pd.DataFrame(
        {
            RECORD_ID: records[RECORD_ID].reset_index(drop=True)[failed],
            RECORD_TYPE: _types(records)[failed],
            UPDATED_AT: _times(records, UPDATED_AT)[failed],
            EXAMPLE: messages.where(messages != ""),
            SIGNATURE: _signatures(messages),
        }
    ).assign(**{CAUSE: lambda failures: _cause_ids(failures[SIGNATURE])})


def _lists(table: pd.DataFrame, column: str) -> pd.Series[Any]:
    """Collect a column's values per cause, in their order, without a Python step per row."""
    table = table.sort_values(CAUSE, kind="stable")
    sizes = table.groupby(CAUSE).size()
    ends = [0, *sizes.cumsum()]
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(table[column].tolist(), pa.string()))
    return pd.Series(lists.to_pylist(), index=sizes.index, dtype="object")


def _cause_ids(signatures: pd.Series[str]) -> pd.Series[str]:
    # "" is hashed as it is: a message that reads "no message" is another cause than none.
    ids = {text: blake2s(text.encode(), digest_size=5).hexdigest() for text in signatures.unique()}
    return signatures.map(ids).astype("str")


def _signatures(messages: pd.Series[str]) -> pd.Series[str]:
    found = signatures(messages.tolist()).to_pandas().to_numpy()
    return pd.Series(found, index=messages.index, dtype="str")
