"""CSV and JSON lines: results as a table, with a mapping of columns."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import ImportFailed
from toolkit.importers.cases import ERROR, FAILURE, PASSED, SKIP, Case, context_of
from toolkit.importers.model import ImportedFile
from toolkit.importers.textfile import read_json, read_json_lines, read_text
from toolkit.importers.values import ID_LENGTH, UniqueNames, duration, one_line, plain_number, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

PARTS: Final = ("record_id", "record_type", "status", "error_message", "retry_count", "created_at", "duration")
"""What a mapping may name a column for; every other column becomes a field."""

_OUTCOMES: Final = {
    **dict.fromkeys(("complete", "completed", "pass", "passed", "ok", "success", "succeeded"), PASSED),
    **dict.fromkeys(("fail", "failed", "failure"), FAILURE),
    **dict.fromkeys(("error", "errored", "broken", "timeout", "aborted"), ERROR),
    **dict.fromkeys(("skip", "skipped", "ignored", "pending", "disabled", "notrun"), SKIP),
}  # fmt: skip


def read_table(
    path: Path,
    *,
    variant: str | None = None,
    started_at: datetime | None = None,
    mapping: Mapping[str, str] | None = None,
) -> ImportedFile:
    r"""Read results from CSV (with a header), JSON lines, or a JSON array of objects.

    Parameters
    ----------
    path : Path
        The file; `.csv` is CSV, `.json` an array, anything else JSON lines.
    variant : str, optional
        The system or configuration the results stand for.
    started_at : datetime, optional
        The time of rows that name none; by default the file's own time.
    mapping : mapping of str to str, optional
        For each of `record_id, record_type, status, error_message, retry_count, created_at, duration` (seconds) the
        column that holds it; by default the column of that name. `record_id` and `status` must be there.

    Returns
    -------
    ImportedFile
        One record per row; its other columns are fields. Words such as "passed", "ok", "error" become the engine's
        statuses, any other is carried as it is.

    Raises
    ------
    ImportFailed
        If the file cannot be read, a column is missing, or a row is no object: one line with the file and the place.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "results.csv")
    ...     _ = path.write_text("test,result,seconds\nlogin,ok,1.5\n")
    ...     file = read_table(path, mapping={"record_id": "test", "status": "result", "duration": "seconds"})
    >>> [(record.record_id, record.status, record.data["fields"]["time"]) for record in file.records]
    [('login', 'complete', 1.5)]
    """
    names = {part: part for part in PARTS} | dict(mapping or {})
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        raise ImportFailed(f"mapping= names {unknown[0]!r}; it maps {', '.join(PARTS)} to columns of the file")
    context = context_of(path, variant, started_at)
    ids = UniqueNames(ID_LENGTH)
    shown = one_line(str(path))
    cases = (_case(row, names, f"{shown}, {place}") for place, row in _rows(path))
    return ImportedFile(shown, variant, tuple(case.record(ids, context) for case in cases))


def _rows(path: Path) -> Iterable[tuple[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv_rows(path)
    if suffix == ".json":
        value = read_json(path)
        if not isinstance(value, list):
            raise ImportFailed(f"{one_line(str(path))}: not an array of objects")
        return ((f"element {number}", row) for number, row in enumerate(value, start=1))
    return ((f"line {number}", row) for number, row in read_json_lines(path))


def _csv_rows(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ImportFailed(
                    f"{one_line(str(path))}, line {reader.line_num}: not as many cells as the header has"
                )
            yield f"line {reader.line_num}", {name: text for name, text in row.items() if text != ""}
    except csv.Error as error:
        # The row that cannot be read begins behind the last one that could.
        raise ImportFailed(f"{one_line(str(path))}, line {reader.line_num + 1}: not CSV: {error}") from None


def _case(row: Any, names: Mapping[str, str], place: str) -> Case:
    if not isinstance(row, dict):
        raise ImportFailed(f"{place}: not an object")
    for part in ("record_id", "status"):
        if row.get(names[part]) in (None, ""):
            raise ImportFailed(f"{place}: nothing in {names[part]!r}, which holds the {part}; mapping= says which does")
    used = {names[part] for part in PARTS}
    said = str(row[names["status"]])
    tries = row.get(names["retry_count"])
    return Case(
        record_id=str(row[names["record_id"]]),
        retries=plain if isinstance(plain := plain_number(_text(tries) or ""), int) else 0,
        class_name=None if (kind := row.get(names["record_type"])) is None else str(kind),
        name=str(row[names["record_id"]]),
        outcome=_OUTCOMES.get(said.strip().lower(), said),
        message=None if (message := row.get(names["error_message"])) is None else str(message),
        begin=timestamp(_text(row.get(names["created_at"]))),
        seconds=duration(_text(row.get(names["duration"]))),
        fields={name: _field(value) for name, value in row.items() if name not in used},
    )


def _field(value: Any) -> Any:
    return plain_number(value) if isinstance(value, str) else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
