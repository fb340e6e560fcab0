"""Iteration variables: parsed, judged and cleaned up; the variables as text; clearing in one step."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from toolkit.keys import iteration
from toolkit.loops import Node, places, why_stale
from toolkit.service.iteration_variables import ITERATION_COLUMNS

Service = toolkit.UnifiedDataService
AddNodes = Callable[..., None]

NESTED = {
    "animal@iter:28:0": "cat",
    "animal@iter:28:1": "dog",
    "leg@iter:28:0:35:0": 1,
    "leg@iter:28:0:35:1": 2,
    "leg@iter:28:1:35:0": 3,
    "node4@iter:3:7": [1],
    "not@iter:28": "malformed",
    "plain": 1,
}


@pytest.fixture
def add_nodes(service: Service) -> AddNodes:
    """Add nodes, given as (position, config, type), to a table of nodes that is made where there is none."""

    def add(workflow_id: str, *nodes: tuple[int, Any], kind: str = "iterate") -> None:
        if service.database.tables.nodes is None:
            with service.database.write() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE nodes (workflow_id text, position integer, type text, config text)"
                )
            service.database.look()
        table = service.database.tables.nodes
        assert table is not None
        is_json = isinstance(table.c.config.type, sa.JSON)
        rows = [
            {
                "workflow_id": workflow_id,
                "position": position,
                "type": kind,
                "config": config if is_json else json.dumps(config),
            }
            for position, config in nodes
        ]
        with service.database.write() as connection:
            connection.execute(sa.insert(table), rows)

    return add


def over(name: Any) -> dict[str, Any]:
    return {"over": name}


def whys(service: Service, workflow_id: str, **options: Any) -> dict[str, str | None]:
    frame = service.get_iterations(workflow_id, **options)
    assert list(frame["stale"]) == list(frame["why"].notna())
    return {key: None if pd.isna(why) else why for key, why in zip(frame["key"], frame["why"], strict=True)}


def keys(service: Service, workflow_id: str, **options: Any) -> list[str]:
    return list(service.get_iterations(workflow_id, **options)["key"])


# Reading.


def test_the_suffix_is_parsed(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, NESTED)
    frame = service.get_iterations(workflow_id)
    assert list(frame["key"]) == sorted(key for key in NESTED if key not in ("plain", "not@iter:28"))
    row = frame.set_index("key").loc["leg@iter:28:1:35:0"]
    assert (row["base"], row["positions"], row["indexes"], row["value"]) == ("leg", (28, 35), (1, 0), 3)


def test_an_empty_frame_has_the_same_columns_and_dtypes_as_a_full_one(service: Service, workflow_id: str) -> None:
    empty = service.get_iterations(workflow_id)
    service.set_variables(workflow_id, NESTED)
    full = service.get_iterations(workflow_id)
    assert tuple(empty.columns) == tuple(full.columns) == ITERATION_COLUMNS
    assert list(map(str, empty.dtypes)) == list(map(str, full.dtypes))
    assert list(map(str, full.dtypes)) == [
        "str",
        "str",
        "object",
        "object",
        "object",
        "boolean",
        "str",
        "datetime64[us, UTC]",
        "datetime64[us, UTC]",
    ]


FILTERED: list[tuple[dict[str, Any], list[str]]] = [
    ({"base": "animal"}, ["animal@iter:28:0", "animal@iter:28:1"]),
    ({"base": "anima*"}, []),
    ({"base": ["node4", "nothing"]}, ["node4@iter:3:7"]),
    ({"base": []}, []),
    ({"node": 35}, ["leg@iter:28:0:35:0", "leg@iter:28:0:35:1", "leg@iter:28:1:35:0"]),
    ({"node": 5}, []),
    ({"node": 28, "index": 1}, ["animal@iter:28:1", "leg@iter:28:1:35:0"]),
    ({"index": 1}, ["animal@iter:28:1", "leg@iter:28:0:35:1", "leg@iter:28:1:35:0"]),
    ({"index": 7, "node": 28}, []),
    ({"base": "leg", "node": 35, "index": 0}, ["leg@iter:28:0:35:0", "leg@iter:28:1:35:0"]),
]


def test_the_filters_combine(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, NESTED)
    for options, expected in FILTERED:
        assert keys(service, workflow_id, **options) == expected, options


@pytest.mark.parametrize("option", [{"node": "28"}, {"node": -1}, {"index": True}, {"index": 1.0}])
def test_a_filter_that_is_no_number_is_an_error(option: dict[str, Any]) -> None:
    with toolkit.connect(":memory:", create=True) as service, pytest.raises(toolkit.InvalidOption, match="is not a"):
        service.get_iterations("nightly", **option)


def test_it_pivots_to_one_row_per_iteration(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"name@iter:4:0": "Ann", "name@iter:4:1": "Ben", "age@iter:4:0": 31})
    frame = service.get_iterations(workflow_id)
    wide = frame.pivot(index="indexes", columns="base", values="value")  # noqa: PD010 - what a user would type
    assert list(wide["name"]) == ["Ann", "Ben"]
    assert wide["age"].isna().to_list() == [False, True]


def test_secrets_are_hidden_unless_revealed(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"api_token@iter:4:0": "FAKE-not-real", "user@iter:4:0": {"password": "FAKE-2"}})
    assert list(service.get_iterations(workflow_id)["value"]) == ["[hidden]", {"password": "[hidden]"}]
    assert list(service.get_iterations(workflow_id, reveal=True)["value"]) == ["FAKE-not-real", {"password": "FAKE-2"}]


def test_several_workflows_stand_in_one_frame(
    service: Service, new_workflow: Callable[[str], str], add_nodes: AddNodes
) -> None:
    one, two = new_workflow("one"), new_workflow("two")
    for workflow_id in (one, two):
        service.set_variables(workflow_id, {"a@iter:4:1": 1, "items": [1, 2] if workflow_id == one else [1]})
    add_nodes(one, (4, over("items")))
    add_nodes(two, (4, over("items")))
    frame = service.get_iterations([one, two])
    assert tuple(frame.columns) == ("workflow_id", *ITERATION_COLUMNS)
    assert dict(zip(frame["workflow_id"], frame["stale"], strict=True)) == {one: False, two: True}


# Why one is stale.


def test_without_nodes_nothing_is_known(
    service: Service, new_workflow: Callable[[str], str], add_nodes: AddNodes
) -> None:
    one, two = new_workflow("one"), new_workflow("two")
    service.set_variable(one, "a@iter:4:0", 1)
    assert whys(service, one) == {"a@iter:4:0": None}
    add_nodes(two, (4, over("items")))
    assert whys(service, one) == {"a@iter:4:0": None}


def test_one_whose_node_is_gone_is_stale(service: Service, workflow_id: str, add_nodes: AddNodes) -> None:
    service.set_variables(workflow_id, {"a@iter:4:0": 1, "a@iter:28:0:4:0": 1, "a@iter:28:0": 1, "a@iter:5:0": 1})
    add_nodes(workflow_id, (28, {}))
    add_nodes(workflow_id, (5, over("nothing")), kind="extract")
    assert whys(service, workflow_id) == {
        "a@iter:28:0": None,
        "a@iter:28:0:4:0": "node 4 is gone",
        "a@iter:4:0": "node 4 is gone",
        "a@iter:5:0": "node 5 does not iterate any more",
    }


def test_of_two_nodes_at_one_position_one_that_iterates_counts(
    service: Service, workflow_id: str, add_nodes: AddNodes
) -> None:
    service.set_variables(workflow_id, {"a@iter:4:0": 1, "a@iter:5:0": 1})
    for kind in ("extract", "iterate", "navigate"):
        add_nodes(workflow_id, (4, {}), kind=kind)
    assert whys(service, workflow_id)["a@iter:4:0"] is None


@pytest.mark.parametrize(
    "name", ["items", "state.items", "{{items}}", "{{ state.items }}", "{{box.inner}}", "{{ boxes.1.inner }}"]
)
def test_one_beyond_the_end_of_the_array_is_stale(
    service: Service, workflow_id: str, add_nodes: AddNodes, name: str
) -> None:
    array = [1, 2]
    sources = {"items": array, "box": {"inner": array}, "boxes": [{}, {"inner": array}]}
    service.set_variables(workflow_id, {**sources, **{f"a@iter:4:{index}": 1 for index in range(4)}})
    add_nodes(workflow_id, (4, over(name)))
    reason = f"{name.strip('{ }').removeprefix('state.')} is too short, over which node 4 iterates"
    assert whys(service, workflow_id) == {
        "a@iter:4:0": None,
        "a@iter:4:1": None,
        "a@iter:4:2": reason,
        "a@iter:4:3": reason,
    }
    assert keys(service, workflow_id, stale=True) == ["a@iter:4:2", "a@iter:4:3"]
    assert keys(service, workflow_id, stale=False) == ["a@iter:4:0", "a@iter:4:1"]


def test_a_key_with_dots_goes_before_a_way_into_a_value(
    service: Service, workflow_id: str, add_nodes: AddNodes
) -> None:
    service.set_variables(workflow_id, {"node4.items": [1, 2], "node4": {"items": []}, "a@iter:5:1": 1})
    add_nodes(workflow_id, (5, over("{{node4.items}}")))
    assert whys(service, workflow_id) == {"a@iter:5:1": None}


GONE = {
    "text": "there is no array in text",
    "nothing": "there is no variable nothing",
    "state.nothing.at.all": "there is no variable nothing",
    "{{box.other}}": "there is no array in box.other",
    "{{boxes.7}}": "there is no array in boxes.7",
}


def test_one_whose_array_is_gone_is_stale(service: Service, workflow_id: str, add_nodes: AddNodes) -> None:
    service.set_variables(workflow_id, {"text": "a", "box": {"inner": [1]}, "boxes": [[1]]})
    service.set_variables(workflow_id, {f"a@iter:{position}:0": 1 for position in range(len(GONE))})
    add_nodes(workflow_id, *((position, over(name)) for position, name in enumerate(GONE)))
    assert whys(service, workflow_id) == {
        f"a@iter:{position}:0": f"{reason}, over which node {position} iterates"
        for position, reason in enumerate(GONE.values())
    }


def test_an_expression_is_not_judged(service: Service, workflow_id: str, add_nodes: AddNodes) -> None:
    names = ["{{ a | b }}", "{{items[0]}}", "two words", "", 7, ["x"], None, "{{a}} and {{b}}"]
    service.set_variables(workflow_id, {f"a@iter:{position}:9": 1 for position in range(len(names))})
    add_nodes(workflow_id, *((position, over(name)) for position, name in enumerate(names)))
    assert whys(service, workflow_id) == dict.fromkeys(f"a@iter:{position}:9" for position in range(len(names)))


def test_settings_that_are_no_object_are_not_judged(service: Service, workflow_id: str, add_nodes: AddNodes) -> None:
    service.set_variables(workflow_id, {"a@iter:4:9": 1, "a@iter:5:9": 1})
    add_nodes(workflow_id, (4, [1]), (5, "items"))
    assert set(whys(service, workflow_id).values()) == {None}


def test_settings_that_are_no_json_are_not_judged(workflow_id: str, service: Service, add_nodes: AddNodes) -> None:
    service.set_variable(workflow_id, "a@iter:4:9", 1)
    add_nodes(workflow_id, (4, over("items")))
    nodes = service.database.tables.nodes
    assert nodes is not None
    if not isinstance(nodes.c.config.type, sa.JSON):
        with service.database.write() as connection:
            connection.execute(sa.update(nodes).values(config="{broken"))
        assert whys(service, workflow_id) == {"a@iter:4:9": None}


def test_a_nested_loop_goes_over_a_variable_of_its_iteration(
    service: Service, workflow_id: str, add_nodes: AddNodes
) -> None:
    service.set_variables(
        workflow_id,
        {
            "animals": ["cat", "snake"],
            "legs": [1, 2, 3],
            "legs@iter:28:0": [1, 2],
            "foot@iter:28:0:35:1": 1,
            "foot@iter:28:0:35:2": 1,
            "foot@iter:28:1:35:2": 1,
            "foot@iter:28:2:35:0": 1,
        },
    )
    add_nodes(workflow_id, (28, over("animals")), (35, over("{{legs}}")))
    assert whys(service, workflow_id, base="foot") == {
        "foot@iter:28:0:35:1": None,
        "foot@iter:28:0:35:2": "legs@iter:28:0 is too short, over which node 35 iterates",
        "foot@iter:28:1:35:2": None,
        "foot@iter:28:2:35:0": "animals is too short, over which node 28 iterates",
    }


def test_a_hidden_array_is_judged_by_its_real_value_and_its_length_stays_unsaid(
    service: Service, workflow_id: str, add_nodes: AddNodes
) -> None:
    service.set_variables(workflow_id, {"api_tokens": ["FAKE-1", "FAKE-2"], "a@iter:4:1": 1, "a@iter:4:2": 1})
    add_nodes(workflow_id, (4, over("api_tokens")))
    assert list(whys(service, workflow_id).values()) == [None, "api_tokens is too short, over which node 4 iterates"]


def test_the_places_of_an_array_are_tried_from_the_likeliest_on() -> None:
    assert list(places("state.a.b", ((4, 0), (5, 1)))) == [
        ("state.a.b@iter:4:0:5:1", ()),
        ("state.a.b@iter:4:0", ()),
        ("state.a.b", ()),
        ("state.a@iter:4:0:5:1", ("b",)),
        ("state.a@iter:4:0", ("b",)),
        ("state.a", ("b",)),
        ("state@iter:4:0:5:1", ("a", "b")),
        ("state@iter:4:0", ("a", "b")),
        ("state", ("a", "b")),
        ("a.b@iter:4:0:5:1", ()),
        ("a.b@iter:4:0", ()),
        ("a.b", ()),
        ("a@iter:4:0:5:1", ("b",)),
        ("a@iter:4:0", ("b",)),
        ("a", ("b",)),
    ]


# Cleaning up.


def test_the_nodes_that_loop_over_a_variable_are_found(service: Service, workflow_id: str, add_nodes: AddNodes) -> None:
    assert service.find_iterate_references(workflow_id, "items") == []
    add_nodes(workflow_id, (9, over("{{items}}")), (4, over("state.items")), (5, over("others")))
    assert service.find_iterate_references(workflow_id, "items") == [4, 9]


def test_iteration_variables_go_at_any_depth_and_come_back(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, NESTED)
    before = service.get_all_variables(workflow_id)
    receipt = service.cleanup_iteration_variables(workflow_id, [35, 3], reason="a new list")
    assert (receipt.kind, receipt.variables, receipt.records) == ("stale", 4, 0)
    assert keys(service, workflow_id) == ["animal@iter:28:0", "animal@iter:28:1"]
    assert service.changes(workflow_id)["reason"][0] == "a new list"
    receipt.undo()
    pd.testing.assert_frame_equal(service.get_all_variables(workflow_id), before)


def test_no_position_takes_nothing(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, NESTED)
    for positions in ([], [0, 2, 8]):
        assert service.cleanup_iteration_variables(workflow_id, positions).total == 0
    assert len(service.get_all_variables(workflow_id)) == len(NESTED)


def test_positions_are_a_list_of_positions(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, NESTED)
    wrong: list[Any] = [35, "35", ["35"], [True], [-1], [3.0], None]
    for positions in wrong:
        with pytest.raises(toolkit.InvalidOption, match="positions"):
            service.cleanup_iteration_variables(workflow_id, positions)
    assert len(service.get_all_variables(workflow_id)) == len(NESTED)


def test_a_cleaning_up_takes_its_workflow_literally() -> None:
    with toolkit.connect(":memory:", create=True) as service:
        for workflow_id in ("night*", "nightly"):
            service.variables.create(workflow_id, "a@iter:4:0", 1)
        assert service.cleanup_iteration_variables("night*", [4]).variables == 1
        assert service.variables.exists("nightly", "a@iter:4:0")


def test_what_may_be_lost_is_not_kept(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, NESTED)
    receipt = service.cleanup_iteration_variables(workflow_id, [35], archive=False)
    assert (receipt.variables, receipt.archived) == (3, False)
    change = service.changes(workflow_id).iloc[0]
    assert (change["id"], change["variables"]) == (receipt.id, 3)
    with pytest.raises(toolkit.AlreadyDone):
        receipt.undo()


# As text.


def test_variables_as_text(service: Service, workflow_id: str) -> None:
    assert service.get_formatted_variables(workflow_id) == "No variables stored yet"
    service.set_variables(
        workflow_id,
        {
            "a": "x" * 100,
            "b": "x" * 101,
            "c": [],
            "d": ["only"],
            "e": [{"k": 1}, 2, 3],
            "f": ["y" * 200, 2],
            "g": {"name": "Ann", "password": "FAKE-1"},
            "h": None,
            "i": 0.5,
            "j": "two\nlines - k = v",
            "k": [None] * 1501,
            "l": True,
            "m": 2**70,
            "secret": ["FAKE-3", "FAKE-4"],
        },
    )
    text = service.get_formatted_variables(workflow_id)
    lines = dict(line.removeprefix("- ").split(" = ", 1) for line in text.split("\n"))
    assert lines == {
        "a": "x" * 100,
        "b": "x" * 100 + "…",
        "c": "[]",
        "d": "[only]",
        "e": '[{"k": 1}, +2 more]',
        "f": "[" + "y" * 100 + "…, +1 more]",
        "g": '{"name": "Ann", "password": "[hidden]"}',
        "h": "null",
        "i": "0.5",
        "j": "two lines - k = v",
        "k": "[null, +1,500 more]",
        "l": "true",
        "m": str(2**70),
        "secret": "[hidden]",
    }


def test_the_text_is_of_one_workflow() -> None:
    with toolkit.connect(":memory:", create=True) as service, pytest.raises(toolkit.InvalidOption):
        service.get_formatted_variables("nightly*")


def test_a_key_of_two_lines_stands_on_one() -> None:
    with toolkit.connect(":memory:", create=True) as service:
        service.set_variable("nightly", "a\n- b", 1)
        assert service.get_formatted_variables("nightly") == "- a - b = 1"


# Clearing in one step.


def fill(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, [{"record_id": f"email_{number}"} for number in range(10)])
    service.set_variables(workflow_id, {"email_1": 1, "emailX1": 2, "c": 3, "d": 4})


def left(service: Service, workflow_id: str) -> tuple[int, int]:
    return len(service.query_records(workflow_id)), len(service.get_all_variables(workflow_id))


def test_a_pattern_clears_both_tables_and_no_more(service: Service, workflow_id: str) -> None:
    fill(service, workflow_id)
    done = service.clear_data(workflow_id, pattern="email_1", reason="a trial")
    assert done.pop("receipt")
    assert done == {
        "variables": {"deleted": 1, "pattern": "email_1"},
        "records": {"deleted": 1, "pattern": "email_1"},
        "dry_run": False,
    }
    assert left(service, workflow_id) == (9, 3)
    assert service.changes(workflow_id)["reason"][0] == "a trial"


@pytest.mark.parametrize(
    ("what", "expected", "after"),
    [
        ("records", {"records": {"deleted": 2, "pattern": "email_1,email_2"}}, (8, 4)),
        ("variables", {"variables": {"deleted": 1, "pattern": "email_1,email_2"}}, (10, 3)),
        (
            "all",
            {
                "variables": {"deleted": 1, "pattern": "email_1,email_2"},
                "records": {"deleted": 2, "pattern": "email_1,email_2"},
            },
            (8, 3),
        ),
    ],
)
def test_a_type_clears_its_table_alone(
    service: Service, workflow_id: str, what: str, expected: dict[str, Any], after: tuple[int, int]
) -> None:
    fill(service, workflow_id)
    done = service.clear_data(workflow_id, what, ["email_1", "email_2"])
    service_id = done.pop("receipt")
    assert done == {**expected, "dry_run": False}
    assert left(service, workflow_id) == after
    service.undo(service_id)
    assert left(service, workflow_id) == (10, 4)


def test_a_dry_run_counts_and_changes_nothing(service: Service, workflow_id: str) -> None:
    fill(service, workflow_id)
    assert service.clear_data(workflow_id, everything=True, dry_run=True) == {
        "variables": {"deleted": 4},
        "records": {"deleted": 10},
        "dry_run": True,
        "receipt": None,
    }
    assert left(service, workflow_id) == (10, 4)


@pytest.mark.parametrize("what", [None, "all"])
def test_no_selection_is_an_error(service: Service, workflow_id: str, what: str | None) -> None:
    fill(service, workflow_id)
    with pytest.raises(toolkit.NothingSelected):
        service.clear_data(workflow_id, what)
    assert left(service, workflow_id) == (10, 4)
    assert service.clear_data(workflow_id, what, everything=True, expect=14)["receipt"]
    assert left(service, workflow_id) == (0, 0)


def test_much_wants_its_number(service: Service, workflow_id: str) -> None:
    fill(service, workflow_id)
    with pytest.raises(toolkit.ExpectationFailed, match=r"more than half.*add expect=10$"):
        service.clear_data(workflow_id, "records")
    with pytest.raises(toolkit.ExpectationFailed):
        service.clear_data(workflow_id, "records", expect=9)
    assert left(service, workflow_id) == (10, 4)
    assert service.clear_data(workflow_id, "records", expect=10)["records"] == {"deleted": 10}


def test_a_pattern_that_takes_nothing_leaves_no_receipt(service: Service, workflow_id: str) -> None:
    fill(service, workflow_id)
    done = service.clear_data(workflow_id, pattern="nothing_*")
    assert (done["receipt"], done["records"]["deleted"]) == (None, 0)
    assert service.changes(workflow_id).empty


@pytest.mark.parametrize("option", [{"type": "record"}, {"pattern": ""}, {"type": "variables", "pattern": "a,"}])
def test_a_clear_that_is_not_understood_is_an_error(option: dict[str, Any]) -> None:
    with toolkit.connect(":memory:", create=True) as service:
        service.set_variable("nightly", "a", 1)
        with pytest.raises(ValueError, match=r"type=|pattern"):
            service.clear_data("nightly", **option)
        assert service.variables.exists("nightly", "a")


def test_a_uuid_is_an_id_of_one_workflow(service: Service, workflow_id: str) -> None:
    if service.database.tables.workflow_ids_are_uuids:
        service.set_variables(workflow_id, NESTED)
        assert len(service.get_iterations(uuid.UUID(workflow_id))) == 6


@pytest.mark.parametrize(("name", "reason"), [("1", None), ("2", "there is no array"), ("²", "there is no array")])
def test_only_a_name_that_is_a_number_leads_into_an_array(name: str, reason: str | None) -> None:
    parsed = iteration("leg@iter:28:0")
    assert parsed is not None
    told = why_stale(parsed, {28: Node("nightly", 28, iterates=True, over=f"pets.{name}")}, {"pets": [1, ["left"]]})
    assert told is None if reason is None else str(told).startswith(reason)
