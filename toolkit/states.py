"""What a frame remembers of its read: the state of each row, so that writing it back can notice other writers.

pandas copies `attrs` deeply at every step, compares them, and writes them into Parquet files as JSON. Hence a text that
carries the states along: it is copied as itself, equal to itself, and JSON can hold it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

ATTRIBUTE: Final = "toolkit"
"""The key of `attrs`."""


class ReadState(str):  # noqa: SLOT000 - it carries the states along
    """The states of the rows of one read, as `remember` makes it.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    names : sequence of str or pyarrow.Array
        The records.
    numbers : sequence of int or pyarrow.Array
        Their states, in the same order.
    """

    workflow_id: str
    names: Any
    numbers: Any

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
        return dict(zip(_listed(self.names), _listed(self.numbers), strict=True))


def _listed(values: Any) -> list[Any]:
    return values.to_pylist() if hasattr(values, "to_pylist") else list(values)


def remember(frame: pd.DataFrame, workflow_id: str, names: Any, numbers: Any) -> pd.DataFrame:
    """Have a frame of records remember the state in which they were read.

    Parameters
    ----------
    frame : pandas.DataFrame
        Just made; it is given the states, nothing else of it changes.
    workflow_id : str
        The one workflow that was read.
    names : sequence of str or pyarrow.Array
        The record ids that were read.
    numbers : sequence of int or pyarrow.Array
        Their states, in the same order, as `storage.digests.read_state` gives them.

    Returns
    -------
    pandas.DataFrame
        The same frame.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = remember(pd.DataFrame({"record_id": ["a_1"]}), "nightly", ["a_1"], [7])
    >>> recall(frame.query("record_id == 'a_1'")).by_name()
    {'a_1': 7}
    """
    state = ReadState(f"read {uuid.uuid4().hex}")
    state.workflow_id = workflow_id
    state.names = names
    state.numbers = numbers
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
