"""A plan of what an edited frame would write, and its application."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns, display, jsonvalue
from toolkit.changes.edits import EDITABLE, RowEditor
from toolkit.changes.plans import FAIL, PlanTools, check_state, warnings_about
from toolkit.errors import StalePlan
from toolkit.model import Receipt, counted
from toolkit.storage.archive import UPDATE
from toolkit.storage.digests import READ_STATE, VERSION
from toolkit.storage.planned import PlannedRows, Taken
from toolkit.storage.record_reads import WHOLE
from toolkit.storage.spool import RowSpool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolkit.masking import MaskingPolicy
    from toolkit.storage.records import RecordStorage

SAMPLE_CELLS: Final = 10
"""Cells that a plan shows."""

CHANGED: Final = "changed since it was read"
GONE: Final = "is not there any more"

_NAMES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Edits:
    """What a frame holds that the database may not.

    Attributes
    ----------
    cells : mapping of str to mapping
        By record id, the cells that were touched, by column.
    names : sequence of str
        The columns of the frame that may be written.
    drop : sequence of str
        Paths to remove from every record of the frame.
    states : mapping of str to int or None
        The states in which the records were read; None where nobody knows them.
    differ : frozenset of str
        Records that are known to have changed since they were read.
    kind : str
        Of which kind the states are; see `RecordReads.read_state`.
    """

    cells: Mapping[str, Mapping[str, Any]]
    names: Sequence[str]
    drop: Sequence[str]
    states: Mapping[str, int] | None
    differ: frozenset[str] = frozenset()
    kind: str = WHOLE


@dataclass(frozen=True)
class UpdatePlan:
    """What an edited frame would write: only the cells that differ from the database.

    Attributes
    ----------
    id : str
        Of the change that it becomes.
    workflow_id : str
        The workflow; a secret in its id is hidden.
    records : int
        How many records it changes.
    columns : dict of str to int
        How many cells it changes, by column of the frame; a path that it removes counts as one.
    conflicts : dict of str to str
        Records that were edited and are not as they were read, and why; secrets in their ids are hidden.
    sample : tuple of dict
        Some cells, secrets masked: `record_id`, `column`, `old`, `new`.
    records_total : int
        What the workflow holds altogether.
    warnings : tuple of str
        What should make you look twice; with one, `apply` wants `expect=`.
    """

    id: str
    workflow_id: str
    records: int
    columns: Mapping[str, int]
    conflicts: Mapping[str, str]
    sample: tuple[Mapping[str, Any], ...]
    records_total: int
    warnings: tuple[str, ...]
    planned: PlannedRows = field(repr=False, compare=False)
    rows: RowSpool = field(repr=False, compare=False)
    written: tuple[str, ...] = field(repr=False, compare=False)
    tools: PlanTools = field(repr=False, compare=False)

    @property
    def total(self) -> int:
        """How many records it changes."""
        return self.records

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records it changes, read from the plan's file; secrets in their ids are hidden."""
        return tuple(sorted(self.tools.shown(self.rows.names())))

    def __repr__(self) -> str:
        cells = ", ".join(f"{name} {number:,}" for name, number in self.columns.items())
        taken = f"{counted(self.records, 'record')} of workflow {self.workflow_id}{f' ({cells})' if cells else ''}"
        conflicts = f"; {self._conflicts()}" if self.conflicts else ""
        return f"UpdatePlan: {taken}{conflicts}; nothing has changed yet, .apply() does it"

    def _conflicts(self) -> str:
        shown = ", ".join(f"{name!r} {why}" for name, why in list(self.conflicts.items())[:_NAMES_SHOWN])
        more = ", …" if len(self.conflicts) > _NAMES_SHOWN else ""
        return f"{counted(len(self.conflicts), 'conflict')}: {shown}{more}"

    def _repr_html_(self) -> str:
        shown = [{name: _text(value) for name, value in cell.items()} for cell in self.sample]
        return display.render(
            "update_plan.html.j2",
            plan=self,
            records=counted(self.records, "record"),
            sample=shown,
            conflicts=self._conflicts() if self.conflicts else None,
        )

    def apply(
        self,
        reason: str | None = None,
        expect: int | None = None,
        *,
        on_change: str = FAIL,
        archive: bool = True,
        create_archive: bool = False,
    ) -> Receipt:
        """Write the planned cells, in one transaction; the former rows are kept.

        Parameters
        ----------
        reason : str, optional
            Why, for the list of changes.
        expect : int, optional
            The number of records; wanted when the plan carries a warning.
        on_change : {"fail", "skip"}, default "fail"
            What to do with conflicts, and with records that changed or went since the plan was made: touch nothing,
            or leave those alone.
        archive : bool, default True
            Keep the former rows so that they can be brought back.
        create_archive : bool, default False
            Make the archive where it is missing.

        Returns
        -------
        Receipt
            Of kind `update`.

        Raises
        ------
        ExpectationFailed
            When `expect` is another number, or is missing where the plan carries a warning.
        StalePlan
            When there are conflicts, or planned records changed or went in the meantime; nothing is touched then.
        AlreadyDone
            When the plan was applied before, with its receipt.
        ArchiveMissing
            When there is nowhere to keep the former rows.
        """
        store = self.tools.archive
        options: dict[str, Any] = {"archive": archive, "create_archive": create_archive, "on_change": on_change}
        with self.tools.applying(self, expect, **options) as connection:
            if self.conflicts and on_change == FAIL:
                raise StalePlan(
                    f"{self._conflicts()}; nothing was touched. Read the frame again, or pass on_change='skip' to "
                    "write the others"
                )
            taken = self._write(connection, self.id if archive else None)
            check_state(self.total, {"record": taken}, on_change, self.tools.policy)
            skipped = (*self.conflicts, *self.tools.shown(taken.left))
            receipt = Receipt(
                self.id,
                str(self.tools.workflow_id),
                UPDATE,
                records=taken.done,
                archived=archive,
                skipped=skipped,
            )
            if receipt.total:
                store.write_down(connection, receipt, reason, {"cells": dict(self.columns)})
            if archive and receipt.total:
                store.seal(connection, receipt)
        return self.tools.with_undo(receipt)

    def _write(self, connection: sa.Connection, change_id: str | None) -> Taken:
        table, dialect = self.planned.table, self.planned.dialect
        extra = [part for name in self.written for part in (name, _flag(name))]

        def values(given: sa.FromClause) -> dict[str, Any]:
            new = {
                name: sa.case(
                    (given.c[_flag(name)] == "1", sa.cast(given.c[name], table.c[name].type)), else_=table.c[name]
                )
                for name in self.written
            }
            return {**new, "updated_at": dialect.now()}

        return self.planned.write(connection, change_id, self.rows, values, extra)


def _flag(name: str) -> str:
    return f"has_{name}"


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else jsonvalue.encode_exact(value)


def plan_update(records: RecordStorage, edits: Edits, tools: PlanTools) -> UpdatePlan:
    """Compare touched cells with the database, in one snapshot, without changing anything.

    Parameters
    ----------
    records : RecordStorage
        Of the database.
    edits : Edits
        The touched cells.
    tools : PlanTools
        Of the workflow, for applying it.

    Returns
    -------
    UpdatePlan

    Raises
    ------
    HiddenValue, InvalidValue, InvalidPath, InvalidOption
        Naming record and column.
    """
    workflow_id = str(tools.workflow_id)
    comparing = _Comparing(PlannedRows(records.archive, records.table, workflow_id), edits, tools.policy)
    with records.database.read() as connection:
        rows = RowSpool(comparing.rows(connection, records))
        total = comparing.planned.count(connection, comparing.planned.mine)
    return UpdatePlan(
        id=uuid.uuid4().hex,
        workflow_id=tools.policy.mask_text(workflow_id),
        records=rows.total,
        columns=comparing.counts,
        conflicts=comparing.conflicts,
        sample=tuple(comparing.sample),
        records_total=total,
        warnings=warnings_about(rows.total, total, comparing.processing, records.database.profile),
        planned=comparing.planned,
        rows=rows,
        written=tuple(comparing.written),
        tools=tools,
    )


class _Comparing:
    """One pass over the records of an edited frame."""

    def __init__(self, planned: PlannedRows, edits: Edits, policy: MaskingPolicy) -> None:
        self.planned = planned
        self.counts: dict[str, int] = {}
        self.conflicts: dict[str, str] = {}
        self.sample: list[dict[str, Any]] = []
        self.written: dict[str, None] = {}
        self.processing = 0
        self._edits = edits
        self._policy = policy
        self._editor = RowEditor(edits.names, edits.drop)

    def rows(self, connection: sa.Connection, records: RecordStorage) -> Iterator[dict[str, Any]]:
        """Yield what a `RowSpool` holds: name, state, and what is to be written."""
        cells = self._edits.cells
        if not cells:
            return
        wanted = sa.and_(self.planned.mine, records.dialect.text_is_any_of(self.planned.name, list(cells)))
        found = set()
        also = (records.read_state(self._edits.kind).label(READ_STATE), *records.select(*EDITABLE, columns.DATA))
        for row in self.planned.states(connection, wanted, *also):
            name = row["name"]
            found.add(name)
            if self._is_conflict(name, row[READ_STATE]):
                if self._edited(cells[name]):
                    self._add_conflict(name, CHANGED)
                continue
            touched = {each: cell for each, cell in cells[name].items() if not self._editor.dropped(each)}
            written, seen = self._editor.edit(self._policy.mask_text(name), row, touched)
            if written:
                self._count(name, row, seen)
                yield self._row(row, written)
        for name in (name for name in cells if name not in found and self._edited(cells[name])):
            self._add_conflict(name, GONE)

    def _add_conflict(self, name: str, why: str) -> None:
        masked = self._policy.mask_text(name)
        others = sum(each.startswith(masked) for each in self.conflicts) if masked != name else 0
        # Two ids may look the same when they are masked, and are two conflicts.
        self.conflicts[f"{masked} ({others + 1})" if others else masked] = why

    def _edited(self, cells: Mapping[str, Any]) -> bool:
        """Where only times differ, somebody else wrote the row and nobody edited it."""
        return bool(self._edits.drop) or not set(columns.TIME_COLUMNS).issuperset(cells)

    def _is_conflict(self, name: str, state: int) -> bool:
        states = self._edits.states
        return name in self._edits.differ or (states is not None and states.get(name) != state)

    def _count(self, name: str, row: Mapping[str, Any], seen: Mapping[str, tuple[Any, Any]]) -> None:
        self.processing += row["status"] == columns.PROCESSING
        for column, (old, new) in seen.items():
            self.counts[column] = self.counts.get(column, 0) + 1
            if len(self.sample) < SAMPLE_CELLS:
                shown = {"old": self._policy.mask(old, column), "new": self._policy.mask(new, column)}
                self.sample.append({"record_id": self._policy.mask_text(name), "column": column, **shown})

    def _row(self, row: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
        made = {name: row[name] for name in ("name", "digest", VERSION) if name in row}
        for column, value in written.items():
            self.written[column] = None
            made |= {column: None if value is None else str(value), _flag(column): "1"}
        return made
