"""How statuses and types look: a colour, and a hatch that tells them without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from toolkit.columns import COMPLETE, DISCOVERED, FAILED, PROCESSING, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Style(NamedTuple):
    """How a status looks: its colour, and the hatch that tells it without colour."""

    color: str
    hatch: str


STYLES: Final = {
    DISCOVERED: Style("#BBBBBB", "...."),
    PROCESSING: Style("#56B4E9", "----"),
    COMPLETE: Style("#009E73", ""),
    FAILED: Style("#D55E00", "////"),
    SKIPPED: Style("#F0E442", "xxxx"),
}
"""The looks of the engine's own statuses."""

OTHER_STYLES: Final = (
    Style("#CC79A7", "\\\\\\\\"),
    Style("#E69F00", "++++"),
    Style("#0072B2", "oo"),
    Style("#999999", "||||"),
)
"""The looks of statuses of one's own, in turn."""

TYPE_STYLES: Final = {
    "string": Style("#0072B2", ""),
    "number": Style("#E69F00", "////"),
    "boolean": Style("#009E73", "xxxx"),
    "array": Style("#56B4E9", "----"),
    "object": Style("#CC79A7", "\\\\\\\\"),
    "null": Style("#BBBBBB", "...."),
}
"""The looks of the types of JSON."""


def styles(names: Iterable[str], known: Mapping[str, Style] = STYLES) -> dict[str, Style]:
    """Return how each name looks: its own look where it has one, else one of the others in turn."""
    wanted = list(names)
    own = [name for name in wanted if name not in known]
    turns = {name: OTHER_STYLES[turn % len(OTHER_STYLES)] for turn, name in enumerate(own)}
    return {name: known.get(name) or turns[name] for name in wanted}
