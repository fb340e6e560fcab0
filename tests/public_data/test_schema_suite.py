"""JSON-Schema-Test-Suite, draft 7: both judges say of every value what the suite says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit import jsonvalue
from toolkit.errors import InvalidOption
from toolkit.validation import read, validator

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SUITE = SHARED_DATA / "05_nasty_json" / "json-schema-org_JSON-Schema-Test-Suite" / "draft7"
DRAFT = "http://json-schema.org/draft-07/schema#"

# These schemas lie on the suite's own web server and not in the data; nothing is ever fetched.
REMOTE = {
    ("refRemote", "remote ref"),
    ("refRemote", "fragment within remote ref"),
    ("refRemote", "ref within remote ref"),
    ("refRemote", "base URI change"),
    ("refRemote", "base URI change - change folder"),
    ("refRemote", "base URI change - change folder in subschema"),
    ("refRemote", "root ref in remote ref"),
    ("refRemote", "remote ref with ref to definitions"),
    ("refRemote", "Location-independent identifier in remote ref"),
    ("refRemote", "retrieved nested refs resolve relative to their URI not $id"),
    ("refRemote", "$ref to $ref finds location-independent $id"),
}

# No database holds the NUL character, so that a value cannot have it and a schema cannot ask for it.
REFUSED = {("const", "nul characters in strings"), ("enum", "nul characters in strings")}

# The suite's main part treats a format as a remark that forbids nothing; here formats are checked.
FORMATS_FORBID = "invalid {} string is only an annotation by default"


GROUPS = [
    (path.stem, group)
    for path in sorted(SUITE.glob("*.json"))
    for group in json.loads(path.read_text(encoding="utf-8"))
]


def named(schema: Any) -> Any:
    return {"$schema": DRAFT, **schema} if isinstance(schema, dict) else schema


def expected(test: dict[str, Any], schema: Any) -> bool:
    remark = isinstance(schema, dict) and test["description"] == FORMATS_FORBID.format(schema.get("format"))
    return bool(test["valid"]) and not remark


@pytest.mark.parametrize(("file", "group"), GROUPS, ids=[f"{file}: {group['description']}" for file, group in GROUPS])
def test_a_value_is_judged_as_the_suite_says(file: str, group: dict[str, Any]) -> None:
    if (file, group["description"]) in REMOTE:
        with pytest.raises(InvalidOption, match="which is not in it; nothing is fetched"):
            validator(named(group["schema"]))
        return
    if (file, group["description"]) in REFUSED:
        with pytest.raises(InvalidOption, match="holds the NUL character"):
            validator(named(group["schema"]))
        return
    judge = validator(named(group["schema"]))
    for test in group["tests"]:
        value, delicate = read(jsonvalue.encode(test["data"]))
        verdict = expected(test, group["schema"])
        assert judge.is_valid(value) is verdict, test["description"]
        assert judge.is_valid(value, delicate=delicate) is verdict, f"{test['description']} (fast)"


def test_every_group_that_is_said_to_be_out_of_reach_is_there() -> None:
    assert {(file, group["description"]) for file, group in GROUPS} >= REMOTE | REFUSED


def test_most_of_the_suite_is_judged_by_the_fast_one() -> None:
    near = [group["schema"] for file, group in GROUPS if (file, group["description"]) not in REMOTE | REFUSED]
    assert sum(validator(named(schema)).is_fast for schema in near) > len(near) / 2
