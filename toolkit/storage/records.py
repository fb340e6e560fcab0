"""The records: rows with a type, a status, times and a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from toolkit import columns, jsonvalue
from toolkit.errors import InvalidOption, PermissionMissing, RecordExists, RecordNotFound
from toolkit.storage import bulk, rows
from toolkit.storage.archive import REPLACE, Removal
from toolkit.storage.merge import PATCH_COLUMNS, Patch, merge
from toolkit.storage.record_reads import RecordReads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.jsonvalue import JSONValue
    from toolkit.storage.base import WorkflowId
    from toolkit.storage.dialects import Condition
    from toolkit.storage.rows import Row

_EXISTS = "{number:,} of {of:,} records exist already{first}; nothing was written. mode='upsert' replaces them"
_MODES = ("create", "update", "upsert")
_REPLACED = ("record_type", "status", "iteration_node_alias", columns.DATA, "updated_at")
_KEPT = ("error_message", "retry_count", "created_at", "processed_at")


class RecordStorage(RecordReads):
    """The table `workflow_records`."""

    def create(self, workflow_id: WorkflowId, name: str, value: Mapping[str, Any], *, mode: str = "upsert") -> None:
        """Create one record; see `create_many`.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the record's id.
        value : mapping of str to object
            The other columns; see `rows.record_row`.
        mode : {"create", "update", "upsert"}, default "upsert"
            What to do when the record exists, or does not.
        """
        self.create_many(workflow_id, [rows.record_row({**value, self.name: name})], mode=mode)

    def create_many(
        self,
        workflow_id: WorkflowId,
        listed: Sequence[Row],
        *,
        mode: str = "create",
        archive: bool = True,
    ) -> int:
        """Create records, all or none.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        listed : sequence of dict
            As `rows.record_row` makes them; a missing `created_at` or `updated_at` becomes the database's now.
        mode : {"create", "update", "upsert"}, default "create"
            `create` fails when one exists, `update` when one does not, `upsert` replaces type, status, node and
            document, and of the other columns those that were given; it keeps the rest, as the engine does.
        archive : bool, default True
            Keep the rows that are replaced.

        Returns
        -------
        int
            Number of records.

        Raises
        ------
        RecordExists, RecordNotFound, ArchiveMissing
        """
        if mode not in _MODES:
            raise InvalidOption(f"mode={mode!r} is none of {', '.join(_MODES)}")
        checked = self.workflow_id(workflow_id)
        ids = [row[self.name] for row in listed]
        if mode == "create":
            return self._add(checked, listed)
        with self.database.write() as connection:
            existing = self._existing(connection, checked, ids, lock=True)
            _check_mode(mode, ids, existing)
            if existing:
                removal = self.removal(checked, self.rows(checked, existing), REPLACE)
                self.archive.remove(removal, archive=archive)
            self._put(connection, checked, listed, set(existing))
        return len(listed)

    def _add(self, workflow_id: str, listed: Sequence[Row]) -> int:
        """Insert rows, all or none, with the right to INSERT alone; looking comes after, and only when some exist."""
        ordered = sorted(listed, key=lambda row: str(row[self.name]))
        adding = self._insertion().on_conflict_do_nothing()
        try:
            with self.database.write() as connection:
                added = bulk.insert_many(connection, adding, [self._parameters(workflow_id, row) for row in ordered])
                _check_added(added, len(listed))
        except RecordExists as error:
            existing = self._existing_if_seen(workflow_id, [row[self.name] for row in ordered])
            if existing:
                _check_mode("create", [row[self.name] for row in ordered], existing)
            raise error from None
        return added

    def _existing_if_seen(self, workflow_id: str, ids: Sequence[str]) -> list[str]:
        """Name the rows that stood in the way, where that can still be told."""
        if self.database.in_transaction:
            # Of a larger change: what it wrote itself would be named, too.
            return []
        try:
            with self.database.read() as connection:
                return self._existing(connection, workflow_id, ids, lock=False)
        except PermissionMissing:
            return []

    def _existing(self, connection: sa.Connection, workflow_id: str, ids: Sequence[str], *, lock: bool) -> list[str]:
        """Find the rows that are there; locked, so that what goes to the archive is what is replaced."""
        if not ids:
            return []
        condition = self.rows(workflow_id, ids)
        statement = sa.select(self.name_column).where(condition).order_by(self.dialect.by_code_point(self.name_column))
        return list(connection.scalars(statement.with_for_update() if lock else statement))

    def _put(self, connection: sa.Connection, workflow_id: str, listed: Sequence[Row], existing: set[str]) -> None:
        """Replace the rows that are there and add the others, always in one order, so that no two writers deadlock."""
        insertion = self._insertion()
        replaced = {name: insertion.excluded[name] for name in _REPLACED}
        for name in _KEPT:
            given = sa.bindparam(f"_has_{name}", type_=sa.Boolean)
            replaced[name] = sa.case((given, insertion.excluded[name]), else_=self.table.c[name])
        replacing = insertion.on_conflict_do_update(index_elements=[columns.WORKFLOW_ID, self.name], set_=replaced)
        adding = insertion.on_conflict_do_nothing(index_elements=[columns.WORKFLOW_ID, self.name])
        ordered = sorted(listed, key=lambda row: str(row[self.name]))
        old = [
            {**self._parameters(workflow_id, row), **{f"_has_{name}": name in row[rows.GIVEN] for name in _KEPT}}
            for row in ordered
            if row[self.name] in existing
        ]
        new = [self._parameters(workflow_id, row) for row in ordered if row[self.name] not in existing]
        bulk.insert_many(connection, replacing, old)
        if bulk.insert_many(connection, adding, new) != len(new):
            raise RecordExists(
                f"another writer created some of these {len(new):,} records at the same moment; nothing was written. "
                "Run the call again"
            )

    def _insertion(self) -> Any:
        table = self.table
        values: dict[str, Any] = {columns.WORKFLOW_ID: sa.bindparam("_workflow_id", type_=table.c.workflow_id.type)}
        for name in columns.RECORD_COLUMNS:
            parameter: Any = sa.bindparam(f"_{name}", type_=table.c[name].type)
            stamped = name in ("created_at", "updated_at")
            values[name] = sa.func.coalesce(parameter, self.dialect.now()) if stamped else parameter
        values[columns.DATA] = self.dialect.json_value(table.c.data, "_data")
        return self.dialect.insert(table).values(values)

    def _parameters(self, workflow_id: str, row: Row) -> dict[str, Any]:
        parameters = {f"_{name}": row[name] for name in (*columns.RECORD_COLUMNS, columns.DATA)}
        for name in columns.TIME_COLUMNS:
            parameters[f"_{name}"] = None if row[name] is None else self.dialect.time(row[name])
        return {"_workflow_id": workflow_id, **parameters}

    def read(self, workflow_id: WorkflowId, name: str, *, lock: bool = False, exact: bool = False) -> JSONValue:
        """Read the document of one record.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the record's id.
        lock : bool, default False
            Keep other writers from it until the transaction ends.
        exact : bool, default False
            Keep the digits of every number, for writing it back.

        Returns
        -------
        JSON value
            The real values: a storage masks nothing.

        Raises
        ------
        RecordNotFound
        """
        statement = sa.select(*self.select(columns.DATA)).where(self.row(workflow_id, name))
        with self.database.read() as connection:
            found = connection.execute(statement.with_for_update() if lock else statement).first()
        if found is None:
            raise RecordNotFound(f"workflow {workflow_id!s} has no record {name!r}")
        return None if found.data is None else jsonvalue.decode(found.data, exact=exact)

    def update(self, workflow_id: WorkflowId, name: str, value: Patch) -> JSONValue:
        """Merge a patch into one record, under the row's lock.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the record's id.
        value : Patch
            Checked by `merge.check_patch`.

        Returns
        -------
        JSON value
            The whole document as it is now, its numbers exact.

        Raises
        ------
        RecordNotFound, InvalidPath
        """
        return self.update_many(workflow_id, [(name, value)])[name]

    def update_many(self, workflow_id: WorkflowId, patches: Sequence[tuple[str, Patch]]) -> dict[str, JSONValue]:
        """Merge patches into records, all or none, under the rows' locks.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        patches : sequence of (str, Patch)
            Record ids and checked patches; several of one record are merged in their order.

        Returns
        -------
        dict of str to JSON value
            The whole documents as they are now, their numbers exact, by record id.

        Raises
        ------
        RecordNotFound, InvalidPath
        """
        with self.database.write() as connection:
            documents = self._locked_documents(connection, workflow_id, [name for name, _ in patches])
            changes: dict[str, dict[str, Any]] = {}
            for name, patch in patches:
                documents[name] = merge(documents[name], patch)
                change = changes.setdefault(name, self._unchanged(name))
                change |= self._changed(patch)
                if patch.document:
                    change |= {"_has_data": True, "_data": jsonvalue.encode_exact(documents[name])}
            if changes:
                connection.execute(self._update(workflow_id), list(changes.values()))
        return documents

    def _locked_documents(
        self, connection: sa.Connection, workflow_id: WorkflowId, names: Sequence[str]
    ) -> dict[str, JSONValue]:
        """Read documents exactly, in one order, so that two writers wait for each other instead of deadlocking."""
        if not names:
            return {}
        wanted = self.rows(workflow_id, names)
        order = self.dialect.by_code_point(self.name_column)
        statement = sa.select(*self.select(self.name, columns.DATA)).where(wanted).order_by(order).with_for_update()
        found = {
            row.record_id: None if row.data is None else jsonvalue.decode(row.data, exact=True)
            for row in connection.execute(statement)
        }
        missing = [name for name in names if name not in found]
        if missing:
            several = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise RecordNotFound(f"workflow {workflow_id!s} has no record {missing[0]!r}{several}; nothing was written")
        return found

    def _unchanged(self, name: str) -> dict[str, Any]:
        values = dict.fromkeys((*PATCH_COLUMNS, columns.DATA))
        flags = {f"_has_{column}": False for column in values}
        return {"_name": name, **flags, **{f"_{column}": value for column, value in values.items()}}

    def _changed(self, patch: Patch) -> dict[str, Any]:
        values = dict(patch.columns)
        if values.get("processed_at") is not None:
            values["processed_at"] = self.dialect.time(values["processed_at"])
        flags = {f"_has_{column}": True for column in values}
        return {**flags, **{f"_{column}": value for column, value in values.items()}}

    def _update(self, workflow_id: WorkflowId) -> sa.Update:
        """One statement for every patch: a column that a patch does not name keeps its value."""
        new: dict[str, Any] = {
            column: sa.bindparam(f"_{column}", type_=self.table.c[column].type) for column in PATCH_COLUMNS
        }
        new[columns.DATA] = self.dialect.json_value(self.table.c.data, "_data")
        values = {
            column: sa.case((sa.bindparam(f"_has_{column}", type_=sa.Boolean), value), else_=self.table.c[column])
            for column, value in new.items()
        }
        row = sa.and_(self.in_workflow(workflow_id), self.name_column == sa.bindparam("_name", type_=sa.Text))
        return sa.update(self.table).where(row).values({**values, "updated_at": self.dialect.now()})

    def removal(self, workflow_id: WorkflowId, condition: Condition, kind: str, **why: Any) -> Removal:
        """Describe the removal of records."""
        return Removal(self.workflow_id(workflow_id), kind, records=condition, **why)


def _check_added(added: int, wanted: int) -> None:
    if added != wanted:
        raise RecordExists(_EXISTS.format(number=wanted - added, of=wanted, first=""))


def _check_mode(mode: str, ids: Sequence[str], existing: Sequence[str]) -> None:
    if mode == "create" and existing:
        first = f", the first is {existing[0]!r}"
        raise RecordExists(_EXISTS.format(number=len(existing), of=len(ids), first=first))
    missing = set(ids).difference(existing) if mode == "update" else set()
    if missing:
        raise RecordNotFound(
            f"{len(missing):,} of {len(ids):,} records do not exist, {min(missing)!r} among them; nothing was written. "
            "mode='upsert' creates them"
        )
