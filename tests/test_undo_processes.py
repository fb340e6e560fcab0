"""What is killed while it applies or undoes: everything has happened, or nothing, and both can be repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

import toolkit

ROOT = Path(__file__).parents[1]
ROUNDS = 5
"""Each kills one apply and one undo; `python -m benchmarks.killed` makes 50 of 20,000 rows."""

Execute = Callable[..., None]


def kill(url: str | None, workflow_id: str, home: Path) -> None:
    """Run the rounds, which look at the database themselves, and count what they saw."""
    options = [] if url is None else [url]
    options += ["--workflow", workflow_id, "--rows", "400", "--rounds", str(ROUNDS), "--seed", str(os.getpid())]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks.killed", *options],
        cwd=ROOT,
        env={**os.environ, "XDG_DATA_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    counts = [int(part.rpartition(" ")[2]) for part in done.stdout.strip().split(", ")]
    assert sum(counts) == 2 * ROUNDS


def test_a_killed_process_has_done_everything_or_nothing(
    service: toolkit.UnifiedDataService, workflow_id: str, database_url: str, tmp_path: Path
) -> None:
    kill(database_url, workflow_id, tmp_path)
    assert len(service.query_records(workflow_id)) == 400


def test_a_killed_server_has_done_everything_or_nothing(tmp_path: Path) -> None:
    kill(None, "killed", tmp_path)


@pytest.mark.parametrize("kind", ["production"])
def test_a_killed_process_leaves_each_row_in_its_table_or_in_the_file(
    database_url: str, workflow_id: str, tmp_path: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    execute(database_url, "DROP SCHEMA toolkit CASCADE")
    with toolkit.connect(database_url) as service:
        service.setup_archive(where="file")
        kill(database_url, workflow_id, tmp_path)
        assert len(service.query_records(workflow_id)) == 400
        file = service.archive.file
        assert file is not None
        with file.database.read() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM toolkit_archived_records")) == 0
