"""One run in a file: all of it, without its secrets, and into another database as it was."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toolkit
from tests.written_rows import values
from toolkit.masking import HIDDEN

Service = toolkit.UnifiedDataService

VARIABLES: dict[str, Any] = {
    "total": 3,
    "big": 2**70,
    "null": None,
    "empty": {},
    "text": 'ü \\ " [hid',
    "api_token": "FAKE-not-real-0001",
    "login": {"user": "ada", "password": "FAKE-not-real-0002", "codes": [{"page": 1}, {"token": "FAKE-0003"}]},
}
RECORDS: list[dict[str, Any]] = [
    {"record_id": "a_1", "fields.n": 1.5, "vars.none": None, "updated_at": "2020-01-02T00:00:00.000001"},
    {"record_id": "a_2", "status": "failed", "error_message": "401 for FAKE-not-real-0001", "retry_count": 2},
    {"record_id": "b_FAKE-not-real-0001", "vars.smtp.password": "FAKE-not-real-0004"},
    {"record_id": "b_FAKE-not-real-0002", "vars.note": "used FAKE-not-real-0004 today"},
    {"record_id": "ü*?", "data": {"history": [{"x": [1, None]}], "own": "x"}, "processed_at": "2020-01-02"},
]


def fill(service: Service, workflow_id: str) -> None:
    service.set_variables(workflow_id, VARIABLES)
    service.create_records(workflow_id, RECORDS)


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    fill(service, workflow_id)
    return workflow_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def content(service: Service, workflow_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Everything that the two tables hold of a workflow, secrets and times among it."""
    records = service.query_records(workflow_id, flatten=False, reveal=True)
    return records, service.get_all_variables(workflow_id, reveal=True)


def assert_same(one: tuple[pd.DataFrame, pd.DataFrame], other: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for former, later in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(former, later)


@pytest.mark.parametrize("to", ["sqlite", "postgresql", "production"])
def test_a_run_comes_into_any_database_as_it_was(
    service: Service, filled: str, path: Path, new_database: Callable[[str], str], to: str
) -> None:
    taken = service.snapshot(filled, path, reveal=True)
    assert (taken.records, taken.variables, len(taken.hidden)) == (len(RECORDS), len(VARIABLES), 0)
    with toolkit.connect(new_database(to)) as other:
        loaded = other.load_snapshot(path)
        assert (loaded.records, loaded.variables, len(loaded.left_alone)) == (len(RECORDS), len(VARIABLES), 0)
        assert_same(content(other, loaded.workflow), content(service, filled))


def test_an_infinite_time_and_both_nulls_come_back(
    service: Service, filled: str, path: Path, new_database: Callable[[str], str], kind: str
) -> None:
    table = service.database.tables.variables
    with service.database.write() as connection:
        connection.execute(sa.update(table).where(table.c.key == "total").values(value=sa.null()))
        if kind != "sqlite":
            ever: sa.ColumnElement[Any] = sa.literal_column("'infinity'::timestamptz")
            connection.execute(sa.update(table).where(table.c.key == "text").values(created_at=ever))

    def rows(one: Service) -> list[tuple[Any, ...]]:
        own = one.database.tables.variables
        columns = (own.c.key, sa.cast(own.c.value, sa.Text), own.c.value.is_(None), sa.cast(own.c.created_at, sa.Text))
        with one.database.read() as connection:
            return sorted(tuple(row) for row in connection.execute(sa.select(*columns)))

    service.snapshot(filled, path, reveal=True)
    with toolkit.connect(new_database(kind)) as other:
        other.load_snapshot(path)
        assert rows(other) == rows(service)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(values(st.just(2**64 + 1)), max_size=6))
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"], indirect=True)
def test_any_document_survives_the_way_into_a_file_and_out_of_it(
    service: Service, workflow_id: str, tmp_path_factory: pytest.TempPathFactory, documents: list[Any]
) -> None:
    rows = {f"a_{n}": {"fields": {"x": value}} for n, value in enumerate(documents)}
    given_rows = [{"record_id": name, "data": data} for name, data in rows.items()]
    service.delete_all_records(workflow_id, archive=False)
    service.create_records(workflow_id, [*given_rows, {"record_id": "z"}], literal=True)
    path = tmp_path_factory.mktemp("taken") / "run.db"
    service.snapshot(workflow_id, path, reveal=True)
    with toolkit.connect(":memory:", create=True) as other:
        loaded = other.load_snapshot(path, as_workflow="trial")
        assert loaded.records == len(rows) + 1
        for name in rows:
            found = other.get_record("trial", name, reveal=True) or {}
            there = service.get_record(workflow_id, name, reveal=True) or {}
            assert found["data"] == there["data"]


def test_no_secret_is_in_the_bytes_of_the_file(service: Service, filled: str, path: Path) -> None:
    taken = service.snapshot(filled, path)
    assert b"FAKE" not in path.read_bytes()
    assert [each.name for each in path.parent.iterdir() if each.suffix in {".part", ".db-wal", ".db-journal"}] == []
    assert set(taken.hidden["path"]) == {
        "value",
        "value.password",
        "value.codes[1].token",
        "error_message",
        "record_id",
        "vars.smtp.password",
        "vars.note",
    }
    with toolkit.connect(path) as home:
        assert home.get_variable(taken.workflow, "api_token", reveal=True) == HIDDEN
        login: Any = home.get_variable(taken.workflow, "login", reveal=True)
        assert login["user"] == "ada"
        ids = set(home.query_records(taken.workflow)["record_id"])
        assert len(ids) == len(RECORDS)
        assert {name for name in ids if HIDDEN in name} == set(taken.hidden.query("path == 'record_id'")["id"])


def test_the_file_is_for_its_owner_alone(service: Service, filled: str, path: Path) -> None:
    mask = os.umask(0)
    try:
        service.snapshot(filled, path)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_holes_are_filled_by_the_names_of_their_places(service: Service, filled: str, path: Path) -> None:
    given_values = {"api_token": "test", "vars.smtp.password": 5, "password": ["any", {"JSON": None}]}
    taken = service.snapshot(filled, path, values=given_values)
    assert "api_token" not in set(taken.hidden["id"])
    with toolkit.connect(path) as home:
        one = taken.workflow
        assert home.get_variable(one, "api_token", reveal=True) == "test"
        login: Any = home.get_variable(one, "login", reveal=True)
        assert login["password"] == ["any", {"JSON": None}]
        records = home.query_records(one, columns=["vars.smtp.password"], reveal=True)
        assert 5 in set(records["vars.smtp.password"].dropna())


def test_a_value_for_no_hole_is_refused_and_leaves_no_file(service: Service, filled: str, path: Path) -> None:
    with pytest.raises(toolkit.InvalidOption, match=r"'api_tokn'.*did you mean 'api_token'"):
        service.snapshot(filled, path, values={"api_tokn": "test"})
    with pytest.raises(toolkit.InvalidOption, match="with reveal=True there are none"):
        service.snapshot(filled, path, reveal=True, values={"api_token": "test"})
    with pytest.raises(toolkit.HiddenValue):
        service.snapshot(filled, path, values={"api_token": HIDDEN})
    assert list(path.parent.glob("*run.db*")) == []


def test_what_is_hidden_is_left_alone_and_listed(
    service: Service, filled: str, path: Path, new_workflow: Callable[[str], str]
) -> None:
    service.snapshot(filled, path)
    trial = new_workflow("trial")
    loaded = service.load_snapshot(path, as_workflow=trial)
    assert set(loaded.left_alone["table"]) == {"workflow_memory", "workflow_records"}
    assert service.get_variable(trial, "api_token", "nothing") == "nothing"
    assert service.get_variable(trial, "login", reveal=True) == {"user": "ada", "codes": [{"page": 1}, {}]}
    records = service.query_records(trial, reveal=True)
    assert not records.astype(str).apply(lambda column: column.str.contains(HIDDEN, regex=False)).any().any()
    assert "a_2" in set(records["record_id"])


def test_a_workflow_that_has_rows_is_refused_and_nothing_is_written(service: Service, filled: str, path: Path) -> None:
    service.snapshot(filled, path)
    before = content(service, filled)
    with pytest.raises(toolkit.RunExists, match="has 5 records and 7 variables here already"):
        service.load_snapshot(path, as_workflow=filled)
    assert_same(content(service, filled), before)


def test_a_file_that_is_there_is_never_replaced(service: Service, filled: str, path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(toolkit.TargetError, match="there is a file"):
        service.snapshot(filled, path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_what_cannot_be_taken_says_why(service: Service, filled: str, tmp_path: Path) -> None:
    with pytest.raises(toolkit.WorkflowNotFound, match="there is no workflow 'nothing'"):
        service.snapshot("nothing", tmp_path / "run.db")
    with pytest.raises(toolkit.TargetError, match=r"ends in \.db"):
        service.snapshot(filled, tmp_path / "run.txt")
    with pytest.raises(toolkit.DatabaseNotFound, match="there is no folder"):
        service.snapshot(filled, tmp_path / "no" / "run.db")
    with pytest.raises(toolkit.InvalidOption, match="True or False"):
        service.snapshot(filled, tmp_path / "run.db", reveal=["vars"])  # type: ignore[arg-type]
    assert list(tmp_path.glob("run*")) == []


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_what_is_no_snapshot_is_not_loaded(service: Service, filled: str, path: Path, tmp_path: Path) -> None:
    toolkit.connect(tmp_path / "plain.db", create=True).close()
    with pytest.raises(toolkit.SchemaMismatch, match="is no snapshot"):
        service.load_snapshot(tmp_path / "plain.db")
    with pytest.raises(toolkit.DatabaseNotFound):
        service.load_snapshot(tmp_path / "nothing.db")
    service.snapshot(filled, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE toolkit_snapshot SET version = 99")
    for call in (service.load_snapshot, toolkit.connect):
        with pytest.raises(toolkit.SchemaMismatch, match="made by a newer toolkit"):
            call(path)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_file_is_refused_whole(service: Service, filled: str, path: Path, share: float) -> None:
    service.create_records(filled, [{"record_id": f"z_{n}", "fields.text": "x" * 500} for n in range(200)])
    service.snapshot(filled, path)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share) // 4096 * 4096)
    with toolkit.connect(":memory:", create=True) as other:
        with pytest.raises(toolkit.ToolkitError):
            other.load_snapshot(path, as_workflow="trial")
        assert len(other.list_workflows()) == 0


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_snapshot_opens_read_only_unless_told_and_says_what_it_is(service: Service, filled: str, path: Path) -> None:
    service.snapshot(filled, path)
    with toolkit.connect(path) as home:
        assert f"snapshot of workflow {filled}" in repr(home)
        assert "read-only (being a snapshot)" in repr(home)
        with pytest.raises(toolkit.ReadOnly, match="read_only=False"):
            home.set_variable(filled, "total", 4)
    with toolkit.connect(path, read_only=False) as mine:
        mine.set_variable(filled, "total", 4)
        assert mine.get_variable(filled, "total") == 4


def test_two_snapshots_are_compared_and_holes_are_not_claimed_to_differ(
    service: Service, filled: str, tmp_path: Path
) -> None:
    service.snapshot(filled, tmp_path / "monday.db")
    service.update_record(filled, "a_1", {"fields.n": 2, "status": "complete"})
    service.set_variable(filled, "api_token", "FAKE-not-real-0009")
    service.snapshot(filled, tmp_path / "tuesday.db")
    with toolkit.connect(tmp_path / "monday.db") as monday, toolkit.connect(tmp_path / "tuesday.db") as tuesday:
        diff = monday.workflow(filled).compare(tuesday.workflow(filled))
        assert list(diff.changes["path"]) == ["fields.n"]
        assert set(diff.variables["change"]) == {"not compared"}
        mixed = service.compare(filled, monday.workflow(filled))
        assert "changed" not in set(mixed.variables.query("key == 'api_token'")["change"])


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"], indirect=True)
def test_what_is_written_meanwhile_is_in_no_part_of_the_file(
    service: Service, filled: str, path: Path, database_url: str
) -> None:
    with service.database.read():
        # The first look fixes what this transaction sees.
        assert service.records.has_any(filled)
        if "://" in database_url:
            with toolkit.connect(database_url) as other:
                other.set_variable(filled, "late", 1)
                other.create_record(filled, "late")
        service.snapshot(filled, path)
    with toolkit.connect(path) as home:
        assert home.get_variable(filled, "late", "nothing") == "nothing"
        assert home.get_record(filled, "late") is None


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_revealed_secrets_in_a_work_tree_are_warned_of(service: Service, filled: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.warns(toolkit.DataWarning, match="git"):
        service.snapshot(filled, tmp_path / "run.db", reveal=True)
