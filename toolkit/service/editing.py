"""Writing an edited frame back, by a plan."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from toolkit import changes, columns, states
from toolkit.changes import Edits, PlanTools, UpdatePlan
from toolkit.errors import HiddenValue, InvalidOption
from toolkit.masking import HIDDEN
from toolkit.model import RecordFilter
from toolkit.service.record_reads import ALL_COLUMNS, RecordReadCalls
from toolkit.service.telling import hushed
from toolkit.storage.base import literally
from toolkit.storage.record_reads import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd

    from toolkit.states import ReadState
    from toolkit.storage.base import WorkflowId

_NAME: Final = "record_id"
_EXACT: Final = 2**53
"""Up to here a float is an integer, too."""


class EditCalls(RecordReadCalls):
    """Write edited frames back."""

    def _plan_tools(self, workflow_id: str) -> PlanTools:
        return PlanTools(self.archive, self._receipt, self._sweeping(literally(workflow_id)), workflow_id)

    def plan_update(
        self,
        workflow_id: WorkflowId,
        frame: pd.DataFrame,
        *,
        before: pd.DataFrame | None = None,
        drop: Iterable[str] = (),
    ) -> UpdatePlan:
        """Look at what an edited frame of records would write; nothing changes until the plan is applied.

        Read records flat, edit the frame in pandas - some cells, a whole column, a new column named by its path - and
        give it here. Only cells that differ from the database are written.

        Parameters
        ----------
        workflow_id : str
            The workflow that it was read from.
        frame : pandas.DataFrame
            With `record_id` and columns as `query_records` makes them; rows and columns may be missing. A blank cell
            is left alone, `toolkit.NULL` sets null. The columns `record_type`, `status`, `iteration_node_alias`,
            `error_message` and `retry_count` can be changed, keys and times cannot.
        before : pandas.DataFrame, optional
            The frame as it was read; wanted where pandas, or a file, made the other one forget its read.
        drop : iterable of str, optional
            Paths to remove from the records of the frame, such as `["vars.draft"]`.

        Returns
        -------
        UpdatePlan
            Which cells, old → new, and which records somebody else changed since the read.

        Raises
        ------
        InvalidOption
            For a frame that does not know how its records were read, a key or a time that was changed, and cells that a
            file of text gave another type.
        HiddenValue
            When a mask stands where none was read.
        InvalidPath, InvalidValue
            For a column that is neither a record column nor a path, and for what JSON or a column cannot hold.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": f"a_{n}", "fields.n": n} for n in range(5)])
        >>> frame = service.query_records("nightly")
        >>> edited = frame.assign(**{"vars.label": frame["fields.n"].map({3: "three"})})
        >>> plan = service.plan_update("nightly", edited, before=frame)
        >>> plan
        UpdatePlan: 1 record of workflow nightly (vars.label 1); nothing has changed yet, .apply() does it
        >>> plan.apply(reason="labels").records
        1
        """
        one = self._one(workflow_id, "plan_update")
        removed = [drop] if isinstance(drop, str) else list(drop)
        with hushed(self, one):
            given = _checked(frame, one, "frame")
            read = None if before is None else _checked(before, one, "before")
            state = _state(frame, before, one)
        given, masked = _apart(given)
        with self.database.read():
            now, masked_now = self._as_it_is(one, given if masked.empty else None)
            read, masked_read = (None, masked_now) if read is None else _apart(read)
            _refuse_edited(masked, masked_read)
            cells = _touched(given, now if read is None else read)
            if removed:
                cells = {name: cells.get(name, {}) for name in given.index}
            differ = frozenset[str]() if state is not None or read is None else _changed_since(read, now, cells)
            known, kind = (None, WHOLE) if state is None else (state.by_name(), state.kind)
            edits = Edits(cells, list(given.columns), removed, known, differ, kind)
            return changes.plan_update(self.records, edits, self._plan_tools(one))

    def _as_it_is(self, workflow_id: str, like: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read the records of a frame, or all, by real ids; and those with a masked id again, by that."""
        ids = None if like is None else list(like.index)
        found = self.query_records(literally(workflow_id), ids=ids, columns=ALL_COLUMNS).set_index(_NAME)
        # Which rows these are is told by the ids themselves, in the same order.
        real = self.records.query(literally(workflow_id), RecordFilter.of(ids=ids), places=[]).column(_NAME)
        return found.set_axis(real.to_pylist(), axis=0), _apart(found)[1]


def _checked(frame: Any, workflow_id: str, what: str) -> pd.DataFrame:
    """Return the frame by record id, without the columns that say which workflow it is."""
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    if not isinstance(frame, pd.DataFrame):
        raise InvalidOption(f"{what} is a DataFrame as query_records makes it, not {type(frame).__name__}")
    whole = frame if _NAME in frame.columns else frame.reset_index()
    names = [str(name) for name in whole.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidOption(f"{what} has more than one column called {twice[0]!r}")
    if _NAME not in names:
        raise InvalidOption(f"{what} has no column record_id, so nobody knows which records it is about")
    if columns.DATA in names:
        raise InvalidOption(f"{what} holds whole documents (flatten=False); read it flat, edit it and give it here")
    ids = whole[_NAME]
    if not ids.map(lambda name: isinstance(name, str)).all():
        raise InvalidOption(f"record_id of {what} is not all text; read a file with dtype={{'record_id': str}}")
    again = ids.duplicated() & ~_masked(ids)
    if again.any():
        raise InvalidOption(f"{what} has more than one row of record {ids[again].iloc[0]!r}")
    if columns.WORKFLOW_ID in names and not (whole[columns.WORKFLOW_ID].astype(str) == workflow_id).all():
        raise InvalidOption(
            f"{what} holds rows of other workflows than {workflow_id}; take them out, or plan each by itself"
        )
    return whole.drop(columns=columns.WORKFLOW_ID, errors="ignore").set_index(_NAME)


def _masked(ids: Any) -> Any:
    return ids.str.contains(HIDDEN, regex=False).astype(bool)


def _apart(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows with their real ids, and those whose id is masked: nobody can tell which records these are."""
    masked = _masked(frame.index)
    return frame.loc[~masked], frame.loc[masked]


def _refuse_edited(given: pd.DataFrame, read: pd.DataFrame) -> None:
    """Leave rows with a masked id alone where they are as they were read; whatever else they hold is refused."""
    if given.empty:
        return
    known = set(_texts(read.reindex(columns=given.columns)))
    if not known.issuperset(_texts(given)):
        raise HiddenValue(
            "a row with a masked id, which could be any of several records, is not as it was read; nothing is planned. "
            "To edit it, read the frame with reveal=True; else leave it as it was, or take it out"
        )


def _texts(frame: pd.DataFrame) -> list[str]:
    """Write each row down, however pandas holds it."""
    cells = [_plain(_times(frame[name]) if name in columns.TIME_COLUMNS else frame[name]) for name in frame.columns]
    numbers = [
        [float(each) if type(each) is int and abs(each) < _EXACT else each for each in column] for column in cells
    ]
    return [repr(row) for row in zip(frame.index, *numbers, strict=True)]


def _state(frame: pd.DataFrame, before: pd.DataFrame | None, workflow_id: str) -> ReadState | None:
    found = states.recall(frame) if before is None else states.recall(before)
    if found is None and before is None:
        raise InvalidOption(
            "this frame does not know any more in which state its records were read (merge, concat and files make "
            "pandas forget), so changes of others could not be noticed; pass before= with the frame as it was read"
        )
    if found is not None and found.workflow_id != workflow_id:
        raise InvalidOption(f"this frame was read from workflow {found.workflow_id}, not from {workflow_id}")
    return found


def _touched(given: pd.DataFrame, base: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Collect the cells that are neither blank nor as they were, by record and column."""
    cells: dict[str, dict[str, Any]] = {}
    ids = given.index.tolist()
    aligned = base.reindex(given.index)
    for name in given.columns:
        column = _times(given[name]) if name in columns.TIME_COLUMNS else given[name]
        touched = column.notna().to_numpy()
        if name in aligned.columns:
            touched = touched & ~_equal(column, aligned[name])
        places = touched.nonzero()[0]
        for place, value in zip(places, _plain(column.iloc[places]), strict=True):
            cells.setdefault(ids[place], {})[name] = value
    return cells


def _equal(one: pd.Series[Any], other: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    import numpy as np  # noqa: PLC0415 - likewise
    import pandas as pd  # noqa: PLC0415 - likewise

    if one.dtype == other.dtype and one.dtype != object:
        return pd.Series(one.array == other.array).fillna(value=False).to_numpy(dtype=bool)
    if isinstance(one.dtype, pd.DatetimeTZDtype):
        return (one == _times(other)).to_numpy(dtype=bool)
    pairs = zip(_plain(one), _plain(other), strict=True)
    return np.fromiter((changes.same(old, new) for new, old in pairs), dtype=bool, count=len(one))


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Return cells as plain Python values, missing ones as None."""
    known = column.notna().to_numpy()
    values = column.astype(object).to_numpy()
    return [
        None if not there else value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
        for value, there in zip(values, known, strict=True)
    ]


def _changed_since(read: pd.DataFrame, now: pd.DataFrame, cells: Iterable[str]) -> frozenset[str]:
    """Compare what was read with what is there, for records that were touched, as far as the read went."""
    names = [name for name in cells if name in read.index and name in now.index]
    old, new = read.loc[names], now.reindex(columns=read.columns).loc[names]
    changed: set[str] = set()
    for name in read.columns:
        times = name in columns.TIME_COLUMNS
        left, right = (_plain(_times(each[name]) if times else each[name]) for each in (old, new))
        values = zip(left, right, names, strict=True)
        changed |= {row for one, other, row in values if not _is_mask(other) and not _same(other, one)}
    return frozenset(changed | {name for name in cells if name not in read.index and name in now.index})


def _times(column: pd.Series[Any]) -> pd.Series[Any]:
    """Read a column of times, whatever a file has made of it."""
    import pandas as pd  # noqa: PLC0415 - likewise

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column
    try:
        return pd.to_datetime(column, utc=True, format="ISO8601")
    except (ValueError, TypeError):
        raise InvalidOption(f"column {column.name!r} holds what is no time; take it out of the frame") from None


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) if isinstance(one, dt.datetime) else changes.same(one, other)


def _is_mask(value: Any) -> bool:
    """Whether a cell cannot be compared with one that was read with `reveal=True`."""
    return isinstance(value, str) and HIDDEN in value
