"""The calls that read records."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack, overload

from toolkit import columns, frames, states
from toolkit.errors import InvalidOption
from toolkit.model import OneOrMany, RecordFilter, RecordFilterOptions
from toolkit.patterns import Pattern, PatternLike
from toolkit.service.base import Reveal, ServiceBase
from toolkit.service.chunks import RecordChunks
from toolkit.storage.base import single_workflow
from toolkit.storage.record_reads import state_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from toolkit.frames import DtypeBackend
    from toolkit.masking import View
    from toolkit.paths import Path
    from toolkit.storage.base import WorkflowId, WorkflowIds
    from toolkit.times import TimeLike

ALL_COLUMNS: Final = "all"
"""What `columns=` takes to add `history` to a flat frame."""

_LARGEST: Final = 2**63 - 1


class RecordReadCalls(ServiceBase):
    """Read the records of a workflow."""

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
        dtype_backend: DtypeBackend | None = None,
        as_arrow: Literal[False] = False,
        reveal: Reveal = False,
        **filters: Unpack[RecordFilterOptions],
    ) -> pd.DataFrame: ...

    @overload
    def query_records(
        self,
        workflow_id: WorkflowIds,
        pattern: PatternLike = "*",
        *,
        columns: Sequence[str] | str | None = None,
        limit: int | None = None,
        as_arrow: Literal[True],
        reveal: Reveal = False,
        **filters: Unpack[RecordFilterOptions],
    ) -> pa.Table: ...

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
        dtype_backend: DtypeBackend | None = None,
        reveal: Reveal = False,
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
        dtype_backend: DtypeBackend | None = None,
        as_arrow: bool = False,
        reveal: Reveal = False,
    ) -> pd.DataFrame | RecordChunks | pa.Table:
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
            At most that many rows; `attrs["total"]` of the frame says how many there are, and a notebook shows it.
        chunksize : int, optional
            Return a context manager over frames of that many rows instead: one snapshot, read as it is asked for,
            the same columns and dtypes in each.
        dtype_backend : {"numpy_nullable", "pyarrow"}, optional
            As in pandas; columns that are `object` below stay so.
        as_arrow : bool, default False
            Return the flat table as Arrow has it; what is `object` below is JSON text there, of type `arrow.json`.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those in some columns or below some paths, such as `["vars.api_token"]`.

        Returns
        -------
        pandas.DataFrame, RecordChunks or pyarrow.Table
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
        wanted, history = _wanted(columns, flatten=flatten)
        frames.check_backend(dtype_backend)
        view = self._view(reveal, workflow_id)
        shape: dict[str, Any] = {"flatten": flatten, "wanted": wanted, "history": history}
        shape["dtype_backend"] = dtype_backend
        # A flat frame leaves out the history unless it is asked for, so that it need not be sent.
        needed = not flatten or history or frames.asks_for_history(wanted)
        read: dict[str, Any] = {"limit": _limit(limit), "history": needed}
        read["places"] = self._places(wanted, view) if flatten else None
        if wanted is not None:
            read["front"] = wanted
        one = single_workflow(workflow_id) if flatten and not as_arrow else None
        # Rows of several workflows, whole documents and Arrow tables cannot be written back.
        of_one = None if one is None else self.records.workflow_id(one)
        reading = functools.partial(_reading, of_one, state_kinds(places=read["places"] is not None, history=needed)[0])
        if chunksize is not None:
            size = _chunksize(chunksize)
            parts = functools.partial(self.records.stream, workflow_ids=workflow_id, selection=selection)
            every = functools.partial(parts, rows_at_once=size, **read)
            return RecordChunks(self.database, every, view, reading, **shape)
        read["state"] = one is not None
        with self._one_moment(read["limit"]), self.records.parts(workflow_id, selection, **read) as tables:
            if as_arrow:
                table = frames.arrow_records(tables, view, wanted=wanted, history=history)
                self._note(view, len(table))
                return table
            noticed = reading()
            frame = frames.records(tables if noticed is None else noticed.passing(tables), view, **shape)
            if noticed is not None:
                noticed.remembered_by(frame)
            self._note(view, len(frame))
            cut = read["limit"] == len(frame)
            return self._seen(frame, self._total(workflow_id, selection) if cut else None)

    def _one_moment(self, limit: int | None) -> AbstractContextManager[Any]:
        """Let a read that is cut, and the count of all rows, see the same."""
        return nullcontext() if limit is None else self.database.read()

    def _total(self, workflow_id: WorkflowIds, selection: RecordFilter) -> int:
        return int(self.records.count(workflow_id, selection).column("count")[0].as_py())

    def _places(self, wanted: Sequence[str] | None, view: View) -> list[Path] | None:
        """Return what is enough to read of the documents; None for all of them."""
        if wanted is None:
            return None
        places = frames.places(wanted)
        alone = view.policy is None or all(view.policy.stands_alone(place.in_document) for place in places)
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
        table = self.records.count(workflow_id, RecordFilter.of(pattern, **filters), groups)
        return frames.plain_frame(self._hidden_in(table, groups, workflow_id))

    def get_record(self, workflow_id: WorkflowId, record_id: str, *, reveal: Reveal = False) -> dict[str, Any] | None:
        """Return one record.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        record_id : str
            The record, literally.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those in some columns or below some paths, such as `["vars.api_token"]`.

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

    def _literal_records(self, workflow_id: WorkflowId, ids: Sequence[str], *, reveal: Reveal) -> pd.DataFrame:
        table = self.records.query(Pattern((self.records.workflow_id(workflow_id),), ()), RecordFilter.of(ids=ids))
        view = self._view(reveal, Pattern((self.records.workflow_id(workflow_id),), ()))
        self._note(view, len(table))
        return frames.records(table.drop_columns([columns.WORKFLOW_ID]), view, flatten=False)

    def get_records_by_ids(
        self, workflow_id: WorkflowId, ids: Iterable[str], *, reveal: Reveal = False
    ) -> pd.DataFrame:
        """Return records in the order in which their ids are given.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        ids : iterable of str
            Literal record ids; an empty list gives an empty frame.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those in some columns or below some paths, such as `["vars.api_token"]`.

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
        chosen = RecordFilter.of(ids=ids)
        asked = chosen.ids or ()
        with self.database.read():
            frame = self.query_records(workflow_id, ids=asked, reveal=reveal)
            # An id in the frame may be masked: which row it names is told by the ids themselves, in the same order.
            found = self.records.query(workflow_id, chosen, places=[]).column("record_id").to_pylist()
        place = {name: position for position, name in enumerate(asked)}
        order = sorted(range(len(found)), key=lambda row: place[found[row]])
        ordered = frame.take(order).reset_index(drop=True)
        ordered.attrs["missing"] = sorted(set(asked).difference(found), key=place.__getitem__)
        return ordered


def _reading(workflow_id: str | None, kind: str) -> states.Reading | None:
    return None if workflow_id is None else states.Reading(workflow_id, kind)


def _wanted(chosen: Sequence[str] | str | None, *, flatten: bool) -> tuple[Sequence[str] | None, bool]:
    if chosen is not None and not flatten:
        raise InvalidOption("columns= chooses columns of a flat frame; leave it out, or leave out flatten=False")
    if isinstance(chosen, str):
        if chosen != ALL_COLUMNS:
            raise InvalidOption(f"columns= takes a list such as [{chosen!r}], or 'all'")
        return None, True
    if chosen is not None and not (isinstance(chosen, Iterable) and all(isinstance(name, str) for name in chosen)):
        raise InvalidOption(f"columns= takes a list of record columns and paths, or 'all', not {chosen!r}")
    return None if chosen is None else list(chosen), False


def _chunksize(chunksize: int) -> int:
    if isinstance(chunksize, bool) or not isinstance(chunksize, int) or chunksize < 1:
        raise InvalidOption(f"chunksize={chunksize!r} is no number of rows of a chunk, such as 10_000")
    return chunksize


def _limit(limit: int | None) -> int | None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidOption(f"limit={limit!r} is no number of rows; leave it out to get all")
    return None if limit is None else min(limit, _LARGEST)
