"""Where a value in a text begins and ends, and which values are none: words for "nothing", references, code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from toolkit.masking.decisions import is_reference
from toolkit.masking.names import find_sensitive, word_set
from toolkit.masking.secret import HIDDEN

_SPACE = re.compile(r"[ \t]*+(?:!![A-Za-z]{1,20}[ \t]++)?(?:[bBuUrRfF]{1,2}(?=[\"']))?")
_QUOTE = re.compile(r"\\*+[\"'`]")
_QUOTED = {quote: re.compile(rf"(?:[^{quote}\\\r\n]|\\[^\r\n])*+") for quote in "\"'`"}
# A separator ends a value only where a new name, a space or the end follows; a closing quote, where no letter does.
_BARE = re.compile(
    r"(?:\$?\{\{[^{}\r\n]{0,100}\}\}|\$\{[^{}\s]{0,100}\}|%(?!26)|[^\s,;&\"'`<>()\[\]{}|\\%]"
    r"|[,;|](?![\s,;|&]|\Z|[\"']|[\w.$@%-]{1,64}+[ \t]?[=:])|&(?![\w.$@%\[\]-]{1,64}+=|&|\s|\Z)"
    r"|[\"'`](?=\w)|[)\]}](?=[^\s,;.)\]}\"'])|[(\[{]|<(?![/A-Za-z!])|>|\\(?![nrt\"'\\]))++"
)
_TRAILING: Final = ".,;:!?"
_SCHEME = re.compile(
    r"(?i)(?:bearer|basic|token|apikey|api-key|key|jwt|negotiate|ntlm|sso-key|splunk|genie ?key|ghp|pat)[ \t]++"
)
_LONG_SCHEME = re.compile(r"(?i)(?:digest|oauth|aws4-hmac-sha256|hawk|mac|hmac-?\w{0,8}|signature|goog4-\w{1,20}) ")
_LINE_END = re.compile(r"[\"'`,;.! \t]*+(?:[\r\n#]|\\[nr]|\Z)")
_REST_OF_LINE = re.compile(r"(?:[^\r\n\"'\\=]|=(?:\\?\"[^\"\r\n\\]*+\\?\")?)*+")
_NOTHING: Final = word_set(
    "true false none null nil undefined nan yes no on off void n/a na - -- ... … unset empty redacted filtered hidden "
    "masked removed omitted string str int bytes any optional[str] str|none secretstr"
)
_PLACEHOLDER = re.compile(
    r"[*•x.]{3,}|X{3,}|<[\w -]{0,60}>|\[[A-Z_ ]{2,30}\]|%[sdrv]|%\(\w{1,60}\)s|\{\}|\?|\$\d{1,2}"
    r"|!(?:secret|vault|Ref|Sub|GetAtt|ImportValue|ENV|env|env_var|include)|\{\{.{0,100}\}\}|\$\{\{.{0,100}\}\}"
)
_VARIABLE = re.compile(
    r"\$(?:env:)?([A-Z][A-Z0-9_]{1,60})|(?:\$(?:env:)?|%|[:@])([A-Za-z_]{2,60})%?|\{([A-Za-z_.]{2,60})\}"
)
_CALL = re.compile(
    r"(?:await |new )?[A-Za-z_][\w.]{0,100}(?:\((?:\)|[\"'\w.]{1,60}[,)\"'])?|\[[\"'\w.-]{1,60}\]?)"
    r"[)\].;,\w\"'(\[]{0,60}"
)
_ATTRIBUTE = re.compile(
    r"(?:self|this|cls|settings|config|conf|cfg|os|env|process|request|req|options|opts|args|params|ctx|context|app"
    r"|data|user|form|payload|event|var|local|module|secrets|vault|input|state|account|credentials?)"
    r"\.[A-Za-z_]\w{0,60}(?:\.[A-Za-z_]\w{0,60}){0,8}"
)
_CODE_CALL = re.compile(r"[A-Za-z_][\w.]{0,100}[(\[]")
_BRACKETS = re.compile(r"[\"'{}\[\]()]")
_PAIRS: Final = {"{": "}", "[": "]"}
_AUTHORIZATION: Final = ("authorization", "authorisation", "auth", "token", "header")


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a text.

    Attributes
    ----------
    start, end : int
        Where it stands, quotes not counted.
    text : str
        What it is.
    quoted : bool
        Whether it stood in quotes.
    is_header : bool
        Whether it is a header's: a scheme and a token, or cookies.
    """

    start: int
    end: int
    text: str
    quoted: bool = False
    is_header: bool = False

    @staticmethod
    def of(text: str, start: int) -> Value:
        """Return a value that stands somewhere."""
        return Value(start, start + len(text), text)

    def ends_line(self, text: str) -> bool:
        """Tell whether nothing but quotes and commas follows on its line."""
        return _LINE_END.match(text, self.end) is not None


_LINE_START = re.compile(r"(?:^|[\r\n])([ \t]*)(?:- +)?[\"']?\Z")
_BLOCK_OPENING = re.compile(r"[ \t]*+(?:[|>][+-]?\d?)?[ \t]*+\r?\n")
_BLOCK_LINE = re.compile(r"([ \t]*+)([^\r\n]*+)(?:\r?\n|\Z)")


def block_at(text: str, begin: int, position: int) -> Value | None:
    """Return the lines that stand deeper than a name which is alone on its line, as YAML and INI files have them.

    Parameters
    ----------
    text : str
        The text.
    begin : int
        Where the name begins.
    position : int
        Right after the sign that follows the name.

    Returns
    -------
    Value or None
    """
    opening = _BLOCK_OPENING.match(text, position)
    line = _LINE_START.search(text, max(0, begin - 200), begin) if opening else None
    if opening is None or line is None:
        return None
    start = end = opening.end()
    while end < len(text) and (found := _BLOCK_LINE.match(text, end)):
        if found[2] and len(found[1]) <= len(line[1]):
            break
        end = found.end()
    body = text[start:end]
    inner = body.strip()
    start += len(body) - len(body.lstrip())
    return Value(start, start + len(inner), inner, quoted=True) if inner and inner != HIDDEN else None


def value_at(text: str, position: int, name: str) -> Value | None:
    """Return the value that begins at a place, or None when there is none.

    Parameters
    ----------
    text : str
        The text.
    position : int
        Right after the sign that stands between name and value.
    name : str
        Of the value; a header's value has several words.

    Returns
    -------
    Value or None
    """
    found = _SPACE.match(text, position)
    position = found.end() if found else position
    if text.startswith(HIDDEN, position) or position >= len(text):
        return None
    if quote := _QUOTE.match(text, position):
        return _quoted(text, quote)
    if text[position] in _PAIRS:
        end = _closing(text, position)
        return Value(position, end, text[position:end])
    value = _header(text, position, name) or _bare(text, position)
    return None if value is None or value.text.startswith(HIDDEN) else value


def _quoted(text: str, quote: re.Match[str]) -> Value | None:
    start, sign = quote.end(), quote[0]
    if len(sign) == 1:
        body = _QUOTED[sign].match(text, start)
        end = body.end() if body else start
    else:
        end = text.find(sign, start)
        end = end if end >= 0 else len(text)
    inner = text[start:end]
    return None if not inner or inner.startswith(HIDDEN) else Value(start, end, inner, quoted=True)


def _bare(text: str, position: int) -> Value | None:
    found = _BARE.match(text, position)
    if not found:
        return None
    body = found[0].rstrip(_TRAILING) or found[0]
    if body.endswith(")") and "(" not in body:
        body = body.rstrip(").,;")
    return Value(position, position + len(body), body) if body else None


def _header(text: str, position: int, name: str) -> Value | None:
    small = name.casefold()
    if small.endswith("cookie"):
        rest = _REST_OF_LINE.match(text, position)
        if rest and "=" in rest[0]:
            return Value(position, rest.end(), rest[0], is_header=True)
    if not small.endswith(_AUTHORIZATION):
        return None
    if _LONG_SCHEME.match(text, position):
        rest = _REST_OF_LINE.match(text, position)
        return Value(position, rest.end(), rest[0], is_header=True) if rest else None
    scheme = _SCHEME.match(text, position)
    value = _mask_or_bare(text, scheme.end()) if scheme else None
    return None if value is None else Value(value.start, value.end, value.text, is_header=True)


def _mask_or_bare(text: str, position: int) -> Value | None:
    if text.startswith(HIDDEN, position):
        return Value(position, position + len(HIDDEN), HIDDEN)
    return _bare(text, position)


def _closing(text: str, position: int) -> int:
    """Return where an object or array ends, texts in it skipped; the end of the text when it does not."""
    depth, found = 0, _BRACKETS.search(text, position)
    while found:
        sign, position = found[0], found.end()
        if sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            if depth <= 0:
                return position
        elif sign in "\"'" and (body := _QUOTED[sign].match(text, position)):
            position = body.end() + 1
        found = _BRACKETS.search(text, position)
    return len(text)


def is_shown(value: Value) -> bool:
    """Tell whether a value says nothing: a word for "unset", a place to fill in, a reference, or code that gets it.

    Parameters
    ----------
    value : Value
        The value.

    Returns
    -------
    bool
    """
    text = value.text.strip()
    if not text or HIDDEN in text[: len(HIDDEN)] or _PLACEHOLDER.fullmatch(text) or is_reference(text):
        return True
    if (variable := _VARIABLE.fullmatch(text)) and (variable[1] or find_sensitive(variable[2] or variable[3])):
        return True
    if value.quoted:
        return text.casefold() in {"none", "null", "true", "false"}
    if text.casefold() in _NOTHING:
        return True
    return bool(_ATTRIBUTE.fullmatch(text) or (_CODE_CALL.match(text) and _CALL.fullmatch(text)))
