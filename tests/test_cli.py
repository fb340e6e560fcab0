"""The command: what it prints where, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import toolkit
from toolkit import cli, targets

SECRET = "swordfish"
COMMAND = [sys.executable, "-W", "error", "-m", "toolkit.cli"]
Run = Callable[..., tuple[int, str, str]]

PASSED = '<testcase classname="tests.test_login" name="accepts" time="0.25"/>'
FAILED = (
    '<testcase classname="tests.test_login" name="refuses" time="1.5">'
    '<failure message="expected 401 [bold]not[/bold] 200"/></testcase>'
)
SUITE = f'<testsuite name="login" timestamp="2026-11-15T02:00:00Z">{PASSED}{FAILED}</testsuite>'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)

    def main(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolkit", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capsys.readouterr()
        return code, output.out, output.err

    return main


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A database file with one small workflow."""
    file = tmp_path / "toolkit.db"
    with toolkit.connect(file, create=True) as service:
        service.set_variable("nightly", "api_token", SECRET)
        service.set_variable("nightly", "total", 3)
        rows = [{"record_id": f"email_{number}", "status": "complete"} for number in range(3)]
        service.create_records("nightly", [*rows, {"record_id": "email_9", "status": "failed", "error_message": "no"}])
    return file


def is_one_error(code: int, out: str, err: str) -> bool:
    """Tell whether a command ended with one line that says why."""
    return code == 1 and out == "" and err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")


# Importing


def test_an_import_shows_each_file_and_what_was_in_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "login.xml").write_text(SUITE)
    code, out, err = run("import", "junit", "reports", "--run", "nightly-17")
    assert (code, err) == (0, "")
    header, line = out.splitlines()
    assert header.split() == ["path", "workflow_id", "records", "complete", "failed", "skipped"]
    assert line.split() == ["reports/login.xml", "nightly-17", "2", "1", "1", "0"]
    with toolkit.connect() as service:
        assert len(service.query_records("nightly-17")) == 2


def test_an_import_says_each_file_that_cannot_be_read_and_keeps_the_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "good.xml").write_text(SUITE)
    (tmp_path / "reports" / "broken.xml").write_text("<testsuite>\n<testcase name='a'")
    (tmp_path / "reports" / "page.xml").write_text("<html/>")
    code, out, err = run("import", "junit", "reports", "--run", "nightly-17")
    assert code == 1
    assert "good.xml" in out
    assert "broken.xml" not in out
    *errors, total = err.splitlines()
    assert len(errors) == 2
    assert "broken.xml" in errors[0]
    assert "line 2" in errors[0]
    assert "page.xml" in errors[1]
    assert total == "2 of 3 files could not be imported"
    with toolkit.connect() as service:
        assert len(service.query_records("nightly-17")) == 2


def test_a_run_that_is_there_is_replaced_only_when_asked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "login.xml").write_text(SUITE)
    arguments = ("import", "junit", "login.xml", "--run", "nightly-17", "--variant", "linux")
    assert run(*arguments)[0] == 0
    (tmp_path / "login.xml").write_text(SUITE.replace(FAILED, ""))
    result = run(*arguments)
    assert is_one_error(*result)
    assert "nightly-17" in result[2]
    assert run(*arguments, "--replace")[0] == 0
    with toolkit.connect() as service:
        assert list(service.query_records("nightly-17")["record_id"]) == ["tests.test_login::accepts [linux]"]


def test_text_of_a_report_is_no_markup(run: Run, tmp_path: Path) -> None:
    (tmp_path / "[bold]red.xml").write_text(SUITE)
    code, out, _ = run("import", "junit", str(tmp_path), "--run", "[link=x]run[/link]")
    assert code == 0
    shown = "".join(line[: out.index("workflow_id")].strip() for line in out.splitlines()[1:])
    assert shown == str(tmp_path / "[bold]red.xml")
    assert "[link=x]run" in out


# Looking


def test_workflows_are_listed_with_their_counts(run: Run, filled: Path) -> None:
    code, out, err = run("workflows")
    assert (code, err) == (0, "")
    assert "1 workflow\n" in out
    assert out.splitlines()[-1].split()[:7] == ["nightly", "2", "4", "3", "complete,", "1", "failed"]
    assert "workflow_id  variables  records  status" in out


def test_an_empty_database_has_no_workflows(run: Run) -> None:
    code, out, err = run("workflows")
    assert (code, err) == (0, "")
    assert "0 workflows" in out


def test_stats_count_by_status_and_type(run: Run, filled: Path) -> None:
    code, out, err = run("stats", "nightly")
    assert (code, err) == (0, "")
    assert "workflow nightly: 4 records and 2 variables (complete 3, failed 1)" in out
    assert ["complete", "email", "3"] in [line.split() for line in out.splitlines()]


def test_a_report_is_written_and_its_place_is_said(run: Run, filled: Path, tmp_path: Path) -> None:
    code, out, err = run("report", "nightly", "-o", "page.html")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"written to {tmp_path / 'page.html'}"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "nightly" in page
    assert SECRET not in page


def test_another_database_is_named_by_the_option_or_the_environment(
    run: Run, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = filled.rename(tmp_path / "elsewhere.db")
    assert "nightly" in run("workflows", "--url", str(elsewhere))[1]
    monkeypatch.setenv(targets.URL_VARIABLE, str(elsewhere))
    assert "nightly" in run("workflows")[1]
    assert not (tmp_path / "toolkit.db").exists()


@pytest.mark.parametrize("kind", ["production"])
def test_a_production_server_is_read_and_imported_into(run: Run, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "login.xml").write_text(SUITE)
    arguments = ("import", "junit", "login.xml", "--run", "nightly-17", "--url", database_url)
    assert is_one_error(*run(*arguments))
    assert run(*arguments, "--create-workflow")[0] == 0
    assert "nightly-17" in run("workflows", "--url", database_url)[1]
    assert "2 records" in run("stats", "nightly-17", "--url", database_url)[1]


# Errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stats", "nightlie"], "did you mean 'nightly'"),
        (["report", "elsewhere"], "there is no workflow 'elsewhere'"),
        (["import", "junit", "nowhere.xml"], "nowhere.xml"),
        (["report", "nightly", "-o", "notes.txt/page.html"], "notes.txt"),
        (["workflows", "--url", "nowhere.db"], "nowhere.db"),
        (["workflows", "--url", "notes.db"], "not an SQLite database"),
        (["workflows", "--url", "empty.db"], "workflow_memory"),
        (["workflows", "--url", "notes.txt"], "notes.txt"),
        (["workflows", "--url", f"mysql://me:{SECRET}@localhost/app"], "mysql"),
        (["workflows", "--url", f"postgresql://me:{SECRET}@db.invalid/app"], "db.invalid"),
        (["workflows", "--url", f"https://me:{SECRET}@localhost/app"], "web address"),
    ],
)
def test_an_error_is_one_line(run: Run, filled: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "notes.db").write_text("These are notes, and no database at all.")
    (tmp_path / "notes.txt").write_text("These are notes, and no database at all.")
    (tmp_path / "empty.db").touch()
    result = run(*arguments)
    assert is_one_error(*result)
    assert says in result[2]
    assert SECRET not in result[2]


def test_an_error_of_several_lines_becomes_one(run: Run, tmp_path: Path, filled: Path) -> None:
    (tmp_path / "login.xml").write_text(SUITE)
    arguments = ("import", "junit", "login.xml", "--run", "nightly-17", "--url", "toolkit.db")
    assert run(*arguments)[0] == 0
    with toolkit.connect(filled) as service, service.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE toolkit_changes")
    result = run(*arguments, "--replace")
    assert is_one_error(*result)
    assert "setup_archive" in result[2]


def test_the_demonstration_meets_a_file_that_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "toolkit.db").write_text("These are notes, and no database at all.")
    result = run("demo")
    assert is_one_error(*result)
    assert "not an SQLite database" in result[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["stats"],
        ["report"],
        ["import", "junit"],
        ["import", "nonsense"],
        ["workflows", "--nonsense"],
        ["stats", "nightly", "another"],
        ["report", "nightly", "--output"],
    ],
)
def test_a_wrong_call_ends_with_2_and_makes_nothing(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def commands() -> list[list[str]]:
    """Return the words of the program, of every command and of every group."""
    own = [
        [command.name or str(command.callback and command.callback.__name__)] for command in cli.app.registered_commands
    ]
    below = [["import", str(command.name)] for command in cli.importing.registered_commands]
    return [[], ["import"], *own, *below]


@pytest.mark.parametrize("words", commands())
def test_every_command_explains_itself(run: Run, tmp_path: Path, words: list[str]) -> None:
    code, out, err = run(*words, "--help")
    assert (code, err) == (0, "")
    assert "Usage: toolkit" in out
    if words not in ([], ["import"]):
        assert "Example: toolkit" in " ".join(out.split())
    assert not list(tmp_path.iterdir())


# Real processes


def test_a_real_process_ends_with_0_1_or_2(tmp_path: Path) -> None:
    for arguments, code in ((["workflows"], 0), (["stats", "nothing"], 1), (["nonsense"], 2)):
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code
        assert "Traceback" not in done.stderr
        assert bool(done.stderr) == bool(code)


def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(120)
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/app"
        process = subprocess.Popen(
            [*COMMAND, "workflows", "--url", url],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # It is known to wait for the server's first word now, which never comes.
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert out == ""


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path: Path, filled: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "workflows"],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    os.close(writing)
    assert done.stderr == ""


def test_a_terminal_that_knows_no_other_letters_still_shows_the_rest(tmp_path: Path) -> None:
    with toolkit.connect(tmp_path / "toolkit.db", create=True) as service:
        service.create_record("größe ✉ 日本", "email_001")
    done = subprocess.run(
        [*COMMAND, "workflows"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert b"gr??e ? ??" in done.stdout
    assert done.stderr == b""
