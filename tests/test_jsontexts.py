"""Many JSON texts at once give what each gives alone, to the last digit."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import hypothesis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import jsonvalue
from toolkit.errors import CorruptValue
from toolkit.jsontexts import decode_texts, delicate, encode_texts


def reference(text: str) -> Any:
    """Read JSON with Python's own reader; a number that no double gives back stays a Decimal."""

    def number(digits: str) -> float | Decimal:
        exact, nearest = Decimal(digits), float(digits)
        return nearest if math.isfinite(nearest) and Decimal(repr(nearest)) == exact else exact

    return json.loads(text, parse_float=number)


def decoded(*texts: str | None, trusted: bool = False) -> list[Any]:
    """Decode texts, none of which is corrupt."""
    array = pa.array(list(texts), pa.string())
    problems: list[Any] = []
    values = decode_texts(array, delicate(array), lambda *problem: problems.append(problem), trusted=trusted)
    assert problems == []
    return values


numbers = (
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(2**70), 2**70).map(str)
    | st.sampled_from(
        ["0.1", "-0", "-0.0", "1e308", "1e309", "5e-324", "4e-324", "9007199254740993", "1E5", "1763258400.1234567"]
    )
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
escaped = st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(json.dumps)
scalars = numbers | texts | escaped | st.sampled_from(["true", "false", "null", '" 12345678901234567890 "', '"é1e999"'])
spaces = st.sampled_from(["", " ", "\n", "\t "])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """The text of a JSON value, as any writer may have written it."""
    comma, colon = "," + draw(spaces), ":" + draw(spaces)
    keys = st.sampled_from(['"a"', '"b"', '"é"', '"\\u00e9"', '"e 1"', '""'])
    inner = st.recursive(
        scalars,
        lambda below: (
            st.lists(below, max_size=3).map(lambda items: f"[{comma.join(items)}]")
            | st.lists(st.tuples(keys, below), max_size=3).map(
                lambda members: "{" + comma.join(f"{key}{colon}{value}" for key, value in members) + "}"
            )
        ),
        max_leaves=5,
    )
    return draw(inner)


@given(st.lists(documents(), max_size=5))
def test_texts_are_read_as_a_slow_and_exact_reader_reads_them(given: list[str]) -> None:
    for found, text in zip(decoded(*given), given, strict=True):
        assert jsonvalue.same(found, reference(text))
        assert jsonvalue.same(found, jsonvalue.decode(text))


@given(st.lists(documents(), min_size=1, max_size=4))
def test_texts_that_the_database_wrote_are_read_alike(given: list[str]) -> None:
    for found, text in zip(decoded(*given, None, trusted=True), [*given, "null"], strict=True):
        assert jsonvalue.same(found, reference(text))


@given(numbers)
@hypothesis.settings(max_examples=400)
def test_a_number_that_is_not_looked_at_closely_is_what_its_digits_say(number: str) -> None:
    text = json.dumps({"n": 0}).replace("0", number)
    if delicate(pa.array([text])) is None:
        assert jsonvalue.same(decoded(text)[0], reference(text))
        assert not isinstance(reference(text)["n"], Decimal)


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "",
        "NaN",
        '{"a": Infinity}',
        r'{"a": "\ud800"}',
        "1, 2",
        '{"a": 1} x',
        "nul",
        '{"n": 1e99999999999999999999}',
    ],
)
def test_a_text_that_is_no_json_is_told_and_the_others_are_read(broken: str) -> None:
    array = pa.array(['{"a": 1}', broken, None, "12345678901234567890123"])
    problems: list[tuple[int, CorruptValue]] = []
    values = decode_texts(array, delicate(array), lambda *problem: problems.append(problem))
    assert values == [{"a": 1}, None, None, 12345678901234567890123]
    assert [position for position, _ in problems] == [1]
    assert isinstance(problems[0][1], CorruptValue)


def test_of_two_equal_keys_the_last_counts() -> None:
    assert decoded('{"a": 1, "a": 2}', '{"a": 1.00000000000000001, "a": 2}') == [{"a": 2}, {"a": 2}]


def test_a_part_of_an_array_is_read_as_that_part() -> None:
    array = pa.array(["1", "2", "3.00000000000000000001", None])
    part = array.slice(1, 2)
    assert decode_texts(part, delicate(part), print) == [2, Decimal("3.00000000000000000001")]


@given(st.lists(documents(), max_size=4))
def test_what_is_written_is_read_again(given: list[str]) -> None:
    values = decoded(*given)
    found = decoded(*encode_texts(values).to_pylist())
    assert all(jsonvalue.same(one, other) for one, other in zip(found, values, strict=True))
