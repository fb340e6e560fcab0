"""Reads in chunks, and reads of some places only: the same frame as the whole read, with less of it in hand."""

from __future__ import annotations

import gc
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from pandas.testing import assert_frame_equal

import toolkit

ROWS: list[dict[str, Any]] = [
    {"fields": {"n": 1, "mixed": 1, "only_last": None, "deep": {"a": {"b": [1]}}}},
    {"fields": {"n": 2, "mixed": 1.5, "deep": {"a": 5}}, "vars": {"api_token": "FAKE-0001"}},
    {"fields": {"n": 3, "mixed": 2**53 + 1, "deep": {}}, "vars": {"label": "x"}},
    {"fields": {"n": 4, "a.b": "dotted", "who": {"name": "api_token", "value": "FAKE-0002"}}},
    {"fields": {"n": None, "only_last": 2**70, 'quo"te': 1, "é": "x"}, "history": [{"node": 1}]},
]


@pytest.fixture
def filled(service: toolkit.UnifiedDataService, workflow_id: str) -> str:
    service.create_records(workflow_id, [{"record_id": f"a_{n}", "data": data} for n, data in enumerate(ROWS)])
    return workflow_id


@pytest.mark.parametrize("chunksize", [1, 2, 5, 100])
def test_the_chunks_put_together_are_the_whole_read(
    service: toolkit.UnifiedDataService, filled: str, chunksize: int
) -> None:
    whole = service.query_records(filled)
    with service.query_records(filled, chunksize=chunksize) as chunks:
        parts = list(chunks)
    assert [len(part) for part in parts] == [len(ROWS[i : i + chunksize]) for i in range(0, len(ROWS), chunksize)]
    for part in parts:
        assert part.dtypes.to_dict() == whole.dtypes.to_dict()
    assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_a_read_in_chunks_of_nothing_has_one_empty_chunk(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    with service.query_records(workflow_id, chunksize=10) as chunks:
        parts = list(chunks)
    assert [len(part) for part in parts] == [0]
    assert parts[0].dtypes.to_dict() == service.query_records(workflow_id).dtypes.to_dict()


def test_the_chunks_are_of_one_moment_whatever_is_written_meanwhile(
    service: toolkit.UnifiedDataService, filled: str
) -> None:
    with service.query_records(filled, chunksize=1) as chunks:
        reading = iter(chunks)
        first = next(reading)
        service.create_record(filled, "a_9")
        service.set_variable(filled, "seen", 1)
        assert service.get_variable(filled, "seen") == 1
        rest = list(reading)
    assert [*first["record_id"], *(name for part in rest for name in part["record_id"])] == [
        f"a_{n}" for n in range(len(ROWS))
    ]


def test_no_transaction_outlives_the_block(service: toolkit.UnifiedDataService, filled: str) -> None:
    def interrupted() -> None:
        with service.query_records(filled, chunksize=1) as chunks:
            next(iter(chunks))
            raise KeyError("something else")

    with pytest.raises(KeyError):
        interrupted()
    gc.collect()
    pool: Any = service.database.engine.pool
    assert isinstance(pool, sa.StaticPool) or pool.checkedout() == 0


def test_chunks_outside_a_block_say_how_they_are_meant(service: toolkit.UnifiedDataService, filled: str) -> None:
    chunks = service.query_records(filled, chunksize=2)
    with pytest.raises(toolkit.InvalidOption, match="with service"):
        next(iter(chunks))


@pytest.mark.parametrize("chunksize", [0, -1, True, 1.5, "2"])
def test_a_chunksize_that_is_no_number_of_rows_is_an_error(
    service: toolkit.UnifiedDataService, filled: str, chunksize: Any
) -> None:
    with pytest.raises(toolkit.InvalidOption, match="chunksize"):
        service.query_records(filled, chunksize=chunksize)


def test_chunks_in_memory_leave_the_one_connection_to_other_calls() -> None:
    service = toolkit.connect(":memory:", create=True)
    service.create_records("nightly", [{"record_id": f"a_{n}"} for n in range(4)])
    with service.query_records("nightly", chunksize=2) as chunks:
        for _ in chunks:
            service.set_variable("nightly", "seen", 1)
    assert service.get_variable("nightly", "seen") == 1


CHOICES = [
    ["fields.n"],
    ["record_id", "fields.deep", "status"],
    ["fields.deep.a"],
    ["fields.deep.a.b", "fields.mixed"],
    ['fields."a.b"', "fields.only_last"],
    ['fields."quo\\"te"', "fields.é"],
    ["fields.who.value"],
    ["fields.who"],
    ["fields", "fields.n"],
    ["history"],
    ["vars", "data", "targets"],
    ["fields.nowhere", "record_id"],
]


@pytest.mark.parametrize("wanted", CHOICES, ids=str)
@pytest.mark.parametrize("reveal", [False, True])
def test_some_places_read_alone_are_those_of_the_whole_read(
    service: toolkit.UnifiedDataService, filled: str, wanted: list[str], reveal: bool
) -> None:
    whole = service.query_records(filled, columns="all", reveal=reveal)
    some = service.query_records(filled, columns=wanted, reveal=reveal)
    assert list(some["record_id"] if "record_id" in wanted else []) in ([], list(whole["record_id"]))
    for name in some.columns:
        if name in whole.columns:
            assert_frame_equal(some[[name]], whole[[name]])
        else:
            assert some[name].isna().all()
    expected = [name for name in whole.columns if any(name == each or name.startswith(each + ".") for each in wanted)]
    assert set(expected) <= set(some.columns)


def test_a_secret_that_its_neighbour_names_stays_hidden_when_read_alone(
    service: toolkit.UnifiedDataService, filled: str
) -> None:
    assert list(service.query_records(filled, columns=["fields.who.value"])["fields.who.value"].dropna()) == [
        "[hidden]"
    ]


def test_only_the_places_asked_for_are_sent(service: toolkit.UnifiedDataService, filled: str) -> None:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    sa.event.listen(service.database.engine, "before_cursor_execute", note)
    service.query_records(filled, columns=["record_id", "fields.n"])
    reading = next(text for text in statements if "workflow_records" in text)
    assert "fields.n" in reading
    assert not any(f"AS {name}" in reading for name in ("data", "record_type", "error_message", "updated_at"))
