"""How long a program waits before it has anything, and how long a hostile text takes: no database to be filled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import toolkit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIRST_VALUE = """
import sys, toolkit
with toolkit.connect(sys.argv[1]) as service:
    service.get_variable("nightly", "total")
"""
_MEGABYTE = 1_000_000


@contextmanager
def import_toolkit() -> Iterator[Callable[[], float]]:
    """Import the toolkit in a new process; what bare Python takes is not counted."""
    with _compiled("import toolkit") as start:
        yield lambda: start("import toolkit") - start("pass")


@contextmanager
def first_value() -> Iterator[Callable[[], float]]:
    """Connect to an SQLite file and read a variable, in a new process; all of the process counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "first.db")
        with toolkit.connect(path, create=True) as service:
            service.set_variable("nightly", "total", 3)
        with _compiled(_FIRST_VALUE, path) as start:
            yield lambda: start(_FIRST_VALUE, path)


@contextmanager
def _compiled(*first: str) -> Iterator[Callable[..., float]]:
    """Yield what runs a program and says how long it took, after a first one: modules are compiled, as pip leaves them.

    The environment may tell Python to write no bytecode; then every start would compile the toolkit anew.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def start(program: str, *given: str) -> float:
            command = [sys.executable, "-c", program, *given]
            begin = time.perf_counter()
            subprocess.run(command, check=True, env=environment)  # noqa: S603 - this Python, these programs
            return time.perf_counter() - begin

        start(*first)
        yield start


@contextmanager
def equals_signs() -> Iterator[Callable[[], Any]]:
    """Mask a text of a megabyte that is nothing but `=`."""
    yield _masking("=" * _MEGABYTE)


@contextmanager
def equals_signs_tenth() -> Iterator[Callable[[], Any]]:
    """Mask a tenth of it ten times."""
    yield _masking("=" * (_MEGABYTE // 10), 10)


@contextmanager
def quotes() -> Iterator[Callable[[], Any]]:
    """Mask a megabyte of quotes within quotes."""
    yield _masking("\"'" * (_MEGABYTE // 2))


@contextmanager
def quotes_tenth() -> Iterator[Callable[[], Any]]:
    """Mask a tenth of it ten times."""
    yield _masking("\"'" * (_MEGABYTE // 20), 10)


@contextmanager
def encoded() -> Iterator[Callable[[], Any]]:
    """Mask about a megabyte of JSON that was encoded again and again."""
    yield _masking(_encoded(_MEGABYTE))


@contextmanager
def encoded_tenth() -> Iterator[Callable[[], Any]]:
    """Mask about a tenth of it ten times."""
    yield _masking(_encoded(_MEGABYTE // 10), 10)


def _encoded(length: int) -> str:
    """Return JSON in JSON in JSON, four times, of about a length."""
    text = json.dumps({"password": "FAKE-not-real-1", "note": "x" * 20})
    for _ in range(4):
        text = json.dumps({"inner": text, "list": [1, 2, 3]})
    return json.dumps([text] * max(1, length // (2 * len(text))))


def _masking(text: str, times: int = 1) -> Callable[[], Any]:
    policy = toolkit.MaskingPolicy()

    def mask() -> None:
        for _ in range(times):
            policy.mask({"fields": {"body": text}})

    return mask
