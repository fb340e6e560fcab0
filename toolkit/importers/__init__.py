"""Test reports become frozen values here: files in, runs of records and variables out.

This room reads files and knows no database and no DataFrame; the service stores what `gather` returns.
"""

from __future__ import annotations

from toolkit.importers.junit import read_junit
from toolkit.importers.model import ImportedFile, ImportedRecord, ImportedRun
from toolkit.importers.runs import gather

__all__ = ["ImportedFile", "ImportedRecord", "ImportedRun", "gather", "read_junit"]
