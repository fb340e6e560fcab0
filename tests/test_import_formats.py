"""Reports that are no JUnit: NUnit 3, TRX, pytest-reportlog, Allure, tables, and readers of plug-ins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit
from toolkit import analysis
from toolkit.errors import ImportFailed
from toolkit.importers import ImportedFile, ImportedRecord, gather, importer_named, importers, origin, read_junit

Service = toolkit.UnifiedDataService

NUNIT = """<?xml version="1.0"?>
<test-run id="0" result="Failed" total="5">
  <test-suite type="Assembly" name="calc.dll" fullname="/srv/calc.dll" result="Failed">
    <properties><property name="_PID" value="7"/></properties>
    <test-suite type="TestFixture" name="Tests" fullname="calc.Tests" classname="calc.Tests" result="Failed">
      <test-case name="Adds" fullname="calc.Tests.Adds" classname="calc.Tests" result="Passed"
        start-time="2026-01-05 06:00:00Z" duration="0.5"/>
      <test-case name="Divides(1,0)" fullname="calc.Inner.Divides(1,0)" classname="Tests" result="Failed" label="Error">
        <failure><message>by zero</message><stack-trace>at calc</stack-trace></failure>
      </test-case>
      <test-case name="Fails" result="Failed"><failure><message>no</message></failure></test-case>
      <test-case name="Waits" result="Skipped"><reason><message>later</message></reason></test-case>
      <test-case name="Listed" runstate="Runnable"/>
    </test-suite>
  </test-suite>
</test-run>"""

TRX = """<?xml version="1.0"?>
<TestRun id="1" name="nightly" xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">
  <Times start="2026-01-05T06:00:00+00:00"/>
  <Results>
    <UnitTestResult testId="t1" testName="Adds" duration="00:01:01.5" startTime="2026-01-05T06:00:00+01:00" outcome="Passed"/>
    <UnitTestResult testId="t2" testName="shop.Cart.Empties(Box.Red)" outcome="Failed">
      <Output><ErrorInfo><Message>not empty</Message><StackTrace>at shop</StackTrace></ErrorInfo></Output>
    </UnitTestResult>
    <UnitTestResult testId="t3" testName="Rows" outcome="Failed">
      <InnerResults>
        <UnitTestResult testId="t3" testName="Rows (1)" outcome="Timeout"/>
        <UnitTestResult testId="t3" testName="Rows (2)" outcome="Passed"/>
      </InnerResults>
    </UnitTestResult>
    <UnitTestResult testId="t4" testName="Later" outcome="NotExecuted"/>
  </Results>
  <TestDefinitions>
    <UnitTest id="t1"><TestMethod className="calc.Tests, calc, Version=1.0" name="Adds"/></UnitTest>
  </TestDefinitions>
</TestRun>"""  # noqa: E501 - as the writer has it


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def shown(file: ImportedFile) -> list[tuple[str, str, str | None]]:
    return [(record.record_id, record.status, record.error_message) for record in file.records]


def one_run(path: Path, **options: Any) -> list[ImportedRecord]:
    name = options.pop("importer", None)
    (run,) = gather(path, run="run", importer=importer_named(name, options.pop("mapping", None)), **options)
    assert [file.error for file in run.files if file.error] == []
    return [record for file in run.files for record in file.records]


def test_a_report_of_nunit_is_read_by_the_reader_of_junit(tmp_path: Path) -> None:
    file = read_junit(write(tmp_path / "nunit.xml", NUNIT), variant="linux")
    assert shown(file) == [
        ("calc.Tests::Adds [linux]", "complete", None),
        ("calc.Inner::Divides(1,0) [linux]", "failed", "by zero\nat calc"),
        ("calc.Tests::Fails [linux]", "failed", "no"),
        ("calc.Tests::Waits [linux]", "skipped", None),
        ("calc.Tests::Listed [linux]", "skipped", None),
    ]
    first, second, *_, waits, _ = file.records
    assert first.created_at.isoformat() == "2026-01-05T06:00:00+00:00"
    assert (first.processed_at - first.created_at).total_seconds() == 0.5
    assert second.data["fields"]["outcome"] == "error"
    assert waits.data["fields"]["skipped_reason"] == "later"
    assert [key for key, _ in file.variables] == ["suite./srv/calc.dll [linux]", "suite.calc.Tests [linux]"]
    assert file.variables[0][1]["properties"] == {"_PID": "7"}


def test_a_report_in_trx_is_read_by_the_reader_of_junit(tmp_path: Path) -> None:
    file = read_junit(write(tmp_path / "run.trx", TRX))
    assert shown(file) == [
        ("calc.Tests::Adds", "complete", None),
        ("shop.Cart::Empties(Box.Red)", "failed", "not empty\nat shop"),
        ("Rows (1)", "failed", None),
        ("Rows (2)", "complete", None),
        ("Later", "skipped", None),
    ]
    assert file.records[0].created_at.isoformat() == "2026-01-05T05:00:00+00:00"
    assert file.records[0].data["fields"]["time"] == 61.5
    assert file.variables[0][0] == "suite.nightly"


def phase(name: str, when: str, outcome: str = "passed", **more: Any) -> dict[str, Any]:
    return {"$report_type": "TestReport", "nodeid": name, "when": when, "outcome": outcome, **more}


def test_a_log_of_pytest_has_a_record_per_test(tmp_path: Path) -> None:
    crash = {"reprcrash": {"message": "assert 1 == 2", "path": "a.py"}, "reprtraceback": {}}
    entries = [
        {"$report_type": "SessionStart", "pytest_version": "8.3"},
        {"$report_type": "CollectReport", "nodeid": "tests/test_a.py", "outcome": "passed"},
        *[phase("tests/test_a.py::test_passes", when, duration=0.5) for when in ("setup", "call", "teardown")],
        phase("tests/test_a.py::TestB::test_fails[a::b]", "setup", start=1767592800.0),
        phase("tests/test_a.py::TestB::test_fails[a::b]", "call", "failed", longrepr=crash),
        phase("tests/test_a.py::test_breaks", "setup", "failed", longrepr="no database"),
        phase("tests/test_a.py::test_waits", "setup", "skipped", longrepr=["a.py", 3, "Skipped: later"]),
        phase("tests/test_a.py::test_again", "call", "rerun", longrepr="first"),
        phase("tests/test_a.py::test_again", "setup"),
        phase("tests/test_a.py::test_again", "call"),
    ]
    log = write(tmp_path / "log.jsonl", "\n".join(map(json.dumps, entries)))
    records = one_run(log)
    assert [(record.record_id, record.status, record.error_message) for record in records] == [
        ("tests.test_a::test_passes", "complete", None),
        ("tests.test_a.TestB::test_fails[a::b]", "failed", "assert 1 == 2"),
        ("tests.test_a::test_breaks", "failed", "no database"),
        ("tests.test_a::test_waits", "skipped", None),
        ("tests.test_a::test_again", "complete", None),
    ]
    assert records[0].data["fields"]["time"] == 1.5
    assert records[1].created_at.isoformat() == "2026-01-05T06:00:00+00:00"
    assert records[2].data["fields"]["outcome"] == "error"
    assert records[3].data["fields"]["skipped_reason"] == "Skipped: later"
    assert (records[4].retry_count, records[4].data["history"][0]["message"]) == (1, "first")


def allure(uuid: str, status: str, start: int, **more: Any) -> dict[str, Any]:
    labels = [{"name": "testClass", "value": "shop.Cart"}, {"name": "suite", "value": "shop"}]
    return {
        "uuid": uuid,
        "name": "pays",
        "status": status,
        "start": start,
        "stop": start + 500,
        "labels": labels,
    } | more


def test_results_of_allure_are_one_run_and_repeated_ones_are_attempts(tmp_path: Path) -> None:
    details = {"message": "no card", "trace": "no card\n  at pay"}
    results = [
        allure("a", "failed", 1_000, historyId="h1", statusDetails=details),
        allure("b", "passed", 2_000, historyId="h1"),
        allure("c", "broken", 1_000, historyId="h2", parameters=[{"name": "by", "value": "bill"}]),
        allure("d", "unknown", 1_000, historyId="h3", name="ships"),
    ]
    for result in results:
        write(tmp_path / f"{result['uuid']}-result.json", result)
    write(tmp_path / "a-container.json", {"uuid": "x", "children": ["a"]})
    records = {record.record_id: record for record in one_run(tmp_path)}
    assert {name: record.status for name, record in records.items()} == {
        "shop.Cart::pays": "complete",
        "shop.Cart::pays (by=bill)": "failed",
        "shop.Cart::ships": "unknown",
    }
    paid = records["shop.Cart::pays"]
    assert (paid.retry_count, paid.data["history"][0]["message"]) == (1, "no card\n  at pay")
    assert paid.data["fields"]["time"] == 0.5


MAPPING = {"record_id": "test", "status": "result", "record_type": "suite", "duration": "secs", "created_at": "at"}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json"])
def test_a_table_is_read_with_a_mapping_of_its_columns(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"test": "pays", "result": "PASSED", "suite": "shop", "secs": "1.5", "at": "2026-01-05T06:00:00Z", "size": "7"},
        {"test": "ships", "result": "error", "suite": "shop", "secs": "2", "at": "2026-01-05T06:00:01Z", "size": "007"},
        {"test": "waits", "result": "on hold", "suite": "shop", "secs": "0", "at": "2026-01-05T06:00:02Z", "size": "x"},
    ]
    text = {
        ".csv": pd.DataFrame(rows).to_csv(index=False),
        ".jsonl": "\n".join(map(json.dumps, rows)) + "\n\n",
        ".json": json.dumps(rows),
    }[suffix]
    records = one_run(write(tmp_path / f"results{suffix}", text), mapping=MAPPING)
    assert [(record.record_id, record.status, record.record_type) for record in records] == [
        ("pays", "complete", "shop"), ("ships", "failed", "shop"), ("waits", "on hold", "shop"),
    ]  # fmt: skip
    assert [record.data["fields"]["size"] for record in records] == [7, "007", "x"]
    assert (records[0].processed_at - records[0].created_at).total_seconds() == 1.5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "test,result\npays\n", r"a\.csv, line 2: not as many cells"),
        ("a.csv", "test,result\n,passed\n", r"a\.csv, line 2: nothing in 'test', which holds the record_id"),
        ("a.csv", 'test,result\n"pays,passed\n', r"a\.csv, line 2: not CSV"),
        ("a.jsonl", '{"test": "a", "result": "ok"}\n{"test": \n', r"a\.jsonl, line 2, column 10: not JSON"),
        ("a.jsonl", "[1]\n", r"a\.jsonl, line 1: not an object"),
        ("a.jsonl", '{"test": "a", "result": "ok"}\n{"test": NaN}\n', r"a\.jsonl, line 2: not JSON"),
        ("a.json", '{"test": "a"}', r"a\.json: not an array of objects"),
    ],
)
def test_a_bad_row_is_named_with_its_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    (run,) = gather(
        write(tmp_path / name, content), importer=importer_named(None, {"record_id": "test", "status": "result"})
    )
    assert run.files[0].records == ()
    with pytest.raises(ImportFailed, match=message):
        raise ImportFailed(str(run.files[0].error))
    assert "\n" not in str(run.files[0].error)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("package.json", "{}", r"no importer knows this file; there are .*junit, allure, reportlog, table"),
        ("notes.md", "# passed", "no importer knows this file"),
        ("a-result.json", "[]", "not a result of Allure"),
        ("log.json", '{"$report_type": "SessionStart"}\n{}', "log.json, line 2: not a line of pytest-reportlog"),
        ("gone.trx", "<TestRun>", "gone.trx, line 1"),
    ],
)  # fmt: skip
def test_a_file_that_nobody_reads_is_one_clear_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (run,) = gather(write(tmp_path / name, content), importer=importer_named(None))
    with pytest.raises(ImportFailed, match=message):
        raise ImportFailed(str(run.files[0].error))


def test_a_wrong_name_or_mapping_is_refused() -> None:
    with pytest.raises(ImportFailed, match=r"there is no importer 'junti'; there are .*junit"):
        importer_named("junti")
    with pytest.raises(ImportFailed, match="mapping= is for CSV and JSON lines"):
        importer_named("junit", {})
    with pytest.raises(ImportFailed, match="mapping= names 'id'"):
        importer_named(None, {"id": "test"}).read(Path("a.csv"), variant=None, started_at=None)


# --- plug-ins ---------------------------------------------------------------------------------------

DESCRIBED = "Metadata-Version: 2.1\nName: dbt-results-reader\nVersion: 1.0\n"
PLUG_IN = '''
"""Reads run_results.json of dbt."""

import json
from datetime import datetime

from toolkit.importers import ID_LENGTH, Case, ImportedFile, Importer, UniqueNames, context_of

OUTCOMES = {"success": "passed", "pass": "passed", "warn": "passed", "error": "error", "fail": "failure"}


def read(path, *, variant=None, started_at=None):
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    context, ids = context_of(path, variant, started_at), UniqueNames(ID_LENGTH)
    cases = (
        Case(
            class_name=result["unique_id"].partition(".")[0],
            name=result["unique_id"],
            record_id=result["unique_id"],
            outcome=OUTCOMES.get(result["status"], "skipped"),
            message=result.get("message") if result["status"] in ("error", "fail") else None,
            begin=datetime.fromisoformat(result["timing"][0]["started_at"].replace("Z", "+00:00")),
            seconds=result["execution_time"],
        )
        for result in results
    )
    return ImportedFile(str(path), variant, tuple(case.record(ids, context) for case in cases))


DBT = Importer("dbt", read, ("run_results.json",), lambda path, head: b"dbt_schema_version" in head)
'''

RUN_RESULTS = {
    "metadata": {"dbt_schema_version": "https://schemas.example.com/dbt/run-results/v5.json"},
    "results": [
        {"unique_id": "model.shop.orders", "status": "success", "execution_time": 1.5,
         "timing": [{"name": "compile", "started_at": "2026-01-05T06:00:00Z"}]},
        {"unique_id": "test.shop.orders_are_unique", "status": "fail", "message": "Got 2", "execution_time": 0.5,
         "timing": [{"name": "compile", "started_at": "2026-01-05T06:00:02Z"}]},
    ],
}  # fmt: skip


@pytest.fixture
def plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that brings an importer."""
    site = tmp_path / "site"
    write(site / "dbt_results_reader.py", PLUG_IN)
    write(
        site / "dbt_results_reader-1.0.dist-info" / "METADATA",
        "Metadata-Version: 2.1\nName: dbt-results\nVersion: 1.0\n",
    )
    write(
        site / "dbt_results_reader-1.0.dist-info" / "entry_points.txt",
        "[toolkit.importers]\ndbt = dbt_results_reader:DBT\n",
    )
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("plugged_in")
def test_a_plug_in_brings_an_importer(service: Service, workflow_id: str, tmp_path: Path) -> None:
    assert list(importers()) == ["dbt", "junit", "allure", "reportlog", "table"]
    write(tmp_path / "target" / "run_results.json", RUN_RESULTS)
    write(tmp_path / "target" / "manifest.json", "{}")
    files = service.import_results(tmp_path / "target", run=workflow_id)
    assert files[["records", "complete", "failed"]].to_numpy().tolist() == [[2, 1, 1]]
    records = service.query_records(workflow_id)
    assert records["record_id"].tolist() == ["model.shop.orders", "test.shop.orders_are_unique"]
    assert service.runs()["started_at"].tolist() == [pd.Timestamp("2026-01-05T06:00:00Z")]


def test_an_entry_point_that_is_no_importer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = "[toolkit.importers]\nmine = json:loads\n"
    write(tmp_path / "mine-1.0.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    write(tmp_path / "mine-1.0.dist-info" / "entry_points.txt", points)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImportFailed, match=r"the plug-in 'mine' \(json:loads\) is no toolkit\.importers\.Importer"):
        importers()


# --- runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {}),
        (
            {"GITHUB_REF_NAME": "main", "GITHUB_SHA": "4f1c", "GITHUB_SERVER_URL": "https://git.example.com",
             "GITHUB_REPOSITORY": "shop/cart", "GITHUB_RUN_ID": "7"},
            {"branch": "main", "commit": "4f1c", "url": "https://git.example.com/shop/cart/actions/runs/7"},
        ),
        ({"GITHUB_REF_NAME": "12/merge", "GITHUB_HEAD_REF": "fix"}, {"branch": "fix"}),
        (
            {"GITLAB_CI": "true", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": "4f1c", "CI_PIPELINE_URL": "https://x/1"},
            {"branch": "main", "commit": "4f1c", "url": "https://x/1"},
        ),
        ({"CI_COMMIT_SHA": "4f1c"}, {}),
    ],
)  # fmt: skip
def test_the_origin_of_a_run_is_what_the_build_service_says(
    environment: dict[str, str], expected: dict[str, str]
) -> None:
    assert origin(environment=environment) == expected
    assert origin("own", environment=environment) == expected | {"branch": "own"}


def test_runs_are_listed_with_their_origin_and_followed_in_their_order(
    service: Service, workflow_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", "4f1c")
    report = write(
        tmp_path / "junit.xml", '<testsuite timestamp="2026-01-05T06:00:00"><testcase name="t"/></testsuite>'
    )
    service.set_variables(workflow_id, {"total": 3})
    assert service.runs().empty
    service.clear_all_variables(workflow_id)
    service.import_results(report, run=workflow_id, branch="main", url="https://ci.example.com/7")
    row = service.runs().iloc[0]
    assert row[["workflow_id", "importer", "time_source", "branch", "commit", "url"]].tolist() == [
        workflow_id, "junit", "report", "main", "4f1c", "https://ci.example.com/7",
    ]  # fmt: skip
    assert (row["records"], row["complete"], row["failed"], row["other"]) == (1, 1, 0, 0)
    assert service.runs("none-*").dtypes.astype(str).to_dict() == service.runs().dtypes.astype(str).to_dict()


def test_three_shards_with_one_missing_never_make_a_flaky_test(tmp_path: Path) -> None:
    with toolkit.connect(tmp_path / "runs.db", create=True) as service:
        for number in range(6):
            for shard in "abc":
                if (number, shard) in {(1, "b"), (3, "b"), (4, "c")}:
                    continue
                body = '<failure message="no"/>' if shard == "b" else ""
                text = (
                    f'<testsuite timestamp="2026-01-0{number + 1}T06:00:00"><testcase name="{shard}">{body}</testcase>'
                )
                write(tmp_path / f"run-{number}" / f"{shard}.xml", text + "</testsuite>")
        service.import_results(f"{tmp_path}/{{run}}/*.xml")
        listed = service.runs("run-*")
        starts = dict(zip(listed["workflow_id"], listed["started_at"], strict=True))
        table = analysis.history(service.query_records("run-*"), starts=starts)
    assert table["strip"].tolist() == ["PPPPPP", "F-F-FF", "PPPP-P"]
    assert not table["flaky"].any()
    assert not table[["new", "fixed"]].to_numpy().any()
