"""What `query_records` and `count_records` find, filter by filter, on every database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from toolkit import patterns
from toolkit.columns import RECORD_COLUMNS

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]

DTYPES = [*["str"] * 5, "Int64", *["datetime64[us, UTC]"] * 3]


def ids(frame: pd.DataFrame) -> list[str]:
    return list(frame["record_id"])


def day(number: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2026, 1, number, hour, tzinfo=dt.UTC)


ROWS: list[dict[str, Any]] = [
    {"record_id": "email_1", "status": "failed", "created_at": day(1), "updated_at": day(5), "fields.n": 1},
    {"record_id": "email_2", "status": "complete", "created_at": day(2), "updated_at": day(3), "processed_at": day(4)},
    {"record_id": "lead_1", "status": "complete", "created_at": day(3), "updated_at": day(9), "processed_at": day(9)},
    {"record_id": "Email_3", "record_type": "mail", "created_at": day(4), "updated_at": day(4), "fields.n": 2},
    {"record_id": "x%y", "iteration_node_alias": "each mail", "created_at": day(5), "updated_at": day(5)},
]


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    """The id of a workflow with the records above."""
    service.create_records(workflow_id, ROWS)
    return workflow_id


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["email_1", "email_2", "lead_1", "Email_3", "x%y"]),
    ({"pattern": "email_*"}, ["email_1", "email_2"]),
    ({"pattern": "*mail_?"}, ["email_1", "email_2", "Email_3"]),
    ({"pattern": "lead_1,x*"}, ["lead_1", "x%y"]),
    ({"pattern": ["*%*", "nothing"]}, ["x%y"]),
    ({"pattern": []}, []),
    ({"ids": ["x%y", "email_1", "email_*"]}, ["email_1", "x%y"]),
    ({"record_type": "email"}, ["email_1", "email_2"]),
    ({"record_type": ["lead", "mail"]}, ["lead_1", "Email_3"]),
    ({"record_type": []}, []),
    ({"status": "complete"}, ["email_2", "lead_1"]),
    ({"status": {"failed", "discovered"}}, ["email_1", "Email_3", "x%y"]),
    ({"status": "comp*"}, []),
    ({"node": "each mail"}, ["x%y"]),
    ({"since": day(5)}, ["email_1", "lead_1", "x%y"]),
    ({"since": "2026-01-05"}, ["email_1", "lead_1", "x%y"]),
    ({"since": dt.date(2026, 1, 9)}, ["lead_1"]),
    ({"since": "2026-01-05T01:00:00+01:00"}, ["email_1", "lead_1", "x%y"]),
    ({"created_after": day(4)}, ["Email_3", "x%y"]),
    ({"created_before": day(2)}, ["email_1"]),
    ({"updated_after": day(9)}, ["lead_1"]),
    ({"updated_before": day(4)}, ["email_2"]),
    ({"processed_after": day(5)}, ["lead_1"]),
    ({"processed_before": day(5)}, ["email_2"]),
    ({"contains": "MAIL"}, ["email_1", "email_2", "Email_3"]),
    ({"contains": "%"}, ["x%y"]),
    ({"contains": "_1"}, ["email_1", "lead_1"]),
    ({"pattern": "*_1", "status": "complete"}, ["lead_1"]),
    ({"limit": 2}, ["email_1", "email_2"]),
    ({"limit": 0}, []),
    ({"limit": 2**70}, ["email_1", "email_2", "lead_1", "Email_3", "x%y"]),
    ({"status": "complete", "created_before": day(3), "updated_after": day(3), "limit": 5}, ["email_2"]),
]


def test_each_filter_takes_what_it_says(service: Service, filled: str) -> None:
    for filters, expected in FILTERS:
        assert ids(service.query_records(filled, **filters)) == expected, filters


def test_counting_takes_the_same_filters(service: Service, filled: str) -> None:
    for filters, expected in FILTERS:
        if "limit" not in filters:
            counted = service.count_records(filled, by=[], **filters)
            assert list(counted["count"]) == [len(expected)], filters


def test_a_span_reaches_back_from_now_by_the_database_clock(service: Service, workflow_id: str) -> None:
    hour = dt.timedelta(hours=1)
    now = dt.datetime.now(dt.UTC)
    service.create_records(
        workflow_id, [{"record_id": f"a_{n}", "updated_at": now - n * hour + hour / 2} for n in range(4)]
    )
    assert ids(service.query_records(workflow_id, since="2h")) == ["a_0", "a_1", "a_2"]
    assert ids(service.query_records(workflow_id, updated_before=2 * hour)) == ["a_3"]
    assert ids(service.query_records(workflow_id, updated_before="0.25h")) == ["a_1", "a_2", "a_3"]
    with pytest.raises(toolkit.InvalidOption, match=r"updated_before=.* is no point in time; give a datetime"):
        service.query_records(workflow_id, updated_before=-hour)


def test_a_mistyped_filter_is_an_error_that_says_what_is_allowed(service: Service, filled: str) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"since": "yesterday"}, "since='yesterday' is no point in time; give a datetime"),
        ({"ids": "email_1"}, r"ids= takes a list of texts; for one, give \['email_1'\]"),
        ({"status": 7}, "status= takes a text or a list of texts, not int"),
        ({"contains": ""}, "contains= takes a text of at least one character"),
        ({"limit": -1}, "limit=-1 is no number of rows; leave it out"),
        ({"limit": True}, "limit=True is no number of rows"),
        ({"columns": "status"}, r"columns= takes a list such as \['status'\], or 'all'"),
    ]
    for filters, message in wrong:
        with pytest.raises(toolkit.InvalidOption, match=message):
            service.query_records(filled, **filters)
    mistyped: Any = {"statsu": "failed"}
    with pytest.raises(toolkit.InvalidOption, match=r"no filter is called 'statsu'; filters are ids, record_type"):
        service.count_records(filled, **mistyped)
    with pytest.raises(toolkit.InvalidOption, match="by='data' is none of status, record_type"):
        service.count_records(filled, by="data")
    for pattern in ("", "a,,b", ["a", ""]):
        with pytest.raises(toolkit.InvalidPattern, match=r"use '\*' to mean everything"):
            service.query_records(filled, pattern)


def test_records_are_ordered_by_creation_then_by_code_point(service: Service, workflow_id: str) -> None:
    names = ["b", "a", "B", "ä", "_", "Z", "a-b", "ab", "a b", "10", "9", "\N{GRINNING FACE}", "\ufb01"]
    service.create_records(workflow_id, [{"record_id": name, "created_at": day(2)} for name in names])
    service.create_records(
        workflow_id, [{"record_id": "zz", "created_at": day(1)}, {"record_id": "AA", "created_at": day(3)}]
    )
    assert ids(service.query_records(workflow_id)) == ["zz", *sorted(names), "AA"]


def test_times_of_every_fraction_are_ordered_and_compared(service: Service, workflow_id: str) -> None:
    moments = [day(1) + dt.timedelta(microseconds=n) for n in (0, 1, 10, 100_000, 999_999, 1_000_000)]
    rows = [{"record_id": f"a_{n}", "created_at": moment} for n, moment in enumerate(moments)]
    service.create_records(workflow_id, rows[::-1])
    frame = service.query_records(workflow_id)
    assert list(frame["created_at"]) == moments
    for n, moment in enumerate(moments):
        assert ids(service.query_records(workflow_id, created_after=moment)) == ids(frame)[n:]


def test_only_the_columns_asked_for_are_there_in_that_order(service: Service, filled: str) -> None:
    frame = service.query_records(filled, columns=["status", "fields.n", "record_id", "vars.nothing"])
    assert list(frame.columns) == ["status", "fields.n", "record_id", "vars.nothing"]
    assert str(frame["fields.n"].dtype) == "Int64"
    assert list(frame["fields.n"].fillna(0)) == [1, 0, 0, 2, 0]
    assert frame["vars.nothing"].isna().all()
    with pytest.raises(
        toolkit.InvalidPath, match=r"'feilds\.n' is no record column and no path; paths start with fields"
    ):
        service.query_records(filled, columns=["feilds.n"])


def test_masks_stand_in_frames_until_revealed(service: Service, workflow_id: str) -> None:
    data = {"password": "FAKE-not-real", "n": 1, "vars": {"login": {"api_key": "FAKE-2"}}}
    service.create_record(workflow_id, "a_1", data=data)
    flat = service.query_records(workflow_id)
    assert (flat["fields.password"][0], flat["vars.login.api_key"][0]) == ("[hidden]", "[hidden]")
    assert str(flat["fields.n"].dtype) == "Int64"
    for shown in (
        flat,
        service.query_records(workflow_id, flatten=False),
        service.get_records_by_ids(workflow_id, ["a_1"]),
    ):
        assert "FAKE" not in shown.to_csv()
    assert "FAKE" not in repr(service.get_record(workflow_id, "a_1"))
    revealed = service.query_records(workflow_id, reveal=True)
    assert (revealed["fields.password"][0], revealed["vars.login.api_key"][0]) == ("FAKE-not-real", "FAKE-2")


def test_history_is_left_out_of_a_flat_frame_unless_asked_for(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"history": [{"action": "seen"}]})
    assert "history" not in service.query_records(workflow_id)
    for wanted in ("all", ["history"]):
        assert service.query_records(workflow_id, columns=wanted)["history"][0] == [{"action": "seen"}]


def test_no_records_are_a_frame_with_its_columns_and_dtypes(service: Service, workflow_id: str) -> None:
    for frame in (service.query_records(workflow_id), service.query_records(workflow_id, columns=list(RECORD_COLUMNS))):
        assert tuple(frame.columns) == RECORD_COLUMNS
        assert list(map(str, frame.dtypes)) == DTYPES
        assert len(frame) == 0
    whole = service.query_records(workflow_id, flatten=False)
    assert (list(whole.columns[-1:]), str(whole.dtypes.iloc[-1])) == (["data"], "object")
    asked = service.query_records(workflow_id, columns=["record_id", "fields.n"])
    assert list(asked.columns) == ["record_id", "fields.n"]
    counted = service.count_records(workflow_id)
    assert list(counted.columns) == ["status", "record_type", "count"]
    assert list(map(str, counted.dtypes)) == ["str", "str", "Int64"]
    assert list(service.count_records(workflow_id, by=[])["count"]) == [0]


def test_an_infinite_time_is_missing_with_a_warning(service: Service, filled: str) -> None:
    with service.database.write() as connection:
        connection.exec_driver_sql("UPDATE workflow_records SET processed_at = 'infinity' WHERE record_id = 'email_2'")
    with pytest.warns(toolkit.DataWarning, match="1 of 5 times in processed_at"):
        frame = service.query_records(filled)
    assert frame["processed_at"].notna().sum() == 1


def test_counts_are_grouped_as_asked_most_first(service: Service, filled: str) -> None:
    by_status = service.count_records(filled, by="status")
    assert by_status.to_dict("list") == {"status": ["complete", "discovered", "failed"], "count": [2, 2, 1]}
    by_node = service.count_records(filled, by=["iteration_node_alias"], status="discovered")
    assert dict(zip(by_node["iteration_node_alias"].fillna("none"), by_node["count"], strict=True)) == {
        "none": 1,
        "each mail": 1,
    }
    crossed = service.count_records(filled)
    frame = service.query_records(filled).groupby(["status", "record_type"]).size()
    assert {(row["status"], row["record_type"]): row["count"] for _, row in crossed.iterrows()} == frame.to_dict()


# --- several workflows ------------------------------------------------------------------------------


def test_several_workflows_put_their_id_first(service: Service, new_workflow: NewWorkflow) -> None:
    made = sorted(new_workflow(name) for name in ("nightly-1", "nightly-2", "weekly"))
    for workflow_id in made:
        service.create_records(workflow_id, [{"record_id": "a_1", "created_at": day(1), "fields.n": 1}])
    for asked, expected in (
        (made[:2], made[:2]),
        ("*", made),
        (",".join(made[1:]), made[1:]),
        (made[0][:-1] + "?", [each for each in made if each[:-1] == made[0][:-1]]),
        (f"*{made[2][-3:]}", [each for each in made if each.endswith(made[2][-3:])]),
        (made[:1], made[:1]),
        ([], []),
    ):
        frame = service.query_records(asked)
        assert tuple(frame.columns[:10]) == ("workflow_id", *RECORD_COLUMNS)
        assert list(frame["workflow_id"]) == expected
        narrow = service.query_records(asked, columns=["status"])
        assert list(narrow.columns) == ["workflow_id", "status"]
        counted = service.count_records(asked, by="workflow_id")
        assert sorted(counted["workflow_id"]) == expected
    assert "workflow_id" not in service.query_records(made[0])


def test_records_of_several_workflows_are_ordered_together(service: Service, new_workflow: NewWorkflow) -> None:
    one, two = sorted(new_workflow(name) for name in ("one", "two"))
    service.create_records(one, [{"record_id": "b", "created_at": day(1)}, {"record_id": "c", "created_at": day(1)}])
    service.create_records(two, [{"record_id": "a", "created_at": day(1)}, {"record_id": "b", "created_at": day(1)}])
    frame = service.query_records([two, one])
    assert list(zip(frame["record_id"], frame["workflow_id"], strict=True)) == [
        ("a", two),
        ("b", one),
        ("b", two),
        ("c", one),
    ]


def test_an_unknown_workflow_gives_an_empty_frame(
    service: Service, workflow_id: str, new_workflow: NewWorkflow
) -> None:
    service.create_record(workflow_id, "a_1")
    assert service.query_records(new_workflow("other")).empty
    if service.database.tables.workflow_ids_are_uuids:
        for call in (service.query_records, service.get_stats, service.get_data):
            with pytest.raises(toolkit.InvalidValue, match=r"ids are uuids; service.workflow\('nightly'\) finds"):
                call("nightly")
        assert len(service.query_records(workflow_id.upper())) == 1


# --- the same answer by two ways --------------------------------------------------------------------

NAMES = st.text(st.sampled_from("ab_%*?,.1A\\["), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(names=st.sets(NAMES, min_size=1, max_size=6), pattern=st.lists(NAMES, max_size=3))
def test_patterns_take_what_the_reference_takes(names: set[str], pattern: list[str]) -> None:
    with toolkit.connect(":memory:", create=True) as service:
        service.create_records("w", [{"record_id": name} for name in names])
        expected = {name for name in names if patterns.parse(pattern).matches(name)}
        assert set(ids(service.query_records("w", pattern))) == expected


def test_patterns_take_what_the_reference_takes_on_every_database(service: Service, workflow_id: str) -> None:
    names = [first + second for first in ["", *"ab_%*?,.1A\\["] for second in "ab_%*?,.1A\\["]
    service.create_records(workflow_id, [{"record_id": name} for name in names])
    for pattern in [[name] for name in names] + [["a*", "?_"], ["*%", "[*"], ["\\?"]]:
        expected = {name for name in names if patterns.parse(pattern).matches(name)}
        assert set(ids(service.query_records(workflow_id, pattern, columns=["record_id"]))) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": "status"}, r"takes a list such as \['status'\]"),
        ({"columns": 5}, "takes a list of record columns and paths"),
        ({"columns": [1]}, "takes a list of record columns and paths"),
        ({"columns": ["fields.a"], "flatten": False}, "leave out flatten=False"),
    ],
)
def test_a_choice_of_columns_that_is_none_says_what_is_meant(
    service: Service, workflow_id: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(toolkit.InvalidOption, match=said):
        service.query_records(workflow_id, **options)
