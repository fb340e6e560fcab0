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
