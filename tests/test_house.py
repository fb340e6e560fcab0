"""Rules about the project itself: docstrings that tell the truth, one front door."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate

import toolkit

# What numpydoc calls: parameters missing, unknown, in another order, without type or description; a result without a
# section; no summary, or one of several lines.
DRIFT = {"PR01", "PR02", "PR03", "PR04", "PR07", "RT01", "YD01", "SS01", "SS06", "GL08"}


def public_functions() -> Iterator[tuple[str, Any]]:
    for module in pkgutil.walk_packages(toolkit.__path__, "toolkit."):
        found = importlib.import_module(module.name)
        for name, member in vars(found).items():
            if name.startswith("_") or getattr(member, "__module__", None) != module.name:
                continue
            if inspect.isfunction(member) or inspect.isclass(member):
                yield f"{module.name}.{name}", member
            if inspect.isclass(member):
                yield from public_methods(f"{module.name}.{name}", member)


def issubclass_of_errors(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseException)


def public_methods(path: str, owner: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(owner).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield f"{path}.{name}", member


FUNCTIONS = dict(public_functions())
DATACLASSES = {path: member for path, member in FUNCTIONS.items() if dataclasses.is_dataclass(member)}
# A short helper of one sentence needs no sections.
DOCUMENTED = [path for path, member in FUNCTIONS.items() if "----------" in (member.__doc__ or "")]
FRONT = [name for name in toolkit.__all__ if not issubclass_of_errors(getattr(toolkit, name))]


@pytest.mark.parametrize("path", DOCUMENTED)
def test_a_docstring_says_what_the_signature_says(path: str) -> None:
    allowed = {"PR01", "RT01"} if path in DATACLASSES else set()
    errors = {code: text for code, text in validate(path)["errors"] if code in DRIFT - allowed}
    assert not errors


@pytest.mark.parametrize("path", DATACLASSES)
def test_a_value_documents_each_of_its_fields(path: str) -> None:
    documented = FunctionDoc(DATACLASSES[path])
    named = {
        name for entry in (*documented["Attributes"], *documented["Parameters"]) for name in entry.name.split(", ")
    }
    fields = {field.name for field in dataclasses.fields(DATACLASSES[path]) if field.repr}
    if named:
        assert fields == named


@pytest.mark.parametrize("name", FRONT)
def test_what_the_front_door_shows_is_documented_with_an_example(name: str) -> None:
    member = getattr(toolkit, name)
    assert member.__doc__, name
    if name in {"UnifiedDataService", "Workflow", "connect", "MaskingPolicy", "Secret"}:
        assert ">>>" in member.__doc__


def service_calls() -> list[str]:
    return [
        name for name, member in inspect.getmembers(toolkit.UnifiedDataService, inspect.isfunction) if name[0] != "_"
    ]


@pytest.mark.parametrize("name", service_calls())
def test_every_call_of_the_service_has_an_example_that_runs(name: str) -> None:
    assert ">>>" in (inspect.getdoc(getattr(toolkit.UnifiedDataService, name)) or "")


def test_the_front_door_and_its_list_agree() -> None:
    assert sorted(toolkit.__all__, key=str) == sorted(set(toolkit.__all__), key=str)
    for name in toolkit.__all__:
        assert getattr(toolkit, name) is not None
    public = {name for name in dir(toolkit) if not name.startswith("_")}
    modules = {module.name for module in pkgutil.iter_modules(toolkit.__path__)}
    assert public - modules - {"annotations", "importlib", "TYPE_CHECKING", "Any"} == set(toolkit.__all__)
