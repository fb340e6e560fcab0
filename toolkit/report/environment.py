"""One Jinja environment for all renderings of a report; it escapes everything."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from toolkit.columns import STATUSES
from toolkit.report import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.report.model import RunSummary

_OTHER_STYLES: Final = 4
_LEAST_WIDTH: Final = 0.6
_SHORT: Final = 64
_LONG: Final = 160
_PLACEHOLDER: Final = re.compile(r"(<[a-z]+>)")
_PUNCTUATION: Final = re.compile(r"([\\`*_{}\[\]<>#!|~^$&])")
_REFERENCE: Final = re.compile(r"([@#])(?=\w)")
_SPACE: Final = re.compile(r"\s+")
_BACKTICKS: Final = re.compile(r"`+")


def render(template: str, **values: Any) -> str:
    """Render one of the templates of a report.

    Parameters
    ----------
    template : str
        Its file name.
    **values
        What it shows; every text that is no Markup is escaped.

    Returns
    -------
    str
    """
    text: str = _environment().get_template(template).render(values)
    return text


def style() -> Markup:
    """Return the style sheet of pages.

    Returns
    -------
    Markup
    """
    return Markup(files(__package__).joinpath("style.css").read_text("utf-8"))  # noqa: S704 - our own file


def blocks(template: str, **values: Any) -> dict[str, str]:
    """Render the blocks of a template one by one.

    Parameters
    ----------
    template : str
        Its file name.
    **values
        What it shows.

    Returns
    -------
    dict of str to str
        The text of each block by its name, in the order in which they are written.
    """
    loaded = _environment().get_template(template)
    return {name: "".join(block(loaded.new_context(values))) for name, block in loaded.blocks.items()}


def looks(summary: RunSummary) -> dict[str, str]:
    """Say how each status of a report looks.

    Parameters
    ----------
    summary : RunSummary
        Whose statuses.

    Returns
    -------
    dict of str to str
        The name of a class of the style sheet, by status.
    """
    names = [card.status for card in summary.cards if card.status is not None]
    own = [name for name in names if name not in STATUSES]
    return {name: name if name in STATUSES else f"own-{own.index(name) % _OTHER_STYLES + 1}" for name in names}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("toolkit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": wording.visible,
        "lines": lambda text: wording.visible(text, lines=True),
        "short": lambda text: wording.cut(text, _SHORT),
        "long": lambda text: wording.cut(text, _LONG),
        "number": lambda count: f"{count:,}",
        "seconds": wording.seconds,
        "moment": wording.moment,
        "clock": wording.clock,
        "pieces": _pieces,
        "plural": wording.plural,
        "md": escaped,
        "span": _span,
        "cell": _cell,
    }
    environment.globals |= {"percent": wording.percent, "period": wording.period, "segments": _segments}
    return environment


def _segments(counts: Sequence[int]) -> list[tuple[int, float, float]]:
    """Lay counts side by side: for each that is not 0, its position, start and width in per cent.

    One record of ten thousand is still to be seen, so no part is narrower than a hair.
    """
    whole = sum(counts)
    widths = [max(100 * count / whole, _LEAST_WIDTH) if count else 0.0 for count in counts]
    scale = 100 / sum(widths) if whole else 0.0
    starts = [sum(widths[:position]) for position in range(len(widths))]
    return [
        (position, round(starts[position] * scale, 3), round(width * scale, 3))
        for position, width in enumerate(widths)
        if width
    ]


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Take a signature apart: whether each piece is a placeholder, and its text."""
    return [(bool(_PLACEHOLDER.fullmatch(piece)), piece) for piece in _PLACEHOLDER.split(text) if piece]


def escaped(text: str) -> Markup:
    """Escape text for Markdown, and keep "@name" and "#1" from becoming mentions and links."""
    plain = _SPACE.sub(" ", wording.visible(text, lines=True)).strip()
    return Markup(_REFERENCE.sub("\\1\u2060", _PUNCTUATION.sub(r"\\\1", plain)))  # noqa: S704 - as the line says


def _span(text: str) -> Markup:
    """Put text into a code span, whatever backticks it holds."""
    plain = _SPACE.sub(" ", wording.visible(text, lines=True)).strip() or " "
    fence = "`" * (max(map(len, _BACKTICKS.findall(plain)), default=0) + 1)
    space = " " if "`" in (plain[0], plain[-1]) else ""
    return Markup(fence + space + plain + space + fence)  # noqa: S704 - a code span shows what it holds


def _cell(text: str) -> Markup:
    """Put text into a code span within a table, where a bar would end the cell."""
    return Markup(_span(text).replace("|", "\\|"))  # noqa: S704 - likewise
