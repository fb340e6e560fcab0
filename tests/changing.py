"""What the tests of changes share."""

from __future__ import annotations

from typing import TypeAlias

import sqlalchemy as sa

import toolkit

Rows: TypeAlias = dict[str, list[tuple[str | None, ...]]]


def rows(service: toolkit.UnifiedDataService) -> Rows:
    """Return every column of every row of both tables, as the database writes it: what undo must bring back."""
    found: Rows = {}
    with service.database.read() as connection:
        for table in (service.database.tables.variables, service.database.tables.records):
            texts = [sa.cast(column, sa.Text) for column in table.columns]
            result = connection.execute(sa.select(*texts))
            found[table.name] = sorted((tuple(row) for row in result), key=repr)
    return found
