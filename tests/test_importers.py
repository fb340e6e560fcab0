"""JUnit reports → runs of records and variables."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.columns import COMPLETE, FAILED, SKIPPED
from toolkit.errors import ImportFailed
from toolkit.importers import ImportedFile, ImportedRecord, read_junit
from toolkit.importers.values import UniqueNames, duration, joined, plain_number, shorten, timestamp


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str, **options: Any) -> ImportedFile:
    return read_junit(write(tmp_path / "junit.xml", text), **options)


def one_case(tmp_path: Path, case: str, **options: Any) -> ImportedRecord:
    (record,) = read(tmp_path, f'<testsuite name="s">{case}</testsuite>', **options).records
    return record


def fields(record: ImportedRecord) -> dict[str, Any]:
    found: dict[str, Any] = record.data["fields"]
    return found


# --- ids and types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "record_id", "record_type"),
    [
        ('<testsuite name="s"><testcase classname="a.B" name="c"/></testsuite>', "a.B::c", "a.B"),
        ('<testsuite name="s"><testcase classname=" " name="c"/></testsuite>', "s::c", "s"),
        ('<testsuites name="r"><testsuite><testcase name="c"/></testsuite></testsuites>', "r::c", "r"),
        ('<testsuite name="s"><testsuite><testcase name="c"/></testsuite></testsuite>', "s::c", "s"),
        ('<testsuite><testcase name="c"/></testsuite>', "c", "test"),
        ('<testsuite><testcase classname="C" name=""/></testsuite>', "C::(unnamed)", "C"),
        ('<testsuites><testcase name="c"/></testsuites>', "c", "test"),
    ],
)
def test_a_case_is_named_by_class_and_name(tmp_path: Path, report: str, record_id: str, record_type: str) -> None:
    (record,) = read(tmp_path, report).records
    assert (record.record_id, record.record_type) == (record_id, record_type)


def test_repetitions_in_one_file_are_numbered(tmp_path: Path) -> None:
    case = '<testcase classname="C" name="{}"/>'
    text = "<testsuite>" + "".join(case.format(name) for name in ("a", "a", "b", "a")) + "</testsuite>"
    names = [record.record_id for record in read(tmp_path, text, variant="linux").records]
    assert names == ["C::a [linux]", "C::a [linux] #2", "C::b [linux]", "C::a [linux] #3"]


def test_long_names_are_cut_and_kept_whole_in_the_document(tmp_path: Path) -> None:
    class_name, name = "C" * 60, "n" * 300
    record = one_case(tmp_path, f'<testcase classname="{class_name}" name="{name}"/>')
    assert record.record_id == shorten(f"{class_name}::{name}", 255)
    assert len(record.record_id) == 255
    assert record.record_type == shorten(class_name, 50)
    assert len(record.record_type) == 50
    assert (fields(record)["classname"], fields(record)["name"]) == (class_name, name)


@given(st.lists(st.text("ab #2", max_size=30), max_size=40))
def test_names_handed_out_are_unique_and_fit(wishes: list[str]) -> None:
    names = UniqueNames(20)
    taken = [names.take(wish) for wish in wishes]
    assert len(set(taken)) == len(taken)
    assert all(len(name) <= 20 for name in taken)


def test_a_name_that_looks_numbered_is_not_given_twice() -> None:
    names = UniqueNames(255)
    assert [names.take(name) for name in ("a", "a #2", "a", "a #2")] == ["a", "a #2", "a #3", "a #2 #2"]


@given(st.text(min_size=0, max_size=400), st.text(max_size=400))
def test_different_texts_stay_different_when_cut(one: str, other: str) -> None:
    assert (shorten(one, 50) == shorten(other, 50)) == (one == other)


# --- status and messages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "status", "outcome", "message"),
    [
        ("<testcase/>", COMPLETE, "passed", None),
        ("<testcase><failure/></testcase>", FAILED, "failure", None),
        ('<testcase><failure message="no"/></testcase>', FAILED, "failure", "no"),
        ("<testcase><error>  at x.py\n</error></testcase>", FAILED, "error", "at x.py"),
        ('<testcase><failure message="no">no: why</failure></testcase>', FAILED, "failure", "no: why"),
        ('<testcase><failure message="no">at x</failure></testcase>', FAILED, "failure", "no\nat x"),
        (
            '<testcase><error message="a"/><skipped/><failure message="b"/></testcase>',
            FAILED,
            "error",
            "a\n\nb",
        ),
        ("<testcase><failure>a<b>c</b></failure></testcase>", FAILED, "failure", "ac"),
        ('<testcase><skipped message="later"/></testcase>', SKIPPED, "skipped", None),
        ('<testcase status="notrun" result="suppressed"/>', SKIPPED, "skipped", None),
        ('<testcase status="run" result="skipped"/>', SKIPPED, "skipped", None),
        ('<testcase status="Disabled"/>', SKIPPED, "skipped", None),
        ('<testcase status="failed"/>', FAILED, "failure", None),
        ('<testcase status="skipped"><failure message="x"/></testcase>', FAILED, "failure", "x"),
        ('<testcase status="run" result="completed"/>', COMPLETE, "passed", None),
    ],
)
def test_status_and_message_say_what_the_report_says(
    tmp_path: Path, case: str, status: str, outcome: str, message: str | None
) -> None:
    record = one_case(tmp_path, case)
    assert (record.status, fields(record)["outcome"], record.error_message) == (status, outcome, message)


def test_of_several_failures_every_one_is_kept(tmp_path: Path) -> None:
    record = one_case(tmp_path, '<testcase><failure type="A" message="a"/><error type="E" message="e"/></testcase>')
    assert fields(record)["error_type"] == "A"
    assert fields(record)["failures"] == [
        {"outcome": "failure", "message": "a", "type": "A"},
        {"outcome": "error", "message": "e", "type": "E"},
    ]


def test_the_reason_of_a_skip_is_a_field(tmp_path: Path) -> None:
    record = one_case(tmp_path, '<testcase><skipped type="xfail" message="bug">t.py:3: bug</skipped></testcase>')
    assert fields(record)["skipped_reason"] == "bug\nt.py:3: bug"
    assert fields(record)["skipped_type"] == "xfail"


@given(st.text(), st.text())
def test_joined_says_both_parts(message: str, text: str) -> None:
    both = joined(message, text)
    assert message.strip() in both
    assert text.strip() in both


def test_attempts_before_a_pass_are_history(tmp_path: Path) -> None:
    record = one_case(
        tmp_path,
        '<testcase><flakyFailure message="m" type="T"><stackTrace>at x</stackTrace><system-out>o</system-out>'
        "</flakyFailure><flakyError>e</flakyError></testcase>",
    )
    assert (record.status, record.retry_count, record.error_message) == (COMPLETE, 2, None)
    assert record.data["history"] == [
        {"attempt": 1, "outcome": "failure", "message": "m\nat x", "type": "T", "system_out": "o"},
        {"attempt": 2, "outcome": "error", "message": "e"},
    ]
    assert "system_out" not in fields(record)


def test_reruns_of_a_case_that_kept_failing_are_its_later_attempts(tmp_path: Path) -> None:
    record = one_case(tmp_path, '<testcase><failure message="1"/><rerunError message="2"/></testcase>')
    assert (record.status, record.retry_count, record.error_message) == (FAILED, 1, "1")
    assert record.data["history"] == [{"attempt": 2, "outcome": "error", "message": "2"}]


# --- times ------------------------------------------------------------------------------------------


def test_the_nearest_timestamp_counts(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """<testsuites timestamp="2026-01-01T00:00:00">
             <testsuite timestamp="2026-01-02T10:00:00+02:00">
               <testsuite><testcase name="suite"/></testsuite>
               <testcase name="own" timestamp="2026-01-03"/>
             </testsuite>
             <testsuite timestamp="yesterday"><testcase name="report"/></testsuite>
           </testsuites>""",
        started_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    assert [record.created_at.isoformat() for record in file.records] == [
        "2026-01-02T08:00:00+00:00",
        "2026-01-03T00:00:00+00:00",
        "2026-01-01T00:00:00+00:00",
    ]
    assert {fields(record)["time_source"] for record in file.records} == {"report"}


def test_without_a_timestamp_the_caller_then_the_file_says_the_time(tmp_path: Path) -> None:
    path = write(tmp_path / "junit.xml", "<testsuite><testcase/></testsuite>")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    (from_file,) = read_junit(path).records
    assert (from_file.created_at.timestamp(), fields(from_file)["time_source"]) == (1_700_000_000, "file")
    naive = datetime(2026, 5, 1, 12)  # noqa: DTZ001 - naive on purpose
    (given_time,) = read_junit(path, started_at=naive).records
    assert given_time.created_at == naive.replace(tzinfo=UTC)
    assert fields(given_time)["time_source"] == "started_at"


@pytest.mark.parametrize("never", ["", "0001-01-01T00:00:00", "9999-12-31T23:59:59-05:00", "2026-13-01", "noon"])
def test_a_time_that_cannot_be_meant_is_no_time_and_is_kept(tmp_path: Path, never: str) -> None:
    record = one_case(tmp_path, f'<testcase timestamp="{never}"/>')
    assert fields(record)["time_source"] == "file"
    assert fields(record)["attributes"] == {"timestamp": never}


@pytest.mark.parametrize(
    ("time", "seconds", "raw"),
    [
        ("1.5", 1.5, None),
        ("1e-3", 0.001, None),
        ("1,234.5", 1234.5, "1,234.5"),
        ("0,25", 0.25, "0,25"),
        ("-3", None, -3),
        ("NaN", None, "NaN"),
        ("inf", None, "inf"),
        ("1e12", None, "1e12"),
        ("", None, ""),
        ("00:00:01", None, "00:00:01"),
    ],
)
def test_a_duration_ends_the_case_or_is_kept_as_it_was(
    tmp_path: Path, time: str, seconds: float | None, raw: str | int | None
) -> None:
    record = one_case(tmp_path, f'<testcase time="{time}"/>')
    assert fields(record).get("time") == seconds
    assert record.processed_at - record.created_at == timedelta(seconds=seconds or 0)
    assert fields(record).get("attributes", {}).get("time") == raw


def test_a_case_at_the_end_of_time_ends_when_it_begins(tmp_path: Path) -> None:
    record = one_case(tmp_path, '<testcase timestamp="9999-12-31T23:59:59" time="60"/>')
    assert record.processed_at == record.created_at


@given(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(timezone(timedelta(hours=-5)))))  # noqa: DTZ001 - a time without a zone is the point
def test_a_written_time_is_read_back(time: datetime) -> None:
    within = time.replace(year=min(time.year, 9000))
    assert timestamp(within.isoformat()) == within
    assert timestamp(within.isoformat(" ")) == within


@given(st.text("0123456789-T: +ZUC.,"))
def test_no_text_breaks_the_reading_of_times_and_numbers(text: str) -> None:
    time, seconds, number = timestamp(text), duration(text), plain_number(text)
    assert time is None or time.utcoffset() == timedelta(0)
    assert seconds is None or seconds >= 0
    assert str(number) == text


# --- everything else a case carries -----------------------------------------------------------------


def test_a_case_keeps_everything_and_invents_nothing(tmp_path: Path) -> None:
    record = one_case(
        tmp_path,
        """<testcase classname="C" name="n" file="t.py" line="7" time="2" status="run" assertions="3" build="007">
             <properties><property name="p" value="1"/><property name="p" value="2"/>
               <property name="long">two\nlines</property></properties>
             <system-out>one</system-out><system-out>two</system-out><system-err/>
           </testcase>""",
        variant="linux",
    )
    assert fields(record) == {
        "name": "n",
        "classname": "C",
        "suite": "s",
        "outcome": "passed",
        "time": 2.0,
        "file": "t.py",
        "line": 7,
        "properties": {"p": ["1", "2"], "long": "two\nlines"},
        "attributes": {"status": "run", "assertions": 3, "build": "007"},
        "system_out": "one\ntwo",
        "system_err": "",
        "variant": "linux",
        "time_source": "file",
    }
    bare = one_case(tmp_path, "<testcase/>")
    assert fields(bare) == {"suite": "s", "outcome": "passed", "time_source": "file"}
    assert (bare.data["vars"], bare.data["targets"], bare.data["history"]) == ({}, {}, [])


def test_a_line_that_is_no_number_is_kept_as_text(tmp_path: Path) -> None:
    record = one_case(tmp_path, '<testcase line="7:12"/>')
    assert "line" not in fields(record)
    assert fields(record)["attributes"] == {"line": "7:12"}


def test_suites_are_named_from_the_outermost(tmp_path: Path) -> None:
    nested = (
        '<testsuites name="r"><testsuite name="a"><testsuite name="b"><testcase/></testsuite></testsuite></testsuites>'
    )
    (record,) = read(tmp_path, nested).records
    assert fields(record)["suite"] == "a > b"


def test_cases_are_in_the_order_of_the_document(tmp_path: Path) -> None:
    text = (
        '<testsuite name="s"><testcase name="1"/><testsuite name="t"><testcase name="2"/></testsuite>'
        '<testcase name="3"/></testsuite>'
    )
    assert [record.record_id for record in read(tmp_path, text).records] == ["s::1", "t::2", "s::3"]


def test_a_file_counts_its_records_by_status(tmp_path: Path) -> None:
    file = read(tmp_path, "<testsuite><testcase/><testcase/><testcase><failure/></testcase></testsuite>")
    assert [file.count(status) for status in (COMPLETE, FAILED, SKIPPED)] == [2, 1, 0]


def test_suites_may_nest_deeper_than_python_recurses(tmp_path: Path) -> None:
    depth = 5_000
    text = '<testsuite name="s">' * depth + '<testcase name="c"/>' + "</testsuite>" * depth
    file = read(tmp_path, text)
    assert [record.record_id for record in file.records] == ["s::c"]
    assert len(file.variables) == depth


def test_a_namespace_is_no_hindrance(tmp_path: Path) -> None:
    text = '<testsuite xmlns="urn:x"><testcase name="c"><failure message="m"/></testcase></testsuite>'
    (record,) = read(tmp_path, text).records
    assert (record.status, record.error_message) == (FAILED, "m")


XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=80)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(XML_TEXT, XML_TEXT, st.sampled_from(["failure", "error", "skipped", "x"]), XML_TEXT)))
def test_every_case_of_every_report_becomes_a_record(cases: list[tuple[str, str, str, str]]) -> None:
    suite = ET.Element("testsuite")
    for class_name, name, tag, text in cases:
        case = ET.SubElement(suite, "testcase", classname=class_name, name=name, time=text)
        ET.SubElement(case, tag, message=text).text = name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "junit.xml")
        ET.ElementTree(suite).write(path, encoding="utf-8")
        records = read_junit(path, variant="v").records
    assert len({record.record_id for record in records}) == len(cases)
    for record, (class_name, name, tag, _) in zip(records, cases, strict=True):
        assert (fields(record)["classname"], fields(record)["name"]) == (class_name, name)
        expected = FAILED if tag in {"failure", "error"} else SKIPPED if tag == "skipped" else COMPLETE
        assert record.status == expected
        assert json.loads(json.dumps(record.data, allow_nan=False)) == record.data


# --- suites -----------------------------------------------------------------------------------------


def test_a_suite_becomes_a_variable(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """<testsuites><testsuite name="api" hostname="h" tests="2" time="1.5" version="1.10" id="007">
             <properties><property name="os" value="linux"/></properties>
             <error message="setup">at x</error><system-out>log</system-out>
           </testsuite><testsuite/></testsuites>""",
        variant="py3",
    )
    attributes = {"name": "api", "hostname": "h", "tests": 2, "time": 1.5, "version": "1.10", "id": "007"}
    api = {
        "file": "junit.xml",
        "attributes": attributes,
        "properties": {"os": "linux"},
        "failures": [{"outcome": "error", "message": "setup\nat x"}],
        "system_out": "log",
    }
    unnamed = {"file": "junit.xml", "attributes": {}, "properties": {}}
    assert file.variables == (("suite.api [py3]", api), ("suite.testsuite [py3]", unnamed))


# --- files that cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, column 1: not XML: the file is empty"),
        (b"this is no XML", "line 1, column 1: not XML: syntax error"),
        (b"<testsuite>\n <testcase></testsuite>", r"line 2, column 14: not XML: mismatched tag"),
        (b'<testsuite name="\x1b[0m"/>', "line 1, column 18: not XML: not well-formed"),
        (b'<?xml version="1.0" encoding="nope"?><testsuite/>', "unknown encoding"),
        (b"<robot/>", "not a JUnit report: the root is <robot>, Robot Framework"),
        (b'<test-suite xmlns="urn:a"/>', "the root is <test-suite>, Allure 1"),
        (b"<bogus/>", "the root is <bogus>$"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_bytes(content)
    with pytest.raises(ImportFailed, match=message) as caught:
        read_junit(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "declaration",
    ['<!ENTITY a "b">', '<!ENTITY a SYSTEM "secret.txt">', '<!ENTITY % a SYSTEM "secret.txt"> %a;'],
)
def test_a_report_that_declares_an_entity_is_refused(tmp_path: Path, declaration: str, encoding: str) -> None:
    write(tmp_path / "secret.txt", "secret")
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE t [{declaration}]><testsuite/>'
    path = tmp_path / "junit.xml"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ImportFailed, match=r"line 2, column \d+: declares the entity 'a'"):
        read_junit(path)


def test_text_that_looks_like_an_entity_is_text(tmp_path: Path) -> None:
    record = one_case(tmp_path, "<testcase><failure><![CDATA[<!ENTITY a 'b'> &a;]]></failure></testcase>")
    assert record.error_message == "<!ENTITY a 'b'> &a;"


def test_a_file_that_vanished_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"gone\.xml: cannot be read: No such file"):
        read_junit(tmp_path / "gone.xml")
