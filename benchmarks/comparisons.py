"""A piece of work beside what it is compared to, measured in turns, and the line that says how it went."""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from benchmarks.workers import Make, Measured, Missing, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.databases import Data, Databases

Unit: TypeAlias = Literal["s", "µs a record", "MB"]

_LITTLE: Final = 1e-6
"""Nothing is divided by less: a few records need no memory that can be seen."""


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """A piece of work.

    Attributes
    ----------
    words : str
        What it is, for the line.
    make : callable
        Of the place where the records are; makes the callable to be measured.
    data : Data or None
        The database it is about.
    """

    words: str
    make: Make
    data: Data | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Allowed:
    """A number that a piece of work is to stay under, instead of another piece of work."""

    words: str
    amount: float


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """What a piece of work is compared to, and what is to be reached.

    Attributes
    ----------
    work : Work or Allowed
        The other side.
    reach : float
        What the piece of work may take at most, as a multiple of the other side's.
    faster : bool
        Whether `reach` is how many times faster than the other side it must be at least, instead.
    """

    work: Work | Allowed
    reach: float
    faster: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """A piece of work and everything it is compared to.

    Attributes
    ----------
    name : str
        As `--only` takes it.
    ours : Work
        What the toolkit does.
    peers : sequence of Peer
        A line for each.
    unit : {"s", "µs a record", "MB"}
        What is compared: time, time for each record, or peak memory.
    """

    name: str
    ours: Work
    peers: Sequence[Peer]
    unit: Unit = "s"


def lines(comparison: Comparison, databases: Databases, repeat: int) -> Iterator[str]:
    """Measure, and yield a line for each peer.

    Parameters
    ----------
    comparison : Comparison
        What to measure.
    databases : Databases
        Where the records are.
    repeat : int
        Rounds; in each of them every side has one turn, so that a slow moment of the machine hits all.
    """
    works = [comparison.ours, *(peer.work for peer in comparison.peers if isinstance(peer.work, Work))]
    found = _rounds(works, comparison, databases, repeat)
    others = iter(found[1:])
    mine = found[0]
    if isinstance(mine, Missing):
        yield f"{comparison.name}: not measured: {mine}"
        return
    for peer in comparison.peers:
        if isinstance(peer.work, Allowed):
            yield _line(comparison, peer, mine, None)
            continue
        theirs = next(others)
        if isinstance(theirs, Missing):
            yield f"{comparison.name}: not compared to {peer.work.words}: {theirs}"
        else:
            yield _line(comparison, peer, mine, theirs)


def _rounds(
    works: Sequence[Work], comparison: Comparison, databases: Databases, repeat: int
) -> list[list[tuple[float, float]] | Missing]:
    """Return for each side its amounts and processor seconds, round by round."""
    places = [None if work.data is None else databases.get(work.data) for work in works]
    workers = [
        Worker(work.make, place, fresh=comparison.unit == "MB") for work, place in zip(works, places, strict=True)
    ]
    found: list[list[tuple[float, float]] | Missing] = [[] for _ in works]
    try:
        for _ in range(repeat):
            for position, (worker, place) in enumerate(zip(workers, places, strict=True)):
                so_far = found[position]
                if isinstance(so_far, Missing):
                    continue
                try:
                    measured = worker.run()
                except Missing as missing:
                    found[position] = missing
                    continue
                so_far.append((_amount(measured, comparison.unit, place.records if place else 1), measured.cpu))
    finally:
        for worker in workers:
            worker.stop()
    return found


def _amount(measured: Measured, unit: Unit, records: int) -> float:
    if unit == "MB":
        return measured.megabytes
    seconds = measured.seconds if measured.value is None else measured.value
    return seconds / records * 1_000_000 if unit == "µs a record" else seconds


def _line(
    comparison: Comparison,
    peer: Peer,
    mine: Sequence[tuple[float, float]],
    theirs: Sequence[tuple[float, float]] | None,
) -> str:
    ours, ours_cpu = _medians(mine)
    if theirs is None:
        other, cpu = peer.work.amount if isinstance(peer.work, Allowed) else 0.0, f"{ours_cpu:.2f} s"
    else:
        other, theirs_cpu = _medians(theirs)
        cpu = f"{ours_cpu:.2f} s and {theirs_cpu:.2f} s"
    times, reached = _judged(ours, other, peer)
    amounts = f"{_said(ours, comparison.unit)} and {_said(other, comparison.unit)}; CPU {cpu}"
    verdict = "reached" if reached else "MISSED"
    return f"{comparison.name}: {comparison.ours.words}: {times} {peer.work.words}: {verdict} ({amounts})"


def _medians(rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(amount for amount, _ in rounds), statistics.median(cpu for _, cpu in rounds)


def _judged(ours: float, other: float, peer: Peer) -> tuple[str, bool]:
    """Return the ratio in words with what it should be, and whether it is that."""
    if peer.faster:
        ratio = other / max(ours, _LITTLE)
        return f"{ratio:.2f} x faster (at least {peer.reach:g}) than", ratio >= peer.reach
    ratio = ours / max(other, _LITTLE)
    return f"{ratio:.2f} x (at most {peer.reach:g})", ratio <= peer.reach


def _said(amount: float, unit: Unit) -> str:
    return f"{amount:.3f} {unit}" if unit == "s" else f"{amount:.1f} {unit}"
