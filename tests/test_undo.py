"""Taking changes back: every column as it was, conflicts said, cascades kept, and nothing done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toolkit
from tests.changing import rows

Service = toolkit.UnifiedDataService
Execute = Callable[..., None]


def add(service: Service, workflow_id: str, *names: str) -> None:
    service.create_records(workflow_id, [{"record_id": name, "fields.n": place} for place, name in enumerate(names)])


def run(service: Service, statement: str, **values: Any) -> None:
    """Write past the toolkit, as an engine does."""
    with service.database.write() as connection:
        connection.execute(sa.text(statement), values)


SETTINGS = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé'\"\\{,", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.lists(st.text("ab_*?,'é", min_size=1, max_size=5), min_size=1, max_size=5, unique=True)


@SETTINGS
@given(names=NAMES, values=st.lists(JSON, min_size=5, max_size=5), chosen=st.sets(st.integers(0, 4)))
def test_apply_and_undo_give_the_database_back(
    service: Service, workflow_id: str, names: list[str], values: list[Any], chosen: set[int]
) -> None:
    service.plan_clear(workflow_id, everything=True).apply(
        expect=service.plan_clear(workflow_id, everything=True).total, archive=False
    )
    documents = zip(names, values, strict=False)
    service.create_records(workflow_id, [{"record_id": name, "data": {"x": value}} for name, value in documents])
    service.set_variables(workflow_id, dict(zip(names, values, strict=False)))
    before = rows(service)
    picked = [name for place, name in enumerate(names) if place in chosen]
    plan = service.plan_clear(workflow_id, ids=picked, keys=picked)
    receipt = plan.apply(expect=2 * len(picked))
    if picked:
        left = rows(service)
        assert sum(map(len, left.values())) == sum(map(len, before.values())) - 2 * len(picked)
        assert receipt.undo().differs == ()
    assert rows(service) == before


def test_odd_rows_come_back_as_text_equal(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1", "a_2", "a_3")
    service.set_variables(workflow_id, {"json": None, "sql": None, "x": 1})
    run(service, "UPDATE workflow_memory SET value = NULL WHERE key = 'sql'")
    if service.database.dialect.name == "postgresql":
        run(service, "UPDATE workflow_records SET created_at = 'infinity', processed_at = '-infinity'")
        run(service, "UPDATE workflow_records SET data = 'null' WHERE record_id = 'a_2'")
    before = rows(service)
    undone = service.plan_clear(workflow_id, everything=True).apply(expect=6).undo()
    assert (undone.total, undone.differs) == (6, ())
    assert rows(service) == before


def test_identity_and_generated_columns_come_back(
    service: Service, workflow_id: str, database_url: str, execute: Execute
) -> None:
    if service.database.dialect.name == "postgresql":
        execute(
            database_url,
            "ALTER TABLE workflow_records ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
            "ALTER TABLE workflow_records ADD COLUMN title text GENERATED ALWAYS AS (upper(record_id)) STORED",
            "ALTER TABLE workflow_records ADD COLUMN raw json",
        )
    else:
        execute(database_url, "ALTER TABLE workflow_records ADD COLUMN title TEXT AS (upper(record_id)) VIRTUAL")
    with toolkit.connect(database_url) as fresh:
        fresh.setup_archive()
        add(fresh, workflow_id, "a_1", "a_2", "a_3")
        if service.database.dialect.name == "postgresql":
            run(fresh, "UPDATE workflow_records SET raw = CAST(:text AS json)", text='{"b":1,  "a":1.00}')
        before = rows(fresh)
        assert fresh.plan_clear(workflow_id, ids=["a_2"]).apply().undo().differs == ()
        assert rows(fresh) == before


def test_an_upsert_is_undone_with_its_times(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1", "a_2")
    before = rows(service)
    service.create_record(workflow_id, "a_1", data={"new": 1}, status="failed")
    assert rows(service) != before
    change = service.changes(workflow_id).iloc[0]
    assert service.undo(change["id"]).differs == ()
    assert rows(service) == before


def test_an_upsert_that_was_written_over_is_a_conflict(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1", "a_2")
    service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}], mode="upsert")
    change = service.changes(workflow_id)["id"].iloc[0]
    service.update_record(workflow_id, "a_1", {"vars.mine": 1})
    written = rows(service)
    with pytest.raises(
        toolkit.StalePlan, match="1 row of workflow_records, 'a_1' among them; nothing was brought back"
    ):
        service.undo(change)
    assert rows(service) == written
    part = service.undo(change, on_conflict="skip")
    assert (part.records, part.skipped) == (1, ("a_1",))
    assert service.get_record(workflow_id, "a_1")["data"]["vars"] == {"mine": 1}  # type: ignore[index]
    whole = service.undo(change, on_conflict="overwrite")
    assert (whole.records, whole.overwritten) == (1, 1)
    assert service.get_record(workflow_id, "a_1")["data"]["fields"] == {"n": 0}  # type: ignore[index]
    kept = service.changes(workflow_id)
    assert kept["undone_at"].notna().sum() == 1
    aside = kept[kept["undone_at"].isna()].iloc[0]
    assert aside["reason"] == f"overwritten by the undoing of {change}"
    service.undo(aside["id"])
    assert service.get_record(workflow_id, "a_1")["data"]["vars"] == {"mine": 1}  # type: ignore[index]


def test_each_way_out_of_a_conflict(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1", "a_2", "b_1", "b_2", "b_3")
    before = rows(service)
    receipt = service.plan_clear(workflow_id, "a_*").apply()
    service.create_record(workflow_id, "a_1", data={"again": 1})
    again = rows(service)
    with pytest.raises(toolkit.InvalidOption, match="on_conflict='maybe' is none of fail, skip, overwrite"):
        receipt.undo(on_conflict="maybe")
    with pytest.raises(toolkit.StalePlan):
        receipt.undo()
    assert rows(service) == again
    skipped = receipt.undo(on_conflict="skip")
    assert (skipped.records, skipped.skipped) == (1, ("a_1",))
    assert service.undo(receipt.id, on_conflict="overwrite").overwritten == 1
    assert rows(service) == before
    with pytest.raises(toolkit.AlreadyDone) as caught:
        receipt.undo()
    assert vars(caught.value)["receipt"].id == receipt.id


def test_the_last_change_made_here_is_undone(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, "a_1", "a_2", "a_3")
    first = service.delete_record(workflow_id, "a_1")
    second = service.delete_record(workflow_id, "a_2")
    changes = service.archive.kept.changes
    with service.database.write() as connection:
        connection.execute(sa.update(changes).where(changes.c.id == second.id).values(actor="somebody"))
    assert service.workflow(workflow_id).undo().id == first.id
    with pytest.raises(toolkit.ChangeNotFound, match=r"made no change in this workflow that could be undone"):
        service.undo_last(workflow_id)


def test_a_trigger_that_changes_what_comes_back_is_said(
    service: Service, workflow_id: str, database_url: str, execute: Execute
) -> None:
    add(service, workflow_id, "a_1", "b_1", "b_2")
    if service.database.dialect.name == "postgresql":
        execute(
            database_url,
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.error_message = 'stamped'; RETURN NEW; END $$",
            "CREATE TRIGGER stamp BEFORE INSERT ON workflow_records FOR EACH ROW EXECUTE FUNCTION stamp()",
        )
    else:
        execute(
            database_url,
            "CREATE TRIGGER stamp AFTER INSERT ON workflow_records BEGIN UPDATE workflow_records "
            "SET error_message = 'stamped' WHERE record_id = NEW.record_id; END",
        )
    undone = service.delete_record(workflow_id, "a_1").undo()
    assert undone.differs == ("error_message differs in 1 row of workflow_records",)
    assert "error_message differs" in str(undone)


@pytest.fixture
def with_notes(service: Service, workflow_id: str, database_url: str, execute: Execute) -> str:
    """A workflow of records that notes refer to, and marks to notes, each taken along by the one above."""
    if service.database.dialect.name == "postgresql":
        execute(
            database_url,
            "ALTER TABLE workflow_records ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY UNIQUE",
            "CREATE TABLE notes (id serial PRIMARY KEY, "
            "record bigint REFERENCES workflow_records (serial) ON DELETE CASCADE)",
            "CREATE TABLE marks (id serial PRIMARY KEY, note integer REFERENCES notes ON DELETE CASCADE, text text)",
        )
    return workflow_id


def test_a_cascade_is_refused_named_and_taken_back(
    service: Service, with_notes: str, database_url: str, execute: Execute
) -> None:
    if service.database.dialect.name == "sqlite":
        # Its keys act only on connections that say so, and the toolkit's do not.
        assert service.plan_clear(with_notes, everything=True).apply().total == 0
        return
    with toolkit.connect(database_url) as fresh:
        fresh.setup_archive()
        add(fresh, with_notes, "a_1", "a_2", "b_1", "b_2", "b_3")
        execute(
            database_url,
            "INSERT INTO notes (record) SELECT serial FROM workflow_records WHERE left(record_id, 1) = 'a'",
            "INSERT INTO marks (note, text) SELECT id, 'x' FROM notes, generate_series(1, 2)",
        )
        before, notes, marks = rows(fresh), _all(fresh, "notes"), _all(fresh, "marks")
        plan = fresh.plan_clear(with_notes, "a_*")
        with pytest.raises(
            toolkit.InvalidOption, match=r"2 rows of public.notes .*, 4 rows of public.marks .*cascade=True"
        ):
            plan.apply()
        assert rows(fresh) == before
        receipt = plan.apply(cascade=True)
        assert (_all(fresh, "notes"), _all(fresh, "marks")) == ([], [])
        assert receipt.undo().differs == ()
        assert (rows(fresh), _all(fresh, "notes"), _all(fresh, "marks")) == (before, notes, marks)
        # To delete a row in order to insert it again would take the notes along.
        fresh.create_record(with_notes, "a_1", data={"new": 1})
        undone = fresh.undo_last(with_notes)
        assert _all(fresh, "notes") == notes
        expected = ("updated_at differs in 1 row of workflow_records",)
        assert undone.differs == (expected if fresh.database.tables.workflow_ids_are_uuids else ())


TO_RECORDS = "REFERENCES workflow_records (serial) ON DELETE CASCADE"
KEYS: list[tuple[tuple[str, ...], tuple[str, ...], str | None]] = [
    # The tables, what is in them, and why no undo could bring it back.
    (
        ("notes (id int PRIMARY KEY, record bigint REFERENCES workflow_records (serial) ON DELETE SET NULL)",),
        ("INSERT INTO notes SELECT serial, serial FROM workflow_records",),
        r"change columns whose values nobody keeps, in 2 rows of public.notes \(ON DELETE SET NULL\)",
    ),
    (
        (f"notes (id int PRIMARY KEY, record bigint {TO_RECORDS}, above int REFERENCES notes ON DELETE CASCADE)",),
        (
            "INSERT INTO notes SELECT 1, min(serial) FROM workflow_records",
            "INSERT INTO notes VALUES (2, NULL, 1), (3, NULL, 2)",
        ),
        r"lead back to a table that was passed on the way, .* after 1 row of public.notes \(ON DELETE CASCADE\)",
    ),
    (
        (
            f"marks (id int PRIMARY KEY, record bigint {TO_RECORDS})",
            f"notes (record bigint {TO_RECORDS}, mark int REFERENCES marks ON DELETE CASCADE)",
        ),
        ("INSERT INTO marks SELECT serial, serial FROM workflow_records", "INSERT INTO notes SELECT id, id FROM marks"),
        "in more than one way rows that no primary key tells apart, 2 rows of public.notes",
    ),
    (
        (
            f"marks (id int PRIMARY KEY, record bigint {TO_RECORDS})",
            f"again (record bigint PRIMARY KEY {TO_RECORDS}, mark int REFERENCES marks ON DELETE CASCADE)",
        ),
        ("INSERT INTO marks SELECT serial, serial FROM workflow_records", "INSERT INTO again SELECT id, id FROM marks"),
        None,
    ),
]


@pytest.mark.parametrize(("tables", "filled", "why"), KEYS, ids=["set null", "itself", "two ways, no key", "two ways"])
@pytest.mark.parametrize("kind", ["production"])
def test_what_goes_along_comes_back_or_is_refused_with_the_reason(
    service: Service,
    workflow_id: str,
    database_url: str,
    execute: Execute,
    tables: tuple[str, ...],
    filled: tuple[str, ...],
    why: str | None,
    kind: str,
) -> None:
    execute(
        database_url,
        "ALTER TABLE workflow_records ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY UNIQUE",
        *(f"CREATE TABLE {table}" for table in tables),
    )
    with toolkit.connect(database_url) as fresh:
        fresh.setup_archive()
        add(fresh, workflow_id, "a_1", "a_2", "b_1", "b_2", "b_3")
        execute(database_url, *filled)
        before = rows(fresh), *(_all(fresh, table.partition(" ")[0]) for table in tables)
        plan = fresh.plan_clear(workflow_id, "a_*")
        if why is None:
            assert plan.apply(cascade=True).undo().differs == ()
        else:
            with pytest.raises(toolkit.InvalidOption, match=f"{why}.*nothing was touched"):
                plan.apply(cascade=True)
        assert (rows(fresh), *(_all(fresh, table.partition(" ")[0]) for table in tables)) == before
        if why is not None:
            assert plan.apply(cascade=True, archive=False).records == 2


def _all(service: Service, table: str) -> list[Any]:
    with service.database.read() as connection:
        return sorted(tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}"))  # noqa: S608 - names of this test


def test_undo_twice_at_once_happens_once(service: Service, workflow_id: str) -> None:
    add(service, workflow_id, *(f"a_{n}" for n in range(50)))
    before = rows(service)
    receipt = service.delete_all_records(workflow_id)
    results: list[str] = []

    def again() -> None:
        try:
            service.undo(receipt)
            results.append("done")
        except toolkit.AlreadyDone:
            results.append("already")

    threads = [threading.Thread(target=again) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["already", "already", "done"]
    assert rows(service) == before
