"""Many records as people give them, checked part by part: quickly where all is well, one by one where it may not be."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from toolkit import columns
from toolkit.celltexts import ABSENT, Cells, NotPlain
from toolkit.errors import ToolkitError
from toolkit.lazy import pa
from toolkit.progress import progress
from toolkit.storage.columnwise import lay_out, schema
from toolkit.storage.rows import GIVEN, Row, record_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PART: Final = 2_000
"""Rows that are checked at once: few enough to stay in the processor's cache."""

_MOST_NAMES: Final = 300
"""Different keys in a part beyond which a look at each row is quicker than a column for each key."""


class Given(Protocol):
    """Rows as they were given."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def ids(self) -> Sequence[Any]:
        """Return what stands for the record id in each row, whatever it is."""

    def reordered(self, order: Sequence[int]) -> Given:
        """Return the same rows in another order."""

    def cells(self, start: int, stop: int) -> Mapping[str, Cells]:
        """Return some rows column by column, or raise NotPlain."""

    def rows(self, start: int, stop: int) -> Sequence[Mapping[str, Any]]:
        """Return some rows as they were given."""


class Listed:
    """Rows that are mappings.

    Parameters
    ----------
    rows : sequence of mapping
        See `rows.record_row`; none of them is changed.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self) -> list[Any]:
        """Return what stands for the record id in each row."""
        return [row.get("record_id") if type(row) is dict or isinstance(row, Mapping) else None for row in self._rows]

    def reordered(self, order: Sequence[int]) -> Listed:
        """Return the same rows in another order."""
        return Listed([self._rows[place] for place in order])

    def cells(self, start: int, stop: int) -> dict[str, Cells]:
        """Return some rows column by column."""
        rows: Sequence[Any] = self._rows[start:stop]
        if set(map(type, rows)) != {dict}:
            raise NotPlain
        orders = set(map(tuple, rows))
        if len(orders) == 1 and set(map(type, order := orders.pop())) == {str}:
            # Rows that all name the same columns, in one order, are turned around at once.
            return dict(zip(order, map(list, zip(*map(dict.values, rows), strict=True)), strict=True))
        names = dict.fromkeys(itertools.chain.from_iterable(rows))
        if len(names) > _MOST_NAMES or not set(map(type, names)) <= {str}:
            raise NotPlain
        return {name: [row.get(name, ABSENT) for row in rows] for name in names}

    def rows(self, start: int, stop: int) -> Sequence[Mapping[str, Any]]:
        """Return some rows."""
        return self._rows[start:stop]


class Records:
    """Records that are going to be written, checked as they are asked for.

    Parameters
    ----------
    given : Given
        The rows.
    literal : bool, default False
        Write text that holds `[hidden]` as it is.

    Raises
    ------
    InvalidValue
        For an id that occurs twice, and for one that is no text, naming the row.
    """

    def __init__(self, given: Given, *, literal: bool = False) -> None:
        self._as_given = given
        self._literal = literal
        ids = given.ids()
        if set(map(type, ids)) - {str} or len(set(ids)) < len(ids):
            self._refuse()
        self._in_order = all(map(operator.lt, ids, itertools.islice(ids, 1, None)))
        order = range(len(ids)) if self._in_order else sorted(range(len(ids)), key=ids.__getitem__)
        self._given = given if self._in_order else given.reordered(order)
        self.ids: list[str] = [ids[place] for place in order]

    def __len__(self) -> int:
        return len(self.ids)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Check the records part by part, in the order of their ids, so that no two writers deadlock.

        Yields
        ------
        pyarrow.RecordBatch
            As `columnwise.schema` has it.

        Raises
        ------
        InvalidValue, HiddenValue, InvalidPath
            For the first bad row as it was given, named by its position and id.
        """
        yield from progress(self._batches(), len(self))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for start, stop in _parts(len(self)):
            try:
                yield _checked(self._given, start, stop, literal=self._literal)
            except ToolkitError:
                if not self._in_order:
                    self._refuse()
                raise

    def _refuse(self) -> None:
        """Look at the rows as they were given, and raise what is wrong with the first bad one."""
        first: dict[str, int] = {}
        for start, stop in _parts(len(self._as_given)):
            ids = self._as_given.ids()[start:stop]
            twice = set(map(type, ids)) - {str} or len(set(ids)) < len(ids) or not first.keys().isdisjoint(ids)
            if twice:
                record_rows(self._as_given.rows(start, stop), literal=self._literal, start=start, first=first)
            else:
                _checked(self._as_given, start, stop, literal=self._literal)
            first.update(zip(ids, range(start, stop), strict=True))

    def listed(self) -> list[Row]:
        """Return a few records as `rows.record_row` makes them, in the order in which they were given."""
        return record_rows(self._as_given.rows(0, len(self)), literal=self._literal)


def _parts(length: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + PART, length)) for start in range(0, length, PART))


def _checked(given: Given, start: int, stop: int, *, literal: bool) -> pa.RecordBatch:
    try:
        return lay_out(given.cells(start, stop), stop - start, literal=literal)
    except NotPlain:
        return as_batch(record_rows(given.rows(start, stop), literal=literal, start=start))


def as_batch(listed: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as `columnwise.lay_out` gives them.

    Parameters
    ----------
    listed : sequence of dict
        As `rows.record_row` makes them.

    Returns
    -------
    pyarrow.RecordBatch
    """
    # A count that was not given is 0 in a row; here nothing says so, for one that is replaced keeps its own.
    always = {"record_type", "status", columns.DATA}
    return pa.record_batch(
        [
            pa.array([row[name] if name in always or name in row[GIVEN] else None for row in listed], kind)
            for name, kind in zip(schema().names, schema().types, strict=True)
        ],
        schema(),
    )


class Checked:
    """Records that were checked one by one.

    Parameters
    ----------
    rows : sequence of dict
        As `rows.record_row` makes them.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self.ids: list[str] = sorted(str(row["record_id"]) for row in rows)

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the records part by part, in the order of their ids."""
        ordered = sorted(self._rows, key=lambda row: str(row["record_id"]))
        for start, stop in _parts(len(ordered)):
            yield as_batch(ordered[start:stop])

    def listed(self) -> Sequence[Row]:
        """Return the records one by one."""
        return self._rows
