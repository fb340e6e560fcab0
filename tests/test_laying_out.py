"""Many rows are checked and laid out together as they are one by one, whatever they hold."""

from __future__ import annotations

import copy
import itertools
import uuid
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given

from benchmarks import data as made_up
from tests.written_rows import Colour, alike, any_value, dicts, ready, reference, source, tables
from toolkit.columns import DATA
from toolkit.errors import HiddenValue, InvalidValue, ToolkitError
from toolkit.storage import given as given_rows
from toolkit.storage.given import Listed, Records


def check(many: Any) -> None:
    before = copy.deepcopy(many)
    wanted = reference(many)
    if isinstance(wanted, ToolkitError):
        with pytest.raises(type(wanted)) as caught:
            list(Records(source(many)).batches())
        assert str(caught.value) == str(wanted)
    else:
        found = [row for batch in Records(source(many)).batches() for row in batch.to_pylist()]
        ordered = sorted(wanted, key=lambda row: row["record_id"])
        assert [row["record_id"] for row in found] == [row["record_id"] for row in ordered]
        for row, each in zip(found, ordered, strict=True):
            assert alike(row, ready(each)), (row, each)
    if isinstance(many, pd.DataFrame):
        pd.testing.assert_frame_equal(many, before)
    else:
        assert repr(many) == repr(before)


@given(dicts() | tables())
def test_rows_are_laid_out_together_as_they_are_one_by_one(many: Any) -> None:
    check(many)


@given(dicts(any_value) | tables(any_value))
def test_what_is_refused_one_by_one_is_refused_together(many: Any) -> None:
    check(many)


def test_refusals_in_every_kind_of_cell_are_the_same() -> None:
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    several: list[Any] = [
        float("nan"),
        b"x",
        deep,
        10**5000,
        {"k": {1: 2}},
        "\ud800",
        "a\0",
        "[hidden]",
        uuid.UUID(int=1),
    ]
    for bad in [*several, Decimal("1e400"), pd.Timestamp("2026-01-01"), Colour.RED, {"[hidden]": 1}]:
        for content in ({DATA: {"x": bad}}, {"fields.x": bad}, {"history[+]": {"y": [bad]}}):
            rows: list[dict[str, Any]] = [{"record_id": f"b_{n}", "fields.x": n} for n in range(4)]
            rows[2] = {"record_id": "a_2", **content}
            wanted = reference(rows)
            assert isinstance(wanted, InvalidValue | HiddenValue)
            with pytest.raises(type(wanted)) as caught:
                list(Records(Listed(rows)).batches())
            assert str(caught.value) == str(wanted)
            assert str(wanted).startswith("row 2 ('a_2'): ")


@pytest.mark.parametrize("parts", [2, 1000])
def test_the_first_bad_row_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(given_rows, "PART", parts)
    names = ["d", "c", "b", "a", "f", "e"]
    second: tuple[tuple[str, Any], ...] = (("record_id", "d"), ("fields.n", float("nan")))
    for places, (name, value) in itertools.product(itertools.permutations(range(1, 6), 2), second):
        rows: list[dict[str, Any]] = [{"record_id": each, "fields.n": 1} for each in names]
        rows[places[0]]["fields.n"] = float("inf")
        rows[places[1]][name] = value
        wanted = reference(rows)
        with pytest.raises(InvalidValue) as caught:
            list(Records(Listed(rows)).batches())
        assert str(caught.value) == str(wanted)
        assert str(wanted).startswith(f"row {min(places)} ")


def test_rows_without_anything_special_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("one by one")

    rows: list[dict[str, Any]] = made_up.records(50)
    rows[3]["data"]["fields"] |= {
        "big": 2**70,
        "large": 1e300,
        "text": 'a\n"\x01',
        "price": Decimal("0.5"),
        "note": (1,),
    }
    frame = pd.DataFrame(
        {
            "record_id": [f"a_{n}" for n in range(50)],
            "status": pd.Series(["complete", None] * 25, dtype="category"),
            "created_at": pd.Series([pd.Timestamp("2026-11-16", tz="Europe/Berlin"), pd.NaT] * 25),
            "fields.n": pd.array([1, None] * 25, dtype="Int64"),
            "fields.x": [1e20, 0.5] * 25,
            "fields.text": ['"quoted"\x01', None] * 25,
            "vars.list": [[1, {"a": None}], 2**70] * 25,
        }
    )
    monkeypatch.setattr(given_rows, "record_rows", never)
    for many in (rows, frame, pd.DataFrame(rows), frame.iloc[::-1]):
        assert sum(len(batch) for batch in Records(source(many)).batches()) == 50
