"""Which names are sensitive: the words, and what qualifies them.

A name is split into words and judged by them, never by a substring: `dbPassword` holds the word `password`, `monkey`
does not hold the word `key`. Read the word lists first; the functions below only look things up in them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


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
PASS_AFTER: Final = word_set("through thru fail on over along back by with without if when unless")
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
    owned = singular(words[0]) == "key" and before[0] in KEY_OWNERS and len(words) == 1
    return (0, 1) if owned or (before[0], words[0]) in ACROSS_DOTS else None


def _after_public_key(words: tuple[str, ...]) -> int:
    # What stands before a public key says whose it is (`jwt_public_key`), unless it is a secret of its own.
    for index in range(len(words) - 1, 0, -1):
        before = words[:index]
        if singular(words[index]) == "key" and _is_public(before):
            return index + 2 if words[index + 1 : index + 2] == ("pins",) else index + 1
    return 0


def _is_public(before: tuple[str, ...]) -> bool:
    return not PUBLIC_KEY.isdisjoint(before) and not any(
        word in SECRET_KEY or singular(word) in {"password", "pass", "secret"} for word in before
    )


def _is_sensitive(words: tuple[str, ...], index: int) -> bool:
    word = singular(words[index])
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


def singular(word: str) -> str:
    """Return a word without the `s` of its plural."""
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
