"""The calls that write records."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from toolkit import columns, frames, jsonvalue
from toolkit.errors import ToolkitError
from toolkit.service.record_reads import RecordReadCalls
from toolkit.service.telling import hushed
from toolkit.storage import rows
from toolkit.storage.given import Listed, Records
from toolkit.storage.merge import Patch, check_patch

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from toolkit.jsonvalue import JSONValue
    from toolkit.model import Receipt
    from toolkit.storage.base import WorkflowId
    from toolkit.storage.given import Given


class RecordCalls(RecordReadCalls):
    """Read and write the records of a workflow."""

    def create_record(
        self,
        workflow_id: WorkflowId,
        record_id: str,
        record_type: str | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        status: str = columns.DISCOVERED,
        iteration_node_alias: str | None = None,
        mode: str = "upsert",
        literal: bool = False,
        archive: bool = True,
    ) -> str:
        """Create one record.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        record_id : str
            Its id, at most 255 characters.
        record_type : str, optional
            Its type, at most 50 characters; the id's prefix when left out (`email_001` → `email`).
        data : mapping, optional
            Its document; keys outside `fields`, `vars`, `targets` and `history` go into `fields`. It is not changed.
        status : str, default "discovered"
            Free text, at most 50 characters.
        iteration_node_alias : str, optional
            The node that creates it.
        mode : {"upsert", "create", "update"}, default "upsert"
            `create` fails when the record exists, `update` when it does not; `upsert` replaces type, status, node and
            document, and archives the former row.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.
        archive : bool, default True
            Keep a row that is replaced.

        Returns
        -------
        str
            The record id; a secret in it is masked.

        Raises
        ------
        RecordExists, RecordNotFound, InvalidValue, HiddenValue, ArchiveMissing

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001", data={"subject": "Hello"}, mode="create")
        'email_001'
        """
        given = {
            "record_id": record_id,
            "record_type": record_type,
            columns.DATA: data,
            "status": status,
            "iteration_node_alias": iteration_node_alias,
        }
        with hushed(self, workflow_id):
            self.records.create_many(workflow_id, [rows.record_row(given, literal=literal)], mode=mode, archive=archive)
        return self.masking.mask_text(record_id)

    def create_records(
        self,
        workflow_id: WorkflowId,
        frame_or_iterable: pd.DataFrame | Iterable[Mapping[str, Any]],
        *,
        mode: str = "create",
        literal: bool = False,
        archive: bool = True,
    ) -> int:
        """Create many records, all or none, in one transaction.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        frame_or_iterable : pandas.DataFrame or iterable of mapping
            One record per row: `record_id`, and where wanted the other record columns, and either `data` or paths
            such as `fields.subject`. A missing cell is left out.
        mode : {"create", "update", "upsert"}, default "create"
            See `create_record`.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.
        archive : bool, default True
            Keep rows that are replaced.

        Returns
        -------
        int
            Number of records.

        Raises
        ------
        RecordExists, RecordNotFound, InvalidValue, HiddenValue, InvalidPath, ArchiveMissing
            A bad row is named by its position and id; nothing is written then.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_records("nightly", [{"record_id": "a_1", "fields.n": 1}, {"record_id": "a_2"}])
        2
        """
        given: Given | None = frames.frame_rows(frame_or_iterable)
        if given is None:
            many: Any = frame_or_iterable
            given = Listed(list(many))
        with hushed(self, workflow_id):
            return self.records.create_many(workflow_id, Records(given, literal=literal), mode=mode, archive=archive)

    def update_record(
        self,
        workflow_id: WorkflowId,
        record_id: str,
        patch: Mapping[str, Any],
        current_context: Any = None,
        *,
        literal: bool = False,
    ) -> dict[str, JSONValue]:
        """Merge a patch into one record, atomically: concurrent updates of different paths are all kept.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        record_id : str
            The record.
        patch : mapping of str to object
            `status`, `error_message`, `processed_at` and `retry_count` are columns; every other key is a path that
            starts in one of the four parts, or with `data.` for another top-level key: `vars.label`, `fields."a.b"`,
            `history[+]` to append one element. Objects merge, arrays are replaced, what is not named stays as it is.
        current_context : dict or object, optional
            A live record, such as `current_record()` gives, or an object with the attributes `record_id` and `data`;
            when it is this record, it is updated too.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.

        Returns
        -------
        dict
            `{"record_id": …, "updated": [the keys of the patch]}`; secrets in them are masked.

        Raises
        ------
        RecordNotFound, InvalidPath, InvalidValue, HiddenValue

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001")
        'email_001'
        >>> service.update_record("nightly", "email_001", {"vars.label": "investor", "status": "complete"})
        {'record_id': 'email_001', 'updated': ['vars.label', 'status']}
        """
        with hushed(self, workflow_id):
            checked = _checked(record_id, patch, literal=literal)
            document = self.records.update(workflow_id, record_id, checked)
        if current_context is not None:
            _follow(current_context, record_id, {columns.DATA: document, **checked.columns})
        shown = self.masking.mask_text
        return {"record_id": shown(record_id), "updated": [shown(name) for name in patch]}

    def update_records(
        self,
        workflow_id: WorkflowId,
        patches: Mapping[str, Mapping[str, Any]] | Iterable[tuple[str, Mapping[str, Any]]],
        *,
        literal: bool = False,
    ) -> int:
        """Merge patches into many records, all or none, in one transaction; see `update_record`.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        patches : mapping, or iterable of (str, mapping)
            A patch for each record id; several of one record are merged in their order.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.

        Returns
        -------
        int
            Number of records.

        Raises
        ------
        RecordNotFound, InvalidPath, InvalidValue, HiddenValue
            Naming the record; nothing is written then.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": "a_1"}, {"record_id": "a_2"}])
        >>> service.update_records("nightly", {"a_1": {"status": "complete"}, "a_2": {"vars.label": "x"}})
        2
        """
        pairs = patches.items() if isinstance(patches, Mapping) else patches
        with hushed(self, workflow_id):
            checked = [(record_id, _checked(record_id, patch, literal=literal)) for record_id, patch in pairs]
            return self.records.update_many(workflow_id, checked)

    def delete_record(
        self, workflow_id: WorkflowId, record_id: str, *, reason: str | None = None, archive: bool = True
    ) -> Receipt:
        """Move one record to the archive.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        record_id : str
            The record.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the row so that it can be brought back.

        Returns
        -------
        Receipt
            `records` is 0 when there was no such record.

        Raises
        ------
        ArchiveMissing
            When there is nowhere to keep the row.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001")
        'email_001'
        >>> service.delete_record("nightly", "email_001").undo().records
        1
        """
        return self._receipt(self.records.delete(workflow_id, record_id, reason=reason, archive=archive))

    def delete_all_records(
        self, workflow_id: WorkflowId, *, reason: str | None = None, archive: bool = True
    ) -> Receipt:
        """Move all records of a workflow to the archive.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the rows so that they can be brought back.

        Returns
        -------
        Receipt

        Raises
        ------
        ArchiveMissing
            When there is nowhere to keep the rows.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.delete_all_records("nightly").records
        0
        """
        return self._receipt(self.records.delete_all(workflow_id, reason=reason, archive=archive))


def _follow(context: Any, record_id: str, values: Mapping[str, Any]) -> None:
    """Bring a live context up to date, when it is of this record."""
    values = {**values, columns.DATA: jsonvalue.decode(jsonvalue.encode_exact(values[columns.DATA]))}
    if isinstance(context, MutableMapping):
        if context.get("record_id") == record_id:
            context.update(values)
    elif getattr(context, "record_id", None) == record_id:
        for name, value in values.items():
            setattr(context, name, value)


def _checked(record_id: str, patch: Mapping[str, Any], *, literal: bool) -> Patch:
    try:
        checked = check_patch(patch)
    except ToolkitError as error:
        raise type(error)(f"record {record_id!r}: {error}") from None
    if not literal:
        checked.refuse_masks(f"record {record_id!r}")
    return checked
