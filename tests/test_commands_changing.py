"""The commands that change data and take changes back, on every database."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa

import toolkit
from tests.changing import rows
from toolkit import cli

COMMAND = [sys.executable, "-W", "error", "-m", "toolkit.cli"]
SECRET = "FAKE-token-12345678"
Service = toolkit.UnifiedDataService
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    """The id of a workflow of six records and three variables."""
    records = [{"record_id": f"email_{n}", "status": "failed" if n < 2 else "complete"} for n in range(5)]
    records.append({"record_id": "lead_1", "status": "failed", "vars.password": SECRET, "iteration_node_alias": "n"})
    service.create_records(workflow_id, records)
    service.set_variables(workflow_id, {"email_total": 5, "api_token": SECRET, "node7.out": 1})
    return workflow_id


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the database; returns its exit code, stdout and stderr."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def main(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolkit", *arguments, "--url", database_url])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capsys.readouterr()
        assert SECRET not in output.out + output.err
        return code, output.out, output.err

    return main


def test_a_dry_run_shows_the_plan_and_changes_nothing(service: Service, filled: str, run: Run) -> None:
    before = rows(service)
    code, out, err = run("clear", filled, "--records", "email_*", "--status", "failed", "--dry-run")
    assert (code, err) == (0, "")
    assert f"2 records and 0 variables of workflow {filled}, which has 6 records and 3 variables" in out
    assert "by status: 2 failed" in out
    assert "by type: 2 email" in out
    assert "email_0" in out
    assert "email_2" not in out
    code, out, err = run("clear", filled, "--everything", "--dry-run")
    assert (code, err) == (0, "this plan takes everything in the workflow\n")
    assert "[hidden]" in out
    assert rows(service) == before
    assert len(service.changes()) == 0


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        (["--pattern", "email_*"], (5, 1)),
        (["--variables", "api_*"], (0, 1)),
        (["--id", "email_1", "--id", "email_*"], (1, 0)),
        (["--key", "api_token"], (0, 1)),
        (["--type", "lead"], (1, 0)),
        (["--node", "n"], (1, 0)),
        (["--position", "7"], (0, 1)),
        (["--category", "custom"], (0, 2)),
        (["--updated-before", "2020-01-01"], (0, 0)),
        (["--older-than", "30d"], (0, 0)),
        (["--status", "failed", "--status", "complete"], (6, 0)),
    ],
)
@pytest.mark.parametrize("kind", ["sqlite"])
def test_every_filter_of_a_plan_is_an_option(
    filled: str, run: Run, options: list[str], taken: tuple[int, int], kind: str
) -> None:
    code, out, _ = run("clear", filled, *options, "--dry-run")
    counts = re.match(r"(\d+) records? and (\d+) variables?", out)
    assert code == 0
    assert counts is not None
    assert tuple(map(int, counts.groups())) == taken


def test_without_a_terminal_nothing_is_done_unless_it_is_said(service: Service, filled: str, run: Run) -> None:
    before = rows(service)
    code, out, err = run("clear", filled, "--records", "email_*", "--status", "failed")
    assert code == 1
    assert "2 records" in out
    assert err == "nothing was changed: there is no terminal to ask at. To go on, add --yes --expect 2\n"
    assert rows(service) == before
    code, out, err = run("clear", filled, "--records", "email_*", "--status", "failed", "--yes", "--reason", "old")
    assert (code, err) == (0, "")
    change_id = out.splitlines()[-1].removeprefix("To take it back: toolkit undo ")
    assert list(service.changes()["reason"]) == ["old"]
    assert run("undo", change_id)[0] == 0
    assert rows(service) == before
    code, out, err = run("undo", change_id)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "was undone before; nothing was changed now" in err


def test_a_warning_wants_a_number(service: Service, filled: str, run: Run) -> None:
    before = rows(service)
    code, _, err = run("clear", filled, "--everything", "--yes")
    assert code == 1
    assert "this plan takes everything in the workflow; nothing was touched. To go on, add --expect 9" in err
    code, _, err = run("clear", filled, "--everything", "--yes", "--expect", "8")
    assert code == 1
    assert "--expect 8, and the plan takes 9 rows; nothing was touched" in err
    assert rows(service) == before
    code, out, _ = run("clear", filled, "--everything", "--yes", "--expect", "9")
    assert (code, len(service.query_records(filled))) == (0, 0)
    assert run("undo", out.rsplit(maxsplit=1)[1])[0] == 0
    assert rows(service) == before


def test_what_cannot_be_meant_ends_with_one_line(service: Service, filled: str, run: Run) -> None:
    before = rows(service)
    for arguments, code, said in (
        ((filled,), 1, "say what to clear, such as --records 'email_*', or --everything"),
        ((filled, "--pattern", ""), 1, "is empty"),
        ((filled, "--records", "a,,b"), 1, "empty"),
        ((filled, "--node", "n", "--position", "7"), 1, "give one of them"),
        ((filled, "--on-change", "maybe", "--records", "*"), 2, "'maybe' is not one of"),
        ((filled, "--expect", "many"), 2, "valid int"),
        ((), 2, "Missing argument"),
    ):
        found, _, err = run("clear", *arguments, "--yes")
        assert found == code
        assert said in " ".join(err.replace("│", " ").split())
        if code == 1:
            assert err.count("\n") == 1
    assert run("undo", "nope")[::2] == (1, "error: the archive knows no change 'nope'; toolkit changes lists them\n")
    assert rows(service) == before


def test_a_row_that_was_written_again_is_a_conflict(service: Service, filled: str, run: Run) -> None:
    _, out, _ = run("clear", filled, "--id", "email_0", "--id", "email_1", "--yes")
    change_id = out.rsplit(maxsplit=1)[1]
    service.create_record(filled, "email_0", data={"new": 1})
    code, _, err = run("undo", change_id)
    assert code == 1
    assert "written again since" in err
    assert "--on-conflict skip leaves them alone, --on-conflict overwrite" in err
    code, out, err = run("undo", change_id, "--on-conflict", "skip")
    assert (code, err) == (0, "left alone, because it was written again: email_0\n")
    assert "1 record" in out
    assert run("undo", change_id, "--on-conflict", "overwrite")[0] == 0
    assert run("undo", change_id, "--on-conflict", "maybe")[0] == 2


def test_the_list_of_changes_says_who_when_why_and_how_many(service: Service, filled: str, run: Run) -> None:
    code, out, _ = run("changes")
    assert (code, out.strip()) == (0, "0 changes, the newest first")
    receipt = service.plan_clear(filled, ids=["email_0"]).apply(reason="why not")
    receipt.undo()
    service.delete_variable(filled, "api_token", archive=False)
    for arguments in ((), (filled,)):
        code, out, err = run("changes", *arguments)
        assert (code, err) == (0, "")
        assert out.startswith("\n2 changes, the newest first\n")
        first, second = out.index("delete"), out.index(receipt.id)
        assert first < second
        assert f"1 record and 0 variables by {service.database.actor}: why not, undone 2" in out
        assert '{"records": {"pattern": "*", "ids": 1}}' in out
    code, _, err = run("changes", "nobody")
    assert code == 1
    assert err.startswith("error: ")


def test_without_an_archive_the_command_says_what_to_add(
    service: Service, filled: str, database_url: str, execute: Callable[..., None], run: Run
) -> None:
    if service.database.dialect.name == "sqlite":
        names = ("changes", "version", "archived_variables", "archived_records")
        execute(database_url, *(f"DROP TABLE toolkit_{name}" for name in names))
    else:
        execute(database_url, "DROP SCHEMA toolkit CASCADE")
    before = rows(service)
    code, _, err = run("clear", filled, "--id", "email_0", "--yes")
    assert code == 1
    assert err.startswith("error: there is no archive here. To clear, add --create-archive")
    assert rows(service) == before
    assert run("clear", filled, "--id", "email_0", "--yes", "--no-archive")[0] == 0
    code, out, _ = run("clear", filled, "--id", "email_1", "--yes", "--create-archive")
    assert code == 0
    assert run("undo", out.rsplit(maxsplit=1)[1])[0] == 0
    assert len(service.query_records(filled)) == 5


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 5), ("n", 1, 6), ("", 1, 6)])
def test_at_a_terminal_it_asks(
    service: Service, filled: str, database_url: str, kind: str, answer: str, code: int, left: int
) -> None:
    mine, theirs = pty.openpty()
    os.write(mine, f"{answer}\n".encode())
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "toolkit.cli",
                "clear",
                filled,
                "--id",
                "lead_1",
                "--url",
                database_url,
            ],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(mine)
        os.close(theirs)
    assert done.returncode == code
    assert "Move 1 row away? [y/N]" in done.stderr
    assert ("toolkit undo" in done.stdout) == (code == 0)
    assert len(service.query_records(filled)) == left


@pytest.mark.parametrize("kind", ["postgresql"])
def test_rows_of_other_tables_go_along_only_when_it_is_said(
    service: Service, filled: str, database_url: str, execute: Callable[..., None], run: Run, kind: str
) -> None:
    execute(
        database_url,
        "CREATE TABLE notes (workflow_id text, record_id text, PRIMARY KEY (workflow_id, record_id), "
        "FOREIGN KEY (workflow_id, record_id) REFERENCES workflow_records ON DELETE CASCADE)",
        "INSERT INTO notes SELECT workflow_id, record_id FROM workflow_records WHERE record_id = 'email_0'",
    )
    code, _, err = run("clear", filled, "--id", "email_0", "--yes")
    assert code == 1
    assert "1 row of public.notes (ON DELETE CASCADE); nothing was touched. --cascade moves those rows" in err
    code, out, _ = run("clear", filled, "--id", "email_0", "--yes", "--cascade")
    assert code == 0
    assert run("undo", out.rsplit(maxsplit=1)[1])[0] == 0
    with service.database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM notes")) == 1
