"""Where in a text the secrets stand: for those who look for them instead of hiding them."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolkit.masking.secret import HIDDEN
from toolkit.masking.shapes import Literal
from toolkit.masking.structure import FRAGMENT_ATTEMPTS
from toolkit.masking.texts import find_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.masking.policy import MaskingPolicy
    from toolkit.masking.tokens import Span


class Place(NamedTuple):
    """A secret in a text.

    Parameters
    ----------
    start, end : int
        Where it stands; the same number twice where it is written in another way than it was read.
    what : str
        What kind of secret it is.
    secret : str
        The secret itself, as it is written; a name's or a container's is its JSON.
    path : str, default ""
        Where it lies inside the text's JSON; empty for plain text.
    """

    start: int
    end: int
    what: str
    secret: str
    path: str = ""


class Difference(NamedTuple):
    """A part of a value that its mask replaced."""

    path: tuple[str | int, ...]
    value: Any
    mask: Any
    is_name: bool = False
    """Whether it is the last name of the path that was replaced, and not what lies there."""


KNOWN: Final = "a secret that is known"
"""What the sweep calls what it finds."""

_OPENS = re.compile(r"[{\[](?=\s*+[\"\[{])")
_DECODER: Final = json.JSONDecoder(strict=False, parse_int=Literal, parse_float=Literal, parse_constant=Literal)
_KEPT: Final = 6
"""Names of a path that are told, the last ones."""
_LONGEST: Final = 60
"""Characters of a name that are told."""
_MISSES: Final = 20
"""Values of a document that are looked for and not found, after which no more are."""
_NEEDLE: Final = 200


def locate(policy: MaskingPolicy, text: str) -> list[Place]:
    """Return the secrets in a text, in order: there are some exactly when `policy.mask_text` changes it.

    Parameters
    ----------
    policy : MaskingPolicy
        Decides.
    text : str
        Any text, which may be JSON or hold some.

    Returns
    -------
    list of Place

    Examples
    --------
    >>> from toolkit.masking import MaskingPolicy
    >>> text = "login: password=FAKE-not-real host=db"
    >>> [(text[: place.start], place.what) for place in locate(MaskingPolicy(), text)]
    [('login: password=', "the value of 'password'")]
    """
    if policy.mask_text(text) == text:
        return []
    fragments = list(_fragments(text))
    found = [place for fragment in fragments for place in _in_json(policy, text, *fragment)]
    if not any(fragment[:2] == (0, len(text)) for fragment in fragments):
        found += [
            Place(span.start, span.end, span.what, text[span.start : span.end])
            for span in _apart(_spans(policy, text), [fragment[:2] for fragment in fragments])
        ]
    return sorted(found) or [Place(0, len(text), "a secret", text)]


def differences(value: Any, mask: Any, *, whole: bool = False) -> Iterator[Difference]:
    """Give what a mask replaced, in the order of the value.

    Parameters
    ----------
    value : Any
        As JSON has them.
    mask : Any
        What a policy made of it: parts that it left alone are the same objects.
    whole : bool, default False
        Give whole paths, by which one finds the place again; else the last names and numbers, as they are told.

    Yields
    ------
    Difference
        Names in its path are as the mask shows them.

    Examples
    --------
    >>> from toolkit.masking import MaskingPolicy
    >>> value = {"a": [{"password": "FAKE-not-real"}], "n": 1}
    >>> [difference.path for difference in differences(value, MaskingPolicy().mask(value))]
    [('a', 0, 'password')]
    """
    todo: list[Difference] = [Difference((), value, mask)]
    while todo:
        here = todo.pop()
        if here.value is here.mask:
            continue
        below = here.path if whole else tuple(here.path[1 - _KEPT :])
        if isinstance(here.value, dict) and isinstance(here.mask, dict):
            pairs = list(zip(here.value.items(), here.mask.items(), strict=True))
            for (key, part), (shown, masked) in reversed(pairs):
                path = (*below, str(shown) if whole else str(shown)[:_LONGEST])
                todo.append(Difference(path, part, masked))
                if key != shown:
                    todo.append(Difference(path, key, HIDDEN, is_name=True))
        elif isinstance(here.value, list) and isinstance(here.mask, list):
            parts = list(enumerate(zip(here.value, here.mask, strict=True)))
            todo += [Difference((*below, index), part, masked) for index, (part, masked) in reversed(parts)]
        else:
            yield here


def kind_of(policy: MaskingPolicy, difference: Difference) -> str:
    """Say what kind of secret was replaced.

    Parameters
    ----------
    policy : MaskingPolicy
        Replaced it.
    difference : Difference
        What it replaced.

    Returns
    -------
    str
    """
    if isinstance(difference.value, str) and difference.mask != HIDDEN and (spans := _spans(policy, difference.value)):
        return " and ".join(sorted({span.what for span in spans}))
    names = [name for name in difference.path if isinstance(name, str)]
    return f"the value of {names[-1]!r}" if names else "a secret"


def written(path: tuple[str | int, ...]) -> str:
    """Return a path as it is told.

    Parameters
    ----------
    path : tuple of str or int
        Of a `Difference`.

    Returns
    -------
    str

    Examples
    --------
    >>> written(("smtp", "users", 0, "password"))
    'smtp.users[0].password'
    """
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path).removeprefix(".")


def _spans(policy: MaskingPolicy, text: str) -> list[Span]:
    spans = find_spans(policy._book, text)  # noqa: SLF001 - of this package
    return spans if policy._sweep is None else spans + policy._sweep.spans(text)  # noqa: SLF001 - likewise


def _fragments(text: str) -> Iterator[tuple[int, int, Any]]:
    """Find the JSON in a text; when it is nothing else, the whole text is one piece."""
    try:
        yield 0, len(text), _DECODER.decode(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        yield from _pieces(text)


def _pieces(text: str) -> Iterator[tuple[int, int, Any]]:
    position, attempts = 0, 0
    while attempts < FRAGMENT_ATTEMPTS and (found := _OPENS.search(text, position)):
        position = found.end()
        try:
            parsed, end = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            attempts += 1
            continue
        yield found.start(), end, parsed
        position = end


def _in_json(policy: MaskingPolicy, text: str, start: int, end: int, parsed: Any) -> Iterator[Place]:
    position, misses = start, 0
    for difference in differences(parsed, policy.mask(parsed)):
        needle = _needle(difference.value)
        place = text.find(needle, position, end) if misses < _MISSES else -1
        kind, path, secret = kind_of(policy, difference), written(difference.path), _text(difference.value)
        if place < 0:
            misses += 1
            yield Place(position, position, kind, secret, path or "JSON")
        else:
            position = place + len(needle)
            yield Place(place, position, kind, secret, path or "JSON")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _needle(value: Any) -> str:
    """Return how the first text in a value is written in JSON, as far as it is worth looking for."""
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return json.dumps(value, ensure_ascii=False)[1:-1][:_NEEDLE] if isinstance(value, str) else str(value)


def _apart(spans: list[Span], fragments: list[tuple[int, int]]) -> Iterator[Span]:
    """Give spans in order, each as far as none before reached, without those inside JSON, which decides for itself."""
    starts = [start for start, _ in fragments]
    reached = 0
    # What says why goes before what only says that it was seen elsewhere.
    for span in sorted(spans, key=lambda span: (span.start, span.what == KNOWN, span.end)):
        index = bisect_right(starts, span.start) - 1
        if index >= 0 and span.start < fragments[index][1] and (span.start, span.end) != fragments[index]:
            continue
        if span.end > reached:
            yield span._replace(start=max(span.start, reached))
            reached = span.end
