"""Many records written at once: the same as one by one, whatever they hold; all of them, or none."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import itertools
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from benchmarks import data as made_up
from toolkit import frames, jsonvalue
from toolkit.columns import DATA, RECORD_COLUMNS
from toolkit.errors import HiddenValue, InvalidPath, InvalidValue, ToolkitError
from toolkit.storage import given as given_rows
from toolkit.storage import records as record_storage
from toolkit.storage.columnwise import SCHEMA
from toolkit.storage.given import Given, Listed, Records
from toolkit.storage.rows import GIVEN, record_rows

Service = toolkit.UnifiedDataService
NewWorkflow = Callable[[str], str]


class Colour(enum.Enum):
    RED = "red"


class Shade(enum.StrEnum):
    DARK = "dark"


# --- what people give -------------------------------------------------------------------------------

AWKWARD_TEXTS = ["", "é😀", 'a "quoted" \\ text', "tab\tnew\nline\r", "\x01\x7f", "\\N", "\\.", "[hid", "null", "1e16"]
texts = st.sampled_from(AWKWARD_TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
numbers = (
    st.sampled_from([0, -1, 2**63, -(2**63), 2**64, 2**70, 10**40, 1e16, -1.5e300, 1e15, 5e-324, 0.1, -0.0, 1e-7])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
scalars = st.none() | st.booleans() | numbers | texts
unusual = st.sampled_from(
    [
        (1, 2),
        Decimal("0.5"),
        np.int64(3),
        np.float64(1e20),
        np.array([1, 2]),
        np.str_("s"),
        OrderedDict(a=1),
        Shade.DARK,
    ]
)
refused = st.sampled_from(
    [
        float("nan"),
        float("-inf"),
        b"x",
        {1, 2},
        uuid.UUID(int=1),
        Colour.RED,
        dt.date(2026, 1, 1),
        {1: 2},
        "a\0",
        "\ud800",
        "[hidden]",
        {"a": ["is [hidden]"]},
        Decimal("0.1000000000000000001"),
        object,
        np.datetime64("2026-01-01"),
    ]
)


def values(more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON values, with some others anywhere in them."""
    return st.recursive(
        scalars | more,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=2), inner, max_size=3),
        max_leaves=6,
    )


fine = values(unusual)
any_value = values(unusual) | values(refused)
ids = st.lists(st.text("ab_:é\t\\", min_size=1, max_size=3), unique=True, min_size=1, max_size=8)
times = st.sampled_from(
    ["2026-11-16T02:00:00Z", "2026-11-16", dt.datetime(2026, 11, 16, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))]
) | st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))  # noqa: DTZ001 - a time without a zone is UTC
PLACES = ["fields.x", "fields.a", "fields.a.b", 'fields."p.q"', "fields", "vars.y.z", "vars.y.w", "targets.t"]
PLACES += ["history", "history[+]", "fields.x[+]", "data.extra", "data.extra.more", "data.fields.x", 'vars."é"']
record_columns = {
    "record_type": st.none() | texts,
    "status": st.none() | texts,
    "error_message": st.none() | texts,
    "iteration_node_alias": st.none() | texts,
    "retry_count": st.none() | st.integers(0, 5),
    "created_at": st.none() | times,
    "processed_at": st.none() | times,
}
documents = st.dictionaries(st.sampled_from(["x", "fields", "vars", "targets", "history"]), fine, max_size=4)


@st.composite
def dicts(draw: st.DrawFn, value: st.SearchStrategy[Any] = fine) -> list[dict[str, Any]]:
    """Rows as dicts: some with a document, some with paths, some with both."""
    names = draw(ids)
    of_places = st.dictionaries(st.sampled_from(PLACES), value, max_size=3)
    rows = []
    for name in names:
        given_columns = draw(st.fixed_dictionaries({}, optional=record_columns))
        content = draw(of_places | st.fixed_dictionaries({DATA: st.none() | documents}))
        rows.append({"record_id": name, **given_columns, **content})
    return rows


def _column(values: list[Any], kind: str) -> Any:
    """A column of a dtype, where it can hold such values; of objects elsewhere."""
    try:
        return pd.Series(values, dtype=kind)
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        return pd.Series(values, dtype=object)


@st.composite
def tables(draw: st.DrawFn, value: st.SearchStrategy[Any] = fine) -> pd.DataFrame:
    """Frames with columns of every dtype, sparse enough that paths meet in few rows."""
    names = draw(ids)
    length = len(names)
    columns: dict[str, Any] = {
        "record_id": pd.Series(names, dtype=draw(st.sampled_from(["str", "object", "category"])))
    }
    kinds: list[tuple[str, st.SearchStrategy[Any]]] = [
        ("object", value),
        ("str", texts),
        ("string", texts),
        ("category", texts | st.integers(0, 3)),
        ("Int64", st.integers(-(2**63), 2**63 - 1)),
        ("UInt64", st.integers(0, 2**64 - 1)),
        ("Float64", numbers.filter(lambda number: isinstance(number, float))),
        ("float64", st.floats(allow_infinity=False)),
        ("float32", st.floats(width=32, allow_infinity=False)),
        ("boolean", st.booleans()),
        ("int64[pyarrow]", st.integers(-(2**63), 2**63 - 1)),
        ("double[pyarrow]", st.floats(allow_nan=False, allow_infinity=False)),
        ("string[pyarrow]", texts),
    ]
    for place in draw(st.lists(st.sampled_from(PLACES), unique=True, max_size=5)):
        kind, cell = draw(st.sampled_from(kinds))
        columns[place] = _column(draw(st.lists(st.none() | cell, min_size=length, max_size=length)), kind)
    for name in draw(st.lists(st.sampled_from(sorted(record_columns)), unique=True, max_size=3)):
        cells = draw(st.lists(record_columns[name], min_size=length, max_size=length))
        columns[name] = _column(cells, draw(st.sampled_from(["object", "str", "Int64", "datetime64[us, UTC]"])))
    if len(columns) == 1 and draw(st.booleans()):
        columns[DATA] = pd.Series(draw(st.lists(st.none() | documents, min_size=length, max_size=length)), dtype=object)
    return pd.DataFrame(columns)


def source(many: Any) -> Given:
    """Rows as `create_records` hands them over."""
    of_frame = frames.frame_rows(many)
    return Listed(many) if of_frame is None else of_frame


def reference(many: Any) -> list[dict[str, Any]] | ToolkitError:
    """What a look at one row after another makes of them, or why it does not."""
    try:
        return record_rows(frames.to_rows(many))
    except ToolkitError as error:
        return error


def _ready(row: dict[str, Any]) -> dict[str, Any]:
    always = {"record_type", "status", DATA}
    return {name: row[name] if name in always or name in row[GIVEN] else None for name in SCHEMA.names}


def alike(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether two rows are the same, their documents as values of JSON."""
    documents = jsonvalue.decode(found[DATA]), jsonvalue.decode(wanted[DATA])
    return jsonvalue.same(*documents) and {**found, DATA: ""} == {**wanted, DATA: ""}


def check(many: Any) -> None:
    before = copy.deepcopy(many)
    wanted = reference(many)
    if isinstance(wanted, ToolkitError):
        with pytest.raises(type(wanted)) as caught:
            list(Records(source(many)).batches())
        assert str(caught.value) == str(wanted)
    else:
        found = [row for batch in Records(source(many)).batches() for row in batch.to_pylist()]
        ordered = sorted(wanted, key=lambda row: row["record_id"])
        assert [row["record_id"] for row in found] == [row["record_id"] for row in ordered]
        for row, each in zip(found, ordered, strict=True):
            assert alike(row, _ready(each)), (row, each)
    if isinstance(many, pd.DataFrame):
        pd.testing.assert_frame_equal(many, before)
    else:
        assert repr(many) == repr(before)


@given(dicts() | tables())
def test_rows_are_laid_out_together_as_they_are_one_by_one(many: Any) -> None:
    check(many)


@given(dicts(any_value) | tables(any_value))
def test_what_is_refused_one_by_one_is_refused_together(many: Any) -> None:
    check(many)


def test_refusals_in_every_kind_of_cell_are_the_same() -> None:
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    several: list[Any] = [
        float("nan"),
        b"x",
        deep,
        10**5000,
        {"k": {1: 2}},
        "\ud800",
        "a\0",
        "[hidden]",
        uuid.UUID(int=1),
    ]
    for bad in [*several, Decimal("1e400"), pd.Timestamp("2026-01-01"), Colour.RED, {"[hidden]": 1}]:
        for content in ({DATA: {"x": bad}}, {"fields.x": bad}, {"history[+]": {"y": [bad]}}):
            rows: list[dict[str, Any]] = [{"record_id": f"b_{n}", "fields.x": n} for n in range(4)]
            rows[2] = {"record_id": "a_2", **content}
            wanted = reference(rows)
            assert isinstance(wanted, InvalidValue | HiddenValue)
            with pytest.raises(type(wanted)) as caught:
                list(Records(Listed(rows)).batches())
            assert str(caught.value) == str(wanted)
            assert str(wanted).startswith("row 2 ('a_2'): ")


@pytest.mark.parametrize("parts", [2, 1000])
def test_the_first_bad_row_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(given_rows, "PART", parts)
    names = ["d", "c", "b", "a", "f", "e"]
    second: tuple[tuple[str, Any], ...] = (("record_id", "d"), ("fields.n", float("nan")))
    for places, (name, value) in itertools.product(itertools.permutations(range(1, 6), 2), second):
        rows: list[dict[str, Any]] = [{"record_id": each, "fields.n": 1} for each in names]
        rows[places[0]]["fields.n"] = float("inf")
        rows[places[1]][name] = value
        wanted = reference(rows)
        with pytest.raises(InvalidValue) as caught:
            list(Records(Listed(rows)).batches())
        assert str(caught.value) == str(wanted)
        assert str(wanted).startswith(f"row {min(places)} ")


def test_rows_without_anything_special_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("one by one")

    rows: list[dict[str, Any]] = made_up.records(50)
    rows[3]["data"]["fields"] |= {
        "big": 2**70,
        "large": 1e300,
        "text": 'a\n"\x01',
        "price": Decimal("0.5"),
        "note": (1,),
    }
    frame = pd.DataFrame(
        {
            "record_id": [f"a_{n}" for n in range(50)],
            "status": pd.Series(["complete", None] * 25, dtype="category"),
            "created_at": pd.Series([pd.Timestamp("2026-11-16", tz="Europe/Berlin"), pd.NaT] * 25),
            "fields.n": pd.array([1, None] * 25, dtype="Int64"),
            "fields.x": [1e20, 0.5] * 25,
            "fields.text": ['"quoted"\x01', None] * 25,
            "vars.list": [[1, {"a": None}], 2**70] * 25,
        }
    )
    monkeypatch.setattr(given_rows, "record_rows", never)
    for many in (rows, frame, pd.DataFrame(rows), frame.iloc[::-1]):
        assert sum(len(batch) for batch in Records(source(many)).batches()) == 50


def test_the_lines_of_a_copy_are_read_back_as_they_were(service: Service, workflow_id: str, kind: str) -> None:
    rows = [
        {"record_id": f"{n}{text}"[:20], "error_message": text, "fields.t": text}
        for n, text in enumerate(AWKWARD_TEXTS)
    ]
    more = [{"record_id": f"more_{n}", "retry_count": n} for n in range(300)]
    assert service.create_records(workflow_id, [*rows, *more]) == len(rows) + 300
    for row in rows:
        found = service.get_record(workflow_id, row["record_id"]) or {}
        assert (found["error_message"], found["data"]["fields"]) == (row["error_message"], {"t": row["fields.t"]})


# --- in the databases -------------------------------------------------------------------------------

EXAMPLES = hypothesis.settings(
    max_examples=25,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
_numbers = itertools.count()


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few records written as many are."""
    monkeypatch.setattr(record_storage, "MANY", 1)
    monkeypatch.setattr(given_rows, "PART", 3)


def stored(service: Service, workflow_id: str) -> dict[str, dict[str, Any]]:
    """Every record, with its document as it is."""
    names = list(service.query_records(workflow_id)["record_id"])
    return {name: service.get_record(workflow_id, name, reveal=True) or {} for name in names}


def check_stored(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare a record with a row; what was not given has the database's time."""
    assert jsonvalue.same(found["data"], jsonvalue.decode(wanted[DATA])), (found["data"], wanted[DATA])
    for name in RECORD_COLUMNS:
        if wanted[name] is not None or name not in ("created_at", "updated_at"):
            assert found[name] == wanted[name], name
    assert found["created_at"] is not None
    assert found["updated_at"] is not None


@EXAMPLES
@given(many=dicts(any_value) | tables(any_value))
def test_what_was_written_together_is_read_as_if_it_were_written_one_by_one(
    service: Service, new_workflow: NewWorkflow, few_are_many: None, many: Any
) -> None:
    workflow_id = new_workflow(f"run {next(_numbers)}")
    wanted = reference(many)
    if isinstance(wanted, ToolkitError):
        with pytest.raises(type(wanted)) as caught:
            service.create_records(workflow_id, many)
        assert str(caught.value) == str(wanted)
        assert service.query_records(workflow_id).empty
    else:
        assert service.create_records(workflow_id, many) == len(wanted)
        found = stored(service, workflow_id)
        assert found.keys() == {row["record_id"] for row in wanted}
        for row in wanted:
            check_stored(found[row["record_id"]], row)


@EXAMPLES
@given(first=dicts(), second=dicts(), archive=st.booleans())
def test_replacing_together_keeps_and_takes_the_same_columns_as_replacing_one_by_one(
    service: Service, new_workflow: NewWorkflow, few_are_many: None, first: Any, second: Any, *, archive: bool
) -> None:
    for rows in (first, second):
        hypothesis.assume(not isinstance(reference(rows), ToolkitError))
    together, single = (new_workflow(f"run {next(_numbers)}") for _ in range(2))
    for rows in (first, second):
        assert service.create_records(together, rows, mode="upsert", archive=archive) == len(rows)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(record_storage, "MANY", 10**9)
            service.create_records(single, rows, mode="upsert", archive=archive)
    found, wanted = stored(service, together), stored(service, single)
    assert found.keys() == wanted.keys()
    given_times = {(row["record_id"], name) for row in [*first, *second] for name in row if row[name] is not None}
    for name, record in wanted.items():
        assert jsonvalue.same(found[name]["data"], record["data"])
        for column in RECORD_COLUMNS:
            if column not in ("created_at", "updated_at") or (name, column) in given_times:
                assert found[name][column] == record[column], column
    replaced = {row["record_id"] for row in first} & {row["record_id"] for row in second}
    changes = service.changes(together)
    assert list(changes["records"]) == ([len(replaced)] if replaced and archive else [])


def many_rows(number: int, **content: Any) -> list[dict[str, Any]]:
    return [{"record_id": f"a_{n:05}", **content} for n in range(number)]


def test_what_is_replaced_together_is_in_the_archive(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, many_rows(300, **{"fields.old": 1, "error_message": "late"}))
    service.create_records(workflow_id, many_rows(400, **{"fields.new": 2}), mode="upsert")
    change = service.changes(workflow_id).iloc[0]
    assert (change["kind"], change["records"]) == ("replace", 300)
    record = service.get_record(workflow_id, "a_00299") or {}
    assert (record["data"]["fields"], record["error_message"]) == ({"new": 2}, "late")
    service.undo(change["id"])
    record = service.get_record(workflow_id, "a_00299") or {}
    assert (record["data"]["fields"], record["error_message"]) == ({"old": 1}, "late")


def test_many_records_that_exist_or_do_not_are_told(service: Service, workflow_id: str) -> None:
    assert service.create_records(workflow_id, many_rows(300)) == 300
    with pytest.raises(
        toolkit.RecordExists, match=r"300 of 400 records exist already, the first is 'a_00000'; nothing"
    ):
        service.create_records(workflow_id, many_rows(400))
    with pytest.raises(toolkit.RecordNotFound, match=r"100 of 400 records do not exist, 'a_00300' among them"):
        service.create_records(workflow_id, many_rows(400, status="new"), mode="update")
    assert service.create_records(workflow_id, many_rows(300, status="new"), mode="update") == 300
    assert set(service.query_records(workflow_id)["status"]) == {"new"}


def test_a_bad_row_among_many_leaves_nothing_behind(service: Service, workflow_id: str) -> None:
    for bad, error in (
        ({"fields.x": float("nan")}, InvalidValue),
        ({"vars.x": "[hidden]"}, HiddenValue),
        ({"x": 1}, InvalidPath),
    ):
        rows = [*reversed(many_rows(5000)), {"record_id": "a_03000x", **bad}]
        for mode in ("create", "upsert"):
            with pytest.raises(error, match=r"^row 5000 \('a_03000x'\)"):
                service.create_records(workflow_id, rows, mode=mode)
        assert service.query_records(workflow_id).empty
    assert service.create_records(workflow_id, many_rows(300)) == 300


class Interrupted(Listed):
    """Rows at which somebody loses patience."""

    def cells(self, start: int, stop: int) -> dict[str, Any]:
        if start:
            raise KeyboardInterrupt
        return super().cells(start, stop)


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_an_interrupted_write_leaves_nothing_behind(service: Service, workflow_id: str, mode: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        service.records.create_many(workflow_id, Records(Interrupted(many_rows(5000))), mode=mode)
    assert service.query_records(workflow_id).empty
    assert service.create_records(workflow_id, many_rows(300), mode=mode) == 300


def test_many_records_are_sent_in_so_many_statements(service: Service, new_workflow: NewWorkflow, kind: str) -> None:
    sent = {}
    for number in (300, 5000):
        workflow_id = new_workflow(f"run {number}")
        for mode in ("create", "upsert"):
            with service.trace() as trace:
                service.create_records(workflow_id, many_rows(number), mode=mode)
            sent[mode, number] = [" ".join(each.text.split()[:3]) for each in trace]
            word = "INSERT" if kind == "sqlite" else "COPY"
            assert next(each.rows for each in trace if each.text.startswith(word)) == number
    for mode, most in (("create", 3), ("upsert", 11)):
        assert sent[mode, 300] == sent[mode, 5000]
        assert len(sent[mode, 300]) <= most, sent


def test_a_transaction_can_write_many_records_more_than_once(service: Service, new_workflow: NewWorkflow) -> None:
    one, other = new_workflow("one"), new_workflow("other")
    with service.database.write():
        for workflow_id in (one, other, one):
            service.create_records(workflow_id, many_rows(300, status=workflow_id[:50]), mode="upsert", archive=False)
    assert set(service.query_records(other)["status"]) == {other}
    with pytest.raises(toolkit.RecordExists, match="of 301 records exist already"), service.database.write():
        service.create_records(one, many_rows(301))
    assert len(service.query_records(one)) == 300


@pytest.fixture
def limited(service: Service, database_url: str, execute: Any) -> Any:
    """Connect as a role with some rights, and drop it afterwards."""
    role = f"limited_{sa.make_url(database_url).database}"
    opened = []

    def connect(*statements: str) -> Service:
        execute(database_url, f"CREATE ROLE {role} LOGIN", *(each.format(role=role) for each in statements))
        url = sa.make_url(database_url).set(username=role).render_as_string(hide_password=False)
        opened.append(toolkit.connect(url))
        return opened[0]

    yield connect
    for each in opened:
        each.close()
    execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


SERVERS = pytest.mark.parametrize("kind", ["postgresql", "production"], indirect=True)
USUAL = "GRANT SELECT, INSERT, UPDATE ON workflow_records TO {role}"


@SERVERS
def test_a_role_that_may_only_insert_creates_many(service: Service, workflow_id: str, limited: Any) -> None:
    writer = limited("GRANT INSERT ON workflow_records TO {role}")
    assert writer.create_records(workflow_id, many_rows(300)) == 300
    with pytest.raises(toolkit.RecordExists, match="some of 301 records exist already; nothing was written"):
        writer.create_records(workflow_id, many_rows(301))
    with pytest.raises(toolkit.PermissionMissing):
        writer.create_records(workflow_id, many_rows(300), mode="upsert")
    assert len(service.query_records(workflow_id)) == 300


@SERVERS
@pytest.mark.parametrize("security", [False, True], ids=["", "row security"])
def test_a_role_without_temporary_tables_writes_many(
    service: Service, workflow_id: str, limited: Any, database_url: str, execute: Any, *, security: bool
) -> None:
    execute(database_url, f'REVOKE TEMPORARY ON DATABASE "{sa.make_url(database_url).database}" FROM PUBLIC')
    writer = _written_by(limited, security=security)
    _check_writer(service, writer, workflow_id)


@SERVERS
def test_a_role_under_row_security_writes_many(service: Service, workflow_id: str, limited: Any) -> None:
    _check_writer(service, _written_by(limited, security=True), workflow_id)


def _written_by(limited: Any, *, security: bool) -> Service:
    policies = ["ALTER TABLE workflow_records ENABLE ROW LEVEL SECURITY"]
    policies += ["CREATE POLICY everything ON workflow_records TO {role} USING (record_type <> 'theirs')"]
    if not security:
        return limited(USUAL)  # type: ignore[no-any-return]
    with pytest.warns(toolkit.DataWarning, match="row security is active"):
        return limited(USUAL, *policies)  # type: ignore[no-any-return]


def _check_writer(service: Service, writer: Service, workflow_id: str) -> None:
    assert writer.create_records(workflow_id, many_rows(300, **{"fields.n": 2**70})) == 300
    with pytest.raises(toolkit.RecordExists):
        writer.create_records(workflow_id, many_rows(301))
    rows = many_rows(400, **{"vars.t": "tab\t\\N", "error_message": None, "status": "new"})
    assert writer.create_records(workflow_id, rows, mode="upsert", archive=False) == 400
    assert writer.update_records(workflow_id, {row["record_id"]: {"vars.n": 1.5} for row in rows}) == 400
    record = service.get_record(workflow_id, "a_00000") or {}
    assert (record["data"]["fields"], record["data"]["vars"], record["status"]) == (
        {},
        {"t": "tab\t\\N", "n": 1.5},
        "new",
    )
    if writer.database.whereabouts.row_security:
        with pytest.raises(toolkit.PermissionMissing):
            writer.create_records(workflow_id, [{"record_id": f"b_{n}", "record_type": "theirs"} for n in range(300)])
        assert len(service.query_records(workflow_id)) == 400


def test_a_read_only_service_writes_none_of_many(service: Service, workflow_id: str, database_url: str) -> None:
    with toolkit.connect(database_url, read_only=True) as reader, pytest.raises(toolkit.ReadOnly):
        reader.create_records(workflow_id, many_rows(300))
    assert service.query_records(workflow_id).empty


# --- patches ----------------------------------------------------------------------------------------

patch_columns = {
    "status": st.sampled_from(["complete", "", None]),
    "error_message": st.none() | texts,
    "retry_count": st.integers(0, 5),
    "processed_at": st.none() | times,
}
patches = st.fixed_dictionaries({}, optional=patch_columns).flatmap(
    lambda chosen: st.dictionaries(st.sampled_from(PLACES), fine, max_size=3).map(lambda placed: {**chosen, **placed})
)
trees = st.recursive(scalars, lambda inner: st.dictionaries(st.sampled_from("abxyz0"), inner, max_size=3), max_leaves=5)
any_documents = st.fixed_dictionaries(
    {}, optional={"fields": trees, "vars": trees, "targets": trees, "history": st.lists(scalars, max_size=2) | trees}
)
PATCHED = hypothesis.settings(EXAMPLES, max_examples=30)


@PATCHED
@given(former=st.lists(any_documents, min_size=1, max_size=6), given_patches=st.lists(patches, min_size=6, max_size=6))
def test_many_patches_are_merged_as_one_after_another(
    service: Service, new_workflow: NewWorkflow, few_are_many: None, former: Any, given_patches: Any
) -> None:
    together, single = (new_workflow(f"run {next(_numbers)}") for _ in range(2))
    for workflow_id in (together, single):
        rows = [{"record_id": f"a_{n}", DATA: document} for n, document in enumerate(former)]
        hypothesis.assume(not isinstance(reference(rows), ToolkitError))
        service.create_records(workflow_id, rows)
    pairs = [(f"a_{n}", patch) for n, (_, patch) in enumerate(zip(former, given_patches, strict=False))]
    problem = _one_after_another(service, single, pairs)
    if problem is None:
        assert service.update_records(together, pairs[::-1]) == len(pairs)
        wanted = stored(service, single)
    else:
        with pytest.raises(type(problem)):
            service.update_records(together, pairs)
        return
    for name, record in stored(service, together).items():
        assert jsonvalue.same(record["data"], wanted[name]["data"]), (record["data"], wanted[name]["data"])
        for column in ("status", "error_message", "retry_count", "processed_at"):
            assert record[column] == wanted[name][column]


def _one_after_another(service: Service, workflow_id: str, pairs: Any) -> ToolkitError | None:
    for name, patch in pairs:
        try:
            service.update_record(workflow_id, name, patch)
        except ToolkitError as error:
            return error
    return None


def test_many_patches_are_written_whole_or_not_at_all(service: Service, workflow_id: str, kind: str) -> None:
    service.create_records(workflow_id, many_rows(300, **{"fields.n": 2**70, "fields.list": [0]}))
    patched: dict[str, dict[str, Any]] = {
        f"a_{n:05}": {"vars.label": f"label {n}", "fields.list": [n]} for n in range(300)
    }
    with pytest.raises(toolkit.RecordNotFound, match=r"has no record 'b' and 1 more; nothing was written"):
        service.update_records(workflow_id, {**patched, "b": {"status": "x"}, "c": {"status": "x"}})
    with pytest.raises(InvalidPath, match="appends to an array"):
        service.update_records(workflow_id, {**patched, "a_00007": {"fields.n[+]": 1}})
    assert service.query_records(workflow_id, columns=["vars.label"])["vars.label"].isna().all()
    with service.trace() as trace:
        assert service.update_records(workflow_id, patched) == 300
    assert len(trace) == (3 if kind == "sqlite" else 7)
    for n in (0, 299):
        record = service.get_record(workflow_id, f"a_{n:05}") or {}
        assert (record["data"]["fields"], record["data"]["vars"]) == (
            {"n": 2**70, "list": [n]},
            {"label": f"label {n}"},
        )
        assert record["updated_at"] > record["created_at"]


def test_writers_of_the_same_many_records_wait_for_each_other(service: Service, workflow_id: str) -> None:
    service.create_records(workflow_id, many_rows(1000))
    failures: list[BaseException] = []

    def work(turn: int) -> None:
        rows = many_rows(1000, **{"fields.turn": turn})[:: 1 if turn % 2 else -1]
        try:
            for _ in range(3):
                service.update_records(workflow_id, {row["record_id"]: {f"vars.t{turn}": 1} for row in rows})
                service.create_records(workflow_id, rows, mode="upsert", archive=False)
        except BaseException as error:  # noqa: BLE001 - a thread's error would be lost
            failures.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(service.query_records(workflow_id, columns=["fields.turn"])["fields.turn"])) == 1
