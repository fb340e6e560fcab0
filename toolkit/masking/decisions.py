"""What a name decides, alone and together with the value under it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from toolkit import columns
from toolkit.masking.names import Finding, exempting, find_sensitive, is_plain, normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

MAXIMUM_NAME: Final = 255
"""Characters of a name; longer text is a sentence or data."""
PATTERN_CONTEXT: Final = 16
"""Names above a place that a policy's own patterns can be about."""


REFERENCE = re.compile(
    r"(?:(?:Bearer|Basic|Token) )?=?(?:\$\{([A-Za-z_][\w.]*)\}|\$?\{\{-?\s*(\$?[A-Za-z_][\w.$-]*?)\s*-?\}\})"
)
_SEGMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|[^.]+')


class NamePatterns(Protocol):
    """What of a policy is about names; a `MaskingPolicy` is one. It is hashable, so that decisions are kept."""

    @property
    def extra(self) -> tuple[str, ...]:
        """Names always hidden."""

    @property
    def allow(self) -> tuple[str, ...]:
        """Names never hidden for their name."""

    def __hash__(self) -> int: ...


class Rule(Enum):
    """Why a value is hidden or shown; the text completes the sentence of `explain`."""

    UNSET = False, "shown: it is not set"
    BOOLEAN = False, "shown: a yes or a no is no secret"
    REFERENCE = False, "shown: the value is a reference to a secret, not the secret"
    ALLOWED = False, "shown: the policy allows the name"
    ORDINARY = False, "shown: no word of the name is sensitive"
    METADATA = False, "shown: the name holds {words!r}, but also {word!r}, and the value is {shape}"
    EXTRA = True, "hidden: the name is one of the policy's extra names"
    WORD = True, "hidden: the name holds {words!r}"
    ABOVE = True, "hidden: it lies below a name that holds {words!r}"

    @property
    def hides(self) -> bool:
        """Whether a value under this rule is hidden."""
        return bool(self.value[0])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a name alone decides."""

    rule: Rule
    finding: Finding | None = None


def rule_for(verdict: Verdict, value: object) -> Rule:
    """Return the rule that decides, once the value is known as well as its name."""
    if _is_unset(value):
        return Rule.UNSET
    if not verdict.rule.hides:
        return verdict.rule
    if (
        isinstance(value, str)
        and (found := REFERENCE.fullmatch(value.strip()))
        and is_plain((found[1] or found[2]).lstrip("$"))
    ):
        return Rule.REFERENCE
    if verdict.rule is Rule.EXTRA:
        return Rule.EXTRA
    if isinstance(value, bool):
        return Rule.BOOLEAN
    exempt = verdict.rule is Rule.WORD and verdict.finding is not None and exempting(verdict.finding, value)
    return Rule.METADATA if exempt else verdict.rule


def _is_unset(value: object) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str | bytes | list | tuple | set | frozenset | dict) and not value


def verdict_on(policy: NamePatterns, above: tuple[str, ...], name: str) -> Verdict:
    """Return what a name decides, given the names above it; worked out once for each."""
    # Longer text is no name; its ends are judged, so that a cache of names stays small.
    return _decide(
        policy, above, name if len(name) <= 2 * MAXIMUM_NAME else f"{name[:MAXIMUM_NAME]} {name[-MAXIMUM_NAME:]}"
    )


@lru_cache(maxsize=16_384)
def _decide(policy: NamePatterns, above: tuple[str, ...], name: str) -> Verdict:
    segments = segments_of(name)
    if above or len(segments) < 2 or segments[0] not in columns.PARTS:  # noqa: PLR2004
        return _decide_one(policy, above, name, segments)
    # A path in a record's document: what lies below a sensitive name is hidden without a second look.
    for index, segment in enumerate(segments):
        verdict = _decide_one(policy, segments[:index], segment, (segment,))
        if verdict.rule.hides or index == len(segments) - 1:
            last = index == len(segments) - 1
            return verdict if last or verdict.rule is Rule.EXTRA else Verdict(Rule.ABOVE, verdict.finding)
    raise AssertionError("a path has at least one segment")


def _decide_one(policy: NamePatterns, above: tuple[str, ...], name: str, segments: tuple[str, ...]) -> Verdict:
    chain = (*above[-PATTERN_CONTEXT:], *segments)
    own = len(chain) - len(segments)
    whole = {name, *(".".join(chain[start:]) for start in range(own + 1))}
    parts = {".".join(chain[start:end]) for end in range(own + 1, len(chain) + 1) for start in range(end)}
    if _matches(policy.extra, whole | parts):
        return Verdict(Rule.EXTRA)
    judged = [segment for segment in segments if not _matches(policy.allow, {segment})]
    if not judged or _matches(policy.allow, whole):
        return Verdict(Rule.ALLOWED)
    finding = find_sensitive(".".join(judged), above="".join(above[-1:]))
    return Verdict(Rule.WORD, finding) if finding else Verdict(Rule.ORDINARY)


def segments_of(name: str) -> tuple[str, ...]:
    """Return the segments of a path, or a plain name as its only one."""
    if "." not in name and '"' not in name:
        return (name,)
    return tuple(found[1] or found[0].strip('"') for found in _SEGMENT.finditer(name)) or (name,)


def _matches(patterns: tuple[str, ...], names: Iterable[str]) -> bool:
    return any(_pattern(pattern).fullmatch(_plain(name)) for pattern in patterns for name in names)


def _plain(name: str) -> str:
    return normalise(name).casefold().strip()


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(_plain(text)).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
