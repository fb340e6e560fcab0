"""From what people type to an open database: a URL, a path, an engine, the environment, or nothing."""

from __future__ import annotations

import getpass
import os
import re
import sqlite3
import urllib.parse
import warnings
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from toolkit.errors import ConnectionFailed, DatabaseNotFound, DataWarning, InvalidOption, SchemaMismatch, TargetError
from toolkit.profiles import Profile, find_profile, near_profiles
from toolkit.storage.archive import ArchiveStorage
from toolkit.storage.arrow import ArrowSource
from toolkit.storage.database import A_SNAPSHOT, SETTINGS, Database
from toolkit.storage.dialects import DIALECTS
from toolkit.storage.tables import RECORDS, VARIABLES, found_tables, own_tables
from toolkit.storage.translation import translate

URL_VARIABLE: Final = "TOOLKIT_DATABASE_URL"
READ_ONLY_VARIABLE: Final = "TOOLKIT_READ_ONLY"
ACTOR_VARIABLE: Final = "TOOLKIT_ACTOR"
DEFAULT_FILE: Final = "toolkit.db"
MEMORY: Final = ":memory:"

BUSY_TIMEOUT: Final = 60
"""Seconds to wait for another process's write to an SQLite file: eight writers waited up to 5.8 s in a trial."""

CONNECT_TIMEOUT: Final = 10
"""Seconds to wait for a PostgreSQL server."""

SUFFIXES: Final = (".db", ".sqlite", ".sqlite3")
"""How the name of a database file ends."""

_FORMS: Final = (
    "a URL such as 'postgresql://user@host/database', a path ending in .db or .sqlite, ':memory:', the name of a "
    "profile, or an SQLAlchemy Engine"
)
_PROFILE: Final = re.compile(r"[\w.-]+")
# A URL with a slash too few, or a libpq string: an error about it must not repeat it.
_LIKE_A_SECRET: Final = re.compile(r"://|:.*@|password", re.IGNORECASE | re.DOTALL)
_POSTGRESQL: Final = ("postgresql", "postgres", "postgresql+psycopg")
# One lock number for everybody who makes the tables, so that two at once make them once.
_CREATION_LOCK: Final = 0x746F6F6C


def actor() -> str:
    """Return who acts: `TOOLKIT_ACTOR`, else the user of the operating system.

    Returns
    -------
    str

    Examples
    --------
    >>> isinstance(actor(), str)
    True
    """
    try:
        return os.environ.get(ACTOR_VARIABLE) or getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def open_database(
    target: str | os.PathLike[str] | sa.Engine | None = None,
    *,
    read_only: bool | None = None,
    create: bool | None = None,
) -> Database:
    """Open a database and look at its tables; see `toolkit.connect`.

    Parameters
    ----------
    target : str, path or sqlalchemy.Engine, optional
        Where the tables are.
    read_only : bool, optional
        Refuse every write; when left out, only those to a snapshot.
    create : bool, optional
        Make what is missing.

    Returns
    -------
    Database

    Raises
    ------
    TargetError, DatabaseNotFound, ConnectionFailed, SchemaMismatch
    """
    given = target if target is not None else os.environ.get(URL_VARIABLE) or None
    creates = given is None if create is None else create
    profile = _profile(given)
    given = given if profile is None else profile.url
    why = _read_only_reason(read_only, profile)
    if why and create:
        raise InvalidOption(f"create=True needs to write, and {why} asked for read-only")
    wanted = DEFAULT_FILE if given is None else given
    database = _opened(wanted, why, profile, create=creates and not why)
    if database.tables.snapshot is not None and read_only is None and not why and not isinstance(wanted, sa.Engine):
        database.close()
        database = _opened(wanted, A_SNAPSHOT, profile, create=False)
    if database.whereabouts.row_security:
        warn_of_row_security(database.whereabouts.role)
    return database


def _opened(target: Any, why: str | None, profile: Profile | None, *, create: bool) -> Database:
    database = _database(target, why, create=create)
    database.actor = actor()
    database.profile = profile
    try:
        _prepare(database, create=create)
    except BaseException:
        database.close()
        raise
    return database


def warn_of_row_security(role: str | None) -> None:
    """Say that policies of the database may hide rows, which look as if they were not there.

    Parameters
    ----------
    role : str or None
        Who is connected.
    """
    warnings.warn(
        f"row security is active for role {role}: rows that its policies hide are missing from every result, without "
        "an error",
        DataWarning,
        stacklevel=3,
    )


def _profile(given: object) -> Profile | None:
    """Return the profile that a plain word names; it holds no password."""
    if not isinstance(given, str) or not _PROFILE.fullmatch(given) or given.endswith(SUFFIXES):
        return None
    profile = find_profile(given)
    if profile is not None and _has_password(profile.url):
        raise TargetError(
            f"profile {given!r} holds a password, which does not belong in that file; take it out and use PGPASSWORD "
            "or ~/.pgpass"
        )
    return profile


def _has_password(url: str) -> bool:
    try:
        parsed = sa.make_url(url) if "://" in url else None
    except (sa.exc.ArgumentError, ValueError):
        return False
    return parsed is not None and bool(parsed.password or "password" in parsed.query)


def _read_only_reason(
    read_only: bool | None,  # noqa: FBT001 - the caller's own argument
    profile: Profile | None,
) -> str | None:
    value = os.environ.get(READ_ONLY_VARIABLE, "").strip().lower()
    if value not in ("", "0", "false", "no"):
        return READ_ONLY_VARIABLE
    if profile is not None and profile.read_only:
        return f"the profile {profile.name!r}"
    return "read_only=True" if read_only else None


def _database(target: Any, read_only: str | None, *, create: bool) -> Database:
    if isinstance(target, sa.Engine):
        return _given(target, read_only)
    if not isinstance(target, str | os.PathLike):
        raise TargetError(f"connect takes {_FORMS}, not {type(target).__name__}")
    text = os.fspath(target)
    if text == MEMORY or text in ("sqlite://", "sqlite:///:memory:"):
        return _memory(read_only)
    scheme = re.match(r"([A-Za-z][\w+.-]*)://", text)
    if scheme is None:
        return _file(_path(text), read_only, create=create)
    if scheme[1] in _POSTGRESQL:
        return _server(text, read_only)
    if scheme[1] in ("sqlite", "sqlite+pysqlite"):
        return _file(_path_of_url(text), read_only, create=create)
    raise TargetError(_unknown_scheme(scheme[1]))


def _unknown_scheme(scheme: str) -> str:
    if scheme in ("http", "https"):
        return (
            "this is a web address, not a database URL. On Supabase, take the connection string that begins with "
            "postgresql:// from Project Settings, Database"
        )
    return f"the toolkit connects to PostgreSQL and SQLite, not to {scheme!r}; give {_FORMS}"


def _path(text: str) -> Path:
    if _LIKE_A_SECRET.search(text):
        raise TargetError(f"this is no URL the toolkit understands, nor a path; give {_FORMS}")
    if not text.endswith(SUFFIXES) and not (text and Path(text).is_dir()):
        raise TargetError(f"{text!r} is not understood; give {_FORMS}{near_profiles(text)}")
    return Path(text)


def _path_of_url(text: str) -> Path:
    body = text.partition("://")[2]
    if not body.startswith("/") or len(body) == 1 or "?" in body:
        raise TargetError(
            "an SQLite URL is sqlite:///file.db for a file in the working directory, sqlite:////data/file.db for an "
            "absolute path, without parameters"
        )
    return Path(urllib.parse.unquote(body[1:]))


def _given(engine: sa.Engine, read_only: str | None) -> Database:
    if engine.dialect.name not in DIALECTS:
        raise TargetError(_unknown_scheme(engine.dialect.name))
    one = isinstance(engine.pool, sa.StaticPool)
    opened = _locked(engine) if read_only and engine.dialect.name == "postgresql" else engine
    return Database(opened, _server_place(engine.url), read_only=read_only, owned=False, one_connection=one)


def _locked(engine: sa.Engine) -> sa.Engine:
    """Have the server refuse writes in every transaction, also in those begun past the toolkit's own.

    SQLAlchemy's option `postgresql_readonly` would leave the connections of somebody else's pool set to read and write.
    """
    opened = engine.execution_options()
    sa.event.listen(opened, "begin", _begin_read_only)
    return opened


def _begin_read_only(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _memory(read_only: str | None) -> Database:
    def opened() -> sqlite3.Connection:
        return sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)

    engine = sa.create_engine("sqlite://", creator=opened, poolclass=sa.StaticPool, hide_parameters=True)
    return Database(engine, "SQLite in memory", read_only=read_only, one_connection=True)


def _file(path: Path, read_only: str | None, *, create: bool) -> Database:
    absolute = path.expanduser().absolute()
    if not absolute.is_file():
        if absolute.exists():
            raise TargetError(f"{path} is a folder, not a database file; give {_FORMS}")
        if not create:
            raise DatabaseNotFound(f"there is no file {path}; connect({str(path)!r}, create=True) makes a new database")
        if not absolute.parent.is_dir():
            raise DatabaseNotFound(f"there is no folder {path.parent} to make {path.name} in")
    mode = "ro" if read_only else "rwc" if create else "rw"
    address = f"file:{urllib.parse.quote(str(absolute))}?mode={mode}"

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    engine = sa.create_engine("sqlite://", creator=opened, poolclass=sa.QueuePool, hide_parameters=True)
    return Database(engine, f"SQLite file {path}", read_only=read_only)


def _server(text: str, read_only: str | None) -> Database:
    url = _server_url(text)
    options = {
        "connect_timeout": str(url.query.get("connect_timeout", CONNECT_TIMEOUT)),
        "application_name": f"toolkit ({actor()})"[:63],
    }
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        execution_options={"postgresql_readonly": True} if read_only else {},
        # A transaction pooler hands each transaction another session: nothing may be prepared in one.
        connect_args={**options, "prepare_threshold": None},
    )
    database = Database(engine, _server_place(url), read_only=read_only)
    database.arrow_source = ArrowSource(engine, options, SETTINGS)
    return database


def _server_url(text: str) -> sa.URL:
    try:
        # With an @ too many, SQLAlchemy takes a part of the password for the host, and errors would show it.
        if text.count("@") <= 1:
            return sa.make_url(text).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError):
        # SQLAlchemy's message repeats the URL, and so the password.
        pass
    raise TargetError(
        "this PostgreSQL URL is not understood; it is postgresql://user:password@host:5432/database, with "
        "characters such as @ / : % in the password written as %40 %2F %3A %25"
    )


def _server_place(url: sa.URL) -> str:
    """Say where an engine leads; user name, password and parameters stay out."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {url.database}" if url.database else "SQLite"
    host = url.host or url.query.get("host") or "the local socket"
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL at {host}{port}/{url.database or ''}"


def _prepare(database: Database, *, create: bool) -> None:
    try:
        if create:
            _create(database)
        database.look()
    except ConnectionFailed as error:
        raise ConnectionFailed(f"cannot connect to {database.place}: {error}", cause=error.cause) from None
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{database.place}: {error}", cause=error.cause) from None


def _create(database: Database) -> None:
    """Make the two tables and the archive, in one transaction, only where neither table is."""
    if database.dialect.name == "sqlite" and database.engine.url.database is None:
        _write_ahead(database)
    with database.write() as connection:
        if database.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
        inspector = sa.inspect(connection)
        if inspector.has_table(VARIABLES) or inspector.has_table(RECORDS):
            return
        own_tables(database.dialect).create_all(connection)
        database.tables = found_tables(connection, database.dialect)
        ArchiveStorage(database).set_up()


def _write_ahead(database: Database) -> None:
    """Let readers and a writer work at once in a file that is new; another program's file keeps its own mode."""
    try:
        with database.engine.connect() as connection:
            empty = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0
            if empty:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    except sa.exc.SQLAlchemyError as error:
        raise translate(error) from None
