"""Run as `python -m benchmarks.writing`: how fast many records are written, beside what the database itself takes.

One line per piece of work: the ratio, what it should be at most, wall and processor time of both; medians of several
rounds, in each of which every side has one turn on an empty (or, to replace records, a full) table.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import pandas as pd
import psycopg

import toolkit
from benchmarks import data, databases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WORKFLOW: Final = "benchmark"
PATCHES: Final = 50_000
ROWS_ONE_BY_ONE: Final = 2_000
"""So few of them are written one by one: what each takes does not depend on how many there are."""

_TIME: Final = "2026-11-16T02:00:00.000000Z"
_COLUMNS: Final = (
    "workflow_id, record_id, record_type, status, error_message, retry_count, created_at, updated_at, data"
)
_UPSERT: Final = (
    f"INSERT INTO workflow_records ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "  # noqa: S608 - names only
    "ON CONFLICT (workflow_id, record_id) DO UPDATE SET data = excluded.data, status = excluded.status"
)
_MEGABYTE: Final = 1 << 20

Row: TypeAlias = tuple[Any, ...]


class Side(NamedTuple):
    """What is measured: what makes the table ready, and the work."""

    prepare: Callable[[], object]
    work: Callable[[], object]
    share: float = 1.0
    """How many times the work would be done, had it all records."""


class Given(NamedTuple):
    """The same records, in every form in which they are written."""

    records: list[dict[str, Any]]
    rows: list[Row]
    documents: pd.DataFrame
    paths: pd.DataFrame


def main() -> None:
    """Measure, and print the lines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writing", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="how many records (default: 20000)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of which the median counts (default: 3)")
    parser.add_argument("--server", metavar="URL", help="a PostgreSQL database whose role may create databases")
    given = parser.parse_args()
    print(f"{given.records:,} records, median of {given.repeat}; {os.cpu_count()} processors, load {os.getloadavg()}")
    made = _made(given.records)
    with tempfile.TemporaryDirectory() as folder:
        _sqlite(Path(folder), made, given.repeat)
    with databases.server(given.server) as url:
        name = f"benchmark_writing_{os.getpid()}"
        databases.execute(url, f"CREATE DATABASE {name}")
        try:
            own = url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
            _postgresql(own, made, given.repeat)
        finally:
            databases.execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _made(number: int) -> Given:
    records = data.records(number)
    texts = [json.dumps(record["data"], separators=(",", ":")) for record in records]
    rows = [
        (WORKFLOW, record["record_id"], "email", record["status"], record["error_message"], 0, _TIME, _TIME, text)
        for record, text in zip(records, texts, strict=True)
    ]
    with toolkit.connect(":memory:", create=True) as service:
        service.create_records(WORKFLOW, records)
        paths = service.query_records(WORKFLOW, columns="all", reveal=True)
    return Given(records, rows, pd.DataFrame(records), paths.drop(columns=["created_at", "updated_at", "processed_at"]))


def _forms(service: toolkit.UnifiedDataService, given: Given) -> dict[str, Callable[[], object]]:
    forms = {"documents": given.documents, "paths": given.paths, "dicts": given.records}
    return {
        f"create_records, {name}": lambda many=many: service.create_records(WORKFLOW, many)  # type: ignore[misc]
        for name, many in forms.items()
    }


def _sqlite(folder: Path, given: Given, repeat: int) -> None:
    path = folder / "benchmark.db"
    marks = ", ".join("?" * (_COLUMNS.count(",") + 1))

    def by_hand() -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(f"INSERT INTO workflow_records ({_COLUMNS}) VALUES ({marks})", given.rows)  # noqa: S608 - the names of columns, no value

    def empty() -> None:
        for each in folder.iterdir():
            each.unlink()
        toolkit.connect(path, create=True).close()

    for name, work in _forms_on_sqlite(path, given):
        _compare(f"SQLite, {name}", Side(empty, work), Side(empty, by_hand), "executemany of tuples", 1.3, repeat)


def _forms_on_sqlite(path: Path, given: Given) -> list[tuple[str, Callable[[], object]]]:
    def create(many: Any) -> None:
        with toolkit.connect(path) as service:
            service.create_records(WORKFLOW, many)

    return [
        ("create_records, documents", lambda: create(given.documents)),
        ("create_records, paths", lambda: create(given.paths)),
        ("create_records, dicts", lambda: create(given.records)),
    ]


def _postgresql(url: str, given: Given, repeat: int) -> None:
    with toolkit.connect(url, create=True) as service, psycopg.connect(url, autocommit=True) as connection:
        payload = "".join("\t".join(map(_copied, row)) + "\n" for row in given.rows).encode()
        hand = ByHand(connection, payload)
        copied = Side(hand.empty, hand.copy)
        for name, work in _forms(service, given).items():
            _compare(f"PostgreSQL, {name}", Side(hand.empty, work), copied, "a bare COPY", 1.5, repeat)

        def upsert() -> None:
            service.create_records(WORKFLOW, given.documents, mode="upsert", archive=False)

        _compare("PostgreSQL, upsert of new", Side(hand.empty, upsert), copied, "a bare COPY", 1.8, repeat)
        _compare("PostgreSQL, upsert over all", Side(hand.fill, upsert), copied, "a bare COPY", 1.8, repeat)
        few = given.rows[:ROWS_ONE_BY_ONE]
        share = len(given.rows) / len(few)
        create = Side(hand.empty, lambda: service.create_records(WORKFLOW, given.documents))
        for words, by_hand in (
            ("one upsert per row, each committed", hand.one_after_another),
            ("one upsert per row, all in one transaction", hand.one_by_one),
        ):
            single = Side(hand.empty, lambda work=by_hand: work(few), share)  # type: ignore[misc]
            _compare("PostgreSQL, create_records", create, single, words, 1 / 15, repeat)
        labels = {row[1]: f"label {place}" for place, row in enumerate(given.rows[:PATCHES])}
        patches = {name: {"vars.label": label} for name, label in labels.items()}
        ours = Side(hand.fill, lambda: service.update_records(WORKFLOW, patches))
        _compare(
            f"PostgreSQL, update_records, {len(patches):,} patches",
            ours,
            Side(hand.fill, lambda: hand.patch(labels)),
            "COPY to a temporary table + UPDATE",
            1.5,
            repeat,
        )


class ByHand:
    """What people would write for PostgreSQL themselves."""

    def __init__(self, connection: psycopg.Connection, payload: bytes) -> None:
        self._connection = connection
        self._payload = payload

    def empty(self) -> None:
        """Leave nothing in the table, and nothing for the server to do later."""
        self._connection.execute("TRUNCATE workflow_records")
        self._connection.execute("CHECKPOINT")

    def fill(self) -> None:
        """Have every record in the table."""
        self.empty()
        self.copy()
        self._connection.execute("VACUUM (ANALYZE) workflow_records")
        self._connection.execute("CHECKPOINT")

    def copy(self) -> None:
        """Copy bytes that are ready."""
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY workflow_records ({_COLUMNS}) FROM STDIN") as channel,
        ):
            for start in range(0, len(self._payload), _MEGABYTE):
                channel.write(self._payload[start : start + _MEGABYTE])

    def one_after_another(self, rows: list[Row]) -> None:
        """Upsert one row after another, each in a transaction of its own, as separate calls do."""
        for row in rows:
            self._connection.execute(_UPSERT, row)

    def one_by_one(self, rows: list[Row]) -> None:
        """Upsert one row after another, in one transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for row in rows:
                cursor.execute(_UPSERT, row)

    def patch(self, labels: Mapping[str, str]) -> None:
        """Set one path."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE patches (record_id text, value jsonb) ON COMMIT DROP")
            with cursor.copy("COPY patches FROM STDIN") as channel:
                channel.write("".join(f"{name}\t{json.dumps(label)}\n" for name, label in labels.items()))
            cursor.execute(
                "UPDATE workflow_records r SET data = jsonb_set(data, '{vars,label}', p.value), updated_at = now() "
                "FROM patches p WHERE r.workflow_id = %s AND r.record_id = p.record_id",
                (WORKFLOW,),
            )


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\")


def _compare(name: str, ours: Side, theirs: Side, words: str, reach: float, repeat: int) -> None:
    rounds = [(_seconds(ours), _seconds(theirs)) for _ in range(repeat)]
    mine, other = (
        tuple(statistics.median(each[kind] for each in column) for kind in (0, 1))
        for column in zip(*rounds, strict=True)
    )
    ratio = mine[0] / other[0]
    verdict = "reached" if ratio <= reach else "MISSED"
    print(
        f"{name}: {ratio:.2f} x (at most {reach:.2f}) {words}: {verdict} "
        f"({mine[0]:.2f} s and {other[0]:.2f} s; CPU here {mine[1]:.2f} s and {other[1]:.2f} s)",
        flush=True,
    )


def _seconds(side: Side) -> tuple[float, float]:
    side.prepare()
    gc.collect()
    begin, cpu = time.perf_counter(), time.process_time()
    side.work()
    return (time.perf_counter() - begin) * side.share, (time.process_time() - cpu) * side.share


if __name__ == "__main__":
    main()
