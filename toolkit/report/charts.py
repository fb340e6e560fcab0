"""Charts of `toolkit.plots` as SVG within a page: no file beside it, no script, no font, light and dark."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from matplotlib.axes import Axes

_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_WIDTH: Final = 9.2
_HEADROOM: Final = 1.25
_ROW: Final = 0.3
_MOST_ROWS: Final = 30

# What plots draw with, and what the style sheet calls it: so a chart turns dark with the page.
_COLOURS: Final = {
    "#000000": "currentColor", "#262626": "currentColor", "#ffffff": "var(--sheet)", "#dddddd": "var(--line)",
    "#bbbbbb": "var(--discovered)", "#56b4e9": "var(--processing)", "#009e73": "var(--complete)",
    "#d55e00": "var(--failed)", "#f0e442": "var(--skipped)", "#cc79a7": "var(--own-1)", "#e69f00": "var(--own-2)",
    "#0072b2": "var(--own-3)", "#999999": "var(--own-4)",
}  # fmt: skip
_COLOUR: Final = re.compile("|".join(_COLOURS))
_FONT: Final = re.compile(r"font-family: [^;]*;? ?")
_OF_PAGE: Final = "look-"
_LOOKS: Final = frozenset(_COLOURS.values()) - {"currentColor", "var(--sheet)", "var(--line)", "var(--complete)"}
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture that a section of a report shows.

    Attributes
    ----------
    name : str
        Stands in the ids of the picture.
    title : str
        What it shows, in a few words.
    plot : str
        The function of `toolkit.plots` that draws it.
    frame : str
        The frame that it is given, by its name in `RunReport.frames`.
    rows : callable
        How many rows it has, of that frame; with fewer than two there is no picture.
    said : str
        Where the numbers stand as text.
    """

    name: str
    title: str
    plot: str
    frame: str
    rows: Callable[[pd.DataFrame], int]
    said: str


def _types(records: pd.DataFrame) -> int:
    return int(records["record_type"].nunique(dropna=False))


def _pairs(records: pd.DataFrame) -> int:
    timed = records[records["processed_at"].notna().to_numpy()]
    return len(timed[["record_type", "status"]].drop_duplicates())


CHARTS: Final = (
    Chart("types", "Records by type and status", "status_by_type", "records", _types, "the table after it"),
    Chart("time", "How long records took", "durations", "records", _pairs, "the table after it"),
)
"""The pictures of a report, each named for the section that it stands in."""


def drawn(frames: Mapping[str, pd.DataFrame]) -> dict[str, Markup]:
    """Draw the charts of a report.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Those of the report; a chart whose frame is not among them is left out.

    Returns
    -------
    dict of str to Markup
        An `<svg>` by the name of its section.
    """
    return {
        chart.name: _picture(chart, frames[chart.frame])
        for chart in CHARTS
        if chart.frame in frames and chart.rows(frames[chart.frame]) > 1
    }


def _picture(chart: Chart, frame: pd.DataFrame) -> Markup:
    from matplotlib import rc_context  # noqa: PLC0415 - loaded when a chart is drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    from toolkit import plots  # noqa: PLC0415

    height = _HEADROOM + _ROW * min(chart.rows(frame), _MOST_ROWS)
    with rc_context({"axes.titlelocation": "left", "font.size": 10}):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        ax = getattr(plots, chart.plot)(frame, ax=figure.subplots())
        # The page has a heading of its own.
        ax.set_title("")
        return svg(ax, name=chart.name, title=chart.title, description=f"The numbers are in {chart.said}.")


def svg(ax: Axes, *, name: str, title: str, description: str) -> Markup:
    """Turn what was drawn into an `<svg>` that stands in a page.

    Parameters
    ----------
    ax : Axes
        Drawn, in a figure of its own.
    name : str
        Begins every id in it, so that two charts of a page have none in common; the same for the same chart.
    title, description : str
        What is read to those who do not see it.

    Returns
    -------
    Markup
        Text is text, in the font and the colours of the page.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> picture = svg(Figure().subplots(), name="empty", title="Nothing", description="There is nothing.")
    >>> picture[:30]
    Markup('<svg viewBox="0 0 460.8 345.6"')
    """
    from matplotlib import rc_context  # noqa: PLC0415 - as above

    file, figure = io.BytesIO(), ax.get_figure(root=True)
    if figure is None:
        raise InvalidOption("these Axes stand in no figure any more")
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    root = ET.fromstring(file.getvalue())  # noqa: S314 - what matplotlib wrote a moment ago
    for metadata in root.findall(f"{_SVG}metadata"):
        root.remove(metadata)
    _restyle(root)
    _share_hatches(root)
    _name_ids(root, name)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {"viewBox": view, "role": "img", "aria-labelledby": f"{name}-title {name}-description"}
    root[:0] = [_text("title", f"{name}-title", title), _text("desc", f"{name}-description", description)]
    return Markup(_written(root))  # noqa: S704 - made by an XML writer, which escapes


def _name_ids(root: ET.Element, name: str) -> None:
    """Keep only the ids that something refers to, and begin each with the name of the chart."""
    texts = [value for node in root.iter() for value in node.attrib.values()]
    used = {found for text in texts for found in _REFERENCE.findall(text)}
    used |= {node.attrib[_LINK][1:] for node in root.iter() if _LINK in node.attrib}
    for node in root.iter():
        own = node.attrib.pop("id", None)
        if own in used:
            node.attrib["id"] = f"{name}-{own}"
        if _LINK in node.attrib:
            node.attrib["href"] = f"#{name}-{node.attrib.pop(_LINK)[1:]}"
        for key, value in node.attrib.items():
            node.attrib[key] = _REFERENCE.sub(lambda found: _own(found[1], name), value)


def _own(reference: str, name: str) -> str:
    return f"url(#{reference})" if reference.startswith(_OF_PAGE) else f"url(#{name}-{reference})"


def _restyle(root: ET.Element) -> None:
    for style in root.iter(f"{_SVG}style"):
        # matplotlib's own sheet would hold for the whole page; the lines it draws are given it one by one.
        style.text = None
    for node in root.iter():
        written = node.attrib.get("style", "")
        text = _COLOUR.sub(lambda found: _COLOURS[found[0]], _FONT.sub("", written))
        if node.tag == f"{_SVG}text":
            text = f"{text}; fill: currentColor" if "fill" not in text else text
        if text:
            node.attrib["style"] = text


def _share_hatches(root: ET.Element) -> None:
    """Fill with the hatches that the page has anyway: matplotlib's own take up to a hundred times the room."""
    own = {}
    for pattern in root.iter(f"{_SVG}pattern"):
        grounds = [node.attrib.get("fill", "").lower() for node in pattern.iter(f"{_SVG}rect")]
        name = _COLOURS.get(grounds[0], "") if grounds else ""
        if name in _LOOKS:
            own[pattern.attrib["id"]] = f"url(#look-{name[6:-1]})"
    for parent in list(root.iter()):
        for child in [node for node in parent if node.attrib.get("id") in own]:
            parent.remove(child)
    for node in root.iter():
        written = node.attrib.get("style", "")
        node.attrib |= {"style": _REFERENCE.sub(lambda found: own.get(found[1], found[0]), written)} if written else {}


def _text(tag: str, own: str, text: str) -> ET.Element:
    node = ET.Element(f"{_SVG}{tag}", {"id": own})
    node.text = text
    return node


def _written(root: ET.Element) -> str:
    for parent in list(root.iter()):
        for empty in [node for node in parent if node.tag == f"{_SVG}style" or _is_empty(node)]:
            parent.remove(empty)
    for node in root.iter():
        node.tag = node.tag.removeprefix(_SVG)
    return ET.tostring(root, encoding="unicode")


def _is_empty(node: Any) -> bool:
    return node.tag == f"{_SVG}defs" and not len(node)
