"""What makes two error messages one cause: the same text, but for what differs from failure to failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LINE_LIMIT: Final = 1_000
_SIGNATURE_LIMIT: Final = 200
_MARK: Final = "\ue000"  # a private character, so that no message holds it

# Colours of a terminal, also where a writer of XML has dropped the escape character.
_COLOURS: Final = r"\x1b?\[\d{1,3}(?:;\d{1,3})*m"

# What stands above the first line of substance (RE2 syntax, as in all that follows): the frames of a traceback, rules
# and bullets, the bare name of a test. A line that ends in a colon, or is no more than a class, takes the next one.
_HEADERS: Final = (
    (r"(?s)\ATraceback \(most recent call last\):[ \t\r]*\n(?:[ \t][^\n]*\n|[ \t\r]*\n)*", ""),
    (r"\A(?:[^\pL\pN\n]*\n)+", ""),
    (r"\A[\w.\\$]+(?:::|#)[\w$]+[ \t\r]*\n\s*", ""),
    (r"\A([\w.]*(?:Error|Exception|Failure)):?[ \t\r]*\n\s*", r"\1: "),
    (r"\A([^\n]*\pL:)[ \t\r]*\n\s*", r"\1 "),
    (r"(?s)\s*\n.*\z", ""),
)

# Codes that say what happened, so that they are not mere numbers: those of HTTP where a word or their own phrase shows
# that they are meant, those of a process, and those that databases, systems and compilers number their errors with.
_HTTP: Final = r"(?:4(?:0\d|1[0-8]|2[1-9]|31|51)|50[0-8]|51[01])"
_PHRASE: Final = (
    r"(?:bad request|unauthori[sz]ed|payment required|forbidden|not found|method not|not acceptable|proxy auth|request "
    r"time|conflict|gone|length required|precondition|payload too|request entity|unsupported media|too many|unprocess"
    r"able|locked|(?:internal )?server error|not implemented|bad gateway|service|gateway time|client error)"
)
_CODE: Final = (
    r"(?i:\b(?:HTTP(?:/\d(?:\.\d)?)?|status|code|exit(?:ed with)?)(?: status)?(?: code| error)?[ :=]{1,2}\d{1,3}\b"
    rf"|\b(?:fail(?:ed|ure|ing|s)?|errors?|rejected|denied|refused|response|responded|replied|answered)(?: with)?"
    rf"(?: ?[:=(\[#]| -)? ?{_HTTP}\b"
    rf"|\b(?:got|gave|returned|returns|received)(?: an?)? {_HTTP}(?:$|[\]).,;:!]|\s+\()"
    rf"|\b{_HTTP}[ :,-]{{1,3}}{_PHRASE}"
    r"|\bORA-\d+|\bSQLSTATE[ :=(\[]{1,2}\w{5}\b|\b(?:errno|winerror)[ :=]{1,2}\d+|\berror [a-z]{1,4}\d{3,5}\b)"
)
_CLOCK: Final = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})\b)?"
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_UNIT: Final = r"(?:[nuµm]?s|m|h|d|(?:nano|micro|milli)?sec(?:ond)?s?|min(?:ute)?s?|h(?:ou)?rs?|days?)"
_AMOUNT: Final = r"\d+(?:[.,]\d+)?"
_NUMBER: Final = r"\d+(?:[.,_]\d+)*(?:[eE][+-]?\d+\b)?"
_BEFORE: Final = r"""(^|[\s(\[{=:,"'`|])"""
_WHOLE: Final = r"<(?:url|email|path|uuid|hex|date|time|address)>"

# Each kind of thing before the kinds that it could be taken for.
_RULES: Final = (
    (r"""\b[A-Za-z][A-Za-z0-9+.-]*://[^\s"'`<>)\]}]+""", "<url>"),
    (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<email>"),
    (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<uuid>"),
    (rf"\b\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_CLOCK})?", "<date>"),
    (rf"\b(?:[A-Z][a-z]{{2}}, )?\d{{1,2}} {_MONTH} \d{{4}}(?: {_CLOCK})?", "<date>"),
    (r"\b\d{1,2}([./])\d{1,2}[./]\d{4}\b", "<date>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<address>"),
    (r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b", "<time>"),
    (rf"{_BEFORE}(?:[A-Za-z]:\\|\\\\|~?/|\.{{1,2}}/)[^\s:,;\"'`<>()\[\]]+(?::\d+){{0,2}}", r"\1<path>"),
    (rf"{_BEFORE}[\w.-]+(?:/[\w.-]+)+\.[A-Za-z]\w{{0,4}}\b(?::\d+){{0,2}}", r"\1<path>"),
    (rf"""["'`]({_WHOLE})["'`]""", r"\1"),
    # In JSON, keys say what the message is about, and so do the values of those that name an error.
    (r"""(?i)["'](\w*(?:error|code|type|reason|status)\w*)["'] ?: ?["']([\w.-]+)["']""", r"\1: \2"),
    (r"""([{,] ?)["'](\w+)["'] ?:""", r"\1\2:"),
    (r'"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`', "<text>"),
    (r"(^|[^\w])'(?:[^']|'\w)*'", r"\1<text>"),
    (rf"\b{_AMOUNT} ?{_UNIT}(?:,? {_AMOUNT} ?{_UNIT}|{_AMOUNT}{_UNIT})*\b", "<duration>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
)
_HEX: Final = r"\b[0-9a-fA-F]{8,}\b"
_LAST_RULES: Final = (
    (r"^at <path>", "<path>"),
    (r"<path>\(<number>(?:,<number>)?\)", "<path>"),
    (r"(^|[\s(\[=:,])[+-](<number>|<duration>)", r"\1\2"),
    (r"\s+", " "),
)


def signatures(messages: Sequence[str]) -> pa.StringArray:
    """Normalise error messages, so that those of one cause become one text.

    The first line of substance stays (of a Python traceback, its error), and what differs from failure to failure
    becomes a placeholder: numbers, hex, uuids, dates, times, durations, paths, URLs, addresses and quoted text.

    Parameters
    ----------
    messages : sequence of str
        One per failure; a blank one gives an empty signature.

    Returns
    -------
    pyarrow.StringArray
        One per message, in their order.

    Examples
    --------
    >>> signatures(["Timeout after 30.1 s", "Timeout after 2 min"]).to_pylist()
    ['Timeout after <duration>', 'Timeout after <duration>']
    """
    texts = pa.array(messages, pa.string())
    lines = _once_each(texts, lambda each: _outside(_first_lines(each), _CODE, _zeroed))
    return _once_each(lines, _placeholders)


def _once_each(texts: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a change to each different text once: runs repeat a few messages many times."""
    encoded = texts.dictionary_encode()
    return change(encoded.dictionary).take(encoded.indices)


def _replace(texts: Any, pattern: str, replacement: str) -> Any:
    return pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)


def _outside(texts: Any, keep: str, change: Callable[[Any], Any]) -> Any:
    """Change what lies outside the matches of a pattern: RE2 has no look-around."""
    holds = pc.match_substring_regex(texts, keep)
    pieces = pc.split_pattern(_replace(texts.filter(holds), f"({keep})", rf"{_MARK}\1{_MARK}"), _MARK)
    offsets, flat = pieces.offsets, pieces.flatten()
    place = pc.subtract(pa.array(range(len(flat)), pa.int32()), offsets.take(pc.list_parent_indices(pieces)))
    # Every second piece is a match.
    mixed = pc.if_else(pc.equal(pc.bit_wise_and(place, 1), 1), flat, change(flat))
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, mixed), "")
    rest = pc.invert(holds)
    return pc.replace_with_mask(pc.replace_with_mask(texts, rest, change(texts.filter(rest))), holds, joined)


def _first_lines(texts: Any) -> Any:
    """Cut each message to its first line of substance; a Python traceback gives its error."""
    trimmed = pc.utf8_trim_whitespace(_replace(texts, _COLOURS, ""))
    several = pc.match_substring(trimmed, "\n")
    lines = trimmed.filter(several)
    for pattern, replacement in _HEADERS:
        lines = _replace(lines, pattern, replacement)
    lines = pc.if_else(pc.equal(lines, ""), trimmed.filter(several), lines)
    whole = pc.replace_with_mask(trimmed, several, lines)
    return pc.utf8_slice_codeunits(whole, 0, _LINE_LIMIT)


def _zeroed(texts: Any) -> Any:
    # Messages that differ in digits alone become one text here, before the costly rules; codes keep theirs.
    _, offsets, data = texts.buffers()
    zeros = pa.py_buffer(data.to_pybytes().translate(_ZEROS) if data else b"")
    return pa.StringArray.from_buffers(len(texts), offsets, zeros, offset=texts.offset)


def _placeholders(texts: Any) -> Any:
    for pattern, replacement in _RULES:
        texts = _replace(texts, pattern, replacement)
    texts = _outside(texts, r"\b0{8,}\b", lambda each: _replace(each, _HEX, "<hex>"))
    texts = _outside(texts, _CODE, lambda each: _replace(each, _NUMBER, "<number>"))
    for pattern, replacement in _LAST_RULES:
        texts = _replace(texts, pattern, replacement)
    texts = pc.utf8_trim_whitespace(texts)
    too_long = pc.greater(pc.utf8_length(texts), _SIGNATURE_LIMIT)
    cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, _SIGNATURE_LIMIT - 1), "…", "")
    return pc.if_else(too_long, cut, texts)
