"""The service: the two storages, the unified calls, DataFrames out. The one room with two doors."""

from toolkit.service.combined import WorkflowData
from toolkit.service.files import report_files
from toolkit.service.unified import UnifiedDataService, connect
from toolkit.service.workflow import Workflow

__all__ = ["UnifiedDataService", "Workflow", "WorkflowData", "connect", "report_files"]
