"""A pytest plug-in for people who test their workflows: fresh databases, copies of runs, and one assertion.

pytest loads it wherever the toolkit is installed, so that it loads nothing itself until a test asks for it. Its one
assertion writes its own message: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final, Protocol

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.service import UnifiedDataService, Workflow

_SURROUNDINGS: Final = ("TOOLKIT_DATABASE_URL", "TOOLKIT_READ_ONLY")
_CAUSES: Final = 10
_IDS: Final = 5


class MakeRun(Protocol):
    """What the fixture `make_run` gives."""

    def __call__(
        self, records: int = 60, failed: int = 8, seed: int = 1, *, workflow_id: str = "email-triage"
    ) -> Workflow:
        """Play a run into the test's database; see `toolkit.demo.make_run`."""


class OpenRun(Protocol):
    """What the fixture `toolkit_run` gives."""

    def __call__(self, path: str | os.PathLike[str], workflow: str | None = None) -> Workflow:
        """Open a private copy of a file; `workflow` says which, where it holds several."""


@pytest.fixture
def toolkit_db(tmp_path: Path) -> Iterator[UnifiedDataService]:
    """Make a fresh database for one test: a SQLite file that may be written, whatever the environment says."""
    with _open(tmp_path / "toolkit_db.sqlite", create=True) as service:
        yield service


@pytest.fixture
def make_run(toolkit_db: UnifiedDataService) -> MakeRun:
    """Play runs of the example workflow, of any size, into the test's database: `make_run(records=60, failed=8)`."""
    from toolkit import demo  # noqa: PLC0415 - see above

    def make(records: int = 60, failed: int = 8, seed: int = 1, *, workflow_id: str = demo.WORKFLOW) -> Workflow:
        return demo.make_run(toolkit_db, workflow_id, records=records, failed=failed, seed=seed)

    return make


@pytest.fixture
def toolkit_run(tmp_path: Path) -> Iterator[OpenRun]:
    """Open runs that were saved to files: each test has a copy of its own, which it may change."""
    with ExitStack() as opened:

        def open_run(path: str | os.PathLike[str], workflow: str | None = None) -> Workflow:
            copy = tmp_path / f"toolkit_run_{len(list(tmp_path.glob('toolkit_run_*.sqlite')))}.sqlite"
            _copy(path, copy)
            service = opened.enter_context(_open(copy))
            return service.workflow(_only_workflow(service, path) if workflow is None else workflow)

        yield open_run


def assert_run(workflow: Workflow, **statuses: int) -> None:
    """Assert how many records of a run have which status; a status that is not named must have none.

    Parameters
    ----------
    workflow : Workflow
        The run.
    **statuses : int
        Records by status: `assert_run(workflow, complete=58, failed=2)`. One that is no Python name is given as
        `**{"needs review": 1}`.

    Raises
    ------
    AssertionError
        With expected and found counts of each status, and the causes of the failures with some ids, secrets hidden.
    InvalidOption
        When no status is named, or a count is no number of records.

    Examples
    --------
    >>> import toolkit
    >>> service = toolkit.connect(":memory:", create=True)
    >>> number = service.create_records("nightly", [{"record_id": "a_1"}, {"record_id": "a_2", "status": "failed"}])
    >>> assert_run(service.workflow("nightly"), discovered=1, failed=1)
    >>> assert_run(service.workflow("nightly"), complete=2)
    Traceback (most recent call last):
        ...
    AssertionError: workflow nightly is not as expected:
      status      expected  found
      complete           2      0  <- differs
      discovered         0      1  <- differs
      failed             0      1  <- differs
    why records failed:
      1 x no message (a_2)
    """
    __tracebackhide__ = True
    _check(statuses)
    counted = workflow.count(by="status")
    # A record without a status is told as the statistics tell it.
    from toolkit.columns import NO_STATUS  # noqa: PLC0415 - see above

    found: dict[str, int] = {}
    for status, count in zip(counted["status"].fillna(NO_STATUS), counted["count"], strict=True):
        found[status] = found.get(status, 0) + int(count)
    if {name: count for name, count in statuses.items() if count} == found:
        return
    title = f"workflow {workflow.service.masking.mask_text(workflow.id)} is not as expected:"
    raise AssertionError("\n".join([title, *_table(statuses, found), *_unknown(statuses, found), *_why(workflow)]))


def _check(statuses: dict[str, int]) -> None:
    from toolkit.errors import InvalidOption  # noqa: PLC0415 - see above

    for name, count in statuses.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidOption(f"{name}={count!r} is no number of records, such as {name}=58")
    if not statuses:
        raise InvalidOption("say how many records have which status: assert_run(workflow, complete=58, failed=2)")


def _table(expected: dict[str, int], found: dict[str, int]) -> Iterator[str]:
    names = sorted({*expected, *found})
    width = max(10, *map(len, names))
    yield f"  {'status':<{width}}  expected  found"
    for name in names:
        pair = expected.get(name, 0), found.get(name, 0)
        mark = "" if pair[0] == pair[1] else "  <- differs"
        yield f"  {name:<{width}}  {pair[0]:>8,}  {pair[1]:>5,}{mark}"


def _unknown(expected: dict[str, int], found: dict[str, int]) -> Iterator[str]:
    """Name the statuses that nobody has and nobody knows: most likely they are mistyped."""
    import difflib  # noqa: PLC0415 - see above

    from toolkit.columns import STATUSES  # noqa: PLC0415 - see above

    known = {*STATUSES, *found}
    for name in (name for name in expected if name not in known):
        near = difflib.get_close_matches(name, sorted(known), n=1)
        yield f"no record has the status {name!r}{f'; did you mean {near[0]!r}?' if near else ''}"


def _why(workflow: Workflow) -> Iterator[str]:
    causes = workflow.failures()
    if not len(causes):
        return
    yield "why records failed:"
    first = causes.head(_CAUSES)
    for count, signature, ids in zip(first["count"], first["signature"], first["record_ids"], strict=True):
        more = f" and {len(ids) - _IDS:,} more" if len(ids) > _IDS else ""
        yield f"  {count:,} x {signature} ({', '.join(ids[:_IDS])}{more})"
    if len(causes) > _CAUSES:
        yield f"  and {len(causes) - _CAUSES:,} more causes"


def _open(path: Path, *, create: bool | None = None) -> UnifiedDataService:
    """Connect to a file of the test; the person's own surroundings are about other databases."""
    import toolkit  # noqa: PLC0415 - see above

    with pytest.MonkeyPatch.context() as patch:
        for name in _SURROUNDINGS:
            patch.delenv(name, raising=False)
        return toolkit.connect(path, read_only=False, create=create)


def _copy(path: str | os.PathLike[str], copy: Path) -> None:
    """Copy a database by SQLite's own means: to copy an open file by others can lose what was just written."""
    import sqlite3  # noqa: PLC0415 - see above
    from pathlib import Path  # noqa: PLC0415 - see above

    from toolkit.errors import DatabaseNotFound, SchemaMismatch  # noqa: PLC0415 - see above

    source = Path(path).resolve()
    if not source.is_file():
        raise DatabaseNotFound(f"there is no file {str(path)!r}; give the path of a run that was saved")
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as opened,
            closing(sqlite3.connect(copy)) as made,
        ):
            opened.backup(made)
    except sqlite3.DatabaseError as error:
        raise SchemaMismatch(f"{str(path)!r} cannot be copied: {error}") from None


def _only_workflow(service: UnifiedDataService, path: str | os.PathLike[str]) -> str:
    from toolkit.errors import WorkflowNotFound  # noqa: PLC0415 - see above

    ids = sorted(service.records.workflow_ids() | service.variables.workflow_ids())
    if len(ids) == 1:
        return ids[0]
    shown = ", ".join(repr(service.masking.mask_text(name)) for name in ids[:_IDS])
    raise WorkflowNotFound(
        f"{str(path)!r} holds {len(ids)} workflows{f' ({shown} …)' if ids else ''}; "
        "say which: toolkit_run(path, workflow=…)"
    )
