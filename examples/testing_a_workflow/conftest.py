"""What the tests share: a run in a file, as a snapshot of last night would be."""

from __future__ import annotations

from pathlib import Path

import pytest

import toolkit
from toolkit import demo


@pytest.fixture(scope="session")
def last_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with one run; a real project keeps such files beside its tests."""
    path = tmp_path_factory.mktemp("runs") / "last_night.db"
    with toolkit.connect(path, create=True) as service:
        demo.make_run(service)
    return path
