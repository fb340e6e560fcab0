"""Frozen values that travel between the rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from toolkit import columns, display, patterns
from toolkit.errors import AlreadyDone, InvalidOption, InvalidValue
from toolkit.jsonvalue import check_text
from toolkit.times import Moment, TimeLike, moment

if TYPE_CHECKING:
    from toolkit.patterns import Pattern, PatternLike

OneOrMany: TypeAlias = "str | Iterable[str]"

CATEGORIES: Final = ("iteration", "node", "custom")
JSON_TYPES: Final = ("string", "number", "boolean", "array", "object", "null")

_BOUNDS: Final = {
    "since": ("updated_at", ">="),
    "created_after": ("created_at", ">="),
    "created_before": ("created_at", "<"),
    "updated_after": ("updated_at", ">="),
    "updated_before": ("updated_at", "<"),
    "processed_after": ("processed_at", ">="),
    "processed_before": ("processed_at", "<"),
}


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit on a time column.

    Attributes
    ----------
    column : str
        A time column of the table.
    operator : {">=", "<"}
        `after` takes the moment itself, `before` does not.
    moment : datetime or timedelta
        A time in UTC, or how long before now by the database's clock.
    """

    column: str
    operator: str
    moment: Moment


class RecordFilterOptions(TypedDict, total=False):
    """The filters of records, by the names every call gives them; see `RecordFilter`."""

    ids: Iterable[str] | None
    record_type: OneOrMany | None
    status: OneOrMany | None
    node: OneOrMany | None
    since: TimeLike | None
    created_after: TimeLike | None
    created_before: TimeLike | None
    updated_after: TimeLike | None
    updated_before: TimeLike | None
    processed_after: TimeLike | None
    processed_before: TimeLike | None
    contains: str | None


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records of a workflow a call is about; filters combine with AND.

    Attributes
    ----------
    pattern : Pattern or None
        Of record ids; None takes all.
    ids : tuple of str or None
        Literal record ids; None takes all, an empty tuple none.
    record_type, status, node : tuple of str or None
        Literal values of `record_type`, `status` and `iteration_node_alias`.
    contains : str or None
        Text that the record id holds, upper and lower case alike.
    bounds : tuple of Bound
        Limits on the time columns.
    """

    pattern: Pattern | None = None
    ids: tuple[str, ...] | None = None
    record_type: tuple[str, ...] | None = None
    status: tuple[str, ...] | None = None
    node: tuple[str, ...] | None = None
    contains: str | None = None
    bounds: tuple[Bound, ...] = ()

    @classmethod
    def of(cls, pattern: PatternLike | None = "*", /, **options: Any) -> RecordFilter:
        """Read the filters as people give them.

        Parameters
        ----------
        pattern : str, list of str, Pattern or None
            Of record ids.
        **options
            See `RecordFilterOptions`; any other name is an error.

        Returns
        -------
        RecordFilter

        Raises
        ------
        InvalidPattern, InvalidOption

        Examples
        --------
        >>> RecordFilter.of("email_*", status="failed").status
        ('failed',)
        """
        unknown = options.keys() - RecordFilterOptions.__annotations__.keys()
        if unknown:
            raise InvalidOption(f"no filter is called {min(unknown)!r}; {_known()}")
        parsed = None if pattern is None else patterns.parse(pattern)
        bounds = [
            Bound(*_BOUNDS[name], moment(options[name], name)) for name in _BOUNDS if options.get(name) is not None
        ]
        return cls(
            pattern=None if parsed is None or parsed.takes_everything else parsed,
            ids=_literal(options.get("ids"), "ids", single=False, column="record_id"),
            record_type=_literal(options.get("record_type"), "record_type"),
            status=_literal(options.get("status"), "status"),
            node=_literal(options.get("node"), "node"),
            contains=_substring(options.get("contains")),
            bounds=tuple(bounds),
        )


def _known() -> str:
    return "filters are " + ", ".join(RecordFilterOptions.__annotations__)


def _literal(values: Any, what: str, *, single: bool = True, column: str | None = None) -> tuple[str, ...] | None:
    if values is None:
        return None
    if hasattr(values, "columns"):
        values = _column_of(values, what, column)
    if isinstance(values, str):
        if not single:
            raise InvalidOption(f"{what}= takes a list of texts; for one, give [{values!r}]")
        values = [values]
    if not isinstance(values, Iterable) or isinstance(values, bytes | Mapping):
        raise InvalidOption(f"{what}= takes a text or a list of texts, not {type(values).__name__}")
    return tuple(dict.fromkeys(_text(value, what) for value in values))


def _column_of(frame: Any, what: str, column: str | None) -> Any:
    """Take the names from a frame as it was read; to go through it would give the names of its columns."""
    if column is None or column not in frame.columns:
        lacking = "" if column is None else f"; this one has no column {column!r}"
        raise InvalidOption(f"{what}= takes a list of texts or a column of a frame, not a frame{lacking}")
    return frame[column]


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidOption(f"{what}= takes texts, not {value!r}")
    try:
        return check_text(value, f"text in {what}=")
    except InvalidValue as error:
        raise InvalidOption(str(error)) from None


def _substring(text: Any) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str) or not text:
        raise InvalidOption(f"contains= takes a text of at least one character, not {text!r}")
    return _text(text, "contains")


@dataclass(frozen=True, slots=True)
class VariableFilter:
    """Which variables of a workflow a call is about; filters combine with AND.

    Attributes
    ----------
    pattern : Pattern or None
        Of keys; None takes all.
    keys : tuple of str or None
        Literal keys; None takes all, an empty tuple none.
    contains : str or None
        Text that the key holds, upper and lower case alike.
    node : int or None
        Position of a node: its `node<position>`, `node<position>.…` and `node<position>@…`.
    category : {"iteration", "node", "custom"} or None
    """

    pattern: Pattern | None = None
    keys: tuple[str, ...] | None = None
    contains: str | None = None
    node: int | None = None
    category: str | None = None

    @classmethod
    def of(
        cls,
        pattern: PatternLike | None = None,
        *,
        keys: Iterable[str] | None = None,
        contains: str | None = None,
        node: int | None = None,
        category: str | None = None,
    ) -> VariableFilter:
        """Read the filters as people give them.

        Parameters
        ----------
        pattern : str, list of str, Pattern or None
            Of keys.
        keys : iterable of str, optional
            Literal keys.
        contains : str, optional
            Text that the key holds.
        node : int, optional
            Position of a node.
        category : {"iteration", "node", "custom"}, optional
            One category.

        Returns
        -------
        VariableFilter

        Raises
        ------
        InvalidPattern, InvalidOption

        Examples
        --------
        >>> VariableFilter.of(node=4).node
        4
        """
        if category is not None and category not in CATEGORIES:
            raise InvalidOption(f"category={category!r} is none of {', '.join(CATEGORIES)}")
        parsed = None if pattern is None else patterns.parse(pattern)
        return cls(
            pattern=None if parsed is None or parsed.takes_everything else parsed,
            keys=_literal(keys, "keys", single=False, column="key"),
            contains=_substring(contains),
            node=None if node is None else _position(node),
            category=category,
        )


def _position(node: Any) -> int:
    try:
        position = -1 if isinstance(node, bool) else index(node)
    except TypeError:
        position = -1
    if position < 0:
        raise InvalidOption(f"node={node!r} is no position of a node, such as 4")
    return position


@dataclass(frozen=True, slots=True)
class VariableChange:
    """What `set_variable` did.

    Attributes
    ----------
    success : bool
        Always True; a failure raises.
    key : str
        The variable's key.
    value : JSON value
        As it was stored, `[hidden]` when the key is sensitive.
    reason : str or None
        As it was given.
    removed : tuple of str
        Keys of stale iteration variables that went with the change.
    """

    success: bool
    key: str
    value: Any
    reason: str | None = None
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataStats:
    """Counts of one workflow's variables and records, made by the database.

    Attributes
    ----------
    workflow_id : str
        The workflow.
    variable_types, variable_categories : dict of str to int
        Number of variables by JSON type and by category.
    records : dict of (record type, status) to int
        Number of records, crossed.
    """

    workflow_id: str
    variable_types: Mapping[str, int] = field(default_factory=dict)
    variable_categories: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[tuple[str, str | None], int] = field(default_factory=dict)

    @property
    def variables_total(self) -> int:
        """Number of variables."""
        return sum(self.variable_types.values())

    @property
    def records_total(self) -> int:
        """Number of records."""
        return sum(self.records.values())

    @property
    def by_type(self) -> dict[str, int]:
        """Number of records by type, most first."""
        return self._margin(0)

    @property
    def by_status(self) -> dict[str, int]:
        """Number of records by status, most first."""
        return self._margin(1)

    def _margin(self, part: Literal[0, 1]) -> dict[str, int]:
        counts: dict[str, int] = {}
        missing = (columns.NO_TYPE, columns.NO_STATUS)[part]
        for cell, count in self.records.items():
            name = missing if cell[part] is None else str(cell[part])
            counts[name] = counts.get(name, 0) + count
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def _repr_html_(self) -> str:
        return display.render("stats.html.j2", stats=self)

    def __str__(self) -> str:
        cells = [f"{name} {count:,}" for name, count in self.by_status.items()]
        return f"workflow {self.workflow_id}: {rows_counted(self.records_total, self.variables_total)}" + (
            f" ({', '.join(cells)})" if cells else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the counts in the shape and with the key names of the service's first plan.

        Returns
        -------
        dict
            `{"variables": {"total", "types", "categories"}, "records": {"total", "byType", "byStatus"}}`.

        Examples
        --------
        >>> DataStats("w", records={("email", "failed"): 2}).to_dict()["records"]
        {'total': 2, 'byType': {'email': 2}, 'byStatus': {'failed': 2}}
        """
        categories = {f"{name}Variables": self.variable_categories.get(name, 0) for name in CATEGORIES}
        return {
            "variables": {
                "total": self.variables_total,
                "types": dict(self.variable_types),
                "categories": categories,
            },
            "records": {"total": self.records_total, "byType": self.by_type, "byStatus": self.by_status},
        }


class Null(str):
    """The text that stands for JSON's `null`, or an empty column, in a frame that is written back."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "toolkit.NULL"


NULL: Final = Null("toolkit.NULL")
"""In a frame for `plan_update`: set this to null. It is text, so that a column of text, and a CSV file, can hold it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a change did, and the id by which it can be undone.

    Attributes
    ----------
    id : str
        Of the change, known before its first statement.
    workflow_id : str
        The workflow.
    kind : str
        `clear`, `delete`, `replace`, `update`, `stale`, `purge` or `undo`.
    variables, records : int
        Rows of each table that were moved to the archive or changed, or came back from it.
    archived : bool
        Whether the rows can be brought back.
    appeared : int
        Rows that the selection of a plan would take now and did not when it was made; they were left alone.
    skipped : tuple of str
        Names of rows that were left alone because somebody else wrote or removed them in the meantime.
    overwritten : int
        Rows that an undo moved to the archive, because they were written again in the meantime.
    differs : tuple of str
        Where rows that came back are not as they were, in words: which column, in how many rows of which table.
    """

    id: str
    workflow_id: str
    kind: str
    variables: int = 0
    records: int = 0
    archived: bool = True
    appeared: int = 0
    skipped: tuple[str, ...] = ()
    overwritten: int = 0
    differs: tuple[str, ...] = ()
    undo_by: Callable[..., Receipt] | None = field(default=None, repr=False, compare=False)

    @property
    def total(self) -> int:
        """Rows of both tables together."""
        return self.variables + self.records

    def undo(self, on_conflict: str = "fail") -> Receipt:
        """Bring the rows back, exactly as they were.

        Parameters
        ----------
        on_conflict : {"fail", "skip", "overwrite"}, default "fail"
            What to do with rows that were written again since; those that are overwritten move to the archive.

        Returns
        -------
        Receipt
            Of kind `undo`.

        Raises
        ------
        AlreadyDone
            When they are back already, or were not kept.
        StalePlan
            When one of the rows was written again since; nothing is touched then.
        """
        if self.undo_by is None or not self.archived or self.kind == "undo":
            raise AlreadyDone(f"{self} cannot be undone: its rows were not kept, or are back already")
        return self.undo_by(self.id) if on_conflict == "fail" else self.undo_by(self.id, on_conflict=on_conflict)

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as plain JSON.

        Returns
        -------
        dict
            `appeared`, `skipped`, `overwritten` and `differs` only where there is something to say.

        Examples
        --------
        >>> Receipt("c1", "w", "clear", records=3).to_dict()["records"]
        3
        """
        names = ("id", "workflow_id", "kind", "variables", "records", "archived")
        rest = {name: getattr(self, name) for name in ("appeared", "skipped", "overwritten", "differs")}
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in rest.items() if value}
        return {name: getattr(self, name) for name in names} | said

    def __str__(self) -> str:
        rest = [f"{counted(self.appeared, 'row')} appeared since and stayed"] if self.appeared else []
        rest += [f"{counted(len(self.skipped), 'row')} skipped"] if self.skipped else []
        rest += [f"{counted(self.overwritten, 'row')} overwritten"] if self.overwritten else []
        return "; ".join([f"{self.kind} {self.id}: {rows_counted(self.records, self.variables)}", *rest, *self.differs])


def already_done(message: str, receipt: Receipt) -> AlreadyDone:
    """Return the error that carries the receipt of what was done before.

    Parameters
    ----------
    message : str
        What it says.
    receipt : Receipt
        In its attribute `receipt`.

    Returns
    -------
    AlreadyDone
    """
    error = AlreadyDone(message)
    error.receipt = receipt
    return error


def rows_counted(records: int, variables: int) -> str:
    """Return how many rows of the two tables, in words.

    Parameters
    ----------
    records, variables : int
        How many.

    Returns
    -------
    str

    Examples
    --------
    >>> rows_counted(12, 1)
    '12 records and 1 variable'
    """
    return f"{counted(records, 'record')} and {counted(variables, 'variable')}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular where it is one.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "record"), counted(1200, "record")
    ('1 record', '1,200 records')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
