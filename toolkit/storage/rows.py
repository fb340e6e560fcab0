"""From what people give to `create_record(s)` to a row that can be inserted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from toolkit import columns, jsonvalue
from toolkit.errors import InvalidPath, InvalidValue, ToolkitError
from toolkit.storage.base import encode_for_writing, refuse_mask
from toolkit.storage.merge import check_patch, document_path, merge, time_for_column
from toolkit.storage.tables import TYPE_LIMIT

Row: TypeAlias = dict[str, Any]
"""Every record column, which of them were given, and `data`: text, a number, datetimes or None, and JSON text."""

GIVEN: Final = "given"
"""The key of a row that says which record columns were given: replacing a record keeps the others."""

LIMITS: Final = {
    "record_id": jsonvalue.MAXIMUM_NAME,
    "record_type": TYPE_LIMIT,
    "status": TYPE_LIMIT,
    "iteration_node_alias": jsonvalue.MAXIMUM_NAME,
    "error_message": None,
}


def record_row(given: Mapping[str, Any], *, literal: bool = False) -> Row:
    """Check one record and lay it out as a row.

    Parameters
    ----------
    given : mapping of str to object
        `record_id`, and where wanted the other record columns, `data`, or paths such as `fields.subject`.
    literal : bool, default False
        Write text that holds `[hidden]` as it is.

    Returns
    -------
    dict
        A new one; nothing of `given` is changed.

    Raises
    ------
    InvalidValue, HiddenValue, InvalidPath
        Naming the record and the column.

    Examples
    --------
    >>> row = record_row({"record_id": "email_001", "data": {"subject": "Hello"}})
    >>> row["record_type"], row["status"], row["data"]
    ('email', 'discovered', '{"fields": {"subject": "Hello"}, "vars": {}, "targets": {}, "history": []}')
    """
    if not isinstance(given, Mapping):
        raise InvalidValue(f"a record is a dict with a record_id, not {type(given).__name__}")
    if "record_id" not in given:
        raise InvalidValue("a record needs a record_id")
    record_id = jsonvalue.check_text(given["record_id"], "record_id", limit=jsonvalue.MAXIMUM_NAME, empty=False)
    row: Row = {name: given.get(name) for name in columns.RECORD_COLUMNS}
    row[GIVEN] = frozenset(name for name in columns.RECORD_COLUMNS if row[name] is not None)
    row["record_type"] = given.get("record_type") or record_type_of(record_id)
    row["status"] = given["status"] if given.get("status") is not None else columns.DISCOVERED
    for name, limit in LIMITS.items():
        if row[name] is not None:
            jsonvalue.check_text(row[name], f"{name} of record {record_id!r}", limit=limit)
            if not literal:
                refuse_mask(row[name], f"{name} of record {record_id!r}")
    row["retry_count"] = check_patch({"retry_count": row["retry_count"] or 0}).columns["retry_count"]
    for name in columns.TIME_COLUMNS:
        row[name] = None if row[name] is None else time_for_column(row[name])
    row[columns.DATA] = encode_for_writing(_document(given), f"data of record {record_id!r}", literal=literal)
    return row


def record_rows(
    many: Iterable[Mapping[str, Any]],
    *,
    literal: bool = False,
    start: int = 0,
    first: Mapping[str, int] | None = None,
) -> list[Row]:
    """Check records and lay them out as rows; a bad one is named by its position and id.

    Parameters
    ----------
    many : iterable of mapping
        See `record_row`.
    literal : bool, default False
        Write text that holds `[hidden]` as it is.
    start : int, default 0
        The position of the first one.
    first : mapping of str to int, optional
        The ids that came before them, and their positions.

    Returns
    -------
    list of dict

    Raises
    ------
    InvalidValue, HiddenValue, InvalidPath
        For the first bad row, and for an id that occurs twice.

    Examples
    --------
    >>> record_rows([{"record_id": "a_1"}, {"record_id": "a_1"}])
    Traceback (most recent call last):
    toolkit.errors.InvalidValue: row 1 ('a_1'): this record_id stands in row 0 already
    """
    listed: list[Row] = []
    seen = dict(first or {})
    for position, given in enumerate(many, start):
        try:
            row = record_row(given, literal=literal)
        except ToolkitError as error:
            name = given.get("record_id") if isinstance(given, Mapping) else None
            raise type(error)(f"row {position} ({name!r}): {error}") from None
        earlier = seen.setdefault(row["record_id"], position)
        if earlier != position:
            raise InvalidValue(f"row {position} ({row['record_id']!r}): this record_id stands in row {earlier} already")
        listed.append(row)
    return listed


def record_type_of(record_id: str) -> str:
    """Return the type that a record id names: what stands in front of the last `_` or the first `:`.

    Parameters
    ----------
    record_id : str
        A record's id.

    Returns
    -------
    str
        At most 50 characters.

    Examples
    --------
    >>> record_type_of("email_001"), record_type_of("sales_lead_7"), record_type_of("temp:1:x:0001")
    ('email', 'sales_lead', 'temp')
    """
    prefix = record_id.partition(":")[0]
    return (prefix.rpartition("_")[0] or prefix or record_id)[:TYPE_LIMIT]


def _document(given: Mapping[str, Any]) -> Any:
    data = given.get(columns.DATA)
    dotted = {name: value for name, value in given.items() if name not in (*columns.RECORD_COLUMNS, columns.DATA)}
    if data is not None and dotted:
        raise InvalidPath(f"a record has either data or paths such as {next(iter(dotted))!r}, not both")
    document = parts_of({} if data is None else data)
    if dotted:
        for name in dotted:
            document_path(name)
        return merge(document, check_patch(dotted))
    return document


def parts_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a document out in its four parts; keys outside them go into `fields`.

    Parameters
    ----------
    data : mapping of str to JSON value
        As it was given; it is not changed, but its values are shared.

    Returns
    -------
    dict
        With `fields`, `vars`, `targets` and `history`.

    Raises
    ------
    InvalidValue
        When it is no mapping, or a key outside the parts stands in `fields` too.

    Examples
    --------
    >>> parts_of({"subject": "Hello", "vars": {"label": 1}})
    {'fields': {'subject': 'Hello'}, 'vars': {'label': 1}, 'targets': {}, 'history': []}
    """
    if not isinstance(data, Mapping):
        raise InvalidValue(f"data of a record is a dict, not {type(data).__name__}")
    outside = {key: value for key, value in data.items() if key not in columns.PARTS}
    # Only null is nothing: `0` and `""` are values, and not this room's to drop.
    parts = {name: part for name in columns.PARTS if (part := data.get(name)) is not None}
    fields = parts.get(columns.FIELDS, {})
    if outside and not isinstance(fields, Mapping):
        raise InvalidValue("data has keys outside the four parts, and its fields is no object to put them in")
    twice = sorted(outside.keys() & fields.keys()) if outside else []
    if twice:
        raise InvalidValue(f"data holds {twice[0]!r} both at the top and in fields")
    empty: dict[str, Any] = {columns.FIELDS: {}, columns.VARS: {}, columns.TARGETS: {}, columns.HISTORY: []}
    return {**empty, **parts, columns.FIELDS: {**fields, **outside} if outside else fields}
