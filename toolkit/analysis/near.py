"""Which signatures are near enough to be one cause: by the words they share, and never against what names an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NEAR: Final = 0.75
"""From this overlap on, two signatures are one cause."""

MOST_COMPARED: Final = 2_000
"""So many signatures of a frame are compared with each other, the most frequent ones."""

_LEAST_WEIGHT: Final = 2.5
_SAME: Final = 0.9999
_PLACEHOLDER_WEIGHT: Final = 0.25
_SMALL_WORD_WEIGHT: Final = 0.5
_SMALL_WORDS: Final = frozenset(
    (*("a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had", "has", "have", "in", "is"),
     *("it", "its", "of", "on", "or", "that", "the", "there", "this", "to", "was", "were", "which", "while", "with"))
)  # fmt: skip
_WORDS: Final = re.compile(r"<\w+>|[^\W_][\w.$-]*\w|\w")
_PLACEHOLDER: Final = re.compile(r"<\w+>")

# What names an error: a class, a code that is kept as a number, the value of a code or a type. Two signatures that
# differ in one of these are never near, however many words they share.
_NAMES: Final = re.compile(
    r"\b[\w.$]*[A-Z]\w*(?:Error|Exception|Failure|Fault|Timeout)\b|\b\d+\b"
    r"|(?<=code: )[\w.-]+|(?<=Code: )[\w.-]+|(?<=type: )[\w.-]+|(?<=Type: )[\w.-]+|(?<=reason: )[\w.-]+"
)


def near(signatures: Sequence[str], leaders: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find for each signature the one it is near to.

    The overlap of two signatures is the weight of the words they share, divided by the weight of all their words
    (the weighted Jaccard index); a placeholder weighs 0.25, a small word such as "the" 0.5, any other 1. One leads:
    the first in the order given that no earlier one takes in takes in all later ones whose overlap is at least `NEAR`.

    Parameters
    ----------
    signatures : sequence of str
        All different, the most important first; at most `MOST_COMPARED` are compared, those after them stand alone.
    leaders : int, default 0
        So many of the first are never taken in by another.

    Returns
    -------
    leader : array of int
        For each signature the place of the one that took it in; its own place when none did.
    overlap : array of float
        Of the two, 0 to 1; 1 for a signature that stands for itself.

    Examples
    --------
    >>> leader, overlap = near(["no element with label <text>", "no element with label <text> here", "no space left"])
    >>> leader.tolist(), overlap.round(2).tolist()
    ([0, 0, 2], [1.0, 0.79, 1.0])
    """
    leader, overlap = np.arange(len(signatures)), np.ones(len(signatures))
    blocks: dict[Any, list[int]] = {}
    for place, text in enumerate(signatures[:MOST_COMPARED]):
        blocks.setdefault(tuple(sorted({name.casefold() for name in _NAMES.findall(text)})), []).append(place)
    for places in blocks.values():
        if len(places) > 1:
            _lead(np.array(places), _overlaps([signatures[place] for place in places]), leader, overlap, leaders)
    return leader, overlap


def words(signature: str) -> dict[str, float]:
    """Weigh the words of a signature.

    Parameters
    ----------
    signature : str
        As `toolkit.signatures` makes it.

    Returns
    -------
    dict of str to float
        Each word once, in small letters, with its weight; a duration counts as a number.

    Examples
    --------
    >>> words("Timeout after <duration> in the queue")
    {'timeout': 1.0, 'after': 1.0, '<number>': 0.25, 'in': 0.5, 'the': 0.5, 'queue': 1.0}
    """
    # Whether a number has a unit is often a matter of formatting.
    return {word: _weight(word) for word in _WORDS.findall(signature.casefold().replace("<duration>", "<number>"))}


def _weight(word: str) -> float:
    if _PLACEHOLDER.fullmatch(word):
        return _PLACEHOLDER_WEIGHT
    return _SMALL_WORD_WEIGHT if word in _SMALL_WORDS else 1.0


def _overlaps(signatures: Sequence[str]) -> NDArray[np.float32]:
    bags = [words(text) for text in signatures]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(word for bag in bags for word in bag))}
    held = np.zeros((len(bags), len(vocabulary)), dtype=np.float32)
    for row, bag in enumerate(bags):
        held[row, [vocabulary[word] for word in bag]] = 1
    weights = np.array([_weight(word) for word in vocabulary], dtype=np.float32)
    both = (held * weights) @ held.T
    weight = np.diagonal(both)
    overlaps = both / np.maximum(weight[:, None] + weight[None, :] - both, np.float32(1e-9))
    # A signature of very few words says too little to be near to another, unless they are the very same words.
    short = weight < _LEAST_WEIGHT
    overlaps[(short[:, None] | short[None, :]) & (overlaps < _SAME)] = 0
    return np.asarray(overlaps, dtype=np.float32)


def _lead(
    places: NDArray[np.int64],
    overlaps: NDArray[np.float32],
    leader: NDArray[np.int64],
    overlap: NDArray[np.float64],
    leaders: int,
) -> None:
    free = np.ones(len(places), dtype=bool)
    open_to_join = places >= leaders
    for row, place in enumerate(places):
        if free[row]:
            free[row] = False
            joins = free & open_to_join & (overlaps[row] >= NEAR)
            leader[places[joins]], overlap[places[joins]] = place, overlaps[row, joins]
            free &= ~joins
