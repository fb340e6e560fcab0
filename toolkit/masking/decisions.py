"""What a name decides, alone and together with the value under it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from toolkit import columns
from toolkit.masking.names import Finding, find_sensitive, normalise
from toolkit.masking.shapes import exempting, is_plain, may_exempt_objects

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
_UNSET_KINDS: Final = (str, bytes, list, tuple, set, frozenset, dict)


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """What of a policy decides, without what it sweeps. There is one for equal policies, so that decisions are kept.

    Attributes
    ----------
    extra, allow, hide_paths : tuple of str
        As a `MaskingPolicy` has them.
    rules : tuple of tuple
        Of a name and a compiled pattern each.
    """

    extra: tuple[str, ...]
    allow: tuple[str, ...]
    hide_paths: tuple[str, ...]
    rules: tuple[tuple[str, re.Pattern[str]], ...]

    @property
    def kept(self) -> int:
        """How many of the names above a place can matter to what lies there, but for paths from the top."""
        return PATTERN_CONTEXT if self.extra or self.allow else 1


@lru_cache(maxsize=256)
def rulebook(
    extra: tuple[str, ...], allow: tuple[str, ...], hide_paths: tuple[str, ...], rules: tuple[tuple[str, str], ...]
) -> Rulebook:
    """Return the one rulebook of these options."""
    return Rulebook(extra, allow, hide_paths, tuple((name, re.compile(text)) for name, text in rules))


class Rule(Enum):
    """Why a value is hidden or shown; the text completes the sentence of `explain`."""

    UNSET = False, "shown: it is not set"
    BOOLEAN = False, "shown: a yes or a no is no secret"
    REFERENCE = False, "shown: the value is a reference to a secret, not the secret"
    ALLOWED = False, "shown: the policy allows the name"
    ORDINARY = False, "shown: no word of the name is sensitive"
    METADATA = False, "shown: the name holds {words!r}, but also {word!r}, and the value is {shape}"
    PATH = True, "hidden: the policy hides its path"
    EXTRA = True, "hidden: the name is one of the policy's extra names"
    WORD = True, "hidden: the name holds {words!r}"
    ABOVE = True, "hidden: it lies below a name that holds {words!r}"

    @property
    def hides(self) -> bool:
        """Whether a value under this rule is hidden."""
        return bool(self.value[0])


ALWAYS: Final = frozenset({Rule.PATH, Rule.EXTRA, Rule.ABOVE})
"""Rules that hide every value that is set, whatever it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a name alone decides."""

    rule: Rule
    finding: Finding | None = None

    @property
    def hides(self) -> bool:
        """Whether values are hidden, unless what they are speaks against it."""
        return self.rule.hides


@dataclass(frozen=True, slots=True)
class ColumnDecision:
    """What the name of a flat column decides about the values in it.

    Attributes
    ----------
    verdict : Verdict
        What the name alone decides.
    hidden_at : int or None
        How many of the names lead to what is hidden as one: fewer than all where it lies above the column, whose
        name may then tell of a secret itself. None when nothing is.
    """

    verdict: Verdict
    hidden_at: int | None = None

    @property
    def never(self) -> bool:
        """Whether no value is hidden for the column's name."""
        return not self.verdict.rule.hides

    @property
    def hides_all(self) -> bool:
        """Whether every value that is set is hidden, whatever it is."""
        return self.verdict.rule in ALWAYS

    @property
    def depends(self) -> bool:
        """Whether the value decides as well: booleans, references and metadata stay visible."""
        return not self.never and not self.hides_all

    def hides(self, value: object) -> bool:
        """Tell whether a value in the column is hidden as a whole.

        Parameters
        ----------
        value : object
            As JSON has them.

        Returns
        -------
        bool
        """
        return rule_for(self.verdict, value).hides


def rule_for(verdict: Verdict, value: object) -> Rule:
    """Return the rule that decides, once the value is known as well as its name."""
    if _is_unset(value):
        return Rule.UNSET
    if verdict.rule in ALWAYS or not verdict.rule.hides:
        return verdict.rule
    if isinstance(value, str) and is_reference(value):
        return Rule.REFERENCE
    if isinstance(value, bool):
        return Rule.BOOLEAN
    exempt = verdict.rule is Rule.WORD and verdict.finding is not None and exempting(verdict.finding, value)
    return Rule.METADATA if exempt else verdict.rule


def is_reference(text: str) -> bool:
    """Tell whether text is nothing but a reference to a secret, such as `${DB_PASSWORD}`."""
    if "{" not in text:
        return False
    found = REFERENCE.fullmatch(text.strip())
    return found is not None and is_plain((found[1] or found[2]).lstrip("$"))


def _is_unset(value: object) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, _UNSET_KINDS) and not value


def verdict_on(book: Rulebook, above: tuple[str, ...], name: str) -> Verdict:
    """Return what a name decides, given the names above it; worked out once for each."""
    # Longer text is no name; its ends are judged, so that a cache of names stays small.
    return _decide(
        book, above, name if len(name) <= 2 * MAXIMUM_NAME else f"{name[:MAXIMUM_NAME]} {name[-MAXIMUM_NAME:]}"
    )


@lru_cache(maxsize=16_384)
def _decide(book: Rulebook, above: tuple[str, ...], name: str) -> Verdict:
    segments = segments_of(name)
    if above or len(segments) < 2 or segments[0] not in columns.PARTS:  # noqa: PLR2004 - a length that stands once
        return _decide_one(book, above, name, segments)
    return decide_path(book, segments)


def decide_path(book: Rulebook, segments: tuple[str, ...]) -> Verdict:
    """Return what the names on the way to a place in a document decide about it, from the top."""
    return decide_column(book, segments).verdict


def decide_column(book: Rulebook, segments: tuple[str, ...]) -> ColumnDecision:
    """Return the same, and where on the way."""
    verdict = _ORDINARY
    for index, segment in enumerate(segments):
        verdict = _decide_one(book, segments[:index], segment, (segment,))
        if verdict.rule.hides:
            # What lies below a sensitive name is hidden without a second look, unless it can be metadata as a whole.
            is_itself = index == len(segments) - 1 or verdict.rule is Rule.EXTRA or may_exempt_object(verdict)
            above = verdict if is_itself or verdict.rule is Rule.PATH else Verdict(Rule.ABOVE, verdict.finding)
            return ColumnDecision(above, index + 1)
    return ColumnDecision(verdict)


def may_exempt_object(verdict: Verdict) -> bool:
    """Tell whether an object under such a name can stay visible, as the counts in `token_usage` do."""
    return verdict.rule is Rule.WORD and verdict.finding is not None and may_exempt_objects(verdict.finding)


def _decide_one(book: Rulebook, above: tuple[str, ...], name: str, segments: tuple[str, ...]) -> Verdict:
    if book.hide_paths and (
        _is_hidden_path(book.hide_paths, (*above, *segments), len(above))
        or _is_hidden_path(book.hide_paths, (*above, name), len(above))
    ):
        return Verdict(Rule.PATH)
    if book.extra or book.allow:
        return _decide_with_patterns(book, above, name, segments)
    finding = find_sensitive(".".join(segments), above="".join(above[-1:]))
    return Verdict(Rule.WORD, finding) if finding else _ORDINARY


_ORDINARY: Final = Verdict(Rule.ORDINARY)


def _decide_with_patterns(book: Rulebook, above: tuple[str, ...], name: str, segments: tuple[str, ...]) -> Verdict:
    chain = (*above[-PATTERN_CONTEXT:], *segments)
    own = len(chain) - len(segments)
    whole = {name, *(".".join(chain[start:]) for start in range(own + 1))}
    parts = {".".join(chain[start:end]) for end in range(own + 1, len(chain) + 1) for start in range(end)}
    if _matches(book.extra, whole | parts):
        return Verdict(Rule.EXTRA)
    judged = [segment for segment in segments if not _matches(book.allow, {segment})]
    if not judged or _matches(book.allow, whole):
        return Verdict(Rule.ALLOWED)
    finding = find_sensitive(".".join(judged), above="".join(above[-1:]))
    return Verdict(Rule.WORD, finding) if finding else _ORDINARY


def segments_of(name: str) -> tuple[str, ...]:
    """Return the segments of a path, or a plain name as its only one."""
    if "." not in name and '"' not in name:
        return (name,)
    return tuple(found[1] or found[0].strip('"') for found in _SEGMENT.finditer(name)) or (name,)


def _is_hidden_path(patterns: tuple[str, ...], chain: tuple[str, ...], above: int) -> bool:
    # Not the names above alone: what is hidden there is not looked into.
    ends = range(above + 1, len(chain) + 1)
    return any(_path_pattern(pattern).fullmatch(_written(chain[:end])) for pattern in patterns for end in ends)


def _written(segments: tuple[str, ...]) -> str:
    quoted = (json.dumps(one, ensure_ascii=False) if not one or set(one) & set('."[]') else one for one in segments)
    return ".".join(quoted)


@lru_cache(maxsize=1024)
def _path_pattern(text: str) -> re.Pattern[str]:
    # A top-level key of one's own is called `data.name` in columns, and is `name` in the document.
    plain = re.escape(text.removeprefix(f"{columns.DATA}."))
    prefix = f"(?:{columns.DATA}\\.)?" if text.startswith(f"{columns.DATA}.") else ""
    return re.compile(prefix + plain.replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _matches(patterns: tuple[str, ...], names: Iterable[str]) -> bool:
    return any(_pattern(pattern).fullmatch(_plain(name)) for pattern in patterns for name in names)


def _plain(name: str) -> str:
    return normalise(name).casefold().strip()


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(_plain(text)).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
