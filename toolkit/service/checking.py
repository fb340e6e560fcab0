"""The calls that hold what is stored to a JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Unpack

from toolkit import columns, frames, jsonvalue
from toolkit.errors import CorruptValue, InvalidOption
from toolkit.model import RecordFilter, RecordFilterOptions, VariableFilter
from toolkit.patterns import Pattern, PatternLike, parse
from toolkit.service.base import of_workflows
from toolkit.service.combined import CombinedCalls

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit.storage.base import WorkflowIds
    from toolkit.validation import Problem, Schema, SchemaValidator

PROBLEM_COLUMNS: Final = ("path", "rule", "message")
"""The columns of a frame of problems that stand after the key or the record id."""

CORRUPT: Final = "json"
"""The rule that stored text breaks which is no JSON at all."""

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
        for row, (key, text, delicate) in enumerate(zip(keys, *_texts(table, _VALUE), strict=True)):
            mask = self._mask(key, reveal=reveal)
            for judge in [judge for pattern, judge in judges.values() if pattern.matches(key)]:
                found += [(row, problem.path, problem) for problem in _examine(judge, text, mask, delicate=delicate)]
        frame = _frame(of_workflows(table.drop_columns([_VALUE]), workflow_id), _KEY, found)
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
        table = self.records.query(workflow_id, RecordFilter.of(pattern, **filters))
        policy, mask = self._policy(reveal=reveal), self._mask(None, reveal=reveal)
        hides = [False] * len(table) if policy is None else frames.may_hide(table, [columns.DATA], policy)
        found = [
            (row, validation.place(_in_record(problem.steps)), problem)
            for row, (text, delicate, look) in enumerate(zip(*_texts(table, columns.DATA), hides, strict=True))
            for problem in _examine(judge, text, mask if look else _as_it_is, delicate=delicate)
        ]
        frame = _frame(of_workflows(table, workflow_id), _RECORD_ID, found)
        frame.attrs["checked"] = table.num_rows
        return frame

    def _mask(self, name: str | None, *, reveal: bool) -> Callable[[Any], Any]:
        policy = self._policy(reveal=reveal)
        return _as_it_is if policy is None else (lambda value: policy.mask(value, name))


def _as_it_is(value: Any) -> Any:
    return value


def _judges(schemas: Mapping[str, Schema]) -> dict[str, tuple[Pattern, SchemaValidator]]:
    from toolkit import validation  # noqa: PLC0415 - as above

    if not isinstance(schemas, Mapping):
        raise InvalidOption(f"schemas are a dict of a JSON Schema for each pattern, not {type(schemas).__name__}")
    return {name: (parse(name), validation.validator(schema, repr(name))) for name, schema in schemas.items()}


def _union(judges: Mapping[str, tuple[Pattern, SchemaValidator]]) -> Pattern:
    patterns = [pattern for pattern, _ in judges.values()]
    exact = dict.fromkeys(text for pattern in patterns for text in pattern.exact)
    return Pattern(tuple(exact), tuple(dict.fromkeys(text for pattern in patterns for text in pattern.wild)))


def _texts(table: pa.Table, name: str) -> tuple[list[str | None], list[bool]]:
    """Return JSON texts, and beside each whether its numbers need the exact judge."""
    from toolkit import validation  # noqa: PLC0415 - as above

    texts = table.column(name)
    return texts.to_pylist(), validation.delicate(texts)


def _examine(
    judge: SchemaValidator, text: str | None, mask: Callable[[Any], Any], *, delicate: bool
) -> Iterable[Problem]:
    from toolkit.validation import Problem  # noqa: PLC0415 - as above

    try:
        value = None if text is None else jsonvalue.decode(text)
    except CorruptValue as error:
        return (Problem((), CORRUPT, str(error)),)
    shown = mask(value)
    return judge.problems(shown, delicate=delicate, masked=shown is not value)


def _in_record(steps: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Name a place in a document as a frame of records does."""
    return steps if steps and steps[0] in columns.PARTS else (columns.DATA, *steps)


def _frame(table: pa.Table, name: str, found: list[tuple[int, str, Problem]]) -> pd.DataFrame:
    """Make the frame of problems: the rows of the table they are about, then place, rule and message."""
    import pandas as pd  # noqa: PLC0415 - not needed until a call needs it
    import pyarrow as pa  # noqa: PLC0415 - likewise

    rows = pa.array([row for row, _, _ in found], pa.int64())
    names = [column for column in (columns.WORKFLOW_ID, name) if column in table.column_names]
    cells = {column: table.column(column).take(rows).to_pylist() for column in names}
    told = [(path, problem.rule, problem.message) for _, path, problem in found]
    cells |= dict(zip(PROBLEM_COLUMNS, map(list, zip(*told, strict=True)), strict=True)) if told else {}
    return pd.DataFrame(cells, columns=[*names, *PROBLEM_COLUMNS], dtype=frames.TEXT)
