"""Driver errors become the toolkit's, in one place and without a value of any row.

The driver's own message prints the row (`Failing row contains (…)`, `Key (api_token)=(…)`), so nothing of it is
passed on but what names things: SQLSTATE, table, column and constraint.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final, NamedTuple

import sqlalchemy as sa

from toolkit.errors import (
    Cause,
    ConnectionFailed,
    ConstraintViolated,
    DatabaseError,
    DatabaseTimeout,
    InvalidValue,
    PermissionMissing,
    ReadOnly,
    SchemaMismatch,
    TargetError,
    ToolkitError,
)

_Meaning = tuple[type[ToolkitError], str]

_NO_TABLE: Final[_Meaning] = (SchemaMismatch, "a table that this call needs is missing")
_NO_COLUMN: Final[_Meaning] = (SchemaMismatch, "a column that this call needs is missing")
_NO_RIGHT: Final[_Meaning] = (PermissionMissing, "the role lacks a right that this call needs")
_READ_ONLY: Final[_Meaning] = (ReadOnly, "this connection is read-only")
_CONSTRAINT: Final[_Meaning] = (ConstraintViolated, "a constraint of the table refused a row")
_VALUE: Final[_Meaning] = (InvalidValue, "the database cannot hold a value that was given")
_LOST: Final[_Meaning] = (ConnectionFailed, "the connection to the server was lost; the next call opens a new one")
_LOGIN: Final[_Meaning] = (
    ConnectionFailed,
    "the server refused the user name or the password; the password may also stand in PGPASSWORD or in ~/.pgpass",
)
_ANYTHING: Final[_Meaning] = (DatabaseError, "the database refused a statement")

_BY_STATE: Final[dict[str, _Meaning]] = {
    "25006": _READ_ONLY,
    "42501": _NO_RIGHT,
    "42P01": _NO_TABLE,
    "42703": _NO_COLUMN,
    "57014": (DatabaseTimeout, "the statement took longer than its limit, or was cancelled"),
    "55P03": (DatabaseTimeout, "another transaction holds the rows, and the wait for them took too long"),
    "40P01": (DatabaseTimeout, "two transactions waited for each other; run the call again"),
    "40001": (DatabaseTimeout, "another transaction changed the same rows first; run the call again"),
    "3D000": (ConnectionFailed, "there is no database of that name on the server"),
    "53300": (ConnectionFailed, "the server has no connection left; close others, or use its pooler"),
}
_BY_CLASS: Final[dict[str, _Meaning]] = {
    "08": _LOST,
    "57": (ConnectionFailed, "the server closed the connection; the next call opens a new one"),
    "28": _LOGIN,
    "23": _CONSTRAINT,
    "22": _VALUE,
}

_NO_SERVER: Final[_Meaning] = (
    ConnectionFailed,
    "no server answers there. Is it running, are host and port right, and may this machine reach it?",
)
_NO_HOST: Final[_Meaning] = (
    ConnectionFailed,
    "no host of that name is known; is it spelled right, and is this machine online?",
)
_ONLY_IPV6: Final[_Meaning] = (
    ConnectionFailed,
    "the host has only an IPv6 address, out of this machine's reach; on Supabase take the address of the pooler",
)
_ENCRYPTION: Final[_Meaning] = (
    ConnectionFailed,
    "the server and this machine do not agree on encryption; look at sslmode in the URL",
)
_PARAMETER: Final[_Meaning] = (
    TargetError,
    "the URL holds a parameter, or a value of one, that PostgreSQL does not know",
)
# A connection that never came to be has no SQLSTATE; the words of libpq and of the server are all there is.
_BY_WORDS: Final[tuple[tuple[str, _Meaning], ...]] = (
    (r"^invalid URI query parameter|^invalid connection option|^bad value for|^connection is bad: invalid", _PARAMETER),
    (r"authentication failed|no password supplied|role \".*\" does not exist|pg_hba\.conf|permitted to log in", _LOGIN),
    (r"database \".*\" does not exist", _BY_STATE["3D000"]),
    (r"too many (clients|connections)|remaining connection slots", _BY_STATE["53300"]),
    (r"failed to resolve host|could not translate host name", _NO_HOST),
    (
        r"(?s)^(?!.*[\"(]\d+\.\d+\.\d+\.\d+[\")]).*[\"(][\da-f]*:[\da-f:]+[\")].*(unreachable|Cannot assign|No route)",
        _ONLY_IPV6,
    ),
    (r"does not support SSL|SSL error|certificate", _ENCRYPTION),
    (r"connection failed|connection is bad|connection timeout|Connection refused", _NO_SERVER),
)

# What the messages of these three name is an identifier of the statement, never a value.
_NAMING_STATES: Final = frozenset({"42P01", "42703", "42501"})
_NAMED_TABLE: Final = re.compile(r"(?:relation|table|view|sequence) \"?(?:\w+\.)?(\w+)")
_NAMED_COLUMN: Final = re.compile(r"column \"?(?:\w+\.)?(\w+)")

_BY_CODE: Final[dict[int, _Meaning]] = {
    sqlite3.SQLITE_NOTADB: (SchemaMismatch, "the file is not an SQLite database"),
    sqlite3.SQLITE_CORRUPT: (SchemaMismatch, "the SQLite file is damaged"),
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_BUSY: (DatabaseTimeout, "another process kept the database locked for too long"),
    sqlite3.SQLITE_LOCKED: (DatabaseTimeout, "another connection kept the table locked for too long"),
    sqlite3.SQLITE_CANTOPEN: (ConnectionFailed, "the SQLite file cannot be opened"),
    sqlite3.SQLITE_CONSTRAINT: _CONSTRAINT,
    sqlite3.SQLITE_TOOBIG: _VALUE,
    sqlite3.SQLITE_MISMATCH: _VALUE,
    sqlite3.SQLITE_FULL: (DatabaseError, "the disk is full; nothing of the call was kept"),
    sqlite3.SQLITE_IOERR: (DatabaseError, "the disk could not be read or written; nothing of the call was kept"),
}


class _SQLiteNames(NamedTuple):
    """What a message of SQLite names; it never holds a value."""

    table: str | None = None
    column: str | None = None
    constraint: str | None = None


_SQLITE_MESSAGES: Final = (
    re.compile(r"(?P<constraint>[A-Z ]+) constraint failed(?:: (?P<table>\w+)\.(?P<column>\w+))?"),
    re.compile(r"no such table: (?:main\.)?(?P<table>\w+)"),
    re.compile(r"no such column: (?:(?P<table>\w+)\.)?(?P<column>\w+)"),
    re.compile(r"table (?P<table>\w+) has no column named (?P<column>\w+)"),
)


def translate(error: sa.exc.SQLAlchemyError) -> ToolkitError:
    """Return the toolkit's error for one of SQLAlchemy's.

    Parameters
    ----------
    error : sqlalchemy.exc.SQLAlchemyError
        As a statement or a connection raised it.

    Returns
    -------
    ToolkitError
        To be raised `from None`; its `cause` says what the database named.
    """
    original = getattr(error, "orig", None)
    if isinstance(original, sqlite3.Error):
        return from_sqlite(original)
    cause = _cause(original or error)
    state = cause.sqlstate or ""
    kind, text = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or _unnamed(error, original)
    return kind(_sentence(text, cause), cause=cause)


def _cause(original: BaseException) -> Cause:
    diagnostic = getattr(original, "diag", None)
    state: str | None = getattr(original, "sqlstate", None)
    table, column, constraint = (
        getattr(diagnostic, name, None) for name in ("table_name", "column_name", "constraint_name")
    )
    if state in _NAMING_STATES:
        message = str(getattr(diagnostic, "message_primary", None) or "")
        table, column = table or _first(_NAMED_TABLE, message), column or _first(_NAMED_COLUMN, message)
    return Cause(type(original).__name__, state, table, column, constraint)


def _first(pattern: re.Pattern[str], message: str) -> str | None:
    found = pattern.search(message)
    return found[1] if found else None


def _unnamed(error: sa.exc.SQLAlchemyError, original: BaseException | None) -> _Meaning:
    """Return what an error without a SQLSTATE means."""
    if isinstance(error, sa.exc.TimeoutError):
        return ConnectionFailed, "no free connection within the time limit"
    if isinstance(error, sa.exc.DBAPIError):
        for words, meaning in _BY_WORDS:
            if re.search(words, str(original)):
                return meaning
        if isinstance(error, sa.exc.OperationalError) or error.connection_invalidated:
            return _LOST
    return _ANYTHING


def _sentence(text: str, cause: Cause) -> str:
    named = [("table", cause.table), ("column", cause.column), ("constraint", cause.constraint)]
    parts = [f"{what} {name}" for what, name in named if name]
    parts += [f"SQLSTATE {cause.sqlstate}"] if cause.sqlstate else []
    return f"{text} ({', '.join(parts)})" if parts else text


def from_sqlite(original: sqlite3.Error) -> ToolkitError:
    """Return the toolkit's error for one of Python's SQLite module.

    Parameters
    ----------
    original : sqlite3.Error
        As it was raised.

    Returns
    -------
    ToolkitError
        To be raised `from None`.
    """
    names = _sqlite_names(str(original))
    # What Python's module raises by itself has no code; the low byte is the code without its details.
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    kind, text = _BY_CODE.get(code) or _plain_sqlite(names)
    cause = Cause(type(original).__name__, None, *names)
    return kind(_sentence(text, cause), cause=cause)


def _plain_sqlite(names: _SQLiteNames) -> _Meaning:
    if names.column:
        return _NO_COLUMN
    return _NO_TABLE if names.table else _ANYTHING


def _sqlite_names(message: str) -> _SQLiteNames:
    for pattern in _SQLITE_MESSAGES:
        found = pattern.match(message)
        if found:
            return _SQLiteNames(**found.groupdict())
    return _SQLiteNames()


def from_arrow_driver(error: BaseException) -> ToolkitError:
    """Return the toolkit's error for one of the driver that reads straight into Arrow.

    Parameters
    ----------
    error : BaseException
        As the driver, or Arrow's reader over it, raised it.

    Returns
    -------
    ToolkitError
        To be raised `from None`.
    """
    state: str | None = getattr(error, "sqlstate", None)
    cause = Cause(type(error).__name__, state)
    known = _BY_STATE.get(state or "") or _BY_CLASS.get((state or "")[:2])
    kind, text = known or _by_arrow_words(str(error))
    return kind(_sentence(text, cause), cause=cause)


def _by_arrow_words(message: str) -> _Meaning:
    """Return what an error of Arrow's reader means, which has no SQLSTATE; what it says is not passed on."""
    if "canceling statement" in message:
        return _BY_STATE["57014"]
    return _ANYTHING if "ERROR:" in message else _LOST
