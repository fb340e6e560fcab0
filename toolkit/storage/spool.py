"""Rows of a plan in a file that is gone when nobody needs it: memory stays small however many rows there are."""

from __future__ import annotations

import json
import re
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROWS_OF_A_BATCH: Final = 10_000
# Within a text of JSON a quote is never alone.
_VERSION: Final = re.compile(r'"version":"([^"]*)"')
_IN_MEMORY: Final = 1_000_000
"""Bytes that are kept in memory before a file is made."""


class RowSpool:
    """Rows by name and state, in batches of JSON text that a statement takes as they are.

    Parameters
    ----------
    rows : iterable of mapping
        Each with the text `name` and `digest`, and more where wanted; they are read once, now.

    Attributes
    ----------
    total : int
        How many rows.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        # Not a `with`: the file lives as long as the plan does.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, mode="w+b")  # noqa: SIM115 - it lives as long as the plan
        weakref.finalize(self, self._file.close)
        self._turn = threading.Lock()
        self.total = 0
        waiting: list[Mapping[str, Any]] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == ROWS_OF_A_BATCH:
                self._write(waiting)
                waiting = []
        self._write(waiting)

    def _write(self, rows: list[Mapping[str, Any]]) -> None:
        if rows:
            self._file.write(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            self.total += len(rows)

    def batches(self) -> Iterator[str]:
        """Read the batches, as JSON text.

        Yields
        ------
        str
            An array of objects.
        """
        place = 0
        while True:
            with self._turn:
                self._file.seek(place)
                line = self._file.readline()
                place = self._file.tell()
            if not line:
                return
            yield line.decode()

    @staticmethod
    def length(batch: str) -> int:
        """Count the rows of a batch.

        Parameters
        ----------
        batch : str
            As `batches` gives it.

        Returns
        -------
        int

        Examples
        --------
        >>> RowSpool.length(next(RowSpool([{"name": '"digest":"', "digest": "00"}]).batches()))
        1
        """
        # Within a text of JSON a quote is never alone.
        return batch.count('"digest":"')

    @staticmethod
    def versions(batch: str) -> str:
        """Return the versions of the rows of a batch, where each has one.

        Parameters
        ----------
        batch : str
            As `batches` gives it.

        Returns
        -------
        str
            Joined by semicolons.

        Examples
        --------
        >>> rows = RowSpool({"name": name, "digest": "00", "version": f"7/(0,{name})"} for name in "12")
        >>> RowSpool.versions(next(rows.batches()))
        '7/(0,1);7/(0,2)'
        """
        return ";".join(_VERSION.findall(batch))

    def names(self) -> Iterator[str]:
        """Read the names of the rows.

        Yields
        ------
        str
        """
        for text in self.batches():
            yield from names_in(text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.total:,} rows)"


def names_in(text: str) -> list[str]:
    """Return the names of the rows of one batch.

    Parameters
    ----------
    text : str
        As `RowSpool.batches` gives it.

    Returns
    -------
    list of str

    Examples
    --------
    >>> names_in('[{"name": "a_1", "digest": "00"}]')
    ['a_1']
    """
    return [row["name"] for row in json.loads(text)]
