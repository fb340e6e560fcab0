"""The cached service: what it remembers, for how long, and what makes it forget."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit.cache import CachedDataService

FAKE = "FAKE-not-a-real-value"


class Clock:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cached(service: toolkit.UnifiedDataService, clock: Clock) -> CachedDataService:
    return CachedDataService(service.database, service.masking, ttl=60, maxsize=3, timer=clock)


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[toolkit.UnifiedDataService]:
    """Somebody else, who writes past the cache."""
    with toolkit.connect(database_url) as other:
        yield other


def reads(cached: CachedDataService, call: Callable[[], Any]) -> tuple[Any, bool]:
    """Make a call, and say whether the database was asked."""
    with cached.trace() as trace:
        answer = call()
    return answer, len(trace) > 0


def test_a_value_is_read_once(cached: CachedDataService, workflow_id: str) -> None:
    cached.set_variable(workflow_id, "total", {"a": [1]})
    assert reads(cached, lambda: cached.get_variable(workflow_id, "total")) == ({"a": [1]}, True)
    assert reads(cached, lambda: cached.get_variable(workflow_id, "total")) == ({"a": [1]}, False)


def test_what_others_wrote_is_seen_when_the_time_is_over(
    cached: CachedDataService, elsewhere: toolkit.UnifiedDataService, clock: Clock, workflow_id: str
) -> None:
    cached.set_variable(workflow_id, "total", 1)
    assert cached.get_variable(workflow_id, "total") == 1
    elsewhere.set_variable(workflow_id, "total", 2)
    clock.now = 59
    assert cached.get_variable(workflow_id, "total") == 1
    clock.now = 61
    assert cached.get_variable(workflow_id, "total") == 2


def test_an_invalidated_value_is_read_again_and_no_other(
    cached: CachedDataService, elsewhere: toolkit.UnifiedDataService, new_workflow: Callable[[str], str]
) -> None:
    one, two = new_workflow("one"), new_workflow("two")
    names = [(one, "a"), (one, "b"), (two, "a")]
    forgotten: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"workflow_id": one, "key": "a"}, names[:1]),
        ({"workflow_id": one}, names[:2]),
        ({"key": "a"}, [names[0], names[2]]),
        ({}, names),
    ]
    for number, (given_, expected) in enumerate(forgotten):
        for name in names:
            cached.set_variable(*name, f"old {number}")
        for name in names:
            assert cached.get_variable(*name) == f"old {number}"
        for name in names:
            elsewhere.set_variable(*name, "new")
        cached.invalidate_cache(**given_)
        assert [name for name in names if cached.get_variable(*name) == "new"] == expected


WRITES: dict[str, Callable[[toolkit.UnifiedDataService, str], Any]] = {
    "set_variable": lambda service, workflow: service.set_variable(workflow, "a", 2),
    "set_variables": lambda service, workflow: service.set_variables(workflow, {"a": 2}),
    "storage": lambda service, workflow: service.variables.create(workflow, "a", 2),
    "delete_variable": lambda service, workflow: service.delete_variable(workflow, "a"),
    "clear_all_variables": lambda service, workflow: service.clear_all_variables(workflow),
    "clear_data": lambda service, workflow: service.clear_data(workflow, "variables", expect=1),
    "plan": lambda service, workflow: service.plan_clear(workflow, "a").apply(expect=1),
    "bound": lambda service, workflow: service.workflow(workflow).set("a", 2),
}


@pytest.mark.parametrize("name", WRITES)
def test_every_write_is_seen_at_once_and_so_is_its_undo(cached: CachedDataService, workflow_id: str, name: str) -> None:
    cached.set_variable(workflow_id, "a", 1)
    assert cached.get_variable(workflow_id, "a", "gone") == 1
    done = WRITES[name](cached, workflow_id)
    now = cached.get_variable(workflow_id, "a", "gone")
    assert now == cached.variables.read(workflow_id, "a", "gone") != 1
    if now == "gone":
        cached.undo(done["receipt"] if isinstance(done, dict) else done)
        assert cached.get_variable(workflow_id, "a", "gone") == 1


def test_a_write_through_another_service_on_the_same_database_is_seen(
    service: toolkit.UnifiedDataService, cached: CachedDataService, workflow_id: str
) -> None:
    assert cached.get_variable(workflow_id, "a", "none yet") == "none yet"
    service.set_variable(workflow_id, "a", 1)
    assert cached.get_variable(workflow_id, "a", "none yet") == 1


def test_an_import_is_seen(tmp_path: Any) -> None:
    (tmp_path / "1.xml").write_text('<testsuite name="s"><testcase classname="C" name="t"/></testsuite>')
    with CachedDataService.connect(":memory:", create=True) as cached:
        cached.import_junit(tmp_path / "1.xml", run="r", started_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        key = cached.get_all_variables("r")["key"][0]
        before = cached.get_variable("r", key)
        cached.import_junit(
            tmp_path / "1.xml", run="r", started_at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), replace=True
        )
        assert cached.get_variable("r", key) == cached.variables.read("r", key) != before


def test_a_write_that_failed_forgets_too(cached: CachedDataService, workflow_id: str) -> None:
    cached.set_variable(workflow_id, "a", 1)
    cached.get_variable(workflow_id, "a")
    before = cached.database.writes
    with pytest.raises(LookupError), cached.database.write():
        raise LookupError
    assert cached.database.writes == before + 1
    assert reads(cached, lambda: cached.get_variable(workflow_id, "a")) == (1, True)


def test_what_a_caller_changes_stays_with_the_caller(cached: CachedDataService, workflow_id: str) -> None:
    cached.set_variables(workflow_id, {"todo": ["a"], "api_tokens": {"first": FAKE}})
    for _ in range(2):
        todo: Any = cached.get_variable(workflow_id, "todo")
        assert todo == ["a"]
        todo.append("b")
        secret = cached.get_variable(workflow_id, "api_tokens")
        assert isinstance(secret, toolkit.Secret)
        assert secret.reveal() == {"first": FAKE}
        secret.reveal()["first"] = "changed"


def test_masked_and_real_values_are_two_answers(cached: CachedDataService, workflow_id: str) -> None:
    cached.set_variables(workflow_id, {"api_token": FAKE, "login": {"password": FAKE, "user": "ann"}})
    for _ in range(2):
        assert isinstance(cached.get_variable(workflow_id, "api_token"), toolkit.Secret)
        assert cached.get_variable(workflow_id, "api_token", reveal=True) == FAKE
        assert cached.get_variable(workflow_id, "login") == {"password": "[hidden]", "user": "ann"}
        cached.invalidate_cache(workflow_id, "nothing")


def test_a_missing_variable_is_remembered_without_its_default(cached: CachedDataService, workflow_id: str) -> None:
    assert cached.get_variable(workflow_id, "x", default=1) == 1
    assert reads(cached, lambda: cached.get_variable(workflow_id, "x", default=2)) == (2, False)
    cached.set_variable(workflow_id, "x", None)
    for _ in range(2):
        assert cached.get_variable(workflow_id, "x", default=1) is None


def test_it_is_bounded(cached: CachedDataService, workflow_id: str) -> None:
    for key in "abcd":
        cached.get_variable(workflow_id, key)
    asked = {}
    for key in "bcda":
        with cached.trace() as trace:
            cached.get_variable(workflow_id, key)
        asked[key] = len(trace) > 0
    assert asked == {"b": False, "c": False, "d": False, "a": True}


def test_a_transaction_is_not_answered_from_memory_and_leaves_nothing_there(
    cached: CachedDataService, elsewhere: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    cached.set_variable(workflow_id, "a", 1)
    assert cached.get_variable(workflow_id, "a") == 1
    with cached.database.write():
        cached.set_variable(workflow_id, "a", 2)
        assert cached.get_variable(workflow_id, "a") == 2
        cached.set_variable(workflow_id, "a", 1)
    cached.invalidate_cache()
    with cached.database.read():
        assert cached.get_variable(workflow_id, "a") == 1
    elsewhere.set_variable(workflow_id, "a", 3)
    assert cached.get_variable(workflow_id, "a") == 3


def test_what_was_read_before_a_write_ended_is_not_remembered(
    cached: CachedDataService, workflow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.set_variable(workflow_id, "a", 1)
    read = cached.variables.read

    def slow(*args: Any, **options: Any) -> Any:
        value = read(*args, **options)
        writer = threading.Thread(target=cached.set_variable, args=(workflow_id, "a", 2))
        writer.start()
        writer.join()
        return value

    monkeypatch.setattr(cached.variables, "read", slow)
    assert cached.get_variable(workflow_id, "a") == 1
    monkeypatch.undo()
    assert cached.get_variable(workflow_id, "a") == 2


def test_what_was_read_before_it_was_invalidated_is_not_remembered(
    cached: CachedDataService,
    elsewhere: toolkit.UnifiedDataService,
    workflow_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached.set_variable(workflow_id, "a", 1)
    read = cached.variables.read

    def slow(*args: Any, **options: Any) -> Any:
        value = read(*args, **options)
        elsewhere.set_variable(workflow_id, "a", 2)
        cached.invalidate_cache(workflow_id)
        return value

    monkeypatch.setattr(cached.variables, "read", slow)
    assert cached.get_variable(workflow_id, "a") == 1
    monkeypatch.undo()
    assert cached.get_variable(workflow_id, "a") == 2


def test_threads_that_read_and_write_never_see_less_than_was_written(
    cached: CachedDataService, workflow_id: str
) -> None:
    cached.set_variable(workflow_id, "count", 0)
    done, wrong = 0, []

    def write() -> None:
        nonlocal done
        for number in range(1, 31):
            cached.set_variable(workflow_id, "count", number)
            done = number

    def read() -> None:
        while done < 30:
            least = done
            seen: Any = cached.get_variable(workflow_id, "count")
            if seen < least:
                wrong.append((seen, least))

    threads = [threading.Thread(target=target) for target in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cached.get_variable(workflow_id, "count") == 30


def test_the_key_all_is_not_remembered(
    cached: CachedDataService, elsewhere: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    cached.set_variable(workflow_id, "a", 1)
    assert cached.get_variable(workflow_id, "all") == {"a": 1}
    elsewhere.set_variable(workflow_id, "a", 2)
    assert cached.get_variable(workflow_id, "all") == {"a": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé✉ \\"'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_remembered_value_is_the_value_that_was_read(value: Any) -> None:
    with CachedDataService.connect(":memory:", create=True) as cached:
        cached.set_variable("nightly", "x", value)
        first, second = (cached.get_variable("nightly", "x", reveal=True) for _ in range(2))
        assert repr(first) == repr(second) == repr(value)


def test_a_deeply_nested_value_is_remembered() -> None:
    value: Any = 1
    for _ in range(499):
        value = [value]
    with CachedDataService.connect(":memory:", create=True) as cached:
        cached.set_variable("nightly", "x", value)
        first, second = (cached.get_variable("nightly", "x") for _ in range(2))
    while isinstance(first, list) and isinstance(second, list):
        (first,), (second,) = first, second
    assert first == second == 1


@pytest.mark.parametrize("option", [{"ttl": 0}, {"ttl": -1}, {"maxsize": 0}, {"ttl": float("nan")}])
def test_a_cache_that_keeps_nothing_is_an_error(option: dict[str, Any]) -> None:
    with pytest.raises(toolkit.InvalidOption, match="keeps nothing"):
        CachedDataService.connect(":memory:", create=True, **option)


def test_connect_never_makes_one() -> None:
    with toolkit.connect(":memory:", create=True) as service:
        assert not isinstance(service, CachedDataService)


FORKING = """
import os
import signal
import sys
import subprocess
import sys
import threading

from toolkit.cache import CachedDataService

with CachedDataService.connect(sys.argv[1], create=True) as service:
    service.set_variable("nightly", "total", 1)
    service.get_variable("nightly", "total")
    over = threading.Event()

    def ask():
        while not over.is_set():
            service.invalidate_cache("other")
            service.get_variable("nightly", "total")

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for _ in range(12):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(service.get_variable("nightly", "total") - 1)
        if os.waitpid(child, 0)[1] != 0:
            over.set()
            sys.exit("a child waits for a lock that nobody gives back")
    over.set()
"""


def test_a_child_never_waits_for_a_lock_of_its_parent(tmp_path: Any) -> None:
    command = [sys.executable, "-c", FORKING, str(tmp_path / "toolkit.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
