"""The calls about test runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from toolkit import columns, frames
from toolkit.errors import RunExists, WorkflowNotFound
from toolkit.model import VariableFilter
from toolkit.patterns import Pattern
from toolkit.service.checking import CheckingCalls
from toolkit.service.comparing import CompareCalls
from toolkit.service.overview import masked_overview
from toolkit.service.record_iteration import IterationCalls
from toolkit.service.snapshots import SnapshotCalls
from toolkit.service.telling import hushed
from toolkit.storage import rows
from toolkit.storage.archive import Removal
from toolkit.storage.base import encode_for_writing
from toolkit.storage.tables import workflow_uuid, workflows_named
from toolkit.storage.variables import check_key

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from toolkit.importers import ImportedFile, ImportedRun
    from toolkit.patterns import PatternLike

RUN_VARIABLE: Final = "run"
"""The variable that every imported run has, and by which a run is known to be one."""


class RunCalls(IterationCalls, CheckingCalls, CompareCalls, SnapshotCalls):
    """Test runs in."""

    def import_junit(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        run: str | None = None,
        variant: str | None = None,
        started_at: dt.datetime | None = None,
        replace: bool = False,
        create_workflow: bool = False,
        archive: bool = True,
    ) -> pd.DataFrame:
        """Import JUnit XML reports: a run becomes a workflow, a test case a record, a suite a variable.

        Parameters
        ----------
        paths : str, path, or iterable of them
            Files, folders, globs, or a template such as `"runs/{run}/{variant}/junit.xml"`.
        run : str, optional
            The run's name; else it comes from the template, else from the file's folder.
        variant : str, optional
            The system or configuration that was tested; it is part of each case's identity.
        started_at : datetime, optional
            For reports that say no time; else the file's own time is taken. `fields.time_source` says which.
        replace : bool, default False
            Replace a run of that name whole; its former rows go to the archive.
        create_workflow : bool, default False
            Where workflow ids are uuids: make a workflow of the run's name when there is none.
        archive : bool, default True
            Keep the rows of a run that is replaced.

        Returns
        -------
        pandas.DataFrame
            One row per file: `path, workflow_id` (`str`), `records, complete, failed, skipped` (`Int64`), `error`
            (`str`; one line that names the place, for a file that was not imported). `workflow_id` is missing for a
            run of which no file could be read: nothing of it is written.

        Raises
        ------
        ImportFailed
            When nothing is found, or the names of the runs cannot be told apart.
        RunExists
            When a run of that name exists and `replace` is not True; nothing is written then.
        WorkflowNotFound
            Where workflow ids are uuids and no workflow has the run's name.
        ArchiveMissing
            When a run is replaced and there is nowhere to keep its rows.

        Examples
        --------
        >>> import pathlib, tempfile, toolkit
        >>> report = pathlib.Path(tempfile.mkdtemp()) / "junit.xml"
        >>> text = '<testsuite name="s"><testcase classname="C" name="t" time="0.5"/></testsuite>'
        >>> size = report.write_text(text)
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.import_junit(report, run="nightly-1")[["workflow_id", "records", "complete"]]
          workflow_id  records  complete
        0   nightly-1        1         1
        """
        from toolkit import importers  # noqa: PLC0415 - loaded for those who import

        runs = importers.gather(paths, run=run, variant=variant, started_at=started_at)
        return self._import(runs, importers.origin(), replace=replace, create_workflow=create_workflow, archive=archive)

    def import_results(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        importer: str | None = None,
        mapping: Mapping[str, str] | None = None,
        run: str | None = None,
        variant: str | None = None,
        started_at: dt.datetime | None = None,
        branch: str | None = None,
        commit: str | None = None,
        url: str | None = None,
        replace: bool = False,
        create_workflow: bool = False,
        archive: bool = True,
    ) -> pd.DataFrame:
        r"""Import test results of any kind that an importer knows.

        There are `junit` (JUnit XML and its dialects, NUnit 3, TRX), `allure` (`*-result.json`), `reportlog`
        (pytest-reportlog) and `table` (CSV, JSON lines), and those of plug-ins (entry points `toolkit.importers`).

        Parameters
        ----------
        paths : str, path, or iterable of them
            Files, folders, globs, or a template such as `"runs/{run}/{variant}/report.json"`.
        importer : str, optional
            The importer's name; by default each file is read by the first that knows it.
        mapping : mapping of str to str, optional
            For tables: which column holds `record_id, record_type, status, error_message, retry_count, created_at,
            duration`; any other column is a field.
        run : str, optional
            The run's name; else it comes from the template, else from the file's folder.
        variant : str, optional
            The system or configuration that was tested; it is part of each case's identity.
        started_at : datetime, optional
            For reports that say no time; else the file's own time is taken.
        branch, commit, url : str, optional
            Where the run comes from; by default as `GITHUB_*`, or GitLab's `CI_*`, say it.
        replace : bool, default False
            Replace a run of that name whole; its former rows go to the archive.
        create_workflow : bool, default False
            Where workflow ids are uuids: make a workflow of the run's name when there is none.
        archive : bool, default True
            Keep the rows of a run that is replaced.

        Returns
        -------
        pandas.DataFrame
            One row per file, as `import_junit` gives it.

        Raises
        ------
        ImportFailed
            When nothing is found, there is no such importer, or the names of the runs cannot be told apart.
        RunExists
            When a run of that name exists and `replace` is not True; nothing is written then.
        WorkflowNotFound
            Where workflow ids are uuids and no workflow has the run's name.
        ArchiveMissing
            When a run is replaced and there is nowhere to keep its rows.

        Examples
        --------
        >>> import pathlib, tempfile, toolkit
        >>> results = pathlib.Path(tempfile.mkdtemp()) / "results.csv"
        >>> size = results.write_text("test,result\nlogin,passed\nlogout,failed\n")
        >>> service = toolkit.connect(":memory:", create=True)
        >>> columns = {"record_id": "test", "status": "result"}
        >>> service.import_results(results, mapping=columns, run="nightly-1")[["workflow_id", "complete", "failed"]]
          workflow_id  complete  failed
        0   nightly-1         1       1
        """
        from toolkit import importers  # noqa: PLC0415 - loaded for those who import

        chosen = importers.importer_named(importer, mapping)
        runs = importers.gather(paths, run=run, variant=variant, started_at=started_at, importer=chosen)
        known = importers.origin(branch, commit, url)
        return self._import(runs, known, replace=replace, create_workflow=create_workflow, archive=archive)

    def runs(self, pattern: PatternLike | None = None) -> pd.DataFrame:
        """List the test runs that were imported.

        Parameters
        ----------
        pattern : str or list of str, optional
            Of workflow ids.

        Returns
        -------
        pandas.DataFrame
            One row per run, the latest start first: `workflow_id, name, importer` (`str`), `started_at`
            (`datetime64[us, UTC]`), `time_source, branch, commit, url` (`str`, missing where unknown), `records,
            complete, failed, skipped, other` (`Int64`). `analysis.history` takes the starts as
            `starts=dict(zip(runs["workflow_id"], runs["started_at"]))`.

        Raises
        ------
        InvalidPattern

        Examples
        --------
        >>> import pathlib, tempfile, toolkit
        >>> report = pathlib.Path(tempfile.mkdtemp()) / "junit.xml"
        >>> size = report.write_text('<testsuite timestamp="2026-01-05T06:00:00"><testcase name="t"/></testsuite>')
        >>> service = toolkit.connect(":memory:", create=True)
        >>> files = service.import_results(report, run="nightly-1", branch="main")
        >>> service.runs()[["workflow_id", "started_at", "branch", "records", "complete"]]
          workflow_id                started_at branch  records  complete
        0   nightly-1 2026-01-05 06:00:00+00:00   main        1         1
        """
        chosen = "*" if pattern is None else pattern
        with self.database.read():
            workflows = self._overview(chosen)
            described = self._described(chosen)
        return masked_overview(_counted(described, workflows), self.masking)

    def _described(self, chosen: PatternLike) -> pd.DataFrame:
        """List what the variables of the runs say, the latest start first; ids are as they are."""
        variables = self.variables.query(chosen, VariableFilter.of(keys=[RUN_VARIABLE]))
        ids = tuple(variables.column(columns.WORKFLOW_ID).to_pylist())
        view = self._view(False, Pattern(ids, ()) if ids else None)  # noqa: FBT003 - as callers of reads write it
        return _said(frames.variables(variables, view))

    def _import(
        self,
        runs: Iterable[ImportedRun],
        known: Mapping[str, str],
        *,
        replace: bool,
        create_workflow: bool,
        archive: bool,
    ) -> pd.DataFrame:
        # A run of which no file could be read is not written: an empty one must never replace a good one.
        readable = [each for each in runs if any(file.error is None for file in each.files)]
        with hushed(self), self.database.write() as connection:
            ids = {each.name: self._id_of_run(connection, each.name, create=create_workflow) for each in readable}
            if not replace:
                self._refuse_existing(ids)
            for each in readable:
                self._write_run(ids[each.name], _with_origin(each, known), archive=archive)
        return masked_overview(_imported(ids, runs), self.masking, ("path", columns.WORKFLOW_ID, "error"))

    def _id_of_run(self, connection: sa.Connection, name: str, *, create: bool) -> str:
        """Find the workflow that a run becomes; only where ids are uuids is that a question."""
        tables = self.database.tables
        if not tables.workflow_ids_are_uuids:
            return self.records.workflow_id(name)
        named = workflows_named(connection, tables, name)
        if len(named) == 1:
            return named[0]
        if named or not create or tables.workflows is None:
            problem = f"{len(named)} workflows are" if named else "no workflow is"
            raise WorkflowNotFound(
                f"{problem} named {name!r}; workflow ids are uuids here, so give run= the id of one, or "
                "create_workflow=True to make one"
            )
        made = workflow_uuid(name)
        connection.execute(sa.insert(tables.workflows).values(id=made, name=name))
        return made

    def _refuse_existing(self, ids: dict[str, str]) -> None:
        existing = [name for name, workflow_id in ids.items() if self._has_rows(workflow_id)]
        if existing:
            raise RunExists(
                f"{len(existing)} of {len(ids)} runs exist already, {existing[0]!r} among them; nothing was written. "
                "replace=True replaces them, run= gives another name"
            )

    def _has_rows(self, workflow_id: str) -> bool:
        return self.variables.has_any(workflow_id) or self.records.has_any(workflow_id)

    def _write_run(self, workflow_id: str, run: ImportedRun, *, archive: bool) -> None:
        self._clear_run(workflow_id, run.name, archive=archive)
        # A test's output may talk about masks: what a file holds is written as it is.
        texts = {
            check_key(key): encode_for_writing(value, f"variable {key!r}", literal=True)
            for key, value in run.variables.items()
        }
        # Not dataclasses.asdict, which copies every document on the way.
        records = [
            {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
            for file in run.files
            for record in file.records
        ]
        self.variables.write(workflow_id, texts)
        self.records.create_many(workflow_id, rows.record_rows(records, literal=True))

    def _clear_run(self, workflow_id: str, name: str, *, archive: bool) -> None:
        if not self._has_rows(workflow_id):
            return
        if not self.variables.exists(workflow_id, RUN_VARIABLE):
            raise RunExists(
                f"{name!r} is a workflow that was not imported, so an import does not replace it; run= gives another "
                "name"
            )
        both = Removal(
            workflow_id,
            "clear",
            variables=self.variables.in_workflow(workflow_id),
            records=self.records.in_workflow(workflow_id),
            reason="replaced by a new import",
        )
        self.archive.remove(both, archive=archive)


def _with_origin(run: ImportedRun, known: Mapping[str, str]) -> ImportedRun:
    described = {"name": run.name, **run.variables[RUN_VARIABLE], **known}
    return dataclasses.replace(run, variables={**run.variables, RUN_VARIABLE: described})


def _said(variables: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    from toolkit.importers import ORIGIN  # noqa: PLC0415 - loaded for those who import

    texts = ("name", "importer", "started_at", "time_source", *ORIGIN)
    said = [value if isinstance(value, dict) else {} for value in variables["value"]]
    parts = {name: [_plain_text(each.get(name)) for each in said] for name in texts}
    table = pd.DataFrame(parts, dtype=frames.TEXT).assign(workflow_id=variables[columns.WORKFLOW_ID])
    table["started_at"] = pd.to_datetime(table["started_at"], utc=True, errors="coerce", format="ISO8601")
    table["started_at"] = table["started_at"].astype(frames.TIME)
    ordered = table.sort_values(["started_at", columns.WORKFLOW_ID], ascending=[False, True], ignore_index=True)
    return ordered[[columns.WORKFLOW_ID, *texts]]


def _counted(described: pd.DataFrame, workflows: pd.DataFrame) -> pd.DataFrame:
    """Put beside what the variables of the runs say the counts of their records."""
    counts = ["records", *(columns.COMPLETE, columns.FAILED, columns.SKIPPED, "other")]
    # What is open in a run of tests is neither passed nor failed; it is counted with the others.
    counted = workflows.assign(other=workflows["other"] + workflows[columns.DISCOVERED] + workflows[columns.PROCESSING])
    return described.merge(counted[[columns.WORKFLOW_ID, *counts]], on=columns.WORKFLOW_ID)


def _plain_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _imported(ids: dict[str, str], runs: Iterable[ImportedRun]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    listed = [_counts(file, ids.get(run.name)) for run in runs for file in run.files]
    frame = pd.DataFrame(listed, columns=list(columns.IMPORT_COLUMNS))
    texts = dict.fromkeys(("path", columns.WORKFLOW_ID, "error"), frames.TEXT)
    numbers = dict.fromkeys(("records", columns.COMPLETE, columns.FAILED, columns.SKIPPED), frames.INTEGER)
    return frame.astype({**texts, **numbers})


def _counts(file: ImportedFile, workflow_id: str | None) -> dict[str, Any]:
    statuses = (columns.COMPLETE, columns.FAILED, columns.SKIPPED)
    return {
        "path": file.path,
        columns.WORKFLOW_ID: workflow_id,
        "records": len(file.records),
        **{status: file.count(status) for status in statuses},
        "error": file.error,
    }
