"""What the two storages share: one table, its workflow, its conditions, and the writing of JSON."""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from toolkit import columns, jsonvalue, patterns
from toolkit.errors import HiddenValue, InvalidValue
from toolkit.masking import HIDDEN
from toolkit.patterns import Pattern
from toolkit.storage import bulk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from toolkit.model import Receipt
    from toolkit.storage.archive import ArchiveStorage, Removal
    from toolkit.storage.database import Database
    from toolkit.storage.dialects import Column, Condition

WorkflowId: TypeAlias = "str | uuid.UUID"
WorkflowIds: TypeAlias = "str | uuid.UUID | Iterable[str] | Pattern"


_PATTERN_CHARACTERS = re.compile(r"[*?,]")


class BaseStorage(ABC):
    """Create, read, update, delete, query and exists, for one of the two tables.

    Every method runs in a transaction of its own, or joins the one that the calling thread is in: so that a storage
    can be used alone, and a call of the service can put several steps into one transaction.

    Parameters
    ----------
    database : Database
        Open, with its tables looked at.
    archive : ArchiveStorage
        Where removed rows go.
    """

    name: str
    """The column that names a row within its workflow."""

    def __init__(self, database: Database, archive: ArchiveStorage) -> None:
        self.database = database
        self.dialect = database.dialect
        self.archive = archive

    @property
    @abstractmethod
    def table(self) -> sa.Table:
        """The table this storage is about."""

    @abstractmethod
    def create(self, workflow_id: WorkflowId, name: str, value: Any) -> Any:
        """Create one row."""

    @abstractmethod
    def read(self, workflow_id: WorkflowId, name: str) -> Any:
        """Read one row."""

    @abstractmethod
    def update(self, workflow_id: WorkflowId, name: str, value: Any) -> Any:
        """Change one row."""

    @abstractmethod
    def query(self, workflow_ids: WorkflowIds, selection: Any = None) -> pa.Table:
        """Read many rows."""

    @abstractmethod
    def condition(self, workflow_ids: WorkflowIds, selection: Any = None) -> Condition:
        """Return the condition that a filter stands for."""

    @abstractmethod
    def removal(self, workflow_id: WorkflowId, condition: Condition, kind: str, **why: Any) -> Removal:
        """Describe the removal of rows of this table."""

    @property
    def name_column(self) -> sa.Column[Any]:
        """The column that names a row within its workflow."""
        return self.table.c[self.name]

    def exists(self, workflow_id: WorkflowId, name: str) -> bool:
        """Tell whether a row is there.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the row's key or record id.

        Returns
        -------
        bool
        """
        with self.database.read() as connection:
            return connection.scalar(sa.select(1).where(self.row(workflow_id, name))) is not None

    def delete(self, workflow_id: WorkflowId, name: str, *, reason: str | None = None, archive: bool = True) -> Receipt:
        """Move one row to the archive.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the row's key or record id.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the row so that it can be brought back.

        Returns
        -------
        Receipt
            With a count of 0 when there is no such row.

        Raises
        ------
        ArchiveMissing
            When there is no archive to move it to.
        """
        removal = self.removal(workflow_id, self.row(workflow_id, name), "delete", reason=reason)
        return self.archive.remove(removal, archive=archive)

    def delete_all(self, workflow_id: WorkflowId, *, reason: str | None = None, archive: bool = True) -> Receipt:
        """Move all rows of a workflow to the archive; see `delete`.

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
        """
        removal = self.removal(workflow_id, self.in_workflow(workflow_id), "delete", reason=reason)
        return self.archive.remove(removal, archive=archive)

    def has_any(self, workflow_id: object) -> bool:
        """Tell whether a workflow has a row here; an id that the database cannot hold has none."""
        try:
            mine = self.in_workflow(workflow_id)
        except InvalidValue:
            return False
        with self.database.read() as connection:
            return connection.scalar(sa.select(1).where(mine).limit(1)) is not None

    def number(self, workflow_id: WorkflowId) -> int:
        """Count the rows of one workflow."""
        with self.database.read() as connection:
            mine = sa.select(sa.func.count()).select_from(self.table).where(self.in_workflow(workflow_id))
            return connection.scalar(mine) or 0

    def workflow_ids(self) -> set[str]:
        """Return the ids of the workflows that have a row here."""
        column = sa.cast(self.table.c.workflow_id, sa.Text)
        with self.database.read() as connection:
            return set(connection.scalars(sa.select(column).distinct()))

    def names(self, workflow_id: str, selection: Any = None, *, limit: int | None = None) -> list[str]:
        """Return what names the rows of a workflow, in the order of code points.

        Parameters
        ----------
        workflow_id : str
            The workflow, literally.
        selection : RecordFilter or VariableFilter, optional
            Which of its rows; all when left out.
        limit : int, optional
            At most that many.

        Returns
        -------
        list of str
            The real names: a storage masks nothing.
        """
        chosen = self.condition(literally(workflow_id), selection)
        statement = sa.select(self.name_column).where(chosen).order_by(self.dialect.by_code_point(self.name_column))
        with self.database.read() as connection:
            return list(connection.scalars(statement.limit(limit)))

    def activity(self, workflow_ids: WorkflowIds, by: Sequence[str] = ()) -> pa.Table:
        """Count the rows of each workflow, and say when the first and the last of them was written.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        by : sequence of str, optional
            Columns that part a workflow's rows further.

        Returns
        -------
        pyarrow.Table
            `workflow_id`, the columns of `by`, `count`, `first_activity`, `last_activity`.
        """
        groups = self.select(columns.WORKFLOW_ID, *by)
        ends = (
            self.dialect.time_text(sa.func.min(self.table.c.created_at)).label("first_activity"),
            self.dialect.time_text(sa.func.max(self.table.c.updated_at)).label("last_activity"),
        )
        statement = sa.select(*groups, sa.func.count().label("count"), *ends)
        with self.database.read() as connection:
            return bulk.fetch(connection, statement.where(self.in_workflows(workflow_ids)).group_by(*groups))

    def workflow_id(self, workflow_id: object) -> str:
        """Check the id of one workflow, which is always taken literally.

        Parameters
        ----------
        workflow_id : str or uuid.UUID
            As the database keeps it.

        Returns
        -------
        str

        Raises
        ------
        InvalidValue
            For an empty or over-long id, and for one that is no uuid where ids are uuids.
        """
        single = workflow_id.single if isinstance(workflow_id, Pattern) else workflow_id
        text = str(single) if isinstance(single, uuid.UUID) else single
        checked = jsonvalue.check_text(text, "workflow id", limit=jsonvalue.MAXIMUM_NAME, empty=False)
        return _uuid(checked) if self.database.tables.workflow_ids_are_uuids else checked

    def in_workflow(self, workflow_id: object) -> Condition:
        """Return the condition that a row belongs to one workflow."""
        return self.table.c.workflow_id == self.workflow_id(workflow_id)

    def in_workflows(self, workflow_ids: WorkflowIds) -> Condition:
        """Return the condition that a row belongs to one workflow, to one of several, or to those of a pattern."""
        one = only_workflow(workflow_ids)
        if one is not None:
            # Compared in its own type: a uuid column cast to text would leave its index unused.
            return self.in_workflow(one)
        pattern = patterns.parse(workflow_ids, "workflow_id")  # type: ignore[arg-type]
        return self.dialect.matches(sa.cast(self.table.c.workflow_id, sa.Text), pattern)

    def row(self, workflow_id: object, name: str) -> Condition:
        """Return the condition that names one row, literally."""
        return self.rows(workflow_id, [name])

    def rows(self, workflow_id: object, names: Sequence[str]) -> Condition:
        """Return the condition that names some rows, literally."""
        for name in names:
            jsonvalue.check_text(name, self.name.replace("_", " "))
        return sa.and_(self.in_workflow(workflow_id), self.dialect.text_is_any_of(self.name_column, names))

    def select(self, *names: str, raw_times: bool = False) -> list[Column]:
        """Return columns as a bulk read wants them: JSON, uuids and, unless told otherwise, times as text."""
        return [self._readable(self.table.c[name], raw_times=raw_times).label(name) for name in names]

    def _readable(self, column: sa.Column[Any], *, raw_times: bool) -> Column:
        if column.name in columns.TIME_COLUMNS:
            return column if raw_times else self.dialect.time_text(column)
        if column.name in (columns.DATA, "value"):
            return self.dialect.json_text(column)
        return sa.cast(column, sa.Text) if column.name == columns.WORKFLOW_ID else column


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidValue(
            f"{text!r} is no workflow id here: this database's ids are uuids; service.workflow({text!r}) finds a "
            "workflow by its name, service.list_workflows() shows all"
        ) from None


def single_workflow(workflow_ids: object) -> str | uuid.UUID | None:
    """Return the one workflow that is named, or None for several or a pattern.

    Parameters
    ----------
    workflow_ids : str, uuid.UUID, iterable of str, or Pattern
        As a read takes it.

    Returns
    -------
    str, uuid.UUID or None

    Examples
    --------
    >>> single_workflow("nightly"), single_workflow("nightly-*"), single_workflow(["nightly"])
    ('nightly', None, None)
    """
    if isinstance(workflow_ids, str):
        return patterns.parse(workflow_ids, "workflow_id").single
    if isinstance(workflow_ids, Pattern):
        return workflow_ids.single
    return workflow_ids if isinstance(workflow_ids, uuid.UUID) else None


def only_workflow(workflow_ids: WorkflowIds) -> str | uuid.UUID | None:
    """Return the one workflow that a read is about, however it was named; None where it may be about several.

    Parameters
    ----------
    workflow_ids : str, uuid.UUID, iterable of str, or Pattern
        As a read takes it.

    Returns
    -------
    str, uuid.UUID or None

    Examples
    --------
    >>> only_workflow("nightly"), only_workflow(["nightly"]), only_workflow("nightly-*")
    ('nightly', 'nightly', None)
    """
    single = single_workflow(workflow_ids)
    return patterns.parse(workflow_ids, "workflow_id").single if single is None else single  # type: ignore[arg-type]


def literally(workflow_id: str) -> str | Pattern:
    """Return the id of one workflow so that no character of it is a wildcard where a read takes several.

    Parameters
    ----------
    workflow_id : str
        The workflow.

    Returns
    -------
    str or Pattern

    Examples
    --------
    >>> literally("nightly"), literally("a,b")
    ('nightly', Pattern(exact=('a,b',), wild=()))
    """
    return Pattern((workflow_id,), ()) if _PATTERN_CHARACTERS.search(workflow_id) else workflow_id


def encode_for_writing(value: Any, what: str, *, literal: bool = False) -> str:
    """Return a value as the JSON text to store.

    Parameters
    ----------
    value : JSON value
        To be stored.
    what : str
        What it is, for an error: the row and the column.
    literal : bool, default False
        Write text that holds the mask as it is.

    Returns
    -------
    str

    Raises
    ------
    InvalidValue
        When JSON cannot hold it.
    HiddenValue
        When it holds the mask: a frame that was read must never overwrite the real values.

    Examples
    --------
    >>> encode_for_writing({"a": 1}, "variable 'x'")
    '{"a": 1}'
    """
    text = jsonvalue.encode(value, what)
    if not literal:
        refuse_mask(text, what)
    return text


def refuse_mask(text: str | None, what: str) -> None:
    """Refuse text that holds the mask.

    Parameters
    ----------
    text : str or None
        About to be stored.
    what : str
        What it is, for the error.

    Raises
    ------
    HiddenValue
        When it holds `[hidden]`.
    """
    if text is not None and HIDDEN in text:
        raise HiddenValue(
            f"{what} holds {HIDDEN}, the mask of a value that was not shown; nothing was written. Leave that value "
            "out, or pass literal=True if the text really is so"
        )
