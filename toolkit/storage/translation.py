"""Driver errors become the toolkit's, in one place and without a value of any row.

The driver's own message prints the row (`Failing row contains (…)`, `Key (api_token)=(…)`), so nothing of it is
passed on but what PostgreSQL names in fields of their own: SQLSTATE, table, column and constraint.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

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
    ToolkitError,
)

_BY_STATE: Final[dict[str, tuple[type[ToolkitError], str]]] = {
    "25006": (ReadOnly, "this connection is read-only"),
    "42501": (PermissionMissing, "the role lacks a right that this call needs"),
    "42P01": (SchemaMismatch, "a table that this call needs is missing"),
    "42703": (SchemaMismatch, "a column that this call needs is missing"),
    "57014": (DatabaseTimeout, "the statement took longer than its limit, or was cancelled"),
    "55P03": (DatabaseTimeout, "another transaction holds the rows, and the wait for them took too long"),
    "40P01": (DatabaseTimeout, "two transactions waited for each other; run the call again"),
    "40001": (DatabaseTimeout, "another transaction changed the same rows first; run the call again"),
}
_BY_CLASS: Final[dict[str, tuple[type[ToolkitError], str]]] = {
    "08": (ConnectionFailed, "the connection to the server was lost; the next call opens a new one"),
    "57": (ConnectionFailed, "the server closed the connection; the next call opens a new one"),
    "28": (ConnectionFailed, "the server refused the login"),
    "23": (ConstraintViolated, "a constraint of the table refused a row"),
    "22": (InvalidValue, "the database cannot hold a value that was given"),
}
_SQLITE: Final[tuple[tuple[str, type[ToolkitError], str], ...]] = (
    ("not a database", SchemaMismatch, "the file is not an SQLite database"),
    ("malformed", SchemaMismatch, "the SQLite file is damaged"),
    ("readonly", ReadOnly, "this connection is read-only"),
    ("locked", DatabaseTimeout, "another process kept the database locked for too long"),
    ("unable to open", ConnectionFailed, "the SQLite file cannot be opened"),
    ("no such table", SchemaMismatch, "a table that this call needs is missing"),
    ("no such column", SchemaMismatch, "a column that this call needs is missing"),
    ("constraint failed", ConstraintViolated, "a constraint of the table refused a row"),
    ("full", DatabaseError, "the disk is full; nothing of the call was kept"),
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
        return _from_sqlite(original)
    diagnostic = getattr(original, "diag", None)
    cause = Cause(
        type(original or error).__name__,
        getattr(original, "sqlstate", None),
        *(getattr(diagnostic, name, None) for name in ("table_name", "column_name", "constraint_name")),
    )
    state = cause.sqlstate or ""
    kind, text = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or _unnamed(error)
    return kind(_sentence(text, cause), cause=cause)


def _unnamed(error: sa.exc.SQLAlchemyError) -> tuple[type[ToolkitError], str]:
    if isinstance(error, sa.exc.OperationalError) or getattr(error, "connection_invalidated", False):
        return _BY_CLASS["08"]
    if isinstance(error, sa.exc.TimeoutError):
        return ConnectionFailed, "no free connection within the time limit"
    return DatabaseError, "the database refused a statement"


def _sentence(text: str, cause: Cause) -> str:
    named = [("table", cause.table), ("column", cause.column), ("constraint", cause.constraint)]
    parts = [f"{what} {name}" for what, name in named if name]
    parts += [f"SQLSTATE {cause.sqlstate}"] if cause.sqlstate else []
    return f"{text} ({', '.join(parts)})" if parts else text


def _from_sqlite(original: sqlite3.Error) -> ToolkitError:
    message = str(original)
    cause = Cause(type(original).__name__, None, *_sqlite_names(message))
    for fragment, kind, text in _SQLITE:
        if fragment in message:
            return kind(_sentence(text, cause), cause=cause)
    return DatabaseError(_sentence("the database refused a statement", cause), cause=cause)


def _sqlite_names(message: str) -> tuple[Any, Any, Any]:
    """Return table, column and constraint; SQLite names `table.column` in constraints and never a value."""
    constraint = re.fullmatch(r"(\w+(?: \w+)?) constraint failed: (\w+)\.(\w+).*", message)
    if constraint:
        return constraint[2], constraint[3], constraint[1]
    table = re.fullmatch(r"no such table: ([\w.]+)", message)
    return (table[1] if table else None), None, None
