"""Which names are sensitive: the words, what qualifies them, and the metadata words that excuse a value.

A name is split into words and judged by them, never by a substring: `dbPassword` holds the word `password`, `monkey`
does not hold the word `key`. Read the word lists first; the functions below only look things up in them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final


def word_set(text: str) -> frozenset[str]:
    """Return a list of words as it is written here, with spaces between them."""
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[tuple[str, str]]:
    lines = [line.split(":") for line in text.strip().splitlines()]
    return frozenset(
        (first, second) for firsts, seconds in lines for first in firsts.split() for second in seconds.split()
    )


SENSITIVE: Final = word_set("""
    password passwd pwd pswd psw pw pword pass passphrase passcode passkey psk secret token credential cred
    authorization authorisation bearer apikey jwt otp totp hotp pin cookie dsn session auth csrf xsrf sessid
    jsessionid connstr connstring mdp senha passord lösenord losenord adgangskode salasana hasło haslo heslo jelszó
    jelszo parola şifre sifre geheimnis секрет токен 口令
""")
"""Whole words that make a name sensitive; the plural counts too."""

ENDINGS: Final = tuple(word_set("password passwd passphrase secret token apikey pwd sessionid sessid connstr"))
"""Endings of fused words, such as `PGPASSWORD`; the plural counts too."""

ANYWHERE: Final = (
    *("password", "passwd", "passphrase", "passwort", "kennwort", "wachtwoord", "motdepasse", "contraseña"),
    *("contrasena", "пароль", "密码", "密碼", "パスワード", "비밀번호"),
)
"""Text that stands in no harmless word, but `passwordless`."""

PHRASES: Final = _phrases("""
    webhook: url urls uri link endpoint address
    slack discord teams mattermost zapier: webhook
    connection conn connect: string strings str
    service: account accounts
    mfa recovery verification security access backup login otp: code codes
    seed recovery mnemonic: phrase
    github gh gitlab git azure ado devops: pat
    hash app crypt: salt
    sas: url uri
    access: signature
    client: assertion
    code oauth: verifier
    connect: sid
    mot: de
""")
"""Two words that are sensitive together; `mot de` is the beginning of the French for password."""

ACROSS_DOTS: Final = frozenset(pair for pair in PHRASES if pair[0] in {"webhook", "connection", "connect"})
"""Phrases that count when a dot stands between their words, as in `webhook.url`."""

PASS_BEFORE: Final = word_set("""
    first second third next multi single one two final dry forward backward render boarding bus ski day season press
    mountain low high band free by
""")
PASS_AFTER: Final = word_set("through thru fail on over along back by")
PIN_BEFORE: Final = word_set("gpio led map digital analog input output rx tx cs sda scl safety bowling key")
PIN_AFTER: Final = word_set("data message messages tab board mode map color colour icon")
"""What stands beside `pass` and `pin` where they are no secret: `pass_through`, `gpio_pin`, n8n's `pinData`."""

SECRET_KEY: Final = word_set("private secret encryption decryption encrypting signing hmac master symmetric preshared")
"""Words that make a key a secret wherever they stand in the name."""

PUBLIC_KEY: Final = word_set("public publishable pub")
"""Words that make a key the published half."""

KEY_OWNERS: Final = SECRET_KEY | word_set("""
    api apis access ssh tls ssl rsa dsa ecdsa gpg pgp aes kms shared license licence app deploy auth oauth account
    storage subscription activation openai anthropic claude gemini mistral cohere huggingface openrouter groq stripe
    trello aws azure gcp google github gitlab slack twilio sendgrid mailgun mailchimp datadog sentry heroku
    cloudflare algolia pusher firebase supabase paypal shopify hubspot airtable notion zendesk telegram discord
    facebook twitter linkedin mapbox newrelic pagerduty okta
""")
"""Words that make a key a secret when they follow it, or when a dot stands between: `KEY_OPENAI`, `tls.key`."""

KEY_MATERIAL: Final = word_set("pem der jwk pkcs material base bytes hex raw plaintext")
"""What follows `key` when the key itself is meant: `key_pem`, `key_base64`."""

HARMLESS_KEY: Final = word_set("""
    primary foreign sort sorting partition partitioning unique composite compound natural surrogate candidate
    alternate business join merge group grouping order ordering cluster clustering distribution dist shard sharding
    hash range index row column col record entity table field object bucket blob file image asset s item element
    node edge document doc lookup search match matching dedupe dedup deduplication idempotency idempotent
    correlation routing message event topic queue trace metric cache cached map mapping dict dictionary attribute
    attr property prop param parameter config configuration setting settings variable var env registry translation
    i18n l locale label tag ref reference resource parent child sub feature flag step task job workflow run state
    context result output input source target dim date time issue project ticket board websocket socket answer
    legend color colour site authorized authorised hot shortcut arrow enter escape shift control ctrl alt tab
    modifier keyboard press piano musical first last next start end evaluated missing unknown invalid duplicate
    expected required optional allowed level num n max min total has is count number of the by to for with and or a
    an per all any each no this that other
""")
"""Words before `key` that make it a thing of a schema, a map, a cache, a keyboard, or a mere count."""

KEY_THINGS: Final = word_set("""
    map mapping column columns col field fields func function error press code codes path paths prefix pattern
    patterns name names order errors word words
""")
"""Words after `key` that make it such a thing, unless a word that owns secret keys stands before it."""


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


def _shapes(**groups: str) -> dict[str, Shape]:
    return {word: Shape[name] for name, text in groups.items() for word in text.split()}


AFTER: Final = _shapes(
    COUNT="""
        count counts length len size sizes limit limits usage budget total max min minimum maximum capacity quota
        cost price rate ratio percent percentage pct score threshold attempts tries retries failures index amount
        balance supply decimals bits bytes rounds iterations entropy port position rank minute second hour day""",
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

COUNTED: Final = word_set("tokens sessions cookies keys credentials")
"""Plurals that a single number can only count."""

NEVER_EXEMPT: Final = word_set("id ids uuid guid key keys value")
"""After `session` and `cookie` these are the secret itself."""

OWNING: Final = word_set("by for of")
"""Words after which a metadata word says whose the secret is: `passwords_by_name`."""

EXTREME: Final = word_set("max min maximum minimum")
"""Words before a singular that make it a setting: `max_token`; a `number` before one may be a card's: `number_pin`."""

FUSED: Final = """
    password passwords passwd passphrase secret secrets token tokens credential credentials creds key keys session
    cookie cookies pass pwd webhook connection string service account api access private public primary foreign sort
    partition cache signing encryption decryption auth oauth ssh rsa gpg pgp tls ssl hmac aes jwt master shared
    client server user username admin root db database smtp ftp mail email ldap proxy sudo pg mysql redis mongo aws
    azure gcp github gitlab google slack stripe openai app license host deploy storage store refresh bearer id csrf
    xsrf bot device push login url name type count length value hash file path max min total num has is my new old
"""
"""The pieces that words written as one are taken apart into: `secretaccesskey`, `maxtokens`, `publickey`."""

_NUCLEI = word_set(
    "password passwords secret secrets token tokens credentials key keys session cookie pass pwd string url account"
)
_PIECES = re.compile("|".join(sorted(FUSED.split(), key=len, reverse=True)))
# Letters and marks that show nothing: joiners, fillers, variation selectors.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0]")
_CHUNK = re.compile(r"[^\W\d_]+|\d+")
# Over the shadow of a chunk (U upper, s a small s, l another letter), so that every alphabet with case is understood.
_HUMP = re.compile(r"UU+s(?![ls])|U+(?=U[ls])|U?[ls]+|U+")
_SEPARATOR = re.compile(r"[./:]")
# A test's id, such as `tests/test_login.py::test_wrong_password`, is a sentence about a test.
_TEST_ID = re.compile(r"\.[a-z]{1,4}::\w")
_ITERATION = re.compile(r"@iter:[\d:]*$")


def normalise(name: str) -> str:
    """Return a name in NFKC, without control and format characters such as the zero-width space; case is kept."""
    if name.isascii() and name.isprintable():
        return name
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", "".join(char for char in name if _is_seen(char))))


def _is_seen(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) not in {"Cc", "Cf"}


def split_words(name: str, *, by_case: bool = True) -> tuple[str, ...]:
    """Return the words of a name, casefolded, without digits; by case as well, or by separators alone.

    Examples
    --------
    >>> split_words("DBPassword2"), split_words("x-api-key"), split_words("secretkey")
    (('db', 'password'), ('x', 'api', 'key'), ('secret', 'key'))
    """
    chunks = _CHUNK.findall(normalise(name))
    humps = [hump.casefold() for chunk in chunks for hump in (_humps(chunk) if by_case else [chunk])]
    return tuple(piece for word in _brands(humps) for piece in _pieces(word))


def _humps(chunk: str) -> list[str]:
    shadow = "".join("U" if char.isupper() else "s" if char == "s" else "l" for char in chunk)
    return [chunk[found.start() : found.end()] for found in _HUMP.finditer(shadow)]


def _brands(words: list[str]) -> list[str]:
    # OAuth and Auth0 are names of things; the word "auth" in them says nothing.
    text = re.sub(r"\b(?:o auth|auth 0)\b", "oauth", " ".join(words))
    return [word for word in text.split() if not word.isdigit()]


def _pieces(word: str) -> list[str]:
    pieces: list[str] = _PIECES.findall(word)
    known = len(pieces) > 1 and "".join(pieces) == word and not _NUCLEI.isdisjoint(pieces)
    return pieces if known else [word]


@dataclass(frozen=True, slots=True)
class Finding:
    """What makes a name sensitive (a word, or the two of a phrase), and the words around it."""

    words: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)


def find_sensitive(name: str, above: str = "") -> Finding | None:
    """Return what makes a name sensitive, the last such word of it.

    Parameters
    ----------
    name : str
        A name; dots, slashes and colons divide it into parts that are judged apart.
    above : str, default ""
        The name it lies under, for pairs such as `api` above `key`.

    Returns
    -------
    Finding or None
        None for an ordinary name.

    Examples
    --------
    >>> find_sensitive("tokenExpiresAt")
    Finding(words=('token',), before=(), after=('expires', 'at'))
    >>> find_sensitive("sort_key") is None
    True
    """
    if _TEST_ID.search(name):
        return None
    parts = _SEPARATOR.split(_ITERATION.sub("", name))
    for by_case in (True, False):
        owner = split_words(_SEPARATOR.split(above)[-1], by_case=by_case)
        if finding := _find([split_words(part, by_case=by_case) for part in parts], owner):
            return finding
    return None


def _find(parts: Sequence[tuple[str, ...]], owner: tuple[str, ...]) -> Finding | None:
    flat = tuple(word for part in parts for word in part)
    end = len(flat)
    for number in range(len(parts) - 1, -1, -1):
        start = end - len(parts[number])
        span = _last_hit(parts[number]) or _across((owner + flat[:start])[-1:], parts[number])
        if span:
            first, last = start + span[0], start + span[1]
            return Finding(flat[first:last], flat[:first], flat[last:])
        end = start
    return None


def _last_hit(words: tuple[str, ...]) -> tuple[int, int] | None:
    for index in range(len(words) - 1, _after_public_key(words) - 1, -1):
        if words[index : index + 2] in PHRASES:
            return index, index + 2
        if _is_sensitive(words, index):
            return index, index + 1
    return None


def _across(before: tuple[str, ...], words: tuple[str, ...]) -> tuple[int, int] | None:
    # A key's or a phrase's first word may stand before the dot, as in `tls.key` and `webhook.url`.
    if not before or not words:
        return None
    owned = _singular(words[0]) == "key" and before[0] in KEY_OWNERS and len(words) == 1
    return (0, 1) if owned or (before[0], words[0]) in ACROSS_DOTS else None


def _after_public_key(words: tuple[str, ...]) -> int:
    # What stands before a public key says whose it is (`jwt_public_key`), unless it is a secret of its own.
    for index in range(len(words) - 1, 0, -1):
        before = words[:index]
        if _singular(words[index]) == "key" and _is_public(before):
            return index + 2 if words[index + 1 : index + 2] == ("pins",) else index + 1
    return 0


def _is_public(before: tuple[str, ...]) -> bool:
    return not PUBLIC_KEY.isdisjoint(before) and not any(
        word in SECRET_KEY or _singular(word) in {"password", "pass", "secret"} for word in before
    )


def _is_sensitive(words: tuple[str, ...], index: int) -> bool:
    word = _singular(words[index])
    if word == "key":
        return _is_secret_key(words[:index], words[index + 1 :])
    if word in {"pass", "pin"} and _is_harmless(word, words[:index][-1:], words[index + 1 : index + 2]):
        return False
    if word == "passwordless":
        return False
    return word in SENSITIVE or word.endswith(ENDINGS) or any(text in word for text in ANYWHERE)


def _is_harmless(word: str, before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    around = (PASS_BEFORE, PASS_AFTER) if word == "pass" else (PIN_BEFORE, PIN_AFTER)
    return not around[0].isdisjoint(before) or not around[1].isdisjoint(after)


def _is_secret_key(before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    if not before:
        return not KEY_OWNERS.isdisjoint(after) or not KEY_MATERIAL.isdisjoint(after[:1])
    if not SECRET_KEY.isdisjoint(before):
        return True
    if before[-1] in HARMLESS_KEY:
        return False
    return before[-1] in KEY_OWNERS or KEY_THINGS.isdisjoint(after[:1])


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


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
_PRINT = re.compile(r"(?i)([0-9a-f]{2}:){7,31}[0-9a-f]{2}|[0-9a-f]{32,64}|(SHA256|MD5):[\w+/:=-]{20,60}")


def exempting(finding: Finding, value: object) -> tuple[str, Shape] | None:
    """Return the metadata word and the shape that prove together that a value is no secret, or None.

    Examples
    --------
    >>> finding = find_sensitive("token_count")
    >>> exempting(finding, 1532)
    ('count', <Shape.COUNT: 'a number'>)
    >>> exempting(finding, "FAKE-not-a-real-value") is None
    True
    """
    proofs = _after_proofs(finding) if finding.after else _before_proofs(finding, value)
    return next((proof for proof in proofs if _has_shape(value, *proof, secret="secret" in finding.words)), None)


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
    plural = _singular(word) != word
    proofs = [(before, BEFORE[before]) for before in finding.before if before in BEFORE]
    proofs = [proof for proof in proofs if plural or proof[1] is not Shape.COUNT or proof[0] in EXTREME]
    if word in COUNTED and isinstance(value, Literal | int | float | Decimal):
        proofs.append((word, Shape.COUNT))
    return proofs


def _has_shape(value: object, word: str, shape: Shape, *, secret: bool) -> bool:
    if isinstance(value, list | tuple):
        return 0 < len(value) <= 100 and all(_one_has_shape(item, shape, secret=secret) for item in value)  # noqa: PLR2004
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
}
