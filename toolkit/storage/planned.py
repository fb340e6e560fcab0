"""Rows of a plan, batch by batch: looked at, taken, copied and written, each only in the state it was planned in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit.storage import bulk, digests
from toolkit.storage.spool import RowSpool, names_in
from toolkit.storage.tables import CHANGE_ID, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from toolkit.storage.archive import ArchiveStorage
    from toolkit.storage.dialects import Column, Condition

_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the planned rows of one table.

    Attributes
    ----------
    done : int
        Rows that were as planned, and were taken or changed.
    changed, gone : tuple of str
        Names of planned rows that are not as they were, and of those that are not there any more.
    """

    done: int = 0
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """The planned rows that were left alone."""
        return self.changed + self.gone


@dataclass(frozen=True, slots=True)
class Way:
    """A statement about the rows of a batch.

    Attributes
    ----------
    statement : SQLAlchemy statement
        That writes.
    parameter : str
        Which of its parameters is about the batch.
    of : callable
        What is bound to it, made of the batch.
    """

    statement: Any
    parameter: str = digests.BATCH
    of: Callable[[str], str] = str


class PlannedRows:
    """The rows of one of the two tables that a plan is about.

    Parameters
    ----------
    archive : ArchiveStorage
        Of the database.
    table : sqlalchemy.Table
        Variables or records.
    workflow_id : str
        Checked.
    """

    def __init__(self, archive: ArchiveStorage, table: sa.Table, workflow_id: str) -> None:
        self.archive = archive
        self.dialect = archive.dialect
        self.table = table
        self.name = table.c[archive.name_of(table)]
        self.mine: Condition = table.c.workflow_id == workflow_id
        self._version: Column | None = None

    @property
    def _state(self) -> Column:
        return digests.digest(self.dialect, self.table, names(self.table))

    @property
    def _kept(self) -> sa.Table:
        return next(kept for table, kept in self.archive.pairs() if table.name == self.table.name)

    def spool(self, connection: sa.Connection, condition: Condition | None) -> RowSpool:
        """Write the names and states of rows down, as they are read.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction.
        condition : SQLAlchemy condition or None
            Which rows; None takes none.

        Returns
        -------
        RowSpool
        """
        return RowSpool(() if condition is None else self.states(connection, condition))

    def states(self, connection: sa.Connection, condition: Condition, *others: Column) -> Iterator[dict[str, Any]]:
        """Read the names and states of rows, a few at a time.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction.
        condition : SQLAlchemy condition
            Which rows.
        *others : SQLAlchemy column
            What else to read.

        Yields
        ------
        dict
            `name`, `digest`, where there is one `version`, and the labels of the other columns.
        """
        digests.prepare(connection)
        self._version = digests.version(connection, self.table)
        others += () if self._version is None else (self._version.label(digests.VERSION),)
        statement = sa.select(self.name.label("name"), self._state.label("digest"), *others).where(condition)
        with connection.execute(statement, execution_options={"yield_per": _AT_ONCE}) as result:
            for part in result.mappings().partitions(_AT_ONCE):
                yield from map(dict, part)

    def as_planned(self, given: sa.FromClause) -> Condition:
        """Return the condition that a row is one of a batch, and in its planned state.

        Parameters
        ----------
        given : SQLAlchemy selectable
            Of `digests.batch`.

        Returns
        -------
        SQLAlchemy condition
        """
        same = self._state == given.c.digest
        if self._version is not None:
            # In this order: the digest is worked out only for rows of another version.
            same = sa.or_(self._version == given.c[digests.VERSION], same)
        return sa.and_(self.mine, self.name == given.c.name, same)

    def take(self, connection: sa.Connection, change_id: str | None, rows: RowSpool) -> Taken:
        """Move rows that are as planned to the archive, or delete them for good.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction of the change.
        change_id : str or None
            Of the receipt; None keeps nothing.
        rows : RowSpool
            Which, in which state.

        Returns
        -------
        Taken
        """
        if change_id is None:
            deleting = self._deleting()
            return self._counted(
                connection, rows, lambda batch: set(connection.scalars(deleting, {digests.BATCH: batch}))
            )
        if self.dialect.name == "postgresql":
            return self._each(connection, change_id, rows, self._moving(change_id))
        taken = self._each(connection, change_id, rows, [Way(self._copying(change_id))])
        # The transaction holds the only write lock: what was copied is what is there.
        copied = sa.select(self._kept.c[self.name.name]).where(self._kept.c[CHANGE_ID] == change_id)
        connection.execute(sa.delete(self.table).where(self.mine, self.name.in_(copied)))
        return taken

    def write(
        self,
        connection: sa.Connection,
        change_id: str | None,
        rows: RowSpool,
        values: Callable[[sa.FromClause], Mapping[str, Any]],
        extra: Sequence[str],
    ) -> Taken:
        """Change rows that are as planned, and copy them to the archive first.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction of the change.
        change_id : str or None
            Of the receipt; None keeps nothing.
        rows : RowSpool
            Which, in which state, and what to write.
        values : callable
            Gives the new values by column, from the rows as a statement sees them.
        extra : sequence of str
            What the rows hold besides name and state.

        Returns
        -------
        Taken
        """
        given = digests.batch(self.dialect, extra)
        writing = sa.update(self.table).values(values(given)).where(self.as_planned(given)).returning(self.name)
        copying = None if change_id is None else self._copying(change_id)

        def step(batch: str) -> set[str]:
            self.hold(connection, batch)
            if copying is not None:
                connection.execute(copying, {digests.BATCH: batch})
            return set(connection.scalars(writing, {digests.BATCH: batch}))

        return self._counted(connection, rows, step)

    def hold(self, connection: sa.Connection, batch: str) -> None:
        """Keep other writers from the rows of a batch until the transaction ends.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction of the change.
        batch : str
            As a `RowSpool` gives it.
        """
        if self.dialect.name == "postgresql":
            given = digests.batch(self.dialect)
            locked = sa.select(self.name).where(self.mine, self.name == given.c.name).with_for_update(of=self.table)
            connection.execute(sa.select(sa.func.count()).select_from(locked.cte("locked")), {digests.BATCH: batch})

    def _moving(self, change_id: str) -> list[Way]:
        """Return the statements that delete rows and keep them, the quickest first."""
        thorough = Way(self._move(change_id, self.as_planned(digests.batch(self.dialect))))
        if self._version is None:
            return [thorough]
        # Nearly all rows still lie where they were; the others are looked for by name, and compared.
        straight = sa.and_(digests.lies(self.table), self.mine)
        return [Way(self._move(change_id, straight), digests.VERSIONS, RowSpool.versions), thorough]

    def _move(self, change_id: str, condition: Condition) -> Any:
        # One statement: two would see two different sets of rows when others write.
        gone = sa.delete(self.table).where(condition).returning(*self.table.columns).cte("gone")
        return self._keeping(sa.select(sa.literal(change_id), *gone.columns))

    def _each(self, connection: sa.Connection, change_id: str, rows: RowSpool, ways: Sequence[Way]) -> Taken:
        """Keep rows, for each batch, as far as needed in each way; which it was is asked only when some are missing."""
        kept = self._kept.c[self.name.name]
        given = digests.batch(self.dialect)
        asked = sa.select(kept).where(self._kept.c[CHANGE_ID] == change_id, kept == given.c.name)

        def step(batch: str) -> int | set[str]:
            number, whole = 0, rows.length(batch)
            for way in ways:
                if number < whole:
                    number += bulk.affected(connection, way.statement, [{way.parameter: way.of(batch)}])
            return number if number == whole else set(connection.scalars(asked, {digests.BATCH: batch}))

        return self._counted(connection, rows, step)

    def _counted(self, connection: sa.Connection, rows: RowSpool, step: Callable[[str], int | set[str]]) -> Taken:
        done = 0
        changed: list[str] = []
        gone: list[str] = []
        given = digests.batch(self.dialect)
        asked = sa.select(self.name).where(self.mine, self.name == given.c.name)
        for batch in rows.batches():
            taken = step(batch)
            done += taken if isinstance(taken, int) else len(taken)
            if not isinstance(taken, int) and len(taken) != rows.length(batch):
                left = sorted(set(names_in(batch)) - taken)
                there = set(connection.scalars(asked, {digests.BATCH: batch}))
                changed += [name for name in left if name in there]
                gone += [name for name in left if name not in there]
        return Taken(done, tuple(changed), tuple(gone))

    def _copying(self, change_id: str) -> Any:
        given = digests.batch(self.dialect)
        return self._keeping(sa.select(sa.literal(change_id), *self.table.columns).where(self.as_planned(given)))

    def _keeping(self, rows: sa.Select[Any]) -> Any:
        return sa.insert(self._kept).from_select([CHANGE_ID, *names(self.table)], rows)

    def _deleting(self) -> Any:
        given = digests.batch(self.dialect)
        if self.dialect.name == "postgresql":
            return sa.delete(self.table).where(self.as_planned(given)).returning(self.name)
        found = sa.select(self.name).where(self.as_planned(given))
        return sa.delete(self.table).where(self.mine, self.name.in_(found)).returning(self.name)

    def count(self, connection: sa.Connection, condition: Condition, among: Sequence[str] | None = None) -> int:
        """Count rows.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In a transaction.
        condition : SQLAlchemy condition
            Which rows.
        among : sequence of str, optional
            Of these names alone.

        Returns
        -------
        int
        """
        statement = sa.select(sa.func.count()).select_from(self.table).where(condition)
        if among is not None:
            statement = statement.where(self.dialect.text_is_any_of(self.name, among))
        return int(connection.scalar(statement) or 0)
