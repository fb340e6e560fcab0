"""The notebook companion for workflow data: variables and records as DataFrames.

>>> import toolkit
>>> service = toolkit.connect(":memory:", create=True)
>>> service.set_variable("nightly", "total", 3).value
3
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from toolkit._version import __version__ as __version__
from toolkit.errors import (
    AlreadyDone,
    ArchiveMissing,
    ChangeNotFound,
    ConnectionFailed,
    ConstraintViolated,
    CorruptValue,
    DatabaseError,
    DatabaseNotFound,
    DatabaseTimeout,
    DataWarning,
    ExpectationFailed,
    HiddenValue,
    ImportFailed,
    InvalidOption,
    InvalidPath,
    InvalidPattern,
    InvalidValue,
    MissingExtra,
    NothingSelected,
    PermissionMissing,
    ReadOnly,
    RecordExists,
    RecordNotFound,
    RevealForbidden,
    RunExists,
    SchemaMismatch,
    ServiceClosed,
    StalePlan,
    TargetError,
    ToolkitError,
    VariableNotFound,
    WorkflowNotFound,
)

if TYPE_CHECKING:
    from toolkit.analysis import RunDiff
    from toolkit.cache import CachedDataService
    from toolkit.changes import ClearPlan, PurgePlan, UpdatePlan
    from toolkit.iterate import IterationResult, current_record
    from toolkit.legacy import VariableManagementService
    from toolkit.masking import MaskingPolicy, Secret
    from toolkit.model import NULL, DataStats, Receipt
    from toolkit.report import RunReport
    from toolkit.service import RecordView, UnifiedDataService, Workflow, WorkflowData, connect, report_files

# What a first call needs is loaded by it: `import toolkit` itself stays light.
_HOMES = {
    "connect": "toolkit.service",
    "UnifiedDataService": "toolkit.service",
    "RecordView": "toolkit.service",
    "Workflow": "toolkit.service",
    "WorkflowData": "toolkit.service",
    "report_files": "toolkit.service",
    "ClearPlan": "toolkit.changes",
    "PurgePlan": "toolkit.changes",
    "UpdatePlan": "toolkit.changes",
    "NULL": "toolkit.model",
    "DataStats": "toolkit.model",
    "Receipt": "toolkit.model",
    "MaskingPolicy": "toolkit.masking",
    "Secret": "toolkit.masking",
    "RunDiff": "toolkit.analysis",
    "RunReport": "toolkit.report",
    "CachedDataService": "toolkit.cache",
    "IterationResult": "toolkit.iterate",
    "VariableManagementService": "toolkit.legacy",
    "current_record": "toolkit.iterate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


__all__ = [
    "NULL",
    "AlreadyDone",
    "ArchiveMissing",
    "CachedDataService",
    "ChangeNotFound",
    "ClearPlan",
    "ConnectionFailed",
    "ConstraintViolated",
    "CorruptValue",
    "DataStats",
    "DataWarning",
    "DatabaseError",
    "DatabaseNotFound",
    "DatabaseTimeout",
    "ExpectationFailed",
    "HiddenValue",
    "ImportFailed",
    "InvalidOption",
    "InvalidPath",
    "InvalidPattern",
    "InvalidValue",
    "IterationResult",
    "MaskingPolicy",
    "MissingExtra",
    "NothingSelected",
    "PermissionMissing",
    "PurgePlan",
    "ReadOnly",
    "Receipt",
    "RecordExists",
    "RecordNotFound",
    "RecordView",
    "RevealForbidden",
    "RunDiff",
    "RunExists",
    "RunReport",
    "SchemaMismatch",
    "Secret",
    "ServiceClosed",
    "StalePlan",
    "TargetError",
    "ToolkitError",
    "UnifiedDataService",
    "UpdatePlan",
    "VariableManagementService",
    "VariableNotFound",
    "Workflow",
    "WorkflowData",
    "WorkflowNotFound",
    "connect",
    "current_record",
    "report_files",
]
