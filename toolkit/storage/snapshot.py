"""One run in a file of its own: its rows leave a database as text, and come into another as they left.

Every value but a number is text on its way, in the form that the database itself reads and writes, so that nothing is
lost that Python or Arrow could not hold: infinite times, the digits of numbers, a null of JSON beside none at all.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns
from toolkit.errors import DatabaseNotFound, TargetError
from toolkit.lazy import pa, pc
from toolkit.storage import bulk, loading, staging
from toolkit.storage.arrow import NotSupported
from toolkit.storage.database import Database
from toolkit.storage.dialects import DIALECTS, Named
from toolkit.storage.tables import (
    NODES,
    RECORDS,
    VARIABLES,
    WORKFLOWS,
    names,
    own_tables,
    server_types,
    snapshot_tables,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from toolkit.celltexts import Cells
    from toolkit.storage.dialects import Column, Condition
    from toolkit.storage.tables import Tables, Taken

Rows: TypeAlias = "dict[str, Cells]"
"""Some rows of a table, by column: text as Arrow has it, or what SQLite had in a column of no certain type."""

HOLES: Final = "toolkit_holes"
"""The column of rows from a snapshot that lists the places hidden in each, as JSON."""

TABLES: Final = (WORKFLOWS, NODES, VARIABLES, RECORDS)
"""In the order in which foreign keys let them come."""

IDS: Final = {WORKFLOWS: "id", NODES: "position", VARIABLES: "key", RECORDS: "record_id"}
"""The column by which the list of hidden places names a row of each table."""

_DOCUMENTS: Final = {NODES: "config", VARIABLES: "value", RECORDS: columns.DATA}
_TEXTS: Final = frozenset(
    {*columns.RECORD_COLUMNS, *_DOCUMENTS.values(), columns.WORKFLOW_ID, "key", "name", "type", "id"} - {"retry_count"}
)
"""Columns that hold text on every database."""

_ROWS_AT_ONCE: Final = 10_000
_FEW: Final = 2_000
"""Rows that are read sooner than another connection is made."""
_CACHE: Final = -64_000
"""Of the file that is written, in pages, or in KiB when it is negative."""
_DIALECT: Final = DIALECTS["sqlite"]


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of one run in one table.

    Attributes
    ----------
    name : str
        Of the table, by which it is known everywhere.
    table : sqlalchemy.Table
        The table.
    condition : SQLAlchemy condition
        That a row belongs to the run.
    documents : frozenset of str
        Columns of JSON.
    """

    name: str
    table: sa.Table
    condition: Condition
    documents: frozenset[str]


def sources(tables: Tables, workflow_id: str) -> list[Source]:
    """Return where the rows of a run are.

    Parameters
    ----------
    tables : Tables
        Of the database.
    workflow_id : str
        The run.

    Returns
    -------
    list of Source
        In the order of `TABLES`, without those that the database does not have.
    """
    found = {WORKFLOWS: tables.workflows, NODES: tables.nodes, VARIABLES: tables.variables, RECORDS: tables.records}
    made = []
    for name in TABLES:
        table = found[name]
        if table is not None:
            own = table.c["id" if name == WORKFLOWS else columns.WORKFLOW_ID]
            made.append(Source(name, table, own == workflow_id, _documents(name, table)))
    return made


def _documents(name: str, table: sa.Table) -> frozenset[str]:
    typed = {column.name for column in table.columns if isinstance(column.type, postgresql.JSON)}
    return frozenset(typed | {_DOCUMENTS[name]} if name in _DOCUMENTS else typed)


@contextmanager
def reading(
    database: Database, connection: sa.Connection, source: Source, *, holes: bool = False
) -> Iterator[Iterator[Rows]]:
    """Read the rows of a run, part by part.

    Parameters
    ----------
    database : Database
        Open.
    connection : sqlalchemy.Connection
        To it, in a transaction that reads; what it sees is what is read.
    source : Source
        Which rows.
    holes : bool, default False
        Whether there is the column `HOLES`, of a snapshot.

    Yields
    ------
    iterator of dict
        Some thousand rows each.
    """
    listed = names(source.table)
    chosen: list[Column] = [_readable(database, source.table.c[name]) for name in listed]
    if holes:
        chosen.append(_holes(source))
    # Names that no reader takes for those of times or numbers.
    labelled = [column.label(f"c{place}") for place, column in enumerate(chosen)]
    statement = sa.select(*labelled).where(source.condition)
    called = [*listed, HOLES] if holes else listed
    if database.dialect.name == "sqlite":
        yield (dict(zip(called, part, strict=True)) for part in _sqlite_rows(connection, statement, called))
        return
    with _server_rows(database, connection, statement, source) as tables:
        yield ({name: _own_form(name, column) for name, column in zip(called, part, strict=True)} for part in tables)


def _readable(database: Database, column: sa.Column[Any]) -> Column:
    if database.dialect.name == "postgresql" or column.name in _TEXTS:
        return sa.cast(column, sa.Text)
    return sa.type_coerce(column, sa.types.NullType())


def _holes(source: Source) -> Column:
    _, hidden = snapshot_tables()
    mine = sa.and_(
        hidden.c.table_name == source.name, hidden.c.id == sa.cast(source.table.c[IDS[source.name]], sa.Text)
    )
    each = sa.func.json_group_array(sa.func.json(hidden.c.place))
    found = sa.select(sa.case((sa.func.count() > 0, each))).where(mine).correlate(source.table)
    return found.scalar_subquery()


def _sqlite_rows(
    connection: sa.Connection, statement: sa.Select[Any], called: Sequence[str]
) -> Iterator[Sequence[Cells]]:
    for rows in bulk.fetched(connection, statement):
        found = zip(called, zip(*rows, strict=True), strict=True)
        yield [pa.array(cells, pa.string()) if name in (*_TEXTS, HOLES) else list(cells) for name, cells in found]


@contextmanager
def _server_rows(
    database: Database, connection: sa.Connection, statement: sa.Select[Any], source: Source
) -> Iterator[Iterator[Sequence[pa.Array]]]:
    many = connection.execute(sa.select(1).where(source.condition).offset(_FEW).limit(1)).first() is not None
    straight = database.arrow_source if many else None
    if straight is None:
        yield _streamed(connection, statement)
        return
    snapshot = connection.scalar(sa.select(sa.func.pg_export_snapshot()))
    with ExitStack() as stack:
        try:
            batches = stack.enter_context(straight.parts(statement, snapshot))
            rows: Iterator[Sequence[pa.Array]] = (batch.columns for batch in batches)
        except NotSupported:
            rows = _streamed(connection, statement)
        yield rows


def _streamed(connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Sequence[pa.Array]]:
    for table in bulk.stream(connection, statement, _ROWS_AT_ONCE):
        if len(table):
            yield [column.combine_chunks() for column in table.columns]


def _own_form(name: str, texts: pa.Array) -> pa.Array:
    """Write times of the server as the toolkit's SQLite files have them; what no frame can hold stays as it is."""
    if name not in columns.TIME_COLUMNS:
        return texts
    ordinary = bulk.is_ordinary_time(texts)
    times = pc.if_else(ordinary, texts, pa.scalar(None, pa.string())).cast(pa.timestamp("us", "UTC"))
    return pc.if_else(ordinary, pc.strftime(times, loading.WRITTEN_TIME), texts)


# --- into a file ------------------------------------------------------------------------------------


class SnapshotFile:
    """A snapshot that is being written.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the new file, in a transaction that writes.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._taken, self._hidden = snapshot_tables()
        self._own = own_tables(_DIALECT).tables
        self._made: dict[str, sa.Table] = {}
        for table in (self._taken, self._hidden):
            connection.execute(sa.schema.CreateTable(table))

    def add_table(self, source: Source, *, typed: bool) -> None:
        """Make the table of some rows, with whatever columns they have.

        Parameters
        ----------
        source : Source
            Where the rows come from.
        typed : bool
            Whether the source keeps to the types of its columns, as PostgreSQL does.
        """
        own = self._own.get(source.name)
        made = sa.Table(source.name, sa.MetaData())
        known = {} if own is None else {column.name: column for column in own.columns}
        for name in [*known, *(name for name in names(source.table) if name not in known)]:
            if name in known:
                made.append_column(sa.Column(name, known[name].type, primary_key=known[name].primary_key))
            else:
                made.append_column(sa.Column(name, _stored(source.table.c[name], typed=typed)))
        self._connection.execute(sa.schema.CreateTable(made))
        self._made[source.name] = made

    def add(self, name: str, rows: Rows) -> int:
        """Write rows.

        Parameters
        ----------
        name : str
            Of the table.
        rows : dict of str to Cells
            By column.

        Returns
        -------
        int
            How many.
        """
        listed = list(rows)
        return loading.insert_columns(self._connection, self._made[name], listed, [_lists(rows)])

    def add_hidden(self, places: Sequence[tuple[str, str, str, str]]) -> None:
        """Write down what is hidden.

        Parameters
        ----------
        places : sequence of (str, str, str, str)
            Table, row, path and place.
        """
        if places:
            lists = [list(column) for column in zip(*places, strict=True)]
            loading.insert_columns(self._connection, self._hidden, names(self._hidden), [lists])

    def finish(self, taken: Taken) -> None:
        """Write down what this is a snapshot of, and make the rows quick to find.

        Parameters
        ----------
        taken : Taken
            What the file says of itself.
        """
        values = {name: getattr(taken, name) for name in names(self._taken)}
        self._connection.execute(sa.insert(self._taken).values(values))
        for table in (self._hidden, *self._own.values()):
            for index in table.indexes:
                self._connection.execute(sa.schema.CreateIndex(index))


def _stored(column: sa.Column[Any], *, typed: bool) -> sa.types.TypeEngine[Any]:
    if not typed and column.name not in _TEXTS:
        # SQLite changes nothing in a column of this type, whatever comes.
        return Named("BLOB")
    return sa.Integer() if isinstance(column.type, sa.Integer) else sa.Text()


def _lists(rows: Mapping[str, Cells]) -> list[list[Any]]:
    return [cells if isinstance(cells, list) else cells.to_pylist() for cells in rows.values()]


@contextmanager
def new_file(path: Path) -> Iterator[SnapshotFile]:
    """Write a snapshot that stands at its place only when it is whole.

    Parameters
    ----------
    path : pathlib.Path
        Where it is going to be; nothing may be there.

    Yields
    ------
    SnapshotFile

    Raises
    ------
    TargetError, DatabaseNotFound
    """
    check_free(path)
    temporary = _beside(path)
    database = Database(_engine(temporary), f"SQLite file {path}")
    try:
        with database.write() as connection:
            yield SnapshotFile(connection)
        database.close()
        _put_in_place(temporary, path)
    finally:
        database.close()
        temporary.unlink(missing_ok=True)


def check_free(path: Path) -> None:
    """Refuse a path at which no new file can be made, before anything is read.

    Parameters
    ----------
    path : pathlib.Path
        Of the new file.

    Raises
    ------
    TargetError, DatabaseNotFound
    """
    if path.exists() or path.is_symlink():
        raise TargetError(
            f"there is a file {path} already, and a snapshot replaces none; give another name, or remove it first: "
            f"pathlib.Path({str(path)!r}).unlink()"
        )
    if not path.parent.is_dir():
        raise DatabaseNotFound(f"there is no folder {path.parent} to make {path.name} in")


def _beside(path: Path) -> Path:
    """Make an empty file in the same folder, that nobody else may read from its first moment on."""
    try:
        number, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    except OSError as error:
        raise TargetError(f"{path} cannot be written: {error.strerror}") from None
    os.close(number)
    return Path(name)


def _engine(path: Path) -> sa.Engine:
    def opened() -> sqlite3.Connection:
        driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Who writes it alone needs no journal: a file that is not whole is thrown away.
        driver.execute("PRAGMA journal_mode = OFF")
        driver.execute(f"PRAGMA cache_size = {_CACHE}")
        return driver

    return sa.create_engine("sqlite://", creator=opened, poolclass=sa.NullPool, hide_parameters=True)


def _put_in_place(temporary: Path, path: Path) -> None:
    try:
        # Unlike a renaming, a link never replaces what somebody has put there in the meantime.
        os.link(temporary, path)
    except FileExistsError:
        check_free(path)
        raise
    except OSError:
        # A file system without links.
        check_free(path)
        temporary.rename(path)


# --- into a database --------------------------------------------------------------------------------


def writable(connection: sa.Connection, source: Source, there: Iterable[str]) -> list[str]:
    """Return the columns that are written when rows come into a table.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    source : Source
        Of the table that they come into.
    there : iterable of str
        The columns that they have.

    Returns
    -------
    list of str
        Without those of the key that the database gives itself, such as a row's number.
    """
    inspector = sa.inspect(connection)
    name, schema = source.table.name, source.table.schema
    key = set(inspector.get_pk_constraint(name, schema)["constrained_columns"])
    given = set()
    for column in inspector.get_columns(name, schema):
        by_itself = column.get("default") is not None or column.get("identity") or connection.dialect.name == "sqlite"
        known = source.name == WORKFLOWS or column["name"] in (columns.WORKFLOW_ID, IDS[source.name])
        if column.get("computed") or (column["name"] in key and by_itself and not known):
            given.add(column["name"])
    wanted = set(there) - given
    return [name for name in names(source.table) if name in wanted]


def write(
    connection: sa.Connection, table: sa.Table, listed: Sequence[str], parts: Iterable[Mapping[str, Cells]]
) -> int:
    """Write rows into a table as they are.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        Which has none of them yet.
    listed : sequence of str
        The columns.
    parts : iterable of mapping of str to Cells
        Some rows each.

    Returns
    -------
    int
        How many.
    """
    chosen = ({name: part[name] for name in listed} for part in parts)
    if connection.dialect.name == "sqlite":
        return loading.insert_columns(connection, table, listed, map(_lists, chosen))
    batches = (pa.record_batch({name: _server_text(cells) for name, cells in part.items()}) for part in chosen)
    rights, driver = staging.rights(connection, table), staging.may_load(connection)
    if rights.copy and driver:
        return staging.copy(connection, table, listed, batches)
    known = server_types(connection, table)
    types = {name: known[name] for name in listed}
    with staging.staged(connection, types, batches, temporary=rights.temporary and driver) as staged:
        rows = sa.select(*(staged.rows.c[name] for name in listed))
        return staged.affected(connection, sa.insert(table).from_select(list(listed), rows, include_defaults=False))


def _server_text(cells: Cells) -> pa.Array:
    """Return values of SQLite as PostgreSQL reads them from text."""
    if not isinstance(cells, list):
        return cells
    return pa.array([None if value is None else _text(value) for value in cells], pa.string())


def _text(value: Any) -> str:
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def whole(connection: sa.Connection) -> bool:
    """Tell whether a file is as it was written, as far as SQLite can tell.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To an SQLite file.

    Returns
    -------
    bool
    """
    return connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok"
