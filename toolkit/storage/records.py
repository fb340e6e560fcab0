"""The records: rows with a type, a status, times and a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns, jsonvalue
from toolkit.errors import ConstraintViolated, InvalidOption, PermissionMissing, RecordExists, RecordNotFound
from toolkit.storage import bulk, loading, patching, rows, staging
from toolkit.storage.archive import REPLACE, Removal
from toolkit.storage.given import Checked, Records
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
_SOME_EXIST = "some of {of:,} records exist already; nothing was written. mode='upsert' replaces them"
# SQLSTATE: a unique constraint refused a row.
_TAKEN = "23505"
MANY: Final = 200
"""So many rows are worth the statements around a COPY."""


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
        listed: Sequence[Row] | Records,
        *,
        mode: str = "create",
        archive: bool = True,
    ) -> int:
        """Create records, all or none.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        listed : sequence of dict, or Records
            As `rows.record_row` makes them, or checked while they are written; a missing `created_at` or `updated_at`
            becomes the database's now.
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
        InvalidValue, HiddenValue, InvalidPath
            For what is wrong with a row, when `Records` finds it.
        """
        if mode not in _MODES:
            raise InvalidOption(f"mode={mode!r} is none of {', '.join(_MODES)}")
        checked = self.workflow_id(workflow_id)
        records = listed if isinstance(listed, Records | Checked) else Checked(listed)
        if mode == "create":
            return self._add(checked, records)
        many = len(records) >= MANY
        # Few rows are all checked before the first statement; many are, while they are on their way.
        few = [] if many else records.listed()
        with self.database.write() as connection:
            if many and staging.may_load(connection):
                self._load(connection, checked, records, mode, archive=archive)
                return len(records)
            existing = self._existing(connection, checked, records.ids, lock=True)
            _check_mode(mode, records.ids, existing)
            if existing:
                removal = self.removal(checked, self.rows(checked, existing), REPLACE)
                self.archive.remove(removal, archive=archive)
            if many and self.dialect.name == "sqlite":
                # The transaction holds the only write lock, so nobody adds a row in between.
                self._stream(connection, self._replacing(), checked, records)
            else:
                self._put(connection, checked, few or records.listed(), set(existing))
        return len(records)

    def _add(self, workflow_id: str, records: Records | Checked) -> int:
        """Insert rows, all or none, with the right to INSERT alone; looking comes after, and only when some exist."""
        try:
            with self.database.write() as connection:
                added = self._insert(connection, workflow_id, records)
                _check_added(added, len(records))
        except (RecordExists, ConstraintViolated) as error:
            taken = isinstance(error, RecordExists) or (error.cause is not None and error.cause.sqlstate == _TAKEN)
            existing = self._existing_if_seen(workflow_id, records.ids) if taken else []
            if existing:
                _check_mode("create", records.ids, existing)
            if existing is None and isinstance(error, ConstraintViolated):
                raise RecordExists(_SOME_EXIST.format(of=len(records))) from None
            raise error from None
        return added

    def _insert(self, connection: sa.Connection, workflow_id: str, records: Records | Checked) -> int:
        adding = self._insertion().on_conflict_do_nothing()
        if len(records) >= MANY and self.dialect.name == "sqlite":
            return self._stream(connection, adding, workflow_id, records)
        if len(records) < MANY or not staging.may_load(connection):
            ordered = sorted(records.listed(), key=lambda row: str(row[self.name]))
            return bulk.insert_many(connection, adding, [self._parameters(workflow_id, row) for row in ordered])
        rights = staging.rights(connection, self.table)
        if rights.copy:
            complete = loading.complete(records.batches(), workflow_id, rights.now)
            return staging.copy(connection, self.table, loading.COMPLETE, complete)
        types = loading.staged_types(self.table)
        with staging.staged(connection, types, records.batches(), temporary=rights.temporary) as staged:
            return staged.affected(connection, loading.insertion(self.table, self.dialect, workflow_id, staged.rows))

    def _stream(self, connection: sa.Connection, statement: Any, workflow_id: str, records: Records | Checked) -> int:
        now = connection.scalar(sa.select(self.dialect.now()))
        constants = {columns.WORKFLOW_ID: workflow_id, "retry_count": 0, "created_at": now, "updated_at": now}
        return loading.execute_many(connection, statement, records.batches(), constants)

    def _load(
        self, connection: sa.Connection, workflow_id: str, records: Records | Checked, mode: str, *, archive: bool
    ) -> None:
        """Replace the rows that are there and add the others, by statements that read them where COPY put them."""
        temporary = staging.rights(connection, self.table).temporary
        types, mine = loading.staged_types(self.table), self.in_workflow(workflow_id)
        with staging.staged(connection, types, records.batches(), temporary=temporary) as staged:
            if temporary:
                number = loading.locked(connection, self.table, self.dialect, mine, staged)
                there: Condition = sa.and_(mine, self.name_column.in_(sa.select(staged.rows.c[self.name])))
            else:
                existing = self._existing(connection, workflow_id, records.ids, lock=True)
                number, there = len(existing), self.rows(workflow_id, existing)
            if mode == "update" and number < len(records):
                _check_mode(mode, records.ids, self._existing(connection, workflow_id, records.ids, lock=False))
            if number:
                self.archive.remove(self.removal(workflow_id, there, REPLACE), archive=archive)
                staged.affected(connection, loading.replacement(self.table, self.dialect, mine, staged.rows))
            if number < len(records):
                adding = loading.insertion(self.table, self.dialect, workflow_id, staged.rows)
                _check_new(staged.affected(connection, adding), len(records) - number)

    def _existing_if_seen(self, workflow_id: str, ids: Sequence[str]) -> list[str] | None:
        """Name the rows that stood in the way, where that can still be told."""
        if self.database.in_transaction:
            # Of a larger change: what it wrote itself would be named, too.
            return None
        try:
            with self.database.read() as connection:
                return self._existing(connection, workflow_id, ids, lock=False)
        except PermissionMissing:
            return None

    def _existing(self, connection: sa.Connection, workflow_id: str, ids: Sequence[str], *, lock: bool) -> list[str]:
        """Find the rows that are there; locked, so that what goes to the archive is what is replaced."""
        if not ids:
            return []
        condition = self.rows(workflow_id, ids)
        statement = sa.select(self.name_column).where(condition).order_by(self.dialect.by_code_point(self.name_column))
        return list(connection.scalars(statement.with_for_update() if lock else statement))

    def _put(self, connection: sa.Connection, workflow_id: str, listed: Sequence[Row], existing: set[str]) -> None:
        """Replace the rows that are there and add the others, always in one order, so that no two writers deadlock."""
        adding = self._insertion().on_conflict_do_nothing(index_elements=[columns.WORKFLOW_ID, self.name])
        ordered = sorted(listed, key=lambda row: str(row[self.name]))
        old = [
            {**self._parameters(workflow_id, row), **{f"_has_{name}": name in row[rows.GIVEN] for name in loading.KEPT}}
            for row in ordered
            if row[self.name] in existing
        ]
        new = [self._parameters(workflow_id, row) for row in ordered if row[self.name] not in existing]
        bulk.insert_many(connection, self._replacing(), old)
        _check_new(bulk.insert_many(connection, adding, new), len(new))

    def _replacing(self) -> Any:
        insertion = self._insertion()
        replaced = {name: insertion.excluded[name] for name in loading.REPLACED}
        for name in loading.KEPT:
            given = sa.bindparam(f"_has_{name}", type_=sa.Boolean)
            replaced[name] = sa.case((given, insertion.excluded[name]), else_=self.table.c[name])
        return insertion.on_conflict_do_update(index_elements=[columns.WORKFLOW_ID, self.name], set_=replaced)

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
        with self.database.write() as connection:
            return self._merge(connection, workflow_id, [(name, value)])[name]

    def update_many(self, workflow_id: WorkflowId, patches: Sequence[tuple[str, Patch]]) -> int:
        """Merge patches into records, all or none, under the rows' locks.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        patches : sequence of (str, Patch)
            Record ids and checked patches; several of one record are merged in their order.

        Returns
        -------
        int
            Number of records.

        Raises
        ------
        RecordNotFound, InvalidPath
        """
        with self.database.write() as connection:
            many = patching.together(self.table, patches) if len(patches) >= MANY else None
            if many is not None and patching.may_stage(connection, self.table):
                self._merge_staged(connection, workflow_id, many)
                return len(patches)
            return len(self._merge(connection, workflow_id, patches))

    def _merge_staged(self, connection: sa.Connection, workflow_id: WorkflowId, many: patching.Patches) -> None:
        table, dialect, mine = self.table, self.dialect, self.in_workflow(workflow_id)
        names = [jsonvalue.check_text(name, "record id") for name, _ in many.patches]
        with staging.staged(connection, many.types, many.batches(), temporary=True) as staged:
            number, left = patching.lock(connection, table, dialect, mine, many, staged)
            if number < len(names):
                existing = set(self._existing(connection, self.workflow_id(workflow_id), names, lock=False))
                raise _not_found(workflow_id, [name for name in names if name not in existing])
            if len(left) < number:
                connection.execute(patching.merging(table, dialect, mine, many, staged, left))
        others = set(left)
        self._merge(connection, workflow_id, [pair for pair in many.patches if pair[0] in others])

    def _merge(
        self, connection: sa.Connection, workflow_id: WorkflowId, patches: Sequence[tuple[str, Patch]]
    ) -> dict[str, JSONValue]:
        """Merge patches in Python, and return the whole documents as they are now, their numbers exact."""
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
            raise _not_found(workflow_id, missing)
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


def _not_found(workflow_id: object, missing: Sequence[str]) -> RecordNotFound:
    several = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
    return RecordNotFound(f"workflow {workflow_id!s} has no record {missing[0]!r}{several}; nothing was written")


def _check_added(added: int, wanted: int) -> None:
    if added != wanted:
        raise RecordExists(_EXISTS.format(number=wanted - added, of=wanted, first=""))


def _check_new(added: int, wanted: int) -> None:
    if added != wanted:
        raise RecordExists(
            f"another writer created some of these {wanted:,} records at the same moment; nothing was written. "
            "Run the call again"
        )


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
