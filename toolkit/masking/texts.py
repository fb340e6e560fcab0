"""Secrets inside a text: what names them stands right beside them.

Each rule finds where a secret begins and ends; only that part goes, and the rest of the sentence stays readable. The
rules walk forward and never look at a character more than a few times, so that a hostile text takes linear time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.masking.commands import command_spans, spoken_spans
from toolkit.masking.decisions import MAXIMUM_NAME, Rulebook, is_reference, rule_for, verdict_on
from toolkit.masking.names import split_words, word_set
from toolkit.masking.secret import HIDDEN
from toolkit.masking.shapes import Literal
from toolkit.masking.tokens import Span, looks_drawn, private_key_spans, token_spans
from toolkit.masking.urls import url_spans
from toolkit.masking.values import Value, block_at, is_shown, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator

# What no rule can do without: a sign between a name and a value, a bracket, a flag, a long run, a scheme.
_NOISE = re.compile(
    # The colons of a time are none.
    r"[=\uff1a{\[<\"]|:(?<!-\d\dT\d\d:)(?<!-\d\dT\d\d:\d\d:)|%3[dD]|(?<![\w.-])[\w.-]{16}"
    r"|(?:^|[\s'(])--?[A-Za-z]|-----|PRIVATE KEY|(?i:earer |asic |\bpass(?:word|phrase) |ified by )"
)
NOISE: Final = (
    r"[=\x{ff1a}{\[<\":%-]|[\w.]{16}|PRIVATE KEY|(?i:earer |asic |pass(?:word|phrase) |ified by )|[^\x00-\x7f]"
)
"""The same for RE2, which lets less pass: without a look at what stands before."""
_ASSIGNMENT = re.compile(r"(?<![\w.$@-])([\w.$@-]++)([\]\"'`\\]{0,6}+)[ \t]*+(=>|:=|={1,3}|[:\uff1a]|%3[dD])")
_TYPE = (
    r"(?:str|String|string|bytes|Any|any|SecretStr|Secret|Final|Optional|Union|Annotated|ClassVar|None|null|undefined)"
)
_ANNOTATION = re.compile(
    rf"[ \t]*+&?(?:'static )?{_TYPE}(?:\[[\w., |\[\]]{{0,60}}\])?(?: ?\| ?{_TYPE}){{0,4}}"
    r"[ \t]*+=[ \t]*+(?=[rbuf]?[\"'`])"
)
_THREEFOLD = re.compile(r"[ \t]*+[rbuRBUfF]{0,2}(\"{3}|'{3})")
_SEPARATOR = re.compile(r"[=:\uff1a]|%3[dD]")
_DETAIL = re.compile(r"\(([^\n=]{1,512}?)\)=\(")
_DETAIL_END = re.compile(r"\)(?= (?:already|is (?:not|still|dup)|conflict)|\.?\s*$)|(?=\n)|\Z", re.MULTILINE)
_ELEMENT = re.compile(r"<((?:[\w-]{1,64}:)?[\w.-]{1,255})(?:\s[^<>]*+)?>([^<]++)</")
_ATTRIBUTES = re.compile(r"\b(?:key|name|id)=[\"']([^\"'<>]{1,255})[\"'][ \t]+value=(?=[\"'])", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"([A-Za-z]{2,24})[ ]\Z")
_WHOLE_LINE = re.compile(r"(?:^|[\r\n])[ \t]*(?:- +|> ?|# ?|export )?[\"']?\Z")
_COLONS: Final = ":\uff1a"
_COUNT = re.compile(r"[ \t]*+\d{1,5}(?!\w)")
_SECOND_WORDS: Final = frozenset({"key", "keys", "code", "codes", "string", "url", "account", "phrase", "id"})
_QUALIFIERS: Final = word_set(
    "api access private secret signing encryption decryption license licence connection webhook service security "
    "recovery backup verification session ssh app application account subscription master seed shared"
)
_WEAK: Final = frozenset({"session", "auth", "cookie", "pass", "pin", "account", "secret", "credentials", "token"})
_STATES: Final = word_set(
    "required missing invalid incorrect wrong expired ok okay failed failure unknown none empty not set unset changed "
    "disabled enabled revoked valid optional hidden redacted removed masked present absent denied rejected accepted "
    "yes no true false null the a an is was expected unexpected reset mismatch error success string text"
)


def is_quiet(text: str) -> bool:
    """Tell by one quick look that a text cannot hold what a rule of this module would hide."""
    return _NOISE.search(text) is None


def find_spans(book: Rulebook, text: str) -> list[Span]:
    """Return what is secret in a text that is no JSON, in no order; parts may overlap."""
    spans = [span for name, rule in book.rules for span in _own_spans(rule, text, name)]
    if is_quiet(text):
        return spans
    spans += private_key_spans(text)
    spans += token_spans(text)
    if _SEPARATOR.search(text):
        spans += url_spans(text)
        spans += _assignments(book, text)
    if "-" in text:
        spans += command_spans(book, text)
    if "assword" in text or "ASSWORD" in text or "dentified" in text or "DENTIFIED" in text or "assphrase" in text:
        spans += spoken_spans(text)
    if ")=(" in text:
        spans += _details(book, text)
    if "<" in text:
        spans += _markup(book, text)
    return [span for span in spans if text[span.start : span.end] != HIDDEN]


def replace_spans(text: str, spans: list[Span]) -> str:
    """Return the text with every part replaced; parts that overlap become one `[hidden]`."""
    if not spans:
        return text
    merged: list[Span] = []
    for span in sorted(spans):
        last = merged[-1] if merged else None
        if last is not None and (span.start < last.end or (span.start == last.end and span.shown == last.shown)):
            merged[-1] = Span(last.start, max(last.end, span.end), last.what)
        else:
            merged.append(span)
    pieces, position = [], 0
    for span in merged:
        pieces += [text[position : span.start], span.shown]
        position = span.end
    return "".join([*pieces, text[position:]])


def _own_spans(rule: re.Pattern[str], text: str, name: str) -> Iterator[Span]:
    for found in rule.finditer(text):
        for group in range(1, rule.groups + 1) if rule.groups else (0,):
            start, end = found.span(group)
            # A mask is left as it is, so that hiding twice is hiding once.
            if end > start and HIDDEN not in found[group]:
                yield Span(start, end, f"what the rule {name!r} finds")


def _assignments(book: Rulebook, text: str) -> Iterator[Span]:
    position = 0
    while found := _ASSIGNMENT.search(text, position):
        position = found.end()
        name = _name_of(book, text, found)
        if not name or (found[3] == ":" and text.startswith((":", "//"), position)):
            continue
        value = _assigned(text, position, name)
        is_told = found[3] not in _COLONS or (value is not None and _is_told(text, found, value, name))
        if value is None and (value := block_at(text, found.start(), position)):
            is_told = True
        if value is not None and is_told and hides_text(book, name, value):
            yield Span(value.start, value.end, f"the value of {_shown_name(name)!r}")
            position = max(position, value.end)


def _assigned(text: str, position: int, name: str) -> Value | None:
    """Return the value that follows a name, also past the type that code says it has, and in threefold quotes."""
    if annotated := _ANNOTATION.match(text, position):
        position = annotated.end()
    if opened := _THREEFOLD.match(text, position):
        end = text.find(opened[1], opened.end())
        body = text[opened.end() : end if end >= 0 else len(text)]
        inner = body.strip()
        start = opened.end() + len(body) - len(body.lstrip())
        return Value(start, start + len(inner), inner, quoted=True) if inner and not inner.startswith(HIDDEN) else None
    return value_at(text, position, name)


def _shown_name(name: str) -> str:
    return name.strip("-.$@")[-60:]


def hides_text(book: Rulebook, name: str, value: Value) -> bool:
    """Tell whether a name hides a value that was found in a text."""
    text = value.text
    if is_shown(value):
        return False
    typed = Literal(text) if not value.quoted and re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", text) else text
    verdict = verdict_on(book, (), name)
    return rule_for(verdict, typed).hides and not is_reference(text)


def _name_of(book: Rulebook, text: str, found: re.Match[str]) -> str | None:
    name = found[1][-MAXIMUM_NAME:]
    if verdict_on(book, (), name).rule.hides:
        return None if name.casefold() == "pass" and not found[2] and _counts_tests(text, found) else name
    if name.casefold() in _SECOND_WORDS and not found[2]:
        before = _WORD_BEFORE.search(text, max(0, found.start() - 26), found.start())
        if before and before[1].casefold() in _QUALIFIERS and verdict_on(book, (), f"{before[1]} {name}").rule.hides:
            return f"{before[1]} {name}"
    return None


def _counts_tests(text: str, found: re.Match[str]) -> bool:
    """Tell whether `pass` is what became of a test: `PASS: name`, or `pass=3 fail=0`."""
    if found[3] == ":":
        return found[1] != "pass" or text[found.end() : found.end() + 1].isspace()
    return "fail" in text.casefold() and _COUNT.match(text, found.end()) is not None


def _is_told(text: str, found: re.Match[str], value: Value, name: str) -> bool:
    """Tell whether what follows `name:` is a value, and no part of a sentence about it."""
    begin = found.start()
    if found[2] or (text[begin - 1 : begin] in {'"', "'"} and value.quoted):
        return True
    if begin and text[begin - 1] in ":/" and not value.quoted:
        return False
    if name.casefold() in {"authorization", "proxy-authorization", "cookie", "set-cookie"} and value.is_header:
        return True
    if looks_drawn(value.text, least=5):
        return True
    words = set(split_words(name))
    whole_line = _WHOLE_LINE.search(text, max(0, begin - 40), begin) and value.ends_line(text)
    return bool(whole_line and words.isdisjoint(_WEAK) and value.text.casefold() not in _STATES)


def _details(book: Rulebook, text: str) -> Iterator[Span]:
    position = 0
    while found := _DETAIL.search(text, position):
        position = found.end()
        names = found[1].split(", ")
        hidden = [verdict_on(book, (), name).rule.hides for name in names]
        if not any(hidden):
            continue
        end = _DETAIL_END.search(text, position)
        stop = end.start() if end else len(text)
        yield from _detail_values(text, position, stop, hidden)
        position = stop


def _detail_values(text: str, start: int, stop: int, hidden: list[bool]) -> Iterator[Span]:
    values = text[start:stop].split(", ")
    if len(values) != len(hidden):
        yield Span(start, stop, "what a database tells of a row")
        return
    for value, hides in zip(values, hidden, strict=True):
        if hides and value:
            yield Span(start, start + len(value), "what a database tells of a row")
        start += len(value) + 2


def _markup(book: Rulebook, text: str) -> Iterator[Span]:
    for found in _ELEMENT.finditer(text):
        value = Value.of(found[2].strip(), found.start(2) + len(found[2]) - len(found[2].lstrip()))
        if value.text and hides_text(book, found[1], value):
            yield Span(value.start, value.end, f"the value of {_shown_name(found[1])!r}")
    for found in _ATTRIBUTES.finditer(text):
        value_of = value_at(text, found.end(), found[1])
        if value_of is not None and hides_text(book, found[1], value_of):
            yield Span(value_of.start, value_of.end, f"the value of {_shown_name(found[1])!r}")
