from __future__ import annotations

import ast
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from toolkit.columns import RECORD_COLUMNS, TIME_COLUMNS, VARIABLE_COLUMNS
from toolkit.errors import InvalidOption
from toolkit.report import RunReport, RunSummary, summarize
from toolkit.report.wording import cut, percent, visible

if TYPE_CHECKING:
    from pathlib import Path

START = pd.Timestamp("2026-01-05 06:00", tz="UTC")
MADE = datetime(2026, 1, 6, 7, 30, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
WORD = "W" * 10_000
DTYPES = {name: "datetime64[us, UTC]" if name in TIME_COLUMNS else "str" for name in RECORD_COLUMNS}
DTYPES["retry_count"] = "Int64"
VOID = {"meta", "rect", "path", "br", "circle", "link", "img", "input", "base"}


def records(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "record_type": "email",
        "status": "complete",
        "iteration_node_alias": None,
        "error_message": None,
        "retry_count": 0,
        "created_at": START,
        "updated_at": START + pd.Timedelta(seconds=5),
        "processed_at": START + pd.Timedelta(seconds=1),
    }
    full = [{"record_id": f"email_{place:03d}", **usual, **row} for place, row in enumerate(rows)]
    return pd.DataFrame(full, columns=list(RECORD_COLUMNS)).astype(DTYPES)


def variables(**values: Any) -> pd.DataFrame:
    kinds = {str: "string", int: "number", list: "array", dict: "object"}
    rows = [(key, value, kinds.get(type(value), "null"), "custom", START, START) for key, value in values.items()]
    return pd.DataFrame(rows, columns=list(VARIABLE_COLUMNS))


def run(**statuses: int) -> pd.DataFrame:
    return records(*({"status": name.replace("_", " ")} for name, count in statuses.items() for _ in range(count)))


def failed(*messages: str | None, complete: int = 0) -> pd.DataFrame:
    rows = [{"status": "failed", "error_message": message, "processed_at": None} for message in messages]
    return records(*rows, *({} for _ in range(complete)))


def summary(rows: pd.DataFrame, named: pd.DataFrame | None = None, **more: Any) -> RunSummary:
    usual = {"title": "nightly", "source": "toolkit.db", "created_at": MADE, "toolkit_version": "0.1.0"}
    return summarize(rows, variables() if named is None else named, **{**usual, **more})


MIXED = records(
    {"record_type": "invoice"},
    {},
    *({"status": "failed", "error_message": f"Timeout after {took} s", "processed_at": None} for took in (30, 45, 60)),
    {"status": "failed", "error_message": "Total 12 does not match", "record_type": "invoice"},
    {"status": "failed", "processed_at": None},
    {"status": "processing", "processed_at": None},
    {"error_message": "left over"},
    {"processed_at": START - pd.Timedelta(hours=1)},
    {"status": None},
)
NAMED = variables(api_token="[hidden]", categories=["a", "b"], retries=3, none=None)
REPORT = RunReport(summary(MIXED, NAMED, filters={"workflow_id": "nightly", "since": "24h", "status": None}))


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask: tags, attributes, text, and balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += "" if self.open and self.open[-1] == "style" else data


# The verdict


@pytest.mark.parametrize(
    ("rows", "sentence", "outcome"),
    [
        (run(), "There are no records to judge.", "empty"),
        (run(complete=1), "The only record is complete.", "complete"),
        (run(complete=1_200), "All 1,200 records are complete.", "complete"),
        (run(complete=9, skipped=1), "9 of 10 complete (90 %), 1 skipped; none failed", "open"),
        (
            run(complete=1, processing=1, discovered=1, on_hold=1),
            "1 of 4 complete (25 %), 2 not finished, 1 with another status; none failed",
            "open",
        ),
        (failed("Timeout after 3 s"), "0 of 1 complete (0 %); 1 failed: Timeout after <duration>", "failed"),
        (failed(None, complete=1), "1 of 2 complete (50 %); 1 failed, without a message", "failed"),
        (
            failed("Timeout after 3 s", "Timeout after 4 s", complete=2),
            "2 of 4 complete (50 %); 2 failed, all of one cause: Timeout after <duration>",
            "failed",
        ),
        (
            failed("Timeout after 3 s", "Timeout after 4 s", "broken", complete=7),
            "7 of 10 complete (70 %); 3 failed, most of one cause: Timeout after <duration>",
            "failed",
        ),
        (
            failed("a", "b", complete=8),
            "8 of 10 complete (80 %); 2 failed, of 2 causes; the most frequent (1): a",
            "failed",
        ),
        (failed(None, None, "b"), "0 of 3 complete (0 %); 3 failed, most without a message", "failed"),
    ],
)
def test_the_verdict_says_how_the_run_stands(rows: pd.DataFrame, sentence: str, outcome: str) -> None:
    result = summary(rows)
    assert (result.verdict, result.outcome) == (sentence, outcome)


@pytest.mark.parametrize("status", [None, "skipped", "processing", "discovered", "Complete", "passed", "completed"])
def test_only_complete_counts_as_complete(status: str | None) -> None:
    result = summary(records({}, {"status": status}))
    assert result.verdict.startswith("1 of 2 complete (50 %)")
    assert result.complete == 1


@given(st.integers(1, 10**7), st.data())
def test_a_share_is_never_rounded_to_everything_or_nothing(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    said = percent(part, whole)
    assert (said == "100 %") == (part == whole)
    assert (said == "0 %") == (part == 0)
    number = float(re.sub(r"[^\d.]", "", said))
    assert abs(number - 100 * part / whole) <= 0.5


# The sections


def test_counts_are_those_of_the_frame() -> None:
    result = REPORT.summary
    assert {row.status: row.count for row in result.statuses} == {
        "processing": 1,
        "complete": 4,
        "failed": 5,
        "(no status)": 1,
    }
    assert [(row.record_type, row.total, row.complete) for row in result.types] == [("email", 9, 3), ("invoice", 2, 1)]
    assert [row.count for row in result.causes] == [3, 1, 1]
    assert sum(row.share for row in result.statuses) == pytest.approx(1)


def test_data_health_counts_what_is_odd() -> None:
    assert {row.name: row.count for row in REPORT.summary.health} == {
        "Message without failure": 1,
        "Failure without message": 1,
        "No status": 1,
        "Impossible times": 1,
        "Complete without end": 0,
        "Schema problems": None,
    }


def test_variables_are_shown_masked_and_cut_and_iterations_last() -> None:
    named = variables(long="x" * 500, nested={"password": "[hidden]"}, zeta=1, odd=float("nan"))
    named.loc[0, "category"] = "iteration"
    shown = {row.key: row.shown for row in summary(run(), named).variables}
    assert list(shown) == ["nested", "zeta", "odd", "long"]
    assert shown["nested"] == '{"password": "[hidden]"}'
    assert len(shown["long"]) == 100


def test_next_steps_are_at_most_three_lines_of_python() -> None:
    steps = REPORT.summary.next_steps
    assert [step.code for step in steps] == [
        "failed = service.query_records('nightly', since='24h', status='failed')",
        f'failed[toolkit.analysis.cause(failed) == "{REPORT.summary.causes[0].cause}"]',
        "service.query_records('nightly', since='24h', status=['processing'])",
    ]


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
def test_next_steps_stay_python_whatever_the_filters_hold(name: str, filters: dict[str, Any]) -> None:
    result = summary(MIXED, filters={**filters, "workflow_id": name})
    for step in result.next_steps:
        (line,) = ast.parse(step.code).body
        calls = [node for node in ast.walk(line) if isinstance(node, ast.Call)]
        assert all(ast.unparse(call.func).startswith(("service.", "toolkit.analysis.")) for call in calls)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (run(), "service.count_records(workflow_id)"),
        (run(complete=2), "toolkit.analysis.slowest(service.query_records(workflow_id))"),
        (records({"error_message": "x"}), "toolkit.analysis.leftovers(service.query_records(workflow_id))"),
    ],
)
def test_there_is_always_a_next_step(rows: pd.DataFrame, code: str) -> None:
    assert [step.code for step in summary(rows).next_steps] == [code]


def test_the_report_says_what_was_looked_at() -> None:
    scope = summary(MIXED, NAMED, filters={"status": ["a", "b"], "since": None}).looked_at
    assert (scope.source, scope.records, scope.variables, scope.time_zone) == ("toolkit.db", 11, 4, "UTC")
    assert scope.filters == (("status", "a, b"),)
    assert dict(scope.versions).keys() == {"toolkit", "pandas", "Python"}
    assert scope.oldest == scope.newest == START + pd.Timedelta(seconds=5)


@pytest.mark.parametrize(
    "made",
    [datetime(2026, 1, 6, 7, 30), datetime(2026, 1, 6, 9, 30, tzinfo=timezone(timedelta(hours=2)))],  # noqa: DTZ001 - a time without a zone is the point
)
def test_times_are_shown_in_utc(made: datetime) -> None:
    assert "2026-01-06 07:30 UTC" in RunReport(summary(run(), created_at=made)).to_html()


def test_no_content_of_a_record_gets_into_a_report() -> None:
    rows = MIXED.assign(**{"fields.subject": "CONTENT", "vars.note": "CONTENT", "history": "CONTENT"})
    report = RunReport(summary(rows))
    assert "CONTENT" not in report.to_html() + report.to_markdown() + report.to_json() + repr(report)


def test_the_frames_are_left_alone_and_the_summary_cannot_be_changed() -> None:
    rows, named = MIXED.copy(deep=True), NAMED.copy(deep=True)
    result = summary(rows, named)
    assert_frame_equal(rows, MIXED)
    assert_frame_equal(named, NAMED)
    assert hash(result) == hash(summary(rows, named))


def test_a_large_run_gives_a_small_page_that_says_what_it_leaves_out() -> None:
    rows = [{"status": f"status {n}", "record_type": f"type{n}"} for n in range(300)]
    rows += [
        {"status": "failed", "record_type": f"type{n}", "error_message": f"cause {'xyz'[n % 3] * n}"} for n in range(60)
    ]
    named = variables(**{f"key{n}": n for n in range(250)})
    result = summary(records(*rows), named)
    html = RunReport(result).to_html()
    assert len(result.statuses) <= 8
    assert sum(row.count for row in result.statuses) == 360
    assert (result.types_left_out, result.causes_left_out, result.variables_left_out) == (275, 40, 150)
    assert result.types[0].counts[0] == 1
    for text in ("275 more types not shown", "40 more causes not shown", "150 more variables not shown"):
        assert text in html
    assert len(html) < 200_000


# The page


def test_the_page_stands_alone() -> None:
    html = REPORT.to_html()
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not {"link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    addresses = [value for _, attrs in page.tags for name, value in attrs.items() if name in {"href", "src"}]
    assert addresses
    assert all(str(address).startswith("#") for address in addresses)
    assert not re.search(r"url\((?!#)|@import", html)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


def test_the_page_can_be_read_without_seeing_it() -> None:
    page = Page(REPORT.to_html())
    tags = [tag for tag, _ in page.tags]
    attrs = dict(page.tags)
    assert attrs["html"]["lang"] == "en"
    assert {"header", "nav", "main", "footer"} <= set(tags)
    assert tags.count("h1") == tags.count("main") == 1
    assert tags.count("caption") == tags.count("table") > 3
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    ids = [str(attrs["id"]) for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {str(attrs["href"])[1:] for _, attrs in page.tags if "href" in attrs}
    named = {str(attrs["aria-labelledby"]) for _, attrs in page.tags if "aria-labelledby" in attrs}
    assert links | named <= set(ids)


def test_every_number_of_a_chart_stands_beside_it_as_text() -> None:
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", REPORT.to_html())).split())
    for said in (
        "complete 4 36 %",
        "failed 5 45 %",
        "processing 1 9 %",
        "(no status) 1 9 %",
        "Timeout after <duration>",
    ):
        assert said in text


def test_one_failure_among_very_many_is_still_to_be_seen() -> None:
    html = RunReport(summary(pd.concat([failed("x"), run(complete=5_000)]))).to_html()
    bar = html.split('<svg class="bar big"')[1].split("</svg>")[0]
    width = re.search(r'width="([\d.]+)%"[^>]*look-failed', bar)
    assert width is not None
    assert float(width[1]) >= 0.5
    assert "over 99.9 %" in html


@pytest.mark.parametrize("rows", [MIXED, MIXED.iloc[:0], run(complete=3), run(processing=2)])
@pytest.mark.parametrize("named", [NAMED, NAMED.iloc[:0]])
def test_every_rendering_of_any_run_holds_the_verdict(rows: pd.DataFrame, named: pd.DataFrame) -> None:
    report = RunReport(summary(rows, named))
    verdict = report.summary.verdict
    assert verdict in Page(report.to_html()).text
    assert verdict in Page(report._repr_html_()).text
    assert verdict in repr(report)
    assert verdict in report.to_markdown().replace("\\", "")
    assert json.loads(report.to_json())["verdict"] == verdict


@pytest.mark.parametrize(
    "text", [SCRIPT, WORD, SCRIPT + WORD, '" onload="alert(1)', "{{ 7 * 7 }}", "</style><b>", "\x1b[31m\u202eevil"]
)
def test_hostile_text_changes_nothing_but_text(text: str) -> None:
    rows = MIXED.copy()
    for column in ("record_id", "record_type", "status", "error_message"):
        rows[column] = rows[column].mask(rows[column].notna() & (rows.index % 4 == 1), text)
    rows.loc[2, ["record_id", "error_message"]] = text
    named = variables(**{text: text, "nested": {text: [text]}})
    named["type"] = text
    report = RunReport(summary(rows, named, title=text, source=text, filters={"pattern": text, text: text}))
    html = report.to_html()
    assert {tag for tag, _ in Page(html).tags} == {tag for tag, _ in Page(REPORT.to_html()).tags}
    assert {name for _, attrs in Page(html).tags for name in attrs} == {
        name for _, attrs in Page(REPORT.to_html()).tags for name in attrs
    }
    assert text[:60].translate(dict.fromkeys([0x1B, 0x202E])) in Page(html).text.translate({0x241B: "", 0xFFFD: ""})
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\u202a-\u202e]", html + report._repr_html_() + repr(report).replace("\n", "")
    )
    assert len(html) < 150_000
    assert {tag for tag, _ in Page(report._repr_html_()).tags} == {"div", "code"}


@pytest.mark.parametrize(
    "text", [SCRIPT, WORD, "a | b", "`x` and ``y``", "# title\n- item", "@someone fixes #1", "[a](javascript:b)"]
)
def test_hostile_text_stays_text_in_markdown(text: str) -> None:
    rows = records(
        {"record_id": text, "record_type": text, "status": "failed", "error_message": text}, {"status": text}
    )
    report = RunReport(summary(rows, variables(**{text: text}), title=text, source=text, filters={"pattern": text}))
    markdown = report.to_markdown()
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown)
    assert not re.search(r"(?<!\\)[<\[]|@\w|#\d", outside.replace("[ ]", ""))
    headings = [line for line in markdown.splitlines() if line.startswith("#")]
    assert len(headings) == len([line for line in REPORT.to_markdown().splitlines() if line.startswith("#")])
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line.startswith("|")]
    assert set(widths) <= {4, 5, 6, 7}


@given(st.text())
def test_any_text_can_be_rendered_and_written(text: str) -> None:
    report = RunReport(summary(run(complete=1), variables(**{text: text}), title=text, source=text))
    for rendered in (report.to_html(), report.to_markdown(), report.to_json(), report._repr_html_(), repr(report)):
        assert rendered.encode()


def test_json_has_a_schema_version_and_the_whole_summary() -> None:
    document = json.loads(REPORT.to_json())
    assert document["schema_version"] == 2
    assert {*document} - {"schema_version"} == set(RunSummary.__dataclass_fields__)
    assert document["causes"][0]["sample_ids"] == ["email_002", "email_003", "email_004"]
    assert datetime.fromisoformat(document["looked_at"]["created_at"]) == MADE


def test_save_writes_the_page_and_says_where(tmp_path: Path) -> None:
    path = REPORT.save(tmp_path / "new" / "report.html")
    assert path.read_text("utf-8") == REPORT.to_html()
    for name, text in (("report.md", REPORT.to_markdown()), ("report.JSON", REPORT.to_json())):
        assert REPORT.save(tmp_path / name).read_text("utf-8") == text
    with pytest.raises(InvalidOption, match=r"\.html, \.md or \.json"):
        REPORT.save(tmp_path / "report.pdf")


def test_the_plain_form_is_two_lines() -> None:
    assert repr(REPORT).splitlines() == [
        f"<RunReport 'nightly': {REPORT.summary.verdict}>",
        ".save('report.html') writes the page",
    ]


@given(st.text(), st.integers(1, 50))
def test_a_cut_text_is_no_longer_than_asked(text: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit
    assert cut(text, limit).encode() or not text
    assert visible(visible(text)) == visible(text)


# Contrast


def colours(css: str, scheme: str) -> dict[str, str]:
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    both = re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light)
    dark_ones = re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark.split("@media")[0])
    return dict(both) | (dict(dark_ones) if scheme == "dark" else {})


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_charts_stand_out_in_both_schemes(scheme: str) -> None:
    named = colours(REPORT.to_html(), scheme)
    text = [("ink", "page"), ("ink", "sheet"), ("ink", "tint"), ("soft", "page"), ("soft", "sheet"), ("soft", "tint")]
    text += [("bad", "bad-tint"), ("bad", "sheet"), ("good", "good-tint"), ("ink", "open-tint"), ("accent", "sheet")]
    for front, back in text:
        assert contrast(named[front], named[back]) >= 4.5, (front, back)
    fills = ["discovered", "processing", "complete", "failed", "skipped"]
    for fill in fills:
        assert contrast(named[fill], named["sheet"]) >= 2.9, fill
