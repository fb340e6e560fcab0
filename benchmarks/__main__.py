"""Run as `python -m benchmarks [--records N] [--repeat N]`: ratios on SQLite, medians of several rounds."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

import toolkit
from benchmarks.data import records

if TYPE_CHECKING:
    from collections.abc import Callable

WORKFLOW = "benchmark"


def main() -> None:
    """Measure, and print one line per piece of work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="how many records (default: 20000)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of which the median counts (default: 3)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.db"
        with toolkit.connect(path, create=True) as service:
            service.create_records(WORKFLOW, records(given.records))
            _compare("flat, typed frame, secrets hidden", _flat(service), _read_sql(path), given.repeat)
            _compare("counts by status and type", _count(service), _count_by_hand(path), given.repeat)


def _flat(service: toolkit.UnifiedDataService) -> Callable[[], Any]:
    return lambda: service.query_records(WORKFLOW)


def _read_sql(path: Path) -> Callable[[], Any]:
    engine = sa.create_engine(f"sqlite:///{path}")

    def read() -> pd.DataFrame:
        frame = pd.read_sql(sa.text("SELECT * FROM workflow_records"), engine)
        return frame.join(pd.json_normalize([json.loads(text) for text in frame["data"]]))

    return read


def _count(service: toolkit.UnifiedDataService) -> Callable[[], Any]:
    return lambda: service.count_records(WORKFLOW)


def _count_by_hand(path: Path) -> Callable[[], Any]:
    engine = sa.create_engine(f"sqlite:///{path}")
    statement = sa.text("SELECT status, record_type, count(*) FROM workflow_records GROUP BY status, record_type")
    return lambda: pd.read_sql(statement, engine)


def _compare(work: str, ours: Callable[[], Any], theirs: Callable[[], Any], repeat: int) -> None:
    """Time both in turns, so that a slow moment of the machine hits both."""
    rounds = [(_seconds(ours), _seconds(theirs)) for _ in range(repeat)]
    mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{work}: {mine / other:.2f} x the time by hand ({mine:.3f} s and {other:.3f} s)")


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
