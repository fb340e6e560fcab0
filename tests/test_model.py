"""The filters as people give them, and the frozen values that come back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import patterns
from toolkit.errors import AlreadyDone, InvalidOption, InvalidPattern
from toolkit.model import (
    Bound,
    DataStats,
    Receipt,
    RecordFilter,
    RecordFilterOptions,
    VariableFilter,
    counted,
    rows_counted,
)

AT = dt.datetime(2026, 11, 16, 2, tzinfo=dt.UTC)


def test_no_filter_takes_everything() -> None:
    assert RecordFilter.of() == RecordFilter()
    assert RecordFilter.of(None) == RecordFilter()
    assert RecordFilter.of("a*,*") == RecordFilter()
    assert RecordFilter.of(**dict.fromkeys(RecordFilterOptions.__annotations__)) == RecordFilter()
    assert VariableFilter.of() == VariableFilter.of("*") == VariableFilter()


def test_every_filter_is_read() -> None:
    assert RecordFilter.of(
        "email_*", ids=["a", "b"], record_type="email", status=["failed", "complete"], node="loop", contains="Ab"
    ) == RecordFilter(
        pattern=patterns.parse("email_*"),
        ids=("a", "b"),
        record_type=("email",),
        status=("failed", "complete"),
        node=("loop",),
        contains="Ab",
    )
    assert VariableFilter.of("x,y", keys=("a",), contains="b", node=0, category="node") == VariableFilter(
        pattern=patterns.parse(["x", "y"]), keys=("a",), contains="b", node=0, category="node"
    )


@pytest.mark.parametrize(
    ("name", "column", "operator"),
    [
        ("since", "updated_at", ">="),
        ("created_after", "created_at", ">="),
        ("created_before", "created_at", "<"),
        ("updated_after", "updated_at", ">="),
        ("updated_before", "updated_at", "<"),
        ("processed_after", "processed_at", ">="),
        ("processed_before", "processed_at", "<"),
    ],
)
def test_a_time_filter_is_a_bound_of_one_column(name: str, column: str, operator: str) -> None:
    assert RecordFilter.of(**{name: AT}).bounds == (Bound(column, operator, AT),)
    assert RecordFilter.of(**{name: "2h"}).bounds == (Bound(column, operator, dt.timedelta(hours=2)),)
    with pytest.raises(InvalidOption, match=f"^{name}='soon' is no point in time"):
        RecordFilter.of(**{name: "soon"})


@pytest.mark.parametrize(
    "values", [["b", "a", "b"], ("b", "a"), pd.Series(["b", "a", "a"]), iter("ba"), {"b": 1, "a": 2}.keys()]
)
def test_literal_names_come_from_any_list_and_keep_their_order(values: Any) -> None:
    assert RecordFilter.of(ids=values).ids == ("b", "a")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_literal_names_are_never_patterns(names: list[str]) -> None:
    unique = tuple(dict.fromkeys(names))
    assert RecordFilter.of(ids=names).ids == unique
    assert VariableFilter.of(keys=names).keys == unique
    assert RecordFilter.of(status=names).status == unique


def test_an_empty_list_is_a_selection_of_nothing() -> None:
    chosen = RecordFilter.of([], ids=[], record_type=[], status=(), node=[])
    assert (chosen.ids, chosen.record_type, chosen.status, chosen.node) == ((), (), (), ())
    assert chosen.pattern is not None
    assert chosen.pattern.takes_nothing
    assert VariableFilter.of(keys=[]).keys == ()


def test_a_frame_as_it_was_read_names_its_rows() -> None:
    records = pd.DataFrame({"status": ["failed", "failed"], "record_id": ["a_2", "a_1"]})
    variables = pd.DataFrame({"key": ["x", "y"], "value": [1, 2]})
    assert RecordFilter.of(ids=records).ids == ("a_2", "a_1")
    assert VariableFilter.of(keys=variables).keys == ("x", "y")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="this one has no column 'record_id'"):
        RecordFilter.of(ids=variables)
    with pytest.raises(InvalidOption, match=r"status= takes a list of texts or a column of a frame, not a frame$"):
        RecordFilter.of(status=records)


@pytest.mark.parametrize("name", ["ids", "record_type", "status", "node"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (5, "takes a text or a list of texts, not int"),
        (b"a", "takes a text or a list of texts, not bytes"),
        ({"a": 1}, "takes a text or a list of texts, not dict"),
        ([1], "takes texts, not 1"),
        (["a", None], "takes texts, not None"),
        ([["a"]], r"takes texts, not \['a'\]"),
        ([float("nan")], "takes texts, not nan"),
        (["a\0"], "cannot hold the NUL character"),
        (["\ud800"], "cannot hold a lone surrogate"),
    ],
)
def test_a_literal_filter_that_is_no_list_of_texts_is_refused(name: str, values: Any, message: str) -> None:
    with pytest.raises(InvalidOption, match=message) as caught:
        RecordFilter.of(**{name: values})
    assert f"{name}=" in str(caught.value)


def test_one_text_as_a_list_of_ids_is_refused() -> None:
    with pytest.raises(InvalidOption, match=r"ids= takes a list of texts; for one, give \['email_001'\]"):
        RecordFilter.of(ids="email_001")
    with pytest.raises(InvalidOption, match=r"keys= takes a list of texts; for one, give \['x'\]"):
        VariableFilter.of(keys="x")


@pytest.mark.parametrize("text", ["", 5, b"a", ["a"], True])
def test_a_search_needs_a_text(text: Any) -> None:
    with pytest.raises(InvalidOption, match="contains= takes a text of at least one character"):
        RecordFilter.of(contains=text)
    with pytest.raises(InvalidOption, match="contains= takes a text of at least one character"):
        VariableFilter.of(contains=text)


@pytest.mark.parametrize("text", ["a\0", "\ud800"])
def test_a_search_for_what_no_key_holds_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption, match="a text in contains= cannot hold"):
        VariableFilter.of(contains=text)


def test_a_filter_that_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidOption, match=r"no filter is called 'state'; filters are ids, record_type, status, node"):
        RecordFilter.of(status="failed", state="failed", zone="x")


@pytest.mark.parametrize("pattern", ["", "a,,b", [""]])
def test_an_empty_pattern_is_refused(pattern: Any) -> None:
    with pytest.raises(InvalidPattern, match="empty"):
        RecordFilter.of(pattern)
    with pytest.raises(InvalidPattern, match="empty"):
        VariableFilter.of(pattern)


@pytest.mark.parametrize("category", ["Node", "", "nodes", 5, ["node"]])
def test_a_category_that_does_not_exist_is_refused(category: Any) -> None:
    with pytest.raises(InvalidOption, match="is none of iteration, node, custom"):
        VariableFilter.of(category=category)


@pytest.mark.parametrize("node", [-1, 1.0, "4", True, None, np.float64(4), np.bool_(True)])  # noqa: FBT003
def test_a_node_is_a_position(node: Any) -> None:
    if node is None:
        assert VariableFilter.of(node=node).node is None
        return
    with pytest.raises(InvalidOption, match="is no position of a node, such as 4"):
        VariableFilter.of(node=node)


def test_a_position_from_a_frame_is_a_position() -> None:
    found = VariableFilter.of(node=np.int64(4)).node  # type: ignore[arg-type]
    assert found == 4
    assert type(found) is int


def test_filters_are_frozen_and_compare_by_value() -> None:
    chosen = RecordFilter.of("a*", status="failed")
    assert chosen == RecordFilter.of(["a*"], status=["failed"])
    assert hash(chosen) == hash(RecordFilter.of("a*", status="failed"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        chosen.status = None  # type: ignore[misc]


def test_filters_combine_with_and(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.create_records(
        workflow_id,
        [
            {"record_id": "email_1", "status": "failed", "iteration_node_alias": "loop"},
            {"record_id": "email_2", "status": "complete"},
            {"record_id": "EMAIL_3", "status": "failed"},
            {"record_id": "temp_1", "status": "failed", "iteration_node_alias": "loop"},
            {"record_id": "é%_1", "status": "Failed"},
        ],
    )

    def chosen(*pattern: Any, **filters: Any) -> set[str]:
        return set(service.query_records(workflow_id, *pattern, **filters)["record_id"])

    assert chosen("email_*", status="failed") == {"email_1"}
    assert chosen(status="failed", node="loop", record_type=["temp", "email"]) == {"email_1", "temp_1"}
    assert chosen(status=["failed", "Failed"], contains="_1") == {"email_1", "temp_1", "é%_1"}
    assert chosen(contains="EMAIL") == {"email_1", "email_2", "EMAIL_3"}
    assert chosen(contains="email") == {"email_1", "email_2", "EMAIL_3"}
    assert chosen(contains="%_") == {"é%_1"}
    assert chosen(contains="*") == set()
    assert chosen("*", ids=["email_1", "nobody"], status="failed") == {"email_1"}
    assert chosen(ids=["email_*"]) == set()
    assert chosen(ids=service.query_records(workflow_id, "temp_*")) == {"temp_1"}
    assert chosen(status=[]) == set()


STATS = DataStats(
    "w",
    variable_types={"number": 2, "string": 1},
    variable_categories={"node": 1, "custom": 2},
    records={("email", "failed"): 2, ("email", "complete"): 1, ("temp", "failed"): 1, ("temp", None): 3},
)


def test_stats_add_up() -> None:
    assert (STATS.variables_total, STATS.records_total) == (3, 7)
    assert STATS.by_type == {"temp": 4, "email": 3}
    assert STATS.by_status == {"(no status)": 3, "failed": 3, "complete": 1}
    assert STATS.to_dict() == {
        "variables": {
            "total": 3,
            "types": {"number": 2, "string": 1},
            "categories": {"iterationVariables": 0, "nodeVariables": 1, "customVariables": 2},
        },
        "records": {"total": 7, "byType": STATS.by_type, "byStatus": STATS.by_status},
    }
    assert str(STATS) == "workflow w: 7 records and 3 variables ((no status) 3, failed 3, complete 1)"
    assert str(DataStats("w")) == "workflow w: 0 records and 0 variables"


def test_a_notebook_shows_hostile_names_as_text() -> None:
    page = DataStats("<script>w", {"<script>t": 1}, {}, {("<script>r", "<script>s"): 1})._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_receipt_is_undone_by_what_made_it() -> None:
    undone = Receipt("c2", "w", "undo", records=3)
    receipt = Receipt("c1", "w", "clear", variables=1, records=3, undo_by={"c1": undone}.__getitem__)
    assert receipt.undo() is undone
    assert receipt.total == 4
    assert str(receipt) == "clear c1: 3 records and 1 variable"
    assert receipt == Receipt("c1", "w", "clear", variables=1, records=3)
    assert set(receipt.to_dict()) == {"id", "workflow_id", "kind", "variables", "records", "archived"}


@pytest.mark.parametrize(
    "receipt",
    [
        Receipt("c1", "w", "clear", records=3),
        Receipt("c1", "w", "clear", records=3, archived=False, undo_by=lambda _: Receipt("c2", "w", "undo")),
        Receipt("c1", "w", "undo", records=3, undo_by=lambda _: Receipt("c2", "w", "undo")),
    ],
)
def test_what_cannot_come_back_says_so(receipt: Receipt) -> None:
    with pytest.raises(AlreadyDone, match="cannot be undone"):
        receipt.undo()


def test_numbers_stand_with_their_nouns() -> None:
    assert [counted(number, "row") for number in (0, 1, 2, 1200)] == ["0 rows", "1 row", "2 rows", "1,200 rows"]
    assert rows_counted(1, 0) == "1 record and 0 variables"
