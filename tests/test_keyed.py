"""One row in brackets, and its name completed: `wf.records["email_001"]`."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import toolkit
from toolkit.service import keyed

SHAPED = "AKIAFAKE0001FAKEFAKE"
KNOWN = "Canary0001Qx-9"


@pytest.fixture
def wf(service: toolkit.UnifiedDataService, workflow_id: str) -> toolkit.Workflow:
    rows = [{"record_id": name, "vars.api_token": "FAKE-0001"} for name in ("email_001", "email_002", "temp:7", "a,b*")]
    service.create_records(workflow_id, [*rows, {"record_id": f"a_{SHAPED}"}, {"record_id": f"b_{KNOWN}"}])
    values = {"api_token": KNOWN, "total": 0, "node4.result": "x", "all": [1], SHAPED: 1}
    service.set_variables(workflow_id, values)
    return service.workflow(workflow_id)


def completed(wf: toolkit.Workflow, typed: str) -> list[str]:
    """Return what IPython itself offers after some text."""
    completer = InteractiveShell().Completer  # type: ignore[no-untyped-call]
    completer.namespace = {"wf": wf}
    with provisionalcompleter():
        return sorted(found.text for found in completer.completions(typed, len(typed)))


def test_brackets_read_one_row_as_the_calls_for_one_do(wf: toolkit.Workflow) -> None:
    assert wf.records["email_001"] == wf.service.get_record(wf.id, "email_001")
    assert wf.records["email_001"]["data"]["vars"]["api_token"] == "[hidden]"
    assert wf.records["a,b*"]["record_id"] == "a,b*"
    assert wf.variables["total"] == 0
    assert isinstance(wf.variables["api_token"], toolkit.Secret)
    assert wf.variables["all"] == [1]


@pytest.mark.parametrize("name", ["email_01", "temp:8", ""])
def test_a_name_that_is_not_there_is_a_key_error(wf: toolkit.Workflow, name: str) -> None:
    with pytest.raises(KeyError) as caught:
        wf.records[name]
    assert isinstance(caught.value, toolkit.RecordNotFound)
    assert ("did you mean" in str(caught.value)) == bool(name)


def test_near_names_are_told_without_secrets(wf: toolkit.Workflow) -> None:
    with pytest.raises(toolkit.VariableNotFound, match=r"no variable 'totl'; did you mean 'total'\?"):
        wf.variables["totl"]
    for read, name in ((wf.variables, SHAPED[:-1]), (wf.records, f"a_{SHAPED[:-1]}"), (wf.records, f"b_{KNOWN[:-2]}")):
        with pytest.raises(KeyError, match=r"\[hidden\]") as caught:
            read[name]
        assert not any(secret in str(caught.value) for secret in (SHAPED, KNOWN))
    with pytest.raises(toolkit.InvalidOption):
        wf.records[3]  # type: ignore[index]


def test_names_that_hide_something_are_not_completed(wf: toolkit.Workflow) -> None:
    assert wf.records._ipython_key_completions_() == ["a,b*", "email_001", "email_002", "temp:7"]
    assert wf.variables._ipython_key_completions_() == ["all", "api_token", "node4.result", "total"]


def test_the_call_stays_what_it_was(wf: toolkit.Workflow) -> None:
    for name, call in (("records", "query_records"), ("variables", "get_all_variables")):
        signature = inspect.signature(getattr(toolkit.UnifiedDataService, call))
        bound = getattr(wf, name)
        assert list(inspect.signature(bound).parameters) == list(signature.parameters)[2:]
        assert "with the id of this workflow" in bound.__doc__
        assert getattr(toolkit.Workflow, name).__doc__ == bound.__doc__
        assert name in repr(bound)
        for wrong in (iter, list):
            with pytest.raises(TypeError):
                wrong(bound)
        with pytest.raises(TypeError):
            assert "x" in bound


def small() -> toolkit.Workflow:
    service = toolkit.connect(":memory:", create=True)
    service.create_records("nightly", [{"record_id": f"email_{n:03}"} for n in range(30)])
    service.set_variables("nightly", {"api_url": "https://example.test", "apples": 3})
    return service.workflow("nightly")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [('wf.variables["ap', ["api_url", "apples"]), ("wf.variables['api", ["api_url"]), ('wf.records["email_02', None)],
)
def test_ipython_completes_in_brackets(typed: str, offered: list[str] | None) -> None:
    wanted = [f"email_02{n}" for n in range(10)] if offered is None else offered
    found = completed(small(), typed)
    assert [next((name for name in wanted if name in text), text) for text in found] == wanted


def test_one_listing_asks_the_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wf, now = small(), [100.0]
    monkeypatch.setattr("toolkit.service.keyed.time.monotonic", lambda: now[0])
    with wf.service.trace() as trace:
        for _ in "email":
            assert len(wf.records._ipython_key_completions_()) == 30
    # The names, and the variables that tell what is secret.
    assert len([one for one in trace.statements if one.text != "BEGIN"]) == 2
    wf.create_record("new_1")
    now[0] += keyed.REMEMBERED + 1
    assert "new_1" in wf.records._ipython_key_completions_()


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "COMPLETED", 7)
    assert small().records._ipython_key_completions_() == [f"email_{n:03}" for n in range(7)]


def test_completion_never_fails_while_somebody_types() -> None:
    wf = small()
    wf.service.database.close()
    assert wf.records._ipython_key_completions_() == []


def test_names_come_in_the_order_of_code_points(
    service: toolkit.UnifiedDataService, new_workflow: Callable[[str], str]
) -> None:
    one, other = new_workflow("one"), new_workflow("other")
    for name in ("b", "B", "a_1", "a1", "ä", "_"):
        service.create_record(one, name)
    service.create_record(other, "c")
    assert service.records.names(one) == sorted(["b", "B", "a_1", "a1", "ä", "_"])
    assert service.records.names(one, limit=2) == ["B", "_"]
