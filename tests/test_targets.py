"""What `connect` takes, what it says when that is wrong, and that it never repeats a password."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import toolkit
from toolkit import columns, targets
from toolkit.storage.tables import RECORDS, VARIABLES

SECRET = "swordfish"
SERVERS = ("postgresql", "production")


def whole(error: BaseException) -> str:
    """Return everything that a traceback would show."""
    return "".join(traceback.format_exception(error))


def refused(target: object, **options: bool) -> toolkit.ToolkitError:
    """Return the error that `connect` raises."""
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.connect(target, **options)  # type: ignore[arg-type]
    return caught.value


def works(service: toolkit.UnifiedDataService) -> bool:
    """Tell whether a service reads both tables."""
    return len(service.list_workflows("nothing-*")) == 0


@pytest.fixture
def file(new_database: Callable[[str], str]) -> Path:
    """A database file with the tables."""
    return Path(new_database("sqlite"))


@pytest.fixture
def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def locked_role(server: sa.URL, execute: Callable[..., None]) -> Iterator[sa.URL]:
    """A role that, unlike the others of the test server, has to know its password."""
    name = f"locked_{os.getpid()}"
    rules = "current_setting('hba_file')"
    lines = f"SELECT unnest(string_to_array(replace(pg_read_file({rules}), chr(9), ' '), chr(10)))"
    with sa.create_engine(server, poolclass=sa.NullPool).connect() as connection:
        path = connection.exec_driver_sql(f"SELECT {rules}").scalar_one()
        before = connection.exec_driver_sql(lines).scalars().all()
    guards = [f"local all {name} scram-sha-256", f"host all {name} all scram-sha-256"]

    def rule(texts: list[str]) -> None:
        values = ", ".join(
            "(" + sa.literal(text).compile(compile_kwargs={"literal_binds": True}).string + ")" for text in texts
        )
        execute(server, f"COPY (VALUES {values}) TO '{path}'", "SELECT pg_reload_conf()")

    execute(server, f"CREATE ROLE {name} LOGIN PASSWORD 'another'")
    rule([*guards, *before])
    yield server.set(username=name)
    rule(list(before))
    execute(server, f"DROP ROLE {name}")


# What is understood


@pytest.mark.parametrize("form", [str, Path, "sqlite:///{}".format, "sqlite+pysqlite:///{}".format])
def test_a_file_is_named_by_a_text_a_path_or_a_url(file: Path, form: Callable[[Path], str | Path]) -> None:
    with toolkit.connect(form(file)) as service:
        assert works(service)
        assert str(file) in repr(service)


@pytest.mark.parametrize("form", [str, Path, "sqlite:///{}".format])
def test_a_relative_path_means_the_working_directory_of_that_moment(
    file: Path, form: Callable[[Path], str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with toolkit.connect(form(Path(file.name))) as service:
        monkeypatch.chdir("/")
        assert works(service)


@pytest.mark.parametrize("name", ["a b%41.db", "größe?#.sqlite", "one@two.sqlite3", "[x]&mode=ro.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    toolkit.connect(tmp_path / name, create=True).close()
    assert (tmp_path / name).is_file()
    with toolkit.connect(tmp_path / name) as service:
        service.set_variable("nightly", "total", 3)
        assert service.get_variable("nightly", "total") == 3


def test_a_percent_sign_of_a_url_is_decoded(tmp_path: Path) -> None:
    toolkit.connect(f"sqlite:///{tmp_path}/a%20b.db", create=True).close()
    assert (tmp_path / "a b.db").is_file()


@pytest.mark.parametrize("target", [":memory:", "sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_made_when_asked_for(target: str) -> None:
    with toolkit.connect(target, create=True) as service:
        assert works(service)
        assert "memory" in repr(service)


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_named_by_every_usual_scheme(new_database: Callable[[str], str], kind: str, scheme: str) -> None:
    url = new_database(kind)
    with toolkit.connect(url.replace("postgresql", scheme, 1)) as service:
        assert works(service)
        assert str(sa.make_url(url).database) in repr(service)


def test_the_environment_names_the_database_when_nothing_else_does(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(targets.URL_VARIABLE, str(file))
    with toolkit.connect() as service:
        assert str(file) in repr(service)
    with toolkit.connect(":memory:", create=True) as service:
        assert "memory" in repr(service)
    assert not (tmp_path / targets.DEFAULT_FILE).exists()


def test_a_database_that_the_environment_names_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(targets.URL_VARIABLE, str(tmp_path / "there.db"))
    assert isinstance(refused(None), toolkit.DatabaseNotFound)
    assert not (tmp_path / "there.db").exists()


def test_only_the_bare_call_makes_a_database_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with toolkit.connect() as service:
        service.set_variable("nightly", "total", 3)
    assert (tmp_path / "toolkit.db").is_file()
    with toolkit.connect() as service:
        assert service.get_variable("nightly", "total") == 3


def test_the_bare_call_makes_nothing_where_it_is_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(refused(None, create=False), toolkit.DatabaseNotFound)
    assert isinstance(refused(None, read_only=True), toolkit.DatabaseNotFound)
    assert not list(tmp_path.iterdir())


# What is not


@pytest.mark.parametrize("form", [str, Path, "sqlite:///{}".format])
def test_a_path_that_is_not_there_is_an_error_that_says_how_to_make_it(
    tmp_path: Path, form: Callable[[Path], str | Path]
) -> None:
    error = refused(form(tmp_path / "nowhere.db"))
    assert isinstance(error, toolkit.DatabaseNotFound)
    assert "nowhere.db" in str(error)
    assert "create=True" in str(error)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path / "nowhere" / "a.db", create=True)
    assert isinstance(error, toolkit.DatabaseNotFound)
    assert str(tmp_path / "nowhere") in str(error)


@pytest.mark.parametrize("form", [str, Path, "sqlite:///{}".format])
@pytest.mark.parametrize("name", ["plain", "looks_like.db"])
@pytest.mark.parametrize("create", [False, True])
def test_a_folder_is_no_database(
    tmp_path: Path,
    form: Callable[[Path], str | Path],
    name: str,
    *,
    create: bool,
) -> None:
    (tmp_path / name).mkdir()
    error = refused(form(tmp_path / name), create=create)
    assert isinstance(error, toolkit.TargetError)
    assert f"{tmp_path / name} is a folder" in str(error)


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_text_file_is_no_database_and_stays_as_it_is(tmp_path: Path, *, create: bool, read_only: bool) -> None:
    file = tmp_path / "notes.db"
    file.write_text("These are notes, and no database at all.\n" * 40)
    before = file.read_bytes()
    error = refused(file, create=create and not read_only, read_only=read_only)
    assert isinstance(error, toolkit.SchemaMismatch)
    assert "notes.db: the file is not an SQLite database" in str(error)
    assert file.read_bytes() == before


def test_an_empty_file_lacks_both_tables_until_they_are_made(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    error = refused(file)
    assert isinstance(error, toolkit.SchemaMismatch)
    assert VARIABLES in str(error)
    assert RECORDS in str(error)
    assert "create=True" in str(error)
    with toolkit.connect(file, create=True) as service:
        assert works(service)


@pytest.mark.parametrize("missing", [VARIABLES, RECORDS])
def test_a_missing_table_is_named_and_the_other_is_not(
    database_url: str, missing: str, execute: Callable[..., None]
) -> None:
    execute(database_url, f"DROP TABLE {missing}")
    for create in (False, True):
        error = refused(database_url, create=create)
        assert isinstance(error, toolkit.SchemaMismatch)
        assert missing in str(error)
        assert ({VARIABLES, RECORDS} - {missing}).pop() not in str(error)


@pytest.mark.parametrize(
    ("table", "column"),
    [(VARIABLES, "key"), (VARIABLES, "value"), (VARIABLES, "updated_at"), (RECORDS, columns.DATA)]
    + [(RECORDS, name) for name in columns.RECORD_COLUMNS],
)
def test_a_missing_column_is_named_with_its_table(
    new_database: Callable[[str], str], execute: Callable[..., None], table: str, column: str
) -> None:
    url = new_database("sqlite")
    execute(url, f"ALTER TABLE {table} RENAME COLUMN {column} TO something_else")
    error = refused(url)
    assert isinstance(error, toolkit.SchemaMismatch)
    assert f"table {table} has no column {column}" in str(error)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_column_missing_on_a_server_is_named_too(
    new_database: Callable[[str], str], execute: Callable[..., None], kind: str
) -> None:
    url = new_database(kind)
    execute(url, f"ALTER TABLE {RECORDS} DROP COLUMN retry_count, DROP COLUMN status")
    error = refused(url)
    assert isinstance(error, toolkit.SchemaMismatch)
    assert f"table {RECORDS} has no column status, retry_count" in str(error)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("https://abcdefgh.supabase.co/rest/v1", "postgresql://"),
        ("http://localhost:54321", "postgresql://"),
        ("mysql://root@localhost/app", "not to 'mysql'"),
        ("mongodb+srv://localhost/app", "not to 'mongodb+srv'"),
        ("notes.txt", "'notes.txt' is not understood"),
        ("", "'' is not understood"),
        ("sqlite://notes.db", "sqlite:///"),
        ("sqlite:///", "sqlite:///"),
        ("sqlite:///notes.db?mode=ro", "without parameters"),
        ("postgresql://localhost:port/app", "postgresql://user"),
        (3, "not int"),
        (b"toolkit.db", "not bytes"),
        (["toolkit.db"], "not list"),
    ],
)
def test_a_target_that_is_not_understood_is_answered_with_what_to_give(target: object, says: str) -> None:
    error = refused(target)
    assert isinstance(error, toolkit.TargetError)
    assert says in str(error)


def test_an_engine_of_another_database_is_refused() -> None:
    engine = sa.create_engine(f"mysql+pymysql://me:{SECRET}@localhost/app", module=sqlite3)
    error = refused(engine)
    assert isinstance(error, toolkit.TargetError)
    assert "not to 'mysql'" in str(error)
    assert SECRET not in whole(error)


@pytest.mark.parametrize("variable", ["1", "true", "yes", " TRUE "])
def test_to_make_a_database_and_to_ask_for_read_only_is_a_contradiction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert isinstance(refused(tmp_path / "a.db", create=True, read_only=True), toolkit.InvalidOption)
    monkeypatch.setenv(targets.READ_ONLY_VARIABLE, variable)
    error = refused(tmp_path / "a.db", create=True)
    assert isinstance(error, toolkit.InvalidOption)
    assert targets.READ_ONLY_VARIABLE in str(error)
    assert not list(tmp_path.iterdir())


# Servers that do not answer, and passwords


def test_a_server_that_nobody_runs_is_said_with_host_and_port(closed_port: int) -> None:
    error = refused(f"postgresql://me:{SECRET}@127.0.0.1:{closed_port}/app")
    assert isinstance(error, toolkit.ConnectionFailed)
    assert f"PostgreSQL at 127.0.0.1:{closed_port}/app: no server answers there" in str(error)
    assert SECRET not in whole(error)


def test_a_host_that_is_not_known_is_said() -> None:
    error = refused(f"postgresql://me:{SECRET}@db.invalid/app")
    assert isinstance(error, toolkit.ConnectionFailed)
    assert "db.invalid/app: no host of that name is known" in str(error)
    assert SECRET not in whole(error)


def test_a_wrong_password_is_said_and_not_shown(locked_role: sa.URL) -> None:
    for url in (locked_role.set(password=SECRET), locked_role.update_query_dict({"password": SECRET})):
        error = refused(url.set(drivername="postgresql").render_as_string(hide_password=False))
        assert isinstance(error, toolkit.ConnectionFailed)
        assert "refused the user name or the password" in str(error)
        assert "PGPASSWORD" in str(error)
        assert SECRET not in whole(error)


def test_a_role_or_a_database_that_is_not_there_is_said(server: sa.URL) -> None:
    text = server.set(drivername="postgresql", username="nobody_of_that_name").render_as_string(hide_password=False)
    assert "refused the user name" in str(refused(text))
    text = server.set(drivername="postgresql", database="nothing_of_that_name").render_as_string(hide_password=False)
    error = refused(text)
    assert isinstance(error, toolkit.ConnectionFailed)
    assert "no database of that name" in str(error)


@pytest.mark.parametrize("parameter", [f"unknown={SECRET}", f"sslmode={SECRET}", f"connect_timeout={SECRET}"])
def test_a_parameter_that_postgresql_does_not_know_is_said_and_not_shown(server: sa.URL, parameter: str) -> None:
    text = server.set(drivername="postgresql").render_as_string(hide_password=False)
    error = refused(f"{text}{'&' if '?' in text else '?'}{parameter}")
    assert isinstance(error, toolkit.TargetError)
    assert "parameter" in str(error)
    assert SECRET not in whole(error)


@pytest.mark.parametrize(
    "target",
    [
        "postgresql:/me:{}@localhost/app",
        "postgresql:me:{}@localhost/app.db",
        " postgresql://me:{}@localhost/app",
        "DATABASE_URL=postgresql://me:{}@localhost/app.db",
        "host=localhost user=me password={}",
        "mysql://me:{}@localhost/app",
        "https://me:{}@localhost/app",
        "sqlite://me:{}@localhost/app.db",
        "postgresql://me:{}@localhost:port/app",
        "postgresql://me:{}@[::1/app",
        "postgresql://me:a@{}@localhost/app",
        "postgresql://me:{}/app",
    ],
)
def test_an_address_that_is_not_understood_is_never_repeated_with_its_password(target: str) -> None:
    error = refused(target.format(SECRET))
    assert isinstance(error, toolkit.TargetError)
    assert SECRET not in whole(error)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    marks=st.lists(st.sampled_from("@:/?#[]%&= é\\'\"$"), max_size=4),
    encoded=st.booleans(),
    query=st.booleans(),
)
@example(marks=["@"], encoded=False, query=False)
@example(marks=["%"], encoded=False, query=True)
@example(marks=["@", "/", "@"], encoded=False, query=False)
def test_no_part_of_a_password_is_ever_shown(
    closed_port: int, caplog: pytest.LogCaptureFixture, *, marks: list[str], encoded: bool, query: bool
) -> None:
    caplog.set_level("DEBUG")
    password = SECRET + "".join(mark + SECRET for mark in marks)
    written = quote(password, safe="") if encoded else password
    host = f"127.0.0.1:{closed_port}/app"
    target = f"postgresql://me@{host}?password={written}" if query else f"postgresql://me:{written}@{host}"
    error = refused(target)
    assert SECRET not in whole(error)
    assert SECRET not in repr(error)
    assert SECRET not in caplog.text


def test_a_password_is_in_no_repr(server: sa.URL, new_database: Callable[[str], str]) -> None:
    url = sa.make_url(new_database("postgresql")).set(password=SECRET)
    for each in (url, url.set(password=None).update_query_dict({"password": SECRET})):
        text = each.render_as_string(hide_password=False)
        engine = sa.create_engine(each.set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
        ways: tuple[str | sa.Engine, ...] = (text, engine)
        for target, read_only in itertools.product(ways, (False, True)):
            with toolkit.connect(target, read_only=read_only) as service:
                assert SECRET not in repr(service)


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "damaged.db"
    toolkit.connect(file, create=True).close()
    with file.open("r+b") as opened:
        opened.seek(100)
        opened.write(b"\xff" * 3000)
    error = refused(file)
    assert isinstance(error, toolkit.SchemaMismatch)
    assert "damaged.db: the SQLite file is damaged" in str(error)
