"""Rows as people give them to be written, made up; and what a look at one after another makes of them."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from toolkit import frames, jsonvalue
from toolkit.columns import DATA
from toolkit.errors import ToolkitError
from toolkit.storage.columnwise import NAMES
from toolkit.storage.given import Given, Listed
from toolkit.storage.rows import GIVEN, record_rows


class Colour(enum.Enum):
    RED = "red"


class Shade(enum.StrEnum):
    DARK = "dark"


AWKWARD_TEXTS = ["", "é😀", 'a "quoted" \\ text', "tab\tnew\nline\r", "\x01\x7f", "\\N", "\\.", "[hid", "null", "1e16"]
texts = st.sampled_from(AWKWARD_TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
numbers = (
    st.sampled_from([0, -1, 2**63, -(2**63), 2**64, 2**70, 10**40, 1e16, -1.5e300, 1e15, 5e-324, 0.1, -0.0, 1e-7])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
scalars = st.none() | st.booleans() | numbers | texts
unusual = st.sampled_from(
    [
        (1, 2),
        Decimal("0.5"),
        np.int64(3),
        np.float64(1e20),
        np.array([1, 2]),
        np.str_("s"),
        OrderedDict(a=1),
        Shade.DARK,
    ]
)
refused = st.sampled_from(
    [
        float("nan"),
        float("-inf"),
        b"x",
        {1, 2},
        uuid.UUID(int=1),
        Colour.RED,
        dt.date(2026, 1, 1),
        {1: 2},
        "a\0",
        "\ud800",
        "[hidden]",
        {"a": ["is [hidden]"]},
        Decimal("0.1000000000000000001"),
        object,
        np.datetime64("2026-01-01"),
    ]
)


def values(more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON values, with some others anywhere in them."""
    return st.recursive(
        scalars | more,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=2), inner, max_size=3),
        max_leaves=6,
    )


fine = values(unusual)
any_value = values(unusual) | values(refused)
ids = st.lists(st.text("ab_:é\t\\", min_size=1, max_size=3), unique=True, min_size=1, max_size=8)
times = st.sampled_from(
    ["2026-11-16T02:00:00Z", "2026-11-16", dt.datetime(2026, 11, 16, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))]
) | st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))  # noqa: DTZ001 - a time without a zone is UTC
PLACES = ["fields.x", "fields.a", "fields.a.b", 'fields."p.q"', "fields", "vars.y.z", "vars.y.w", "targets.t"]
PLACES += ["history", "history[+]", "fields.x[+]", "data.extra", "data.extra.more", "data.fields.x", 'vars."é"']
record_columns = {
    "record_type": st.none() | texts,
    "status": st.none() | texts,
    "error_message": st.none() | texts,
    "iteration_node_alias": st.none() | texts,
    "retry_count": st.none() | st.integers(0, 5),
    "created_at": st.none() | times,
    "processed_at": st.none() | times,
}
documents = st.dictionaries(st.sampled_from(["x", "fields", "vars", "targets", "history"]), fine, max_size=4)


@st.composite
def dicts(draw: st.DrawFn, value: st.SearchStrategy[Any] = fine) -> list[dict[str, Any]]:
    """Rows as dicts: some with a document, some with paths, some with both."""
    names = draw(ids)
    of_places = st.dictionaries(st.sampled_from(PLACES), value, max_size=3)
    rows = []
    for name in names:
        given_columns = draw(st.fixed_dictionaries({}, optional=record_columns))
        content = draw(of_places | st.fixed_dictionaries({DATA: st.none() | documents}))
        rows.append({"record_id": name, **given_columns, **content})
    return rows


def _column(values: list[Any], kind: str) -> Any:
    """A column of a dtype, where it can hold such values; of objects elsewhere."""
    try:
        return pd.Series(values, dtype=kind)
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return pd.Series(values, dtype=object)


@st.composite
def tables(draw: st.DrawFn, value: st.SearchStrategy[Any] = fine) -> pd.DataFrame:
    """Frames with columns of every dtype, sparse enough that paths meet in few rows."""
    names = draw(ids)
    length = len(names)
    columns: dict[str, Any] = {
        "record_id": pd.Series(names, dtype=draw(st.sampled_from(["str", "object", "category"])))
    }
    kinds: list[tuple[str, st.SearchStrategy[Any]]] = [
        ("object", value),
        ("str", texts),
        ("string", texts),
        ("category", texts | st.integers(0, 3)),
        ("Int64", st.integers(-(2**63), 2**63 - 1)),
        ("UInt64", st.integers(0, 2**64 - 1)),
        ("Float64", numbers.filter(lambda number: isinstance(number, float))),
        ("float64", st.floats(allow_infinity=False)),
        ("float32", st.floats(width=32, allow_infinity=False)),
        ("boolean", st.booleans()),
        ("int64[pyarrow]", st.integers(-(2**63), 2**63 - 1)),
        ("double[pyarrow]", st.floats(allow_nan=False, allow_infinity=False)),
        ("string[pyarrow]", texts),
    ]
    for place in draw(st.lists(st.sampled_from(PLACES), unique=True, max_size=5)):
        kind, cell = draw(st.sampled_from(kinds))
        columns[place] = _column(draw(st.lists(st.none() | cell, min_size=length, max_size=length)), kind)
    for name in draw(st.lists(st.sampled_from(sorted(record_columns)), unique=True, max_size=3)):
        cells = draw(st.lists(record_columns[name], min_size=length, max_size=length))
        columns[name] = _column(cells, draw(st.sampled_from(["object", "str", "Int64", "datetime64[us, UTC]"])))
    if len(columns) == 1 and draw(st.booleans()):
        columns[DATA] = pd.Series(draw(st.lists(st.none() | documents, min_size=length, max_size=length)), dtype=object)
    return pd.DataFrame(columns)


def source(many: Any) -> Given:
    """Rows as `create_records` hands them over."""
    of_frame = frames.frame_rows(many)
    return Listed(many) if of_frame is None else of_frame


def reference(many: Any) -> list[dict[str, Any]] | ToolkitError:
    """What a look at one row after another makes of them, or why it does not."""
    try:
        return record_rows(frames.to_rows(many))
    except ToolkitError as error:
        return error


def ready(row: dict[str, Any]) -> dict[str, Any]:
    always = {"record_type", "status", DATA}
    return {name: row[name] if name in always or name in row[GIVEN] else None for name in NAMES}


def alike(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether two rows are the same, their documents as values of JSON."""
    documents = jsonvalue.decode(found[DATA]), jsonvalue.decode(wanted[DATA])
    return jsonvalue.same(*documents) and {**found, DATA: ""} == {**wanted, DATA: ""}


def many_rows(number: int, **content: Any) -> list[dict[str, Any]]:
    """Rows with ids in order, all with the same content."""
    return [{"record_id": f"a_{n:05}", **content} for n in range(number)]
