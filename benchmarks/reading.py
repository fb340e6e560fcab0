"""What the toolkit's readers are asked to do, as callables to be measured."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import toolkit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.databases import Place

FIVE_PATHS: Final = ("fields.subject", "fields.size", "vars.confidence", "vars.label", "targets.ticket")
BESIDE_OTHERS: Final = (*FIVE_PATHS[:4], "fields.from.address")
"""With one that masking may have to judge by what stands beside it."""

ROWS_OF_A_CHUNK: Final = 10_000


@contextmanager
def flat(place: Place) -> Iterator[Callable[[], Any]]:
    """Read a whole run: one typed column per place in the documents, secrets hidden."""
    with toolkit.connect(place.url) as service:
        yield lambda: service.query_records(place.workflow_id)


@contextmanager
def flat_revealed(place: Place) -> Iterator[Callable[[], Any]]:
    """Read the same without hiding anything."""
    with toolkit.connect(place.url) as service:
        yield lambda: service.query_records(place.workflow_id, reveal=True)


@contextmanager
def five_paths(place: Place) -> Iterator[Callable[[], Any]]:
    """Read five places of the documents and nothing else."""
    with toolkit.connect(place.url) as service:
        yield lambda: service.query_records(place.workflow_id, columns=FIVE_PATHS)


@contextmanager
def five_paths_beside_others(place: Place) -> Iterator[Callable[[], Any]]:
    """Read five places of which one must be judged by what stands beside it."""
    with toolkit.connect(place.url) as service:
        yield lambda: service.query_records(place.workflow_id, columns=BESIDE_OTHERS)


@contextmanager
def chunks(place: Place) -> Iterator[Callable[[], Any]]:
    """Read a whole run chunk by chunk, keeping none."""
    with toolkit.connect(place.url) as service:

        def read() -> int:
            with service.query_records(place.workflow_id, chunksize=ROWS_OF_A_CHUNK) as frames:
                return sum(len(frame) for frame in frames)

        yield read


@contextmanager
def count_records(place: Place) -> Iterator[Callable[[], Any]]:
    """Count the records by status and type."""
    with toolkit.connect(place.url) as service:
        yield lambda: service.count_records(place.workflow_id)


@contextmanager
def get_stats(place: Place) -> Iterator[Callable[[], Any]]:
    """Count everything that a run has."""
    with toolkit.connect(place.url) as service:
        yield lambda: service.get_stats(place.workflow_id)
