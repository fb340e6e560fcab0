"""The frozen values that travel from an importer to the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TIME_SOURCE: Final = "time_source"
"""The field of a record, and the part of the variable `run`, that says where a time comes from."""

FROM_REPORT: Final = "report"
FROM_CALLER: Final = "started_at"
FROM_FILE: Final = "file"

TIME_SOURCES: Final = (FROM_REPORT, FROM_CALLER, FROM_FILE)
"""Where the time of a case can come from, the best source first."""


@dataclass(frozen=True, slots=True)
class ImportedRecord:
    """One test case, with everything a record holds.

    Attributes
    ----------
    record_id : str
        `<class>::<name>`, then ` [variant]`, then ` #2` for a repetition within one file; at most 255
        characters, unique within its run.
    record_type : str
        The class of the case, else its suite, else `test`; at most 50 characters.
    status : str
        `complete`, `failed` or `skipped`.
    error_message : str or None
        What the failures said; None when the case did not fail or said nothing.
    retry_count : int
        How many attempts failed and were run again, or were followed by a pass.
    created_at, processed_at : datetime
        Begin and end of the case, aware, in UTC; equal when the report names no duration.
    data : dict of str to Any
        The document: `fields`, `vars`, `targets` (objects) and `history` (array), safe to encode as JSON.
    """

    record_id: str
    record_type: str
    status: str
    error_message: str | None
    retry_count: int
    created_at: datetime
    processed_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One report file: its test cases, or the reason why it could not be read.

    Attributes
    ----------
    path : str
        The file, as it was found.
    variant : str or None
        The system or configuration the file stands for.
    records : tuple of ImportedRecord
        One per test case, in the order of the file.
    variables : tuple of (str, Any)
        One per suite, in the order of the file. A key may repeat; the run numbers repetitions.
    error : str or None
        One line; when it is set, `records` and `variables` are empty.
    """

    path: str
    variant: str | None = None
    records: tuple[ImportedRecord, ...] = ()
    variables: tuple[tuple[str, Any], ...] = ()
    error: str | None = None

    def count(self, status: str) -> int:
        """Count the records of one status.

        Parameters
        ----------
        status : str
            Such as `failed`.

        Returns
        -------
        int
            How many records have exactly this status.

        Examples
        --------
        >>> ImportedFile("junit.xml", error="junit.xml: the file is empty").count("failed")
        0
        """
        return sum(record.status == status for record in self.records)


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """One test run: any number of files whose record ids do not overlap.

    Attributes
    ----------
    name : str
        Names the run, and the workflow it becomes; 1 to 255 characters, without `*`, `?` and `,`.
    files : tuple of ImportedFile
        Sorted by path.
    started_at : datetime or None
        The earliest case of the best time source, aware, in UTC; None for a run without cases
        and without a time given.
    time_source : str or None
        `report`, `started_at` or `file`: where `started_at` comes from.
    variables : Mapping of str to Any
        `run` describes the run; the others are those of the files, with ` #2`, ` #3` for repeated keys.
    """

    name: str
    files: tuple[ImportedFile, ...]
    started_at: datetime | None = None
    time_source: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
