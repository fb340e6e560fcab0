"""What iterations are given: arrays that become records, variables, bodies and options; and nested ones."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit.iterate import check_body, current_record

Service = toolkit.UnifiedDataService


def record(service: Service, workflow_id: str, record_id: str) -> dict[str, Any]:
    found = service.get_record(workflow_id, record_id, reveal=True)
    assert found is not None
    return found


def statuses(service: Service, workflow_id: str) -> list[str]:
    return list(service.query_records(workflow_id)["status"])


def create(service: Service, workflow_id: str, count: int, **row: Any) -> list[str]:
    made = [f"a_{n:03}" for n in range(count)]
    service.create_records(workflow_id, [{"record_id": name, **row} for name in made])
    return made


# Nested iterations


def test_the_current_record_is_the_innermost(service: Service, workflow_id: str, new_workflow: Any) -> None:
    create(service, workflow_id, 2)
    other = new_workflow("other")
    seen: list[Any] = []

    def inner(one: dict[str, Any]) -> None:
        assert current_record() is one
        seen.append(one["record_id"])

    def outer(one: dict[str, Any]) -> dict[str, Any]:
        assert current_record() is one
        service.create_records(other, [{"record_id": f"{one['record_id']}:{n}"} for n in range(2)])
        result = service.iterate_records(other, "*", body=inner)
        with pytest.raises(ZeroDivisionError):
            service.iterate_records(other, "*", body=lambda _: 1 / 0, statuses="complete", on_error="stop")
        assert current_record() is one
        return {"vars.inner": result.processed}

    assert current_record() is None
    assert service.iterate_records(workflow_id, "*", body=outer).processed == 2
    assert current_record() is None
    assert seen == ["a_000:0", "a_000:1", "a_001:0", "a_001:1"]
    assert list(service.query_records(workflow_id)["vars.inner"]) == [2, 2]


# Arrays


def test_an_array_becomes_records_of_a_run(service: Service, workflow_id: str) -> None:
    array = [{"a": 1}, "é", None, 2**70, [1.0]]
    made = service.convert_array_to_records(workflow_id, array, "thing", "each mail", "r1")
    assert made == [f"temp:r1:each mail:000{n}" for n in range(1, 6)]
    frame = service.query_records(workflow_id, flatten=False)
    assert list(frame["record_id"]) == made
    assert [document["fields"] for document in frame["data"]] == [
        {"value": value, "index": n, "total": 5} for n, value in enumerate(array)
    ]
    assert set(frame["record_type"]) == {"thing"}
    assert set(frame["iteration_node_alias"]) == {"each mail"}
    assert set(frame["status"]) == {"discovered"}


def test_the_same_run_makes_nothing_twice_and_resets_nothing(service: Service, workflow_id: str) -> None:
    made = service.convert_array_to_records(workflow_id, ["x", {"b": 1, "a": 2.0}], run_id="r1")
    service.update_record(workflow_id, made[0], {"status": "complete", "vars.label": 1})
    service.delete_record(workflow_id, made[1])
    before = record(service, workflow_id, made[0])
    assert service.convert_array_to_records(workflow_id, ["x", {"a": 2.0, "b": 1}], run_id="r1") == made
    assert record(service, workflow_id, made[0]) == before
    assert statuses(service, workflow_id) == ["complete", "discovered"]
    for other in (["x", "y"], ["x"], ["x", {"a": 2, "b": 1}], ["x", "y", "z"]):
        with pytest.raises(toolkit.RecordExists, match="another array; nothing was written"):
            service.convert_array_to_records(workflow_id, other, run_id="r1")
    assert len(service.query_records(workflow_id)) == 2
    assert set(service.convert_array_to_records(workflow_id, ["x"])).isdisjoint(made)


def test_records_of_a_long_array_keep_its_order(service: Service, workflow_id: str) -> None:
    made = service.convert_array_to_records(workflow_id, range(10_001), run_id="r")
    assert (made[0], made[-1]) == ("temp:r:unknown:00001", "temp:r:unknown:10001")
    assert list(service.query_records(workflow_id, columns=["record_id"])["record_id"]) == made


def test_anything_with_an_order_is_an_array(service: Service, workflow_id: str) -> None:
    arrays: list[tuple[Any, list[Any]]] = [
        (pd.Series([1, None, 3], dtype="Int64"), [1, None, 3]),
        (pd.Series([1.5, float("nan")]), [1.5, None]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (("x", True), ["x", True]),
        ((n for n in range(2)), [0, 1]),
        ([], []),
    ]
    for array, values in arrays:
        made = service.convert_array_to_records(workflow_id, array)
        assert [record(service, workflow_id, name)["data"]["fields"]["value"] for name in made] == values


def test_what_is_no_array_is_refused(service: Service, workflow_id: str) -> None:
    refused: list[tuple[Any, str]] = [
        ("text", "not str"),
        ({"a": 1}, "not dict"),
        ({1, 2}, "not set"),
        (5, "not int"),
        (None, "not NoneType"),
        (np.array(1), "not ndarray"),
        (pd.DataFrame({"a": [1]}), "create_records takes a frame"),
        ([1, float("nan")], r"row 1 \('temp:.*:0002'\).*nan"),
        (["[hidden]"], r"holds \[hidden\]"),
    ]
    for array, message in refused:
        with pytest.raises(toolkit.InvalidValue, match=message):
            service.convert_array_to_records(workflow_id, array)
    assert len(service.query_records(workflow_id)) == 0
    assert len(service.convert_array_to_records(workflow_id, ["[hidden]"], literal=True)) == 1


def test_a_variable_that_holds_an_array_is_iterated_with_new_records_each_time(
    service: Service, workflow_id: str
) -> None:
    animals = ["ant", {"api_token": "FAKE-0001"}, "[hidden]"]
    service.set_variable(workflow_id, "animals", animals, literal=True)
    seen: list[Any] = []
    for run in (1, 2):
        result = service.iterate_records(
            workflow_id, over="animals", body=lambda one: seen.append(one["data"]["fields"]["value"])
        )
        assert (result.processed, result.total) == (3, 3)
        assert seen == animals * run
        assert len(service.query_records(workflow_id, "temp:*", status="complete")) == 3 * run
    assert service.get_variable(workflow_id, "animals", reveal=True) == animals
    service.iterate_records(workflow_id, over="animals", body=lambda _: None, record_type="animal")
    assert len(service.query_records(workflow_id, record_type="animal")) == 3


def test_a_variable_that_holds_no_array_is_named_for_what_it_is(service: Service, workflow_id: str) -> None:
    kinds = {"an object": {"a": 1}, "text": "x", "a number": 2**70, "a boolean": True, "null": None}
    for kind, value in kinds.items():
        service.set_variable(workflow_id, "animals", value)
        with pytest.raises(toolkit.InvalidValue, match=f"'animals' names a variable that holds {kind}, not an array"):
            service.iterate_records(workflow_id, over="animals", body=print)
    with pytest.raises(toolkit.VariableNotFound, match="no variable 'animal'; did you mean 'animals'"):
        service.iterate_records(workflow_id, over="animal", body=print)
    with pytest.raises(toolkit.VariableNotFound, match=r"no variable 'x'$"):
        service.iterate_records(workflow_id, over="x", body=print)


# Options that are refused


async def work(_: dict[str, Any]) -> None: ...


async def stream(_: dict[str, Any]) -> Any:
    yield None


def generator(_: dict[str, Any]) -> Any:
    yield None


class Working:
    async def __call__(self, one: dict[str, Any]) -> None: ...


BODIES = [None, "print", work, stream, Working(), functools.partial(work), functools.partial(Working()), generator]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_cannot_run_to_its_end_is_refused_before_anything_is_claimed(body: Any) -> None:
    with pytest.raises(toolkit.InvalidOption, match="body"):
        check_body(body)


def test_an_async_body_in_a_plain_function_is_refused_and_its_record_put_back(
    service: Service, workflow_id: str
) -> None:
    create(service, workflow_id, 2)
    with pytest.raises(toolkit.InvalidOption, match=r"asyncio\.run"):
        service.iterate_records(workflow_id, "*", body=lambda one: work(one))  # noqa: PLW0108 - hidden on purpose
    assert statuses(service, workflow_id) == ["discovered", "discovered"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "give either over_records="),
    ({"over_records": "*", "over": "x"}, "give either over_records="),
    ({"over_records": "*", "on_error": "ignore"}, "on_error='ignore' is none of stop, mark_failed_stop"),
    ({"over_records": "*", "max_retries": -1}, "max_retries=-1"),
    ({"over_records": "*", "max_retries": True}, "max_retries=True"),
    ({"over_records": "*", "on_error": "retry"}, "max_retries=3"),
    ({"over_records": "*", "statuses": ("processing",)}, "requeue_stuck"),
    ({"over": "x", "statuses": "failed"}, "statuses= leaves them out"),
    ({"over": "x", "record_type": ["a"]}, "have one type"),
    ({"over_records": "*", "body": work}, "async body"),
]


def test_options_are_checked_before_anything_is_claimed(service: Service, workflow_id: str) -> None:
    create(service, workflow_id, 1, updated_at="2026-01-01")
    before = record(service, workflow_id, "a_000")
    for options, message in REFUSED:
        with pytest.raises(toolkit.InvalidOption, match=message):
            service.iterate_records(workflow_id, **{"body": print, **options})
    with pytest.raises(toolkit.InvalidOption, match="is about one workflow"):
        service.iterate_records("*", "*", body=print)
    assert record(service, workflow_id, "a_000") == before


def test_a_read_only_connection_claims_nothing(service: Service, workflow_id: str, database_url: str) -> None:
    create(service, workflow_id, 1)
    with toolkit.connect(database_url, read_only=True) as reader, pytest.raises(toolkit.ReadOnly):
        reader.iterate_records(workflow_id, "a_9", body=print)


def test_a_result_shows_no_value_of_a_record(service: Service, workflow_id: str) -> None:
    create(service, workflow_id, 2)
    secrets = {"a_000": {"vars.password": "FAKE-0001"}}
    result = service.iterate_records(workflow_id, "*", body=lambda one: secrets[one["record_id"]])
    assert result.failed == 1
    assert "FAKE" not in f"{result} {result!r}"
    assert result.results == {"a_000": {"vars.password": "FAKE-0001"}}
