"""Test reports become frozen values here: files in, runs of records and variables out.

This room reads files and knows no database and no DataFrame; the service stores what `gather` returns.
"""

from __future__ import annotations

from toolkit.importers.allure import read_allure
from toolkit.importers.cases import Case, Context, context_of
from toolkit.importers.junit import read_junit
from toolkit.importers.model import ImportedFile, ImportedRecord, ImportedRun
from toolkit.importers.origin import ORIGIN, origin
from toolkit.importers.registry import JUNIT, Importer, importer_named, importers
from toolkit.importers.reportlog import read_reportlog
from toolkit.importers.runs import gather
from toolkit.importers.tables import read_table
from toolkit.importers.values import ID_LENGTH, UniqueNames

__all__ = [
    "ID_LENGTH",
    "JUNIT",
    "ORIGIN",
    "Case",
    "Context",
    "ImportedFile",
    "ImportedRecord",
    "ImportedRun",
    "Importer",
    "UniqueNames",
    "context_of",
    "gather",
    "importer_named",
    "importers",
    "origin",
    "read_allure",
    "read_junit",
    "read_reportlog",
    "read_table",
]
