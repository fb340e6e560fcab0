"""The wildcard language: one reference matcher in Python, and every database is held to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

import toolkit
from toolkit import patterns
from toolkit.errors import InvalidPattern
from toolkit.storage.dialects import DIALECTS

ALPHABET = "_%[].\\@:,-^!{}|()$+'\"aAbBzZ0 éÉßẞİ\u0131\u0301✉\u2028\uffff😀\U0001d518\n"
plain_texts = st.text(st.sampled_from(ALPHABET), min_size=1, max_size=6)
keys = st.text(st.sampled_from(ALPHABET + "*?"), min_size=1, max_size=6)
alternatives = st.lists(st.sampled_from([*ALPHABET, *"**???"]), min_size=1, max_size=6).map("".join)

HARD_KEYS = [
    "email_001", "emailX001", "Email_001", "EMAIL_001", "email%001", "email.001", "email", "email_", "émail_001",
    "temp:1:x:0001", "temp", "temp:", "a@iter:1:2", "a@", "@", "a,b", "a", "b", ",", "[abc]", "[", "]", "[]", "[[]",
    "a]", "[a-c]", "^a", "!a", "\\", "\\\\", "a\\", "\\a", "\\%", "\\_", "_", "%", "__", "%%", "*", "?", "a*", "a?",
    "**", "é", "É", "e\u0301", "ß", "ẞ", "ss", "İ", "i", "\u0131", "😀", "😀😀", "\U0001d518", "\uffff",
    "x\ny", "\n", " ", " a", "a ", "'", '"', "a'b", "x" * 255, "é" * 255, "😀" * 255,
]  # fmt: skip
HARD_PATTERNS = [
    "*", "?", "??", "???", "*?", "?*", "email_*", "email?001", "EMAIL*", "*_001", "*001", "email*", "email%*", "%", "_",
    "%*", "_*", "*_", "*%", "[abc]", "[a-c]", "[*", "*]", "[[]*", "[]", "[?]", "[*]", "[^a]*", "?a", "^?", "!*", "\\",
    "\\*", "*\\", "\\?", "\\\\*", "\\%*", "\\_", "*,*", ",", "?,?", "a,b", "*@*", "temp:*", "*:*:*", "*.*", "é*", "É?",
    "e?", "?\u0301", "ß", "s*", "İ*", "i*", "\u0131", "😀", "?😀", "😀*", "\U0001d518*", "\uffff?", "x?y", "*\n*", " *",
    "* ", "'*", '"*', "*'*", "x*", "?" * 255, "?" * 256, "x" * 255, "*x" * 100, "*x" * 100 + "y", "a*a", "nothing",
]  # fmt: skip


def naive(pattern: str, text: str) -> bool:
    """Match by the definition alone, one character after another."""
    reachable = {0}
    for wildcard in pattern:
        if wildcard == "*":
            reachable = set(range(min(reachable, default=len(text) + 1), len(text) + 1))
        else:
            reachable = {place + 1 for place in reachable if place < len(text) and wildcard in {"?", text[place]}}
    return len(text) in reachable


@given(alternatives, keys)
@example("a*b*a*b", "aabbaabb")
def test_the_matcher_follows_the_definition(pattern: str, text: str) -> None:
    assert patterns.parse([pattern]).matches(text) == naive(pattern, text)


def test_the_hard_list_follows_the_definition() -> None:
    for pattern, key in itertools.product(HARD_PATTERNS, HARD_KEYS):
        assert patterns.parse([pattern]).matches(key) == naive(pattern, key), (pattern, key)


@given(st.lists(alternatives, max_size=4), keys)
def test_a_list_takes_what_one_of_its_patterns_takes(several: list[str], text: str) -> None:
    assert patterns.parse(several).matches(text) == any(naive(pattern, text) for pattern in several)


@given(plain_texts)
def test_text_without_wildcards_takes_itself_alone(text: str) -> None:
    found = patterns.parse([text])
    assert found.exact == (text,)
    assert found.single == text
    assert found.matches(text)
    assert not found.matches(text + text)


@given(st.lists(alternatives.filter(lambda text: "," not in text), min_size=1, max_size=4))
def test_commas_in_a_text_part_alternatives(several: list[str]) -> None:
    assert patterns.parse(",".join(several)) == patterns.parse(several)


def test_a_comma_in_a_list_is_literal() -> None:
    assert patterns.parse(["a,b"]).matches("a,b")
    assert not patterns.parse(["a,b"]).matches("a")
    assert patterns.parse("a,b").matches("b")


@pytest.mark.parametrize("pattern", ["", ",", "a,", ",a", "a,,b", [""], ["a", ""], iter([""]), ("",)])
def test_an_empty_pattern_or_alternative_never_means_everything(pattern: Any) -> None:
    with pytest.raises(InvalidPattern, match=r"use '\*' to mean everything"):
        patterns.parse(pattern)
    with pytest.raises(ValueError, match="empty"):
        patterns.parse("")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, "workflow_id= is a text or a list of texts, not NoneType"),
        (5, "not int"),
        (b"a*", "not bytes"),
        ({"a": 1}, "not dict"),
        ([1], "a workflow_id is text, not int"),
        ([None], "a workflow_id is text, not NoneType"),
        ("a\0*", "the NUL character"),
        (["\ud800*"], "a lone surrogate"),
    ],
)
def test_what_is_no_pattern_is_named(pattern: Any, message: str) -> None:
    with pytest.raises(InvalidPattern, match=message):
        patterns.parse(pattern, "workflow_id")


def test_an_empty_list_takes_nothing_and_says_so() -> None:
    nothing = patterns.parse([])
    assert nothing.takes_nothing
    assert not any(nothing.matches(key) for key in ["", *HARD_KEYS])
    assert not patterns.parse("*").takes_nothing


def test_a_parsed_pattern_is_taken_as_it_is() -> None:
    parsed = patterns.parse(["a,b", "c*"])
    assert patterns.parse(parsed) is parsed


def test_only_a_lone_star_is_known_to_take_everything() -> None:
    assert patterns.parse("*").takes_everything
    assert patterns.parse("a,**").takes_everything
    assert not patterns.parse("?*").takes_everything
    assert not patterns.parse("a*").takes_everything


def test_one_literal_text_is_known_as_such() -> None:
    assert patterns.parse("nightly").single == "nightly"
    assert patterns.parse("nightly,nightly").single == "nightly"
    assert patterns.parse("a,b").single is None
    assert patterns.parse("a,b*").single is None
    assert patterns.parse("a*").single is None


@pytest.fixture(scope="module")
def memory() -> Iterator[tuple[toolkit.UnifiedDataService, Iterator[str]]]:
    """A database in memory, and a fresh workflow for each example."""
    with toolkit.connect(":memory:", create=True) as service:
        yield service, (f"w{number}" for number in itertools.count())


@given(st.sets(keys, min_size=1, max_size=8), st.lists(alternatives, min_size=1, max_size=3))
def test_sqlite_takes_what_the_matcher_takes(
    memory: tuple[toolkit.UnifiedDataService, Iterator[str]], names: set[str], several: list[str]
) -> None:
    service, workflows = memory
    workflow = next(workflows)
    taken = sorted(filter(patterns.parse(several).matches, names))
    service.set_variables(workflow, dict.fromkeys(names))
    assert list(service.get_all_variables(workflow, pattern=several)["key"]) == taken
    service.create_records(workflow, [{"record_id": name} for name in names])
    assert sorted(service.query_records(workflow, several, columns=["record_id"])["record_id"]) == taken


def test_every_database_takes_what_the_matcher_takes(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    at = "2026-11-16T02:00:00Z"
    service.set_variables(workflow_id, dict.fromkeys(HARD_KEYS))
    service.create_records(workflow_id, [{"record_id": name, "created_at": at} for name in HARD_KEYS])
    for several in (*([pattern] for pattern in HARD_PATTERNS), ["email_*", "[a*", "\\*"], HARD_KEYS, HARD_PATTERNS, []):
        taken = sorted(filter(patterns.parse(several).matches, HARD_KEYS))
        assert list(service.get_all_variables(workflow_id, pattern=several)["key"]) == taken
        found = service.query_records(workflow_id, several, columns=["record_id"])
        assert list(found["record_id"]) == taken
        assert int(service.count_records(workflow_id, by=[], pattern=several)["count"].sum()) == len(taken)


def test_every_database_takes_literal_names_literally(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.set_variables(workflow_id, dict.fromkeys(HARD_KEYS))
    service.create_records(workflow_id, [{"record_id": name} for name in HARD_KEYS])
    for name in HARD_KEYS:
        assert list(service.get_all_variables(workflow_id, keys=[name])["key"]) == [name]
        assert list(service.query_records(workflow_id, ids=[name], columns=["record_id"])["record_id"]) == [name]
    assert service.get_all_variables(workflow_id, keys=[]).empty
    assert service.query_records(workflow_id, ids=[]).empty


def test_a_pattern_of_many_alternatives_is_no_larger_a_statement(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.set_variables(workflow_id, {"email_0001": 1, "temp_1": 2, "x": 3})
    many = [f"email_{number:04}" for number in range(3_000)] + [f"*_{number}" for number in range(1_500)]
    assert list(service.get_all_variables(workflow_id, pattern=many)["key"]) == ["email_0001", "temp_1"]


def test_a_workflow_pattern_is_of_the_same_language(service: toolkit.UnifiedDataService, new_workflow: Any) -> None:
    ids = sorted(new_workflow(name) for name in ("nightly_1", "nightlyX1", "Nightly_1"))
    for workflow in ids:
        service.set_variable(workflow, "x", 1)
    for pattern in ("*", f"{ids[0][:-1]}?", f"{ids[0]},{ids[2]}", f"{ids[1][:4]}*,{ids[0]}", "%*", "_*", "*_1", "n?*"):
        expected = list(filter(patterns.parse(pattern).matches, ids))
        assert list(service.get_all_variables(pattern)["workflow_id"]) == expected
        assert list(service.get_all_variables(pattern.split(","))["workflow_id"]) == expected


def test_postgresql_orders_and_matches_by_code_point_whatever_the_collation_of_the_database() -> None:
    # A server without other collations cannot tell the difference, so the statement has to.
    text = DIALECTS["postgresql"].by_code_point(sa.column("key")).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    assert str(text) == 'CAST(key AS TEXT) COLLATE "C"'


@pytest.mark.parametrize(
    ("key", "named"), [("a b.c:@-_9", True), ('a"b', False), ("a\\b", False), ("é", False), ("\t", False)]
)
def test_sqlite_names_only_places_whose_keys_everybody_writes_alike(key: str, *, named: bool) -> None:
    assert (DIALECTS["sqlite"].json_place(sa.column("data"), ["fields", key]) is not None) is named
