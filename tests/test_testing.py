"""What `toolkit.testing` gives to those who test their workflows, and what it does to their pytest."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

import toolkit
from toolkit import demo
from toolkit.testing import MakeRun, OpenRun, assert_run

pytest_plugins = ["pytester", "toolkit.testing"]

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "testing_a_workflow"
STORY = {"complete": 40, "failed": 8, "skipped": 4, "processing": 3, "discovered": 5}


def ran(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run a project's tests in a Python of its own; there, an installed toolkit brings the plug-in by itself."""
    return pytester.runpytest_subprocess("-p", "toolkit.testing", "-p", "no:cacheprovider", "-W", "error", *arguments)


def test_the_example_project_and_the_test_in_the_document_pass(pytester: pytest.Pytester) -> None:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    pytester.makepyfile(test_document=text.partition("```python")[2].partition("```")[0])
    ran(pytester).assert_outcomes(passed=6)


def test_a_run_that_is_not_as_expected_is_told_with_its_causes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from toolkit.testing import assert_run

        def test_run(make_run):
            assert_run(make_run(), complete=58, faild=2)
        """
    )
    done = ran(pytester)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*AssertionError: workflow email-triage is not as expected:",
            "*complete          58     40  <- differs",
            "*failed             0      8  <- differs",
            "*no record has the status 'faild'; did you mean 'failed'?",
            "*3 x Timeout after <duration> while waiting for * (email_007, email_012, attachment_004)",
            "*1 x no message (attachment_009)",
        ]
    )
    done.stdout.no_fnmatch_line("*_why*")


def test_pytest_finds_the_plug_in_by_itself_where_the_toolkit_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"toolkit.testing": "toolkit.testing"}


def test_the_whole_story_is_what_assert_run_counts(make_run: MakeRun) -> None:
    run = make_run()
    assert_run(run, **STORY)
    assert_run(run, **STORY, exploded=0)
    with pytest.raises(AssertionError, match="complete "):
        assert_run(run, **{name: count for name, count in STORY.items() if name != "complete"})
    wrongly: list[dict[str, Any]] = [{}, {"failed": -1}, {"failed": True}, {"failed": "8"}]
    for wrong in wrongly:
        with pytest.raises(toolkit.InvalidOption):
            assert_run(run, **wrong)


def test_a_failed_assertion_shows_no_secret(toolkit_db: toolkit.UnifiedDataService) -> None:
    known, shaped = "Canary0001Qx-9", "AKIAFAKE0001FAKEFAKE"
    toolkit_db.set_variable("nightly", "api_token", known)
    failed = {"status": "failed", "error_message": f"refused {known}"}
    toolkit_db.create_records("nightly", [{"record_id": f"a_{known}", **failed}, {"record_id": "b", "status": shaped}])
    with pytest.raises(AssertionError, match=r"1 x refused \[hidden\]") as caught:
        assert_run(toolkit_db.workflow("nightly"), complete=2)
    assert not any(secret in str(caught.value) for secret in (known, shaped))


@pytest.mark.parametrize(("records", "failed"), [(0, 0), (1, 1), (7, 3), (60, 8), (130, 40)])
def test_a_run_has_as_many_records_and_failures_as_asked_for(make_run: MakeRun, records: int, failed: int) -> None:
    make_run(records, failed, seed=3, workflow_id="nightly")
    stats = make_run(records, failed, seed=3, workflow_id="again").stats()
    assert (stats.records_total, stats.by_status.get("failed", 0)) == (records, failed)


def test_the_same_seed_makes_the_same_run_and_the_default_is_the_demonstration(make_run: MakeRun) -> None:
    first, second, other = (make_run(70, 9, seed, workflow_id=f"w{n}") for n, seed in enumerate((5, 5, 6)))
    assert first.records().equals(second.records())
    assert not first.records().equals(other.records())
    with toolkit.connect(":memory:", create=True) as service:
        demo.fill(service)
        assert make_run().records(columns="all").equals(service.query_records(demo.WORKFLOW, columns="all"))
    with pytest.raises(toolkit.InvalidOption, match="failed=9 is no part of records=8"):
        make_run(8, 9)


def test_every_test_has_a_database_that_may_be_written(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("TOOLKIT_READ_ONLY", "1")
    service: toolkit.UnifiedDataService = request.getfixturevalue("toolkit_db")
    assert len(service.list_workflows()) == 0
    assert service.create_record("nightly", "email_001") == "email_001"


def test_a_copy_is_private_and_the_file_stays_as_it_is(tmp_path: Path, toolkit_run: OpenRun) -> None:
    path = tmp_path / "night.db"
    with toolkit.connect(path, create=True) as service:
        service.create_record("nightly", "email_001")
        # Not a word of this is in the file itself yet.
        one, two = toolkit_run(path), toolkit_run(path)
        one.create_record("email_002")
        two.delete_record("email_001")
        assert [len(run.records()) for run in (one, two)] == [2, 0]
        assert list(service.query_records("nightly")["record_id"]) == ["email_001"]
        service.create_record("weekly", "email_001")
        with pytest.raises(toolkit.WorkflowNotFound, match=r"holds 2 workflows \('nightly', 'weekly' …\); say which"):
            toolkit_run(path)
        assert_run(toolkit_run(path, workflow="weekly"), discovered=1)


def test_a_file_that_is_no_run_is_refused(tmp_path: Path, toolkit_run: OpenRun) -> None:
    with pytest.raises(toolkit.DatabaseNotFound):
        toolkit_run(tmp_path / "nowhere.db")
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(toolkit.SchemaMismatch):
        toolkit_run(tmp_path / "text.db")


def test_a_project_that_measures_coverage_is_not_disturbed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(mine="def double(n):\n    return 2 * n\n")
    pytester.makepyfile("from mine import double\n\ndef test_double():\n    assert double(2) == 4\n")
    done = ran(pytester, "-p", "pytest_cov", "--cov=mine", "--cov-report=term")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["mine.py*2*0*100%"])
