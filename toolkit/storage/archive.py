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
from toolkit.model import Receipt
from toolkit.storage import bulk, digests
from toolkit.storage.archive_place import ArchivePlace
from toolkit.storage.archive_tables import WRITTEN
from toolkit.storage.tables import CHANGE_ID, names

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

NOT_KEPT: Final = '"archive": false'
"""What the list of changes says, beside the filters, of one whose rows were not kept."""

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


class ArchiveStorage(ArchivePlace):
    """The archive of one database.

    Parameters
    ----------
    database : Database
        Open, with its tables looked at.
    """

    def remove(self, removal: Removal, *, archive: bool = True) -> Receipt:
        """Move rows to the archive and write the change down.

        Parameters
        ----------
        removal : Removal
            What goes, and why.
        archive : bool, default True
            Keep the rows; without, they are gone for good, and only that it happened is written down.

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
            if archive:
                self.open(connection)
            take = self._archived if archive else self._deleted
            receipt = Receipt(
                change_id,
                removal.workflow_id,
                removal.kind,
                variables=take(connection, change_id, self.database.tables.variables, removal),
                records=take(connection, change_id, self.database.tables.records, removal),
                archived=archive,
            )
            if receipt.total:
                self.write_down(connection, receipt, removal.reason, removal.selection)
            if archive and receipt.total and removal.kind in IN_PLACE:
                # What follows in this transaction writes the rows; the digests are of what it leaves.
                self.before_commit(connection, lambda ending: self.seal(ending, receipt))
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
            To the database whose rows it was about, in a transaction.
        change_id : str
            The id of its receipt.

        Returns
        -------
        row or None
            With the columns of `CHANGE_COLUMNS`.
        """
        home = self.home
        if home is not self:
            with home.database.read() as lying:
                return home.find(lying, change_id)
        return connection.execute(sa.select(*self._listed()).where(self.kept.changes.c.id == change_id)).first()

    def _listed(self) -> list[sa.ColumnElement[Any]]:
        table = self.kept.changes
        return [
            self.dialect.time_text(table.c[name]).label(name) if name.endswith("_at") else table.c[name]
            for name in CHANGE_COLUMNS
        ]

    def _archived(self, connection: sa.Connection, change_id: str, table: sa.Table, removal: Removal) -> int:
        condition = removal.of(self.database, table)
        if condition is None:
            return 0
        target = self.kept.variables if table is self.database.tables.variables else self.kept.records
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
        """Add a change to the list; without an archive there is none.

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
        if not self.is_there:
            return
        forgotten = {} if receipt.archived or receipt.kind == PURGE else {"archive": False}
        entry = {
            "id": receipt.id,
            "kind": receipt.kind,
            columns.WORKFLOW_ID: receipt.workflow_id,
            "actor": self.database.actor,
            "reason": reason,
            "selection": json.dumps({**(selection or {}), **forgotten}, ensure_ascii=False),
            "variables": receipt.variables,
            "records": receipt.records,
        }
        if self.file is not None:
            self.aside(connection).write_down(entry)
        else:
            values = {**entry, "created_at": self.dialect.now()}
            connection.execute(sa.insert(self.kept.changes).values(values))

    def mark_undone(self, connection: sa.Connection, change_id: str) -> None:
        """Write down that a change is undone.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction that undoes it.
        change_id : str
            Of the receipt.
        """
        if self.file is not None:
            self.aside(connection).mark_undone(change_id)
        else:
            changes = self.kept.changes
            undone = sa.update(changes).where(changes.c.id == change_id)
            connection.execute(undone.values(undone_at=self.dialect.now()))

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
        home = self.home
        if home is not self:
            return home.changes(workflow_id)
        table = self.kept.changes
        statement = sa.select(*self._listed()).order_by(table.c.created_at.desc(), table.c.id)
        if workflow_id is not None:
            statement = statement.where(table.c.workflow_id == workflow_id)
        with self.database.read() as connection:
            return bulk.fetch(connection, statement)


def receipt_of(change: sa.Row[Any]) -> Receipt:
    """Return the receipt of a change that stands in the list.

    Parameters
    ----------
    change : row
        Of `ArchiveStorage.find`.

    Returns
    -------
    Receipt
    """
    return Receipt(
        change.id,
        change.workflow_id,
        change.kind,
        variables=change.variables,
        records=change.records,
        archived=change.kind != PURGE and NOT_KEPT not in (change.selection or ""),
    )
