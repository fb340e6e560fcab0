"""What changed between two runs: outcomes, content, hidden values, keys that recycle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from toolkit.analysis import RunDiff, compare
from toolkit.analysis.cells import differ, masked
from toolkit.errors import InvalidOption
from toolkit.masking import HIDDEN

START = pd.Timestamp("2026-01-05 06:00", tz="UTC")
STATUSES = st.sampled_from(["complete", "failed", "skipped", "processing", None])
RUNS = st.dictionaries(st.sampled_from("abcdef"), STATUSES, max_size=6)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=4,
)


def run(ids: Any, statuses: Any = "complete", **columns: Any) -> pd.DataFrame:
    records = pd.DataFrame({"record_id": pd.Series(list(ids), dtype="str")})
    records["status"] = pd.Series(statuses if isinstance(statuses, list) else [statuses] * len(records), dtype="str")
    return records.assign(record_type="email", **columns)


def ids(table: pd.DataFrame) -> list[str]:
    return list(table["record_id"])


def compared(one: list[Any], other: list[Any]) -> RunDiff:
    names = [f"r{place}" for place in range(len(one))]
    before, after = (run(names, value=pd.Series(values, dtype="object")) for values in (one, other))
    return compare(before, after)


def test_every_outcome_has_its_frame() -> None:
    before = run("abcdefg", ["complete", "failed", "failed", "failed", "failed", "complete", "skipped"])
    after = run("bacdehg", ["complete", "failed", "failed", "skipped", "processing", "failed", "complete"])
    diff = compare(before, after)
    assert ids(diff.newly_failed) == ["a"]
    assert ids(diff.fixed) == ["b"]
    assert ids(diff.still_failing) == ["c"]
    assert ids(diff.unsettled) == ["d", "e"]
    assert (ids(diff.added), ids(diff.missing)) == (["h"], ["f"])
    assert diff.added["status"].tolist() == ["failed"]
    assert diff.counts.to_dict() == {
        "added": 1, "missing": 1, "newly_failed": 1, "fixed": 1, "still_failing": 1, "unsettled": 2, "slower": 0,
        "variables": 0,
    }  # fmt: skip
    assert diff.transitions.loc["(missing)", "failed"] == 1
    assert diff.transitions.loc["complete", "(missing)"] == 1
    assert diff.transitions.loc["failed", "complete"] == 1


def test_a_failure_that_is_missing_now_is_not_fixed() -> None:
    diff = compare(run("ab", "failed"), run("b"))
    assert ids(diff.fixed) == ["b"]
    assert ids(diff.missing) == ["a"]


@given(RUNS, RUNS)
def test_each_record_and_each_failure_is_accounted_for_once(one: dict[str, Any], other: dict[str, Any]) -> None:
    diff = compare(run(one, list(one.values())), run(other, list(other.values())))
    assert diff.transitions.to_numpy().sum() == len(set(one) | set(other))
    assert set(ids(diff.added)) == set(other) - set(one)
    assert set(ids(diff.missing)) == set(one) - set(other)
    failed_before = {name for name, status in one.items() if status == "failed"}
    settled = [*ids(diff.fixed), *ids(diff.still_failing), *ids(diff.unsettled)]
    assert sorted([*settled, *(name for name in ids(diff.missing) if name in failed_before)]) == sorted(failed_before)
    assert set(ids(diff.newly_failed)) == {
        name for name in set(one) & set(other) if other[name] == "failed" and one[name] != "failed"
    }


@given(RUNS)
def test_a_run_compared_with_itself_has_no_change(one: dict[str, Any]) -> None:
    records = run(one, list(one.values()), size=1.5)
    diff = compare(records, records.iloc[::-1])
    changed = diff.counts.drop("still_failing")
    assert not changed[changed > 0].to_dict()
    assert diff.changes.empty
    assert diff.changed_paths.empty


def test_causes_are_named_together_for_both_runs() -> None:
    before = run(
        "ab", "failed", error_message=["there is no element with the label Name in the form", "Timeout after 3 s"]
    )
    after = run(
        "ab", "failed", error_message=["there is no element with the label Zip in the form", "request failed: 401"]
    )
    both = compare(before, after).still_failing
    same = both["cause_before"] == both["cause_after"]
    assert same.tolist() == [True, False]


def test_slower_needs_both_guards_and_a_pass_in_both_runs() -> None:
    def took(seconds: list[float], statuses: Any = "complete") -> pd.DataFrame:
        end = START + pd.to_timedelta(seconds, unit="s")
        return run("abcd", statuses, created_at=START, processed_at=end)

    before, after = took([1, 10, 0.1, 1]), took([3, 12, 0.9, 9], ["complete"] * 3 + ["failed"])
    slower = compare(before, after).slower
    assert ids(slower) == ["a"]
    assert slower[["before", "after", "ratio"]].iloc[0].tolist() == [1.0, 3.0, 3.0]
    assert ids(compare(before, after, ratio=1.2, at_least=0.5).slower) == ["c", "a", "b"]


# --- content ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "unequal"),
    [
        (1, 1.0, False), (1, True, True), (0, False, True), (1, "1", True), (None, None, False), (None, 0, True),
        (None, "", True), ([1, 2], [1.0, 2], False), ([1], [True], True), ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({}, [], True), (2**70, 2**70 + 1, True), ("x", "x", False),
    ],
)  # fmt: skip
def test_values_differ_as_json_values_do(one: Any, other: Any, unequal: bool) -> None:
    assert len(compared([one], [other]).changes) == unequal


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (pd.array([1, 2**53 + 1], "Int64"), pd.array([1.0, 2.0**53], "Float64"), [False, True]),
        (pd.array([True, None], "boolean"), pd.array([1, None], "Int64"), [True, False]),
        (pd.array(["1", None], "str"), pd.array([1, 2], "Int64"), [True, True]),
        (pd.array(["a", "b"], "str"), np.array(["a", ["b"]], dtype=object), [False, True]),
    ],
)
def test_columns_of_other_dtypes_are_compared_by_value(one: Any, other: Any, expected: list[bool]) -> None:
    assert differ(pd.Series(one), pd.Series(other)).tolist() == expected


@given(st.lists(st.tuples(JSON_VALUES, JSON_VALUES), max_size=5))
def test_two_values_are_equal_in_both_directions_and_to_themselves(pairs: list[tuple[Any, Any]]) -> None:
    one, other = (pd.Series([pair[side] for pair in pairs], dtype="object") for side in (0, 1))
    assert differ(one, other).tolist() == differ(other, one).tolist()
    assert not differ(one, one.copy()).any()


def test_changes_list_each_record_and_path_and_paths_count_them() -> None:
    before = run("ab", **{"fields.subject": ["x", "y"], "fields.size": [1, 2], "vars.gone": ["z", None]})
    after = run("ba", **{"fields.subject": ["y", "new"], "fields.size": [3, 1], "vars.new": [None, 5.0]})
    diff = compare(before, after)
    rows = diff.changes.astype(object).where(diff.changes.notna(), None).to_numpy().tolist()
    assert rows == [
        ["b", "fields.size", 2, 3],
        ["a", "fields.subject", "x", "new"],
        ["a", "vars.gone", "z", None],
        ["a", "vars.new", None, 5.0],
    ]
    assert diff.changed_paths["changed"].tolist() == [1, 1, 1, 1]
    assert ids(compare(before, after, ignore=["vars", "fields.size"]).changes) == ["a"]


def test_a_cut_list_of_changes_says_so_and_counts_go_on() -> None:
    diff = compare(run("abc", value=[1, 2, 3]), run("abc", value=[4, 5, 6]), limit=2)
    assert len(diff.changes) == 2
    assert diff.changed_paths["changed"].tolist() == [3]
    assert "changes lists 2 of 3 changed values; changed_paths counts them all." in diff.notes


# --- hidden values ----------------------------------------------------------------------------------


def test_a_hidden_value_without_its_digest_is_not_compared() -> None:
    before = run("abc", **{"vars.token": [HIDDEN, HIDDEN, None], "vars.list": [["k=[hidden]"], ["x"], ["y"]]})
    after = run("abc", **{"vars.token": [HIDDEN, "shown", HIDDEN], "vars.list": [["k=[hidden]"], ["x"], ["y"]]})
    diff = compare(before, after)
    assert diff.changes[["record_id", "path"]].to_numpy().tolist() == [["c", "vars.token"]]
    counted = diff.changed_paths.set_index("path")["not_compared"].to_dict()
    assert counted == {"vars.token": 2, "vars.list": 1}
    assert diff.notes == ("3 hidden values were not compared.",)


def test_digests_decide_about_hidden_values_and_the_mask_is_shown() -> None:
    before, after = run("abc", **{"vars.token": HIDDEN}), run("cab", **{"vars.token": HIDDEN})
    digests = pd.DataFrame({"vars.token": ["1", "2", "3"]}), pd.DataFrame({"vars.token": ["3", "1", "9"]})
    diff = compare(before, after, digests=digests)
    assert diff.changes.to_numpy().tolist() == [["b", "vars.token", HIDDEN, f"{HIDDEN} (differs)"]]
    assert diff.notes == ()
    with pytest.raises(InvalidOption, match="digests has 2 rows for a frame of 3"):
        compare(before, after, digests=(digests[0].head(2), digests[1]))


def test_masks_are_found_wherever_they_stand() -> None:
    cells = pd.Series([HIDDEN, "a", {"b": ["x [hidden] y"]}, 5, None], dtype="object")
    assert masked(cells).tolist() == [True, False, True, False, False]


def test_variables_are_compared_likewise() -> None:
    before = pd.DataFrame({"key": ["a", "b", "c", "t"], "value": pd.Series([1, [1], "x", HIDDEN], dtype="object")})
    after = pd.DataFrame({"key": ["d", "b", "a", "t"], "value": pd.Series([None, [1], 2, HIDDEN], dtype="object")})
    table = compare(run(""), run(""), variables=(before, after)).variables
    shown = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    assert shown == [
        ["a", "changed", 1, 2],
        ["c", "removed", "x", None],
        ["d", "added", None, None],
        ["t", "not compared", HIDDEN, HIDDEN],
    ]
    digests = tuple(pd.DataFrame({"value": values}) for values in (["1", "2", "3", "4"], ["5", "2", "6", "4"]))
    known = compare(run(""), run(""), variables=(before, after), variable_digests=(digests[0], digests[1])).variables
    assert known["key"].tolist() == ["a", "c", "d"]


# --- keys -------------------------------------------------------------------------------------------


def test_records_are_matched_by_another_column() -> None:
    before = run("ab", ["failed", "complete"], **{"fields.mail": ["m1", "m2"]})
    after = run("ab", ["failed", "complete"], **{"fields.mail": ["m2", "m3"]})
    diff = compare(before, after, on="fields.mail")
    assert diff.newly_failed["fields.mail"].tolist() == ["m2"]
    assert diff.added["fields.mail"].tolist() == ["m3"]
    assert "record_id" not in diff.changes["path"].tolist()


def test_recycled_ids_are_noticed_and_a_better_column_is_named() -> None:
    names = [f"email_{place}" for place in range(6)]
    mails = [f"m{place}" for place in range(7)]
    before = run(names, **{"fields.subject": list("uvwxyz"), "fields.mail": mails[:6], "fields.box": "in"})
    after = run(names, **{"fields.subject": list("nopqrs"), "fields.mail": mails[1:], "fields.box": "in"})
    diff = compare(before, after)
    assert diff.recycled
    assert "try on='fields.mail'" in diff.notes[-1]
    assert not compare(before, after, on="fields.mail").recycled
    assert not compare(before, before.assign(**{"fields.subject": "other"})).recycled


def test_a_key_that_repeats_is_matched_in_order_and_said() -> None:
    before, after = run("aab", ["failed", "complete", "failed"]), run("aaa", ["complete", "complete", "failed"])
    diff = compare(before, after)
    assert ids(diff.fixed) == ["a"]
    assert (ids(diff.added), ids(diff.missing)) == (["a"], ["b"])
    assert "2 values of 'record_id' occur more than once in a run" in diff.notes[0]


def test_records_without_a_key_are_matched_with_none() -> None:
    before, after = run("ab", key=["x", None]), run("ab", key=[None, "x"])
    diff = compare(before, after, on="key")
    assert (len(diff.added), len(diff.missing)) == (1, 1)
    assert "2 records have no 'key'" in diff.notes[0]


@pytest.mark.parametrize(
    ("values", "message"), [([HIDDEN, "a"], "holds hidden values"), ([["x"], ["y"]], "arrays or objects")]
)
def test_a_column_that_names_nothing_is_refused(values: list[Any], message: str) -> None:
    records = run("ab", key=pd.Series(values, dtype="object"))
    with pytest.raises(InvalidOption, match=message):
        compare(records, records, on="key")
    with pytest.raises(InvalidOption, match="no column 'other'"):
        compare(records, records, on="other")


def test_nothing_but_the_key_is_needed_and_empty_frames_work() -> None:
    bare = pd.DataFrame({"record_id": ["a", "b"]})
    diff = compare(bare, bare.iloc[1:])
    assert ids(diff.missing) == ["a"]
    assert diff.transitions.to_numpy().sum() == 2
    empty = compare(run(""), run(""))
    assert repr(empty) == "RunDiff(0 → 0 records: nothing changed)"
    assert empty.changes.columns.tolist() == ["record_id", "path", "before", "after"]


def test_no_input_is_changed_whatever_is_done_with_the_result() -> None:
    before = run("abc", ["failed", "complete", "failed"], value=pd.Series([[1], [2], "[hidden]"], dtype="object"))
    after = run("bcd", "failed", value=pd.Series([[3], "[hidden]", [5]], dtype="object"))
    copies = before.copy(deep=True), after.copy(deep=True)
    diff = compare(before, after)
    diff.changes["before"] = None
    diff.added["status"] = "gone"
    assert_frame_equal(before, copies[0])
    assert_frame_equal(after, copies[1])
