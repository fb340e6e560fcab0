"""The archive itself: out of sight, made when asked, purged by a plan, and what a foreign key makes of it."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit
from toolkit.storage import cascades, digests
from toolkit.storage.spool import ROWS_OF_A_BATCH, RowSpool, names_in
from toolkit.storage.tables import names

Service = toolkit.UnifiedDataService
Execute = Callable[..., None]


def add(service: Service, workflow_id: str, *given: str) -> None:
    service.create_records(workflow_id, [{"record_id": name} for name in given])


def kept(service: Service) -> int:
    with service.database.read() as connection:
        return sum(
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for _, table in service.archive.pairs()
        )


# --- purging ----------------------------------------------------------------------------------------


def test_a_purge_forgets_for_good_by_a_plan(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1", "a_2", "a_3")
    service.set_variable(workflow_id, "x", 1)
    gone = service.delete_record(workflow_id, "a_1")
    service.delete_variable(workflow_id, "x")
    back = service.delete_record(workflow_id, "a_2")
    back.undo()
    assert service.purge_archive(older_than="1h").changes == 0
    plan = service.purge_archive(older_than="0s")
    assert (plan.changes, plan.records, plan.variables) == (3, 1, 1)
    assert repr(plan).startswith("PurgePlan: 3 changes with 1 record and 1 variable, for good; nothing has changed yet")
    assert (kept(service), len(service.changes())) == (2, 3)
    with pytest.raises(toolkit.ExpectationFailed, match=r"forgets rows for good; nothing was touched.*add expect=2"):
        plan.apply()
    receipt = plan.apply(reason="retention", expect=2)
    assert (receipt.kind, receipt.total, receipt.archived) == ("purge", 2, False)
    assert kept(service) == 0
    left = service.changes()
    assert list(left["kind"]) == ["purge"]
    assert list(left["reason"]) == ["retention"]
    for undone, error in ((gone.id, toolkit.ChangeNotFound), (receipt.id, toolkit.AlreadyDone)):
        with pytest.raises(error):
            service.undo(undone)
    with pytest.raises(toolkit.AlreadyDone):
        plan.apply(expect=2)
    assert service.purge_archive(older_than="0s").changes == 0


def test_a_purge_takes_the_changes_it_planned_as_they_stood(service: Service, new_workflow: Any) -> None:
    one, other = new_workflow("one"), new_workflow("other")
    for each in (one, other):
        add(service, each, "a_1", "a_2")
    receipt = service.delete_record(one, "a_1")
    service.delete_record(other, "a_1")
    plan = service.purge_archive(older_than="0s", workflow_id=one)
    assert (plan.changes, plan.records) == (1, 1)
    service.delete_record(one, "a_2")
    receipt.undo()
    with pytest.raises(toolkit.StalePlan, match="undone or forgotten in the meantime; nothing was touched"):
        plan.apply(expect=1)
    assert kept(service) == 2
    again = service.purge_archive(older_than="0s", workflow_id=one)
    assert again.apply(expect=1).total == 1
    assert set(service.changes(other)["kind"]) == {"delete"}


# --- made when asked, and nobody else's --------------------------------------------------------------


@pytest.fixture
def bare(service: Service, workflow_id: str, database_url: str, execute: Execute) -> Service:
    """A service on a database without an archive."""
    tables = ("changes", "version", "archived_variables", "archived_records")
    if service.database.dialect.name == "sqlite":
        execute(database_url, *(f"DROP TABLE toolkit_{name}" for name in tables))
    else:
        execute(database_url, "DROP SCHEMA toolkit CASCADE")
    service.database.look()
    return service


def test_a_plan_makes_the_archive_where_it_is_told_to(bare: Service, workflow_id: str) -> None:
    add(bare, workflow_id, "a_1", "a_2", "a_3")
    plan = bare.plan_clear(workflow_id, ids=["a_1"])
    with pytest.raises(toolkit.ArchiveMissing):
        plan.apply()
    assert len(bare.query_records(workflow_id)) == 3
    plan.apply(create_archive=True).undo()
    assert len(bare.query_records(workflow_id)) == 3


def test_the_archive_is_nobody_elses(bare: Service, workflow_id: str, database_url: str, execute: Execute) -> None:
    if bare.database.dialect.name == "sqlite":
        return
    role = f"web_{bare.database.engine.url.database}"
    execute(
        database_url,
        f"CREATE ROLE {role}",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {role}, PUBLIC",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {role}, PUBLIC",
    )
    bare.setup_archive()
    asked = sa.text(
        "SELECT c.relname, c.relrowsecurity, has_table_privilege(:role, c.oid, 'SELECT') FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'toolkit' AND c.relkind = 'r'"
    )
    with bare.database.read() as connection:
        found = connection.execute(asked, {"role": role}).all()
        enters = connection.scalar(sa.text("SELECT has_schema_privilege(:role, 'toolkit', 'USAGE')"), {"role": role})
    assert len(found) == 4
    assert all(secured and not reads for _, secured, reads in found)
    assert enters is False
    execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_an_archive_of_an_earlier_form_is_brought_up_to_date(
    service: Service, workflow_id: str, database_url: str, execute: Execute
) -> None:
    place = "toolkit." if service.database.dialect.name == "postgresql" else "toolkit_"
    execute(database_url, f"ALTER TABLE {place}archived_records DROP COLUMN change_written")
    execute(database_url, "ALTER TABLE workflow_records ADD COLUMN extra text")
    with toolkit.connect(database_url) as fresh:
        add(fresh, workflow_id, "a_1")
        with pytest.raises(
            toolkit.ArchiveMissing, match=r"of an earlier form; nothing was written. Type:\n +service.setup"
        ):
            fresh.delete_record(workflow_id, "a_1")
        fresh.setup_archive()
        assert fresh.delete_record(workflow_id, "a_1").undo().differs == ()


# --- two at once ------------------------------------------------------------------------------------


def test_overlapping_plans_at_once_lose_no_row(service: Service, workflow_id: str, database_url: str) -> None:
    add(service, workflow_id, *(f"a_{n:02}" for n in range(40)), *(f"b_{n}" for n in range(50)))
    plans = [service.plan_clear(workflow_id, ids=[f"a_{n:02}" for n in taken]) for taken in (range(30), range(10, 40))]
    done: list[toolkit.Receipt] = []

    def apply(plan: toolkit.ClearPlan) -> None:
        done.append(plan.apply(on_change="skip"))

    threads = [threading.Thread(target=apply, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(receipt.records for receipt in done) == 40
    assert sum(len(receipt.skipped) for receipt in done) == 20
    assert (kept(service), len(service.query_records(workflow_id))) == (40, 50)
    for receipt in done:
        receipt.undo()
    assert len(service.query_records(workflow_id)) == 90


# --- the pieces -------------------------------------------------------------------------------------


def test_a_spool_gives_back_what_it_was_given() -> None:
    given = [{"name": f"é{n}\n", "digest": f"{n:032}"} for n in range(2 * ROWS_OF_A_BATCH + 1)]
    spool = RowSpool(given)
    batches = list(spool.batches())
    assert [len(names_in(batch)) for batch in batches] == [ROWS_OF_A_BATCH, ROWS_OF_A_BATCH, 1]
    assert list(spool.names()) == [row["name"] for row in given]
    assert (spool.total, RowSpool().total, list(RowSpool().batches())) == (len(given), 0, [])


def test_a_spool_of_many_rows_takes_no_more_memory_than_one_of_some() -> None:
    peaks = []
    for number in (30_000, 300_000):
        tracemalloc.start()
        spool = RowSpool({"name": f"a_{n}", "digest": f"{n:032x}", "version": f"{n}/(0,1)"} for n in range(number))
        for batch in spool.batches():
            assert RowSpool.length(batch) == ROWS_OF_A_BATCH
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_digest_is_moved_by_every_column(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1")
    table, dialect = service.database.tables.records, service.database.dialect
    state = sa.select(digests.digest(dialect, table, names(table)))
    json = "'{\"fields\": {}}'"
    changes = {"status": "''", "error_message": "''", "retry_count": "1", "data": json, "record_type": "'a|1'"}
    seen = set()
    for name, text in changes.items():
        with service.database.write() as connection:
            digests.prepare(connection)
            seen.add(connection.scalar(state))
            connection.execute(sa.update(table).values({name: sa.text(text)}))
            seen.add(connection.scalar(state))
    nulls = {"status": sa.null(), "error_message": sa.null()}
    with service.database.write() as connection:
        connection.execute(sa.update(table).values(nulls))
        seen.add(connection.scalar(state))
    assert len(seen) == len(changes) + 2
    assert all(isinstance(each, str) and len(each) == digests.DIGITS for each in seen)


def test_a_row_in_its_former_state_is_as_planned_wherever_it_lies(
    service: Service, workflow_id: str, database_url: str, execute: Execute
) -> None:
    """A rewritten table has its rows elsewhere; a row that was cleared and came back is another version of it."""
    add(service, workflow_id, "a_1", "a_2", "b_1", "b_2", "b_3")
    plan = service.plan_clear(workflow_id, "a_*")
    again = service.plan_clear(workflow_id, "a_*")
    plan.apply().undo()
    if service.database.dialect.name == "postgresql":
        execute(database_url, "DELETE FROM workflow_records WHERE record_id = 'b_1'", "VACUUM FULL workflow_records")
    assert again.apply().records == 2


def test_a_row_that_was_written_and_put_back_is_taken_wherever_it_lies(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, *(f"a_{n}" for n in range(20)))
    plan = service.plan_clear(workflow_id, "a_1*")
    service.delete_record(workflow_id, "a_1").undo()
    service.plan_clear(workflow_id, ids=["a_12", "a_2"]).apply().undo()
    receipt = plan.apply(expect=plan.total)
    assert (receipt.records, receipt.skipped) == (11, ())
    assert receipt.undo().differs == ()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_another_row_in_the_place_of_a_planned_one_is_left_alone(
    service: Service, workflow_id: str, database_url: str, execute: Execute, kind: str
) -> None:
    def place() -> str:
        with service.database.read() as connection:
            return str(connection.scalar(sa.text("SELECT ctid::text FROM workflow_records WHERE record_id LIKE '%_1'")))

    add(service, workflow_id, "a_1", "c_2", "c_3")
    plan, before = service.plan_clear(workflow_id, "a_*"), place()
    service.delete_record(workflow_id, "a_1", archive=False)
    execute(database_url, "VACUUM workflow_records")
    add(service, workflow_id, "b_1")
    assert place() == before
    with pytest.raises(toolkit.AlreadyDone, match="0 of them are still there"):
        plan.apply()
    assert plan.apply(on_change="skip").total == 0
    assert sorted(service.query_records(workflow_id)["record_id"]) == ["b_1", "c_2", "c_3"]


def test_a_writer_that_the_apply_had_to_wait_for_is_noticed(
    service: Service, workflow_id: str, database_url: str
) -> None:
    add(service, workflow_id, "a_1", "a_2", "b_1", "b_2", "b_3")
    plan = service.plan_clear(workflow_id, "a_*")
    caught: list[str] = []

    def apply() -> None:
        try:
            plan.apply()
        except toolkit.StalePlan as stale:
            caught.append(str(stale))

    waiting = threading.Thread(target=apply)
    with toolkit.connect(database_url) as other:
        table = other.database.tables.records
        with other.database.write() as connection:
            connection.execute(sa.update(table).where(table.c.record_id == "a_1").values(error_message="late"))
            waiting.start()
            waiting.join(timeout=0.3)
            assert waiting.is_alive()
        waiting.join()
    assert len(caught) == 1
    assert "1 row changed (record 'a_1')" in caught[0]
    assert kept(service) == 0


def test_keys_of_sqlite_act_where_they_are_enforced(tmp_path: Any) -> None:
    path = tmp_path / "keys.db"
    toolkit.connect(path, create=True).close()
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def enforce(driver: Any, _: Any) -> None:
        driver.execute("PRAGMA foreign_keys = ON")

    with toolkit.connect(engine) as service:
        with service.database.write() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE notes (workflow_id TEXT, record_id TEXT, text TEXT, FOREIGN KEY (workflow_id, record_id) "
                "REFERENCES workflow_records (workflow_id, record_id) ON DELETE CASCADE)"
            )
        add(service, "w", "a_1", "b_1", "b_2")
        with service.database.write() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('w', 'a_1', 'x'), ('w', 'b_1', 'y')")
            chains = cascades.chains_of(connection, service.database.dialect, service.database.tables.records)
        assert [(chain[0].child, chain[0].columns, chain[0].action) for chain in chains] == [
            ((None, "notes"), ("workflow_id", "record_id"), "CASCADE")
        ]
        plan = service.plan_clear("w", ids=["a_1"])
        with pytest.raises(toolkit.InvalidOption, match=r"1 row of notes \(ON DELETE CASCADE\)"):
            plan.apply()
        receipt = plan.apply(cascade=True)
        assert receipt.undo().differs == ()
        with service.database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM notes").scalar() == 2
    engine.dispose()
