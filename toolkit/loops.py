"""Which iteration variables are left over, as far as the nodes and the variables of a workflow can tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from toolkit.keys import IterationKey

_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_PATH = re.compile(r"[\w$-]+(?:\.[\w$-]+)*")
_STATE: Final = "state."

Place = tuple[str, tuple[str, ...]]
"""The key of a variable, and the names that lead on inside its value."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a workflow.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    position : int
        Where it stands; iteration variables name it.
    iterates : bool
        Whether it loops.
    over : str or None
        What it loops over, as its settings say it (`items`, `{{state.items}}`); None where they do not.
    alias : str or None
        What records call it in `iteration_node_alias`; None where the table does not say.
    """

    workflow_id: str
    position: int
    iterates: bool
    over: str | None = None
    alias: str | None = None


def places(over: str, outer: tuple[tuple[int, int], ...] = ()) -> Iterator[Place]:
    """Say where the array may stand that a node loops over, the likeliest place first.

    Parameters
    ----------
    over : str
        As the node's settings say it: `items`, `state.items`, `{{items}}`, `{{node4.result.items}}`.
    outer : tuple of (position, index), optional
        The iterations around the loop, the outermost first: a nested loop goes over a variable of its iteration.

    Yields
    ------
    tuple of (str, tuple of str)
        Key of a variable, and the names that lead from its value to the array. Nothing for an expression.

    Examples
    --------
    >>> list(places("{{pets.list}}"))
    [('pets.list', ()), ('pets', ('list',))]
    >>> list(places("legs", ((28, 0),)))
    [('legs@iter:28:0', ()), ('legs', ())]
    """
    template = _TEMPLATE.fullmatch(over.strip())
    name = template[1] if template else over.strip()
    if not _PATH.fullmatch(name):
        return
    for spelling in dict.fromkeys((name, name.removeprefix(_STATE))):
        segments = tuple(spelling.split("."))
        for length in range(len(segments), 0, -1):
            key = ".".join(segments[:length])
            for depth in range(len(outer), 0, -1):
                numbers = (str(number) for pair in outer[:depth] for number in pair)
                yield f"{key}{keys.ITERATION_MARK}{':'.join(numbers)}", segments[length:]
            yield key, segments[length:]


def wanted(some: Collection[IterationKey], nodes: Mapping[int, Node]) -> set[str]:
    """Collect the keys of the variables that `why_stale` may want to look at.

    Parameters
    ----------
    some : collection of IterationKey
        Iteration variables of one workflow.
    nodes : mapping of int to Node
        The nodes of that workflow, by position.

    Returns
    -------
    set of str
    """
    loops = {(over, outer) for parsed in some for over, outer in _loops(parsed, nodes)}
    return {key for over, outer in loops for key, _ in places(over, outer)}


def _loops(parsed: IterationKey, nodes: Mapping[int, Node]) -> Iterator[tuple[str, tuple[tuple[int, int], ...]]]:
    pairs = tuple(zip(parsed.positions, parsed.indexes, strict=True))
    for depth, (position, _) in enumerate(pairs):
        node = nodes.get(position)
        if node is not None and node.over is not None:
            yield node.over, pairs[:depth]


def why_stale(parsed: IterationKey, nodes: Mapping[int, Node], values: Mapping[str, Any]) -> str | None:
    """Say why an iteration variable is left over.

    Parameters
    ----------
    parsed : IterationKey
        The variable.
    nodes : mapping of int to Node
        The nodes of its workflow, by position.
    values : mapping of str to object
        The variables of its workflow that `wanted` names, as far as they are there.

    Returns
    -------
    str or None
        The first reason, from the outermost loop inwards; None when nothing is known that speaks against it.
    """
    pairs = tuple(zip(parsed.positions, parsed.indexes, strict=True))
    for depth, (position, index) in enumerate(pairs):
        node = nodes.get(position)
        if node is None:
            return f"node {position} is gone"
        if not node.iterates:
            return f"node {position} does not iterate any more"
        reason = None if node.over is None else _why_not_in_array(node.over, pairs[:depth], index, values)
        if reason:
            return f"{reason}, over which node {position} iterates"
    return None


def _why_not_in_array(
    over: str, outer: tuple[tuple[int, int], ...], index: int, values: Mapping[str, Any]
) -> str | None:
    possible = list(places(over, outer))
    for key, inside in possible:
        if key in values:
            array = _follow(values[key], inside)
            name = ".".join((key, *inside))
            if not isinstance(array, list):
                return f"there is no array in {name}"
            # How long it is stays unsaid: the variable may be a secret.
            return f"{name} is too short" if index >= len(array) else None
    return f"there is no variable {possible[-1][0]}" if possible else None


def _follow(value: Any, inside: tuple[str, ...]) -> Any:
    for name in inside:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
