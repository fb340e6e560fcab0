"""Plan → apply → undo. A plan is a value: it says what it takes, and changes nothing until it is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns, display
from toolkit.errors import AlreadyDone, ExpectationFailed, InvalidOption, NothingSelected, StalePlan
from toolkit.model import OneOrMany, Receipt, RecordFilter, VariableFilter, counted, rows_counted
from toolkit.storage.archive import Removal
from toolkit.storage.base import literally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from toolkit.patterns import PatternLike
    from toolkit.profiles import Profile
    from toolkit.storage.base import WorkflowId
    from toolkit.storage.records import RecordStorage
    from toolkit.storage.variables import VariableStorage

HALF: Final = 0.5
"""A plan that takes more than this share of a workflow's rows asks for `expect=`."""


@dataclass(frozen=True)
class ClearPlan:
    """What a clear would take: exactly these rows, and none that appear later.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    keys, record_ids : tuple of str
        The variables and records it takes.
    by_status, by_type : dict of str to int
        The records it takes, counted.
    variables_total, records_total : int
        What the workflow holds altogether.
    selection : dict
        The filters, as plain JSON.
    warnings : tuple of str
        What should make you look twice; with one, `apply` wants `expect=`.
    """

    workflow_id: str
    keys: tuple[str, ...]
    record_ids: tuple[str, ...]
    by_status: Mapping[str, int]
    by_type: Mapping[str, int]
    variables_total: int
    records_total: int
    selection: Mapping[str, Any]
    warnings: tuple[str, ...]
    storages: tuple[VariableStorage, RecordStorage] = field(repr=False, compare=False)
    with_undo: Callable[[Receipt], Receipt] = field(repr=False, compare=False)

    @property
    def total(self) -> int:
        """Rows of both tables together."""
        return len(self.keys) + len(self.record_ids)

    def __repr__(self) -> str:
        taken = rows_counted(len(self.record_ids), len(self.keys))
        return f"ClearPlan: {taken} of workflow {self.workflow_id}; nothing has changed yet, .apply() does it"

    def _repr_html_(self) -> str:
        return display.render(
            "plan.html.j2",
            plan=self,
            taken=rows_counted(len(self.record_ids), len(self.keys)),
            total=rows_counted(self.records_total, self.variables_total),
        )

    def apply(self, reason: str | None = None, expect: int | None = None, *, archive: bool = True) -> Receipt:
        """Move the planned rows to the archive, in one transaction.

        Parameters
        ----------
        reason : str, optional
            Why, for the list of changes.
        expect : int, optional
            The number of rows, records and variables together; wanted when the plan carries a warning.
        archive : bool, default True
            Keep the rows so that they can be brought back.

        Returns
        -------
        Receipt

        Raises
        ------
        ExpectationFailed
            When `expect` is another number, or is missing where the plan carries a warning.
        StalePlan
            When planned rows went in the meantime; nothing is touched then.
        AlreadyDone
            When none of the planned rows is there any more.
        ArchiveMissing
            When there is nowhere to keep the rows.
        """
        self._check(expect)
        variables, records = self.storages
        removal = Removal(
            self.workflow_id,
            "clear",
            variables=_named(variables, self.workflow_id, self.keys),
            records=_named(records, self.workflow_id, self.record_ids),
            reason=reason,
            selection=self.selection,
        )
        with variables.database.write():
            receipt = variables.archive.remove(removal, archive=archive)
            if receipt.total != self.total:
                kind = AlreadyDone if not receipt.total else StalePlan
                raise kind(
                    f"the plan takes {self.total:,} rows, {receipt.total:,} of them are still there; nothing was "
                    "touched. Make the plan again"
                )
        return self.with_undo(receipt)

    def _check(self, expect: int | None) -> None:
        if expect is None and self.warnings:
            raise ExpectationFailed(f"this plan {' and '.join(self.warnings)}; to go on, add expect={self.total}")
        if expect is not None and expect != self.total:
            raise ExpectationFailed(f"expect={expect}, and the plan takes {self.total:,} rows; nothing was touched")


def _named(storage: VariableStorage | RecordStorage, workflow_id: str, names: tuple[str, ...]) -> Any:
    if not names:
        return None
    return storage.rows(workflow_id, names)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of the two tables a clear is about; None takes none of that table.

    Attributes
    ----------
    records : RecordFilter or None
        Of the records.
    variables : VariableFilter or None
        Of the variables.
    given : dict
        The filters as they were given, as plain JSON, for the list of changes.
    """

    records: RecordFilter | None
    variables: VariableFilter | None
    given: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        pattern: PatternLike | None = None,
        *,
        records: PatternLike | None = None,
        variables: PatternLike | None = None,
        ids: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        status: OneOrMany | None = None,
        record_type: OneOrMany | None = None,
        everything: bool = False,
    ) -> Selection:
        """Read a selection as people give it; see `UnifiedDataService.plan_clear`.

        Parameters
        ----------
        pattern, records, variables : pattern, optional
            Of both tables, of record ids, of keys.
        ids, keys : iterable of str, optional
            Literal record ids and keys.
        status, record_type : str or iterable of str, optional
            Of records.
        everything : bool, default False
            Both tables, whole.

        Returns
        -------
        Selection

        Raises
        ------
        NothingSelected
            When nothing is selected and `everything` is not True.
        InvalidOption
            When `pattern`, which means both tables, stands beside `records` or `variables`.
        """
        if pattern is not None and (records is not None or variables is not None):
            raise InvalidOption("pattern= means both tables; give it, or records= and variables=, not both")
        of_records = {"ids": ids, "status": status, "record_type": record_type}
        takes_records = records is not None or any(given is not None for given in of_records.values())
        takes_variables = variables is not None or keys is not None
        if not takes_records and not takes_variables:
            if pattern is None and not everything:
                raise NothingSelected(
                    "this would clear everything; say what to clear, such as records='email_*', or everything=True"
                )
            takes_records = takes_variables = True
        record_filter = RecordFilter.of(pattern if records is None else records, **of_records)
        variable_filter = VariableFilter.of(pattern if variables is None else variables, keys=keys)
        return cls(
            record_filter if takes_records else None,
            variable_filter if takes_variables else None,
            _described(record_filter if takes_records else None, variable_filter if takes_variables else None),
        )


def _described(records: RecordFilter | None, variables: VariableFilter | None) -> dict[str, Any]:
    """Write filters down without their literal ids, of which there may be very many."""
    described: dict[str, Any] = {}
    if records is not None:
        described["records"] = {
            "pattern": "*" if records.pattern is None else str(records.pattern),
            "ids": None if records.ids is None else len(records.ids),
            "status": records.status,
            "record_type": records.record_type,
        }
    if variables is not None:
        described["variables"] = {
            "pattern": "*" if variables.pattern is None else str(variables.pattern),
            "keys": None if variables.keys is None else len(variables.keys),
        }
    return described


def plan_clear(
    variables: VariableStorage,
    records: RecordStorage,
    workflow_id: WorkflowId,
    selection: Selection,
    with_undo: Callable[[Receipt], Receipt],
) -> ClearPlan:
    """Look at what a selection takes, in one snapshot, without changing anything.

    Parameters
    ----------
    variables : VariableStorage
        Of the database.
    records : RecordStorage
        Of the database.
    workflow_id : str
        The workflow.
    selection : Selection
        What to take.
    with_undo : callable
        Gives a receipt its way back.

    Returns
    -------
    ClearPlan
    """
    checked = records.workflow_id(workflow_id)
    with records.database.read():
        keys = _names(variables, checked, selection.variables)
        record_ids = _names(records, checked, selection.records)
        by_status = _counts(records, checked, selection.records, "status")
        by_type = _counts(records, checked, selection.records, "record_type")
        all_statuses = _counts(records, checked, RecordFilter(), "status")
        variables_total = sum(count for _, _, count in variables.count(literally(checked)))
    records_total = sum(all_statuses.values())
    return ClearPlan(
        checked,
        keys,
        record_ids,
        by_status,
        by_type,
        variables_total,
        records_total,
        selection.given,
        _warnings(len(keys) + len(record_ids), variables_total + records_total, by_status, records.database.profile),
        (variables, records),
        with_undo,
    )


def _names(storage: VariableStorage | RecordStorage, workflow_id: str, selection: Any) -> tuple[str, ...]:
    if selection is None:
        return ()
    statement = sa.select(storage.name_column).where(storage.condition(literally(workflow_id), selection))
    with storage.database.read() as connection:
        return tuple(sorted(connection.scalars(statement)))


def _counts(records: RecordStorage, workflow_id: str, selection: RecordFilter | None, by: str) -> dict[str, int]:
    if selection is None:
        return {}
    table = records.count(literally(workflow_id), selection, by=(by,)).to_pylist()
    return {str(row[by]): row["count"] for row in table}


def _warnings(taken: int, total: int, by_status: Mapping[str, int], profile: Profile | None) -> tuple[str, ...]:
    found = [f"is for the profile {profile.name!r}, which is production"] if profile and profile.production else []
    if taken and taken == total:
        found.append("takes everything in the workflow")
    elif taken > total * HALF:
        found.append("takes more than half of the workflow")
    if by_status.get(columns.PROCESSING):
        found.append(f"takes {counted(by_status[columns.PROCESSING], 'record')} in processing")
    return tuple(found)
