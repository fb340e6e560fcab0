"""Points in time as people type them, always in UTC in the end."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import times
from toolkit.errors import InvalidOption
from toolkit.times import UTC

zones = st.timezones() | st.integers(-86_399, 86_399).map(lambda offset: dt.timezone(dt.timedelta(seconds=offset)))
moments = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 12, 31), timezones=st.one_of(st.none(), zones))  # noqa: DTZ001 - a time without a zone is the point


@given(moments)
def test_a_time_in_any_zone_is_the_same_moment_in_utc(value: dt.datetime) -> None:
    found = times.in_utc(value)
    assert found.tzinfo is UTC
    # Subtracted, not compared: in the hour that a clock repeats, equality across zones is always false.
    assert found - (value.replace(tzinfo=UTC) if value.tzinfo is None else value) == dt.timedelta(0)
    assert times.moment(value, "since") == found
    assert times.moment(value.isoformat(), "since") == found


@given(moments)
def test_the_text_of_a_time_has_one_form_and_reads_back(value: dt.datetime) -> None:
    text = times.iso(value)
    assert len(text) == len("2026-11-16T02:00:00.000000Z")
    assert times.read(text) == times.in_utc(value)
    assert times.read(value) == times.in_utc(value)


@given(moments, moments)
def test_texts_of_times_sort_as_the_times_do(one: dt.datetime, other: dt.datetime) -> None:
    assert (times.iso(one) < times.iso(other)) == (times.in_utc(one) < times.in_utc(other))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("24h", dt.timedelta(days=1)),
        ("30m", dt.timedelta(minutes=30)),
        ("30min", dt.timedelta(minutes=30)),
        ("90s", dt.timedelta(seconds=90)),
        ("7d", dt.timedelta(days=7)),
        ("2w", dt.timedelta(days=14)),
        ("1.5h", dt.timedelta(minutes=90)),
        (" 24 h ", dt.timedelta(days=1)),
        ("0s", dt.timedelta(0)),
        ("700000d", dt.timedelta(days=700_000)),
        (dt.timedelta(hours=3), dt.timedelta(hours=3)),
        (pd.Timedelta("3h"), dt.timedelta(hours=3)),
    ],
)
def test_a_span_is_that_long_ago(text: Any, span: dt.timedelta) -> None:
    assert times.moment(text, "since") == span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-11-16", "2026-11-16T00:00:00+00:00"),
        ("20261116", "2026-11-16T00:00:00+00:00"),
        ("2026-11-16T02:00", "2026-11-16T02:00:00+00:00"),
        ("2026-11-16 02:00:00.5", "2026-11-16T02:00:00.500000+00:00"),
        ("2026-11-16T02:00Z", "2026-11-16T02:00:00+00:00"),
        ("2026-11-16T02:00+05:30", "2026-11-15T20:30:00+00:00"),
        (" 2026-11-16T02:00 ", "2026-11-16T02:00:00+00:00"),
        (dt.date(2026, 11, 16), "2026-11-16T00:00:00+00:00"),
        (dt.datetime(2026, 11, 16, 2), "2026-11-16T02:00:00+00:00"),  # noqa: DTZ001 - a time without a zone is the point
        (pd.Timestamp("2026-11-16T02:00:00.123456789"), "2026-11-16T02:00:00.123456+00:00"),
        (pd.Timestamp("2026-11-16T02:00", tz="Europe/Berlin"), "2026-11-16T01:00:00+00:00"),
    ],
)
def test_a_time_without_a_zone_is_utc(value: Any, text: str) -> None:
    found = times.moment(value, "since")
    assert isinstance(found, dt.datetime)
    assert type(found) is dt.datetime
    assert found.isoformat() == text


@pytest.mark.parametrize(
    "value",
    [
        "", "yesterday", "24", "24H", "-24h", "h", "1e3h", "24hours", "1h30m", "2026", "2026-13-01", "2026-02-30",
        "16.11.2026", "2026-11-16T25:00", "9" * 30 + "d", "700001d", "0001-01-01T00:00+05:00", 5, 5.0, True, b"24h", (),
        dt.time(2), dt.timedelta(seconds=-1), dt.timedelta.max, pd.NaT, pd.NA, np.datetime64("2026-11-16"),
        np.datetime64("NaT"), dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5))),
    ],
)  # fmt: skip
def test_what_is_no_point_in_time_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^created_after=.* is no point in time; give a datetime, text such as"):
        times.moment(value, "created_after")


def test_a_span_counts_by_the_clock_of_each_database(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.create_records(
        workflow_id,
        [
            {"record_id": "old", "updated_at": "2001-01-01T00:00:00Z"},
            {"record_id": "new"},
            {"record_id": "future", "updated_at": "2199-01-01T00:00:00+14:00"},
        ],
    )
    chosen = {
        since: set(service.query_records(workflow_id, since=since)["record_id"])
        for since in ("1h", "2w", "700000d", "2001-01-01", "2001-01-01T00:00:00.000001", dt.date(2198, 1, 1))
    }
    assert chosen == {
        "1h": {"new", "future"},
        "2w": {"new", "future"},
        "700000d": {"old", "new", "future"},
        "2001-01-01": {"old", "new", "future"},
        "2001-01-01T00:00:00.000001": {"new", "future"},
        dt.date(2198, 1, 1): {"future"},
    }


def test_before_leaves_the_moment_itself_out_and_after_takes_it(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    at = dt.datetime(2026, 11, 16, 2, 0, 0, 123456, tzinfo=UTC)
    service.create_records(
        workflow_id, [{"record_id": "a", "created_at": at, "updated_at": at, "processed_at": at}, {"record_id": "b"}]
    )
    berlin = at.astimezone(dt.timezone(dt.timedelta(hours=1)))
    later = at + dt.timedelta(microseconds=1)

    def chosen(name: str, moment: dt.datetime) -> set[str]:
        options: Any = {name: moment}
        return set(service.query_records(workflow_id, **options)["record_id"])

    for column in ("created", "updated", "processed"):
        assert "a" in chosen(f"{column}_after", berlin)
        assert "a" not in chosen(f"{column}_after", later)
        assert "a" not in chosen(f"{column}_before", berlin)
        assert chosen(f"{column}_before", later) == {"a"}
