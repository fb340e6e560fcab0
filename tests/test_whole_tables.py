"""Whole tables come another way than a few rows do, and no answer differs by it."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from pandas.testing import assert_frame_equal

import toolkit
from toolkit import ahead, jsonvalue
from toolkit.errors import DatabaseTimeout, DataWarning
from toolkit.patterns import parse
from toolkit.storage import record_reads

HARD: list[Any] = [
    {"fields": {"n": 1, "x": 1, "big": 2**70, "mixed": 1, "a.b": 1, "text": "2026-01-01", "ok": True, "list": [1.0]}},
    {"fields": {"n": 2**63 - 1, "x": 0.5, "mixed": "x", "a": {"b": None}, "text": 'é😀\n\\"', "list": [], "ok": None}},
    {
        "fields": {"n": None, "x": 1e300, "e": {}, "deep": {"er": {"": [{"k": None}]}}},
        "vars": {"api_token": "FAKE-0001"},
    },
    {"history": [{"n": 1.1234567890123456}], "targets": {"only_null": None}, "fields": {"x": 2**60, "float": 1e16}},
    {"vars": {"db": {"password": "FAKE-0002", "url": "https://ada:FAKE-0003@example.com/x"}}, "extra": {"k": 5e-324}},
    {"fields": {"header": {"name": "api_token", "value": "FAKE-0004"}, "dense": 0.1234567890123456}},
]
NUMBER = 60
UPDATE = "UPDATE workflow_records SET created_at = '{at}' WHERE record_id = '{name}'"


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every read take the way of whole tables, however few the rows."""
    monkeypatch.setattr(record_reads, "_FEW", 0)


@pytest.fixture
def filled(service: toolkit.UnifiedDataService, workflow_id: str) -> str:
    service.create_records(
        workflow_id,
        [
            {
                "record_id": f"a_{n:03}" if n % 3 else f"b%_[{n:03}]",
                "data": HARD[n % len(HARD)],
                "status": ("complete", "failed", "strange, 'one'")[n % 3],
                "error_message": f"Timeout after {n} s, \\ and {{}}" if n % 3 == 1 else None,
                "created_at": f"2026-11-{1 + n * 7 % 28:02}T02:00:00.{n % 3:06}Z",
            }
            for n in range(NUMBER)
        ],
    )
    return workflow_id


def ordinary(service: toolkit.UnifiedDataService, read: Callable[[], Any]) -> Any:
    """Read without the quick way."""
    source, service.database.arrow_source = service.database.arrow_source, None
    try:
        return read()
    finally:
        service.database.arrow_source = source


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert_frame_equal(one, other)
    for name in [name for name, dtype in one.dtypes.items() if str(dtype) == "object"]:
        assert all(jsonvalue.same(a, b) for a, b in zip(one[name], other[name], strict=True))


READS: dict[str, dict[str, Any]] = {
    "all": {},
    "history": {"columns": "all"},
    "revealed": {"reveal": True},
    "documents": {"flatten": False},
    "places": {"columns": ["record_id", "fields.n", "fields.a", "vars.api_token", "fields.nowhere"]},
    "whole documents for a place": {"columns": ["fields.header"]},
    "no documents": {"columns": ["status", "created_at"]},
    "pattern": {"pattern": "b%_[*"},
    "patterns": {"pattern": ["a_?0?", "b%_[003]"]},
    "ids": {"ids": ["a_001", "b%_[003]", "nothing", 'a"b\\c{}', "é"]},
    "one id": {"ids": ["b%_[003]"]},
    "status": {"status": ["strange, 'one'", "failed"]},
    "since": {"since": "2026-11-10T00:00:00+01:00"},
    "a span": {"created_before": "1h"},
    "times": {"created_after": "2026-11-05", "created_before": "2026-11-20T02:00:00.000001Z"},
    "contains": {"contains": "B%_"},
    "pyarrow": {"dtype_backend": "pyarrow"},
    "nullable": {"dtype_backend": "numpy_nullable"},
    "nothing": {"pattern": "nothing_*"},
}


@pytest.mark.parametrize("options", READS.values(), ids=READS.keys())
def test_the_way_of_whole_tables_gives_the_same_frame(
    service: toolkit.UnifiedDataService, filled: str, whole: None, options: dict[str, Any]
) -> None:
    frame = service.query_records(filled, **options)
    same(frame, ordinary(service, lambda: service.query_records(filled, **options)))
    cut = service.query_records(filled, limit=NUMBER, **options)
    same(frame, cut)


def test_several_workflows_come_in_one_order(
    service: toolkit.UnifiedDataService, new_workflow: Callable[[str], str], whole: None
) -> None:
    for name in ("one", "two"):
        rows = [{"record_id": f"a_{n}", "created_at": "2026-11-01T00:00:00Z"} for n in range(5)]
        service.create_records(new_workflow(name), rows)
    frame = service.query_records(parse("*"))
    assert list(frame["record_id"]) == [f"a_{n}" for n in range(5) for _ in range(2)]
    assert (frame.groupby("record_id")["workflow_id"].apply(list).map(sorted).map(len) == 2).all()
    same(frame, ordinary(service, lambda: service.query_records(parse("*"))))


def test_fifty_thousand_ids_are_one_selection(service: toolkit.UnifiedDataService, filled: str, whole: None) -> None:
    ids = [f"none_{n}" for n in range(50_000)] + ["a_001", "a_002"]
    assert list(service.query_records(filled, ids=ids)["record_id"].sort_values()) == ["a_001", "a_002"]


def test_times_that_no_frame_holds_are_missing_and_in_their_place(
    service: toolkit.UnifiedDataService,
    workflow_id: str,
    database_url: str,
    execute: Callable[..., None],
    kind: str,
    whole: None,
) -> None:
    service.create_records(
        workflow_id, [{"record_id": f"a_{n}", "created_at": "2026-11-01T00:00:00Z"} for n in range(5)]
    )
    times = {
        "a_0": "infinity",
        "a_1": "-infinity",
        "a_3": "0044-03-15 00:00:00+00 BC",
        "a_4": "294276-01-01 00:00:00+00",
    }
    if kind == "sqlite":
        times = {"a_0": "infinity", "a_1": "", "a_3": "-infinity"}
    for name, at in times.items():
        execute(database_url, UPDATE.format(at=at, name=name))
    with pytest.warns(DataWarning, match=r"of \d times in created_at are infinite or no time that a frame can hold"):
        frame = service.query_records(workflow_id)
    assert list(frame["record_id"]) == ["a_1", "a_3", "a_2", "a_4", "a_0"]
    assert frame["created_at"].notna().sum() == (1 if kind != "sqlite" else 2)


def test_a_larger_read_sees_one_moment(
    service: toolkit.UnifiedDataService, filled: str, whole: None, database_url: str
) -> None:
    with service.database.read(), toolkit.connect(database_url) as other:
        service.count_records(filled)
        other.create_record(filled, "later")
        assert len(service.query_records(filled)) == NUMBER
    assert len(service.query_records(filled)) == NUMBER + 1


def test_what_is_not_committed_yet_is_seen_by_its_own_change(
    service: toolkit.UnifiedDataService, filled: str, whole: None
) -> None:
    with service.database.write():
        service.create_record(filled, "new")
        assert len(service.query_records(filled)) == NUMBER + 1


def test_a_whole_table_is_seen_in_the_trace(service: toolkit.UnifiedDataService, filled: str, whole: None) -> None:
    with service.trace() as trace:
        service.query_records(filled)
    last = [each for each in trace if "workflow_records" in each.text][-1]
    assert (last.rows, last.failed) == (NUMBER, False)
    assert last.seconds > 0


def test_the_arrow_table_has_the_columns_of_the_frame(service: toolkit.UnifiedDataService, filled: str) -> None:
    frame = service.query_records(filled, columns="all")
    table = service.query_records(filled, columns="all", as_arrow=True)
    assert table.column_names == list(frame.columns)
    assert table.num_rows == len(frame)
    types = {name: table.schema.field(name).type for name in table.column_names}
    expected = {"str": pa.string(), "Int64": pa.int64(), "Float64": pa.float64(), "boolean": pa.bool_()}
    for name, dtype in frame.dtypes.astype(str).items():
        if dtype == "object":
            assert types[str(name)] == pa.json_(pa.string())
            texts = table.column(str(name)).cast(pa.string()).to_pylist()
            values = [None if text is None else jsonvalue.decode(text) for text in texts]
            assert all(jsonvalue.same(one, other) for one, other in zip(values, frame[name], strict=True))
        elif dtype in expected:
            assert types[str(name)] == expected[dtype]
            assert (
                table.column(str(name)).to_pylist()
                == frame[name].astype(object).where(frame[name].notna(), None).tolist()
            )
        else:
            assert types[str(name)] == pa.timestamp("us", tz="UTC")
    assert "FAKE" not in str(table.to_pylist())


def test_dtype_backends_are_those_of_pandas(service: toolkit.UnifiedDataService, filled: str) -> None:
    plain = service.query_records(filled)
    arrow = service.query_records(filled, dtype_backend="pyarrow")
    nullable = service.query_records(filled, dtype_backend="numpy_nullable")
    names = ["record_id", "retry_count", "fields.n", "fields.x", "fields.ok", "created_at", "fields.list"]
    assert [str(plain[name].dtype) for name in names] == [
        "str", "Int64", "Int64", "Float64", "boolean", "datetime64[us, UTC]", "object"
    ]  # fmt: skip
    assert [str(arrow[name].dtype) for name in names] == [
        "string[pyarrow]", "int64[pyarrow]", "int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]",
        "timestamp[us, tz=UTC][pyarrow]", "object"
    ]  # fmt: skip
    assert [str(nullable[name].dtype) for name in names] == [
        "string", "Int64", "Int64", "Float64", "boolean", "datetime64[us, UTC]", "object"
    ]  # fmt: skip
    for other in (arrow, nullable):
        assert [list(other[name].dropna()) for name in names] == [list(plain[name].dropna()) for name in names]
    with pytest.raises(toolkit.InvalidOption, match="dtype_backend='polars' is neither"):
        service.query_records(filled, dtype_backend="polars")  # type: ignore[call-overload]


@pytest.fixture
def source(database_url: str, kind: str) -> Iterator[toolkit.UnifiedDataService]:
    with toolkit.connect(database_url) as service:
        yield service


INTERRUPTED = """
import os, signal, sys, threading
import sqlalchemy as sa
import toolkit

with toolkit.connect(sys.argv[1]) as service:
    naps = sa.cast(sa.func.pg_sleep(sa.literal_column("0.5")), sa.Text)
    endless = sa.select(sa.literal_column("n"), naps).select_from(sa.text("generate_series(1, 1000) AS n"))
    with service.database.arrow_source.parts(endless) as batches:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        next(batches)
"""


@pytest.mark.parametrize("kind", ["postgresql"])
def test_ctrl_c_stops_the_server_and_leaves_no_transaction(
    source: toolkit.UnifiedDataService, database_url: str
) -> None:
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, database_url], capture_output=True, text=True, timeout=300, check=False
    )
    assert stopped.stderr.splitlines()[-1] == "KeyboardInterrupt"
    others = sa.text("SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND application_name LIKE 'toolkit%'")
    with source.database.read() as connection:
        # The session that asks is one of them.
        assert connection.scalar(others) == 1


@pytest.mark.parametrize("kind", ["postgresql"])
def test_an_error_of_the_server_is_the_toolkits_and_shows_no_value(source: toolkit.UnifiedDataService) -> None:
    straight = source.database.arrow_source
    assert straight is not None
    wrong = sa.select(sa.cast(sa.literal("FAKE-0009"), sa.Integer).label("n"))
    with pytest.raises(toolkit.ToolkitError) as caught, straight.parts(wrong) as batches:
        list(batches)
    assert isinstance(caught.value, toolkit.DatabaseError)
    assert "FAKE" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", ["postgresql"])
def test_the_statement_timeout_holds_for_whole_tables(
    source: toolkit.UnifiedDataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = source.database.arrow_source
    assert straight is not None
    monkeypatch.setattr(straight, "_settings", {"statement_timeout": "100ms"})
    with pytest.raises(DatabaseTimeout), straight.parts(sa.select(sa.cast(sa.func.pg_sleep(60), sa.Text))) as batches:
        list(batches)


def test_work_is_dworked_ahead_in_order_and_its_errors_come_through() -> None:
    with ahead.ahead(range(100), lambda: None) as parts:
        assert list(parts) == list(range(100))
    assert list(ahead.worked_ahead(range(50), lambda n: n * 2)) == list(range(0, 100, 2))

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with ahead.ahead(broken(), lambda: None) as parts:
        assert next(parts) == 1
        with pytest.raises(ValueError, match="broken"):
            next(parts)
    with pytest.raises(ZeroDivisionError):
        list(ahead.worked_ahead([1, 0], lambda n: 1 // n))


def test_leaving_early_stops_the_reader() -> None:
    stopped = threading.Event()

    def endless() -> Iterator[int]:
        while not stopped.wait(0.001):
            yield 1

    with ahead.ahead(endless(), stopped.set) as parts:
        next(parts)
    assert stopped.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "toolkit reader"]
