"""An archive in a file of one's own, for roles that may not make a schema on the server.

Two databases cannot end in one moment, so the file goes first: what a transaction of the server moves away is written
to tables beside the archive, under the number of that transaction, and committed before the server commits. Whoever
opens the file next asks the server what became of the transaction, and takes these rows over or throws them away.
Whenever either side dies, a row is in its table or in the file, and in one of the two when the file is read.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import warnings
from typing import TYPE_CHECKING, Final

import platformdirs
import sqlalchemy as sa

from toolkit.errors import DataWarning, SchemaMismatch
from toolkit.storage.database import Database
from toolkit.storage.dialects import DIALECTS
from toolkit.storage.tables import (
    ARCHIVED_RECORDS,
    ARCHIVED_VARIABLES,
    CHANGE_ID,
    SCHEMA_VERSION,
    Archive,
    Tables,
    archive_name,
    changes_table,
    names,
    version_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PLACE: Final = "change_place"
"""The column that numbers the rows of the file, and says in the server's tables which of them a row is."""

TRANSACTION: Final = "transaction_id"
"""The column that holds the number of a transaction of the server."""

_PENDING: Final = "pending_"
_BUSY_TIMEOUT: Final = 60.0
_DIALECT: Final = DIALECTS["sqlite"]
_CHANGES: Final = changes_table(_DIALECT)

PENDING_CHANGES: Final = sa.Table(
    _PENDING + _CHANGES.name,
    sa.MetaData(),
    sa.Column(TRANSACTION, sa.Text),
    *(sa.Column(column.name, column.type) for column in _CHANGES.columns),
)
"""Changes of transactions that may not have ended."""

UNDONE: Final = sa.Table(
    "pending_undone",
    sa.MetaData(),
    *(sa.Column(name, sa.Text) for name in (TRANSACTION, "id", "undone_at")),
)
"""Changes that such transactions undo."""

TAKEN: Final = sa.Table(
    "pending_taken",
    sa.MetaData(),
    *(sa.Column(name, sa.Text) for name in (TRANSACTION, "name")),
    sa.Column("place", sa.Integer),
)
"""Rows that they bring back, by table and number."""

_WHICH: Final = sa.text(
    "SELECT d.oid::text AS number, d.datname AS name, "
    "has_function_privilege('pg_control_system()', 'EXECUTE') AS known FROM pg_database d "
    "WHERE d.datname = current_database()"
)
_SERVER: Final = sa.text("SELECT system_identifier::text FROM pg_control_system()")

# A number that the server has not reached yet is that of a transaction which has just begun. One that it does not
# know any more ended long ago, and nobody can say how.
_ENDED: Final = sa.text(
    "SELECT t.id, CASE WHEN t.id::bigint >= txid_snapshot_xmax(txid_current_snapshot()) THEN 'in progress' "
    "ELSE coalesce(txid_status(t.id::bigint), 'unknown') END FROM unnest(CAST(:ids AS text[])) AS t (id)"
)


def place_of(connection: sa.Connection, database: Database) -> Path:
    """Return where the archive file of a server's database stands, or would stand.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the server, in a transaction.
    database : Database
        On PostgreSQL.

    Returns
    -------
    pathlib.Path
        In the user's data directory; the same by whichever way one connects, and another after a restore elsewhere.
    """
    found = connection.execute(_WHICH).one()
    url = database.engine.url
    server = connection.scalar(_SERVER) if found.known else f"{url.host}:{url.port}"
    number = hashlib.sha256(f"{server}/{found.number}".encode()).hexdigest()[:12]
    plain = re.sub(r"[^\w-]", "_", found.name)[:40]
    return platformdirs.user_data_path("toolkit") / "archives" / f"{plain}-{number}.db"


def make_file(path: Path) -> None:
    """Make an empty file that nobody else may read, and say when it lies where it could be shared by mistake.

    Parameters
    ----------
    path : pathlib.Path
        Where; one that is there already is left as it is.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # With its rights from the first moment: SQLite gives its journals the same.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    warn_in_work_tree("archive", path)


def warn_in_work_tree(what: str, path: Path) -> None:
    """Say when a file with secrets lies where it could be shared by mistake.

    Parameters
    ----------
    what : str
        What the file is.
    path : pathlib.Path
        Where it is.
    """
    if any((folder / ".git").exists() for folder in path.absolute().parents):
        warnings.warn(
            f"the {what} {path} lies in a git work tree, and keeps whole rows, secrets included: have git ignore it",
            DataWarning,
            stacklevel=3,
        )


class ArchiveFile:
    """The archive of a server's database in a file.

    Parameters
    ----------
    path : pathlib.Path
        Of the file, which is there.
    server : Database
        On PostgreSQL.

    Attributes
    ----------
    path : pathlib.Path
        Of the file.
    changes : sqlalchemy.Table
        Its list of changes.
    database : Database
        The file, with the archive's tables as any SQLite database has them, but for a number in each row.
    """

    def __init__(self, path: Path, server: Database) -> None:
        def opened() -> sqlite3.Connection:
            driver = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
            driver.execute("PRAGMA secure_delete = ON")
            return driver

        self.path = path
        self.changes = _CHANGES
        engine = sa.create_engine("sqlite://", creator=opened, poolclass=sa.NullPool, hide_parameters=True)
        self.database = Database(engine, f"SQLite file {path}")
        self.database.actor = server.actor
        self._tables: dict[str, sa.Table] = {}
        with self.database.write() as connection:
            self._prepare(connection)
            variables = self.table(connection, ARCHIVED_VARIABLES, names(server.tables.variables))
            records = self.table(connection, ARCHIVED_RECORDS, names(server.tables.records))
        archive = Archive(_CHANGES, variables, records)
        self.database.tables = Tables(server.tables.variables, server.tables.records, archive=archive)

    @staticmethod
    def _prepare(connection: sa.Connection) -> None:
        version = version_table(_DIALECT)
        version.create(connection, checkfirst=True)
        found = connection.scalar(sa.select(sa.func.max(version.c.version)))
        if found is None:
            connection.execute(sa.insert(version).values(version=SCHEMA_VERSION))
        elif found > SCHEMA_VERSION:
            raise SchemaMismatch(
                f"the archive file was made by a newer toolkit (version {found}, this one knows {SCHEMA_VERSION}); "
                "pip install --upgrade toolkit"
            )
        for table in (_CHANGES, PENDING_CHANGES, UNDONE, TAKEN):
            table.create(connection, checkfirst=True)

    def table(self, connection: sa.Connection, name: str, listed: Iterable[str]) -> sa.Table:
        """Return a table of the file that keeps rows, made where it is missing; every value of it is text.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            To the file, in a transaction that writes.
        name : str
            Of the table in the archive.
        listed : iterable of str
            The columns that it must have.

        Returns
        -------
        sqlalchemy.Table
            With all columns that it has.
        """
        known = self._tables.get(name)
        if known is not None and set(listed) <= set(names(known)):
            return known
        own = archive_name(_DIALECT, name)[1]
        columns = dict.fromkeys([CHANGE_ID, "change_written", *listed])
        inspector = sa.inspect(connection)
        if inspector.has_table(own):
            there = [each["name"] for each in inspector.get_columns(own) if each["name"] != PLACE]
            columns = dict.fromkeys([*there, *columns])
            _add_text(connection, own, [each for each in columns if each not in there])
        kept = _kept(own, columns)
        for each in (kept, pending_of(kept)):
            each.create(connection, checkfirst=True)
        self._tables[name] = kept
        return kept

    def settle(self, server: sa.Connection) -> None:
        """Take over what ended transactions of the server had written here first, and throw away what they had not.

        Parameters
        ----------
        server : sqlalchemy.Connection
            To the server, in a transaction.
        """
        pending = self._pending()
        if not pending:
            return
        ended = {row[0]: row[1] for row in server.execute(_ENDED, {"ids": pending})}
        with self.database.write() as connection:
            kept = self._all_tables(connection)
            for number in pending:
                if ended[number] in ("committed", "unknown"):
                    _take_over(connection, number, kept, sure=ended[number] == "committed")
                if ended[number] != "in progress":
                    for table in (*(pending_of(each) for each in kept), PENDING_CHANGES, UNDONE, TAKEN):
                        connection.execute(sa.delete(table).where(table.c[TRANSACTION] == number))

    def number_of_changes(self) -> int:
        """Count the changes that stand in the list.

        Returns
        -------
        int
        """
        with self.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(_CHANGES)) or 0

    def _pending(self) -> list[str]:
        asked = sa.union(*(sa.select(table.c[TRANSACTION]) for table in (PENDING_CHANGES, UNDONE, TAKEN)))
        with self.database.read() as connection:
            return sorted(connection.scalars(asked), key=int)

    def _all_tables(self, connection: sa.Connection) -> list[sa.Table]:
        prefix, ending = archive_name(_DIALECT, "")[1], "archived_"
        found = [name for name in sa.inspect(connection).get_table_names() if name.startswith(prefix + ending)]
        return [self.table(connection, name.removeprefix(prefix), ()) for name in found]


def _take_over(connection: sa.Connection, number: str, kept: Sequence[sa.Table], *, sure: bool) -> None:
    """Make what a transaction wrote a part of the archive; where nobody knows how it ended, nothing is given up."""
    for table in kept:
        pending = pending_of(table)
        listed = names(table, without=[PLACE])
        rows = sa.select(*(pending.c[name] for name in listed)).where(pending.c[TRANSACTION] == number)
        connection.execute(sa.insert(table).from_select(listed, rows))
        if sure:
            places = sa.select(TAKEN.c.place).where(TAKEN.c[TRANSACTION] == number, TAKEN.c.name == table.name)
            connection.execute(sa.delete(table).where(table.c[PLACE].in_(places)))
    columns = [PENDING_CHANGES.c[name] for name in names(_CHANGES)]
    rows = sa.select(*columns).where(PENDING_CHANGES.c[TRANSACTION] == number)
    connection.execute(sa.insert(_CHANGES).from_select(names(_CHANGES), rows))
    if sure:
        mine = UNDONE.c[TRANSACTION] == number
        moment = sa.select(UNDONE.c.undone_at).where(mine, UNDONE.c.id == _CHANGES.c.id)
        ids = sa.select(UNDONE.c.id).where(mine)
        connection.execute(sa.update(_CHANGES).where(_CHANGES.c.id.in_(ids)).values(undone_at=moment.scalar_subquery()))


def _kept(own: str, columns: Iterable[str]) -> sa.Table:
    # Numbers are never given twice: another transaction may still mean a row by its own.
    place = sa.Column(PLACE, sa.Integer, primary_key=True, autoincrement=True)
    text = [sa.Column(name, sa.Text, index=name == CHANGE_ID) for name in columns]
    return sa.Table(own, sa.MetaData(), place, *text, sqlite_autoincrement=True)


def pending_of(kept: sa.Table) -> sa.Table:
    """Return the table that stands beside one of the archive, for rows of transactions that may not have ended.

    Parameters
    ----------
    kept : sqlalchemy.Table
        Of the file.

    Returns
    -------
    sqlalchemy.Table
        The same columns, with the number of the transaction instead of that of the row.
    """
    listed = [TRANSACTION, *names(kept, without=[PLACE])]
    return sa.Table(_PENDING + kept.name, sa.MetaData(), *(sa.Column(name, sa.Text) for name in listed))


def _add_text(connection: sa.Connection, own: str, listed: Sequence[str]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    for table in (own, _PENDING + own):
        for name in listed:
            connection.exec_driver_sql(f"ALTER TABLE {quote(table)} ADD COLUMN {quote(name)} TEXT")
