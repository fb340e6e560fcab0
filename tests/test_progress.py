"""A progress bar for what takes long, where somebody watches."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import closing, redirect_stderr
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.written_rows import many_rows
from toolkit import progress as progress_room
from toolkit.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


@given(st.lists(st.text(max_size=3)), st.sampled_from([0, 1000]))
def test_the_parts_come_through_as_they_are(parts: list[str], delay: float) -> None:
    assert list(progress(iter(parts), delay=delay)) == parts


def test_a_terminal_shows_how_far_it_is() -> None:
    with redirect_stderr(Terminal()) as terminal:
        assert list(progress(["ab", "cde"], 5, delay=0)) == ["ab", "cde"]
    assert "2.00/5.00" in terminal.getvalue()
    assert "records" in terminal.getvalue()


def test_other_units_are_counted_as_the_caller_says() -> None:
    with redirect_stderr(Terminal()) as terminal:
        assert list(progress([b"xx", b"y"], unit="files", count=lambda _: 1, delay=0)) == [b"xx", b"y"]
    assert "1.00 files" in terminal.getvalue()


def test_what_is_over_soon_shows_nothing() -> None:
    with redirect_stderr(Terminal()) as terminal:
        assert list(progress(["ab", "cde"], 5)) == ["ab", "cde"]
    assert terminal.getvalue() == ""


def test_where_nobody_watches_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(["ab", "cde"], 5, delay=0)) == ["ab", "cde"]
    assert capsys.readouterr() == ("", "")


def test_the_bar_is_gone_when_the_reader_leaves_early_or_fails() -> None:
    def failing() -> Iterator[str]:
        yield from ("ab", "cde")
        raise ValueError("broken")

    with redirect_stderr(Terminal()) as terminal, closing(progress(failing(), delay=0)) as parts:
        next(parts)
        next(parts)
    assert terminal.getvalue().endswith(" \r")
    with redirect_stderr(Terminal()) as terminal, pytest.raises(ValueError, match="broken"):
        list(progress(failing(), delay=0))
    assert terminal.getvalue().endswith(" \r")


def test_a_short_call_does_not_even_load_the_library_of_bars() -> None:
    program = (
        "import sys, toolkit\n"
        "with toolkit.connect(':memory:', create=True) as service:\n"
        "    service.create_records('nightly', [{'record_id': f'a_{n}'} for n in range(3000)])\n"
        "print('tqdm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_a_long_write_shows_its_progress_and_a_short_one_does_not(
    service: toolkit.UnifiedDataService,
    workflow_id: str,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    rows = many_rows(5000)
    with redirect_stderr(Terminal()) as terminal:
        service.create_records(workflow_id, rows[:300], mode=mode)
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress_room, "PATIENCE", 0.0)
    with redirect_stderr(Terminal()) as terminal:
        service.create_records(workflow_id, rows[1000:], mode=mode)
    assert "2.00k/4.00k" in terminal.getvalue()
