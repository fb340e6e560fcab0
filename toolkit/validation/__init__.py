"""JSON Schema: what breaks which rule, and where. A problem never holds the value, which may be a secret.

Two libraries judge. `jsonschema` is the reference, and words every problem. `jsonschema-rs` is some forty times as
fast and only asked whether a value is valid, for schemas whose keywords both judge alike and for values whose numbers
both read alike: integers of 64 bits, and what a double holds. Patterns, formats and `multipleOf` run the same Python
code in both.

**Formats** are checked in every draft: date, date-time, time, duration, email, idn-email, hostname, idn-hostname,
ipv4, ipv6, uri, uri-reference, iri, iri-reference, uri-template, uuid, json-pointer, relative-json-pointer and regex.
`email` asks for little more than an `@`. A format of another name is not checked, as the standard has it. Patterns are
Python's regular expressions.

**Places** are written in the toolkit's paths, with the position in an array in brackets:
`fields.items[3].price`, `fields."a.b"`, `[0].name`; the place of a whole value is the empty text. A property that is
missing, or that the schema does not allow, is named by its own place.
"""

from __future__ import annotations

from toolkit.validation.problems import NOT_CHECKED, Problem, place
from toolkit.validation.reading import read
from toolkit.validation.schema import DRAFTS, Schema, SchemaValidator, check, validator

__all__ = ["DRAFTS", "NOT_CHECKED", "Problem", "Schema", "SchemaValidator", "check", "place", "read", "validator"]
