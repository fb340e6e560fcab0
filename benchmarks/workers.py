"""Each piece of work is done in a process of its own, warmed up, again and again in turns with what it is compared to.

So no side inherits the other's memory, threads or caches, and no two libraries of SQLite ever share a process: the
second one would drop the locks of the first.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import multiprocessing
import os
import resource
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection

    from benchmarks.databases import Place

Make: TypeAlias = "Callable[..., AbstractContextManager[Callable[[], Any]]]"
"""Connects to a database, if it is given one, and yields what is to be measured there."""

_KILOBYTES_OF_MAXRSS: Final = 1 if sys.platform != "darwin" else 1 / 1024


class Missing(Exception):
    """A package that only a benchmark needs is not installed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a piece of work took.

    Attributes
    ----------
    seconds : float
        By the clock on the wall.
    cpu : float
        Seconds of processor time of the process that did it, with its threads and children; the server's are not in it.
    megabytes : float
        The most memory that the process had beyond what it had before; only when it was measured for memory.
    value : float or None
        What the work measured by itself, when it returned a number.
    """

    seconds: float
    cpu: float
    megabytes: float = 0.0
    value: float | None = None


def package(name: str, pip_name: str | None = None) -> Any:
    """Import a package that only a benchmark needs.

    Raises
    ------
    Missing
        When it is not there, saying how to get it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Missing(f"pip install {pip_name or name}") from None


class Worker:
    """A process that does one piece of work whenever it is asked to.

    Parameters
    ----------
    make : callable
        A function of a module, which the process imports.
    place : Place or None
        The database to work on; None for work without one.
    fresh : bool
        Whether each run takes a new process, as a measurement of memory does.
    """

    def __init__(self, make: Make, place: Place | None, *, fresh: bool = False) -> None:
        self._given = (make, place)
        self._fresh = fresh
        self._process: Any = None
        self._connection: Any = None

    def run(self) -> Measured:
        """Do the work once.

        Raises
        ------
        Missing
            When it needs a package that is not installed.
        """
        if self._process is None:
            self._start()
        self._connection.send(self._fresh)
        answer = self._connection.recv()
        if self._fresh:
            self.stop()
        if isinstance(answer, Missing):
            raise answer
        assert isinstance(answer, Measured)  # noqa: S101 - else the process ended, which recv says
        return answer

    def stop(self) -> None:
        """Let the process end."""
        if self._process is not None:
            self._connection.close()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, *self._given), daemon=True)
        self._process.start()
        theirs.close()


def _serve(connection: Connection, make: Make, place: Place | None) -> None:
    try:
        with _ready(make, place) as work:
            while True:
                connection.send(_measured(work, memory=connection.recv()))
    except Missing as missing:
        connection.recv()
        connection.send(missing)
    except (EOFError, BrokenPipeError):
        return


@contextmanager
def _ready(make: Make, place: Place | None) -> Iterator[Callable[[], Any]]:
    if place is None:
        with make() as work:
            yield work
        return
    # What is imported, connected and planned once is not what a piece of work takes.
    with make(place.warm_up()) as work:
        work()
    with make(place) as work:
        yield work


def _measured(work: Callable[[], Any], *, memory: bool) -> Measured:
    gc.collect()
    before = _forget_peak() if memory else 0.0
    begin, cpu = time.perf_counter(), _processor_time()
    result = work()
    seconds, used = time.perf_counter() - begin, _processor_time() - cpu
    megabytes = _peak() - before if memory else 0.0
    return Measured(seconds, used, megabytes, result if isinstance(result, float) else None)


def _processor_time() -> float:
    """Return the seconds of this process, and of those that it has started and seen the end of."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _forget_peak() -> float:
    """Return the memory in use, in megabytes, and have the peak counted from here where the system can do that."""
    status = Path("/proc/self/clear_refs")
    if status.exists():
        status.write_text("5", encoding="ascii")
        return _status("VmRSS")
    return _peak()


def _peak() -> float:
    # Linux hands the peak of `getrusage` down from the parent process; the one in `/proc` is the process's own.
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTES_OF_MAXRSS / 1024


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
