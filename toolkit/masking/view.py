"""How somebody sees values: hidden by a policy, but for the columns that were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.masking.policy import MaskingPolicy


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


EVERYTHING = View()
"""Shows every value: for programs, and for those who say `reveal=True`."""
