"""Numbers and sentences: how counts, shares, changes and times are said in a report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Control characters are drawn as their pictures; marks that turn the reading direction become visible, too.
_PICTURES: Final = (
    {code: 0x2400 + code for code in range(0x20)}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    | dict.fromkeys((0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
)
_PICTURES_OF_LINES: Final = {code: to for code, to in _PICTURES.items() if code not in {0x09, 0x0A}}
_UNITS: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_LEAST_POINTS: Final = 0.05


def cut(text: str, limit: int) -> str:
    """Shorten a text to `limit` characters, the last of them "…"; lone surrogates become "�"."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return _SURROGATE.sub("\ufffd", shown)


def visible(text: str, *, lines: bool = False) -> str:
    """Make control characters visible; with `lines`, tabs and line ends stay what they are."""
    return text.replace("\r\n", "\n").translate(_PICTURES_OF_LINES if lines else _PICTURES)


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Say a count with its noun: "1 record", "2,000 records"."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def percent(part: int, whole: int) -> str:
    """Say a share in per cent, never rounding up to everything or down to nothing.

    Examples
    --------
    >>> percent(41, 50), percent(249, 250), percent(99_999, 100_000), percent(1, 100_000), percent(0, 0)
    ('82 %', '99.6 %', 'over 99.9 %', 'under 0.1 %', '0 %')
    """
    if not whole or part in {0, whole}:
        return "100 %" if whole and part == whole else "0 %"
    rounded, finer = f"{100 * part / whole:.0f}", f"{100 * part / whole:.1f}"
    if rounded not in {"0", "100"}:
        return f"{rounded} %"
    return {"0.0": "under 0.1 %", "100.0": "over 99.9 %"}.get(finer, f"{finer} %")


def seconds(value: float) -> str:
    """Say a duration in the one or two units that matter.

    Examples
    --------
    >>> [seconds(value) for value in (0, 0.0001, 0.25, 4.24, 59.9, 90, 3725, 200_000)]
    ['0 s', 'under 1 ms', '250 ms', '4.2 s', '1 min', '1 min 30 s', '1 h 2 min', '2 d 8 h']
    """
    for size, name, step, part in _UNITS:
        count, left = divmod(round(value / step), size // step)
        if count:
            return f"{count:,} {name} {left} {part}" if left else f"{count:,} {name}"
    milliseconds = round(value * 1000)
    if value >= 1 or not value:
        return f"{value:.2g} s"
    return f"{milliseconds} ms" if milliseconds else "under 1 ms"


def points(difference: float) -> str:
    """Say a difference of two shares in percentage points.

    Examples
    --------
    >>> points(0.06), points(-0.011), points(0.004), points(1e-6)
    ('6 points', '1 point', '0.4 points', 'under 0.1 points')
    """
    size = abs(100 * difference)
    rounded = f"{size:.0f}"
    if size >= 1:
        return f"{rounded} point{'' if rounded == '1' else 's'}"
    return f"{size:.1f} points" if size >= _LEAST_POINTS else "under 0.1 points"


def signed(change: float, words: Callable[[float], str] = "{:,}".format) -> str:
    """Say a change with its sign.

    Examples
    --------
    >>> signed(3), signed(0), signed(0.06, points)
    ('+3', 'no change', '+6 points')
    """
    if not change:
        return "no change"
    return f"{'+' if change > 0 else '−'}{words(abs(change))}"  # noqa: RUF001 - the sign, not a hyphen


def moment(time: datetime | None) -> str:
    """Say a point in time to the minute; the page says the zone."""
    return "unknown" if time is None else f"{time:%Y-%m-%d %H:%M}"


def clock(time: datetime | None) -> str:
    """Say a point in time to the second."""
    return "unknown" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def period(first: datetime | None, last: datetime | None) -> str:
    """Say from when to when, naming a day once.

    Examples
    --------
    >>> from datetime import datetime
    >>> period(datetime(2026, 1, 5, 6, 0), datetime(2026, 1, 5, 7, 30))
    '2026-01-05 06:00 to 07:30'
    """
    start, end = moment(first), moment(last)
    if first is None or last is None or start == end:
        return start if start == end else f"{start} to {end}"
    return f"{start} to {last:%H:%M}" if first.date() == last.date() else f"{start} to {end}"
