from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from toolkit import analysis
from toolkit.analysis import CAUSE_DTYPES, DURATION_DTYPES, NO_MESSAGE
from toolkit.columns import NO_STATUS, NO_TYPE, RECORD_COLUMNS, TIME_COLUMNS
from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

START = pd.Timestamp("2026-01-05 06:00", tz="UTC")
DTYPES = {name: "datetime64[us, UTC]" if name in TIME_COLUMNS else "str" for name in RECORD_COLUMNS}
DTYPES["retry_count"] = "Int64"
FUNCTIONS: list[Callable[[pd.DataFrame], Any]] = [
    analysis.by_status,
    analysis.durations,
    analysis.causes,
    analysis.cause,
    analysis.explain,
    analysis.slowest,
    analysis.stuck,
    analysis.retries,
    analysis.error_rate,
    analysis.leftovers,
]


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """One record per row; what a row does not say is that of a complete e-mail that took a second."""
    usual = {
        "record_type": "email",
        "status": "complete",
        "iteration_node_alias": None,
        "error_message": None,
        "retry_count": 0,
        "created_at": START,
        "updated_at": START + pd.Timedelta(seconds=5),
        "processed_at": START + pd.Timedelta(seconds=1),
    }
    full = [{"record_id": f"email_{place}", **usual, **row} for place, row in enumerate(rows)]
    return pd.DataFrame(full, columns=list(RECORD_COLUMNS)).astype(DTYPES)


def failures(*messages: str | None) -> pd.DataFrame:
    return frame(*({"status": "failed", "error_message": message} for message in messages))


def signature(message: str) -> str:
    return str(analysis.causes(failures(message))["signature"].iloc[0])


def took(seconds: float | None, **more: Any) -> dict[str, Any]:
    end = None if seconds is None else START + pd.Timedelta(seconds=seconds)
    return {"processed_at": end, **more}


MIXED = frame(
    {"status": "failed", "error_message": "Timeout after 30 s"},
    {"status": None, "record_type": None, "error_message": " "},
    {"error_message": "left over"},
    {"status": "on hold", "processed_at": None},
)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("index", [range(4), [7, 7, 1, 0], list("dcba")])
def test_no_function_changes_its_input(function: Callable[[pd.DataFrame], Any], index: Any) -> None:
    records = MIXED.set_axis(pd.Index(index))
    before = records.copy(deep=True)
    result = function(records)
    assert_frame_equal(records, before)
    if len(result):
        result.iloc[:] = result.iloc[::-1].to_numpy()
    assert_frame_equal(records, before)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("empty", [frame(), MIXED.iloc[:0], pd.DataFrame(columns=list(RECORD_COLUMNS))])
def test_an_empty_frame_gives_an_empty_result(function: Callable[[pd.DataFrame], Any], empty: Any) -> None:
    assert len(function(empty)) == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_empty_and_full_frames_give_the_same_dtypes(function: Callable[[pd.DataFrame], Any]) -> None:
    full, empty = function(MIXED), function(MIXED.iloc[:0])
    if isinstance(full, pd.Series):
        assert empty.dtype == full.dtype == "str"
    else:
        shared = [name for name in full.columns if name in empty.columns]
        assert "total" in shared or len(shared) == len(full.columns)
        assert empty[shared].dtypes.equals(full[shared].dtypes)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_missing_column_is_named(function: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(InvalidOption, match=r"no column 'status'.*query_records"):
        function(MIXED.drop(columns="status"))


@pytest.mark.parametrize("backend", ["pyarrow", "numpy_nullable"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_other_backends_give_the_same_answer(function: Callable[[pd.DataFrame], Any], backend: Any) -> None:
    other, usual = function(MIXED.convert_dtypes(dtype_backend=backend)), function(MIXED)
    assert other.astype("str").to_numpy().tolist() == usual.astype("str").to_numpy().tolist()


# by_status


def test_statuses_stand_in_the_order_of_a_records_life_and_others_by_code_point() -> None:
    names = ["zeta", "failed", None, "complete", "Alpha", "discovered", "éta", "skipped", "processing"]
    table = analysis.by_status(frame(*({"status": name} for name in names)))
    engine, own = ["discovered", "processing", "complete", "failed", "skipped"], ["Alpha", "zeta", "éta"]
    assert list(table.columns) == [*engine, *own, NO_STATUS, "total"]
    assert table.columns.name == "status"
    assert set(table.dtypes.astype(str)) == {"Int64"}


def test_types_stand_by_code_point_and_the_missing_one_last() -> None:
    table = analysis.by_status(frame(*({"record_type": kind} for kind in (None, "zz", "B", "a"))))
    assert table.index.tolist() == ["B", "a", "zz", NO_TYPE]
    assert table.index.name == "record_type"


def test_a_status_called_total_does_not_hide_the_sum() -> None:
    table = analysis.by_status(frame({"status": "total"}, {"status": "complete"}))
    assert table.iloc[0].to_dict() == {"complete": 1, "total (status)": 1, "total": 2}


@given(
    st.lists(st.tuples(st.sampled_from(["email", "invoice", None]), st.sampled_from(["failed", "complete", "x", None])))
)
def test_every_record_is_counted_once(pairs: list[tuple[str | None, str | None]]) -> None:
    table = analysis.by_status(frame(*({"record_type": kind, "status": status} for kind, status in pairs)))
    assert table["total"].sum() == len(pairs)
    assert (table.drop(columns="total").sum(axis="columns") == table["total"]).all()


# durations, slowest


def test_durations_are_measured_per_type_and_status() -> None:
    records = frame(took(1), took(3), took(2, status="failed"), took(9, record_type="attachment"))
    table = analysis.durations(records)
    assert table[list(DURATION_DTYPES)[:6]].astype(object).to_numpy().tolist() == [
        ["attachment", "complete", 1, 9.0, 9.0, 9.0],
        ["email", "complete", 2, 2.0, 2.9, 3.0],
        ["email", "failed", 1, 2.0, 2.0, 2.0],
    ]
    assert table.dtypes.astype(str).to_dict() == DURATION_DTYPES


def test_negative_and_missing_durations_are_left_out() -> None:
    records = frame(took(-1), took(None), took(0))
    assert analysis.durations(records)["count"].tolist() == [1]
    assert analysis.slowest(records)["record_id"].tolist() == ["email_2"]


def test_the_slowest_keep_their_index_and_equal_ones_their_order() -> None:
    records = frame(took(1), took(5), took(3), took(5)).set_axis(list("abcd"))
    records.insert(0, "workflow_id", "nightly")
    table = analysis.slowest(records, n=3)
    assert table.index.tolist() == ["b", "d", "c"]
    assert table["duration"].tolist() == [5.0, 5.0, 3.0]
    assert list(table.columns)[:2] == ["workflow_id", "record_id"]
    assert analysis.slowest(records, n=0).empty


def test_a_negative_number_of_slowest_records_is_refused() -> None:
    with pytest.raises(InvalidOption, match="-1"):
        analysis.slowest(MIXED, n=-1)


def test_an_open_record_has_no_duration_whatever_a_former_run_left() -> None:
    records = frame(took(3, status="processing"), took(4, status="discovered"), took(5, status="on hold"))
    assert analysis.durations(records)["status"].tolist() == ["on hold"]


def test_queue_and_work_are_told_apart_where_the_begin_of_work_is_known() -> None:
    starts = [START + pd.Timedelta(seconds=second) for second in (1, 3, 99)]
    records = frame(took(4), took(4), took(4)).assign(**{"fields.began": starts})
    row = analysis.durations(records, started="fields.began").iloc[0]
    assert row[["p50", "queue_p50", "work_p50"]].tolist() == [4.0, 2.0, 2.0]
    assert analysis.durations(records)[["queue_p50", "work_p95"]].isna().all(axis=None)
    with pytest.raises(InvalidOption, match="no column 'began'"):
        analysis.durations(records, started="began")


def test_the_first_entry_of_the_history_says_when_work_began() -> None:
    histories = [[{"time": "2026-01-05T06:00:01Z"}, {"time": "2026-01-05T06:00:09Z"}], [], "[hidden]", [{"time": 5}]]
    records = frame(*[took(4)] * 4).assign(history=pd.Series(histories, dtype="object"))
    row = analysis.durations(records).iloc[0]
    assert row[["count", "queue_p95", "work_p95"]].tolist() == [4, 1.0, 3.0]


# stuck


def test_stuck_is_what_waits_longer_than_the_p95_of_its_type() -> None:
    now = START + pd.Timedelta(seconds=105)
    claimed = {"status": "processing", "updated_at": START + pd.Timedelta(seconds=5), "processed_at": None}
    records = frame(
        took(50), took(100), {**claimed, "updated_at": START}, claimed, took(200, record_type="slow"),
        {**claimed, "record_type": "slow"}, {**claimed, "record_type": "unheard of"}, {"status": "failed"},
    ).set_axis(list("abcdefgh"))  # fmt: skip
    table = analysis.stuck(records, now=now)
    assert table.index.tolist() == ["c", "d"]
    assert table[["waited", "usual", "usual_of"]].to_numpy().tolist() == [
        [105.0, 95.0, "email"],
        [100.0, 95.0, "email"],
    ]
    later = analysis.stuck(records, now=(now + pd.Timedelta(minutes=5)).tz_localize(None).to_pydatetime())
    assert later["usual_of"].to_dict()["g"] == "all types"
    assert analysis.stuck(records.loc[["c"]], now=now).empty


# retries, error_rate


def test_retries_say_what_became_of_what_was_tried_again() -> None:
    records = frame(
        {"retry_count": 2},
        {"retry_count": 1, "status": "failed"},
        {"retry_count": None},
        {"retry_count": 1, "status": "x"},
        {"record_type": None},
    )
    assert analysis.retries(records).to_numpy().tolist() == [
        ["email", 4, 3, 4, 2, 1, 1, 0.75],
        [NO_TYPE, 1, 0, 0, 0, 0, 0, 0.0],
    ]


def test_the_error_rate_is_of_what_was_decided_in_each_interval() -> None:
    minutes = {0: "failed", 59: "complete", 30: "skipped", 60: "complete", 185: "failed"}
    records = frame(
        *({"status": status, "updated_at": START + pd.Timedelta(minutes=at)} for at, status in minutes.items()),
        {"status": "failed", "updated_at": None},
    )
    table = analysis.error_rate(records)
    assert table["time"].dt.hour.tolist() == [6, 7, 8, 9]
    assert table["decided"].tolist() == [2, 1, 0, 1]
    assert table["failed"].tolist() == [1, 0, 0, 1]
    assert table["rate"].fillna(-1).tolist() == [0.5, 0.0, -1.0, 1.0]
    assert analysis.error_rate(records, every="1D")["decided"].tolist() == [4]


@pytest.mark.parametrize("every", ["never", "-1h", "0s", "1us"])
def test_an_interval_that_is_none_or_far_too_short_is_refused(every: str) -> None:
    records = frame({"status": "failed"}, {"status": "failed", "updated_at": START + pd.Timedelta(days=1)})
    with pytest.raises(InvalidOption, match=f"every='{every}'"):
        analysis.error_rate(records, every=every)


# variables


def variables(**values: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"key": pd.Series(list(values), dtype="str"), "value": pd.Series(list(values.values()), dtype="object")}
    )


def test_variables_are_counted_by_category_and_type() -> None:
    kinds = [("node", "null"), ("custom", "string"), ("custom", "string"), ("iteration", "number"), (None, "number")]
    table = analysis.by_category(pd.DataFrame(kinds, columns=["category", "type"]))
    assert table.index.tolist() == ["custom", "node", "iteration", "(none)"]
    assert list(table.columns) == ["string", "number", "null", "total"]
    assert table["total"].tolist() == [2, 1, 1, 1]
    assert analysis.by_category(pd.DataFrame(columns=["category", "type"])).empty


def test_iterations_have_a_row_per_turn_of_a_loop() -> None:
    named = {"b@iter:28:10:35:2": [1], "b@iter:28:2:35:2": None, "a@iter:28:2:35:2": {"x": 1}, "a@iter:4:0": 5,
             "total": 3, "iteration@iter:4:0": "own"}  # fmt: skip
    table = analysis.iterations(variables(**named))
    assert table["iteration"].tolist() == ["4:0", "28:2:35:2", "28:10:35:2"]
    assert table["indexes"].tolist() == [(0,), (2, 2), (10, 2)]
    assert list(table.columns) == ["iteration", "positions", "indexes", "a", "b", "iteration (variable)"]
    assert table["a"].tolist() == [5, {"x": 1}, None]
    assert table["b"].tolist() == [None, None, [1]]
    assert analysis.iterations(variables(total=3)).empty
    several = pd.concat([variables(**{"a@iter:4:0": number}).assign(workflow_id=f"w{number}") for number in (1, 2)])
    assert analysis.iterations(several)[["workflow_id", "a"]].to_numpy().tolist() == [["w1", 1], ["w2", 2]]


# leftovers


def test_only_a_message_without_failure_is_left_over() -> None:
    left = analysis.leftovers(MIXED)
    assert left["record_id"].tolist() == ["email_2"]
    assert list(left.columns) == list(RECORD_COLUMNS)


# causes


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Timeout after 30 s", "Timeout after <duration>"),
        ("waited 1 h 20 min, then 1500ms", "waited <duration>, then <duration>"),
        ("row -5 of 1,000,000 is 3.5e-7", "row <number> of <number> is <number>"),
        ("email_017 not found in node4.result", "email_<number> not found in node<number>.result"),
        ("GET https://api.example.com/v1/x?id=5#a failed", "GET <url> failed"),
        ("could not open '/tmp/a.txt': gone", "could not open <path>: gone"),
        (r"at C:\Users\me\x.txt:12", "<path>"),
        ("src/app/main.py:12:3: bad", "<path>: bad"),
        ("no 6f1c2a34-9b7e-4d15-8a2b-0123456789ab here", "no <uuid> here"),
        ("object deadbeef0badf00d at 0x7f3a", "object <hex> at <hex>"),
        ("from 2026-01-05T06:00:00.123Z to 2026-01-05", "from <date> to <date>"),
        ("Mon, 05 Jan 2026 06:00:00 +0000 is late", "<date> is late"),
        ("at 12:30:05", "at <time>"),
        ("10.0.0.1:5432 refused it", "<address> refused it"),
        ("bob.smith+x@example.co.uk bounced", "<email> bounced"),
        ("can't find 'it's here' or “that” or `this`", "can't find <text> or <text> or <text>"),
        ("HTTP 503 in 3 s", "HTTP 503 in <duration>"),
        ("HTTP Error 404: Not Found", "HTTP Error 404: Not Found"),
        ("exited with code 137 after 4 tries", "exited with code 137 after <number> tries"),
        ("password [hidden] refused", "password [hidden] refused"),
        ("  many \t spaces ", "many spaces"),
        ("\r\n\n=====\n\nthe point 1\r\nthe rest", "the point <number>"),
        ("Error:\n   boom", "Error: boom"),
        ("-----\n====", "===="),
        ('Traceback (most recent call last):\n  File "x.py", line 3\n    f()\n\nValueError: bad', "ValueError: bad"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("<script>alert(1)</script>", "<script>alert(<number>)</script>"),
        ("", NO_MESSAGE),
        (" \n ", NO_MESSAGE),
    ],
)
def test_what_differs_from_failure_to_failure_becomes_a_placeholder(message: str, expected: str) -> None:
    assert signature(message) == expected


def test_codes_that_say_what_happened_are_kept_apart() -> None:
    messages = ["HTTP 404 for page 1", "HTTP 503 for page 2", "HTTP 404 for page 3"]
    assert analysis.causes(failures(*messages))["count"].tolist() == [2, 1]


def test_a_failure_without_a_message_is_still_counted() -> None:
    table = analysis.causes(failures(None, "", "boom"))
    assert table["count"].sum() == 3
    silent = table[table["signature"] == NO_MESSAGE].iloc[0]
    assert silent["count"] == 2
    assert pd.isna(silent["example"])


def test_a_message_that_reads_no_message_is_another_cause() -> None:
    table = analysis.causes(failures(None, NO_MESSAGE))
    assert table["cause"].nunique() == 2


def test_only_the_status_failed_is_a_failure() -> None:
    statuses = ["failed", "Failed", "error", None, "complete"]
    records = frame(*({"status": status, "error_message": "boom"} for status in statuses))
    assert analysis.causes(records)["count"].tolist() == [1]
    assert analysis.cause(records).notna().tolist() == [True, False, False, False, False]


def test_a_cause_says_how_often_where_and_when() -> None:
    later = START + pd.Timedelta(days=1)
    records = frame(
        {"status": "failed", "error_message": "Timeout after 1 s\n  at f", "updated_at": later},
        {"status": "failed", "error_message": "broken"},
        {"status": "failed", "error_message": "Timeout after 2 s", "record_type": "attachment", "updated_at": START},
        *({"status": "failed", "error_message": "Timeout after 3 s", "record_type": None} for _ in range(2)),
    )
    table = analysis.causes(records)
    first = table.iloc[0].to_dict()
    assert table.dtypes.astype(str).to_dict() == CAUSE_DTYPES
    assert first.pop("cause") == analysis.cause(records).iloc[0]
    assert first == {
        "signature": "Timeout after <duration>",
        "count": 4,
        "share": 0.8,
        "record_types": ["attachment", "email", NO_TYPE],
        "first_seen": START,
        "last_seen": later,
        "sample_ids": ["email_0", "email_2", "email_3"],
        "example": "Timeout after 1 s\n  at f",
        "signatures": ["Timeout after <duration>"],
    }


def test_the_most_frequent_cause_comes_first_and_equal_ones_by_signature() -> None:
    table = analysis.causes(failures("b", "c", "a", "c"))
    assert table["signature"].tolist() == ["c", "a", "b"]


def test_the_id_of_a_cause_is_the_same_in_every_run() -> None:
    assert analysis.cause(failures("Timeout after 30 s")).tolist() == ["78355b8cf2"]
    assert analysis.cause(failures("other", "Timeout after 9 min")).tolist()[1] == "78355b8cf2"


def test_causes_stand_on_the_index_of_the_frame_even_when_labels_repeat() -> None:
    records = MIXED.set_axis([3, 3, 1, 1])
    named = analysis.cause(records)
    assert named.index.tolist() == [3, 3, 1, 1]
    assert named.notna().tolist() == [True, False, False, False]
    assert named.name == "cause"


def test_a_very_long_message_is_cut_in_the_signature_and_whole_in_the_example() -> None:
    message = "wörd " * 3000
    row = analysis.causes(failures(message)).iloc[0]
    assert len(row["signature"]) == 200
    assert row["signature"].endswith("…")
    assert row["example"] == message


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_has_a_cause_and_its_own_frame_agrees(messages: list[str]) -> None:
    valid = [text.encode("utf-8", "ignore").decode() for text in messages]
    records = failures(*valid)
    table, named = analysis.causes(records), analysis.cause(records)
    assert_series_equal(
        named.value_counts().sort_index().astype("Int64"),
        table.set_index("cause")["count"].sort_index(),
        check_names=False,
        check_index_type=False,
    )


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_never_make_two_causes(one: int, other: int) -> None:
    texts = [f"row {number} of batch{number} took {number} s" for number in (one, other)]
    first, second = analysis.cause(failures(*texts))
    assert first == second


@given(st.uuids(), st.datetimes(min_value=datetime(1000, 1, 1)), st.from_regex(r"[a-z0-9.+]{1,20}", fullmatch=True))  # noqa: DTZ001 - a time without a zone is the point
def test_ids_times_and_addresses_never_make_two_causes(name: UUID, time: datetime, mail: str) -> None:
    text = f"{name} from {mail}@example.com at {time:%Y-%m-%dT%H:%M:%SZ} failed"
    assert signature(text) == "<uuid> from <email> at <date> failed"
