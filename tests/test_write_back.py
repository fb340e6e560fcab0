"""A mask is never data: what was read is written back by every way there is, and no stored secret changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pandas as pd
import pytest

import toolkit
from toolkit import columns, frames
from toolkit.masking import HIDDEN

SECRET: Final = "FAKE-not-a-real-value-0001"
OTHER: Final = "FAKE-not-a-real-value-0002"
KEY: Final = "AKIA" + "FAKEFAKEFAKE0001"

VARIABLES: Final[dict[str, Any]] = {
    "api_token": SECRET,
    "smtp": {"host": "mail.example", "password": OTHER},
    "note": f"sent {SECRET} again",
    f"seen {KEY}": "plain",
    "password@iter:28:0": OTHER,
}
ROWS: Final[list[dict[str, Any]]] = [
    {
        "record_id": "a_1",
        "status": "failed",
        "error_message": f"401 for {SECRET}",
        "data": {"fields": {"n": 1, "note": f"see {KEY}"}, "vars": {"api_token": OTHER, "list": [{"password": OTHER}]}},
    },
    {"record_id": f"b_{KEY}", "data": {"fields": {"n": 2}}},
]

Service = toolkit.UnifiedDataService


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    service.set_variables(workflow_id, VARIABLES)
    service.create_records(workflow_id, ROWS)
    return workflow_id


def stored(service: Service, name: str) -> tuple[Any, Any]:
    """Return everything that a workflow really holds, but for times."""
    rows = service.query_records(name, flatten=False, reveal=True).drop(columns=list(columns.TIME_COLUMNS))
    return service.get_variable(name, "all", reveal=True), frames.to_dicts(rows)


# What is read


def _chunks(service: Service, name: str) -> pd.DataFrame:
    with service.query_records(name, chunksize=1) as chunks:
        return pd.concat(list(chunks), ignore_index=True)


READS: Final[dict[str, Callable[[Service, str], Any]]] = {
    "flat": lambda service, name: service.query_records(name),
    "with history": lambda service, name: service.query_records(name, columns="all"),
    "documents": lambda service, name: service.query_records(name, flatten=False),
    "some columns": lambda service, name: service.query_records(name, columns=["record_id", "vars"]),
    "messages": lambda service, name: service.query_records(
        name, columns=["record_id", "error_message", "fields.note"]
    ),
    "by backend": lambda service, name: service.query_records(name, dtype_backend="pyarrow"),
    "Arrow": lambda service, name: service.query_records(name, as_arrow=True).to_pandas(),
    "chunks": _chunks,
    "by ids": lambda service, name: service.get_records_by_ids(name, [row["record_id"] for row in ROWS]),
    "one": lambda service, name: pd.DataFrame([service.get_record(name, "a_1")]),
    "data": lambda service, name: service.get_data(name).records,
}


VARIABLE_READS: Final[dict[str, Callable[[Service, str], pd.DataFrame]]] = {
    "variables": lambda service, name: service.get_all_variables(name),
    "iterations": lambda service, name: service.get_iterations(name),
    "data": lambda service, name: _there(service.get_data(name).variables),
}


def _there(frame: pd.DataFrame | None) -> pd.DataFrame:
    assert frame is not None
    return frame


# How it is written

Write = Callable[[Service, str, pd.DataFrame], Any]

WRITES: Final[dict[str, Write]] = {
    "create_records": lambda service, name, frame: service.create_records(name, frame, mode="upsert"),
    "update": lambda service, name, frame: service.create_records(
        name, frame[frame["record_id"] == "a_1"], mode="update"
    ),
    "rows": lambda service, name, frame: service.create_records(name, frames.to_dicts(frame), mode="upsert"),
    "create_record": lambda service, name, frame: [
        service.create_record(name, row["record_id"], data=_document(row)) for row in frames.to_dicts(frame)
    ],
    "update_records": lambda service, name, frame: service.update_records(
        name, [(row["record_id"], _patch(row)) for row in frames.to_dicts(frame)]
    ),
    "update_record": lambda service, name, frame: [
        service.update_record(name, row["record_id"], _patch(row)) for row in frames.to_dicts(frame)
    ],
    "convert_array_to_records": lambda service, name, frame: service.convert_array_to_records(
        name, frames.to_dicts(frame.drop(columns=list(frame.columns.intersection(list(columns.TIME_COLUMNS)))))
    ),
    "iterate_records": lambda service, name, frame: service.iterate_records(
        name, ["a_1"], body=lambda _: _patch(frames.to_dicts(frame)[0]), statuses="failed", on_error="stop"
    ),
}


def _document(row: dict[str, Any]) -> dict[str, Any]:
    if "data" in row:
        return dict(row["data"])
    return {"fields": {name: value for name, value in row.items() if name not in columns.RECORD_COLUMNS}}


def _patch(row: dict[str, Any]) -> dict[str, Any]:
    if "data" in row:
        return {part: value for part, value in row["data"].items() if part in ("fields", "vars")}
    return {name: value for name, value in row.items() if name.startswith(("fields.", "vars.", "error_"))}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_records_that_were_read_are_refused_by_every_write(
    service: Service, filled: str, read: Callable[[Service, str], Any], write: Write
) -> None:
    before, frame = stored(service, filled), read(service, filled)
    assert HIDDEN in str(frames.to_dicts(frame))
    with pytest.raises(toolkit.HiddenValue, match=r"a_1|b_|row 0"):
        write(service, filled, frame)
    assert stored(service, filled) == before


@pytest.mark.parametrize("read", VARIABLE_READS.values(), ids=VARIABLE_READS.keys())
def test_variables_that_were_read_are_refused(
    service: Service, filled: str, read: Callable[[Service, str], pd.DataFrame]
) -> None:
    before, frame = stored(service, filled), read(service, filled)
    with pytest.raises(toolkit.HiddenValue):
        service.set_variables(filled, frame)
    for key, value in zip(frame["key"], frame["value"], strict=True):
        if HIDDEN in f"{key} {value}":
            with pytest.raises(toolkit.HiddenValue, match=r"api_token|smtp|note|seen|password"):
                service.set_variable(filled, key, value)
    assert stored(service, filled) == before


@pytest.mark.parametrize("key", VARIABLES)
def test_a_value_that_was_read_is_refused(service: Service, filled: str, key: str) -> None:
    before, value = stored(service, filled), service.get_variable(filled, key)
    if isinstance(value, toolkit.Secret):
        with pytest.raises(toolkit.InvalidValue):
            service.set_variable(filled, key, value)
    elif HIDDEN in str(value):
        with pytest.raises(toolkit.HiddenValue, match=key):
            service.set_variable(filled, key, value)
    else:
        service.set_variable(filled, key, value)
    assert stored(service, filled) == before


def test_a_dict_of_all_variables_is_refused(service: Service, filled: str) -> None:
    before = stored(service, filled)
    everything = service.get_variable(filled, "all")
    assert isinstance(everything, dict)
    for values in (everything, service.get_data(filled).to_dict()["global"]):
        with pytest.raises(toolkit.HiddenValue):
            service.set_variables(filled, values)
    assert stored(service, filled) == before


def test_columns_without_masks_can_be_written_back(service: Service, filled: str) -> None:
    before = stored(service, filled)
    frame = service.query_records(filled, "a_*", columns=["record_id", "status", "fields.n"])
    plan = service.plan_update(filled, frame, before=frame)
    assert plan.total == 0
    service.update_records(
        filled, [(row["record_id"], {"fields.n": row["fields.n"]}) for row in frames.to_dicts(frame)]
    )
    assert stored(service, filled) == before


def test_a_plan_leaves_masks_alone_and_refuses_new_ones(service: Service, filled: str) -> None:
    before, frame = stored(service, filled), service.query_records(filled, "a_*")
    assert service.plan_update(filled, frame, before=frame).total == 0
    plan = service.plan_update(filled, frame.assign(**{"fields.n": 7}), before=frame)
    plan.apply(expect=plan.total)
    after = stored(service, filled)
    before[1][0]["data"]["fields"]["n"] = 7
    assert after == before
    frame = service.query_records(filled, "a_*")
    moved = frame.assign(**{"fields.note": frame["vars.api_token"]})
    with pytest.raises(toolkit.HiddenValue, match=r"a_1.*fields\.note"):
        service.plan_update(filled, moved, before=frame)
    assert stored(service, filled) == before


MASKED: Final[dict[str, dict[str, Any]]] = {
    "record_id": {"record_id": f"a_{HIDDEN}"},
    "record_type": {"record_id": "a_1", "record_type": HIDDEN},
    "status": {"record_id": "a_1", "status": f"own {HIDDEN}"},
    "iteration_node_alias": {"record_id": "a_1", "iteration_node_alias": HIDDEN},
    "error_message": {"record_id": "a_1", "error_message": f"401 for {HIDDEN}"},
    "a path": {"record_id": "a_1", "vars.api_token": HIDDEN},
    "below a path": {"record_id": "a_1", "vars.list": [{"password": HIDDEN}]},
    "a key": {"record_id": "a_1", "vars.of": {f"used {HIDDEN}": 1}},
    "the name of a path": {"record_id": "a_1", f'vars."used {HIDDEN}"': 1},
    "a document": {"record_id": "a_1", "data": {"vars": {"api_token": HIDDEN}}},
    "history": {"record_id": "a_1", "data": {"history": [{"old": HIDDEN}]}},
}


@pytest.mark.parametrize("place", MASKED)
def test_a_mask_is_refused_in_every_place_of_a_record_and_literal_writes_it(
    service: Service, filled: str, place: str
) -> None:
    row, before = MASKED[place], stored(service, filled)
    many = [{"record_id": "a_0"}, row]
    for given in (many, pd.DataFrame(many)):
        with pytest.raises(toolkit.HiddenValue, match="row 1"):
            service.create_records(filled, given, mode="upsert")
    assert stored(service, filled) == before
    service.create_records(filled, many, mode="upsert", literal=True)
    written = service.get_record(filled, row["record_id"], reveal=True)
    assert HIDDEN in str(written)


@pytest.mark.parametrize(
    "patch",
    [
        {"vars.api_token": HIDDEN},
        {"vars": {"api_token": f"x {HIDDEN}"}},
        {"vars.of": {f"used {HIDDEN}": 1}},
        {f'vars."used {HIDDEN}"': 1},
        {"history[+]": {"old": HIDDEN}},
        {"error_message": f"401 for {HIDDEN}"},
        {"status": HIDDEN},
    ],
    ids=str,
)
def test_a_mask_in_a_patch_is_refused_and_literal_writes_it(
    service: Service, filled: str, patch: dict[str, Any]
) -> None:
    before = stored(service, filled)
    with pytest.raises(toolkit.HiddenValue, match="a_1"):
        service.update_record(filled, "a_1", patch)
    with pytest.raises(toolkit.HiddenValue, match="a_1"):
        service.update_records(filled, {"a_1": patch})
    assert stored(service, filled) == before
    service.update_record(filled, "a_1", patch, literal=True)
    assert HIDDEN in str(service.get_record(filled, "a_1", reveal=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [("x", HIDDEN), ("x", {"a": [f"see {HIDDEN}"]}), ("x", {HIDDEN: 1}), (f"seen {HIDDEN}", 1), ("x", [[HIDDEN]])],
    ids=str,
)
def test_a_mask_in_a_variable_is_refused_and_literal_writes_it(
    service: Service, filled: str, key: str, value: Any
) -> None:
    before = stored(service, filled)
    with pytest.raises(toolkit.HiddenValue):
        service.set_variable(filled, key, value)
    with pytest.raises(toolkit.HiddenValue):
        service.set_variables(filled, {"y": 1, key: value})
    with pytest.raises(toolkit.HiddenValue):
        service.set_variables(filled, pd.DataFrame({"key": ["y", key], "value": [1, value]}))
    assert stored(service, filled) == before
    service.set_variable(filled, key, value, literal=True)
    assert service.get_variable(filled, key, reveal=True) == value


def test_an_id_that_holds_a_mask_changes_no_record(service: Service, filled: str) -> None:
    before = stored(service, filled)
    masked = service.query_records(filled, columns=["record_id"])["record_id"][1]
    assert HIDDEN in masked
    with pytest.raises(toolkit.ToolkitError):
        service.update_record(filled, masked, {"fields.n": 3})
    with pytest.raises(toolkit.HiddenValue):
        service.create_record(filled, masked)
    assert service.delete_record(filled, masked).records == 0
    assert service.delete_variable(filled, f"seen {HIDDEN}").variables == 0
    assert service.get_record(filled, masked) is None
    assert stored(service, filled) == before
