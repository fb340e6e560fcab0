"""What is killed while records are cleared, or come back: afterwards everything has happened, or nothing.

    python -m benchmarks.killed DATABASE --rows 20000 --rounds 50

works in the workflow `killed` of a database that has an archive, and prints how often which of the two was found. Each
round kills one apply and one undo at a random moment, looks, and repeats what was killed. It is the process that makes
the call that is killed; without DATABASE, a PostgreSQL server is started, and that one is killed instead.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
import sqlalchemy as sa

import toolkit
from benchmarks import databases

if TYPE_CHECKING:
    from collections.abc import Callable

Kill: TypeAlias = "Callable[[Callable[[], Any], float], object]"
"""Makes a call, and ends it from outside so many seconds later."""

_A_MOMENT: Final = 0.05


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", nargs="?")
    parser.add_argument("--workflow", default="killed")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.database is not None:
        _work(given, given.database, killed)
        return
    with databases.server() as url:
        text = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with toolkit.connect(text, create=True) as service:
            service.setup_archive()
        _work(given, text, functools.partial(server_killed, text))


def _work(given: argparse.Namespace, database: str, kill: Kill) -> None:
    with toolkit.connect(database) as service:
        records = ({"record_id": f"a_{n}", "fields.n": n, "vars.none": None} for n in range(given.rows))
        service.create_records(given.workflow, records)
        found = run(service, given.workflow, given.rounds, random.Random(given.seed), kill)  # noqa: S311 - no secret
    print(", ".join(f"{what} {number}" for what, number in sorted(found.items())))


def run(
    service: toolkit.UnifiedDataService, workflow_id: str, rounds: int, chance: random.Random, kill: Kill
) -> Counter[str]:
    """Kill an apply and an undo in each round; every assertion is about what is found then."""
    before = rows(service, workflow_id)
    plan = service.plan_clear(workflow_id, records="*")
    lasts = [took(lambda: plan.apply(expect=plan.total)), took(lambda: service.undo(plan.id))]
    found: Counter[str] = Counter()
    for _ in range(rounds):
        plan = service.plan_clear(workflow_id, records="*")
        apply, undo = functools.partial(plan.apply, expect=plan.total), functools.partial(service.undo, plan.id)
        kill(apply, chance.uniform(0, 1.2 * lasts[0]))
        found[f"apply: {look(service, workflow_id, plan, before)}"] += 1
        repeated(apply, plan.id)
        check(look(service, workflow_id, plan, before) == "done", "a repeated apply did not end it")
        kill(undo, chance.uniform(0, 1.2 * lasts[1]))
        found[f"undo: {'nothing' if look(service, workflow_id, plan, before) == 'done' else 'done'}"] += 1
        repeated(undo, plan.id)
        check(look(service, workflow_id, plan, before) == "undone", "a repeated undo did not end it")
    return found


def killed(call: Callable[[], Any], after: float) -> int:
    """Make a call in a child process, and kill it so many seconds later."""
    child = os.fork()
    if child == 0:
        call()
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def server_killed(url: str, call: Callable[[], Any], after: float) -> None:
    """Make a call in a child process, and kill the server so many seconds later.

    When one of its processes is killed, a server ends all the others at once and starts again, as after a crash.
    """
    # With two sessions of its own: one to be killed, and one that ends when the server has noticed.
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url) as victim, psycopg.connect(url) as witness:
        child = os.fork()
        if child == 0:
            try:
                call()
            except toolkit.ToolkitError:
                os._exit(1)
            os._exit(0)
        time.sleep(after)
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        os.waitpid(child, 0)
        while True:
            witness.execute("SELECT 1")
            time.sleep(_A_MOMENT)
    while True:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(_A_MOMENT)


def took(call: Callable[[], Any]) -> float:
    """Make a call in a child process, and return how many seconds that took."""
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        call()
        os._exit(0)
    check(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the call failed")
    return time.monotonic() - begun


def repeated(call: Callable[[], toolkit.Receipt], change_id: str) -> None:
    """Make the call again, as after a lost connection."""
    try:
        receipt = call()
    except toolkit.AlreadyDone as done:
        receipt = done.receipt
    check(receipt.id == change_id, "the receipt is of another change")


def check(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - as an assertion that is never left out
    """Stop where something does not hold."""
    if not holds:
        raise RuntimeError(otherwise)


def look(service: toolkit.UnifiedDataService, workflow_id: str, plan: toolkit.ClearPlan, before: list[Any]) -> str:
    """Say what has happened, after every transaction of the killed process has ended."""
    archive = service.archive
    with service.database.write() as connection:
        archive.hold(connection, workflow_id)
        change = archive.find(connection, plan.id)
    home = archive.home
    with home.database.read() as connection:
        kept = home.kept.records
        number = connection.scalar(sa.select(sa.func.count()).select_from(kept).where(kept.c.change_id == plan.id))
    there = rows(service, workflow_id)
    if change is None or change.undone_at is not None:
        check((there, number) == (before, 0), f"{len(there)} of {len(before)} rows, {number} in the archive")
        return "nothing" if change is None else "undone"
    whole = (there, number, change.records) == ([], len(before), len(before))
    check(whole, f"{len(there)} of {len(before)} rows, {number} in the archive, {change.records} in the list")
    return "done"


def rows(service: toolkit.UnifiedDataService, workflow_id: str) -> list[tuple[Any, ...]]:
    """Return every column of every record, as the database writes it."""
    table = service.database.tables.records
    texts = [sa.cast(column, sa.Text) for column in table.columns]
    asked = sa.select(*texts).where(table.c.workflow_id == workflow_id).order_by(table.c.record_id)
    with service.database.read() as connection:
        return [tuple(row) for row in connection.execute(asked)]


if __name__ == "__main__":
    main()
