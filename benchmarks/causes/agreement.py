"""How far two partitions agree."""

from __future__ import annotations

from collections import Counter
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def adjusted_rand_index(one: Sequence[str], other: Sequence[str]) -> float:
    """Compare two groupings of the same things: 1 for the same groups, about 0 for chance.

    Parameters
    ----------
    one, other : sequence of str
        The name of each thing's group.

    Returns
    -------
    float
        At most 1. Source: Hubert and Arabie, Comparing partitions, Journal of Classification 2 (1985).

    Examples
    --------
    >>> adjusted_rand_index(["a", "a", "b", "b"], ["x", "x", "y", "y"])
    1.0
    >>> round(adjusted_rand_index(["a", "a", "b", "b"], ["x", "y", "x", "y"]), 3)
    -0.5
    """
    together = _pairs(zip(one, other, strict=True))
    in_one, in_other, everything = _pairs(one), _pairs(other), comb(len(one), 2)
    expected = in_one * in_other / everything if everything else 0.0
    most = (in_one + in_other) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _pairs(names: Iterable[object]) -> int:
    return sum(comb(count, 2) for count in Counter(names).values())
