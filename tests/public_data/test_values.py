"""Values that other people made up to break parsers come back as they are, from JSON and from every database."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import toolkit
from toolkit import jsonvalue, patterns
from toolkit.errors import CorruptValue, InvalidValue

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PARSING = DATA / "05_nasty_json" / "nst_JSONTestSuite" / "test_parsing"
SCHEMAS = DATA / "05_nasty_json" / "json-schema-org_JSON-Schema-Test-Suite"
NAUGHTY = DATA / "05_nasty_json" / "minimaxir_big-list-of-naughty-strings" / "blns.json"
TWITTER = next((DATA / "04_records").rglob("twitter.json"), DATA / "nowhere")
FILES = sorted(PARSING.glob("*.json"))
# Read, and not to be written: numbers that no double holds, and a NUL character.
REFUSED = {
    "i_number_pos_double_huge_exp.json",
    "i_number_real_neg_overflow.json",
    "y_object_escaped_null_in_key.json",
}


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def is_writable(value: Any) -> bool:
    try:
        jsonvalue.encode(value)
    except InvalidValue:
        return False
    return True


@cache
def readable() -> dict[str, Any]:
    """Every value of the parsing suite that is read, by the name of its file."""
    found = {}
    for path in FILES:
        try:
            found[path.name] = jsonvalue.decode(path.read_bytes())
        except CorruptValue:
            continue
    return found


def schema_values() -> list[Any]:
    groups = [group for path in sorted(SCHEMAS.rglob("*.json")) for group in loaded(path)]
    return [value for group in groups for value in (group["schema"], *(test["data"] for test in group["tests"]))]


def doubles(count: int) -> Iterator[float]:
    """Doubles of random bits: every exponent is as likely as any other."""
    source = random.Random(20261116)  # noqa: S311 - the same numbers each time
    while count:
        (number,) = struct.unpack("<d", source.randbytes(8))
        if math.isfinite(number):
            count -= 1
            yield number


def test_the_data_is_as_large_as_expected() -> None:
    assert len(FILES) == 166
    assert len(schema_values()) > 800
    assert len(loaded(NAUGHTY)) == 515
    assert len(loaded(TWITTER)["statuses"]) == 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_read_as_its_name_says(path: Path) -> None:
    text = path.read_bytes()
    if path.name in readable():
        assert not path.name.startswith("n_")
        assert readable()[path.name] == json.loads(text, parse_float=jsonvalue.decode)
        return
    assert not path.name.startswith("y_")
    for exact in (False, True):
        with pytest.raises(CorruptValue) as caught:
            jsonvalue.decode(text, exact=exact)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), readable().items())
def test_a_value_that_is_read_can_be_written_and_read_again(name: str, value: Any) -> None:
    exact = jsonvalue.decode((PARSING / name).read_bytes(), exact=True)
    assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode_exact(exact)), value)
    if is_writable(value):
        assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode(value)), value)


def test_all_but_a_few_of_what_is_read_can_be_stored() -> None:
    assert {name for name, value in readable().items() if not is_writable(value)} == REFUSED


def test_values_of_the_schema_suite_come_back() -> None:
    for value in schema_values():
        if is_writable(value):
            assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode(value)), value)
    # Four of them hold a NUL character.
    assert sum(not is_writable(value) for value in schema_values()) == 4


def test_tweets_and_naughty_strings_come_back() -> None:
    for value in (loaded(TWITTER), loaded(NAUGHTY)):
        assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode(value)), value)


def test_twenty_thousand_doubles_come_back() -> None:
    numbers = list(doubles(20_000))
    assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode(numbers)), numbers)
    for number in numbers:
        assert jsonvalue.same(jsonvalue.decode(jsonvalue.encode(number)), number)


def sample() -> dict[str, Any]:
    """A sample of everything, small enough for three databases."""
    parsing = {f"parsing/{name}": value for name, value in readable().items() if is_writable(value)}
    schemas = [value for value in schema_values() if is_writable(value)][::10]
    naughty = [text for text in loaded(NAUGHTY) if is_writable(text)]
    return {
        **parsing,
        **{f"schema/{place}": value for place, value in enumerate(schemas)},
        **{f"naughty/{place}": text for place, text in enumerate(naughty)},
        **{f"tweet/{place}": tweet for place, tweet in enumerate(loaded(TWITTER)["statuses"][:20])},
        "doubles": list(doubles(20_000)),
    }


def test_every_database_gives_values_back(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    values = sample()
    service.set_variables(workflow_id, values)
    found = service.get_all_variables(workflow_id, reveal=True)
    assert set(found["key"]) == set(values)
    for key, value in zip(found["key"], found["value"], strict=True):
        assert jsonvalue.same(value, jsonvalue.plain(values[key])), key


def test_every_database_gives_tweets_back_as_documents(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    tweets = loaded(TWITTER)["statuses"]
    service.create_records(workflow_id, [{"record_id": f"tweet_{tweet['id_str']}", "data": tweet} for tweet in tweets])
    found = service.query_records(workflow_id, flatten=False, reveal=True)
    documents = dict(zip(found["record_id"], found["data"], strict=True))
    for tweet in tweets:
        assert jsonvalue.same(documents[f"tweet_{tweet['id_str']}"]["fields"], tweet)
    flat = service.query_records(workflow_id, reveal=True)
    assert len(flat) == len(documents)
    assert str(flat["fields.id"].dtype) == "Int64"
    assert set(flat["fields.id"].astype(str)) == {tweet["id_str"] for tweet in tweets}


def test_naughty_strings_are_keys_ids_and_patterns(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    names = sorted({text for text in loaded(NAUGHTY) if text and len(text) <= 255 and is_writable(text)})
    service.set_variables(workflow_id, dict.fromkeys(names, 1))
    service.create_records(workflow_id, [{"record_id": name} for name in names])
    assert list(service.get_all_variables(workflow_id)["key"]) == names
    assert sorted(service.query_records(workflow_id)["record_id"]) == names
    assert list(service.get_all_variables(workflow_id, keys=names)["key"]) == names
    for name in names[::5]:
        taken = list(filter(patterns.parse([name]).matches, names))
        assert name in taken
        assert list(service.get_all_variables(workflow_id, pattern=[name])["key"]) == taken
    halves = [f"{name[: len(name) // 2]}*" for name in names[::25]]
    taken = list(filter(patterns.parse(halves).matches, names))
    assert list(service.get_all_variables(workflow_id, pattern=halves)["key"]) == taken
