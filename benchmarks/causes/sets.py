"""Real failures, as (id, message): the id is a hash, so that labels can be kept without the data."""

from __future__ import annotations

import json
import re
from hashlib import blake2s
from typing import TYPE_CHECKING, Any

from toolkit.columns import FAILED
from toolkit.errors import ImportFailed
from toolkit.importers import importer_named, read_junit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORTS = ("dorny_test-reporter", "jenkinsci_junit-plugin", "launchableinc_cli")
EXECUTIONS = "localstack_localstack"
DOTNET = re.compile(rb"<test-run[\s>]")
OTHERS = "other formats"
"""Failures of TRX, NUnit 3, Allure results and pytest-reportlog."""


def failures(data: Path) -> dict[str, dict[str, str]]:
    """Read the failures of every set.

    Parameters
    ----------
    data : Path
        The folder of public data.

    Returns
    -------
    dict of str to dict of str to str
        For each set the messages by id, in the order of the files.
    """
    found = {name: _named(_reports(data / "01_test_runs" / name)) for name in REPORTS}
    found |= {EXECUTIONS: _named(_executions(data / "02_workflow_runs" / EXECUTIONS))}
    return found | {OTHERS: _named(_others(data / "01_test_runs"))}


def _named(messages: Iterator[tuple[str, str]]) -> dict[str, str]:
    named: dict[str, str] = {}
    for number, (place, message) in enumerate(messages):
        named[blake2s(f"{place}\n{number}".encode(), digest_size=6).hexdigest()] = message
    return named


def _reports(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*.xml")):
        try:
            records = () if DOTNET.search(file.read_bytes()) else read_junit(file).records
        except ImportFailed:
            continue
        for record in records:
            if record.status == FAILED and record.error_message:
                yield f"{file.relative_to(folder).as_posix()}\n{record.record_id}", record.error_message


def _others(folder: Path) -> Iterator[tuple[str, str]]:
    everything = importer_named(None)
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and everything.takes(file)):
        if file.suffix == ".xml" and not DOTNET.search(file.read_bytes()):
            continue
        for record in everything.read(file, variant=None, started_at=None).records:
            if record.status == FAILED and record.error_message:
                yield f"{file.relative_to(folder).as_posix()}\n{record.record_id}", record.error_message


def _executions(folder: Path) -> Iterator[tuple[str, str]]:
    files = [file for file in sorted(folder.rglob("*.json")) if "history" not in file.parts]
    for file in files:
        for name, recorded in json.loads(file.read_text(encoding="utf-8")).items():
            for message in _failed_executions(recorded):
                yield f"{file.relative_to(folder).as_posix()}\n{name}", message


def _failed_executions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            details = isinstance(part, dict) and name.startswith("execution") and name.endswith("FailedEventDetails")
            if details and {"error", "cause"} & set(part):
                yield f"{part.get('error', '')}: {part.get('cause', '')}"
            else:
                yield from _failed_executions(part)
    elif isinstance(value, list):
        for part in value:
            yield from _failed_executions(part)
