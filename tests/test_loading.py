"""Many records written at once: the same as one by one; all of them, or none."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.written_rows import (
    AWKWARD_TEXTS,
    PLACES,
    any_value,
    dicts,
    fine,
    many_rows,
    reference,
    scalars,
    tables,
    texts,
    times,
)
from toolkit import jsonvalue
from toolkit.columns import DATA, RECORD_COLUMNS
from toolkit.errors import HiddenValue, InvalidPath, InvalidValue, ToolkitError
from toolkit.storage import given as given_rows
from toolkit.storage import loading
from toolkit.storage import records as record_storage
from toolkit.storage.given import Listed, Records

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]

EXAMPLES = hypothesis.settings(
    max_examples=25,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
_numbers = itertools.count()
SERVERS = pytest.mark.parametrize("kind", ["postgresql", "production"], indirect=True)


def test_the_lines_of_a_copy_are_read_back_as_they_were(service: Service, workflow_id: str, kind: str) -> None:
    rows = [
        {"record_id": f"{n}{text}"[:20], "error_message": text, "fields.t": text}
        for n, text in enumerate(AWKWARD_TEXTS)
    ]
    more = [{"record_id": f"more_{n}", "retry_count": n} for n in range(300)]
    assert service.create_records(workflow_id, [*rows, *more]) == len(rows) + 300
    for row in rows:
        found = service.get_record(workflow_id, row["record_id"]) or {}
        assert (found["error_message"], found["data"]["fields"]) == (row["error_message"], {"t": row["fields.t"]})


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few records written as many are."""
    monkeypatch.setattr(record_storage, "MANY", 1)
    monkeypatch.setattr(given_rows, "PART", 3)


def stored(service: Service, workflow_id: str) -> dict[str, dict[str, Any]]:
    """Every record, with its document as it is."""
    names = list(service.query_records(workflow_id)["record_id"])
    return {name: service.get_record(workflow_id, name, reveal=True) or {} for name in names}


def check_stored(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare a record with a row; what was not given has the database's time."""
    assert jsonvalue.same(found["data"], jsonvalue.decode(wanted[DATA])), (found["data"], wanted[DATA])
    for name in RECORD_COLUMNS:
        if wanted[name] is not None or name not in ("created_at", "updated_at"):
            assert found[name] == wanted[name], name
    assert found["created_at"] is not None
    assert found["updated_at"] is not None


@EXAMPLES
@given(many=dicts(any_value) | tables(any_value))
def test_what_was_written_together_is_read_as_if_it_were_written_one_by_one(
    service: Service, new_workflow: NewWorkflow, few_are_many: None, many: Any
) -> None:
    workflow_id = new_workflow(f"run {next(_numbers)}")
    wanted = reference(many)
    if isinstance(wanted, ToolkitError):
        with pytest.raises(type(wanted)) as caught:
            service.create_records(workflow_id, many)
        assert str(caught.value) == str(wanted)
        assert service.query_records(workflow_id).empty
    else:
        assert service.create_records(workflow_id, many) == len(wanted)
        found = stored(service, workflow_id)
        assert found.keys() == {row["record_id"] for row in wanted}
        for row in wanted:
            check_stored(found[row["record_id"]], row)


@EXAMPLES
@given(first=dicts(), second=dicts(), archive=st.booleans())
def test_replacing_together_keeps_and_takes_the_same_columns_as_replacing_one_by_one(
    service: Service, new_workflow: NewWorkflow, few_are_many: None, first: Any, second: Any, *, archive: bool
) -> None:
    for rows in (first, second):
        hypothesis.assume(not isinstance(reference(rows), ToolkitError))
    together, single = (new_workflow(f"run {next(_numbers)}") for _ in range(2))
    for rows in (first, second):
        assert service.create_records(together, rows, mode="upsert", archive=archive) == len(rows)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(record_storage, "MANY", 10**9)
            service.create_records(single, rows, mode="upsert", archive=archive)
    found, wanted = stored(service, together), stored(service, single)
    assert found.keys() == wanted.keys()
    given_times = {(row["record_id"], name) for row in [*first, *second] for name in row if row[name] is not None}
    for name, record in wanted.items():
        assert jsonvalue.same(found[name]["data"], record["data"])
        for column in RECORD_COLUMNS:
            if column not in ("created_at", "updated_at") or (name, column) in given_times:
                assert found[name][column] == record[column], column
    replaced = {row["record_id"] for row in first} & {row["record_id"] for row in second}
    changes = service.changes(together)
    assert list(changes["records"]) == ([len(replaced)] if replaced and archive else [])


def test_what_is_replaced_together_is_in_the_archive(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, many_rows(300, **{"fields.old": 1, "error_message": "late"}))
    service.create_records(workflow_id, many_rows(400, **{"fields.new": 2}), mode="upsert")
    change = service.changes(workflow_id).iloc[0]
    assert (change["kind"], change["records"]) == ("replace", 300)
    record = service.get_record(workflow_id, "a_00299") or {}
    assert (record["data"]["fields"], record["error_message"]) == ({"new": 2}, "late")
    service.undo(change["id"])
    record = service.get_record(workflow_id, "a_00299") or {}
    assert (record["data"]["fields"], record["error_message"]) == ({"old": 1}, "late")


def test_many_records_that_exist_or_do_not_are_told(service: Service, workflow_id: str) -> None:
    assert service.create_records(workflow_id, many_rows(300)) == 300
    with pytest.raises(
        toolkit.RecordExists, match=r"300 of 400 records exist already, the first is 'a_00000'; nothing"
    ):
        service.create_records(workflow_id, many_rows(400))
    with pytest.raises(toolkit.RecordNotFound, match=r"100 of 400 records do not exist, 'a_00300' among them"):
        service.create_records(workflow_id, many_rows(400, status="new"), mode="update")
    assert service.create_records(workflow_id, many_rows(300, status="new"), mode="update") == 300
    assert set(service.query_records(workflow_id)["status"]) == {"new"}


def test_a_bad_row_among_many_leaves_nothing_behind(service: Service, workflow_id: str) -> None:
    for bad, error in (
        ({"fields.x": float("nan")}, InvalidValue),
        ({"vars.x": "[hidden]"}, HiddenValue),
        ({"x": 1}, InvalidPath),
    ):
        rows = [*reversed(many_rows(5000)), {"record_id": "a_03000x", **bad}]
        for mode in ("create", "upsert"):
            with pytest.raises(error, match=r"^row 5000 \('a_03000x'\)"):
                service.create_records(workflow_id, rows, mode=mode)
        assert service.query_records(workflow_id).empty
    assert service.create_records(workflow_id, many_rows(300)) == 300


class Interrupted(Listed):
    """Rows at which somebody loses patience."""

    def cells(self, start: int, stop: int) -> dict[str, Any]:
        if start:
            raise KeyboardInterrupt
        return super().cells(start, stop)


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_an_interrupted_write_leaves_nothing_behind(service: Service, workflow_id: str, mode: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        service.records.create_many(workflow_id, Records(Interrupted(many_rows(5000))), mode=mode)
    assert service.query_records(workflow_id).empty
    assert service.create_records(workflow_id, many_rows(300), mode=mode) == 300


STOPPED = """
import os, signal, sys
import toolkit
from toolkit.storage.given import Listed, Records

class Interrupted(Listed):
    def cells(self, start, stop):
        if start:
            os.kill(os.getpid(), signal.SIGINT)
        return super().cells(start, stop)

with toolkit.connect(sys.argv[1]) as service:
    rows = [{"record_id": f"a_{n:06}", "fields.n": n} for n in range(100_000)]
    service.records.create_many(sys.argv[2], Records(Interrupted(rows)), mode=sys.argv[3])
"""


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_ctrl_c_during_a_long_write_leaves_nothing_behind(
    service: Service, workflow_id: str, database_url: str, mode: str
) -> None:
    command = [sys.executable, "-c", STOPPED, database_url, workflow_id, mode]
    stopped = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert stopped.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert service.query_records(workflow_id).empty
    assert service.create_records(workflow_id, many_rows(300), mode=mode) == 300


WAITING = """
import sys
import toolkit

rows = [{"record_id": f"a_{n:05}", "fields.n": n} for n in range(300)]
with toolkit.connect(sys.argv[1]) as service:
    if sys.argv[3] == "upsert":
        service.create_records(sys.argv[2], rows, mode="upsert")
    else:
        service.update_records(sys.argv[2], {row["record_id"]: {"vars.n": 1} for row in rows})
"""


@SERVERS
@pytest.mark.parametrize("call", ["upsert", "update"])
def test_ctrl_c_stops_the_statement_of_the_server_and_leaves_no_transaction(
    service: Service, workflow_id: str, database_url: str, call: str
) -> None:
    service.create_records(workflow_id, many_rows(300))
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    waiting = sa.text(f"SELECT count(*) {others} AND wait_event_type = 'Lock'")
    left = sa.text(f"SELECT count(*) {others} AND backend_type = 'client backend' AND state <> 'idle'")
    command = [sys.executable, "-c", WAITING, database_url, workflow_id, call]
    with service.database.write() as connection:
        # Whoever wants the same row has to wait for the end of this block.
        service.update_record(workflow_id, "a_00150", {"vars.first": True})
        stopped = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not connection.scalar(waiting):
            assert stopped.poll() is None
            connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        stopped.send_signal(signal.SIGINT)
        _, written = stopped.communicate(timeout=60)
        connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        assert connection.scalar(left) == 0
    assert written.splitlines()[-1] == "KeyboardInterrupt"
    record = service.get_record(workflow_id, "a_00150") or {}
    assert record["data"]["vars"] == {"first": True}


def test_many_records_are_sent_in_so_many_statements(service: Service, new_workflow: NewWorkflow, kind: str) -> None:
    sent = {}
    for number in (300, 5000):
        workflow_id = new_workflow(f"run {number}")
        for mode in ("create", "upsert"):
            with service.trace() as trace:
                service.create_records(workflow_id, many_rows(number), mode=mode)
            sent[mode, number] = [" ".join(each.text.split()[:3]) for each in trace]
            word = "INSERT" if kind == "sqlite" else "COPY"
            assert next(each.rows for each in trace if each.text.startswith(word)) == number
    for mode, most in (("create", 3), ("upsert", 11)):
        assert sent[mode, 300] == sent[mode, 5000]
        assert len(sent[mode, 300]) <= most, sent


@pytest.mark.parametrize("most", [1, 7, 299, 300])
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_rows_go_into_a_file_in_as_many_statements_as_it_takes(
    service: Service, workflow_id: str, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(loading, "_MOST_TOGETHER", most)
    rows = [{"record_id": f"a_{n:03}", "retry_count": n, "vars.n": n} for n in range(300)]
    assert service.create_records(workflow_id, rows) == 300
    found = service.query_records(workflow_id)
    assert list(zip(found["record_id"], found["retry_count"], found["vars.n"], strict=True)) == [
        (row["record_id"], row["retry_count"], row["vars.n"]) for row in rows
    ]
    with pytest.raises(toolkit.RecordExists, match="300 of 300 records exist already"):
        service.create_records(workflow_id, rows)


def test_a_transaction_can_write_many_records_more_than_once(service: Service, new_workflow: NewWorkflow) -> None:
    one, other = new_workflow("one"), new_workflow("other")
    with service.database.write():
        for workflow_id in (one, other, one):
            service.create_records(workflow_id, many_rows(300, status=workflow_id[:50]), mode="upsert", archive=False)
    assert set(service.query_records(other)["status"]) == {other}
    with pytest.raises(toolkit.RecordExists, match="of 301 records exist already"), service.database.write():
        service.create_records(one, many_rows(301))
    assert len(service.query_records(one)) == 300


@pytest.fixture
def limited(service: Service, database_url: str, execute: Any) -> Any:
    """Connect as a role with some rights, and drop it afterwards."""
    role = f"limited_{sa.make_url(database_url).database}"
    opened = []

    def connect(*statements: str) -> Service:
        execute(database_url, f"CREATE ROLE {role} LOGIN", *(each.format(role=role) for each in statements))
        url = sa.make_url(database_url).set(username=role).render_as_string(hide_password=False)
        opened.append(toolkit.connect(url))
        return opened[0]

    yield connect
    for each in opened:
        each.close()
    execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


USUAL = "GRANT SELECT, INSERT, UPDATE ON workflow_records TO {role}"


@SERVERS
def test_a_role_that_may_only_insert_creates_many(service: Service, workflow_id: str, limited: Any) -> None:
    writer = limited("GRANT INSERT ON workflow_records TO {role}")
    assert writer.create_records(workflow_id, many_rows(300)) == 300
    with pytest.raises(toolkit.RecordExists, match="some of 301 records exist already; nothing was written"):
        writer.create_records(workflow_id, many_rows(301))
    with pytest.raises(toolkit.PermissionMissing):
        writer.create_records(workflow_id, many_rows(300), mode="upsert")
    assert len(service.query_records(workflow_id)) == 300


@SERVERS
@pytest.mark.parametrize("security", [False, True], ids=["", "row security"])
def test_a_role_without_temporary_tables_writes_many(
    service: Service, workflow_id: str, limited: Any, database_url: str, execute: Any, *, security: bool
) -> None:
    execute(database_url, f'REVOKE TEMPORARY ON DATABASE "{sa.make_url(database_url).database}" FROM PUBLIC')
    writer = _written_by(limited, security=security)
    _check_writer(service, writer, workflow_id)


@SERVERS
def test_a_role_under_row_security_writes_many(service: Service, workflow_id: str, limited: Any) -> None:
    _check_writer(service, _written_by(limited, security=True), workflow_id)


def _written_by(limited: Any, *, security: bool) -> Service:
    policies = ["ALTER TABLE workflow_records ENABLE ROW LEVEL SECURITY"]
    policies += ["CREATE POLICY everything ON workflow_records TO {role} USING (record_type <> 'theirs')"]
    if not security:
        return limited(USUAL)  # type: ignore[no-any-return]
    with pytest.warns(toolkit.DataWarning, match="row security is active"):
        return limited(USUAL, *policies)  # type: ignore[no-any-return]


def _check_writer(service: Service, writer: Service, workflow_id: str) -> None:
    assert writer.create_records(workflow_id, many_rows(300, **{"fields.n": 2**70})) == 300
    with pytest.raises(toolkit.RecordExists):
        writer.create_records(workflow_id, many_rows(301))
    rows = many_rows(400, **{"vars.t": "tab\t\\N", "error_message": None, "status": "new"})
    assert writer.create_records(workflow_id, rows, mode="upsert", archive=False) == 400
    assert writer.update_records(workflow_id, {row["record_id"]: {"vars.n": 1.5} for row in rows}) == 400
    record = service.get_record(workflow_id, "a_00000") or {}
    assert (record["data"]["fields"], record["data"]["vars"], record["status"]) == (
        {},
        {"t": "tab\t\\N", "n": 1.5},
        "new",
    )
    if writer.database.whereabouts.row_security:
        with pytest.raises(toolkit.PermissionMissing):
            writer.create_records(workflow_id, [{"record_id": f"b_{n}", "record_type": "theirs"} for n in range(300)])
        assert len(service.query_records(workflow_id)) == 400


def test_a_read_only_service_writes_none_of_many(service: Service, workflow_id: str, database_url: str) -> None:
    with toolkit.connect(database_url, read_only=True) as reader, pytest.raises(toolkit.ReadOnly):
        reader.create_records(workflow_id, many_rows(300))
    assert service.query_records(workflow_id).empty


# --- patches ----------------------------------------------------------------------------------------

patch_columns = {
    "status": st.sampled_from(["complete", "", None]),
    "error_message": st.none() | texts,
    "retry_count": st.integers(0, 5),
    "processed_at": st.none() | times,
}
patches = st.fixed_dictionaries({}, optional=patch_columns).flatmap(
    lambda chosen: st.dictionaries(st.sampled_from(PLACES), fine, max_size=3).map(lambda placed: {**chosen, **placed})
)
trees = st.recursive(scalars, lambda inner: st.dictionaries(st.sampled_from("abxyz0"), inner, max_size=3), max_leaves=5)
any_documents = st.fixed_dictionaries(
    {}, optional={"fields": trees, "vars": trees, "targets": trees, "history": st.lists(scalars, max_size=2) | trees}
)
PATCHED = hypothesis.settings(EXAMPLES, max_examples=30)


@PATCHED
@given(former=st.lists(any_documents, min_size=1, max_size=6), given_patches=st.lists(patches, min_size=6, max_size=6))
def test_many_patches_are_merged_as_one_after_another(
    service: Service, new_workflow: NewWorkflow, few_are_many: None, former: Any, given_patches: Any
) -> None:
    together, single = (new_workflow(f"run {next(_numbers)}") for _ in range(2))
    for workflow_id in (together, single):
        rows = [{"record_id": f"a_{n}", DATA: document} for n, document in enumerate(former)]
        hypothesis.assume(not isinstance(reference(rows), ToolkitError))
        service.create_records(workflow_id, rows)
    pairs = [(f"a_{n}", patch) for n, (_, patch) in enumerate(zip(former, given_patches, strict=False))]
    problem = _one_after_another(service, single, pairs)
    if problem is None:
        assert service.update_records(together, pairs[::-1]) == len(pairs)
        wanted = stored(service, single)
    else:
        with pytest.raises(type(problem)):
            service.update_records(together, pairs)
        return
    for name, record in stored(service, together).items():
        assert jsonvalue.same(record["data"], wanted[name]["data"]), (record["data"], wanted[name]["data"])
        for column in ("status", "error_message", "retry_count", "processed_at"):
            assert record[column] == wanted[name][column]


def _one_after_another(service: Service, workflow_id: str, pairs: Any) -> ToolkitError | None:
    for name, patch in pairs:
        try:
            service.update_record(workflow_id, name, patch)
        except ToolkitError as error:
            return error
    return None


def test_many_patches_are_written_whole_or_not_at_all(service: Service, workflow_id: str, kind: str) -> None:
    service.create_records(workflow_id, many_rows(300, **{"fields.n": 2**70, "fields.list": [0]}))
    patched: dict[str, dict[str, Any]] = {
        f"a_{n:05}": {"vars.label": f"label {n}", "fields.list": [n]} for n in range(300)
    }
    with pytest.raises(toolkit.RecordNotFound, match=r"has no record 'b' and 1 more; nothing was written"):
        service.update_records(workflow_id, {**patched, "b": {"status": "x"}, "c": {"status": "x"}})
    with pytest.raises(InvalidPath, match="appends to an array"):
        service.update_records(workflow_id, {**patched, "a_00007": {"fields.n[+]": 1}})
    assert service.query_records(workflow_id, columns=["vars.label"])["vars.label"].isna().all()
    with service.trace() as trace:
        assert service.update_records(workflow_id, patched) == 300
    assert len(trace) == (3 if kind == "sqlite" else 7)
    for n in (0, 299):
        record = service.get_record(workflow_id, f"a_{n:05}") or {}
        assert (record["data"]["fields"], record["data"]["vars"]) == (
            {"n": 2**70, "list": [n]},
            {"label": f"label {n}"},
        )
        assert record["updated_at"] > record["created_at"]


def test_writers_of_the_same_many_records_wait_for_each_other(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, many_rows(1000))
    failures: list[BaseException] = []

    def work(turn: int) -> None:
        rows = many_rows(1000, **{"fields.turn": turn})[:: 1 if turn % 2 else -1]
        try:
            for _ in range(3):
                service.update_records(workflow_id, {row["record_id"]: {f"vars.t{turn}": 1} for row in rows})
                service.create_records(workflow_id, rows, mode="upsert", archive=False)
        except BaseException as error:  # noqa: BLE001 - a thread's error would be lost
            failures.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(service.query_records(workflow_id, columns=["fields.turn"])["fields.turn"])) == 1
