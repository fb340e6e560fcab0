"""The error family. Every error the toolkit raises on purpose is a `ToolkitError`.

Each is also the builtin that a Python user would catch::

    ToolkitError
    ├── TargetError            ValueError        what `connect` was given cannot be understood
    ├── DatabaseNotFound       FileNotFoundError no database file stands there
    ├── ConnectionFailed       ConnectionError   no server, no access, or the connection was lost
    ├── SchemaMismatch         LookupError       a table or column is missing, or it is no database
    ├── ServiceClosed          RuntimeError      the service was closed
    ├── ReadOnly               PermissionError   the connection is read-only
    ├── RevealForbidden        PermissionError   the profile never shows secrets
    ├── DatabaseError          RuntimeError      the database refused a statement
    │   ├── ConstraintViolated ValueError        a unique, foreign key or check constraint
    │   ├── PermissionMissing  PermissionError   the role lacks a right
    │   └── DatabaseTimeout    TimeoutError      a statement or a lock took too long
    ├── WorkflowNotFound       KeyError
    ├── VariableNotFound       KeyError
    ├── RecordNotFound         KeyError
    ├── RecordExists           ValueError        `mode="create"` met an existing record
    ├── RunExists              ValueError        a test run of that name was imported before
    ├── InvalidValue           ValueError        a value that JSON or a column cannot hold
    │   ├── HiddenValue        ValueError        a mask was about to be written as data
    │   └── CorruptValue       ValueError        stored text that is not JSON
    ├── InvalidPattern         ValueError        an empty pattern or alternative
    ├── InvalidPath            ValueError        a path outside the grammar, or in conflict
    ├── InvalidOption          ValueError        an argument outside what is allowed
    ├── NothingSelected        ValueError        a clear without a selection
    ├── ExpectationFailed      ValueError        `expect=` differs from what a plan takes
    ├── StalePlan              RuntimeError      planned rows changed before the plan was applied
    ├── AlreadyDone            RuntimeError      the change was applied or undone before
    ├── ChangeNotFound         KeyError          no change has that id
    ├── ArchiveMissing         RuntimeError      nowhere to keep rows that a call would remove
    ├── ImportFailed           ValueError        a report, or a notebook, that cannot be read
    └── MissingExtra           ImportError       an optional package is not installed

Beside it stands one warning, `DataWarning` (a `UserWarning`): stored data that a frame cannot show as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """What the database said, without any value of a row.

    Attributes
    ----------
    error_class : str
        Name of the driver's error class.
    sqlstate : str or None
        The five-character SQLSTATE code; None on SQLite.
    table, column, constraint : str or None
        What the error concerns, where the database says so.
    """

    error_class: str
    sqlstate: str | None = None
    table: str | None = None
    column: str | None = None
    constraint: str | None = None


class ToolkitError(Exception):
    """Base of every error the toolkit raises.

    Parameters
    ----------
    message : str
        What was given, what is allowed, and what to type next.
    cause : Cause or None
        For errors of a database: its class, SQLSTATE, table, column and constraint.

    Examples
    --------
    >>> import toolkit
    >>> try:
    ...     toolkit.connect("nowhere.db")
    ... except toolkit.ToolkitError as error:
    ...     print(type(error).__name__)
    DatabaseNotFound
    """

    cause: Cause | None = None

    def __init__(self, message: str, *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause

    def __str__(self) -> str:
        # KeyError would show the message with quotes around it.
        return str(self.args[0]) if self.args else ""


class TargetError(ToolkitError, ValueError):
    """What `connect` was given is no URL, path, profile or engine it understands."""


class DatabaseNotFound(ToolkitError, FileNotFoundError):
    """No database file stands at the path given."""


class ConnectionFailed(ToolkitError, ConnectionError):
    """The server cannot be reached, refuses the login, or dropped the connection."""


class SchemaMismatch(ToolkitError, LookupError):
    """A table or column the toolkit needs is missing, or the file is no database."""


class ServiceClosed(ToolkitError, RuntimeError):
    """The service was closed and cannot be used any more."""


class ReadOnly(ToolkitError, PermissionError):
    """A write was asked of a read-only connection."""


class RevealForbidden(ToolkitError, PermissionError):
    """Secrets were asked for, and the profile says that they are never shown."""


class DatabaseError(ToolkitError, RuntimeError):
    """The database refused a statement; `cause` says what it named."""


class ConstraintViolated(DatabaseError, ValueError):
    """A unique, foreign key, not-null or check constraint refused a row."""


class PermissionMissing(DatabaseError, PermissionError):
    """The role lacks a right the call needs."""


class DatabaseTimeout(DatabaseError, TimeoutError):
    """A statement or a lock took longer than its limit."""


class WorkflowNotFound(ToolkitError, KeyError):
    """No workflow has that id or name."""


class VariableNotFound(ToolkitError, KeyError):
    """No variable of that key exists in the workflow."""


class RecordNotFound(ToolkitError, KeyError):
    """No record of that id exists in the workflow."""


class RecordExists(ToolkitError, ValueError):
    """A record of that id exists, and `mode="create"` does not replace."""


class RunExists(ToolkitError, ValueError):
    """A run of that name exists, and `replace=True` was not given."""


class InvalidValue(ToolkitError, ValueError):
    """A value that JSON, or the column it goes to, cannot hold on every database."""


class HiddenValue(InvalidValue):
    """A value that holds the mask `[hidden]` was about to be written as data."""


class CorruptValue(InvalidValue):
    """Text in the database that should be JSON and is not."""


class InvalidPattern(ToolkitError, ValueError):
    """A pattern that is empty or holds an empty alternative."""


class InvalidPath(ToolkitError, ValueError):
    """A path outside the grammar or the four parts, or two paths that contradict."""


class InvalidOption(ToolkitError, ValueError):
    """An argument outside what the call allows."""


class NothingSelected(ToolkitError, ValueError):
    """A clear without any selection, and without `everything=True`."""


class ExpectationFailed(ToolkitError, ValueError):
    """The number of rows a plan takes is not the number given as `expect=`."""


class StalePlan(ToolkitError, RuntimeError):
    """Rows of a plan changed or went before it was applied; nothing was touched."""


class AlreadyDone(ToolkitError, RuntimeError):
    """The change was applied, or undone, before; nothing was changed now. Its `receipt` says what was done."""

    receipt: Any = None


class ChangeNotFound(ToolkitError, KeyError):
    """No change of that id is in the archive."""


class ArchiveMissing(ToolkitError, RuntimeError):
    """There is nowhere to keep rows that the call would remove; nothing was written."""


class ImportFailed(ToolkitError, ValueError):
    """A report, or a notebook, that cannot be read, named with the place where it breaks."""


class MissingExtra(ToolkitError, ImportError):
    """An optional package is not installed; the message holds the `pip install` line."""


class DataWarning(UserWarning):
    """Stored data that a frame cannot show as it is, such as an infinite time or text that is no JSON."""
