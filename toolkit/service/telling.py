"""Errors that name rows: what they say is masked, as what a read shows is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolkit.errors import DatabaseError, ToolkitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.masking import MaskingPolicy
    from toolkit.service.base import ServiceBase
    from toolkit.storage.base import WorkflowIds


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


def _policy(service: ServiceBase, workflow_ids: WorkflowIds | None) -> MaskingPolicy:
    if workflow_ids is None or service.database.in_write:
        # Within a change that failed, the database answers no more questions.
        return service.masking
    try:
        return service._sweeping(workflow_ids)  # noqa: SLF001 - of this package
    except ToolkitError:
        # The database is what failed, or the id is none.
        return service.masking
