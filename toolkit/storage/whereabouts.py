"""Where a connection has led: which server, as which role, with which rights, and who may hide rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from toolkit.storage.dialects import Dialect
    from toolkit.storage.tables import Tables

_ASK: Final = sa.text(
    "SELECT current_setting('server_version') AS version, current_user AS role, "
    "row_security_active(to_regclass(:records)::oid) OR row_security_active(to_regclass(:variables)::oid) AS hides, "
    "has_table_privilege(to_regclass(:records)::oid, 'INSERT, UPDATE, DELETE') AS may_write"
)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the database says of itself and of the role that is connected.

    Attributes
    ----------
    product : str
        Such as `PostgreSQL 18` or `SQLite 3.40.1`.
    role : str or None
        The role; None on SQLite.
    may_write : bool
        Whether the role has any right to change records.
    row_security : bool
        Whether policies may hide rows from this role.
    """

    product: str
    role: str | None = None
    may_write: bool = True
    row_security: bool = False


def ask(connection: sa.Connection, dialect: Dialect, tables: Tables) -> Whereabouts:
    """Ask a database where one is.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    dialect : Dialect
        Of the database.
    tables : Tables
        Of the database.

    Returns
    -------
    Whereabouts
    """
    if dialect.name == "sqlite":
        return Whereabouts(f"SQLite {connection.scalar(sa.select(sa.func.sqlite_version()))}")
    quote = connection.dialect.identifier_preparer.format_table
    names = {"records": quote(tables.records), "variables": quote(tables.variables)}
    found = connection.execute(_ASK, names).one()
    major = found.version.partition(".")[0].partition(" ")[0]
    return Whereabouts(f"PostgreSQL {major}", found.role, found.may_write, found.hides)
