"""A test run is not a file: which files belong to one run, and what the run is called."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.columns import FIELDS
from toolkit.errors import ImportFailed
from toolkit.importers.model import FROM_CALLER, FROM_REPORT, TIME_SOURCE, TIME_SOURCES, ImportedFile, ImportedRun
from toolkit.importers.registry import JUNIT, Importer
from toolkit.importers.values import ID_LENGTH, UniqueNames, one_line
from toolkit.times import in_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import TypeAlias

    AnyPath: TypeAlias = str | os.PathLike[str]

_RESERVED: Final = "*?,"
_RUN_KEY: Final = "run"
_PLACEHOLDERS: Final = ("run", "variant")

_TEMPLATE_TOKEN: Final = re.compile(r"(?<![^/])\*\*/|(?<![^/])\*\*$|\*+|\?|\[!?[^]/]+\]|\{\w+\}|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Found:
    """One file that was asked for, with what its path says."""

    path: Path
    run: str | None = None
    variant: str | None = None


def gather(
    paths: AnyPath | Iterable[AnyPath],
    *,
    run: str | None = None,
    variant: str | None = None,
    started_at: datetime | None = None,
    importer: Importer = JUNIT,
) -> tuple[ImportedRun, ...]:
    """Read report files and put them together as test runs.

    Parameters
    ----------
    paths : str, PathLike, or iterable of them
        Each a file, a folder (every report below it that the importer knows), a glob (`shards/*/junit.xml`, `**` for
        any depth), or a template such as `runs/{run}/{variant}/junit.xml`, in which `{run}` and `{variant}` stand for
        one segment of the path or a part of one, as long as possible.
    run : str, optional
        The name of the one run that all files belong to. By default what `{run}` matched, else the name of
        the folder each file is in.
    variant : str, optional
        The system or configuration the files stand for. By default what `{variant}` matched, else none.
    started_at : datetime, optional
        The time of cases for which a report names none; naive is UTC. By default the time of the file.
    importer : Importer, optional
        Which kind of report; JUnit XML and its dialects by default.

    Returns
    -------
    tuple of ImportedRun
        Sorted by name. A file that cannot be read, or that holds cases its run already has from an earlier
        file, is there with an error of one line and without records.

    Raises
    ------
    ImportFailed
        If a path matches nothing, two different folders would give one name, or a name cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for shard in ("a", "b"):
    ...         path = Path(folder, "nightly-7", f"{shard}.xml")
    ...         path.parent.mkdir(exist_ok=True)
    ...         _ = path.write_text(f'<testsuite name="{shard}"><testcase name="login"/></testsuite>')
    ...     (nightly,) = gather(folder)
    >>> nightly.name, [record.record_id for file in nightly.files for record in file.records]
    ('nightly-7', ['a::login', 'b::login'])
    """
    found = [file for path in _as_list(paths) for file in _find(path, importer)]
    for name in {variant, *(file.variant for file in found)} - {None}:
        _check_text("variant", str(name))
    named = _named(found, run)
    for name in named:
        _check_run_name(name)
    return tuple(_run(name, files, variant, started_at, importer) for name, files in sorted(named.items()))


def _as_list(paths: AnyPath | Iterable[AnyPath]) -> list[str]:
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not several:
        raise ImportFailed("no path was given; name a file, a folder, a glob or a template")
    return [os.fspath(path) for path in several]


# --- which files ------------------------------------------------------------------------------------


def _find(pattern: str, importer: Importer) -> list[_Found]:
    """List the files that one argument stands for; what exists under the very name goes first."""
    if not pattern:
        raise ImportFailed("a path is empty; '.' stands for the working directory")
    # These functions of `os` take any text: a path that is too long, or holds a NUL, is not there.
    pattern = Path(os.path.expanduser(pattern)).as_posix()  # noqa: PTH111
    exists = os.path.exists(pattern)  # noqa: PTH110
    found = (
        [_Found(path) for path in _files_at(Path(pattern), importer)] if exists else list(_matches(pattern, importer))
    )
    if not found:
        raise ImportFailed(f"{one_line(pattern)}: {_why_nothing(pattern, importer)}")
    return found


def _files_at(path: Path, importer: Importer) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and importer.takes(file))
    return [path]


def _matches(pattern: str, importer: Importer) -> Iterator[_Found]:
    template = re.compile(_template_regex(pattern), re.DOTALL)
    for hit in sorted(glob.glob(_template_glob(pattern), recursive=True)):  # noqa: PTH207 - takes absolute ones
        path = Path(hit)
        match = template.fullmatch(path.as_posix())
        if match is not None:
            names = match.groupdict()
            yield from (_Found(file, names.get("run"), names.get("variant")) for file in _files_at(path, importer))


def _why_nothing(pattern: str, importer: Importer) -> str:
    if os.path.isdir(pattern):  # noqa: PTH112
        kinds = " or ".join(f"*{suffix}" for suffix in importer.suffixes)
        return f"no {kinds} file below this folder"
    unknown = [name for name in re.findall(r"\{(\w+)\}", pattern) if name not in _PLACEHOLDERS]
    if unknown:
        return f"no file, and {{{unknown[0]}}} is no placeholder; a template holds {{run}} and {{variant}}"
    return "no such file or folder, and nothing matches"


def _template_glob(pattern: str) -> str:
    return re.sub(r"\{(?:run|variant)\}", "*", pattern)


def _template_regex(pattern: str) -> str:
    """Say what a glob says, with groups for the placeholders."""
    known: set[str] = set()
    return "".join(_token_regex(token, known) for token in _TEMPLATE_TOKEN.findall(pattern))


def _token_regex(token: str, known: set[str]) -> str:
    simple = {"**/": "(?:[^/]+/)*", "**": ".*", "?": "[^/]"}
    if token in simple:
        return simple[token]
    if token.startswith("*"):
        return "[^/]*"
    if token.startswith("[") and len(token) > 1:
        return re.sub(r"^\[!", "[^", token.replace("\\", r"\\"))
    name = token.strip("{}")
    if token.startswith("{") and name in _PLACEHOLDERS:
        again = name in known
        known.add(name)
        return f"(?P={name})" if again else f"(?P<{name}>[^/]+)"
    return re.escape(token)


# --- which run --------------------------------------------------------------------------------------


def _named(found: list[_Found], run: str | None) -> dict[str, list[_Found]]:
    """Sort the files to their runs; a file asked for twice counts once."""
    runs: dict[str, dict[tuple[Path, str | None], _Found]] = {}
    folders: dict[str, Path] = {}
    for file in sorted(found, key=lambda file: file.path.as_posix()):
        name = run if run is not None else file.run
        if name is None:
            name = _folder_name(file.path, folders)
        runs.setdefault(name, {}).setdefault((_resolved(file.path), file.variant), file)
    return {name: list(files.values()) for name, files in runs.items()}


def _resolved(path: Path) -> Path:
    # Path.resolve raises on a loop of links; this leaves it to be an unreadable file.
    return Path(os.path.realpath(path))


def _folder_name(path: Path, folders: dict[str, Path]) -> str:
    folder = _resolved(path).parent
    other = folders.setdefault(folder.name, folder)
    if other != folder:
        raise ImportFailed(
            f"two folders are called {folder.name!r}: {one_line(str(other))} and {one_line(str(folder))}; "
            "give run= if they are one run, else a template such as 'runs/{run}/junit/*.xml'"
        )
    return folder.name


def _check_run_name(name: str) -> None:
    _check_text("run name", name)
    if len(name) > ID_LENGTH:
        raise ImportFailed(f"the run name has {len(name)} characters, {ID_LENGTH} are allowed; give run=")
    if any(char in _RESERVED for char in name):
        raise ImportFailed(
            f"the run name {one_line(name)!r} holds one of {' '.join(_RESERVED)}, which stand for other "
            "things in a pattern; give another as run="
        )


def _check_text(what: str, text: str) -> None:
    if not text.strip():
        raise ImportFailed(f"the {what} is empty; give one as {what.partition(' ')[0]}=")
    # Neither a control character nor half of a surrogate pair can be stored.
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise ImportFailed(f"the {what} '{one_line(text)}' holds a control character; give another")


# --- one run ----------------------------------------------------------------------------------------


def _run(
    name: str, found: list[_Found], variant: str | None, started_at: datetime | None, importer: Importer
) -> ImportedRun:
    files: list[ImportedFile] = []
    taken: dict[str, str] = {}
    for file in found:
        own_variant = variant if variant is not None else file.variant
        files.append(_read(file.path, own_variant, started_at, importer))
    files = [_without_repetition(file, taken) for file in importer.combine(files)]
    started, source = _start(files, started_at)
    return ImportedRun(
        name,
        tuple(files),
        started,
        source,
        _variables(importer.named(file.path for file in found), files, started, source),
    )


def _read(path: Path, variant: str | None, started_at: datetime | None, importer: Importer) -> ImportedFile:
    try:
        return importer.read(path, variant=variant, started_at=started_at)
    except ImportFailed as error:
        return ImportedFile(one_line(str(path)), variant, error=str(error))


def _without_repetition(file: ImportedFile, taken: dict[str, str]) -> ImportedFile:
    earlier = [taken[record.record_id] for record in file.records if record.record_id in taken]
    if not earlier:
        taken.update((record.record_id, file.path) for record in file.records)
        return file
    others = len(set(earlier)) - 1
    source = earlier[0] if not others else f"{earlier[0]} and {others} other files"
    error = (
        f"{len(earlier)} of {len(file.records)} test cases are already in this run, "
        f"from {source}: give variant= or run="
    )
    return ImportedFile(file.path, file.variant, error=error)


def _start(files: list[ImportedFile], started_at: datetime | None) -> tuple[datetime | None, str | None]:
    """Find the earliest time of the best source: the time of a file says when it was copied."""
    times: dict[str, datetime] = {}
    for record in (record for file in files for record in file.records):
        # A plug-in may leave it out; then the time is that of the report.
        source = record.data[FIELDS].get(TIME_SOURCE, FROM_REPORT)
        times[source] = min(record.created_at, times.get(source, record.created_at))
    if started_at is not None:
        times.setdefault(FROM_CALLER, in_utc(started_at))
    best = next((source for source in TIME_SOURCES if source in times), None)
    return (None, None) if best is None else (times[best], best)


def _variables(
    importer: str, files: list[ImportedFile], started: datetime | None, source: str | None
) -> dict[str, Any]:
    run = {
        "importer": importer,
        "started_at": None if started is None else started.isoformat(),
        TIME_SOURCE: source,
    }
    keys = UniqueNames(ID_LENGTH)
    suites = {keys.take(key): value for file in files for key, value in file.variables}
    return {_RUN_KEY: run} | suites
