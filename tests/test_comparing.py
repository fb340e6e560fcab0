"""Failures of a workflow, and two workflows compared, through the service on every database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import toolkit
from toolkit.masking import HIDDEN
from toolkit.profiles import Profile

Service = toolkit.UnifiedDataService
TOKENS = {"same": "FAKE-not-real-0001", "old": "FAKE-not-real-0002", "new": "FAKE-not-real-0003"}


@pytest.fixture
def other_id(new_workflow: Callable[[str], str]) -> str:
    """A second workflow beside the first."""
    return new_workflow("the night after")


@pytest.fixture
def two_runs(service: Service, workflow_id: str, other_id: str) -> tuple[str, str]:
    for name, status, token in ((workflow_id, "failed", "old"), (other_id, "complete", "new")):
        records: list[dict[str, Any]] = [
            {"record_id": "a", "status": status, "error_message": "Timeout after 3 s", "fields.token": TOKENS[token]},
            {"record_id": "b", "status": "complete", "fields.token": TOKENS["same"], "fields.size": len(token)},
            {"record_id": token, "status": "failed", "fields.login.password": {"user": token}},
        ]
        service.create_records(name, records)
        service.set_variables(name, {"api_token": TOKENS[token], "db_password": TOKENS["same"], "total": 3})
    return workflow_id, other_id


def test_two_workflows_are_compared_by_their_real_values_and_shown_masked(
    service: Service, two_runs: tuple[str, str]
) -> None:
    diff = service.compare(*two_runs)
    assert diff.names == two_runs
    assert (list(diff.added["record_id"]), list(diff.missing["record_id"])) == (["new"], ["old"])
    assert list(diff.fixed["record_id"]) == ["a"]
    assert diff.changes.to_numpy().tolist() == [["a", "fields.token", HIDDEN, f"{HIDDEN} (differs)"]]
    assert diff.variables.to_numpy().tolist() == [["api_token", "changed", HIDDEN, f"{HIDDEN} (differs)"]]
    assert diff.notes == ()


def test_no_part_of_a_comparison_holds_a_secret(service: Service, two_runs: tuple[str, str]) -> None:
    diff = service.compare(*two_runs)
    frames = [getattr(diff, name) for name in diff.__dataclass_fields__]
    everything = repr(diff) + "".join(str(frame.to_dict() if hasattr(frame, "to_dict") else frame) for frame in frames)
    assert not any(secret in everything for secret in TOKENS.values())


def test_a_profile_that_never_reveals_can_compare(service: Service, two_runs: tuple[str, str]) -> None:
    guarded = toolkit.UnifiedDataService(service.database)
    guarded.profile = Profile("guarded", "sqlite://", reveals=False)
    with pytest.raises(toolkit.RevealForbidden):
        guarded.query_records(two_runs[0], reveal=True)
    assert list(guarded.compare(*two_runs).changes["path"]) == ["fields.token"]
    with pytest.raises(toolkit.RevealForbidden):
        guarded.query_records(two_runs[0], reveal=True)


def test_a_hidden_container_is_compared_whole(service: Service, workflow_id: str, other_id: str) -> None:
    for name, user in ((workflow_id, "one"), (other_id, "two")):
        service.create_record(name, "a", data={"fields": {"credentials": {"user": user, "roles": [1, {"b": 2}]}}})
        service.create_record(name, "b", data={"fields": {"credentials": {"user": "both", "roles": [1, {"b": 2}]}}})
    diff = service.compare(workflow_id, other_id)
    assert list(diff.changes["record_id"]) == ["a"]
    assert diff.changed_paths["not_compared"].sum() == 0
    assert all(HIDDEN in str(value) for value in diff.changes["after"])


def test_records_of_two_workflows_are_matched_by_a_path(service: Service, workflow_id: str, other_id: str) -> None:
    service.create_record(workflow_id, "email_001", status="failed", data={"fields": {"mail": "m1"}})
    service.create_record(other_id, "email_007", status="complete", data={"fields": {"mail": "m1"}})
    diff = service.compare(workflow_id, other_id, on="fields.mail")
    assert list(diff.fixed["fields.mail"]) == ["m1"]
    with pytest.raises(toolkit.InvalidOption, match=r"no column 'fields\.other'"):
        service.compare(workflow_id, other_id, on="fields.other")


def test_what_is_not_one_workflow_is_refused(service: Service, two_runs: tuple[str, str]) -> None:
    with pytest.raises(toolkit.InvalidOption, match="compare is about one workflow"):
        service.compare(two_runs[0], "*")
    with pytest.raises(toolkit.WorkflowNotFound, match="there is no workflow"):
        service.compare(two_runs[0], two_runs[0][:-1] + "7")


def test_failures_are_one_row_per_cause_with_all_its_records(service: Service, workflow_id: str) -> None:
    failed = [{"record_id": f"a_{number}", "status": "failed", "error_message": f"call {number} failed: 401"}
              for number in range(5)]  # fmt: skip
    service.create_records(workflow_id, [*failed, {"record_id": "b", "status": "failed", "error_message": "quota"}])
    service.create_record(workflow_id, "c", status="complete")
    table = service.failures(workflow_id)
    assert table["signature"].tolist() == ["call <number> failed: 401", "quota"]
    assert sorted(table["record_ids"].iloc[0]) == [f"a_{number}" for number in range(5)]
    assert service.failures(workflow_id, rules={"limits": "quota"})["signature"].tolist()[-1] == "limits"
    assert service.failures(workflow_id, known=table)["cause"].tolist() == table["cause"].tolist()


def test_failures_can_be_those_of_the_last_hours(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a", status="failed")
    assert service.failures(workflow_id, since="1h")["count"].tolist() == [1]
    assert service.failures(workflow_id, since="2999-01-01").empty
    with pytest.raises(toolkit.InvalidOption, match="failures is about one workflow"):
        service.failures("*")
