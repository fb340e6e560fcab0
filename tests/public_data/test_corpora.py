"""Whole corpora go through variables and documents on every database; what is refused leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import toolkit
from toolkit import jsonvalue
from toolkit.errors import CorruptValue, InvalidValue

Service = toolkit.UnifiedDataService

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PARSING = DATA / "05_nasty_json" / "nst_JSONTestSuite" / "test_parsing"
SCHEMAS = DATA / "05_nasty_json" / "json-schema-org_JSON-Schema-Test-Suite"
NAUGHTY = DATA / "05_nasty_json" / "minimaxir_big-list-of-naughty-strings" / "blns.json"
TWITTER = next((DATA / "04_records").rglob("twitter.json"), DATA / "nowhere")

LONG_INTEGERS = {
    f"integer {sign}{name}": int(sign + "1") * number
    for sign in "+-"
    for name, number in {
        "2^53 + 1": 2**53 + 1,
        "2^63 - 1": 2**63 - 1,
        "2^63": 2**63,
        "2^64 - 1": 2**64 - 1,
        "2^64": 2**64,
        "2^64 + 1": 2**64 + 1,
        "40 digits": 1234567890123456789012345678901234567891,
        "400 digits": 10**399 + 7,
        "4300 digits": 10**4299 + 1,
    }.items()
}


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def corpora() -> dict[str, Any]:
    """Every value by its name: all that is read of the parsing suite, and all of the others."""
    values: dict[str, Any] = dict(LONG_INTEGERS)
    for path in sorted(PARSING.glob("[yi]_*.json")):
        try:
            values[path.stem] = jsonvalue.decode(path.read_bytes())
        except CorruptValue:
            assert path.stem.startswith("i_"), path
    for path in sorted(SCHEMAS.rglob("*.json")):
        name = "/".join(path.relative_to(SCHEMAS).with_suffix("").parts)
        for place, group in enumerate(loaded(path)):
            values[f"{name} {place}"] = group["schema"]
            values |= {f"{name} {place} {number}": test["data"] for number, test in enumerate(group["tests"])}
    values |= {f"naughty {place}": text for place, text in enumerate(loaded(NAUGHTY))}
    values["twitter"] = loaded(TWITTER)
    return values | {f"tweet {place}": tweet for place, tweet in enumerate(values["twitter"]["statuses"])}


def is_storable(value: Any) -> bool:
    try:
        jsonvalue.encode(value)
    except InvalidValue:
        return False
    return True


@cache
def storable() -> dict[str, Any]:
    return {name: value for name, value in corpora().items() if is_storable(value)}


@cache
def refused() -> dict[str, Any]:
    return {name: value for name, value in corpora().items() if name not in storable()}


@cache
def documentable() -> dict[str, Any]:
    """What a document holds three levels down: all of that but the one that uses up every level itself."""
    return {name: value for name, value in storable().items() if is_storable([[[value]]])}


def assert_all_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name, value in expected.items() if not jsonvalue.same(found[name], value)] == []


def test_the_corpora_are_whole() -> None:
    assert len(corpora()) > 1_500
    assert max(tweet["id"] for tweet in loaded(TWITTER)["statuses"]) > 2**53
    # Two numbers that no double holds, and the NUL character, which PostgreSQL does not hold.
    assert sorted(name for name in refused() if not name.startswith("draft")) == [
        "i_number_pos_double_huge_exp",
        "i_number_real_neg_overflow",
        "y_object_escaped_null_in_key",
    ]
    assert len(refused()) == 7
    assert storable().keys() - documentable().keys() == {"i_structure_500_nested_arrays"}
    assert all("\\u0000" in json.dumps(refused()[name]) for name in refused() if name.startswith(("y_", "draft")))


def test_every_value_comes_back_as_a_variable(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, storable())
    frame = service.get_all_variables(workflow_id, reveal=True)
    assert_all_same(dict(zip(frame["key"], frame["value"], strict=True)), storable())
    for name in list(storable())[::40]:
        service.set_variable(workflow_id, "one", storable()[name])
        assert jsonvalue.same(service.get_variable(workflow_id, "one", reveal=True), storable()[name]), name


def test_every_value_comes_back_in_a_document(service: Service, workflow_id: str) -> None:
    service.create_records(
        workflow_id,
        [
            {"record_id": name, "data": {"plain": value, "vars": {"v": [value]}, "history": [{"value": value}]}}
            for name, value in documentable().items()
        ],
    )
    frame = service.query_records(workflow_id, flatten=False, reveal=True)
    documents = dict(zip(frame["record_id"], frame["data"], strict=True))
    assert_all_same({name: document["fields"]["plain"] for name, document in documents.items()}, documentable())
    assert_all_same({name: document["vars"]["v"][0] for name, document in documents.items()}, documentable())
    assert_all_same({name: document["history"][0]["value"] for name, document in documents.items()}, documentable())
    for name in list(documentable())[::40]:
        record = service.get_record(workflow_id, name, reveal=True)
        assert record is not None
        assert jsonvalue.same(record["data"]["fields"]["plain"], documentable()[name]), name


def test_every_value_comes_back_after_a_patch_beside_it_and_as_a_patch(service: Service, workflow_id: str) -> None:
    service.create_records(
        workflow_id, [{"record_id": name, "fields.v": value} for name, value in documentable().items()]
    )
    service.update_records(workflow_id, [(name, {"vars.v": value}) for name, value in documentable().items()])
    frame = service.query_records(workflow_id, flatten=False, reveal=True)
    documents = dict(zip(frame["record_id"], frame["data"], strict=True))
    assert_all_same({name: document["fields"]["v"] for name, document in documents.items()}, documentable())
    assert_all_same({name: document["vars"]["v"] for name, document in documents.items()}, documentable())


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


BAD_VALUES = {
    "nan": float("nan"),
    "infinity": float("-inf"),
    "an integer of 4,301 digits": 10**4300,
    "a lone surrogate": "\ud83d",
    "a lone surrogate in a key": {"\ude00": 1},
    "a key that is no text": {1: 2},
    "bytes": b"bytes",
    "10,000 levels": nested(10_000),
}


def writes(service: Service, workflow_id: str, value: Any) -> dict[str, Callable[[], Any]]:
    """Every way in, with a good value in front of the bad one where there is room for several."""
    return {
        "set_variable": lambda: service.set_variable(workflow_id, "kept", value),
        "set_variables": lambda: service.set_variables(workflow_id, {"kept": 2, "other": value}),
        "create_record": lambda: service.create_record(workflow_id, "kept_1", data={"v": value}),
        "create_records": lambda: service.create_records(
            workflow_id, [{"record_id": "new_1"}, {"record_id": "new_2", "vars.v": value}], mode="upsert"
        ),
        "update_record": lambda: service.update_record(workflow_id, "kept_1", {"status": "failed", "vars.v": value}),
        "update_records": lambda: service.update_records(
            workflow_id, [("kept_1", {"vars.v": 2}), ("kept_1", {"history[+]": value})]
        ),
    }


def assert_refused(service: Service, workflow_id: str, calls: dict[str, Callable[[], Any]]) -> None:
    for name, call in calls.items():
        with service.trace() as trace, pytest.raises(InvalidValue):
            call()
        assert [each.text for each in trace if each.text.startswith(("INSERT", "UPDATE", "DELETE"))] == [], name
    assert service.get_data(workflow_id).to_dict()["global"] == {"kept": 1}
    frame = service.query_records(workflow_id)
    assert frame[["record_id", "status", "fields.v"]].to_numpy().tolist() == [["kept_1", "discovered", 1]]


@pytest.fixture
def kept(service: Service, workflow_id: str) -> Service:
    service.set_variable(workflow_id, "kept", 1)
    service.create_record(workflow_id, "kept_1", data={"v": 1})
    return service


def test_values_of_the_corpora_that_no_database_holds_are_refused_before_anything_is_written(
    kept: Service, workflow_id: str
) -> None:
    for value in refused().values():
        assert_refused(kept, workflow_id, writes(kept, workflow_id, value))
    into_records = writes(kept, workflow_id, storable()["i_structure_500_nested_arrays"])
    assert_refused(
        kept, workflow_id, {name: call for name, call in into_records.items() if name.startswith(("create", "update"))}
    )


@pytest.mark.parametrize("name", BAD_VALUES)
def test_what_is_no_json_is_refused_before_anything_is_written(kept: Service, workflow_id: str, name: str) -> None:
    assert_refused(kept, workflow_id, writes(kept, workflow_id, BAD_VALUES[name]))


@pytest.mark.parametrize("name", ["", "a\0b", "\ud83d", "x" * 10_000, 7, None])
def test_a_key_and_an_id_that_cannot_be_one_are_refused_before_anything_is_written(
    kept: Service, workflow_id: str, name: Any
) -> None:
    assert_refused(
        kept,
        workflow_id,
        {
            "set_variable": lambda: kept.set_variable(workflow_id, name, 2),
            "set_variables": lambda: kept.set_variables(workflow_id, {"kept": 2, name: 2}),
            "create_record": lambda: kept.create_record(workflow_id, name, data={}),
            "create_records": lambda: kept.create_records(
                workflow_id, [{"record_id": "kept_1", "fields.v": 2}, {"record_id": name}], mode="upsert"
            ),
        },
    )
