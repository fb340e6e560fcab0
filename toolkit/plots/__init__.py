"""Pictures of records: each function takes a frame and returns the matplotlib Axes it drew on.

As with pandas' own ``.plot``, nothing is shown and nothing is saved; give `ax` to draw into a figure of your
own. Colours are those of Okabe and Ito, which people with any colour vision tell apart; a status is
told by hatch or label as well. Times are in UTC, and the axis says so. What is not drawn is counted in the title.
"""

from __future__ import annotations

from toolkit.plots.counting import status_by_type, variables_by_category
from toolkit.plots.lanes import timeline
from toolkit.plots.lasting import durations
from toolkit.plots.rates import failures_over_time
from toolkit.plots.strips import history
from toolkit.plots.styles import OTHER_STYLES, STYLES, TYPE_STYLES, Style

__all__ = [
    "OTHER_STYLES",
    "STYLES",
    "TYPE_STYLES",
    "Style",
    "durations",
    "failures_over_time",
    "history",
    "status_by_type",
    "timeline",
    "variables_by_category",
]
