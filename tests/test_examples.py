"""The examples and the benchmarks run as a user would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# make_data.py rewrites the example data; test_example_data.py runs it on a copy.
SCRIPTS = [path for path in sorted((ROOT / "examples").glob("*.py")) if path.name != "make_data.py"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_runs_and_prints_something(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "FAKE" not in done.stdout


def test_the_benchmarks_print_a_ratio_for_each_piece_of_work() -> None:
    command = [sys.executable, "-m", "benchmarks", "--records", "50", "--repeat", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(" x the time by hand" in line for line in lines)
