"""Secrets in addresses: the password before the host, a token in a user's place, a signature, a webhook's path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from toolkit.masking.decisions import is_reference
from toolkit.masking.secret import HIDDEN
from toolkit.masking.tokens import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

# Slashes may be escaped, as some writers of JSON do. One address ends where the next one's `://` begins.
_URL = re.compile(r":(?:\\*+/){2}((?:[^\s\"'<>`:]|:(?!\\*+/\\*+/))++)")
_USER = re.compile(r"[^/?#:@\\]*+")
_PORT = re.compile(r"\d{1,5}(?=[/?#\\]|\Z)")
_AUTHORITY = re.compile(r"[^/?#\\]*+")
_SIGNED = re.compile(r"[?&;](?:sig|signature|x-(?:amz|goog)-signature)=([^&;\s#\\]+)", re.IGNORECASE)
_WEBHOOK = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/(?:v\d+/)?webhooks"
    r"|[\w.-]{1,80}\.webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch)/([^\s?#\\]+)"
)
_ORACLE = re.compile(r":oracle:[a-z0-9]{1,8}:[^\s/:@\"']{1,64}/([^\s@\"']{1,128})@")
_NO_PASSWORD = {"x-oauth-basic", "x-oauth-token", "x"}
_DRAWN = re.compile(r"(?=[^\W_]*\d)(?=[^\W_]*[^\W\d_])[^\W_]{16}|[\w-]{32}")


def url_spans(text: str) -> Iterator[Span]:
    """Find what is secret in the addresses in a text."""
    if "//" in text or "/\\/" in text:
        for found in _URL.finditer(text):
            yield from _in_url(found[1], found.start(1))
    if ":oracle:" in text:
        for found in _ORACLE.finditer(text):
            yield Span(found.start(1), found.end(1), "the password in an address")


def _in_url(body: str, start: int) -> Iterator[Span]:
    user = _USER.match(body)
    if "@" in body and user:
        yield from _userinfo(body, user.end(), start)
    for found in _SIGNED.finditer(body):
        yield Span(start + found.start(1), start + found.end(1), "the signature in an address")
    if hook := _WEBHOOK.match(body):
        yield Span(start + hook.start(1), start + hook.end(1), "the address of a webhook")


def _userinfo(body: str, end: int, start: int) -> Iterator[Span]:
    authority = _AUTHORITY.match(body)
    at = body.rfind("@", 0, authority.end() if authority else 0)
    if body[end : end + 1] != ":":
        if at == end and _DRAWN.search(body[:end]):
            yield Span(start, start + end, "a token in an address")
        return
    if at < 0:
        at = -1 if _PORT.match(body, end + 1) else body.rfind("@")
    if at < end:
        return
    password = body[end + 1 : at]
    is_token = password in _NO_PASSWORD or not password or _DRAWN.search(body[:end])
    if is_token and end and HIDDEN not in body[:end]:
        yield Span(start, start + end, "a token in an address")
    if password and password not in _NO_PASSWORD and password != HIDDEN and not is_reference(password):
        yield Span(start + end + 1, start + at, "the password in an address")
