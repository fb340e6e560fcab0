"""One page about one record: what it says, what it hides, and what it cuts."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import demo, folding, frames

HOSTILE = "<script>alert('x')</script>\"&<img src=x onerror=alert(1)>"
LONG = "word" * 2_500
KNOWN = "Canary0001Qx-9"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda below: st.lists(below) | st.dictionaries(st.text(max_size=9), below),
)


@pytest.fixture(scope="module")
def story() -> toolkit.Workflow:
    service = toolkit.connect(":memory:", create=True)
    return demo.make_run(service)


def plain(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def test_a_failed_record_names_its_cause_and_who_shares_it(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    rows = [{"record_id": f"a_{n}", "status": "failed", "error_message": f"Timeout after {n} s"} for n in range(4)]
    rows += [{"record_id": "b", "status": "failed", "error_message": "no such host"}, {"record_id": "c"}]
    service.create_records(workflow_id, rows)
    view, failures = service.view_record(workflow_id, "a_2"), service.failures(workflow_id)
    assert (view.cause, view.signature) == tuple(failures.loc[0, ["cause", "signature"]])
    assert list(view.siblings()["record_id"]) == ["a_0", "a_1", "a_3"]
    assert view.sibling_count == 3
    wanted = service.query_records(workflow_id, ids=["a_0", "a_1", "a_3"], columns=list(view.siblings().columns))
    pd.testing.assert_frame_equal(view.siblings(), wanted, check_flags=False)
    assert service.view_record(workflow_id, "b").sibling_count == 0
    other = service.view_record(workflow_id, "c")
    assert (other.cause, other.error, list(other.siblings().columns)) == (None, None, list(view.siblings().columns))
    # What is given away is a copy.
    del view.siblings()["status"]
    assert "status" in view.siblings()


def test_the_document_is_whole_in_its_order_and_digit_for_digit() -> None:
    service = toolkit.connect(":memory:", create=True)
    service.create_record("nightly", "email_001")
    with service.database.write() as connection:
        text = '{"vars": {"z": 1180591620717411303425, "a": 1.5}, "fields": {"b": null, "a": ["x"]}, "own": {}}'
        connection.execute(sa.text("UPDATE workflow_records SET data = :text"), {"text": text})
    raw = service.view_record("nightly", "email_001").raw
    assert raw == {"vars": {"z": 2**70 + 1, "a": 1.5}, "fields": {"b": None, "a": ["x"]}, "own": {}}
    assert [*raw, *raw["vars"]] == ["vars", "fields", "own", "z", "a"]


def test_a_record_that_is_not_there_is_named_with_near_ones(story: toolkit.Workflow) -> None:
    with pytest.raises(toolkit.RecordNotFound, match="no record 'emial_001'; did you mean 'email_001'"):
        story.record("emial_001")


def test_times_of_a_former_run_are_told_as_such(story: toolkit.Workflow) -> None:
    view = story.record("email_001")
    assert view.duration is None
    assert "(in a former run)" in repr(view)
    left = story.record("email_003")
    assert left.duration is not None
    assert left.duration < dt.timedelta(minutes=1)
    assert left.cause is None
    assert "left over" in repr(left)
    assert "A message of a former run" in plain(left._repr_html_())


def test_the_page_says_in_words_what_it_shows_in_colours(story: toolkit.Workflow) -> None:
    view = story.record("email_007")
    page = plain(view._repr_html_())
    for text in ("email_007", "failed", view.cause, "shared with 2 other records"):
        assert str(text) in page
        assert str(text) in repr(view)
    for heading in ("Why it failed", "Document", "History"):
        assert heading in page


# --- iteration variables ------------------------------------------------------------------------------


def test_iteration_variables_are_joined_by_the_index(story: toolkit.Workflow) -> None:
    own = story.record("email_001").iterations
    assert list(own["key"]) == [
        "attachment@iter:28:0:35:0",
        "attachment@iter:28:0:35:1",
        "attachment@iter:28:0:35:2",
        "email@iter:28:0",
        "node40.result@iter:28:0:35:2",
    ]
    assert list(own.columns[:2]) == ["key", "base"]
    assert own["guess"].dtype == frames.BOOLEAN
    assert not own["guess"].any()
    assert len(story.record("email_003").iterations) == 0


def test_where_only_the_order_is_left_it_says_that_it_guesses(story: toolkit.Workflow) -> None:
    view = story.record("attachment_004")
    assert list(view.iterations["key"]) == ["attachment@iter:28:4:35:0"]
    assert view.iterations["guess"].all()
    assert "guessed" in repr(view)
    assert "guessed" in plain(view._repr_html_())
    # Neither an index nor a name leads from an invoice to a loop.
    assert len(story.record("invoice_004").iterations) == 0


def test_without_an_index_the_order_of_records_is_that_of_turns() -> None:
    service = toolkit.connect(":memory:", create=True)
    service.create_records("nightly", [{"record_id": f"mail_{n}", "record_type": "mail"} for n in range(3)])
    service.set_variables("nightly", {f"mail@iter:4:{n}": n for n in (0, 1, 10)})
    found = [service.view_record("nightly", f"mail_{n}").iterations for n in range(3)]
    assert [list(frame["key"]) for frame in found] == [["mail@iter:4:0"], ["mail@iter:4:1"], ["mail@iter:4:10"]]
    assert all(frame["guess"].all() for frame in found)


def test_the_node_of_a_record_says_which_loop_it_is(new_database: Callable[[str], str]) -> None:
    with toolkit.connect(new_database("production")) as service:
        with service.database.write() as connection:
            one = str(connection.scalar(sa.text("INSERT INTO workflows (name) VALUES ('x') RETURNING id")))
            nodes = [(4, "iterate", "each_mail"), (9, "iterate", "each_file"), (12, "extract", "read")]
            for position, kind, alias in nodes:
                values = {"w": one, "p": position, "t": kind, "a": alias}
                text = "INSERT INTO nodes (workflow_id, position, type, alias) VALUES (:w, :p, :t, :a)"
                connection.execute(sa.text(text), values)
        for alias in ("each_mail", "each_file", "read"):
            service.create_record(one, alias, "mail", {"index": 1}, iteration_node_alias=alias)
        service.set_variables(one, {"mail@iter:4:1": 1, "mail@iter:9:1": 2, "mail@iter:4:2": 3})
        keys = {
            name: list(service.view_record(one, name).iterations["key"]) for name in ("each_mail", "each_file", "read")
        }
    assert keys == {"each_mail": ["mail@iter:4:1"], "each_file": ["mail@iter:9:1"], "read": []}


# --- history ------------------------------------------------------------------------------------------


def test_a_history_keeps_every_entry_whatever_it_is() -> None:
    entries: list[Any] = [
        {"time": "2026-11-16T02:00:00Z", "action": "claimed", "node": "a", "try": 1},
        "text",
        {"time": "yesterday", "action": "failed"},
        None,
        {"time": "2026-11-16T02:00:04.5Z", "try": 2**60 + 1, "gap": "own", "entry": 3},
    ]
    frame = frames.history(entries)
    assert list(frame.columns) == ["time", "gap", "action", "node", "try", "gap (2)", "entry", "entry (2)"]
    assert list(map(str, frame.dtypes[:5])) == ["datetime64[us, UTC]", "timedelta64[us]", "str", "str", "Int64"]
    assert frame["gap"].iloc[4] == pd.Timedelta(seconds=4.5)
    assert frame["try"].iloc[4] == 2**60 + 1
    assert list(frame["entry (2)"]) == [None, "text", entries[2], None, None]
    empty = frames.history([])
    assert list(map(str, empty.dtypes)) == list(map(str, frame.dtypes[:4]))


@given(JSON)
def test_any_history_has_a_frame_with_a_row_for_each_entry(entries: Any) -> None:
    frame = frames.history(entries)
    assert len(frame) == (len(entries) if isinstance(entries, list) else entries is not None)
    assert frame.columns.is_unique


def test_entries_that_make_up_keys_do_not_make_a_table_of_holes() -> None:
    frame = frames.history([{"time": "2026-11-16T02:00:00Z", f"key {n}": n} for n in range(300)])
    assert frame.shape == (300, 105)
    assert frame["entry"].notna().sum() == 200


# --- what is hidden -----------------------------------------------------------------------------------


def test_what_the_document_tells_to_be_secret_is_hidden_everywhere_on_the_page(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    own = {"fields": {"index": 0}, "vars": {"api_token": KNOWN}, "history": [{"action": f"sent {KNOWN}"}]}
    rows: list[dict[str, Any]] = [
        {"record_id": f"a_{KNOWN}", "data": own},
        {"record_id": "b"},
        {"record_id": f"c_{KNOWN}"},
    ]
    failed = {"status": "failed", "error_message": f"refused {KNOWN}", "record_type": "a"}
    service.create_records(workflow_id, [{**row, **failed} for row in rows])
    service.set_variable(workflow_id, "a@iter:4:0", f"used {KNOWN}")
    view = service.view_record(workflow_id, f"a_{KNOWN}")
    shown = [repr(view), view._repr_html_(), str(view.raw), *map(str, (view.error, view.signature, view.record_id))]
    shown += [frame.to_csv() for frame in (view.siblings(), view.history, view.iterations)]
    assert KNOWN not in "".join(shown)
    assert view.sibling_count == 2
    assert len(view.iterations) == 1
    revealed = service.view_record(workflow_id, f"a_{KNOWN}", reveal=True)
    assert revealed.cause == view.cause
    assert list(revealed.siblings()["record_id"]) == ["b", f"c_{KNOWN}"]
    assert revealed.raw["vars"]["api_token"] == KNOWN
    assert f"refused {KNOWN}" == revealed.error
    some = service.view_record(workflow_id, f"a_{KNOWN}", reveal=["vars.api_token"])
    assert (some.raw["vars"]["api_token"], some.error) == (KNOWN, "refused [hidden]")


# --- what is cut --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def monster() -> toolkit.RecordView:
    service = toolkit.connect(":memory:", create=True)
    fields = {HOSTILE: HOSTILE, LONG: LONG, "many": list(range(5_000)), "deep": {"a": {"b": [[[[[[[[[1]]]]]]]]]}}}
    history = [{"time": "2026-11-16T02:00:00Z", "action": HOSTILE, "node": LONG, HOSTILE: LONG}] * 3_000
    data = {"fields": fields, "vars": {str(n): n for n in range(9_000)}, "targets": {}, "history": history, "own": 1}
    row = {"record_id": HOSTILE, "record_type": HOSTILE[:50], "status": "failed", "error_message": HOSTILE + LONG}
    service.create_records("nightly", [{**row, "data": data}])
    service.set_variables("nightly", {f"x@iter:4:{n}": HOSTILE for n in range(40)})
    return service.view_record("nightly", HOSTILE)


class Elements(HTMLParser):
    """The elements of a page, and their attributes, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_and_endless_text_changes_nothing_but_text(monster: toolkit.RecordView) -> None:
    page = monster._repr_html_()
    found = Elements()
    found.feed(page)
    allowed = "section div h3 h4 p span b bdi dl dt dd details summary code table caption thead tbody tr th td"
    assert found.elements <= set(allowed.split())
    assert found.attributes <= {"aria-label", "aria-hidden", "style", "open", "role", "tabindex", "scope"}
    assert HOSTILE in plain(page)
    assert len(page) < 150_000
    assert len(repr(monster)) < 5_000
    assert max(map(len, re.findall(r"\w+", plain(page)))) <= 2_000


def test_every_cut_says_so(monster: toolkit.RecordView) -> None:
    page = plain(monster._repr_html_())
    for said in ("3,000 entries", "the 15 latest", "array of 5,000", "8,950 more not shown", "10,000 characters"):
        assert said in re.sub(r"\s+", " ", page)
    assert len(monster.history) == 3_000


@given(st.text(max_size=300))
def test_a_name_stays_on_its_line_and_shows_every_sign(text: str) -> None:
    line = folding.one_line(text, 200)
    assert line.isprintable()


@given(JSON)
def test_a_tree_never_has_more_branches_than_it_may(value: Any) -> None:
    def count(branch: folding.Branch) -> int:
        return 1 + sum(map(count, branch.branches))

    assert count(folding.fold("x", value, 20)) <= 21


@pytest.mark.parametrize("text", ["null", "[1, 2]", '"text"', '{"history": {"a": 1}, "fields": 3}', "no JSON"])
def test_documents_of_any_kind_have_a_page(text: str) -> None:
    service = toolkit.connect(":memory:", create=True)
    service.create_record("nightly", "email_001")
    with service.database.write() as connection:
        connection.execute(sa.text("UPDATE workflow_records SET data = :text"), {"text": text})
    if text == "no JSON":
        with pytest.warns(toolkit.DataWarning):
            view = service.view_record("nightly", "email_001")
    else:
        view = service.view_record("nightly", "email_001")
    assert "email_001" in repr(view)
    assert "email_001" in view._repr_html_()


def test_a_page_is_read_in_one_snapshot_with_few_statements(story: toolkit.Workflow) -> None:
    with story.service.trace() as trace:
        view = story.record("email_007")
        repr(view), view._repr_html_(), view.siblings()
    asked = [one for one in trace.statements if one.text != "BEGIN"]
    assert len(trace.statements) - len(asked) == 1
    assert len(asked) <= 7
