"""The archive in a file: for roles that may not make a schema, and as safe as one when either side dies."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit
from tests.changing import rows

Service = toolkit.UnifiedDataService
Execute = Callable[..., None]

RECORDS: list[dict[str, Any]] = [
    {"record_id": "a_1", "fields.n": 1.5, "fields.big": 2**70, "updated_at": "2020-01-02T00:00:00.000001"},
    {"record_id": "a_2", "status": "failed", "error_message": "timeout\n\t\\N ,\"'é"},
    {"record_id": "a_3", "data": {"fields": {"none": None}, "history": [{"x": [1, None]}]}},
    *({"record_id": f"z_{n}"} for n in range(4)),
]
VARIABLES: dict[str, Any] = {"a_1": 1, "json": None, "sql": 0, "text": "", "deep": [1, {"a": None}], "other": 2}


@pytest.fixture(params=["postgresql", "production"])
def kind(request: pytest.FixtureRequest) -> str:
    """On SQLite the archive always stands in the same file."""
    return str(request.param)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def weak_url(service: Service, database_url: str, execute: Execute, home: Path) -> Iterator[str]:
    """The same database, without an archive, for a role that may change rows and make nothing."""
    role = f"weak_{sa.make_url(database_url).database}"
    execute(
        database_url,
        "DROP SCHEMA toolkit CASCADE",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {role}",
    )
    yield sa.make_url(database_url).set(username=role).render_as_string(hide_password=False)
    execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.fixture
def weak(weak_url: str) -> Iterator[Service]:
    """A service of that role, with its archive in a file."""
    with toolkit.connect(weak_url) as connected:
        connected.setup_archive()
        yield connected


@pytest.fixture
def filled(weak: Service, workflow_id: str) -> str:
    """The id of a workflow of seven records and six variables."""
    weak.create_records(workflow_id, RECORDS)
    weak.set_variables(workflow_id, VARIABLES)
    run(weak, "UPDATE workflow_memory SET value = NULL WHERE key = 'sql'")
    return workflow_id


def run(service: Service, statement: str) -> None:
    with service.database.write() as connection:
        connection.exec_driver_sql(statement)


def in_file(service: Service) -> dict[str, int]:
    """How many rows each table of the file holds, as it lies."""
    file = service.archive.file
    assert file is not None
    with file.database.read() as connection:
        found = [name for name in sa.inspect(connection).get_table_names() if not name.endswith("version")]
        counts = {name: sa.select(sa.func.count()).select_from(sa.table(name)) for name in found}
        return {name: number for name, count in counts.items() if (number := connection.scalar(count))}


# --- where it is ------------------------------------------------------------------------------------


def test_a_role_that_may_make_no_schema_gets_a_file_that_nobody_else_may_read(
    weak_url: str, workflow_id: str, home: Path
) -> None:
    with toolkit.connect(weak_url) as service:
        service.create_records(workflow_id, RECORDS)
        with pytest.raises(toolkit.ArchiveMissing, match=r"setup_archive\(\) .*\n +service.setup_archive\(where='f"):
            service.delete_record(workflow_id, "a_1")
        with pytest.raises(toolkit.ArchiveMissing, match="there is no archive here"):
            service.changes()
        with pytest.raises(toolkit.PermissionMissing, match=r"may not make the schema toolkit.*\n.*where='file'"):
            service.setup_archive("schema")
        with pytest.raises(toolkit.InvalidOption, match="where='cloud' is none of schema, file"):
            service.setup_archive("cloud")
        assert list(home.rglob("*.db")) == []
        made = service.setup_archive()
        (path,) = home.rglob("*.db")
        assert made == f"file {path}" == service.setup_archive(where="file") == service.setup_archive()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        receipt = service.delete_record(workflow_id, "a_1")
    with toolkit.connect(weak_url) as again:
        assert list(again.changes()["id"]) == [receipt.id]
        assert again.undo(receipt.id).records == 1


def test_a_role_that_may_make_a_schema_gets_one_unless_it_says_otherwise(
    weak_url: str, workflow_id: str, database_url: str, home: Path
) -> None:
    with toolkit.connect(database_url) as service:
        service.setup_archive(where="file")
        service.create_records(workflow_id, RECORDS)
        service.delete_record(workflow_id, "a_1")
        assert service.setup_archive().startswith("file ")
        with pytest.raises(toolkit.InvalidOption, match="the archive is a file with 1 change, which could not be undo"):
            service.setup_archive(where="schema")
        service.undo_last(workflow_id)
        service.purge_archive(older_than="0s").apply()
        next(iter(home.rglob("*.db"))).unlink()
    with toolkit.connect(database_url) as service:
        assert service.setup_archive() == "schema toolkit"
        with pytest.raises(toolkit.InvalidOption, match="has an archive of its own"):
            service.setup_archive(where="file")
    with toolkit.connect(":memory:", create=True) as service, pytest.raises(toolkit.InvalidOption, match="of its own"):
        service.setup_archive(where="file")


def test_a_file_in_a_git_work_tree_is_warned_of(weak_url: str, home: Path) -> None:
    (home / ".git").mkdir(parents=True)
    with toolkit.connect(weak_url) as service, pytest.warns(toolkit.DataWarning, match="in a git work tree"):
        service.setup_archive()


def test_a_plan_makes_the_file_where_it_is_told_to(weak_url: str, workflow_id: str, home: Path) -> None:
    with toolkit.connect(weak_url) as service:
        service.create_records(workflow_id, RECORDS)
        plan = service.plan_clear(workflow_id, "a_*")
        with pytest.raises(toolkit.ArchiveMissing):
            plan.apply()
        assert plan.apply(create_archive=True).undo().records == 3


# --- the same as any archive ------------------------------------------------------------------------


def test_every_way_to_change_rows_is_taken_back_exactly(weak: Service, filled: str) -> None:
    before = rows(weak)
    frame = weak.query_records(filled)
    edited = frame.assign(**{"vars.x": frame["record_id"].map({"a_1": 1, "a_2": 2})})
    ways: list[Callable[[], Any]] = [
        lambda: weak.plan_clear(filled, everything=True).apply(expect=13),
        lambda: weak.plan_clear(filled, "a_*").apply(),
        lambda: weak.delete_record(filled, "a_3"),
        lambda: weak.clear_all_variables(filled),
        lambda: weak.create_record(filled, "a_1", data={"new": 1}),
        lambda: weak.create_records(filled, [{"record_id": "a_2"}, {"record_id": "a_3"}], mode="upsert"),
        lambda: weak.plan_update(filled, edited, before=frame).apply(),
    ]
    for way in ways:
        way()
        assert rows(weak) != before
        assert weak.undo_last(filled).differs == ()
        assert rows(weak) == before
    found = weak.changes()
    assert list(found["kind"])[::-1] == ["clear", "clear", "delete", "delete", "replace", "replace", "update"]
    assert found["undone_at"].notna().all()
    assert in_file(weak) == {"toolkit_changes": 7}


def test_times_that_no_frame_can_hold_come_back(weak: Service, filled: str) -> None:
    run(weak, "UPDATE workflow_memory SET created_at = 'infinity', updated_at = '-infinity' WHERE key = 'a_1'")
    run(weak, "UPDATE workflow_records SET created_at = NULL, processed_at = 'infinity'")
    before = rows(weak)
    assert weak.plan_clear(filled, everything=True).apply(expect=13).undo().differs == ()
    assert rows(weak) == before


def test_conflicts_are_said_skipped_and_overwritten(weak: Service, filled: str) -> None:
    before = rows(weak)
    receipt = weak.plan_clear(filled, records="a_*").apply()
    weak.create_record(filled, "a_1", data={"again": 1})
    with pytest.raises(toolkit.StalePlan, match="written again since: 1 row of workflow_records, 'a_1'"):
        receipt.undo()
    part = receipt.undo(on_conflict="skip")
    assert (part.records, part.skipped) == (2, ("a_1",))
    assert weak.changes()["undone_at"].isna().all()
    assert weak.undo(receipt, on_conflict="overwrite").overwritten == 1
    assert rows(weak) == before
    with pytest.raises(toolkit.AlreadyDone):
        weak.undo(receipt)
    aside = weak.changes()
    weak.undo(aside.loc[aside["undone_at"].isna(), "id"].item(), on_conflict="overwrite")
    assert weak.get_record(filled, "a_1")["data"]["fields"] == {"again": 1}  # type: ignore[index]


def test_a_purge_forgets_what_the_file_keeps(weak: Service, filled: str, weak_url: str) -> None:
    gone = weak.plan_clear(filled, "a_*").apply()
    weak.delete_record(filled, "z_1", archive=False)
    plan = weak.purge_archive(older_than="0s")
    assert (plan.changes, plan.records, plan.variables) == (2, 3, 1)
    with toolkit.connect(weak_url, read_only=True) as guarded:
        refused = guarded.purge_archive(older_than="0s")
        with pytest.raises(toolkit.ReadOnly):
            refused.apply(expect=4)
    plan.apply(expect=4)
    assert in_file(weak) == {"toolkit_changes": 1}
    with pytest.raises(toolkit.ChangeNotFound):
        gone.undo()
    with pytest.raises(toolkit.AlreadyDone, match="is a purge"):
        weak.undo(plan.id)


def test_rows_of_other_tables_go_along_and_come_back(
    weak: Service, filled: str, database_url: str, execute: Execute
) -> None:
    execute(
        database_url,
        "CREATE TABLE notes (id serial PRIMARY KEY, name char(9), workflow_id "
        f"{'uuid' if weak.database.tables.workflow_ids_are_uuids else 'text'}, record_id varchar(255), "
        "price numeric, raw json, tags text[], bytes bytea, FOREIGN KEY (workflow_id, record_id) "
        "REFERENCES workflow_records (workflow_id, record_id) ON DELETE CASCADE)",
        "INSERT INTO notes (name, workflow_id, record_id, price, raw, tags, bytes) SELECT 'x', workflow_id, record_id, "
        "1.00, '{\"b\":1,  \"a\":null}', ARRAY['a,b', NULL, 'null', '\"'], '\\x00ff' FROM workflow_records",
    )
    before, notes = rows(weak), _all(weak, "notes")
    receipt = weak.plan_clear(filled, records="a_*").apply(cascade=True)
    assert len(_all(weak, "notes")) == 4
    assert receipt.undo().differs == ()
    assert (rows(weak), _all(weak, "notes")) == (before, notes)
    weak.plan_clear(filled, records="a_*").apply(cascade=True)
    assert weak.purge_archive(older_than="0s").apply(expect=3).total == 3
    assert in_file(weak) == {"toolkit_changes": 1}


def _all(service: Service, table: str) -> list[Any]:
    with service.database.read() as connection:
        return sorted(tuple(row) for row in connection.exec_driver_sql(f"SELECT {table}::text FROM {table}"))  # noqa: S608 - names of this test


def test_a_table_that_gained_a_column_is_kept_whole(
    weak: Service, filled: str, weak_url: str, database_url: str, execute: Execute
) -> None:
    first = weak.delete_record(filled, "a_1")
    execute(
        database_url,
        "ALTER TABLE workflow_records ADD COLUMN extra text",
        "ALTER TABLE workflow_records ADD COLUMN title text GENERATED ALWAYS AS (upper(record_id)) STORED",
    )
    with toolkit.connect(weak_url) as service:
        before = rows(service)
        service.plan_clear(filled, "a_*").apply().undo()
        assert rows(service) == before
        assert service.undo(first).records == 1


def test_many_rows_go_to_the_file_and_back(weak: Service, workflow_id: str) -> None:
    weak.create_records(workflow_id, [{"record_id": f"a_{n}", "fields.n": n} for n in range(12_000)])
    before = rows(weak)
    receipt = weak.plan_clear(workflow_id, everything=True).apply(expect=12_000)
    assert (len(weak.query_records(workflow_id)), receipt.undo().records) == (0, 12_000)
    assert rows(weak) == before


# --- when either side dies --------------------------------------------------------------------------


class Died(Exception):
    """Stands for the end of a process, at the worst moment."""


def dying_before_the_server_commits(service: Service, call: Callable[[], Any]) -> None:
    """Let a call go as far as the file's commit and no further: SQLAlchemy asks in the order in which one listens."""

    def die(_: sa.Connection) -> None:
        raise Died

    original = service.archive.open

    def opened(connection: sa.Connection) -> None:
        original(connection)
        sa.event.listen(connection, "commit", die)

    service.archive.open = opened  # type: ignore[method-assign]
    try:
        with pytest.raises(Died):
            call()
    finally:
        del service.archive.open


def test_what_the_server_did_not_commit_is_not_in_the_archive(weak: Service, filled: str) -> None:
    before = rows(weak)
    plan = weak.plan_clear(filled, "a_*")
    dying_before_the_server_commits(weak, plan.apply)
    told = {"toolkit_changes": 1, "toolkit_archived_records": 3, "toolkit_archived_variables": 1}
    assert in_file(weak) == {f"pending_{name}": number for name, number in told.items()}
    assert rows(weak) == before
    assert len(weak.changes()) == 0
    assert in_file(weak) == {}
    receipt = plan.apply()
    after = rows(weak)
    dying_before_the_server_commits(weak, receipt.undo)
    assert rows(weak) == after
    assert weak.changes()["undone_at"].isna().all()
    with pytest.raises(toolkit.AlreadyDone):
        plan.apply()
    assert receipt.undo().total == 4
    assert rows(weak) == before
    with pytest.raises(toolkit.AlreadyDone):
        receipt.undo()


def test_what_the_server_committed_is_in_the_archive_though_nobody_told_the_file(
    weak: Service, filled: str, weak_url: str
) -> None:
    receipt = weak.plan_clear(filled, "a_*").apply()
    assert "toolkit_changes" not in in_file(weak)
    with toolkit.connect(weak_url) as other:
        assert list(other.changes()["id"]) == [receipt.id]
    assert in_file(weak) == {"toolkit_changes": 1, "toolkit_archived_records": 3, "toolkit_archived_variables": 1}


def test_nobody_settles_what_has_not_ended(weak: Service, filled: str, weak_url: str) -> None:
    seen: list[int] = []
    with toolkit.connect(weak_url) as other, weak.database.write() as connection:
        weak.delete_record(filled, "a_1")
        sa.event.listen(connection, "commit", lambda _: seen.append(len(other.changes())))
    assert seen == [0]
    assert len(weak.changes()) == 1
    assert in_file(weak) == {"toolkit_changes": 1, "toolkit_archived_records": 1}


def test_what_nobody_knows_the_end_of_is_kept(weak: Service, filled: str) -> None:
    """Where the server does not remember a transaction, a row may be in both places, and never in neither."""
    receipt = weak.delete_record(filled, "a_1")
    file = weak.archive.file
    assert file is not None
    # A number of which no server remembers anything.
    for table in ("changes", "archived_records"):
        with file.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE pending_toolkit_{table} SET transaction_id = '0'")  # noqa: S608 - names of this test
    assert list(weak.changes()["id"]) == [receipt.id]
    assert weak.undo(receipt).records == 1


def test_a_purge_between_the_two_ends_of_an_undo_stops_it(weak: Service, filled: str, weak_url: str) -> None:
    receipt = weak.delete_record(filled, "a_1")
    with toolkit.connect(weak_url) as other:
        original = weak.archive.bring_rows

        def bring(connection: sa.Connection, change_id: str) -> None:
            original(connection, change_id)
            other.purge_archive(older_than="0s").apply(expect=1)

        weak.archive.bring_rows = bring  # type: ignore[method-assign]
        with pytest.raises(toolkit.StalePlan, match="was purged in the meantime"):
            receipt.undo()
    assert weak.get_record(filled, "a_1") is None
