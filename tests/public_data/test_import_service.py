"""Reports that other people's tools wrote, through the service into a database and out again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

import toolkit

REPORTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "01_test_runs"
JENKINS = REPORTS / "jenkinsci_junit-plugin"

XML_FILES = sorted(REPORTS.rglob("*.xml"))


def cases(path: Path) -> int | None:
    """Count the test cases of a file; None for one that is no report of JUnit or NUnit 3."""
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - the standard library fetches nothing
    except ET.ParseError:
        return None
    if root.tag == "test-run":
        return sum(1 for _ in root.iter("test-case"))
    return sum(1 for _ in root.iter("testcase")) if root.tag in {"testsuite", "testsuites"} else None


def counts(service: toolkit.UnifiedDataService, workflow_id: str) -> dict[str, int]:
    frame = service.count_records(workflow_id, by="status")
    return dict(zip(frame["status"], frame["count"], strict=True))


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[toolkit.UnifiedDataService, pd.DataFrame]]:
    """A service into which every file was imported, each as a run of its own, and what the imports said."""
    path = tmp_path_factory.mktemp("imported") / "runs.db"
    with toolkit.connect(path, create=True) as service:
        frames = [service.import_junit(file, run=f"run {number}") for number, file in enumerate(XML_FILES)]
        yield service, pd.concat(frames, ignore_index=True)


def test_every_report_has_a_record_for_each_case(
    imported: tuple[toolkit.UnifiedDataService, pd.DataFrame],
) -> None:
    service, frame = imported
    assert len(frame) == len(XML_FILES) == 158
    loaded = service.list_workflows().set_index("workflow_id")["records"].to_dict()
    for number, file in enumerate(XML_FILES):
        expected = cases(file)
        row = frame.iloc[number]
        assert pd.isna(row["error"]) == (expected is not None), file
        assert row["records"] == (expected or 0), file
        assert loaded.get(f"run {number}") == expected, file
        assert row["records"] == row["complete"] + row["failed"] + row["skipped"], file
    assert service.count_records("*", by=[])["count"][0] == frame["records"].sum()


def test_the_frames_of_every_run_agree_with_the_counts(
    imported: tuple[toolkit.UnifiedDataService, pd.DataFrame],
) -> None:
    service, frame = imported
    for row in frame[frame["error"].isna()].to_dict("records"):
        records = service.query_records(row["workflow_id"])
        assert len(records) == row["records"]
        assert records["record_id"].is_unique
        for status in ("complete", "failed", "skipped"):
            assert (records["status"] == status).sum() == row[status]
        assert service.get_stats(row["workflow_id"]).records_total == row["records"]
        assert "run" in set(service.get_all_variables(row["workflow_id"])["key"])


def test_ids_with_wildcards_and_commas_name_one_record(
    imported: tuple[toolkit.UnifiedDataService, pd.DataFrame],
) -> None:
    service, _ = imported
    every = service.query_records("*", columns=["record_id"])
    awkward = every[every["record_id"].str.contains(r"[*?,%_\\\[]")].groupby("workflow_id")["record_id"].agg(list)
    assert awkward.map(len).sum() > 400
    for workflow_id, ids in awkward.items():
        found = service.get_records_by_ids(str(workflow_id), ids)
        assert list(found["record_id"]) == ids
        assert found.attrs["missing"] == []
        assert service.plan_clear(str(workflow_id), ids=ids[:1]).total == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("junit-report-huge.xml", {"complete": 5131, "failed": 19, "skipped": 2430}),
        ("eclipse-plugin-test-report.xml", {"complete": 3366}),
        ("junit-report-1472.xml", {"complete": 2652, "failed": 1}),
    ],
)
def test_counts_of_large_reports_are_those_of_the_data_notes(
    imported: tuple[toolkit.UnifiedDataService, pd.DataFrame], name: str, expected: dict[str, int]
) -> None:
    service, _ = imported
    workflow_id = f"run {XML_FILES.index(JENKINS / name)}"
    assert counts(service, workflow_id) == expected
    assert service.count_records(workflow_id, by=[], status=list(expected))["count"][0] == sum(expected.values())


def test_a_broken_file_beside_good_ones_is_named(tmp_path: Path) -> None:
    with toolkit.connect(tmp_path / "runs.db", create=True) as service:
        frame = service.import_junit(REPORTS / "launchableinc_cli" / "broken_xml")
        broken = frame[frame["error"].notna()]
        assert [Path(path).name for path in broken["path"]] == ["broken.xml"]
        assert "line 1, column 1: not XML" in broken["error"].iloc[0]
        assert service.count_records("broken_xml", by=[])["count"][0] == frame["records"].sum() > 0
