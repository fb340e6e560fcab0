"""A plan of what to clear, and its application."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns, display, jsonvalue, times
from toolkit.changes.plans import FAIL, PlanTools, check_state, warnings_about
from toolkit.errors import CorruptValue
from toolkit.model import Receipt, rows_counted
from toolkit.storage.base import literally
from toolkit.storage.companions import COMPANIONS, keep_companions
from toolkit.storage.planned import PlannedRows, Taken

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from toolkit.changes.selection import Selection
    from toolkit.masking import MaskingPolicy
    from toolkit.storage.dialects import Column, Condition
    from toolkit.storage.records import RecordStorage
    from toolkit.storage.spool import RowSpool
    from toolkit.storage.variables import VariableStorage

CLEAR: Final = "clear"

SAMPLE_ROWS: Final = 5
"""Rows of each table that a plan shows."""

UNMOVED: Final = "judges variables by updated_at, which programs that write them directly may not move"
"""What to know about a plan that goes by time."""


@dataclass(frozen=True)
class ClearPlan:
    """What a clear would take: exactly these rows, in this state, and none that appear later.

    Attributes
    ----------
    id : str
        Of the change that it becomes.
    workflow_id : str
        The workflow; a secret in its id is hidden.
    variables, records : int
        How many rows of each table it takes.
    by_status, by_type : dict of str to int
        The records it takes, counted.
    oldest, newest : datetime or None
        The first and the last `updated_at` of the rows it takes.
    variables_total, records_total : int
        What the workflow holds altogether.
    selection : dict
        The filters, as plain JSON.
    warnings : tuple of str
        What should make you look twice; with one, `apply` wants `expect=`.
    notes : tuple of str
        What is good to know.
    sample : tuple of dict
        Some of the rows, secrets masked: `record_id` or `key`, what they are, and their document or value.
    """

    id: str
    workflow_id: str
    variables: int
    records: int
    by_status: Mapping[str, int]
    by_type: Mapping[str, int]
    oldest: dt.datetime | None
    newest: dt.datetime | None
    variables_total: int
    records_total: int
    selection: Mapping[str, Any]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    sample: tuple[Mapping[str, Any], ...]
    parts: tuple[Part, Part] = field(repr=False, compare=False)
    tools: PlanTools = field(repr=False, compare=False)

    @property
    def total(self) -> int:
        """Rows of both tables together."""
        return self.variables + self.records

    @property
    def keys(self) -> tuple[str, ...]:
        """The variables it takes, read from the plan's file; secrets in their names are hidden."""
        return tuple(sorted(self.tools.shown(self.parts[0].rows.names())))

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records it takes, read from the plan's file; secrets in their ids are hidden."""
        return tuple(sorted(self.tools.shown(self.parts[1].rows.names())))

    def __repr__(self) -> str:
        taken = rows_counted(self.records, self.variables)
        return f"ClearPlan: {taken} of workflow {self.workflow_id}; nothing has changed yet, .apply() does it"

    def _repr_html_(self) -> str:
        return display.render(
            "clear_plan.html.j2",
            plan=self,
            taken=rows_counted(self.records, self.variables),
            total=rows_counted(self.records_total, self.variables_total),
            sample=[{name: _short(value) for name, value in row.items()} for row in self.sample],
        )

    def apply(
        self,
        reason: str | None = None,
        expect: int | None = None,
        *,
        on_change: str = FAIL,
        cascade: bool = False,
        archive: bool = True,
        create_archive: bool = False,
    ) -> Receipt:
        """Move the planned rows to the archive, in one transaction.

        Parameters
        ----------
        reason : str, optional
            Why, for the list of changes.
        expect : int, optional
            The number of rows, records and variables together; wanted when the plan carries a warning.
        on_change : {"fail", "skip"}, default "fail"
            What to do when planned rows changed or went in the meantime: touch nothing, or leave those alone.
        cascade : bool, default False
            Also take rows of other tables whose foreign keys say so.
        archive : bool, default True
            Keep the rows so that they can be brought back; without, only that it happened is written down.
        create_archive : bool, default False
            Make the archive where it is missing.

        Returns
        -------
        Receipt

        Raises
        ------
        ExpectationFailed
            When `expect` is another number, or is missing where the plan carries a warning.
        StalePlan
            When planned rows changed or went in the meantime, naming some; nothing is touched then.
        AlreadyDone
            When the plan was applied before, with its receipt, or none of the planned rows is there any more.
        ArchiveMissing
            When there is nowhere to keep the rows.
        InvalidOption
            When foreign keys would take rows of other tables along, and `cascade` does not let them.
        """
        store = self.tools.archive
        change_id = self.id if archive else None
        options: dict[str, Any] = {"archive": archive, "create_archive": create_archive, "on_change": on_change}
        with self.tools.applying(self, expect, **options) as connection:
            along = [
                entry
                for part in self.parts
                for entry in keep_companions(connection, change_id, part.planned, part.rows, cascade=cascade)
            ]
            taken = {part.what: part.planned.take(connection, change_id, part.rows) for part in self.parts}
            check_state(self.total, taken, on_change, self.tools.policy)
            receipt = self._receipt(connection, taken, archive=archive)
            if receipt.total:
                selection = {**self.selection, **({COMPANIONS: along} if along else {})}
                store.write_down(connection, receipt, reason, selection)
        return self.tools.with_undo(receipt)

    def _receipt(self, connection: sa.Connection, taken: Mapping[str, Taken], *, archive: bool) -> Receipt:
        variables, records = (taken[part.what] for part in self.parts)
        return Receipt(
            self.id,
            str(self.tools.workflow_id),
            CLEAR,
            variables=variables.done,
            records=records.done,
            archived=archive,
            appeared=sum(part.appeared(connection, taken[part.what]) for part in self.parts),
            skipped=self.tools.shown((*variables.left, *records.left)),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What a plan takes of one of the two tables.

    Attributes
    ----------
    what : str
        What a row is called.
    planned : PlannedRows
        Of the table.
    rows : RowSpool
        Which rows, in which state.
    condition : SQLAlchemy condition or None
        By which they were chosen.
    """

    what: str
    planned: PlannedRows
    rows: RowSpool
    condition: Condition | None

    def appeared(self, connection: sa.Connection, taken: Taken) -> int:
        """Count the rows that would be chosen now, and were not then.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            After the planned rows were taken.
        taken : Taken
            What became of them.

        Returns
        -------
        int
        """
        if self.condition is None:
            return 0
        left = self.planned.count(connection, self.condition, taken.changed) if taken.changed else 0
        return self.planned.count(connection, self.condition) - left


def plan_clear(
    variables: VariableStorage,
    records: RecordStorage,
    selection: Selection,
    tools: PlanTools,
) -> ClearPlan:
    """Look at what a selection takes, in one snapshot, without changing anything.

    Parameters
    ----------
    variables : VariableStorage
        Of the database.
    records : RecordStorage
        Of the database.
    selection : Selection
        What to take.
    tools : PlanTools
        Of the workflow, for applying it.

    Returns
    -------
    ClearPlan
    """
    checked, hiding = str(tools.workflow_id), tools.policy
    with records.database.read() as connection:
        if selection.is_relative:
            selection = selection.at(times.read(connection.scalar(records.dialect.now().select())))
        parts = _part(connection, variables, checked, selection), _part(connection, records, checked, selection)
        censuses = [
            _census(connection, variables, checked, parts[0]),
            _census(connection, records, checked, parts[1]),
        ]
        sample = [*_sample_records(connection, records, parts[1], hiding)]
        sample += _sample_variables(connection, variables, parts[0], hiding)
    by_status, by_type = _margin(censuses[1], "status"), _margin(censuses[1], "record_type")
    moments = [moment for census in censuses for row in census for moment in (row["first"], row["last"]) if moment]
    totals = [sum(row["total"] for row in census) for census in censuses]
    taken = [part.rows.total for part in parts]
    return ClearPlan(
        id=uuid.uuid4().hex,
        workflow_id=hiding.mask_text(checked),
        variables=taken[0],
        records=taken[1],
        by_status=_shown(by_status, hiding),
        by_type=_shown(by_type, hiding),
        oldest=min(moments, default=None),
        newest=max(moments, default=None),
        variables_total=totals[0],
        records_total=totals[1],
        selection=selection.described(),
        warnings=warnings_about(
            sum(taken), sum(totals), by_status.get(columns.PROCESSING, 0), records.database.profile
        ),
        notes=(UNMOVED,) if selection.before and taken[0] else (),
        sample=tuple(sample),
        parts=parts,
        tools=tools,
    )


def _part(
    connection: sa.Connection, storage: VariableStorage | RecordStorage, workflow_id: str, selection: Selection
) -> Part:
    planned = PlannedRows(storage.archive, storage.table, workflow_id)
    condition = selection.condition(storage, workflow_id)
    what = "record" if storage.name == "record_id" else "variable"
    return Part(what, planned, planned.spool(connection, condition), condition)


def _census(
    connection: sa.Connection, storage: VariableStorage | RecordStorage, workflow_id: str, part: Part
) -> list[dict[str, Any]]:
    """Count what is there and what is taken of it, in one pass."""
    table = storage.table
    groups = [table.c[name] for name in ("status", "record_type")] if storage.name == "record_id" else []
    taken: Condition = sa.false() if part.condition is None else part.condition
    moment: Column = sa.case((taken, table.c.updated_at))
    statement = sa.select(
        *groups,
        sa.func.count().label("total"),
        sa.func.count(sa.case((taken, 1))).label("taken"),
        storage.dialect.time_text(sa.func.min(moment)).label("first"),
        storage.dialect.time_text(sa.func.max(moment)).label("last"),
    ).where(storage.in_workflows(literally(workflow_id)))
    found = [dict(row) for row in connection.execute(statement.group_by(*groups)).mappings()]
    return [{**row, "first": _moment(row["first"]), "last": _moment(row["last"])} for row in found]


def _moment(text: str | None) -> dt.datetime | None:
    try:
        return None if text is None else times.read(text)
    except ValueError:
        # Infinite, or whatever somebody wrote.
        return None


def _margin(census: list[dict[str, Any]], by: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in census:
        if row["taken"]:
            name = str(row[by]) if row[by] is not None else {"status": columns.NO_STATUS}.get(by, columns.NO_TYPE)
            counts[name] = counts.get(name, 0) + row["taken"]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _shown(counts: dict[str, int], policy: MaskingPolicy) -> dict[str, int]:
    """Hide what is secret in the names of groups; those that look the same then are one."""
    shown: dict[str, int] = {}
    for name, count in counts.items():
        masked = policy.mask_text(name)
        shown[masked] = shown.get(masked, 0) + count
    return shown


def _sample_records(
    connection: sa.Connection, storage: RecordStorage, part: Part, policy: MaskingPolicy
) -> list[dict[str, Any]]:
    shown = ("record_id", "record_type", "status", "error_message", "updated_at")
    rows = _first(connection, storage, part, (*shown, columns.DATA))
    return [
        {
            **{name: policy.mask(row[name]) for name in shown},
            columns.DATA: policy.mask(_decoded(row[columns.DATA])),
        }
        for row in rows
    ]


def _sample_variables(
    connection: sa.Connection, storage: VariableStorage, part: Part, policy: MaskingPolicy
) -> list[dict[str, Any]]:
    rows = _first(connection, storage, part, ("key", "updated_at", "value"))
    return [
        {
            "key": policy.mask(row["key"]),
            "updated_at": row["updated_at"],
            "value": policy.mask(_decoded(row["value"]), row["key"]),
        }
        for row in rows
    ]


def _first(
    connection: sa.Connection, storage: VariableStorage | RecordStorage, part: Part, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    if part.condition is None:
        return []
    order = storage.dialect.by_code_point(storage.name_column)
    statement = sa.select(*storage.select(*names)).where(part.condition).order_by(order).limit(SAMPLE_ROWS)
    return [dict(row) for row in connection.execute(statement).mappings()]


def _decoded(text: str | None) -> Any:
    try:
        return None if text is None else jsonvalue.decode(text)
    except CorruptValue:
        return None


_LONGEST: Final = 60


def _short(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else jsonvalue.encode_exact(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
