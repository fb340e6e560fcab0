"""A plan of which changes to forget for good."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import times
from toolkit.errors import StalePlan
from toolkit.model import Receipt, counted, rows_counted
from toolkit.storage import purging
from toolkit.storage.archive import PURGE
from toolkit.times import TimeLike, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.changes.plans import PlanTools
    from toolkit.storage.spool import RowSpool

EVERY_WORKFLOW: Final = "*"
"""What the list of changes says of a purge that was about all workflows."""


@dataclass(frozen=True)
class PurgePlan:
    """Which changes a purge would forget: exactly these, as they stand now.

    Attributes
    ----------
    id : str
        Of the change that it becomes.
    workflow_id : str or None
        Of one workflow, a secret in its id hidden; None means all.
    changes : int
        How many changes.
    variables, records : int
        How many rows the archive keeps of them.
    selection : dict
        Before when, as plain JSON.
    """

    id: str
    workflow_id: str | None
    changes: int
    variables: int
    records: int
    selection: Mapping[str, Any]
    rows: RowSpool = field(repr=False, compare=False)
    tools: PlanTools = field(repr=False, compare=False)

    @property
    def total(self) -> int:
        """Rows of both tables together, which nobody could bring back any more."""
        return self.variables + self.records

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should make you look twice; with one, `apply` wants `expect=`."""
        return ("forgets rows for good",) if self.total else ()

    def __repr__(self) -> str:
        return (
            f"PurgePlan: {counted(self.changes, 'change')} with {rows_counted(self.records, self.variables)}, for "
            "good; nothing has changed yet, .apply() does it"
        )

    def apply(self, reason: str | None = None, expect: int | None = None) -> Receipt:
        """Forget the planned changes and the rows that are kept of them, in one transaction.

        Parameters
        ----------
        reason : str, optional
            Why, for the list of changes.
        expect : int, optional
            The number of rows, records and variables together; wanted when there are any.

        Returns
        -------
        Receipt
            Of kind `purge`, which stands in the list of changes in place of what it forgot.

        Raises
        ------
        ExpectationFailed
            When `expect` is another number, or is missing where rows would go.
        StalePlan
            When one of the changes was undone in the meantime; nothing is touched then.
        AlreadyDone
            When the plan was applied before, with its receipt.
        """
        self.tools.archive.database.check_writable()
        store = self.tools.archive.home
        receipt = Receipt(
            self.id,
            self.tools.workflow_id or EVERY_WORKFLOW,
            PURGE,
            variables=self.variables,
            records=self.records,
            archived=False,
        )
        with replace(self.tools, archive=store).applying(self, expect) as connection:
            forgotten = purging.forget(store, connection, self.rows)
            if forgotten != (self.changes, self.variables, self.records):
                raise StalePlan(
                    f"the plan forgets {counted(self.changes, 'change')}, and some of them were undone or forgotten in "
                    "the meantime; nothing was touched. Make the plan again"
                )
            if self.changes:
                store.write_down(connection, receipt, reason, {**self.selection, "changes": self.changes})
        return self.tools.with_undo(receipt)


def plan_purge(tools: PlanTools, older_than: TimeLike) -> PurgePlan:
    """Look at which changes a purge would forget.

    Parameters
    ----------
    tools : PlanTools
        Of one workflow, or of all, for applying it.
    older_than : str, datetime or timedelta
        Changes made before it.

    Returns
    -------
    PurgePlan

    Raises
    ------
    ArchiveMissing, InvalidOption
    """
    store, one = tools.archive.home, tools.workflow_id
    limit = moment(older_than, "older_than")
    with store.database.read() as connection:
        condition = [store.dialect.time_bound(store.kept.changes.c.created_at, "<", limit)]
        condition += [store.kept.changes.c.workflow_id == one] if one is not None else []
        rows = purging.spool(store, connection, sa.and_(*condition))
        variables, records = purging.rows_kept(store, connection, rows)
    said = times.iso(limit) if not hasattr(limit, "total_seconds") else f"{limit.total_seconds():.0f} s ago"
    shown = None if one is None else tools.policy.mask_text(one)
    return PurgePlan(uuid.uuid4().hex, shown, rows.total, variables, records, {"made_before": said}, rows, tools)
