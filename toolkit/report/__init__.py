"""Reports: a frozen summary of a run, and its renderings."""

from __future__ import annotations

from toolkit.report.material import Material, Run
from toolkit.report.model import RunSummary
from toolkit.report.render import RunReport
from toolkit.report.summary import summarize

__all__ = ["Material", "Run", "RunReport", "RunSummary", "summarize"]
