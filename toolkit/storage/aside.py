"""What one transaction of a server moves to an archive file, or brings back from it.

Meanwhile the rows lie in temporary tables of the server, so that every statement of the archive is the same as with
one of the server's own. At the end, before the server commits, the file is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit.errors import StalePlan
from toolkit.storage import bulk
from toolkit.storage.archive_file import PENDING_CHANGES, PLACE, TAKEN, TRANSACTION, UNDONE, pending_of
from toolkit.storage.archive_tables import WRITTEN
from toolkit.storage.tables import CHANGE_ID, names, server_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from toolkit.storage.archive_file import ArchiveFile

TEMPORARY: Final = "pg_temp"
"""The schema of tables that are gone with their session."""

_ROWS_AT_ONCE: Final = 10_000


def temporary(name: str, like: sa.Table) -> sa.Table:
    """Return the temporary table that keeps rows for a while, as statements name it.

    Parameters
    ----------
    name : str
        Of the table in the archive.
    like : sqlalchemy.Table
        Whose rows it keeps.

    Returns
    -------
    sqlalchemy.Table
    """
    front: list[sa.Column[Any]] = [
        sa.Column(CHANGE_ID, sa.Text),
        sa.Column(WRITTEN, sa.Text),
        sa.Column(PLACE, sa.BigInteger),
    ]
    copied = [sa.Column(column.name, column.type, primary_key=column.primary_key) for column in like.columns]
    return sa.Table(f"toolkit_{name}", sa.MetaData(), *front, *copied, schema=TEMPORARY)


class Aside:
    """The part of a file that one transaction of the server is about.

    Parameters
    ----------
    file : ArchiveFile
        The file.
    connection : sqlalchemy.Connection
        To the server, in a transaction that writes.
    """

    def __init__(self, file: ArchiveFile, connection: sa.Connection) -> None:
        self._file = file
        self._connection = connection
        self._tables: dict[str, sa.Table] = {}
        self._loaded: list[tuple[str, str, int]] = []
        self._entries: list[Mapping[str, Any]] = []
        self._undone: list[str] = []
        self._before: list[Callable[[sa.Connection], None]] = []
        sa.event.listen(connection, "commit", self._end)

    def table(self, name: str, like: sa.Table) -> sa.Table:
        """Make a temporary table where this transaction has none of that name yet.

        Parameters
        ----------
        name : str
            Of the table in the archive.
        like : sqlalchemy.Table
            Whose rows it keeps.

        Returns
        -------
        sqlalchemy.Table
        """
        made = self._tables.get(name)
        if made is None:
            made = self._tables[name] = temporary(name, like)
            preparer = self._connection.dialect.identifier_preparer
            target, source = preparer.format_table(made), preparer.format_table(like)
            front = f"''::text AS {CHANGE_ID}, NULL::text AS {WRITTEN}, NULL::bigint AS {PLACE}"
            # Without constraints, as rows may come that are older than a column.
            self._connection.exec_driver_sql(
                f"CREATE TEMPORARY TABLE {target} ON COMMIT DROP AS SELECT {front}, * FROM {source} WITH NO DATA"  # noqa: S608 - names of tables that were looked up
            )
        return made

    def load(self, change_id: str, name: str, like: sa.Table) -> None:
        """Have the rows of a change here, as the file keeps them.

        Parameters
        ----------
        change_id : str
            Of the receipt.
        name : str
            Of the table in the archive.
        like : sqlalchemy.Table
            Whose rows it keeps.
        """
        made = self.table(name, like)
        with self._file.database.write() as connection:
            kept = self._file.table(connection, name, names(like))
        listed = [column for column in names(made) if column in kept.c]
        insert = self._inserting(made, listed)
        number = 0
        with self._file.database.read() as connection:
            wanted = sa.select(*(kept.c[column] for column in listed)).where(kept.c[CHANGE_ID] == change_id)
            for rows in _parts(connection, wanted):
                columns = zip(*rows, strict=True)
                bound = {f"c{at}": [_text(value) for value in column] for at, column in enumerate(columns)}
                number += bulk.affected(self._connection, insert, [bound])
        self._loaded.append((name, change_id, number))

    def _inserting(self, made: sa.Table, listed: Sequence[str]) -> sa.Insert:
        """Write rows that come as one array of texts for each column."""
        types = server_types(self._connection, made)
        keys = [f"c{at}" for at in range(len(listed))]
        arrays = [sa.cast(sa.bindparam(key), postgresql.ARRAY(sa.Text)) for key in keys]
        given = sa.func.unnest(*arrays).table_valued(*(sa.column(key, sa.Text) for key in keys)).render_derived()
        cast = [sa.cast(given.c[key], types[column]) for key, column in zip(keys, listed, strict=True)]
        return sa.insert(made).from_select(list(listed), sa.select(*cast))

    def write_down(self, entry: Mapping[str, Any]) -> None:
        """Add a change to the list, when the transaction ends.

        Parameters
        ----------
        entry : mapping of str to object
            By column.
        """
        self._entries.append(entry)

    def mark_undone(self, change_id: str) -> None:
        """Write down that a change is undone, when the transaction ends.

        Parameters
        ----------
        change_id : str
            Of the receipt.
        """
        self._undone.append(change_id)

    def before_end(self, call: Callable[[sa.Connection], None]) -> None:
        """Have something done when everything else is, before the file is told.

        Parameters
        ----------
        call : callable
            Of the connection.
        """
        self._before.append(call)

    def _end(self, connection: sa.Connection) -> None:
        for call in self._before:
            call(connection)
        if not (self._entries or self._undone or self._loaded):
            return
        number = connection.scalar(sa.text("SELECT txid_current()::text"))
        now = self._file.database.dialect.now()
        with self._file.database.write() as writing:
            for name, made in self._tables.items():
                kept = self._file.table(writing, name, names(made, without=[PLACE]))
                self._write_added(writing, number, made, kept)
            for name, change_id, loaded in self._loaded:
                self._write_taken(writing, number, name, change_id, loaded)
            for entry in self._entries:
                values = {**entry, TRANSACTION: number, "created_at": now}
                writing.execute(sa.insert(PENDING_CHANGES).values(values))
            for change_id in self._undone:
                writing.execute(sa.insert(UNDONE).values({TRANSACTION: number, "id": change_id, "undone_at": now}))

    def _write_added(self, writing: sa.Connection, number: str, made: sa.Table, kept: sa.Table) -> None:
        pending = pending_of(kept)
        listed = names(made, without=[PLACE])
        texts: list[Any] = [sa.cast(made.c[column], sa.Text).label(column) for column in listed]
        insert = sa.insert(pending)
        added = sa.select(*texts).where(made.c[PLACE].is_(None))
        for rows in _parts(self._connection, added):
            values = ({TRANSACTION: number, **dict(zip(listed, row, strict=True))} for row in rows)
            bulk.insert_many(writing, insert, values)

    def _write_taken(self, writing: sa.Connection, number: str, name: str, change_id: str, loaded: int) -> None:
        made, kept = self._tables[name], self._file.table(writing, name, ())
        left = sa.select(made.c[PLACE]).where(made.c[PLACE].is_not(None), made.c[CHANGE_ID] == change_id)
        staying = list(self._connection.scalars(left))
        each = sa.func.json_each(sa.bindparam("staying", str(staying), type_=sa.Text)).table_valued("value")
        gone = sa.and_(kept.c[CHANGE_ID] == change_id, kept.c[PLACE].not_in(sa.select(each.c.value)))
        rows = sa.select(sa.literal(number), sa.literal(kept.name), kept.c[PLACE]).where(gone)
        taken = bulk.affected(writing, sa.insert(TAKEN).from_select([TRANSACTION, "name", "place"], rows))
        if taken != loaded - len(staying):
            raise StalePlan("the archive file was purged in the meantime; nothing was brought back")


def _parts(connection: sa.Connection, statement: sa.Executable) -> Iterator[Sequence[sa.Row[Any]]]:
    with connection.execute(statement, execution_options={"yield_per": _ROWS_AT_ONCE}) as result:
        yield from result.partitions(_ROWS_AT_ONCE)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
