"""The list of changes, and databases where there is no archive or nothing may be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

import toolkit
from tests.changing import rows

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    """The id of a workflow of five records and five variables."""
    names = ("email_1", "email_2", "lead_1", "total", "other")
    service.create_records(workflow_id, [{"record_id": name} for name in names])
    service.set_variables(workflow_id, {"email_1": 1, "email_list": [1], "total": 0, "none": None, "x@iter:1:2": ""})
    return workflow_id


# --- the list of changes ----------------------------------------------------------------------------


def test_changes_list_the_newest_first_and_no_values(
    service: Service, workflow_id: str, new_workflow: NewWorkflow
) -> None:
    other = new_workflow("other")
    for each in (workflow_id, other):
        service.set_variable(each, "api_token", "FAKE-not-real")
        service.create_record(each, "a_1", data={"secret": "FAKE-2"})
    service.delete_variable(workflow_id, "api_token", reason="first")
    service.create_record(workflow_id, "a_1")
    service.delete_all_records(other, reason="third").undo()
    every = service.changes()
    assert list(every.columns) == [
        *("id", "kind", "workflow_id", "actor", "reason", "selection"),
        *("variables", "records", "created_at", "undone_at"),
    ]
    assert list(map(str, every.dtypes)) == [*["str"] * 6, "Int64", "Int64", *["datetime64[us, UTC]"] * 2]
    assert sorted(every["kind"]) == ["delete", "delete", "replace"]
    assert every["created_at"].is_monotonic_decreasing
    assert set(service.changes(workflow_id)["kind"]) == {"delete", "replace"}
    assert list(service.changes(other)["reason"]) == ["third"]
    assert "FAKE" not in every.to_csv()
    empty = service.changes(new_workflow("third"))
    pd.testing.assert_series_equal(empty.dtypes, every.dtypes)


# --- no archive -------------------------------------------------------------------------------------


@pytest.fixture
def without_archive(
    service: Service, filled: str, database_url: str, execute: Callable[..., None]
) -> Iterator[Service]:
    """A service on a database of the same rows, where nobody has set an archive up."""
    if service.database.dialect.name == "sqlite":
        names_of_tables = ("changes", "version", "archived_variables", "archived_records")
        execute(database_url, *(f"DROP TABLE toolkit_{name}" for name in names_of_tables))
    else:
        execute(database_url, "DROP SCHEMA toolkit CASCADE")
    with toolkit.connect(database_url) as connected:
        yield connected


def test_without_an_archive_nothing_is_moved_away_by_accident(without_archive: Service, filled: str) -> None:
    service = without_archive
    before = rows(service)
    for call in (
        lambda: service.delete_record(filled, "email_1"),
        lambda: service.delete_variable(filled, "email_1"),
        lambda: service.delete_all_records(filled),
        lambda: service.clear_all_variables(filled),
        lambda: service.plan_clear(filled, "email_*").apply(),
        lambda: service.create_record(filled, "email_1"),
        lambda: service.create_records(filled, [{"record_id": "new"}, {"record_id": "email_1"}], mode="upsert"),
    ):
        with pytest.raises(toolkit.ArchiveMissing, match=r"nothing was written. Type:\n +service.setup_archive\(\)"):
            call()
    for look in (lambda: service.undo("nope"), service.changes):
        with pytest.raises(toolkit.ArchiveMissing, match=r"there is no archive here.*service.setup_archive\(\) makes"):
            look()
    assert rows(service) == before


def test_without_an_archive_rows_may_go_for_good(without_archive: Service, filled: str) -> None:
    service = without_archive
    assert service.delete_record(filled, "email_1", archive=False).records == 1
    assert service.plan_clear(filled, "email_*").apply(archive=False).total == 3
    assert service.create_record(filled, "lead_1", data={"new": 1}, archive=False) == "lead_1"
    service.create_record(filled, "fresh")
    service.set_variable(filled, "total", 5)


def test_an_archive_that_is_set_up_keeps_rows_from_then_on(without_archive: Service, filled: str) -> None:
    service = without_archive
    before = rows(service)
    service.setup_archive()
    service.setup_archive()
    service.plan_clear(filled, everything=True).apply(expect=10).undo()
    assert rows(service) == before
    assert len(service.changes()) == 1


# --- read-only --------------------------------------------------------------------------------------


def test_a_read_only_service_refuses_every_write(
    service: Service, filled: str, database_url: str, tmp_path: Any
) -> None:
    receipt = service.delete_record(filled, "other")
    before = rows(service)
    (tmp_path / "junit.xml").write_text('<testsuite name="s"><testcase classname="C" name="n"/></testsuite>')
    with toolkit.connect(database_url, read_only=True) as guarded:
        for call in (
            lambda: guarded.set_variable(filled, "x", 1),
            lambda: guarded.set_variables(filled, {"x": 1}),
            lambda: guarded.set_variables(filled, {}),
            lambda: guarded.delete_variable(filled, "total"),
            lambda: guarded.clear_all_variables(filled),
            lambda: guarded.create_record(filled, "new"),
            lambda: guarded.create_records(filled, [{"record_id": "new"}]),
            lambda: guarded.update_record(filled, "email_1", {"status": "complete"}),
            lambda: guarded.delete_record(filled, "email_1"),
            lambda: guarded.delete_all_records(filled),
            lambda: guarded.plan_clear(filled, "email_*").apply(),
            lambda: guarded.undo(receipt),
            guarded.setup_archive,
            lambda: guarded.import_junit(tmp_path / "junit.xml", run="new", create_workflow=True),
        ):
            with pytest.raises(toolkit.ReadOnly, match="read-only: read_only=True asked for it"):
                call()
        assert len(guarded.query_records(filled)) == 4
        assert guarded.plan_clear(filled, "email_*").total == 4
    assert rows(service) == before
