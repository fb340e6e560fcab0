"""The SQL for three roles, run on a real server: what each level may do, and what it is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import errors, grants
from toolkit.grants import Level, policy_name, quoted, statements
from toolkit.storage import tables

WORKFLOW: Final = "00000000-0000-0000-0000-000000000001"
LEVELS: Final = ("read", "clean", "purge")

Execute = Callable[..., None]


@pytest.fixture(params=["postgresql", "production"])
def url(request: pytest.FixtureRequest, new_database: Callable[[str], str], execute: Execute) -> str:
    """A database of each kind on a server, with a workflow, three records, two variables and one change."""
    made = new_database(request.param)
    if request.param == "production":
        execute(made, f"INSERT INTO workflows (id, name) VALUES ('{WORKFLOW}', 'nightly')")  # noqa: S608 - no value of others
    with toolkit.connect(made) as owner:
        owner.set_variables(WORKFLOW, {"total": 3, "api_token": "FAKE-not-real-1"})
        owner.create_records(WORKFLOW, [{"record_id": f"a_{n}", "status": "failed"} for n in range(4)])
        owner.delete_record(WORKFLOW, "a_3")
    return made


@pytest.fixture
def as_role(url: str, execute: Execute) -> Iterator[Callable[..., toolkit.UnifiedDataService]]:
    """Connect as a role that was given the rights of a level."""
    role = f'an "odd" role of {sa.make_url(url).database}'
    opened = []

    def connect(level: str) -> toolkit.UnifiedDataService:
        execute(url, statements(role, level).replace("%", "%%"))
        opened.append(toolkit.connect(sa.make_url(url).set(username=role).render_as_string(hide_password=False)))
        return opened[-1]

    yield connect
    for service in opened:
        service.close()
    execute(url, f"DROP OWNED BY {quoted(role)}", f"DROP ROLE {quoted(role)}")


def purge(service: toolkit.UnifiedDataService) -> Any:
    plan = service.purge_archive(older_than="0s")
    return plan.apply(expect=plan.total)


def _chunks(service: toolkit.UnifiedDataService) -> list[Any]:
    with service.query_records(WORKFLOW, chunksize=1) as chunks:
        return list(chunks)


READS: Final[dict[str, Callable[[toolkit.UnifiedDataService], Any]]] = {
    "query_records": lambda service: service.query_records(WORKFLOW, columns="all"),
    "chunks": _chunks,
    "get_record": lambda service: service.get_record(WORKFLOW, "a_1"),
    "count_records": lambda service: service.count_records(WORKFLOW),
    "get_all_variables": lambda service: service.get_all_variables(WORKFLOW, reveal=True),
    "get_variable": lambda service: service.get_variable(WORKFLOW, "total"),
    "get_iterations": lambda service: service.get_iterations(WORKFLOW),
    "get_data": lambda service: service.get_data(WORKFLOW),
    "get_stats": lambda service: service.get_stats(WORKFLOW),
    "list_workflows": lambda service: service.list_workflows(),
    "runs": lambda service: service.runs(),
    "changes": lambda service: service.changes(WORKFLOW),
    "report": lambda service: service.report(WORKFLOW).to_html(),
    "compare": lambda service: service.compare(WORKFLOW, WORKFLOW),
    "validate_records": lambda service: service.validate_records(WORKFLOW, {"type": "object"}),
    "plan_clear": lambda service: service.plan_clear(WORKFLOW, records="a_*"),
}


WRITES: Final[dict[str, Callable[[toolkit.UnifiedDataService], Any]]] = {
    "set_variable": lambda service: service.set_variable(WORKFLOW, "label", "x"),
    "create_record": lambda service: service.create_record(WORKFLOW, "b_1"),
    "upsert": lambda service: service.create_records(WORKFLOW, [{"record_id": "a_0"}], mode="upsert"),
    "update_record": lambda service: service.update_record(WORKFLOW, "a_1", {"vars.n": 1}),
    "retry_failed": lambda service: service.retry_failed(WORKFLOW, "a_2"),
    "delete_record": lambda service: service.delete_record(WORKFLOW, "a_2"),
    "delete, not kept": lambda service: service.delete_record(WORKFLOW, "a_1", archive=False),
    "clear": lambda service: service.plan_clear(WORKFLOW, keys=["total"]).apply(expect=1),
}


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_reads_everything(as_role: Callable[..., toolkit.UnifiedDataService], level: str) -> None:
    service = as_role(level)
    for name, read in READS.items():
        assert read(service) is not None, name
    assert len(service.query_records(WORKFLOW)) == 3
    assert len(service.changes()) == 1
    assert service.get_variable(WORKFLOW, "api_token", reveal=True) == "FAKE-not-real-1"


def test_read_writes_nothing_and_sees_nothing_of_what_was_moved_away(
    url: str, as_role: Callable[..., toolkit.UnifiedDataService]
) -> None:
    service = as_role("read")
    assert "read-only (the role may not write)" in repr(service)
    for name, write in WRITES.items():
        with pytest.raises((toolkit.PermissionMissing, toolkit.ReadOnly)):
            pytest.fail(f"{name}: {write(service)}")
    with toolkit.connect(url) as owner:
        assert len(owner.query_records(WORKFLOW)) == 3
        assert list(owner.get_all_variables(WORKFLOW)["key"]) == ["api_token", "total"]
        assert len(owner.changes()) == 1
    with service.database.read() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        connection.exec_driver_sql("SELECT count(*) FROM toolkit.archived_records")


@pytest.mark.parametrize("level", ["clean", "purge"])
def test_clean_writes_clears_and_takes_it_back(as_role: Callable[..., toolkit.UnifiedDataService], level: str) -> None:
    service = as_role(level)
    before = service.query_records(WORKFLOW, columns="all")
    receipt = service.plan_clear(WORKFLOW, everything=True).apply(expect=5)
    assert (receipt.records, receipt.variables) == (3, 2)
    assert service.query_records(WORKFLOW).empty
    undone = receipt.undo()
    assert (undone.records, undone.variables, undone.differs) == (3, 2, ())
    assert service.query_records(WORKFLOW, columns="all").equals(before)
    edited = before.assign(**{"vars.label": "x"})
    change = service.plan_update(WORKFLOW, edited, before=before).apply(expect=3)
    assert service.undo(change).records == 3
    for name, write in WRITES.items():
        assert write(service) is not None, name


def test_clean_forgets_nothing_of_the_archive_and_purge_does(
    url: str, as_role: Callable[..., toolkit.UnifiedDataService]
) -> None:
    service = as_role("clean")
    service.plan_clear(WORKFLOW, ids=["a_1"]).apply(expect=1)
    with pytest.raises(toolkit.PermissionMissing):
        purge(service)
    with service.database.write() as connection:
        gone = connection.exec_driver_sql("DELETE FROM toolkit.archived_records")
        assert gone.rowcount == 0
    with toolkit.connect(url) as owner, owner.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM toolkit.archived_records").scalar() == 2
    service = as_role("purge")
    purge(service)
    with toolkit.connect(url) as owner, owner.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM toolkit.archived_records").scalar() == 0


@pytest.mark.parametrize("level", LEVELS)
def test_no_level_changes_tables_or_the_archive_itself(
    as_role: Callable[..., toolkit.UnifiedDataService], level: str
) -> None:
    service = as_role(level)
    for sql in (
        "DROP TABLE workflow_records",
        "ALTER TABLE workflow_memory ADD COLUMN x text",
        "TRUNCATE workflow_memory",
        "ALTER TABLE toolkit.changes DISABLE ROW LEVEL SECURITY",
        "UPDATE toolkit.changes SET actor = 'me'",
        "UPDATE toolkit.archived_records SET data = '{}'",
        "DELETE FROM toolkit.version",
        "CREATE TABLE toolkit.x (n integer)",
    ):
        with pytest.raises((sa.exc.ProgrammingError, toolkit.ToolkitError)), service.database.write() as connection:
            connection.exec_driver_sql(sql)


def test_a_level_replaces_the_one_before(as_role: Callable[..., toolkit.UnifiedDataService]) -> None:
    as_role("purge")
    service = as_role("read")
    with pytest.raises((toolkit.PermissionMissing, toolkit.ReadOnly)):
        service.set_variable(WORKFLOW, "label", "x")
    with pytest.raises((toolkit.PermissionMissing, toolkit.ReadOnly)):
        purge(service)


def test_a_database_without_archive_and_engine_tables_is_understood(
    new_database: Callable[[str], str], execute: Execute
) -> None:
    url = new_database("postgresql")
    execute(url, "DROP SCHEMA toolkit CASCADE")
    role = f"bare_{sa.make_url(url).database}"
    execute(url, statements(role, "read"), statements(role, "clean"))
    try:
        with toolkit.connect(sa.make_url(url).set(username=role).render_as_string(hide_password=False)) as service:
            service.set_variable("nightly", "total", 3)
            assert service.get_variable("nightly", "total") == 3
            with pytest.raises(toolkit.ArchiveMissing):
                service.delete_variable("nightly", "total")
    finally:
        execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_the_policies_that_are_only_mentioned_work_where_row_security_is_on(
    new_database: Callable[[str], str], execute: Execute
) -> None:
    url = new_database("postgresql")
    role = f"guarded_{sa.make_url(url).database}"
    with toolkit.connect(url) as owner:
        owner.set_variable("nightly", "total", 3)
    execute(url, "ALTER TABLE workflow_memory ENABLE ROW LEVEL SECURITY", statements(role, "read"))
    mentioned = next(
        line for line in statements(role, "read").splitlines() if 'ON "public".workflow_memory FOR SELECT' in line
    )
    as_role = sa.make_url(url).set(username=role).render_as_string(hide_password=False)
    try:
        with pytest.warns(toolkit.DataWarning, match="row security"), toolkit.connect(as_role) as service:
            assert service.get_variable("nightly", "total") is None
        execute(url, mentioned.removeprefix("-- "))
        with pytest.warns(toolkit.DataWarning, match="row security"), toolkit.connect(as_role) as service:
            assert service.get_variable("nightly", "total") == 3
    finally:
        execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


# What is printed


def test_the_names_are_those_of_the_tables() -> None:
    assert grants.ARCHIVE == tables.ARCHIVE_SCHEMA
    assert set(grants.NEEDED) == {tables.VARIABLES, tables.RECORDS}
    assert set(grants.OPTIONAL) == {tables.WORKFLOWS, tables.NODES}
    assert set(grants.KEPT) == {tables.ARCHIVED_VARIABLES, tables.ARCHIVED_RECORDS}


@pytest.mark.parametrize("role", ["", "public", "PUBLIC", "none", "pg_monitor", "x" * 64, "a\nb", "a\0b", "a\u2028b"])
def test_a_name_that_would_mean_somebody_else_is_refused(role: str) -> None:
    for name in (role, f"{role}"):
        with pytest.raises(errors.InvalidOption):
            statements(name, "read")


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(errors.InvalidOption, match="read, clean, purge"):
        statements("analyst", "write")


@given(st.text("\"'$;-\\\\ aä_:%", min_size=1, max_size=20), st.sampled_from(Level))
def test_a_name_stays_a_name(role: str, level: Level) -> None:
    # Whatever it holds, the statements are those of another name, with that name in its place.
    other = "x" * 8
    quotes = {quoted(role): quoted(other), quoted(policy_name(role))[:-1]: quoted(policy_name(other))[:-1]}
    text = statements(role, level)
    for own, others in sorted(quotes.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(own, others)
    assert text == statements(other, level)


@pytest.mark.parametrize("role", ["a $toolkit$; DROP TABLE workflow_records; --", "$toolkit$$toolkit_$"])
def test_a_name_cannot_end_the_block_that_it_stands_in(role: str) -> None:
    text = statements(role, "purge")
    (mark,) = {line.removeprefix("DO ") for line in text.splitlines() if line.startswith("DO ")}
    assert mark not in role
    assert text.count(mark) == 2 * text.count("DO ")


def test_two_long_names_have_two_policies() -> None:
    assert policy_name("x" * 62 + "a") != policy_name("x" * 62 + "b")


@pytest.mark.parametrize("level", LEVELS)
def test_the_command_prints_and_needs_no_database(level: str) -> None:
    command = [sys.executable, "-m", "toolkit.cli", "grants", "--role", "analyst", "--level", level]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == statements("analyst", level) + "\n"
    assert "ow security" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--role", "a"], ["--role", "a", "--level", "all"]], ids=str)
def test_a_wrong_call_exits_with_two(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "toolkit.cli", "grants", *arguments]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_a_quote_in_a_name_is_doubled() -> None:
    assert quoted('a"; DROP TABLE x; --') == '"a""; DROP TABLE x; --"'
