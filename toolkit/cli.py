"""The command `toolkit`: it parses, calls the service and prints. It holds no logic of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.columns import STATUSES, WORKFLOW_ID
from toolkit.commands import changing, guarding, reporting
from toolkit.commands.options import Url  # noqa: TC001 - typer reads it at run time
from toolkit.errors import ToolkitError
from toolkit.masking import MaskingPolicy

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.service import UnifiedDataService

app = typer.Typer(
    help="Look at workflow data, import test runs, and write reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
importing = typer.Typer(help="Import test reports.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(importing, name="import")

changing.register(app)
guarding.register(app)
reporting.register(app)


@app.callback()
def _toolkit() -> None:
    """Look at workflow data, import test runs, and write reports."""


@app.command()
def demo() -> None:
    """Fill ./toolkit.db with example data and show what the toolkit does with it.

    Example: toolkit demo
    """
    from toolkit import analysis, connect, printing  # noqa: PLC0415 - a command loads only what it needs
    from toolkit import demo as example  # noqa: PLC0415

    file, page = Path("toolkit.db"), Path("toolkit-report.html")
    with connect(file, create=True) as service:
        made = example.fill(service)
        printing.line(f"Example data is in {file.absolute()}" + ("" if made else " (it was there already)"))
        _workflows(service)
        printing.heading(f"Records of {example.WORKFLOW} by status and type")
        records = service.query_records(example.WORKFLOW)
        printing.table(analysis.by_status(records).reset_index())
        printing.heading("Variables, secrets hidden")
        printing.table(service.get_all_variables(example.WORKFLOW)[["key", "value", "type", "category"]])
        printing.heading("Failures by cause")
        printing.table(analysis.causes(records)[["count", "signature", "record_types", "sample_ids"]])
        service.report(example.WORKFLOW).save(page)
    printing.heading("What next")
    printing.line(f"Open the report:    {page.absolute()}")
    printing.line("In Python:          import toolkit; wf = toolkit.connect().workflow('email-triage'); wf.records()")
    printing.line("In a notebook:      notebooks/01_quickstart.ipynb")
    printing.line("Your own test run:  toolkit import junit PATH --run NAME; toolkit report NAME")


@importing.command("junit")
def import_junit(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs, or a template with {run} and {variant}.")],
    run: Annotated[str | None, typer.Option(help="Name of the run; else from the template, else the folder.")] = None,
    variant: Annotated[str | None, typer.Option(help="The system or configuration that was tested.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a run of that name whole.")] = False,  # noqa: FBT002
    create_workflow: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--create-workflow", help="Where workflow ids are uuids: make the workflow.")
    ] = False,
    url: Url = None,
) -> None:
    """Import JUnit XML: one run, any number of files, one record per test case.

    Exits with 1 when a file could not be imported; the others still are.

    Example: toolkit import junit reports/ --run nightly-17
    """
    from toolkit import connect, printing  # noqa: PLC0415

    with connect(url) as service:
        result = service.import_junit(paths, run=run, variant=variant, replace=replace, create_workflow=create_workflow)
    errors = result["error"].dropna()
    printing.table(result[result["error"].isna()].drop(columns="error"), whole=["path", WORKFLOW_ID])
    for error in errors:
        printing.message(error)
    if len(errors):
        printing.message(f"{len(errors)} of {len(result)} files could not be imported")
        raise typer.Exit(1)


@app.command()
def workflows(url: Url = None) -> None:
    """List the workflows and test runs of a database.

    Example: toolkit workflows
    """
    from toolkit import connect  # noqa: PLC0415

    with connect(url) as service:
        _workflows(service)


@app.command()
def stats(workflow: Annotated[str, typer.Argument(help="Id or name of a workflow.")], url: Url = None) -> None:
    """Count a workflow's records by status and type, and its variables.

    Example: toolkit stats email-triage
    """
    from toolkit import connect, printing  # noqa: PLC0415

    with connect(url) as service:
        wf = service.workflow(workflow)
        printing.line(str(wf.stats()))
        printing.table(wf.count())


def _workflows(service: UnifiedDataService) -> None:
    from toolkit import printing  # noqa: PLC0415

    frame: pd.DataFrame = service.list_workflows()
    printing.heading(f"{len(frame):,} workflow{'' if len(frame) == 1 else 's'}")
    # A column for each status would leave a terminal of 80 columns no room for its headings.
    counts = frame[[*STATUSES, "other"]].to_dict("records")
    shown = frame.assign(
        status=[", ".join(f"{count:,} {name}" for name, count in row.items() if count) for row in counts]
    )
    named = ["name"] if frame["name"].any() else []
    printing.table(
        shown[[WORKFLOW_ID, *named, "variables", "records", "status", "last_activity"]], whole=["name", WORKFLOW_ID]
    )


def main() -> None:
    """Run the command: 0 when it worked, 1 for an error, 2 for a wrong call, 130 when it was interrupted."""
    from toolkit import printing  # noqa: PLC0415

    printing.accept_any_text()
    try:
        app(prog_name="toolkit")
    except (ToolkitError, OSError) as error:
        printing.message(f"error: {MaskingPolicy().mask_text(' '.join(str(error).split()))}")
        sys.exit(1)


if __name__ == "__main__":
    main()
