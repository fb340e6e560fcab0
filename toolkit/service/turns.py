"""Which iteration variables belong to a record: the turn of the loop in which it was worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, frames, keys, paths
from toolkit.masking import EVERYTHING
from toolkit.model import RecordFilter, VariableFilter
from toolkit.service.iteration_variables import IterationVariableCalls
from toolkit.storage.base import literally
from toolkit.storage.nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from toolkit.keys import IterationKey
    from toolkit.masking import View

INDEX: Final = "index"
GUESS: Final = "guess"
"""The column that says whether only the order speaks for it."""

_INDEX_PATH: Final = f"{columns.FIELDS}.{INDEX}"

Turn = tuple[tuple[int, int], ...]
"""Positions and indexes of nested loops, the outermost first."""


class TurnCalls(IterationVariableCalls):
    """Find the iteration variables of one record."""

    def _turns_of(self, workflow_id: str, row: Mapping[str, Any], view: View) -> pd.DataFrame:
        """Read the iteration variables that belong to a record.

        Parameters
        ----------
        workflow_id : str
            The workflow, literally.
        row : mapping
            The record's real columns and document.
        view : View
            What is hidden.

        Returns
        -------
        pandas.DataFrame
            As `get_iterations`, and `guess` (`boolean`).
        """
        names = self.variables.names(workflow_id, VariableFilter(category="iteration"))
        found = {name: key for name in names if (key := keys.iteration(name)) is not None}
        turns, guess = self._own_turns(workflow_id, row, list(found.values())) if found else (set(), False)
        chosen = [name for name, key in found.items() if not turns.isdisjoint(_around(key))]
        frame = self._iterations(literally(workflow_id), VariableFilter(keys=tuple(chosen)), lambda _: True, view)
        return frame.assign(**{GUESS: _all(guess, len(frame))})

    def _own_turns(
        self, workflow_id: str, row: Mapping[str, Any], found: Sequence[IterationKey]
    ) -> tuple[set[Turn], bool]:
        """Return the turns of a record, and whether they are a guess."""
        loops = self._loops_of(workflow_id, row, found)
        index = _index_of(row)
        turns = {turn for key in found for turn in _around(key) if turn[-1][0] in loops}
        if index is not None:
            turns = {turn for turn in turns if turn[-1][1] == index}
            if all(len(turn) == 1 for turn in turns):
                # The index of an outer loop is all that there is to know.
                return turns, len(turns) > 1
        rank = self._rank(workflow_id, row, index) if turns else 0
        by_loop: dict[tuple[int, ...], list[Turn]] = {}
        for turn in sorted(turns):
            by_loop.setdefault(tuple(loop for loop, _ in turn), []).append(turn)
        return {several[rank] for several in by_loop.values() if rank < len(several)}, True

    def _loops_of(self, workflow_id: str, row: Mapping[str, Any], found: Sequence[IterationKey]) -> Collection[int]:
        """Return the positions of the loops in which a record may have been worked on."""
        alias = row["iteration_node_alias"]
        nodes = read_nodes(self.variables, [workflow_id]) or []
        if alias is not None and any(node.alias is not None for node in nodes):
            return {node.position for node in nodes if node.iterates and node.alias == alias}
        named = {key.positions[-1] for key in found if key.base == row["record_type"]}
        if named or _index_of(row) is None:
            # Without an index, records of another name have nothing to do with a loop as far as anybody can tell.
            return named
        return {position for key in found for position in key.positions}

    def _rank(self, workflow_id: str, row: Mapping[str, Any], index: int | None) -> int:
        """Count the records of the same loop, with the same index if there is one, that come before a record."""
        alias = row["iteration_node_alias"]
        like = RecordFilter(record_type=(row["record_type"],)) if alias is None else RecordFilter(node=(alias,))
        wanted, places = ["record_id", _INDEX_PATH], [paths.parse(_INDEX_PATH)]
        with self.records.parts(literally(workflow_id), like, places=places, history=False, front=wanted) as tables:
            # Only counted: whether an index is hidden is no matter here.
            frame = frames.records(tables, EVERYTHING, wanted=wanted)
        if index is not None:
            frame = frame[[value == index for value in frames.plain_values(frame[_INDEX_PATH])]]
        return list(frame["record_id"]).index(row["record_id"])


def _around(key: IterationKey) -> list[Turn]:
    """Return the turn of a key, and those that it lies in."""
    pairs = tuple(zip(key.positions, key.indexes, strict=True))
    return [pairs[:depth] for depth in range(1, len(pairs) + 1)]


def _index_of(row: Mapping[str, Any]) -> int | None:
    document = row[columns.DATA]
    fields = document.get(columns.FIELDS) if isinstance(document, dict) else None
    index = fields.get(INDEX) if isinstance(fields, dict) else None
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _all(value: bool, number: int) -> Any:  # noqa: FBT001 - a cell of a column
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    return pd.array([value] * number, dtype=frames.BOOLEAN)
