"""Many patches at once on PostgreSQL, merged by the server where that is the merge of `merge.merge`.

A value that is no object, set in an object that is there, is the same wherever it is done. What else a patch may ask
for - to merge objects, to make the way down, to append - is told apart row by row, under the rows' locks, and left to
Python.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from toolkit import columns, jsonvalue
from toolkit.celltexts import ABSENT, json_texts
from toolkit.lazy import pa, pc
from toolkit.storage import staging
from toolkit.storage.merge import PATCH_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.paths import Path
    from toolkit.storage.dialects import Condition, Dialect
    from toolkit.storage.merge import Patch
    from toolkit.storage.staging import Staged

_MOST_PATHS: Final = 8
_PART: Final = 10_000
_QUICK: Final = "quick"


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches of different records, ready to be staged.

    Attributes
    ----------
    patches : tuple of (str, Patch)
        In the order of the record ids.
    quick : tuple of bool
        Of each, whether the server can merge it where the document is as it should be.
    paths : tuple of Path
        The places in documents that they name.
    columns : tuple of str
        The record columns that they name.
    """

    patches: tuple[tuple[str, Patch], ...]
    quick: tuple[bool, ...]
    paths: tuple[Path, ...]
    columns: tuple[str, ...]

    @property
    def types(self) -> dict[str, sa.types.TypeEngine[Any]]:
        """The columns in which they are staged."""
        kinds: dict[str, sa.types.TypeEngine[Any]] = {"record_id": sa.Text(), _QUICK: sa.Boolean()}
        for name in self.columns:
            kinds[f"has_{name}"] = sa.Boolean()
            kinds[name] = _COLUMN_TYPES[name]
        return kinds | {f"p{place}": postgresql.JSONB() for place in range(len(self.paths))}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Lay the patches out in those columns."""
        for start in range(0, len(self.patches), _PART):
            yield self._batch(self.patches[start : start + _PART], self.quick[start : start + _PART])

    def _batch(self, part: Sequence[tuple[str, Patch]], quick: Sequence[bool]) -> pa.RecordBatch:
        made: dict[str, Any] = {
            "record_id": pa.array([name for name, _ in part], pa.string()),
            _QUICK: pa.array(quick, pa.bool_()),
        }
        for name in self.columns:
            made[f"has_{name}"] = pa.array([name in patch.columns for _, patch in part], pa.bool_())
            made[name] = pa.array([patch.columns.get(name) for _, patch in part])
        for place, path in enumerate(self.paths):
            cells = [_value_at(patch, place, path) for _, patch in part]
            texts, quoted = json_texts(cells, jsonvalue.encode_exact)
            made[f"p{place}"] = pc.binary_join_element_wise('"', texts, '"', "") if quoted else texts
        return pa.record_batch(made)


def _value_at(patch: Patch, place: int, path: Path) -> Any:
    """Return what a patch sets at a path: the one at the same place, nearly always, or ABSENT."""
    if place < len(patch.document) and patch.document[place][0] is path:
        return patch.document[place][1]
    return next((value for other, value in patch.document if other == path), ABSENT)


_COLUMN_TYPES: Final[dict[str, sa.types.TypeEngine[Any]]] = {
    "status": sa.Text(),
    "error_message": sa.Text(),
    "processed_at": sa.DateTime(timezone=True),
    "retry_count": sa.Integer(),
}


def together(table: sa.Table, patches: Sequence[tuple[str, Patch]]) -> Patches | None:
    """Return patches as the server can take them together; None where it cannot.

    Parameters
    ----------
    table : sqlalchemy.Table
        The records.
    patches : sequence of (str, Patch)
        Record ids and checked patches.

    Returns
    -------
    Patches or None
        None when a record is patched twice, when many different places are named, and where documents are not `jsonb`.
    """
    if not isinstance(table.c.data.type, postgresql.JSONB) or len({name for name, _ in patches}) < len(patches):
        return None
    ordered = tuple(sorted(patches, key=lambda pair: pair[0]))
    which = tuple(_is_quick(patch) for _, patch in ordered)
    quick = list(itertools.compress((patch for _, patch in ordered), which))
    # Of many patches most name the very same paths, and to compare these takes longer.
    paths = dict.fromkeys({id(path): path for patch in quick for path, _ in patch.document}.values())
    if len(quick) < len(patches) / 2 or len(paths) > _MOST_PATHS:
        return None
    named = tuple(name for name in PATCH_COLUMNS if any(name in patch.columns for patch in quick))
    return Patches(ordered, which, tuple(paths), named)


def _is_quick(patch: Patch) -> bool:
    for path, value in patch.document:  # noqa: SIM110 - twice as quick as any(…), for every patch
        if path.append or type(value) is dict:
            return False
    return True


def lock(
    connection: sa.Connection, table: sa.Table, dialect: Dialect, condition: Condition, patches: Patches, staged: Staged
) -> tuple[int, list[str]]:
    """Lock the records in one order, and tell which of them the server can merge.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        The records.
    dialect : Dialect
        Of the database.
    condition : SQLAlchemy condition
        That a record belongs to the workflow.
    patches : Patches
        What is to be merged.
    staged : Staged
        The same, in a temporary table.

    Returns
    -------
    int
        How many of the records are there.
    list of str
        The ids of those whose patch is left to Python.
    """
    rows = staged.rows
    fits = [rows.c[_QUICK], *(_fits(table, dialect, path, rows.c[f"p{n}"]) for n, path in enumerate(patches.paths))]
    found = (
        sa.select(rows.c.record_id, sa.func.coalesce(sa.and_(*fits), sa.false()).label("plain"))
        .select_from(table.join(rows, table.c.record_id == rows.c.record_id))
        .where(condition)
        .order_by(dialect.by_code_point(table.c.record_id))
        .with_for_update(of=table)
        .cte("found")
    )
    others = sa.func.array_agg(found.c.record_id).filter(sa.not_(found.c.plain))
    number, left = connection.execute(sa.select(sa.func.count(), others).select_from(found)).one()
    return number, list(left or [])


def _fits(table: sa.Table, dialect: Dialect, path: Path, value: Any) -> Any:
    """Whether everything above a place is an object: then no key on the way could point into an array."""
    above = dialect.json_place(table.c.data, path.segments[:-1])
    return sa.or_(value.is_(None), sa.func.jsonb_typeof(sa.cast(above, postgresql.JSONB)) == "object")


def merging(
    table: sa.Table, dialect: Dialect, condition: Condition, patches: Patches, staged: Staged, left: Sequence[str]
) -> sa.Update:
    """Return the statement that merges the patches that the server can merge.

    Parameters
    ----------
    table : sqlalchemy.Table
        The records, locked.
    dialect : Dialect
        Of the database.
    condition : SQLAlchemy condition
        That a record belongs to the workflow.
    patches : Patches
        What is merged.
    staged : Staged
        The same, in a temporary table.
    left : sequence of str
        Ids of the records that are left to Python.

    Returns
    -------
    sqlalchemy.Update
    """
    rows = staged.rows
    document: Any = table.c.data
    for place, path in enumerate(patches.paths):
        keys = sa.cast(sa.literal(list(path.segments), postgresql.ARRAY(sa.Text)), postgresql.ARRAY(sa.Text))
        # What is SQL's null names no such place: then the document stays as it is.
        document = sa.func.jsonb_set_lax(document, keys, rows.c[f"p{place}"], sa.true(), "return_target")
    values: dict[str, Any] = {
        name: sa.case((rows.c[f"has_{name}"], rows.c[name]), else_=table.c[name]) for name in patches.columns
    }
    if patches.paths:
        values[columns.DATA] = document
    chosen = [condition, table.c.record_id == rows.c.record_id]
    if left:
        chosen.append(sa.not_(dialect.text_is_any_of(table.c.record_id, left)))
    return sa.update(table).values({**values, "updated_at": dialect.now()}).where(*chosen)


def may_stage(connection: sa.Connection, table: sa.Table) -> bool:
    """Tell whether patches can be staged here.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction that writes.
    table : sqlalchemy.Table
        The records.

    Returns
    -------
    bool
    """
    return staging.may_load(connection) and staging.rights(connection, table).temporary
