"""Text on a terminal: as it is, harmless, and inside its lines."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit import printing

SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HARMLESS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


@SHARED
@given(text=HARMLESS)
def test_a_line_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    printing.line(text)
    assert capsys.readouterr().out == f"{text}\n"


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[/nothing]", "[link=file:///etc]x[/link]", ":smile:", "\\[x]"])
def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    printing.line(text)
    printing.message(text)
    printing.heading(text)
    printing.table(pd.DataFrame({text: [text]}))
    output = capsys.readouterr()
    assert output.out == f"{text}\n\n{text}\n{text}\n{text}\n"
    assert output.err == f"{text}\n"


def test_a_long_path_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/" + "/".join(f"a folder with a long name {number}" for number in range(20)) + "/toolkit-report.html"
    printing.line(f"Open the report: {path}")
    printing.message(f"error: {path}")
    output = capsys.readouterr()
    assert output.out == f"Open the report: {path}\n"
    assert output.err == f"error: {path}\n"


@SHARED
@given(text=st.text(st.characters(codec="utf-8")))
def test_no_text_of_a_database_steers_the_terminal(capsys: pytest.CaptureFixture[str], text: str) -> None:
    printing.line(text)
    printing.table(pd.DataFrame({"value": [text], text: [1]}))
    shown = capsys.readouterr().out
    assert not [mark for mark in shown if unicodedata.category(mark) == "Cc" and mark != "\n"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)


def test_an_escape_sequence_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    printing.line("\x1b[31mred\x1b]0;title\x07\u202eback")
    assert capsys.readouterr().out == "�[31mred�]0;title��back\n"


# Tables


def printed(capsys: pytest.CaptureFixture[str], frame: pd.DataFrame) -> list[str]:
    """Return the lines of a table."""
    printing.table(frame)
    return capsys.readouterr().out.splitlines()


def test_a_table_that_fits_has_one_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {
            "status": ["complete", None],
            "count": pd.array([12345, None], dtype="Int64"),
            "share": pd.array([0.5, None], dtype="Float64"),
            "flaky": pd.array([True, None], dtype="boolean"),
            "at": pd.to_datetime(pd.Series(["2026-11-15T02:00:06.5Z", None])),
        }
    )
    assert [line.split() for line in printed(capsys, frame)] == [
        ["status", "count", "share", "flaky", "at"],
        ["complete", "12,345", "0.5", "true", "2026-11-15", "02:00:06"],
        [],
    ]


def test_an_id_is_not_written_as_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    values = pd.Series([1154882880238091841, {"id": 1154882880238091841}, "1200"], dtype=object)
    shown = printed(capsys, pd.DataFrame({"value": values}))
    assert [line.strip() for line in shown[1:]] == ["1154882880238091841", '{"id": 1154882880238091841}', "1200"]


def test_a_wide_table_fits_80_columns_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word{number}" for number in range(9)]
    frame = pd.DataFrame(
        {"key": ["one"], "text": [" ".join(words)], "other": [" ".join(reversed(words))], "count": [7]}
    )
    lines = printed(capsys, frame)
    assert max(map(len, lines)) <= 80
    for word in words:
        assert sum(line.count(word) for line in lines) == 2


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_numbers_and_times_are_never_broken_or_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    numbers = {f"a_long_heading_{number}": [10**number] for number in range(8)}
    frame = pd.DataFrame({"workflow_id": ["nightly-triage"], **numbers, "at": pd.to_datetime(["2026-11-15T02:00:06Z"])})
    shown = printed(capsys, frame)[-1].split()
    assert shown == ["nightly-triage", *(f"{10**number:,}" for number in range(8)), "2026-11-15", "02:00:06"]


@SHARED
@given(
    cells=st.lists(st.tuples(HARMLESS, HARMLESS, st.integers(0, 10**6)), min_size=1, max_size=4),
    room=st.integers(60, 120),
)
def test_the_columns_share_the_room_there_is(cells: list[tuple[str, str, int]], room: int) -> None:
    columns = [[str(cell) for cell in column] for column in zip(*cells, strict=True)]
    widths, gap = printing.widths(["key", "value", "count"], columns, [False, False, True], room)
    assert sum(widths) + gap * 2 <= room
    assert widths[2] >= max(map(len, columns[2]))
    assert min(widths) > 0


def test_a_path_in_a_table_is_folded_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/reports/" + "x" * 300
    shown = printed(capsys, pd.DataFrame({"path": [path], "text": [path]}))
    table = pd.DataFrame({"path": [path], "text": [path]})
    printing.table(table, whole=["path"])
    whole = capsys.readouterr().out
    assert "".join(shown).count("x") < 150
    assert whole.count("x") > 300


def test_a_frame_without_rows_shows_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, pd.DataFrame({"key": [], "count": []}))[0].split() == ["key", "count"]


def test_printing_changes_no_frame(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"value": pd.Series([{"a": [1]}, None, "x\ny"], dtype=object)})
    before = frame.copy(deep=True)
    printing.table(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_long_cell_is_cut_and_says_so() -> None:
    assert printing.cell("x" * 60) == "x" * 60
    assert printing.cell("x" * 61) == "x" * 59 + "…"
    assert printing.cell(["a", "b\n c"]) == "a, b c"
    assert printing.cell([1, "b"]) == '[1, "b"]'
