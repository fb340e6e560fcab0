"""Which readers of reports there are: those that come with the toolkit, and those that plug-ins bring."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol

from toolkit.errors import ImportFailed
from toolkit.importers.allure import SUFFIX, combine, read_allure
from toolkit.importers.junit import read_junit
from toolkit.importers.reportlog import read_reportlog
from toolkit.importers.tables import read_table
from toolkit.importers.values import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from toolkit.importers.model import ImportedFile

ENTRY_POINTS: Final = "toolkit.importers"
"""The group of entry points under which a plug-in names its `Importer`."""

_HEAD_BYTES: Final = 4_096


class Reader(Protocol):
    """Reads one report file; `read_junit` is one."""

    def __call__(self, path: Path, *, variant: str | None, started_at: datetime | None) -> ImportedFile:
        """Read the file, or raise `ImportFailed`."""
        ...


def _always(_: Path, __: bytes) -> bool:
    return True


def _as_they_are(files: Sequence[ImportedFile]) -> Sequence[ImportedFile]:
    return files


@dataclass(frozen=True, slots=True)
class Importer:
    """A kind of report: which files are such reports, and how one is read.

    Attributes
    ----------
    name : str
        Its name, as `importer=` takes it, and as the variable `run` says it.
    read : callable
        Takes a path, `variant=` and `started_at=`, and returns an `ImportedFile` or raises `ImportFailed`.
    suffixes : tuple of str
        How names of such files end, in small letters.
    recognises : callable
        Takes a path and the first bytes of the file, and tells whether it is such a report. Asked about files that are
        found in a folder, or where nobody said which importer to use.
    combine : callable
        Takes the files of a run, and returns them with what belongs together put together.
    kind_of : callable or None
        Takes a path and names the importer that reads it, for one that asks others.

    Examples
    --------
    >>> Importer("mine", read_junit, (".mine",)).name
    'mine'
    """

    name: str
    read: Reader
    suffixes: tuple[str, ...]
    recognises: Callable[[Path, bytes], bool] = _always
    combine: Callable[[Sequence[ImportedFile]], Sequence[ImportedFile]] = _as_they_are
    kind_of: Callable[[Path], str] | None = None

    def named(self, paths: Iterable[Path]) -> str:
        """Name what read some files.

        Parameters
        ----------
        paths : iterable of Path
            The files.

        Returns
        -------
        str
            The importer's name; where several read them, all of them, with commas.
        """
        kind_of = self.kind_of
        return self.name if kind_of is None else ", ".join(sorted({kind_of(path) for path in paths}))

    def takes(self, path: Path) -> bool:
        """Tell whether a file is such a report, by its name and its beginning.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        bool
        """
        return path.name.lower().endswith(self.suffixes) and self.recognises(path, head_of(path))


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file; none when it cannot be read, which is said when it is read whole."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


JUNIT: Final = Importer("junit", read_junit, (".xml", ".trx"))
"""JUnit XML and its dialects, NUnit 3 and TRX."""

REPORTLOG: Final = Importer(
    "reportlog", read_reportlog, (".json", ".jsonl", ".log"), lambda _, head: b'"$report_type"' in head
)
ALLURE: Final = Importer("allure", read_allure, (SUFFIX,), combine=combine)
TABLE: Final = Importer(
    "table", read_table, (".csv", ".jsonl", ".ndjson"), lambda _, head: head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] != b""
)

BUILT_IN: Final = (JUNIT, ALLURE, REPORTLOG, TABLE)
"""Asked in this order which of them reads a file; those of plug-ins are asked before them."""


def importers() -> dict[str, Importer]:
    """Return every importer by its name, those of plug-ins first.

    Returns
    -------
    dict of str to Importer

    Raises
    ------
    ImportFailed
        When a plug-in names something that is no `Importer`.

    Examples
    --------
    >>> list(importers())[-4:]
    ['junit', 'allure', 'reportlog', 'table']
    """
    plugged: dict[str, Importer] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        loaded = entry.load()
        if not isinstance(loaded, Importer):
            raise ImportFailed(f"the plug-in {entry.name!r} ({entry.value}) is no toolkit.importers.Importer")
        plugged[loaded.name] = loaded
    return plugged | {each.name: each for each in BUILT_IN if each.name not in plugged}


def importer_named(name: str | None, mapping: Mapping[str, str] | None = None) -> Importer:
    """Find an importer.

    Parameters
    ----------
    name : str or None
        Its name; None for one that asks all of them about each file.
    mapping : mapping of str to str, optional
        Columns of a table, as `read_table` takes them; it makes the importer `table`.

    Returns
    -------
    Importer

    Raises
    ------
    ImportFailed
        When no importer has that name, or a mapping is given for another than `table`.
    """
    known = importers()
    if name is not None and name not in known:
        raise ImportFailed(f"there is no importer {name!r}; there are {', '.join(known)}")
    if mapping is not None:
        if name not in (None, TABLE.name):
            raise ImportFailed(f"mapping= is for CSV and JSON lines, and importer={name!r} reads neither")
        suffixes = (*TABLE.suffixes, ".json")
        return Importer(TABLE.name, functools.partial(read_table, mapping=mapping), suffixes, TABLE.recognises)
    return _any_of(known) if name is None else known[name]


def _any_of(known: Mapping[str, Importer]) -> Importer:
    def chosen(path: Path) -> Importer | None:
        return next((each for each in known.values() if each.takes(path)), None)

    def read(path: Path, *, variant: str | None, started_at: datetime | None) -> ImportedFile:
        found = chosen(path)
        if found is None:
            raise ImportFailed(f"{one_line(str(path))}: no importer knows this file; there are {', '.join(known)}")
        return found.read(path, variant=variant, started_at=started_at)

    def put_together(files: Sequence[ImportedFile]) -> Sequence[ImportedFile]:
        for each in known.values():
            files = each.combine(files)
        return files

    suffixes = tuple(dict.fromkeys(suffix for each in known.values() for suffix in each.suffixes))
    return Importer(
        "any",
        read,
        suffixes,
        recognises=lambda path, _: chosen(path) is not None,
        combine=put_together,
        kind_of=lambda path: "none" if (found := chosen(path)) is None else found.name,
    )
