"""What a frame remembers of its read: the state of each row, so that writing it back can notice other writers.

pandas copies `attrs` deeply at every step, compares them, and writes them into Parquet files as JSON. Hence a text that
carries the states along: it is copied as itself, equal to itself, and JSON can hold it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.storage.digests import READ_STATE, READ_VERSION
from toolkit.storage.record_reads import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    import pyarrow as pa

ATTRIBUTE: Final = "toolkit"
"""The key of `attrs`."""


class ReadState(str):  # noqa: SLOT000 - it carries the states along
    """The states of the rows of one read, as `Reading` makes it.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    names : pyarrow.ChunkedArray
        The records.
    numbers : pyarrow.ChunkedArray
        Their states, in the same order.
    kind : str
        Of which kind the states are; see `storage.record_reads.RecordReads.read_state`.
    """

    workflow_id: str
    names: pa.ChunkedArray
    numbers: pa.ChunkedArray
    kind: str

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # In a file, or in another process, it is a text that nobody knows.
        return str, (str(self),)

    def by_name(self) -> Mapping[str, int]:
        """Return the states.

        Returns
        -------
        dict of str to int
            By record id.
        """
        return dict(zip(self.names.to_pylist(), self.numbers.to_pylist(), strict=True))


class Reading:
    """One read of records, as its parts pass by: their states are kept, and taken out.

    Parameters
    ----------
    workflow_id : str
        The one workflow that is read.
    kind : str
        Of which kind its states are, unless they are versions.

    Examples
    --------
    >>> import pandas as pd, pyarrow as pa
    >>> reading = Reading("nightly", "whole")
    >>> parts = reading.passing([pa.table({"record_id": ["a_1"], "read_state": [7]})])
    >>> [part.column_names for part in parts]
    [['record_id']]
    >>> recall(reading.remembered_by(pd.DataFrame({"record_id": ["a_1"]}))).by_name()
    {'a_1': 7}
    """

    def __init__(self, workflow_id: str, kind: str) -> None:
        self._workflow_id = workflow_id
        self._kind = kind
        self._parts: list[pa.Table] = []

    def passing(self, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Let the parts of the read pass.

        Parameters
        ----------
        parts : iterable of pyarrow.Table
            With the columns `record_id` and `read_state`, or `read_version`.

        Yields
        ------
        pyarrow.Table
            Without the state.
        """
        import pyarrow as pa  # noqa: PLC0415 - whoever has parts has loaded it

        for part in parts:
            name = READ_VERSION if READ_VERSION in part.column_names else READ_STATE
            self._kind = VERSION if name == READ_VERSION else self._kind
            # Copied: a column that came with others would keep the memory of all of them.
            self._parts.append(part.select(["record_id", name]).take(pa.array(range(len(part)), pa.int64())))
            yield part.drop_columns([name])

    def remembered_by(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Have a frame of records remember the states in which they were read.

        Parameters
        ----------
        frame : pandas.DataFrame
            Just made of the parts; it is given the states, nothing else of it changes.

        Returns
        -------
        pandas.DataFrame
            The same frame.
        """
        import pyarrow as pa  # noqa: PLC0415 - whoever has parts has loaded it

        names, numbers = pa.concat_tables(self._parts).columns
        state = ReadState(f"read {uuid.uuid4().hex}")
        state.workflow_id, state.kind = self._workflow_id, self._kind
        state.names, state.numbers = names, numbers
        frame.attrs[ATTRIBUTE] = state
        return frame


def recall(frame: pd.DataFrame) -> ReadState | None:
    """Return what a frame remembers of its read.

    Parameters
    ----------
    frame : pandas.DataFrame
        Or whatever pandas made of it.

    Returns
    -------
    ReadState or None
        None where pandas, or a file, dropped it.
    """
    found = frame.attrs.get(ATTRIBUTE)
    return found if isinstance(found, ReadState) else None
