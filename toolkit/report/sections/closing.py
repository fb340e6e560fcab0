"""The end of a report: variables, what to do next, and what exactly was looked at."""

from __future__ import annotations

import platform
from datetime import UTC
from keyword import iskeyword
from typing import TYPE_CHECKING, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import STATUS, UPDATED_AT
from toolkit.columns import DISCOVERED, FAILED, PROCESSING, VARIABLE_COLUMNS, WORKFLOW_ID
from toolkit.report.model import NextStep, Scope, VariableView
from toolkit.report.sections.causes import shown
from toolkit.report.sections.common import named, text_or_none, time_or_none
from toolkit.report.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.report.material import Material
    from toolkit.report.model import FailureCause

KEY, VALUE, VALUE_TYPE, CATEGORY, _, _ = VARIABLE_COLUMNS

_MOST_VARIABLES: Final = 100
_ITERATION: Final = "iteration"
_STEPS: Final = 3


def variables(table: pd.DataFrame) -> tuple[VariableView, ...]:
    """Return variables as they are shown, those of iterations last."""
    last = (table[CATEGORY] == _ITERATION).to_numpy()
    ordered = pd.concat([table[~last], table[last]]).head(_MOST_VARIABLES)
    return tuple(
        VariableView(named(key), named(kind), shown(value))
        for key, value, kind in zip(ordered[KEY], ordered[VALUE], ordered[VALUE_TYPE], strict=True)
    )


def next_steps(
    material: Material, counts: Mapping[str, int], causes: Sequence[FailureCause], new_failures: int
) -> tuple[NextStep, ...]:
    """Say what is worth doing now, at most three things."""
    records, filters = material.run.records, material.filters
    steps = []
    if new_failures and material.baseline is not None:
        code = f"service.compare({material.baseline.name!r}, {_workflow(filters)}{_on(material.on)}).newly_failed"
        steps.append(NextStep(f"See the {plural(new_failures, 'new failure')} beside the former outcome:", code))
    if failed := counts.get(FAILED, 0):
        steps.append(NextStep(f"Read the {plural(failed, 'failed record')}:", f"failed = {_query(filters, FAILED)}"))
        if len(causes) > 1:
            kept = f'failed[toolkit.analysis.cause(failed) == "{causes[0].cause}"]'
            steps.append(NextStep("Keep those of the most frequent cause:", kept))
    open_ = [status for status in (DISCOVERED, PROCESSING) if counts.get(status)]
    if open_:
        unfinished = plural(sum(counts[status] for status in open_), "record that is", "records that are")
        steps.append(NextStep(f"See the {unfinished} not finished:", _query(filters, open_)))
    if left := len(analysis.leftovers(records)):
        code = f"toolkit.analysis.leftovers({_query(filters)})"
        steps.append(NextStep(f"Look at the {plural(left, 'message')} left over from former attempts:", code))
    return tuple((steps or [_otherwise(filters, len(records))])[:_STEPS])


def _otherwise(filters: Mapping[str, object], records: int) -> NextStep:
    if records:
        return NextStep("See how long each record took:", f"toolkit.analysis.slowest({_query(filters)})")
    return NextStep("Count what is there, without any filter:", f"service.count_records({_workflow(filters)})")


def _query(filters: Mapping[str, object], status: str | list[str] | None = None) -> str:
    chosen = {name: value for name, value in filters.items() if _argument(name)}
    if status:
        chosen[STATUS] = status
    texts = [f"{name}={value!r}" for name, value in chosen.items() if isinstance(value, str | list)]
    return f"service.query_records({', '.join([_workflow(filters), *texts])})"


def _argument(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and name != WORKFLOW_ID


def _workflow(filters: Mapping[str, object]) -> str:
    name = filters.get(WORKFLOW_ID)
    return repr(name) if isinstance(name, str | list) else WORKFLOW_ID


def _on(on: str) -> str:
    return "" if on == analysis.RECORD_ID else f", on={on!r}"


def scope(material: Material) -> Scope:
    """Say what exactly was looked at."""
    run, made = material.run, material.created_at
    updated = run.records[UPDATED_AT]
    return Scope(
        source=named(material.source),
        run=named(run.name),
        runs=tuple(named(each.name) for each in material.history),
        filters=tuple((name, named(_listed(value))) for name, value in material.filters.items()),
        matched_on=named(material.on),
        included=tuple(named(path) for path in material.include),
        records=len(run.records),
        variables=len(run.variables),
        oldest=time_or_none(updated.min()),
        newest=time_or_none(updated.max()),
        branch=text_or_none(run.branch),
        commit=text_or_none(run.commit),
        url=text_or_none(run.url),
        created_at=made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC),
        time_zone="UTC",
        versions=(
            ("toolkit", material.toolkit_version),
            ("pandas", pd.__version__),
            ("Python", platform.python_version()),
        ),
    )


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
