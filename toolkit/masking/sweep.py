"""Secrets that are known: removed wherever they stand, whatever stands beside them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NoReturn, final
from urllib.parse import quote, quote_plus

from toolkit.masking.decisions import is_reference
from toolkit.masking.names import find_sensitive, split_words
from toolkit.masking.secret import HIDDEN
from toolkit.masking.shapes import AFTER, AFTER_WEAK, Literal
from toolkit.masking.tokens import Span

SHORTEST: Final = 8
"""Characters of a text that is swept; a shorter one stands in too much that is no secret."""
LONGEST_TRIGGER: Final = 2_000
"""Secrets up to which one regular expression looks for each of them."""
_RUN: Final = 16
"""Letters and digits in a row, at most, by which a secret is looked for."""

# As in `a_<secret>`, an underline joins what belongs to different things.
_WORD = re.compile(r"[^\W_]+")
_PLAIN_RUN = re.compile(r"[A-Za-z0-9]{4,}")
_COMMON = re.compile(
    r"[A-Za-z]{1,20}|[a-z]+(?:[ _.-][a-z]+)|\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[a-z][\w-]*\.)+[a-z]{2,}(?::\d+)?|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|localhost:\d+"
    r"|[a-z][a-z0-9+.-]*://[\w.:-]+(?:/[\w./-]*)?"
)
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|apikey|digest)\s+(\S+)")
_PASSWORD = re.compile(r"://[^/\s:@]*:([^\s]+)@")
_MAXIMUM_PARTS: Final = 10_000
_NOTHING: Final = r"[^\x00-\x{10FFFF}]"


def is_swept(text: str) -> bool:
    """Tell whether a text is worth removing wherever it stands: long enough, and no common word.

    Examples
    --------
    >>> is_swept("FAKE-not-real-0001"), is_swept("production"), is_swept("short")
    (True, False, False)
    """
    return len(text) >= SHORTEST and HIDDEN not in text and not _COMMON.fullmatch(text) and not is_reference(text)


def texts_in(found: Iterable[Any]) -> Iterator[str]:
    """Return the texts in values that were hidden for their names."""
    todo = list(found)
    for _ in range(_MAXIMUM_PARTS):
        if not todo:
            return
        value = todo.pop()
        if isinstance(value, Mapping):
            todo += [part for key, part in value.items() if not _is_about(str(key), part)]
        elif isinstance(value, list | tuple | set | frozenset):
            todo += value
        elif isinstance(value, str) and not isinstance(value, Literal) and value[:1] in {"{", "["}:
            todo += _parsed(value)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield from _forms(str(value).strip())


def _is_about(key: str, value: object) -> bool:
    # Beside a password stand a user, a host and a type; these are hidden there, and are no secret elsewhere.
    words = split_words(key)
    if not words or find_sensitive(key):
        return False
    return (words[-1] in AFTER or words[-1] in AFTER_WEAK) and not isinstance(value, Mapping | list)


def _parsed(text: str) -> list[Any]:
    try:
        return [json.loads(text, strict=False)]
    except (ValueError, RecursionError):
        return []


def _forms(text: str) -> Iterator[str]:
    parts = [text, *(found[1] for found in (_SCHEME.fullmatch(text), _PASSWORD.search(text)) if found)]
    yield from (part for part in parts if is_swept(part))


@final
class Sweep:
    """Texts that are removed wherever they stand as whole tokens. It does not show them, and cannot be pickled.

    Parameters
    ----------
    texts : iterable of str
        The secrets. Those that are short or common words are left out.
    earlier : Sweep, optional
        Whose texts are removed as well.
    """

    __slots__ = ("_anchors", "_needles", "_secrets", "_unanchored")

    _secrets: frozenset[str]

    def __init__(self, texts: Iterable[str], earlier: Sweep | None = None) -> None:
        known: frozenset[str] = earlier._secrets if earlier is not None else frozenset()  # noqa: SLF001 - one of its own
        secrets = known.union(*(_written(text) for text in texts if is_swept(text)))
        self._secrets = secrets
        runs = {secret: list(_WORD.finditer(secret)) for secret in secrets}
        frequency = Counter(run[0] for found in runs.values() for run in found)
        # Each is found by its rarest word: then where that stands in a text, few have to be compared.
        anchors: dict[str, dict[tuple[int, int], set[str]]] = {}
        for secret, found in runs.items():
            if found:
                run = min(found, key=lambda one: (frequency[one[0]], -len(one[0])))
                anchors.setdefault(run[0], {}).setdefault((run.start(), len(secret)), set()).add(secret)
        self._anchors = anchors
        self._unanchored = tuple(sorted(secret for secret, found in runs.items() if not found))
        self._needles = _needles(secrets)

    def __repr__(self) -> str:
        return "<texts that are removed>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a policy that sweeps holds secrets, so it cannot be pickled")

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(None)

    @property
    def trigger(self) -> str:
        """A regular expression that a text matches wherever one stands."""
        return self._needles

    def spans(self, text: str) -> list[Span]:
        """Return where the texts stand in a text, as whole tokens."""
        spans = [
            Span(place, place + len(one), "a secret that is known")
            for one in self._unanchored
            for place in _places(text, one)
        ]
        anchors = self._anchors
        for found in _WORD.finditer(text):
            if (candidates := anchors.get(found[0])) is not None:
                spans += self._around(text, found.start(), candidates)
        return spans

    def may_stand_in(self, text: str) -> bool:
        """Tell whether one of the texts stands in a text, or might once that is read as JSON."""
        return "\\" in text or bool(self.spans(text))

    @staticmethod
    def _around(text: str, place: int, candidates: dict[tuple[int, int], set[str]]) -> Iterator[Span]:
        for (offset, length), secrets in candidates.items():
            start, end = place - offset, place - offset + length
            if start >= 0 and text[start:end] in secrets and _is_whole(text, start, end):
                yield Span(start, end, "a secret that is known")


def _places(text: str, one: str) -> Iterator[int]:
    place = text.find(one)
    while place >= 0:
        yield place
        place = text.find(one, place + len(one))


def _is_whole(text: str, start: int, end: int) -> bool:
    before = start > 0 and _is_word(text[start]) and _is_word(text[start - 1])
    after = end < len(text) and _is_word(text[end - 1]) and _is_word(text[end])
    return not before and not after


def _is_word(sign: str) -> bool:
    return sign.isalnum()


def _written(secret: str) -> set[str]:
    """Return a secret as it may stand in a text: itself, in an address, in JSON, in JSON in JSON."""
    once = json.dumps(secret)[1:-1]
    return {secret, quote(secret, safe=""), quote_plus(secret), once, json.dumps(once)[1:-1]}


def _needles(secrets: frozenset[str]) -> str:
    """Return an expression that a text matches wherever a secret stands in it, and as few others as may be."""
    # A run of letters and digits is written the same in plain text and in JSON. Secrets of one kind begin alike.
    found = [_PLAIN_RUN.findall(secret) for secret in secrets]
    if not all(found):
        return r"[^\x00-\x20]" if found else _NOTHING
    runs = {max(one, key=len)[-_RUN:] for one in found}
    first = {one[0][:_RUN] for one in found}
    fewer = min(runs, first, key=len) if len(runs) > LONGEST_TRIGGER else runs
    if len(fewer) <= LONGEST_TRIGGER:
        return "|".join(sorted(fewer))
    # Too many to look for one by one: what all of them look like.
    length = min(map(len, runs))
    if not all(any(sign.isdigit() for sign in run) for run in runs):
        return f"[A-Za-z0-9]{{{length}}}"
    places = range(length)
    return "|".join(f"[A-Za-z]{{{place}}}[0-9][A-Za-z0-9]{{{length - 1 - place}}}" for place in places)
