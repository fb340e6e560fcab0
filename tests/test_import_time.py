"""The front door is light, and it is what it says it is."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types

import pytest

import toolkit

HEAVY = ("pandas", "numpy", "pyarrow", "sqlalchemy", "matplotlib", "jinja2", "jsonschema", "typer", "rich", "httpx")


def loaded_by(program: str) -> set[str]:
    """Return the top-level packages that a fresh Python has loaded after a program."""
    shown = f"{program}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", shown], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_importing_the_toolkit_loads_nothing_heavy() -> None:
    loaded = loaded_by("import toolkit")
    assert "toolkit" in loaded
    assert not loaded.intersection(HEAVY)


def test_the_plug_in_of_pytest_loads_nothing_heavy() -> None:
    assert not loaded_by("import toolkit.testing").intersection(HEAVY)


def test_catching_an_error_loads_nothing_heavy() -> None:
    assert not loaded_by("from toolkit import ToolkitError, RecordNotFound").intersection(HEAVY)


def test_connecting_loads_neither_plots_nor_templates_nor_a_command() -> None:
    loaded = loaded_by("import toolkit\ntoolkit.connect(':memory:', create=True)")
    assert "sqlalchemy" in loaded
    assert not loaded.intersection({"matplotlib", "jinja2", "typer", "rich", "httpx", "psycopg"})


def test_reading_a_value_of_a_file_loads_neither_arrow_nor_pandas_nor_readers_of_reports() -> None:
    program = "service = toolkit.connect(':memory:', create=True)\nservice.set_variable('nightly', 'total', 3)"
    loaded = loaded_by(f"import toolkit\n{program}\nassert service.get_variable('nightly', 'total') == 3")
    assert not loaded.intersection({"numpy", "pyarrow", "pandas", "junitparser", "xml", "jsonschema"})


def test_help_of_the_command_loads_no_frames() -> None:
    loaded = loaded_by("import toolkit.cli")
    assert "typer" in loaded
    assert not loaded.intersection({"pandas", "numpy", "pyarrow", "sqlalchemy", "matplotlib", "jinja2"})


def test_every_name_of_the_front_door_leads_somewhere() -> None:
    assert repr(toolkit.NULL) == "toolkit.NULL"
    for name in set(toolkit.__all__) - {"NULL"}:
        assert getattr(toolkit, name).__name__ == name


def test_what_is_listed_and_what_is_there_agree() -> None:
    assert len(set(toolkit.__all__)) == len(toolkit.__all__)
    assert set(toolkit.__all__) <= set(dir(toolkit))
    public = {
        name
        for name in dir(toolkit)
        if not name.startswith("_") and not isinstance(getattr(toolkit, name), types.ModuleType)
    }
    assert public - {"annotations", "Any", "TYPE_CHECKING"} == set(toolkit.__all__)


def test_a_star_brings_exactly_what_is_listed() -> None:
    brought: dict[str, object] = {}
    exec("from toolkit import *", brought)  # noqa: S102 - the one way to see what a star brings
    assert set(brought) - {"__builtins__"} == set(toolkit.__all__)


def test_a_name_that_is_not_there_is_the_usual_error() -> None:
    with pytest.raises(AttributeError, match="module 'toolkit' has no attribute 'conect'"):
        importlib.import_module("toolkit").conect  # noqa: B018
    assert not hasattr(toolkit, "nonsense")
