"""Calls of a workflow that also read one row by its name: `wf.records["email_001"]`, with the names completed."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from toolkit.errors import ToolkitError
from toolkit.lazy import pa
from toolkit.service.telling import no_such_row
from toolkit.service.variables import ALL
from toolkit.storage.base import literally

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.service.runs import RunCalls
    from toolkit.service.workflow import Workflow
    from toolkit.storage.base import BaseStorage

P = ParamSpec("P")
R = TypeVar("R")

COMPLETED: Final = 10_000
"""Names that are offered at most, the first ones by code point: nobody reads more, and IPython looks at each."""
REMEMBERED: Final = 5.0
"""Seconds for which names stay those of one listing, so that typing on asks the database nothing."""

_MISSING: Final = object()


class Rows:
    """How the rows of one kind are read by their names.

    Parameters
    ----------
    service : RunCalls
        The service.
    workflow_id : str
        The workflow.
    """

    def __init__(self, service: RunCalls, workflow_id: str) -> None:
        self.service = service
        self.workflow_id = workflow_id

    @property
    def storage(self) -> BaseStorage:
        """What keeps the rows."""
        raise NotImplementedError

    def read(self, name: str) -> Any:
        """Read one row, masked."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """Return the names of the first rows, without those in which something is hidden."""
        with self.service.database.read():
            names = self.storage.names(self.workflow_id, limit=COMPLETED)
            table = pa.table({"name": pa.array(names, pa.string())})
            shown = self.service._hidden_in(table, ["name"], literally(self.workflow_id))  # noqa: SLF001 - of this package
        return [name for name, text in zip(names, shown.column("name").to_pylist(), strict=True) if name == text]


class RecordRows(Rows):
    """Records by their ids."""

    @property
    def storage(self) -> BaseStorage:
        """What keeps the rows."""
        return self.service.records

    def read(self, name: str) -> Any:
        """Read one record, as `get_record` does."""
        found = self.service.get_record(self.workflow_id, name)
        if found is None:
            no_such_row(self.service, self.storage, self.workflow_id, name)
        return found


class VariableRows(Rows):
    """Variables by their keys."""

    @property
    def storage(self) -> BaseStorage:
        """What keeps the rows."""
        return self.service.variables

    def read(self, name: str) -> Any:
        """Read one value, as `get_variable` does; any key means the variable of that name."""
        if name == ALL:
            frame = self.service.get_all_variables(literally(self.workflow_id), keys=[name])
            found = frame["value"].iloc[0] if len(frame) else _MISSING
        else:
            found = self.service.get_variable(self.workflow_id, name, _MISSING)
        if found is _MISSING:
            no_such_row(self.service, self.storage, self.workflow_id, name)
        return found


class KeyedCall(Generic[P, R]):
    """A call of one workflow that takes a name in brackets, too.

    Parameters
    ----------
    call : callable
        What it does in parentheses.
    rows : Rows
        What it reads in brackets.
    """

    def __init__(self, call: Callable[P, R], rows: Rows) -> None:
        self._call = call
        self._rows = rows
        self._listed: tuple[float, list[str]] | None = None
        self.__doc__ = call.__doc__
        self.__name__ = call.__name__
        self.__signature__ = inspect.signature(call)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what the call does."""
        return self._call(*args, **kwargs)

    def __getitem__(self, name: str) -> Any:
        return self._rows.read(name)

    # Without these two, Python would try the brackets with 0, 1, 2 and so on.
    __iter__ = None
    __contains__ = None

    def _ipython_key_completions_(self) -> list[str]:
        now = time.monotonic()
        if self._listed is None or now - self._listed[0] > REMEMBERED:
            try:
                self._listed = now, self._rows.names()
            except ToolkitError:
                # Somebody is typing: the next call says what is wrong.
                return []
        return self._listed[1]

    def __repr__(self) -> str:
        shown = self._rows.service.masking.mask_text(self._rows.workflow_id)
        return f'<{self.__name__}(…) and {self.__name__}["{self._rows.storage.name}"] of workflow {shown}>'


class keyed(Generic[P, R]):  # noqa: N801 - reads like the function `bound` that it stands around
    """Have a bound call of `Workflow` read one row in brackets.

    Parameters
    ----------
    call : callable
        As `bound` makes it.
    rows : type
        Of the rows.
    """

    def __init__(self, call: Callable[Concatenate[Workflow, P], R], rows: type[Rows]) -> None:
        self._call = call
        self._rows = rows

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, workflow: None, owner: type) -> Callable[Concatenate[Workflow, P], R]: ...

    @overload
    def __get__(self, workflow: Workflow, owner: type) -> KeyedCall[P, R]: ...

    def __get__(self, workflow: Workflow | None, owner: type) -> Any:
        if workflow is None:
            return self._call
        call = self._call.__get__(workflow, owner)
        made = KeyedCall[P, R](call, self._rows(workflow.service, workflow.id))
        made.__name__ = self._name
        # From now on the workflow itself has it: names that were listed are remembered there.
        workflow.__dict__[self._name] = made
        return made
