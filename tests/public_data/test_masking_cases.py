"""The shared masking cases, as far as a name, a structure or the absence of both decides them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.masking import HIDDEN, MaskingPolicy

SHARED = Path(__file__).resolve().parents[3] / "shared"
POLICY = MaskingPolicy()

# Decided by the look of a text, not by a name: a fake key, a password in a URL, `name=value` in a sentence.
BY_VALUE = {"note", "comment", "output", "text", "result", "blob", "database_url", "url", "error_message", "command"}


def load(file: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((SHARED / file).read_text(encoding="utf-8").replace("§", ""))
    return cases


def is_by_value(case: dict[str, Any]) -> bool:
    if case["key"] in {"value", "data"}:
        return "shape" in case["why"]
    return case["key"] in BY_VALUE


def identity(case: dict[str, Any]) -> str:
    return f"{case['key']}: {case['why']}"


CASES = load("masking_cases.json")
SHOWN = [case for case in CASES if case["expect"] == "show"]
BY_NAME = [case for case in CASES if case["expect"] == "mask" and not is_by_value(case)]
PARTIAL = [case for case in load("masking_cases_partial.json") if not is_by_value(case)]


def test_every_case_is_here_but_those_decided_by_the_look_of_a_text() -> None:
    assert (len(CASES), len(SHOWN), len(BY_NAME), len(PARTIAL)) == (159, 67, 66, 5)


@pytest.mark.parametrize("case", SHOWN, ids=identity)
def test_what_is_no_secret_comes_back_as_the_same_object(case: dict[str, Any]) -> None:
    assert POLICY.mask(case["value"], case["key"]) is case["value"]
    assert POLICY.mask({case["key"]: case["value"]}) == {case["key"]: case["value"]}


@pytest.mark.parametrize("case", BY_NAME, ids=identity)
def test_what_is_secret_by_name_or_structure_is_hidden(case: dict[str, Any]) -> None:
    for masked in (POLICY.mask(case["value"], case["key"]), POLICY.mask({case["key"]: case["value"]})):
        text = json.dumps(masked, ensure_ascii=False)
        assert HIDDEN in text
        assert "FAKE" not in text


@pytest.mark.parametrize("case", PARTIAL, ids=identity)
def test_names_and_neighbours_of_a_secret_stay(case: dict[str, Any]) -> None:
    masked = POLICY.mask(case["value"], case["key"])
    text = masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)
    assert not [part for part in case["must_hide"] if part in text]
    assert not [part for part in case["must_keep"] if part not in text]
