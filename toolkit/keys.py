"""How variables are named: nodes, iterations, and everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

ITERATION_MARK: Final = "@iter:"

_SUFFIX = re.compile(r"[0-9]+:[0-9]+(?::[0-9]+:[0-9]+)*")
_NODE = re.compile(r"node[0-9]+(?:[.@].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class IterationKey:
    """The parts of an iteration variable's key, such as `animal@iter:28:0:35:2`.

    Attributes
    ----------
    base : str
        What stands in front of the suffix.
    positions : tuple of int
        Positions of the iterate nodes, the outermost first.
    indexes : tuple of int
        The index within each, from 0.
    """

    base: str
    positions: tuple[int, ...]
    indexes: tuple[int, ...]


def iteration(key: str) -> IterationKey | None:
    """Parse the suffix of an iteration variable.

    Parameters
    ----------
    key : str
        A variable's key.

    Returns
    -------
    IterationKey or None
        None when the key has no such suffix, or a malformed one.

    Examples
    --------
    >>> iteration("animal@iter:28:0:35:2")
    IterationKey(base='animal', positions=(28, 35), indexes=(0, 2))
    >>> iteration("animal@iter:28") is None
    True
    """
    base, _, suffix = key.partition(ITERATION_MARK)
    if not base or not _SUFFIX.fullmatch(suffix):
        return None
    numbers = tuple(map(int, suffix.split(":")))
    return IterationKey(base, numbers[::2], numbers[1::2])


def category(key: str) -> str:
    """Return what kind of variable a key names.

    Parameters
    ----------
    key : str
        A variable's key.

    Returns
    -------
    {"iteration", "node", "custom"}
        Iteration by its suffix; else node for `node<digits>` and what follows a dot or an `@`; else custom.

    Examples
    --------
    >>> [category(key) for key in ("node4@iter:1:0", "node4.result", "nodejs_version")]
    ['iteration', 'node', 'custom']
    """
    if iteration(key):
        return "iteration"
    return "node" if _NODE.fullmatch(key) else "custom"
