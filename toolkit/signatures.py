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

# What stands above the first line of substance (RE2 syntax, as in all that follows).
_HEADERS: Final = (
    (r"(?s)\ATraceback \(most recent call last\):[ \t\r]*\n(?:[ \t][^\n]*\n|[ \t\r]*\n)*", ""),
    (r"\A(?:[^\pL\pN\n]*\n)+", ""),
    (r"\A([\w.]*(?:Error|Exception|Failure)):?[ \t\r]*\n\s*", r"\1: "),
    (r"(?s)\s*\n.*\z", ""),
)

# Codes that say what happened, so that they are not mere numbers.
_CODE: Final = (
    r"(?i:\b(?:HTTP(?:/\d(?:\.\d)?)?|status|code|exit(?:ed with)?)(?: status)?(?: code| error)?"
    r"[ :=]{1,2}\d{1,3}\b|\b\d{3} (?:client|server) error\b)"
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
    (r'"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`', "<text>"),
    (r"(^|[^\w])'(?:[^']|'\w)*'", r"\1<text>"),
    (rf"\b{_AMOUNT} ?{_UNIT}(?:,? {_AMOUNT} ?{_UNIT}|{_AMOUNT}{_UNIT})*\b", "<duration>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
)
_HEX: Final = r"\b[0-9a-fA-F]{8,}\b"
_LAST_RULES: Final = (
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
    lines = _once_each(texts, lambda each: _zero_digits(_first_lines(each)))
    return _once_each(lines, _placeholders)


def _once_each(texts: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a change to each different text once: runs repeat a few messages many times."""
    encoded = texts.dictionary_encode()
    return change(encoded.dictionary).take(encoded.indices)


def _replace(texts: Any, pattern: str, replacement: str) -> Any:
    return pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)


def _replace_all_but(texts: Any, keep: str, pattern: str, placeholder: str) -> Any:
    # RE2 has no look-around: what is kept is matched first, gets a mark behind it, and loses it again.
    kept = pc.match_substring_regex(texts, keep)
    marked = _replace(texts.filter(kept), f"({keep})|(?:{pattern})", rf"\1{_MARK}")
    marked = _replace(_replace(marked, f"({keep}){_MARK}", r"\1"), _MARK, placeholder)
    plain = _replace(texts.filter(pc.invert(kept)), pattern, placeholder)
    return pc.replace_with_mask(pc.replace_with_mask(texts, kept, marked), pc.invert(kept), plain)


def _first_lines(texts: Any) -> Any:
    """Cut each message to its first line of substance; a Python traceback gives its error."""
    trimmed = pc.utf8_trim_whitespace(texts)
    several = pc.match_substring(trimmed, "\n")
    lines = trimmed.filter(several)
    for pattern, replacement in _HEADERS:
        lines = _replace(lines, pattern, replacement)
    lines = pc.if_else(pc.equal(lines, ""), trimmed.filter(several), lines)
    whole = pc.replace_with_mask(trimmed, several, lines)
    return pc.utf8_slice_codeunits(whole, 0, _LINE_LIMIT)


def _zero_digits(texts: Any) -> Any:
    # Messages that differ in digits alone become one text here, before the costly rules.
    coded = pc.match_substring_regex(texts, _CODE)
    plain = texts.filter(pc.invert(coded))
    _, offsets, data = plain.buffers()
    zeros = pa.py_buffer(data.to_pybytes().translate(_ZEROS) if data else b"")
    return pc.replace_with_mask(texts, pc.invert(coded), pa.StringArray.from_buffers(len(plain), offsets, zeros))


def _placeholders(texts: Any) -> Any:
    for pattern, replacement in _RULES:
        texts = _replace(texts, pattern, replacement)
    texts = _replace_all_but(texts, r"\b0{8,}\b", _HEX, "<hex>")
    texts = _replace_all_but(texts, _CODE, _NUMBER, "<number>")
    for pattern, replacement in _LAST_RULES:
        texts = _replace(texts, pattern, replacement)
    texts = pc.utf8_trim_whitespace(texts)
    too_long = pc.greater(pc.utf8_length(texts), _SIGNATURE_LIMIT)
    cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, _SIGNATURE_LIMIT - 1), "…", "")
    return pc.if_else(too_long, cut, texts)
