"""The tables, as the toolkit makes them and as it finds them. Read this first.

- `workflow_memory`: the variables, one JSON value per `(workflow_id, key)`;
- `workflow_records`: the records, one row per `(workflow_id, record_id)` with a JSON document `data`;
- `workflows`, `nodes`: the engine's own, read where they exist and never made here;
- the archive (`toolkit.changes`, `toolkit.archived_variables`, `toolkit.archived_records` on PostgreSQL, the same
  names with the prefix `toolkit_` on SQLite): what a change moved away, in typed columns.

An existing database is taken as it is: only the columns below are required, others are carried along.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns
from toolkit.errors import SchemaMismatch
from toolkit.storage.dialects import Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolkit.storage.dialects import Dialect

VARIABLES: Final = "workflow_memory"
RECORDS: Final = "workflow_records"
WORKFLOWS: Final = "workflows"
NODES: Final = "nodes"

ARCHIVE_SCHEMA: Final = "toolkit"
CHANGES: Final = "changes"
ARCHIVED_VARIABLES: Final = "archived_variables"
ARCHIVED_RECORDS: Final = "archived_records"
CHANGE_ID: Final = "change_id"

SCHEMA_VERSION: Final = 1
"""Of the toolkit's own tables; a newer one is refused."""

SNAPSHOT: Final = "toolkit_snapshot"
"""The table by which a file is known to be a snapshot: one row that says of what, when, by whom and how."""

HIDDEN_PLACES: Final = "toolkit_hidden"
"""The table of a snapshot that lists the places in which a mask stands for a value."""

SNAPSHOT_VERSION: Final = 1
"""Of these two; a newer one is refused."""

TYPE_LIMIT: Final = 50
"""Characters of `record_type` and `status`."""

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    VARIABLES: (columns.WORKFLOW_ID, "key", "value", "created_at", "updated_at"),
    RECORDS: (columns.WORKFLOW_ID, *columns.RECORD_COLUMNS, columns.DATA),
    WORKFLOWS: ("id", "name"),
    NODES: (columns.WORKFLOW_ID, "position", "type", "config"),
}
EMPTY_DOCUMENT: Final = '{"fields": {}, "vars": {}, "targets": {}, "history": []}'


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one database.

    Attributes
    ----------
    variables, records : sqlalchemy.Table
        The two that must be there.
    workflows, nodes : sqlalchemy.Table or None
        The engine's own, where they are.
    archive : Archive or None
        Where removed rows are kept; None where nobody has set one up.
    snapshot : Taken or None
        What the database is a snapshot of; None when it is none.
    """

    variables: sa.Table
    records: sa.Table
    workflows: sa.Table | None = None
    nodes: sa.Table | None = None
    archive: Archive | None = None
    snapshot: Taken | None = None

    @property
    def workflow_ids_are_uuids(self) -> bool:
        """Whether a workflow's id must be a uuid."""
        return isinstance(self.records.c.workflow_id.type, sa.Uuid)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a snapshot says of itself.

    Attributes
    ----------
    version : int
        Of the form of the file.
    workflow_id : str
        Of the workflow, as its rows have it.
    name : str or None
        Of the workflow, where the source had names.
    place : str
        Where it was taken, without a password.
    server : str
        What runs there, such as `PostgreSQL 18`.
    toolkit, schema : str
        Versions of the toolkit, and of its tables.
    taken_at : str
        The source's time, in the form of the toolkit.
    taken_by : str
        Who took it.
    revealed : bool
        Whether it holds secrets.
    """

    version: int
    workflow_id: str
    name: str | None
    place: str
    server: str
    toolkit: str
    schema: str
    taken_at: str
    taken_by: str
    revealed: bool

    def __str__(self) -> str:
        moment = self.taken_at[:16].replace("T", " ")
        secrets = "secrets included" if self.revealed else "secrets left out"
        of = self.workflow_id if self.name in (None, self.workflow_id) else f"{self.workflow_id} ({self.name})"
        return f"snapshot of workflow {of} from {self.place}, taken {moment} UTC by {self.taken_by}, {secrets}"


@dataclass(frozen=True, slots=True)
class Archive:
    """The tables of the archive.

    Attributes
    ----------
    changes : sqlalchemy.Table
        One row per change: what, when, by whom, why, how many, whether undone; no values.
    variables, records : sqlalchemy.Table
        The rows that changes moved away, with the id of the change in front.
    """

    changes: sa.Table
    variables: sa.Table
    records: sa.Table


def archive_name(dialect: Dialect, name: str) -> tuple[str | None, str]:
    """Return schema and name of a table of the archive: its own schema on PostgreSQL, a prefix on SQLite."""
    return (ARCHIVE_SCHEMA, name) if dialect.name == "postgresql" else (None, f"{ARCHIVE_SCHEMA}_{name}")


def own_tables(dialect: Dialect) -> sa.MetaData:
    """Return the two tables as the toolkit makes them.

    Parameters
    ----------
    dialect : Dialect
        Of the database that is going to hold them.

    Returns
    -------
    sqlalchemy.MetaData
    """
    metadata = sa.MetaData()
    json_type: Any = postgresql.JSONB() if dialect.name == "postgresql" else sa.Text()
    time: Any = sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text()
    # SQLite wants an expression that is a default in parentheses; PostgreSQL allows them.
    now = sa.text(f"({dialect.now().compile(compile_kwargs={'literal_binds': True})})")
    sa.Table(
        VARIABLES,
        metadata,
        sa.Column(columns.WORKFLOW_ID, sa.Text, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("value", json_type),
        sa.Column("created_at", time, server_default=now),
        sa.Column("updated_at", time, server_default=now),
        sa.PrimaryKeyConstraint(columns.WORKFLOW_ID, "key"),
    )
    records = sa.Table(
        RECORDS,
        metadata,
        sa.Column(columns.WORKFLOW_ID, sa.Text, nullable=False),
        sa.Column("record_id", sa.String(255), nullable=False),
        sa.Column("record_type", sa.String(TYPE_LIMIT), nullable=False),
        sa.Column("iteration_node_alias", sa.String(255)),
        sa.Column(columns.DATA, json_type, nullable=False, server_default=EMPTY_DOCUMENT),
        sa.Column("status", sa.String(TYPE_LIMIT), server_default=columns.DISCOVERED),
        sa.Column("error_message", sa.Text),
        sa.Column("retry_count", sa.Integer, server_default=sa.text("0")),
        sa.Column("created_at", time, server_default=now),
        sa.Column("updated_at", time, server_default=now),
        sa.Column("processed_at", time),
        sa.PrimaryKeyConstraint(columns.WORKFLOW_ID, "record_id"),
    )
    sa.Index("workflow_records_type", records.c.workflow_id, records.c.record_type)
    sa.Index("workflow_records_status", records.c.workflow_id, records.c.status)
    return metadata


def changes_table(dialect: Dialect) -> sa.Table:
    """Return the list of changes as the toolkit makes it."""
    schema, name = archive_name(dialect, CHANGES)
    time: Any = sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text()
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column(columns.WORKFLOW_ID, sa.Text, nullable=False),
        sa.Column("actor", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("selection", sa.Text),
        sa.Column("variables", sa.Integer, nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("undone_at", time),
        schema=schema,
    )


def version_table(dialect: Dialect) -> sa.Table:
    """Return the table that says which version of the toolkit's own tables this is."""
    schema, name = archive_name(dialect, "version")
    return sa.Table(name, sa.MetaData(), sa.Column("version", sa.Integer, nullable=False), schema=schema)


def snapshot_tables() -> tuple[sa.Table, sa.Table]:
    """Return the two tables that make a file a snapshot: what it is, and the places that are hidden in it."""
    metadata = sa.MetaData()
    texts = ("workflow_id", "name", "place", "server", "toolkit", "schema", "taken_at", "taken_by")
    taken = sa.Table(
        SNAPSHOT,
        metadata,
        sa.Column("version", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=name == "name") for name in texts),
        sa.Column("revealed", sa.Boolean, nullable=False),
    )
    hidden = sa.Table(
        HIDDEN_PLACES,
        metadata,
        # The place is JSON: the column, and below it the keys and the numbers on the way. The path is for people.
        *(sa.Column(name, sa.Text, nullable=False) for name in ("table_name", "id", "path", "place")),
    )
    sa.Index("toolkit_hidden_rows", hidden.c.table_name, hidden.c.id)
    return taken, hidden


def found_tables(connection: sa.Connection, dialect: Dialect) -> Tables:
    """Look at the tables of a database that exists.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    dialect : Dialect
        Of the database.

    Returns
    -------
    Tables

    Raises
    ------
    SchemaMismatch
        When a table or a column is missing, naming it and saying what to do.
    """
    snapshot = _find_snapshot(connection, dialect)
    found = {name: _find(connection, dialect, name) for name in (VARIABLES, RECORDS, WORKFLOWS, NODES)}
    variables, records = found[VARIABLES], found[RECORDS]
    if variables is None or records is None:
        missing = [name for name in (VARIABLES, RECORDS) if found[name] is None]
        advice = "connect(…, create=True) makes both" if len(missing) == 2 else "is this the right database?"  # noqa: PLR2004
        raise SchemaMismatch(f"there is no table {' and no table '.join(missing)} here; {advice}")
    archive = _find_archive(connection, dialect)
    return Tables(variables, records, found[WORKFLOWS], found[NODES], archive, snapshot)


def _find_snapshot(connection: sa.Connection, dialect: Dialect) -> Taken | None:
    if dialect.name != "sqlite" or not sa.inspect(connection).has_table(SNAPSHOT):
        return None
    table, _ = snapshot_tables()
    version = connection.scalar(sa.select(table.c.version))
    if version is not None and version > SNAPSHOT_VERSION:
        raise SchemaMismatch(
            f"this snapshot was made by a newer toolkit (version {version}, this one knows {SNAPSHOT_VERSION}); "
            "pip install --upgrade toolkit"
        )
    row = connection.execute(sa.select(table)).first()
    if row is None:
        raise SchemaMismatch(f"the table {SNAPSHOT} is empty, so the file does not say what it is a snapshot of")
    return Taken(**row._mapping)  # noqa: SLF001 - how SQLAlchemy names it


# Who may not enter the archive's schema sees no archive: to look would be an error.
_MAY_USE_ARCHIVE: Final = sa.text(f"SELECT has_schema_privilege(to_regnamespace('{ARCHIVE_SCHEMA}')::oid, 'USAGE')")


def _find_archive(connection: sa.Connection, dialect: Dialect) -> Archive | None:
    if dialect.name == "postgresql" and not connection.scalar(_MAY_USE_ARCHIVE):
        return None
    _check_version(connection, dialect)
    schema, changes_name = archive_name(dialect, CHANGES)
    changes = _find(connection, dialect, changes_name, schema)
    variables = _find(connection, dialect, archive_name(dialect, ARCHIVED_VARIABLES)[1], schema)
    records = _find(connection, dialect, archive_name(dialect, ARCHIVED_RECORDS)[1], schema)
    if changes is None or variables is None or records is None:
        return None
    return Archive(changes, variables, records)


def _check_version(connection: sa.Connection, dialect: Dialect) -> None:
    schema, name = archive_name(dialect, "version")
    if _find(connection, dialect, name, schema) is None:
        return
    version = connection.scalar(sa.select(sa.func.max(version_table(dialect).c.version)))
    if version is not None and version > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the archive here was made by a newer toolkit (version {version}, this one knows {SCHEMA_VERSION}); "
            "pip install --upgrade toolkit"
        )


def _find(connection: sa.Connection, dialect: Dialect, name: str, schema: str | None = None) -> sa.Table | None:
    if dialect.name == "postgresql" and schema is None:
        schema = _schema_on_search_path(connection, name)
        if schema is None:
            return None
    inspector = sa.inspect(connection)
    try:
        found = inspector.get_columns(name, schema=schema)
    except sa.exc.NoSuchTableError:
        return None
    lacking = [column for column in _REQUIRED.get(name, ()) if column not in {each["name"] for each in found}]
    if lacking:
        raise SchemaMismatch(f"table {name} has no column {', '.join(lacking)}; is this the right database?")
    return sa.Table(
        name, sa.MetaData(), *(sa.Column(each["name"], _type(each["type"])) for each in found), schema=schema
    )


def _schema_on_search_path(connection: sa.Connection, name: str) -> str | None:
    visible = sa.text(
        "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = to_regclass(:name)"
    )
    found: str | None = connection.scalar(visible, {"name": name})
    return found


def _type(found: Any) -> Any:
    """Keep the types that decide how a value is bound; everything else is left to the database."""
    if isinstance(found, sa.Uuid):
        return sa.Uuid(as_uuid=False)
    if isinstance(found, postgresql.JSON | sa.DateTime | sa.Integer):
        return found
    return sa.Text() if isinstance(found, sa.String) else sa.types.NullType()


_SERVER_TYPES: Final = sa.text(
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
    "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
)


def server_types(connection: sa.Connection, table: sa.Table) -> dict[str, Named]:
    """Return the types of a table's columns as PostgreSQL names them, for rows that come as text.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        To the server, in a transaction.
    table : sqlalchemy.Table
        That is there.

    Returns
    -------
    dict of str to Named
        By column.
    """
    name = connection.dialect.identifier_preparer.format_table(table)
    return {row[0]: Named(row[1]) for row in connection.execute(_SERVER_TYPES, {"name": name})}


def names(table: sa.Table, *, without: Iterable[str] = ()) -> list[str]:
    """Return the names of a table's columns, in order."""
    return [column.name for column in table.columns if column.name not in set(without)]


def workflow_names(connection: sa.Connection, tables: Tables) -> dict[str, str | None]:
    """Return the names of workflows, where the database has a table of them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    tables : Tables
        Of the database.

    Returns
    -------
    dict of str to str or None
        Name by workflow id; empty where there is no such table.
    """
    if tables.workflows is None:
        return {}
    workflows = tables.workflows
    return {str(name): title for name, title in connection.execute(sa.select(workflows.c.id, workflows.c.name))}


def workflows_named(connection: sa.Connection, tables: Tables, id_or_name: str) -> list[str]:
    """Return the ids of the workflows that have an id, or a name, where the database has a table of them.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    tables : Tables
        Of the database.
    id_or_name : str
        Literally.

    Returns
    -------
    list of str
    """
    known = workflow_names(connection, tables)
    return [workflow_id for workflow_id, title in known.items() if id_or_name in (workflow_id, title)]


_WORKFLOWS: Final = uuid.UUID("6f6f0e5c-6b0f-5d3c-9f0c-2b9a4c1d7e11")


def workflow_uuid(name: str) -> str:
    """Return the id of a workflow that is made here, where ids are uuids: the same name has the same one everywhere.

    Parameters
    ----------
    name : str
        Of the workflow.

    Returns
    -------
    str

    Examples
    --------
    >>> workflow_uuid("nightly-1") == workflow_uuid("nightly-1")
    True
    """
    return str(uuid.uuid5(_WORKFLOWS, name))
