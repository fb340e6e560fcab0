"""Record-based iteration: one record after another goes through a function of the user's."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from toolkit.errors import ConstraintViolated, InvalidOption, InvalidPath, InvalidValue, RecordNotFound, ToolkitError
from toolkit.storage.merge import check_patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.storage.claims import Claim, Claims, Waiting

Body: TypeAlias = Callable[[dict[str, Any]], Any]
"""Gets a record as a dict with its real values; a dict that it returns is a patch, as `update_record` takes one."""

STOP: Final = "stop"
MARK_FAILED_STOP: Final = "mark_failed_stop"
MARK_FAILED_CONTINUE: Final = "mark_failed_continue"
RETRY: Final = "retry"
ON_ERROR: Final = (STOP, MARK_FAILED_STOP, MARK_FAILED_CONTINUE, RETRY)
"""What `on_error` may be; `UnifiedDataService.iterate_records` says what each does."""

LARGE: Final = 1_000
"""From this many records on, a progress bar is shown without being asked for."""

# What a body returned is at fault, not the database.
_PATCH_ERRORS: Final = (InvalidValue, InvalidPath, RecordNotFound, ConstraintViolated)

_current: ContextVar[dict[str, Any] | None] = ContextVar("toolkit_current_record", default=None)


def current_record() -> dict[str, Any] | None:
    """Return the record whose body is running: of nested iterations, the innermost.

    Returns
    -------
    dict or None
        The very dict that the body was given; None outside of an iteration. Each thread and each task of asyncio has
        its own.

    Examples
    --------
    >>> from toolkit.iterate import current_record
    >>> current_record() is None
    True
    """
    return _current.get()


@dataclass(frozen=True, slots=True)
class IterationResult:
    """What an iteration did. It shows counts only: results and errors may hold secrets.

    Attributes
    ----------
    processed : int
        Records whose body came to its end.
    failed : int
        Records whose body raised, or returned a patch that cannot be written.
    total : int
        Records that waited when the iteration began; the rest was taken by others, changed, or left by a stop.
    results : dict of str to object
        What the bodies returned, by record id in the order of processing; None is left out.
    errors : dict of str to str
        The message of each failure, by record id.
    """

    processed: int
    failed: int
    total: int
    results: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"IterationResult(processed={self.processed}, failed={self.failed}, total={self.total})"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an iteration does with an error, checked when they are made.

    Attributes
    ----------
    on_error : {"stop", "mark_failed_stop", "mark_failed_continue", "retry"}
        When a record's last attempt raised.
    max_retries : int
        Attempts after the first.
    literal : bool
        Write text that holds `[hidden]` as it is.
    """

    on_error: str = MARK_FAILED_CONTINUE
    max_retries: int = 0
    literal: bool = False

    def __post_init__(self) -> None:
        retries = self.max_retries
        if self.on_error not in ON_ERROR:
            raise InvalidOption(f"on_error={self.on_error!r} is none of {', '.join(ON_ERROR)}")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise InvalidOption(f"max_retries={retries!r} is no number of further attempts, such as 3")
        if self.on_error == RETRY and not retries:
            raise InvalidOption("on_error='retry' needs to know how often: give max_retries=, such as max_retries=3")


def check_body(body: object) -> Body:
    """Refuse what cannot be run to its end by calling it, before any record is claimed.

    Parameters
    ----------
    body : object
        What was given as `body=`.

    Returns
    -------
    callable

    Raises
    ------
    InvalidOption
        For something that cannot be called, for an `async` function, and for a generator.

    Examples
    --------
    >>> check_body(print) is print
    True
    """
    if not callable(body):
        given = "nothing" if body is None else type(body).__name__
        raise InvalidOption(f"body= takes a function of one record, such as body=lambda record: …, not {given}")
    called = body.func if isinstance(body, functools.partial) else body
    for function in (called, getattr(called, "__call__", None)):  # noqa: B004 - the method itself, for its kind
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise _is_async()
        if inspect.isgeneratorfunction(function):
            raise InvalidOption("body= is a generator (it holds a yield), which calling does not run; use return")
    return body


def _is_async() -> InvalidOption:
    return InvalidOption(
        "an async body is not run: a record would be complete before its work is done. Give a plain function that "
        "waits for it, such as body=lambda record: asyncio.run(work(record))"
    )


class Iteration:
    """One run of a body over records.

    Parameters
    ----------
    claims : Claims
        Where the records come from.
    body : callable
        Checked by `check_body`.
    rules : Rules
        What to do with an error.
    """

    def __init__(self, claims: Claims, body: Body, rules: Rules) -> None:
        self._claims = claims
        self._body = body
        self._rules = rules
        self._processed = 0
        self._results: dict[str, Any] = {}
        self._errors: dict[str, str] = {}

    def run(self, waiting: Sequence[Waiting], *, progress: bool | None = None) -> IterationResult:
        """Claim and process the records, one after another.

        Parameters
        ----------
        waiting : sequence of Waiting
            In order.
        progress : bool, optional
            Show a progress bar; when left out, for many records at a terminal or in a notebook.

        Returns
        -------
        IterationResult

        Raises
        ------
        InvalidOption
            When the body returned something to be awaited.
        BaseException
            What interrupted the body, and with `on_error="stop"` what it raised.
        """
        try:
            with _bar(len(waiting), progress) as advance:
                for claim in self._claims.each(waiting):
                    goes_on = self._process(claim)
                    advance()
                    if not goes_on:
                        break
        except BaseException:
            # When the database is gone too, what interrupted goes on all the same; requeue_stuck finds the record.
            with contextlib.suppress(ToolkitError):
                self._claims.release()
            raise
        return IterationResult(self._processed, len(self._errors), len(waiting), self._results, self._errors)

    def _process(self, claim: Claim) -> bool:
        """Process one record, and tell whether to go on."""
        error = self._attempt(claim)
        for _ in range(self._rules.max_retries):
            again = None if error is None else self._claims.again(_message(error))
            if again is None:
                break
            error = self._attempt(again)
        if error is None:
            self._processed += 1
            return True
        if self._rules.on_error == STOP:
            raise error
        self._errors[claim.record_id] = _message(error)
        self._claims.fail(self._errors[claim.record_id])
        return self._rules.on_error != MARK_FAILED_STOP

    def _attempt(self, claim: Claim) -> Exception | None:
        """Run the body once, and complete the record when it came to its end."""
        try:
            returned = self._call(claim.record())
        except Exception as error:  # noqa: BLE001 - the body is the user's program, and may raise anything
            return error
        if inspect.isawaitable(returned):
            if inspect.iscoroutine(returned):
                returned.close()
            raise _is_async()
        try:
            self._complete(claim.record_id, returned)
        except _PATCH_ERRORS as error:
            return error
        return None

    def _call(self, record: dict[str, Any]) -> Any:
        token = _current.set(record)
        try:
            return self._body(record)
        finally:
            _current.reset(token)

    def _complete(self, record_id: str, returned: Any) -> None:
        patch = check_patch(returned if isinstance(returned, Mapping) else {})
        if not self._rules.literal:
            patch.refuse_masks(f"what the body returned for record {record_id!r}")
        self._claims.finish(patch)
        if returned is not None:
            self._results[record_id] = returned


def _message(error: Exception) -> str:
    """Return the text of an exception as every database can hold it."""
    text = str(error) or type(error).__name__
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


@contextlib.contextmanager
def _bar(total: int, progress: bool | None) -> Iterator[Callable[[], object]]:  # noqa: FBT001 - the caller's own argument
    """Show a progress bar where it is wanted, and yield what moves it on by one."""
    if progress is False or (progress is None and total < LARGE):
        yield lambda: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - not needed until a bar is shown

    # None leaves it out where nobody watches: neither a terminal nor a notebook.
    with tqdm(total=total, unit="record", disable=None if progress is None else False) as bar:
        yield bar.update
