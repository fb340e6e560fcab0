"""Secrets in cells as people type them: handed to a call beside their name, set by a magic, told in a sentence.

In the texts of a workflow these would hide too much; in a notebook that is about to be shared they are worth a look.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.masking.locating import Place
from toolkit.masking.names import find_sensitive
from toolkit.masking.tokens import looks_drawn
from toolkit.masking.values import Value, is_shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.masking import MaskingPolicy

_TOLD = re.compile(
    r"(?P<quote>[\"'])(?P<argument>[\w.$@ -]{2,80})(?P=quote)[ \t]*+,[ \t]*+[rbuf]?(?P<mark>[\"'])"
    r"(?P<given>[^\"'\r\n\\]{6,512}+)(?P=mark)"
    r"|^[ \t]*+%(?:set_)?env[ \t]++(?P<variable>\w{2,80}+)[ \t]++(?P<set>[^\s=]\S{5,511}+)"
    r"|\b(?P<said>pass(?:word|wd|phrase|code)|secret|token|credentials?|api[ _-]?key|pin)[ \t]++(?:is|was|reads)"
    r"[ \t:]{1,4}[\"'`*_(]{0,4}(?P<word>[^\s\"'`<>()\[\]{}*]{6,255}+)",
    re.MULTILINE | re.IGNORECASE,
)
_NAMES: Final = (("argument", "given"), ("variable", "set"), ("said", "word"))
_LEAST: Final = 6
_LOOK_BACK: Final = 200


def in_code(policy: MaskingPolicy, text: str) -> Iterator[Place]:
    """Find secrets that stand beside their name without a sign between them.

    Parameters
    ----------
    policy : MaskingPolicy
        Decides by names. A value must look like no word as well.
    text : str
        The source of a cell.

    Yields
    ------
    Place

    Examples
    --------
    >>> from toolkit.masking import MaskingPolicy
    >>> text = "service.set_variable('nightly', 'api_token', 'FAKE-not-real-1')"
    >>> [place.secret for place in in_code(MaskingPolicy(), text)]
    ['FAKE-not-real-1']
    """
    position = 0
    while found := _TOLD.search(text, position):
        name, value = next(pair for pair in _NAMES if found[pair[0]])
        # An argument may be the name of the next one.
        position = found.start(value) - 1 if value == "given" else found.end()
        secret = found[value].rstrip(".,;:!?")
        if value == "given" and not _is_argument(text, found.start()):
            continue
        if _tells(policy, found[name], secret):
            position = found.end()
            start = found.start(value)
            yield Place(start, start + len(secret), f"the value of {found[name]!r}", secret)


def _is_argument(text: str, place: int) -> bool:
    """Tell whether the nearest bracket that is open before a place is that of a call, and not that of a list."""
    depth = 0
    for sign in reversed(text[max(0, place - _LOOK_BACK) : place]):
        if sign in ")]}":
            depth += 1
        elif sign in "([{":
            if not depth:
                return sign == "("
            depth -= 1
    return False


def _tells(policy: MaskingPolicy, name: str, text: str) -> bool:
    value = Value(0, len(text), text, quoted=True)
    is_name = re.fullmatch(r"[A-Za-z_][\w.]*", text) is not None and find_sensitive(text) is not None
    return (
        policy.is_sensitive_name(name)
        and policy.hides(name, text)
        and not is_name
        and not is_shown(value)
        and looks_drawn(text, least=_LEAST)
    )
