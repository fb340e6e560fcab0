"""A value in one short line, for a prompt or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit import jsonvalue

if TYPE_CHECKING:
    from toolkit.jsonvalue import JSONValue

LIMIT: Final = 100
"""Characters of a value that are shown."""


def format_for_display(value: JSONValue) -> str:
    """Return a value as one line: cut at 100 characters, of an array the first element and how many follow.

    Parameters
    ----------
    value : JSON value
        Masked already.

    Returns
    -------
    str

    Examples
    --------
    >>> format_for_display(["apple", "pear", "plum"]), format_for_display({"a": None})
    ('[apple, +2 more]', '{"a": null}')
    """
    if not isinstance(value, list):
        return _line(value)
    shown = [_line(value[0])] if value else []
    more = [f"+{len(value) - 1:,} more"] if len(value) > 1 else []
    return f"[{', '.join(shown + more)}]"


def _line(value: JSONValue) -> str:
    text = value if isinstance(value, str) else jsonvalue.encode_exact(value)
    line = " ".join(text.splitlines())
    return line if len(line) <= LIMIT else f"{line[:LIMIT]}…"
