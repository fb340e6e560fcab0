"""A file → an XML tree, by the standard library alone: nothing a document points at is ever fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn
from xml.etree import ElementTree as ET
from xml.parsers import expat

from toolkit.errors import ImportFailed
from toolkit.importers.values import one_line

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

_SHOWN_CHARACTERS: Final = 60


def parse_xml(path: Path) -> Element:
    """Read one XML file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Element
        Its root.

    Raises
    ------
    ImportFailed
        If the file cannot be read, is not XML, or declares an entity of its own: one line with the file and
        the place (lines and columns count from 1).

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "junit.xml")
    ...     _ = path.write_text("<testsuite><testcase/></testsuite>")
    ...     parse_xml(path).tag
    'testsuite'
    """
    shown = one_line(str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImportFailed(f"{shown}: cannot be read: {error.strerror}") from None
    _refuse_entities(content, shown)
    try:
        return ET.fromstring(content)  # noqa: S314 - entities were refused on the line above
    except ET.ParseError as error:
        line, column = error.position
        reason = str(error).rpartition(": line ")[0] if content else "the file is empty"
        raise ImportFailed(f"{shown}, line {line}, column {column + 1}: not XML: {reason}") from None
    except (ValueError, LookupError) as error:
        raise ImportFailed(f"{shown}, line 1: {error}; save the file as UTF-8") from None


class _PrologEnds(Exception):
    """The first element begins; no entity can be declared any more."""


def _refuse_entities(content: bytes, shown: str) -> None:
    parser = expat.ParserCreate()

    def refuse(name: str, *_: object) -> NoReturn:
        place = f"{shown}, line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
        raise ImportFailed(f"{place}: declares the entity {name[:_SHOWN_CHARACTERS]!r}; entities are refused")

    def stop(*_: object) -> NoReturn:
        raise _PrologEnds

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        parser.Parse(content, True)  # noqa: FBT003 - positional only
    except ImportFailed:
        raise
    except (_PrologEnds, expat.ExpatError, ValueError, LookupError):
        # What else is wrong with the document is found, and said, by the parser of the whole.
        return
