"""Where secrets are: every place inside a value is reached, with a stack of its own, since Python's is short."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolkit.masking.decisions import (
    MAXIMUM_NAME,
    Rule,
    Rulebook,
    Verdict,
    may_exempt_object,
    rule_for,
    segments_of,
    verdict_on,
)
from toolkit.masking.names import word_set
from toolkit.masking.secret import HIDDEN, Secret
from toolkit.masking.shapes import Literal
from toolkit.masking.texts import find_spans, is_quiet, replace_spans
from toolkit.masking.tokens import Span

if TYPE_CHECKING:
    from toolkit.masking.sweep import Sweep

MAXIMUM_LEVELS: Final = 1000
"""Levels of nesting that are looked into; what lies deeper is hidden."""
WIDE: Final = 200
"""Keys of an object above which what they decide is not kept."""
NAME_FIELDS: Final = word_set("""
    var variable variablename varname name key keyname parameterkey optionname field fieldname column columnname header
    headername property attribute setting param parameter option env id label path
""")
"""Keys of an object whose value is the name of something, written small and without separators."""

VALUE_FIELDS: Final = word_set("""
    value values val parametervalue stringvalue old new oldvalue newvalue before after from to previous previousvalue
    prev current currentvalue default defaultvalue initial initialvalue
""")
"""Keys of an object that hold the value, or a former one, of what the object names."""

SECRET_FLAGS: Final = word_set("secret issecret sensitive issensitive masked")
"""Keys that, when true, say that the object's value is a secret."""

SECRET_TYPES: Final = word_set("password secret securestring")
"""Contents of `type` that say so."""

_NAMING: Final = NAME_FIELDS | SECRET_FLAGS | {"type"}
_LAST_WORDS: Final = tuple({*NAME_FIELDS, *VALUE_FIELDS, "secret", "sensitive", "masked", "type"})
FRAGMENT_ATTEMPTS: Final = 32
"""Brackets in a text that turn out to open no JSON, after which no more are tried."""

_OPTION = re.compile(r"--?[A-Za-z][\w-]{0,62}")
_JSON = re.compile(r'[\s\ufeff]*(\{.*\}|\[.*\]|".*")[\s\ufeff]*', re.DOTALL)
_FRAGMENT = re.compile(r"\{(?=\s*+\")|\[(?=\s*+[\"\[{])")
_BARE: Final = frozenset({int, float, bool, type(None), Literal})
_SEQUENCES: Final = (list, tuple, set, frozenset)
_NONE: Final[tuple[Verdict, ...]] = ()


class _Frame:
    """A container that is being looked into: its parts, what hides each, and where each lies."""

    __slots__ = (
        "belows",
        "changed",
        "changes",
        "index",
        "key",
        "paired",
        "parts",
        "path",
        "rebuild",
        "value",
        "verdicts",
    )

    def __init__(
        self,
        value: Any,
        parts: list[Any],
        rebuild: Callable[[list[Any]], Any],
        *,
        verdicts: tuple[tuple[Verdict, ...], ...] | None = None,
        path: tuple[str, ...] = (),
        belows: tuple[tuple[str, ...], ...] | None = None,
        paired: bool = False,
    ) -> None:
        self.value, self.parts, self.rebuild = value, parts, rebuild
        self.verdicts, self.path, self.belows, self.paired = verdicts, path, belows, paired
        self.index = 0
        self.changed = False
        self.changes: dict[int, Any] = {}
        self.key: tuple[int, tuple[str, ...], bool] = (0, (), False)

    def path_of(self, index: int) -> tuple[str, ...]:
        """Return the names above what lies in a part."""
        return self.path if self.belows is None else self.belows[index]

    def result(self) -> Any:
        """Return the container with what was hidden replaced, or the same object."""
        if not self.changes and not self.changed:
            return self.value
        parts = self.parts.copy()
        for index, part in self.changes.items():
            parts[index] = part
        return self.rebuild(parts)


class _Plan(NamedTuple):
    """What the keys of an object alone decide: for each, what hides it, and the names above what lies in it."""

    names: tuple[str, ...]
    may_be_record: bool
    verdicts: tuple[tuple[Verdict, ...], ...] | None
    below: tuple[tuple[str, ...], ...]
    hidden: tuple[tuple[int, str], ...]


@lru_cache(maxsize=8192)
def _plan(book: Rulebook, path: tuple[str, ...], names: tuple[str, ...]) -> _Plan:
    # Records of one kind have the same keys: this is worked out once for all of them.
    found = [verdict_on(book, path, name) for name in names]
    verdicts = tuple((verdict,) if verdict.rule.hides else _NONE for verdict in found)
    shown = enumerate(shown_text(book, name) for name in names)
    return _Plan(
        names,
        any(_field(name) in VALUE_FIELDS for name in names) and any(_field(name) in _NAMING for name in names),
        verdicts if any(verdicts) else None,
        tuple(_below(book, path, name) for name in names),
        tuple((index, text) for index, text in shown if text is not names[index]),
    )


def plan_of(book: Rulebook, path: tuple[str, ...], names: tuple[str, ...]) -> _Plan:
    """Return what the keys of an object decide, given the names above it."""
    # A wide object is a table of its own, whose keys no other object shares: it would only fill the cache.
    return (_plan if len(names) <= WIDE else _plan.__wrapped__)(book, path, names)


def stands_alone(book: Rulebook, above: tuple[str, ...], key: str, *, is_last: bool) -> bool:
    """Tell whether a key decides the same whatever stands beside it, or below it, in its object."""
    known = _field(key)
    if known in VALUE_FIELDS:
        return False
    verdict = verdict_on(book, above, key)
    if not is_last and may_exempt_object(verdict):
        return False
    return known not in NAME_FIELDS or verdict == verdict_on(book, (), key)


def _below(book: Rulebook, path: tuple[str, ...], name: str) -> tuple[str, ...]:
    return (*path, name) if book.hide_paths else (*path, *segments_of(name))[-book.kept :]


def shown_text(book: Rulebook, text: str) -> str:
    """Return a text that is no JSON with what is secret in it replaced, or the same text."""
    return replace_spans(text, find_spans(book, text))


def _shown_keys(keys: tuple[Any, ...], hidden: Iterable[tuple[int, str]]) -> tuple[Any, ...]:
    # No two keys may become one, or a member would be lost.
    shown, taken = list(keys), set(keys)
    for index, text in hidden:
        number, one = 1, text
        while one in taken:
            number += 1
            one = f"{text} ({number})"
        taken.add(one)
        shown[index] = one
    return tuple(shown)


class Masker:
    """Walks through one value with a stack of its own, since Python's is short."""

    def __init__(self, book: Rulebook, sweep: Sweep | None = None, found: list[Any] | None = None) -> None:
        self._book = book
        self._sweep = sweep
        self._found = found
        self._never_quiet = bool(book.rules) or sweep is not None
        self._frames: list[_Frame] = []
        self._open: set[int] = set()
        # One object at many places is looked into once a path; it is kept, so that its id stays its own.
        self._known: dict[tuple[int, tuple[str, ...], bool], tuple[Any, Any]] = {}

    def mask(self, value: Any, verdicts: tuple[Verdict, ...] = (), path: tuple[str, ...] = ()) -> Any:
        """Return the value with what is secret in it replaced, or the same object when nothing is."""
        outer = _Frame(value, [value], lambda parts: parts[0], verdicts=(verdicts,), path=path)
        self._frames.append(outer)
        while True:
            frame = self._frames[-1]
            if (opened := self._look(frame)) is not None:
                self._frames.append(opened)
            elif frame is outer:
                self._frames.pop()
                return outer.changes.get(0, value)
            else:
                self._leave(frame)

    def _look(self, frame: _Frame) -> _Frame | None:
        """Go on through the parts of a container, up to one that is a container itself."""
        parts, verdicts, never_quiet = frame.parts, frame.verdicts, self._never_quiet
        for index in range(frame.index, len(parts)):
            part = parts[index]
            kind = type(part)
            hiding = verdicts[index] if verdicts is not None else _NONE
            if not hiding and (kind in _BARE or (kind is str and not never_quiet and is_quiet(part))):
                continue
            result = self._enter(frame, index, part, hiding)
            if type(result) is _Frame:
                frame.index = index + 1
                return result
            if result is not part:
                frame.changes[index] = result
        return None

    def _enter(self, frame: _Frame, index: int, value: Any, verdicts: tuple[Verdict, ...]) -> Any:
        if type(value) is Secret or (verdicts and any(rule_for(verdict, value).hides for verdict in verdicts)):
            if self._found is not None:
                self._found.append(value)
            return value if isinstance(value, str) and value == HIDDEN else HIDDEN
        if isinstance(value, bytes | bytearray):
            return self._of_bytes(value)
        path = frame.path_of(index)
        key = (id(value), path, frame.paired)
        if (known := self._known.get(key)) is not None:
            return known[1]
        opened = self._opened(value, path, is_pair=frame.paired)
        if opened is None:
            return self._of_text(value) if isinstance(value, str) and not isinstance(value, Literal) else value
        if len(self._frames) > MAXIMUM_LEVELS or id(value) in self._open:
            return HIDDEN
        opened.key = key
        self._open.add(id(value))
        return opened

    def _leave(self, frame: _Frame) -> None:
        self._frames.pop()
        self._open.discard(id(frame.value))
        result = frame.result()
        self._known[frame.key] = frame.value, result
        above = self._frames[-1]
        if result is not frame.value:
            above.changes[above.index - 1] = result

    def _opened(self, value: Any, path: tuple[str, ...], *, is_pair: bool) -> _Frame | None:
        if isinstance(value, str):
            found = None if isinstance(value, Literal) else _JSON.fullmatch(value)
            return self._parsed(value, found[1], path) if found else None
        if isinstance(value, Mapping):
            return self._members(value, value, path)
        kind: Any = type(value)
        if isinstance(value, tuple) and hasattr(kind, "_make"):
            return self._members(value, dict(zip(kind._fields, value, strict=True)), path)
        if isinstance(value, _SEQUENCES):
            return self._items(value, list(value), path, is_pair=is_pair)
        return None

    def _members(self, value: Any, members: Mapping[Any, Any], path: tuple[str, ...]) -> _Frame:
        keys = tuple(members)
        names = tuple(map(str, keys))
        plan = plan_of(self._book, path, names)
        verdicts = self._record_verdicts(members, plan) if plan.may_be_record else plan.verdicts
        if isinstance(value, tuple):
            kind: Any = type(value)
            return _Frame(value, list(value), kind._make, verdicts=verdicts, belows=plan.below)
        hidden = plan.hidden if self._sweep is None else self._swept_keys(plan)
        shown = _shown_keys(keys, hidden) if hidden else keys
        frame = _Frame(
            value,
            list(members.values()),
            lambda parts: dict(zip(shown, parts, strict=True)),
            verdicts=verdicts,
            belows=plan.below,
        )
        frame.changed = bool(hidden)
        return frame

    def _swept_keys(self, plan: _Plan) -> tuple[tuple[int, str], ...]:
        shown = dict(plan.hidden)
        for index, name in enumerate(plan.names):
            text = shown.get(index, name)
            if self._sweep is not None and (spans := self._sweep.spans(text)):
                shown[index] = replace_spans(text, spans)
        return tuple(shown.items())

    def _record_verdicts(self, members: Mapping[Any, Any], plan: _Plan) -> tuple[tuple[Verdict, ...], ...] | None:
        hiding = tuple(
            verdict for name in _names_in(members) if (verdict := verdict_on(self._book, (), name)).rule.hides
        )
        verdicts = list(plan.verdicts or [_NONE] * len(plan.names))
        for index, name in enumerate(plan.names):
            known = _field(name)
            if known in NAME_FIELDS and not any(verdict.rule is Rule.PATH for verdict in verdicts[index]):
                # The column `key` of a table of variables holds names, whatever stands above the table.
                own = verdict_on(self._book, (), name)
                verdicts[index] = (own,) if own.rule.hides else _NONE
            if known in VALUE_FIELDS:
                verdicts[index] = (*hiding, *verdicts[index])
        return tuple(verdicts) if any(verdicts) else None

    def _items(self, value: Any, values: list[Any], path: tuple[str, ...], *, is_pair: bool) -> _Frame:
        kind = next(kind for kind in _SEQUENCES if isinstance(value, kind))
        if is_pair:
            verdicts = (_NONE, (verdict_on(self._book, (), values[0]),))
            belows = (path, _below(self._book, path, values[0]))
            return _Frame(value, values, kind, verdicts=verdicts, belows=belows)
        paired = bool(values) and all(_may_be_pair(one) for one in values)
        return _Frame(value, values, kind, verdicts=self._arguments(values), path=path, paired=paired)

    def _arguments(self, values: list[Any]) -> tuple[tuple[Verdict, ...], ...] | None:
        if not any(isinstance(one, str) and one[:1] == "-" for one in values):
            return None
        verdicts = [_NONE] * len(values)
        for index, (before, value) in enumerate(pairwise(values), 1):
            option = isinstance(before, str) and isinstance(value, str | Literal) and _OPTION.fullmatch(before)
            if option and not str(value).startswith("-"):
                verdicts[index] = (verdict_on(self._book, (), str(before)),)
        return tuple(verdicts)

    def _parsed(self, value: str, text: str, path: tuple[str, ...]) -> _Frame | None:
        try:
            parsed = _DECODER.decode(text)
        except RecursionError:
            return _Frame(value, [Secret(None)], lambda _: HIDDEN)
        except ValueError:
            return None
        return _Frame(value, [parsed], lambda parts: _encode(parts[0], like=text), path=path)

    def _of_bytes(self, value: bytes | bytearray) -> Any:
        text = bytes(value).decode("utf-8", "replace")
        return value if Masker(self._book, self._sweep, self._found).mask(text) is text else HIDDEN

    def _of_text(self, text: str) -> str:
        spans = find_spans(self._book, text)
        if self._sweep is not None:
            spans += self._sweep.spans(text)
        if fragments := list(self._fragments(text)) if "{" in text or "[" in text else []:
            # What the walk says about JSON counts, not what its text looks like.
            starts = [fragment.start for fragment in fragments]
            spans = [span for span in spans if not _is_inside(span, fragments, starts)]
            spans += [fragment for fragment in fragments if fragment.shown != text[fragment.start : fragment.end]]
        return replace_spans(text, spans)

    def _fragments(self, text: str) -> Iterator[Span]:
        """Find the JSON in a sentence, with what is secret in it replaced."""
        position, attempts = 0, 0
        while attempts < FRAGMENT_ATTEMPTS and (found := _FRAGMENT.search(text, position)):
            position = found.end()
            try:
                parsed, end = _DECODER.raw_decode(text, found.start())
            except (ValueError, RecursionError):
                attempts += 1
                continue
            masked = Masker(self._book, self._sweep, self._found).mask(parsed)
            original = text[found.start() : end]
            shown = original if masked is parsed else _encode(masked, like=original)
            yield Span(found.start(), end, "JSON", shown)
            position = end


def _is_inside(span: Span, fragments: list[Span], starts: list[int]) -> bool:
    index = bisect_right(starts, span.start) - 1
    if index < 0 or span.start >= fragments[index].end:
        return False
    # A name before it hides it whole.
    return span.start > fragments[index].start or span.end < fragments[index].end


def _names_in(record: Mapping[Any, Any]) -> list[str]:
    names = []
    for key, value in record.items():
        known = _field(key)
        if value is True and known in SECRET_FLAGS:
            names.append("secret")
        elif isinstance(value, str) and len(value) <= MAXIMUM_NAME:
            is_type = known == "type" and value.casefold() in SECRET_TYPES
            names += [value] if known in NAME_FIELDS or is_type else []
    return names


def _field(key: object) -> str:
    return _small(key) if isinstance(key, str) and len(key) <= 40 and key.isascii() else ""  # noqa: PLR2004 - a length that stands once


@lru_cache(maxsize=4096)
def _small(key: str) -> str:
    # Signs stand between words, not within: `field_name`, and not `fie_ld`, so that a look at the text finds it.
    words = re.sub(r"[\W_]+$", "", key).casefold()
    return re.sub(r"[\W_]", "", words) if words.endswith(_LAST_WORDS) else ""


def _may_be_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004 - a length that stands once


class _Repeated(str):
    """A key that stands in its object more than once; each is a key of its own."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else {_Repeated(key): value for key, value in pairs}


_DECODER: Final = json.JSONDecoder(
    strict=False, object_pairs_hook=_object, parse_int=Literal, parse_float=Literal, parse_constant=Literal
)


def _encode(value: Any, *, like: str) -> str:
    comma, colon = (Literal(", "), Literal(": ")) if re.search(r'":\s|,\s', like) else (Literal(","), Literal(":"))
    out: list[str] = []
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, Literal):
            out.append(item)
        elif isinstance(item, dict):
            members = [piece for key, part in item.items() for piece in (comma, str(key), colon, part)]
            todo += [Literal("}"), *reversed(members[1:]), Literal("{")]
        elif isinstance(item, list):
            todo += [Literal("]"), *reversed([piece for part in item for piece in (comma, part)][1:]), Literal("[")]
        else:
            out.append(json.dumps(item, ensure_ascii=like.isascii()))
    return "".join(out)
