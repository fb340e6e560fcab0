"""NUnit 3 and TRX, the reports of .NET: other elements, the same cases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from toolkit.importers.cases import ERROR, FAILURE, PASSED, SKIP, Case, Context
from toolkit.importers.model import ImportedFile, ImportedRecord
from toolkit.importers.values import ID_LENGTH, UniqueNames, duration, joined, one_line, plain_number, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

NUNIT_ROOT: Final = "test-run"
TRX_ROOT: Final = "TestRun"

_NUNIT_OUTCOMES: Final = {"passed": PASSED, "warning": PASSED, "failed": FAILURE}
_NUNIT_ERRORS: Final = frozenset({"error", "cancelled", "invalid"})
_TRX_OUTCOMES: Final = {
    "passed": PASSED, "passedbutrunaborted": PASSED, "completed": PASSED, "warning": PASSED,
    "failed": FAILURE, "error": ERROR, "timeout": ERROR, "aborted": ERROR, "disconnected": ERROR,
}  # fmt: skip
_CLOCK: Final = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)


def read_nunit(root: Element, path: Path, context: Context) -> ImportedFile:
    """Read a report of NUnit 3.

    Parameters
    ----------
    root : Element
        Its `test-run`.
    path : Path
        The file.
    context : Context
        Variant and time.

    Returns
    -------
    ImportedFile
        One record per `test-case`, one variable per `test-suite`. What was not run, and what is inconclusive, is
        skipped.
    """
    ids = UniqueNames(ID_LENGTH)
    records: list[ImportedRecord] = []
    variables: list[tuple[str, Any]] = []
    for element, suite in _nunit_elements(root):
        if element.tag == "test-case":
            records.append(_nunit_case(element, suite).record(ids, context))
        else:
            variables.append(_suite(element, path, context))
    return ImportedFile(one_line(str(path)), context.variant, tuple(records), tuple(variables))


def _nunit_elements(root: Element) -> Iterator[tuple[Element, str | None]]:
    """Walk suites and cases in the order of the document, each with the name of the suite around it."""
    stack: list[tuple[Element, str | None]] = [(root, None)]
    while stack:
        element, suite = stack.pop()
        if element.tag in {"test-case", "test-suite"}:
            yield element, suite
        named = element.get("classname") or element.get("fullname") or element.get("name")
        inner = named if element.tag == "test-suite" else suite
        stack.extend((child, inner) for child in reversed(element))


def _nunit_case(element: Element, suite: str | None) -> Case:
    result, label = element.get("result", "").lower(), element.get("label", "").lower()
    outcome = _NUNIT_OUTCOMES.get(result, SKIP)
    if outcome == FAILURE and label in _NUNIT_ERRORS:
        outcome = ERROR
    failure = joined(element.findtext("failure/message"), element.findtext("failure/stack-trace"))
    name, full_name = element.get("name") or "(unnamed)", element.get("fullname", "")
    # Some writers put only the last part of a class into its attribute; the full name has it whole.
    whole = full_name.removesuffix(f".{name}") if full_name.endswith(f".{name}") else None
    return Case(
        class_name=whole or (suite if "." in (suite or "") else element.get("classname") or suite),
        name=name,
        outcome=outcome,
        message=failure if outcome in (FAILURE, ERROR) else None,
        begin=timestamp((element.get("start-time") or "").replace("T ", "T")),
        seconds=duration(element.get("duration")),
        fields={
            "suite": suite,
            "result": element.get("result"),
            "full_name": element.get("fullname"),
            "skipped_reason": element.findtext("reason/message") if outcome == SKIP else None,
            "properties": _properties(element),
            "system_out": element.findtext("output"),
        },
    )


def read_trx(root: Element, path: Path, context: Context) -> ImportedFile:
    """Read a report of Visual Studio's test runner.

    Parameters
    ----------
    root : Element
        Its `TestRun`.
    path : Path
        The file.
    context : Context
        Variant and time.

    Returns
    -------
    ImportedFile
        One record per result that holds no other results, and one variable for the run. What was not executed, and what
        is inconclusive, is skipped.
    """
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    methods = {unit.get("id"): unit.find("TestMethod") for unit in root.iterfind("TestDefinitions/UnitTest")}
    ids = UniqueNames(ID_LENGTH)
    found = (element for element in root.iter("UnitTestResult") if element.find("InnerResults/UnitTestResult") is None)
    records = tuple(_trx_case(each, methods.get(each.get("testId"))).record(ids, context) for each in found)
    parts = {
        tag: _attributes(part) for tag in ("Times", "ResultSummary/Counters") if (part := root.find(tag)) is not None
    }
    value = {"file": path.name, "attributes": _attributes(root)} | {
        tag.rpartition("/")[2].lower(): attributes for tag, attributes in parts.items()
    }
    key = context.with_variant(f"suite.{root.get('name') or TRX_ROOT}")
    return ImportedFile(one_line(str(path)), context.variant, records, ((key, value),))


def _trx_case(element: Element, method: Element | None) -> Case:
    # "Namespace.Class, Assembly, Version=…": only the first part names the class.
    class_name = (method.get("className", "") if method is not None else "").partition(",")[0].strip() or None
    name = element.get("testName") or "(unnamed)"
    if class_name is None and "." in name.partition("(")[0]:
        head, _, rest = name.partition("(")
        class_name, _, name = head.rpartition(".")
        name += f"({rest}" if rest else ""
    said = element.get("outcome", "")
    outcome = _TRX_OUTCOMES.get(said.lower(), SKIP)
    message = joined(element.findtext("Output/ErrorInfo/Message"), element.findtext("Output/ErrorInfo/StackTrace"))
    return Case(
        class_name=class_name,
        name=name.removeprefix(f"{class_name}."),
        outcome=outcome,
        message=message if outcome in (FAILURE, ERROR) else None,
        begin=timestamp(element.get("startTime")),
        seconds=_clock(element.get("duration")),
        fields={
            "result": said or None,
            "computer": element.get("computerName"),
            "skipped_reason": (message or None) if outcome == SKIP else None,
            "system_out": element.findtext("Output/StdOut"),
            "system_err": element.findtext("Output/StdErr"),
        },
    )


def _clock(text: str | None) -> float | None:
    """Read `[days.]hours:minutes:seconds`."""
    match = _CLOCK.fullmatch((text or "").strip())
    if match is None:
        return None
    days, hours, minutes, seconds = match.groups(default="0")
    return (int(days) * 24 + int(hours)) * 3_600 + int(minutes) * 60 + float(seconds)


def _suite(element: Element, path: Path, context: Context) -> tuple[str, Any]:
    value = {"file": path.name, "attributes": _attributes(element), "properties": _properties(element) or {}}
    return context.with_variant(f"suite.{element.get('fullname') or element.get('name') or element.tag}"), value


def _attributes(element: Element) -> dict[str, Any]:
    return {name: plain_number(text) for name, text in element.items()}


def _properties(element: Element) -> dict[str, Any] | None:
    found = element.findall("properties/property")
    return {item.get("name", ""): item.get("value", "") for item in found} or None
