"""Forgetting changes for good: what the archive keeps of them, and their lines in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from toolkit.storage import archive_tables, bulk, digests
from toolkit.storage.archive import PURGE
from toolkit.storage.companions import companions_of
from toolkit.storage.spool import RowSpool
from toolkit.storage.tables import CHANGE_ID, names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.storage.archive import ArchiveStorage
    from toolkit.storage.dialects import Condition


def spool(archive: ArchiveStorage, connection: sa.Connection, condition: Condition) -> RowSpool:
    """Write the ids of changes down, and how their lines stand.

    Parameters
    ----------
    archive : ArchiveStorage
        Of the database.
    connection : sqlalchemy.Connection
        In a transaction.
    condition : SQLAlchemy condition
        Which changes; purges are never among them.

    Returns
    -------
    RowSpool
    """
    digests.prepare(connection)
    table = archive.kept.changes
    state = digests.digest(archive.dialect, table, names(table))
    statement = sa.select(table.c.id, state).where(condition, table.c.kind != PURGE)
    return RowSpool({"name": name, "digest": text} for name, text in connection.execute(statement))


def rows_kept(archive: ArchiveStorage, connection: sa.Connection, rows: RowSpool) -> tuple[int, int]:
    """Count the rows that the archive keeps of changes.

    Parameters
    ----------
    archive : ArchiveStorage
        Of the database.
    connection : sqlalchemy.Connection
        In a transaction.
    rows : RowSpool
        Ids of changes.

    Returns
    -------
    tuple of (int, int)
        Variables and records.
    """
    given = digests.batch(archive.dialect)
    counts = [0, 0]
    for place, (_, kept) in enumerate(archive.pairs()):
        asked = sa.select(sa.func.count()).select_from(kept).where(kept.c[CHANGE_ID].in_(sa.select(given.c.name)))
        for batch in rows.batches():
            counts[place] += connection.scalar(asked, {digests.BATCH: batch}) or 0
    return counts[0], counts[1]


def forget(archive: ArchiveStorage, connection: sa.Connection, rows: RowSpool) -> tuple[int, int, int]:
    """Delete changes that stand as planned, and everything that is kept of them.

    Parameters
    ----------
    archive : ArchiveStorage
        Of the database.
    connection : sqlalchemy.Connection
        In the transaction of the purge.
    rows : RowSpool
        Ids of changes, and how their lines stood.

    Returns
    -------
    tuple of (int, int, int)
        Changes, variables and records that are forgotten.
    """
    digests.prepare(connection)
    table = archive.kept.changes
    given = digests.batch(archive.dialect)
    ids = sa.select(given.c.name)
    state = digests.digest(archive.dialect, table, names(table))
    as_planned = sa.select(table.c.id).where(table.c.id == given.c.name, state == given.c.digest)
    counts = [0, 0, 0]
    for batch in rows.batches():
        bound: Any = [{digests.BATCH: batch}]
        for other in _companions(archive, connection, batch):
            bulk.affected(connection, sa.delete(other).where(other.c[CHANGE_ID].in_(ids)), bound)
        counts[0] += bulk.affected(connection, sa.delete(table).where(table.c.id.in_(as_planned)), bound)
        for place, (_, kept) in enumerate(archive.pairs(), start=1):
            counts[place] += bulk.affected(connection, sa.delete(kept).where(kept.c[CHANGE_ID].in_(ids)), bound)
    return counts[0], counts[1], counts[2]


def _companions(archive: ArchiveStorage, connection: sa.Connection, batch: str) -> Iterator[sa.Table]:
    """Find the tables that keep rows which went along with some of the changes."""
    table, given = archive.kept.changes, digests.batch(archive.dialect)
    listed = sa.select(table.c.selection).where(table.c.id == given.c.name, table.c.selection.contains('"kept": '))
    found = {
        entry["kept"]: entry["table"]
        for text in connection.scalars(listed, {digests.BATCH: batch})
        for entry in companions_of(text)
    }
    for name, (schema, own) in found.items():
        like = sa.Table(own, sa.MetaData(), schema=schema)
        yield archive_tables.kept_table(archive.database, name, like)
