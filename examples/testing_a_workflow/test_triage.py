"""Tests of one step: on made up runs, and on a copy of last night's."""

from __future__ import annotations

from pathlib import Path

from triage import try_again

from toolkit import UnifiedDataService
from toolkit.testing import MakeRun, OpenRun, assert_run


def test_timeouts_are_tried_again(make_run: MakeRun) -> None:
    run = make_run(records=60, failed=8)
    assert run.record("email_007").sibling_count == 2
    try_again(run)
    assert_run(run, complete=41, failed=7, skipped=4, processing=3, discovered=5)


def test_a_run_without_failures_stays_as_it_is(make_run: MakeRun) -> None:
    run = make_run(records=20, failed=0)
    before = run.records()
    try_again(run)
    assert run.records().equals(before)


def test_a_mail_that_is_too_large_fails_again(toolkit_db: UnifiedDataService) -> None:
    slow = {"record_id": "email_1", "status": "failed", "error_message": "Timeout after 30 s", "fields.size": 90_000}
    toolkit_db.create_records("nightly", [slow])
    run = toolkit_db.workflow("nightly")
    try_again(run)
    assert_run(run, failed=1)
    assert "Timeout after 180.0 s" in run.records["email_1"]["error_message"]


def test_last_night_would_have_gone_better(last_night: Path, toolkit_run: OpenRun) -> None:
    run = toolkit_run(last_night)
    try_again(run)
    assert_run(run, complete=41, failed=7, skipped=4, processing=3, discovered=5)


def test_another_test_has_a_copy_of_its_own(last_night: Path, toolkit_run: OpenRun) -> None:
    assert_run(toolkit_run(last_night), complete=40, failed=8, skipped=4, processing=3, discovered=5)
