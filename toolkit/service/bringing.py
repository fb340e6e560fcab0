"""Putting a snapshot into a database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns
from toolkit.errors import InvalidOption, RunExists, SchemaMismatch, WorkflowNotFound
from toolkit.frames.unfilled import for_server, without_holes
from toolkit.masking import HIDDEN
from toolkit.model import counted
from toolkit.progress import progress
from toolkit.service.taking import hidden_places, kinds_of, moved
from toolkit.storage import snapshot
from toolkit.storage.rows import record_type_of
from toolkit.storage.tables import (
    EMPTY_DOCUMENT,
    NODES,
    RECORDS,
    VARIABLES,
    WORKFLOWS,
    Taken,
    workflow_uuid,
    workflows_named,
)
from toolkit.targets import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from toolkit.frames.holes import Hole
    from toolkit.service.base import ServiceBase
    from toolkit.storage.database import Database
    from toolkit.storage.snapshot import Rows, Source

# What stands in a column that must hold something, when what was there is hidden.
_INSTEAD: Final = {
    columns.DATA: lambda _: EMPTY_DOCUMENT,
    "config": lambda _: "{}",
    "record_type": record_type_of,
}


@dataclass(frozen=True, eq=False)
class LoadedSnapshot:
    """What was put into a database.

    Attributes
    ----------
    path : pathlib.Path
        Of the file.
    workflow : str
        The workflow's id in the database.
    variables, records, nodes : int
        How many rows of each were written.
    left_alone : pandas.DataFrame
        One row per place that was left out because it is hidden in the file: `table, id, path` (`str`).
    notes : tuple of str
        What else was not written, and why.
    """

    path: Path
    workflow: str
    variables: int
    records: int
    nodes: int
    left_alone: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        rows = f"{counted(self.records, 'record')}, {counted(self.variables, 'variable')}"
        nodes = f", {counted(self.nodes, 'node')}" if self.nodes else ""
        left = f"{counted(len(self.left_alone), 'hidden place')} left alone"
        return "\n".join([f"LoadedSnapshot(workflow {self.workflow}: {rows}{nodes}, {left})", *self.notes])


def open_snapshot(path: Path) -> Database:
    """Open a snapshot for reading.

    Parameters
    ----------
    path : pathlib.Path
        Of the file.

    Returns
    -------
    Database

    Raises
    ------
    SchemaMismatch, DatabaseNotFound
    """
    database = open_database(path, read_only=True)
    if database.tables.snapshot is None:
        database.close()
        raise SchemaMismatch(f"{path} is no snapshot; service.snapshot(workflow_id, path) makes one")
    return database


class Bringing:
    """A snapshot on its way into a database.

    Parameters
    ----------
    service : ServiceBase
        Of the database that it comes into.
    connection : sqlalchemy.Connection
        To the database, in a transaction that writes.
    file : Database
        The snapshot.
    reading : sqlalchemy.Connection
        To the snapshot, in a transaction that reads.
    """

    def __init__(self, service: ServiceBase, connection: sa.Connection, file: Database, reading: sa.Connection) -> None:
        self._service = service
        self._tables = service.database.tables
        self._connection = connection
        self._file = file
        self._reading = reading
        self._left: list[Hole] = []
        self._notes: list[str] = []

    def bring(self, path: Path, as_workflow: str | None) -> LoadedSnapshot:
        """Write the rows.

        Parameters
        ----------
        path : pathlib.Path
            Of the file, for the result.
        as_workflow : str or None
            What the workflow is called in the database.

        Returns
        -------
        LoadedSnapshot
        """
        taken = self._file.tables.snapshot
        if taken is None or not snapshot.whole(self._reading):
            raise SchemaMismatch(f"{path} is damaged; nothing was written")
        wanted = _wanted(taken, as_workflow)
        one = self._id(wanted)
        self._refuse_rows(one)
        counts = self._all(taken, one, wanted)
        number = counts.get
        variables, records, nodes = number(VARIABLES, 0), number(RECORDS, 0), number(NODES, 0)
        return LoadedSnapshot(path, one, variables, records, nodes, hidden_places(self._left), tuple(self._notes))

    def _id(self, wanted: str) -> str:
        if not self._tables.workflow_ids_are_uuids:
            return self._service.records.workflow_id(wanted)
        named = workflows_named(self._connection, self._tables, wanted)
        if len(named) > 1:
            raise WorkflowNotFound(f"{len(named)} workflows are named {wanted!r}; as_workflow= takes the id of one")
        if named:
            return named[0]
        try:
            return str(uuid.UUID(wanted))
        except ValueError:
            return workflow_uuid(wanted)

    def _refuse_rows(self, one: str) -> None:
        service = self._service
        there = [
            (service.records.number(one), "record"),
            (service.variables.number(one), "variable"),
        ]
        found = " and ".join(counted(number, noun) for number, noun in there if number)
        if found:
            raise RunExists(
                f"workflow {one!r} has {found} here already; nothing was written. as_workflow= gives another name"
            )

    def _all(self, taken: Taken, one: str, wanted: str) -> dict[str, int]:
        targets = {source.name: source for source in snapshot.sources(self._tables, one)}
        found = snapshot.sources(self._file.tables, taken.workflow_id)
        counts: dict[str, int] = {}
        if WORKFLOWS in targets:
            self._ensure_workflow(targets[WORKFLOWS], found, one, wanted)
        for source in found:
            if source.name != WORKFLOWS and self._may_come(source, targets.get(source.name)):
                counts[source.name] = self._copy(source, targets[source.name], one, {})
        return counts

    def _ensure_workflow(self, target: Source, found: list[Source], one: str, wanted: str) -> None:
        """Have the workflow itself; one that is there stays as it is."""
        if _has_rows(self._connection, target):
            return
        own = next((source for source in found if source.name == WORKFLOWS and _has_rows(self._reading, source)), None)
        if own is None:
            self._connection.execute(sa.insert(target.table).values(id=one, name=wanted))
            return
        taken = self._file.tables.snapshot
        renamed = taken is not None and wanted not in (taken.workflow_id, one)
        self._copy(own, target, one, {"name": wanted} if renamed else {})

    def _may_come(self, source: Source, target: Source | None) -> bool:
        if source.name != NODES:
            return target is not None
        number = self._reading.scalar(sa.select(sa.func.count()).select_from(source.table).where(source.condition)) or 0
        if target is None and number:
            self._notes.append(f"{counted(number, 'node')} not loaded: this database has no table {NODES}")
        elif target is not None and number and _has_rows(self._connection, target):
            self._notes.append(f"{counted(number, 'node')} not loaded: the workflow has nodes here already")
        else:
            return target is not None
        return False

    def _copy(self, source: Source, target: Source, one: str, fixed: Mapping[str, str]) -> int:
        listed = snapshot.writable(self._connection, target, [column.name for column in source.table.columns])
        return snapshot.write(self._connection, target.table, listed, self._parts(source, one, fixed))

    def _parts(self, source: Source, one: str, fixed: Mapping[str, str]) -> Iterator[Rows]:
        kinds = kinds_of(source)
        with snapshot.reading(self._file, self._reading, source, holes=True) as parts:
            for rows in progress(parts, count=_length):
                holes = rows.pop(snapshot.HOLES)
                kept, left = without_holes(kinds, rows, holes, _INSTEAD)
                self._left += left
                kept = moved(source, kept, one)
                kept |= {name: [text] * _length(kept) for name, text in fixed.items()}
                yield for_server(kinds, kept) if self._connection.dialect.name == "postgresql" else kept


def _wanted(taken: Taken, as_workflow: str | None) -> str:
    if as_workflow is not None:
        return as_workflow
    if HIDDEN in taken.workflow_id:
        raise InvalidOption("the id of the workflow is hidden in this snapshot; as_workflow= gives it another one")
    return taken.workflow_id


def _has_rows(connection: sa.Connection, source: Source) -> bool:
    return connection.scalar(sa.select(1).select_from(source.table).where(source.condition).limit(1)) is not None


def _length(rows: Mapping[str, Any]) -> int:
    return len(next(iter(rows.values())))
