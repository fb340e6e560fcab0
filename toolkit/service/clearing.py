"""Clearing in one step: a plan, applied at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit import changes
from toolkit.changes import ClearPlan, Selection
from toolkit.errors import ExpectationFailed, InvalidOption
from toolkit.service.base import ServiceBase

if TYPE_CHECKING:
    from toolkit.patterns import PatternLike
    from toolkit.storage.base import WorkflowId

TYPES: Final = ("variables", "records", "all")
"""What `clear_data` takes as `type`."""


class ClearCalls(ServiceBase):
    """Clear variables and records."""

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
        plan = changes.plan_clear(self.variables, self.records, workflow_id, selection, self._receipt)
        done = None if dry_run else _applied(plan, reason, expect)
        counts = {
            "variables": None if selection.variables is None else len(plan.keys),
            "records": None if selection.records is None else len(plan.record_ids),
        }
        given = {} if pattern is None else {"pattern": str(_taken(selection).pattern or "*")}
        shape = {name: {"deleted": count, **given} for name, count in counts.items() if count is not None}
        return {**shape, "dry_run": dry_run, "receipt": done}


def _selection(kind: str | None, pattern: PatternLike | None, *, everything: bool) -> Selection:
    if kind is not None and kind not in TYPES:
        raise InvalidOption(f"type={kind!r} is none of {', '.join(TYPES)}")
    if kind in (None, "all"):
        return Selection.of(pattern, everything=everything)
    whole = "*" if pattern is None else pattern
    return Selection.of(records=whole) if kind == "records" else Selection.of(variables=whole)


def _taken(selection: Selection) -> Any:
    return selection.records or selection.variables


def _applied(plan: ClearPlan, reason: str | None, expect: int | None) -> str | None:
    if plan.warnings and expect is None:
        raise ExpectationFailed(
            f"this clear {' and '.join(plan.warnings)}; nothing was touched. To go on, add expect={plan.total}"
        )
    receipt = plan.apply(reason, expect)
    return receipt.id if receipt.total else None
