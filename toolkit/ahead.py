"""Do the next thing while the last one is worked on."""

from __future__ import annotations

import collections
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Part = TypeVar("Part")
Other = TypeVar("Other")

_PARTS_AHEAD: Final = 2
_WORKERS: Final = 2
_PATIENCE: Final = 0.05
"""Seconds after which a waiting thread looks whether it is still needed."""


class _End:
    """The last thing in the queue: that there is no more, or what went wrong."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(parts: Iterable[Part], cancel: Callable[[], object]) -> Iterator[Iterator[Part]]:
    """Iterate in a thread of its own, a few parts ahead of who takes them.

    It pays where a part is waited for without Python having a part in it, as with a driver that fetches many rows at
    once; where each row takes a step of Python, the two threads only stand in each other's way.

    Parameters
    ----------
    parts : iterable
        Iterated in the other thread only.
    cancel : callable
        Makes a part that is waited for come to an end; called when the block is left before the last part.

    Yields
    ------
    iterator
        The parts, in order. An error of the iteration is raised where the part that failed was asked for.
    """
    waiting: queue.Queue[Part | _End] = queue.Queue(_PARTS_AHEAD)
    left = threading.Event()
    reader = threading.Thread(target=_read, args=(parts, waiting, left), name="toolkit reader", daemon=True)
    reader.start()
    try:
        yield _taken(waiting)
    finally:
        left.set()
        while reader.is_alive():
            # Again and again: it may have been between two parts when it was told to stop.
            cancel()
            reader.join(_PATIENCE)


def worked_ahead(parts: Iterable[Part], work: Callable[[Part], Other]) -> Iterator[Other]:
    """Do some work on each part, in threads of their own, while its predecessors are in the hands of the caller.

    Parameters
    ----------
    parts : iterable
        Iterated in the calling thread.
    work : callable
        Given a part, and others at the same time; it pays where the work leaves Python free, as Arrow's functions do.

    Yields
    ------
    object
        What `work` returned, in order.
    """
    with ThreadPoolExecutor(_WORKERS, "toolkit worker") as workers:
        waiting: collections.deque[Future[Other]] = collections.deque()
        for part in parts:
            waiting.append(workers.submit(work, part))
            if len(waiting) > _WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read(parts: Iterable[Part], waiting: queue.Queue[Part | _End], left: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for part in parts:
            if not _put(part, waiting, left):
                return
    except BaseException as raised:  # noqa: BLE001 - it is raised again, in the thread that asked for the part
        error = raised
    _put(_End(error), waiting, left)


def _put(part: Part | _End, waiting: queue.Queue[Part | _End], left: threading.Event) -> bool:
    while not left.is_set():
        try:
            waiting.put(part, timeout=_PATIENCE)
        except queue.Full:
            continue
        return True
    return False


def _taken(waiting: queue.Queue[Part | _End]) -> Iterator[Part]:
    while not isinstance(part := waiting.get(), _End):
        yield part
    if part.error is not None:
        raise part.error
