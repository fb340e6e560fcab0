"""The calls that hold what is stored to a JSON Schema."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, Unpack

from toolkit import columns, frames
from toolkit.errors import InvalidOption
from toolkit.model import RecordFilter, RecordFilterOptions, VariableFilter
from toolkit.patterns import Pattern, PatternLike, parse
from toolkit.service.combined import CombinedCalls
from toolkit.storage.base import single_workflow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit.masking import MaskingPolicy
    from toolkit.storage.base import WorkflowIds
    from toolkit.validation import Problem, Schema, SchemaValidator

PROBLEM_COLUMNS: Final = ("path", "rule", "message")
"""The columns of a frame of problems that stand after the key or the record id."""

_ROWS_AT_ONCE: Final = 10_000
_Found: TypeAlias = "tuple[int, str, Problem]"
"""The row that a problem is about, the place as the frame words it, and the problem."""

_KEY: Final = "key"
_VALUE: Final = "value"
_RECORD_ID: Final = "record_id"


class CheckingCalls(CombinedCalls):
    """Check variables and records that are there."""

    def validate_variables(
        self, workflow_id: WorkflowIds, schemas: Mapping[str, Schema], *, reveal: bool = False
    ) -> pd.DataFrame:
        """Hold variables to JSON Schemas, one for each pattern of keys.

        Parameters
        ----------
        workflow_id : str, list of str, or pattern
            One workflow, several, or a pattern.
        schemas : mapping of str to (dict or bool)
            A JSON Schema (Draft 2020-12 unless its `$schema` says otherwise) for each pattern of keys; a variable that
            several patterns take is held to each. Formats are checked, references are never fetched.
        reveal : bool, default False
            Check secrets too. Otherwise the rules about a hidden value give one problem, `not checked`, whatever the
            value is.

        Returns
        -------
        pandas.DataFrame
            One row per problem, ordered by key and place: `key, path, rule, message` (`str`). `path` is the place in
            the value, such as `items[3].price`, and empty for the whole value; `message` says what the schema asks
            for, never the value. With several workflows, `workflow_id` stands in front. `attrs["checked"]` is the
            number of variables that were checked, `attrs["missing"]` lists the patterns that took none.

        Raises
        ------
        InvalidOption
            When a schema is broken, or refers to something that is not in it.
        InvalidPattern

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"total": -3, "names": ["Ann", 5]})
        >>> texts = {"type": "array", "items": {"type": "string"}}
        >>> service.validate_variables("nightly", {"total": {"minimum": 0}, "names": texts})
             key path     rule                         message
        0  names  [1]     type  the schema says type: 'string'
        1  total       minimum      the schema says minimum: 0
        """
        judges = _judges(schemas)
        table = self.variables.query(workflow_id, VariableFilter(pattern=_union(judges)))
        keys = table.column(_KEY).to_pylist()
        found = []
        view = self._view(reveal, workflow_id)
        self._note(view, len(keys))
        policy = None if view.policy is None else self.masking
        for row, (key, text) in enumerate(zip(keys, table.column(_VALUE).to_pylist(), strict=True)):
            mask = None if policy is None else functools.partial(policy.mask, name=key)
            for judge in [judge for pattern, judge in judges.values() if pattern.matches(key)]:
                found += [(row, problem.path, problem) for problem in judge.problems_in(text, mask)]
        names = _names(workflow_id, _KEY)
        frame = _frame(names, _cells(table, names, found), view.policy)
        missing = [name for name, (pattern, _) in judges.items() if not any(map(pattern.matches, keys))]
        frame.attrs.update(checked=len(keys), missing=missing)
        return frame

    def validate_records(
        self,
        workflow_id: WorkflowIds,
        schema: Schema,
        pattern: PatternLike = "*",
        *,
        reveal: bool = False,
        **filters: Unpack[RecordFilterOptions],
    ) -> pd.DataFrame:
        """Hold the documents of records to a JSON Schema.

        Parameters
        ----------
        workflow_id : str, list of str, or pattern
            One workflow, several, or a pattern.
        schema : dict or bool
            A JSON Schema of the whole document, so `fields`, `vars`, `targets` and `history` are its properties
            (Draft 2020-12 unless its `$schema` says otherwise). Formats are checked, references are never fetched.
        pattern : str or list of str, default "*"
            Of record ids.
        reveal : bool, default False
            Check secrets too. Otherwise the rules about a hidden value give one problem, `not checked`, whatever the
            value is.
        **filters
            The filters of `query_records`, by the same names.

        Returns
        -------
        pandas.DataFrame
            One row per problem, ordered as the records are and then by place: `record_id, path, rule, message`
            (`str`). `path` is the place in the document, such as `fields.items[3].price`, or `data` for the whole
            document; a property that is missing has the place it would have. `message` says what the schema asks for,
            never the value. With several workflows, `workflow_id` stands in front. `attrs["checked"]` is the number
            of records that were checked.

        Raises
        ------
        InvalidOption
            When the schema is broken, or refers to something that is not in it, or a filter is unknown.
        InvalidPattern

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> number = service.create_records("nightly", [{"record_id": "a_1", "fields.size": -1}, {"record_id": "a_2"}])
        >>> sizes = {"properties": {"size": {"minimum": 0}}, "required": ["size"]}
        >>> service.validate_records("nightly", {"properties": {"fields": sizes}})
          record_id         path      rule                                 message
        0       a_1  fields.size   minimum              the schema says minimum: 0
        1       a_2  fields.size  required  the schema asks for it, and it is missing
        """
        from toolkit import validation  # noqa: PLC0415 - jsonschema is only loaded when it is used

        judge = validation.validator(schema, "the records")
        selection = RecordFilter.of(pattern, **filters)
        view = self._view(reveal, workflow_id)
        # A secret that is known hides in the names that are told; the rules are about values as their names have them.
        policy = None if view.policy is None else self.masking
        names = _names(workflow_id, _RECORD_ID)
        cells, checked = [], 0
        with self.database.read() as connection:
            for part in self.records.stream(connection, workflow_id, selection, _ROWS_AT_ONCE):
                cells += _cells(part, names, _in_documents(judge, part, policy))
                checked += part.num_rows
        self._note(view, checked)
        frame = _frame(names, cells, view.policy)
        frame.attrs["checked"] = checked
        return frame


def _judges(schemas: Mapping[str, Schema]) -> dict[str, tuple[Pattern, SchemaValidator]]:
    from toolkit import validation  # noqa: PLC0415 - as above

    if not isinstance(schemas, Mapping):
        raise InvalidOption(f"schemas are a dict of a JSON Schema for each pattern, not {type(schemas).__name__}")
    return {name: (parse(name), validation.validator(schema, repr(name))) for name, schema in schemas.items()}


def _union(judges: Mapping[str, tuple[Pattern, SchemaValidator]]) -> Pattern:
    patterns = [pattern for pattern, _ in judges.values()]
    exact = dict.fromkeys(text for pattern in patterns for text in pattern.exact)
    return Pattern(tuple(exact), tuple(dict.fromkeys(text for pattern in patterns for text in pattern.wild)))


def _in_documents(judge: SchemaValidator, table: pa.Table, policy: MaskingPolicy | None) -> list[_Found]:
    """Hold the documents of some records to a schema."""
    from toolkit import validation  # noqa: PLC0415 - as above

    texts = table.column(columns.DATA).to_pylist()
    hides = [False] * len(texts) if policy is None else frames.may_hide(table, [columns.DATA], policy)
    masks = [policy.mask if policy is not None and look else None for look in hides]
    return [
        (row, validation.place(_in_record(problem.steps)), problem)
        for row, (text, mask) in enumerate(zip(texts, masks, strict=True))
        for problem in judge.problems_in(text, mask)
    ]


def _in_record(steps: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Name a place in a document as a frame of records does."""
    return steps if steps and steps[0] in columns.PARTS else (columns.DATA, *steps)


def _names(workflow_ids: WorkflowIds, name: str) -> list[str]:
    """Return the columns that say what a problem is about."""
    return [name] if single_workflow(workflow_ids) is not None else [columns.WORKFLOW_ID, name]


def _cells(table: pa.Table, names: list[str], found: list[_Found]) -> list[tuple[str, ...]]:
    """Name the rows of a table that problems are about, and put place, rule and message beside."""
    rows = [row for row, _, _ in found]
    about = zip(*(table.column(name).take(rows).to_pylist() for name in names), strict=True) if rows else ()
    told = ((path, problem.rule, problem.message) for _, path, problem in found)
    return [(*one, *other) for one, other in zip(about, told, strict=True)]


def _frame(names: list[str], cells: list[tuple[str, ...]], policy: MaskingPolicy | None) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

    if policy is not None:
        # A key, an id and the names on a path can hold a secret, too; rule and message are the toolkit's own.
        own = len(names) + 1
        cells = [(*map(policy.mask_text, row[:own]), *row[own:]) for row in cells]
    return pd.DataFrame(cells, columns=[*names, *PROBLEM_COLUMNS], dtype=frames.TEXT)
