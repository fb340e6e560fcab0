"""The calls about record-based iteration: arrays into records, records through a body, and again."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, Unpack

from toolkit import columns, frames, jsonvalue, times
from toolkit.errors import InvalidOption, InvalidValue, RecordExists
from toolkit.frames.hiding import without_twins
from toolkit.iterate import MARK_FAILED_CONTINUE, Iteration, IterationResult, Rules, check_body
from toolkit.model import Bound, OneOrMany, Receipt, RecordFilter, RecordFilterOptions
from toolkit.service.combined import CombinedCalls
from toolkit.service.telling import hushed, no_such_row
from toolkit.storage import claims, rows
from toolkit.storage.base import literally
from toolkit.storage.claims import Claims
from toolkit.storage.variables import check_key

if TYPE_CHECKING:
    from toolkit.iterate import Body
    from toolkit.jsonvalue import JSONValue
    from toolkit.patterns import PatternLike
    from toolkit.storage.base import WorkflowId
    from toolkit.storage.rows import Row
    from toolkit.times import TimeLike

TEMPORARY: Final = "temp"
"""What the ids of records made from an array begin with, and their type where none is given."""

_DIGITS: Final = 4
_ELEMENT: Final = ("value", "index", "total")
_MISSING: Final = object()
_KINDS: Final = {dict: "an object", str: "text", bool: "a boolean", int: "a number", float: "a number"}


class IterationCalls(CombinedCalls):
    """Take records one after another through a program, and bring them back."""

    def convert_array_to_records(
        self,
        workflow_id: WorkflowId,
        array: Iterable[Any],
        record_type: str = TEMPORARY,
        iteration_node_alias: str | None = None,
        run_id: str | None = None,
        *,
        literal: bool = False,
    ) -> list[str]:
        """Make one record of each element of an array, all or none, in one write.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        array : list, tuple, Series or other iterable
            The elements, in order; a missing value of a Series or an array of NumPy becomes null.
        record_type : str, default "temp"
            The type of the records.
        iteration_node_alias : str, optional
            The node that creates them.
        run_id : str, optional
            Names the run in the ids. The same array with the same run makes nothing twice: records that are there stay
            as they are, whatever became of them. A new run when left out.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.

        Returns
        -------
        list of str
            The record ids, in the order of the array: `temp:<run>:<alias, or unknown>:<0001>`, with more digits where
            the array has more than 9,999 elements. `fields` of each holds `value`, `index` (from 0) and `total`.

        Raises
        ------
        InvalidValue, HiddenValue
            For something that is no array, and for an element that JSON cannot hold; nothing is written then.
        RecordExists
            When the run was made from another array.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.convert_array_to_records("nightly", ["ant", "bee"], run_id="monday")
        ['temp:monday:unknown:0001', 'temp:monday:unknown:0002']
        """
        one = self._one(workflow_id, "convert_array_to_records")
        with hushed(self, one):
            made = self._converted(one, array, record_type, iteration_node_alias, run_id, literal=literal)
        return list(map(self.masking.mask_text, made))

    def _converted(
        self,
        workflow_id: str,
        array: Iterable[Any],
        record_type: str,
        alias: str | None = None,
        run_id: str | None = None,
        *,
        literal: bool,
    ) -> list[str]:
        run = uuid.uuid4().hex[:12] if run_id is None else jsonvalue.check_text(run_id, "run id", empty=False)
        elements = _elements(array)
        begins = f"{TEMPORARY}:{run}:{alias or 'unknown'}"
        digits = max(_DIGITS, len(str(len(elements))))
        given = [
            {
                "record_id": f"{begins}:{index + 1:0{digits}}",
                "record_type": record_type,
                "iteration_node_alias": alias,
                columns.DATA: {columns.FIELDS: dict(zip(_ELEMENT, (value, index, len(elements)), strict=True))},
            }
            for index, value in enumerate(elements)
        ]
        listed = rows.record_rows(given, literal=literal)
        with self.database.write():
            self.records.create_many(workflow_id, self._new(workflow_id, listed))
        return [row["record_id"] for row in listed]

    def _new(self, workflow_id: str, listed: list[Row]) -> list[Row]:
        """Return the rows that are not there yet; those that are must have been made from the same element."""
        ids = [row["record_id"] for row in listed]
        table = self.records.query(workflow_id, RecordFilter(ids=tuple(ids)))
        stored = dict(zip(table.column("record_id").to_pylist(), table.column(columns.DATA).to_pylist(), strict=True))
        for row in listed:
            text = stored.get(row["record_id"])
            if text is not None and not jsonvalue.same(_element(text), _element(row[columns.DATA])):
                raise RecordExists(
                    f"record {row['record_id']!r} is there already, and was made from another array; nothing was "
                    "written. Give another run_id, or none"
                )
        return [row for row in listed if row["record_id"] not in stored]

    def iterate_records(
        self,
        workflow_id: WorkflowId,
        over_records: PatternLike | None = None,
        over: str | None = None,
        body: Body | None = None,
        on_error: str = MARK_FAILED_CONTINUE,
        max_retries: int = 0,
        *,
        statuses: OneOrMany = (columns.DISCOVERED,),
        record_type: OneOrMany | None = None,
        progress: bool | None = None,
        literal: bool = False,
    ) -> IterationResult:
        """Run a function over records, one after another: each goes from `processing` to `complete` or `failed`.

        A record is claimed before its body runs, in a transaction of its own, so that no other process takes it;
        while the body runs no transaction is open. Only records that wait at the beginning are taken, each once, by
        `created_at` and `record_id`. A body that comes to its end completes its record: `processed_at` is set by the
        database's clock and the message is cleared. Where somebody else gave the record another status meanwhile,
        that one stays. Interrupted (Ctrl-C, `SystemExit`), the record in hand gets its former status back and the
        interruption goes on; a killed process leaves it in `processing`, and `requeue_stuck` brings it back.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        over_records : str or list of str, optional
            A pattern of record ids; `"*"` takes all that wait.
        over : str, optional
            Instead of it, a variable that holds an array: each element becomes a record of type `temp`, new ones
            with each call.
        body : callable
            Gets the record as a dict, as `get_record` gives it but with its real values. A dict that it returns is a
            patch, as `update_record` takes one, and is merged in the transaction that completes the record; a column
            that it names goes before what completing would write. Anything else is kept in the result only.
        on_error : {"mark_failed_continue", "mark_failed_stop", "stop", "retry"}, default "mark_failed_continue"
            What to do when a body raises, or returns a patch that cannot be written, in its last attempt:

            - `mark_failed_continue`: the record becomes `failed`, with the exception's text as its message and
              `retry_count` one higher, and the next one follows;
            - `mark_failed_stop`: the record becomes `failed` in the same way, and the iteration ends with its result;
            - `stop`: the record gets its former status back, and the exception goes on to the caller;
            - `retry`: as `mark_failed_continue`, and refused without `max_retries`.
        max_retries : int, default 0
            How often a body that raised runs again on the same record, at once and with the record read afresh,
            before `on_error` decides. Every attempt that fails adds one to `retry_count`.
        statuses : str or iterable of str, default ("discovered",)
            Only records of these are taken; never `processing`, which are in somebody's hand.
        record_type : str or iterable of str, optional
            Only records of these types; with `over`, the type of the new records.
        progress : bool, optional
            Show a progress bar. When left out: from 1,000 records on, at a terminal or in a notebook.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.

        Returns
        -------
        IterationResult
            `processed, failed, total`; `results` and `errors` by record id. Secrets in ids and messages are masked;
            what bodies returned is theirs.

        Raises
        ------
        InvalidOption
            For a body that is no plain function, and for options outside what is allowed; nothing is claimed then. An
            `async` body that hides in a plain function is seen when it was called: its record is put back.
        InvalidPattern
        VariableNotFound
            When there is no variable `over`.
        InvalidValue
            When the variable holds no array.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": f"email_{n}", "fields.n": n} for n in (1, 2)])
        >>> def double(record):
        ...     return {"vars.double": 2 * record["data"]["fields"]["n"]}
        >>> service.iterate_records("nightly", "email_*", body=double)
        IterationResult(processed=2, failed=0, total=2)
        >>> service.query_records("nightly", columns=["record_id", "status", "vars.double"])
          record_id    status  vars.double
        0   email_1  complete            2
        1   email_2  complete            4
        """
        checked, rules = check_body(body), Rules(on_error, max_retries, literal)
        taken = RecordFilter.of(status=statuses).status or ()
        one = self._one(workflow_id, "iterate_records")
        self.database.check_writable()
        _check_choice(over_records, over, taken)
        if over is None:
            selection = RecordFilter.of(over_records, record_type=record_type)
        else:
            with hushed(self, one):
                selection = RecordFilter(ids=self._records_of(one, over, record_type))
        iterated = Claims(self.records, one, taken)
        return self._told(one, Iteration(iterated, checked, rules).run(iterated.waiting(selection), progress=progress))

    def _told(self, workflow_id: str, result: IterationResult) -> IterationResult:
        """Mask the ids and messages of a result, which people look at; what bodies returned stays as it is."""
        if not result.results and not result.errors:
            return result
        shown = self._sweeping(literally(workflow_id)).mask_text
        of_results, of_errors = (without_twins(map(shown, each)) for each in (result.results, result.errors))
        results = dict(zip(of_results, result.results.values(), strict=True))
        errors = dict(zip(of_errors, map(shown, result.errors.values()), strict=True))
        return dataclasses.replace(result, results=results, errors=errors)

    def _records_of(self, workflow_id: str, over: str, record_type: OneOrMany | None) -> tuple[str, ...]:
        """Make the records of a variable's elements."""
        if record_type is not None and not isinstance(record_type, str):
            raise InvalidOption(f"with over= the new records have one type, such as record_type={TEMPORARY!r}")
        array = self.variables.read(workflow_id, check_key(over), _MISSING)
        if array is _MISSING:
            no_such_row(self, self.variables, workflow_id, over)
        if not isinstance(array, list):
            raise InvalidValue(
                f"over={over!r} names a variable that holds {_kind(array)}, not an array; over_records= takes a "
                "pattern of record ids"
            )
        # The elements come from the database itself, not from a frame in which values were hidden.
        return tuple(self._converted(workflow_id, array, record_type or TEMPORARY, literal=True))

    def retry_failed(
        self,
        workflow_id: WorkflowId,
        pattern: PatternLike = "*",
        *,
        reason: str | None = None,
        archive: bool = True,
        **filters: Unpack[RecordFilterOptions],
    ) -> Receipt:
        """Give failed records the status `discovered` again, in one transaction.

        The message of each moves into its `history`, as `{"time": …, "action": "retry", "error_message": …}`;
        `retry_count` stays. A record whose document has no place for a history (it is no object, or `history` is no
        array) keeps both document and message.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        pattern : str or list of str, default "*"
            Of record ids.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the former rows.
        **filters
            The filters of `query_records`, by the same names, without `status`.

        Returns
        -------
        Receipt
            Of kind `replace`; `records` is the number of records that wait again.

        Raises
        ------
        InvalidPattern, InvalidOption
        ArchiveMissing
            When there is nowhere to keep the former rows.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> rows = [{"record_id": "email_1", "status": "failed", "error_message": "timeout"}]
        >>> number = service.create_records("nightly", rows)
        >>> service.retry_failed("nightly", reason="the server is back").records
        1
        >>> service.get_record("nightly", "email_1")["data"]["history"][0]["error_message"]
        'timeout'
        """
        one = self._one(workflow_id, "retry_failed")
        selection = _of_status(columns.FAILED, "retry_failed", pattern, filters)
        given = {"records": _described(selection)}
        receipt = claims.retry(self.records, one, selection, archive=archive, reason=reason, given=given)
        return self._receipt(receipt)

    def requeue_stuck(
        self,
        workflow_id: WorkflowId,
        older_than: TimeLike,
        *,
        pattern: PatternLike = "*",
        **filters: Unpack[RecordFilterOptions],
    ) -> list[str]:
        """Give records that a killed process left in `processing` the status `discovered` again.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        older_than : str, datetime or timedelta
            Only records whose `updated_at` lies before it: `"30m"` is half an hour before the database's now. Choose
            more than the longest body takes: a record that is still in work would be taken twice.
        pattern : str or list of str, default "*"
            Of record ids.
        **filters
            The filters of `query_records`, by the same names, without `status`.

        Returns
        -------
        list of str
            The ids of the records that wait again, by code point; secrets in them are masked.

        Raises
        ------
        InvalidPattern, InvalidOption

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> rows = [{"record_id": "email_1", "status": "processing", "updated_at": "2026-01-01"}]
        >>> number = service.create_records("nightly", rows)
        >>> service.requeue_stuck("nightly", older_than="30m")
        ['email_1']
        """
        one = self._one(workflow_id, "requeue_stuck")
        selection = _of_status(columns.PROCESSING, "requeue_stuck", pattern, filters)
        limit = Bound("updated_at", "<", times.moment(older_than, "older_than"))
        found = claims.requeue(self.records, one, dataclasses.replace(selection, bounds=(*selection.bounds, limit)))
        return list(map(self._sweeping(literally(one)).mask_text, found)) if found else found


def _elements(array: Any) -> list[Any]:
    """Return the elements of something that has an order."""
    if hasattr(array, "columns"):
        raise InvalidValue("a frame is no array; create_records takes a frame, and a column of it is an array")
    ordered = isinstance(array, Iterable) and not isinstance(array, str | bytes | Mapping | AbstractSet)
    if not ordered or not getattr(array, "ndim", 1):
        raise InvalidValue(f"an array is a list or another iterable with an order, not {type(array).__name__}")
    return frames.plain_values(array) if hasattr(array, "dtype") else list(array)


def _element(text: str) -> JSONValue:
    """Return what a record says about the element that it was made from."""
    document = jsonvalue.decode(text)
    fields = document.get(columns.FIELDS) if isinstance(document, dict) else None
    return {name: fields.get(name) for name in _ELEMENT} if isinstance(fields, dict) else None


def _kind(value: JSONValue) -> str:
    return "null" if value is None else _KINDS.get(type(value), "a number")


def _check_choice(over_records: PatternLike | None, over: str | None, statuses: tuple[str, ...]) -> None:
    if (over_records is None) == (over is None):
        raise InvalidOption(
            "give either over_records=, a pattern of record ids ('*' for all that wait), or over=, the name of a "
            "variable that holds an array"
        )
    if columns.PROCESSING in statuses:
        raise InvalidOption(
            f"records in {columns.PROCESSING!r} are in somebody's hand; requeue_stuck brings back those of a killed "
            "process"
        )
    if over is not None and columns.DISCOVERED not in statuses:
        raise InvalidOption(f"the records that over= makes are {columns.DISCOVERED!r}; statuses= leaves them out")


def _of_status(status: str, call: str, pattern: PatternLike, filters: RecordFilterOptions) -> RecordFilter:
    if filters.get("status") is not None:
        raise InvalidOption(f"{call} is about {status} records; it takes no other status")
    return dataclasses.replace(RecordFilter.of(pattern, **filters), status=(status,))


def _described(selection: RecordFilter) -> dict[str, Any]:
    """Write filters down without their literal ids, of which there may be very many."""
    return {
        "pattern": "*" if selection.pattern is None else str(selection.pattern),
        "ids": None if selection.ids is None else len(selection.ids),
        "status": selection.status,
        "record_type": selection.record_type,
        "node": selection.node,
        "contains": selection.contains,
        "times": [f"{bound.column} {bound.operator} {bound.moment}" for bound in selection.bounds],
    }
