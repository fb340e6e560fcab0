"""Secrets that say themselves what they are: the keys and tokens of providers, and private keys.

Each has a beginning that no other text has, so no rule here guesses from how random a text looks.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from toolkit.masking.secret import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator


class Span(NamedTuple):
    """A part of a text that is a secret, what kind of secret, and what is shown in its place."""

    start: int
    end: int
    what: str
    shown: str = HIDDEN


# What the rule is called, how it begins (as RE2 and Python both read it), and how it goes on.
_KINDS: Final = (
    ("an AWS access key id", "(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("a GitHub token", "(?:gh[pousr]_|github_pat_)", r"[A-Za-z0-9_]{20,255}+"),
    ("a GitLab token", "(?:gl(?:pat|dt|rt|ptt|cbt|ft|imt|agent|oas|soat|ffct)-|GR1348941)", r"[\w=.-]{18,255}+"),
    ("a Slack token", r"(?:xox[abeprs]-|xoxe\.xox|xapp-[0-9]-)", r"(?=[\w-]{0,20}?[0-9])[\w-]{10,255}+"),
    ("a Stripe key", "(?:[sr]k_(?:test|live|prod)_|whsec_)", r"[A-Za-z0-9+/=]{10,255}+"),
    ("a Google API key", "AIza", r"[\w-]{30,45}+(?![\w-])"),
    ("a Google credential", r"(?:GOCSPX-|ya29\.|1//0)", r"[\w-]{20,512}+"),
    ("an API key", "sk-(?:proj-|ant-|svcacct-|admin-|or-|live-|test-)", r"[\w-]{16,512}+"),
    ("an API key", "sk-", r"(?=[\w-]{0,40}?[A-Z0-9])[\w-]{20,512}+"),
    ("a signed token", "eyJ", r"[\w-]{6,}+\.(?=[\w-]{6})[\w-]++(?:\.[\w-]*+){0,3}+"),
    ("a Telegram bot token", "[0-9]{8,10}:AA", r"[\w-]{30,40}+"),
    ("an npm token", "npm_", r"[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    ("a PyPI token", "pypi-AgE", r"[\w-]{20,512}+"),
    ("a Hugging Face token", "hf_", r"[A-Za-z0-9]{30,60}+"),
    ("a SendGrid key", r"SG\.", r"[\w-]{16,64}+\.[\w-]{16,64}+"),
    ("a DigitalOcean token", "do[opr]_v1_", r"[a-f0-9]{40,64}+"),
    ("a Shopify token", "shp(?:at|ca|pa|ss)_", r"[A-Fa-f0-9]{32}"),
    ("a Vault token", r"hv[sbr]\.", r"[\w-]{20,512}+"),
    ("an age key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{20,58}+"),
    ("a Docker token", "dckr_pat_", r"[\w-]{20,64}+"),
    ("an API key", "(?:gsk_|xai-|glsa_|lin_api_|nvapi-|rubygems_)", r"[A-Za-z0-9_-]{24,255}+"),
)

_STARTS: Final = "|".join(begin for _, begin, _ in _KINDS)
TOKEN_BEGINNINGS: Final = rf"(?:^|[^A-Za-z0-9]|\\[nrt]|%[0-9A-Fa-f]{{2}}|/bot)(?:{_STARTS})[\w+/=.-]{{10}}"
"""Read as written, upper and lower case apart."""

# A letter or digit before it makes it the middle of something else, unless it belongs to an escape: `\n`, `%3D`.
_BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2})|(?<=/bot))"
_TOKENS = re.compile(
    _BEFORE + "(?:" + "|".join(f"(?P<r{number}>{begin}{rest})" for number, (_, begin, rest) in enumerate(_KINDS)) + ")"
)
_TOKEN_START = re.compile(_STARTS)
_BEARER = re.compile(r"(?i:\bbearer)[ \t]{1,8}([\w.~+/=-]{8,}+)")
_BASIC = re.compile(r"\b(?:[Bb]asic|BASIC)[ \t]{1,8}([A-Za-z0-9+/]{7,1024}+={0,2})(?![\w+/=-])")

_MIXED = re.compile(r"[a-z0-9+/][A-Z]|[0-9+/=]")

_MARK = re.compile(
    r"-----?[ ]?(BEGIN|END)[ ][A-Z0-9 ]{0,40}?PRIVATE[ ]KEY(?:[ ]BLOCK)?(?:[ ]?-{4,5})?"
    r"|(Private-Lines:[ ][0-9]{1,4})|(Private-MAC:)"
)
# The first piece after a header is the key, unless it may be the next word of a sentence; later ones are long, or a
# header of their own.
_BODY = re.compile(
    r"(?:(?:\\[nr]|[\s\"'+,|>])++(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\r\n\\]*+)*+"
    r"(?:[ ]*+[^\s\"'\\<>\[]{16,}+|(?:[\"'+,|>]*+(?:\\[nr]|[\r\n])[ \t\"'+,|>]*+)++[^\s\"'\\<>\[]++|[^\s\"'\\<>\[]++)"
    r"(?:(?:\\[nr]|[\s\"'+,|>])++"
    r"(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\r\n\\]*+|[A-Za-z0-9+/=]{16,}+(?![^\s\"'\\,])))*+"
    r"(?:(?:\\[nr]|[\r\n])++[ \t]*+[A-Za-z0-9+/=]{1,64}+(?=[\s\"'\\]*\Z))?"
)
_LINE = re.compile(r"(\\n|\r?\n)")
_KEY_LINE = re.compile(r"\s*+([A-Za-z0-9+/=]++)\s*+")


def token_spans(text: str) -> Iterator[Span]:
    """Find the tokens and keys of providers."""
    if _TOKEN_START.search(text):
        for found in _TOKENS.finditer(text):
            yield Span(found.start(), found.end(), _KINDS[int((found.lastgroup or "r0")[1:])][0])
    if "earer" in text or "EARER" in text:
        for found in _BEARER.finditer(text):
            if looks_drawn(found[1], least=8):
                yield Span(found.start(1), found.end(1), "a bearer token")
    if "asic" in text or "ASIC" in text:
        for found in _BASIC.finditer(text):
            if _is_basic(found[1]):
                yield Span(found.start(1), found.end(1), "a user's name and password")


def _is_basic(text: str) -> bool:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in decoded and decoded.isprintable() and _MIXED.search(text) is not None


def looks_drawn(text: str, *, least: int) -> bool:
    """Tell whether a text is no plain word: it holds a digit and a letter, a sign within, or capitals within."""
    if len(text) < least:
        return False
    if text.isdecimal():
        return len(text) >= 6  # noqa: PLR2004 - a year, a port and a count are shorter
    inside = text[1:-1]
    has_digit = any(map(str.isdecimal, text))
    if has_digit and any(map(str.isalpha, text)):
        return True
    humps = any(one.islower() and other.isupper() for one, other in zip(text, inside, strict=False))
    return (humps and len(text) >= 16) or any(sign in inside for sign in "!$%^&*#@~+=|?<>")  # noqa: PLR2004 - a length that stands once


def private_key_spans(text: str) -> Iterator[Span]:
    """Find the bodies of private keys, also of those that were cut short at either end."""
    marks = list(_MARK.finditer(text)) if "PRIVATE KEY" in text or "Private-Lines" in text else []
    for number, mark in enumerate(marks):
        after = marks[number + 1] if number + 1 < len(marks) else None
        if mark[1] == "END":
            if number == 0:
                yield from _before(text, mark.start())
        elif mark[1] == "BEGIN" and after is not None and after[1] == "END":
            yield from _between(text, mark.end(), after.start())
        elif not mark[3]:
            found = _BODY.match(text, mark.end(), after.start() if after else len(text))
            if found and HIDDEN not in found[0]:
                yield from _between(text, mark.end(), found.end())


def _between(text: str, start: int, end: int) -> Iterator[Span]:
    body = text[start:end]
    inner = body.replace("\\r", "  ").replace("\\n", "  ").strip("\"'+,|> \t\r\n")
    if inner and inner != HIDDEN:
        begin = start + body.index(inner[:1])
        yield Span(begin, start + len(body.rstrip("\"'+,|> \t\r\n")), "a private key")


def _before(text: str, end: int) -> Iterator[Span]:
    # The end of a key whose beginning was cut away: the lines right above, as far as they are its alphabet.
    start = last = stop = end
    for piece in reversed(_LINE.split(text[:end])):
        found = _KEY_LINE.fullmatch(piece)
        start -= len(piece)
        if found and (last == end or len(found[1]) >= 16):  # noqa: PLR2004 - a length that stands once
            stop = start + found.end(1) if last == end else stop
            last = start + found.start(1)
        elif piece.strip() and not _LINE.fullmatch(piece):
            break
    if last != end:
        yield Span(last, stop, "a private key")
