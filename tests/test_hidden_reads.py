"""What reads hide: secrets in record columns, ids and keys, and wherever one stands again in the same result."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import toolkit
from toolkit import frames, jsonvalue
from toolkit.errors import InvalidOption
from toolkit.frames.hiding import hidden_in_values, without_twins
from toolkit.masking import HIDDEN, MaskingPolicy, View

SECRET = "FAKE-not-a-real-value-0001"
OTHER = "FAKE-not-a-real-value-0002"
THIRD = "FAKE-not-a-real-value-0003"
KEY = "AKIA" + "FAKEFAKEFAKE0001"

ROWS: list[dict[str, Any]] = [
    {
        "record_id": "a_1",
        "error_message": f"401 for {SECRET} at /login; password=FAKE-0009 was refused",
        "status": "failed",
        "data": {
            "vars": {"api_token": OTHER, "n": 1, "list": [f"x {OTHER} y", 2], f"used {OTHER}": True},
            "fields": {"note": f"sent {SECRET} and {OTHER}", "plain": "ordinary words"},
            "history": [{"time": "2026-11-16T02:00:00Z", "text": f"with {SECRET}"}],
        },
    },
    {"record_id": f"a_{KEY}", "data": {"fields": {"note": THIRD, "plain": "more words"}, "vars": {"n": 2}}},
    {"record_id": "a_3", "data": {"fields": {"note": f"again {OTHER}."}, "vars": {"n": 3, "db": {"password": THIRD}}}},
]


@pytest.fixture
def filled(service: toolkit.UnifiedDataService, workflow_id: str) -> str:
    service.set_variables(workflow_id, {"smtp": {"password": SECRET}, "total": 3, f"seen {KEY}": f"see {SECRET}"})
    times = (f"2026-11-16T02:00:0{second}Z" for second in range(len(ROWS)))
    service.create_records(workflow_id, [{**row, "created_at": at} for row, at in zip(ROWS, times, strict=True)])
    return workflow_id


def everything_in(shown: Any) -> str:
    """All that a result holds, in the forms in which it could get out."""
    if isinstance(shown, pd.DataFrame):
        rows = frames.to_dicts(shown)
        return " ".join([str(rows), repr(shown), shown.to_html(), str(shown.attrs), json.dumps(list(shown.columns))])
    return str(shown)


PLACES = ["record_id", "error_message", "vars", "fields"]

READS: dict[str, Callable[[Any, str], Any]] = {
    "flat": lambda service, name: service.query_records(name),
    "with history": lambda service, name: service.query_records(name, columns="all"),
    "documents": lambda service, name: service.query_records(name, flatten=False),
    "places": lambda service, name: service.query_records(
        name, columns=["record_id", "error_message", "vars", "fields"]
    ),
    "arrow": lambda service, name: service.query_records(name, columns="all", as_arrow=True).to_pylist(),
    "chunks": lambda service, name: [everything_in(part) for part in _chunks(service, name)],
    "one": lambda service, name: service.get_record(name, "a_1"),
    "by ids": lambda service, name: service.get_records_by_ids(name, [row["record_id"] for row in ROWS]),
    "variables": lambda service, name: service.get_all_variables(name),
    "variable": lambda service, name: [service.get_variable(name, key) for key in ("smtp", f"seen {KEY}", "all")],
    "data": lambda service, name: service.get_data(name).to_dict(),
    "failures": lambda service, name: service.failures(name),
}


def _chunks(service: toolkit.UnifiedDataService, name: str) -> list[pd.DataFrame]:
    with service.query_records(name, chunksize=1, columns="all") as chunks:
        return list(chunks)


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_no_read_shows_a_secret_that_is_known(
    service: toolkit.UnifiedDataService, filled: str, read: Callable[[Any, str], Any]
) -> None:
    shown = everything_in(read(service, filled))
    assert HIDDEN in shown
    assert [secret for secret in (SECRET, OTHER, THIRD, KEY, "FAKE-0009") if secret in shown] == []


def test_what_is_no_secret_stays_readable(service: toolkit.UnifiedDataService, filled: str) -> None:
    frame = service.query_records(filled)
    assert list(frame["fields.plain"].dropna()) == ["ordinary words", "more words"]
    assert frame["error_message"][0] == f"401 for {HIDDEN} at /login; password={HIDDEN} was refused"
    assert list(frame["record_id"]) == ["a_1", f"a_{HIDDEN}", "a_3"]
    assert list(frame["vars.n"]) == [1, 2, 3]
    assert frame["vars.list"][0] == [f"x {HIDDEN} y", 2]
    assert list(frame["fields.note"]) == [f"sent {HIDDEN} and {HIDDEN}", HIDDEN, f"again {HIDDEN}."]


def test_every_chunk_hides_what_any_row_tells(service: toolkit.UnifiedDataService, filled: str) -> None:
    whole = service.query_records(filled, columns="all")
    parts = _chunks(service, filled)
    assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_masking_changes_no_dtype_but_of_hidden_columns(service: toolkit.UnifiedDataService, filled: str) -> None:
    shown, masked = service.query_records(filled, reveal=True), service.query_records(filled)
    for name in masked.columns.intersection(shown.columns):
        if not masked[name].astype(str).str.contains(HIDDEN, regex=False).any():
            pd.testing.assert_series_equal(masked[name], shown[name])
        else:
            assert str(masked[name].dtype) in {"str", "object"}


def test_columns_that_were_asked_for_are_shown_and_no_others(service: toolkit.UnifiedDataService, filled: str) -> None:
    real = service.query_records(filled, reveal=True)
    frame = service.query_records(filled, reveal=["vars.api_token", "vars.db", "error_message"])
    assert frame["vars.api_token"][0] == OTHER
    assert frame["vars.db.password"][2] == THIRD
    assert_frame_equal(frame[["error_message"]], real[["error_message"]])
    rest = frame.drop(columns=["vars.api_token", "vars.db.password", "error_message"])
    assert not any(secret in everything_in(rest) for secret in (SECRET, OTHER, THIRD, KEY))


def test_a_place_below_a_hidden_one_can_be_asked_for(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    data = {"vars": {"credentials": {"user": "ada", "password": SECRET}, "n": 1}}
    service.create_record(workflow_id, "a_1", data=data)
    assert service.query_records(workflow_id)["vars.credentials"][0] == HIDDEN
    frame = service.query_records(workflow_id, reveal=["vars.credentials.user"])
    assert frame["vars.credentials.user"][0] == "ada"
    assert SECRET not in everything_in(frame)
    record = service.get_record(workflow_id, "a_1", reveal=["vars.credentials.user"])
    assert record is not None
    assert record["data"]["vars"] == {"credentials": {"user": "ada"}, "n": 1}


def test_documents_show_what_was_asked_for(service: toolkit.UnifiedDataService, filled: str) -> None:
    documents = list(service.query_records(filled, flatten=False, reveal=["vars.api_token"])["data"])
    assert documents[0]["vars"]["api_token"] == OTHER
    assert documents[0]["vars"]["list"] == [f"x {HIDDEN} y", 2]
    assert documents[2]["vars"]["db"] == {"password": HIDDEN}


def test_variables_show_the_keys_that_were_asked_for(service: toolkit.UnifiedDataService, filled: str) -> None:
    service.set_variable(filled, "api_token", OTHER)
    values = service.get_all_variables(filled, reveal=["api_token"]).set_index("key")["value"]
    assert values["api_token"] == OTHER
    assert values["smtp"] == {"password": HIDDEN}
    assert service.get_variable(filled, "api_token", reveal=["api_token"]) == OTHER
    assert isinstance(service.get_variable(filled, "api_token", reveal=["smtp"]), toolkit.Secret)


def test_reveal_takes_names_and_no_text(service: toolkit.UnifiedDataService, filled: str) -> None:
    with pytest.raises(InvalidOption, match=r"reveal= takes True, or columns such as"):
        service.query_records(filled, reveal="vars.api_token")
    with pytest.raises(InvalidOption):
        service.get_all_variables(filled, reveal=[1])  # type: ignore[list-item]


def test_each_use_of_reveal_is_written_down_without_a_value(
    service: toolkit.UnifiedDataService, filled: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="toolkit.reveal"):
        service.query_records(filled)
        assert caplog.messages == []
        service.query_records(filled, reveal=True)
        service.query_records(filled, reveal=["vars.api_token"])
        service.get_variable(filled, "smtp", reveal=True)
    actor = service.database.actor
    assert caplog.messages == [
        f"{actor} was shown secrets in all columns of 3 rows",
        f"{actor} was shown secrets in vars.api_token of 3 rows",
        f"{actor} was shown secrets in all columns of 1 rows",
    ]
    assert "FAKE" not in caplog.text


def test_a_policy_of_ones_own_holds_for_every_read(service: toolkit.UnifiedDataService, filled: str) -> None:
    service.masking = MaskingPolicy(rules={"words": "ordinary"}, hide_paths=("vars.n",), extra=("plain_*",))
    frame = service.query_records(filled)
    assert list(frame["vars.n"]) == [HIDDEN] * 3
    assert frame["fields.plain"][0] == f"{HIDDEN} words"


@given(st.lists(st.sampled_from(["fields.a", "fields.b", 'vars."x y"', "fields.a.b"]), max_size=6))
def test_no_two_columns_get_one_name(names: list[str]) -> None:
    made = without_twins(names)
    assert len(set(made)) == len(made) == len(names)
    assert [one for one, other in zip(made, names, strict=True) if one == other][: len(set(names))] == list(
        dict.fromkeys(names)
    )


def test_values_that_are_no_text_are_swept_as_they_are() -> None:
    policy = MaskingPolicy().sweeping([SECRET])
    values = [None, [SECRET, 2**70], {"a": {"b": f"x {SECRET}"}}, 5, ["plain"]]
    shown = hidden_in_values(values, policy)
    assert jsonvalue.same(shown, [None, [HIDDEN, 2**70], {"a": {"b": f"x {HIDDEN}"}}, 5, ["plain"]])
    assert shown[4] is values[4]


def test_a_view_shows_what_lies_below_what_was_asked_for() -> None:
    view = View(MaskingPolicy(), ("vars.db",))
    assert [view.shows(name) for name in ("vars.db", "vars.db.x", "vars.dbx", "vars")] == [True, True, False, False]


def test_rows_are_ordered_by_their_real_ids(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    at = "2026-11-16T02:00:00Z"
    service.create_records(workflow_id, [{"record_id": name, "created_at": at} for name in ("a_Z", f"a_{KEY}")])
    assert list(service.query_records(workflow_id)["record_id"]) == [f"a_{HIDDEN}", "a_Z"]
    assert list(service.query_records(workflow_id, limit=2)["record_id"]) == [f"a_{HIDDEN}", "a_Z"]


def test_a_warning_of_broken_json_names_no_secret() -> None:
    table = pa.table({"record_id": [f"a_{KEY}"], "data": ["{"]})
    with pytest.warns(toolkit.errors.DataWarning, match="is shown as missing") as told:
        frames.records(table, View(MaskingPolicy()))
    assert KEY not in str(told[0].message)
