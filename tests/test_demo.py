"""The demonstration: the first thing that anybody sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import toolkit
from toolkit import demo

COMMAND = [sys.executable, "-W", "error", "-m", "toolkit.cli", "demo"]


def document() -> Any:
    """Return the example workflow as it is written down."""
    return json.loads((demo.data_folder() / "email_triage.json").read_text(encoding="utf-8"))


def fake_secrets() -> set[str]:
    """Return the values that are hidden because of the name they stand under."""
    found = set()

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            for each in value.values():
                visit(each)
        elif isinstance(value, list):
            for each in value:
                visit(each)
        elif isinstance(value, str) and value.startswith("FAKE"):
            found.add(value)

    whole = document()
    visit([row["value"] for row in whole["variables"]])
    visit([row["data"] for row in whole["records"]])
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a demonstration, and what it printed the first and the second time."""
    folder = tmp_path_factory.mktemp("demo")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("TOOLKIT_", "COLUMNS"))}
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            COMMAND, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=surroundings
        )
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
    return folder, outputs


def test_the_demonstration_makes_a_database_and_a_report_and_says_where(shown: tuple[Path, list[str]]) -> None:
    folder, (first, second) = shown
    assert sorted(path.name for path in folder.iterdir()) == ["toolkit-report.html", "toolkit.db"]
    assert f"Example data is in {folder / 'toolkit.db'}\n" in first
    assert f"Example data is in {folder / 'toolkit.db'} (it was there already)\n" in second
    for output in (first, second):
        assert f"Open the report:    {folder / 'toolkit-report.html'}\n" in output


def test_the_second_time_shows_the_same_and_adds_nothing(shown: tuple[Path, list[str]]) -> None:
    _, (first, second) = shown
    assert second.replace(" (it was there already)", "") == first


def test_the_demonstration_shows_every_part(shown: tuple[Path, list[str]]) -> None:
    _, (output, _) = shown
    assert f"{1 + len(demo.RUNS)} workflows\n" in output
    for name in (demo.WORKFLOW, *demo.RUNS):
        assert f"\n{name} " in output
    for heading in (
        f"Records of {demo.WORKFLOW} by status and type",
        "Variables, secrets hidden",
        "Failures by cause",
        "What next",
    ):
        assert f"\n\n{heading}\n" in output
    for row in document()["variables"]:
        assert row["key"] in output


def test_what_the_demonstration_counts_is_what_is_in_the_data(shown: tuple[Path, list[str]]) -> None:
    folder, (output, _) = shown
    records = document()["records"]
    failed = sum(record["status"] == "failed" for record in records)
    with toolkit.connect(folder / "toolkit.db", read_only=True) as service:
        frame = service.query_records(demo.WORKFLOW)
        assert list(frame["record_id"].sort_values()) == sorted(record["record_id"] for record in records)
        for run in demo.RUNS:
            assert len(service.query_records(run)) > 0
    causes = output.partition("Failures by cause\n")[2].partition("\n\n")[0]
    counts = [line.split()[0] for line in causes.splitlines()[1:]]
    assert sum(int(count) for count in counts if count.isdecimal()) == failed


def test_secrets_are_hidden_in_everything_that_is_shown(shown: tuple[Path, list[str]]) -> None:
    folder, (output, _) = shown
    page = (folder / "toolkit-report.html").read_text(encoding="utf-8")
    secrets = fake_secrets()
    assert len(secrets) == 5
    for secret in secrets:
        assert secret not in output
        assert secret not in page
    for key in ("smtp_password", "api_token", "crm.credentials"):
        assert any(line.split()[:2] == [key, "[hidden]"] for line in output.splitlines())


def test_lines_of_tables_fit_a_terminal_of_80_columns(shown: tuple[Path, list[str]]) -> None:
    _, (output, _) = shown
    tables = output.partition("\n\n")[2].partition("What next")[0]
    assert max(map(len, tables.splitlines())) <= 80


def test_the_report_is_one_page_of_its_own(shown: tuple[Path, list[str]]) -> None:
    folder, _ = shown
    page = (folder / "toolkit-report.html").read_text(encoding="utf-8")
    assert demo.WORKFLOW in page
    assert 'src="http' not in page
    assert "<link" not in page


def test_filling_leaves_what_is_there_and_adds_what_is_missing() -> None:
    with toolkit.connect(":memory:", create=True) as service:
        service.set_variable(demo.RUNS[0], "of_somebody", 3)
        assert demo.fill(service) == [demo.WORKFLOW, *demo.RUNS[1:]]
        assert service.get_variable(demo.RUNS[0], "all") == {"of_somebody": 3}
        service.delete_record(demo.WORKFLOW, "email_001")
        assert demo.fill(service) == []
        assert service.get_record(demo.WORKFLOW, "email_001") is None


def test_every_value_arrives_as_it_was_written_down() -> None:
    with toolkit.connect(":memory:", create=True) as service:
        demo.fill(service)
        wanted = {row["key"]: row["value"] for row in document()["variables"]}
        assert service.get_variable(demo.WORKFLOW, "all", reveal=True) == wanted
        for record in document()["records"]:
            found = service.get_record(demo.WORKFLOW, record["record_id"], reveal=True)
            assert found
            assert found["data"] == record["data"]
            assert (found["status"], found["error_message"]) == (record["status"], record["error_message"])
            assert f"{found['updated_at']:%Y-%m-%dT%H:%M:%S.%f}Z" == record["updated_at"]
