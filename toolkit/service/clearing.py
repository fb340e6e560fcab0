"""Clearing by plans, clearing in one step, and forgetting what was cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit import changes
from toolkit.changes import ClearPlan, PurgePlan, Selection
from toolkit.changes.plans import PlanTools
from toolkit.errors import InvalidOption
from toolkit.service.editing import EditCalls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolkit.model import OneOrMany
    from toolkit.patterns import PatternLike
    from toolkit.storage.base import WorkflowId
    from toolkit.times import TimeLike

TYPES: Final = ("variables", "records", "all")
"""What `clear_data` takes as `type`."""


class ClearCalls(EditCalls):
    """Clear variables and records."""

    def plan_clear(
        self,
        workflow_id: WorkflowId,
        pattern: PatternLike | None = None,
        *,
        records: PatternLike | None = None,
        variables: PatternLike | None = None,
        ids: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        status: OneOrMany | None = None,
        record_type: OneOrMany | None = None,
        node: int | OneOrMany | None = None,
        category: str | None = None,
        updated_before: TimeLike | None = None,
        older_than: TimeLike | None = None,
        everything: bool = False,
    ) -> ClearPlan:
        """Look at what a clear would take; nothing changes until the plan is applied.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        pattern : str or list of str, optional
            Of record ids **and** keys.
        records, variables : str or list of str, optional
            Of record ids alone, of keys alone.
        ids, keys : iterable of str, optional
            Literal record ids, literal keys, or a frame that has them; an empty list takes nothing.
        status, record_type : str or iterable of str, optional
            Of records; such a filter takes no variables.
        node : str, iterable of str or int, optional
            The alias of the node that made a record, which takes no variables; or, as a number, the position of a node,
            which takes that node's variables and no records.
        category : {"iteration", "node", "custom"}, optional
            Of variables; such a filter takes no records.
        updated_before : str, datetime or timedelta, optional
            Rows of either table whose `updated_at` lies before it.
        older_than : str, datetime or timedelta, optional
            The same, as one says it of a span: `"30d"` is thirty days before the database's now.
        everything : bool, default False
            Both tables, whole: without it, no selection is an error.

        Returns
        -------
        ClearPlan
            What it takes; `.apply()` moves exactly those rows to the archive.

        Raises
        ------
        NothingSelected, InvalidPattern, InvalidOption

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": f"email_{n}"} for n in range(9)])
        >>> service.plan_clear("nightly", "email_1,email_2")
        ClearPlan: 2 records and 0 variables of workflow nightly; nothing has changed yet, .apply() does it
        """
        selection = Selection.of(
            pattern,
            records=records,
            variables=variables,
            ids=ids,
            keys=keys,
            status=status,
            record_type=record_type,
            node=node,
            category=category,
            updated_before=updated_before,
            older_than=older_than,
            everything=everything,
        )
        return self._planned(workflow_id, selection)

    def _planned(self, workflow_id: WorkflowId, selection: Selection) -> ClearPlan:
        tools = self._plan_tools(self.records.workflow_id(workflow_id))
        return changes.plan_clear(self.variables, self.records, selection, tools)

    def purge_archive(self, *, older_than: TimeLike, workflow_id: WorkflowId | None = None) -> PurgePlan:
        """Look at which changes would be forgotten for good; nothing is until the plan is applied.

        Parameters
        ----------
        older_than : str, datetime or timedelta
            Changes made before it; `"90d"` is ninety days before the database's now.
        workflow_id : str, optional
            Of one workflow only.

        Returns
        -------
        PurgePlan
            How many changes and rows; `.apply(expect=…)` forgets them.

        Raises
        ------
        ArchiveMissing, InvalidOption

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> receipt = service.delete_variable("nightly", "total")
        >>> service.purge_archive(older_than="90d")
        PurgePlan: 0 changes with 0 records and 0 variables, for good; nothing has changed yet, .apply() does it
        """
        one = None if workflow_id is None else self._one(workflow_id, "purge_archive")
        return changes.plan_purge(PlanTools(self.archive, self._receipt, self.masking, one), older_than)

    def clear_data(
        self,
        workflow_id: WorkflowId,
        type: str | None = None,  # noqa: A002 - the name of the first plan
        pattern: PatternLike | None = None,
        *,
        dry_run: bool = False,
        reason: str | None = None,
        expect: int | None = None,
        everything: bool = False,
    ) -> dict[str, Any]:
        """Move variables and records to the archive: `plan_clear` and `apply` in one.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        type : {"variables", "records", "all"}, optional
            Of one table only; both when left out.
        pattern : str or list of str, optional
            Of keys **and** record ids, as far as `type` takes them.
        dry_run : bool, default False
            Only count.
        reason : str, optional
            Why, for the list of changes.
        expect : int, optional
            The number of rows, records and variables together; wanted when it is everything in the workflow, more than
            half of it, or records in `processing`.
        everything : bool, default False
            Both tables, whole: without it, a clear with neither a pattern nor one of the tables is an error.

        Returns
        -------
        dict
            `variables` and `records`, as far as `type` takes them, each with `deleted` (a number) and the `pattern`
            where one was given; `dry_run`; and `receipt`, the id that `undo` takes, or None when nothing was done.

        Raises
        ------
        NothingSelected, InvalidOption, InvalidPattern, ExpectationFailed, StalePlan, ArchiveMissing

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": f"email_{n}"} for n in range(9)])
        >>> service.clear_data("nightly", pattern="email_1", dry_run=True)["records"]
        {'deleted': 1, 'pattern': 'email_1'}
        """
        selection = _selection(type, pattern, everything=everything)
        plan = self._planned(workflow_id, selection)
        receipt = None if dry_run else plan.apply(reason, expect)
        counts = {
            "variables": None if selection.variables is None else plan.variables,
            "records": None if selection.records is None else plan.records,
        }
        given = {} if pattern is None else {"pattern": str(_taken(selection).pattern or "*")}
        shape = {name: {"deleted": count, **given} for name, count in counts.items() if count is not None}
        return {**shape, "dry_run": dry_run, "receipt": receipt.id if receipt is not None and receipt.total else None}


def _selection(kind: str | None, pattern: PatternLike | None, *, everything: bool) -> Selection:
    if kind is not None and kind not in TYPES:
        raise InvalidOption(f"type={kind!r} is none of {', '.join(TYPES)}")
    if kind in (None, "all"):
        return Selection.of(pattern, everything=everything)
    whole = "*" if pattern is None else pattern
    return Selection.of(records=whole) if kind == "records" else Selection.of(variables=whole)


def _taken(selection: Selection) -> Any:
    return selection.records or selection.variables
