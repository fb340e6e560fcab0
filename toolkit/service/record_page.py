"""What the page about one record looks like: as plain text, and as values for the template."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, folding, frames, jsonvalue
from toolkit.model import counted

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.service.record_view import RecordView

_PARTS: Final = (columns.FIELDS, columns.VARS, columns.TARGETS)

_STEPS: Final = 15
"""Entries of the history that a page shows, the latest ones."""
_TURNS: Final = 15
"""Iteration variables that a page shows, the first ones."""
_SHORT: Final = 120
_MESSAGE: Final = 2_000

_COLORS: Final = {
    columns.DISCOVERED: "#888888",
    columns.PROCESSING: "#4477aa",
    columns.COMPLETE: "#228833",
    columns.FAILED: "#cc3311",
    columns.SKIPPED: "#bb9922",
}
"""What stands beside the word; it says nothing that the word does not."""
_OTHER_COLOR: Final = "#aa3377"


@dataclass(frozen=True, slots=True)
class Line:
    """A fact, and what it is about."""

    label: str
    text: str


def as_text(view: RecordView) -> str:
    """Return the page as plain text, without the document.

    Parameters
    ----------
    view : RecordView
        What was read.

    Returns
    -------
    str
        A dozen lines.
    """
    told = [*_facts(view), *_failure(view)]
    told += [Line(part.name, f"{part.text}: {part.preview}" if part.preview else part.text) for part in _parts(view)]
    told.append(Line("history", _history_line(view)))
    if len(view.iterations):
        told.append(Line("iterations", _iterations_line(view)))
    if view.hidden:
        told.append(Line("hidden", counted(view.hidden, "value")))
    return "\n".join([_title(view), *(f"  {line.label:<11}{line.text}" for line in told)])


def as_values(view: RecordView) -> dict[str, Any]:
    """Return what the template shows, every text cut to what a page can hold.

    Parameters
    ----------
    view : RecordView
        What was read.

    Returns
    -------
    dict of str to object
    """
    return {
        "title": folding.one_line(view.record_id, _SHORT),
        "type": folding.one_line(view.record_type, _SHORT),
        "workflow": folding.one_line(view.workflow_id, _SHORT),
        "status": _status(view),
        "color": _COLORS.get(view.status or "", _OTHER_COLOR),
        "facts": _facts(view),
        "failure": _failure(view),
        "failed": view.cause is not None,
        "siblings": view.sibling_count,
        "parts": _parts(view),
        "history": _history_line(view),
        "steps": _cells(view.history.tail(_STEPS)),
        "earlier": max(len(view.history) - _STEPS, 0),
        "iterations": _iterations_line(view) if len(view.iterations) else "",
        "turns": _cells(view.iterations.head(_TURNS)[["key", "value"]]),
        "further": max(len(view.iterations) - _TURNS, 0),
        "hidden": counted(view.hidden, "value") if view.hidden else "",
    }


def _title(view: RecordView) -> str:
    record_id, kind, workflow = (
        folding.one_line(text, _SHORT) for text in (view.record_id, view.record_type, view.workflow_id)
    )
    return f"Record {record_id} ({kind}) of workflow {workflow}: {_status(view)}"


def _status(view: RecordView) -> str:
    return columns.NO_STATUS if view.status is None else folding.one_line(view.status, _SHORT)


def _facts(view: RecordView) -> list[Line]:
    times = {"created": view.created_at, "updated": view.updated_at, "processed": view.processed_at}
    facts = {name: _time(time) for name, time in times.items() if time is not None}
    if view.processed_at is not None and view.begun_at is not None and view.processed_at < view.begun_at:
        facts["processed"] += " (in a former run)"
    if view.duration is not None:
        facts["took"] = _span(view.duration)
    if view.node is not None:
        facts["node"] = folding.one_line(view.node, _SHORT)
    if view.retry_count:
        facts["retries"] = f"{view.retry_count:,}"
    return [Line(label, text) for label, text in facts.items()]


def _failure(view: RecordView) -> list[Line]:
    said = folding.one_line(view.error or "no message", _MESSAGE)
    if view.cause is None:
        return [Line("left over", f"{said} (the record did not fail this time)")] if view.error else []
    others = counted(view.sibling_count, "other record") if view.sibling_count else "no other record"
    signature = folding.one_line(view.signature or "", 2 * _SHORT)
    return [Line("error", said), Line("cause", f"{view.cause}, shared with {others}: {signature}")]


def _parts(view: RecordView) -> list[folding.Branch]:
    if not isinstance(view.raw, dict):
        return [folding.fold(columns.DATA, view.raw)]
    parts = [folding.fold(name, view.raw[name]) for name in _PARTS if name in view.raw]
    others = {name: value for name, value in view.raw.items() if name not in columns.PARTS}
    return [*parts, folding.fold("other keys", others)] if others else parts


def _history_line(view: RecordView) -> str:
    number = "1 entry" if len(view.history) == 1 else f"{len(view.history):,} entries"
    times = view.history["time"].dropna()
    ends = dict.fromkeys(map(_time, (times.iloc[0], times.iloc[-1]))) if len(times) else ()
    return f"{number}, {' to '.join(ends)}" if ends else number


def _iterations_line(view: RecordView) -> str:
    number = counted(len(view.iterations), "variable")
    guessed = view.iterations["guess"].any()
    return f"{number}, {'guessed: fields.index does not tell which' if guessed else 'by fields.index'}"


def _cells(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a small frame as text: names of the columns, and rows of cells."""
    names = [name for name in frame.columns if frame[name].notna().any()]
    rows = zip(*(map(_cell, frames.plain_values(frame[name])) for name in names), strict=True)
    return {"names": [folding.one_line(name, _SHORT) for name in names], "rows": list(rows)}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return _time(value)
    if isinstance(value, dt.timedelta):
        return _span(value)
    if isinstance(value, dict | list):
        return folding.one_line(jsonvalue.encode_exact(value), _SHORT)
    return folding.one_line(value, _SHORT) if isinstance(value, str) else folding.written(value, _SHORT)


def _time(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _span(span: dt.timedelta) -> str:
    from toolkit.report import wording  # noqa: PLC0415 - it brings the templates of reports along

    return f"{'-' if span < dt.timedelta(0) else ''}{wording.seconds(abs(span.total_seconds()))}"
