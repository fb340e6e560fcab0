"""Secrets in command lines: `--token value`, `curl -u user:password`, the short flags of well-known programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.masking.decisions import MAXIMUM_NAME, Rulebook, rule_for, verdict_on
from toolkit.masking.names import word_set
from toolkit.masking.tokens import Span
from toolkit.masking.values import is_shown, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAG = re.compile(r"(?<![^\s\"'(\[,=`])(--?[A-Za-z][\w.-]*+)(?:[ \t]++|[\"'],[ \t]*+(?=[\"']))(?![-|&;<>)=])")
# After a flag that a sentence speaks of, the sentence goes on.
_PROSE: Final = word_set(
    "option options flag flags argument arguments parameter parameters switch switches value values setting settings "
    "and or but is are was were be been has have had in on of for to from with without the a an this that must should "
    "can cannot could may might will would not no as at by if then when while requires required needs takes expects "
    "instead too also does did do"
)
_USER = re.compile(
    r"(?<![^\s\"'(])(?:-u|-U|--user|--proxy-user|--auth|-a)(?:=|[ \t]*+)[\"']?([^\s:\"'/]{0,255}):(?!//)"
)
_SPOKEN = re.compile(
    r"(?i:\b(?:password|identified[ ]by|passphrase))[ \t]++(?:(?i:is|of|to)[ \t]++)?(?=')"
    r"|(?i:\blogin[ \t]{1,8}[^\s]{1,255}[ \t]{1,8}password[ \t]{1,8})"
)
_USER_PROGRAM = re.compile(r"\b(?:curl|wget|https?|xh)\b")
_SHORT = re.compile(
    r"(?P<program>(?<![\w/.-])(?:/[\w/.-]{0,80}/)?(?:mysql\w{0,12}|mariadb[\w-]{0,12}"
    r"|sshpass|(?:docker|podman|az|helm registry)"
    r"(?= login)|redis-cli|mongo\w{0,10}|sqlcmd|bcp|ldap\w{2,8}|plink|pscp|zip|unzip|7z)(?:\.exe)?(?=\s))"
    r"|(?P<end>[\r\n|;&])|(?<=\s)-(?P<flag>pw|[paPw])(?P<space>[ \t]*+)(?=[^\s-])"
)
# The flag of each that takes a password, and whether a space stands between.
_PASSWORD_FLAGS: Final = {
    "mysql": ("p", False),
    "mariadb": ("p", False),
    "sshpass": ("p", None),
    "docker": ("p", True),
    "podman": ("p", True),
    "helm registry": ("p", True),
    "redis-cli": ("a", True),
    "mongo": ("p", None),
    "sqlcmd": ("P", None),
    "bcp": ("P", None),
    "ldap": ("w", None),
    "plink": ("pw", True),
    "pscp": ("pw", True),
    "az": ("p", True),
    "zip": ("P", None),
    "unzip": ("P", None),
    "7z": ("p", False),
}


def command_spans(book: Rulebook, text: str) -> Iterator[Span]:
    """Find what is secret in a command line."""
    yield from _flags(book, text)
    if "-u" in text or "-U" in text or "--user" in text or "--proxy-user" in text or "-a" in text:
        yield from _users(text)
    if " -" in text:
        yield from _short_flags(text)


def spoken_spans(text: str) -> Iterator[Span]:
    """Find the passwords in SQL (`PASSWORD 'x'`, `IDENTIFIED BY 'x'`) and in netrc files (`login x password y`)."""
    position = 0
    while found := _SPOKEN.search(text, position):
        position = found.end()
        value = value_at(text, position, "password")
        if value is not None and not is_shown(value):
            yield Span(value.start, value.end, "a password")
            position = max(position, value.end)


def _flags(book: Rulebook, text: str) -> Iterator[Span]:
    position = 0
    while found := _FLAG.search(text, position):
        position = found.end()
        name = found[1][-MAXIMUM_NAME:]
        verdict = verdict_on(book, (), name)
        value = value_at(text, position, name) if verdict.rule.hides else None
        if value is None or value.text.casefold() in _PROSE or is_shown(value):
            continue
        if rule_for(verdict, value.text).hides:
            yield Span(value.start, value.end, f"the value of {name!r}")
            position = max(position, value.end)


def _users(text: str) -> Iterator[Span]:
    program = _USER_PROGRAM.search(text)
    for found in _USER.finditer(text, program.end()) if program else ():
        value = value_at(text, found.end(), "password")
        if value is not None and not is_shown(value):
            yield Span(value.start, value.end, "the password of a user")


def _short_flags(text: str) -> Iterator[Span]:
    expected: tuple[str, bool | None] | None = None
    for found in _SHORT.finditer(text):
        if found["program"]:
            program = found["program"].rsplit("/", 1)[-1]
            expected = next((flag for name, flag in _PASSWORD_FLAGS.items() if program.startswith(name)), None)
        elif found["end"]:
            expected = None
        elif expected and found["flag"] == expected[0] and expected[1] in {None, bool(found["space"])}:
            value = value_at(text, found.end(), "password")
            if value is not None and not is_shown(value):
                yield Span(value.start, value.end, "the password in a command")
