"""Allure results: a JSON file per attempt, which together are one run."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from toolkit.columns import COMPLETE, FIELDS, HISTORY
from toolkit.errors import ImportFailed
from toolkit.importers.cases import ERROR, FAILURE, PASSED, SKIP, Case, context_of
from toolkit.importers.model import ImportedFile, ImportedRecord
from toolkit.importers.textfile import read_json
from toolkit.importers.values import ID_LENGTH, UniqueNames, joined, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIX: Final = "-result.json"
_OUTCOMES: Final = {"passed": PASSED, "failed": FAILURE, "broken": ERROR, "skipped": SKIP}
_UNKNOWN: Final = "unknown"
_CLASS_LABELS: Final = ("testClass", "class", "suite", "package")
_LATEST: Final = 253_402_300_799_000  # the end of the year 9999, in milliseconds


def read_allure(path: Path, *, variant: str | None = None, started_at: datetime | None = None) -> ImportedFile:
    """Read one result of Allure.

    Parameters
    ----------
    path : Path
        A file that ends in `-result.json`.
    variant : str, optional
        The system or configuration the result stands for.
    started_at : datetime, optional
        The time of a result that names none; by default the file's own time.

    Returns
    -------
    ImportedFile
        One record. Its status is failed for `failed` and `broken`; a status that Allure does not know stays as it is.

    Raises
    ------
    ImportFailed
        If the file cannot be read or is no result: one line with the file and the place.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a-result.json")
    ...     text = '{"uuid": "a", "name": "signs in", "status": "broken", "labels": [{"name": "suite", "value": "s"}]}'
    ...     _ = path.write_text(text)
    ...     file = read_allure(path)
    >>> [(record.record_id, record.status) for record in file.records]
    [('s::signs in', 'failed')]
    """
    shown = one_line(str(path))
    result = read_json(path)
    if not isinstance(result, dict) or not {"uuid", "name", "status", "historyId"} & set(result):
        raise ImportFailed(f"{shown}: not a result of Allure: no object with 'uuid', 'name' or 'status'")
    record = _case(result).record(UniqueNames(ID_LENGTH), context_of(path, variant, started_at))
    return ImportedFile(shown, variant, (record,))


def combine(files: Sequence[ImportedFile]) -> list[ImportedFile]:
    """Take several results of one test as attempts: the last one counts, those before it are its history.

    Parameters
    ----------
    files : sequence of ImportedFile
        The results of one run.

    Returns
    -------
    list of ImportedFile
        The same files; those of former attempts are without records.
    """
    attempts: dict[str, list[ImportedRecord]] = {}
    for record in (record for file in files if file.path.endswith(SUFFIX) for record in file.records):
        attempts.setdefault(_identity(record), []).append(record)
    last = {name: sorted(several, key=lambda record: record.created_at) for name, several in attempts.items()}
    counting = {id(several[-1]): _with_attempts(several) for several in last.values()}
    return [
        dataclasses.replace(file, records=tuple(counting[id(each)] for each in file.records if id(each) in counting))
        if file.path.endswith(SUFFIX)
        else file
        for file in files
    ]


def _identity(record: ImportedRecord) -> str:
    return str(record.data[FIELDS].get("history_id") or record.record_id)


def _with_attempts(several: Sequence[ImportedRecord]) -> ImportedRecord:
    *former, last = several
    if not former:
        return last
    history = [
        {
            "attempt": number,
            "outcome": record.data[FIELDS]["outcome"],
            "message": record.error_message or "",
            "time": record.created_at.isoformat(),
        }
        for number, record in enumerate(former, start=1)
        if record.status != COMPLETE
    ]
    return dataclasses.replace(last, retry_count=len(history), data=last.data | {HISTORY: history})


def _case(result: dict[str, Any]) -> Case:
    labels = _named(result.get("labels"))
    parameters = _named(result.get("parameters"))
    details = result.get("statusDetails")
    details = details if isinstance(details, dict) else {}
    said = str(result.get("status") or _UNKNOWN)
    outcome = _OUTCOMES.get(said, said)
    message = joined(details.get("message"), details.get("trace"))
    begin, end = _time(result.get("start")), _time(result.get("stop"))
    shown = ", ".join(f"{name}={value}" for name, value in parameters.items())
    name = str(result.get("name") or result.get("fullName") or result.get("uuid") or "(unnamed)")
    return Case(
        class_name=next((labels[label] for label in _CLASS_LABELS if labels.get(label)), None),
        name=f"{name} ({shown})" if shown else name,
        outcome=outcome,
        message=message if outcome in (FAILURE, ERROR) else None,
        begin=begin,
        seconds=(end - begin).total_seconds() if begin and end and end >= begin else None,
        fields={
            "result": said,
            "uuid": result.get("uuid"),
            "history_id": result.get("historyId"),
            "full_name": result.get("fullName"),
            "labels": labels or None,
            "parameters": parameters or None,
            "steps": result.get("steps") or None,
            "flaky": details.get("flaky") or None,
            "skipped_reason": (message or None) if outcome == SKIP else None,
        },
    )


def _named(pairs: Any) -> dict[str, str]:
    found = [pair for pair in pairs if isinstance(pair, dict)] if isinstance(pairs, list) else []
    return {str(pair.get("name")): str(pair.get("value")) for pair in found}


def _time(milliseconds: Any) -> datetime | None:
    if isinstance(milliseconds, int | float) and 0 < milliseconds < _LATEST:
        return datetime.fromtimestamp(milliseconds / 1_000, UTC)
    return None
