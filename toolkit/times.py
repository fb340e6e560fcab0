"""Points in time as people type them: `"2026-11-16"`, a datetime, or `"24h"` for a day ago."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, TypeAlias

from toolkit.errors import InvalidOption

UTC: Final = dt.UTC

TimeLike: TypeAlias = "str | dt.datetime | dt.date | dt.timedelta"
Moment: TypeAlias = "dt.datetime | dt.timedelta"
"""An aware datetime in UTC, or how long ago by the database's own clock."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)")
_LONGEST: Final = dt.timedelta(days=700_000)
"""A span that no clock of a database counts back from beyond its own first year."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(value: TimeLike, what: str) -> Moment:
    """Read a point in time given as a filter.

    Parameters
    ----------
    value : str, datetime, date or timedelta
        ISO 8601 text, a span before now such as `"24h"`, `"30m"` or `"7d"`, or a Python value. A time without a zone
        is UTC.
    what : str
        The name of the argument, for the error.

    Returns
    -------
    datetime or timedelta
        A datetime in UTC; a timedelta means that long before now, by the database's clock.

    Raises
    ------
    InvalidOption
        For anything else, a span into the future and one of more than 700,000 days among it.

    Examples
    --------
    >>> moment("24h", "since")
    datetime.timedelta(days=1)
    >>> moment("2026-11-16T02:00+01:00", "since").isoformat()
    '2026-11-16T01:00:00+00:00'
    """
    try:
        return _moment(value)
    except (ValueError, OverflowError, TypeError):
        raise InvalidOption(
            f"{what}={value!r} is no point in time; give a datetime, text such as '2026-11-16T02:00', or a span "
            "before now such as '24h', '30m', '7d'"
        ) from None


def _moment(value: TimeLike) -> Moment:
    if isinstance(value, str):
        span = _SPAN.fullmatch(value.strip())
        if span:
            return _ago(dt.timedelta(**{_UNITS[span[2]]: float(span[1])}))
        value = dt.datetime.fromisoformat(value.strip())
    if isinstance(value, dt.timedelta):
        return _ago(value)
    if isinstance(value, dt.datetime):
        return in_utc(value)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise TypeError


def _ago(span: dt.timedelta) -> dt.timedelta:
    # SQLite answers such a time with NULL, and every comparison with that takes no row, without a word.
    if not dt.timedelta(0) <= span <= _LONGEST:
        raise ValueError
    return span


def in_utc(value: dt.datetime) -> dt.datetime:
    """Return a time in UTC; one without a zone is taken to be UTC already.

    Parameters
    ----------
    value : datetime
        With or without a zone.

    Returns
    -------
    datetime
        A plain datetime with the zone UTC.

    Raises
    ------
    ValueError
        For pandas' missing time, `NaT`.

    Examples
    --------
    >>> in_utc(dt.datetime(2026, 11, 16, 2)).isoformat()
    '2026-11-16T02:00:00+00:00'
    """
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    # pandas' Timestamp is a datetime with nanoseconds that no column here holds; NaT raises ValueError.
    return dt.datetime.fromisoformat(aware.isoformat(timespec="microseconds"))


def iso(value: dt.datetime) -> str:
    """Return a time in UTC as the one text form that the toolkit writes.

    Parameters
    ----------
    value : datetime
        With or without a zone.

    Returns
    -------
    str
        27 characters, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, which sorts as text.

    Examples
    --------
    >>> iso(dt.datetime(2026, 11, 16, 2))
    '2026-11-16T02:00:00.000000Z'
    """
    return in_utc(value).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read(value: dt.datetime | str) -> dt.datetime:
    """Return a time that a database gave, as text or as a datetime, in UTC.

    Parameters
    ----------
    value : datetime or str
        As the driver gives it.

    Returns
    -------
    datetime

    Examples
    --------
    >>> read("2026-11-16T02:00:00.000000Z").isoformat()
    '2026-11-16T02:00:00+00:00'
    """
    return in_utc(dt.datetime.fromisoformat(value) if isinstance(value, str) else value)
