"""What another scanner's test files show: keys and tokens go, ids and hashes stay, and what is missed is known."""

from __future__ import annotations

import json
from pathlib import Path

from toolkit.masking import HIDDEN, MaskingPolicy

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "06_secrets" / "Yelp_detect-secrets"
POLICY = MaskingPolicy()
# Lines of these files that hold a secret, counted from one.
CAUGHT = {
    "config.ini": [2, 10, 26, 32],
    "config.yaml": [3, 5, 6, 12, 13],
    "config2.yaml": [2],
    "files/private_key": [2],
    "short_files/last_line.ini": [3, 4, 5],
    "short_files/middle_line.yml": [4],
}
MISSED = {
    "config.env": [1],
    "config.ini": [6, 15, 21, 22],
    "config.md": [8, 10],
    "config.yaml": [10],
    "config2.yaml": [1],
}
HARMLESS = {"config.ini": [7, 29], "config.yaml": [8, 9, 16, 18], "short_files/middle_line.yml": [2, 6]}


def masked(name: str) -> tuple[str, str]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text, POLICY.mask_text(text)


def lines(found: dict[str, list[int]]) -> list[tuple[str, str]]:
    """Return those lines, each with the masked text of its file."""
    both = {file: masked(file) for file in found}
    return [(both[file][0].splitlines()[number - 1].strip(), both[file][1]) for file in found for number in found[file]]


def test_secrets_with_a_name_or_a_beginning_of_their_own_are_caught_and_others_missed() -> None:
    caught, missed = lines(CAUGHT), lines(MISSED)
    assert (len(caught), len(missed)) == (15, 9)
    assert not [line for line, shown in caught if line in shown]
    assert not [line for line, shown in missed if line not in shown]


def test_the_document_reports_these_figures() -> None:
    report = (Path(__file__).parents[2] / "docs" / "masking.md").read_text(encoding="utf-8")
    keys = CAUGHT["files/private_key"]
    named = sum(map(len, CAUGHT.values())) - len(keys)
    said = [line for line in report.splitlines() if " of " in line and line.startswith("| ")]
    figures = [(len(keys), "a private key"), (named, "beside a name"), (0, "random text")]
    for (number, what), of in zip(figures, (len(keys), named, sum(map(len, MISSED.values()))), strict=True):
        assert any(f"| {number} of {of} |" in line and what in line for line in said)


def test_ids_hashes_and_prose_stay() -> None:
    assert not [line for line, shown in lines(HARMLESS) if line not in shown]
    for file in ("performance/best-songs.txt", "only_comments.yaml", "word_list.txt"):
        text, shown = masked(file)
        assert shown is text
    for file in ("performance/long-file.test.json", "performance/long-lines.test.json"):
        timings = json.loads((FOLDER / file).read_text(encoding="utf-8"))["timings"]
        hidden = [name for name, value in POLICY.mask(timings).items() if value == HIDDEN]
        # Numbers, but nothing says so: a number can be a password.
        assert hidden == ["AWSKeyDetector", "BasicAuthDetector", "PrivateKeyDetector"]


def test_a_report_of_another_scanner_keeps_its_places_and_loses_its_hashes() -> None:
    report = json.loads((FOLDER / "baseline.file").read_text(encoding="utf-8"))
    shown = POLICY.mask(report)
    assert shown["plugins_used"] == report["plugins_used"]
    for file, findings in report["results"].items():
        if "key" in file or "secret" in file:
            # The name of a file is a name like any other.
            assert shown["results"][file] == HIDDEN
            continue
        for before, after in zip(findings, shown["results"][file], strict=True):
            assert after["hashed_secret"] == HIDDEN
            assert (after["line_number"], after["type"]) == (before["line_number"], before["type"])
