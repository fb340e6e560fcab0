"""What every plan has: an expectation to meet, an id before the first statement, and one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.errors import ExpectationFailed, InvalidOption, StalePlan
from toolkit.model import Receipt, already_done, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy as sa

    from toolkit.profiles import Profile
    from toolkit.storage.archive import ArchiveStorage
    from toolkit.storage.planned import Taken

HALF: Final = 0.5
"""A plan that takes more than this share of a workflow's rows asks for `expect=`."""

FAIL: Final = "fail"
SKIP: Final = "skip"
ON_CHANGE: Final = (FAIL, SKIP)

_NAMES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class PlanTools:
    """What a plan needs to be applied.

    Attributes
    ----------
    archive : ArchiveStorage
        Of the database.
    with_undo : callable
        Gives a receipt its way back.
    """

    archive: ArchiveStorage
    with_undo: Callable[[Receipt], Receipt]

    def ready(self, *, archive: bool, create_archive: bool, on_change: str) -> None:
        """Check the options of `apply`, and make the archive where that was asked for.

        Parameters
        ----------
        archive, create_archive : bool
            As they were given.
        on_change : {"fail", "skip"}
            Likewise.

        Raises
        ------
        InvalidOption
        """
        if on_change not in ON_CHANGE:
            raise InvalidOption(f"on_change={on_change!r} is none of {', '.join(ON_CHANGE)}")
        if archive and create_archive and self.archive.database.tables.archive is None:
            self.archive.set_up()
            self.archive.database.look()

    def begin(self, connection: sa.Connection, change_id: str, workflow_id: str) -> None:
        """Take turns with other plans, and refuse one that was applied before.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In the transaction of the change.
        change_id : str
            Of the plan.
        workflow_id : str
            The workflow.

        Raises
        ------
        AlreadyDone
            With the receipt.
        """
        self.archive.hold(connection, workflow_id)
        if self.archive.database.tables.archive is None:
            return
        change = self.archive.find(connection, change_id)
        if change is not None:
            receipt = Receipt(
                change.id, change.workflow_id, change.kind, variables=change.variables, records=change.records
            )
            undone = " and undone" if change.undone_at is not None else ""
            raise already_done(
                f"this plan was applied before{undone}: {receipt}; nothing was changed now", self.with_undo(receipt)
            )


def check_expectation(expect: int | None, total: int, warnings: Sequence[str]) -> None:
    """Hold a plan to the number of rows that its user expects.

    Parameters
    ----------
    expect : int or None
        As it was given.
    total : int
        Rows that the plan takes.
    warnings : sequence of str
        With one, a number is wanted.

    Raises
    ------
    ExpectationFailed

    Examples
    --------
    >>> check_expectation(None, 3, ["takes everything"])
    Traceback (most recent call last):
    toolkit.errors.ExpectationFailed: this plan takes everything; nothing was touched. To go on, add expect=3
    """
    if expect is None and warnings:
        raise ExpectationFailed(
            f"this plan {' and '.join(warnings)}; nothing was touched. To go on, add expect={total}"
        )
    if expect is not None and expect != total:
        raise ExpectationFailed(f"expect={expect}, and the plan takes {total:,} rows; nothing was touched")


def check_state(planned: int, taken: Mapping[str, Taken], on_change: str) -> None:
    """Refuse to go on when rows are not as they were planned.

    Parameters
    ----------
    planned : int
        Rows of the plan.
    taken : mapping of str to Taken
        What became of them, by what a row is called.
    on_change : {"fail", "skip"}
        Whether those that are as planned are enough.

    Raises
    ------
    StalePlan
        Naming some of them.
    AlreadyDone
        When none of them is there any more.
    """
    changed = [(what, name) for what, each in taken.items() for name in each.changed]
    gone = [(what, name) for what, each in taken.items() for name in each.gone]
    if on_change == SKIP or not (changed or gone):
        return
    if planned and len(gone) == planned:
        empty = Receipt("", "", "clear")
        raise already_done(
            f"the plan takes {planned:,} rows, 0 of them are still there; nothing was touched. Make the plan again",
            empty,
        )
    there = planned - len(gone)
    parts = [f"{there:,} of them are still there"] if gone else []
    parts += [f"{counted(len(changed), 'row')} changed ({_some(changed)})"] if changed else []
    parts += [f"{counted(len(gone), 'row')} went ({_some(gone)})"] if gone else []
    raise StalePlan(
        f"the plan takes {planned:,} rows, {', '.join(parts)}; nothing was touched. Make the plan again, or pass "
        "on_change='skip' to leave those alone"
    )


def _some(names: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(f"{what} {name!r}" for what, name in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown}, …"


def warnings_about(taken: int, total: int, processing: int, profile: Profile | None) -> tuple[str, ...]:
    """Say what should make somebody look twice at a plan.

    Parameters
    ----------
    taken, total : int
        Rows that it takes, and that the workflow has.
    processing : int
        Records in processing among them.
    profile : Profile or None
        By which the database was opened.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> warnings_about(3, 4, 0, None)
    ('takes more than half of the workflow',)
    """
    found = [f"is for the profile {profile.name!r}, which is production"] if profile and profile.production else []
    if taken and taken == total:
        found.append("takes everything in the workflow")
    elif taken > total * HALF:
        found.append("takes more than half of the workflow")
    if processing:
        found.append(f"takes {counted(processing, 'record')} in processing")
    return tuple(found)
