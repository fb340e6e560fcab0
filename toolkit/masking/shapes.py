"""Which values are no secret though their name holds a sensitive word: metadata, proven twice.

A metadata word beside the sensitive one (`token_count`) is one proof, a value of the shape that the word promises is
the other. Neither is enough alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from toolkit.masking.names import Finding, singular, word_set


class Shape(StrEnum):
    """What a metadata word says its value looks like; the text completes "the value is …"."""

    COUNT = "a number"
    TIME = "a date, a time or a duration"
    DATE = "a date or a time"
    FLAG = "a yes or a no"
    ENUM = "a short plain word"
    LABEL = "short plain text"
    PLACE = "an address without credentials"
    PRINT = "a fingerprint"
    FOLDER = "a folder"


def _shapes(**groups: str) -> dict[str, Shape]:
    return {word: Shape[name] for name, text in groups.items() for word in text.split()}


AFTER: Final = _shapes(
    COUNT="""
        count counts length len size sizes limit limits usage budget total max min minimum maximum capacity quota
        cost price rate ratio percent percentage pct score threshold attempts tries retries failures index amount
        balance supply decimals bits bytes rounds iterations entropy port position rank minute second hour day found
        detected matched scanned checked""",
    TIME="""
        at in expires expire expiry expiration exp ttl age duration timeout lifetime validity used time timestamp
        seconds minutes hours days ms interval window delay ago""",
    DATE="""
        on date created updated changed change modified issued rotated rotation reset revoked verified valid expired
        since until after before start started end ended""",
    FLAG="""
        enabled disabled required present needed supported missing exists configured allowed set secure httponly
        optional protected""",
    ENUM="""
        type types kind kinds method methods mode modes algorithm algorithms algo alg format scheme schemes status
        state strategy backend backends engine provider providers grant samesite level strength category class
        version versions policy consent symbol scope scopes flow driver""",
    LABEL="""
        id ids uuid guid name names title label labels description owner by manager library hasher hashers arn ref
        reference path paths file filename files dir directory folder location field fields column columns param
        parameter prefix error reason""",
    PLACE="url urls uri uris endpoint endpoints issuer audience origin address",
    PRINT="fingerprint thumbprint",
)
"""Words at the end of a name, and what its value must look like to stay visible."""

AFTER_WEAK: Final = _shapes(
    ENUM="env environment region language",
    LABEL="user users username email login role roles group profile model client tenant realm source store name",
    PLACE="host hosts hostname domain domains server site",
)
"""More of them after `WEAK` words; after the others they may say whose the secret is: `password_user`."""

WEAK: Final = word_set("auth authorization account accounts session cookie jwt dsn")

BEFORE: Final = _shapes(
    COUNT="""
        max min total num n count number avg average mean median sum remaining used unused estimated maximum minimum""",
    FLAG="""
        is has have had use uses enable enabled disable disabled require requires required allow allows need needs
        can should must show hide skip no force validate verify check remember save store with include""",
    ENUM="eos bos pad unk mask sep cls",
)
"""Words in front of the sensitive one, and what the value must look like to stay visible."""

PAGES: Final = word_set("page paging pagination continuation next previous prev")
"""Words right before `token` that make it the mark of a page in a long list, when it is short and plain."""

WORKING_FOLDER: Final = word_set("env envs environ environment variables vars old")
"""What may stand before `PWD` where a shell keeps the folder that it works in."""

COUNTED: Final = word_set("tokens sessions cookies keys credentials")
"""Plurals that a single number can only count."""

NEVER_EXEMPT: Final = word_set("id ids uuid guid key keys value")
"""After `session` and `cookie` these are the secret itself."""

OWNING: Final = word_set("by for of")
"""Words after which a metadata word says whose the secret is: `passwords_by_name`."""

EXTREME: Final = word_set("max min maximum minimum")
"""Words before a singular that make it a setting: `max_token`; a `number` before one may be a card's: `number_pin`."""


class Literal(str):
    """A number of a JSON text, kept as it was written."""

    __slots__ = ()


_NUMBER = re.compile(r"[-+]?(\d{1,9}|\d{1,3}(,\d{3})+)(\.\d{1,9})?\s?%?")
_TIME = re.compile(
    r"""\d{4}-\d\d(-\d\d)? ([T\ ]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|UTC|[+-]\d\d:?\d\d)?)?  # ISO 8601, also cut short
    | \d{1,2}[./]\d{1,2}[./]\d{4} | \d\d:\d\d(:\d\d)? | \d{10,13} | never | expired
    | [A-Z][a-z]{2},\ \d\d[\ -][A-Z][a-z]{2}[\ -]\d{2,4}\ \d\d:\d\d:\d\d\ GMT           # HTTP
    | \d{1,9}(\.\d+)?\ ?(ms|s|m|h|d|w|y|(sec(ond)?|min(ute)?|hour|day|week|month|year)s?) | P[T\d][\dTYMWDHS.]*""",
    re.VERBOSE,
)
_FLAG = re.compile(r"(?i)true|false|yes|no|on|off|0|1|enabled|disabled|optional|required")
_PLAIN = re.compile(r"[\w .,:;/@+()#'\\-]{1,100}")
_SPECIAL = re.compile(r"<[a-z_/|]{1,14}>|\[[A-Z]{1,8}\]")
_OPAQUE = re.compile(r"\d{12}|[A-Z]{16}|[^\W_]{33}|(?=[^\W_]*\d)(?=[^\W_]*[^\W\d_])[^\W_]{16}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ARN = re.compile(r"arn:aws[\w-]*:[\w:/.+=,-]{1,200}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s@?#]+")
_FOLDER = re.compile(
    r"/(?:(?:app|builds?|data|etc|home|mnt|opt|root|srv|tmp|usr|var|work|workspaces?|Users)/?)?"
    r"|(?:/[\w.@ +-]{1,60}){2,20}/?|[A-Za-z]:(?:[\\/][\w.@ +-]{1,60}){1,20}[\\/]?"
)
_PRINT = re.compile(r"(?i)([0-9a-f]{2}:){7,31}[0-9a-f]{2}|[0-9a-f]{32,64}|(SHA256|MD5):[\w+/:=-]{20,60}")


def exempting(finding: Finding, value: object) -> tuple[str, Shape] | None:
    """Return the metadata word and the shape that prove together that a value is no secret, or None.

    Examples
    --------
    >>> from toolkit.masking.names import find_sensitive
    >>> finding = find_sensitive("token_count")
    >>> exempting(finding, 1532)
    ('count', <Shape.COUNT: 'a number'>)
    >>> exempting(finding, "FAKE-not-a-real-value") is None
    True
    """
    proofs = _after_proofs(finding) if finding.after else _before_proofs(finding, value)
    return next((proof for proof in proofs if _has_shape(value, *proof, secret="secret" in finding.words)), None)


def may_exempt_objects(finding: Finding) -> bool:
    """Tell whether an object under such a name can stay visible as a whole, so that its members decide together."""
    last = finding.after[-1:] or ("",)
    return (
        AFTER.get(last[0]) is Shape.COUNT
        or last[0] in {"ref", "reference"}
        or not BEFORE.keys().isdisjoint(finding.before)
    )


def _after_proofs(finding: Finding) -> list[tuple[str, Shape]]:
    head, last = finding.words[-1], finding.after[-1]
    if finding.words[0].startswith(("session", "cookie")) and last in NEVER_EXEMPT:
        return []
    if not OWNING.isdisjoint(finding.after[:-1]):
        return []
    shape = AFTER.get(last) or (AFTER_WEAK.get(last) if head in WEAK else None)
    return [(last, shape)] if shape else []


def _before_proofs(finding: Finding, value: object) -> list[tuple[str, Shape]]:
    word = finding.words[-1]
    plural = singular(word) != word
    proofs = [(before, BEFORE[before]) for before in finding.before if before in BEFORE]
    proofs = [proof for proof in proofs if plural or proof[1] is not Shape.COUNT or proof[0] in EXTREME]
    if word == "token" and not PAGES.isdisjoint(finding.before[-1:]):
        proofs.append((finding.before[-1], Shape.LABEL))
    if word == "pwd" and WORKING_FOLDER.issuperset(finding.before):
        proofs.append((word, Shape.FOLDER))
    if word in COUNTED and isinstance(value, Literal | int | float | Decimal):
        proofs.append((word, Shape.COUNT))
    return proofs


def _has_shape(value: object, word: str, shape: Shape, *, secret: bool) -> bool:
    if isinstance(value, list | tuple):
        return 0 < len(value) <= 100 and all(_one_has_shape(item, shape, secret=secret) for item in value)  # noqa: PLR2004 - a length that stands once
    if isinstance(value, Mapping):
        known = shape is Shape.COUNT or word in {"ref", "reference"}
        return known and all(_one_has_shape(item, shape, secret=secret) for item in value.values())
    return _one_has_shape(value, shape, secret=secret)


def _one_has_shape(value: object, shape: Shape, *, secret: bool) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, Literal | int | float | Decimal):
        return shape in _NUMERIC or (shape is Shape.FLAG and str(value) in {"0", "1"}) or _is_epoch(value, shape)
    if isinstance(value, date | time | timedelta):
        return shape in {Shape.TIME, Shape.DATE}
    # The id of a `secret` may be one too, such as HashiCorp's `secret_id`.
    if not isinstance(value, str) or (secret and _UUID.fullmatch(value.strip())):
        return False
    return bool(_TEXTS[shape](value.strip()))


def _is_epoch(value: object, shape: Shape) -> bool:
    return shape is Shape.DATE and bool(re.fullmatch(r"\d{10,19}(\.\d+)?", str(value)))


def is_plain(text: str) -> bool:
    """Tell whether text is short and readable: words, numbers, a path, an address; no run that looks drawn by lot."""
    return bool(_PLAIN.fullmatch(text)) and not _OPAQUE.search(text) and not (":" in text and "@" in text)


_NUMERIC: Final = {Shape.COUNT, Shape.TIME, Shape.ENUM, Shape.LABEL}
_TEXTS: Final[dict[Shape, Callable[[str], object]]] = {
    Shape.COUNT: _NUMBER.fullmatch,
    Shape.TIME: lambda text: _NUMBER.fullmatch(text) or _TIME.fullmatch(text),
    Shape.DATE: lambda text: _TIME.fullmatch(text) or _FLAG.fullmatch(text),
    Shape.FLAG: _FLAG.fullmatch,
    Shape.ENUM: lambda text: _SPECIAL.fullmatch(text) or (is_plain(text) and not re.search(r"\d{4}", text)),
    Shape.LABEL: lambda text: is_plain(text) or _ARN.fullmatch(text) or _UUID.fullmatch(text),
    Shape.PLACE: lambda text: is_plain(text) or (_URL.fullmatch(text) and not _OPAQUE.search(text)),
    Shape.PRINT: _PRINT.fullmatch,
    Shape.FOLDER: lambda text: _FOLDER.fullmatch(text) and is_plain(text),
}
