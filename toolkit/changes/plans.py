"""What every plan has: an expectation to meet, an id before the first statement, and one transaction."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from toolkit.errors import ExpectationFailed, InvalidOption, StalePlan
from toolkit.model import Receipt, already_done, counted
from toolkit.storage.archive import receipt_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from toolkit.masking import MaskingPolicy
    from toolkit.profiles import Profile
    from toolkit.storage.archive import ArchiveStorage
    from toolkit.storage.planned import Taken

HALF: Final = 0.5
"""A plan that takes more than this share of a workflow's rows asks for `expect=`."""

FAIL: Final = "fail"
SKIP: Final = "skip"
ON_CHANGE: Final = (FAIL, SKIP)

_NAMES_SHOWN: Final = 5


class Plan(Protocol):
    """What every plan has."""

    @property
    def id(self) -> str:
        """Of the change that it becomes."""

    @property
    def total(self) -> int:
        """How many rows it is about."""

    @property
    def warnings(self) -> Sequence[str]:
        """What should make you look twice."""


@dataclass(frozen=True, slots=True)
class PlanTools:
    """What a plan needs to be applied.

    Attributes
    ----------
    archive : ArchiveStorage
        Of the database.
    with_undo : callable
        Gives a receipt its way back.
    policy : MaskingPolicy
        Hides secrets in what a plan shows.
    workflow_id : str or None
        The workflow as the database knows it, where a plan shows its id masked; None means all.
    """

    archive: ArchiveStorage
    with_undo: Callable[[Receipt], Receipt]
    policy: MaskingPolicy
    workflow_id: str | None

    def shown(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names of rows as people may see them.

        Parameters
        ----------
        names : iterable of str
            Record ids and keys.

        Returns
        -------
        tuple of str
        """
        return tuple(map(self.policy.mask_text, names))

    @contextmanager
    def applying(
        self,
        plan: Plan,
        expect: int | None,
        *,
        archive: bool = False,
        create_archive: bool = False,
        on_change: str = FAIL,
    ) -> Iterator[sa.Connection]:
        """Open the one transaction in which a plan is applied, after everything that could speak against it.

        Parameters
        ----------
        plan : Plan
            To be applied.
        expect : int or None
            The number of its rows, as it was given.
        archive, create_archive : bool, default False
            Whether rows go to the archive, and whether it is made where it is missing.
        on_change : {"fail", "skip"}, default "fail"
            As it was given.

        Yields
        ------
        sqlalchemy.Connection

        Raises
        ------
        ExpectationFailed, InvalidOption, AlreadyDone, ArchiveMissing
        """
        check_expectation(expect, plan.total, plan.warnings)
        if on_change not in ON_CHANGE:
            raise InvalidOption(f"on_change={on_change!r} is none of {', '.join(ON_CHANGE)}")
        if archive and create_archive and not self.archive.is_there:
            self.archive.set_up()
            self.archive.database.look()
        with self.archive.database.write() as connection:
            self.archive.hold(connection, self.workflow_id or "")
            self._refuse_a_second_time(connection, plan.id)
            if archive and plan.total:
                self.archive.open(connection)
            yield connection

    def _refuse_a_second_time(self, connection: sa.Connection, change_id: str) -> None:
        change = self.archive.find(connection, change_id) if self.archive.is_there else None
        if change is not None:
            receipt = receipt_of(change)
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


def check_state(planned: int, taken: Mapping[str, Taken], on_change: str, policy: MaskingPolicy) -> None:
    """Refuse to go on when rows are not as they were planned.

    Parameters
    ----------
    planned : int
        Rows of the plan.
    taken : mapping of str to Taken
        What became of them, by what a row is called.
    on_change : {"fail", "skip"}
        Whether those that are as planned are enough.
    policy : MaskingPolicy
        Hides secrets in the names of rows.

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
    parts += [f"{counted(len(changed), 'row')} changed ({_some(changed, policy)})"] if changed else []
    parts += [f"{counted(len(gone), 'row')} went ({_some(gone, policy)})"] if gone else []
    raise StalePlan(
        f"the plan takes {planned:,} rows, {', '.join(parts)}; nothing was touched. Make the plan again, or pass "
        "on_change='skip' to leave those alone"
    )


def _some(names: Sequence[tuple[str, str]], policy: MaskingPolicy) -> str:
    shown = ", ".join(f"{what} {policy.mask_text(name)!r}" for what, name in names[:_NAMES_SHOWN])
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
