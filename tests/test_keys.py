"""How variables are named: the same answer in Python and in SQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import keys
from toolkit.keys import IterationKey
from toolkit.model import CATEGORIES

PIECES = [*"4x.@: -\n٤²é😀", "node", "Node", "07", "@iter:", "@iter:", "@iter", "1:2", ":3"]
hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)

CATEGORY_OF = {
    "node": "custom",
    "node4": "node",
    "node4.result": "node",
    "node4.": "node",
    "node4@": "node",
    "node4@x": "node",
    "node4@iter:1": "node",
    "node4@iter:": "node",
    "node4@iter:1:2": "iteration",
    "node4.result@iter:1:2": "iteration",
    "node4.\nresult": "node",
    "node4\n": "custom",
    "node4x": "custom",
    "node4_result": "custom",
    "node4:1": "custom",
    "node04": "node",
    "node٤": "custom",
    "node4٤": "custom",
    "node²": "custom",
    "node.4": "custom",
    "node-4": "custom",
    "nodejs_version": "custom",
    "Node4": "custom",
    "NODE4": "custom",
    " node4": "custom",
    "mynode4": "custom",
    "x": "custom",
    "x@iter": "custom",
    "x@iter:": "custom",
    "x@iter:1": "custom",
    "x@iter:1:": "custom",
    "x@iter::1": "custom",
    "x@iter:1::2": "custom",
    "x@iter:1:2": "iteration",
    "x@iter:1:2:": "custom",
    "x@iter:1:2:3": "custom",
    "x@iter:1:2:3:4": "iteration",
    "x@iter:28:0:35:2": "iteration",
    "x@iter:1:2@iter:3:4": "custom",
    "x@iter:1:2.result": "custom",
    "x@iter:1:2 ": "custom",
    "x@iter:1:2\n": "custom",
    "x@iter:-1:2": "custom",
    "x@iter:1.0:2": "custom",
    "x@iter:٤:2": "custom",
    "x@ITER:1:2": "custom",
    "@iter:1:2": "custom",
    "@iter:1:2@iter:1:2": "custom",
    "@@iter:1:2": "iteration",
    "x@@iter:1:2": "iteration",
    ":@iter:007:2": "iteration",
    "é😀@iter:1:2": "iteration",
    "node4@x@iter:1:2": "iteration",
    "iter:1:2": "custom",
    "all": "custom",
}


@pytest.mark.parametrize(("key", "category"), CATEGORY_OF.items())
def test_a_key_has_one_category(key: str, category: str) -> None:
    assert keys.category(key) == category
    assert (keys.iteration(key) is not None) == (category == "iteration")


@given(
    st.text(min_size=1, max_size=5).filter(lambda base: "@iter:" not in base + "@"),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9999)), min_size=1, max_size=5),
)
def test_an_iteration_key_is_read_as_it_was_written(base: str, steps: list[tuple[int, int]]) -> None:
    key = f"{base}@iter:" + ":".join(f"{position}:{index}" for position, index in steps)
    positions, indexes = zip(*steps, strict=True)
    assert keys.iteration(key) == IterationKey(base, positions, indexes)


@pytest.fixture(scope="module")
def memory() -> Iterator[tuple[toolkit.UnifiedDataService, Iterator[str]]]:
    """A database in memory, and a fresh workflow for each example."""
    with toolkit.connect(":memory:", create=True) as service:
        yield service, (f"w{number}" for number in itertools.count())


def agrees(service: toolkit.UnifiedDataService, workflow: str, names: set[str]) -> None:
    service.set_variables(workflow, dict.fromkeys(names))
    frame = service.get_all_variables(workflow)
    assert dict(zip(frame["key"], frame["category"], strict=True)) == {name: keys.category(name) for name in names}
    for category in CATEGORIES:
        found = service.get_all_variables(workflow, category=category)["key"]
        assert list(found) == sorted(name for name in names if keys.category(name) == category)


@given(st.sets(hostile, min_size=1, max_size=8))
def test_sqlite_gives_the_category_that_python_gives(
    memory: tuple[toolkit.UnifiedDataService, Iterator[str]], names: set[str]
) -> None:
    service, workflows = memory
    agrees(service, next(workflows), names)


def test_every_database_gives_the_category_that_python_gives(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    agrees(service, workflow_id, set(CATEGORY_OF))


def test_the_variables_of_a_node_are_not_those_of_another(
    service: toolkit.UnifiedDataService, workflow_id: str
) -> None:
    service.set_variables(workflow_id, dict.fromkeys([*CATEGORY_OF, "node40", "node40.x", "node4@iter:9:9"]))
    assert list(service.get_all_variables(workflow_id, node=4)["key"]) == [
        "node4",
        "node4.",
        "node4.\nresult",
        "node4.result",
        "node4.result@iter:1:2",
        "node4@",
        "node4@iter:",
        "node4@iter:1",
        "node4@iter:1:2",
        "node4@iter:9:9",
        "node4@x",
        "node4@x@iter:1:2",
    ]
