"""Many runs: each definition on hand-made strips."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from toolkit.analysis import history, pass_rates
from toolkit.analysis.outcomes import HISTORY_DTYPES, PASS_RATE_DTYPES
from toolkit.errors import InvalidOption

DAY = pd.Timestamp("2026-01-05", tz="UTC")
STATUS = {"P": "complete", "F": "failed", "S": "skipped", "?": "processing", "R": "complete"}
STRIPS = st.lists(st.text("PFS?-", min_size=6, max_size=6), min_size=1, max_size=4)


def runs(*strips: str) -> dict[str, pd.DataFrame]:
    """Make a run per letter of the strips, and a record per strip; R is a pass after a retry."""
    made = {}
    for number in range(len(strips[0])):
        letters = {f"r{row}": strip[number] for row, strip in enumerate(strips) if strip[number] != "-"}
        made[f"run {number:02}"] = pd.DataFrame(
            {
                "record_id": pd.Series(list(letters), dtype="str"),
                "record_type": "test",
                "status": pd.Series([STATUS[letter] for letter in letters.values()], dtype="str"),
                "retry_count": pd.Series([int(letter == "R") for letter in letters.values()], dtype="Int64"),
                "created_at": DAY + pd.Timedelta(number, "D"),
            }
        )
    return made


def follow(strip: str) -> dict[str, Any]:
    # A second record is in every run, so that no run is empty.
    table = history(
        runs(strip, "P" * len(strip)), starts={f"run {n:02}": DAY + pd.Timedelta(n, "D") for n in range(20)}
    )
    rows: list[Any] = table.to_dict("records")
    found: dict[str, Any] = rows[0]
    return found


def test_a_strip_shows_a_letter_for_each_run() -> None:
    row = follow("PFS?-R")
    assert row["strip"] == "PFS?-P"
    assert (row["runs"], row["decided"], row["passed"], row["failed"], row["pass_rate"]) == (5, 3, 2, 1, 2 / 3)


@pytest.mark.parametrize(
    ("strip", "flaky"),
    [
        ("PFPPP", True),
        ("PFPP", False),  # four decided runs are not enough
        ("PPPFF", False),  # one switch
        ("P-F-PSP?P", True),  # only decided runs count
        ("P----F---P", False),
        ("R", True),  # both outcomes within one run
        ("PR" + "P" * 9, True),
        ("R" + "P" * 10, False),  # longer ago than ten decided runs
        ("PFP" + "P" * 9, False),
        ("PF" + "P" * 9, False),  # the switch to F is older than ten runs, the one back is one switch
        ("FP" + "FP" + "P" * 7, True),
    ],
)
def test_flaky_means_both_outcomes_in_a_run_or_two_switches_in_the_last_ten(strip: str, flaky: bool) -> None:
    assert follow(strip)["flaky"] is flaky


@pytest.mark.parametrize(
    ("strip", "broken"),
    [("FFF", True), ("PFFF", True), ("FF", False), ("F-FSF", True), ("FFFP", False), ("FFF-", True)],
)
def test_broken_means_the_last_three_decided_runs_failed(strip: str, broken: bool) -> None:
    assert follow(strip)["broken"] is broken


@pytest.mark.parametrize(
    ("strip", "new", "fixed"),
    [
        ("PF", True, False), ("FF", False, False), ("F", True, False), ("--F", True, False), ("P-F", True, False),
        ("FP", False, True), ("F-P", False, True), ("FS", False, False), ("F-", False, False), ("PF-", False, False),
        ("P", False, False), ("F?P", False, True),
    ],
)  # fmt: skip
def test_new_and_fixed_are_about_the_last_run_and_the_decided_one_before(strip: str, new: bool, fixed: bool) -> None:
    row = follow(strip)
    assert (row["new"], row["fixed"]) == (new, fixed)


@pytest.mark.parametrize(
    ("strip", "age", "days", "first"),
    [
        ("PFFF", 3, 2.0, "run 01"),
        ("PF-F-", 2, 3.0, "run 01"),  # missing is no pass: the failure grows older
        ("FPF", 1, 0.0, "run 02"),
        ("FS-", 1, 2.0, "run 00"),
    ],
)
def test_a_failure_has_an_age_in_runs_and_days(strip: str, age: int, days: float, first: str) -> None:
    row = follow(strip)
    assert (row["failing"], row["age_runs"], row["age_days"], row["first_failed_in"]) == (True, age, days, first)


@pytest.mark.parametrize("strip", ["P", "FP", "F-P-", "S", "PF"[:1] + "-"])
def test_what_does_not_fail_has_no_age(strip: str) -> None:
    row = follow(strip)
    assert row["failing"] is False
    assert pd.isna([row["age_runs"], row["age_days"], row["first_failed_in"]]).all()


@given(STRIPS)
def test_the_counts_of_a_strip_are_those_of_its_letters(strips: list[str]) -> None:
    starts = {f"run {n:02}": DAY + pd.Timedelta(n, "D") for n in range(6)}
    table = history(runs(*strips), starts=starts)
    seen = [strip for strip in strips if set(strip) != {"-"}]
    assert table["strip"].tolist() == seen
    for row, strip in zip(table.to_dict("records"), seen, strict=True):
        assert (row["passed"], row["failed"]) == (strip.count("P"), strip.count("F"))
        assert row["runs"] == len(strip) - strip.count("-")
        decided = [letter for letter in strip if letter in "PF"]
        assert row["failing"] is (decided[-1:] == ["F"])
        assert row["broken"] is (decided[-3:] == ["F", "F", "F"])
        assert not (row["new"] and row["fixed"])


def test_a_missing_shard_makes_nothing_flaky_or_fixed() -> None:
    """Three shards of one run, of which one is missing in some of the runs."""
    table = history(runs("PPPPPPPP", "FF-FFF-F", "PP-P-P-P"), starts=None)
    assert table["strip"].tolist() == ["PPPPPPPP", "FF-FFF-F", "PP-P-P-P"]
    assert not table["flaky"].any()
    assert not table["fixed"].any()
    assert not table["new"].any()


def test_a_record_that_stands_twice_in_a_run_failed_there_when_one_of_them_failed() -> None:
    one, other = runs("PF")["run 00"], runs("PF")["run 01"].assign(created_at=DAY)
    table = history({"run": pd.concat([one, other])})
    assert table["strip"].tolist() == ["F"]


def test_runs_are_ordered_by_their_start_then_by_name() -> None:
    named = dict(reversed(runs("PF-").items()))
    assert history(named, starts={"run 02": DAY + pd.Timedelta(2, "D")})["strip"].tolist() == ["PF-"]
    late = {"run 00": (DAY + pd.Timedelta(9, "D")).tz_localize(None), "run 02": DAY}
    assert history(named, starts=late)["strip"].tolist() == ["-FP"]
    assert history(named, starts=dict.fromkeys(named, DAY))["strip"].tolist() == ["PF-"]


def test_one_frame_of_several_workflows_is_as_good() -> None:
    named = runs("PFPPF", "PPPPP")
    together = pd.concat([records.assign(workflow_id=name) for name, records in named.items()], ignore_index=True)
    assert_frame_equal(history(together), history(named))
    assert_frame_equal(pass_rates(together), pass_rates(named))


def test_records_are_followed_by_another_column() -> None:
    monday = runs("PF"[:1])["run 00"].assign(**{"fields.mail": "m1"})
    tuesday = runs("PF")["run 01"].assign(record_id="recycled", **{"fields.mail": "m1"})
    table = history({"monday": monday, "tuesday": tuesday}, on="fields.mail")
    assert table[["fields.mail", "strip"]].to_numpy().tolist() == [["m1", "PF"]]


def test_a_run_without_a_start_is_named() -> None:
    frames = {name: pd.DataFrame({"record_id": ["a"], "status": ["failed"]}) for name in ("a", "b")}
    with pytest.raises(InvalidOption, match=r"when the run 'a' began: give starts="):
        history(frames)
    with pytest.raises(InvalidOption, match="no column 'status'"):
        history({"a": frames["a"].drop(columns="status")})


def test_what_is_skipped_open_or_missing_is_no_pass() -> None:
    table = pass_rates(runs("PFS?-", "PFS?P"), starts=None)
    assert table["pass_rate"].astype(object).where(table["pass_rate"].notna(), None).tolist() == [
        1.0,
        0.0,
        None,
        None,
        1.0,
    ]
    assert table["other"].tolist() == [0, 0, 0, 2, 0]
    assert table["records"].tolist() == [2, 2, 2, 2, 1]


@pytest.mark.parametrize(
    "empty", [{}, {"a": runs("P")["run 00"].iloc[:0]}, runs("P")["run 00"].assign(workflow_id="a").iloc[:0]]
)
def test_empty_frames_give_empty_tables_of_the_same_dtypes(empty: Any) -> None:
    table = history(empty)
    assert len(table) == 0
    assert table.drop(columns="record_id").dtypes.astype(str).to_dict() == HISTORY_DTYPES
    assert pass_rates(empty).dtypes.astype(str).to_dict() == PASS_RATE_DTYPES


def test_no_input_is_changed() -> None:
    named = runs("PFPPF", "P-PFS")
    copies = {name: records.copy(deep=True) for name, records in named.items()}
    table = history(named)
    table.loc[:, "strip"] = "gone"
    pass_rates(named)
    for name, records in named.items():
        assert_frame_equal(records, copies[name])
