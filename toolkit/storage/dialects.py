"""What SQLite and PostgreSQL say differently, each thing once.

Everything above builds its statements from these expressions, so that no storage asks which database it is on.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ColumnElement

from toolkit.times import Moment, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.patterns import Pattern

# Keys that need no escape in JSON, whoever wrote it.
_PLAIN_KEY = re.compile(r"[\w .:@-]+", re.ASCII)

Condition = ColumnElement[bool]
Column = ColumnElement[Any]


class Dialect(ABC):
    """The expressions of one database."""

    name: ClassVar[str]
    order: ClassVar[Literal["text", "time"]]
    """How the database compares times: SQLite has them as text."""

    def text_is_any_of(self, column: Column, values: Sequence[str]) -> Condition:
        """Compare with any number of literal texts, bound as one value: no statement grows with its input."""
        if len(values) == 1:
            return column == next(iter(values))
        return self._any_of(column, values)

    def matches(self, column: Column, pattern: Pattern) -> Condition:
        """Hold a text column to a pattern of the wildcard language."""
        conditions = [self.text_is_any_of(column, pattern.exact)] if pattern.exact else []
        if pattern.wild:
            conditions.append(self._any_wild(column, pattern))
        return sa.or_(sa.false(), *conditions)

    def contains(self, column: Column, text: str) -> Condition:
        """Search for a part of a text; ASCII letters match in either case, on every database alike."""
        lowered = "".join(character.lower() if character.isascii() else character for character in text)
        return self.position(sa.func.lower(self.by_code_point(column)), lowered) > 0

    def time_bound(self, column: Column, operator: str, moment: Moment) -> Condition:
        """Compare a time column with a moment, or with that long before the database's now."""
        limit = self.ago(moment) if isinstance(moment, dt.timedelta) else sa.literal(self.time(moment))
        return column >= limit if operator == ">=" else column < limit

    @abstractmethod
    def _any_of(self, column: Column, values: Sequence[str]) -> Condition: ...

    @abstractmethod
    def _any_wild(self, column: Column, pattern: Pattern) -> Condition: ...

    @abstractmethod
    def position(self, column: Column, text: str) -> Column:
        """Return where a text begins in a column, counted from 1; 0 when it does not occur."""

    @abstractmethod
    def json_text(self, column: Column) -> Column:
        """Read a JSON column as text."""

    @abstractmethod
    def json_value(self, column: sa.Column[Any], parameter: str) -> Column:
        """Turn the JSON text bound to a parameter into what the column takes."""

    @abstractmethod
    def json_type(self, column: Column) -> Column:
        """Return a JSON column's type: string, number, boolean, array, object or null."""

    @abstractmethod
    def json_place(self, column: Column, keys: Sequence[str]) -> Column | None:
        """Read what stands at a place in a JSON column, as JSON text; None when this database cannot name the place."""

    @abstractmethod
    def json_without(self, column: Column, key: str) -> Column:
        """Read a JSON column as text, without one key at the top if that is quicker."""

    @abstractmethod
    def by_code_point(self, column: Column) -> Column:
        """Compare and order text by code point, never by a language's collation."""

    @abstractmethod
    def now(self) -> Column:
        """Return the time by the database's clock."""

    @abstractmethod
    def ago(self, span: dt.timedelta) -> Column:
        """Return the time that long before the database's now."""

    @abstractmethod
    def time(self, value: dt.datetime) -> Any:
        """Return a time as the driver takes it."""

    @abstractmethod
    def time_text(self, column: Column) -> Column:
        """Read a time column as text."""

    @abstractmethod
    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT that knows ON CONFLICT."""


class SQLite(Dialect):
    """JSON and times are text; the `json_…` functions read it."""

    name = "sqlite"
    order = "text"

    def _any_of(self, column: Column, values: Sequence[str]) -> Condition:
        each = sa.func.json_each(_json_array(values)).table_valued("value")
        return column.in_(sa.select(each.c.value))

    def _any_wild(self, column: Column, pattern: Pattern) -> Condition:
        globs = pattern.glob()
        if len(globs) == 1:
            return column.op("GLOB", is_comparison=True)(globs[0])
        # One bound array instead of a chain of OR, of which the parser takes 1,000 at most.
        each = sa.func.json_each(_json_array(globs)).table_valued("value")
        return sa.exists(sa.select(1).select_from(each).where(column.op("GLOB", is_comparison=True)(each.c.value)))

    def position(self, column: Column, text: str) -> Column:
        """Return where a text begins in a column."""
        return sa.func.instr(column, text)

    def json_text(self, column: Column) -> Column:
        """Read a JSON column as text."""
        return sa.type_coerce(column, sa.Text)

    def json_value(self, column: sa.Column[Any], parameter: str) -> Column:  # noqa: ARG002 - one form for every column
        """Turn the JSON text bound to a parameter into what the column takes."""
        return sa.bindparam(parameter, type_=sa.Text)

    def json_type(self, column: Column) -> Column:
        """Return a JSON column's type; text that is no JSON is `invalid`."""
        kind = sa.func.json_type(column)
        names = {
            "text": "string",
            "integer": "number",
            "real": "number",
            "true": "boolean",
            "false": "boolean",
        }
        named = sa.case(names, value=kind, else_=sa.func.coalesce(kind, "null"))
        return sa.case((sa.func.json_valid(sa.func.coalesce(column, "null")) == 0, "invalid"), else_=named)

    def json_place(self, column: Column, keys: Sequence[str]) -> Column | None:
        """Read what stands at a place, as JSON text.

        SQLite compares a key as it is written in the text, so only keys that everybody writes alike can be named.
        """
        if not all(_PLAIN_KEY.fullmatch(key) for key in keys):
            return None
        path = "$" + "".join(f'."{key}"' for key in keys)
        return sa.case((sa.func.json_valid(column) == 1, column.op("->", return_type=sa.Text())(path)))

    def json_without(self, column: Column, key: str) -> Column:
        """Read a JSON column as text without one key at the top; what is no JSON, as it is."""
        text = self.json_text(column)
        less = sa.func.json_remove(text, f'$."{key}"')
        return sa.case((sa.func.json_valid(text) == 1, less), else_=text)

    def by_code_point(self, column: Column) -> Column:
        """Compare text as SQLite does: by code point."""
        return column

    def now(self) -> Column:
        """Return the time by the database's clock, in the one text form; SQLite counts milliseconds."""
        return sa.func.strftime("%Y-%m-%dT%H:%M:%f000Z", "now")

    def ago(self, span: dt.timedelta) -> Column:
        """Return the time that long before the database's now."""
        return sa.func.strftime("%Y-%m-%dT%H:%M:%f000Z", "now", f"-{span.total_seconds():.3f} seconds")

    def time(self, value: dt.datetime) -> str:
        """Return a time as text."""
        return iso(value)

    def time_text(self, column: Column) -> Column:
        """Read a time column as text."""
        return sa.type_coerce(column, sa.Text)

    def insert(self, table: sa.Table) -> sqlite.Insert:
        """Begin an INSERT that knows ON CONFLICT."""
        return sqlite.insert(table)


class PostgreSQL(Dialect):
    """JSON is `jsonb`, `json` or text; it travels as text either way."""

    name = "postgresql"
    order = "time"

    def _any_of(self, column: Column, values: Sequence[str]) -> Condition:
        return column == sa.any_(_text_array(values))

    def _any_wild(self, column: Column, pattern: Pattern) -> Condition:
        return self.by_code_point(column).like(sa.any_(_text_array(pattern.like())))

    def position(self, column: Column, text: str) -> Column:
        """Return where a text begins in a column."""
        return sa.func.strpos(column, text)

    def json_text(self, column: Column) -> Column:
        """Read a JSON column as text."""
        return sa.cast(column, sa.Text)

    def json_value(self, column: sa.Column[Any], parameter: str) -> Column:
        """Turn the JSON text bound to a parameter into what the column takes."""
        return sa.cast(sa.bindparam(parameter, type_=sa.Text), _json_type_of(column))

    def json_type(self, column: Column) -> Column:
        """Return a JSON column's type."""
        return sa.func.coalesce(sa.func.jsonb_typeof(sa.cast(column, postgresql.JSONB)), "null")

    def json_place(self, column: Column, keys: Sequence[str]) -> Column | None:
        """Read what stands at a place, as JSON text; a text key never reaches into an array."""
        place: Column = sa.cast(column, postgresql.JSONB)
        for key in keys:
            place = place.op("->", return_type=postgresql.JSONB())(sa.cast(sa.literal(key), sa.Text))
        return sa.cast(place, sa.Text)

    def json_without(self, column: Column, key: str) -> Column:
        """Read a JSON column as text without one key at the top; only an object has keys to leave out."""
        binary: Column = sa.cast(column, postgresql.JSONB)
        less = binary.op("-", return_type=postgresql.JSONB())(sa.cast(sa.literal(key), sa.Text))
        return sa.cast(sa.case((sa.func.jsonb_typeof(binary) == "object", less), else_=binary), sa.Text)

    def by_code_point(self, column: Column) -> Column:
        """Compare text by code point, whatever the database's collation."""
        return sa.collate(sa.cast(column, sa.Text), "C")

    def now(self) -> Column:
        """Return the time at which the transaction began."""
        return sa.func.now()

    def ago(self, span: dt.timedelta) -> Column:
        """Return the time that long before the database's now."""
        return sa.func.now() - sa.cast(span, sa.Interval)

    def time(self, value: dt.datetime) -> dt.datetime:
        """Return a time as a datetime."""
        return value

    def time_text(self, column: Column) -> Column:
        """Read a time column as text: psycopg raises on infinity, and on years that Python does not know."""
        return sa.cast(column, sa.Text)

    def insert(self, table: sa.Table) -> postgresql.Insert:
        """Begin an INSERT that knows ON CONFLICT."""
        return postgresql.insert(table)


def _json_array(values: Sequence[str]) -> sa.BindParameter[str]:
    return sa.bindparam(None, json.dumps(list(values), ensure_ascii=False), type_=sa.Text, unique=True)


def _text_array(values: Sequence[str]) -> sa.Cast[Any]:
    return sa.cast(sa.bindparam(None, list(values), unique=True), postgresql.ARRAY(sa.Text))


def _json_type_of(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    # SQLAlchemy's own JSON types would encode the text a second time.
    return (
        Named("JSON")
        if isinstance(column.type, postgresql.JSON) and not isinstance(column.type, postgresql.JSONB)
        else Named("JSONB")
        if isinstance(column.type, postgresql.JSONB)
        else sa.Text()
    )


class Named(sa.types.UserDefinedType[Any]):
    """A type by the name that the server gives it: named in a CAST, it leaves its value alone."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """Name the type."""
        return self.name


DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (SQLite(), PostgreSQL())}
