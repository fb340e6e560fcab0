"""The shared masking cases: what is secret by a name, a structure or the look of a text, and what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.masking import HIDDEN, MaskingPolicy

SHARED = Path(__file__).resolve().parents[3] / "shared"
POLICY = MaskingPolicy()


def load(file: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((SHARED / file).read_text(encoding="utf-8").replace("§", ""))
    return cases


def identity(case: dict[str, Any]) -> str:
    return f"{case['key']}: {case['why']}"


CASES = load("masking_cases.json")
SHOWN = [case for case in CASES if case["expect"] == "show"]
HIDING = [case for case in CASES if case["expect"] == "mask"]
PARTIAL = load("masking_cases_partial.json")
TRIGGER = re.compile(POLICY.trigger or "", re.IGNORECASE)


def test_every_case_is_here() -> None:
    assert (len(CASES), len(SHOWN), len(HIDING), len(PARTIAL)) == (159, 67, 92, 13)


@pytest.mark.parametrize("case", SHOWN, ids=identity)
def test_what_is_no_secret_comes_back_as_the_same_object(case: dict[str, Any]) -> None:
    assert POLICY.mask(case["value"], case["key"]) is case["value"]
    assert POLICY.mask({case["key"]: case["value"]}) == {case["key"]: case["value"]}


@pytest.mark.parametrize("case", HIDING, ids=identity)
def test_what_is_secret_is_hidden(case: dict[str, Any]) -> None:
    for masked in (POLICY.mask(case["value"], case["key"]), POLICY.mask({case["key"]: case["value"]})):
        text = json.dumps(masked, ensure_ascii=False)
        assert HIDDEN in text
        assert "FAKE" not in text
    assert TRIGGER.search(json.dumps({case["key"]: case["value"]}, ensure_ascii=False))
    assert TRIGGER.search(json.dumps({case["key"]: case["value"]}))


@pytest.mark.parametrize("case", PARTIAL, ids=identity)
def test_names_and_neighbours_of_a_secret_stay(case: dict[str, Any]) -> None:
    masked = POLICY.mask(case["value"], case["key"])
    text = masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)
    assert not [part for part in case["must_hide"] if part in text]
    assert not [part for part in case["must_keep"] if part not in text]
