"""How somebody sees values: hidden by a policy, but for the columns that were asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from toolkit.masking.policy import MaskingPolicy

_log: Final = logging.getLogger("toolkit.reveal")


@dataclass(frozen=True, slots=True)
class View:
    """What of a result is hidden.

    Attributes
    ----------
    policy : MaskingPolicy or None
        Hides values; None shows everything.
    revealed : tuple of str
        Columns, paths or keys whose values are shown as they are, with all that lies below them.
    """

    policy: MaskingPolicy | None = None
    revealed: tuple[str, ...] = ()

    def shows(self, name: str) -> bool:
        """Tell whether a column was asked for.

        Parameters
        ----------
        name : str
            A column, a path or a key.

        Returns
        -------
        bool

        Examples
        --------
        >>> view = View(revealed=("vars.db",))
        >>> view.shows("vars.db.password"), view.shows("vars.dbname")
        (True, False)
        """
        return any(name == one or name.startswith(f"{one}.") for one in self.revealed)

    def note(self, actor: str, rows: int | None) -> None:
        """Write down that secrets were shown, if they were: to whom, which columns, of how many rows; no value.

        Parameters
        ----------
        actor : str
            Who was shown them.
        rows : int or None
            How many rows; None where nobody knows yet, because they are read part by part.
        """
        if self.policy is None or self.revealed:
            shown = ", ".join(self.revealed) or "all columns"
            number = "rows, part by part" if rows is None else f"{rows} rows"
            _log.info("%s was shown secrets in %s of %s", actor, shown, number)


EVERYTHING = View()
"""Shows every value: for programs, and for those who say `reveal=True`."""
