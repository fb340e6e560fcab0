"""Where the archive of a database is, and how statements reach it.

On PostgreSQL it is a schema, or, for roles that may not make one, a file; on SQLite it is tables of the same file.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final, Self

import sqlalchemy as sa

from toolkit.errors import ArchiveMissing, InvalidOption, PermissionMissing
from toolkit.model import counted
from toolkit.storage import archive_file, archive_tables
from toolkit.storage.archive_file import ArchiveFile
from toolkit.storage.archive_tables import WRITTEN
from toolkit.storage.aside import Aside, temporary
from toolkit.storage.tables import ARCHIVE_SCHEMA, ARCHIVED_RECORDS, ARCHIVED_VARIABLES, Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.storage.database import Database

SCHEMA: Final = "schema"
FILE: Final = "file"

_MAKING: Final = "service.setup_archive() makes one for the changes to come"
_TO_GO_ON: Final = (
    "nothing was written. Type:\n"
    "    service.setup_archive()               # once: a schema of its own, or a file where the role may make none\n"
    "    service.setup_archive(where='file')   # once: a file on this machine, for you alone (PostgreSQL)\n"
    "or pass archive=False to remove them for good"
)


class ArchivePlace:
    """Where the archive of one database is: in tables of its own, or in a file of this machine.

    Parameters
    ----------
    database : Database
        Open, with its tables looked at.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dialect = database.dialect
        self._file: ArchiveFile | None = None
        self._asides: weakref.WeakKeyDictionary[sa.Connection, Aside] = weakref.WeakKeyDictionary()

    @property
    def file(self) -> ArchiveFile | None:
        """The file that is the archive; None where the database has its own, and where there is none at all."""
        if self.database.tables.archive is not None or self.dialect.name == "sqlite":
            return None
        if self._file is None:
            with self.database.read() as connection:
                path = archive_file.place_of(connection, self.database)
            self._file = ArchiveFile(path, self.database) if path.is_file() else None
        return self._file

    @property
    def is_there(self) -> bool:
        """Whether there is an archive."""
        return self.database.tables.archive is not None or self.file is not None

    @property
    def home(self) -> Self:
        """The archive as it lies, for calls that touch no row of the tables: itself, or that of the file."""
        file = self.file
        if file is None:
            return self
        with self.database.read() as connection:
            file.settle(connection)
        return type(self)(file.database)

    @property
    def kept(self) -> Archive:
        """The tables of the archive, for a call that only looks at what is in them.

        Raises
        ------
        ArchiveMissing
            Where nobody has set one up.
        """
        own = self.database.tables.archive
        if own is not None:
            return own
        file = self.file
        if file is None:
            raise ArchiveMissing(
                f"there is no archive here, so no change was written down and none can be undone. {_MAKING}"
            )
        variables, records = (temporary(name, table) for table, name in self._sources())
        return Archive(file.changes, variables, records)

    def _sources(self) -> tuple[tuple[sa.Table, str], tuple[sa.Table, str]]:
        tables = self.database.tables
        return (tables.variables, ARCHIVED_VARIABLES), (tables.records, ARCHIVED_RECORDS)

    def open(self, connection: sa.Connection) -> None:
        """Have somewhere to move rows to, or refuse to go on.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that writes.

        Raises
        ------
        ArchiveMissing
            Where nobody has set an archive up.
        """
        if not self.is_there:
            raise ArchiveMissing(f"this call removes rows, and there is no archive to keep them in; {_TO_GO_ON}")
        if self.file is not None:
            for table, name in self._sources():
                self.aside(connection).table(name, table)
        elif any(WRITTEN not in table.c for table in (self.kept.records, self.kept.variables)):
            raise ArchiveMissing(f"the archive here is of an earlier form; {_TO_GO_ON}")

    def aside(self, connection: sa.Connection) -> Aside:
        """Return what a transaction moves to the file, or brings back from it.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that writes.

        Returns
        -------
        Aside
        """
        found = self._asides.get(connection)
        if found is None:
            if self.file is None:
                raise ArchiveMissing("there is no archive file")
            found = self._asides[connection] = Aside(self.file, connection)
        return found

    def keep_like(self, connection: sa.Connection, name: str, table: sa.Table) -> sa.Table:
        """Make a table of the archive for rows of another table, where it is missing.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that writes.
        name : str
            Of the new table.
        table : sqlalchemy.Table
            Whose rows it is going to keep.

        Returns
        -------
        sqlalchemy.Table
        """
        if self.file is not None:
            return self.aside(connection).table(name, table)
        made = archive_tables.make_like(connection, self.database, name, table)
        if made.schema is not None:
            archive_tables.lock_away(connection, name)
        return made

    def bring(self, connection: sa.Connection, change_id: str, name: str, table: sa.Table) -> sa.Table:
        """Have the rows that a change moved away where statements can reach them.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that writes.
        change_id : str
            Of the receipt.
        name : str
            Of the table in the archive.
        table : sqlalchemy.Table
            Whose rows it keeps.

        Returns
        -------
        sqlalchemy.Table
            Of the archive.
        """
        if self.file is None:
            return archive_tables.kept_table(self.database, name, table)
        self.aside(connection).load(change_id, name, table)
        return temporary(name, table)

    def bring_rows(self, connection: sa.Connection, change_id: str) -> None:
        """Have the variables and records that a change moved away where statements can reach them.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that writes.
        change_id : str
            Of the receipt.
        """
        self.open(connection)
        for table, name in self._sources():
            self.bring(connection, change_id, name, table)

    def set_up(self, where: str | None = None) -> str:
        """Make the archive where it is missing.

        Parameters
        ----------
        where : {"schema", "file"}, optional
            On PostgreSQL; when left out, a schema, or a file where the role may not make one.

        Returns
        -------
        str
            Where it is, for people.

        Raises
        ------
        InvalidOption, PermissionMissing
        """
        if where not in (None, SCHEMA, FILE):
            raise InvalidOption(f"where={where!r} is none of {SCHEMA}, {FILE}")
        if where == FILE and (self.dialect.name == "sqlite" or self.database.tables.archive is not None):
            raise InvalidOption("this database has an archive of its own; where='file' is for one that has none")
        with self.database.write() as connection:
            if self._goes_to_file(connection, where):
                path = archive_file.place_of(connection, self.database)
                archive_file.make_file(path)
                return f"file {path}"
            archive_tables.make(connection, self.database)
        return "tables of this file" if self.dialect.name == "sqlite" else f"schema {ARCHIVE_SCHEMA}"

    def _goes_to_file(self, connection: sa.Connection, where: str | None) -> bool:
        if self.dialect.name == "sqlite" or where == FILE:
            return where == FILE
        file = self.file
        if file is not None:
            file.settle(connection)
            number = file.number_of_changes()
            if where == SCHEMA and number:
                raise InvalidOption(
                    f"the archive is a file with {counted(number, 'change')}, which could not be undone from a "
                    "schema; purge them first, or leave out where="
                )
            return where is None
        if archive_tables.may_make(connection):
            return False
        if where == SCHEMA:
            raise PermissionMissing(
                f"the role {self.database.whereabouts.role} may not make the schema {ARCHIVE_SCHEMA}. Ask the owner "
                "to make it, or keep the archive on this machine. Type:\n"
                "    service.setup_archive(where='file')"
            )
        return True

    def before_commit(self, connection: sa.Connection, call: Callable[[sa.Connection], None]) -> None:
        """Have something done when everything else of a transaction is.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction.
        call : callable
            Of the connection.
        """
        if self.file is None:
            sa.event.listen(connection, "commit", call)
        else:
            self.aside(connection).before_end(call)
