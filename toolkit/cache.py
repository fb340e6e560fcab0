"""A service that remembers the variables it read, for programs that ask for the same few again and again."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from cachetools import TTLCache

from toolkit import jsonvalue
from toolkit.errors import InvalidOption
from toolkit.masking import Secret
from toolkit.service.unified import UnifiedDataService
from toolkit.service.variables import ALL
from toolkit.storage.variables import check_key
from toolkit.targets import open_database

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import MaskingPolicy
    from toolkit.service.base import Reveal
    from toolkit.storage.base import WorkflowId
    from toolkit.storage.database import Database

_MISSING: Final = object()

# One lock for every cache, held for a moment only: so that a fork never copies it while another thread holds it.
_lock: Final = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class _Name(NamedTuple):
    """What a cached value answers."""

    workflow_id: str
    key: str


class _Answer(NamedTuple):
    """A value as JSON text, so that nobody who was handed it can change it; None for a variable that is not there."""

    text: str | None
    sealed: bool = False


class CachedDataService(UnifiedDataService):
    """A service whose `get_variable` remembers what it read, for a while.

    Every write through the service, its storages, its plans and its imports, and every undo, makes it forget
    everything. It does not notice what **others** write: for up to `ttl` seconds, `get_variable` may give a value that
    another process has replaced. That is why `connect` never makes one. All other calls read the database, and so does
    `get_variable` for the key `"all"` and inside a transaction.

    Parameters
    ----------
    database : Database
        Open.
    masking : MaskingPolicy, optional
        Which values are hidden; the toolkit's own rules when left out.
    ttl : float, default 60
        Seconds that a value is remembered.
    maxsize : int, default 1024
        Values that are remembered at most; the one that was not asked for the longest goes first.
    timer : callable, default time.monotonic
        The clock, in seconds.

    Raises
    ------
    InvalidOption
        When `ttl` or `maxsize` is not greater than 0.

    Examples
    --------
    >>> from toolkit.cache import CachedDataService
    >>> service = CachedDataService.connect(":memory:", create=True, ttl=10)
    >>> change = service.set_variable("nightly", "total", 3)
    >>> service.get_variable("nightly", "total"), service.get_variable("nightly", "total")
    (3, 3)
    """

    def __init__(
        self,
        database: Database,
        masking: MaskingPolicy | None = None,
        *,
        ttl: float = 60,
        maxsize: int = 1024,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if not ttl > 0 or not maxsize > 0:
            raise InvalidOption(f"a cache with ttl={ttl!r} and maxsize={maxsize!r} keeps nothing; connect() has none")
        super().__init__(database, masking)
        self._cache: TTLCache[_Name, _Answer] = TTLCache(maxsize, ttl, timer)
        self._as_of = database.writes
        self._invalidated = 0

    @classmethod
    def connect(
        cls,
        target: str | os.PathLike[str] | sa.Engine | None = None,
        *,
        read_only: bool | None = None,
        create: bool | None = None,
        masking: MaskingPolicy | None = None,
        ttl: float = 60,
        maxsize: int = 1024,
    ) -> Self:
        """Connect to a database of workflow data; see `toolkit.connect`.

        Parameters
        ----------
        target : str, path or sqlalchemy.Engine, optional
            Where to.
        read_only, create : bool, optional
            Refuse every write; make what is not there.
        masking : MaskingPolicy, optional
            Which values are hidden.
        ttl : float, default 60
            Seconds that a value is remembered.
        maxsize : int, default 1024
            Values that are remembered at most.

        Returns
        -------
        CachedDataService
            A context manager.

        Raises
        ------
        TargetError, DatabaseNotFound, ConnectionFailed, SchemaMismatch, InvalidOption

        Examples
        --------
        >>> from toolkit.cache import CachedDataService
        >>> service = CachedDataService.connect(":memory:", create=True)
        >>> service.get_variable("nightly", "total", default=0)
        0
        """
        return cls(open_database(target, read_only=read_only, create=create), masking, ttl=ttl, maxsize=maxsize)

    def get_variable(
        self, workflow_id: WorkflowId, key: str, default: Any = None, *, reveal: Reveal = False
    ) -> JSONValue | Secret:
        """Return the value of one variable, from memory where it was read within the last `ttl` seconds.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        key : str
            The variable; `"all"` gives a dict of every variable, and is not remembered.
        default : object, optional
            What to return when there is no such variable.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those of some keys. These are read from the database each time.

        Returns
        -------
        JSON value or Secret
            A new object each time: changing it changes nothing here.

        Examples
        --------
        >>> from toolkit.cache import CachedDataService
        >>> service = CachedDataService.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "todo", ["a"])
        >>> service.get_variable("nightly", "todo").append("b")
        >>> service.get_variable("nightly", "todo")
        ['a']
        """
        # A transaction sees its own writes, or one moment of the past: neither is for others to remember. Each look at
        # a secret is checked and written down.
        if key == ALL or reveal is not False or self.database.in_transaction:
            return super().get_variable(workflow_id, key, default, reveal=reveal)
        name = _Name(self.variables.workflow_id(workflow_id), check_key(key))
        as_of, answer = self._remembered(name)
        if answer is None:
            answer = _answer(super().get_variable(workflow_id, key, _MISSING))
            self._remember(name, as_of, answer)
        if answer.text is None:
            return default
        value = jsonvalue.decode(answer.text)
        return Secret(value) if answer.sealed else value

    def _remembered(self, name: _Name) -> tuple[tuple[int, int], _Answer | None]:
        with _lock:
            writes = self.database.writes
            if self._as_of != writes:
                self._cache.clear()
                self._as_of = writes
            return (writes, self._invalidated), self._cache.get(name)

    def _remember(self, name: _Name, as_of: tuple[int, int], answer: _Answer) -> None:
        """Keep what was read, unless something was written or forgotten since the reading began."""
        with _lock:
            if as_of == (self.database.writes, self._invalidated):
                self._cache[name] = answer

    def invalidate_cache(self, workflow_id: WorkflowId | None = None, key: str | None = None) -> None:
        """Forget what was read, so that the next call asks the database.

        Parameters
        ----------
        workflow_id : str, optional
            Of one workflow only.
        key : str, optional
            Of one variable only.

        Examples
        --------
        >>> from toolkit.cache import CachedDataService
        >>> service = CachedDataService.connect(":memory:", create=True)
        >>> service.invalidate_cache("nightly", "total")
        """
        wanted = None if workflow_id is None else self.variables.workflow_id(workflow_id)
        with _lock:
            self._invalidated += 1
            for name in list(self._cache):
                if wanted in (None, name.workflow_id) and key in (None, name.key):
                    self._cache.pop(name, None)


def _answer(value: Any) -> _Answer:
    if value is _MISSING:
        return _Answer(None)
    sealed = isinstance(value, Secret)
    return _Answer(jsonvalue.encode_exact(value.reveal() if sealed else value), sealed)
