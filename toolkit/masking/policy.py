"""What is hidden: a name and its value are judged together, and every place inside a value is reached."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from toolkit import columns
from toolkit.errors import DataWarning, InvalidOption, InvalidPattern
from toolkit.masking.names import Finding, Literal, exempting, find_sensitive, is_plain, normalise, word_set
from toolkit.masking.secret import HIDDEN, Secret

MAXIMUM_LEVELS: Final = 1000
"""Levels of nesting that are looked into; what lies deeper is hidden."""

MAXIMUM_NAME: Final = 255
"""Characters of a name; longer text is a sentence or data."""

WIDE: Final = 200
"""Keys of an object above which what they decide is not kept."""

PATTERN_CONTEXT: Final = 16
"""Names above a place that a policy's own patterns can be about."""

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

_REFERENCE = re.compile(
    r"(?:(?:Bearer|Basic|Token) )?=?(?:\$\{([A-Za-z_][\w.]*)\}|\$?\{\{-?\s*(\$?[A-Za-z_][\w.$-]*?)\s*-?\}\})"
)
_SEGMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|[^.]+')
_OPTION = re.compile(r"--?[A-Za-z][\w-]{0,62}")
_JSON = re.compile(r'[\s\ufeff]*(\{.*\}|\[.*\]|".*")[\s\ufeff]*', re.DOTALL)
_OPENINGS: Final = frozenset('{["\ufeff')
_URL_PASSWORD: Final = re.compile(r"(://[^\s/?#:@\"']*:)([^\s/?#\"']+)@")
_BARE: Final = {int, float, bool, type(None), Literal}
_SEQUENCES: Final = (list, tuple, set, frozenset)
# What a hostile or broken object of the caller's can raise while it is looked at.
_FAILURES: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class _Rule(Enum):
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
        return bool(self.value[0])


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a name alone decides."""

    rule: _Rule
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class MaskingPolicy:
    """Decides what is a secret, by names and by the values under them, and replaces secrets by `[hidden]`.

    Parameters
    ----------
    extra : tuple of str, default ()
        Names always hidden, `*` and `?` as wildcards, in any case: a name, or a path such as `vars.customer_no`.
    allow : tuple of str, default ()
        Names never hidden for their name, written the same way; what lies inside them is still judged.

    Raises
    ------
    InvalidPattern
        For an empty name.
    InvalidOption
        When `extra` or `allow` is one text instead of several.

    Examples
    --------
    >>> policy = MaskingPolicy(extra=("customer_*",), allow=("session",))
    >>> policy.mask({"customer_no": 17, "session": "morning", "db": {"password": "FAKE-not-real"}, "n": 1})
    {'customer_no': '[hidden]', 'session': 'morning', 'db': {'password': '[hidden]'}, 'n': 1}
    """

    extra: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option in ("extra", "allow"):
            names = getattr(self, option)
            if isinstance(names, str):
                raise InvalidOption(f"{option} takes several names: {option}=({names!r},)")
            if not all(isinstance(name, str) and name for name in names):
                raise InvalidPattern(f"every name in {option} is text that is not empty")
            object.__setattr__(self, option, tuple(names))

    def is_sensitive_name(self, name: str) -> bool:
        """Tell whether a name is sensitive, by its words alone.

        Parameters
        ----------
        name : str
            A name, or a path such as `vars.smtp.password`.

        Returns
        -------
        bool

        Examples
        --------
        >>> policy = MaskingPolicy()
        >>> [policy.is_sensitive_name(name) for name in ("dbPassword", "monkey", "fields.api.key")]
        [True, False, True]
        """
        return _verdict(self, (), name).rule.hides

    def hides(self, name: str, value: object) -> bool:
        """Tell whether a value of that name is hidden as a whole.

        Parameters
        ----------
        name : str
            A name, or a path such as `vars.smtp.password`.
        value : object
            The value under it. Unset values, booleans and references such as `${DB_PASSWORD}` stay visible, and so do
            values whose name and form both say that they are metadata.

        Returns
        -------
        bool
            False does not say that nothing inside the value is hidden: see `mask`.

        Examples
        --------
        >>> policy = MaskingPolicy()
        >>> policy.hides("token_count", 1532), policy.hides("token_count", "FAKE-not-a-real-value")
        (False, True)
        """
        return _rule(_verdict(self, (), name), value).hides

    def mask(self, value: Any, name: str | None = None) -> Any:
        """Return the value with its secrets replaced by `[hidden]`.

        Parameters
        ----------
        value : Any
            A value as JSON has them, tuples and sets allowed, nested to any depth. It is never changed. Text that is
            JSON is looked into.
        name : str, optional
            The value's name, or its path.

        Returns
        -------
        Any
            The same object when nothing was hidden. What lies below 1,000 levels, or closes a circle, is hidden.

        Warns
        -----
        DataWarning
            When a value cannot be looked at; it is hidden then.

        Examples
        --------
        >>> MaskingPolicy().mask([{"name": "DB_PASSWORD", "value": "FAKE-not-real"}, {"name": "LANG", "value": "C"}])
        [{'name': 'DB_PASSWORD', 'value': '[hidden]'}, {'name': 'LANG', 'value': 'C'}]
        >>> MaskingPolicy().mask('{"password": "FAKE-not-real", "n": 1.10}')
        '{"password": "[hidden]", "n": 1.10}'
        """
        named, path = ((), ()) if name is None else ((_verdict(self, (), name),), _segments(name))
        try:
            return _Masker(self).mask(_Place(value, named, path))
        except _FAILURES as error:
            reason = type(error).__name__
        what = "a value" if name is None else f"the value of {name!r}"
        warnings.warn(f"{what} could not be looked at ({reason}); it is hidden", DataWarning, stacklevel=2)
        return HIDDEN

    def explain(self, name: str, value: object) -> str:
        """Say in one sentence which rule hides or shows a value. The value itself is not told.

        Parameters
        ----------
        name : str
            A name, or a path such as `vars.smtp.password`.
        value : object
            The value under it.

        Returns
        -------
        str

        Examples
        --------
        >>> print(MaskingPolicy().explain("token_count", 1532))
        token_count is shown: the name holds 'token', but also 'count', and the value is a number.
        """
        verdict = _verdict(self, (), name)
        rule = _rule(verdict, value)
        proof = exempting(verdict.finding, value) if rule is _Rule.METADATA and verdict.finding else None
        word, shape = proof or ("", None)
        text = str(rule.value[1]).format(words=str(verdict.finding), word=word, shape=shape)
        if not rule.hides and self.mask(value, name) is not value:
            text += "; what is sensitive inside it is hidden"
        return f"{name} is {text}."


def _rule(verdict: _Verdict, value: object) -> _Rule:
    if _is_unset(value):
        return _Rule.UNSET
    if not verdict.rule.hides:
        return verdict.rule
    if (
        isinstance(value, str)
        and (found := _REFERENCE.fullmatch(value.strip()))
        and is_plain((found[1] or found[2]).lstrip("$"))
    ):
        return _Rule.REFERENCE
    if verdict.rule is _Rule.EXTRA:
        return _Rule.EXTRA
    if isinstance(value, bool):
        return _Rule.BOOLEAN
    exempt = verdict.rule is _Rule.WORD and verdict.finding is not None and exempting(verdict.finding, value)
    return _Rule.METADATA if exempt else verdict.rule


def _is_unset(value: object) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str | bytes | list | tuple | set | frozenset | dict) and not value


def _verdict(policy: MaskingPolicy, above: tuple[str, ...], name: str) -> _Verdict:
    # Longer text is no name; its ends are judged, so that a cache of names stays small.
    return _decide(
        policy, above, name if len(name) <= 2 * MAXIMUM_NAME else f"{name[:MAXIMUM_NAME]} {name[-MAXIMUM_NAME:]}"
    )


@lru_cache(maxsize=16_384)
def _decide(policy: MaskingPolicy, above: tuple[str, ...], name: str) -> _Verdict:
    segments = _segments(name)
    if above or len(segments) < 2 or segments[0] not in columns.PARTS:  # noqa: PLR2004
        return _decide_one(policy, above, name, segments)
    # A path in a record's document: what lies below a sensitive name is hidden without a second look.
    for index, segment in enumerate(segments):
        verdict = _decide_one(policy, segments[:index], segment, (segment,))
        if verdict.rule.hides or index == len(segments) - 1:
            last = index == len(segments) - 1
            return verdict if last or verdict.rule is _Rule.EXTRA else _Verdict(_Rule.ABOVE, verdict.finding)
    raise AssertionError("a path has at least one segment")


def _decide_one(policy: MaskingPolicy, above: tuple[str, ...], name: str, segments: tuple[str, ...]) -> _Verdict:
    chain = (*above[-PATTERN_CONTEXT:], *segments)
    own = len(chain) - len(segments)
    whole = {name, *(".".join(chain[start:]) for start in range(own + 1))}
    parts = {".".join(chain[start:end]) for end in range(own + 1, len(chain) + 1) for start in range(end)}
    if _matches(policy.extra, whole | parts):
        return _Verdict(_Rule.EXTRA)
    judged = [segment for segment in segments if not _matches(policy.allow, {segment})]
    if not judged or _matches(policy.allow, whole):
        return _Verdict(_Rule.ALLOWED)
    finding = find_sensitive(".".join(judged), above="".join(above[-1:]))
    return _Verdict(_Rule.WORD, finding) if finding else _Verdict(_Rule.ORDINARY)


def _segments(name: str) -> tuple[str, ...]:
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


class _Place(NamedTuple):
    """A value, what its names say about it, and the names above what lies in it."""

    value: Any
    verdicts: tuple[_Verdict, ...] = ()
    path: tuple[str, ...] = ()
    is_pair: bool = False


@dataclass(slots=True)
class _Frame:
    """A container that is being looked into."""

    place: _Place
    parts: Iterator[_Place]
    rebuild: Callable[[list[Any]], Any]
    results: list[Any] = field(default_factory=list)
    changed: bool = False

    def take(self, original: object, result: Any) -> None:
        self.results.append(result)
        self.changed = self.changed or result is not original


class _Plan(NamedTuple):
    """What the keys of an object alone decide: for each, what hides it, and the names above what lies in it."""

    may_be_record: bool
    verdicts: tuple[tuple[_Verdict, ...], ...]
    below: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=8192)
def _plan(policy: MaskingPolicy, path: tuple[str, ...], names: tuple[str, ...], kept: int) -> _Plan:
    # Records of one kind have the same keys: this is worked out once for all of them.
    verdicts = (_verdict(policy, path, name) for name in names)
    return _Plan(
        any(_field(name) in VALUE_FIELDS for name in names),
        tuple((verdict,) if verdict.rule.hides else () for verdict in verdicts),
        tuple(_kept_below(path, name, kept) for name in names),
    )


def _kept_below(path: tuple[str, ...], name: str, kept: int) -> tuple[str, ...]:
    return (*path, *_segments(name))[-kept:]


class _Masker:
    """Walks through one value with a stack of its own, since Python's is short."""

    def __init__(self, policy: MaskingPolicy) -> None:
        self._policy = policy
        # Without patterns only the name directly above can matter.
        self._kept = PATTERN_CONTEXT if policy.extra or policy.allow else 1
        self._frames: list[_Frame] = []
        self._open: set[int] = set()
        # One object at many places is looked into once a path; it is kept, so that its id stays its own.
        self._known: dict[tuple[int, tuple[str, ...], bool], tuple[Any, Any]] = {}

    def mask(self, place: _Place) -> Any:
        outer = _Frame(_Place(None), iter((place,)), lambda results: results[0])
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

    def _enter(self, frame: _Frame, part: _Place) -> None:
        value = part.value
        if not part.verdicts and (type(value) in _BARE or _is_harmless_text(value)):
            frame.take(value, value)
        elif isinstance(value, Secret) or any(_rule(verdict, value).hides for verdict in part.verdicts):
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

    def _opened(self, place: _Place) -> _Frame | None:
        value = place.value
        if isinstance(value, str):
            found = None if isinstance(value, Literal) else _JSON.fullmatch(value)
            return self._text(place, found[1]) if found else None
        if isinstance(value, Mapping):
            keys = list(value)
            return _Frame(place, self._members(place), lambda results: dict(zip(keys, results, strict=True)))
        kind: Any = type(value)
        if isinstance(value, tuple) and hasattr(kind, "_make"):
            members = _Place(dict(zip(kind._fields, value, strict=True)), path=place.path)
            return _Frame(place, self._members(members), kind._make)
        if isinstance(value, _SEQUENCES):
            return _Frame(place, self._items(place), next(kind for kind in _SEQUENCES if isinstance(value, kind)))
        return None

    def _members(self, place: _Place) -> Iterator[_Place]:
        keys = tuple(place.value)
        # A wide object is a table of its own, whose keys no other object shares: it would only fill the cache.
        planned = _plan if len(keys) <= WIDE else _plan.__wrapped__
        plan = planned(self._policy, place.path, tuple(map(str, keys)), self._kept)
        is_record = any(_field(key) in VALUE_FIELDS for key in keys) if plan.may_be_record else False
        named = [_verdict(self._policy, (), name) for name in _names_in(place.value)] if is_record else []
        hiding_names = tuple(verdict for verdict in named if verdict.rule.hides)
        for key, verdicts, below in zip(keys, plan.verdicts, plan.below, strict=True):
            if is_record and _field(key) in NAME_FIELDS:
                # The column `key` of a table of variables holds names, whatever stands above the table.
                own = _verdict(self._policy, (), str(key))
                verdicts = (own,) if own.rule.hides else ()  # noqa: PLW2901 - the one exception
            if is_record and _field(key) in VALUE_FIELDS:
                verdicts = (*hiding_names, *verdicts)  # noqa: PLW2901 - likewise
            yield _Place(place.value[key], verdicts, below)

    def _items(self, place: _Place) -> Iterator[_Place]:
        values = list(place.value)
        if place.is_pair:
            yield _Place(values[0], path=place.path)
            yield _Place(values[1], (_verdict(self._policy, (), values[0]),), self._below(place.path, values[0]))
            return
        pairs = bool(values) and all(_may_be_pair(value) for value in values)
        for before, value in zip([None, *values], values, strict=False):
            option = isinstance(before, str) and isinstance(value, str | Literal) and _OPTION.fullmatch(before)
            verdicts = (_verdict(self._policy, (), str(before)),) if option and not str(value).startswith("-") else ()
            yield _Place(value, verdicts, place.path, is_pair=pairs)

    def _text(self, place: _Place, text: str) -> _Frame | None:
        try:
            parsed = _parse(text)
        except RecursionError:
            return _Frame(place, iter((_Place(Secret(None)),)), lambda _: HIDDEN)
        except ValueError:
            return None
        return _Frame(place, iter((_Place(parsed, path=place.path),)), lambda results: _encode(results[0], like=text))

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
    return found[0] if _REFERENCE.fullmatch(found[2]) else f"{found[1]}{HIDDEN}@"


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
