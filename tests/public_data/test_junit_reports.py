"""Reports that other people's tools wrote: every one loads whole, or says in one line why not."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from toolkit.columns import COMPLETE, FAILED, SKIPPED
from toolkit.errors import ImportFailed
from toolkit.importers import gather, read_junit

REPORTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "01_test_runs"
JENKINS = REPORTS / "jenkinsci_junit-plugin"
DORNY = REPORTS / "dorny_test-reporter"
STATUSES = (COMPLETE, FAILED, SKIPPED)

# A row of the first table of a Markdown report: the file, then its passed, failed and skipped cases.
MARKDOWN_ROW = re.compile(r"^\|\[(fixtures/[^]]+\.xml)\]\([^)]*\)\|([^|]*)\|([^|]*)\|([^|]*)\|", re.MULTILINE)


def root_of(path: Path) -> ET.Element | None:
    try:
        return ET.parse(path).getroot()  # noqa: S314 - the standard library fetches nothing
    except ET.ParseError:
        return None


def is_report(path: Path) -> bool:
    root = root_of(path)
    return root is not None and root.tag in {"testsuite", "testsuites", "test-run"}


def name_below(path: Path) -> str:
    return path.relative_to(REPORTS).as_posix()


XML_FILES = sorted(REPORTS.rglob("*.xml"))
JUNIT_FILES = [path for path in XML_FILES if is_report(path)]
OTHER_FILES = [path for path in XML_FILES if path not in JUNIT_FILES]


def oracle() -> dict[str, tuple[int, ...]]:
    """Counts that another project's reporter wrote down for the same files."""
    rows = (
        row
        for page in sorted((DORNY / "__outputs__").glob("*.md"))
        for row in MARKDOWN_ROW.findall(page.read_text(encoding="utf-8"))
    )
    return {
        name: tuple(int("".join(re.findall(r"\d", cell)) or 0) for cell in cells)
        for name, *cells in rows
        if is_report(DORNY / name)
    }


def statuses(path: Path) -> dict[str, str]:
    return {record.record_id: record.status for record in read_junit(path).records}


def test_the_data_is_as_large_as_expected() -> None:
    assert len(JUNIT_FILES) == 121
    assert len(OTHER_FILES) == 37


@pytest.mark.parametrize("path", JUNIT_FILES, ids=name_below)
def test_every_report_loads_with_one_record_per_test_case(path: Path) -> None:
    root = root_of(path)
    assert root is not None
    file = read_junit(path)
    cases = list(root.iter("test-case" if root.tag == "test-run" else "testcase"))
    assert len(file.records) == len(cases)
    assert len({record.record_id for record in file.records}) == len(cases)
    for case, record in zip(cases, file.records, strict=True):
        assert record.data["fields"].get("name") == case.get("name")
        if case.tag == "testcase":
            assert record.data["fields"].get("classname") == case.get("classname")
        assert 0 < len(record.record_id) <= 255
        assert 0 < len(record.record_type) <= 50
        assert record.processed_at >= record.created_at
    suites = [suite for suite in root.iter("testsuite") if suite is not root]
    assert len(file.variables) >= len(suites)


@pytest.mark.parametrize("path", JUNIT_FILES, ids=name_below)
def test_what_is_read_can_be_written_as_json(path: Path) -> None:
    file = read_junit(path)
    documents = [record.data for record in file.records]
    for value in (documents, list(file.variables)):
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        assert "\0" not in text
        text.encode()


@pytest.mark.parametrize("path", OTHER_FILES, ids=name_below)
def test_every_other_file_says_in_one_line_what_it_is(path: Path) -> None:
    with pytest.raises(ImportFailed) as caught:
        read_junit(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    assert "not XML: " in message or "not a JUnit report: the root is <" in message or "entity" in message


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("junit-report-huge.xml", (5131, 19, 2430)),
        ("eclipse-plugin-test-report.xml", (3366, 0, 0)),
        ("junit-report-1472.xml", (2652, 1, 0)),
        ("pipeline/junit-report-testTrends-first-1.xml", (8, 0, 0)),
        ("pipeline/junit-report-testTrends-first-2.xml", (5, 3, 0)),
        ("pipeline/junit-report-testTrends-first-3.xml", (5, 3, 0)),
        ("pipeline/junit-report-testTrends-second-1.xml", (1, 0, 0)),
        ("pipeline/junit-report-testTrends-second-2.xml", (1, 0, 0)),
        ("pipeline/junit-report-testTrends-second-3.xml", (1, 0, 0)),
    ],
)
def test_counts_are_those_of_the_data_notes(name: str, counts: tuple[int, ...]) -> None:
    file = read_junit(JENKINS / name)
    assert tuple(file.count(status) for status in STATUSES) == counts
    assert sum(counts) == len(file.records)


def test_errors_of_a_trend_are_told_from_failures() -> None:
    file = read_junit(JENKINS / "pipeline" / "junit-report-testTrends-first-2.xml")
    outcomes = Counter(record.data["fields"]["outcome"] for record in file.records)
    assert outcomes == {"passed": 5, "error": 3}


def test_three_runs_of_one_suite_can_be_compared_by_id() -> None:
    first, second, third = (
        statuses(JENKINS / "pipeline" / f"junit-report-testTrends-first-{run}.xml") for run in (1, 2, 3)
    )
    assert len(first.keys() & second.keys() & third.keys()) == 8
    assert sum(first[name] != second[name] for name in first) == 3
    assert sum(second[name] != third[name] for name in second) == 2


@pytest.mark.parametrize(("name", "counts"), sorted(oracle().items()))
def test_counts_are_those_of_another_reporter(name: str, counts: tuple[int, ...]) -> None:
    file = read_junit(DORNY / name)
    assert tuple(file.count(status) for status in STATUSES) == counts


def test_the_other_reporter_speaks_of_many_files() -> None:
    assert len(oracle()) == 19


def test_reruns_are_retries_and_keep_what_they_said() -> None:
    records = [record for path in JUNIT_FILES for record in read_junit(path).records if record.retry_count]
    attempts = [attempt for record in records for attempt in record.data["history"]]
    assert sum(record.retry_count for record in records) == len(attempts) == 13
    assert all(attempt["message"] for attempt in attempts)


def test_a_case_that_passed_at_last_is_complete() -> None:
    flaky = read_junit(JENKINS / "gh-237" / "TEST-io.olamy.FlakyTest.xml").records
    assert [(record.status, record.retry_count) for record in flaky] == [(COMPLETE, 2)]
    broken = read_junit(JENKINS / "gh-237" / "TEST-io.olamy.AlwaysFailTest.xml").records
    assert [(record.status, record.retry_count) for record in broken] == [(FAILED, 3)]


def test_external_entities_are_not_followed() -> None:
    with pytest.raises(ImportFailed, match=r"line 4, column \d+: declares the entity 'sp'"):
        read_junit(JENKINS / "testXxe-xxe.xml")
    with pytest.raises(ImportFailed, match="line 1, column 1: not XML"):
        read_junit(JENKINS / "testXxe-oob.xml")


def test_times_of_every_spelling_are_read() -> None:
    file = read_junit(JENKINS / "junit-report-testsuite-various-timestamps.xml")
    assert {record.data["fields"]["time_source"] for record in file.records} == {"report"}
    begins = {record.record_id.partition("::")[2]: record.created_at.isoformat() for record in file.records}
    assert begins["home button redirects to home test"] == "2024-01-03T12:40:13+00:00"
    assert begins["testShop"] == "2024-01-03T11:27:15+00:00"
    assert begins["testOffset"] == "2024-01-03T11:23:00+00:00"


def test_a_broken_file_does_not_keep_the_others_from_loading(tmp_path: Path) -> None:
    folder = tmp_path / "nightly"
    shutil.copytree(REPORTS / "launchableinc_cli" / "broken_xml", folder)
    (run,) = gather(folder)
    errors = {Path(file.path).name: file.error for file in run.files}
    assert errors["normal.xml"] is None
    assert "line 1, column 1: not XML" in str(errors["broken.xml"])


def test_folders_of_one_name_are_not_taken_for_one_run() -> None:
    with pytest.raises(ImportFailed, match="two folders are called"):
        gather(REPORTS / "launchableinc_cli")


def test_a_template_reads_each_tool_as_a_run_of_its_own() -> None:
    runs = gather(REPORTS / "launchableinc_cli" / "{run}" / "**" / "*.xml")
    assert {"behave", "gradle", "maven", "pytest"} <= {run.name for run in runs}
    loaded = sum(len(file.records) for run in runs for file in run.files if file.error is None)
    assert loaded > 200
