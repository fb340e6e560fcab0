"""Records in work: claimed, finished, put back, and freed again after a failure or a killed process.

A claim is a change of status that is committed before the work begins, so that no transaction is open meanwhile.
Records are claimed one by one: another process finds work for as long as there is any, and whatever happens to this
one, a single record is in hand.
"""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns, jsonvalue, times
from toolkit.errors import RecordNotFound, ToolkitError
from toolkit.model import Receipt
from toolkit.storage import bulk
from toolkit.storage.archive import REPLACE
from toolkit.storage.base import literally
from toolkit.storage.merge import merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolkit.model import RecordFilter
    from toolkit.storage.dialects import Column, Condition, Dialect
    from toolkit.storage.merge import Patch
    from toolkit.storage.records import RecordStorage

WINDOW: Final = 50
"""Records that one statement looks through for the next one to claim: what others took costs no statement each."""

RETRY: Final = "retry"
"""The `action` of the entry that `retry_failed` adds to a record's `history`."""


class Waiting(NamedTuple):
    """A record that waits for its turn."""

    record_id: str
    mark: str
    """What finishing or failing it changes: with another mark, somebody else had it in the meantime."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A record in hand.

    Attributes
    ----------
    record_id : str
        The record.
    former : str
        Its status before the claim.
    row : dict of str to object
        The record columns, times in UTC.
    text : str or None
        The document, as JSON text with its real values.
    """

    record_id: str
    former: str
    row: Mapping[str, Any]
    text: str | None

    def __repr__(self) -> str:
        return f"Claim({self.record_id!r})"

    def record(self) -> dict[str, Any]:
        """Return the record as `get_record` would, with its real values; a new dict each time.

        Returns
        -------
        dict

        Raises
        ------
        CorruptValue
            When the document is text that is no JSON.
        """
        return {**self.row, columns.DATA: None if self.text is None else jsonvalue.decode(self.text)}


class Claims:
    """The records that one iteration takes, and the one that it has in hand.

    Parameters
    ----------
    records : RecordStorage
        Of the database.
    workflow_id : str
        The workflow.
    statuses : sequence of str
        Only a record of one of these is taken.

    Attributes
    ----------
    in_hand : Claim or None
        Known before the claim is committed, so that an interrupt at any moment finds what to put back.
    """

    def __init__(self, records: RecordStorage, workflow_id: str, statuses: Sequence[str]) -> None:
        self.in_hand: Claim | None = None
        self._records = records
        self._workflow_id = workflow_id
        self._statuses = statuses
        self._database = records.database
        self._dialect = records.dialect
        self._table = records.table

    def waiting(self, selection: RecordFilter) -> list[Waiting]:
        """List the records that wait, in the order of `query_records`; later ones are not taken.

        Parameters
        ----------
        selection : RecordFilter
            Which records; its statuses are left aside.

        Returns
        -------
        list of Waiting
        """
        chosen = dataclasses.replace(selection, status=tuple(self._statuses))
        statement = (
            sa.select(self._records.name_column, self._mark())
            .where(self._records.condition(literally(self._workflow_id), chosen))
            .order_by(*self._order())
        )
        with self._database.read() as connection:
            return [Waiting(*row) for row in connection.execute(statement)]

    def _order(self) -> list[Any]:
        return [
            self._table.c.created_at.asc().nulls_last(),
            self._dialect.by_code_point(self._records.name_column),
        ]

    def _mark(self) -> Column:
        count = sa.cast(sa.func.coalesce(self._table.c.retry_count, 0), sa.Text)
        return count.concat("|").concat(sa.func.coalesce(self._dialect.time_text(self._table.c.processed_at), ""))

    def each(self, waiting: Sequence[Waiting]) -> Iterator[Claim]:
        """Claim one record after another; first past those that another transaction has locked, then waiting for it.

        Parameters
        ----------
        waiting : sequence of Waiting
            In order.

        Yields
        ------
        Claim
        """
        for wait in (False, True):
            passed: list[Waiting] = []
            position = 0
            while position < len(waiting):
                window = waiting[position : position + WINDOW]
                claim = self._take(window, wait=wait)
                before = window if claim is None else window[: [one.record_id for one in window].index(claim.record_id)]
                passed += before
                position += len(before) + (claim is not None)
                if claim is not None:
                    yield claim
            waiting = passed

    def _take(self, window: Sequence[Waiting], *, wait: bool) -> Claim | None:
        try:
            with self._database.write() as connection:
                found = connection.execute(self._first(window, wait=wait)).first()
                if found is None:
                    return None
                held = self._records.row(self._workflow_id, found.record_id)
                claimed = self._update(held, {"status": columns.PROCESSING})
                self.in_hand = self._read(connection, claimed, found.status)
        except ToolkitError:
            # The database refused the claim, so whoever has that record now has it rightly.
            self.in_hand = None
            raise
        return self.in_hand

    def _first(self, window: Sequence[Waiting], *, wait: bool) -> sa.Select[Any]:
        """Find the first record that still waits as it did when it was listed, and lock it."""
        name, status = self._records.name_column, self._table.c.status
        conditions = [
            self._records.in_workflow(self._workflow_id),
            self._dialect.text_is_any_of(name, [one.record_id for one in window]),
            self._dialect.text_is_any_of(name.concat("|").concat(self._mark()), ["|".join(one) for one in window]),
            self._dialect.text_is_any_of(status, self._statuses),
        ]
        statement = sa.select(name, status).where(*conditions).order_by(*self._order()).limit(1)
        return statement.with_for_update(skip_locked=not wait)

    def _update(self, condition: Condition, values: Mapping[str, Any]) -> sa.Update:
        return sa.update(self._table).where(condition).values({**values, "updated_at": self._dialect.now()})

    def _read(self, connection: sa.Connection, update: sa.Update, former: str) -> Claim | None:
        """Change a record and read it as it is now; None when the update takes none."""
        read = self._records.select(*columns.RECORD_COLUMNS, columns.DATA)
        # What an UPDATE returns is read as the rows of a SELECT are.
        rows = bulk.fetch(connection, cast("sa.Select[Any]", update.returning(*read))).to_pylist()
        return _claim(rows[0], former) if rows else None

    def _held(self) -> Claim:
        if self.in_hand is None:
            raise RuntimeError("no record is in hand")
        return self.in_hand

    def _row(self) -> Condition:
        return self._records.row(self._workflow_id, self._held().record_id)

    def _mine(self) -> Condition:
        """Return the condition that the record in hand is still in work: somebody else may have decided on it."""
        return sa.and_(self._row(), self._table.c.status == columns.PROCESSING)

    def finish(self, patch: Patch) -> None:
        """Complete the record in hand and merge a patch, in one transaction.

        Only status, `processed_at`, `error_message` and the places that the patch names are written; where somebody
        else gave the record another status meanwhile, that one stays.

        Parameters
        ----------
        patch : Patch
            May be empty; a column that it names goes before what completing it would write.

        Raises
        ------
        RecordNotFound
            When the record was removed meanwhile.
        InvalidPath
        """
        row = self._row()
        complete = {"status": columns.COMPLETE, "processed_at": self._dialect.now(), "error_message": None}
        with self._database.write() as connection:
            found = connection.execute(sa.select(self._table.c.status).where(row).with_for_update()).first()
            if found is None:
                raise RecordNotFound("the record was removed while its body ran; what the body returned is not kept")
            values = {**(complete if found.status == columns.PROCESSING else {}), **self._of_patch(patch)}
            if values:
                connection.execute(self._update(row, values), self._merged(patch))
        self.in_hand = None

    def _of_patch(self, patch: Patch) -> dict[str, Any]:
        values = dict(patch.columns)
        if values.get("processed_at") is not None:
            values["processed_at"] = self._dialect.time(values["processed_at"])
        if patch.document:
            values[columns.DATA] = self._dialect.json_value(self._table.c.data, "_data")
        return values

    def _merged(self, patch: Patch) -> dict[str, str]:
        if not patch.document:
            return {}
        document = self._records.read(self._workflow_id, self._held().record_id, exact=True)
        return {"_data": jsonvalue.encode_exact(merge(document, patch))}

    def fail(self, message: str) -> None:
        """Mark the record in hand as failed; one that is in work no more stays as it is.

        Parameters
        ----------
        message : str
            For `error_message`.
        """
        with self._database.write() as connection:
            connection.execute(self._update(self._mine(), self._failure(columns.FAILED, message)))
        self.in_hand = None

    def again(self, message: str) -> Claim | None:
        """Write a failed attempt down, keep the record in hand, and read it afresh.

        Parameters
        ----------
        message : str
            For `error_message`.

        Returns
        -------
        Claim or None
            None when the record is in work no more.
        """
        held = self._held()
        failed = self._update(self._mine(), self._failure(columns.PROCESSING, message))
        with self._database.write() as connection:
            again = self._read(connection, failed, held.former)
        self.in_hand = again or held
        return again

    def _failure(self, status: str, message: str) -> dict[str, Any]:
        count = sa.func.coalesce(self._table.c.retry_count, 0) + 1
        return {"status": status, "error_message": message, "retry_count": count}

    def release(self) -> None:
        """Give the record in hand its former status back; does nothing when there is none."""
        if self.in_hand is not None:
            with self._database.write() as connection:
                connection.execute(self._update(self._mine(), {"status": self.in_hand.former}))
            self.in_hand = None


def _claim(row: Mapping[str, Any], former: str) -> Claim:
    values = {name: row[name] for name in columns.RECORD_COLUMNS}
    for name in columns.TIME_COLUMNS:
        values[name] = None if row[name] is None else times.in_utc(row[name])
    return Claim(row["record_id"], former, values, row[columns.DATA])


def requeue(records: RecordStorage, workflow_id: str, selection: RecordFilter) -> list[str]:
    """Give records the status `discovered`.

    Parameters
    ----------
    records : RecordStorage
        Of the database.
    workflow_id : str
        The workflow.
    selection : RecordFilter
        Which records.

    Returns
    -------
    list of str
        Their ids, by code point.
    """
    with records.database.write() as connection:
        held = _hold(records, connection, records.condition(literally(workflow_id), selection))
        values = {"status": columns.DISCOVERED, "updated_at": records.dialect.now()}
        connection.execute(sa.update(records.table).where(_named(records, workflow_id, held)).values(values))
    return held


def retry(
    records: RecordStorage,
    workflow_id: str,
    selection: RecordFilter,
    *,
    archive: bool,
    reason: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> Receipt:
    """Give failed records the status `discovered`, their message moved into `history`, in one transaction.

    A record whose document is no object, or whose `history` is no array, keeps document and message: nothing is lost.

    Parameters
    ----------
    records : RecordStorage
        Of the database.
    workflow_id : str
        The workflow.
    selection : RecordFilter
        Which records.
    archive : bool
        Keep the former rows.
    reason : str, optional
        Why, for the list of changes.
    given : mapping of str to object, optional
        The filters, as plain JSON without values.

    Returns
    -------
    Receipt
        Of kind `replace`.

    Raises
    ------
    ArchiveMissing
    """
    with records.database.write() as connection:
        held = _hold(records, connection, records.condition(literally(workflow_id), selection))
        if not held:
            return Receipt(uuid.uuid4().hex, workflow_id, REPLACE, archived=archive)
        named = _named(records, workflow_id, held)
        removal = records.removal(workflow_id, named, REPLACE, reason=reason, selection=given)
        receipt = records.archive.remove(removal, archive=archive)
        now = times.iso(times.read(connection.scalar(records.dialect.now().select())))
        connection.execute(sa.update(records.table).where(named).values(_retried(records, now)))
    return dataclasses.replace(receipt, records=len(held))


def _hold(records: RecordStorage, connection: sa.Connection, condition: Condition) -> list[str]:
    """Lock rows, always in one order, so that what is archived is what is changed and no two writers deadlock."""
    by_name = records.dialect.by_code_point(records.name_column)
    return list(connection.scalars(sa.select(records.name_column).where(condition).order_by(by_name).with_for_update()))


def _named(records: RecordStorage, workflow_id: str, ids: Sequence[str]) -> Condition:
    return sa.and_(records.in_workflow(workflow_id), records.dialect.text_is_any_of(records.name_column, ids))


def _retried(records: RecordStorage, now: str) -> dict[str, Any]:
    table, dialect = records.table, records.dialect
    message = table.c.error_message
    facts = ("time", now, "action", RETRY, "error_message")
    kind = sa.case((dialect.json_type(table.c.data) == "object", _history_type(dialect, table.c.data)), else_="none")
    fits = kind.in_(("array", "null"))
    return {
        columns.DATA: sa.case((fits, _appended(dialect, table.c.data, kind, facts, message)), else_=table.c.data),
        "status": columns.DISCOVERED,
        "error_message": sa.case((fits, sa.null()), else_=message),
        "updated_at": dialect.now(),
    }


def _history_type(dialect: Dialect, data: sa.Column[Any]) -> Column:
    if dialect.name == "sqlite":
        return sa.func.coalesce(sa.func.json_type(data, f"$.{columns.HISTORY}"), "null")
    return sa.func.coalesce(sa.func.jsonb_typeof(_history(data)), "null")


def _history(data: sa.Column[Any]) -> Column:
    return sa.func.jsonb_extract_path(sa.cast(data, postgresql.JSONB), columns.HISTORY, type_=postgresql.JSONB)


def _appended(
    dialect: Dialect, data: sa.Column[Any], kind: Column, facts: Sequence[str], message: sa.Column[Any]
) -> Column:
    """Return the document with one more entry in its history: set-based, every other number digit for digit."""
    if dialect.name == "sqlite":
        place, entry = f"$.{columns.HISTORY}", sa.func.json_object(*facts, message)
        begun = sa.func.json_set(data, place, sa.func.json_array(entry))
        return sa.case((kind == "array", sa.func.json_insert(data, f"{place}[#]", entry)), else_=begun)
    texts = [sa.cast(fact, sa.Text) for fact in facts]
    entry = sa.func.jsonb_build_array(sa.func.jsonb_build_object(*texts, sa.cast(message, sa.Text)))
    former = sa.case((kind == "array", _history(data)), else_=sa.func.jsonb_build_array())
    history = sa.func.jsonb_build_object(sa.cast(columns.HISTORY, sa.Text), former.op("||")(entry))
    return sa.cast(sa.cast(data, postgresql.JSONB).op("||")(history), data.type)
