"""Files → runs: which files belong together, and what a run is called."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from toolkit.errors import ImportFailed
from toolkit.importers import ImportedFile, ImportedRun, Importer, gather
from toolkit.importers.values import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

PASSING = '<testsuite name="s"><testcase classname="C" name="{name}"/></testsuite>'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def ids(run: ImportedRun) -> list[str]:
    return [record.record_id for file in run.files for record in file.records]


def tree(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        write(folder / name, PASSING.format(name=name.replace("/", "_")))


def test_a_run_is_named_by_its_folder_never_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, ["nightly/junit.xml", "nightly/more.xml", "weekly/junit.xml"])
    assert [run.name for run in gather(tmp_path)] == ["nightly", "weekly"]
    monkeypatch.chdir(tmp_path / "nightly")
    for paths in ("junit.xml", ".", "*.xml", Path("junit.xml")):
        (run,) = gather(paths)
        assert run.name == "nightly"


def test_files_of_a_folder_are_sorted_and_counted_once(tmp_path: Path) -> None:
    tree(tmp_path, ["run/b.xml", "run/a.XML", "run/c.txt", "run/deep/d.xml"])
    (run,) = gather([tmp_path / "run" / "b.xml", tmp_path / "run", f"{tmp_path}/run/*.xml"], run="r")
    assert [Path(file.path).name for file in run.files] == ["a.XML", "b.xml", "d.xml"]
    assert all(file.error is None for file in run.files)


def test_a_link_to_a_run_is_that_run(tmp_path: Path) -> None:
    tree(tmp_path, ["runs/7/a.xml"])
    (tmp_path / "latest").symlink_to(tmp_path / "runs" / "7", target_is_directory=True)
    (run,) = gather([tmp_path / "latest" / "a.xml", tmp_path / "runs" / "7" / "a.xml"])
    assert (run.name, len(run.files), run.files[0].error) == ("7", 1, None)


def test_two_folders_of_one_name_need_a_word_from_the_caller(tmp_path: Path) -> None:
    tree(tmp_path, ["linux/junit/a.xml", "windows/junit/b.xml"])
    with pytest.raises(ImportFailed, match=r"two folders are called 'junit'.*give run="):
        gather(tmp_path)
    (run,) = gather(tmp_path, run="nightly")
    assert len(ids(run)) == 2


def test_a_template_says_run_and_variant(tmp_path: Path) -> None:
    same = PASSING.format(name="n")
    for name in ("7/linux/junit.xml", "7/mac/junit.xml", "8/linux/junit.xml", "8/linux/other.xml"):
        write(tmp_path / "runs" / name, same)
    first, second = gather(f"{tmp_path}/runs/{{run}}/{{variant}}/junit.xml")
    assert (first.name, ids(first)) == ("7", ["C::n [linux]", "C::n [mac]"])
    assert (second.name, ids(second)) == ("8", ["C::n [linux]"])
    (one,) = gather(f"{tmp_path}/runs/7/{{run}}/*.xml", run="nightly", variant="v")
    assert (one.name, ids(one)) == ("nightly", ["C::n [v]"])
    (mac,) = gather(f"{tmp_path}/runs/{{run}}/mac/*", variant="own")
    assert [(file.variant, file.error) for file in mac.files] == [("own", None)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("TEST-{run}.xml", {("a-b", None)}),
        ("**/{variant}-{run}.xml", {("b", "TEST-a"), ("1", "x")}),
        ("{run}/?-[0-9].xml", {("sub", None)}),
        ("{run}/[!0-9]-*.xml", {("sub", None)}),
        ("{run}", {("sub", None), ("TEST-a-b.xml", None)}),
        ("{run}/{run}.xml", {("same", None)}),
    ],
)
def test_placeholders_may_be_parts_of_a_segment(
    tmp_path: Path, template: str, expected: set[tuple[str, str | None]]
) -> None:
    tree(tmp_path, ["TEST-a-b.xml", "sub/x-1.xml"])
    if "{run}/{run}" in template:
        tree(tmp_path, ["same/same.xml"])
    runs = gather(f"{tmp_path}/{template}")
    assert {(run.name, file.variant) for run in runs for file in run.files} == expected


def test_what_exists_under_the_very_name_is_no_pattern(tmp_path: Path) -> None:
    tree(tmp_path, ["r/a[1].xml", "r/a1.xml", "r/{run}.xml"])
    for name in ("a[1].xml", "{run}.xml"):
        (run,) = gather(tmp_path / "r" / name)
        assert (run.name, [Path(file.path).name for file in run.files]) == ("r", [name])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.xml", "nothing matches"),
        ("none/*.xml", "nothing matches"),
        ("{run}/{system}.xml", "{system} is no placeholder"),
        ("empty", r"no \*\.xml or \*\.trx file below this folder"),
        ("x" * 5000, "nothing matches"),
        ("a\0b", "nothing matches"),
        ("", "a path is empty"),
    ],
)
def test_a_path_that_gives_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImportFailed, match=message):
        gather([path])
    with pytest.raises(ImportFailed, match="no path was given"):
        gather([])


@pytest.mark.parametrize("name", ["", " ", "a*", "a?", "a,b", "x" * 256, "a\nb", "\ud800"])
def test_a_run_that_no_pattern_could_name_is_refused(tmp_path: Path, name: str) -> None:
    tree(tmp_path, ["r/a.xml"])
    with pytest.raises(ImportFailed, match="run name"):
        gather(tmp_path, run=name)


@pytest.mark.parametrize("variant", ["", "a\0"])
def test_a_variant_must_be_a_name(tmp_path: Path, variant: str) -> None:
    tree(tmp_path, ["r/a.xml"])
    with pytest.raises(ImportFailed, match="variant"):
        gather(tmp_path, variant=variant)


def test_a_case_that_its_run_already_has_is_not_taken_twice(tmp_path: Path) -> None:
    write(tmp_path / "r" / "a.xml", PASSING.format(name="n"))
    two = '<testsuite name="s"><testcase classname="C" name="n"/><testcase name="m"/></testsuite>'
    write(tmp_path / "r" / "b.xml", two)
    write(tmp_path / "r" / "c.xml", PASSING.format(name="o"))
    (run,) = gather(tmp_path)
    assert ids(run) == ["C::n", "C::o"]
    first = run.files[0].path
    assert run.files[1].error == (f"1 of 2 test cases are already in this run, from {first}: give variant= or run=")
    assert run.files[1].variables == ()
    assert list(run.variables) == ["run", "suite.s", "suite.s #2"]


def test_a_broken_file_leaves_the_others_alone(tmp_path: Path) -> None:
    tree(tmp_path, ["r/a.xml", "r/c.xml"])
    write(tmp_path / "r" / "b.xml", "<testsuite>")
    (run,) = gather(tmp_path)
    assert [len(file.records) for file in run.files] == [1, 0, 1]
    assert "b.xml, line 1, column 12: not XML" in str(run.files[1].error)


def test_a_run_starts_at_the_earliest_time_of_the_best_source(tmp_path: Path) -> None:
    write(tmp_path / "r" / "a.xml", '<testsuite><testcase name="no time"/></testsuite>')
    for day in (5, 4):
        text = f'<testsuite timestamp="2026-01-0{day}"><testcase name="{day}"/></testsuite>'
        write(tmp_path / "r" / f"{day}.xml", text)
    (run,) = gather(tmp_path, started_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (run.started_at, run.time_source) == (datetime(2026, 1, 4, tzinfo=UTC), "report")
    assert run.variables["run"]["started_at"] == "2026-01-04T00:00:00+00:00"


def test_a_run_without_cases_has_no_start(tmp_path: Path) -> None:
    write(tmp_path / "r" / "a.xml", "<testsuites/>")
    (run,) = gather(tmp_path)
    assert (run.started_at, run.time_source, run.files[0].error) == (None, None, None)
    assert run.files[0].variables == ()


def test_another_reader_may_be_given(tmp_path: Path) -> None:
    tree(tmp_path, ["r/a.xml"])

    def nothing(path: Path, *, variant: str | None, started_at: datetime | None) -> ImportedFile:
        return ImportedFile(path.name, variant, error=str(started_at))

    (run,) = gather(tmp_path, variant="v", importer=Importer("nothing", nothing, (".xml",)))
    assert run.files == (ImportedFile("a.xml", "v", error="None"),)


def test_variables_of_a_run_are_numbered_over_its_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.xml", PASSING.format(name=name))
    write(tmp_path / "c.xml", f'<testsuite name="{"s" * 300}" timestamp="2026-01-01T00:00:00Z"/>')
    (run,) = gather(tmp_path, run="r", started_at=datetime(2026, 2, 1, tzinfo=UTC))
    long = shorten("suite." + "s" * 300, 255)
    assert list(run.variables) == ["run", "suite.s", "suite.s #2", long]
    assert [run.variables[key]["file"] for key in list(run.variables)[1:]] == ["a.xml", "b.xml", "c.xml"]
    started = "2026-02-01T00:00:00+00:00"
    assert run.variables["run"] == {"importer": "junit", "started_at": started, "time_source": "started_at"}
