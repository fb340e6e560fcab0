"""A progress bar for what takes long, where somebody watches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

Part = TypeVar("Part")

PATIENCE: Final = 2.0
"""Seconds before a progress bar appears."""


def progress(
    parts: Iterable[Part],
    total: int | None = None,
    unit: str = "records",
    *,
    count: Callable[[Part], int] = len,  # type: ignore[assignment]
    delay: float | None = None,
) -> Generator[Part, None, None]:
    """Iterate over parts, and show how far it is when it takes long: on a terminal or in a notebook, and nowhere else.

    Parameters
    ----------
    parts : iterable
        What is worked on, part by part.
    total : int, optional
        How many units there are in all; without it, the bar only counts.
    unit : str, default "records"
        What is counted.
    count : callable, default len
        Units of a part.
    delay : float, optional
        Seconds before the bar appears; `PATIENCE` when left out.

    Yields
    ------
    object
        The parts.

    Examples
    --------
    >>> [len(part) for part in progress(["ab", "cde"], total=5)]
    [2, 3]
    """
    patience = PATIENCE if delay is None else delay
    begin, done, bar = time.monotonic(), 0, None
    try:
        for part in parts:
            yield part
            done += count(part)
            if bar is not None:
                bar.update(count(part))
            elif time.monotonic() - begin >= patience:
                bar = _bar(total, done, unit)
    finally:
        if bar is not None:
            bar.close()


def _bar(total: int | None, done: int, unit: str) -> Any:
    # Not needed until a bar is shown, and most calls are over before.
    from tqdm.auto import tqdm  # noqa: PLC0415

    # None leaves it out where nobody watches: neither a terminal nor a notebook.
    return tqdm(total=total, initial=done, unit=f" {unit}", unit_scale=True, leave=False, disable=None)
