"""One page about one record: a value that was read once, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit import columns, display, frames, jsonvalue
from toolkit.masking import HIDDEN
from toolkit.service.record_page import as_text, as_values

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import pandas as pd

_RENAMED: Final = ("iteration_node_alias", "error_message")
_OPEN: Final = frozenset({columns.DISCOVERED, columns.PROCESSING})


@dataclass(frozen=True, eq=False)
class RecordView:
    """Everything about one record, as it was at one moment.

    Made by `service.view_record` and `wf.record`. A notebook shows it as a page; `print` shows the same in short.

    Attributes
    ----------
    workflow_id, record_id, record_type, status, node : str
        Of the record; `status` and `node` may be None.
    retry_count : int or None
        How often it was tried again.
    created_at, updated_at, processed_at : datetime or None
        In UTC.
    error : str or None
        The error message; on a record that did not fail, it is left from a former run.
    cause, signature : str or None
        The id and the signature of what went wrong, as `failures` has them; None for a record that did not fail.
    raw : JSON value
        The whole document: keys in the order of the database, integers with every digit.
    history : pandas.DataFrame
        One row per entry: `time` (`datetime64[us, UTC]`), `gap` (`timedelta64[us]`: since the entry before), `action`,
        `node` (`str`), further keys as further columns; what these cannot hold stands whole in `entry`.
    iterations : pandas.DataFrame
        The iteration variables of the turn of a loop in which the record was worked on, and of the loops within it: as
        `get_iterations`, and `guess` (`boolean`). They are joined by `fields.index`, in the loop whose node has the
        alias of the record, else in the loop whose variables are named after its type. Where only the order of
        records and turns is left to go by, or several loops fit, `guess` is True.

    Examples
    --------
    >>> import toolkit
    >>> service = toolkit.connect(":memory:", create=True)
    >>> service.create_record("nightly", "email_001", data={"subject": "Hello", "size": 3})
    'email_001'
    >>> view = service.workflow("nightly").record("email_001")
    >>> view.raw["fields"], len(view.history)
    ({'subject': 'Hello', 'size': 3}, 0)
    """

    workflow_id: str
    record_id: str
    record_type: str
    status: str | None
    node: str | None
    retry_count: int | None
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    processed_at: dt.datetime | None
    error: str | None
    cause: str | None
    signature: str | None
    raw: Any
    history: pd.DataFrame
    iterations: pd.DataFrame
    _siblings: pd.DataFrame = field(repr=False)

    @classmethod
    def of(
        cls,
        workflow_id: str,
        row: Mapping[str, Any],
        cause: Mapping[str, Any] | None,
        siblings: pd.DataFrame,
        iterations: pd.DataFrame,
    ) -> Self:
        """Put a view together.

        Parameters
        ----------
        workflow_id : str
            As it is shown.
        row : mapping
            The record columns and the document, masked.
        cause : mapping or None
            The row of `analysis.causes` that it belongs to; None when it did not fail.
        siblings : pandas.DataFrame
            The other records of that cause.
        iterations : pandas.DataFrame
            What belongs to it.

        Returns
        -------
        RecordView
        """
        document = row[columns.DATA]
        entries = document.get(columns.HISTORY) if isinstance(document, dict) else None
        plain = {name: row[name] for name in columns.RECORD_COLUMNS if name not in _RENAMED}
        return cls(
            workflow_id=workflow_id,
            node=row["iteration_node_alias"],
            error=row["error_message"] or None,
            cause=None if cause is None else str(cause["cause"]),
            signature=None if cause is None else str(cause["signature"]),
            raw=document,
            history=frames.history(entries),
            iterations=iterations,
            _siblings=siblings,
            **plain,
        )

    def siblings(self) -> pd.DataFrame:
        """Return the other records that failed for the same cause.

        Returns
        -------
        pandas.DataFrame
            One row per record, ordered by `created_at` and `record_id`: the record columns, as `query_records` has
            them. Empty for a record that did not fail.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001", status="failed")
        'email_001'
        >>> len(service.view_record("nightly", "email_001").siblings())
        0
        """
        return self._siblings.copy()

    @property
    def sibling_count(self) -> int:
        """Records that failed for the same cause, this one not counted."""
        return len(self._siblings)

    @property
    def begun_at(self) -> dt.datetime | None:
        """When work on it began: the first time in the history, else `created_at`, which may be of a former run."""
        times = self.history["time"].dropna()
        begun: dt.datetime | None = times.iloc[0].to_pydatetime() if len(times) else self.created_at
        return begun

    @property
    def duration(self) -> dt.timedelta | None:
        """From `begun_at` to `processed_at`; None for an open record, and where `processed_at` is of a former run."""
        begun = self.begun_at
        if begun is None or self.processed_at is None or self.status in _OPEN or self.processed_at < begun:
            return None
        return self.processed_at - begun

    @property
    def hidden(self) -> int:
        """Values that are hidden in the document and in the message."""
        return f"{self.error or ''}{jsonvalue.encode_exact(self.raw)}".count(HIDDEN)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return display.render("record.html.j2", page=as_values(self))
