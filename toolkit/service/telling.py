"""Errors that name rows: what they say is masked, as what a read shows is."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from toolkit.errors import DatabaseError, RecordNotFound, ToolkitError, VariableNotFound
from toolkit.model import RecordFilter, VariableFilter
from toolkit.storage.base import literally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.masking import MaskingPolicy
    from toolkit.service.base import ServiceBase
    from toolkit.storage.base import BaseStorage, WorkflowIds

_COMPARED: Final = 2_000
"""Names that are compared at most with one that was mistyped: each takes some microseconds."""
_ALIKE: Final = 3
"""Characters at the end of a name that may be mistyped while the names beginning like it are the ones to compare."""


@contextmanager
def hushed(service: ServiceBase, workflow_ids: WorkflowIds | None = None) -> Iterator[None]:
    """Have the errors of a call name no secret: ids and keys can hold some, and so can what is near to them.

    Parameters
    ----------
    service : ServiceBase
        Whose call it is.
    workflow_ids : str, iterable of str, or Pattern, optional
        Whose variables tell what is secret; the policy alone decides when left out.

    Yields
    ------
    None
    """
    try:
        yield
    except ToolkitError as error:
        # What a database refuses is told without values, and one that does not answer is not asked again.
        policy = _policy(service, None if isinstance(error, DatabaseError) else workflow_ids)
        said = str(error)
        shown = policy.mask_text(said)
        if shown != said:
            error.args = (shown, *error.args[1:])
        raise


def no_such_row(service: ServiceBase, storage: BaseStorage, workflow_id: str, name: str) -> NoReturn:
    """Say that a row is not there, and which names are near.

    Parameters
    ----------
    service : ServiceBase
        Whose call it is.
    storage : BaseStorage
        Of the variables, or of the records.
    workflow_id : str
        The workflow, literally.
    name : str
        What was typed.

    Raises
    ------
    RecordNotFound, VariableNotFound
        Of a workflow with thousands of names, those that begin alike and the first ones are compared.
    """
    of_records = storage is service.records
    error, what = (RecordNotFound, "record") if of_records else (VariableNotFound, "variable")
    near = _near(storage, RecordFilter if of_records else VariableFilter, workflow_id, name)
    with hushed(service, literally(workflow_id)):
        raise error(f"workflow {workflow_id} has no {what} {name!r}{near}")


def _near(storage: BaseStorage, kind: type[RecordFilter | VariableFilter], workflow_id: str, name: str) -> str:
    alike: list[str] = []
    if len(name) > _ALIKE:
        alike = storage.names(workflow_id, kind.of([f"{name[:-_ALIKE]}*"]), limit=_COMPARED)
    names = dict.fromkeys([*alike, *storage.names(workflow_id, limit=_COMPARED)])
    found = difflib.get_close_matches(name, names, n=3)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def _policy(service: ServiceBase, workflow_ids: WorkflowIds | None) -> MaskingPolicy:
    if workflow_ids is None or service.database.in_write:
        # Within a change that failed, the database answers no more questions.
        return service.masking
    try:
        return service._sweeping(workflow_ids)  # noqa: SLF001 - of this package
    except ToolkitError:
        # The database is what failed, or the id is none.
        return service.masking
