"""The calls about what went wrong, and about what changed between two runs."""

from __future__ import annotations

import dataclasses
import secrets
from contextlib import ExitStack
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, frames
from toolkit.errors import WorkflowNotFound
from toolkit.masking import EVERYTHING, HIDDEN
from toolkit.model import RecordFilter
from toolkit.service.base import of_workflows
from toolkit.service.record_reads import RecordReadCalls
from toolkit.service.variables import VariableCalls
from toolkit.storage.base import literally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from toolkit.analysis import CauseRules, RunDiff
    from toolkit.service.workflow import Workflow
    from toolkit.storage.base import WorkflowId
    from toolkit.times import TimeLike

_RECORD_ID: Final = columns.RECORD_COLUMNS[0]
_DIGEST_BYTES: Final = 16

_FAILURE_COLUMNS: Final = ("record_id", "record_type", "status", "error_message", "updated_at")


class CompareCalls(VariableCalls, RecordReadCalls):
    """Why a run failed, and what is different from another one."""

    def failures(
        self,
        workflow_id: WorkflowId,
        since: TimeLike | None = None,
        *,
        rules: CauseRules | None = None,
        known: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Group the failed records of a workflow by what went wrong.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        since : str, datetime or timedelta, optional
            Only records whose `updated_at` is at or after it; `"24h"` is a day before the database's now.
        rules : mapping of str to str or re.Pattern, optional
            Causes of your own by name, as `analysis.causes` takes them; they go first.
        known : pandas.DataFrame, optional
            A former result, whose causes keep their ids.

        Returns
        -------
        pandas.DataFrame
            One row per cause, the most frequent first: `cause, signature` (`str`), `count` (`Int64`), `share`
            (`Float64`: of all failures, 0 to 1), `record_types` (`object`: list), `first_seen, last_seen`
            (`datetime64[us, UTC]`), `record_ids` (`object`: list of all of them), `example` (`str`: one whole message),
            `signatures` (`object`: list of what was taken as one), as `analysis.causes` has them.

        Raises
        ------
        InvalidOption
            When `workflow_id` stands for several.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> failed = {"status": "failed", "error_message": "Timeout after 30 s"}
        >>> number = service.create_records("nightly", [{"record_id": f"a_{n}", **failed} for n in (1, 2)])
        >>> service.failures("nightly")[["signature", "count", "record_ids"]]
                          signature  count  record_ids
        0  Timeout after <duration>      2  [a_1, a_2]
        """
        from toolkit import analysis  # noqa: PLC0415 - loaded for those who ask why

        one = literally(self._one(workflow_id, "failures"))
        records = self.query_records(one, status=columns.FAILED, since=since, columns=list(_FAILURE_COLUMNS))
        found = analysis.causes(records, rules=rules, known=known, samples=None)
        return found.rename(columns={"sample_ids": "record_ids"})

    def compare(
        self,
        workflow_id: WorkflowId,
        other: WorkflowId | Workflow,
        on: str = _RECORD_ID,
        *,
        ignore: Iterable[str] = (),
        ratio: float = 1.5,
        at_least: float = 1.0,
        rules: CauseRules | None = None,
        limit: int = 100_000,
    ) -> RunDiff:
        """Compare a run with a later one.

        Both are read in one snapshot, or each in one of its own where they are in two databases. Whether a hidden
        value is another one is decided on digests of the real values, made with a key that lasts for this comparison
        only; what is shown stays hidden. Where a mask is all that is stored, as in a file of `snapshot`, nobody knows,
        and the pair is not compared.

        Parameters
        ----------
        workflow_id : str
            The former run.
        other : str or Workflow
            The later run; a `Workflow` may be one of another service, such as that of a snapshot.
        on : str, default "record_id"
            The record column or path that says which records are the same thing.
        ignore : iterable of str, default ()
            Paths that are not compared, with all below them.
        ratio : float, default 1.5
            A record is slower when it took at least so many times as long,
        at_least : float, default 1.0
            and at least so many seconds longer.
        rules : mapping of str to str or re.Pattern, optional
            Causes of your own, as `analysis.causes` takes them.
        limit : int, default 100000
            So many changed values are listed at most; all are counted.

        Returns
        -------
        RunDiff
            Frames of what was added, is missing, failed newly, was fixed, still fails, got slower or changed.

        Raises
        ------
        InvalidOption
            When one of the two stands for several, or `on` is no column of both.
        WorkflowNotFound
            When one of the two has neither records nor variables.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> for run, status, token in (("monday", "failed", "FAKE-1"), ("tuesday", "complete", "FAKE-2")):
        ...     data = {"vars": {"api_token": token}}
        ...     name = service.create_record(run, "email_001", status=status, data=data)
        >>> diff = service.compare("monday", "tuesday")
        >>> diff
        RunDiff(monday → tuesday, 1 → 1 records: 1 fixed)
        >>> diff.changes
           record_id            path    before               after
        0  email_001  vars.api_token  [hidden]  [hidden] (differs)
        """
        from toolkit import analysis  # noqa: PLC0415 - loaded for those who compare

        there: CompareCalls = getattr(other, "service", self)
        sides = _Side(self, self._one(workflow_id, "compare")), _Side(there, self._one(_id(other), "compare"))
        key = secrets.token_bytes(32)
        with ExitStack() as stack:
            for service in dict.fromkeys((self, there)):
                stack.enter_context(service.database.read())
            for side in sides:
                side.service._must_exist(side.name)  # noqa: SLF001 - of this class
            records = sides[0].records(), sides[1].records()
            hidden = _hidden_columns(records)
            digests = sides[0].digests(hidden, key), sides[1].digests(hidden, key)
            variables = sides[0].variables(), sides[1].variables()
            of_variables = sides[0].variable_digests(key), sides[1].variable_digests(key)
        found = analysis.compare(
            *records,
            on,
            variables=variables,
            digests=digests,
            variable_digests=of_variables,
            ignore=ignore,
            ratio=ratio,
            at_least=at_least,
            rules=rules,
            limit=limit,
        )
        former, later = (side.service.masking.mask_text(side.name) for side in sides)
        return dataclasses.replace(found, names=(former, later))

    def _must_exist(self, name: str) -> None:
        if not (self.records.has_any(name) or self.variables.has_any(name)):
            shown = self.masking.mask_text(name)
            raise WorkflowNotFound(f"there is no workflow {shown!r}; service.list_workflows() shows all")

    # What is read here is digested and never shown: a profile that shows no secrets does not forbid it.
    def _digests(self, name: str, hidden: Sequence[str], key: bytes) -> pd.DataFrame:
        """Digest the real values below each hidden column, a row for each row of the frame that is shown."""
        import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

        one, wanted = literally(name), list(dict.fromkeys([_RECORD_ID, *hidden]))
        with self.records.parts(one, RecordFilter()) as tables:
            real = frames.records(tables, EVERYTHING, wanted=wanted)
        below = {path: _below(real, path) for path in hidden}
        # A name that holds a mask itself is not that of the column.
        digests = {path: _digest(values, key) for path, values in below.items() if len(values.columns)}
        return pd.DataFrame(digests, index=range(len(real)))

    def _variable_digests(self, name: str, key: bytes) -> pd.DataFrame:
        one = literally(name)
        real = frames.variables(of_workflows(self.variables.query(one), one), EVERYTHING)
        return real[["key"]].assign(key=_digest(real[["key"]], key), value=_digest(real[["value"]], key))


@dataclasses.dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs, and where it is."""

    service: CompareCalls
    name: str

    def records(self) -> pd.DataFrame:
        return self.service.query_records(literally(self.name))

    def variables(self) -> pd.DataFrame:
        return self.service.get_all_variables(literally(self.name))

    def digests(self, hidden: Sequence[str], key: bytes) -> pd.DataFrame:
        return self.service._digests(self.name, hidden, key)  # noqa: SLF001 - of this module

    def variable_digests(self, key: bytes) -> pd.DataFrame:
        return self.service._variable_digests(self.name, key)  # noqa: SLF001 - likewise


def _id(other: Any) -> WorkflowId:
    found: WorkflowId = getattr(other, "id", other)
    return found


def _hidden_columns(both: Iterable[pd.DataFrame]) -> list[str]:
    from toolkit.analysis import masked  # noqa: PLC0415 - loaded for those who compare

    found = [name for frame in both for name in frame.columns]
    return [name for name in dict.fromkeys(found) if any(name in each and masked(each[name]).any() for each in both)]


def _below(records: pd.DataFrame, path: str) -> pd.DataFrame:
    names = sorted(name for name in records.columns if name == path or name.startswith(f"{path}."))
    return records[names]


def _digest(values: pd.DataFrame, key: bytes) -> pd.Series[str]:
    """Digest each row of some columns; missing where all are, and where a mask is all there is."""
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    from toolkit.analysis import canonical  # noqa: PLC0415 - loaded for those who compare

    texts = pd.Series("", index=range(len(values)), dtype="object")
    for name in values.columns:
        cells = values[name].reset_index(drop=True).astype("object")
        there = cells.notna()
        texts[there] = texts[there] + f"{name}=" + cells[there].map(canonical) + "\n"
    digests = {text: _keyed(text, key) for text in texts.unique() if text and HIDDEN not in text}
    return texts.map(digests).astype("str")


def _keyed(text: str, key: bytes) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES, key=key).hexdigest()
