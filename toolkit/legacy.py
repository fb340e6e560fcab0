"""The service that the toolkit replaces, under its old names: `VariableManagementService`.

`CALLS` is the whole of it: one line per old name says what becomes of the call. `docs/migration.md` shows each call
before and after.
"""

from __future__ import annotations

import datetime as dt
import inspect
import warnings
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, frames, times
from toolkit.service.formatting import format_for_display
from toolkit.service.unified import UnifiedDataService, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

    from toolkit.model import Receipt
    from toolkit.patterns import PatternLike

Row = dict[str, Any]


def _rows(frame: pd.DataFrame) -> list[Row]:
    """Return a frame as the old service gave rows: dicts of plain JSON, times as text."""
    return [_row(row) for row in frames.to_dicts(frame)]


def _row(row: Row) -> Row:
    return {name: times.iso(value) if isinstance(value, dt.datetime) else value for name, value in row.items()}


def _variables(
    service: UnifiedDataService, workflow_id: str, *, contains: str | None = None, node: int | None = None
) -> list[Row]:
    frame = service.get_all_variables(workflow_id, contains=contains, node=node, reveal=True)
    return _rows(frame.drop(columns=["type", "category"]))


def _records(service: UnifiedDataService, workflow_id: str, *pattern: Any, **filters: Any) -> list[Row]:
    frame = service.query_records(workflow_id, *pattern, flatten=False, reveal=True, **filters)
    return [{columns.WORKFLOW_ID: str(workflow_id), **row} for row in _rows(frame)]


def _record(service: UnifiedDataService, workflow_id: str, record_id: str) -> Row | None:
    found = service.get_record(workflow_id, record_id, reveal=True)
    return None if found is None else {columns.WORKFLOW_ID: str(workflow_id), **_row(found)}


def _set(
    service: UnifiedDataService, workflow_id: str, key: str, value: Any, schema: Any = None, reason: str | None = None
) -> Row:
    service.set_variable(workflow_id, key, value, schema, reason)
    return {"success": True, "key": key, "value": value, "reason": reason}


def _create(
    service: UnifiedDataService,
    workflow_id: str,
    record_id: str,
    record_type: str | None = None,
    initial_data: Mapping[str, Any] | None = None,
    iteration_node_alias: str | None = None,
) -> Row | None:
    with service.database.write():
        service.create_record(
            workflow_id, record_id, record_type, initial_data, iteration_node_alias=iteration_node_alias
        )
        return _record(service, workflow_id, record_id)


def _update(
    service: UnifiedDataService, workflow_id: str, record_id: str, patch: Mapping[str, Any], current_context: Any = None
) -> None:
    service.update_record(workflow_id, record_id, patch, current_context)


def _convert(
    service: UnifiedDataService,
    workflow_id: str,
    array: Iterable[Any],
    record_type: str = "temp",
    iteration_node_alias: str | None = None,
    run_id: str | None = None,
) -> list[Row]:
    with service.database.write():
        ids = service.convert_array_to_records(workflow_id, array, record_type, iteration_node_alias, run_id)
        found = {row["record_id"]: row for row in _records(service, workflow_id, ids=ids)}
    return [found[name] for name in ids]


def _gone(receipt: Receipt) -> Row:
    return {"success": True, "deleted": receipt.total, "receipt": receipt.id if receipt.total else None}


def _clean_up_all(service: UnifiedDataService, workflow_id: str) -> Row:
    with service.database.write():
        positions = {one for several in service.get_iterations(workflow_id)["positions"] for one in several}
        return _gone(service.cleanup_iteration_variables(workflow_id, positions))


def _clear(
    service: UnifiedDataService,
    workflow_id: str,
    type: str | None = None,  # noqa: A002 - the old name
    pattern: PatternLike | None = None,
    **options: Any,
) -> Row:
    return service.clear_data(workflow_id, type, pattern, **options)


def _validate(value: Any, schema: Mapping[str, Any]) -> bool:
    from toolkit import validation  # noqa: PLC0415 - jsonschema is only loaded when it is used

    validation.check(value, schema, "the value")
    return True


CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    # Variables.
    "get_all_variables": _variables,
    "get_variable": lambda service, workflow_id, key: service.get_variable(workflow_id, key, reveal=True),
    "set_variable": _set,
    "delete_variable": lambda service, workflow_id, key: _gone(service.delete_variable(workflow_id, key)),
    "clear_all_variables": lambda service, workflow_id: _gone(service.clear_all_variables(workflow_id)),
    "get_formatted_variables": lambda service, workflow_id: service.get_formatted_variables(workflow_id),
    "search_variables": lambda service, workflow_id, text: _variables(service, workflow_id, contains=text),
    "get_node_variables": lambda service, workflow_id, node_id: _variables(service, workflow_id, node=node_id),
    "get_variable_stats": lambda service, workflow_id: service.get_stats(workflow_id).to_dict()["variables"],
    "find_iterate_references": lambda service, workflow_id, key: service.find_iterate_references(workflow_id, key),
    "find_iterate_nodes_referencing_variable": lambda service, workflow_id, key: service.find_iterate_references(
        workflow_id, key
    ),
    "cleanup_iteration_variables": lambda service, workflow_id, node_positions: _gone(
        service.cleanup_iteration_variables(workflow_id, node_positions)
    ),
    "cleanup_all_iteration_variables": _clean_up_all,
    "validate_against_schema": lambda _, value, schema: _validate(value, schema),
    "is_sensitive_key": lambda service, key: service.masking.is_sensitive_name(key),
    "format_variable_for_display": lambda service, key, value: format_for_display(service.masking.mask(value, key)),
    # Records.
    "create_record": _create,
    "update_record": _update,
    "get_record": _record,
    "get_records_by_ids": lambda service, workflow_id, record_ids: _records(service, workflow_id, ids=record_ids),
    "query_records": lambda service, workflow_id, query="*": _records(service, workflow_id, query),
    "delete_record": lambda service, workflow_id, record_id: _gone(service.delete_record(workflow_id, record_id)),
    "delete_all_records": lambda service, workflow_id: _gone(service.delete_all_records(workflow_id)),
    "convert_array_to_records": _convert,
    # Both.
    "get_data": lambda service, workflow_id, bucket="all", pattern=None, include_metadata=False: service.get_data(
        workflow_id, bucket, pattern, include_metadata, reveal=True
    ).to_dict(),
    "clear_data": _clear,
    "get_stats": lambda service, workflow_id: service.get_stats(workflow_id).to_dict(),
}
"""What becomes of each call of the old service: its name in snake_case, and a function of the new service."""


class VariableManagementService:
    """The service that the toolkit replaces: its names, in snake_case, and its shapes, over the new service.

    **It reads unmasked**: it is for programs, which need the real values. Only `get_formatted_variables` and
    `format_variable_for_display` hide secrets, as they always did. For a notebook, take `toolkit.connect`, which masks
    what a person sees. Rows are dicts and times text, as the old service gave them; where the old service lost data or
    answered wrongly, the new rules hold (`docs/migration.md` lists them). `CALLS` in this module is the list of its
    calls.

    Parameters
    ----------
    service : UnifiedDataService, optional
        What does the work; `toolkit.connect()` when left out.

    Attributes
    ----------
    service : UnifiedDataService
        What does the work, and what new programs call.

    Warns
    -----
    DeprecationWarning
        Once, when it is made.

    Examples
    --------
    >>> import warnings, toolkit
    >>> from toolkit.legacy import VariableManagementService
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", DeprecationWarning)
    ...     old = VariableManagementService(toolkit.connect(":memory:", create=True))
    >>> old.set_variable("nightly", "total", 0)
    {'success': True, 'key': 'total', 'value': 0, 'reason': None}
    >>> old.get_variable("nightly", "total")
    0
    """

    def __init__(self, service: UnifiedDataService | None = None) -> None:
        warnings.warn(
            "VariableManagementService keeps old programs running, and shows secrets; new ones call toolkit.connect(), "
            "whose calls have the same names",
            DeprecationWarning,
            stacklevel=2,
        )
        self.service = connect() if service is None else service

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    def __repr__(self) -> str:
        return f"VariableManagementService({self.service!r})"


def _method(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Make the method of one old name."""

    def method(self: VariableManagementService, /, *args: Any, **kwargs: Any) -> Any:
        return call(self.service, *args, **kwargs)

    _, *rest = inspect.signature(call).parameters.values()
    owner = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    # A TypeError names the old call then.
    call.__qualname__ = method.__qualname__ = f"{VariableManagementService.__name__}.{name}"
    method.__name__ = name
    method.__doc__ = f"Answer a call of the old service; see `{name}` in docs/migration.md."
    method.__signature__ = inspect.Signature([owner, *rest])  # type: ignore[attr-defined]
    return method


for _name, _call in CALLS.items():
    setattr(VariableManagementService, _name, _method(_name, _call))
