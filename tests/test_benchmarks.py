"""The benchmarks run as a user would run them, print a ratio for each piece of work, and say what is missing."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

import toolkit
from benchmarks import comparisons, data, works
from benchmarks.comparisons import Allowed, Comparison, Peer, Work
from benchmarks.databases import WORKFLOW, Data, Databases
from benchmarks.workers import package

ROOT = Path(__file__).parents[1]
LINE = re.compile(
    r"(?P<name>[a-z-]+): .+: \d+\.\d\d x (faster )?\((at most|at least) [\d.]+\) .+: (reached|MISSED) "
    r"\(.+ and .+; CPU .+\)"
)


def printed(*options: str) -> list[str]:
    command = [sys.executable, "-W", "error", "-m", "benchmarks", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_each_piece_of_work_prints_its_ratio_what_is_to_be_reached_and_both_times() -> None:
    names = ["flat-sqlite", "stats-memory-sqlite"]
    lines = printed("--records", "300", "--repeat", "1", "--only", *names)
    assert lines[0].startswith("300 records, median of 1; ")
    assert "load average" in lines[0]
    matched = [LINE.fullmatch(line) for line in lines[2:-1]]
    assert [found and found["name"] for found in matched] == names


def test_a_name_that_is_no_piece_of_work_is_answered_with_those_that_are() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "flat-oracle"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "flat-oracle" in done.stderr
    assert "flat-sqlite" in done.stderr


def test_every_name_stands_once_and_in_the_docs() -> None:
    names = [*(one.name for one in works.ALL), "writing", "changing"]
    assert len(names) == len(set(names))
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


def measuring(value: float) -> Work:
    """Work that measures itself; another process imports all that it is made of."""
    ready: Any = nullcontext
    return Work(f"{value} s", functools.partial(ready, functools.partial(float, value)))


@pytest.mark.parametrize(
    ("reach", "faster", "said"),
    [
        (0.5, False, "0.50 x (at most 0.5) twice: reached"),
        (0.4, False, "0.50 x (at most 0.4) twice: MISSED"),
        (2, True, "2.00 x faster (at least 2) than twice: reached"),
        (2.5, True, "2.00 x faster (at least 2.5) than twice: MISSED"),
    ],
)
def test_what_is_to_be_reached_is_reached_or_missed(reach: float, faster: bool, said: str, tmp_path: Path) -> None:
    peers = (Peer(Allowed("twice", 1.0), reach, faster=faster),)
    with Databases(tmp_path, 1) as databases:
        (line,) = comparisons.lines(Comparison("half", measuring(0.5), peers), databases, 1)
    assert line.startswith(f"half: 0.5 s: {said} (0.500 s and 1.000 s; CPU ")


def test_sides_are_measured_in_processes_and_a_missing_package_is_said(tmp_path: Path) -> None:
    missing = Work("the missing", functools.partial(package, "no_such_package_1"))
    peers = (Peer(missing, 1), Peer(measuring(1.0), 1))
    with Databases(tmp_path, 1) as databases:
        lines = list(comparisons.lines(Comparison("half", measuring(0.5), peers), databases, 2))
    assert lines[0] == "half: not compared to the missing: pip install no_such_package_1"
    assert lines[1].startswith("half: 0.5 s: 0.50 x (at most 1) 1.0 s: reached (0.500 s and 1.000 s; CPU ")


def test_a_database_holds_what_was_asked_for(tmp_path: Path) -> None:
    with Databases(tmp_path, 40) as databases:
        place = databases.get(Data("sqlite", secrets=True))
        assert databases.get(Data("sqlite", secrets=True)) is place
        assert databases.get(Data("sqlite", tenth=True)).records == 4
    with closing(toolkit.connect(place.url)) as service:
        frame = service.query_records(WORKFLOW)
        revealed = service.query_records(WORKFLOW, reveal=True)
    assert len(frame) == place.records == 40
    assert frame["created_at"].is_monotonic_increasing
    assert list(frame["record_id"]) != sorted(frame["record_id"])
    assert revealed["vars.api_token"].notna().sum() == 2
    assert "FAKE" not in frame.to_csv()
    assert revealed.to_csv().count("FAKE") == 4


def test_the_same_seed_makes_the_same_records_with_and_without_secrets() -> None:
    plain, secret = data.records(20), data.records(20, secrets=True)
    assert plain == data.records(20)
    assert plain != data.records(20, seed=2)
    assert [position for position in range(20) if plain[position] != secret[position]] == [0, 10]
