"""Arrow tables become frames: record columns as they are, documents laid out beside them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import columns
from toolkit.ahead import worked_ahead
from toolkit.errors import InvalidOption
from toolkit.frames.cells import objects
from toolkit.frames.choosing import asks_for_history, select
from toolkit.frames.documents import decoded, many_objects, masked_documents, masked_place, may_hide
from toolkit.frames.flat import Layout, Piece, flatten, flatten_place
from toolkit.frames.hiding import hidden_in_texts, hidden_in_values, hidden_name, revealed_in, without_twins
from toolkit.frames.kinds import INTEGER, TEXT, TIME, dtype_of
from toolkit.frames.looking import FRONT, ORDER, Looked, Parsed, Unit, document_columns, look
from toolkit.frames.parsing import Parser
from toolkit.frames.pieces import Exact, NotThisWay, pieces_of
from toolkit.frames.veiling import Veil
from toolkit.jsontexts import encode_texts
from toolkit.masking import EVERYTHING, View
from toolkit.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from toolkit.masking import MaskingPolicy

DtypeBackend: TypeAlias = Literal["numpy_nullable", "pyarrow"]

JSON: Final = pa.json_(pa.string())
"""The Arrow type of a column whose values no other type holds as they are: JSON text, said to be so."""


def variables(table: pa.Table, view: View) -> pd.DataFrame:
    """Make the frame of variables.

    Parameters
    ----------
    table : pyarrow.Table
        As `VariableStorage.query` gives it; `workflow_id` in front only when the frame should have it.
    view : View
        What is hidden: values by their keys, and secrets inside texts, those of the keys included.

    Returns
    -------
    pandas.DataFrame
        One row per variable: `key, type, category` of dtype `str`, `value` `object`, times `datetime64[us, UTC]`.
    """
    values = decoded(table.column("value"), table.column("key"), "variable", view)
    policy = view.policy
    if policy is not None:
        keys = table.column("key").to_pylist()
        looked_at = may_hide(table.select(["key", "value"]), ["key", "value"], policy)
        rows = [row for row, look_closely in enumerate(looked_at) if look_closely and not view.shows(keys[row])]
        found: set[str] = set()
        for row in rows:
            values[row], secrets = policy.mask_and_find(values[row], keys[row])
            found.update(secrets)
        values, table = _swept_variables(values, table, view, policy.sweeping(found))
    frame = plain_frame(table)
    frame["value"] = pd.Series(objects(values), dtype=object)
    return frame


def _swept_variables(
    values: list[Any], table: pa.Table, view: View, policy: MaskingPolicy
) -> tuple[list[Any], pa.Table]:
    """Hide what is secret in keys, and the secrets of some variables in the values of others."""
    keys = table.column("key").to_pylist()
    if policy is not view.policy:
        shown = hidden_in_values(values, policy, lambda row, value: policy.mask(value, keys[row]))
        values = [old if view.shows(key) else new for old, new, key in zip(values, shown, keys, strict=True)]
    column = hidden_in_texts(table.column("key"), policy.mask_text, policy.text_trigger)
    return values, table.set_column(table.column_names.index("key"), "key", column)


class Flat:
    """Records being laid out in columns, part by part as they arrive.

    Parameters
    ----------
    view : View
        What is hidden.
    wanted : sequence of str, optional
        Record columns and paths to keep, in that order; a path takes everything below it.
    history : bool, default False
        Whether `history` is a column; asking for it in `wanted` makes it one.
    before : Flat, optional
        That saw all the records, a part of which this one is about: it knows the columns, and the secrets.

    Attributes
    ----------
    layout : Layout
        Which columns there are, as far as they were seen.
    secrets : set of str
        Texts that were found to be secret by their names.
    parser : Parser or None
        Makes columns of documents; None where those that are hidden in part and shown in part need a walk.
    """

    def __init__(
        self,
        view: View,
        *,
        wanted: Sequence[str] | None = None,
        history: bool = False,
        before: Flat | None = None,
    ) -> None:
        self.layout: Layout = Layout() if before is None else before.layout
        self.secrets: set[str] = set() if before is None else before.secrets
        self.parser: Parser | None = None if view.revealed else Parser()
        self._view = view
        self._veil: Veil | None = None
        self._wanted = wanted
        self._history = history or asks_for_history(wanted)
        self._front: list[pa.Table] = []
        self._keys: list[pa.Table] = []
        self._pieces: list[tuple[int, dict[str, Piece]]] = []

    def add(self, records: Looked, *, keep: bool = True) -> None:
        """Take records.

        Parameters
        ----------
        records : Looked
            As `look` gives them.
        keep : bool, default True
            Whether they are rows of the table to come, or only say which columns it has.
        """
        if keep:
            self._front.append(records.front)
            self._keys.append(_keys(records.table))
        for part in records.parts if document_columns(records.table) else ():
            for length, pieces in self._laid_out(part):
                self.layout.add(pieces)
                if keep:
                    self._pieces.append((length, pieces))

    def _laid_out(self, part: Unit | Parsed) -> Iterator[tuple[int, dict[str, Piece]]]:
        pieces = self._of_parsed(part) if isinstance(part, Parsed) else None
        unit = part.unit if isinstance(part, Parsed) else part
        if pieces is not None:
            yield len(unit.table), pieces
        else:
            yield from ((len(few.table), self._flatten(few)) for few in unit.pieces())

    def _of_parsed(self, part: Parsed) -> dict[str, Piece] | None:
        exact = Exact(part.unit)
        places = document_columns(part.unit.table)
        places = [] if columns.DATA in places else places
        try:
            pieces = pieces_of(part.made, exact, of_places=bool(places), history=self._history)
            if self._view.policy is None or part.unit.hiding is None:
                return pieces
            if self._veil is None:
                self._veil = Veil(self._view.policy, self.secrets, places)
            return self._veil.over(pieces, exact, pc.indices_nonzero(part.unit.hiding).to_pylist())
        except NotThisWay:
            return None

    def _flatten(self, part: Unit) -> dict[str, Piece]:
        if columns.DATA in part.table.column_names:
            documents = masked_documents(part, self._view, self.secrets, history=self._history)
            return flatten(documents, history=self._history)
        pieces: dict[str, Piece] = {}
        for name in document_columns(part.table):
            pieces |= flatten_place(name, masked_place(part, name, self._view, self.secrets))
        return pieces

    def columns(self) -> tuple[dict[str, Any], int]:
        """Return the columns, in their order, and the number of rows.

        Returns
        -------
        dict of str to (pyarrow.ChunkedArray or numpy.ndarray)
            An array of Python objects where no Arrow type holds the values as they are.
        int
        """
        front = pa.concat_tables(self._front)
        places = _places_in_order(pa.concat_tables(self._keys))
        made: dict[str, Any] = dict(zip(front.column_names, front.columns, strict=True))
        made |= {name: self._column(name) for name in self.layout.names}
        made = hidden_in_columns(made, self._view, self.secrets)
        if self._wanted is not None:
            made = select(made, self._wanted, len(front))
        return _ordered(made, places), len(front)

    def _column(self, name: str) -> Any:
        kind = self.layout.arrow_type(name)
        # What was laid out is let go of column by column, so that it is not there twice at the end.
        pieces = [(length, part.pop(name, None)) for length, part in self._pieces]
        if kind is None:
            return objects([value for length, piece in pieces for value in _plain(piece, length)])
        return pa.chunked_array([_typed(piece, length, kind) for length, piece in pieces], kind)


def hidden_in_columns(made: dict[str, Any], view: View, secrets: Iterable[str]) -> dict[str, Any]:
    """Hide the secrets of one place wherever they stand at another.

    Parameters
    ----------
    made : dict of str to (pyarrow.ChunkedArray or numpy.ndarray)
        Columns, whose documents were masked already.
    view : View
        What is hidden.
    secrets : iterable of str
        Texts that were found to be secret by their names.

    Returns
    -------
    dict of str to (pyarrow.ChunkedArray or numpy.ndarray)
    """
    if view.policy is None:
        return made
    policy = view.policy.sweeping(secrets)
    if policy is view.policy:
        return made
    names = without_twins(name if name in FRONT else hidden_name(name, policy) for name in made)
    shown: dict[str, Any] = {}
    for name, (old, column) in zip(names, made.items(), strict=True):
        if view.shows(old):
            shown[name] = column
        elif not isinstance(column, pa.ChunkedArray):
            shown[name] = objects(hidden_in_values(column, policy))
        else:
            text = column.type == pa.string()
            shown[name] = hidden_in_texts(column, policy.sweep_text, policy.sweep_trigger) if text else column
    return shown


def _keys(table: pa.Table) -> pa.Table:
    """Return what rows are sorted by: their real ids, which may be masked in the result."""
    return table.select([name for name in (ORDER, "record_id", columns.WORKFLOW_ID) if name in table.column_names])


def _plain(piece: Piece | None, length: int) -> Iterable[Any]:
    if piece is None:
        return [None] * length
    return piece.cells.to_pylist() if isinstance(piece.cells, pa.Array) else piece.cells


def _typed(piece: Piece | None, length: int, kind: pa.DataType) -> pa.Array:
    if piece is None:
        return pa.nulls(length, kind)
    if isinstance(piece.cells, pa.Array):
        return piece.cells if piece.cells.type == kind else piece.cells.cast(kind, safe=False)
    return pa.array([None if value is None else float(value) for value in piece.cells], kind)


def _places_in_order(keys: pa.Table) -> Any:
    """Return where each row of the result stands now, or None when the rows are in order."""
    if ORDER not in keys.column_names:
        return None
    # Nulls come last, which is where Arrow puts them.
    found = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    places = found.to_numpy()
    return None if (places[1:] > places[:-1]).all() else places


def records(
    tables: pa.Table | Iterable[pa.Table],
    view: View,
    *,
    flatten: bool = True,
    wanted: Sequence[str] | None = None,
    history: bool = False,
    before: Flat | None = None,
    dtype_backend: DtypeBackend | None = None,
) -> pd.DataFrame:
    """Make the frame of records.

    Parameters
    ----------
    tables : pyarrow.Table or iterable of pyarrow.Table
        As the storage gives them, with or without documents; `workflow_id` in front only when the frame should have
        it. At least one.
    view : View
        What is hidden.
    flatten : bool, default True
        One column per place in the documents; else one column `data` that holds them as dicts.
    wanted : sequence of str, optional
        Record columns and paths to keep, in that order; a path takes everything below it.
    history : bool, default False
        Whether a flat frame has the column `history`.
    before : Flat, optional
        That saw all the records, of which these are a part: it knows which columns and dtypes there are.
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
        As in pandas; the dtypes of the docs when left out.

    Returns
    -------
    pandas.DataFrame
        One row per record: the record columns, then the document's, by code point within each part.
    """
    parts = [tables] if isinstance(tables, pa.Table) else tables
    flat = Flat(view, wanted=wanted, history=history, before=before)
    found, length = _flat(parts, view, flat) if flatten else _whole(parts, view)
    made = {name: _series(column, dtype_backend) for name, column in found.items()}
    return pd.DataFrame(made, columns=pd.Index(made, dtype=TEXT), index=pd.RangeIndex(length), copy=False)


def arrow_records(
    tables: Iterable[pa.Table],
    view: View,
    *,
    wanted: Sequence[str] | None = None,
    history: bool = False,
) -> pa.Table:
    """Make the Arrow table of records; see `records`.

    Parameters
    ----------
    tables : iterable of pyarrow.Table
        As the storage gives them. At least one.
    view : View
        What is hidden.
    wanted : sequence of str, optional
        Record columns and paths to keep, in that order.
    history : bool, default False
        Whether there is a column `history`.

    Returns
    -------
    pyarrow.Table
        The columns of the flat frame: `string`, `int64`, `double`, `bool`, `timestamp[us, UTC]`; what is `object`
        there is JSON text of the extension type `arrow.json`.
    """
    found, _ = _flat(tables, view, Flat(view, wanted=wanted, history=history))
    made = {
        name: column if isinstance(column, pa.ChunkedArray) else encode_texts(column).cast(JSON)
        for name, column in found.items()
    }
    return pa.table(made)


def _flat(parts: Iterable[pa.Table], view: View, flat: Flat) -> tuple[dict[str, Any], int]:
    with many_objects():
        for part in worked_ahead(progress(parts), functools.partial(look, view=view, parser=flat.parser)):
            flat.add(part)
        return flat.columns()


def _whole(parts: Iterable[pa.Table], view: View) -> tuple[dict[str, Any], int]:
    """Return the record columns, and the documents as Python objects."""
    fronts: list[pa.Table] = []
    keys: list[pa.Table] = []
    documents: list[Any] = []
    real: list[Any] = []
    secrets: set[str] = set()
    masked = View(view.policy)
    with many_objects():
        for part in worked_ahead(progress(parts), functools.partial(look, view=masked)):
            fronts.append(part.front)
            keys.append(_keys(part.table))
            for few in (few for unit in part.parts if isinstance(unit, Unit) for few in unit.pieces()):
                documents += masked_documents(few, masked, secrets)
                real += masked_documents(few, EVERYTHING, secrets) if view.revealed else []
    front = pa.concat_tables(fronts)
    places = _places_in_order(pa.concat_tables(keys))
    made: dict[str, Any] = dict(zip(front.column_names, front.columns, strict=True))
    made = hidden_in_columns({**made, columns.DATA: objects(documents)}, view, secrets)
    if view.revealed:
        # Last, so that what was asked for is not swept away again.
        pairs = zip(made[columns.DATA], real, strict=True)
        made[columns.DATA] = objects([revealed_in(document, one, view) for document, one in pairs])
    return _ordered(made, places), len(front)


def _ordered(made: dict[str, Any], places: Any) -> dict[str, Any]:
    return made if places is None else {name: column.take(places) for name, column in made.items()}


def _series(column: Any, backend: DtypeBackend | None) -> Any:
    """Return a column as pandas holds it, without copying what Arrow and pandas keep alike."""
    if not isinstance(column, pa.ChunkedArray):
        # Said, because pandas would take objects that are all texts for `str`.
        return pd.Series(column, dtype=object, copy=False)
    dtype: Any = _dtype(column.type, backend)
    return dtype.__from_arrow__(column.cast(pa.int64()) if pa.types.is_integer(column.type) else column)


def _dtype(kind: pa.DataType, backend: DtypeBackend | None) -> Any:
    if backend == "pyarrow":
        return pd.ArrowDtype(kind)
    if pa.types.is_timestamp(kind):
        return TIME
    if pa.types.is_integer(kind):
        return INTEGER
    return pd.StringDtype() if backend == "numpy_nullable" and kind == pa.string() else dtype_of(kind)


def plain_frame(table: pa.Table) -> pd.DataFrame:
    """Make a frame of a table that holds no JSON.

    Parameters
    ----------
    table : pyarrow.Table
        Text, counts and times.

    Returns
    -------
    pandas.DataFrame
        The same columns: text `str`, counts `Int64`, times `datetime64[us, UTC]`.
    """
    made = {name: _series(column, None) for name, column in zip(table.column_names, table.columns, strict=True)}
    return pd.DataFrame(made, columns=pd.Index(table.column_names, dtype=TEXT), index=pd.RangeIndex(len(table)))


def check_backend(backend: object) -> None:
    """Refuse a `dtype_backend` that pandas does not know.

    Parameters
    ----------
    backend : object
        As it was given.

    Raises
    ------
    InvalidOption
    """
    if backend not in (None, "numpy_nullable", "pyarrow"):
        raise InvalidOption(f"dtype_backend={backend!r} is neither 'numpy_nullable' nor 'pyarrow'")
