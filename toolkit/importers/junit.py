"""JUnit XML → records and variables: one record per test case, one variable per suite. NUnit 3 and TRX, too.

junitparser says what the results and reruns of a case are. The report as a whole is walked here, in the
order of the document and to any depth, on a tree of the standard library: junitparser alone would parse with
lxml where that is installed, which can fetch what a document points at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from junitparser import Error, Failure, Skipped
from junitparser.xunit2 import FlakyError, FlakyFailure, InterimResult, RerunError, RerunFailure, TestCase

from toolkit.columns import FIELDS, HISTORY, TARGETS, VARS
from toolkit.errors import ImportFailed
from toolkit.importers.cases import ERROR, FAILURE, PASSED, SKIP, STATUS, Context, context_of, end_of
from toolkit.importers.dotnet import NUNIT_ROOT, TRX_ROOT, read_nunit, read_trx
from toolkit.importers.model import (
    FROM_REPORT,
    TIME_SOURCE,
    ImportedFile,
    ImportedRecord,
)
from toolkit.importers.values import (
    ID_LENGTH,
    TYPE_LENGTH,
    UniqueNames,
    duration,
    joined,
    one_line,
    plain_number,
    shorten,
    timestamp,
)
from toolkit.importers.xmlfile import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from junitparser.junitparser import Result

_REPORT: Final = "testsuites"
_SUITE: Final = "testsuite"
_CASE: Final = "testcase"

_OTHER_ROOTS: Final = {
    "Result": "Android CTS",
    "Site": "CTest",
    "assemblies": "xUnit.net",
    "checkstyle": "Checkstyle",
    "coverage": "a coverage report",
    "html": "a web page",
    "result": "the result file of Jenkins",
    "robot": "Robot Framework",
    "test-results": "NUnit 2",
    "test-suite": "Allure 1",
}
_DIALECTS: Final = {NUNIT_ROOT: read_nunit, TRX_ROOT: read_trx}
_SHOWN_CHARACTERS: Final = 60

_OUTCOME_OF: Final[dict[type[Result], str]] = {
    Failure: FAILURE,
    Error: ERROR,
    Skipped: SKIP,
    RerunFailure: FAILURE,
    RerunError: ERROR,
    FlakyFailure: FAILURE,
    FlakyError: ERROR,
}

# What writers put into `status` or `result` of a case that has no child element saying it.
_SAID_OUTCOME: Final = {
    "disabled": SKIP,
    "ignored": SKIP,
    "notrun": SKIP,
    "skipped": SKIP,
    "suppressed": SKIP,
    "untested": SKIP,
    "error": ERROR,
    "fail": FAILURE,
    "failed": FAILURE,
    "failure": FAILURE,
}


@dataclass(frozen=True, slots=True)
class _Place:
    """What encloses an element: a chain, because reports may nest deeper than Python recurses."""

    outer: _Place | None = None
    tag: str = ""
    name: str = ""
    time: datetime | None = None

    def enter(self, element: Element) -> _Place:
        time = timestamp(element.get("timestamp")) or self.time
        return _Place(self, element.tag, element.get("name", ""), time)

    def suites(self) -> list[str]:
        """Names from the outermost to the nearest; that of the whole report only where no suite has one."""
        named: list[_Place] = []
        place: _Place | None = self
        while place is not None:
            if place.name.strip():
                named.append(place)
            place = place.outer
        suites = [place.name for place in reversed(named) if place.tag == _SUITE]
        return suites or [place.name for place in named]


def read_junit(path: Path, *, variant: str | None = None, started_at: datetime | None = None) -> ImportedFile:
    """Read one JUnit report, or one of NUnit 3 or TRX.

    Parameters
    ----------
    path : Path
        The file.
    variant : str, optional
        The system or configuration the report stands for; it becomes part of every record id.
    started_at : datetime, optional
        The time of cases for which the report names none; naive is UTC. By default the file's own time.

    Returns
    -------
    ImportedFile
        One record per test case and one variable per suite, in the order of the document.

    Raises
    ------
    ImportFailed
        If the file cannot be read, is not XML, declares entities, or is no such report: one line with the
        file and, where there is one, the place.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "junit.xml")
    ...     _ = path.write_text('<testsuite name="s"><testcase classname="a.B" name="c"/></testsuite>')
    ...     file = read_junit(path, variant="linux")
    >>> [(record.record_id, record.status) for record in file.records]
    [('a.B::c [linux]', 'complete')]
    """
    root = parse_xml(path)
    context = context_of(path, variant, started_at)
    other = _DIALECTS.get(root.tag.rpartition("}")[2])
    if other is not None:
        return other(root, path, context)
    root = _junit_root(root, path)
    ids = UniqueNames(ID_LENGTH)
    records: list[ImportedRecord] = []
    variables: list[tuple[str, Any]] = []
    for element, place in _walk(root):
        if element.tag == _CASE:
            records.append(_record(element, place, ids, context))
        elif element.tag == _SUITE or _has_content(element):
            variables.append(_variable(element, path.name, context))
    return ImportedFile(one_line(str(path)), variant, tuple(records), tuple(variables))


# --- the report -------------------------------------------------------------------------------------


def _junit_root(root: Element, path: Path) -> Element:
    namespace, _, tag = root.tag.rpartition("}")
    if tag not in {_REPORT, _SUITE}:
        kind = _OTHER_ROOTS.get(tag)
        shown = f"<{tag[:_SHOWN_CHARACTERS]}>" + (f", {kind}" if kind else "")
        raise ImportFailed(f"{one_line(str(path))}: not a JUnit report: the root is {shown}")
    if namespace:
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return root


def _walk(root: Element) -> Iterator[tuple[Element, _Place]]:
    """Yield every suite and case with what encloses it, in the order of the document."""
    stack = [(root, _Place())]
    while stack:
        element, place = stack.pop()
        if element.tag in {_REPORT, _SUITE, _CASE}:
            yield element, place
        inner = place.enter(element) if element.tag in {_REPORT, _SUITE} else place
        stack.extend((child, inner) for child in reversed(element))


# --- a test case ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Result:
    """One thing the report says went wrong, or was left out."""

    outcome: str
    message: str
    type: str | None

    def as_json(self) -> dict[str, Any]:
        return _present(outcome=self.outcome, message=self.message, type=self.type)


def _record(element: Element, place: _Place, ids: UniqueNames, context: Context) -> ImportedRecord:
    suites = place.suites()
    class_name = _class_name(element, suites)
    results = _results(element)
    outcome = _outcome(element, results)
    history = _history(element, results)
    begin = timestamp(element.get("timestamp")) or place.time
    created_at, source = (context.time, context.time_source) if begin is None else (begin, FROM_REPORT)
    fields = _fields(element, suites, outcome, results) | {TIME_SOURCE: source}
    if context.variant is not None:
        fields["variant"] = context.variant
    return ImportedRecord(
        record_id=ids.take(context.with_variant(_full_name(class_name, element.get("name")))),
        record_type=shorten(class_name or "test", TYPE_LENGTH),
        status=STATUS[outcome],
        error_message=_error_message(results),
        retry_count=len(history),
        created_at=created_at,
        processed_at=end_of(created_at, duration(element.get("time"))),
        data={FIELDS: fields, VARS: {}, TARGETS: {}, HISTORY: history},
    )


def _class_name(element: Element, suites: list[str]) -> str | None:
    class_name = element.get("classname", "")
    if class_name.strip():
        return class_name
    return suites[-1] if suites else None


def _full_name(class_name: str | None, name: str | None) -> str:
    name = name if name and name.strip() else "(unnamed)"
    return name if class_name is None else f"{class_name}::{name}"


def _results(element: Element) -> list[_Result]:
    """Collect the final results of a case, or of a suite as a whole."""
    kinds = TestCase.ITER_TYPES
    results: list[_Result] = []
    for child in element:
        kind = kinds.get(child.tag)
        if kind in {Failure, Error, Skipped}:
            result = kind.fromelem(child)  # type: ignore[no-untyped-call]
            text = "".join(child.itertext())
            results.append(_Result(_OUTCOME_OF[kind], joined(result.message, text), result.type))
    return results


def _failures(results: list[_Result]) -> list[_Result]:
    return [result for result in results if result.outcome != SKIP]


def _outcome(element: Element, results: list[_Result]) -> str:
    failures = _failures(results)
    if failures:
        return failures[0].outcome
    if results:
        return SKIP
    said = (element.get(attribute, "").strip().lower() for attribute in ("status", "result"))
    return next((_SAID_OUTCOME[word] for word in said if word in _SAID_OUTCOME), PASSED)


def _error_message(results: list[_Result]) -> str | None:
    return "\n\n".join(result.message for result in _failures(results) if result.message) or None


def _history(element: Element, results: list[_Result]) -> list[dict[str, Any]]:
    """List the attempts that failed beside the final one, as Surefire reports them."""
    case: TestCase = TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    # A case that failed for good reports its first attempt as the result, and the reruns after it.
    first = 2 if _failures(results) else 1
    return [_attempt(number, attempt) for number, attempt in enumerate(case.interim_result, first)]


def _attempt(number: int, attempt: InterimResult) -> dict[str, Any]:
    return _present(
        attempt=number,
        outcome=_OUTCOME_OF[type(attempt)],
        message=joined(attempt.message, attempt.stack_trace or attempt.text),
        type=attempt.type,
        system_out=attempt.system_out,
        system_err=attempt.system_err,
    )


def _fields(element: Element, suites: list[str], outcome: str, results: list[_Result]) -> dict[str, Any]:
    failures = _failures(results)
    skips = [result for result in results if result.outcome == SKIP]
    return _present(
        name=element.get("name"),
        classname=element.get("classname"),
        suite=" > ".join(suites) or None,
        outcome=outcome,
        time=duration(element.get("time")),
        file=element.get("file"),
        line=_line(element),
        error_type=next((result.type for result in failures if result.type), None),
        failures=[result.as_json() for result in failures] if len(failures) > 1 else None,
        skipped_reason="\n\n".join(result.message for result in skips if result.message) or None,
        skipped_type=next((result.type for result in skips if result.type), None),
        properties=_properties(element),
        attributes=_other_attributes(element) or None,
        system_out=_output(element, "system-out"),
        system_err=_output(element, "system-err"),
    )


def _line(element: Element) -> int | None:
    line = plain_number(element.get("line", ""))
    return line if isinstance(line, int) else None


def _other_attributes(element: Element) -> dict[str, Any]:
    """Keep what has no field of its own, and what its field does not say in full."""
    others = {name for name in element.attrib if name not in {"name", "classname", "file", "line", "time"}}
    if "line" in element.attrib and _line(element) is None:
        others.add("line")
    time = element.get("time")
    if time is not None and (duration(time) is None or "," in time):
        others.add("time")
    return {key: value for key, value in _attributes(element).items() if key in others}


# --- a suite ----------------------------------------------------------------------------------------


def _has_content(element: Element) -> bool:
    own = (child.tag for child in element)
    return bool(element.attrib) or not {
        "properties",
        "system-out",
        "system-err",
        "error",
        "failure",
    }.isdisjoint(own)


def _variable(element: Element, file_name: str, context: Context) -> tuple[str, Any]:
    name = element.get("name", "")
    key = context.with_variant(f"suite.{name if name.strip() else element.tag}")
    value = _present(
        file=file_name,
        attributes=_attributes(element),
        properties=_properties(element) or {},
        failures=[result.as_json() for result in _results(element)] or None,
        system_out=_output(element, "system-out"),
        system_err=_output(element, "system-err"),
    )
    return key, value


# --- parts that suites and cases share --------------------------------------------------------------


def _present(**parts: Any) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if part is not None}


def _attributes(element: Element) -> dict[str, Any]:
    return {name.rpartition("}")[2]: plain_number(text) for name, text in element.items()}


def _output(element: Element, tag: str) -> str | None:
    outputs = ["".join(output.itertext()) for output in element.iterfind(tag)]
    return "\n".join(outputs) if outputs else None


def _properties(element: Element) -> dict[str, Any] | None:
    """Map names to values, a repeated name to the list of its values."""
    values: dict[str, list[str]] = {}
    for item in element.iterfind("properties/property"):
        text = item.get("value")
        # A value of several lines stands in the element; junitparser reads the attribute only.
        values.setdefault(item.get("name", ""), []).append("".join(item.itertext()) if text is None else text)
    if element.find("properties") is None:
        return None
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in values.items()}
