"""Which rows a clear is about, from what people type to a condition on each table."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from toolkit import times
from toolkit.errors import InvalidOption, NothingSelected
from toolkit.model import OneOrMany, RecordFilter, VariableFilter
from toolkit.storage.base import literally
from toolkit.times import Moment, TimeLike, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolkit.patterns import PatternLike
    from toolkit.storage.dialects import Condition
    from toolkit.storage.records import RecordStorage
    from toolkit.storage.variables import VariableStorage


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of the two tables a clear is about; None takes none of that table.

    Attributes
    ----------
    records : RecordFilter or None
        Of the records.
    variables : VariableFilter or None
        Of the variables.
    before : tuple of datetime or timedelta
        `updated_at` of either lies before each of them; a timedelta means that long before now.
    """

    records: RecordFilter | None
    variables: VariableFilter | None
    before: tuple[Moment, ...] = ()

    @classmethod
    def of(
        cls,
        pattern: PatternLike | None = None,
        *,
        records: PatternLike | None = None,
        variables: PatternLike | None = None,
        ids: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        status: OneOrMany | None = None,
        record_type: OneOrMany | None = None,
        node: int | OneOrMany | None = None,
        category: str | None = None,
        updated_before: TimeLike | None = None,
        older_than: TimeLike | None = None,
        everything: bool = False,
    ) -> Selection:
        """Read a selection as people give it; see `UnifiedDataService.plan_clear`.

        Parameters
        ----------
        pattern, records, variables : pattern, optional
            Of both tables, of record ids, of keys.
        ids, keys : iterable of str, optional
            Literal record ids and keys.
        status, record_type : str or iterable of str, optional
            Of records.
        node : str, iterable of str or int, optional
            Of records, by the alias of a node; a number means variables, by the node's position.
        category : {"iteration", "node", "custom"}, optional
            Of variables.
        updated_before, older_than : str, datetime or timedelta, optional
            About `updated_at`, in both tables.
        everything : bool, default False
            Both tables, whole.

        Returns
        -------
        Selection

        Raises
        ------
        NothingSelected
            When nothing is selected and `everything` is not True.
        InvalidOption
            When `pattern`, which means both tables, stands beside `records` or `variables`.

        Examples
        --------
        >>> selection = Selection.of("email_*", status="failed")
        >>> selection.records.status, selection.variables
        (('failed',), None)
        """
        if pattern is not None and (records is not None or variables is not None):
            raise InvalidOption("pattern= means both tables; give it, or records= and variables=, not both")
        position = node if isinstance(node, int) else None
        of_records = {
            "ids": ids,
            "status": status,
            "record_type": record_type,
            "node": None if position == node else node,
        }
        of_variables: dict[str, Any] = {"keys": keys, "node": position, "category": category}
        given = {"updated_before": updated_before, "older_than": older_than}
        before = tuple(moment(value, name) for name, value in given.items() if value is not None)
        takes_records = records is not None or any(value is not None for value in of_records.values())
        takes_variables = variables is not None or any(value is not None for value in of_variables.values())
        if not takes_records and not takes_variables:
            if pattern is None and not before and not everything:
                raise NothingSelected(
                    "this would clear everything; say what to clear, such as records='email_*', or everything=True"
                )
            takes_records = takes_variables = True
        record_filter = RecordFilter.of(pattern if records is None else records, **of_records)
        variable_filter = VariableFilter.of(pattern if variables is None else variables, **of_variables)
        return cls(record_filter if takes_records else None, variable_filter if takes_variables else None, before)

    def at(self, now: dt.datetime) -> Selection:
        """Return the same selection with fixed times instead of spans before now.

        Parameters
        ----------
        now : datetime
            By the database's clock.

        Returns
        -------
        Selection

        Examples
        --------
        >>> Selection.of(older_than="1d").at(dt.datetime(2026, 11, 17, tzinfo=dt.UTC)).before[0].isoformat()
        '2026-11-16T00:00:00+00:00'
        """
        fixed = tuple(now - each if isinstance(each, dt.timedelta) else each for each in self.before)
        return replace(self, before=fixed)

    @property
    def is_relative(self) -> bool:
        """Whether it counts from now."""
        return any(isinstance(each, dt.timedelta) for each in self.before)

    def condition(self, storage: VariableStorage | RecordStorage, workflow_id: str) -> Condition | None:
        """Return the condition on one of the two tables.

        Parameters
        ----------
        storage : VariableStorage or RecordStorage
            Of the table.
        workflow_id : str
            Checked.

        Returns
        -------
        SQLAlchemy condition or None
            None where the selection takes none of that table.
        """
        chosen: Any = self.records if storage.name == "record_id" else self.variables
        if chosen is None:
            return None
        column = storage.table.c.updated_at
        limits = [storage.dialect.time_bound(column, "<", each) for each in self.before]
        return sa.and_(storage.condition(literally(workflow_id), chosen), *limits)

    def described(self) -> dict[str, Any]:
        """Write the filters down without their literal ids, of which there may be very many.

        Returns
        -------
        dict
            Plain JSON, for the list of changes.

        Examples
        --------
        >>> Selection.of(keys=["a", "b"]).described()
        {'variables': {'pattern': '*', 'keys': 2}}
        """
        described: dict[str, Any] = {}
        if self.records is not None:
            described["records"] = _said(self.records, ("status", "record_type", "node"), "ids")
        if self.variables is not None:
            described["variables"] = _said(self.variables, ("node", "category"), "keys")
        if self.before:
            described["updated_before"] = [
                times.iso(each) if isinstance(each, dt.datetime) else f"{each.total_seconds():.0f} s ago"
                for each in self.before
            ]
        return described


def _said(chosen: Any, plain: Iterable[str], literal: str) -> dict[str, Any]:
    said: Mapping[str, Any] = {name: getattr(chosen, name) for name in plain}
    names = getattr(chosen, literal)
    return {
        "pattern": "*" if chosen.pattern is None else str(chosen.pattern),
        **({literal: len(names)} if names is not None else {}),
        **{
            name: list(value) if isinstance(value, tuple) else value
            for name, value in said.items()
            if value is not None
        },
    }
