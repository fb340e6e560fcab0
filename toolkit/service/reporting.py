"""The call that makes a report."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns
from toolkit._version import __version__
from toolkit.errors import InvalidOption
from toolkit.patterns import Pattern
from toolkit.service.lineage import Line, line
from toolkit.service.runs import RunCalls
from toolkit.storage.base import literally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from toolkit.analysis import CauseRules
    from toolkit.importers import ImportedRun
    from toolkit.report import Run, RunReport
    from toolkit.storage.base import WorkflowId, WorkflowIds
    from toolkit.validation import Schema

PREVIOUS: Final = "previous"
"""What `baseline=` takes for the run before."""

_RECORD_ID: Final = columns.RECORD_COLUMNS[0]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report was asked for, beside its runs: as `report` takes it; `source` and `setup` say where it reads."""

    history: int
    include: tuple[str, ...] = ()
    on: str = _RECORD_ID
    rules: CauseRules | None = None
    title: str | None = None
    source: str | None = None
    setup: str = "service = toolkit.connect(…)"


class ReportCalls(RunCalls):
    """Reports out."""

    def report(
        self,
        workflow_id: WorkflowId,
        *,
        baseline: WorkflowId | None = PREVIOUS,
        history: int | None = 20,
        include: Sequence[str] = (),
        on: str = _RECORD_ID,
        schema: Schema | None = None,
        variable_schemas: Mapping[str, Schema] | None = None,
        rules: CauseRules | None = None,
        title: str | None = None,
    ) -> RunReport:
        """Summarise one run for somebody who was not there.

        Everything is read in one snapshot, and masked. Of what records contain, only ids, types, statuses, times and
        messages are shown, unless `include` names more.

        Parameters
        ----------
        workflow_id : str
            The workflow, or the test run.
        baseline : str, Workflow or None, default "previous"
            The run to hold it against. `"previous"` is the latest run before it in `runs()` whose name is the same but
            for numbers, on the same branch where there is one; the report says which one was taken and why.
        history : int or None, default 20
            How many runs to follow records through, this one included; None for none.
        include : sequence of str, default ()
            Paths whose masked content the report shows for failed records, such as `["fields.subject"]`.
        on : str, default "record_id"
            The record column or path that says which records of two runs are the same thing.
        schema : dict or bool, optional
            A JSON Schema to hold the documents of records to, as `validate_records` takes it.
        variable_schemas : mapping of str to (dict or bool), optional
            JSON Schemas to hold variables to, as `validate_variables` takes them.
        rules : mapping of str to str or re.Pattern, optional
            Causes of your own, as `analysis.causes` takes them.
        title : str, optional
            What to call it; the run's name, or the workflow's id, when left out.

        Returns
        -------
        RunReport
            `save(path)` writes one self-contained page, or a folder of them; `to_html()`, `to_markdown()` and
            `to_json()` say the same, `frames` holds the DataFrame behind each section.

        Raises
        ------
        InvalidOption
            When `workflow_id` or `baseline` stands for several or is the same, `history` is no number of runs, or a
            schema is broken.
        InvalidPath
            When `include` or `on` names no record column and no path.
        WorkflowNotFound
            When there is no workflow that is called as `baseline` says.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> for run, status in (("monday", "complete"), ("tuesday", "failed")):
        ...     name = service.create_record(run, "email_001", status=status)
        >>> report = service.report("tuesday", baseline="monday")
        >>> print(report.summary.verdict)
        0 of 1 complete (0 %), 100 points below monday; 1 new failure without a message
        >>> report.frames["changes"][["record_id", "change"]]
           record_id        change
        0  email_001  newly failed
        """
        one = self._one(workflow_id, "report")
        asked = Asked(history=history_size(history), include=included_paths(include), on=on, rules=rules, title=title)
        with self.database.read():
            described = self._described("*")
            chosen = self._chosen(described, one, baseline)
            problems = self._problems(one, schema, variable_schemas)
            return self._reported(one, described, chosen, asked, problems)

    def _reported(
        self, one: str, described: pd.DataFrame, chosen: Line, asked: Asked, problems: pd.DataFrame | None = None
    ) -> RunReport:
        from toolkit import report  # noqa: PLC0415 - templates are only loaded for a report

        followed = (*chosen.earlier, one)[-asked.history :] if asked.history else ()
        runs = self._runs(one, described, [*followed, one, *([chosen.baseline] if chosen.baseline else [])], asked)
        made = report.Material(
            run=runs[one],
            title=self.masking.mask_text(asked.title) if asked.title else runs[one].title or runs[one].name,
            source=self.masking.mask_text(asked.source or self.database.place),
            created_at=dt.datetime.now(dt.UTC),
            toolkit_version=__version__,
            filters={columns.WORKFLOW_ID: runs[one].name},
            baseline=None if chosen.baseline is None else runs[chosen.baseline],
            reason=self.masking.mask_text(chosen.reason),
            history=tuple(runs[name] for name in followed),
            include=asked.include,
            on=asked.on,
            problems=problems,
            rules=asked.rules,
            setup=self.masking.mask_text(asked.setup),
        )
        return report.RunReport.of(made)

    def _runs(self, one: str, described: pd.DataFrame, names: Sequence[str], asked: Asked) -> dict[str, Run]:
        wanted = list(dict.fromkeys([*columns.RECORD_COLUMNS, asked.on]))
        others = [name for name in dict.fromkeys(names) if name != one]
        records = self._of_each(others, lambda ids: self.query_records(ids, columns=wanted))
        variables = self._of_each(others, self.get_all_variables)
        records[one] = self.query_records(literally(one), columns=list(dict.fromkeys([*wanted, *asked.include])))
        variables[one] = self.get_all_variables(literally(one))
        found = {name: self._run(name, described, records[name], variables[name]) for name in (*others, one)}
        return self._keyed(found, asked.on)

    def _of_each(self, names: list[str], read: Callable[[WorkflowIds], pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """Read several workflows at once, and tell their rows apart."""
        if len(names) <= 1 or any(self.masking.mask_text(name) != name for name in names):
            # One is read without its id, and an id that is hidden tells nothing apart.
            return {name: read(literally(name)) for name in names}
        together = read(Pattern(tuple(names), ()))
        return _split(together, names)

    def _report_imported(
        self, runs: Sequence[ImportedRun], one: str, baseline: WorkflowId | None, asked: Asked
    ) -> RunReport:
        """Import runs into an empty database, and report on one of them; where it comes from is known of that one."""
        from toolkit.importers import origin  # noqa: PLC0415 - loaded for those who import

        for each in runs:
            known = origin() if each.name == one else {}
            self._import([each], known, replace=False, create_workflow=False, archive=False)
        described = self._described("*")
        return self._reported(one, described, self._chosen(described, one, baseline, everything=True), asked)

    def _run(self, name: str, described: pd.DataFrame, records: pd.DataFrame, variables: pd.DataFrame) -> Run:
        from toolkit.report import Run  # noqa: PLC0415 - as above

        known = described[(described[columns.WORKFLOW_ID] == name).to_numpy()]
        said = known.astype(object).where(known.notna(), None).to_dict("records")
        row: dict[Any, Any] = said[0] if said else {}
        mask = self.masking.mask_text
        texts = {part: mask(row[part]) if row.get(part) else None for part in ("name", "branch", "commit", "url")}
        return Run(
            name=mask(name),
            title=texts["name"],
            records=records,
            variables=variables,
            started_at=row.get("started_at"),
            branch=texts["branch"],
            commit=texts["commit"],
            url=texts["url"],
        )

    def _chosen(
        self, described: pd.DataFrame, one: str, baseline: WorkflowId | None, *, everything: bool = False
    ) -> Line:
        found = line(described, one, everything=everything)
        if baseline is None:
            return dataclasses.replace(found, baseline=None, reason="It was not asked for.")
        if baseline == PREVIOUS:
            return found
        name = self._one(getattr(baseline, "id", baseline), "a baseline")
        if not self._has_rows(name):
            named = described.loc[(described["name"] == name).to_numpy(), columns.WORKFLOW_ID]
            name = str(named.iloc[0]) if len(named) == 1 else name
            self._must_exist(name)
        if name == one:
            raise InvalidOption("baseline= is the run itself; name another one, or 'previous'")
        return dataclasses.replace(found, baseline=name, reason="It was asked for by name.")

    def _keyed(self, runs: dict[str, Run], on: str) -> dict[str, Run]:
        """Where what records are matched by is hidden, match them by digests, made with a key for this report only."""
        from toolkit.analysis import masked  # noqa: PLC0415 - as above

        if not any(masked(run.records[on]).any() for run in runs.values()):
            return runs
        key = secrets.token_bytes(32)
        digests = {name: self._digests(name, [on], key)[on] for name in runs}
        return {name: dataclasses.replace(run, keys=digests[name]) for name, run in runs.items()}

    def _problems(
        self, one: str, schema: Schema | None, variable_schemas: Mapping[str, Schema] | None
    ) -> pd.DataFrame | None:
        import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

        found = []
        if schema is not None:
            found.append(self.validate_records(literally(one), schema))
        if variable_schemas is not None:
            found.append(self.validate_variables(literally(one), variable_schemas))
        return pd.concat(found, ignore_index=True) if found else None


def _split(together: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Cut a frame of several workflows into one for each; the rows of each keep their order."""
    import numpy as np  # noqa: PLC0415 - not needed until a call needs it

    places = {name: place for place, name in enumerate(names)}
    owners = together[columns.WORKFLOW_ID].map(places).to_numpy(dtype="int64")
    ordered = together.drop(columns=columns.WORKFLOW_ID).take(np.argsort(owners, kind="stable"))
    ends = np.cumsum(np.bincount(owners, minlength=len(names)))
    return {
        name: ordered.iloc[start:end].reset_index(drop=True)
        for name, start, end in zip(names, [0, *ends[:-1]], ends, strict=True)
    }


def included_paths(include: Sequence[str]) -> tuple[str, ...]:
    """Check what `include=` was given."""
    if isinstance(include, str) or not all(isinstance(path, str) for path in include):
        raise InvalidOption(f"include= takes a list of paths such as ['fields.subject'], not {include!r}")
    return tuple(dict.fromkeys(include))


def history_size(history: int | None) -> int:
    """Check what `history=` was given."""
    if history is None:
        return 0
    if isinstance(history, bool) or not isinstance(history, int) or history < 0:
        raise InvalidOption(f"history={history!r} is no number of runs, such as 20")
    return history
