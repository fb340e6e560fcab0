"""Rows of other tables that foreign keys take along: counted, kept beside the planned rows, and brought back."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit.storage import bulk, cascades, digests
from toolkit.storage.tables import CHANGE_ID, names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.storage.archive import ArchiveStorage
    from toolkit.storage.cascades import Along
    from toolkit.storage.planned import PlannedRows
    from toolkit.storage.spool import RowSpool

COMPANIONS: Final = "cascade"
"""What the list of changes calls them, beside the filters."""

_LONGEST_NAME: Final = 48


def keep_companions(
    connection: sa.Connection, change_id: str | None, planned: PlannedRows, rows: RowSpool, *, cascade: bool
) -> list[dict[str, Any]]:
    """Look for rows that would go along with planned ones, and keep them, or refuse.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In the transaction of the change, before the planned rows go.
    change_id : str or None
        Of the receipt; None keeps nothing.
    planned : PlannedRows
        Of one table.
    rows : RowSpool
        Which of its rows.
    cascade : bool
        Whether rows of other tables may go.

    Returns
    -------
    list of dict
        `table` (schema and name), `kept` (the name in the archive) and `rows`, parents before children.

    Raises
    ------
    InvalidOption
        When they may not go, or could not come back.
    """
    chains = cascades.chains_of(connection, planned.dialect, planned.table) if rows.total else []
    if not chains:
        return []
    given = digests.batch(planned.dialect)
    found = [cascades.along(connection, chain, planned.table, planned.as_planned(given)) for chain in chains]
    counts = [0] * len(found)
    for batch in rows.batches():
        planned.hold(connection, batch)
        for place, each in enumerate(found):
            counted = sa.select(sa.func.count()).select_from(each.rows).where(each.condition)
            counts[place] += connection.scalar(counted, {digests.BATCH: batch}) or 0
    cascades.refuse(zip(found, counts, strict=True), cascade=cascade, archive=change_id is not None)
    acting = [each for each, count in zip(found, counts, strict=True) if count]
    return [] if change_id is None else _keep(connection, change_id, planned.archive, acting, rows)


def _keep(
    connection: sa.Connection, change_id: str, archive: ArchiveStorage, acting: Sequence[Along], rows: RowSpool
) -> list[dict[str, Any]]:
    """Copy the rows of each table once, by whichever keys they go along."""
    by_table: dict[tuple[str | None, str], list[Along]] = {}
    # A table that refers to two others comes back after both.
    furthest = {each.key.child: each.depth for each in sorted(acting, key=lambda each: each.depth)}
    for each in sorted(acting, key=lambda each: furthest[each.key.child]):
        by_table.setdefault(each.key.child, []).append(each)
    listed = []
    for child, ways in by_table.items():
        name = _kept_name(child)
        kept = archive.keep_like(connection, name, ways[0].table)
        number = 0
        for way in ways:
            number += _copy(connection, change_id, kept, way, rows)
        listed.append({"table": list(child), "kept": name, "rows": number})
    return listed


def _copy(connection: sa.Connection, change_id: str, kept: sa.Table, way: Along, rows: RowSpool) -> int:
    # A row that goes along by two keys is kept once.
    own = names(way.table)
    chosen = sa.select(sa.literal(change_id), *(way.rows.c[name] for name in own)).where(way.condition)
    number = 0
    primary = [column.name for column in way.table.primary_key]
    if primary:
        twice = sa.and_(kept.c[CHANGE_ID] == change_id, *(kept.c[name] == way.rows.c[name] for name in primary))
        chosen = chosen.where(~sa.exists(sa.select(1).select_from(kept).where(twice).correlate(way.rows)))
    insert = sa.insert(kept).from_select([CHANGE_ID, *own], chosen)
    for batch in rows.batches():
        number += bulk.affected(connection, insert, [{digests.BATCH: batch}])
    return number


def _kept_name(child: tuple[str | None, str]) -> str:
    name = "_".join(part for part in child if part)
    short = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"archived_{short}"


def companions_of(selection: str | None) -> list[Mapping[str, Any]]:
    """Read from the list of changes which rows of other tables went along.

    Parameters
    ----------
    selection : str or None
        JSON text.

    Returns
    -------
    list of dict
        As `keep_companions` gave it.

    Examples
    --------
    >>> companions_of('{"records": {"pattern": "*"}}')
    []
    """
    given = json.loads(selection or "{}")
    found: list[Mapping[str, Any]] = given.get(COMPANIONS, []) if isinstance(given, dict) else []
    return found
