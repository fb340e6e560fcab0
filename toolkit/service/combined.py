"""The calls about both tables at once: data, counts, clearing, and which workflows there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from toolkit import columns, frames, times
from toolkit.changes import EVERY_WORKFLOW
from toolkit.model import DataStats, RecordFilter, counted
from toolkit.patterns import Pattern
from toolkit.service.clearing import ClearCalls
from toolkit.service.iteration_variables import IterationVariableCalls
from toolkit.service.overview import masked_overview, overview
from toolkit.service.records import RecordCalls
from toolkit.service.tracing import TraceCalls
from toolkit.storage.base import literally

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Hashable, Iterable

    import pandas as pd

    from toolkit.masking import MaskingPolicy
    from toolkit.patterns import PatternLike
    from toolkit.service.base import Reveal
    from toolkit.storage.base import WorkflowId

_Name = TypeVar("_Name", bound="Hashable")

_BUCKETS: Final = ("all", "global", "records")
_FREE_TEXTS: Final = (columns.WORKFLOW_ID, "reason", "selection")


@dataclass(frozen=True, eq=False)
class WorkflowData:
    """Variables and records of one workflow, read in one snapshot.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    timestamp : datetime
        When it was read, in UTC.
    variables, records : pandas.DataFrame or None
        As `get_all_variables` and `query_records` give them, documents whole in the column `data`; None for a bucket
        that was not asked for.
    include_metadata : bool
        Whether `to_dict` says status, times and error of each record.
    """

    workflow_id: str
    timestamp: dt.datetime
    variables: pd.DataFrame | None
    records: pd.DataFrame | None
    include_metadata: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the data in the shape of the service's first plan.

        Returns
        -------
        dict
            `workflow_id`, `timestamp`, and where asked for `global` (`{key: value}`) and `records`
            (`{record_id: {"type", "data", …}}`).

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> service.get_data("nightly").to_dict()["global"]
        {'total': 3}
        """
        shape: dict[str, Any] = {"workflow_id": self.workflow_id, "timestamp": times.iso(self.timestamp)}
        if self.variables is not None:
            shape["global"] = dict(zip(self.variables["key"], self.variables["value"], strict=True))
        if self.records is not None:
            shape["records"] = {row["record_id"]: self._record(row) for row in frames.to_dicts(self.records)}
        return shape

    def _record(self, row: dict[str, Any]) -> dict[str, Any]:
        shape = {"type": row["record_type"], columns.DATA: row[columns.DATA]}
        if self.include_metadata:
            shape["status"] = row["status"]
            for name in ("created_at", "updated_at"):
                shape[name] = None if row[name] is None else times.iso(row[name])
            if row["error_message"]:
                shape["error"] = row["error_message"]
        return shape

    def __repr__(self) -> str:
        read = [
            counted(len(frame), noun)
            for frame, noun in ((self.records, "record"), (self.variables, "variable"))
            if frame is not None
        ]
        return f"WorkflowData({self.workflow_id}: {' and '.join(read)})"


class CombinedCalls(IterationVariableCalls, RecordCalls, ClearCalls, TraceCalls):
    """Variables and records together."""

    def with_masking(self, masking: MaskingPolicy) -> Self:
        """Return this service with another policy, for one call or a few; this one stays as it is.

        Parameters
        ----------
        masking : MaskingPolicy
            Which values are hidden, in place of what `connect` or the profile said.

        Returns
        -------
        UnifiedDataService
            On the same database: closing one closes both. What the profile forbids stays forbidden.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "customer_no", 17)
        >>> strict = toolkit.MaskingPolicy(extra=("customer_*",))
        >>> service.with_masking(strict).get_variable("nightly", "customer_no")
        [hidden]
        >>> service.get_variable("nightly", "customer_no")
        17
        """
        other = type(self)(self.database, masking)
        other.profile = self.profile
        return other

    def list_workflows(self, pattern: PatternLike | None = None) -> pd.DataFrame:
        """List the workflows that have variables or records, or stand in the table of workflows.

        Parameters
        ----------
        pattern : str or list of str, optional
            Of workflow ids.

        Returns
        -------
        pandas.DataFrame
            One row per workflow, the latest activity first: `workflow_id, name` (`str`), `variables, records,
            discovered, processing, complete, failed, skipped, other` (`Int64`), `first_activity, last_activity`
            (`datetime64[us, UTC]`).

        Raises
        ------
        InvalidPattern

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001", status="failed")
        'email_001'
        >>> service.list_workflows()[["workflow_id", "records", "failed"]]
          workflow_id  records  failed
        0     nightly        1       1
        """
        return masked_overview(self._overview("*" if pattern is None else pattern), self.masking)

    def _overview(self, pattern: PatternLike = "*") -> pd.DataFrame:
        """List workflows with their real ids and names, to be searched and not to be shown."""
        return overview(self.variables, self.records, pattern)

    def get_data(
        self,
        workflow_id: WorkflowId,
        bucket: str = "all",
        pattern: PatternLike | None = None,
        include_metadata: bool = False,  # noqa: FBT001, FBT002 - the order of the first plan
        reveal: Reveal = False,  # noqa: FBT002 - likewise
    ) -> WorkflowData:
        """Read variables and records of one workflow, in one snapshot.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        bucket : str, default "all"
            `all`, `global` (the variables), `records`, or the id of one record.
        pattern : str or list of str, optional
            Of keys and record ids; it means both tables.
        include_metadata : bool, default False
            Whether `to_dict` says status, times and error of each record.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those of some keys, or in some columns or below some paths of the records.

        Returns
        -------
        WorkflowData

        Raises
        ------
        InvalidPattern
        InvalidOption
            When `workflow_id` stands for several.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.create_record("nightly", "email_001")
        'email_001'
        >>> service.get_data("nightly", bucket="email_001")
        WorkflowData(nightly: 1 record)
        """
        one = self._one(workflow_id, "get_data")
        chosen = "*" if pattern is None else pattern
        ids = None if bucket in _BUCKETS else [bucket]
        variables = records = None
        with self.database.read() as connection:
            now = connection.scalar(self.database.dialect.now().select())
            if bucket in ("all", "global"):
                variables = self.get_all_variables(literally(one), pattern=chosen, reveal=reveal)
            if bucket != "global":
                records = self.query_records(literally(one), chosen, ids=ids, flatten=False, reveal=reveal)
        return WorkflowData(self.masking.mask_text(one), times.read(now), variables, records, include_metadata)

    def get_stats(self, workflow_id: WorkflowId) -> DataStats:
        """Count the variables and records of one workflow, in the database.

        Parameters
        ----------
        workflow_id : str
            The workflow.

        Returns
        -------
        DataStats
            Variables by type and by category; records by type, by status, and crossed.

        Raises
        ------
        InvalidOption
            When `workflow_id` stands for several.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"total": 3, "node4.result": "done"})
        >>> service.get_stats("nightly").variable_categories
        {'custom': 1, 'node': 1}
        """
        one = self._one(workflow_id, "get_stats")
        with self.database.read():
            variables = self.variables.count(literally(one))
            groups = ("record_type", "status")
            counted_by = self.records.count(literally(one), RecordFilter(), groups)
            records = self._hidden_in(counted_by, groups, literally(one)).to_pylist()
        return DataStats(
            self.masking.mask_text(one),
            _margin((kind, count) for kind, _, count in variables),
            _margin((category, count) for _, category, count in variables),
            _margin(((row["record_type"], row["status"]), row["count"]) for row in records),
        )

    def changes(self, workflow_id: WorkflowId | None = None) -> pd.DataFrame:
        """List what was changed: when, by whom, why, how many rows, whether undone; no values.

        Parameters
        ----------
        workflow_id : str, optional
            Of one workflow only.

        Returns
        -------
        pandas.DataFrame
            One row per change, the newest first: `id, kind, workflow_id, actor, reason, selection` (`str`),
            `variables, records` (`Int64`), `created_at, undone_at` (`datetime64[us, UTC]`).

        Raises
        ------
        ArchiveMissing
            When there is no archive.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> receipt = service.delete_variable("nightly", "total", reason="a mistake")
        >>> service.changes()[["kind", "reason", "variables"]]
             kind     reason  variables
        0  delete  a mistake          1
        """
        wanted = None if workflow_id is None else self.variables.workflow_id(workflow_id)
        table = self.archive.changes(wanted)
        # A purge may be about all workflows, which is no workflow's id.
        ids = [name for name in table.column(columns.WORKFLOW_ID).unique().to_pylist() if name != EVERY_WORKFLOW]
        return frames.plain_frame(self._hidden_in(table, _FREE_TEXTS, Pattern(tuple(ids), ())) if ids else table)

    def setup_archive(self, where: str | None = None) -> str:
        """Make the archive, where removed rows are kept.

        On SQLite it is tables of the same file. On PostgreSQL it is a schema `toolkit`, without grants to anybody else
        and with row security on; or, where the role may not make one, a file in the user's data directory that nobody
        else may read.

        Parameters
        ----------
        where : {"schema", "file"}, optional
            On PostgreSQL; when left out, the schema if the role may make it, else the file.

        Returns
        -------
        str
            Where it is, for people.

        Raises
        ------
        ReadOnly
        InvalidOption
            For a file where the database has an archive of its own, and a schema while a file keeps changes.
        PermissionMissing
            For a schema that the role may not make.

        Warns
        -----
        DataWarning
            When the file lies in a git work tree.

        Examples
        --------
        >>> import toolkit
        >>> toolkit.connect(":memory:", create=True).setup_archive()
        'tables of this file'
        """
        made = self.archive.set_up(where)
        self.database.look()
        return made


def _margin(counts: Iterable[tuple[_Name, int]]) -> dict[_Name, int]:
    totals: dict[_Name, int] = {}
    for name, count in counts:
        totals[name] = totals.get(name, 0) + count
    return dict(sorted(totals.items(), key=lambda item: str(item[0])))
