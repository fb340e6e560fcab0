"""A report straight from files, with no database to keep."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from toolkit.errors import ImportFailed, WorkflowNotFound
from toolkit.service.lineage import latest
from toolkit.service.reporting import PREVIOUS, Asked, history_size, included_paths
from toolkit.service.unified import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from toolkit.analysis import CauseRules
    from toolkit.importers import ImportedFile
    from toolkit.report import RunReport


def report_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    workflow_id: str | None = None,
    *,
    run: str | None = None,
    variant: str | None = None,
    importer: str | None = None,
    mapping: Mapping[str, str] | None = None,
    baseline: str | None = PREVIOUS,
    history: int | None = 20,
    include: Sequence[str] = (),
    rules: CauseRules | None = None,
    title: str | None = None,
) -> RunReport:
    """Report on test results straight from their files; nothing is kept.

    Parameters
    ----------
    paths : str, path, or iterable of them
        Files, folders, globs, or a template such as `"runs/{run}/junit.xml"`. Where they are of several runs, the
        others are its history.
    workflow_id : str, optional
        The run it is about; the one that began last when left out.
    run, variant : str, optional
        As `import_results` takes them: the name of the one run that all files belong to, and what was tested.
    importer : str, optional
        The importer's name; by default each file is read by the first that knows it.
    mapping : mapping of str to str, optional
        For tables, as `import_results` takes it.
    baseline : str or None, default "previous"
        The run to hold it against; `"previous"` is the one that began before it, whatever its name and branch.
    history : int or None, default 20
        How many runs to follow records through, this one included.
    include : sequence of str, default ()
        Paths whose masked content the report shows for failed records.
    rules : mapping of str to str or re.Pattern, optional
        Causes of your own, as `analysis.causes` takes them.
    title : str, optional
        What to call it; the run's name when left out.

    Returns
    -------
    RunReport

    Raises
    ------
    ImportFailed
        When nothing is found, or a file cannot be read: a report on half of the results would be wrong.
    WorkflowNotFound
        When no file is of the run that `workflow_id` or `baseline` names.

    Examples
    --------
    >>> import toolkit
    >>> from toolkit import demo
    >>> report = toolkit.report_files(demo.data_folder() / "junit" / "{run}" / "junit.xml", "toolkit-tests-2")
    >>> print(report.summary.verdict)  # doctest: +ELLIPSIS
    215 of 216 complete (99.5 %), 0.5 points above toolkit-tests-1; 1 new failure: DeadlineExceeded...
    """
    from toolkit.importers import gather, importer_named  # noqa: PLC0415 - loaded for those who import

    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    texts = [os.fspath(path) for path in given]
    runs = gather(texts, run=run, variant=variant, importer=importer_named(importer, mapping))
    _refuse_broken([file for each in runs for file in each.files if file.error is not None])
    names = [each.name for each in runs]
    one = latest(runs) if workflow_id is None else workflow_id
    if one not in names:
        raise WorkflowNotFound(f"no file is of the run {one!r}; there are {', '.join(map(repr, names))}")
    asked = Asked(
        history=history_size(history),
        include=included_paths(include),
        rules=rules,
        title=title,
        source=f"{sum(len(each.files) for each in runs):,} files: {', '.join(texts)}",
        setup=f"service = toolkit.connect(':memory:', create=True); service.import_results({texts!r})",
    )
    with connect(":memory:", create=True) as service:
        return service._report_imported(runs, one, baseline, asked)  # noqa: SLF001 - of this package


def _refuse_broken(files: Sequence[ImportedFile]) -> None:
    if files:
        more = f"; {len(files) - 1:,} more files cannot be read" if len(files) > 1 else ""
        raise ImportFailed(f"{files[0].error}{more}. Nothing was reported: mend it, or leave it out")
