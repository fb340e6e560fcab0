"""What the texts of a report mean: times, durations, numbers, messages, and names that fit a column."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final

from toolkit.times import in_utc

ID_LENGTH: Final = 255
TYPE_LENGTH: Final = 50

_LONGEST_SECONDS: Final = 10 * 366 * 86_400
_FIRST_YEAR: Final = 1970
_HASH_DIGITS: Final = 8
_INT64_DIGITS: Final = 18

_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T\s]+(\d[\d:.,]*)\s*(?:Z|UTC|GMT)?\s*([+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def shorten(text: str, limit: int) -> str:
    """Cut a text to a length, so that different texts stay different.

    Parameters
    ----------
    text : str
        Any text.
    limit : int
        The most characters allowed, at least 10.

    Returns
    -------
    str
        The text itself when it fits, else its beginning, `~` and 8 hexadecimal digits of the SHA-256 of the
        whole text: the same on every database and in every run.

    Examples
    --------
    >>> shorten("tests.test_login", 50)
    'tests.test_login'
    >>> shorten("tests.test_login.TestLoginWithExpiredPassword", 30)
    'tests.test_login.Test~6c2fa833'
    """
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{text[: limit - _HASH_DIGITS - 1]}~{digest}"


def one_line(text: str) -> str:
    r"""Write a text so that it is one line and can be encoded.

    Parameters
    ----------
    text : str
        Such as the name of a file, which may hold anything.

    Returns
    -------
    str
        The text with everything unprintable escaped.

    Examples
    --------
    >>> one_line("run 7/ünï\n.xml")
    'run 7/ünï\\n.xml'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class UniqueNames:
    """Hands out names that fit a limit, with ` #2`, ` #3` for those asked for again.

    Parameters
    ----------
    limit : int
        The most characters a name may have.

    Examples
    --------
    >>> names = UniqueNames(255)
    >>> [names.take(name) for name in ("login", "logout", "login", "login")]
    ['login', 'logout', 'login #2', 'login #3']
    """

    __slots__ = ("_asked", "_limit", "_taken")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._asked: dict[str, int] = {}
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Return a name nobody has yet.

        Parameters
        ----------
        name : str
            The name wished for.

        Returns
        -------
        str
            The name, numbered when it was taken before, cut when it is too long.
        """
        count = self._asked.get(name, 0) + 1
        # "a #2" may have been asked for as a name of its own.
        while (unique := self._numbered(name, count)) in self._taken:
            count += 1
        self._asked[name] = count
        self._taken.add(unique)
        return unique

    def _numbered(self, name: str, count: int) -> str:
        return shorten(name if count == 1 else f"{name} #{count}", self._limit)


def timestamp(text: str | None) -> datetime | None:
    """Read the time a report names.

    Parameters
    ----------
    text : str or None
        Date, or date and time, with or without a zone, in the spellings reports have.

    Returns
    -------
    datetime or None
        Aware, in UTC; None when it is no time, or before 1970: some writers put the year 1 for "not known".

    Examples
    --------
    >>> timestamp("2021-03-07T10:36:56 UTC").isoformat()
    '2021-03-07T10:36:56+00:00'
    >>> timestamp("0001-01-01T00:00:00") is None
    True
    """
    match = _TIMESTAMP.fullmatch((text or "").strip())
    if match is None:
        return None
    date, clock, offset = match.groups(default="")
    try:
        time = in_utc(datetime.fromisoformat(f"{date}T{clock or '00:00'}{offset}"))
    except (ValueError, OverflowError):
        return None
    return time if time.year >= _FIRST_YEAR else None


def duration(text: str | None) -> float | None:
    """Read a duration.

    Parameters
    ----------
    text : str or None
        Seconds, with a point or a comma before the fraction, and perhaps separators of thousands.

    Returns
    -------
    float or None
        Seconds; None when it is no number, is negative, or is longer than ten years.

    Notes
    -----
    A single comma without a point stands before a fraction: writers that put separators of thousands
    write a point and a fraction, too.

    Examples
    --------
    >>> [duration(text) for text in ("0.5", "1,234.5", "0,25", "-3", "NaN")]
    [0.5, 1234.5, 0.25, None, None]
    """
    text = text or ""
    if text.count(",") == 1 and text.rfind(",") > text.rfind("."):
        text = text.replace(".", "").replace(",", ".")
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _LONGEST_SECONDS else None


def plain_number(text: str) -> str | int | float:
    """Turn a text into a number where the number is written back the same.

    Parameters
    ----------
    text : str
        The value of an attribute.

    Returns
    -------
    str, int or float
        A number of 64 bits, or the text as it was: `007`, `1.10` and `NaN` stay texts.

    Examples
    --------
    >>> [plain_number(text) for text in ("12", "0.5", "007", "1.10", "NaN", "localhost")]
    [12, 0.5, '007', '1.10', 'NaN', 'localhost']
    """
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII) or len(text) > _INT64_DIGITS:
        return text
    number = float(text) if "." in text else int(text)
    return number if str(number) == text else text


def joined(message: str | None, text: str | None) -> str:
    """Join the message of a failure and its longer text, without saying one thing twice.

    Parameters
    ----------
    message, text : str or None
        As the report has them.

    Returns
    -------
    str
        The message, then the text if it adds something; empty when there is neither.

    Examples
    --------
    >>> joined("assert 1 == 2", "  assert 1 == 2  ")
    'assert 1 == 2'
    >>> joined("boom", "at login.py:3").splitlines()
    ['boom', 'at login.py:3']
    """
    message, text = (message or "").strip(), (text or "").strip()
    if text in message:
        return message
    return text if text.startswith(message) else f"{message}\n{text}"
