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


_OWN_BEGINNINGS: Final = """
    AQVN CCIPAT_ CCIPRJ_ CFPAT- CLOJARS_ EZAK EZTK HRKU- NRAK- NRII- NRIQ- NRJS- PMAK- aio_ api_org_ bkua_ ddp_
    duffel_live_ duffel_test_ figd_ fio-u- fm1a_ fm1r_ fm2_ fo1_ glc_ ico- lin_oauth_ lsv2_pt_ lsv2_sk_ napi_ nfp_ ntn_
    os_v2_app_ p8e- pcsk_ pnu_ pplx- pscale_oauth_ pscale_pw_ pscale_tkn_ pul- r8_ rdme_ rnd_ s-s4t2ud- samsara_api_
    sb_secret_ sbp_ sgp_ sha256~ shippo_live_ shippo_test_ sm_aat_ sm_pat_ sm_sat_ sntrys_ sntryu_ snyk_uat. tfp_
    tk-us- tskey- vcp_ xkeysib- xsmtpsib-
"""
"""How the tokens of services begin that say so in front, and are letters, digits and signs from there on."""


def _any_of(beginnings: str) -> str:
    """Return an expression for any of some texts, those with one first letter together, so that it fails early."""
    groups: dict[str, list[str]] = {}
    for one in sorted(beginnings.split()):
        groups.setdefault(one[0], []).append(re.escape(one[1:]))
    return "(?:" + "|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in groups.items()) + ")"


# Sixteen letters and digits in a row, which words joined by signs are not.
_DRAWN: Final = r"(?=[\w.=-]{0,40}?(?=[A-Za-z]{0,15}[A-Z0-9])[A-Za-z0-9]{16})"

# What the rule is called, how it begins (as RE2 and Python both read it), and how it goes on.
_KINDS: Final = (
    ("an AWS access key id", "(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("a GitHub token", "(?:gh[pousr]_|github_pat_)", r"[A-Za-z0-9_]{20,255}+"),
    ("a GitLab token", "(?:gl(?:pat|dt|rt|ptt|cbt|ft|imt|agent|oas|soat|ffct)-|GR1348941)", r"[\w=.-]{18,255}+"),
    ("a Slack token", r"(?:xox[abeprs]-|xoxe\.xox|xapp-[0-9]-)", r"(?=[\w-]{0,20}?[0-9])[\w-]{10,255}+"),
    ("a Stripe key", "(?:[sr]k_(?:test|live|prod)_|whsec_)", r"[A-Za-z0-9+/=]{10,255}+"),
    ("a Google API key", "AIza", r"[\w-]{30,45}+(?![\w-])"),
    ("a Google credential", r"(?:GOCSPX-|ya29\.|1//0)", r"[\w-]{20,512}+"),
    ("an API key", "sk-(?:proj-|ant-|svcacct-|admin-|or-|live-|test-|lf-)", r"[\w-]{16,512}+"),
    ("an API key", "sk-", _DRAWN + r"[\w-]{20,512}+"),
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
    ("a Docker token", "dckr_[po]at_", r"[\w-]{20,64}+"),
    ("an API key", "(?:gsk_|xai-|glsa_|lin_api_|nvapi-|rubygems_)", r"[A-Za-z0-9_-]{24,255}+"),
    ("an AWS Bedrock key", "ABSK", r"[A-Za-z0-9+/]{100,300}+={0,2}"),
    ("an Atlassian token", "(?:AT[AC]TT3xFfG|ATBB)", r"[\w=-]{28,255}+"),
    ("an Artifactory token", "(?:AKCp|cmVmdGtu)", r"[A-Za-z0-9]{56,80}+"),
    ("a token of a web site", "EAA[A-Z]", r"[A-Za-z0-9]{56,512}+"),
    ("a Twilio key", "SK[0-9a-f]{8}", r"[0-9a-f]{24}(?![A-Za-z0-9])"),
    ("a Square token", "sq0(?:atp|csp)-", r"[\w-]{20,60}+"),
    ("a Databricks token", "dapi[0-9a-f]{8}", r"[0-9a-f]{24}(?:-[0-9])?"),
    ("a Doppler token", r"dp\.(?:pt|ct|st|sa|scim|audit)\.", r"[A-Za-z0-9.]{40,60}+"),
    ("a Dynatrace token", r"dt0[a-z][0-9]{2}\.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("a Grafana key", "eyJrIjoi", r"[A-Za-z0-9]{60,400}+={0,2}"),
    ("a Cloudflare key", r"v1\.0-[0-9a-f]{8}", r"[0-9a-f]{16}-[0-9a-f]{100,160}+"),
    ("a 1Password key", "(?:ops_eyJ|A3-[A-Z0-9]{6}-)", r"[A-Za-z0-9+/=-]{26,2000}+"),
    ("an Airtable token", r"pat[A-Za-z0-9]{14}\.", r"[0-9a-f]{64}"),
    ("a HubSpot token", "pat-(?:na|eu|ap)[0-9]-", r"[0-9a-f-]{36}"),
    ("a NuGet key", "oy2[a-z0-9]{8}", r"[a-z0-9]{35}(?![A-Za-z0-9])"),
    ("a crates.io token", "cio[A-Za-z0-9]{8}", r"[A-Za-z0-9]{24}(?![A-Za-z0-9])"),
    ("a Notion token", "secret_[A-Za-z0-9]{8}", r"[A-Za-z0-9]{35}(?![A-Za-z0-9])"),
    ("an Octopus key", "API-[A-Z0-9]{8}", r"[A-Z0-9]{18}(?![A-Za-z0-9])"),
    ("an ElevenLabs key", "sk_[0-9a-f]{8}", r"[0-9a-f]{40}(?![A-Za-z0-9])"),
    ("a Plaid token", "access-(?:sandbox|development|production)-", r"[0-9a-f-]{36}"),
    ("a PayPal token", r"access_token\$(?:production|sandbox)\$", r"[0-9a-z]{16}\$[0-9a-f]{32}"),
    ("a SonarQube token", "sq[pau]_[0-9a-f]{8}", r"[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("an access key id", "(?:LTAI|AKID)[A-Za-z0-9]{8}", r"(?=[A-Za-z]{0,20}?[0-9])[A-Za-z0-9]{8,28}(?![A-Za-z0-9])"),
    ("a token of a service", _any_of(_OWN_BEGINNINGS), _DRAWN + r"[\w.=-]{16,512}+"),
)

_STARTS: Final = "|".join(begin for _, begin, _ in _KINDS)
TOKEN_BEGINNINGS: Final = (
    rf"(?:^|[^A-Za-z0-9]|\\[nrt]|%[0-9A-Fa-f]{{2}}|/bot)(?:{_STARTS})[\w+/=.-]{{10}}"
    r"|[0-9]Q~[\w~.-]{10}|\.atlasv1\."
)
"""Read as written, upper and lower case apart."""

# A letter or digit before it makes it the middle of something else, unless it belongs to an escape: `\n`, `%3D`.
_BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2})|(?<=/bot))"
_TOKENS = re.compile(
    _BEFORE + "(?:" + "|".join(f"(?P<r{number}>{begin}{rest})" for number, (_, begin, rest) in enumerate(_KINDS)) + ")"
)
_TOKEN_START = re.compile(f"{_BEFORE}(?:{_STARTS})")
# Those whose beginning is any text, and whose middle is their own.
_AZURE = re.compile(r"(?:(?<![\w~.-])|(?<=\\[nrt]))[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}(?![\w~.-])")
_TERRAFORM = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{50,80}+")
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
    yield from _own_middles(text)
    if "earer" in text or "EARER" in text:
        for found in _BEARER.finditer(text):
            if looks_drawn(found[1], least=8):
                yield Span(found.start(1), found.end(1), "a bearer token")
    if "asic" in text or "ASIC" in text:
        for found in _BASIC.finditer(text):
            if _is_basic(found[1]):
                yield Span(found.start(1), found.end(1), "a user's name and password")


def _own_middles(text: str) -> Iterator[Span]:
    if "Q~" in text:
        yield from (Span(found.start(), found.end(), "an Azure secret") for found in _AZURE.finditer(text))
    if ".atlasv1." in text:
        yield from (Span(found.start(), found.end(), "a Terraform token") for found in _TERRAFORM.finditer(text))


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
