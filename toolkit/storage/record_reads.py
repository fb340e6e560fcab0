"""Reading records: one by one, part by part, or whole tables at once."""

from __future__ import annotations

import functools
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns
from toolkit.errors import InvalidOption, InvalidPath
from toolkit.model import RecordFilter
from toolkit.storage import bulk, digests
from toolkit.storage.arrow import NotSupported
from toolkit.storage.base import BaseStorage, WorkflowIds, single_workflow
from toolkit.storage.tables import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from toolkit.paths import Path
    from toolkit.storage.arrow import ArrowSource
    from toolkit.storage.dialects import Column, Condition

_GROUPS: Final = ("status", "record_type", "iteration_node_alias", columns.WORKFLOW_ID)

WHOLE: Final = "whole"
WITHOUT_HISTORY: Final = "without history"
VERSION: Final = "version"

_FEW: Final = 2_000
"""Records that are read sooner than another connection is made."""


class RecordReads(BaseStorage):
    """The reading half of `RecordStorage`."""

    name = "record_id"

    @property
    def table(self) -> sa.Table:
        """The table this storage is about."""
        return self.database.tables.records

    def condition(self, workflow_ids: WorkflowIds, selection: RecordFilter | None = None) -> Condition:
        """Return the condition that a filter stands for.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : RecordFilter, optional
            Which of their records; all when left out.

        Returns
        -------
        SQLAlchemy condition
        """
        conditions = [self.in_workflows(workflow_ids)]
        chosen = selection or RecordFilter()
        if chosen.pattern is not None:
            conditions.append(self.dialect.matches(self.name_column, chosen.pattern))
        literal = (
            (self.name_column, chosen.ids),
            (self.table.c.record_type, chosen.record_type),
            (self.table.c.status, chosen.status),
            (self.table.c.iteration_node_alias, chosen.node),
        )
        conditions += [self.dialect.text_is_any_of(column, values) for column, values in literal if values is not None]
        if chosen.contains is not None:
            conditions.append(self.dialect.contains(self.name_column, chosen.contains))
        conditions += [
            self.dialect.time_bound(self.table.c[bound.column], bound.operator, bound.moment) for bound in chosen.bounds
        ]
        return sa.and_(*conditions)

    def query(
        self,
        workflow_ids: WorkflowIds,
        selection: RecordFilter | None = None,
        *,
        limit: int | None = None,
        places: Sequence[Path] | None = None,
    ) -> pa.Table:
        """Read records.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : RecordFilter, optional
            Which of their records; all when left out.
        limit : int, optional
            At most that many.
        places : sequence of Path, optional
            What to read of the documents, which are most of what is sent; all of them when left out.

        Returns
        -------
        pyarrow.Table
            Column `workflow_id`, the record columns, and as JSON text `data`, or one column per place, named by its
            path; one row per record, ordered by `created_at` and `record_id`.
        """
        with self.database.read() as connection:
            return bulk.fetch(connection, self._statement(workflow_ids, selection, limit=limit, places=places))

    @contextmanager
    def parts(
        self,
        workflow_ids: WorkflowIds,
        selection: RecordFilter,
        *,
        limit: int | None = None,
        places: Sequence[Path] | None = None,
        history: bool = True,
        front: Sequence[str] = columns.RECORD_COLUMNS,
        state: bool = False,
    ) -> Iterator[Iterator[pa.Table]]:
        """Read records as quickly as the database sends them.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : RecordFilter
            Which of their records.
        limit : int, optional
            At most that many.
        places : sequence of Path, optional
            What to read of the documents; all of them when left out.
        history : bool, default True
            Whether the documents have their `history`.
        front : sequence of str, optional
            Record columns to read; `record_id` and `created_at` always are.
        state : bool, default False
            Whether there is the column `read_state`, or `read_version` where that is much less work; see `read_state`.

        Yields
        ------
        iterator of pyarrow.Table
            As `query` gives them, at least one, which may be empty; `workflow_id` stands in front only when several
            workflows were asked for. Rows are in order only when there is no column
            `order`; else they are to be sorted by it, by `record_id` and by `workflow_id`.
        """
        chosen = _front(workflow_ids, front)
        options: dict[str, Any] = {"places": places, "history": history}
        kinds = state_kinds(places=places is not None, history=history) if state else (None, None)
        read = functools.partial(self._statement, workflow_ids, selection, chosen, **options)
        if limit is not None:
            with self.database.read() as connection:
                digests.prepare(connection)
                yield iter([bulk.fetch(connection, read(limit=limit, state=kinds[limit > _FEW]))])
            return
        with ExitStack() as stack:
            source = self._arrow_source()
            yield stack.enter_context(
                self._ordinary(read, kinds[1]) if source is None else self._straight(source, read, kinds)
            )

    @contextmanager
    def _ordinary(self, read: Callable[..., sa.Select[Any]], state: str | None) -> Iterator[Iterator[pa.Table]]:
        with self.database.read() as connection:
            digests.prepare(connection)
            yield bulk.fetching(connection, read(ordered=False, state=state), self.dialect.order)

    @contextmanager
    def _straight(
        self, source: ArrowSource, read: Callable[..., sa.Select[Any]], states: tuple[str | None, str | None]
    ) -> Iterator[Iterator[pa.Table]]:
        """Read over a connection of its own, which is worth its making when there are many rows."""
        with self.database.read() as connection:
            first = read(limit=_FEW + 1, ordered=False, state=states[0])
            few = bulk.fetch(connection, first, order=self.dialect.order)
        if len(few) <= _FEW:
            yield iter([few])
            return
        with ExitStack() as stack:
            # A larger call reads more than once, and everything in it sees one moment.
            shared = stack.enter_context(self.database.read()) if self.database.in_transaction else None
            snapshot = None if shared is None else shared.scalar(sa.select(sa.func.pg_export_snapshot()))
            try:
                batches = stack.enter_context(source.parts(read(ordered=False, raw=True, state=states[1]), snapshot))
                tables: Iterator[pa.Table] = map(bulk.from_batch, batches)
            except NotSupported:
                tables = stack.enter_context(self._ordinary(read, states[1]))
            yield tables

    def _arrow_source(self) -> ArrowSource | None:
        """Return the quick way to whole tables, where there is one; it cannot see what was not committed yet."""
        times = (self.table.c[name].type for name in columns.TIME_COLUMNS)
        usable = not self.database.in_write and all(isinstance(one, sa.DateTime) for one in times)
        return self.database.arrow_source if usable else None

    def stream(
        self,
        connection: sa.Connection,
        workflow_ids: WorkflowIds,
        selection: RecordFilter,
        rows_at_once: int,
        *,
        front: Sequence[str] = columns.RECORD_COLUMNS,
        places: Sequence[Path] | None = None,
        history: bool = True,
        state: bool = False,
        limit: int | None = None,
    ) -> Iterator[pa.Table]:
        """Read records part by part and in order, in a transaction of the caller's.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction that stays open while the parts are read.
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : RecordFilter
            Which of their records.
        rows_at_once : int
            Records of a part.
        front : sequence of str, optional
            As in `parts`.
        places : sequence of Path, optional
            As in `parts`.
        history, state : bool
            As in `parts`.
        limit : int, optional
            As in `parts`.

        Returns
        -------
        iterator of pyarrow.Table
            As `parts` gives them.
        """
        kind = state_kinds(places=places is not None, history=history)[1] if state else None
        shape: dict[str, Any] = {"places": places, "history": history, "limit": limit, "state": kind}
        statement = self._statement(workflow_ids, selection, _front(workflow_ids, front), **shape)
        digests.prepare(connection)
        return bulk.stream(connection, statement, rows_at_once)

    def _statement(
        self,
        workflow_ids: WorkflowIds,
        selection: RecordFilter | None,
        chosen: Sequence[str] = (columns.WORKFLOW_ID, *columns.RECORD_COLUMNS),
        *,
        limit: int | None = None,
        places: Sequence[Path] | None = None,
        history: bool = True,
        ordered: bool = True,
        raw: bool = False,
        state: str | None = None,
    ) -> sa.Select[Any]:
        front = self.select(*chosen, raw_times=raw)
        source: sa.FromClause = self.table
        text = self._document(history=history) if places is None else None
        if text is not None and state is not None and self.dialect.name == "postgresql":
            # The text is read and hashed: the server makes it once where a subquery gives it to both.
            once = (
                sa.select(text.label(columns.DATA))
                .correlate(self.table)
                .offset(sa.literal_column("0"))
                .lateral("document")
            )
            source, text = self.table.join(once, sa.true()), once.c[columns.DATA]
        documents = [self._place(path) for path in places or ()] if text is None else [text.label(columns.DATA)]
        name = digests.READ_VERSION if state == VERSION else digests.READ_STATE
        remembered = [] if state is None else [self.read_state(state, text).label(name)]
        found = sa.select(*front, *documents, *remembered).select_from(source)
        found = found.where(self.condition(workflow_ids, selection)).limit(limit)
        return found.order_by(*self._order()) if ordered else found

    def read_state(self, kind: str, document: Column | None = None) -> Column:
        """Return what a read remembers of each row, so that writing the rows back can notice other writers.

        Parameters
        ----------
        kind : {"whole", "without history", "version"}
            Which text of the document the state is made of: what the read makes anyway. Where it reads some places
            only of many records, to look at whole documents for the state alone would take longer than the read; then
            it is the version of the row, where the database can say that.
        document : SQLAlchemy column, optional
            That text, where a statement has it already.

        Returns
        -------
        SQLAlchemy column
            A whole number of 64 bits; call `digests.prepare` before it is read.
        """
        if kind == VERSION and self._version_state is not None:
            return self._version_state
        data = self.table.c.data
        seed: Column = sa.literal_column("0", sa.BigInteger)
        if kind == WITHOUT_HISTORY and self.dialect.name == "postgresql":
            history = sa.cast(data, postgresql.JSONB).op("->", return_type=postgresql.JSONB())
            seed = digests.json_state(history(sa.cast(sa.literal(columns.HISTORY), sa.Text)))
        text = self._document(history=kind != WITHOUT_HISTORY) if document is None else document
        return digests.read_state(self.dialect, self.table, names(self.table), text, seed)

    def _document(self, *, history: bool) -> Column:
        data = self.table.c.data
        return self.dialect.json_text(data) if history else self.dialect.json_without(data, columns.HISTORY)

    @functools.cached_property
    def _version_state(self) -> Column | None:
        with self.database.read() as connection:
            version = digests.version(connection, self.table)
        return None if version is None else digests.version_state(version)

    def _order(self) -> list[Column]:
        return [
            self.table.c.created_at.asc().nulls_last(),
            *(self.dialect.by_code_point(self.table.c[name]) for name in ("record_id", columns.WORKFLOW_ID)),
        ]

    def can_extract(self, places: Sequence[Path]) -> bool:
        """Tell whether the database can read every one of some places by itself.

        Parameters
        ----------
        places : sequence of Path
            Of the documents.

        Returns
        -------
        bool
        """
        return all(self.dialect.json_place(self.table.c.data, place.in_document) is not None for place in places)

    def _place(self, path: Path) -> Column:
        found = self.dialect.json_place(self.table.c.data, path.in_document)
        if found is None:
            raise InvalidPath(f"this database cannot read {str(path)!r} alone")
        return found.label(str(path))

    def count(
        self, workflow_ids: WorkflowIds, selection: RecordFilter | None = None, by: Sequence[str] = ()
    ) -> pa.Table:
        """Count records in the database.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : RecordFilter, optional
            Which of their records; all when left out.
        by : sequence of str, optional
            Columns to group by; one row with the total when empty.

        Returns
        -------
        pyarrow.Table
            The columns of `by` and `count`, most first.

        Raises
        ------
        InvalidOption
            For a column that cannot be grouped by.
        """
        for name in by:
            if name not in _GROUPS:
                raise InvalidOption(f"by={name!r} is none of {', '.join(_GROUPS)}")
        groups = self.select(*by)
        statement = (
            sa.select(*groups, sa.func.count().label("count"))
            .where(self.condition(workflow_ids, selection))
            .group_by(*groups)
            .order_by(sa.desc("count"), *(self.dialect.by_code_point(column.element) for column in groups))
        )
        with self.database.read() as connection:
            return bulk.fetch(connection, statement)


def state_kinds(*, places: bool, history: bool) -> tuple[str, str]:
    """Return which states a read remembers; see `RecordReads.read_state`.

    Parameters
    ----------
    places : bool
        Whether only some places of the documents are read.
    history : bool
        Whether the documents have their `history`.

    Returns
    -------
    tuple of (str, str)
        Of few records, and of many.

    Examples
    --------
    >>> state_kinds(places=False, history=True), state_kinds(places=True, history=False)
    (('whole', 'whole'), ('whole', 'version'))
    """
    if places:
        return WHOLE, VERSION
    kind = WHOLE if history else WITHOUT_HISTORY
    return kind, kind


def _front(workflow_ids: WorkflowIds, wanted: Sequence[str]) -> list[str]:
    """Return the columns to read that are no document: those that rows are sorted and told apart by always are."""
    several = [columns.WORKFLOW_ID] if single_workflow(workflow_ids) is None else []
    return several + [name for name in columns.RECORD_COLUMNS if name in {"record_id", "created_at", *wanted}]
