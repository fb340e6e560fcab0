"""What every call of the service stands on: one database, one policy, one way to say which workflow."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING, Final, TypeAlias

from toolkit import columns, jsonvalue, notebook
from toolkit.errors import AlreadyDone, CorruptValue, InvalidOption, RevealForbidden
from toolkit.frames.documents import may_hide
from toolkit.frames.hiding import hidden_in_texts
from toolkit.masking import EVERYTHING, MaskingPolicy, View
from toolkit.model import Receipt
from toolkit.storage import restore
from toolkit.storage.archive import ArchiveStorage
from toolkit.storage.base import WorkflowId, WorkflowIds, literally, single_workflow
from toolkit.storage.records import RecordStorage
from toolkit.storage.variables import VariableStorage
from toolkit.targets import warn_of_row_security

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    import pyarrow as pa

    from toolkit.jsonvalue import JSONValue
    from toolkit.profiles import Profile
    from toolkit.storage.database import Database


Reveal: TypeAlias = "bool | Sequence[str]"
"""What `reveal=` takes: everything, nothing, or some columns, paths or keys."""

# No text that is known to be secret stands in one or two words of letters.
_WORDS: Final = re.compile(r"[A-Za-z]{1,20}(?:[ _.-][A-Za-z]{1,20})?")


_SHORT: Final = 2_000
"""Characters of variables up to which Python's own patterns are quicker than Arrow's,"""
_SHORT_BEFORE_ARROW: Final = 30_000
"""and as long as Arrow is not loaded: that takes as long as to look at so many."""


class ServiceBase:
    """One database and what stands on it.

    Parameters
    ----------
    database : Database
        Open.
    masking : MaskingPolicy, optional
        Which values are hidden; the toolkit's own rules when left out.

    Attributes
    ----------
    variables : VariableStorage
        The variables, unmasked, as Arrow tables and plain values.
    records : RecordStorage
        The records, likewise.
    """

    def __init__(self, database: Database, masking: MaskingPolicy | None = None) -> None:
        self.database = database
        self.profile = database.profile
        self.masking = masking or _policy_of(database.profile)
        self.archive = ArchiveStorage(database)
        self.variables = VariableStorage(database, self.archive)
        self.records = RecordStorage(database, self.archive)

    def _view(self, reveal: Reveal, workflow_ids: WorkflowIds | None = None) -> View:
        """Return what of a result is hidden: with the secrets of its workflows wherever they stand in it."""
        if reveal is False:
            return View(self.masking if workflow_ids is None else self._sweeping(workflow_ids))
        if self.profile is not None and not self.profile.reveals:
            raise RevealForbidden(f"the profile {self.profile.name!r} never shows secrets; leave out reveal=")
        if reveal is True:
            return EVERYTHING
        if isinstance(reveal, str) or not all(isinstance(name, str) for name in reveal):
            raise InvalidOption(f"reveal= takes True, or columns such as ['vars.api_token'], not {reveal!r}")
        return View(self.masking if workflow_ids is None else self._sweeping(workflow_ids), tuple(reveal))

    def _sweeping(self, workflow_ids: WorkflowIds) -> MaskingPolicy:
        """Return the policy that also removes what the workflows' variables tell to be secret."""
        pairs = [(key, text) for key, text in self.variables.pairs(workflow_ids) if text is not None]
        return self.masking.sweeping(secrets_in(pairs, self.masking))

    def _note(self, view: View, rows: int) -> None:
        """Write down that secrets were shown: to whom, which columns, of how many rows; no value."""
        view.note(self.database.actor, rows)

    def _hidden_in(self, table: pa.Table, names: Iterable[str], workflow_ids: WorkflowIds) -> pa.Table:
        """Hide secrets in columns of short texts; ordinary words need no look at what is known to be secret."""
        chosen = [name for name in names if name in table.column_names]
        texts = {text for name in chosen for text in table.column(name).unique().to_pylist() if text is not None}
        if all(_WORDS.fullmatch(text) for text in texts):
            return table
        policy = self._sweeping(workflow_ids)
        for name in chosen:
            column = hidden_in_texts(table.column(name), policy.mask_text, policy.text_trigger)
            table = table.set_column(table.column_names.index(name), name, column)
        return table

    def _seen(self, frame: pd.DataFrame, total: int | None = None) -> pd.DataFrame:
        """Have a frame keep how many rows there were, and say with none that this role may not be shown all."""
        if frame.empty and self.database.whereabouts.row_security:
            warn_of_row_security(self.database.whereabouts.role)
        return notebook.mark(frame, len(frame) if total is None else total)

    def _receipt(self, receipt: Receipt) -> Receipt:
        """Hand a receipt out: with the way back to this service, for `receipt.undo()`, and no secret in the id."""
        shown = self.masking.mask_text(receipt.workflow_id)
        return dataclasses.replace(receipt, workflow_id=shown, undo_by=self.undo)

    def _one(self, workflow_id: WorkflowId, call: str) -> str:
        """Check the id of one workflow, for a call whose result has no column to tell several apart."""
        if single_workflow(workflow_id) is None:
            raise InvalidOption(
                f"{call} is about one workflow, and {self._named(workflow_id)} stands for several; get_all_variables, "
                "query_records and count_records(by='workflow_id') take several, list_workflows() shows which there are"
            )
        return self.records.workflow_id(workflow_id)

    def _named(self, workflow_ids: WorkflowIds) -> str:
        return self.masking.mask_text(repr(workflow_ids))

    def undo(self, receipt: Receipt | str, on_conflict: str = "fail") -> Receipt:
        """Bring back the rows that a change moved away or wrote, exactly as they were.

        Parameters
        ----------
        receipt : Receipt or str
            A receipt, or the id of one.
        on_conflict : {"fail", "skip", "overwrite"}, default "fail"
            What to do with rows that were written again since: touch nothing, leave them alone and name them, or move
            them to the archive. After `skip`, the same id can be undone again for the rest.

        Returns
        -------
        Receipt
            Of kind `undo`, with the counts; `skipped` and `overwritten` say what became of conflicts, and `differs`
            where a trigger of the table, or a key that cascades, kept a row from being as it was.

        Raises
        ------
        ChangeNotFound
            When the archive knows no such change.
        AlreadyDone
            When it was undone before; `receipt` is the change's.
        StalePlan
            When one of the rows was written again since; nothing is touched then.
        InvalidOption
            When `on_conflict` is another word.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> receipt = service.delete_variable("nightly", "total")
        >>> service.undo(receipt).variables
        1
        """
        change_id = receipt.id if isinstance(receipt, Receipt) else receipt
        try:
            done = restore.undo(
                self.archive, change_id, on_conflict, lambda workflow_id: self._sweeping(literally(workflow_id))
            )
        except AlreadyDone as error:
            error.receipt = None if error.receipt is None else self._receipt(error.receipt)
            raise
        return self._receipt(done)

    def undo_last(self, workflow_id: WorkflowId, on_conflict: str = "fail") -> Receipt:
        """Undo the last change of a workflow that this actor made and did not undo yet.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        on_conflict : {"fail", "skip", "overwrite"}, default "fail"
            See `undo`.

        Returns
        -------
        Receipt

        Raises
        ------
        ChangeNotFound
            When there is none; what others did is undone by its id.
        StalePlan
            When one of the rows was written again since; nothing is touched then.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> receipt = service.delete_variable("nightly", "total")
        >>> service.undo_last("nightly").id == receipt.id
        True
        """
        one = self._one(workflow_id, "undo_last")
        return self.undo(restore.last_change(self.archive, one), on_conflict)


def secrets_in(pairs: Sequence[tuple[str, str]], policy: MaskingPolicy) -> set[str]:
    """Return the texts that are secret by their names.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Names, which may be empty, and JSON texts.
    policy : MaskingPolicy
        Tells which.

    Returns
    -------
    set of str
    """
    found: set[str] = set()
    for (key, text), look in zip(pairs, _looks(pairs, policy), strict=True):
        if look:
            found |= policy.sensitive_texts(_value_or_text(text), key or None)
    return found


def _looks(pairs: Sequence[tuple[str, str]], policy: MaskingPolicy) -> Sequence[bool]:
    """Tell which variables could hold a secret; a few short ones without loading what a frame needs."""
    trigger = policy.trigger
    if trigger is None:
        return [True] * len(pairs)
    short = _SHORT if "pyarrow" in sys.modules else _SHORT_BEFORE_ARROW
    if sum(len(key) + len(text) for key, text in pairs) < short:
        pattern = re.compile(trigger, re.IGNORECASE)
        return [pattern.search(key) is not None or pattern.search(text) is not None for key, text in pairs]
    import pyarrow as pa  # noqa: PLC0415 - see above

    keys, texts = zip(*pairs, strict=True)
    return may_hide(
        pa.table({"key": pa.array(keys, pa.string()), "value": pa.array(texts, pa.string())}),
        ["key", "value"],
        policy,
    )


def _value_or_text(text: str) -> JSONValue:
    """Read a value; text that is no JSON is searched as it is."""
    try:
        return jsonvalue.decode(text)
    except CorruptValue:
        return text


def _policy_of(profile: Profile | None) -> MaskingPolicy:
    if profile is None:
        return MaskingPolicy()
    return MaskingPolicy(profile.extra, profile.allow, profile.rules, profile.hide_paths)


def of_workflows(table: pa.Table, workflow_ids: WorkflowIds) -> pa.Table:
    """Leave the column `workflow_id` out when only one workflow was asked for.

    Parameters
    ----------
    table : pyarrow.Table
        With `workflow_id` in front.
    workflow_ids : str, iterable of str, or Pattern
        As the read was given it.

    Returns
    -------
    pyarrow.Table
    """
    return table.drop_columns([columns.WORKFLOW_ID]) if single_workflow(workflow_ids) is not None else table
