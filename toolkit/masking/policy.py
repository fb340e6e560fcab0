"""The masking policy: a frozen value that decides what is hidden, and hides it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import DataWarning, InvalidOption, InvalidPattern
from toolkit.masking.decisions import (
    ColumnDecision,
    Rule,
    Rulebook,
    Verdict,
    decide_column,
    rule_for,
    rulebook,
    segments_of,
    verdict_on,
)
from toolkit.masking.places import Place, Shape, hide_at, places_of
from toolkit.masking.secret import HIDDEN
from toolkit.masking.shapes import exempting
from toolkit.masking.structure import Masker, stands_alone
from toolkit.masking.sweep import Sweep, is_swept, texts_in
from toolkit.masking.texts import NOISE, find_spans, is_quiet
from toolkit.masking.trigger import TEXT_TRIGGER, TRIGGER, own_trigger

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a hostile or broken object of the caller's can raise while it is looked at.
_FAILURES: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class MaskingPolicy:
    r"""Decides what is a secret, by names, by values and by the texts that hold both, and replaces it by `[hidden]`.

    Parameters
    ----------
    extra : tuple of str, default ()
        Names always hidden, `*` and `?` as wildcards, in any case: a name, or a path such as `vars.customer_no`.
    allow : tuple of str, default ()
        Names never hidden for their name, written the same way; what lies inside them is still judged.
    rules : mapping of str to str, default {}
        Regular expressions, each with a name for `explain`. What they match in any text is hidden: the groups when
        there are some, else all of it.
    hide_paths : tuple of str, default ()
        Places hidden whole, whatever they hold: paths from the top of a document, or keys of variables, with the same
        wildcards, upper and lower case apart.

    Raises
    ------
    InvalidPattern
        For an empty name or path, and for a rule that is no regular expression or matches the empty text.
    InvalidOption
        When an option is one text instead of several.

    Examples
    --------
    >>> policy = MaskingPolicy(extra=("customer_*",), allow=("session",), rules={"account": r"\bACC-[0-9]+"})
    >>> policy.mask({"customer_no": 17, "session": "morning", "db": {"password": "FAKE-not-real"}, "note": "see ACC-9"})
    {'customer_no': '[hidden]', 'session': 'morning', 'db': {'password': '[hidden]'}, 'note': 'see [hidden]'}
    """

    extra: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    rules: Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    hide_paths: tuple[str, ...] = ()
    _sweep: Sweep | None = field(default=None, init=False, repr=False)
    _book: Rulebook = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for option in ("extra", "allow", "hide_paths"):
            names = getattr(self, option)
            if isinstance(names, str):
                raise InvalidOption(f"{option} takes several names: {option}=({names!r},)")
            if not all(isinstance(name, str) and name for name in names):
                raise InvalidPattern(f"every name in {option} is text that is not empty")
            object.__setattr__(self, option, tuple(names))
        rules = _checked_rules(self.rules)
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "_book", rulebook(self.extra, self.allow, self.hide_paths, rules))

    def __reduce__(self) -> tuple[Any, ...]:
        if self._sweep is not None:
            raise TypeError("a policy that sweeps holds secrets, so it cannot be pickled")
        return MaskingPolicy, (self.extra, self.allow, self.rules, self.hide_paths)

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
        return verdict_on(self._book, (), name).rule.hides

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
        return rule_for(verdict_on(self._book, (), name), value).hides

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
        return self._walked(value, name, None)

    def mask_and_find(self, value: Any, name: str | None = None) -> tuple[Any, frozenset[str]]:
        """Do what `mask` and `sensitive_texts` do, in one walk.

        Parameters
        ----------
        value : Any
            A value as `mask` takes it.
        name : str, optional
            The value's name, or its path.

        Returns
        -------
        Any
            What `mask` returns.
        frozenset of str
            What `sensitive_texts` returns.

        Examples
        --------
        >>> MaskingPolicy().mask_and_find({"password": "FAKE-not-real-1"})
        ({'password': '[hidden]'}, frozenset({'FAKE-not-real-1'}))
        """
        found: list[Any] = []
        return self._walked(value, name, found), frozenset(texts_in(found))

    def _walked(self, value: Any, name: str | None, found: list[Any] | None) -> Any:
        named: tuple[Verdict, ...] = ()
        path: tuple[str, ...] = ()
        if name is not None:
            named, path = (verdict_on(self._book, (), name),), segments_of(name)
        try:
            return Masker(self._book, self._sweep, found).mask(value, named, path)
        except _FAILURES as error:
            return _hidden_for("a value" if name is None else f"the value of {name!r}", error)

    def places(self, shape: Shape, *, of_places: bool = False) -> tuple[Place, ...] | None:
        """Return what decides at the places of documents that have the same keys.

        Parameters
        ----------
        shape : dict of str to shape
            The keys of the documents, and below each the keys of the objects there; empty where values are.
        of_places : bool, default False
            Whether the keys at the top are the paths of places, which decide alone.

        Returns
        -------
        tuple of Place or None
            Each with all that lies in it where `whole`, else by itself. None when documents must be looked at whole.

        Examples
        --------
        >>> found = MaskingPolicy().places({"vars": {"api_token": {}, "label": {}}})
        >>> [(".".join(place.keys), place.verdict is not None) for place in found]
        [('vars', False), ('vars.label', False), ('vars.api_token', True)]
        """
        return places_of(self._book, self._sweep, shape, of_places=of_places)

    def mask_at(self, place: Place, value: Any, found: set[str]) -> Any:
        """Do what `mask` does for a whole document, for the value at one of its places.

        Parameters
        ----------
        place : Place
            As `places` gives it.
        value : JSON value
            What lies there.
        found : set of str
            Filled with what `sensitive_texts` returns.

        Returns
        -------
        JSON value
            The same object when nothing was hidden.

        Warns
        -----
        DataWarning
            When it cannot be looked at; it is hidden then.

        Examples
        --------
        >>> policy, found = MaskingPolicy(), set()
        >>> place = next(place for place in policy.places({"vars": {"api_token": {}}}) if place.verdict)
        >>> policy.mask_at(place, "FAKE-not-real-1", found), found
        ('[hidden]', {'FAKE-not-real-1'})
        """
        try:
            return hide_at(self._book, self._sweep, place, value, found)
        except _FAILURES as error:
            return _hidden_for(f"a value of {place.keys[-1]!r}", error)

    def is_quiet(self, value: Any) -> bool:
        """Tell by one quick look that nothing is hidden in a value, unless for a name above it.

        Parameters
        ----------
        value : JSON value
            As `mask_at` takes it.

        Returns
        -------
        bool
            False does not say that something is.

        Examples
        --------
        >>> [MaskingPolicy().is_quiet(value) for value in ("two boxes short", 17, "password=FAKE-not-real", ["x"])]
        [True, True, False, True]
        """
        if type(value) is str:
            return not self.rules and is_quiet(value) and (self._sweep is None or not self._sweep.may_stand_in(value))
        if type(value) is list:
            # An option says what the next text is.
            return all(type(one) is str and one[:1] != "-" and self.is_quiet(one) for one in value)
        return isinstance(value, int | float)

    @property
    def noise(self) -> str | None:
        """A regular expression without which `is_quiet` is true of a text; None where nobody can say."""
        return None if self.rules or self._sweep is not None else NOISE

    def sweep_text(self, text: str) -> str:
        """Do what `mask_text` does, for a text in which nothing is secret but what is swept."""
        return text if self._sweep is None or not self._sweep.may_stand_in(text) else self.mask_text(text)

    def mask_text(self, text: str) -> str:
        """Return a text with what is secret in it replaced: by the look of its parts, and by JSON in it.

        Parameters
        ----------
        text : str
            One text that no name stands above, such as an error message or a record id.

        Returns
        -------
        str
            The same object when nothing was hidden.

        Warns
        -----
        DataWarning
            When it cannot be looked at; it is hidden then.

        Examples
        --------
        >>> MaskingPolicy().mask_text("login failed: password=FAKE-not-real host=db")
        'login failed: password=[hidden] host=db'
        """
        return str(self.mask(text)) if type(text) is not str else self.mask(text)

    @property
    def trigger(self) -> str | None:
        """A regular expression that JSON text matches, in either case, wherever something in it could be hidden.

        RE2 and Python read it alike. None when the policy has rules that it cannot stand for, so that every text must
        be looked at.
        """
        return self._trigger(TRIGGER)

    @property
    def text_trigger(self) -> str | None:
        """The same for one text by itself that is no name: `mask_text` returns as it is what does not match."""
        return self._trigger(TEXT_TRIGGER)

    def _trigger(self, built_in: str) -> str | None:
        own = None if self.rules else own_trigger(self.extra, self.hide_paths)
        if own is None:
            return None
        return "|".join(part for part in (built_in, own, self.sweep_trigger) if part)

    def stands_alone(self, segments: Sequence[str]) -> bool:
        """Tell whether what is hidden at a place depends on nothing but the names on the way to it.

        An object can name a secret in one member and hold it in another, as `{"name": …, "value": …}` does; then the
        object must be looked at whole. So must an object that can be metadata as a whole, as `token_usage` is.

        Parameters
        ----------
        segments : sequence of str
            The keys on the way, from the top of the document.

        Returns
        -------
        bool

        Examples
        --------
        >>> policy = MaskingPolicy()
        >>> policy.stands_alone(["fields", "subject"]), policy.stands_alone(["fields", "header", "value"])
        (True, False)
        """
        last = len(segments) - 1
        return all(
            stands_alone(self._book, tuple(segments[:index]), key, is_last=index == last)
            for index, key in enumerate(segments)
        )

    def column(self, segments: Sequence[str]) -> ColumnDecision:
        """Decide once about all values at one place of many documents, by the names on the way to it.

        Parameters
        ----------
        segments : sequence of str
            The keys on the way, from the top of the document, or one key of a variable.

        Returns
        -------
        ColumnDecision
            Where `stands_alone(segments)`, what `mask` decides for a whole document. It says nothing about what lies
            inside a text or an array.

        Examples
        --------
        >>> column = MaskingPolicy().column(["vars", "token_count"])
        >>> column.never, column.hides(1532), column.hides("FAKE-not-a-real-value")
        (False, False, True)
        """
        return decide_column(self._book, tuple(segments))

    def sensitive_texts(self, value: Any, name: str | None = None) -> frozenset[str]:
        """Return the texts in a value that are secret by a name, as far as they are worth removing everywhere.

        Parameters
        ----------
        value : Any
            A value as `mask` takes it.
        name : str, optional
            The value's name, or its path.

        Returns
        -------
        frozenset of str
            Whole texts of at least 8 characters that are no common word.

        Examples
        --------
        >>> sorted(MaskingPolicy().sensitive_texts({"password": "FAKE-not-real-1", "pin": "short", "n": "FAKE-2"}))
        ['FAKE-not-real-1']
        """
        return self.mask_and_find(value, name)[1]

    @property
    def sweep_trigger(self) -> str | None:
        """A regular expression without which none of the texts that are swept stands in a text; None without any."""
        return None if self._sweep is None else self._sweep.trigger

    def sweeping(self, texts: Iterable[str]) -> MaskingPolicy:
        """Return a policy that also removes texts that are known to be secret, wherever they stand as whole tokens.

        Parameters
        ----------
        texts : iterable of str
            Such as `sensitive_texts` returns them. Those of fewer than 8 characters and common words are left out.

        Returns
        -------
        MaskingPolicy
            The same policy when nothing is left. It does not show the texts, is equal to itself alone and cannot be
            pickled.

        Examples
        --------
        >>> policy = MaskingPolicy().sweeping(["FAKE-not-real-1"])
        >>> policy.mask({"note": "sent FAKE-not-real-1 again", "id": "FAKE-not-real-17"})
        {'note': 'sent [hidden] again', 'id': 'FAKE-not-real-17'}
        """
        worth = {text for text in texts if is_swept(text)}
        if not worth:
            return self
        swept = MaskingPolicy(self.extra, self.allow, self.rules, self.hide_paths)
        object.__setattr__(swept, "_sweep", Sweep(worth, self._sweep))
        return swept

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
        verdict = verdict_on(self._book, (), name)
        rule = rule_for(verdict, value)
        proof = exempting(verdict.finding, value) if rule is Rule.METADATA and verdict.finding else None
        word, shape = proof or ("", None)
        text = str(rule.value[1]).format(words=str(verdict.finding), word=word, shape=shape)
        if not rule.hides and self.mask(value, name) is not value:
            kinds = sorted({span.what for span in find_spans(self._book, value)}) if isinstance(value, str) else []
            text += (
                f"; inside it, {' and '.join(kinds)} is hidden" if kinds else "; what is sensitive inside it is hidden"
            )
        return f"{name} is {text}."


def _hidden_for(what: str, error: Exception) -> str:
    warnings.warn(f"{what} could not be looked at ({type(error).__name__}); it is hidden", DataWarning, stacklevel=4)
    return HIDDEN


def _checked_rules(rules: object) -> tuple[tuple[str, str], ...]:
    if isinstance(rules, Mapping):
        rules = rules.items()
    if isinstance(rules, str) or not isinstance(rules, Iterable):
        raise InvalidOption('rules takes names and regular expressions: rules={"account": r"ACC-[0-9]+"}')
    checked = []
    for pair in rules:
        name, text = pair if isinstance(pair, tuple) and len(pair) == 2 else (None, None)  # noqa: PLR2004 - a length that stands once
        if not isinstance(name, str) or not isinstance(text, str):
            raise InvalidOption('rules takes names and regular expressions: rules={"account": r"ACC-[0-9]+"}')
        checked.append((name, _checked_rule(name, text)))
    return tuple(checked)


def _checked_rule(name: str, text: str) -> str:
    try:
        matches_nothing = re.compile(text).search("") is not None
    except re.error as error:
        raise InvalidPattern(f"the rule {name!r} is no regular expression: {error}") from None
    if matches_nothing:
        raise InvalidPattern(f"the rule {name!r} matches the empty text, so it would match anywhere")
    return text
