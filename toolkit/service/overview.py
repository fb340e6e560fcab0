"""Which workflows there are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from toolkit import columns, frames
from toolkit.errors import WorkflowNotFound
from toolkit.masking import MaskingPolicy
from toolkit.patterns import PatternLike, parse
from toolkit.storage.tables import workflow_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from toolkit.storage.records import RecordStorage
    from toolkit.storage.variables import VariableStorage

OTHER: Final = "other"
_ENDS: Final = {"first_activity": "min", "last_activity": "max"}


def overview(variables: VariableStorage, records: RecordStorage, workflow_ids: PatternLike = "*") -> pd.DataFrame:
    """List workflows; see `UnifiedDataService.list_workflows`.

    Parameters
    ----------
    variables : VariableStorage
        Of the database.
    records : RecordStorage
        Of the database.
    workflow_ids : str, list of str, or Pattern, default "*"
        Which.

    Returns
    -------
    pandas.DataFrame
        One row per workflow.
    """
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    pattern = parse(workflow_ids, "pattern")
    with variables.database.read() as connection:
        of_variables = frames.plain_frame(variables.activity(pattern))
        of_records = frames.plain_frame(records.activity(pattern, by=("status",)))
        names = workflow_names(connection, variables.database.tables)
    status = of_records["status"].where(of_records["status"].isin(columns.STATUSES), OTHER)
    counts = of_records.pivot_table(index=columns.WORKFLOW_ID, columns=status, values="count", aggfunc="sum")
    both = pd.concat([of_variables, of_records]).groupby(columns.WORKFLOW_ID).agg({**_ENDS})
    known = [name for name in names if pattern.matches(name)]
    frame = both.reindex(both.index.union(pd.Index(known, dtype=frames.TEXT)))
    frame.insert(0, "name", pd.Series([names.get(key) for key in frame.index], frame.index, dtype=frames.TEXT))
    numbers = {
        "variables": of_variables.set_index(columns.WORKFLOW_ID)["count"],
        "records": of_records.groupby(columns.WORKFLOW_ID)["count"].sum(),
        **{name: counts.get(name, default=0) for name in (*columns.STATUSES, OTHER)},
    }
    for position, (name, values) in enumerate(numbers.items(), start=1):
        column = pd.Series(values, index=frame.index if isinstance(values, int) else None)
        frame.insert(position, name, column.reindex(frame.index).fillna(0).astype(frames.INTEGER))
    ordered = frame.rename_axis(columns.WORKFLOW_ID).reset_index()
    ordered[columns.WORKFLOW_ID] = ordered[columns.WORKFLOW_ID].astype(frames.TEXT)
    return ordered.sort_values(
        ["last_activity", columns.WORKFLOW_ID], ascending=[False, True], na_position="last", ignore_index=True
    )


def masked_overview(
    workflows: pd.DataFrame, policy: MaskingPolicy, names: Iterable[str] = (columns.WORKFLOW_ID, "name")
) -> pd.DataFrame:
    """Hide what is secret in the ids and the names of workflows.

    Parameters
    ----------
    workflows : pandas.DataFrame
        With `workflow_id`, and maybe `name`.
    policy : MaskingPolicy
        Hides parts of texts.
    names : iterable of str, default ("workflow_id", "name")
        Columns of text.

    Returns
    -------
    pandas.DataFrame
        A new one.
    """
    texts = {
        name: workflows[name].map(policy.mask_text, na_action="ignore").astype(frames.TEXT)
        for name in names
        if name in workflows
    }
    return workflows.assign(**texts)


def find_workflow(workflows: pd.DataFrame, id_or_name: str) -> str:
    """Find a workflow by its id, or else by its name.

    Parameters
    ----------
    workflows : pandas.DataFrame
        As `overview` gives it.
    id_or_name : str
        What was typed.

    Returns
    -------
    str
        The id.

    Raises
    ------
    WorkflowNotFound
        When there is none, or several share the name.
    """
    ids = workflows[columns.WORKFLOW_ID]
    if (ids == id_or_name).any():
        return id_or_name
    named = list(ids[workflows["name"] == id_or_name])
    if len(named) == 1:
        return str(named[0])
    policy = MaskingPolicy()
    shown = policy.mask_text(id_or_name)
    if named:
        raise WorkflowNotFound(
            f"{len(named)} workflows are named {shown!r}; give one of the ids {list(map(policy.mask_text, named))}"
        )
    everything = [*ids, *workflows["name"].dropna()]
    near = [policy.mask_text(name) for name in difflib.get_close_matches(id_or_name, everything, n=3)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "service.list_workflows() shows all"
    raise WorkflowNotFound(f"there is no workflow {shown!r}; {hint}")
