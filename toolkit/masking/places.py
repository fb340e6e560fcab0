"""Documents in columns: what is hidden at a place is decided once, by the names on the way to it.

`MaskingPolicy.mask` walks through a document. Many documents of the same shape need one walk through the shape: at most
places it is the names that decide, and where an object tells by one member what another one holds, the values there are
walked through. Both ways decide the same, which a property test shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.masking.decisions import Rulebook, Verdict, rule_for, segments_of, verdict_on
from toolkit.masking.secret import HIDDEN
from toolkit.masking.structure import Masker, plan_of
from toolkit.masking.sweep import Sweep, texts_in

Shape: TypeAlias = "dict[str, Shape]"
"""The keys of objects, with what lies below each; empty where only values are."""


@dataclass(frozen=True, slots=True)
class Place:
    """How what lies at a place is masked.

    Attributes
    ----------
    keys : tuple of str
        The place, from the top.
    verdict : Verdict or None
        What its name decides; None when it hides nothing.
    above : tuple of str
        Names that decide about what lies inside.
    whole : bool
        Whether values must be walked through, objects with all that lies in them.
    """

    keys: tuple[str, ...]
    verdict: Verdict | None
    above: tuple[str, ...]
    whole: bool


def places_of(book: Rulebook, sweep: Sweep | None, shape: Shape, *, of_places: bool) -> tuple[Place, ...] | None:
    """Return the places of documents of one shape; see `MaskingPolicy.places`."""
    found: list[Place] = []
    waiting = _roots(book, shape) if of_places else _members(book, sweep, (), (), shape)
    if waiting is None:
        return None
    while waiting:
        place, below = waiting.pop()
        inside: list[tuple[Place, Shape]] | None = []
        if below and not place.whole:
            inside = _members(book, sweep, place.keys, place.above, below)
        if inside is None:
            place = Place(place.keys, place.verdict, place.above, whole=True)
        found.append(place)
        waiting += inside or ()
    return tuple(found)


def _roots(book: Rulebook, shape: Shape) -> list[tuple[Place, Shape]]:
    return [
        (_place((name,), verdict_on(book, (), name), segments_of(name), below), below) for name, below in shape.items()
    ]


def _members(
    book: Rulebook, sweep: Sweep | None, keys: tuple[str, ...], above: tuple[str, ...], shape: Shape
) -> list[tuple[Place, Shape]] | None:
    """Return the members of an object; None when it takes their values to tell what is hidden, or a key is."""
    plan = plan_of(book, above, tuple(shape))
    if plan.may_be_record or plan.hidden or (sweep is not None and any(map(sweep.spans, shape))):
        return None
    verdicts = plan.verdicts or [()] * len(shape)
    return [
        (_place((*keys, key), hiding[0] if hiding else None, inside, shape[key]), shape[key])
        for key, inside, hiding in zip(shape, plan.below, verdicts, strict=True)
    ]


def _place(keys: tuple[str, ...], verdict: Verdict | None, above: tuple[str, ...], shape: Shape) -> Place:
    hiding = verdict if verdict is not None and verdict.rule.hides else None
    return Place(keys, hiding, above, whole=bool(shape) and hiding is not None)


def hide_at(book: Rulebook, sweep: Sweep | None, place: Place, value: Any, found: set[str]) -> Any:
    """Hide what is secret in a value at a place; see `MaskingPolicy.mask_at`."""
    if place.verdict is not None and rule_for(place.verdict, value).hides:
        found.update(texts_in([value]))
        return HIDDEN
    secrets: list[Any] = []
    verdicts = () if place.verdict is None else (place.verdict,)
    shown = Masker(book, sweep, secrets).mask(value, verdicts, place.above)
    if secrets:
        found.update(texts_in(secrets))
    return shown
