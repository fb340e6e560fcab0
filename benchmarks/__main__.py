"""Run as `python -m benchmarks`: how fast the toolkit is, as ratios to what people would do without it.

One line per piece of work: the ratio, what it should be at most, whether that is reached, both times. Medians of
several rounds in turns, each side in a process of its own. `docs/performance.md` says what each name measures.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import platform
import signal
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import comparisons, works
from benchmarks.databases import Databases

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGES = ("pandas", "pyarrow", "sqlalchemy", "psycopg", "adbc-driver-postgresql", "connectorx", "duckdb")


_APART: Final = ("writing", "changing")
"""Modules that measure in their own way, and print their lines themselves."""

_NAMES: Final = (*(one.name for one in works.ALL), *_APART)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the lines."""
    given = _arguments(arguments)
    chosen = [name for name in _NAMES if any(fnmatch.fnmatchcase(name, pattern) for pattern in given.only)]
    if not chosen:
        sys.exit(f"--only {' '.join(given.only)} is none of {', '.join(_NAMES)}")
    print(_header(given.records, given.repeat), flush=True)
    # Stopped from outside, too, it takes its server and its files away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory() as folder, Databases(Path(folder), given.records, given.server) as databases:
        for comparison in works.ALL:
            if comparison.name in chosen:
                for line in comparisons.lines(comparison, databases, given.repeat):
                    print(line, flush=True)
    for name in _APART:
        if name in chosen:
            _run_apart(name, given)
    print(f"load average at the end: {_load()}")


def _run_apart(name: str, given: argparse.Namespace) -> None:
    """Let a module of this package measure, and print its lines, in a process of its own."""
    options = ["--records", str(given.records), "--repeat", str(given.repeat)]
    options += ["--server", given.server] if given.server else []
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=True)  # noqa: S603 - this package


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog=f"Names: {', '.join(_NAMES)}.", allow_abbrev=False
    )
    parser.add_argument("--records", type=int, default=20_000, help="how many records (default: 20000)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of which the median counts (default: 3)")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="NAME", help="these alone; * and ? are wildcards")
    parser.add_argument("--server", metavar="URL", help="a PostgreSQL database whose role may create databases")
    return parser.parse_args(arguments)


def _header(records: int, repeat: int) -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{records:,} records, median of {repeat}; {os.cpu_count()} processors, load average {_load()}\n"
        f"Python {platform.python_version()}, {versions}"
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _load() -> str:
    return " ".join(f"{load:.2f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
