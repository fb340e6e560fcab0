"""Plans, changes and their undoing in any order, among writes of others, against a model in plain Python."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from fnmatch import fnmatchcase
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import toolkit

Name = tuple[str, str]
"""`record` or `variable`, and which."""

Rows = dict[Name, tuple[str | None, ...]]
"""Every column of a row, as the database writes it."""

_numbers = itertools.count()

LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)

NAMES = st.tuples(st.sampled_from(["record", "variable"]), st.sampled_from(["a", "a1", "b", "b,é"]))
IDS = st.sets(st.sampled_from(["a", "a1", "b", "b,é"]), max_size=3)
PATTERNS = st.sampled_from(["*", "a*", "b*"])


@dataclasses.dataclass
class Change:
    """What stands in the list of changes, and what is kept of it."""

    kept: Rows
    written: Rows | None = None
    """As the change left the rows; None where it removed them."""
    undone: bool = False
    archived: bool = True


@dataclasses.dataclass
class Planned:
    plan: toolkit.ClearPlan | toolkit.UpdatePlan
    rows: Rows
    chosen: Any
    """Tells whether a clear would take a row of that name."""
    value: int | None = None
    """What an edit writes."""


class Machine(RuleBasedStateMachine):
    """The model is what `rows` must be, and what the list of changes must hold."""

    service: toolkit.UnifiedDataService

    def __init__(self) -> None:
        super().__init__()
        self.workflow_id = f"w{next(_numbers)}"
        self.rows: Rows = {}
        self.changes: dict[str, Change] = {}
        self.plans: list[Planned] = []
        self.values = itertools.count()

    # --- what the database holds ---

    def found(self) -> Rows:
        tables = self.service.database.tables
        found: Rows = {}
        with self.service.database.read() as connection:
            for what, table, name in (("variable", tables.variables, "key"), ("record", tables.records, "record_id")):
                texts = [sa.cast(column, sa.Text) for column in table.columns]
                asked = sa.select(table.c[name], *texts).where(table.c.workflow_id == self.workflow_id)
                found |= {(what, row[0]): tuple(row[1:]) for row in connection.execute(asked)}
        return found

    def adopt(self, *names: Name) -> None:
        """Take from the database what was just written."""
        found = self.found()
        self.rows |= {name: found[name] for name in names}

    def newest(self) -> str:
        return str(next(each for each in self.service.changes(self.workflow_id)["id"] if each not in self.changes))

    # --- writes, by the toolkit and past it ---

    @rule(name=NAMES)
    def write(self, name: Name) -> None:
        former = self.rows.get(name)
        if name[0] == "record":
            self.service.create_record(self.workflow_id, name[1], data={"n": next(self.values)})
        else:
            self.service.set_variable(self.workflow_id, name[1], next(self.values))
        self.adopt(name)
        if former is not None and name[0] == "record":
            self.changes[self.newest()] = Change({name: former}, {name: self.rows[name]})

    @rule(name=NAMES)
    def write_past_the_toolkit(self, name: Name) -> None:
        """As an engine does: no time moves."""
        if name in self.rows:
            table, column = self._place(name)
            value = sa.text(f'\'{{"fields": {{"n": {next(self.values)}}}}}\'')
            with self.service.database.write() as connection:
                written = {"data" if column == "record_id" else "value": value}
                connection.execute(sa.update(table).where(*self._this(table, name)).values(written))
            self.adopt(name)

    @rule(name=NAMES)
    def remove_past_the_toolkit(self, name: Name) -> None:
        table, _ = self._place(name)
        with self.service.database.write() as connection:
            connection.execute(sa.delete(table).where(*self._this(table, name)))
        self.rows.pop(name, None)

    def _place(self, name: Name) -> tuple[sa.Table, str]:
        tables = self.service.database.tables
        return (tables.records, "record_id") if name[0] == "record" else (tables.variables, "key")

    def _this(self, table: sa.Table, name: Name) -> tuple[Any, ...]:
        return table.c.workflow_id == self.workflow_id, table.c[self._place(name)[1]] == name[1]

    @rule(name=NAMES, archive=st.sampled_from([True, True, False]))
    def delete(self, name: Name, archive: bool) -> None:
        call = self.service.delete_record if name[0] == "record" else self.service.delete_variable
        receipt = call(self.workflow_id, name[1], archive=archive)
        former = self.rows.pop(name, None)
        assert receipt.total == (former is not None)
        if former is not None:
            self.changes[receipt.id] = Change({name: former}, archived=archive)

    # --- plans ---

    @rule(pattern=PATTERNS)
    def plan_by_pattern(self, pattern: str) -> None:
        self._remember(self.service.plan_clear(self.workflow_id, pattern), lambda name: fnmatchcase(name[1], pattern))

    @rule(ids=IDS, keys=IDS)
    def plan_by_names(self, ids: set[str], keys: set[str]) -> None:
        plan = self.service.plan_clear(self.workflow_id, ids=ids, keys=keys)
        self._remember(plan, lambda name: name[1] in (ids if name[0] == "record" else keys))

    def _remember(self, plan: toolkit.ClearPlan, chosen: Any) -> None:
        rows = {name: row for name, row in self.rows.items() if chosen(name)}
        assert {("record", each) for each in plan.record_ids} | {("variable", each) for each in plan.keys} == set(rows)
        self.plans.append(Planned(plan, rows, chosen))

    @rule(ids=IDS)
    def plan_an_edit(self, ids: set[str]) -> None:
        frame = self.service.query_records(self.workflow_id)
        chosen = frame[frame["record_id"].isin(ids)]
        value = next(self.values)
        plan = self.service.plan_update(self.workflow_id, chosen.assign(**{"vars.n": value}), before=frame)
        rows = {("record", name): self.rows["record", name] for name in chosen["record_id"]}
        assert {("record", name) for name in plan.record_ids} == set(rows)
        self.plans.append(Planned(plan, rows, None, value))

    @precondition(lambda self: self.plans)
    @rule(data=st.data(), skip=st.booleans(), archive=st.sampled_from([True, True, True, False]))
    def apply(self, data: st.DataObject, skip: bool, archive: bool) -> None:
        planned = data.draw(st.sampled_from(self.plans), "plan")
        plan = planned.plan
        gone = {name for name in planned.rows if name not in self.rows}
        changed = {name for name, row in planned.rows.items() if name not in gone and self.rows[name] != row}
        taken = {name: row for name, row in planned.rows.items() if name not in gone | changed}
        options: dict[str, Any] = {"expect": plan.total, "archive": archive, "on_change": "skip" if skip else "fail"}
        if plan.id in self.changes:
            with pytest.raises(toolkit.AlreadyDone, match="applied before") as caught:
                plan.apply(**options)
            assert vars(caught.value)["receipt"].id == plan.id
        elif gone | changed and not skip:
            error = toolkit.AlreadyDone if len(gone) == len(planned.rows) else toolkit.StalePlan
            with pytest.raises(error, match="nothing was touched"):
                plan.apply(**options)
        else:
            receipt = plan.apply(**options)
            assert (receipt.total, set(receipt.skipped)) == (len(taken), {name for _, name in gone | changed})
            self._applied(planned, taken, receipt, changed, archive=archive)

    def _applied(
        self, planned: Planned, taken: Rows, receipt: toolkit.Receipt, changed: set[Name], *, archive: bool
    ) -> None:
        written = None
        if planned.value is None:
            for name in taken:
                del self.rows[name]
            assert receipt.appeared == sum(map(planned.chosen, self.rows)) - len(changed)
        else:
            self.adopt(*taken)
            written = {name: self.rows[name] for name in taken}
            assert all(f'"n": {planned.value}' in repr(row) for row in written.values())
        if taken:
            self.changes[receipt.id] = Change(dict(taken), written, archived=archive)

    # --- undo ---

    @precondition(lambda self: self.changes)
    @rule(data=st.data(), on_conflict=st.sampled_from(["fail", "skip", "overwrite"]))
    def undo(self, data: st.DataObject, on_conflict: str) -> None:
        change_id = data.draw(st.sampled_from(sorted(self.changes)), "change")
        change = self.changes[change_id]
        conflicts = {name for name in change.kept if not self._is_as_left(change, name)}
        if change.undone or not change.archived:
            with pytest.raises(toolkit.AlreadyDone):
                self.service.undo(change_id, on_conflict)
        elif conflicts and on_conflict == "fail":
            with pytest.raises(toolkit.StalePlan, match="nothing was brought back"):
                self.service.undo(change_id)
        else:
            receipt = self.service.undo(change_id, on_conflict)
            assert receipt.differs == ()
            self._undone(change, conflicts, receipt, skip=on_conflict == "skip")

    def _is_as_left(self, change: Change, name: Name) -> bool:
        return self.rows.get(name) == (None if change.written is None else change.written[name])

    def _undone(self, change: Change, conflicts: set[Name], receipt: toolkit.Receipt, *, skip: bool) -> None:
        back = {name: row for name, row in change.kept.items() if not (skip and name in conflicts)}
        aside = {} if skip else {name: self.rows[name] for name in conflicts if name in self.rows}
        assert (receipt.total, receipt.overwritten) == (len(back), len(aside))
        assert set(receipt.skipped) == ({name for _, name in conflicts} if skip else set())
        self.rows |= back
        change.kept = {name: row for name, row in change.kept.items() if name not in back}
        change.undone = not change.kept
        if aside:
            self.changes[self.newest()] = Change(aside, {name: back[name] for name in aside})

    @rule()
    def purge(self) -> None:
        plan = self.service.purge_archive(older_than=LATER, workflow_id=self.workflow_id)
        kept = sum(len(change.kept) for change in self.changes.values() if change.archived)
        assert (plan.changes, plan.total) == (len(self.changes), kept)
        plan.apply(expect=plan.total)
        self.changes.clear()

    # --- what holds after every step ---

    @invariant()
    def the_rows_are_those_of_the_model(self) -> None:
        assert self.found() == self.rows

    @invariant()
    def the_list_tells_the_truth(self) -> None:
        found = self.service.changes(self.workflow_id).query("kind != 'purge'").set_index("id")
        assert {each: not undone for each, undone in found["undone_at"].isna().items()} == {
            each: change.undone for each, change in self.changes.items()
        }

    @invariant()
    def the_archive_keeps_what_can_come_back_and_nothing_else(self) -> None:
        kept: list[Name] = []
        with self.service.database.read() as connection:
            for what, (_, table) in zip(("variable", "record"), self.service.archive.pairs(), strict=True):
                name = table.c["record_id" if what == "record" else "key"]
                found = connection.scalars(sa.select(name).where(table.c.workflow_id == self.workflow_id))
                kept += [(what, each) for each in found]
        wanted = [name for change in self.changes.values() if change.archived for name in change.kept]
        assert sorted(kept) == sorted(wanted)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_any_order_of_plans_changes_and_writes_is_as_the_model_says(
    service: toolkit.UnifiedDataService, kind: str
) -> None:
    class OfThisDatabase(Machine):
        pass

    OfThisDatabase.service = service
    run_state_machine_as_test(OfThisDatabase, settings=settings(max_examples=8, stateful_step_count=20, deadline=None))
