"""How many: statuses, types, and the cards with their change against the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from toolkit import analysis
from toolkit.analysis import DURATION, RECORD_TYPE, STATUS, TOTAL
from toolkit.columns import COMPLETE, FAILED, NO_STATUS, STATUSES
from toolkit.report.model import Baseline, Card, StatusCount, Tone, TypeCounts
from toolkit.report.sections.common import INTEGER, MOST_ROWS, NAME_LIMIT, NUMBER, TEXT, named, time_or_none
from toolkit.report.wording import cut, percent, points, seconds, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.report.material import Material

OTHER_STATUSES: Final = "(other statuses)"

_MOST_STATUSES: Final = 6
_RATIO: Final = 1.5
_LEAST_SECONDS: Final = 1.0


def statuses_frame(material: Material) -> pd.DataFrame:
    """Count the records by status, here and in the baseline: `status, count, share, before, change`."""
    total, counts = len(material.run.records), _status_counts(material.run.records)
    table = pd.DataFrame({STATUS: list(counts), "count": list(counts.values())})
    table["share"] = table["count"] / total if total else 0.0
    before = None if material.baseline is None else _of_baseline(material.baseline.records, list(counts))
    table["before"] = pd.array([pd.NA if before is None else before[name] for name in counts], dtype=INTEGER)
    table = table.astype({STATUS: TEXT, "count": INTEGER, "share": NUMBER})
    return table.assign(change=table["count"] - table["before"])


def statuses(table: pd.DataFrame) -> tuple[StatusCount, ...]:
    """Return the counts by status."""
    found = zip(table[STATUS], table["count"], table["share"], strict=True)
    return tuple(StatusCount(named(status), int(count), float(share)) for status, count, share in found)


def types(records: pd.DataFrame) -> tuple[pd.DataFrame, tuple[TypeCounts, ...], int]:
    """Count the records by type and status; the frame has all types."""
    table = analysis.by_status(_fewer_statuses(records))
    names = [str(name) for name in table.columns[:-1]]
    by = [FAILED, TOTAL] if FAILED in names else [TOTAL]
    largest = table.sort_values(by, ascending=False, kind="stable").head(MOST_ROWS)
    found = tuple(
        TypeCounts(
            named(kind),
            counts=tuple(int(count) for count in row[names]),
            total=int(row[TOTAL]),
            complete=int(row.get(COMPLETE, 0)),
        )
        for kind, row in largest.iterrows()
    )
    return table, found, len(table) - len(found)


def baseline(material: Material) -> Baseline:
    """Say which run this one is held against, and why."""
    run = material.baseline
    reason = cut(material.reason, 2 * NAME_LIMIT)
    if run is None:
        return Baseline(None, reason, None, None, None, None)
    status = run.records[STATUS]
    complete, failed = (int((status == name).sum()) for name in (COMPLETE, FAILED))
    return Baseline(named(run.name), reason, time_or_none(run.started_at), len(status), complete, failed)


def cards(material: Material, table: pd.DataFrame, changed: Mapping[str, int] | None) -> tuple[Card, ...]:
    """Put the numbers together that people look for first."""
    total = len(material.run.records)
    if not total:
        return ()
    before = None if material.baseline is None else len(material.baseline.records)
    whole = Card("records", f"{total:,}", "", None if before is None else signed(total - before), "even", None)
    found = [*_status_cards(material, table), whole]
    if changed is not None:
        found += [
            Card("new failures", f"{changed['newly failed']:,}", "", None, "even", None),
            Card("fixed", f"{changed['fixed']:,}", "", None, "even", None),
        ]
    return (*found, *_time_cards(material))


def _status_cards(material: Material, table: pd.DataFrame) -> list[Card]:
    total, counts = len(material.run.records), dict(zip(table[STATUS], table["count"], strict=True))
    for name in (COMPLETE, FAILED):
        counts.setdefault(name, 0)
    known = [name for name in STATUSES if name in counts] + [name for name in counts if name not in STATUSES]
    made = []
    for name in known:
        count = int(counts[name])
        change, tone = _change(material, name, count, list(table[STATUS]))
        made.append(Card(named(name), f"{count:,}", percent(count, total), change, tone, named(name)))
    return made


def _change(material: Material, status: str, count: int, known: list[str]) -> tuple[str | None, Tone]:
    run = material.baseline
    if run is None or not len(run.records):
        return None, "even"
    before = _of_baseline(run.records, [*known, status])[status]
    if status == COMPLETE:
        difference = count / len(material.run.records) - before / len(run.records)
        return signed(difference, points), _tone(difference)
    return signed(count - before), _tone(before - count) if status == FAILED else "even"


def _tone(gain: float) -> Tone:
    return "better" if gain > 0 else "worse" if gain < 0 else "even"


def _time_cards(material: Material) -> list[Card]:
    now = _complete_seconds(material.run.records)
    if now.empty:
        return []
    usual = float(now.median())
    before = pd.Series(dtype="float64") if material.baseline is None else _complete_seconds(material.baseline.records)
    change, tone = None, _tone(0)
    if len(before):
        former = float(before.median())
        change = signed(usual - former, seconds)
        far = abs(usual - former) >= _LEAST_SECONDS and max(usual, former) >= _RATIO * min(usual, former)
        tone = _tone(former - usual) if far else "even"
    return [Card("median time", seconds(usual), "", change, tone, None)]


def _complete_seconds(records: pd.DataFrame) -> pd.Series[float]:
    measured = analysis.slowest(records[records[STATUS] == COMPLETE], n=len(records))
    return measured[DURATION]


def _status_counts(records: pd.DataFrame) -> dict[str, int]:
    totals = analysis.by_status(_fewer_statuses(records)).sum().drop(TOTAL)
    return {str(name): int(count) for name, count in totals.items()}


def _of_baseline(records: pd.DataFrame, names: list[str]) -> dict[str, int]:
    found = records[STATUS].astype(TEXT).fillna(NO_STATUS).value_counts()
    counts = {name: int(found.get(name, 0)) for name in names}
    if OTHER_STATUSES in counts:
        counts[OTHER_STATUSES] = int(found[~found.index.isin([*names, *STATUSES])].sum())
    return counts


def _fewer_statuses(records: pd.DataFrame) -> pd.DataFrame:
    """Gather rare statuses of one's own, so that no data makes a table of a thousand columns."""
    given = records[STATUS].astype(TEXT)
    own = given[~given.isin(STATUSES)].value_counts()
    if len(own) <= _MOST_STATUSES:
        return records[[RECORD_TYPE, STATUS]]
    gathered = given.isin(own.index[_MOST_STATUSES - 1 :])
    return pd.DataFrame({RECORD_TYPE: records[RECORD_TYPE], STATUS: given.mask(gathered, OTHER_STATUSES)})
