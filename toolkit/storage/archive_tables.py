"""The archive's own tables: how they are made, and kept out of everybody else's sight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from toolkit.storage.tables import (
    ARCHIVE_SCHEMA,
    ARCHIVED_RECORDS,
    ARCHIVED_VARIABLES,
    CHANGE_ID,
    CHANGES,
    SCHEMA_VERSION,
    archive_name,
    changes_table,
    version_table,
)

if TYPE_CHECKING:
    from toolkit.storage.database import Database

WRITTEN: Final = "change_written"
"""The column of the archive that holds the digest of a row as its change left it; NULL where the change removed it."""

_LONGEST_NAME: Final = 63
"""Bytes of a name on PostgreSQL."""

_GRANTED: Final = sa.text(
    "SELECT DISTINCT quote_ident(r.rolname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, "
    "aclexplode(c.relacl) g JOIN pg_roles r ON r.oid = g.grantee "
    "WHERE n.nspname = :schema AND c.relname = :name AND g.grantee <> c.relowner"
)

_MAY_ENTER: Final = sa.text(
    "SELECT DISTINCT quote_ident(r.rolname) FROM pg_namespace n, aclexplode(n.nspacl) g "
    "JOIN pg_roles r ON r.oid = g.grantee WHERE n.nspname = :schema AND g.grantee <> n.nspowner"
)


_MAY_MAKE: Final = sa.text(
    "SELECT CASE WHEN to_regnamespace(:schema) IS NULL THEN has_database_privilege(current_database(), 'CREATE') "
    "ELSE has_schema_privilege(to_regnamespace(:schema)::oid, 'CREATE') END"
)


def may_make(connection: sa.Connection) -> bool:
    """Tell whether the role may make the archive's schema, or tables in it.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction, on PostgreSQL.

    Returns
    -------
    bool
    """
    return bool(connection.scalar(_MAY_MAKE, {"schema": ARCHIVE_SCHEMA}))


def make(connection: sa.Connection, database: Database) -> None:
    """Make the archive where it is missing, and bring one of an earlier form up to date.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    database : Database
        Whose archive it is.
    """
    if database.dialect.name == "postgresql":
        connection.execute(sa.schema.CreateSchema(ARCHIVE_SCHEMA, if_not_exists=True))
    changes, version = changes_table(database.dialect), version_table(database.dialect)
    changes.create(connection, checkfirst=True)
    version.create(connection, checkfirst=True)
    if connection.scalar(sa.select(sa.func.count()).select_from(version)) == 0:
        connection.execute(sa.insert(version).values(version=SCHEMA_VERSION))
    make_like(connection, database, ARCHIVED_VARIABLES, database.tables.variables)
    make_like(connection, database, ARCHIVED_RECORDS, database.tables.records)
    if database.dialect.name == "postgresql":
        for role in ["PUBLIC", *connection.scalars(_MAY_ENTER, {"schema": ARCHIVE_SCHEMA})]:
            connection.exec_driver_sql(f"REVOKE ALL ON SCHEMA {ARCHIVE_SCHEMA} FROM {role}")
        for name in (CHANGES, "version", ARCHIVED_VARIABLES, ARCHIVED_RECORDS):
            lock_away(connection, name)


def make_like(connection: sa.Connection, database: Database, name: str, table: sa.Table) -> sa.Table:
    """Make a table of the same columns and types; only identifiers, quoted by SQLAlchemy, enter the text.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    database : Database
        Whose archive it is.
    name : str
        Of the new table; where it is already, columns that it lacks are added.
    table : sqlalchemy.Table
        Whose rows it is going to keep.

    Returns
    -------
    sqlalchemy.Table
        With the columns of the other one, the change's id and the digest of what the change wrote.
    """
    made = kept_table(database, name, table)
    preparer = database.engine.dialect.identifier_preparer
    target, source = preparer.format_table(made), preparer.format_table(table)
    if database.dialect.name == "postgresql":
        body = f"CREATE TABLE IF NOT EXISTS {target} ({CHANGE_ID} text NOT NULL, {WRITTEN} text, LIKE {source})"
    else:
        null = "CAST(NULL AS TEXT) AS"
        empty = f"SELECT {null} {CHANGE_ID}, {null} {WRITTEN}, * FROM {source} WHERE 0"  # noqa: S608 - names of tables that were looked up, no value
        body = f"CREATE TABLE IF NOT EXISTS {target} AS {empty}"
    connection.exec_driver_sql(body)
    _add_columns(connection, made, table)
    index = preparer.quote(f"{made.name}_{CHANGE_ID}"[:_LONGEST_NAME])
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {index} ON {target} ({CHANGE_ID})")
    return made


def kept_table(database: Database, name: str, table: sa.Table) -> sa.Table:
    """Return a table of the archive as statements name it.

    Parameters
    ----------
    database : Database
        Whose archive it is.
    name : str
        Of the table in the archive.
    table : sqlalchemy.Table
        Whose rows it keeps.

    Returns
    -------
    sqlalchemy.Table
    """
    schema, own = archive_name(database.dialect, name)
    copied = [sa.Column(column.name, column.type, primary_key=column.primary_key) for column in table.columns]
    return sa.Table(
        own, sa.MetaData(), sa.Column(CHANGE_ID, sa.Text), sa.Column(WRITTEN, sa.Text), *copied, schema=schema
    )


def _add_columns(connection: sa.Connection, kept: sa.Table, table: sa.Table) -> None:
    """Add what a table has gained since its archive was made."""
    inspector = sa.inspect(connection)
    there = {each["name"] for each in inspector.get_columns(kept.name, schema=kept.schema)}
    types: dict[str, Any] = {
        each["name"]: each["type"] for each in inspector.get_columns(table.name, schema=table.schema)
    }
    preparer = connection.dialect.identifier_preparer
    for column in kept.columns:
        if column.name not in there:
            kind = types.get(column.name, sa.Text()).compile(connection.dialect)
            name = preparer.quote(column.name)
            connection.exec_driver_sql(f"ALTER TABLE {preparer.format_table(kept)} ADD COLUMN {name} {kind}")


def lock_away(connection: sa.Connection, name: str) -> None:
    """Keep a table of the archive from everybody but its owner: no grants, and row security without a policy.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes, on PostgreSQL.
    name : str
        Of the table.
    """
    quoted = connection.dialect.identifier_preparer.format_table(sa.Table(name, sa.MetaData(), schema=ARCHIVE_SCHEMA))
    connection.exec_driver_sql(f"ALTER TABLE {quoted} ENABLE ROW LEVEL SECURITY")
    # A database may give every new table to its web roles.
    for role in ["PUBLIC", *connection.scalars(_GRANTED, {"name": name, "schema": ARCHIVE_SCHEMA})]:
        connection.exec_driver_sql(f"REVOKE ALL ON {quoted} FROM {role}")


_COMPUTED: Final = sa.text(
    "SELECT a.attname, a.attgenerated <> '' AS generated, a.attidentity = 'a' AS numbered FROM pg_attribute a "
    "WHERE a.attrelid = to_regclass(:name) AND a.attnum > 0 AND NOT a.attisdropped "
    "AND (a.attgenerated <> '' OR a.attidentity = 'a')"
)


def computed_columns(connection: sa.Connection, table: sa.Table) -> tuple[set[str], set[str]]:
    """Find the columns of a table whose values the database makes.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    table : sqlalchemy.Table
        The table.

    Returns
    -------
    tuple of (set of str, set of str)
        Those it works out from others, which nobody can write; and those it numbers, unless it is told otherwise.
    """
    name = connection.dialect.identifier_preparer.format_table(table)
    if connection.dialect.name == "sqlite":
        asked = sa.text("SELECT name FROM pragma_table_xinfo(:name) WHERE hidden IN (2, 3)")
        return set(connection.scalars(asked, {"name": table.name})), set()
    found = connection.execute(_COMPUTED, {"name": name}).all()
    return {row.attname for row in found if row.generated}, {row.attname for row in found if row.numbered}


class InsertAsItWas(sa.Insert):
    """An INSERT from a SELECT that also writes the columns which the database would number by itself."""

    inherit_cache = False


@compiles(InsertAsItWas, "postgresql")
def _overriding(element: InsertAsItWas, compiler: Any, **options: Any) -> str:
    text: str = compiler.visit_insert(element, **options)
    return re.sub(r"\) SELECT ", ") OVERRIDING SYSTEM VALUE SELECT ", text, count=1)
