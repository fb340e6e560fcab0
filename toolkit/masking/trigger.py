r"""A quick look at text: whether a policy could hide anything in it at all.

Most documents hold nothing that is even near a secret. One pass over their text says so, and they are spared the walk.
It errs on one side only: what it lets pass holds nothing that the walk would hide, and a property test says so.

A sensitive word counts only where a name can stand: before a colon or an equals sign, after a member that holds names,
first in a pair, as an option, in an element. Text may be JSON in JSON, so quotes and line ends may carry backslashes.
"""

from __future__ import annotations

import re
from typing import Final

from toolkit.masking.names import ACROSS_DOTS, ANYWHERE, ENDINGS, FUSED, PHRASES, SENSITIVE, word_set
from toolkit.masking.structure import NAME_FIELDS, SECRET_FLAGS, SECRET_TYPES
from toolkit.masking.tokens import TOKEN_BEGINNINGS

_COLON: Final = "\uff1a"
_GAP: Final = r"(?:\s|\\+[nrtf])*"
"""White space, written plainly or as an escape."""
_CLOSED: Final = word_set("auth key pass pw psw pswd psk otp totp hotp pin mdp senha jwt dsn cred")
"""Short words that others begin with, such as `author`: what follows must be no letter, or a piece that is known."""
_UNLIKE: Final = (
    # Letters that are another way to write one of the alphabet: NFKC and casefold make plain letters of them.
    "\u00aa\u00ba\u0130\u0132\u0133\u013f\u0140\u0149\u017f\u01c4-\u01cc\u01f0-\u01f3\u02b0-\u02b8\u02e0-\u02e4"
    "\u0300-\u036f\u1100-\u11ff\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbf\u1e96-\u1e9a\u2070-\u209c\u20a8\u2100-\u214f\u2160-\u2188\u2460-\u24ff"
    "\u2c7c\u2c7d\u2e80-\u2fd5\u3099\u309a\u3131-\u318e\u3200-\u33ff\ua69c\ua69d\ua770\ua7f2-\ua7f9\uab5c-\uab5f\uab69\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a"
    "\uf900-\ufaff\uff66-\uffdc\U00010780-\U000107ba\U0001d400-\U0001d7ff\U0001e030-\U0001e08f\U0001f100-\U0001f2ff"
)
_UNSEEN: Final = (
    # Characters that show nothing, and are dropped from names.
    "\x01-\x08\x0e-\x1b\u007f-\u0084\u0086-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)


def literal(text: str) -> str:
    """Return an expression for a text in a name; `ß` is a way to write `ss`."""
    return re.escape(text).replace("ss", "(?:ss|ß|ẞ)")


def _open() -> str:
    stems = {*SENSITIVE, *ENDINGS, *ANYWHERE, *SECRET_FLAGS, *SECRET_TYPES, *(pair[0] for pair in ACROSS_DOTS)}
    # A stem that holds a shorter one adds nothing.
    needed = sorted(stem for stem in stems - _CLOSED if not any(other in stem for other in stems - {stem} - _CLOSED))
    phrases = sorted(f"{literal(one)}[^a-z]*{literal(two)}" for one, two in PHRASES)
    # Between letters only: joiners of emoji are as common as they are harmless.
    letter = f"[a-z{chr(0x80)}-{chr(0x10FFFF)}]"
    return "|".join([*map(literal, needed), *phrases, f"(?-i:[{_UNLIKE}])", f"{letter}[{_UNSEEN}]+{letter}"])


_PIECES: Final = "|".join(sorted({piece[:3] for piece in FUSED.split()}))
_CLOSED_WORDS: Final = "|".join(sorted(map(literal, _CLOSED)))
_OPEN: Final = _open()
_FIELDS: Final = "|".join(sorted(NAME_FIELDS | {"type"}))
_QUOTED: Final = r'[^"]*(?:\\"[^"]*)*'
_BEFORE: Final = "|".join(
    [
        rf'(?:{_FIELDS})[\W_]*"{_GAP}:{_GAP}\\*"{_QUOTED}',  # a member that holds a name
        rf'\[{_GAP}\\*"{_QUOTED}',  # first in a pair
        r"(?:^|[\s\"'(\[,=`]|\\[nrt])--?[^\s\"']*",  # an option
        r"<[^\s<>]*",  # an element
    ]
)
"""What stands before a name where nothing needs to follow it."""
_AFTER: Final = "|".join(
    [
        rf'{_QUOTED}"{_GAP}:',  # a member, also of JSON in a text
        rf"[^\s=:{_COLON}]*{_GAP}(?:[=:{_COLON}]|%3d)",  # an assignment
        r"[^=]*\)=\(",  # columns, as PostgreSQL tells a key
        rf"[^\"'<>]*\\*[\"']{_GAP}value=",  # an attribute
    ]
)
"""What stands after one."""
_ENDS: Final = rf"[\]\"'`\\]*{_GAP}(?:[=:{_COLON}]|%3d)|\)=\(|[\"']{_GAP}value="
"""What ends one."""
_ALONE: Final = r"^[^{\[]*"
"""What stands before a name that is the whole text, or in text that is no object and no array."""


def _places(own: str | None, before: str) -> str:
    """Return an expression for the places where a name can stand, with a sensitive word in it, or with one's own."""
    if own is not None:
        return f"(?:{before})(?:{own})|(?:{own})(?:{_AFTER})"
    after_closed = f"s?(?:[^a-z]|(?-i:[A-Z])|{_PIECES})"
    return (
        f"(?:{before})(?:{_OPEN}|(?:{_CLOSED_WORDS})(?:{after_closed}|s?$))"
        f"|(?:{_OPEN}|(?:{_CLOSED_WORDS}){after_closed})(?:{_AFTER})|(?:{_CLOSED_WORDS})s?(?:{_ENDS})"
    )


_PROGRAMS: Final = (
    "mysql|mariadb|sshpass|(?:docker|podman|registry|az) login|redis-cli|mongo|sqlcmd|bcp|ldap|plink|pscp|zip|7z"
)
_SHAPES: Final = (
    r"\\u[0-9a-f]{4}",  # may stand for any letter
    r"[a-z]\\b[a-z]",  # a backspace within a word
    r":(?:\\*/){2}[^\s\"'<>`]*@",
    r"[?&;](?:sig|signature|x-(?:amz|goog)-signature)=",
    r"hooks\.(?:slack|zapier)\.com\\*/|/webhooks?(?:b2)?\\*/|:oracle:",
    r"private key|private-lines:",
    rf"(?:password|passphrase|identified by){_GAP}(?:(?:is|of|to){_GAP})?'|\blogin{_GAP}\S+?{_GAP}password",
    rf"bearer{_GAP}[^\s\"]{{8}}",
    r"(?-i:(?:[Bb]asic|BASIC)(?:[ \t]|\\t)+[A-Za-z0-9+/]*(?:[a-z0-9+/][A-Z]|[0-9+/=]))",
    r"(?:curl|wget|https?|xh)\b(?s:.*)(?:[\s\"'(]|\\[nrt])(?:-u|-a|--user|--proxy-user|--auth)",
    rf"(?:{_PROGRAMS})(?s:.*)(?:\s|\\[nrt])-[apw]",
    rf"(?-i:{TOKEN_BEGINNINGS})",
)

SHORTEST_PIECE: Final = 3
"""Letters of a name that can be looked for; fewer stand nearly everywhere."""
_PIECE: Final = re.compile(r"[A-Za-z]+")

TEXT_TRIGGER: Final = "|".join([_places(None, _BEFORE), *_SHAPES])
"""A regular expression (RE2 and Python alike, upper and lower case alike) without which no rule hides a part."""

TRIGGER: Final = "|".join([_places(None, f"{_BEFORE}|{_ALONE}"), *_SHAPES])
"""The same for text that may be a name by itself, such as a key or a column's name."""


def own_trigger(extra: tuple[str, ...], hide_paths: tuple[str, ...]) -> str | None:
    """Return what must stand in a text for a policy's own names to matter; None when it cannot be said.

    Parameters
    ----------
    extra, hide_paths : tuple of str
        As a `MaskingPolicy` has them.

    Returns
    -------
    str or None
        Empty when there are none.
    """
    patterns = (*extra, *hide_paths)
    pieces = [max(_PIECE.findall(pattern), key=len, default="") for pattern in patterns]
    if any(len(piece) < SHORTEST_PIECE for piece in pieces) or not "".join(patterns).isascii():
        return None
    own = "|".join(sorted(map(literal, set(pieces))))
    return _places(own, f"{_BEFORE}|{_ALONE}") if pieces else ""
