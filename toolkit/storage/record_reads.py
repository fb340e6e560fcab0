"""Reading records: one by one, part by part, or whole tables at once."""

from __future__ import annotations

import functools
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns
from toolkit.errors import InvalidOption, InvalidPath
from toolkit.model import RecordFilter
from toolkit.storage import bulk
from toolkit.storage.arrow import NotSupported
from toolkit.storage.base import BaseStorage, WorkflowIds, single_workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from toolkit.paths import Path
    from toolkit.storage.arrow import ArrowSource
    from toolkit.storage.dialects import Column, Condition

_GROUPS: Final = ("status", "record_type", "iteration_node_alias", columns.WORKFLOW_ID)

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

        Yields
        ------
        iterator of pyarrow.Table
            As `query` gives them, at least one, which may be empty; `workflow_id` stands in front only when several
            workflows were asked for. Rows are in order only when there is no column
            `order`; else they are to be sorted by it, by `record_id` and by `workflow_id`.
        """
        chosen = _front(workflow_ids, front)
        read = functools.partial(self._statement, workflow_ids, selection, chosen, places=places, history=history)
        if limit is not None:
            with self.database.read() as connection:
                yield iter([bulk.fetch(connection, read(limit=limit))])
            return
        with ExitStack() as stack:
            source = self._arrow_source()
            yield stack.enter_context(self._ordinary(read) if source is None else self._straight(source, read))

    @contextmanager
    def _ordinary(self, read: Callable[..., sa.Select[Any]]) -> Iterator[Iterator[pa.Table]]:
        with self.database.read() as connection:
            yield bulk.fetching(connection, read(ordered=False), self.dialect.order)

    @contextmanager
    def _straight(self, source: ArrowSource, read: Callable[..., sa.Select[Any]]) -> Iterator[Iterator[pa.Table]]:
        """Read over a connection of its own, which is worth its making when there are many rows."""
        with self.database.read() as connection:
            few = bulk.fetch(connection, read(limit=_FEW + 1, ordered=False), order=self.dialect.order)
        if len(few) <= _FEW:
            yield iter([few])
            return
        with ExitStack() as stack:
            # A larger call reads more than once, and everything in it sees one moment.
            shared = stack.enter_context(self.database.read()) if self.database.in_transaction else None
            snapshot = None if shared is None else shared.scalar(sa.select(sa.func.pg_export_snapshot()))
            try:
                batches = stack.enter_context(source.parts(read(ordered=False, raw=True), snapshot))
                tables: Iterator[pa.Table] = map(bulk.from_batch, batches)
            except NotSupported:
                tables = stack.enter_context(self._ordinary(read))
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
        **options: Any,
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
        **options
            `limit`, `places` and `history`, as in `parts`.

        Returns
        -------
        iterator of pyarrow.Table
            As `parts` gives them.
        """
        statement = self._statement(workflow_ids, selection, _front(workflow_ids, front), **options)
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
    ) -> sa.Select[Any]:
        front = self.select(*chosen, raw_times=raw)
        documents = self.select(columns.DATA) if places is None else [self._place(path) for path in places]
        if places is None and not history:
            documents = [self.dialect.json_without(self.table.c.data, columns.HISTORY).label(columns.DATA)]
        found = sa.select(*front, *documents).where(self.condition(workflow_ids, selection)).limit(limit)
        return found.order_by(*self._order()) if ordered else found

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


def _front(workflow_ids: WorkflowIds, wanted: Sequence[str]) -> list[str]:
    """Return the columns to read that are no document: those that rows are sorted and told apart by always are."""
    several = [columns.WORKFLOW_ID] if single_workflow(workflow_ids) is None else []
    return several + [name for name in columns.RECORD_COLUMNS if name in {"record_id", "created_at", *wanted}]
