"""What makes two failures one cause: codes, near ones, rules, and ids that stay."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import analysis
from toolkit.analysis.near import MOST_COMPARED, NEAR, near, words
from toolkit.errors import InvalidOption
from toolkit.signatures import signatures

WORDS = st.sampled_from(["timeout", "queue", "the", "element", "not", "found", "<number>", "TypeError", "<path>", "of"])
SIGNATURES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), unique=True, max_size=12)


def failures(*messages: str | None) -> pd.DataFrame:
    records = pd.DataFrame({"record_id": [f"a_{place}" for place in range(len(messages))], "error_message": messages})
    moment = pd.Timestamp("2026-01-05", tz="UTC")
    return records.astype("str").assign(record_type="a", status="failed", updated_at=moment)


def counts(*messages: str, **options: Any) -> dict[str, int]:
    table = analysis.causes(failures(*messages), **options)
    return dict(zip(table["signature"], table["count"], strict=True))


def signature(message: str) -> str:
    return str(signatures([message]).to_pylist()[0])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("login failed: 401", "login failed: 401"),
        ("request 17 failed with 503 after 3 tries", "request <number> failed with 503 after <number> tries"),
        ("Error 404 for item 12", "Error 404 for item <number>"),
        ("upload rejected (429), 12 left", "upload rejected (429), <number> left"),
        ("GET /items/5 returned 500.", "GET <path> returned 500."),
        ("got 502 Bad Gateway for batch 9", "got 502 Bad Gateway for batch <number>"),
        ("403 Forbidden: user 77", "403 Forbidden: user <number>"),
        ("ORA-00942: table 5 is not there", "ORA-00942: table <number> is not there"),
        ("SQLSTATE[23505] on row 7", "SQLSTATE[23505] on row <number>"),
        ("[Errno 111] port 8080 refused", "[Errno 111] port <number> refused"),
        ("a.ts:13:3 - error TS6258: no", "a.ts:<number>:<number> - error TS6258: no"),
        ("row 404 of 503 is 401", "row <number> of <number> is <number>"),
        ("failed 5 of 404 times", "failed <number> of <number> times"),
        ("got 404 rows, expected 503 rows", "got <number> rows, expected <number> rows"),
        ("HTTP 503, then exit code 1 after 500 ms", "HTTP 503, then exit code 1 after <duration>"),
    ],
)
def test_a_code_is_kept_where_it_says_what_happened_and_no_other_number_is(message: str, expected: str) -> None:
    assert signature(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"error": "invalid_grant", "id": "a1"}', "{error: invalid_grant, id: <text>}"),
        ("API: {'code': 'rate_limited', 'wait': 3}", "API: {code: rate_limited, wait: <number>}"),
        ("\x1b[31mAssertionError\x1b[0m: gate", "AssertionError: gate"),
        ("[31mboom[0m 5", "boom <number>"),
        ("Server; the inner one is:\n\tjava.lang.Bad: no id", "Server; the inner one is: java.lang.Bad: no id"),
        ("shop.CartTest::adds_one\nexpected 1 to be 2", "expected <number> to be <number>"),
        ("at /srv/app/Paren.php(123)", "<path>"),
        ("12:30 is no time:\n\n", "<number>:<number> is no time:"),
    ],
)  # fmt: skip
def test_the_line_that_says_something_is_found(message: str, expected: str) -> None:
    assert signature(message) == expected


def test_status_codes_are_causes_of_their_own() -> None:
    messages = [f"request {number} failed: {code}" for number in range(3) for code in (401, 404)]
    assert counts(*messages) == {"request <number> failed: 401": 3, "request <number> failed: 404": 3}


def test_signatures_that_share_most_words_are_one_cause() -> None:
    one = "Unable to find an element with the label <Name> in the form"
    other = "Unable to find an element with the label <Street> in the form"
    assert len(counts(one, one, other)) == 1
    (row,) = analysis.causes(failures(one, other, other)).to_dict("records")
    assert row["signature"] == signature(other)
    assert row["signatures"] == [signature(other), signature(one)]


@pytest.mark.parametrize(
    ("message", "one", "other", "causes"),
    [
        ("{}: cannot read field subject while parsing message body", "KeyError", "TypeError", 2),
        ("{}: cannot read field subject while parsing message body", "Reader", "Parser", 1),
        ("nightly call of remote billing service for customer data failed: {}", "401", "503", 2),
        ("remote billing service said about customer data {{'code': '{}'}}", "expired", "unknown", 2),
        ("remote billing service said about customer data {{'word': '{}'}}", "expired", "unknown", 1),
        ("short {}", "a", "b", 2),
    ],
)
def test_what_names_another_error_or_says_little_stays_apart(message: str, one: str, other: str, causes: int) -> None:
    assert len(counts(message.format(one), message.format(other))) == causes


def test_case_and_a_full_stop_make_no_other_cause() -> None:
    assert len(counts("Some message", "some Message.")) == 1


@given(SIGNATURES)
def test_who_leads_is_led_by_nobody_and_near_to_all_it_leads(texts: list[str]) -> None:
    leader, overlap = near(texts)
    assert (leader <= np.arange(len(texts))).all()
    assert (leader[leader] == leader).all()
    for place, (lead, share) in enumerate(zip(leader, overlap, strict=True)):
        own, others = words(texts[place]), words(texts[lead])
        both = sum(weight for word, weight in own.items() if word in others)
        everything = sum((own | others).values())
        assert share == pytest.approx(both / everything)
        assert share >= NEAR


@given(SIGNATURES, st.integers(0, 12))
def test_leaders_from_before_are_never_taken_in(texts: list[str], known: int) -> None:
    leader, _ = near(texts, leaders=known)
    assert (leader[:known] == np.arange(len(texts))[:known]).all()


def test_beyond_the_most_frequent_signatures_each_stands_alone() -> None:
    texts = [f"there is no visible element with the label {place:x}x in this form" for place in range(MOST_COMPARED)]
    leader, _ = near([*texts, texts[0] + " here"])
    assert leader[MOST_COMPARED] == MOST_COMPARED
    assert leader[1] == 0


def test_a_rule_goes_first_and_looks_at_the_whole_message() -> None:
    messages = ("Timeout after 3 s\n  token EXPIRED", "Timeout after 4 s", "quota 7 of 8")
    rules: dict[str, str | re.Pattern[str]] = {"signed out": "expired", "limits": re.compile(r"quota \d+ of")}
    assert counts(*messages, rules=rules) == {"Timeout after <duration>": 1, "limits": 1, "signed out": 1}
    named = analysis.cause(failures(*messages), rules=rules)
    assert named.tolist() == analysis.cause(failures(*messages[::-1]), rules=rules).tolist()[::-1]


def test_the_first_rule_that_matches_counts() -> None:
    assert counts("a b", rules={"second": "b", "first": "a"}) == {"second": 1}


def test_a_message_spelled_like_a_rule_is_another_cause() -> None:
    assert analysis.cause(failures("limits", "quota"), rules={"limits": "quota"}).nunique() == 2


@pytest.mark.parametrize("rule", ["", 5, None])
def test_a_rule_that_is_none_is_refused(rule: Any) -> None:
    with pytest.raises(InvalidOption, match="the rule 'mine'"):
        analysis.causes(failures("a"), rules={"mine": rule})


def test_known_causes_keep_their_ids_when_another_signature_leads() -> None:
    one = "no element with the label <Name> in the form"
    other = "no element with the label <Street> in the form"
    monday = analysis.causes(failures(one, one, other))
    tuesday = analysis.causes(failures(other, other, other))
    known = analysis.causes(failures(other, other, other, "no element with the label <Zip> in the form"), known=monday)
    assert tuesday["cause"].iloc[0] != monday["cause"].iloc[0]
    assert known["cause"].tolist() == monday["cause"].tolist()
    assert known["signature"].tolist() == [signature(one)]
    assert analysis.cause(failures(other), known=monday).tolist() == monday["cause"].tolist()


def test_all_record_ids_are_listed_when_asked_for() -> None:
    records = failures(*["boom"] * 5)
    assert analysis.causes(records)["sample_ids"].map(len).tolist() == [3]
    assert analysis.causes(records, samples=None)["sample_ids"].iloc[0] == records["record_id"].tolist()


def test_it_is_said_what_made_messages_one() -> None:
    messages = [
        "no element with label 'a' in the form",
        "no element with label 'b' in the form",
        "no element with label 'a' in this form",
        "quota",
        None,
    ]
    table = analysis.explain(failures(*messages), rules={"limits": "quota"})
    records: Any = table.to_dict("records")
    rows = {row["signature"]: SimpleNamespace(**row) for row in records}
    leading, merged = (
        rows["no element with label <text> in the form"],
        rows["no element with label <text> in this form"],
    )
    assert (leading.count, leading.messages, leading.overlap) == (2, 2, 1.0)
    assert leading.why == "the same once placeholders are put in"
    assert merged.cause == leading.cause
    assert NEAR <= merged.overlap < 1
    assert merged.why == "near: all words but this, the are shared with the leading one"
    assert rows["limits"].why == "the rule 'limits'"
    assert rows[analysis.NO_MESSAGE].why == "no message"
    assert table["signature"].iloc[0] == leading.signature
    assert dict(table.groupby("cause")["count"].sum()) == dict(
        analysis.causes(failures(*messages), rules={"limits": "quota"}).set_index("cause")["count"]
    )


@given(st.lists(st.text(max_size=40), max_size=8))
def test_every_explanation_counts_each_failure_once(messages: list[str]) -> None:
    valid = [text.encode("utf-8", "ignore").decode() for text in messages]
    table = analysis.explain(failures(*valid))
    assert table["count"].sum() == len(valid)
    assert set(table["cause"]) == set(analysis.cause(failures(*valid)).dropna())
