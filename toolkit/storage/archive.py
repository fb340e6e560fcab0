"""What a change moved away: where it is kept, and the list of changes; `restore` brings it back.

Every call that removes a row moves it here first, in the same transaction, column by column: never as JSON, which
would turn a JSON `null` into an SQL NULL.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns
from toolkit.errors import ArchiveMissing
from toolkit.model import Receipt
from toolkit.storage import archive_tables, bulk, digests
from toolkit.storage.archive_tables import WRITTEN
from toolkit.storage.tables import CHANGE_ID, Archive, names

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from toolkit.storage.database import Database
    from toolkit.storage.dialects import Condition

REPLACE: Final = "replace"
"""The kind of change whose rows are copied and stay, because the next statement replaces them."""

UPDATE: Final = "update"
"""Likewise: the kind of change that writes an edited frame back."""

IN_PLACE: Final = (REPLACE, UPDATE)

PURGE: Final = "purge"
"""The kind of change that forgot others for good."""

CHANGE_COLUMNS: Final = (
    "id",
    "kind",
    columns.WORKFLOW_ID,
    "actor",
    "reason",
    "selection",
    "variables",
    "records",
    "created_at",
    "undone_at",
)

_TURNS: Final = 0x746F6F6C
"""Beside the workflow's id, what the number of the lock is made from."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a change takes, and why.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    kind : str
        `clear`, `delete`, `stale`, or `replace` for rows that are copied and stay.
    variables, records : SQLAlchemy condition or None
        Which rows of each table go; None takes none.
    reason : str or None
        Why.
    selection : mapping of str to object
        The filters, as plain JSON without values.
    """

    workflow_id: str
    kind: str
    variables: Condition | None = None
    records: Condition | None = None
    reason: str | None = None
    selection: Mapping[str, Any] | None = None

    def of(self, database: Database, table: sa.Table) -> Condition | None:
        """Return the condition on one of the two tables."""
        return self.variables if table is database.tables.variables else self.records


class ArchiveStorage:
    """The archive of one database.

    Parameters
    ----------
    database : Database
        Open, with its tables looked at.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dialect = database.dialect

    @property
    def tables(self) -> Archive:
        """The tables of the archive.

        Raises
        ------
        ArchiveMissing
            Where nobody has set one up.
        """
        archive = self.database.tables.archive
        if archive is None:
            raise ArchiveMissing(
                "this call removes rows, and there is no archive to keep them in; nothing was written. Type:\n"
                "    service.setup_archive()   # once, makes the archive's own tables\n"
                "or pass archive=False to remove them for good"
            )
        if WRITTEN not in archive.records.c or WRITTEN not in archive.variables.c:
            raise ArchiveMissing(
                "the archive here is of an earlier form; nothing was written. Type:\n"
                "    service.setup_archive()   # once, brings the archive's own tables up to date\n"
                "or pass archive=False to remove rows for good"
            )
        return archive

    def check_there(self) -> None:
        """Refuse to go on where there is no archive.

        Raises
        ------
        ArchiveMissing
        """
        _ = self.tables

    @property
    def kept(self) -> Archive:
        """The tables of the archive, for a call that only looks at what is in them."""
        if self.database.tables.archive is None:
            raise ArchiveMissing(
                "there is no archive here, so no change was written down and none can be undone. "
                "service.setup_archive() makes one for the changes to come"
            )
        return self.database.tables.archive

    def set_up(self) -> None:
        """Make the archive where it is missing."""
        with self.database.write() as connection:
            archive_tables.make(connection, self.database)

    def remove(self, removal: Removal, *, archive: bool = True) -> Receipt:
        """Move rows to the archive and write the change down.

        Parameters
        ----------
        removal : Removal
            What goes, and why.
        archive : bool, default True
            Keep the rows; without, they are gone for good and nothing is written down.

        Returns
        -------
        Receipt
            With the counts; nothing is written down when no row was taken.

        Raises
        ------
        ArchiveMissing
            Where there is no archive to move the rows to.
        """
        change_id = uuid.uuid4().hex
        with self.database.write() as connection:
            take = self._archived if archive else self._deleted
            receipt = Receipt(
                change_id,
                removal.workflow_id,
                removal.kind,
                variables=take(connection, change_id, self.database.tables.variables, removal),
                records=take(connection, change_id, self.database.tables.records, removal),
                archived=archive,
            )
            if archive and receipt.total:
                self.write_down(connection, receipt, removal.reason, removal.selection)
                if removal.kind in IN_PLACE:
                    # What follows in this transaction writes the rows; the digests are of what it leaves.
                    sa.event.listen(connection, "commit", lambda ending: self.seal(ending, receipt))
        return receipt

    def seal(self, connection: sa.Connection, receipt: Receipt) -> None:
        """Keep the digests of rows as a change left them, so that undo knows whether they were written again.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction of the change.
        receipt : Receipt
            Of a change whose rows stay in their tables.
        """
        digests.prepare(connection)
        for table, kept in self.pairs():
            if receipt.records if table is self.database.tables.records else receipt.variables:
                connection.execute(self._sealing(table, kept).where(kept.c[CHANGE_ID] == receipt.id))

    def _sealing(self, table: sa.Table, kept: sa.Table) -> sa.Update:
        name = self.name_of(table)
        state = digests.digest(self.dialect, table, names(table))
        row = sa.and_(table.c.workflow_id == kept.c.workflow_id, table.c[name] == kept.c[name])
        if self.dialect.name == "sqlite":
            return sa.update(kept).values({WRITTEN: sa.select(state).where(row).scalar_subquery()})
        return sa.update(kept).values({WRITTEN: state}).where(row)

    def pairs(self) -> tuple[tuple[sa.Table, sa.Table], ...]:
        """Return the two tables, each with the table of the archive that keeps its rows.

        Returns
        -------
        tuple of (sqlalchemy.Table, sqlalchemy.Table)
            Variables first.
        """
        tables, kept = self.database.tables, self.kept
        return (tables.variables, kept.variables), (tables.records, kept.records)

    def name_of(self, table: sa.Table) -> str:
        """Return the column that names a row of one of the two tables within its workflow.

        Parameters
        ----------
        table : sqlalchemy.Table
            One of the two.

        Returns
        -------
        str
        """
        # By its name: the tables are looked at again when an archive was made.
        return "record_id" if table.name == self.database.tables.records.name else "key"

    def hold(self, connection: sa.Connection, workflow_id: str) -> None:
        """Let the plans and the undoing of one workflow take turns, until the transaction ends.

        Rows are taken in whatever order the database finds them, so that two of them at once could wait for each
        other; engines and single calls are not held up.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that writes.
        workflow_id : str
            The workflow.
        """
        digests.prepare(connection)
        if self.dialect.name == "postgresql":
            number = sa.func.hashtextextended(workflow_id, _TURNS)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def find(self, connection: sa.Connection, change_id: str) -> sa.Row[Any] | None:
        """Find a change in the list.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction.
        change_id : str
            The id of its receipt.

        Returns
        -------
        row or None
            With the columns of `CHANGE_COLUMNS`.
        """
        table = self.kept.changes
        selected = [
            self.dialect.time_text(table.c[name]).label(name) if name.endswith("_at") else table.c[name]
            for name in CHANGE_COLUMNS
        ]
        return connection.execute(sa.select(*selected).where(table.c.id == change_id)).first()

    def _archived(self, connection: sa.Connection, change_id: str, table: sa.Table, removal: Removal) -> int:
        condition = removal.of(self.database, table)
        if condition is None:
            return 0
        target = self.tables.variables if table is self.database.tables.variables else self.tables.records
        way = self._copy if removal.kind == REPLACE else self._move
        return way(connection, change_id, table, target, condition)

    def _deleted(self, connection: sa.Connection, _: str, table: sa.Table, removal: Removal) -> int:
        condition = removal.of(self.database, table)
        if condition is None or removal.kind == REPLACE:
            return 0
        return bulk.affected(connection, sa.delete(table).where(condition))

    def write_down(
        self, connection: sa.Connection, receipt: Receipt, reason: str | None, selection: Mapping[str, Any] | None
    ) -> None:
        """Add a change to the list.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction of the change.
        receipt : Receipt
            Of the change.
        reason : str or None
            Why.
        selection : mapping of str to object or None
            The filters, as plain JSON without values.
        """
        entry = {
            "id": receipt.id,
            "kind": receipt.kind,
            columns.WORKFLOW_ID: receipt.workflow_id,
            "actor": self.database.actor,
            "reason": reason,
            "selection": json.dumps(selection or {}, ensure_ascii=False),
            "variables": receipt.variables,
            "records": receipt.records,
            "created_at": self.dialect.now(),
        }
        connection.execute(sa.insert(self.kept.changes).values(entry))

    def _move(
        self, connection: sa.Connection, change_id: str, source: sa.Table, target: sa.Table, condition: Condition
    ) -> int:
        """Copy rows to the archive and delete them."""
        if self.dialect.name == "sqlite":
            # The transaction holds the only write lock, so both statements see the same rows.
            self._copy(connection, change_id, source, target, condition)
            return bulk.affected(connection, sa.delete(source).where(condition))
        # One statement: two would see two different sets of rows when others write.
        gone = sa.delete(source).where(condition).returning(*source.columns).cte("gone")
        rows = sa.select(sa.literal(change_id), *gone.columns)
        return bulk.affected(connection, sa.insert(target).from_select([CHANGE_ID, *names(source)], rows))

    @staticmethod
    def _copy(
        connection: sa.Connection, change_id: str, source: sa.Table, target: sa.Table, condition: Condition
    ) -> int:
        """Copy rows that stay, and are about to be replaced."""
        rows = sa.select(sa.literal(change_id), *source.columns).where(condition)
        return bulk.affected(connection, sa.insert(target).from_select([CHANGE_ID, *names(source)], rows))

    def changes(self, workflow_id: str | None = None) -> pa.Table:
        """List the changes, the newest first.

        Parameters
        ----------
        workflow_id : str, optional
            Of one workflow only.

        Returns
        -------
        pyarrow.Table
            The columns of `CHANGE_COLUMNS`, one row per change.
        """
        table = self.kept.changes
        selected = [
            self.dialect.time_text(table.c[name]).label(name) if name.endswith("_at") else table.c[name]
            for name in CHANGE_COLUMNS
        ]
        statement = sa.select(*selected).order_by(table.c.created_at.desc(), table.c.id)
        if workflow_id is not None:
            statement = statement.where(table.c.workflow_id == workflow_id)
        with self.database.read() as connection:
            return bulk.fetch(connection, statement)
