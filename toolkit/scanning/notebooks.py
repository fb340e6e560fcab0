"""Every part of a notebook, of either form (nbformat 3 and 4), as a text or a value that a policy judges.

A notebook is read as JSON, so that nothing in it is passed over because a reader does not know it: what is no source,
output, metadata or attachment is looked at as well.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import json
import os
import re
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolkit.errors import ImportFailed
from toolkit.masking import HIDDEN, MaskingPolicy
from toolkit.masking.locating import KNOWN, Place, differences, kind_of, locate, written
from toolkit.masking.shapes import Literal
from toolkit.scanning.code import in_code
from toolkit.scanning.tables import TableSecret, in_columns, in_markup, without_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EXTENSION: Final = ".ipynb"
CHECKPOINTS: Final = ".ipynb_checkpoints"
"""The one hidden folder that is searched: it holds copies of notebooks."""

_EXCERPT: Final = 40
"""Characters before a secret that are told."""
_ANSI = re.compile(r"\x1b\[[0-?]*+[ -/]*+[@-~]")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{8,}+[=\s]*+")
_EMBEDDED = re.compile(r"data:[\w.+-]{1,64}/[\w.+-]{1,64}(?:;[\w=.-]{1,64}){0,4};base64,([A-Za-z0-9+/]{8,}+=*+)")
_MARKUP: Final = ("html", "xml", "svg")
_SOURCES: Final = ("source", "input")
_BUNDLES: Final = frozenset({"text", "html", "svg", "latex", "json", "javascript", "png", "jpeg", "pdf"})
"""Where outputs of the older form keep what later ones keep in `data`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret in a notebook.

    Attributes
    ----------
    cell : int or None
        Number of the cell, from 1; None for what belongs to no cell.
    part : str
        Where in the cell: `source`, `output 1 (text/html)`, `metadata`, `attachment a.txt (text/plain)`.
    line : int or None
        Number of the line in it, from 1; None where it is a value.
    kind : str
        Which rule found it.
    excerpt : str
        What stands before it, and a mask in its place.
    """

    cell: int | None
    part: str
    line: int | None
    kind: str
    excerpt: str

    def __str__(self) -> str:
        cell = "" if self.cell is None else f"cell {self.cell}, "
        line = "" if self.line is None else f", line {self.line}"
        return f"{cell}{self.part}{line}: {self.kind}: {self.excerpt}"


class _Form(Enum):
    """What a text is."""

    SOURCE = auto()
    OUTPUT = auto()
    MARKUP = auto()


class _Part(NamedTuple):
    """A part of a notebook: a text, or a value as JSON has them."""

    cell: int | None
    name: str
    value: Any
    form: _Form = _Form.OUTPUT


class _Found(NamedTuple):
    line: int | None
    kind: str
    excerpt: str
    secret: str


def notebook_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Give the notebooks that paths name: files as they are, folders with all below them.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        Files and folders. Hidden folders are left out, but for the copies that Jupyter keeps.

    Yields
    ------
    pathlib.Path
        Those of a folder by name.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if name == CHECKPOINTS or not name.startswith("."))
            yield from (Path(folder) / name for name in sorted(files) if name.endswith(EXTENSION))


def scan_notebook(text: str, policy: MaskingPolicy | None = None) -> list[Finding]:
    r"""Find the secrets in a notebook: in sources, outputs of every kind, metadata and attachments.

    Parameters
    ----------
    text : str
        What is in its file.
    policy : MaskingPolicy, optional
        Decides; the toolkit's own rules when left out.

    Returns
    -------
    list of Finding
        In the order of the notebook. A secret that one place tells is found wherever it stands.

    Raises
    ------
    ImportFailed
        When it is no notebook of nbformat 3 or 4.

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": ["n = 1\n", "password = 'FAKE-not-real'"], "outputs": []}
    >>> [str(found) for found in scan_notebook(json.dumps({"nbformat": 4, "cells": [cell]}))]
    ["cell 1, source, line 2: the value of 'password': password = '[hidden]"]
    """
    rules = policy or MaskingPolicy()
    parts = list(_parts(_read(text)))
    known = {found.secret for part in parts for found in _Look(rules, rules).at(part)}
    look = _Look(rules, rules.sweeping(known))
    return [
        Finding(part.cell, look.shown(part.name), found.line, look.shown(found.kind), found.excerpt)
        for part in parts
        for found in look.at(part)
    ]


def _read(text: str) -> Mapping[str, Any]:
    try:
        book = _DECODER.decode(text.removeprefix("\ufeff").strip())
    except RecursionError:
        raise ImportFailed("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ImportFailed(f"it is no JSON from line {error.lineno} on") from None
    except ValueError:
        raise ImportFailed("it is no JSON") from None
    if not isinstance(book, dict) or not isinstance(book.get("cells", book.get("worksheets")), list):
        raise ImportFailed("it has no list of cells, as nbformat 3 and 4 have it")
    return book


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep what a key that stands twice would lose."""
    members: dict[str, Any] = {}
    for number, (key, value) in enumerate(pairs):
        members[key if key not in members else f"{key} ({number})"] = value
    return members


_DECODER: Final = json.JSONDecoder(
    strict=False, object_pairs_hook=_object, parse_int=Literal, parse_float=Literal, parse_constant=Literal
)


# The parts


def _parts(book: Mapping[str, Any]) -> Iterator[_Part]:
    number = 0
    for sheet in [book, *_listed(book.get("worksheets"))]:
        for cell in _listed(sheet.get("cells")):
            number += 1
            yield from _of_cell(number, cell)
        rest = {key: value for key, value in sheet.items() if key not in {"cells", "worksheets"}}
        yield _Part(None, "metadata of the notebook", rest)
        loose = [one for key in ("cells", "worksheets") for one in _any(sheet.get(key)) if not isinstance(one, dict)]
        yield _Part(None, "what is no cell", loose)


def _of_cell(number: int, cell: Mapping[str, Any]) -> Iterator[_Part]:
    known = {*_SOURCES, "outputs", "attachments"}
    for name in _SOURCES:
        if name in cell:
            yield from _of_content(number, "source", cell[name], "text/plain")
    for index, output in enumerate(_any(cell.get("outputs")), 1):
        yield from _of_output(number, f"output {index}", output)
    attachments = cell.get("attachments")
    for name, bundle in attachments.items() if isinstance(attachments, dict) else [("", attachments)]:
        yield from _of_bundle(number, f"attachment {name}", bundle)
    yield _Part(number, "metadata", {key: value for key, value in cell.items() if key not in known})


def _of_output(number: int, name: str, output: Any) -> Iterator[_Part]:
    if not isinstance(output, dict):
        yield _Part(number, name, output)
        return
    known = {"data", "traceback", *_BUNDLES}
    yield from _of_bundle(number, name, output.get("data"))
    for key in sorted(_BUNDLES & output.keys()):
        yield from _of_content(number, f"{name} ({key})", output[key], "text/plain" if key == "text" else key)
    if "traceback" in output:
        yield from _of_content(number, f"{name} (traceback)", output["traceback"], "text/plain", joint="\n")
    rest = {key: value for key, value in output.items() if key not in known}
    yield _Part(number, f"{name} (its metadata)", _without_colours(rest))


def _of_bundle(number: int, name: str, bundle: Any) -> Iterator[_Part]:
    if not isinstance(bundle, dict):
        yield _Part(number, name, bundle)
        return
    for kind, content in bundle.items():
        yield from _of_content(number, f"{name} ({kind})", content, kind)


def _of_content(number: int, name: str, content: Any, kind: str, joint: str = "") -> Iterator[_Part]:
    """Give a content as text, where it is text or lines of it, and what base64 in it says."""
    lines = content if isinstance(content, list) else [content]
    if not all(isinstance(line, str) for line in lines):
        yield _Part(number, name, content)
        return
    text = joint.join(lines)
    if not kind.startswith("text/") and (decoded := _decoded(text)) is not None:
        # A picture says nothing; what is text says what it is.
        yield _Part(number, name, decoded)
        return
    if (decoded := _decoded(text) if "attachment" in name else None) is not None:
        yield _Part(number, f"{name}, decoded", decoded, _form(name, kind))
    yield _Part(number, name, _ANSI.sub("", text), _form(name, kind))
    for found in _EMBEDDED.finditer(text):
        if decoded := _decoded(found[1]):
            yield _Part(number, f"{name}, embedded", decoded)


def _form(name: str, kind: str) -> _Form:
    if kind.casefold().endswith(_MARKUP):
        return _Form.MARKUP
    return _Form.SOURCE if name == "source" else _Form.OUTPUT


def _decoded(text: str) -> str | None:
    """Return what base64 says: text, or nothing for a picture; None when it is no base64."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        return None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        return ""


def _without_colours(value: Any) -> Any:
    return {key: _ANSI.sub("", each) if isinstance(each, str) else each for key, each in value.items()}


def _any(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in _any(value) if isinstance(each, dict)]


# What is found in them


class _Look:
    """How parts are looked at: by rules, and by rules that know what is secret elsewhere in the notebook."""

    def __init__(self, rules: MaskingPolicy, swept: MaskingPolicy) -> None:
        self.rules, self.swept = rules, swept

    def shown(self, text: str) -> str:
        """Return a text as it is told."""
        return self.swept.mask_text(text)

    def at(self, part: _Part) -> Iterator[_Found]:
        """Find the secrets in a part, in order."""
        if not isinstance(part.value, str):
            return self._in_value(part.value)
        if part.form is _Form.MARKUP:
            return self._in_markup(part.value)
        more = in_code if part.form is _Form.SOURCE else self._in_columns
        return self._at_lines(part.value, _merged([*more(self.rules, part.value), *locate(self.swept, part.value)]))

    def _in_value(self, value: Any) -> Iterator[_Found]:
        for difference in differences(value, self.swept.mask(value)):
            path = self.shown(written(difference.path)) or "the value"
            secret = difference.value if isinstance(difference.value, str) else ""
            yield _Found(None, kind_of(self.swept, difference), f"{path} = {HIDDEN}", secret)

    def _in_columns(self, rules: MaskingPolicy, text: str) -> Iterator[Place]:
        return (self._place(each, each.start + len(each.secret)) for each in in_columns(rules, text))

    def _place(self, cell: TableSecret, end: int) -> Place:
        # Beside a column of names, that of the values is no secret's by its own name.
        kind = "the value of" if self.rules.is_sensitive_name(cell.name) else "a value in the column"
        return Place(cell.start, end, f"{kind} {cell.name!r}", cell.secret, cell.name)

    def _in_markup(self, text: str) -> Iterator[_Found]:
        """Look at the tables, at what is to be read, and at what is written: attributes and scripts."""
        plain, cells = without_tags(text), [self._place(each, each.start) for each in in_markup(self.rules, text)]
        # What stands before it as it is written is not told: it may be a secret in another writing.
        raw = [place._replace(path=place.path or "HTML") for place in locate(self.swept, text)]
        seen: set[tuple[int | None, str]] = set()
        found = [*self._at_lines(text, cells), *self._at_lines(plain, locate(self.swept, plain))]
        for each in sorted([*found, *self._at_lines(text, raw)], key=lambda each: each.line or 0):
            if (each.line, html.unescape(each.secret)) not in seen:
                seen.add((each.line, html.unescape(each.secret)))
                yield each

    def _at_lines(self, text: str, places: Iterable[Place]) -> Iterator[_Found]:
        line, counted, ended = 1, 0, 0
        for place in places:
            line += text.count("\n", counted, place.start)
            counted = max(counted, place.start)
            start = max(ended, place.start - _EXCERPT)
            before = text[start : place.start].rpartition("\n")[2] if not place.path else f"{place.path}: "
            yield _Found(line, place.what, self.shown(before.lstrip() + HIDDEN), place.secret)
            ended = max(ended, place.end)


def _merged(places: Iterable[Place]) -> list[Place]:
    """Return places in order, one for each beginning: what says why goes before what only says that it is known."""
    best: dict[int, Place] = {}
    for place in sorted(places, key=lambda place: (place.what == KNOWN, place.start, place.end)):
        best.setdefault(place.start, place)
    return sorted(best.values())
