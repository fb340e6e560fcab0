"""The commands of the recipes for build services run as they are written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit import demo

CI = Path(__file__).parents[1] / "examples" / "ci"


def commands_of_github() -> list[str]:
    recipe: dict[Any, Any] = yaml.safe_load((CI / "github" / "tests.yml").read_text(encoding="utf-8"))
    return [step["run"] for step in recipe["jobs"]["test"]["steps"] if "run" in step]


def commands_of_gitlab() -> list[str]:
    recipe: dict[Any, Any] = yaml.safe_load((CI / "gitlab" / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    return [*recipe["test"]["before_script"], *recipe["test"]["script"]]


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """What a build has: a command `toolkit`, tests that wrote a report, and programs that do nothing here."""
    programs = tmp_path / "bin"
    programs.mkdir()
    # The tests are those of the example data; nothing is installed, and nobody is written to.
    report = demo.data_folder() / "junit" / "toolkit-tests-2" / "junit.xml"
    scripts = {
        "toolkit": f'exec "{sys.executable}" -m toolkit.cli "$@"',
        "pytest": f'mkdir -p "runs/$RUN" && cp "{report}" "${{1#--junit-xml=}}"; exit 1',
        "pip": "exit 0",
        "gh": "exit 0",
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "RUN": "run-23"}


@pytest.mark.parametrize("commands", [commands_of_github(), commands_of_gitlab()], ids=["github", "gitlab"])
def test_a_recipe_keeps_a_history_and_fails_for_what_is_new(
    commands: list[str], surroundings: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    former = demo.data_folder() / "junit" / "toolkit-tests-1"
    for number in range(1, 23):
        shutil.copytree(former, folder / "runs" / f"run-{number}")
    codes = {}
    for command in commands:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", command], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
        )
        codes[command.split()[0]] = done.returncode, done.stdout + done.stderr
    assert codes["toolkit"][0] == 1, codes
    assert "--fail-on new: 1 new failure" in codes["toolkit"][1]
    assert {name for name, (code, _) in codes.items() if code} == {"toolkit"}
    assert len(list((folder / "runs").iterdir())) == 20
    assert (folder / "runs" / "run-23").is_dir()
    assert (folder / "report.html").is_file()
    assert "run-22" in (folder / "report.md").read_text(encoding="utf-8")
