"""The calls about variables, on every database."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from toolkit.columns import VARIABLE_COLUMNS

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]
Loop = Callable[..., None]

AWKWARD_KEYS = [
    "100%",
    "a,b",
    "a?b",
    "email_1",
    "emailX1",
    "key's",
    "nœud",
    "x*",
    "[x]",
    "a\\b",
    "Email_1",
    "\N{GRINNING FACE}",
]


def values(service: Service, workflow_id: str) -> dict[str, Any]:
    found = service.get_variable(workflow_id, "all", reveal=True)
    assert isinstance(found, dict)
    return found


def keys(frame: pd.DataFrame) -> list[str]:
    return list(frame["key"])


@pytest.fixture
def loop(service: Service) -> Loop:
    """Add iterate nodes that loop over something, to a table of nodes that is made where there is none."""

    def add(workflow_id: str, *nodes: tuple[int, Any], kind: str = "iterate") -> None:
        if service.database.tables.nodes is None:
            with service.database.write() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE nodes (workflow_id text, position integer, type text, config text)"
                )
            service.database.look()
        table = service.database.tables.nodes
        assert table is not None
        rows = []
        for position, over in nodes:
            config = {} if over is None else {"over": over}
            kept = config if isinstance(table.c.config.type, sa.JSON) else json.dumps(config)
            rows.append({"workflow_id": workflow_id, "position": position, "type": kind, "config": kept})
        with service.database.write() as connection:
            connection.execute(sa.insert(table), rows)

    return add


def test_a_variable_comes_back_as_it_was_set(service: Service, workflow_id: str) -> None:
    several: list[Any] = [0, False, "", None, [], {}, 1.5, 2**70, "é✉", {"a": {"b": [1, None]}}]
    for value in several:
        service.set_variable(workflow_id, "x", value)
        found = service.get_variable(workflow_id, "x", default="nothing")
        assert found == value
        assert type(found) is type(value)


def test_only_a_missing_key_gives_the_default(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"none": None, "zero": 0, "no": False, "empty": ""})
    assert [service.get_variable(workflow_id, key, "default") for key in ("none", "zero", "no", "empty")] == [
        None,
        0,
        False,
        "",
    ]
    assert service.get_variable(workflow_id, "missing", "default") == "default"
    assert service.get_variable(workflow_id, "missing") is None


def test_a_value_that_an_sql_null_holds_is_none(service: Service, workflow_id: str) -> None:
    service.set_variable(workflow_id, "x", 1)
    with service.database.write() as connection:
        connection.exec_driver_sql("UPDATE workflow_memory SET value = NULL")
    assert service.get_variable(workflow_id, "x", "default") is None
    frame = service.get_all_variables(workflow_id)
    assert (frame["value"][0], frame["type"][0]) == (None, "null")


def test_the_key_all_gives_every_variable(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"b": [1], "a": None, "api_token": "FAKE-not-real", "all": "a variable"})
    found = service.get_variable(workflow_id, "all")
    assert found == {"a": None, "all": "a variable", "api_token": "[hidden]", "b": [1]}
    assert values(service, workflow_id)["api_token"] == "FAKE-not-real"
    assert service.variables.read(workflow_id, "all") == "a variable"


def test_the_key_all_is_about_one_workflow(service: Service, new_workflow: NewWorkflow) -> None:
    for name in ("one", "two"):
        service.set_variable(new_workflow(name), "x", name)
    with pytest.raises(toolkit.InvalidOption, match=r"is about one workflow, and '\*' stands for several"):
        service.get_variable("*", "all")


def test_a_sensitive_variable_is_a_secret_until_revealed(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"api_token": "FAKE-not-real", "login": {"password": "FAKE-2", "user": "bo"}})
    secret = service.get_variable(workflow_id, "api_token")
    assert isinstance(secret, toolkit.Secret)
    assert "FAKE" not in repr(secret) + str(secret)
    assert secret.reveal() == "FAKE-not-real"
    assert service.get_variable(workflow_id, "api_token", reveal=True) == "FAKE-not-real"
    assert service.get_variable(workflow_id, "login") == {"password": "[hidden]", "user": "bo"}


def test_a_frame_masks_unless_told_to_reveal(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"api_token": "FAKE-not-real", "total": 3, "list": [{"password": "FAKE-2"}]})
    masked = service.get_all_variables(workflow_id)
    assert list(masked["value"]) == ["[hidden]", [{"password": "[hidden]"}], 3]
    assert list(masked["type"]) == ["string", "array", "number"]
    revealed = service.get_all_variables(workflow_id, reveal=True)
    assert list(revealed["value"]) == ["FAKE-not-real", [{"password": "FAKE-2"}], 3]


def test_setting_says_what_it_did_and_masks_the_value(service: Service, workflow_id: str) -> None:
    change = service.set_variable(workflow_id, "api_token", "FAKE-not-real", reason="renewed")
    assert (change.success, change.key, change.value, change.reason, change.removed) == (
        True,
        "api_token",
        "[hidden]",
        "renewed",
        (),
    )
    assert "FAKE" not in repr(change)


def test_a_mask_is_never_written_as_a_value(service: Service, workflow_id: str) -> None:
    service.set_variable(workflow_id, "x", "real")
    for write in (
        lambda: service.set_variable(workflow_id, "x", {"a": ["so [hidden] here"]}),
        lambda: service.set_variables(workflow_id, {"y": 1, "x": "[hidden]"}),
        lambda: service.variables.create(workflow_id, "x", "[hidden]"),
        lambda: service.set_variables(workflow_id, pd.DataFrame({"key": ["x"], "value": ["[hidden]"]})),
    ):
        with pytest.raises(toolkit.HiddenValue, match=r"variable 'x' holds \[hidden\].*nothing was written.*literal="):
            write()
    assert values(service, workflow_id) == {"x": "real"}


def test_a_frame_that_was_read_cannot_overwrite_secrets(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"api_token": "FAKE-not-real", "total": 3})
    with pytest.raises(toolkit.HiddenValue, match="'api_token'"):
        service.set_variables(workflow_id, service.get_all_variables(workflow_id))
    service.set_variables(workflow_id, service.get_all_variables(workflow_id, reveal=True))
    assert values(service, workflow_id) == {"api_token": "FAKE-not-real", "total": 3}


def test_text_that_is_so_is_written_when_taken_literally(service: Service, workflow_id: str) -> None:
    service.set_variable(workflow_id, "x", "the mask is [hidden]", literal=True)
    service.set_variables(workflow_id, {"y": ["[hidden]"]}, literal=True)
    assert values(service, workflow_id) == {"x": "the mask is [hidden]", "y": ["[hidden]"]}


def test_a_schema_is_held_before_anything_is_written(service: Service, workflow_id: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    service.set_variable(workflow_id, "x", {"n": 1}, schema)
    with pytest.raises(toolkit.InvalidValue, match=r"variable 'x' breaks the rule type at n: .*'integer'") as caught:
        service.set_variable(workflow_id, "x", {"n": "FAKE-not-real"}, schema)
    assert "FAKE" not in str(caught.value)
    assert service.get_variable(workflow_id, "x") == {"n": 1}
    with pytest.raises(toolkit.InvalidOption, match="the schema for variable 'x' is broken at type"):
        service.set_variable(workflow_id, "x", 1, {"type": "no type"})


def test_a_value_that_json_cannot_hold_is_refused_before_anything_is_written(
    service: Service, workflow_id: str
) -> None:
    several: list[Any] = [float("nan"), "a\0b", "\ud800", {1: 2}, {"a": {1, 2}}, float("-inf")]
    for value in several:
        with pytest.raises(toolkit.InvalidValue, match="variable 'bad'"):
            service.set_variables(workflow_id, {"a": 1, "bad": value, "z": 2})
    assert values(service, workflow_id) == {}


def test_a_key_that_no_database_holds_is_refused(service: Service, workflow_id: str) -> None:
    several: list[Any] = ["", "k" * 256, "a\0b", "\ud800", 7, None]
    for key in several:
        with pytest.raises(toolkit.InvalidValue, match="variable key"):
            service.set_variable(workflow_id, key, 1)
        with pytest.raises(toolkit.InvalidValue, match="variable key"):
            service.set_variables(workflow_id, {"a": 1, key: 2})
        with pytest.raises(toolkit.InvalidValue, match="variable key"):
            service.get_variable(workflow_id, key)
    assert values(service, workflow_id) == {}
    service.set_variable(workflow_id, "k" * 255, 1)


def test_deleting_a_key_of_another_type_is_an_error_not_a_silence(service: Service, workflow_id: str) -> None:
    for key in (7, "a\0b", "\ud800"):
        with pytest.raises(toolkit.InvalidValue, match="a key"):
            service.delete_variable(workflow_id, key)  # type: ignore[arg-type]


def test_a_new_value_moves_updated_at_and_keeps_created_at(service: Service, workflow_id: str) -> None:
    service.set_variable(workflow_id, "x", 1)
    with service.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE workflow_memory SET created_at = '2020-01-01T00:00:00.000000Z', "
            "updated_at = '2020-01-01T00:00:00.000000Z'"
        )
    service.set_variable(workflow_id, "x", 1)
    row = service.get_all_variables(workflow_id).iloc[0]
    assert row["created_at"] == pd.Timestamp("2020-01-01", tz="UTC")
    assert row["updated_at"] > pd.Timestamp("2026-01-01", tz="UTC")


def test_variables_of_a_frame_keep_their_python_types(service: Service, workflow_id: str) -> None:
    frame = pd.DataFrame({"key": ["a", "b", "c"], "value": pd.array([1, None, 3], dtype="Int64")})
    assert service.set_variables(workflow_id, frame) == {"variables": 3}
    assert values(service, workflow_id) == {"a": 1, "b": None, "c": 3}
    for bad, message in (
        (pd.DataFrame({"key": ["a"]}), "lacks value"),
        (pd.DataFrame({"key": ["a", "a"], "value": [1, 2]}), "'a' stands in the frame twice"),
    ):
        with pytest.raises(toolkit.InvalidValue, match=message):
            service.set_variables(workflow_id, bad)


def test_no_variables_are_written_by_an_empty_mapping(service: Service, workflow_id: str) -> None:
    assert service.set_variables(workflow_id, {}) == {"variables": 0}
    assert values(service, workflow_id) == {}


# --- reading ----------------------------------------------------------------------------------------


def test_variables_are_ordered_by_key_by_code_point(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(AWKWARD_KEYS, 1))
    assert keys(service.get_all_variables(workflow_id)) == sorted(AWKWARD_KEYS)


PATTERNS: list[tuple[Any, set[str]]] = [
    ("email_1", {"email_1"}),
    ("email_*", {"email_1"}),
    ("email?1", {"email_1", "emailX1"}),
    ("*mail_1", {"email_1", "Email_1"}),
    (["a,b"], {"a,b"}),
    ("key's,100%", {"key's", "100%"}),
    ("[x]*", {"[x]"}),
    ("a\\*", {"a\\b"}),
    ("n?ud", {"nœud"}),
    ("?", {"\N{GRINNING FACE}"}),
    ([], set()),
]


def test_a_pattern_means_the_same_on_every_database(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(AWKWARD_KEYS, 1))
    for pattern, expected in PATTERNS:
        assert set(keys(service.get_all_variables(workflow_id, pattern=pattern))) == expected


def test_an_empty_pattern_is_an_error_and_never_everything(service: Service, workflow_id: str) -> None:
    for pattern in ("", "a,", ["a", ""]):
        with pytest.raises(toolkit.InvalidPattern, match=r"use '\*' to mean everything"):
            service.get_all_variables(workflow_id, pattern=pattern)


def test_keys_are_literal(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(AWKWARD_KEYS, 1))
    for key in AWKWARD_KEYS:
        assert keys(service.get_all_variables(workflow_id, keys=[key])) == [key]
    assert keys(service.get_all_variables(workflow_id, keys=["x*", "no", "a,b"])) == ["a,b", "x*"]
    assert keys(service.get_all_variables(workflow_id, keys=[])) == []
    with pytest.raises(toolkit.InvalidOption, match=r"keys= takes a list of texts; for one, give \['x\*'\]"):
        service.get_all_variables(workflow_id, keys="x*")


def test_contains_ignores_ascii_case_only(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(["Mailbox", "e_mail", "ÉMAIL", "other"], 1))
    assert keys(service.get_all_variables(workflow_id, contains="MAIL")) == ["Mailbox", "e_mail", "ÉMAIL"]
    assert keys(service.get_all_variables(workflow_id, contains="émail")) == []
    assert keys(service.get_all_variables(workflow_id, contains="Émail")) == ["ÉMAIL"]
    assert keys(service.get_all_variables(workflow_id, contains="_")) == ["e_mail"]
    with pytest.raises(toolkit.InvalidOption, match="at least one character"):
        service.get_all_variables(workflow_id, contains="")


NODE_KEYS = ["node4", "node4.result", "node4@iter:1:0", "node40", "nodejs_version", "node", "x@iter:4:0", "x@iter:4"]


def test_a_node_takes_its_own_variables_and_no_other(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(NODE_KEYS, 1))
    assert keys(service.get_all_variables(workflow_id, node=4)) == ["node4", "node4.result", "node4@iter:1:0"]
    for node in (-1, "4", True):
        with pytest.raises(toolkit.InvalidOption, match="is no position of a node"):
            service.get_all_variables(workflow_id, node=node)  # type: ignore[arg-type]


def test_a_category_is_iteration_then_node_then_custom(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(NODE_KEYS, 1))
    for category, expected in {
        "iteration": ["node4@iter:1:0", "x@iter:4:0"],
        "node": ["node4", "node4.result", "node40"],
        "custom": ["node", "nodejs_version", "x@iter:4"],
    }.items():
        frame = service.get_all_variables(workflow_id, category=category)
        assert keys(frame) == expected
        assert set(frame["category"]) == {category}
    with pytest.raises(toolkit.InvalidOption, match="'nodes' is none of iteration, node, custom"):
        service.get_all_variables(workflow_id, category="nodes")


def test_filters_of_variables_combine_with_and(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(NODE_KEYS, 1))
    found = service.get_all_variables(workflow_id, pattern="node4*", contains="R", node=4, category="node")
    assert keys(found) == ["node4.result"]


def test_no_variables_are_a_frame_with_its_columns_and_dtypes(service: Service, workflow_id: str) -> None:
    empty = service.get_all_variables(workflow_id)
    service.set_variable(workflow_id, "x", 1)
    full = service.get_all_variables(workflow_id)
    assert tuple(empty.columns) == VARIABLE_COLUMNS
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    assert list(map(str, full.dtypes)) == ["str", "object", "str", "str", "datetime64[us, UTC]", "datetime64[us, UTC]"]


def test_several_workflows_put_their_id_first(service: Service, new_workflow: NewWorkflow) -> None:
    ids = sorted(new_workflow(name) for name in ("nightly-1", "nightly-2", "weekly"))
    for workflow_id in ids:
        service.set_variables(workflow_id, {"x": 1, "y": 2})
    for asked, expected in (
        (ids[:2], ids[:2]),
        ("*", ids),
        (f"{ids[0][:-1]}?", [ids[0]]),
        (ids[:1], ids[:1]),
        ([], []),
    ):
        frame = service.get_all_variables(asked, keys=["x"])
        assert list(frame.columns) == ["workflow_id", *VARIABLE_COLUMNS]
        assert set(expected) <= set(frame["workflow_id"])
        assert list(frame["workflow_id"]) == sorted(frame["workflow_id"])
    assert list(service.get_all_variables(ids[0]).columns) == list(VARIABLE_COLUMNS)


def test_writes_are_for_one_workflow_taken_literally(service: Service, new_workflow: NewWorkflow) -> None:
    workflow_id = new_workflow("nightly")
    service.set_variable(workflow_id, "x", 1)
    if service.database.tables.workflow_ids_are_uuids:
        with pytest.raises(toolkit.InvalidValue, match=r"'\*' is no workflow id here.*list_workflows\(\)"):
            service.clear_all_variables("*")
    else:
        assert service.clear_all_variables("*").variables == 0
    assert values(service, workflow_id) == {"x": 1}


# --- stale iteration variables ----------------------------------------------------------------------

ITERATIONS = [
    "animal@iter:28:0",
    "animal@iter:28:0:35:2",
    "animal@iter:35:1",
    "node4@iter:28:1",
    "x@iter:35:0:28:1",
    "y@iter:28:35",
]


def test_a_change_removes_the_iteration_variables_of_loops_over_it(
    service: Service, new_workflow: NewWorkflow, loop: Loop
) -> None:
    left = ["animal@iter:28:0", "node4@iter:28:1", "y@iter:28:35"]
    forms = ["animals", "state.animals", "{{animals}}", "{{ animals }}", "{{animals.items}}", "{{state.animals.a.b}}"]
    for over in forms:
        workflow_id = new_workflow(over)
        loop(workflow_id, (35, over), (28, "others"), (7, None), (8, ["animals"]))
        service.set_variables(workflow_id, {"animals": ["cat"], **dict.fromkeys(ITERATIONS, 1), "node35.result": 1})
        change = service.set_variable(workflow_id, "animals", ["dog"], reason="new list")
        assert change.removed == ("animal@iter:28:0:35:2", "animal@iter:35:1", "x@iter:35:0:28:1")
        assert set(values(service, workflow_id)) == {"animals", "node35.result", *left}
        listed = service.changes(workflow_id).iloc[0]
        assert (listed["kind"], listed["reason"], listed["variables"]) == ("stale", "new list", 3)


def test_a_loop_over_something_else_is_left_alone(service: Service, workflow_id: str, loop: Loop) -> None:
    others = ["animal", "animals2", "state.other", "{{animal}}", "{{animalsX}}", "a {{animals}}", "animals.items", ""]
    loop(workflow_id, *((35, over) for over in others))
    service.set_variables(workflow_id, {"animals": [], "x@iter:35:0": 1})
    assert service.set_variable(workflow_id, "animals", ["dog"]).removed == ()


def test_only_iterate_nodes_of_the_same_workflow_count(
    service: Service, workflow_id: str, new_workflow: NewWorkflow, loop: Loop
) -> None:
    loop(workflow_id, (35, "animals"))
    loop(workflow_id, (28, "animals"), kind="click")
    other = new_workflow("other")
    for each in (workflow_id, other):
        service.set_variables(each, {"animals": [], "x@iter:35:0": 1, "x@iter:28:0": 1})
    assert service.set_variable(other, "animals", ["dog"]).removed == ()
    assert service.set_variable(workflow_id, "animals", ["dog"]).removed == ("x@iter:35:0",)
    assert "x@iter:35:0" in values(service, other)


def test_a_value_that_stays_the_same_removes_nothing(service: Service, workflow_id: str, loop: Loop) -> None:
    loop(workflow_id, (35, "animals"))
    several: list[Any] = [None, 0, 1, 1.5, True, "a", [1, {"b": 1, "a": [2.0]}], 2**70, {}]
    for value in several:
        service.set_variable(workflow_id, "animals", value)
        service.set_variable(workflow_id, "x@iter:35:0", 1)
        assert service.set_variable(workflow_id, "animals", value).removed == ()
        assert service.set_variable(workflow_id, "animals", [value]).removed == ("x@iter:35:0",)


def test_values_of_different_types_are_a_change(service: Service, workflow_id: str, loop: Loop) -> None:
    loop(workflow_id, (35, "animals"))
    pairs: list[tuple[Any, Any]] = [(1, True), (1, 1.0), (0, False), ("1", 1), ([], {}), (None, "")]
    for former, new in pairs:
        service.set_variable(workflow_id, "animals", former)
        service.set_variable(workflow_id, "x@iter:35:0", 1)
        assert service.set_variable(workflow_id, "animals", new).removed == ("x@iter:35:0",)


def test_stale_iteration_variables_come_back_with_undo(service: Service, workflow_id: str, loop: Loop) -> None:
    loop(workflow_id, (35, "{{animals}}"))
    service.set_variables(workflow_id, {"animals": [], **{key: {"of": key} for key in ITERATIONS}})
    before = service.get_all_variables(workflow_id, category="iteration")
    service.set_variables(workflow_id, {"animals": ["dog"]})
    assert len(service.get_all_variables(workflow_id, category="iteration")) == 3
    assert service.undo(service.changes(workflow_id)["id"][0]).variables == 3
    pd.testing.assert_frame_equal(service.get_all_variables(workflow_id, category="iteration"), before)


def test_stale_iteration_variables_may_be_kept(service: Service, workflow_id: str, loop: Loop) -> None:
    loop(workflow_id, (35, "animals"))
    service.set_variables(workflow_id, {"animals": [], "x@iter:35:0": 1})
    assert service.set_variable(workflow_id, "animals", ["dog"], keep_iterations=True).removed == ()
    assert "x@iter:35:0" in values(service, workflow_id)


def test_iteration_variables_that_are_written_themselves_are_not_stale(
    service: Service, workflow_id: str, loop: Loop
) -> None:
    loop(workflow_id, (35, "animals"))
    service.set_variables(workflow_id, {"animals": [], "x@iter:35:0": 1, "x@iter:35:1": 1})
    service.set_variables(workflow_id, {"animals": ["dog"], "x@iter:35:0": 2})
    assert values(service, workflow_id) == {"animals": ["dog"], "x@iter:35:0": 2}


def test_without_a_table_of_nodes_nothing_is_stale(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, {"animals": [], "x@iter:35:0": 1})
    assert service.set_variable(workflow_id, "animals", ["dog"]).removed == ()


def test_many_threads_may_set_the_same_variables(service: Service, workflow_id: str) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        names = [f"v{index}" for index in range(10)]
        try:
            for _ in range(10):
                service.set_variables(workflow_id, dict.fromkeys(names if number % 2 else names[::-1], number))
        except BaseException as error:  # noqa: BLE001 - a thread's error would be lost
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(values(service, workflow_id).values())) == 1


def test_variables_that_are_neither_dict_nor_frame_are_an_error(service: Service, workflow_id: str) -> None:
    with pytest.raises(toolkit.InvalidValue, match="a dict or as a frame, not as int"):
        service.set_variables(workflow_id, 5)  # type: ignore[arg-type]
