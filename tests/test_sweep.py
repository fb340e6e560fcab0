"""A secret that is known goes wherever it stands as a whole, and words that are common stay."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import hypothesis
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import DataWarning
from toolkit.masking import HIDDEN, MaskingPolicy
from toolkit.masking.sweep import LONGEST_TRIGGER, is_swept

FAKE = "FAKE-not-real-0001"
POLICY = MaskingPolicy()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"password": FAKE}, {FAKE}),
        ({"db": [{"token": FAKE}], "note": "FAKE-not-found-1"}, {FAKE}),
        ([{"name": "DB_PASSWORD", "value": FAKE}, {"name": "LANG", "value": "FAKE-language-1"}], {FAKE}),
        ({"history": [{"var": "api_token", "old": FAKE, "new": "FAKE-not-real-0002"}]}, {FAKE, "FAKE-not-real-0002"}),
        (json.dumps({"password": FAKE}), {FAKE}),
        ({"password": json.dumps({"a": FAKE})}, {FAKE}),
        ({"Authorization": f"Bearer {FAKE}"}, {f"Bearer {FAKE}", FAKE}),
        ({"dsn": f"postgresql://app:{FAKE}@db/app"}, {f"postgresql://app:{FAKE}@db/app", FAKE}),
        ({"password": 123456789}, {"123456789"}),
        ({"auth": {"user": "FAKE-bobby-17", "pass": FAKE, "host": "db1.example.com"}}, {FAKE}),
        ({"password": "test"}, set()),
        ({"password": "production"}, set()),
        ({"secret": "service_account"}, set()),
        ({"token": "bob@example.com", "secret": "2026-01-01", "auth": "db.example.com:5432"}, set()),
        ({"password": "${DB_PASSWORD}", "token": None, "secret": True}, set()),
        ({"token_count": 123456789}, set()),
    ],
)
def test_the_texts_that_names_make_secret_are_found(value: Any, found: set[str]) -> None:
    assert POLICY.sensitive_texts(value) == found


def test_the_name_of_the_value_itself_counts() -> None:
    assert POLICY.sensitive_texts(FAKE, "vars.api_token") == {FAKE}
    assert POLICY.sensitive_texts(FAKE, "vars.label") == frozenset()


def test_a_known_secret_goes_wherever_it_stands_as_a_whole() -> None:
    policy = POLICY.sweeping([FAKE])
    assert policy.mask_text(f"sent {FAKE}, again '{FAKE}'.") == "sent [hidden], again '[hidden]'."
    document = {FAKE: [FAKE, 1], "note": json.dumps({"a": f"x {FAKE}"}), "id": f"{FAKE}7", "n": f"a{FAKE}"}
    assert policy.mask(document) == {
        HIDDEN: [HIDDEN, 1],
        "note": '{"a": "x [hidden]"}',
        "id": f"{FAKE}7",
        "n": f"a{FAKE}",
    }
    assert policy.mask({"password": "x", "api": {"key": "y"}}) == {"password": HIDDEN, "api": {"key": HIDDEN}}


@pytest.mark.parametrize(
    "secret", ["p@ss/w0rd with space", 'quo"te\\d-0001', "pässwörtlich-0001", "!!!???###$$$", "a\nb-FAKE-1"]
)
def test_it_goes_in_the_forms_that_json_and_addresses_give_it(secret: str) -> None:
    policy = POLICY.sweeping([secret])
    for form in (secret, quote(secret, safe=""), json.dumps({"a": secret}), json.dumps(json.dumps([secret]))):
        masked = policy.mask_text(f"<{form}>")
        assert HIDDEN in masked
        assert secret not in masked
    assert policy.mask({"a": secret}) == {"a": HIDDEN}


def test_short_texts_and_common_words_are_not_swept() -> None:
    assert POLICY.sweeping(["test", "production", "Invoice", HIDDEN]) is POLICY
    assert [is_swept(text) for text in ("hunter2hunter2", "correct-horse-battery", "12345678", "us-east-1a")] == [
        True
    ] * 4
    assert [is_swept(text) for text in ("FAKE-1", "Berlin", "user_name", "a.example.com")] == [False] * 4


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=8, max_size=30).filter(is_swept)


@given(st.lists(texts, min_size=1, max_size=6), st.data())
def test_no_known_secret_comes_out_and_the_quick_look_never_passes_one(secrets: list[str], data: st.DataObject) -> None:
    policy = POLICY.sweeping(secrets)
    document = {"note": f"a {data.draw(st.sampled_from(secrets))} b", "n": 1}
    masked = policy.mask(document)
    for secret in secrets:
        assert f" {secret} " not in f" {masked['note']} "
    assert policy.mask(masked) == masked
    if policy.trigger is not None:
        assert re.search(policy.trigger, json.dumps(document, ensure_ascii=False), re.IGNORECASE)


def test_ten_thousand_secrets_are_swept_by_a_look_at_each_word() -> None:
    secrets = [f"FAKE-not-real-{number:05}" for number in range(10_000)]
    policy = POLICY.sweeping(secrets)
    text = " ".join(secrets[::7]) + " FAKE-not-real-1000"
    masked = policy.mask_text(text)
    assert masked.count(HIDDEN) == len(secrets[::7])
    assert masked.endswith(" FAKE-not-real-1000")
    for known in (policy, POLICY.sweeping(secrets[:1_000])):
        texts = pa.array(["x " + secrets[7], json.dumps({"n": secrets[9]}), "ordinary words"])
        assert pc.match_substring_regex(texts, known.trigger, ignore_case=True).to_pylist() == [True, True, False]
        assert pc.match_substring_regex(texts, known.sweep_trigger, ignore_case=True).to_pylist() == [True, True, False]


@given(st.lists(st.from_regex(r"[A-Za-z0-9_.\-]{8,30}", fullmatch=True), min_size=1, max_size=4))
@hypothesis.settings(max_examples=20)
def test_many_secrets_are_looked_for_by_their_looks(secrets: list[str]) -> None:
    known = [text for text in secrets if is_swept(text)]
    many = [f"{text}{number}" for text in known for number in range(LONGEST_TRIGGER)]
    if known:
        texts = pa.array([f"a {text}0." for text in known])
        policy = POLICY.sweeping([*many[:: len(known)], *known, *(f"{text}0" for text in known)])
        assert pc.all(pc.match_substring_regex(texts, policy.sweep_trigger, ignore_case=True)).as_py()


def test_sweeping_again_keeps_what_was_swept() -> None:
    policy = POLICY.sweeping([FAKE]).sweeping(["FAKE-other-0002"])
    assert policy.mask_text(f"{FAKE} FAKE-other-0002") == f"{HIDDEN} {HIDDEN}"


def test_a_policy_that_sweeps_shows_and_gives_away_nothing() -> None:
    policy = MaskingPolicy(extra=("customer_no",), rules={"a": "ACC-1"}).sweeping([FAKE])
    for shown in (repr(policy), str(policy._sweep), f"{policy}"):
        assert "FAKE" not in shown
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for holder in (policy, policy._sweep):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(holder, protocol)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(policy)
    assert policy != MaskingPolicy(extra=("customer_no",), rules={"a": "ACC-1"})
    assert policy.mask({"customer_no": 1, "x": "ACC-1"}) == {"customer_no": HIDDEN, "x": HIDDEN}


def test_a_plain_policy_can_be_pickled_copied_and_hashed() -> None:
    policy = MaskingPolicy(extra=("a*",), rules={"b": "B-1"}, hide_paths=("vars.x",))
    assert pickle.loads(pickle.dumps(policy)) == policy == copy.deepcopy(policy)  # noqa: S301 - made here
    assert {policy: 1}[MaskingPolicy(extra=("a*",), rules=(("b", "B-1"),), hide_paths=("vars.x",))] == 1


class Broken(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise ValueError(FAKE)

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def test_what_cannot_be_searched_warns_without_telling_it() -> None:
    with pytest.warns(DataWarning, match="a value could not be looked at .ValueError.; it is hidden") as caught:
        assert POLICY.sensitive_texts([Broken()]) == frozenset()
    assert FAKE not in str(caught[0].message)
