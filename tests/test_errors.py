"""The error family is what its picture says, and no driver's error passes without becoming one of it."""

from __future__ import annotations

import builtins
import inspect
import re
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.orm.exc

import toolkit
from toolkit import errors
from toolkit.errors import Cause, ToolkitError
from toolkit.storage.tables import RECORDS, VARIABLES
from toolkit.storage.translation import translate

SECRET = "swordfish"
ZERO = "00000000-0000-0000-0000-000000000000"


def whole(error: BaseException) -> str:
    """Return everything that a traceback would show."""
    return "".join(traceback.format_exception(error))


# The picture


def drawn() -> dict[str, tuple[str, str | None]]:
    """Return parent and builtin of each error in the picture."""
    made: dict[str, tuple[str, str | None]] = {}
    above = {0: "ToolkitError"}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]+)(\w+)(?: +(\w+))?", line)
        if found:
            depth = len(found[1]) // 4
            builtin = found[3] if isinstance(getattr(builtins, found[3] or "", None), type) else None
            made[found[2]] = (above[depth - 1], builtin)
            above[depth] = found[2]
    return made


def defined() -> dict[str, type[ToolkitError]]:
    """Return every error that is really there."""
    found = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in found if issubclass(kind, ToolkitError) and kind is not ToolkitError}


def test_the_picture_shows_every_error_and_no_other() -> None:
    assert set(drawn()) == set(defined())


@pytest.mark.parametrize("name", sorted(defined()))
def test_an_error_is_what_the_picture_says(name: str) -> None:
    kind = defined()[name]
    parent, builtin = drawn()[name]
    assert parent in [base.__name__ for base in kind.__bases__]
    assert builtin is not None
    assert issubclass(kind, getattr(builtins, builtin))
    bases = {base.__name__ for base in kind.__mro__ if base.__module__ == "builtins"}
    assert builtin in bases


@pytest.mark.parametrize("name", sorted(defined()))
def test_an_error_shows_its_message_as_it_is_and_can_be_imported_from_the_top(name: str) -> None:
    kind = getattr(toolkit, name)
    error = kind("what was given, what is allowed, what to type", cause=Cause("SomeError"))
    assert str(error) == "what was given, what is allowed, what to type"
    assert error.cause == Cause("SomeError")
    assert kind("no cause").cause is None


def test_a_cause_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Cause("SomeError").table = "another"  # type: ignore[misc]


# Every exception of SQLAlchemy


def of_sqlalchemy() -> Iterator[type[sa.exc.SQLAlchemyError]]:
    """Return every exception class that SQLAlchemy defines."""
    kinds: list[type[sa.exc.SQLAlchemyError]] = [sa.exc.SQLAlchemyError]
    for kind in kinds:
        kinds += [each for each in kind.__subclasses__() if each not in kinds]
        if kind.__module__.startswith("sqlalchemy"):
            yield kind


def an_error(kind: type[sa.exc.SQLAlchemyError], original: Exception) -> sa.exc.SQLAlchemyError:
    """Make an error as SQLAlchemy would, with a secret wherever it takes text."""
    if issubclass(kind, sa.exc.DBAPIError):
        return kind(f"INSERT '{SECRET}'", {"value": SECRET}, original)
    error = kind.__new__(kind)
    Exception.__init__(error, SECRET)
    return error


def test_sqlalchemy_is_asked_for_all_of_its_exceptions() -> None:
    found = list(of_sqlalchemy())
    public = [kind for _, kind in inspect.getmembers(sa.exc, inspect.isclass)]
    assert {kind for kind in public if issubclass(kind, sa.exc.SQLAlchemyError)} <= set(found)
    assert sqlalchemy.orm.exc.StaleDataError in found


@pytest.mark.parametrize("kind", sorted(of_sqlalchemy(), key=str))
@pytest.mark.parametrize("original", [Exception(SECRET), sqlite3.OperationalError(SECRET), OSError(SECRET)])
def test_every_exception_of_sqlalchemy_becomes_one_of_the_family(
    kind: type[sa.exc.SQLAlchemyError], original: Exception
) -> None:
    made = translate(an_error(kind, original))
    assert type(made) in defined().values()
    assert made.cause
    assert SECRET not in str(made)
    assert SECRET not in repr(made.cause)


# Errors of real databases


def provoked(service: toolkit.UnifiedDataService, sql: str, *values: Any) -> ToolkitError:
    """Run a statement that the database refuses."""
    statement = sql if service.database.dialect.name == "sqlite" else sql.replace("?", "%s")
    with pytest.raises(ToolkitError) as caught, service.database.write() as connection:
        connection.exec_driver_sql(statement, values)
    assert SECRET not in whole(caught.value)
    assert SECRET not in repr(caught.value.cause)
    assert caught.value.__suppress_context__
    assert caught.value.cause
    return caught.value


ROW = "INSERT INTO workflow_memory (workflow_id, key, value) VALUES (?, ?, ?)"
RECORD = "INSERT INTO workflow_records (workflow_id, record_id, record_type, data) VALUES (?, ?, ?, ?)"


def test_a_row_that_is_there_twice_shows_the_constraint_and_not_the_row(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.set_variable(workflow_id, SECRET, 1)
    error = provoked(service, ROW, workflow_id, SECRET, f'"{SECRET}"')
    assert isinstance(error, toolkit.ConstraintViolated)
    assert isinstance(error, ValueError)
    assert error.cause
    assert error.cause.table == VARIABLES
    assert error.cause.constraint
    if service.database.dialect.name == "postgresql":
        assert error.cause.sqlstate == "23505"
    assert VARIABLES in str(error)


def test_a_null_that_is_not_allowed_shows_the_column_and_not_the_row(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    error = provoked(service, RECORD, workflow_id, SECRET, None, f'{{"a": "{SECRET}"}}')
    assert isinstance(error, toolkit.ConstraintViolated)
    assert error.cause
    assert (error.cause.table, error.cause.column) == (RECORDS, "record_type")
    assert f"table {RECORDS}, column record_type" in str(error)


def test_a_workflow_that_is_not_there_shows_the_constraint_and_not_the_row(
    service: toolkit.UnifiedDataService, workflow_id: str, execute: Callable[..., None], database_url: str
) -> None:
    if service.database.tables.workflows is None:
        execute(
            database_url,
            "CREATE TABLE parents (id text PRIMARY KEY)",
            "CREATE TABLE children (a text REFERENCES parents)",
        )
        if service.database.dialect.name == "sqlite":
            with service.database.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        error = provoked(service, "INSERT INTO children VALUES (?)", SECRET)
    else:
        error = provoked(service, ROW, ZERO, SECRET, f'"{SECRET}"')
    assert isinstance(error, toolkit.ConstraintViolated)
    assert error.cause
    assert "foreign" in (error.cause.constraint or "").lower() or "fkey" in (error.cause.constraint or "")


def test_a_check_that_fails_shows_its_name_and_not_the_row(
    service: toolkit.UnifiedDataService, execute: Callable[..., None], database_url: str
) -> None:
    execute(database_url, "CREATE TABLE checked (locked text CHECK (locked <> 'swordfish'), full_name text)")
    error = provoked(service, "INSERT INTO checked (locked, full_name) VALUES ('sword' || ?, 'readonly')", "fish")
    assert isinstance(error, toolkit.ConstraintViolated)


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("column", ["locked", "full_name", "readonly", "malformed"])
def test_a_column_with_the_name_of_another_trouble_is_still_a_constraint(
    service: toolkit.UnifiedDataService, execute: Callable[..., None], database_url: str, column: str
) -> None:
    execute(database_url, f"CREATE TABLE named ({column} text NOT NULL)")
    error = provoked(service, "INSERT INTO named VALUES (?)", None)
    assert isinstance(error, toolkit.ConstraintViolated)
    assert error.cause == Cause("IntegrityError", None, "named", column, "NOT NULL")


@pytest.mark.parametrize("kind", ["postgresql", "production"])
@pytest.mark.parametrize("value", [f"{SECRET}: no number", 2**40])
def test_a_value_of_another_type_is_said_and_not_shown(
    service: toolkit.UnifiedDataService, workflow_id: str, value: object
) -> None:
    sql = "UPDATE workflow_records SET retry_count = CAST(CAST(? AS text) AS integer)"
    service.create_record(workflow_id, "email_001")
    error = provoked(service, sql, str(value))
    assert isinstance(error, toolkit.InvalidValue)
    assert error.cause
    assert str(error.cause.sqlstate).startswith("22")
    assert str(value) not in whole(error)


def test_a_value_the_driver_cannot_send_is_said_and_not_shown(service: toolkit.UnifiedDataService) -> None:
    class Unknown:
        def __repr__(self) -> str:
            return SECRET

    assert isinstance(provoked(service, ROW, ZERO, SECRET, Unknown()), toolkit.DatabaseError)


def test_a_table_that_was_dropped_is_named(
    service: toolkit.UnifiedDataService, workflow_id: str, execute: Callable[..., None], database_url: str
) -> None:
    execute(database_url, f"DROP TABLE {RECORDS}")
    with pytest.raises(toolkit.SchemaMismatch, match=RECORDS) as caught:
        service.create_record(workflow_id, "email_001", data={"token": SECRET})
    assert isinstance(caught.value, LookupError)
    assert caught.value.cause
    assert caught.value.cause.table == RECORDS
    assert SECRET not in whole(caught.value)


def test_a_column_that_was_dropped_is_named(
    service: toolkit.UnifiedDataService, workflow_id: str, execute: Callable[..., None], database_url: str
) -> None:
    execute(database_url, f"ALTER TABLE {RECORDS} RENAME COLUMN error_message TO message")
    for call in (
        lambda: service.create_record(workflow_id, "email_001", data={"token": SECRET}),
        lambda: service.query_records(workflow_id),
    ):
        with pytest.raises(toolkit.SchemaMismatch, match="error_message") as caught:
            call()
        assert caught.value.cause
        assert caught.value.cause.column == "error_message"
        assert SECRET not in whole(caught.value)


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", toolkit.ConnectionFailed),
        ("22P02", toolkit.InvalidValue),
        ("23514", toolkit.ConstraintViolated),
        ("25006", toolkit.ReadOnly),
        ("28000", toolkit.ConnectionFailed),
        ("40001", toolkit.DatabaseTimeout),
        ("40P01", toolkit.DatabaseTimeout),
        ("42501", toolkit.PermissionMissing),
        ("42703", toolkit.SchemaMismatch),
        ("42P01", toolkit.SchemaMismatch),
        ("42601", toolkit.DatabaseError),
        ("53300", toolkit.ConnectionFailed),
        ("55P03", toolkit.DatabaseTimeout),
        ("57014", toolkit.DatabaseTimeout),
        ("57P03", toolkit.ConnectionFailed),
        ("P0001", toolkit.DatabaseError),
        ("XX000", toolkit.DatabaseError),
    ],
)
def test_a_sqlstate_decides_the_class_and_its_message_stays_behind(
    service: toolkit.UnifiedDataService, state: str, expected: type[ToolkitError]
) -> None:
    raised = f"RAISE EXCEPTION 'row {SECRET}' USING ERRCODE = '{state}', DETAIL = '{SECRET}', HINT = '{SECRET}'"
    error = provoked(
        service, f"DO $$ BEGIN {raised}, TABLE = 'of_rows', COLUMN = 'of_row', CONSTRAINT = 'held'; END $$"
    )
    assert type(error) is expected
    assert error.cause
    assert (error.cause.sqlstate, error.cause.table, error.cause.column, error.cause.constraint) == (
        state,
        "of_rows",
        "of_row",
        "held",
    )
    assert f"table of_rows, column of_row, constraint held, SQLSTATE {state}" in str(error)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_waiting_too_long_is_a_timeout(service: toolkit.UnifiedDataService) -> None:
    service.create_record("nightly", "email_001")
    lock = f"LOCK TABLE {RECORDS} IN ACCESS EXCLUSIVE MODE"
    with toolkit.connect(service.database.engine) as other, other.database.write() as connection:
        connection.exec_driver_sql(lock)
        for limit in ("lock_timeout", "statement_timeout"):
            error = provoked(service, f"SET LOCAL {limit} = 20; {lock}")
            assert isinstance(error, toolkit.DatabaseTimeout)
            assert isinstance(error, TimeoutError)


def test_a_locked_file_is_a_timeout(new_database: Callable[[str], str]) -> None:
    file = new_database("sqlite")
    impatient = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 0})
    with toolkit.connect(file) as service, service.database.write(), toolkit.connect(impatient) as other:
        with pytest.raises(toolkit.DatabaseTimeout, match="another process kept the database locked"):
            other.set_variable("nightly", "total", 3)
        assert len(other.list_workflows()) == 0
    impatient.dispose()


def test_a_full_disk_is_said_and_nothing_of_the_call_is_kept(new_database: Callable[[str], str]) -> None:
    with toolkit.connect(new_database("sqlite")) as service:
        with service.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        rows = [{"record_id": f"email_{number}", "fields.text": "x" * 5000} for number in range(50)]
        with pytest.raises(toolkit.DatabaseError, match="the disk is full; nothing of the call was kept"):
            service.create_records("nightly", rows)
        assert len(service.query_records("nightly")) == 0


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    made = translate(sa.exc.OperationalError("", {}, raised_by_sqlite(f"file:{tmp_path}/no/a.db?mode=rw")))
    assert isinstance(made, toolkit.ConnectionFailed)
    assert "cannot be opened" in str(made)


def raised_by_sqlite(address: str) -> sqlite3.Error:
    """Return the error that opening a file gives."""
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(address, uri=True)
    return caught.value


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            'failed: connection to server at "db.example.com" (2001:db8::1), port 5432 failed: Network is unreachable',
            "IPv6",
        ),
        (
            'failed: connection to server at "2001:db8::1", port 5432 failed: Cannot assign requested address',
            "IPv6",
        ),
        (
            'failed: connection to server at "10.0.0.1", port 5432 failed: Network is unreachable',
            "no server answers there",
        ),
        (
            'failed: connection to server at "2001:db8::1", port 5432 failed: Connection refused',
            "no server answers there",
        ),
        ("failed: FATAL:  too many connections for role", "no connection left"),
        ("failed: server does not support SSL, but SSL was required", "sslmode"),
        ("failed: fe_sendauth: no password supplied", "refused the user name or the password"),
        ("timeout expired", "no server answers there"),
        ("was lost: consuming input: server closed the connection unexpectedly", "the next call opens a new one"),
        ("was lost: consuming input: SSL connection has been closed unexpectedly", "the next call opens a new one"),
    ],
)
def test_a_connection_that_fails_without_a_code_is_known_by_its_words(words: str, says: str) -> None:
    made = translate(sa.exc.OperationalError("", {}, Exception(f"connection {words}")))
    assert isinstance(made, toolkit.ConnectionFailed)
    assert says in str(made)


def test_waiting_for_a_free_connection_too_long_is_said() -> None:
    made = translate(sa.exc.TimeoutError(f"QueuePool limit, {SECRET}"))
    assert isinstance(made, toolkit.ConnectionFailed)
    assert "no free connection" in str(made)
