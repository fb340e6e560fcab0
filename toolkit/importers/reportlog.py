"""pytest-reportlog: a JSON object per line, one per phase of a test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import ImportFailed
from toolkit.importers.cases import ERROR, FAILURE, PASSED, SKIP, Case, context_of
from toolkit.importers.model import ImportedFile
from toolkit.importers.textfile import read_json_lines
from toolkit.importers.values import ID_LENGTH, UniqueNames, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TYPE: Final = "$report_type"
_RERUN: Final = "rerun"


def read_reportlog(path: Path, *, variant: str | None = None, started_at: datetime | None = None) -> ImportedFile:
    """Read a log of pytest-reportlog.

    Parameters
    ----------
    path : Path
        The file.
    variant : str, optional
        The system or configuration the log stands for.
    started_at : datetime, optional
        The time of tests for which the log names none; by default the file's own time.

    Returns
    -------
    ImportedFile
        One record per test, named as pytest's JUnit report names it; a rerun is a former attempt.

    Raises
    ------
    ImportFailed
        If the file cannot be read or is no such log: one line with the file and the place.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "log.jsonl")
    ...     phase = '"$report_type": "TestReport", "when": "call", "outcome": "passed"'
    ...     _ = path.write_text('{"nodeid": "tests/test_a.py::test_b", ' + phase + "}")
    ...     file = read_reportlog(path)
    >>> [(record.record_id, record.status) for record in file.records]
    [('tests.test_a::test_b', 'complete')]
    """
    context = context_of(path, variant, started_at)
    tests: dict[str, list[dict[str, Any]]] = {}
    session: dict[str, Any] = {}
    for number, entry in read_json_lines(path):
        if not isinstance(entry, dict) or _TYPE not in entry:
            raise ImportFailed(f"{one_line(str(path))}, line {number}: not a line of pytest-reportlog: no {_TYPE!r}")
        if entry[_TYPE] == "TestReport":
            tests.setdefault(str(entry.get("nodeid", "")), []).append(entry)
        elif entry[_TYPE] in ("SessionStart", "SessionFinish"):
            session |= {key: value for key, value in entry.items() if key != _TYPE}
    ids = UniqueNames(ID_LENGTH)
    records = tuple(_case(name, phases).record(ids, context) for name, phases in tests.items())
    variable = (context.with_variant("suite.pytest"), {"file": path.name, "attributes": session})
    return ImportedFile(one_line(str(path)), variant, records, (variable,) if session else ())


def _case(node_id: str, phases: Sequence[dict[str, Any]]) -> Case:
    reruns = [phase for phase in phases if phase.get("outcome") == _RERUN]
    last = phases[phases.index(reruns[-1]) + 1 :] if reruns else phases
    outcome, decisive = _outcome(last or phases)
    class_name, name = _names(node_id)
    durations = [phase["duration"] for phase in last if isinstance(phase.get("duration"), int | float)]
    return Case(
        class_name=class_name,
        name=name,
        outcome=outcome,
        message=_message(decisive) if outcome in (FAILURE, ERROR) else None,
        begin=_begin(last),
        seconds=sum(durations) if durations else None,
        attempts=[_attempt(number, phase) for number, phase in enumerate(reruns, start=1)],
        fields={
            "file": node_id.partition("::")[0],
            "phase": decisive.get("when"),
            "skipped_reason": _message(decisive) if outcome == SKIP else None,
            "properties": dict(decisive["user_properties"]) if _pairs(decisive.get("user_properties")) else None,
        },
    )


def _pairs(value: Any) -> bool:
    whole = isinstance(value, list) and bool(value)
    return whole and all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in value)  # noqa: PLR2004 - a name and a value


def _outcome(phases: Sequence[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Decide by the phases: a failure outside the test itself is an error."""
    for phase in phases:
        if phase.get("outcome") == "failed":
            return FAILURE if phase.get("when") == "call" else ERROR, phase
    for phase in phases:
        if phase.get("outcome") == "skipped":
            return SKIP, phase
    return PASSED, next((phase for phase in phases if phase.get("when") == "call"), phases[-1])


def _names(node_id: str) -> tuple[str | None, str]:
    # A parameter may hold "::", the path and the classes in front of it do not.
    head, bracket, parameters = node_id.partition("[")
    file, *inner = head.split("::")
    module = file.removesuffix(".py").replace("/", ".")
    if not inner:
        return None, node_id or "(unnamed)"
    return ".".join([module, *inner[:-1]]), f"{inner[-1]}{bracket}{parameters}"


def _begin(phases: Sequence[dict[str, Any]]) -> datetime | None:
    starts = [phase["start"] for phase in phases if isinstance(phase.get("start"), int | float)]
    return datetime.fromtimestamp(min(starts), UTC) if starts else None


def _message(phase: dict[str, Any]) -> str | None:
    if phase.get("wasxfail"):
        return str(phase["wasxfail"])
    said = phase.get("longrepr")
    if isinstance(said, dict):
        crash = said.get("reprcrash")
        return str(crash.get("message")) if isinstance(crash, dict) else str(said)
    # A skip is told as file, line and reason.
    return None if said is None else str(said[-1] if isinstance(said, list) and said else said)


def _attempt(number: int, phase: dict[str, Any]) -> dict[str, Any]:
    return {"attempt": number, "outcome": FAILURE, "message": _message(phase) or ""}
