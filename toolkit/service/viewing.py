"""The call about one record: everything that there is to say of it, read in one snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, frames, jsonvalue
from toolkit.errors import CorruptValue
from toolkit.frames.hiding import hidden_in_texts
from toolkit.lazy import pa
from toolkit.masking import EVERYTHING, View
from toolkit.model import RecordFilter
from toolkit.service.base import Reveal, of_workflows, secrets_in
from toolkit.service.record_reads import RecordReadCalls
from toolkit.service.record_view import RecordView
from toolkit.service.telling import no_such_row
from toolkit.service.turns import TurnCalls
from toolkit.storage.base import literally

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.storage.base import WorkflowId

_TEXTS: Final = ("record_id", "record_type", "status", "iteration_node_alias", "error_message")


class ViewCalls(TurnCalls, RecordReadCalls):
    """Look at one record."""

    def view_record(self, workflow_id: WorkflowId, record_id: str, *, reveal: Reveal = False) -> RecordView:
        """Read everything about one record: for people, who look at it; `get_record` is for programs.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        record_id : str
            The record, literally.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those in some columns or below some paths, such as `["vars.api_token"]`.

        Returns
        -------
        RecordView
            One page: its columns and document, why it failed and which records failed for the same cause, its history
            and its iteration variables. What the document tells to be secret is hidden in all of them.

        Raises
        ------
        RecordNotFound
            When there is no such record; near ids are given.
        InvalidOption
            When `workflow_id` stands for several.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> failed = {"status": "failed", "error_message": "Timeout after 30 s"}
        >>> number = service.create_records("nightly", [{"record_id": f"a_{n}", **failed} for n in (1, 2)])
        >>> view = service.view_record("nightly", "a_1")
        >>> view.signature, list(view.siblings()["record_id"])
        ('Timeout after <duration>', ['a_2'])
        """
        one = self._one(workflow_id, "view_record")
        with self.database.read():
            table = self.records.query(literally(one), RecordFilter.of(ids=[record_id]))
            if not len(table):
                no_such_row(self, self.records, one, record_id)
            view = self._view(reveal, literally(one))
            aware = self._aware(view, table)
            cause, siblings = self._failures_like(one, table, view, aware)
            iterations = self._turns_of(one, _real(table), aware)
        row = frames.to_dicts(frames.records(of_workflows(table, literally(one)), view, flatten=False))[0]
        self._note(view, 1 + len(siblings))
        return RecordView.of(self.masking.mask_text(one), row, cause, siblings, iterations)

    def _aware(self, view: View, table: pa.Table) -> View:
        """Return a view that also hides what the document tells to be secret, in all that stands beside it."""
        if view.policy is None:
            return view
        texts = [("", text) for text in table.column(columns.DATA).to_pylist() if text is not None]
        return View(view.policy.sweeping(secrets_in(texts, view.policy)), view.revealed)

    def _failures_like(
        self, workflow_id: str, table: pa.Table, view: View, aware: View
    ) -> tuple[dict[str, Any] | None, pd.DataFrame]:
        """Return the cause of a failed record, as `failures` has it, and the other records that failed for it."""
        if table.column("status")[0].as_py() != columns.FAILED:
            return None, frames.records(table.select(columns.RECORD_COLUMNS).slice(0, 0), view)
        from toolkit import analysis  # noqa: PLC0415 - loaded for those who ask why

        failed = RecordFilter(status=(columns.FAILED,))
        with self.records.parts(literally(workflow_id), failed, places=[], history=False) as parts:
            tables = list(parts)
        # Grouped as they are hidden from everybody, so that a cause has one id whoever looks.
        policy = self._sweeping(literally(workflow_id)) if view.policy is None else view.policy
        seen = frames.records(tables, View(policy))
        numbered = seen.assign(record_id=list(map(str, range(len(seen)))))
        ids = frames.records(tables, EVERYTHING, wanted=["record_id"])["record_id"]
        own = str(list(ids).index(table.column("record_id")[0].as_py()))
        causes = analysis.causes(numbered, samples=None)
        found = next(cause for cause in frames.to_dicts(causes) if own in cause["sample_ids"])
        others = [int(place) for place in found["sample_ids"] if place != own]
        shown = seen if view.policy is not None and not view.revealed else frames.records(tables, view)
        return found, _swept(shown.take(others).reset_index(drop=True), view, aware)


def _swept(frame: pd.DataFrame, view: View, aware: View) -> pd.DataFrame:
    """Hide in other records what this one tells to be secret."""
    if aware.policy is None or aware.policy is view.policy:
        return frame
    policy = aware.policy
    shown = {}
    for name in (name for name in _TEXTS if not view.shows(name)):
        texts = pa.array(frame[name], pa.string(), from_pandas=True)
        hidden = hidden_in_texts(texts, policy.sweep_text, policy.sweep_trigger)
        shown[name] = frame[name] if hidden is texts else hidden.to_pylist()
    return frame.assign(**shown).astype(dict.fromkeys(shown, frames.TEXT))


def _real(table: pa.Table) -> dict[str, Any]:
    """Return a record as it is; a document that is no JSON has no index."""
    row: dict[str, Any] = table.to_pylist()[0]
    try:
        return {**row, columns.DATA: jsonvalue.decode(row[columns.DATA] or "null")}
    except CorruptValue:
        return {**row, columns.DATA: None}
