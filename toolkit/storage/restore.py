"""Undo: the rows of a change, back exactly as they were.

By DELETE and INSERT: an UPDATE would fire the triggers that stamp a row. All columns are compared before the end, and
where a trigger of the table or a cascading key makes the exact way impossible, the receipt says what differs.
"""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit.errors import ChangeNotFound, InvalidOption, StalePlan
from toolkit.masking import MaskingPolicy
from toolkit.model import Receipt, already_done, counted
from toolkit.storage import archive_tables, bulk, cascades, digests
from toolkit.storage.archive import IN_PLACE, NOT_KEPT, PURGE, REPLACE, receipt_of
from toolkit.storage.archive_tables import WRITTEN, InsertAsItWas
from toolkit.storage.companions import companions_of
from toolkit.storage.tables import CHANGE_ID, names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.storage.archive import ArchiveStorage
    from toolkit.storage.dialects import Condition

FAIL: Final = "fail"
SKIP: Final = "skip"
OVERWRITE: Final = "overwrite"
ON_CONFLICT: Final = (FAIL, SKIP, OVERWRITE)

_LITERAL: Final = {"key": "keys", "record_id": "ids"}
"""The arguments of `plan_clear` that take the names of rows literally."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back of one table.

    Attributes
    ----------
    rows : int
        Rows that are back.
    skipped : tuple of str
        Names of rows that were written again since, and were left alone.
    overwritten : int
        Rows that were written again since, and moved to the archive.
    differs : tuple of str
        Where rows are not as they were, in words.
    """

    rows: int = 0
    skipped: tuple[str, ...] = ()
    overwritten: int = 0
    differs: tuple[str, ...] = ()


def undo(
    archive: ArchiveStorage,
    change_id: str,
    on_conflict: str = FAIL,
    policy_of: Callable[[str], MaskingPolicy] = lambda _: MaskingPolicy(),
) -> Receipt:
    """Move the rows of a change back to their tables.

    Parameters
    ----------
    archive : ArchiveStorage
        Of the database.
    change_id : str
        The id of the receipt.
    on_conflict : {"fail", "skip", "overwrite"}, default "fail"
        What to do with rows that were written again since.
    policy_of : callable, optional
        Gives the policy that hides secrets in the names of a workflow's rows; the toolkit's own rules when left out.

    Returns
    -------
    Receipt
        Of kind `undo`, with the counts, what was left alone, and what differs.

    Raises
    ------
    ChangeNotFound
        When the archive knows no such change.
    AlreadyDone
        When it was undone before, with its receipt.
    StalePlan
        When a row was written again since, and `on_conflict` is `fail`; nothing is touched then.
    """
    if on_conflict not in ON_CONFLICT:
        raise InvalidOption(f"on_conflict={on_conflict!r} is none of {', '.join(ON_CONFLICT)}")
    with archive.database.write() as connection:
        first = _known(archive, connection, change_id)
        archive.hold(connection, first.workflow_id)
        # Only now nobody else can be undoing it.
        change = _known(archive, connection, change_id)
        receipt = receipt_of(change)
        if change.kind == PURGE:
            raise already_done(f"change {change_id} is a purge: what it forgot is gone for good", receipt)
        if not receipt.archived:
            raise already_done(f"change {change_id} kept no rows (archive=False); they are gone for good", receipt)
        if change.undone_at is not None:
            raise already_done(f"change {change_id} was undone before; nothing was changed now", receipt)
        archive.bring_rows(connection, change_id)
        way = _Way(archive, connection, change, on_conflict, policy_of)
        counts = {"variables": change.variables, "records": change.records}
        done = {
            name: way.restore(table, kept) if counts[name] else Restored()
            for name, (table, kept) in zip(counts, archive.pairs(), strict=True)
        }
        along = way.restore_companions()
        way.end()
    both = (*done.values(), along)
    return Receipt(
        change_id,
        change.workflow_id,
        "undo",
        variables=done["variables"].rows,
        records=done["records"].rows,
        skipped=tuple(name for each in both for name in each.skipped),
        overwritten=sum(each.overwritten for each in both),
        differs=tuple(text for each in both for text in each.differs),
    )


def last_change(archive: ArchiveStorage, workflow_id: str) -> str:
    """Find the last change that the actor made in a workflow and that is not undone.

    Parameters
    ----------
    archive : ArchiveStorage
        Of the database.
    workflow_id : str
        Checked.

    Returns
    -------
    str
        Its id.

    Raises
    ------
    ChangeNotFound
    """
    archive = archive.home
    table, actor = archive.kept.changes, archive.database.actor
    order = [table.c.created_at.desc()]
    # Its clock counts milliseconds; what was written down later stands later.
    order += [sa.literal_column("rowid").desc()] if archive.dialect.name == "sqlite" else []
    kept = (table.c.kind != PURGE, ~table.c.selection.contains(NOT_KEPT))
    mine = (table.c.workflow_id == workflow_id, table.c.actor == actor, *kept)
    statement = sa.select(table.c.id).where(*mine, table.c.undone_at.is_(None)).order_by(*order).limit(1)
    with archive.database.read() as connection:
        found: str | None = connection.scalar(statement)
    if found is None:
        raise ChangeNotFound(
            f"{actor} made no change in this workflow that could be undone; service.changes() lists what others did, "
            "and service.undo(id) undoes it"
        )
    return found


def _known(archive: ArchiveStorage, connection: sa.Connection, change_id: str) -> sa.Row[Any]:
    change = archive.find(connection, change_id)
    if change is None:
        raise ChangeNotFound(
            f"the archive knows no change {MaskingPolicy().mask_text(change_id)!r}; service.changes() lists them"
        )
    return change


class _Way:
    """One undoing, in its transaction."""

    def __init__(
        self,
        archive: ArchiveStorage,
        connection: sa.Connection,
        change: sa.Row[Any],
        on_conflict: str,
        policy_of: Callable[[str], MaskingPolicy],
    ) -> None:
        self.archive = archive
        self.dialect = archive.dialect
        self.connection = connection
        self.change = change
        self.on_conflict = on_conflict
        self.policy_of = policy_of
        self.in_place = change.kind in IN_PLACE
        self.aside = Receipt(uuid.uuid4().hex, change.workflow_id, REPLACE)
        self.left = 0

    def restore(self, table: sa.Table, kept: sa.Table) -> Restored:
        """Bring the rows of one table back."""
        name = self.archive.name_of(table)
        conflicts = self._conflicts(table, kept)
        if conflicts and self.on_conflict == FAIL:
            raise StalePlan(_refusal(table, name, self._shown(conflicts)))
        wanted = kept.c[CHANGE_ID] == self.change.id
        skipped: tuple[str, ...] = ()
        overwritten = 0
        if conflicts and self.on_conflict == SKIP:
            skipped = self._shown(conflicts)
            wanted = sa.and_(wanted, ~self.dialect.text_is_any_of(kept.c[name], conflicts))
            self.left += len(skipped)
        elif conflicts:
            overwritten = self._set_aside(table, kept, conflicts)
        number = self._put_back(table, kept, wanted)
        differs = self._compare(table, kept, wanted)
        self.connection.execute(sa.delete(kept).where(wanted))
        return Restored(number, skipped, overwritten, differs)

    def _shown(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of rows as people may see them."""
        return tuple(map(self.policy_of(self.change.workflow_id).mask_text, names))

    def _conflicts(self, table: sa.Table, kept: sa.Table) -> list[str]:
        """Find the rows that are not as the change left them: there again, written again, or gone."""
        name = kept.c[self.archive.name_of(table)]
        state = digests.digest(self.dialect, table, names(table))
        there = table.c.workflow_id.is_not(None)
        again = sa.or_(
            sa.and_(kept.c[WRITTEN].is_(None), there),
            sa.and_(kept.c[WRITTEN].is_not(None), sa.or_(~there, state != kept.c[WRITTEN])),
        )
        statement = (
            sa.select(name)
            .select_from(kept.outerjoin(table, self._same_row(table, kept)))
            .where(kept.c[CHANGE_ID] == self.change.id, again)
            .order_by(self.dialect.by_code_point(name))
        )
        return list(self.connection.scalars(statement))

    def _same_row(self, table: sa.Table, kept: sa.Table) -> Condition:
        name = self.archive.name_of(table)
        return sa.and_(table.c.workflow_id == kept.c.workflow_id, table.c[name] == kept.c[name])

    def _set_aside(self, table: sa.Table, kept: sa.Table, conflicts: Sequence[str]) -> int:
        """Keep what is going to be overwritten, as a change of its own."""
        name = self.archive.name_of(table)
        taken = sa.and_(
            table.c.workflow_id == self.change.workflow_id, self.dialect.text_is_any_of(table.c[name], conflicts)
        )
        rows = sa.select(sa.literal(self.aside.id), *table.columns).where(taken)
        number = bulk.affected(self.connection, sa.insert(kept).from_select([CHANGE_ID, *names(table)], rows))
        if not self.in_place:
            self.connection.execute(sa.delete(table).where(taken))
        if table is self.archive.database.tables.records:
            self.aside = dataclasses.replace(self.aside, records=number)
        else:
            self.aside = dataclasses.replace(self.aside, variables=number)
        return number

    def _put_back(self, table: sa.Table, kept: sa.Table, wanted: Condition) -> int:
        if self.in_place:
            if self._has_companions(table, kept, wanted):
                return self._write_over(table, kept, wanted)
            gone = sa.select(kept.c[self.archive.name_of(table)]).where(wanted)
            mine = table.c.workflow_id == self.change.workflow_id
            self.connection.execute(sa.delete(table).where(mine, table.c[self.archive.name_of(table)].in_(gone)))
        return self._insert(table, kept, wanted)

    def _has_companions(self, table: sa.Table, kept: sa.Table, wanted: Condition) -> bool:
        """Tell whether deleting the rows, if only to insert them again, would take rows of other tables along."""
        chains = cascades.chains_of(self.connection, self.dialect, table)
        going = sa.and_(self._same_row(table, kept), wanted)
        for chain in chains:
            found = cascades.along(self.connection, chain, table, going)
            if self.connection.scalar(sa.select(sa.exists().select_from(found.rows).where(found.condition))):
                return True
        return False

    def _insert(self, table: sa.Table, kept: sa.Table, wanted: Condition) -> int:
        """Insert rows with every column, also those that the database would number by itself."""
        computed, _ = archive_tables.computed_columns(self.connection, table)
        listed = [name for name in names(table) if name not in computed and name in kept.c]
        rows = sa.select(*(kept.c[name] for name in listed)).where(wanted)
        return bulk.affected(self.connection, InsertAsItWas(table).from_select(listed, rows))

    def _write_over(self, table: sa.Table, kept: sa.Table, wanted: Condition) -> int:
        computed, numbered = archive_tables.computed_columns(self.connection, table)
        values = {name: kept.c[name] for name in names(table) if name not in computed | numbered and name in kept.c}
        update = sa.update(table).values(values).where(self._same_row(table, kept), wanted)
        return bulk.affected(self.connection, update)

    def _compare(self, table: sa.Table, kept: sa.Table, wanted: Condition) -> tuple[str, ...]:
        """Compare every column of every row that came back."""
        listed = [name for name in names(table) if name in kept.c]
        same = self._same_row(table, kept)
        differ = digests.rows_differ(self.dialect, table, kept, listed)
        there = sa.func.count(table.c.workflow_id)
        unlike = sa.func.count(sa.case((sa.and_(table.c.workflow_id.is_not(None), differ), 1)))
        asked = sa.select(sa.func.count(), there, unlike).select_from(kept.outerjoin(table, same)).where(wanted)
        total, found, number = self.connection.execute(asked).one()
        missing = [f"{counted(total - found, 'row')} of {table.name} did not come back"] if found != total else []
        return (*missing, *self._columns_that_differ(table, kept, wanted, listed)) if number else tuple(missing)

    def _columns_that_differ(
        self, table: sa.Table, kept: sa.Table, wanted: Condition, listed: Sequence[str]
    ) -> list[str]:
        counts = [
            sa.func.count(sa.case((digests.values_differ(self.dialect, table.c[name], kept.c[name]), 1)))
            for name in listed
        ]
        asked = sa.select(*counts).select_from(kept.join(table, self._same_row(table, kept))).where(wanted)
        found = self.connection.execute(asked).one()
        return [
            f"{name} differs in {counted(number, 'row')} of {table.name}"
            for name, number in zip(listed, found, strict=True)
            if number
        ]

    def restore_companions(self) -> Restored:
        """Bring back the rows of other tables that went along."""
        differs: list[str] = []
        for entry in companions_of(self.change.selection):
            table = cascades.reflect(self.connection, (entry["table"][0], entry["table"][1]))
            kept = self.archive.bring(self.connection, self.change.id, entry["kept"], table)
            wanted = kept.c[CHANGE_ID] == self.change.id
            number = self._insert(table, kept, wanted)
            if number != entry["rows"]:
                differs.append(f"{counted(entry['rows'] - number, 'row')} of {table.name} did not come back")
            self.connection.execute(sa.delete(kept).where(wanted))
        return Restored(differs=tuple(differs))

    def end(self) -> None:
        """Write down that the change is undone, and what it overwrote."""
        if not self.left:
            self.archive.mark_undone(self.connection, self.change.id)
        if self.aside.total:
            why = f"overwritten by the undoing of {self.change.id}"
            self.archive.write_down(self.connection, self.aside, why, None)
            self.archive.seal(self.connection, self.aside)


def _refusal(table: sa.Table, name: str, conflicts: Sequence[str]) -> str:
    first = conflicts[0]
    return (
        f"written again since: {counted(len(conflicts), 'row')} of {table.name}, {first!r} among them; nothing was "
        "brought back. Look at them; on_conflict='skip' leaves them alone, on_conflict='overwrite' moves them to the "
        f"archive, and so does service.plan_clear(…, {_LITERAL[name]}=[{first!r}, …]).apply()"
    )
