"""The calls about iteration variables, and the variables as text."""

from __future__ import annotations

from operator import index as as_index
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, frames, keys, loops
from toolkit.errors import InvalidOption
from toolkit.lazy import pa
from toolkit.masking import EVERYTHING
from toolkit.model import OneOrMany, Receipt, VariableFilter
from toolkit.patterns import Pattern
from toolkit.service.base import Reveal, of_workflows
from toolkit.service.formatting import format_for_display
from toolkit.service.variables import VariableCalls, masked_ids
from toolkit.storage.base import literally
from toolkit.storage.nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from toolkit.keys import IterationKey
    from toolkit.loops import Node
    from toolkit.masking import View
    from toolkit.storage.base import WorkflowId, WorkflowIds

ITERATION_COLUMNS: Final = (
    "key",
    "base",
    "positions",
    "indexes",
    "value",
    "stale",
    "why",
    "created_at",
    "updated_at",
)
"""The columns of a frame of iteration variables, in order."""

NOTHING_STORED: Final = "No variables stored yet"


class IterationVariableCalls(VariableCalls):
    """Read and clean up what loops left behind."""

    def get_iterations(
        self,
        workflow_id: WorkflowIds,
        *,
        base: OneOrMany | None = None,
        node: int | None = None,
        index: int | None = None,
        stale: bool | None = None,
        reveal: Reveal = False,
    ) -> pd.DataFrame:
        """Return the iteration variables, such as `animal@iter:28:0:35:2`, with their suffix parsed.

        One is stale when the table of nodes or the variables say that no loop would write it again: its node is gone
        or does not iterate any more, or the array over which the node iterates is gone or too short. Where nothing is
        known - no table of nodes, a workflow without nodes, an expression instead of a name, a loop over records -
        nothing is called stale.

        Parameters
        ----------
        workflow_id : str, list of str, or pattern
            One workflow, several, or a pattern such as `"nightly-*"`.
        base : str or iterable of str, optional
            What stands in front of the suffix, literally.
        node : int, optional
            Position of an iterate node, at any depth of nesting.
        index : int, optional
            Index within that node's loop, or within any loop when `node` is left out.
        stale : bool, optional
            Only those that are stale, or only those that are not.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those of some keys.

        Returns
        -------
        pandas.DataFrame
            One row per iteration variable, ordered by key: `key, base, why` (`str`; `why` is missing where the
            variable is not stale), `positions, indexes` (`object`: tuples of int, the outermost loop first, so that
            one can group and pivot by them), `value` (`object`: the JSON value), `stale` (`boolean`), `created_at,
            updated_at` (`datetime64[us, UTC]`). With several workflows, `workflow_id` stands in front.

        Raises
        ------
        InvalidPattern, InvalidOption

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"name@iter:4:0": "Ann", "age@iter:4:0": 31})
        >>> frame = service.get_iterations("nightly")
        >>> frame.pivot(index=["positions", "indexes"], columns="base", values="value").reset_index()
        base positions indexes age name
        0         (4,)    (0,)  31  Ann
        """
        wanted, view = _wanted(base, node, index), self._view(reveal, workflow_id)
        laid_out = self._iterations(workflow_id, VariableFilter.of(category="iteration"), wanted, view)
        self._note(view, len(laid_out))
        return laid_out if stale is None else laid_out[laid_out["stale"] == stale].reset_index(drop=True)

    def _iterations(
        self, workflow_id: WorkflowIds, selection: VariableFilter, wanted: Callable[[IterationKey], bool], view: View
    ) -> pd.DataFrame:
        """Read the iteration variables among some variables, and lay out their suffixes."""
        with self.database.read():
            everything = self.variables.query(workflow_id, selection)
            parsed = list(map(keys.iteration, everything.column("key").to_pylist()))
            places = [place for place, key in enumerate(parsed) if key is not None and wanted(key)]
            table = everything.take(pa.array(places, pa.int64()))
            chosen = [key for place in places if (key := parsed[place]) is not None]
            why = self._why_stale(table.column(columns.WORKFLOW_ID).to_pylist(), chosen)
        frame = masked_ids(frames.variables(of_workflows(table, workflow_id), view), view)
        return _laid_out(frame, _bases(chosen, view), chosen, [_shown(reason, view) for reason in why])

    def _why_stale(self, workflow_ids: Sequence[str], parsed: Sequence[IterationKey]) -> list[str | None]:
        """Say of each iteration variable why it is stale, with two statements for all of them."""
        nodes = read_nodes(self.variables, list(dict.fromkeys(workflow_ids))) if parsed else None
        if not nodes:
            return [None] * len(parsed)
        by_workflow = _by_workflow(nodes)
        sources: set[str] = set()
        for workflow_id, of_workflow in by_workflow.items():
            own = [key for name, key in zip(workflow_ids, parsed, strict=True) if name == workflow_id]
            sources |= loops.wanted(own, of_workflow)
        values = self._values(list(by_workflow), sorted(sources))
        return [
            loops.why_stale(key, by_workflow[name], values.get(name, {})) if name in by_workflow else None
            for name, key in zip(workflow_ids, parsed, strict=True)
        ]

    def _values(self, workflow_ids: Sequence[str], some: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Read the real values of some variables: whether an array is too short is no matter of masks."""
        table = self.variables.query(Pattern(tuple(workflow_ids), ()), VariableFilter.of(keys=some))
        frame = frames.variables(table, EVERYTHING)
        values: dict[str, dict[str, Any]] = {}
        for workflow_id, key, value in zip(frame[columns.WORKFLOW_ID], frame["key"], frame["value"], strict=True):
            values.setdefault(workflow_id, {})[key] = value
        return values

    def find_iterate_references(self, workflow_id: WorkflowId, key: str) -> list[int]:
        """Find the iterate nodes that loop over a variable.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        key : str
            The variable.

        Returns
        -------
        list of int
            Positions of the nodes whose `config.over` is the key, `state.` and the key, or a template of them; empty
            where the database has no table of nodes.

        Examples
        --------
        >>> import toolkit
        >>> toolkit.connect(":memory:", create=True).find_iterate_references("nightly", "emails")
        []
        """
        return self.variables.iterate_references(workflow_id, key)

    def cleanup_iteration_variables(
        self, workflow_id: WorkflowId, positions: Iterable[int], *, reason: str | None = None, archive: bool = True
    ) -> Receipt:
        """Move the iteration variables of some iterate nodes to the archive, at whatever depth the nodes stand.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        positions : iterable of int
            Of the nodes; an empty one takes nothing.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the rows so that they can be brought back.

        Returns
        -------
        Receipt
            `variables` says how many went.

        Raises
        ------
        InvalidOption
            When `positions` holds something else than positions.
        ArchiveMissing
            When there is nowhere to keep the rows.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"animal@iter:28:0:35:2": "cat", "animal@iter:3:35": "dog"})
        >>> service.cleanup_iteration_variables("nightly", [35]).variables
        1
        """
        one = self.variables.workflow_id(workflow_id)
        wanted = _positions(positions)
        with self.database.write():
            gone = VariableFilter(keys=tuple(self.variables.stale_keys(one, wanted)))
            # The id as an exact pattern: no character of it is a wildcard.
            condition = self.variables.condition(Pattern((one,), ()), gone)
            removal = self.variables.removal(one, condition, "stale", reason=reason)
            return self._receipt(self.variables.archive.remove(removal, archive=archive))

    def get_formatted_variables(self, workflow_id: WorkflowId) -> str:
        """Return the variables as text, for a prompt or a log.

        Parameters
        ----------
        workflow_id : str
            The workflow.

        Returns
        -------
        str
            One line `- key = value` per variable, ordered by key: values cut at 100 characters, of an array the first
            element and how many follow, secrets as `[hidden]`; `No variables stored yet` when there are none.

        Raises
        ------
        InvalidOption
            When `workflow_id` stands for several.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"fruit": ["apple", "pear"], "api_token": "FAKE-0001"})
        >>> print(service.get_formatted_variables("nightly"))
        - api_token = [hidden]
        - fruit = [apple, +1 more]
        """
        frame = self.get_all_variables(literally(self._one(workflow_id, "get_formatted_variables")))
        lines = [
            f"- {' '.join(key.splitlines())} = {format_for_display(value)}"
            for key, value in zip(frame["key"], frame["value"], strict=True)
        ]
        return "\n".join(lines) or NOTHING_STORED


def _wanted(base: OneOrMany | None, node: int | None, index: int | None) -> Callable[[IterationKey], bool]:
    bases = None if base is None else {base} if isinstance(base, str) else set(base)
    position = None if node is None else _number(node, "node", "a position of a node, such as 28")
    number = None if index is None else _number(index, "index", "an index within a loop, such as 0")

    def wanted(key: IterationKey) -> bool:
        pairs = zip(key.positions, key.indexes, strict=True)
        return (bases is None or key.base in bases) and any(
            position in (None, one) and number in (None, other) for one, other in pairs
        )

    return wanted


def _number(value: Any, name: str, what: str) -> int:
    try:
        number = -1 if isinstance(value, bool) else as_index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise InvalidOption(f"{name}={value!r} is not {what}")
    return number


def _positions(positions: Iterable[int]) -> set[int]:
    if isinstance(positions, str) or not hasattr(positions, "__iter__"):
        raise InvalidOption(f"positions={positions!r} is no list of positions; for one node, give a list of one")
    return {_number(position, "positions", "a list of positions of nodes, such as [28]") for position in positions}


def _by_workflow(nodes: Iterable[Node]) -> dict[str, dict[int, Node]]:
    """Sort nodes by workflow and position; where several stand at one position, one that iterates counts."""
    sorted_out: dict[str, dict[int, Node]] = {}
    for node in nodes:
        by_position = sorted_out.setdefault(node.workflow_id, {})
        if node.iterates or node.position not in by_position:
            by_position[node.position] = node
    return sorted_out


def _bases(parsed: Sequence[IterationKey], view: View) -> list[str | None]:
    return [key.base if view.shows(key.base) else _shown(key.base, view) for key in parsed]


def _shown(text: str | None, view: View) -> str | None:
    """Hide what is secret in a name, or in a reason that names a variable."""
    return text if text is None or view.policy is None else view.policy.mask_text(text)


def _laid_out(
    frame: pd.DataFrame, bases: Sequence[str | None], parsed: Sequence[IterationKey], why: Sequence[str | None]
) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    added: dict[str, Any] = {
        "base": pd.array(list(bases), dtype=frames.TEXT),
        "positions": _tuples([key.positions for key in parsed]),
        "indexes": _tuples([key.indexes for key in parsed]),
        "stale": pd.array([reason is not None for reason in why], dtype=frames.BOOLEAN),
        "why": pd.array(list(why), dtype=frames.TEXT),
    }
    front = [columns.WORKFLOW_ID] if columns.WORKFLOW_ID in frame else []
    return frame.assign(**added)[[*front, *ITERATION_COLUMNS]]


def _tuples(values: Sequence[tuple[int, ...]]) -> pd.Series[Any]:
    import pandas as pd  # noqa: PLC0415 - likewise

    # Without the dtype, pandas would make a column of nothing a column of numbers.
    return pd.Series(list(values), dtype=object)
