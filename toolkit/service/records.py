"""The calls about records."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Unpack, overload

from toolkit import columns, frames, jsonvalue
from toolkit.errors import InvalidOption, ToolkitError
from toolkit.model import OneOrMany, Receipt, RecordFilter, RecordFilterOptions
from toolkit.patterns import Pattern, PatternLike
from toolkit.service.base import ServiceBase, of_workflows
from toolkit.service.chunks import RecordChunks
from toolkit.storage import rows
from toolkit.storage.merge import Patch, check_patch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from toolkit.jsonvalue import JSONValue
    from toolkit.paths import Path
    from toolkit.storage.base import WorkflowId, WorkflowIds
    from toolkit.times import TimeLike

ALL_COLUMNS: Final = "all"
"""What `columns=` takes to add `history` to a flat frame."""

_LARGEST: Final = 2**63 - 1


class RecordCalls(ServiceBase):
    """Read and write the records of a workflow."""

    @overload
    def query_records(
        self,
        workflow_id: WorkflowIds,
        pattern: PatternLike = "*",
        *,
        columns: Sequence[str] | str | None = None,
        flatten: bool = True,
        limit: int | None = None,
        chunksize: None = None,
        reveal: bool = False,
        **filters: Unpack[RecordFilterOptions],
    ) -> pd.DataFrame: ...

    @overload
    def query_records(
        self,
        workflow_id: WorkflowIds,
        pattern: PatternLike = "*",
        *,
        columns: Sequence[str] | str | None = None,
        flatten: bool = True,
        limit: int | None = None,
        chunksize: int,
        reveal: bool = False,
        **filters: Unpack[RecordFilterOptions],
    ) -> RecordChunks: ...

    def query_records(
        self,
        workflow_id: WorkflowIds,
        pattern: PatternLike = "*",
        *,
        ids: Iterable[str] | None = None,
        record_type: OneOrMany | None = None,
        status: OneOrMany | None = None,
        node: OneOrMany | None = None,
        since: TimeLike | None = None,
        created_after: TimeLike | None = None,
        created_before: TimeLike | None = None,
        updated_after: TimeLike | None = None,
        updated_before: TimeLike | None = None,
        processed_after: TimeLike | None = None,
        processed_before: TimeLike | None = None,
        contains: str | None = None,
        columns: Sequence[str] | str | None = None,
        flatten: bool = True,
        limit: int | None = None,
        chunksize: int | None = None,
        reveal: bool = False,
    ) -> pd.DataFrame | RecordChunks:
        """Return records as a DataFrame.

        Parameters
        ----------
        workflow_id : str, list of str, or pattern
            One workflow, several, or a pattern such as `"nightly-*"`.
        pattern : str or list of str, default "*"
            Of record ids, in the wildcard language (`*`, `?`, commas).
        ids : iterable of str, optional
            Literal record ids; an empty list gives an empty frame.
        record_type, status, node : str or iterable of str, optional
            Literal values of `record_type`, `status` and `iteration_node_alias`.
        since : str, datetime or timedelta, optional
            `updated_at` at or after it; `"24h"` is a day before the database's now. A time without a zone is UTC.
        created_after, created_before : str, datetime or timedelta, optional
            `created_at` at or after it, and before it.
        updated_after, updated_before : str, datetime or timedelta, optional
            `updated_at`, likewise.
        processed_after, processed_before : str, datetime or timedelta, optional
            `processed_at`, likewise.
        contains : str, optional
            A part of the record id; ASCII letters match in either case.
        columns : sequence of str or "all", optional
            Record columns and paths to keep, in that order; a path takes everything below it. `"all"` adds
            `history`, which a flat frame leaves out otherwise.
        flatten : bool, default True
            One column per place in the documents; else one column `data` of dicts.
        limit : int, optional
            At most that many rows.
        chunksize : int, optional
            Return a context manager over frames of that many rows instead: one snapshot, read as it is asked for,
            the same columns and dtypes in each.
        reveal : bool, default False
            Show secrets.

        Returns
        -------
        pandas.DataFrame or RecordChunks
            One row per record, ordered by `created_at` and `record_id`: the record columns (`str`, `retry_count`
            `Int64`, times `datetime64[us, UTC]`), then `fields.*`, `vars.*`, `targets.*` and other top-level keys as
            `data.*`, by code point. Integers are `Int64`, other numbers `Float64`, booleans `boolean`, text `str`;
            arrays, big integers and mixed values `object`. With several workflows, `workflow_id` stands in front.

        Raises
        ------
        InvalidPattern, InvalidOption, InvalidPath

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001", data={"subject": "Hello", "size": 3})
        'email_001'
        >>> service.query_records("nightly", columns=["record_id", "status", "fields"])
           record_id      status  fields.size fields.subject
        0  email_001  discovered            3          Hello
        """
        selection = RecordFilter.of(
            pattern,
            ids=ids,
            record_type=record_type,
            status=status,
            node=node,
            since=since,
            created_after=created_after,
            created_before=created_before,
            updated_after=updated_after,
            updated_before=updated_before,
            processed_after=processed_after,
            processed_before=processed_before,
            contains=contains,
        )
        wanted, history = _wanted(columns)
        policy = self._policy(reveal=reveal)
        places = self._places(wanted) if flatten else None
        read: dict[str, Any] = {"limit": _limit(limit), "places": places}
        shape: dict[str, Any] = {"flatten": flatten, "wanted": wanted, "history": history}
        if chunksize is not None:
            size = _chunksize(chunksize)
            parts = functools.partial(self.records.stream, workflow_ids=workflow_id, selection=selection)
            parts = functools.partial(parts, rows_at_once=size, **read)
            return RecordChunks(self.database, parts, workflow_id, policy, **shape)
        table = self.records.query(workflow_id, selection, **read)
        return self._seen(frames.records(of_workflows(table, workflow_id), policy, **shape))

    def _places(self, wanted: Sequence[str] | None) -> list[Path] | None:
        """Return what is enough to read of the documents; None for all of them."""
        if wanted is None:
            return None
        places = frames.places(wanted)
        alone = all(self.masking.stands_alone(place.in_document) for place in places)
        return places if alone and self.records.can_extract(places) else None

    def count_records(
        self,
        workflow_id: WorkflowIds,
        by: OneOrMany = ("status", "record_type"),
        *,
        pattern: PatternLike = "*",
        **filters: Unpack[RecordFilterOptions],
    ) -> pd.DataFrame:
        """Count records in the database.

        Parameters
        ----------
        workflow_id : str, list of str, or pattern
            One workflow, several, or a pattern.
        by : str or sequence of str, default ("status", "record_type")
            Columns to group by: `status`, `record_type`, `iteration_node_alias`, `workflow_id`; an empty list gives
            one row with the total.
        pattern : str or list of str, default "*"
            Of record ids.
        **filters
            The filters of `query_records`, by the same names.

        Returns
        -------
        pandas.DataFrame
            One row per group, most first: the columns of `by` (`str`) and `count` (`Int64`).

        Raises
        ------
        InvalidPattern, InvalidOption

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": "a_1"}, {"record_id": "a_2"}])
        >>> service.count_records("nightly", by="status")
               status  count
        0  discovered      2
        """
        groups = (by,) if isinstance(by, str) else tuple(by)
        return frames.plain_frame(self.records.count(workflow_id, RecordFilter.of(pattern, **filters), groups))

    def get_record(self, workflow_id: WorkflowId, record_id: str, *, reveal: bool = False) -> dict[str, Any] | None:
        """Return one record.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        record_id : str
            The record, literally.
        reveal : bool, default False
            Show secrets.

        Returns
        -------
        dict or None
            The record columns (times as datetime in UTC) and `data`, the document; None when there is no such record.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001", data={"subject": "Hello"})
        'email_001'
        >>> service.get_record("nightly", "email_001")["data"]["fields"]
        {'subject': 'Hello'}
        """
        frame = self._literal_records(workflow_id, [record_id], reveal=reveal)
        rows_found = frames.to_dicts(frame)
        return rows_found[0] if rows_found else None

    def _literal_records(self, workflow_id: WorkflowId, ids: Sequence[str], *, reveal: bool) -> pd.DataFrame:
        table = self.records.query(Pattern((self.records.workflow_id(workflow_id),), ()), RecordFilter.of(ids=ids))
        policy = self._policy(reveal=reveal)
        return frames.records(table.drop_columns([columns.WORKFLOW_ID]), policy, flatten=False)

    def get_records_by_ids(self, workflow_id: WorkflowId, ids: Iterable[str], *, reveal: bool = False) -> pd.DataFrame:
        """Return records in the order in which their ids are given.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        ids : iterable of str
            Literal record ids; an empty list gives an empty frame.
        reveal : bool, default False
            Show secrets.

        Returns
        -------
        pandas.DataFrame
            As `query_records`, one row per id that is there; `attrs["missing"]` lists the ids that are not.

        Raises
        ------
        InvalidOption
            When `ids` is one text instead of a list.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": "a_1"}, {"record_id": "a_2"}])
        >>> frame = service.get_records_by_ids("nightly", ["a_2", "a_9", "a_1"])
        >>> list(frame["record_id"]), frame.attrs["missing"]
        (['a_2', 'a_1'], ['a_9'])
        """
        asked = RecordFilter.of(ids=ids).ids or ()
        frame = self.query_records(workflow_id, ids=asked, reveal=reveal)
        place = {name: position for position, name in enumerate(asked)}
        ordered = frame.sort_values("record_id", key=lambda column: column.map(place), ignore_index=True)
        ordered.attrs["missing"] = sorted(set(asked).difference(ordered["record_id"]), key=place.__getitem__)
        return ordered

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
            The record id.

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
        self.records.create_many(workflow_id, [rows.record_row(given, literal=literal)], mode=mode, archive=archive)
        return record_id

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
        listed = rows.record_rows(frames.to_rows(frame_or_iterable), literal=literal)
        return self.records.create_many(workflow_id, listed, mode=mode, archive=archive)

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
        current_context : object, optional
            A live context with `record_id` and `data`; when it is this record's, it is updated too.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.

        Returns
        -------
        dict
            `{"record_id": …, "updated": [the keys of the patch]}`.

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
        checked = _checked(record_id, patch, literal=literal)
        document = self.records.update(workflow_id, record_id, checked)
        if current_context is not None and getattr(current_context, "record_id", None) == record_id:
            # A program gets the numbers that a read would give it, not the exact ones that were written back.
            current_context.data = jsonvalue.decode(jsonvalue.encode_exact(document))
            for name, value in checked.columns.items():
                setattr(current_context, name, value)
        return {"record_id": record_id, "updated": list(patch)}

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
        checked = [(record_id, _checked(record_id, patch, literal=literal)) for record_id, patch in pairs]
        return len(self.records.update_many(workflow_id, checked))

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


def _checked(record_id: str, patch: Mapping[str, Any], *, literal: bool) -> Patch:
    try:
        checked = check_patch(patch)
    except ToolkitError as error:
        raise type(error)(f"record {record_id!r}: {error}") from None
    if not literal:
        checked.refuse_masks(f"record {record_id!r}")
    return checked


def _wanted(chosen: Sequence[str] | str | None) -> tuple[Sequence[str] | None, bool]:
    if isinstance(chosen, str):
        if chosen != ALL_COLUMNS:
            raise InvalidOption(f"columns= takes a list such as [{chosen!r}], or 'all'")
        return None, True
    return chosen, False


def _chunksize(chunksize: int) -> int:
    if isinstance(chunksize, bool) or not isinstance(chunksize, int) or chunksize < 1:
        raise InvalidOption(f"chunksize={chunksize!r} is no number of rows of a chunk, such as 10_000")
    return chunksize


def _limit(limit: int | None) -> int | None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidOption(f"limit={limit!r} is no number of rows; leave it out to get all")
    return None if limit is None else min(limit, _LARGEST)
