"""The run at hand: every call of the service with the workflow's id bound. It holds no logic of its own."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from toolkit.service.checking import CheckingCalls
from toolkit.service.combined import CombinedCalls
from toolkit.service.comparing import CompareCalls
from toolkit.service.iteration_variables import IterationVariableCalls
from toolkit.service.keyed import RecordRows, VariableRows, keyed
from toolkit.service.record_iteration import IterationCalls
from toolkit.service.records import RecordCalls
from toolkit.service.reporting import ReportCalls
from toolkit.service.snapshots import SnapshotCalls
from toolkit.service.variables import VariableCalls
from toolkit.service.viewing import ViewCalls
from toolkit.storage.base import literally

if TYPE_CHECKING:
    from collections.abc import Callable


P = ParamSpec("P")
R = TypeVar("R")


def bound(method: Callable[Concatenate[Any, Any, P], R]) -> Callable[Concatenate[Workflow, P], R]:
    """Make a method of `Workflow` from a call of the service: the same options, without the workflow's id."""

    @functools.wraps(method)
    def call(self: Workflow, /, *args: P.args, **kwargs: P.kwargs) -> R:
        made: R = getattr(self.service, method.__name__)(self._given, *args, **kwargs)
        return made

    signature = inspect.signature(method)
    owner, _, *rest = signature.parameters.values()
    call.__signature__ = signature.replace(parameters=[owner, *rest])  # type: ignore[attr-defined]
    summary = (inspect.getdoc(method) or "").partition("\n")[0]
    call.__doc__ = f"{summary}\n\nThis is `UnifiedDataService.{method.__name__}` with the id of this workflow."
    return call


class Workflow:
    """One workflow of a service.

    Parameters
    ----------
    service : UnifiedDataService
        The service.
    workflow_id : str
        The workflow.

    Attributes
    ----------
    id : str
        The workflow's id.

    Examples
    --------
    >>> import toolkit
    >>> service = toolkit.connect(":memory:", create=True)
    >>> service.create_record("nightly", "email_001")
    'email_001'
    >>> wf = service.workflow("nightly")
    >>> len(wf.records("email_*"))
    1
    >>> wf.records["email_001"]["status"]  # a notebook completes the id
    'discovered'
    """

    def __init__(self, service: ReportCalls, workflow_id: str) -> None:
        self.service = service
        self.id = workflow_id
        # An id is meant literally here, whatever characters it has; reads would take some for wildcards.
        self._given: Any = literally(workflow_id)

    variables = keyed(bound(VariableCalls.get_all_variables), VariableRows)
    get = bound(VariableCalls.get_variable)
    set = bound(VariableCalls.set_variable)
    delete_variable = bound(VariableCalls.delete_variable)
    records = keyed(bound(RecordCalls.query_records), RecordRows)
    count = bound(RecordCalls.count_records)
    record = bound(ViewCalls.view_record)
    create_record = bound(RecordCalls.create_record)
    create_records = bound(RecordCalls.create_records)
    update_record = bound(RecordCalls.update_record)
    delete_record = bound(RecordCalls.delete_record)
    update_records = bound(RecordCalls.update_records)
    iterations = bound(IterationVariableCalls.get_iterations)
    iterate_records = bound(IterationCalls.iterate_records)
    retry_failed = bound(IterationCalls.retry_failed)
    requeue_stuck = bound(IterationCalls.requeue_stuck)
    validate_variables = bound(CheckingCalls.validate_variables)
    validate_records = bound(CheckingCalls.validate_records)
    report = bound(ReportCalls.report)
    stats = bound(CombinedCalls.get_stats)
    data = bound(CombinedCalls.get_data)
    changes = bound(CombinedCalls.changes)
    failures = bound(CompareCalls.failures)
    compare = bound(CompareCalls.compare)
    plan_clear = bound(CombinedCalls.plan_clear)
    plan_update = bound(CombinedCalls.plan_update)
    undo = bound(CombinedCalls.undo_last)
    snapshot = bound(SnapshotCalls.snapshot)

    def __repr__(self) -> str:
        return f"Workflow({self.stats()})"

    def _repr_html_(self) -> str:
        return self.stats()._repr_html_()
