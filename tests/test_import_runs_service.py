"""`service.import_junit`: a run becomes a workflow, whole or not at all, on every database."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit
from toolkit.columns import IMPORT_COLUMNS

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]

SUITE = """<testsuites>
  <testsuite name="{name}" hostname="ci-1" timestamp="2026-01-02T03:04:05Z">
    <properties><property name="branch" value="main"/></properties>
    <testcase classname="Mail" name="{name} reads" time="0.5"/>
    <testcase classname="Mail" name="{name} sends" time="1.25">
      <failure message="timeout after 3 s">the mask is [hidden]</failure>
    </testcase>
    <testcase classname="Mail" name="{name} waits"><skipped message="no server"/></testcase>
  </testsuite>
</testsuites>"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(service: Service) -> tuple[int, int, int]:
    """Number of variables, of records and of changes in the whole database."""
    return (
        len(service.get_all_variables("*")),
        int(service.count_records("*", by=[])["count"][0]),
        len(service.changes()),
    )


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report of three cases: one passed, one failed, one skipped."""
    return write(tmp_path / "nightly" / "junit.xml", SUITE.format(name="mail"))


def test_a_run_becomes_a_workflow_with_a_record_per_case(service: Service, workflow_id: str, report: Path) -> None:
    frame = service.import_junit(report)
    assert tuple(frame.columns) == IMPORT_COLUMNS
    assert list(map(str, frame.dtypes)) == ["str", "str", *["Int64"] * 4, "str"]
    row = frame.iloc[0]
    assert (row["path"], row["workflow_id"]) == (str(report), workflow_id)
    assert list(row[["records", "complete", "failed", "skipped"]]) == [3, 1, 1, 1]
    assert pd.isna(row["error"])
    records = service.query_records(workflow_id).set_index("record_id")
    failed = records.loc["Mail::mail sends"]
    assert (failed["status"], failed["record_type"]) == ("failed", "Mail")
    assert failed["error_message"].startswith("timeout after 3 s")
    assert failed["created_at"] == pd.Timestamp("2026-01-02T03:04:05Z")
    assert failed["processed_at"] - failed["created_at"] == pd.Timedelta(seconds=1.25)
    said: Any = service.get_variable(workflow_id, "run")
    assert {name: said[name] for name in ("importer", "started_at", "time_source")} == {
        "importer": "junit",
        "started_at": "2026-01-02T03:04:05+00:00",
        "time_source": "report",
    }
    assert "ci-1" in str(service.get_variable(workflow_id, "suite.mail"))


def test_a_test_that_talks_about_masks_is_imported_as_it_is(service: Service, workflow_id: str, report: Path) -> None:
    service.import_junit(report)
    found = service.query_records(workflow_id, status="failed", reveal=True)
    assert "[hidden]" in found.to_csv()


def test_where_ids_are_uuids_a_workflow_is_needed_or_made(
    service: Service, report: Path, new_workflow: NewWorkflow
) -> None:
    by_id = new_workflow("somebody's")
    if not service.database.tables.workflow_ids_are_uuids:
        assert service.import_junit(report)["workflow_id"][0] == "nightly"
        return
    with pytest.raises(toolkit.WorkflowNotFound, match=r"no workflow is named 'nightly'.*create_workflow=True to make"):
        service.import_junit(report)
    assert rows(service) == (0, 0, 0)
    made = service.import_junit(report, create_workflow=True)["workflow_id"][0]
    assert uuid.UUID(made).version == 5
    assert service.workflow("nightly").id == made
    assert service.import_junit(report, run=by_id)["workflow_id"][0] == by_id
    again = service.import_junit(report, replace=True, create_workflow=True)["workflow_id"][0]
    assert again == made
    assert len(service.list_workflows()) == 2


def test_two_workflows_of_the_name_of_a_run_are_not_guessed_between(
    new_database: Callable[[str], str], report: Path
) -> None:
    with toolkit.connect(new_database("production")) as service:
        with service.database.write() as connection:
            connection.exec_driver_sql("INSERT INTO workflows (name) VALUES ('nightly'), ('nightly')")
        with pytest.raises(toolkit.WorkflowNotFound, match="2 workflows are named 'nightly'"):
            service.import_junit(report, create_workflow=True)
        assert rows(service) == (0, 0, 0)


def test_a_run_that_exists_is_refused_before_anything_is_written(
    service: Service, workflow_id: str, new_workflow: NewWorkflow, report: Path
) -> None:
    other = new_workflow("other")
    service.import_junit(report)
    before = rows(service)
    write(report.parent.parent / "other" / "a.xml", SUITE.format(name="new"))
    with pytest.raises(
        toolkit.RunExists, match=r"1 of 2 runs exist already, 'nightly' among them; nothing was written"
    ):
        service.import_junit(report.parent.parent)
    assert rows(service) == before
    assert service.query_records(other).empty


def test_a_run_is_replaced_whole_and_its_rows_are_kept(service: Service, workflow_id: str, report: Path) -> None:
    service.import_junit(report)
    service.update_record(workflow_id, "Mail::mail sends", {"retry_count": 3, "vars.note": "looked at"})
    old = service.query_records(workflow_id, columns="all", reveal=True)
    write(report, SUITE.format(name="post"))
    assert list(service.import_junit(report, replace=True)["records"]) == [3]
    assert list(service.query_records(workflow_id)["record_id"]) == [
        "Mail::post reads",
        "Mail::post sends",
        "Mail::post waits",
    ]
    assert set(service.get_all_variables(workflow_id)["key"]) == {"run", "suite.post"}
    changes = service.changes()
    assert len(changes) == 1
    assert list(changes.loc[0, ["records", "variables", "reason"]]) == [3, 2, "replaced by a new import"]
    service.plan_clear(workflow_id, everything=True).apply(expect=5)
    assert service.undo(str(changes.loc[0, "id"])).total == 5
    pd.testing.assert_frame_equal(service.query_records(workflow_id, columns="all", reveal=True), old)


def test_a_replaced_record_does_not_keep_what_the_former_run_said(
    service: Service, workflow_id: str, report: Path
) -> None:
    service.import_junit(report)
    write(report, '<testsuite name="s"><testcase classname="Mail" name="mail sends" time="1"/></testsuite>')
    service.import_junit(report, replace=True, started_at=dt.datetime(2026, 5, 1))  # noqa: DTZ001 - naive is UTC
    found = service.get_record(workflow_id, "Mail::mail sends")
    assert found is not None
    assert (found["status"], found["error_message"], found["retry_count"]) == ("complete", None, 0)
    assert found["created_at"] == dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def test_a_workflow_that_was_not_imported_is_never_replaced(service: Service, workflow_id: str, report: Path) -> None:
    service.create_record(workflow_id, "email_001")
    with pytest.raises(toolkit.RunExists, match=r"'nightly' is a workflow that was not imported.*run= gives another"):
        service.import_junit(report, replace=True)
    assert rows(service) == (0, 1, 0)


def test_a_file_that_cannot_be_read_is_named_and_the_others_load(
    service: Service, workflow_id: str, report: Path
) -> None:
    write(report.parent / "broken.xml", "<testsuite>\n<testcase")
    write(report.parent / "html.xml", "<html/>")
    write(report.parent / "more.xml", SUITE.format(name="more"))
    frame = service.import_junit(report.parent)
    assert list(frame["records"]) == [0, 0, 3, 3]
    broken, other = frame["error"][:2]
    assert "broken.xml, line 2, column" in broken
    assert "html.xml" in other
    assert "not a JUnit report" in other
    assert frame["error"][2:].isna().all()
    assert "\n" not in broken + other
    assert len(service.query_records(workflow_id)) == 6


def test_a_run_of_which_nothing_can_be_read_is_not_written_and_replaces_nothing(
    service: Service, workflow_id: str, report: Path, new_workflow: NewWorkflow
) -> None:
    service.import_junit(report)
    before = rows(service)
    write(report, "<testsuite>")
    several: list[dict[str, Any]] = [{}, {"replace": True}, {"run": "unheard of", "create_workflow": True}]
    for options in several:
        frame = service.import_junit(report, **options)
        assert list(frame["records"]) == [0]
        assert "not XML" in frame["error"][0]
        assert pd.isna(frame["workflow_id"][0])
    assert rows(service) == before
    assert set(service.list_workflows()["workflow_id"]) == {workflow_id}


def test_variants_of_one_case_are_records_of_one_run(service: Service, workflow_id: str, tmp_path: Path) -> None:
    for system in ("linux", "mac"):
        write(tmp_path / "runs" / "nightly" / system / "junit.xml", SUITE.format(name="mail"))
    frame = service.import_junit(f"{tmp_path}/runs/{{run}}/{{variant}}/junit.xml")
    assert list(frame["workflow_id"]) == [workflow_id] * 2
    records = service.query_records(workflow_id, pattern=["* [mac]"])
    assert set(records["record_id"]) == {f"Mail::mail {verb} [mac]" for verb in ("reads", "sends", "waits")}
    assert len(service.query_records(workflow_id)) == 6


def test_awkward_names_are_the_same_records_on_every_database(
    service: Service, workflow_id: str, tmp_path: Path
) -> None:
    names = ["a*", "a?", "a,b", "x" * 300, "x" * 299 + "y", "é✉", "a\\b", "%_", "same", "same"]
    cases = "".join(f'<testcase classname="{"p." * 40}C" name="{name}"/>' for name in names)
    write(tmp_path / "a.xml", f'<testsuite name="s">{cases}</testsuite>')
    service.import_junit(tmp_path / "a.xml", run="nightly")
    found = service.query_records(workflow_id)
    assert found["record_id"].is_unique
    assert set(found["fields.name"]) == set(names)
    assert (found["record_id"].str.len().max(), found["record_type"].str.len().max()) == (255, 50)
    for name in found["record_id"]:
        assert service.get_record(workflow_id, name) is not None


def test_nothing_is_written_when_the_database_refuses_a_row(
    service: Service, new_workflow: NewWorkflow, database_url: str, tmp_path: Path, execute: Callable[..., None]
) -> None:
    for name in ("first", "second"):
        new_workflow(name)
        write(tmp_path / name / "junit.xml", SUITE.format(name=name))
    if service.database.dialect.name == "sqlite":
        execute(
            database_url,
            "CREATE TRIGGER refuse BEFORE INSERT ON workflow_records WHEN NEW.record_id LIKE '%second%' "
            "BEGIN SELECT RAISE(ABORT, 'constraint failed'); END",
        )
    else:
        execute(database_url, "ALTER TABLE workflow_records ADD CHECK (strpos(record_id, 'second') = 0)")
    with pytest.raises(toolkit.ConstraintViolated):
        service.import_junit([tmp_path / "first", tmp_path / "second"])
    assert rows(service) == (0, 0, 0)


def test_without_an_archive_a_run_is_replaced_only_when_its_rows_may_go(
    service: Service, workflow_id: str, report: Path, database_url: str, execute: Callable[..., None]
) -> None:
    service.import_junit(report)
    if service.database.dialect.name == "sqlite":
        execute(database_url, "DROP TABLE toolkit_archived_records")
    else:
        execute(database_url, "DROP SCHEMA toolkit CASCADE")
    write(report, SUITE.format(name="post"))
    with toolkit.connect(database_url) as bare:
        with pytest.raises(toolkit.ArchiveMissing, match=r"nothing was written.*"):
            bare.import_junit(report, replace=True)
        assert "Mail::mail reads" in set(bare.query_records(workflow_id)["record_id"])
        bare.import_junit(report, replace=True, archive=False)
        assert "Mail::mail reads" not in set(bare.query_records(workflow_id)["record_id"])


def test_an_import_that_finds_nothing_says_what_was_asked(service: Service, tmp_path: Path) -> None:
    several: list[tuple[Any, str]] = [
        (tmp_path / "none.xml", "nothing matches"),
        ([], "no path was given"),
        (tmp_path, r"no \*\.xml or \*\.trx file below this folder"),
    ]
    for paths, message in several:
        with pytest.raises(toolkit.ImportFailed, match=message):
            service.import_junit(paths)
