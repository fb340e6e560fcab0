"""A policy of one's own holds where it was given: to `connect`, to a profile, to one call."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import toolkit
from toolkit import MaskingPolicy, frames, profiles
from toolkit.cache import CachedDataService
from toolkit.masking import HIDDEN

SECRET: Final = "FAKE-not-a-real-value-0001"
POLICY: Final = MaskingPolicy(
    extra=("customer_*",), allow=("session",), rules={"account": r"\bACC-[0-9]+"}, hide_paths=("fields.body",)
)
LINES: Final = """
[profiles.mine]
url = "a.db"
masking.extra = ["customer_*"]
masking.allow = ["session"]
masking.rules = {account = '\\bACC-[0-9]+'}
masking.hide_paths = ["fields.body"]
"""
DATA: Final = {"fields": {"body": {"n": 1}, "subject": "see ACC-17"}, "vars": {"customer_no": 17, "session": "am"}}
PLAIN: Final = {"fields": {"body": {"n": 1}, "subject": "see ACC-17"}, "vars": {"customer_no": 17, "session": HIDDEN}}
STRICT: Final = {
    "fields": {"body": HIDDEN, "subject": f"see {HIDDEN}"},
    "vars": {"customer_no": HIDDEN, "session": "am"},
}

Open = Callable[[], toolkit.UnifiedDataService]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = profiles.settings_file()
    settings.parent.mkdir(parents=True)
    settings.write_text(LINES, encoding="utf-8")
    with toolkit.connect("a.db", create=True) as service:
        service.create_record("nightly", "a_1", data=DATA)
        service.set_variables("nightly", {"customer_no": 17, "note": "see ACC-17"})
    return tmp_path / "a.db"


def seen(service: toolkit.UnifiedDataService) -> dict[str, object]:
    record = service.get_record("nightly", "a_1")
    (row,) = frames.to_dicts(service.query_records("nightly", flatten=False))
    assert record is not None
    assert record["data"] == row["data"]
    shown = {part: row["data"][part] for part in ("fields", "vars")}
    flat = frames.to_dicts(service.query_records("nightly"))[0]
    assert flat["fields.subject"] == shown["fields"]["subject"]
    assert flat["vars.customer_no"] == shown["vars"]["customer_no"]
    return shown


def test_it_holds_for_everything_that_a_service_reads_when_connect_is_given_it(file: Path) -> None:
    with toolkit.connect(file) as plain, toolkit.connect(file, masking=POLICY) as strict:
        assert seen(plain) == PLAIN
        assert seen(strict) == STRICT
        assert strict.get_variable("nightly", "note") == f"see {HIDDEN}"


def test_the_lines_of_a_profile_say_the_same(file: Path) -> None:
    with toolkit.connect("mine") as service:
        assert service.masking == POLICY
        assert seen(service) == STRICT


def test_what_connect_is_given_goes_before_the_profile(file: Path) -> None:
    with toolkit.connect("mine", masking=MaskingPolicy()) as service:
        assert seen(service) == PLAIN


@pytest.fixture(params=[toolkit.connect, CachedDataService.connect], ids=["service", "cache"])
def opened(request: pytest.FixtureRequest, file: Path) -> Iterator[toolkit.UnifiedDataService]:
    with request.param(file) as service:
        yield service


def test_it_holds_for_one_call_and_the_service_stays_as_it_was(opened: toolkit.UnifiedDataService) -> None:
    assert opened.get_variable("nightly", "note") == "see ACC-17"
    strict = opened.with_masking(POLICY)
    assert type(strict) is type(opened)
    assert seen(strict) == STRICT
    # What the other one remembers is not what this one shows.
    assert strict.get_variable("nightly", "note") == f"see {HIDDEN}"
    assert opened.get_variable("nightly", "note") == "see ACC-17"
    assert seen(opened) == PLAIN


def test_a_call_with_another_policy_still_minds_the_profile(file: Path) -> None:
    settings = profiles.settings_file()
    settings.write_text(settings.read_text(encoding="utf-8") + 'reveal = "never"\n', encoding="utf-8")
    with toolkit.connect("mine") as service, pytest.raises(toolkit.RevealForbidden):
        service.with_masking(MaskingPolicy(allow=("*",))).query_records("nightly", reveal=True)


def test_a_policy_is_a_frozen_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        POLICY.extra = ()  # type: ignore[misc]
    again = MaskingPolicy(["customer_*"], ["session"], {"account": r"\bACC-[0-9]+"}, ["fields.body"])  # type: ignore[arg-type]
    assert again == POLICY == pickle.loads(pickle.dumps(POLICY))  # noqa: S301 - made here
    assert hash(again) == hash(POLICY)
    rules = {"account": "ACC"}
    made = MaskingPolicy(rules=rules)
    rules["other"] = "x"
    assert made.rules == (("account", "ACC"),)


def test_metadata_is_explained_in_a_sentence() -> None:
    said = MaskingPolicy().explain("token_count", 5)
    assert said == "token_count is shown: the name holds 'token', but also 'count', and the value is a number."
