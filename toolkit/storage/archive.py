"""What a change moved away, and how it comes back.

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
from toolkit.errors import AlreadyDone, ArchiveMissing, ChangeNotFound, StalePlan
from toolkit.model import Receipt, counted
from toolkit.storage import bulk
from toolkit.storage.tables import (
    ARCHIVE_SCHEMA,
    ARCHIVED_RECORDS,
    ARCHIVED_VARIABLES,
    CHANGE_ID,
    SCHEMA_VERSION,
    Archive,
    archive_name,
    changes_table,
    names,
    version_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from toolkit.storage.database import Database
    from toolkit.storage.dialects import Condition

REPLACE: Final = "replace"
"""The kind of change whose rows are copied and stay, because the next statement replaces them."""

_LITERAL: Final = {"key": "keys", "record_id": "ids"}
"""The arguments of `plan_clear` that take the names of rows literally."""

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
        return archive

    @property
    def _kept(self) -> Archive:
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
            self._make(connection)

    def _make(self, connection: sa.Connection) -> None:
        if self.dialect.name == "postgresql":
            connection.execute(sa.schema.CreateSchema(ARCHIVE_SCHEMA, if_not_exists=True))
        changes, version = changes_table(self.dialect), version_table(self.dialect)
        changes.create(connection, checkfirst=True)
        version.create(connection, checkfirst=True)
        if connection.scalar(sa.select(sa.func.count()).select_from(version)) == 0:
            connection.execute(sa.insert(version).values(version=SCHEMA_VERSION))
        tables = self.database.tables
        self._make_like(connection, ARCHIVED_VARIABLES, tables.variables)
        self._make_like(connection, ARCHIVED_RECORDS, tables.records)
        if self.dialect.name == "postgresql":
            self._lock_away(connection)

    def _make_like(self, connection: sa.Connection, name: str, table: sa.Table) -> None:
        """Make a table of the same columns and types; only identifiers, quoted by SQLAlchemy, enter the text."""
        quote = self._preparer.format_table
        schema, own = archive_name(self.dialect, name)
        target = quote(sa.Table(own, sa.MetaData(), schema=schema))
        source = quote(table)
        if self.dialect.name == "postgresql":
            body = f"CREATE TABLE IF NOT EXISTS {target} ({CHANGE_ID} text NOT NULL, LIKE {source})"
        else:
            empty = f"SELECT CAST(NULL AS TEXT) AS {CHANGE_ID}, * FROM {source} WHERE 0"  # noqa: S608
            body = f"CREATE TABLE IF NOT EXISTS {target} AS {empty}"
        connection.exec_driver_sql(body)
        index = self._preparer.quote(f"{own}_{CHANGE_ID}")
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {index} ON {target} ({CHANGE_ID})")

    @property
    def _preparer(self) -> Any:
        """What quotes identifiers."""
        return self.database.engine.dialect.identifier_preparer

    def _lock_away(self, connection: sa.Connection) -> None:
        """Take the archive out of everybody else's sight: no grants, and row security without a policy."""
        connection.exec_driver_sql(f"REVOKE ALL ON SCHEMA {ARCHIVE_SCHEMA} FROM PUBLIC")
        for name in ("changes", "version", ARCHIVED_VARIABLES, ARCHIVED_RECORDS):
            connection.exec_driver_sql(f"ALTER TABLE {ARCHIVE_SCHEMA}.{name} ENABLE ROW LEVEL SECURITY")

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
        receipt_id = uuid.uuid4().hex
        with self.database.write() as connection:
            take = self._archived if archive else self._deleted
            receipt = Receipt(
                receipt_id,
                removal.workflow_id,
                removal.kind,
                variables=take(connection, receipt_id, self.database.tables.variables, removal),
                records=take(connection, receipt_id, self.database.tables.records, removal),
                archived=archive,
            )
            if archive and receipt.total:
                self._write_down(connection, removal, receipt)
        return receipt

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

    def _write_down(self, connection: sa.Connection, removal: Removal, receipt: Receipt) -> None:
        entry = {
            "id": receipt.id,
            "kind": removal.kind,
            columns.WORKFLOW_ID: removal.workflow_id,
            "actor": self.database.actor,
            "reason": removal.reason,
            "selection": json.dumps(removal.selection or {}, ensure_ascii=False),
            "variables": receipt.variables,
            "records": receipt.records,
            "created_at": self.dialect.now(),
        }
        connection.execute(sa.insert(self.tables.changes).values(entry))

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

    def bring_back(self, change_id: str) -> Receipt:
        """Move the rows of a change back to their tables, exactly as they were.

        Parameters
        ----------
        change_id : str
            The id of the receipt.

        Returns
        -------
        Receipt
            Of kind `undo`, with the counts.

        Raises
        ------
        ChangeNotFound
            When the archive knows no such change.
        AlreadyDone
            When it was undone before.
        StalePlan
            When one of the rows was written again since; nothing is touched then.
        """
        archive, tables = self._kept, self.database.tables
        pairs = ((archive.variables, tables.variables, "key"), (archive.records, tables.records, "record_id"))
        with self.database.write() as connection:
            change = self._change(connection, archive, change_id)
            for kept, table, name in pairs:
                self._refuse_conflicts(connection, change_id, kept, table, name)
            counts = [self._restore(connection, change_id, kept, table) for kept, table, _ in pairs]
            undone = sa.update(archive.changes).where(archive.changes.c.id == change_id)
            connection.execute(undone.values(undone_at=self.dialect.now()))
        return Receipt(change_id, change.workflow_id, "undo", variables=counts[0], records=counts[1])

    def _change(self, connection: sa.Connection, archive: Archive, change_id: str) -> sa.Row[Any]:
        statement = sa.select(archive.changes).where(archive.changes.c.id == change_id)
        change = connection.execute(statement.with_for_update()).first()
        if change is None:
            raise ChangeNotFound(f"the archive knows no change {change_id!r}; service.changes() lists them")
        if change.undone_at is not None:
            raise AlreadyDone(f"change {change_id} was undone before; nothing was changed now")
        return change

    def _refuse_conflicts(
        self, connection: sa.Connection, change_id: str, kept: sa.Table, table: sa.Table, name: str
    ) -> None:
        same_row = sa.and_(
            table.c.workflow_id == kept.c.workflow_id,
            table.c[name] == kept.c[name],
            kept.c[CHANGE_ID] == change_id,
        )
        count = connection.scalar(sa.select(sa.func.count()).select_from(kept.join(table, same_row))) or 0
        if count:
            first = connection.scalar(sa.select(table.c[name]).select_from(kept.join(table, same_row)).limit(1))
            raise StalePlan(
                f"written again since: {counted(count, 'row')} of {table.name}, {first!r} among them; nothing was "
                "brought back. "
                f"Look at them, clear them with service.plan_clear(…, {_LITERAL[name]}=[{first!r}, …]).apply(), and "
                "undo again"
            )

    def _restore(self, connection: sa.Connection, change_id: str, kept: sa.Table, table: sa.Table) -> int:
        restored = names(kept, without=[CHANGE_ID])
        rows = sa.select(*(kept.c[name] for name in restored)).where(kept.c[CHANGE_ID] == change_id)
        count = bulk.affected(connection, sa.insert(table).from_select(restored, rows))
        connection.execute(sa.delete(kept).where(kept.c[CHANGE_ID] == change_id))
        return count

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
        table = self._kept.changes
        selected = [
            self.dialect.time_text(table.c[name]).label(name) if name.endswith("_at") else table.c[name]
            for name in CHANGE_COLUMNS
        ]
        statement = sa.select(*selected).order_by(table.c.created_at.desc(), table.c.id)
        if workflow_id is not None:
            statement = statement.where(table.c.workflow_id == workflow_id)
        with self.database.read() as connection:
            return bulk.fetch(connection, statement)
