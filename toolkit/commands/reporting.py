"""The command that hands over a report, and lets a build fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from toolkit.commands.options import Url  # noqa: TC001 - typer reads it at run time

if TYPE_CHECKING:
    from toolkit.report import RunReport

PAGE: Final = "toolkit-report.html"
"""What is written when nothing else is named."""

_NONE: Final = "none"
FailOn = Literal["new", "flaky", "any"]


def register(app: typer.Typer) -> None:
    """Add the command to the application.

    Parameters
    ----------
    app : typer.Typer
        The command `toolkit`.
    """
    app.command()(report)


def report(
    workflow: Annotated[
        str | None, typer.Argument(help="Id or name of a workflow or run; of files, the latest run when left out.")
    ] = None,
    junit: Annotated[
        list[str] | None,
        typer.Option(help="JUnit XML instead of a database: a file, folder, glob or template with {run}; repeatable."),
    ] = None,
    results: Annotated[
        list[str] | None, typer.Option(help="The same, for every kind of results that an importer knows.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Name of the one run that all files belong to.")] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", "-o", help="An .html, .md or .json file, or a folder such as site/; repeatable."),
    ] = None,
    baseline: Annotated[
        str, typer.Option(help="The run to compare with: its name, 'previous', or 'none'.")
    ] = "previous",
    history: Annotated[int, typer.Option(min=0, help="How many runs to follow records through.")] = 20,
    include: Annotated[
        list[str] | None, typer.Option(help="A path of failed records to show, such as fields.subject; repeatable.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What to call the report.")] = None,
    link: Annotated[str | None, typer.Option(help="Address of the full report, for Markdown.")] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 1 when there are new failures, flaky records, or any failures.")
    ] = None,
    url: Url = None,
) -> None:
    """Report on a run: what failed, why, and what changed. Write it, and let a build fail.

    Reads a database, or with --junit or --results the files themselves; then nothing is kept. Prints the verdict, and
    where each report was written (./toolkit-report.html when -o is left out). With --fail-on new and no baseline,
    every failure is new.

    Example: toolkit report --junit 'runs/{run}/junit.xml' --fail-on new -o report.html -o report.md
    """
    from toolkit import printing  # noqa: PLC0415 - a command loads only what it needs

    files = [*(junit or ()), *(results or ())]
    if not files and workflow is None:
        raise typer.BadParameter("name a workflow, or give files with --junit or --results", param_hint="WORKFLOW")
    if files and junit and results:
        raise typer.BadParameter("give --junit or --results; --results reads JUnit XML, too", param_hint="--results")
    against = None if baseline == _NONE else baseline
    if files:
        from toolkit import report_files  # noqa: PLC0415

        made = report_files(
            files,
            workflow,
            run=run,
            importer="junit" if junit else None,
            baseline=against,
            history=history,
            include=include or [],
            title=title,
        )
    else:
        made = _of_workflow(str(workflow), url, against, history, include or [], title)
    saved = [made.save(name, link=link) for name in output or [PAGE]]
    printing.line(made.summary.verdict)
    for path in saved:
        printing.line(f"written to {path.absolute()}")
    _end(made, fail_on)


def _of_workflow(
    workflow: str, url: str | None, baseline: str | None, history: int, include: list[str], title: str | None
) -> RunReport:
    from toolkit import connect  # noqa: PLC0415

    with connect(url) as service:
        wf = service.workflow(workflow)
        made: RunReport = wf.report(baseline=baseline, history=history, include=include, title=title or workflow)
        return made


def _end(made: RunReport, fail_on: FailOn | None) -> None:
    """Say why a build fails, and end with 1."""
    from toolkit import printing  # noqa: PLC0415
    from toolkit.model import counted  # noqa: PLC0415

    summary = made.summary
    if fail_on == "flaky" and summary.reliability is None:
        printing.message("--fail-on flaky: fewer than two runs were looked at, so nothing is known to be flaky")
    if fail_on is None or not made.fails(fail_on):
        return
    if fail_on == "flaky" and summary.reliability is not None:
        why = f"{counted(summary.reliability.flaky, 'flaky record')}"
    elif fail_on == "new" and summary.new_failures is None:
        why = f"{counted(summary.failed, 'failure')}, new because there is no baseline"
    elif fail_on == "new":
        why = counted(summary.new_failures or 0, "new failure")
    else:
        why = counted(summary.failed, "failure")
    printing.message(f"--fail-on {fail_on}: {why}")
    raise typer.Exit(1)
