"""The service itself, and the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from toolkit import notebook
from toolkit.errors import ToolkitError
from toolkit.model import counted
from toolkit.service.overview import find_workflow
from toolkit.service.reporting import ReportCalls
from toolkit.service.viewing import ViewCalls
from toolkit.service.workflow import Workflow
from toolkit.targets import open_database

if TYPE_CHECKING:
    import os
    from types import TracebackType

    import sqlalchemy as sa

    from toolkit.masking import MaskingPolicy
    from toolkit.storage.base import WorkflowId


class UnifiedDataService(ReportCalls, ViewCalls):
    """Variables and records of workflows, as DataFrames, over one database.

    Made by `toolkit.connect`. It combines, decides and guards; the two tables themselves are reachable as
    `service.variables` and `service.records`.

    Parameters
    ----------
    database : Database
        Open.
    masking : MaskingPolicy, optional
        Which values are hidden; the toolkit's own rules when left out.

    Examples
    --------
    >>> import toolkit
    >>> with toolkit.connect(":memory:", create=True) as service:
    ...     number = service.create_records("nightly", [{"record_id": "email_001", "fields.subject": "Hello"}])
    ...     print(service.get_stats("nightly"))
    workflow nightly: 1 record and 0 variables (discovered 1)
    """

    def workflow(self, id_or_name: WorkflowId) -> Workflow:
        """Bind every call to one workflow.

        Parameters
        ----------
        id_or_name : str or uuid.UUID
            Its id, or its name where the database has names.

        Returns
        -------
        Workflow

        Raises
        ------
        WorkflowNotFound
            When there is none, or several share the name; near names are given.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> service.workflow("nightly").get("total")
        3
        """
        wanted = str(id_or_name)
        if self.records.has_any(wanted) or self.variables.has_any(wanted):
            return Workflow(self, self.records.workflow_id(wanted))
        return Workflow(self, find_workflow(self._overview(), wanted))

    def close(self) -> None:
        """Close every connection; closing twice is fine.

        Examples
        --------
        >>> import toolkit
        >>> toolkit.connect(":memory:", create=True).close()
        """
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.database.describe()}{self._number_of_workflows()})"

    def _number_of_workflows(self) -> str:
        try:
            number = len(self.variables.workflow_ids() | self.records.workflow_ids())
        except ToolkitError:
            # A repr is asked for while something is wrong, too.
            return ""
        return f", {counted(number, 'workflow')}"


def connect(
    target: str | os.PathLike[str] | sa.Engine | None = None,
    *,
    read_only: bool | None = None,
    create: bool | None = None,
    masking: MaskingPolicy | None = None,
) -> UnifiedDataService:
    """Connect to a database of workflow data.

    Parameters
    ----------
    target : str, path or sqlalchemy.Engine, optional
        A URL (`postgresql://…`, `sqlite:///…`), a path ending in `.db` or `.sqlite`, `":memory:"`, or an engine. When
        left out, the environment variable `TOOLKIT_DATABASE_URL`; else the SQLite file `toolkit.db` in the working
        directory, which is made when it is not there.
    read_only : bool, optional
        Refuse every write; `TOOLKIT_READ_ONLY=1` does the same and is not lifted by `False` here.
    create : bool, optional
        Make the file, the two tables and the archive where neither table is.
    masking : MaskingPolicy, optional
        Which values are hidden; the toolkit's own rules when left out.

    Returns
    -------
    UnifiedDataService
        A context manager.

    Raises
    ------
    TargetError
        When `target` is not understood.
    DatabaseNotFound
        When there is no file, and `create` is not True.
    ConnectionFailed
        When no server answers, or it refuses the login.
    SchemaMismatch
        When a table or column is missing, or the file is no database.

    Examples
    --------
    >>> import toolkit
    >>> toolkit.connect(":memory:", create=True)  # doctest: +ELLIPSIS
    UnifiedDataService(SQLite 3... in memory, 0 workflows)
    """
    notebook.install()
    return UnifiedDataService(open_database(target, read_only=read_only, create=create), masking)
