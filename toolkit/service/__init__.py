"""The service: the two storages, the unified calls, DataFrames out. The one room with two doors."""

from toolkit.service.combined import WorkflowData
from toolkit.service.files import report_files
from toolkit.service.record_view import RecordView
from toolkit.service.unified import UnifiedDataService, connect
from toolkit.service.workflow import Workflow

__all__ = ["RecordView", "UnifiedDataService", "Workflow", "WorkflowData", "connect", "report_files"]
