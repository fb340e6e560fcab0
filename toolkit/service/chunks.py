"""A read in chunks: one snapshot, and the same columns and dtypes in every chunk."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from toolkit import frames
from toolkit.errors import InvalidOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    import pandas as pd
    import pyarrow as pa

    from toolkit.frames import DtypeBackend
    from toolkit.masking import View
    from toolkit.states import Reading
    from toolkit.storage.database import Database


class RecordChunks:
    """Records as DataFrames of at most `chunksize` rows, read while they are asked for.

    Made by `query_records(…, chunksize=…)`. It is a context manager: the snapshot lasts as long as its `with` block.
    The documents are read twice, first to find out which columns there are and of which dtype.

    Parameters
    ----------
    database : Database
        Open.
    read : callable
        Gives the parts of the read, as Arrow tables, within a transaction; with `state=True`, with their states.
    view : View
        What is hidden.
    reading : callable
        Gives what remembers the states of a chunk, or None where no chunk could be written back.
    flatten : bool
        Whether documents become columns.
    wanted : sequence of str or None
        Record columns and paths to keep.
    history : bool
        Whether a flat frame has the column `history`.
    dtype_backend : {"numpy_nullable", "pyarrow"} or None
        As in pandas.

    Examples
    --------
    >>> import toolkit
    >>> service = toolkit.connect(":memory:", create=True)
    >>> number = service.create_records("nightly", [{"record_id": f"a_{n}", "fields.n": n} for n in range(5)])
    >>> with service.query_records("nightly", chunksize=2) as chunks:
    ...     [len(chunk) for chunk in chunks]
    [2, 2, 1]
    """

    def __init__(
        self,
        database: Database,
        read: Callable[..., Iterator[pa.Table]],
        view: View,
        reading: Callable[[], Reading | None],
        *,
        flatten: bool,
        wanted: Sequence[str] | None,
        history: bool,
        dtype_backend: DtypeBackend | None,
    ) -> None:
        self._database = database
        self._read = read
        self._view = view
        self._reading = reading
        self._options: dict[str, Any] = {
            "flatten": flatten,
            "wanted": wanted,
            "history": history,
            "dtype_backend": dtype_backend,
        }
        self._open = ExitStack()
        self._parts: Iterable[pa.Table] | None = None
        self._rows: int | None = None

    def __enter__(self) -> Self:
        connection = self._open.enter_context(self._database.read_apart())
        try:
            if self._options["flatten"]:
                self._options["before"] = self._seen_before(self._read(connection))
            self._view.note(self._database.actor, self._rows)
            self._parts = self._read(connection, state=self._reading() is not None)
            if self._database.has_one_connection:
                # Nothing may stay open on the one connection that all calls share.
                self._parts = list(self._parts)
                self._open.close()
        except BaseException:
            self._open.close()
            raise
        return self

    def _seen_before(self, parts: Iterable[pa.Table]) -> frames.Flat:
        flat = frames.Flat(self._view, wanted=self._options["wanted"], history=self._options["history"])
        self._rows = 0
        for part in parts:
            self._rows += len(part)
            flat.add(frames.look(part, self._view, flat.parser), keep=False)
        return flat

    def __iter__(self) -> Iterator[pd.DataFrame]:
        if self._parts is None:
            raise InvalidOption("a read in chunks is a context manager: with service.query_records(…) as chunks: …")
        for part in self._parts:
            noticed = self._reading()
            if noticed is None:
                yield frames.records(part, self._view, **self._options)
            else:
                yield noticed.remembered_by(frames.records(noticed.passing([part]), self._view, **self._options))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._parts = None
        self._open.close()
