"""Real values are shown only to those who ask, where the profile allows it, and each time it is written down."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import pytest

import toolkit
from toolkit.cache import CachedDataService
from toolkit.profiles import Profile

SECRET: Final = "FAKE-not-a-real-value-0001"
Read = Callable[[toolkit.UnifiedDataService, str, Any], Any]

READS: Final[dict[str, Read]] = {
    "records": lambda service, name, reveal: service.query_records(name, reveal=reveal),
    "documents": lambda service, name, reveal: service.query_records(name, flatten=False, reveal=reveal),
    "Arrow": lambda service, name, reveal: service.query_records(name, as_arrow=True, reveal=reveal),
    "chunks": lambda service, name, reveal: _chunks(service, name, reveal, flatten=True),
    "chunks of documents": lambda service, name, reveal: _chunks(service, name, reveal, flatten=False),
    "get_record": lambda service, name, reveal: service.get_record(name, "a_1", reveal=reveal),
    "get_records_by_ids": lambda service, name, reveal: service.get_records_by_ids(name, ["a_1"], reveal=reveal),
    "get_all_variables": lambda service, name, reveal: service.get_all_variables(name, reveal=reveal),
    "get_variable": lambda service, name, reveal: service.get_variable(name, "api_token", reveal=reveal),
    "all variables": lambda service, name, reveal: service.get_variable(name, "all", reveal=reveal),
    "get_iterations": lambda service, name, reveal: service.get_iterations(name, reveal=reveal),
    "variables as data": lambda service, name, reveal: service.get_data(name, "global", reveal=reveal),
    "records as data": lambda service, name, reveal: service.get_data(name, "records", reveal=reveal),
}


def _chunks(service: toolkit.UnifiedDataService, name: str, reveal: Any, *, flatten: bool) -> list[Any]:
    with service.query_records(name, flatten=flatten, chunksize=1, reveal=reveal) as chunks:
        return list(chunks)


@pytest.fixture
def filled(service: toolkit.UnifiedDataService, workflow_id: str) -> str:
    service.set_variables(workflow_id, {"api_token": SECRET, "api_token@iter:1:0": SECRET})
    service.create_record(workflow_id, "a_1", data={"vars": {"api_token": SECRET}})
    return workflow_id


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("reveal", [True, ["api_token", "vars.api_token"]], ids=["everything", "some columns"])
def test_each_read_that_reveals_is_written_down_once_and_no_other(
    service: toolkit.UnifiedDataService, filled: str, read: Read, reveal: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="toolkit.reveal"):
        read(service, filled, False)  # noqa: FBT003 - as READS take it
        assert caplog.messages == []
        read(service, filled, reveal)
    (line,) = caplog.messages
    columns = "all columns" if reveal is True else "api_token, vars.api_token"
    assert line.startswith(f"{service.database.actor} was shown secrets in {columns} of ")
    assert SECRET not in line


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("reveal", [True, ["vars.api_token"], ["nothing"], []], ids=str)
def test_a_profile_can_forbid_every_way_to_reveal(
    service: toolkit.UnifiedDataService, filled: str, read: Read, reveal: Any
) -> None:
    service.profile = Profile("guarded", "sqlite://", reveals=False)
    with pytest.raises(toolkit.RevealForbidden, match="guarded"):
        read(service, filled, reveal)
    assert SECRET not in str(read(service, filled, False))  # noqa: FBT003 - as READS take it


def test_a_cache_asks_and_writes_down_each_time(
    service: toolkit.UnifiedDataService, workflow_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.set_variable(workflow_id, "db.password", SECRET)
    cached = CachedDataService(service.database)
    with caplog.at_level(logging.INFO, logger="toolkit.reveal"):
        for _ in range(2):
            assert cached.get_variable(workflow_id, "db.password", reveal=True) == SECRET
            assert cached.get_variable(workflow_id, "db.password", reveal=["db"]) == SECRET
            assert isinstance(cached.get_variable(workflow_id, "db.password"), toolkit.Secret)
    assert len(caplog.messages) == 4
    cached.profile = Profile("guarded", "sqlite://", reveals=False)
    with pytest.raises(toolkit.RevealForbidden):
        cached.get_variable(workflow_id, "db.password", reveal=["db"])


def test_comparing_shows_nothing_and_says_so(
    service: toolkit.UnifiedDataService,
    filled: str,
    new_workflow: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = new_workflow("weekly")
    key = "AKIA" + "FAKEFAKEFAKE0001"
    for name, value in ((filled, "one"), (other, "two")):
        service.set_variable(name, f"seen {key}", value)
        service.create_record(name, f"b_{key}", data={"vars": {"api_token": f"{SECRET}-{value}"}})
    with caplog.at_level(logging.INFO, logger="toolkit.reveal"):
        diff = service.compare(filled, other)
    assert caplog.messages == []
    # Ids and keys that hold a secret are matched all the same.
    assert list(diff.changes["record_id"]) == ["b_[hidden]"]
    assert list(diff.changes["after"]) == ["[hidden] (differs)"]
    assert list(diff.missing["record_id"]) == ["a_1"]
    assert "seen [hidden]" in list(diff.variables["key"])
    assert list(diff.variables.loc[diff.variables["key"] == "seen [hidden]", "change"]) == ["changed"]
