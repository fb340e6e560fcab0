"""Taking a run home: from any database into a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns, jsonvalue, times
from toolkit._version import __version__
from toolkit.errors import InvalidOption, TargetError, WorkflowNotFound
from toolkit.frames.holes import Hole, Holes, Kinds
from toolkit.lazy import pa
from toolkit.model import counted
from toolkit.progress import progress
from toolkit.storage import snapshot
from toolkit.storage.archive_file import warn_in_work_tree
from toolkit.storage.base import encode_for_writing, literally
from toolkit.storage.tables import NODES, RECORDS, SCHEMA_VERSION, SNAPSHOT_VERSION, VARIABLES, WORKFLOWS, Taken
from toolkit.targets import SUFFIXES

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from toolkit.jsonvalue import JSONValue
    from toolkit.service.base import ServiceBase
    from toolkit.storage.snapshot import Rows, SnapshotFile, Source

_TEXTS: Final = {
    RECORDS: frozenset({"record_type", "status", "iteration_node_alias", "error_message"}),
    WORKFLOWS: frozenset({"name"}),
}


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What was taken home.

    Attributes
    ----------
    path : pathlib.Path
        Of the file.
    workflow : str
        The workflow's id, as the file has it.
    variables, records, nodes : int
        How many rows of each the file holds.
    hidden : pandas.DataFrame
        One row per place in which a mask stands for a value: `table, id, path` (`str`).
    """

    path: Path
    workflow: str
    variables: int
    records: int
    nodes: int
    hidden: pd.DataFrame

    def __repr__(self) -> str:
        rows = f"{counted(self.records, 'record')}, {counted(self.variables, 'variable')}"
        nodes = f", {counted(self.nodes, 'node')}" if self.nodes else ""
        places = f"{counted(len(self.hidden), 'place')} hidden"
        return f"Snapshot({self.path}: workflow {self.workflow}, {rows}{nodes}, {places})"


def hidden_places(holes: Iterable[Hole]) -> pd.DataFrame:
    """Return places as a frame.

    Parameters
    ----------
    holes : iterable of Hole
        In the order of the rows.

    Returns
    -------
    pandas.DataFrame
        One row per place: `table, id, path` (`str`).
    """
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    rows = [(hole.table, hole.row, hole.path) for hole in holes]
    return pd.DataFrame(rows, columns=["table", "id", "path"], dtype="str")


def kinds_of(source: Source) -> Kinds:
    """Say what the columns of a table hold, for those who look for secrets in them.

    Parameters
    ----------
    source : Source
        Of some rows.

    Returns
    -------
    Kinds
    """
    return Kinds(
        source.name,
        snapshot.IDS[source.name],
        source.documents,
        _TEXTS.get(source.name, frozenset()),
        names_values=source.name == VARIABLES,
        named_by_people=source.name in (VARIABLES, RECORDS),
    )


def moved(source: Source, rows: Mapping[str, Any], workflow_id: str) -> Rows:
    """Return rows as those of another workflow.

    Parameters
    ----------
    source : Source
        Of which table they are.
    rows : mapping of str to Cells
        Some rows.
    workflow_id : str
        The other workflow.

    Returns
    -------
    dict of str to Cells
    """
    column = "id" if source.name == WORKFLOWS else columns.WORKFLOW_ID
    return {**rows, column: pa.array([workflow_id] * len(rows[column]), pa.string())}


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Refuse a path at which no snapshot can be made.

    Parameters
    ----------
    path : str or path
        Of the new file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TargetError, DatabaseNotFound
    """
    found = Path(path).expanduser()
    if not found.name.endswith(SUFFIXES):
        raise TargetError(
            f"a snapshot is a file that connect opens, so its name ends in .db or .sqlite, not {found.name!r}"
        )
    snapshot.check_free(found)
    return found


def checked_values(values: Mapping[str, JSONValue] | None, *, reveal: bool) -> dict[str, JSONValue]:
    """Refuse values that cannot be put into holes.

    Parameters
    ----------
    values : mapping of str to JSON value, or None
        By the name of a hidden place.
    reveal : bool
        Whether there are going to be no holes.

    Returns
    -------
    dict of str to JSON value
        A copy.

    Raises
    ------
    InvalidOption, InvalidValue, HiddenValue
    """
    if values and reveal:
        raise InvalidOption("values= fills hidden places, and with reveal=True there are none; leave one of them out")
    if not all(isinstance(name, str) for name in values or ()):
        raise InvalidOption("values= takes a value for each name of a hidden place: values={'smtp_password': 'test'}")
    return {
        name: jsonvalue.decode(encode_for_writing(value, f"values[{name!r}]")) for name, value in (values or {}).items()
    }


class Taking:
    """One run on its way into a file.

    Parameters
    ----------
    service : ServiceBase
        Of the database that has it.
    connection : sqlalchemy.Connection
        To the database, in a transaction that reads.
    workflow_id : str
        The run.
    """

    def __init__(self, service: ServiceBase, connection: sa.Connection, workflow_id: str) -> None:
        self._service = service
        self._database = service.database
        self._connection = connection
        self._id = workflow_id
        self._sources = snapshot.sources(self._database.tables, workflow_id)
        self._holes: Holes | None = None
        self._shown_id = workflow_id
        self._made: list[Hole] = []

    def take(self, path: Path, *, reveal: bool, values: Mapping[str, JSONValue]) -> Snapshot:
        """Write the file.

        Parameters
        ----------
        path : pathlib.Path
            Where nothing is yet.
        reveal : bool
            Whether secrets go with it.
        values : mapping of str to JSON value
            What is put into holes.

        Returns
        -------
        Snapshot
        """
        if not any(map(self._has_rows, self._sources)):
            raise WorkflowNotFound(f"there is no workflow {self._id!r}; service.list_workflows() shows all")
        if not reveal:
            self._prepare(values)
        counts = {}
        with snapshot.new_file(path) as file:
            for source in self._sources:
                file.add_table(source, typed=self._database.dialect.name == "postgresql")
                counts[source.name] = self._copy(file, source)
            if self._holes is not None:
                self._holes.check_filled()
            file.finish(self._taken(reveal=reveal))
        if reveal:
            warn_in_work_tree("snapshot", path)
        number = counts.get
        variables, records, nodes = number(VARIABLES, 0), number(RECORDS, 0), number(NODES, 0)
        return Snapshot(path, self._shown_id, variables, records, nodes, hidden_places(self._made))

    def _has_rows(self, source: Source) -> bool:
        return (
            self._connection.scalar(sa.select(1).select_from(source.table).where(source.condition).limit(1)) is not None
        )

    def _prepare(self, values: Mapping[str, JSONValue]) -> None:
        """Look at everything, to know each secret wherever it stands, before anything is written."""
        policy = self._service._sweeping(literally(self._id))  # noqa: SLF001 - of this package
        self._holes = Holes(policy, values)
        found: set[str] = set()
        for source in self._sources:
            kinds = kinds_of(source)
            for rows in self._parts(source):
                found |= self._holes.look(kinds, rows)
        self._holes.policy = policy.sweeping(found)
        self._shown_id = self._holes.policy.mask_text(self._id)

    def _parts(self, source: Source) -> Iterator[Rows]:
        with snapshot.reading(self._database, self._connection, source) as parts:
            yield from progress(parts, count=_length)

    def _copy(self, file: SnapshotFile, source: Source) -> int:
        kinds, number = kinds_of(source), 0
        for rows in self._parts(source):
            if self._holes is None:
                number += file.add(source.name, rows)
                continue
            number += file.add(source.name, moved(source, self._holes.make(kinds, rows), self._shown_id))
            made = self._holes.taken()
            file.add_hidden(_listed(made))
            self._made += made
        return number

    def _taken(self, *, reveal: bool) -> Taken:
        where, moment = self._database.whereabouts, self._connection.scalar(sa.select(self._database.dialect.now()))
        name = self._name()
        return Taken(
            version=SNAPSHOT_VERSION,
            workflow_id=self._shown_id,
            name=None if name is None else self._shown(name),
            place=self._shown(self._database.place),
            server=where.product,
            toolkit=__version__,
            schema=str(SCHEMA_VERSION),
            taken_at=moment if isinstance(moment, str) else times.iso(moment),
            taken_by=self._shown(self._database.actor),
            revealed=reveal,
        )

    def _shown(self, text: str) -> str:
        return text if self._holes is None else self._holes.policy.mask_text(text)

    def _name(self) -> str | None:
        workflows = self._database.tables.workflows
        if workflows is None:
            return None
        name: str | None = self._connection.scalar(sa.select(workflows.c.name).where(workflows.c.id == self._id))
        return name


def _length(rows: Mapping[str, Any]) -> int:
    return len(next(iter(rows.values())))


def _listed(holes: Sequence[Hole]) -> list[tuple[str, str, str, str]]:
    return [(hole.table, hole.row, hole.path, jsonvalue.encode_exact(list(hole.keys))) for hole in holes]
