"""Record-based iteration, on every database: claims, bodies, errors, interruptions, and several processes."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from toolkit.iterate import ON_ERROR, current_record

Service = toolkit.UnifiedDataService
SERVERS = ("postgresql", "production")
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def ids(service: Service, workflow_id: str) -> list[str]:
    """Three records that wait."""
    made = ["a_1", "a_2", "a_3"]
    service.create_records(workflow_id, [{"record_id": name, "fields.n": n} for n, name in enumerate(made)])
    return made


def columns(service: Service, workflow_id: str, name: str) -> dict[str, Any]:
    """Return one column of every record, by record id."""
    cells: list[Any] = [None if pd.isna(value) else value for value in service.query_records(workflow_id)[name]]
    return dict(zip(service.query_records(workflow_id)["record_id"], cells, strict=True))


def statuses(service: Service, workflow_id: str) -> list[Any]:
    return list(columns(service, workflow_id, "status").values())


def record(service: Service, workflow_id: str, record_id: str) -> dict[str, Any]:
    found = service.get_record(workflow_id, record_id, reveal=True)
    assert found is not None
    return found


def refuses(_: dict[str, Any]) -> NoReturn:
    raise ValueError("timeout\0\ud800")


# A body that comes to its end


def test_each_record_goes_through_the_body_once_and_is_complete(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    seen: list[dict[str, Any]] = []
    result = service.iterate_records(workflow_id, "a_*", body=seen.append)
    assert [one["record_id"] for one in seen] == ids
    assert repr(result) == "IterationResult(processed=3, failed=0, total=3)"
    assert (result.results, result.errors) == ({}, {})
    for name in ids:
        one = record(service, workflow_id, name)
        assert (one["status"], one["retry_count"], one["error_message"]) == ("complete", 0, None)
        assert one["created_at"] <= one["processed_at"] == one["updated_at"]
    assert service.iterate_records(workflow_id, "a_*", body=seen.append).total == 0


def test_the_body_gets_the_record_as_it_is_with_its_real_values(service: Service, workflow_id: str) -> None:
    service.create_record(workflow_id, "a_1", data={"password": "FAKE-0001", "big": 2**70, "x": None})
    seen: list[dict[str, Any]] = []

    def body(given: dict[str, Any]) -> None:
        seen.append(given)
        assert given == record(service, workflow_id, "a_1")
        assert given["status"] == "processing"

    assert service.iterate_records(workflow_id, "a_1", body=body).processed == 1
    assert seen[0]["data"]["fields"] == {"password": "FAKE-0001", "big": 2**70, "x": None}
    assert seen[0]["updated_at"].tzinfo is dt.UTC


def test_a_dict_that_the_body_returns_is_merged_and_anything_else_is_only_kept(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    patch = {"vars.label": "new", "history[+]": {"action": "seen"}, "status": "skipped"}
    returned = {"a_1": patch, "a_2": True, "a_3": 0}
    result = service.iterate_records(workflow_id, "*", body=lambda one: returned[one["record_id"]])
    assert result.results == returned
    assert (result.processed, result.failed) == (3, 0)
    first = record(service, workflow_id, "a_1")
    assert first["data"] == {
        "fields": {"n": 0},
        "vars": {"label": "new"},
        "targets": {},
        "history": [{"action": "seen"}],
    }
    assert first["processed_at"] is not None
    assert statuses(service, workflow_id) == ["skipped", "complete", "complete"]


def test_columns_that_a_patch_names_go_before_what_completing_writes(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    patch = {"error_message": "looked odd", "processed_at": "2026-01-02T03:04:05Z", "retry_count": 7}
    service.iterate_records(workflow_id, "a_1", body=lambda _: patch)
    found = record(service, workflow_id, "a_1")
    assert (found["status"], found["error_message"], found["retry_count"]) == ("complete", "looked odd", 7)
    assert found["processed_at"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def test_a_patch_that_cannot_be_written_fails_its_record_and_writes_nothing_of_it(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    patches: list[tuple[Any, str]] = [
        ({"label": 1}, "fields.label"),
        ({"vars.x": float("nan")}, "vars.x"),
        ({"vars.x": "[hidden]"}, "[hidden]"),
        ({"vars.x": 1, "fields[+]": 1}, "appends to an array"),
        ({"fields": 1, "fields.n": 2}, "contains"),
    ]
    before = record(service, workflow_id, "a_2")["data"]
    for returned, message in patches:
        result = service.iterate_records(workflow_id, "a_2", body=lambda _, patch=returned: patch)  # type: ignore[misc]
        assert (result.processed, result.failed, result.results) == (0, 1, {})
        assert message in result.errors["a_2"]
        found = record(service, workflow_id, "a_2")
        assert (found["data"], found["status"], found["error_message"]) == (before, "failed", result.errors["a_2"])
        service.update_record(workflow_id, "a_2", {"status": "discovered"})


def test_a_mask_in_a_patch_is_written_only_when_taken_literally(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    body = lambda _: {"vars.x": "[hidden]"}  # noqa: E731 - as people write it
    assert service.iterate_records(workflow_id, "a_1", body=body, literal=True).processed == 1
    assert record(service, workflow_id, "a_1")["data"]["vars"] == {"x": "[hidden]"}


def test_completing_clears_the_message_of_an_earlier_failure(service: Service, workflow_id: str) -> None:
    row = {"record_id": "a_1", "status": "failed", "error_message": "timeout", "retry_count": 2}
    service.create_records(workflow_id, [row])
    assert service.iterate_records(workflow_id, "*", body=lambda _: None).total == 0
    assert service.iterate_records(workflow_id, "*", body=lambda _: None, statuses="failed").processed == 1
    found = record(service, workflow_id, "a_1")
    assert (found["status"], found["error_message"], found["retry_count"]) == ("complete", None, 2)


def test_only_records_of_the_pattern_the_type_and_the_statuses_are_taken(service: Service, workflow_id: str) -> None:
    rows = [
        ("a_1", "a", "discovered"),
        ("a_2", "b", "discovered"),
        ("a_3", "a", "failed"),
        ("b_1", "a", "discovered"),
        ("a_4", "a", "complete"),
    ]
    names = ("record_id", "record_type", "status")
    service.create_records(workflow_id, [dict(zip(names, row, strict=True)) for row in rows])
    seen: list[str] = []

    def body(one: dict[str, Any]) -> None:
        seen.append(one["record_id"])

    result = service.iterate_records(workflow_id, "a_*", body=body, record_type="a", statuses=("discovered", "failed"))
    assert (seen, result.total) == (["a_1", "a_3"], 2)


def test_a_record_that_waits_no_more_when_its_turn_comes_is_left_alone(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    def body(one: dict[str, Any]) -> None:
        service.update_record(workflow_id, "a_2", {"status": "skipped"})

    result = service.iterate_records(workflow_id, "*", body=body)
    assert (result.processed, result.total) == (2, 3)
    assert statuses(service, workflow_id) == ["complete", "skipped", "complete"]


def test_a_record_that_fails_again_is_not_taken_twice_in_one_iteration(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    for expected in (1, 2):
        result = service.iterate_records(workflow_id, "*", body=refuses, statuses=("discovered", "failed"))
        assert (result.failed, result.total) == (3, 3)
        assert set(columns(service, workflow_id, "retry_count").values()) == {expected}


def test_records_that_appear_later_wait_for_the_next_iteration(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    result = service.iterate_records(
        workflow_id, "*", body=lambda one: service.create_record(workflow_id, "b" + one["record_id"])
    )
    assert (result.processed, result.total) == (3, 3)
    assert service.iterate_records(workflow_id, "b*", body=lambda _: None).processed == 3


# A body that raises


def test_a_failure_is_marked_and_the_next_record_follows(service: Service, workflow_id: str, ids: list[str]) -> None:
    def body(one: dict[str, Any]) -> None:
        if one["record_id"] != "a_3":
            raise ValueError("timeout\0\ud800") if one["record_id"] == "a_1" else AssertionError

    result = service.iterate_records(workflow_id, "*", body=body)
    assert repr(result) == "IterationResult(processed=1, failed=2, total=3)"
    assert result.errors == {"a_1": "timeout\\x00\\ud800", "a_2": "AssertionError"}
    assert statuses(service, workflow_id) == ["failed", "failed", "complete"]
    assert columns(service, workflow_id, "error_message") == {**result.errors, "a_3": None}
    assert columns(service, workflow_id, "retry_count") == {"a_1": 1, "a_2": 1, "a_3": 0}
    assert record(service, workflow_id, "a_1")["processed_at"] is None


def test_mark_failed_stop_ends_with_a_result(service: Service, workflow_id: str, ids: list[str]) -> None:
    result = service.iterate_records(workflow_id, "*", body=refuses, on_error="mark_failed_stop")
    assert (result.processed, result.failed, result.total) == (0, 1, 3)
    assert statuses(service, workflow_id) == ["failed", "discovered", "discovered"]


def test_stop_puts_the_record_back_and_lets_the_exception_go_on(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    with pytest.raises(ValueError, match="timeout"):
        service.iterate_records(workflow_id, "*", body=refuses, on_error="stop")
    assert statuses(service, workflow_id) == ["discovered"] * 3
    assert set(columns(service, workflow_id, "error_message").values()) == {None}
    assert set(columns(service, workflow_id, "retry_count").values()) == {0}


@pytest.mark.parametrize("on_error", ON_ERROR)
def test_a_retry_reads_the_record_afresh_and_counts_each_failed_attempt(
    service: Service, workflow_id: str, ids: list[str], on_error: str
) -> None:
    attempts: list[dict[str, Any]] = []

    def body(one: dict[str, Any]) -> None:
        attempts.append(one)
        assert "spoilt" not in one["data"]
        one["data"]["spoilt"] = True
        service.update_record(workflow_id, "a_1", {"vars.attempt": len(attempts)})
        if len(attempts) < 3:
            raise TimeoutError(f"attempt {len(attempts)}")

    result = service.iterate_records(workflow_id, "a_1", body=body, on_error=on_error, max_retries=2)
    assert (result.processed, result.failed, result.errors) == (1, 0, {})
    assert [one["data"]["vars"] for one in attempts] == [{}, {"attempt": 1}, {"attempt": 2}]
    assert [one["error_message"] for one in attempts] == [None, "attempt 1", "attempt 2"]
    found = record(service, workflow_id, "a_1")
    assert (found["status"], found["error_message"], found["retry_count"]) == ("complete", None, 2)


def test_a_record_whose_retries_are_used_up_has_failed(service: Service, workflow_id: str, ids: list[str]) -> None:
    result = service.iterate_records(workflow_id, "*", body=refuses, on_error="retry", max_retries=2)
    assert (result.processed, result.failed) == (0, 3)
    assert set(columns(service, workflow_id, "retry_count").values()) == {3}
    assert statuses(service, workflow_id) == ["failed"] * 3


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("on_error", ["mark_failed_continue", "retry"])
def test_an_interruption_puts_the_record_in_hand_back_and_goes_on(
    service: Service, workflow_id: str, interruption: type[BaseException], on_error: str
) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{n}", "status": "waiting"} for n in range(3)])

    def body(one: dict[str, Any]) -> None:
        if one["record_id"] == "a_1":
            raise interruption

    with pytest.raises(interruption):
        service.iterate_records(workflow_id, "*", body=body, statuses="waiting", on_error=on_error, max_retries=1)
    assert statuses(service, workflow_id) == ["complete", "waiting", "waiting"]
    assert set(columns(service, workflow_id, "retry_count").values()) == {0}
    assert current_record() is None


def test_an_interruption_while_a_record_is_being_completed_puts_it_back(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    def interrupt(_: sa.Connection) -> None:
        sa.event.remove(service.database.engine, "commit", interrupt)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.iterate_records(
            workflow_id, "a_1", body=lambda _: sa.event.listen(service.database.engine, "commit", interrupt)
        )
    assert record(service, workflow_id, "a_1")["status"] == "discovered"
    assert service.iterate_records(workflow_id, "a_1", body=lambda _: None).processed == 1


def test_an_interruption_between_a_claim_and_its_body_puts_the_record_back(
    service: Service, workflow_id: str, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = service.database.write

    @contextlib.contextmanager
    def interrupted_when_committed() -> Iterator[sa.Connection]:
        monkeypatch.setattr(service.database, "write", write)
        with write() as connection:
            yield connection
        assert record(service, workflow_id, "a_1")["status"] == "processing"
        raise KeyboardInterrupt

    monkeypatch.setattr(service.database, "write", interrupted_when_committed)
    with pytest.raises(KeyboardInterrupt):
        service.iterate_records(workflow_id, "a_1", body=print)
    assert record(service, workflow_id, "a_1")["status"] == "discovered"


def test_a_claim_that_the_database_refuses_changes_nothing(service: Service, workflow_id: str, ids: list[str]) -> None:
    commits: list[sa.Connection] = []

    def refuse(connection: sa.Connection) -> None:
        commits.append(connection)
        # The first transaction lists what waits, the second claims.
        if len(commits) == 2:
            raise sa.exc.OperationalError("COMMIT", None, RuntimeError("gone"))

    sa.event.listen(service.database.engine, "commit", refuse)
    with pytest.raises(toolkit.ConnectionFailed):
        service.iterate_records(workflow_id, "*", body=print)
    assert len(commits) == 2
    assert statuses(service, workflow_id) == ["discovered"] * 3


def test_an_interruption_goes_on_even_when_the_database_is_gone(
    service: Service, workflow_id: str, ids: list[str], database_url: str
) -> None:
    def body(_: dict[str, Any]) -> None:
        service.close()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.iterate_records(workflow_id, "a_1", body=body)
    with toolkit.connect(database_url) as again:
        assert again.requeue_stuck(workflow_id, LATER) == ["a_1"]


def test_a_database_that_fails_is_not_the_fault_of_a_record(service: Service, workflow_id: str, ids: list[str]) -> None:
    with pytest.raises(toolkit.ServiceClosed):
        service.iterate_records(workflow_id, "*", body=lambda _: service.close())


# What somebody else does meanwhile


def test_no_transaction_is_open_while_the_body_runs(
    service: Service, workflow_id: str, ids: list[str], database_url: str, execute: Callable[..., None]
) -> None:
    states: list[Any] = []
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    def body(one: dict[str, Any]) -> None:
        # Another session writes the very record; a lock of ours would keep it waiting for ever.
        execute(database_url, f"UPDATE workflow_records SET record_type = 'x' WHERE record_id = '{one['record_id']}'")  # noqa: S608 - an id of this test
        if service.database.dialect.name == "postgresql":
            with sa.create_engine(service.database.engine.url, poolclass=sa.NullPool).connect() as connection:
                states.extend(connection.exec_driver_sql(f"SELECT state, xact_start {others}").all())

    assert service.iterate_records(workflow_id, "*", body=body).processed == 3
    assert {tuple(state) for state in states} <= {("idle", None)}
    assert set(columns(service, workflow_id, "record_type").values()) == {"x"}


def test_completing_keeps_what_others_wrote_into_the_record_meanwhile(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    def body(one: dict[str, Any]) -> dict[str, Any]:
        service.update_record(workflow_id, one["record_id"], {"vars.theirs": 1, "fields.big": 2**70})
        return {"vars.ours": 2}

    service.iterate_records(workflow_id, "a_1", body=body)
    found = record(service, workflow_id, "a_1")
    assert (found["data"]["vars"], found["data"]["fields"]) == ({"theirs": 1, "ours": 2}, {"n": 0, "big": 2**70})
    assert found["status"] == "complete"


@pytest.mark.parametrize("fails", [False, True])
def test_a_status_that_somebody_else_decided_meanwhile_stays(
    service: Service, workflow_id: str, ids: list[str], *, fails: bool
) -> None:
    def body(one: dict[str, Any]) -> dict[str, Any] | None:
        service.update_record(workflow_id, one["record_id"], {"status": "skipped", "error_message": "not wanted"})
        if fails:
            raise ValueError("timeout")
        return {"vars.x": 1} if one["record_id"] == "a_1" else None

    result = service.iterate_records(workflow_id, "*", body=body, max_retries=1)
    assert (result.processed, result.failed) == ((0, 3) if fails else (3, 0))
    assert statuses(service, workflow_id) == ["skipped"] * 3
    assert set(columns(service, workflow_id, "error_message").values()) == {"not wanted"}
    found = record(service, workflow_id, "a_1")
    assert (found["processed_at"], found["retry_count"]) == (None, 0)
    assert found["data"]["vars"] == ({} if fails else {"x": 1})


def test_a_record_that_is_removed_while_its_body_runs_is_counted_as_failed(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    result = service.iterate_records(workflow_id, "a_1", body=lambda _: service.delete_all_records(workflow_id).records)
    assert (result.processed, result.failed) == (0, 1)
    assert "removed while its body ran" in result.errors["a_1"]
    assert len(service.query_records(workflow_id)) == 0


def test_a_record_that_another_iteration_had_meanwhile_is_not_taken_again(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    both = ("discovered", "failed", "complete")
    seen: list[str] = []

    def outer(one: dict[str, Any]) -> None:
        seen.append(one["record_id"])
        service.iterate_records(workflow_id, "a_2", body=refuses, statuses=both)
        service.iterate_records(workflow_id, "a_3", body=lambda _: None, statuses=both)

    result = service.iterate_records(workflow_id, "*", body=outer, statuses=both)
    assert (seen, result.processed, result.total) == (["a_1"], 1, 3)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_record_that_somebody_has_locked_is_passed_by_and_taken_at_the_end(
    service: Service, workflow_id: str, ids: list[str]
) -> None:
    engine = sa.create_engine(service.database.engine.url)
    seen: list[str] = []
    with engine.connect() as other:
        other.exec_driver_sql("SELECT 1 FROM workflow_records WHERE record_id = 'a_1' FOR UPDATE")

        def body(one: dict[str, Any]) -> None:
            seen.append(one["record_id"])
            other.rollback()

        assert service.iterate_records(workflow_id, "*", body=body).processed == 3
    engine.dispose()
    assert seen == ["a_2", "a_3", "a_1"]
