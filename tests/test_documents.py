"""Every block of Python and every `toolkit` command in the documents runs, in order, in a folder of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.profiles import find_profile

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(document.read_text(encoding="utf-8")) if kind == language]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_python_of_a_document_runs(document: Path, tmp_path: Path) -> None:
    source = "\n".join(blocks(document, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_commands_of_a_document_run(document: Path, tmp_path: Path) -> None:
    lines = "".join(blocks(document, "sh")).splitlines()
    for line in lines:
        if line.startswith("toolkit "):
            command = [sys.executable, "-m", "toolkit.cli", *shlex.split(line)[1:]]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}: {done.stderr}"


def test_every_block_is_of_a_kind_that_is_run() -> None:
    # The guide shows the calls of the former service as they were; settings are read by another test.
    shown = {"migration.md": {"js"}, "connecting.md": {"toml"}}
    for document in DOCUMENTS:
        kinds = {kind for kind, _ in FENCE.findall(document.read_text(encoding="utf-8"))}
        assert kinds <= {"python", "sh"} | shown.get(document.name, set()), document


def test_the_settings_in_the_document_are_a_profile_that_is_understood(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("\n".join(blocks(ROOT / "docs" / "connecting.md", "toml")), encoding="utf-8")
    profile = find_profile("production", settings)
    assert profile is not None
    assert (profile.read_only, profile.production, profile.reveals) == (True, True, False)
    assert (profile.extra, profile.allow) == (("customer_no",), ("session",))


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
