"""The calls that take a run home, and put it into another database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import InvalidOption
from toolkit.service.base import ServiceBase
from toolkit.service.bringing import Bringing, LoadedSnapshot, open_snapshot
from toolkit.service.taking import Snapshot, Taking, checked_path, checked_values
from toolkit.service.telling import hushed
from toolkit.storage.base import literally

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from toolkit.jsonvalue import JSONValue
    from toolkit.storage.base import WorkflowId


class SnapshotCalls(ServiceBase):
    """One run in a file: out of this database, and into it."""

    def snapshot(
        self,
        workflow_id: WorkflowId,
        path: str | os.PathLike[str],
        *,
        reveal: bool = False,
        values: Mapping[str, JSONValue] | None = None,
    ) -> Snapshot:
        """Take one run home: all of it, into an SQLite file that `connect` opens.

        The rows of both tables, of `workflows` and of `nodes` are read in one snapshot. The file is for you alone
        (0600) from its first moment on, and stands at its place only when it is whole.

        Parameters
        ----------
        workflow_id : str
            The run.
        path : str or path
            Of the new file, which ends in `.db` or `.sqlite`; a file that is there is never replaced.
        reveal : bool, default False
            Take secrets along. Else a mask stands in the place of each, and the file lists these places.
        values : mapping of str to JSON value, optional
            What to put into hidden places, by their names: the key of a variable, the last name of a path
            (`"smtp_password"`), or a whole path (`"vars.smtp.password"`), which goes first.

        Returns
        -------
        Snapshot
            `path, workflow`, counts, and `hidden`: one row per hidden place.

        Raises
        ------
        WorkflowNotFound
            When there is no such workflow.
        TargetError
            When a file is there already, or the name ends otherwise.
        DatabaseNotFound
            When there is no such folder.
        InvalidOption
            When `values` names no hidden place.
        RevealForbidden
            When the profile never shows secrets.

        Examples
        --------
        >>> import pathlib, tempfile, toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"total": 3, "api_token": "FAKE-0001"})
        >>> taken = service.snapshot("nightly", pathlib.Path(tempfile.mkdtemp()) / "run.db")
        >>> taken.variables, taken.hidden["path"].to_list()
        (2, ['value'])
        >>> toolkit.connect(taken.path).get_variable("nightly", "total")
        3
        """
        if not isinstance(reveal, bool):
            raise InvalidOption(f"reveal= of a snapshot is True or False, not {reveal!r}; values= fills some places")
        one = self._one(workflow_id, "snapshot")
        view = self._view(reveal)
        with hushed(self, literally(one)):
            given = checked_values(values, reveal=reveal)
            with self.database.read() as connection:
                taken = Taking(self, connection, one).take(checked_path(path), reveal=reveal, values=given)
        self._note(view, taken.records + taken.variables)
        return taken

    def load_snapshot(self, path: str | os.PathLike[str], as_workflow: str | None = None) -> LoadedSnapshot:
        """Put a snapshot into this database: equal value for value, all of it or nothing.

        What is hidden in the file is left out: a variable, or a record, whose key, id or only value is hidden, is not
        written; a hidden member of a document is left out of it, a hidden element of an array becomes null, and a
        hidden column is null.

        Parameters
        ----------
        path : str or path
            Of the file.
        as_workflow : str, optional
            What the workflow is called here; as in the file when left out. Where ids are uuids, the id or the name of
            a workflow; one that is not there is made.

        Returns
        -------
        LoadedSnapshot
            Counts, and `left_alone`: one row per place that was left out.

        Raises
        ------
        RunExists
            When the workflow has rows here already; nothing is written then.
        SchemaMismatch
            When the file is no snapshot, is damaged, or was made by a newer toolkit.
        DatabaseNotFound
            When there is no such file.

        Examples
        --------
        >>> import pathlib, tempfile, toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"total": 3, "api_token": "FAKE-0001"})
        >>> taken = service.snapshot("nightly", pathlib.Path(tempfile.mkdtemp()) / "run.db")
        >>> loaded = service.load_snapshot(taken.path, as_workflow="trial")
        >>> loaded
        LoadedSnapshot(workflow trial: 0 records, 1 variable, 1 hidden place left alone)
        >>> loaded.left_alone
                     table         id   path
        0  workflow_memory  api_token  value
        """
        found = Path(path).expanduser()
        self.database.check_writable()
        file = open_snapshot(found)
        try:
            with hushed(self), file.read() as reading, self.database.write() as connection:
                return Bringing(self, connection, file, reading).bring(found, as_workflow)
        finally:
            file.close()
