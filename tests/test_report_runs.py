"""Reports on a run among others: what changed, reliability, folders of pages, files without a database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import demo
from toolkit.errors import ImportFailed, InvalidOption, WorkflowNotFound
from toolkit.report.charts import svg
from toolkit.report.site import slug

CASES = demo.data_folder() / "junit"
OUTCOMES = {"P": "complete", "F": "failed", "S": "skipped"}
Service = toolkit.UnifiedDataService


def write_runs(service: Service, strips: dict[str, str], *, name: str = "nightly", branch: str = "main") -> list[str]:
    """Write runs in which each record goes through the outcomes of its strip; returns their ids."""
    ids = []
    for place in range(max(map(len, strips.values()))):
        run = f"{name}-{place + 1}"
        rows = [
            {
                "record_id": record,
                "status": OUTCOMES[strip[place]],
                "error_message": "Timeout after 30 s" if strip[place] == "F" else None,
                "data": {"fields": {"subject": f"about {record}"}},
            }
            for record, strip in strips.items()
            if strip[place] != "-"
        ]
        service.create_records(run, rows)
        started = f"2026-11-{place + 1:02d}T02:00:00+00:00"
        service.set_variable(run, "run", {"name": run, "started_at": started, "branch": branch})
        ids.append(run)
    return ids


@pytest.fixture
def memory() -> Service:
    return toolkit.connect(":memory:", create=True)


STRIPS = {
    "a_1": "PPPPPP",
    "a_2": "PFPFPF",
    "a_3": "FFFFFF",
    "a_4": "PPPPPF",
    "a_5": "-----F",
    "a_6": "PPPPF-",
    "a_7": "PPPPFP",
}


def test_what_changed_is_against_the_run_before(memory: Service) -> None:
    report = memory.report(write_runs(memory, STRIPS)[-1])
    summary = report.summary
    assert summary.baseline.run == "nightly-5"
    assert "nightly-# on the branch main" in summary.baseline.reason
    assert {group.change: [row.record_id for row in group.records] for group in summary.changes if group.count} == {
        "newly failed": ["a_2", "a_4", "a_5"],
        "still failing": ["a_3"],
        "fixed": ["a_7"],
        "missing": ["a_6"],
    }
    assert summary.new_failures == 3
    assert summary.verdict == (
        "2 of 6 complete (33 %), 17 points below nightly-5; 1 still failing, 3 new failures share one cause: "
        "Timeout after <duration>"
    )
    assert [(card.name, card.change) for card in summary.cards][:3] == [
        ("complete", "−17 points"),  # noqa: RUF001 - the sign
        ("failed", "+1"),
        ("records", "no change"),
    ]


def test_reliability_says_what_is_flaky_broken_and_old(memory: Service) -> None:
    found = memory.report(write_runs(memory, STRIPS)[-1]).summary.reliability
    assert found is not None
    assert [run.run for run in found.runs] == [f"nightly-{number}" for number in range(1, 7)]
    assert {row.record_id: row.age_runs for row in found.records if row.broken} == {"a_3": 6}
    # a_6 failed and is missing now: still failing.
    assert {row.record_id for row in found.records if row.failing} == {"a_2", "a_3", "a_4", "a_5", "a_6"}
    assert {row.record_id for row in found.records if row.flaky} == {"a_2", "a_7"}


def test_frames_are_whole_and_named_for_the_sections(memory: Service) -> None:
    report = memory.report(write_runs(memory, STRIPS)[-1])
    assert list(report.frames) == [
        "records", "statuses", "changes", "causes", "runs", "history", "types", "spans", "durations", "slowest",
        "health", "problems", "variables",
    ]  # fmt: skip
    assert len(report.frames["history"]) == len(STRIPS)
    assert list(report.frames["changes"]["change"]) == ["newly failed"] * 3 + ["still failing", "fixed", "missing"]
    document = json.loads(report.to_json())
    assert document["reliability"]["failing"] == 5


@pytest.mark.parametrize(
    ("baseline", "history", "run", "runs"),
    [
        ("previous", 20, "nightly-5", 6),
        ("previous", 3, "nightly-5", 3),
        (None, 20, None, 6),
        ("nightly-2", None, "nightly-2", 0),
    ],
)
def test_baseline_and_history_are_chosen(
    memory: Service, baseline: str | None, history: int | None, run: str | None, runs: int
) -> None:
    summary = memory.report(write_runs(memory, STRIPS)[-1], baseline=baseline, history=history).summary
    assert summary.baseline.run == run
    assert len(summary.looked_at.runs) == runs
    assert (summary.new_failures is None) == (run is None)
    assert summary.baseline.reason


def test_another_suite_and_another_branch_are_no_run_before(memory: Service) -> None:
    write_runs(memory, {"a_1": "P"}, name="browser")
    write_runs(memory, {"a_1": "PP"}, branch="main")
    assert memory.report("nightly-1").summary.baseline.run is None
    memory.create_record("nightly-9", "a_1", status="complete")
    memory.set_variable("nightly-9", "run", {"started_at": "2026-11-20T00:00:00Z", "branch": "fix"})
    found = memory.report("nightly-9").summary.baseline
    assert (found.run, "on the branch main" in found.reason) == ("nightly-2", True)


def test_what_cannot_be_compared_is_refused(memory: Service) -> None:
    run = write_runs(memory, {"a_1": "P"})[0]
    for problem in ({"baseline": run}, {"history": -1}, {"history": True}, {"include": "fields"}):
        with pytest.raises(InvalidOption):
            memory.report(run, **problem)
    with pytest.raises(WorkflowNotFound):
        memory.report(run, baseline="nowhere")


def test_content_is_shown_only_when_it_was_asked_for(memory: Service) -> None:
    run = write_runs(memory, STRIPS)[-1]
    plain, told = memory.report(run), memory.report(run, include=["fields.subject"])
    assert "about a_4" not in plain.to_html() + plain.to_markdown() + plain.to_json()
    for text in (told.to_html(), told.to_markdown(), told.to_json()):
        assert "about a_4" in text
        assert "about a_1" not in text


def test_schema_problems_are_counted(memory: Service) -> None:
    run = write_runs(memory, {"a_1": "P", "a_2": "P"})[0]
    report = memory.report(run, schema={"required": ["none"]}, variable_schemas={"run": {"type": "array"}})
    assert [row.count for row in report.summary.health if row.name == "Schema problems"] == [3]
    assert list(report.frames["problems"]["rule"]) == ["required", "required", "type"]


@pytest.mark.parametrize(
    ("strips", "new", "flaky", "any_"),
    [
        ({"a": "PP"}, False, False, False),
        ({"a": "FF"}, False, False, True),
        ({"a": "PF"}, True, False, True),
        ({"a": "F"}, True, False, True),
        ({"a": "FPFPP"}, False, True, False),
        ({"a": "PP", "b": "-F"}, True, False, True),
    ],
)
def test_a_build_fails_for_what_it_says(
    memory: Service, strips: dict[str, str], new: bool, flaky: bool, any_: bool
) -> None:
    report = memory.report(write_runs(memory, strips)[-1])
    assert [report.fails(on) for on in ("new", "flaky", "any")] == [new, flaky, any_]
    with pytest.raises(InvalidOption):
        report.fails("old")  # type: ignore[arg-type]


def test_a_report_is_one_snapshot_on_every_database(service: Service, new_workflow: Callable[[str], str]) -> None:
    ids = [new_workflow(name) for name in ("nightly-1", "nightly-2")]
    for one, status in zip(ids, ("complete", "failed"), strict=True):
        service.create_record(one, "a_1", status=status)
        service.set_variable(
            one, "run", {"name": f"nightly-{status}", "started_at": f"2026-11-0{len(status)}T00:00:00Z"}
        )
    with service.trace() as traced:
        report = service.report(ids[0], baseline=ids[1])
    assert report.summary.baseline.run == ids[1]
    assert len(report.frames["changes"]) == 1
    assert traced is not None


# Renderings


def test_a_folder_has_an_index_and_a_page_for_each_run(memory: Service, tmp_path: Path) -> None:
    index = memory.report(write_runs(memory, STRIPS)[-1]).save(f"{tmp_path}/site/")
    assert index == tmp_path / "site" / "index.html"
    text = index.read_text(encoding="utf-8")
    pages = re.findall(r'href="(runs/[^"]+)"', text)
    assert pages == [f"runs/nightly-{number}.html" for number in range(6, 0, -1)]
    for page in pages:
        assert 'href="../index.html"' in (index.parent / page).read_text(encoding="utf-8")
    assert 'id="run-nightly-3"' in text


@given(st.text(min_size=1))
def test_a_name_becomes_a_safe_address(name: str) -> None:
    made = slug(name)
    assert re.fullmatch(r"[a-z0-9_-][a-z0-9._-]{0,100}", made)
    assert made == slug(name)
    assert slug(made) == made


@pytest.mark.parametrize("room", [4_000, 6_000, 60_000])
def test_markdown_leaves_out_whole_sections_from_the_bottom(memory: Service, room: int) -> None:
    rows = [
        {"record_id": f"a_{n}", "status": "failed", "error_message": f"cause {'xyz'[n % 3] * n}"} for n in range(30)
    ]
    memory.create_records("nightly", rows)
    report = memory.report("nightly")
    text = report.to_markdown(max_chars=room, link="https://example.org/report.html")
    assert len(text) <= room
    headings = re.findall("^## .*$", text, re.MULTILINE)
    whole = re.findall("^## .*$", report.to_markdown(max_chars=10**6), re.MULTILINE)
    assert headings == whole[: len(headings)]
    assert ("Left out" in text) == (len(headings) < len(whole))
    assert text.rstrip().endswith("The full report: <https://example.org/report.html>")


@pytest.mark.parametrize(
    "problem", [{"max_chars": 10}, {"max_chars": True}, {"link": "javascript:alert(1)"}, {"link": "https://a b"}]
)
def test_markdown_refuses_what_cannot_be(memory: Service, problem: Any) -> None:
    with pytest.raises(InvalidOption):
        memory.report("nightly").to_markdown(**problem)


def test_charts_are_the_same_each_time_and_share_no_id(memory: Service) -> None:
    demo.fill(memory)
    report = memory.report(demo.WORKFLOW)
    html = report.to_html()
    assert html == report.to_html()
    assert html.count('role="img"') == 2
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(ids)
    assert "font-family: '" not in html
    assert "<style type" not in html


def test_text_in_a_chart_is_text() -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - loaded by this test alone

    ax = Figure().subplots()
    ax.set_xlabel("<script>alert(1)</script> & \"'")
    made = svg(ax, name="x", title="<b>", description="</svg>")
    assert "<script" not in made
    assert "&lt;script&gt;alert(1)" in made
    assert made.count("</svg>") == 1


# Files, with no database


def test_files_are_reported_on_with_the_runs_before_them() -> None:
    report = toolkit.report_files(CASES / "{run}" / "junit.xml")
    assert report.summary.looked_at.run == "toolkit-tests-3"
    assert report.summary.baseline.run == "toolkit-tests-2"
    assert report.summary.looked_at.source.startswith("3 files: ")
    assert "import_results" in report.summary.setup
    with pytest.raises(WorkflowNotFound, match="toolkit-tests-1"):
        toolkit.report_files(CASES / "{run}" / "junit.xml", "nightly")


def test_half_of_the_results_are_no_report(tmp_path: Path) -> None:
    for name, text in (("good", '<testsuite><testcase name="a"/></testsuite>'), ("bad", "<testsuite><testcase")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "junit.xml").write_text(text)
    with pytest.raises(ImportFailed, match="Nothing was reported"):
        toolkit.report_files(tmp_path / "*" / "junit.xml")


def test_every_field_and_frame_stands_in_the_document(memory: Service) -> None:
    document = (Path(__file__).parents[1] / "docs" / "reports.md").read_text(encoding="utf-8")
    report = memory.report(write_runs(memory, STRIPS)[-1], include=["fields.subject"])

    def names(value: Any) -> set[str]:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        own = set(value) if isinstance(value, dict) else set()
        return own.union(*map(names, parts))

    assert {name for name in names(json.loads(report.to_json())) if f"`{name}`" not in document} == set()
    assert {name for name in report.frames if f"`{name}`" not in document} == set()
    anchors = re.findall(r'<section id="([^"]+)"', report.to_html())
    assert {anchor for anchor in anchors if f"`#{anchor}`" not in document} == set()
