"""Commands that change data, and take changes back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer

from toolkit.commands.options import Url  # noqa: TC001 - typer reads it at run time
from toolkit.errors import ArchiveMissing, ToolkitError

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.changes import ClearPlan
    from toolkit.service import UnifiedDataService

Workflow = Annotated[str, typer.Argument(help="Id or name of a workflow.")]
Pattern = Annotated[str | None, typer.Option(help="Of record ids and keys: * and ? are wildcards, commas separate.")]
Records = Annotated[str | None, typer.Option(help="The same, of record ids alone.")]
Variables = Annotated[str | None, typer.Option(help="The same, of keys alone.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="A record id, literally; may be repeated.")]
Keys = Annotated[list[str] | None, typer.Option("--key", help="A key, literally; may be repeated.")]
Statuses = Annotated[list[str] | None, typer.Option("--status", help="Records of this status; may be repeated.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Records of this type; may be repeated.")]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="Records of the node of this alias; may be repeated.")]
Position = Annotated[int | None, typer.Option(help="Variables of the node at this position.")]
Category = Annotated[str | None, typer.Option(help="Variables of this category: iteration, node or custom.")]
Before = Annotated[str | None, typer.Option(help="Rows last written before this time, such as 2026-11-16.")]
Older = Annotated[str | None, typer.Option(help="Rows last written longer ago than this, such as 30d.")]
Everything = Annotated[bool, typer.Option("--everything", help="Every record and variable of the workflow.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Expect = Annotated[int | None, typer.Option(help="How many rows it must be, records and variables together.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the list of changes.")]
NoArchive = Annotated[bool, typer.Option("--no-archive", help="Keep nothing: the rows are gone for good.")]
CreateArchive = Annotated[bool, typer.Option("--create-archive", help="Make the archive where there is none.")]
Cascade = Annotated[bool, typer.Option("--cascade", help="Also take rows of other tables whose keys say so.")]
OnChange = Annotated[Literal["fail", "skip"], typer.Option(help="What to do when planned rows changed meanwhile.")]
OnConflict = Annotated[
    Literal["fail", "skip", "overwrite"], typer.Option(help="What to do with rows that were written again since.")
]

_OPTIONS: Final = {
    "on_change='skip'": "--on-change skip",
    "on_conflict='skip'": "--on-conflict skip",
    "on_conflict='overwrite'": "--on-conflict overwrite",
    "everything=True": "--everything",
    "cascade=True": "--cascade",
    "archive=False": "--no-archive",
    "records='email_*'": "--records 'email_*'",
    "records=": "--records",
    "variables=": "--variables",
    "pattern=": "--pattern",
    "service.changes()": "toolkit changes",
    "expect=": "--expect ",
}
"""How the command calls what a message names as one would type it in Python."""


_NO_ARCHIVE: Final = (
    "there is no archive here. To clear, add --create-archive to make one for the rows that go, or --no-archive to "
    "remove them for good; nothing was changed"
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application.

    Parameters
    ----------
    app : typer.Typer
        The command `toolkit`.
    """
    app.command()(clear)
    app.command()(undo)
    app.command()(changes)


def clear(
    workflow: Workflow,
    pattern: Pattern = None,
    records: Records = None,
    variables: Variables = None,
    ids: Ids = None,
    keys: Keys = None,
    status: Statuses = None,
    record_type: Types = None,
    node: Nodes = None,
    position: Position = None,
    category: Category = None,
    updated_before: Before = None,
    older_than: Older = None,
    everything: Everything = False,  # noqa: FBT002 - typer makes flags of these
    yes: Yes = False,  # noqa: FBT002
    expect: Expect = None,
    dry_run: DryRun = False,  # noqa: FBT002
    reason: Reason = None,
    no_archive: NoArchive = False,  # noqa: FBT002
    create_archive: CreateArchive = False,  # noqa: FBT002
    cascade: Cascade = False,  # noqa: FBT002
    on_change: OnChange = "fail",
    url: Url = None,
) -> None:
    """Show what a clear would take, ask, and move it to the archive.

    Filters combine with AND; those of records take no variables, and the other way round. Without a terminal to ask
    at, nothing is done unless --yes is given, and --expect where the plan carries a warning.

    Example: toolkit clear nightly --records 'email_*' --status failed --reason "old failures"
    """
    if node and position is not None:
        _end("--node takes records and --position takes variables; give one of them")
    selection: dict[str, Any] = {
        "records": records,
        "variables": variables,
        "ids": ids or None,
        "keys": keys or None,
        "status": status or None,
        "record_type": record_type or None,
        "node": node or position,
        "category": category,
        "updated_before": updated_before,
        "older_than": older_than,
        "everything": everything,
    }
    options: dict[str, Any] = {
        "on_change": on_change,
        "cascade": cascade,
        "archive": not no_archive,
        "create_archive": create_archive,
    }
    with _connected(url) as service, _Translated():
        plan = service.workflow(workflow).plan_clear(pattern, **selection)
        _show(plan)
        if dry_run or not plan.total:
            return
        agreed = expect if yes else _asked(plan, expect)
        _report(plan.apply(reason, agreed, **options))


def undo(
    change: Annotated[str, typer.Argument(help="Id of a change, as toolkit changes shows it.")],
    on_conflict: OnConflict = "fail",
    url: Url = None,
) -> None:
    """Bring back what a change moved away or wrote, exactly as it was.

    Example: toolkit undo 5f0c2b7e9a4d4c1e8b3f6a7d9e0c1b2a
    """
    from toolkit import printing  # noqa: PLC0415 - a command loads only what it needs

    with _connected(url) as service, _Translated():
        receipt = service.undo(change, on_conflict)
    printing.line(str(receipt))
    for name in receipt.skipped:
        printing.message(f"left alone, because it was written again: {name}")
    for text in receipt.differs:
        printing.message(f"not as it was: {text}")


def changes(
    workflow: Annotated[str | None, typer.Argument(help="Id or name of a workflow; all when left out.")] = None,
    url: Url = None,
) -> None:
    """List what was changed: when, by whom, why, by which filters, how many rows, whether undone; no values.

    Example: toolkit changes nightly
    """
    from toolkit import printing  # noqa: PLC0415

    with _connected(url) as service, _Translated():
        found = service.changes() if workflow is None else service.workflow(workflow).changes()
    printing.heading(f"{len(found):,} change{'' if len(found) == 1 else 's'}, the newest first")
    for row in found.astype(object).where(found.notna(), None).to_dict("records"):
        for text in _described({str(name): value for name, value in row.items()}):
            printing.line(text)


def _described(row: dict[str, Any]) -> list[str]:
    from toolkit.model import rows_counted  # noqa: PLC0415

    taken = rows_counted(row["records"], row["variables"])
    undone = f", undone {row['undone_at']:%Y-%m-%d %H:%M:%S}" if row["undone_at"] is not None else ""
    why = f": {row['reason']}" if row["reason"] else ""
    return [
        f"{row['id']}  {row['created_at']:%Y-%m-%d %H:%M:%S}  {row['kind']}  {row['workflow_id']}",
        f"    {taken} by {row['actor']}{why}{undone}",
        *([f"    {row['selection']}"] if row["selection"] not in (None, "{}") else []),
    ]


def _connected(url: str | None) -> UnifiedDataService:
    from toolkit import connect  # noqa: PLC0415

    return connect(url)


def _show(plan: ClearPlan) -> None:
    """Print a plan as a notebook shows it."""
    import pandas as pd  # noqa: PLC0415

    from toolkit import printing  # noqa: PLC0415
    from toolkit.model import rows_counted  # noqa: PLC0415

    total = rows_counted(plan.records_total, plan.variables_total)
    printing.line(f"{rows_counted(plan.records, plan.variables)} of workflow {plan.workflow_id}, which has {total}")
    for heading, counts in (("status", plan.by_status), ("type", plan.by_type)):
        if counts:
            printing.line(f"by {heading}: {', '.join(f'{number:,} {name}' for name, number in counts.items())}")
    if plan.oldest is not None and plan.newest is not None:
        printing.line(f"last written {plan.oldest:%Y-%m-%d %H:%M:%S} to {plan.newest:%Y-%m-%d %H:%M:%S}")
    if plan.sample:
        printing.heading("Some of them, secrets hidden")
        sample = _sample(pd.DataFrame([dict(row) for row in plan.sample]))
        printing.table(sample, whole=[name for name in ("record_id", "key", "updated_at") if name in sample])
    for text in (*plan.warnings, *plan.notes):
        printing.message(f"this plan {text}")


def _sample(found: pd.DataFrame) -> pd.DataFrame:
    names = ("record_id", "key", "status", "error_message", "updated_at", "data", "value")
    return found[[name for name in names if name in found and found[name].notna().any()]]


def _asked(plan: ClearPlan, expect: int | None) -> int:
    """Ask whether to go on: who has seen the number and says yes expects it."""
    from toolkit.model import counted  # noqa: PLC0415

    if not sys.stdin.isatty():
        _end(f"nothing was changed: there is no terminal to ask at. To go on, add --yes --expect {plan.total}")
    if not typer.confirm(f"Move {counted(plan.total, 'row')} away?", default=False, err=True):
        _end("nothing was changed")
    return plan.total if expect is None else expect


def _report(receipt: Any) -> None:
    from toolkit import printing  # noqa: PLC0415

    printing.line(str(receipt))
    for name in receipt.skipped:
        printing.message(f"left alone, because it changed or went: {name}")
    if receipt.archived and receipt.total:
        printing.line(f"To take it back: toolkit undo {receipt.id}")


def _end(text: str) -> NoReturn:
    from toolkit import printing  # noqa: PLC0415

    printing.message(text)
    raise typer.Exit(1)


class _Translated:
    """Where errors name what to type in Python, the command names its options."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ToolkitError):
            text = _NO_ARCHIVE if isinstance(error, ArchiveMissing) else " ".join(str(error).split())
            for python, option in _OPTIONS.items():
                text = text.replace(python, option)
            _end(f"error: {text}")
