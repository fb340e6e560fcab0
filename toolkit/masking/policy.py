"""The masking policy: a frozen value that decides what is hidden, and hides it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import DataWarning, InvalidOption, InvalidPattern
from toolkit.masking.decisions import Rule, rule_for, segments_of, verdict_on
from toolkit.masking.names import exempting
from toolkit.masking.secret import HIDDEN
from toolkit.masking.structure import Masker, Place, stands_alone
from toolkit.masking.trigger import TRIGGER

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a hostile or broken object of the caller's can raise while it is looked at.
_FAILURES: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


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
        return verdict_on(self, (), name).rule.hides

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
        return rule_for(verdict_on(self, (), name), value).hides

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
        named, path = ((), ()) if name is None else ((verdict_on(self, (), name),), segments_of(name))
        try:
            return Masker(self).mask(Place(value, named, path))
        except _FAILURES as error:
            reason = type(error).__name__
        what = "a value" if name is None else f"the value of {name!r}"
        warnings.warn(f"{what} could not be looked at ({reason}); it is hidden", DataWarning, stacklevel=2)
        return HIDDEN

    @property
    def trigger(self) -> str | None:
        """A regular expression that JSON text matches, in either case, wherever something in it could be hidden.

        None when the policy has names of its own, so that every text must be looked at.
        """
        return None if self.extra else TRIGGER

    def stands_alone(self, segments: Sequence[str]) -> bool:
        """Tell whether what is hidden at a place depends on nothing but the names on the way to it.

        An object can name a secret in one member and hold it in another, as `{"name": …, "value": …}` does; then the
        object must be looked at whole.

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
        return all(stands_alone(self, tuple(segments[:index]), key) for index, key in enumerate(segments))

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
        verdict = verdict_on(self, (), name)
        rule = rule_for(verdict, value)
        proof = exempting(verdict.finding, value) if rule is Rule.METADATA and verdict.finding else None
        word, shape = proof or ("", None)
        text = str(rule.value[1]).format(words=str(verdict.finding), word=word, shape=shape)
        if not rule.hides and self.mask(value, name) is not value:
            text += "; what is sensitive inside it is hidden"
        return f"{name} is {text}."
