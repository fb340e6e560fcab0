"""Writing an edited frame back: only what was touched, and never over what somebody else wrote."""

from __future__ import annotations

import copy
import datetime as dt
import io
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import toolkit
from tests.changing import rows
from toolkit import states
from toolkit.changes import same
from toolkit.model import NULL

Service = toolkit.UnifiedDataService

RECORDS: list[dict[str, Any]] = [
    {
        "record_id": "a_1",
        "fields.n": 1,
        "fields.price": 1.5,
        "fields.zip": "007",
        "vars.label": "old",
        "fields.on": True,
    },
    {"record_id": "a_2", "fields.n": 2, "fields.tags": ["x", {"y": 1}], "status": "failed", "error_message": "timeout"},
    {
        "record_id": "a_3",
        "fields.n": 2**70,
        "vars.db.password": "FAKE-not-real",
        "fields.note": "say password=FAKE-2x9",
    },
    {"record_id": "a_4", "fields.zip": "12", "data.extra": None, "retry_count": 2},
    *({"record_id": f"z_{n}"} for n in range(6)),
]


@pytest.fixture
def filled(service: Service, workflow_id: str) -> str:
    """The id of a workflow of ten records."""
    service.create_records(workflow_id, RECORDS)
    return workflow_id


def read(service: Service, workflow_id: str, **options: Any) -> pd.DataFrame:
    frame: pd.DataFrame = service.query_records(workflow_id, **options)
    return frame


def documents(service: Service, workflow_id: str) -> dict[str, Any]:
    frame = service.query_records(workflow_id, flatten=False, reveal=True)
    return dict(zip(frame["record_id"], frame["data"], strict=True))


def test_a_frame_that_was_not_edited_changes_nothing(service: Service, filled: str) -> None:
    before = rows(service)
    for options in ({}, {"columns": "all"}, {"columns": ["record_id", "fields"]}, {"reveal": True}):
        frame = read(service, filled, **options)
        plan = service.plan_update(filled, frame)
        assert (plan.records, plan.columns, plan.conflicts, plan.sample) == (0, {}, {}, ())
        assert service.plan_update(filled, frame.copy(), before=frame).records == 0
        assert plan.apply().total == 0
    assert rows(service) == before
    assert len(service.changes()) == 0


def test_only_touched_cells_are_written_and_come_back(service: Service, filled: str) -> None:
    before, old = rows(service), documents(service, filled)
    frame = read(service, filled)
    frame.loc[frame["record_id"] == "a_1", "fields.n"] = 7
    frame.loc[frame["record_id"] == "a_2", "status"] = "discovered"
    frame["vars.batch"] = frame["record_id"].map({"a_3": "night"})
    plan = service.plan_update(filled, frame)
    assert (plan.records, plan.columns) == (3, {"fields.n": 1, "status": 1, "vars.batch": 1})
    assert set(plan.record_ids) == {"a_1", "a_2", "a_3"}
    assert {(cell["record_id"], cell["column"], cell["old"], cell["new"]) for cell in plan.sample} == {
        ("a_1", "fields.n", 1, 7),
        ("a_2", "status", "failed", "discovered"),
        ("a_3", "vars.batch", None, "night"),
    }
    assert rows(service) == before
    receipt = plan.apply(reason="a fix")
    assert (receipt.kind, receipt.records, receipt.variables, receipt.skipped) == ("update", 3, 0, ())
    new = documents(service, filled)
    assert new["a_1"] == {**old["a_1"], "fields": {**old["a_1"]["fields"], "n": 7}}
    assert new["a_2"] == old["a_2"]
    assert new["a_3"] == {**old["a_3"], "vars": {**old["a_3"]["vars"], "batch": "night"}}
    assert new["a_4"] == old["a_4"]
    change = service.changes(filled).iloc[0]
    assert (change["kind"], change["reason"], change["records"]) == ("update", "a fix", 3)
    assert receipt.undo().differs == ()
    assert rows(service) == before


def test_an_applied_plan_is_applied_once(service: Service, filled: str) -> None:
    frame = read(service, filled).assign(**{"vars.x": "y"})
    plan = service.plan_update(filled, frame)
    with pytest.raises(toolkit.ExpectationFailed, match=r"takes everything in the workflow; .*add expect=10"):
        plan.apply()
    receipt = plan.apply(expect=10)
    written = rows(service)
    with pytest.raises(toolkit.AlreadyDone) as caught:
        plan.apply(expect=10)
    assert vars(caught.value)["receipt"] == receipt
    assert rows(service) == written


def test_a_blank_leaves_alone_null_sets_null_and_drop_removes(service: Service, filled: str) -> None:
    frame = read(service, filled)
    frame.loc[frame["record_id"] == "a_1", ["vars.label", "fields.zip"]] = pd.NA
    frame.loc[frame["record_id"] == "a_2", "error_message"] = NULL
    frame.loc[frame["record_id"] == "a_4", "fields.zip"] = NULL
    plan = service.plan_update(filled, frame, drop=["fields.tags", "vars.nothing"])
    assert plan.columns == {"error_message": 1, "fields.tags": 1, "fields.zip": 1}
    plan.apply()
    found = documents(service, filled)
    assert found["a_1"]["vars"] == {"label": "old"}
    assert found["a_2"]["fields"] == {"n": 2}
    assert found["a_4"]["fields"] == {"zip": None}
    assert service.get_record(filled, "a_2")["error_message"] is None  # type: ignore[index]
    with pytest.raises(toolkit.InvalidPath, match="would remove a whole part"):
        service.plan_update(filled, read(service, filled), drop=["fields"])


def test_a_row_that_changed_since_the_read_is_a_conflict(service: Service, filled: str) -> None:
    frame = read(service, filled)
    plain = service.query_records(filled)
    service.update_record(filled, "a_1", {"vars.theirs": 1})
    service.delete_record(filled, "a_2")
    edited = frame.assign(**{"fields.note": frame["record_id"].map({"a_1": "x", "a_2": "x", "a_4": "x"})})
    without = edited.copy()
    without.attrs.clear()
    for given, before in ((edited, None), (without, frame), (without, plain)):
        plan = service.plan_update(filled, given, before=before)
        assert plan.conflicts == {"a_1": "changed since it was read", "a_2": "is not there any more"}
        assert plan.record_ids == ("a_4",)
    now = rows(service)
    with pytest.raises(toolkit.StalePlan, match="2 conflicts: 'a_1' changed since it was read, 'a_2' is not there"):
        plan.apply()
    assert rows(service) == now
    receipt = plan.apply(on_change="skip")
    assert (receipt.records, set(receipt.skipped)) == (1, {"a_1", "a_2"})
    assert documents(service, filled)["a_1"]["vars"] == {"label": "old", "theirs": 1}


def test_a_row_that_changed_after_the_plan_makes_it_stale(service: Service, filled: str) -> None:
    frame = read(service, filled)
    plan = service.plan_update(filled, frame.assign(**{"vars.x": frame["record_id"].map({"a_1": 1, "a_4": 1})}))
    service.update_record(filled, "a_1", {"status": "processing"})
    now = rows(service)
    with pytest.raises(toolkit.StalePlan, match=r"1 row changed \(record 'a_1'\); nothing was touched"):
        plan.apply()
    assert rows(service) == now
    assert plan.apply(on_change="skip").skipped == ("a_1",)
    assert documents(service, filled)["a_4"]["vars"] == {"x": 1}


def test_a_writer_that_began_earlier_and_committed_later_is_noticed(
    service: Service, filled: str, database_url: str
) -> None:
    frame = read(service, filled)
    with toolkit.connect(database_url) as other:
        table = other.database.tables.records
        stamp = sa.select(table.c.updated_at).where(table.c.record_id == "a_1").scalar_subquery()
        with other.database.write() as connection:
            # Its time is that of before the read, or stays as it was where nothing moves it.
            change = sa.update(table).where(table.c.record_id == "a_1").values(error_message="late", updated_at=stamp)
            connection.execute(change)
    plan = service.plan_update(filled, frame.assign(**{"vars.x": frame["record_id"].map({"a_1": 1})}))
    assert plan.conflicts == {"a_1": "changed since it was read"}


def test_masks_are_left_alone_where_they_were_read_and_refused_elsewhere(service: Service, filled: str) -> None:
    frame = read(service, filled)
    assert (frame == "[hidden]").any().any()
    old = documents(service, filled)
    moved = frame.assign(**{"fields.zip": frame["vars.db.password"]})
    with pytest.raises(toolkit.HiddenValue, match=r"record 'a_3', column 'fields.zip' holds \[hidden\]"):
        service.plan_update(filled, moved)
    edited = frame.assign(**{"vars.x": frame["record_id"].map({"a_3": 1})})
    service.plan_update(filled, edited).apply()
    assert documents(service, filled)["a_3"]["vars"] == {**old["a_3"]["vars"], "x": 1}
    plain = read(service, filled, reveal=True)
    plain.loc[plain["record_id"] == "a_3", "vars.db.password"] = "FAKE-new"
    plan = service.plan_update(filled, plain)
    assert plan.columns == {"vars.db.password": 1}
    assert "FAKE" not in repr(plan) + repr(plan.sample) + plan._repr_html_()


def test_keys_and_times_are_never_written(service: Service, filled: str) -> None:
    frame = read(service, filled)
    frame["updated_at"] = frame["updated_at"].where(frame["record_id"] != "a_1", pd.Timestamp("2020-01-01", tz="UTC"))
    with pytest.raises(toolkit.InvalidOption, match="record 'a_1', column 'updated_at' was changed"):
        service.plan_update(filled, frame)
    whole = read(service, filled).assign(workflow_id=filled)
    assert service.plan_update(filled, whole).records == 0
    with pytest.raises(toolkit.InvalidOption, match="rows of other workflows"):
        service.plan_update(filled, whole.assign(workflow_id="other"))
    renamed = read(service, filled).replace({"record_id": {"a_1": "a_9"}})
    renamed["vars.x"] = 1
    assert service.plan_update(filled, renamed).conflicts["a_9"] == "is not there any more"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda frame: frame.assign(team="red"), toolkit.InvalidPath, "'team' is no column and no path"),
        (lambda frame: frame.drop(columns="record_id"), toolkit.InvalidOption, "no column record_id"),
        (lambda frame: pd.concat([frame, frame]), toolkit.InvalidOption, "more than one row of record 'a_1'"),
        (lambda frame: frame.assign(data="x"), toolkit.InvalidOption, "whole documents"),
        (lambda frame: frame.assign(record_id=1), toolkit.InvalidOption, "record_id of frame is not all text"),
        (lambda frame: frame.assign(status="x" * 51), toolkit.InvalidValue, "status of record 'a_1'.* 50 characters"),
        (lambda frame: frame.assign(record_type=NULL), toolkit.InvalidValue, "cannot be null"),
        (lambda frame: frame.assign(**{"fields.n.x": 1}), toolkit.InvalidPath, "lies below 'n', which holds a value"),
        (lambda frame: frame.assign(**{"vars.at": pd.Timestamp("2026-01-01")}), toolkit.InvalidValue, "isoformat"),
        (lambda frame: frame.to_dict(), toolkit.InvalidOption, "is a DataFrame"),
    ],
)
def test_a_frame_that_cannot_be_meant_is_refused(
    service: Service, filled: str, change: Callable[[pd.DataFrame], Any], error: type[Exception], message: str
) -> None:
    before = rows(service)
    frame = read(service, filled)
    changed = change(frame)
    with pytest.raises(error, match=message):
        service.plan_update(filled, changed, before=frame)
    assert rows(service) == before


def test_what_pandas_does_to_a_frame_works_or_is_refused(service: Service, filled: str, tmp_path: Any) -> None:
    frame = read(service, filled, columns=["record_id", "status", "fields.on"])
    edited = frame.assign(**{"vars.x": frame["record_id"].map({"a_1": "new"})})
    for made in (
        edited.sort_values("record_id", ascending=False),
        edited.query("record_id.str.startswith('a')"),
        edited.set_index("record_id"),
        edited.head(3),
        copy.deepcopy(edited),
    ):
        assert service.plan_update(filled, made).columns == {"vars.x": 1}
    other = pd.DataFrame({"record_id": ["a_1", "a_2"], "vars.x": ["new", None]})
    merged = frame.merge(other, on="record_id", how="left")
    merged.attrs.clear()
    text = edited.to_csv(index=False)
    edited.to_parquet(tmp_path / "edited.parquet")
    for lost in (merged, pd.read_csv(io.StringIO(text)), pd.read_parquet(tmp_path / "edited.parquet")):
        with pytest.raises(toolkit.InvalidOption, match=r"does not know any more .*pass before="):
            service.plan_update(filled, lost)
        assert service.plan_update(filled, lost, before=frame).columns["vars.x"] == 1


def test_a_file_of_text_that_lost_types_is_refused(service: Service, filled: str) -> None:
    frame = read(service, filled)
    back = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    with pytest.raises(toolkit.InvalidOption, match=r"the same as before in another type .*dtype="):
        service.plan_update(filled, back, before=frame)
    safe = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype={"fields.zip": str})
    safe = safe.drop(columns=["fields.tags", "fields.n"])
    assert service.plan_update(filled, safe, before=frame).records == 0


def test_numbers_keep_their_kind(service: Service, filled: str) -> None:
    frame = read(service, filled)
    frame["fields.price"] = [2.5, *[None] * 9]
    frame.loc[frame["record_id"] == "a_2", "fields.n"] = 5
    frame["retry_count"] = frame["retry_count"].astype("float64").where(frame["record_id"] != "a_4", 3.0)
    service.plan_update(filled, frame).apply()
    found = documents(service, filled)
    assert (found["a_1"]["fields"]["price"], found["a_2"]["fields"]["n"]) == (2.5, 5)
    assert type(found["a_2"]["fields"]["n"]) is int
    assert found["a_3"]["fields"]["n"] == 2**70
    assert service.get_record(filled, "a_4")["retry_count"] == 3  # type: ignore[index]


def test_equality_is_that_of_json_and_of_frames() -> None:
    assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same({"a": 1}, {"a": 1, "b": None})
    assert not same([True], [1])
    assert not same("1", 1)
    assert not same(None, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def test_the_number_of_statements_does_not_grow_with_the_rows(service: Service, new_workflow: Any) -> None:
    sent: list[list[int]] = []
    for number in (3, 60):
        workflow_id = new_workflow(f"many {number}")
        service.create_records(workflow_id, [{"record_id": f"a_{n}"} for n in range(number)])
        frame = read(service, workflow_id).assign(**{"vars.x": 1})
        counts = []
        for step in _steps(service, workflow_id, frame, number):
            with service.trace() as trace:
                step()
            counts.append(len(trace))
        sent.append(counts)
    assert sent[0] == sent[1]


def _steps(service: Service, workflow_id: str, frame: pd.DataFrame, number: int) -> Iterator[Callable[[], Any]]:
    plan = service.plan_update(workflow_id, frame)
    yield lambda: service.plan_update(workflow_id, frame)
    yield lambda: plan.apply(expect=number)
    yield lambda: service.undo_last(workflow_id)
    clear = service.plan_clear(workflow_id, everything=True)
    yield lambda: service.plan_clear(workflow_id, everything=True)
    yield lambda: clear.apply(expect=number)
    yield lambda: service.undo_last(workflow_id)


def test_a_read_state_is_moved_by_every_column(service: Service, filled: str) -> None:
    table = service.database.tables.records
    reads: list[dict[str, Any]] = [{}, {"columns": "all"}, {"columns": ["record_id", "fields.n"]}, {"limit": 3}]
    for number, options in enumerate(reads):
        texts = dict.fromkeys(("status", "error_message", "record_type", "iteration_node_alias"), f"'{number}'")
        seen = {state_of(service, filled, **options)}
        for name, text in {**texts, "retry_count": f"{number + 5}", "data": f"'[{number}]'"}.items():
            assert state_of(service, filled, **options) in seen
            with service.database.write() as connection:
                connection.execute(sa.update(table).values({name: sa.text(text)}))
            seen.add(state_of(service, filled, **options))
        assert len(seen) == len(texts) + 3, options
        assert all(isinstance(each, int) and -(2**63) <= each < 2**63 for each in seen)


def state_of(service: Service, workflow_id: str, **options: Any) -> int:
    state = states.recall(service.query_records(workflow_id, **options))
    assert state is not None
    return state.by_name()["a_1"]


def test_the_history_is_part_of_the_state_of_a_read_that_leaves_it_out(service: Service, filled: str) -> None:
    frame = service.query_records(filled)
    assert "history" not in frame
    service.update_record(filled, "a_1", {"history[+]": {"action": "looked at"}})
    with service.database.write() as connection:
        connection.execute(sa.text("UPDATE workflow_records SET updated_at = created_at"))
    plan = service.plan_update(filled, frame.assign(**{"vars.x": frame["record_id"].map({"a_1": 1})}))
    assert plan.conflicts == {"a_1": "changed since it was read"}


def test_many_records_of_chosen_columns_remember_which_version_was_read(service: Service, new_workflow: Any) -> None:
    workflow_id = new_workflow("many")
    service.create_records(workflow_id, [{"record_id": f"a_{n}", "fields.n": n} for n in range(2_500)])
    frame = service.query_records(workflow_id, columns=["record_id", "fields.n"])
    service.update_record(workflow_id, "a_1", {"status": "failed"})
    service.delete_record(workflow_id, "a_2").undo()
    edited = frame.assign(**{"vars.x": frame["record_id"].map({"a_1": 1, "a_2": 1, "a_3": 1})})
    plan = service.plan_update(workflow_id, edited)
    assert plan.conflicts["a_1"] == "changed since it was read"
    # Where a row was only written and put back, it is safe to say so, too.
    assert set(plan.conflicts) <= {"a_1", "a_2"}
    assert "a_3" in plan.record_ids


def test_every_read_that_can_be_written_back_remembers_its_states(service: Service, new_workflow: Any) -> None:
    workflow_id = new_workflow("many")
    service.create_records(workflow_id, [{"record_id": f"a_{n}", "fields.n": n} for n in range(2_500)])
    wf = service.workflow(workflow_id)
    frames = [
        service.query_records(workflow_id),
        service.query_records(workflow_id, limit=10),
        service.query_records(workflow_id, columns=["status", "fields.n"]),
        service.query_records(workflow_id, reveal=True, dtype_backend="pyarrow"),
        service.get_records_by_ids(workflow_id, ["a_7", "a_1"]),
        wf.records("a_1*"),
    ]
    with service.query_records(workflow_id, chunksize=1_000) as chunks:
        frames += list(chunks)
    service.update_record(workflow_id, "a_1", {"vars.theirs": 1})
    for frame in frames:
        state = states.recall(frame)
        assert state is not None
        assert sorted(state.by_name()) == sorted(frame["record_id"] if "record_id" in frame else state.by_name())
        if "record_id" in frame:
            plan = service.plan_update(workflow_id, frame.assign(**{"vars.x": 1}))
            there = "a_1" in set(frame["record_id"])
            assert plan.conflicts == ({"a_1": "changed since it was read"} if there else {})
            assert plan.records == len(frame) - there
    several = service.query_records([workflow_id, "*"] if workflow_id == "many" else [workflow_id])
    assert states.recall(several) is None
    assert states.recall(service.query_records(workflow_id, flatten=False)) is None
    assert service.query_records(workflow_id, as_arrow=True, limit=1).column_names[0] == "record_id"


def test_a_mistake_is_taken_back_and_the_same_frame_is_edited_again(service: Service, filled: str) -> None:
    """What undo brings back is as it was read."""
    frame = service.query_records(filled, columns=["record_id", "fields.n"])
    before = rows(service)
    wrong = frame.assign(**{"vars.x": frame["record_id"].map({"a_1": "wrong", "a_2": "wrong"})})
    service.plan_update(filled, wrong).apply().undo()
    service.plan_clear(filled, ids=["a_2"]).apply().undo()
    assert rows(service) == before
    right = frame.assign(**{"vars.x": frame["record_id"].map({"a_1": "right", "a_2": "right"})})
    plan = service.plan_update(filled, right)
    assert (plan.conflicts, plan.records) == ({}, 2)


def test_a_row_whose_id_is_masked_is_left_alone_and_not_edited(service: Service, filled: str) -> None:
    secret = "FAKE-token-12345678"
    service.create_records(filled, [{"record_id": f"url?access_token={secret}{n}", "fields.n": n} for n in range(2)])
    frame = read(service, filled)
    masked = frame["record_id"].str.contains("[hidden]", regex=False)
    assert masked.sum() == 2
    plan = service.plan_update(filled, frame.assign(**{"vars.x": frame["record_id"].map({"a_1": 1})}))
    assert (plan.records, plan.conflicts) == (1, {})
    assert service.plan_update(filled, frame.assign(**{"fields.n": 1}).loc[~masked]).records > 0
    for before in (None, frame):
        with pytest.raises(toolkit.HiddenValue, match=r"masked id, .* read the frame with reveal=True") as caught:
            service.plan_update(filled, frame.assign(**{"vars.x": 1}), before=before)
        assert secret not in str(caught.value)
    plain = read(service, filled, reveal=True)
    assert service.plan_update(filled, plain.assign(**{"vars.x": 1})).records == len(plain)


def test_what_a_plan_says_of_its_rows_shows_no_secret(service: Service, filled: str) -> None:
    secret = "FAKE-token-12345678"
    name = f"url?access_token={secret}"
    service.create_records(filled, [{"record_id": name, "fields.n": 1}])
    frame = read(service, filled, reveal=True)
    edited = frame.assign(**{"vars.x": frame["record_id"].map({name: 1, "a_1": 1})})
    stale = service.plan_update(filled, edited)
    service.update_record(filled, name, {"vars.theirs": 1})
    plan = service.plan_update(filled, edited)
    assert list(plan.conflicts.values()) == ["changed since it was read"]
    said = [repr(plan), plan._repr_html_(), repr(plan.conflicts), repr(stale), repr(stale.sample)]
    for each in (plan, stale):
        with pytest.raises(toolkit.StalePlan) as caught:
            each.apply()
        said.append(str(caught.value))
    receipt = stale.apply(on_change="skip")
    said += [repr(receipt), str(receipt), str(receipt.to_dict())]
    with pytest.raises(toolkit.InvalidPath) as bad:
        service.plan_update(filled, edited.assign(**{"fields.n.x": 1}))
    said.append(str(bad.value))
    assert len(receipt.skipped) == 1
    assert secret not in "".join(said)
    assert "[hidden]" in "".join(said)
