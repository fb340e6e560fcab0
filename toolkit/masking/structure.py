"""Where secrets are: every place inside a value is reached, with a stack of its own, since Python's is short."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from toolkit.masking.decisions import (
    MAXIMUM_NAME,
    PATTERN_CONTEXT,
    REFERENCE,
    NamePatterns,
    Verdict,
    rule_for,
    segments_of,
    verdict_on,
)
from toolkit.masking.names import Literal, normalise, word_set
from toolkit.masking.secret import HIDDEN, Secret

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

_OPTION = re.compile(r"--?[A-Za-z][\w-]{0,62}")
_JSON = re.compile(r'[\s\ufeff]*(\{.*\}|\[.*\]|".*")[\s\ufeff]*', re.DOTALL)
_OPENINGS: Final = frozenset('{["\ufeff')
_URL_PASSWORD: Final = re.compile(r"(://[^\s/?#:@\"']*:)([^\s/?#\"']+)@")
_BARE: Final = {int, float, bool, type(None), Literal}
_SEQUENCES: Final = (list, tuple, set, frozenset)


class Place(NamedTuple):
    """A value, what its names say about it, and the names above what lies in it."""

    value: Any
    verdicts: tuple[Verdict, ...] = ()
    path: tuple[str, ...] = ()
    is_pair: bool = False


@dataclass(slots=True)
class _Frame:
    """A container that is being looked into."""

    place: Place
    parts: Iterator[Place]
    rebuild: Callable[[list[Any]], Any]
    results: list[Any] = field(default_factory=list)
    changed: bool = False

    def take(self, original: object, result: Any) -> None:
        self.results.append(result)
        self.changed = self.changed or result is not original


class _Plan(NamedTuple):
    """What the keys of an object alone decide: for each, what hides it, and the names above what lies in it."""

    may_be_record: bool
    verdicts: tuple[tuple[Verdict, ...], ...]
    below: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=8192)
def _plan(policy: NamePatterns, path: tuple[str, ...], names: tuple[str, ...], kept: int) -> _Plan:
    # Records of one kind have the same keys: this is worked out once for all of them.
    verdicts = (verdict_on(policy, path, name) for name in names)
    return _Plan(
        any(_field(name) in VALUE_FIELDS for name in names),
        tuple((verdict,) if verdict.rule.hides else () for verdict in verdicts),
        tuple(_kept_below(path, name, kept) for name in names),
    )


def stands_alone(policy: NamePatterns, above: tuple[str, ...], key: str) -> bool:
    """Tell whether a key decides the same whatever stands beside it in its object."""
    known = _field(key)
    if known in VALUE_FIELDS:
        return False
    return known not in NAME_FIELDS or verdict_on(policy, above, key) == verdict_on(policy, (), key)


def _kept_below(path: tuple[str, ...], name: str, kept: int) -> tuple[str, ...]:
    return (*path, *segments_of(name))[-kept:]


class Masker:
    """Walks through one value with a stack of its own, since Python's is short."""

    def __init__(self, policy: NamePatterns) -> None:
        self._policy = policy
        # Without patterns only the name directly above can matter.
        self._kept = PATTERN_CONTEXT if policy.extra or policy.allow else 1
        self._frames: list[_Frame] = []
        self._open: set[int] = set()
        # One object at many places is looked into once a path; it is kept, so that its id stays its own.
        self._known: dict[tuple[int, tuple[str, ...], bool], tuple[Any, Any]] = {}

    def mask(self, place: Place) -> Any:
        """Return the value with what is secret in it replaced, or the same object when nothing is."""
        outer = _Frame(Place(None), iter((place,)), lambda results: results[0])
        self._frames.append(outer)
        while True:
            frame = self._frames[-1]
            part = next(frame.parts, None)
            if part is not None:
                self._enter(frame, part)
            elif frame is outer:
                return outer.results[0]
            else:
                self._leave(frame)

    def _enter(self, frame: _Frame, part: Place) -> None:
        value = part.value
        if not part.verdicts and (type(value) in _BARE or _is_harmless_text(value)):
            frame.take(value, value)
        elif isinstance(value, Secret) or any(rule_for(verdict, value).hides for verdict in part.verdicts):
            frame.take(value, value if isinstance(value, str) and value == HIDDEN else HIDDEN)
        elif (known := self._known.get((id(value), part.path, part.is_pair))) is not None:
            frame.take(value, known[1])
        elif (opened := self._opened(part)) is None:
            frame.take(value, _without_url_passwords(value))
        elif len(self._frames) > MAXIMUM_LEVELS or id(value) in self._open:
            frame.take(value, HIDDEN)
        else:
            self._open.add(id(value))
            self._frames.append(opened)

    def _leave(self, frame: _Frame) -> None:
        self._frames.pop()
        value = frame.place.value
        self._open.discard(id(value))
        result = frame.rebuild(frame.results) if frame.changed else value
        self._known[id(value), frame.place.path, frame.place.is_pair] = value, result
        self._frames[-1].take(value, result)

    def _opened(self, place: Place) -> _Frame | None:
        value = place.value
        if isinstance(value, str):
            found = None if isinstance(value, Literal) else _JSON.fullmatch(value)
            return self._text(place, found[1]) if found else None
        if isinstance(value, Mapping):
            keys = list(value)
            return _Frame(place, self._members(place), lambda results: dict(zip(keys, results, strict=True)))
        kind: Any = type(value)
        if isinstance(value, tuple) and hasattr(kind, "_make"):
            members = Place(dict(zip(kind._fields, value, strict=True)), path=place.path)
            return _Frame(place, self._members(members), kind._make)
        if isinstance(value, _SEQUENCES):
            return _Frame(place, self._items(place), next(kind for kind in _SEQUENCES if isinstance(value, kind)))
        return None

    def _members(self, place: Place) -> Iterator[Place]:
        keys = tuple(place.value)
        # A wide object is a table of its own, whose keys no other object shares: it would only fill the cache.
        planned = _plan if len(keys) <= WIDE else _plan.__wrapped__
        plan = planned(self._policy, place.path, tuple(map(str, keys)), self._kept)
        is_record = any(_field(key) in VALUE_FIELDS for key in keys) if plan.may_be_record else False
        named = [verdict_on(self._policy, (), name) for name in _names_in(place.value)] if is_record else []
        hiding_names = tuple(verdict for verdict in named if verdict.rule.hides)
        for key, verdicts, below in zip(keys, plan.verdicts, plan.below, strict=True):
            if is_record and _field(key) in NAME_FIELDS:
                # The column `key` of a table of variables holds names, whatever stands above the table.
                own = verdict_on(self._policy, (), str(key))
                verdicts = (own,) if own.rule.hides else ()  # noqa: PLW2901 - the one exception
            if is_record and _field(key) in VALUE_FIELDS:
                verdicts = (*hiding_names, *verdicts)  # noqa: PLW2901 - likewise
            yield Place(place.value[key], verdicts, below)

    def _items(self, place: Place) -> Iterator[Place]:
        values = list(place.value)
        if place.is_pair:
            yield Place(values[0], path=place.path)
            yield Place(values[1], (verdict_on(self._policy, (), values[0]),), self._below(place.path, values[0]))
            return
        pairs = bool(values) and all(_may_be_pair(value) for value in values)
        for before, value in zip([None, *values], values, strict=False):
            option = isinstance(before, str) and isinstance(value, str | Literal) and _OPTION.fullmatch(before)
            verdicts = (verdict_on(self._policy, (), str(before)),) if option and not str(value).startswith("-") else ()
            yield Place(value, verdicts, place.path, is_pair=pairs)

    def _text(self, place: Place, text: str) -> _Frame | None:
        try:
            parsed = _parse(text)
        except RecursionError:
            return _Frame(place, iter((Place(Secret(None)),)), lambda _: HIDDEN)
        except ValueError:
            return None
        return _Frame(place, iter((Place(parsed, path=place.path),)), lambda results: _encode(results[0], like=text))

    def _below(self, path: tuple[str, ...], name: str) -> tuple[str, ...]:
        return _kept_below(path, name, self._kept)


def _is_harmless_text(value: object) -> bool:
    """Tell whether a value is text that can be no JSON and hold no URL, without looking closer."""
    if type(value) is not str:
        return False
    return not value or (value[0] not in _OPENINGS and not value[0].isspace() and "://" not in value)


def _without_url_passwords(value: Any) -> Any:
    """Hide the password of every URL in a text, up to the last `@` before its path; host and user stay readable."""
    if not isinstance(value, str) or "://" not in value:
        return value
    hidden = _URL_PASSWORD.sub(_hide_password, value)
    return value if hidden == value else hidden


def _hide_password(found: re.Match[str]) -> str:
    return found[0] if REFERENCE.fullmatch(found[2]) else f"{found[1]}{HIDDEN}@"


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
    return _small(key) if isinstance(key, str) and len(key) <= 40 else ""  # noqa: PLR2004


@lru_cache(maxsize=4096)
def _small(key: str) -> str:
    return re.sub(r"[\W_]", "", normalise(key)).casefold()


def _may_be_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004


class _Repeated(str):
    """A key that stands in its object more than once; each is a key of its own."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _parse(text: str) -> Any:
    options: dict[str, Any] = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), Literal)
    return json.loads(text, strict=False, object_pairs_hook=_object, **options)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else {_Repeated(key): value for key, value in pairs}


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
