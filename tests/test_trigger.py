"""The quick look at JSON text never lets pass what the walk would hide."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.frames.documents import masked_documents
from toolkit.frames.looking import Unit, look
from toolkit.masking import MaskingPolicy, View
from toolkit.masking.names import ANYWHERE, ENDINGS, FUSED, KEY_OWNERS, PHRASES, SECRET_KEY, SENSITIVE, normalise
from toolkit.masking.structure import SECRET_FLAGS, SECRET_TYPES
from toolkit.masking.trigger import _UNLIKE, _UNSEEN, TRIGGER

POLICY = MaskingPolicy()
VALUE = "FAKE-not-a-real-value-0001"

WORDS = sorted(
    {*SENSITIVE, *ENDINGS, *ANYWHERE, *FUSED.split(), *KEY_OWNERS, *SECRET_KEY, "count", "name", "of", "x", "mailbox"}
    | {word for pair in PHRASES for word in pair}
)
words = st.sampled_from(WORDS).flatmap(lambda word: st.sampled_from([word, word + "s", word.upper(), word.title()]))
separators = st.sampled_from(["_", "-", ".", " ", "/", ":", "2", ""])


@st.composite
def names(draw: st.DrawFn) -> str:
    parts = draw(st.lists(words, min_size=1, max_size=4))
    return "".join(part + draw(separators) for part in parts)


def shapes(name: str, other: str) -> list[Any]:
    """Every shape in which a name can stand beside, or above, what it names."""
    return [
        {name: VALUE},
        {other: {"a": 1, name: VALUE}},
        {"fields": {other: [{name: VALUE}]}},
        {"name": name, "value": VALUE},
        {"history": [{"var": name, "old": VALUE, "new": VALUE}]},
        [[name, VALUE], [other, VALUE]],
        ["run", f"--{name}", VALUE],
        {other: {name: {"id": 1, "v": VALUE}}},
        {"note": json.dumps({name: VALUE})},
    ]


def passes(document: Any) -> bool:
    return re.search(TRIGGER, json.dumps(document, ensure_ascii=False), re.IGNORECASE) is None


@given(names(), names())
def test_what_passes_the_quick_look_holds_nothing_that_is_hidden(name: str, other: str) -> None:
    for document in shapes(name, other):
        if passes(document):
            assert POLICY.mask(document) is document


PAIRS = sorted(
    {*PHRASES, *((owner, "key") for owner in KEY_OWNERS | SECRET_KEY), *(("key", one) for one in KEY_OWNERS)}
)


@pytest.mark.parametrize("join", ["{}_{}", "{}{}", "{}-{}", "{}.{}", "{} {}s"])
def test_two_words_that_are_sensitive_together_do_not_pass(join: str) -> None:
    hidden = [name for name in (join.format(*pair) for pair in PAIRS) if POLICY.mask({name: VALUE}) != {name: VALUE}]
    assert len(hidden) > len(PAIRS) / 4
    assert [name for name in hidden if passes({name: VALUE})] == []


@pytest.mark.parametrize("word", sorted({*SENSITIVE, *ENDINGS, *ANYWHERE}))
def test_no_sensitive_word_passes(word: str) -> None:
    assert not passes({word: VALUE})


@pytest.mark.parametrize("flag", sorted(SECRET_FLAGS))
def test_an_object_that_says_it_is_secret_does_not_pass(flag: str) -> None:
    document = {flag: True, "name": "colour", "value": VALUE}
    assert POLICY.mask(document) is not document
    assert not passes(document)


@pytest.mark.parametrize("kind", sorted(SECRET_TYPES))
def test_an_object_whose_type_is_secret_does_not_pass(kind: str) -> None:
    assert not passes({"type": kind, "name": "colour", "value": VALUE})


@pytest.mark.parametrize(
    "document",
    [
        {"url": f"postgresql://app:{VALUE}@db.example.com/app"},
        {"".join(chr(ord(letter) + 0xFEE0) for letter in "password"): VALUE},
        {"pass\u200bword": VALUE},
        {"пароль": VALUE},
        {"note": '{"password": "x"}'},
    ],
)
def test_what_may_stand_for_anything_does_not_pass(document: Any) -> None:
    assert POLICY.mask(document) is not document
    assert not passes(document)


def test_an_ordinary_document_passes() -> None:
    assert passes({"fields": {"subject": "Two boxes short", "size": 12}, "vars": {"label": "order"}, "history": []})


def test_the_quick_look_of_a_policy_knows_the_names_of_its_own() -> None:
    for policy in (MaskingPolicy(extra=("customer_*", "vars.iban")), MaskingPolicy(hide_paths=("vars.customer.*",))):
        trigger = policy.trigger
        assert trigger is not None
        for document in ({"vars": {"customer": {"x": 1}}}, {"vars": {"Customer_No": "a"}}, {"note": "iban=DE1"}):
            if policy.mask(document) != document:
                assert re.search(trigger, json.dumps(document), re.IGNORECASE)
        assert re.search(trigger, "vars.customer.x", re.IGNORECASE)
        assert not re.search(trigger, json.dumps({"fields": {"subject": "a customer wrote"}}), re.IGNORECASE)


@pytest.mark.parametrize(
    "policy", [MaskingPolicy(extra=("n?",)), MaskingPolicy(hide_paths=("größe",)), MaskingPolicy(rules={"a": "A-1"})]
)
def test_a_policy_that_the_quick_look_cannot_stand_for_looks_at_everything(policy: MaskingPolicy) -> None:
    assert policy.trigger is None
    assert policy.text_trigger is None


def is_another_way_to_write(char: str, letters: set[str]) -> bool:
    for form in (unicodedata.normalize("NFKC", char).casefold(), char.casefold()):
        if form != char and any(letter in form for letter in letters):
            return True
    return any(len(unicodedata.normalize("NFKC", f"{letter}{char}")) == 1 for letter in "oscnハ비")


def test_every_character_that_can_stand_for_a_letter_of_a_sensitive_word_is_known() -> None:
    # Upper case is a matter of the expression's flag, and `ß` is written into each word that holds `ss`.
    letters = {letter for word in (*SENSITIVE, *ANYWHERE) for letter in word}
    unlike, unseen = re.compile(f"[{_UNLIKE}]"), re.compile(f"[{_UNSEEN}]")
    missed = []
    for number in range(0x80, 0x110000):
        char = chr(number)
        if (
            unicodedata.category(char) in {"Cs", "Co", "Cn"}
            or char in "ßẞ"
            or re.match(f"(?i)[{''.join(letters)}]", char)
        ):
            continue
        is_known = unseen.match(char) or unlike.match(char)
        if not is_known and (normalise(char) == "" or is_another_way_to_write(char, letters)):
            missed.append(char)
    assert missed == []


def test_the_same_documents_pass_when_they_are_written_in_ascii() -> None:
    assert passes({"fields": {"subject": "Zwei Kisten", "note": "2 x 3"}})
    assert re.search(TRIGGER, json.dumps({"note": "Zürich"}), re.IGNORECASE)


@given(st.lists(st.tuples(names(), names()), min_size=1, max_size=5))
def test_frames_hide_what_the_walk_hides(pairs: list[tuple[str, str]]) -> None:
    documents = [shape for name, other in pairs for shape in shapes(name, other)]
    table = pa.table(
        {
            "record_id": [str(number) for number in range(len(documents))],
            "data": [json.dumps(document, ensure_ascii=False) for document in documents],
        }
    )
    (unit,) = look(table, View(POLICY)).parts
    assert isinstance(unit, Unit)
    assert masked_documents(unit, View(POLICY), set()) == [POLICY.mask(document) for document in documents]
