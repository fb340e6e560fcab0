"""What the document about security promises is shown by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from toolkit.grants import Level

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS: Final = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", TEXT.partition("## What masking")[0], re.MULTILINE)[2:]
NAMED: Final = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)


def test_every_threat_says_who_enforces_it_and_which_test_shows_it() -> None:
    assert len(ROWS) == len(NAMED) >= 20
    for _, enforcer, shown in ROWS:
        assert re.match(r"(toolkit|database|habit|the system)", enforcer)
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", shown)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda text: text)
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE)


def test_every_level_of_rights_is_described() -> None:
    for level in Level:
        assert f"| `{level}` |" in TEXT
        assert f"toolkit grants --role {level}".rpartition(" ")[0] in TEXT
        assert f"--level {level}" in TEXT


def test_what_masking_is_not_is_said_first() -> None:
    assert TEXT.splitlines()[2].startswith("**Masking is not access control.**")
    for word in ("Backups", "write-ahead log", "Row security", ".pre-commit-config.yaml"):
        assert word in TEXT
