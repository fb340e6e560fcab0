"""Run as `python -m benchmarks.changing`: how fast records are cleared and come back, beside SQL by hand.

Half of the records of a workflow are cleared, by a plan that was made before, and brought back. One line per
comparison: the ratio, what it should be at most (or at least), and both times; medians of several rounds, in each of
which every side starts from the same table.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from typing import TYPE_CHECKING, Final

import psycopg

import toolkit
from benchmarks import data, databases

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_BY_ONE: Final = 500
"""So few of them are cleared one by one: what each takes does not depend on how many there are."""

_HALF: Final = "half"
_BY_HAND: Final = (
    f"WITH gone AS (DELETE FROM workflow_records WHERE workflow_id = '{databases.WORKFLOW}' AND status = '{_HALF}' "  # noqa: S608 - constants
    "RETURNING *) INSERT INTO cleared_by_hand SELECT 'change', * FROM gone"
)


def main() -> None:
    """Measure, and print the lines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.changing", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="how many records (default: 20000)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of which the median counts (default: 3)")
    parser.add_argument("--server", metavar="URL", help="a PostgreSQL database whose role may create databases")
    given = parser.parse_args()
    print(f"{given.records:,} records, median of {given.repeat}; {os.cpu_count()} processors, load {os.getloadavg()}")
    with databases.server(given.server) as url:
        name = f"benchmark_changing_{os.getpid()}"
        databases.execute(url, f"CREATE DATABASE {name}")
        try:
            own = url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
            _measure(own, given.records, given.repeat)
        finally:
            databases.execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _measure(url: str, records: int, repeat: int) -> None:
    times: dict[str, list[float]] = {"by hand": [], "apply": [], "undo": [], "one by one": []}
    with toolkit.connect(url, create=True) as service, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE cleared_by_hand (change_id text NOT NULL, LIKE workflow_records)")
        connection.execute("CREATE INDEX ON cleared_by_hand (change_id)")
        rows = list(data.rows(records))
        for _ in range(repeat):
            _fill(connection, rows)
            times["by hand"].append(_seconds(lambda: connection.execute(_BY_HAND)))
            _fill(connection, rows)
            plan = service.plan_clear(databases.WORKFLOW, status=_HALF)
            times["apply"].append(_seconds(lambda plan=plan: plan.apply(expect=plan.total)))  # type: ignore[misc]
            times["undo"].append(_seconds(lambda plan=plan: service.undo(plan.id)))  # type: ignore[misc]
            few = list(service.query_records(databases.WORKFLOW, status=_HALF, limit=ONE_BY_ONE)["record_id"])
            seconds = _seconds(lambda few=few: [service.delete_record(databases.WORKFLOW, one) for one in few])  # type: ignore[misc]
            times["one by one"].append(seconds * plan.total / len(few))
    found = {name: statistics.median(each) for name, each in times.items()}
    _say("apply of a clear", found["apply"], "WITH gone AS (DELETE … RETURNING *) INSERT", found["by hand"], 1.4)
    _say("undo", found["undo"], "the apply", found["apply"], 2.0)
    _say("apply of a clear", found["apply"], "record by record", found["one by one"], 50.0, faster=True)


def _fill(connection: psycopg.Connection, rows: list[tuple[object, ...]]) -> None:
    """Have every record in the table, every other one marked, and nothing for the server to do later."""
    tables = "workflow_records, cleared_by_hand, toolkit.archived_records, toolkit.changes"
    connection.execute(f"TRUNCATE {tables}")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY workflow_records ({databases.COLUMNS}) FROM STDIN") as copy,
    ):
        for number, row in enumerate(rows):
            name, kind, document, status, *rest = row
            copy.write_row((databases.WORKFLOW, name, kind, document, _HALF if number % 2 else status, *rest))
    connection.execute("VACUUM (ANALYZE) workflow_records")
    connection.execute("CHECKPOINT")


def _say(what: str, mine: float, words: str, other: float, reach: float, *, faster: bool = False) -> None:
    ratio = other / mine if faster else mine / other
    reached = "reached" if (ratio >= reach if faster else ratio <= reach) else "MISSED"
    bound = f"x faster (at least {reach:.0f}) than" if faster else f"x (at most {reach:.2f})"
    print(f"PostgreSQL, {what}: {ratio:.2f} {bound} {words}: {reached} ({mine:.2f} s and {other:.2f} s)", flush=True)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
