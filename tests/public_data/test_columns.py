"""Public JSON of many makers, as documents: columns at once hold, value for value, what the exact reader gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from toolkit import frames, jsonvalue
from toolkit.columns import DATA
from toolkit.frames.parsing import Parser
from toolkit.masking import EVERYTHING, MaskingPolicy, View

ROOT = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS = 100


def texts_of(path: Path) -> list[list[str]]:
    """Return groups of documents: the file's own text beside another, and every list of objects near its top."""
    text = path.read_text(encoding="utf-8", errors="replace")
    groups = [[text.replace("\n", " "), '{"vars": {"a": 1}}']]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return groups
    lists = [value, *value.values()] if isinstance(value, dict) else [value]
    groups += [
        [json.dumps({"fields": one}) for one in found[:ROWS]]
        for found in lists
        if isinstance(found, list) and found and all(isinstance(one, dict) for one in found)
    ]
    return groups


def columns(texts: list[str], view: View, parser: Parser | None) -> Iterator[tuple[str, str, list[Any]]]:
    table = pa.table({"record_id": [str(row) for row in range(len(texts))], DATA: texts})
    flat = frames.Flat(view)
    flat.add(frames.look(table, view, parser))
    for name, column in flat.columns()[0].items():
        is_array = isinstance(column, np.ndarray)
        yield name, "object" if is_array else str(column.type), column.tolist() if is_array else column.to_pylist()


@pytest.mark.filterwarnings("ignore:record:toolkit.errors.DataWarning")
@pytest.mark.parametrize("view", [EVERYTHING, View(MaskingPolicy())], ids=["revealed", "masked"])
def test_public_json_gives_the_same_columns_both_ways(view: View) -> None:
    groups = [(path, texts) for path in sorted(ROOT.rglob("*.json")) for texts in texts_of(path)]
    assert len(groups) > 500
    for path, texts in groups:
        quick, slow = list(columns(texts, view, Parser())), list(columns(texts, view, None))
        assert [column[:2] for column in quick] == [column[:2] for column in slow], path
        for (name, _, ours), (_, _, exact) in zip(quick, slow, strict=True):
            assert all(map(jsonvalue.same, ours, exact)), (path, name)
