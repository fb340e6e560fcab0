"""Watching a call work: the statements it sends, as text and as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit import frames
from toolkit.service.base import ServiceBase
from toolkit.storage.trace import Trace, traced

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd


class ServiceTrace(Trace):
    """The statements that calls of a service sent, in one thread.

    Attributes
    ----------
    statements : list of Statement
        So far, with `text`, `seconds`, `rows` and `failed`; no values.
    """

    def frame(self) -> pd.DataFrame:
        """Return the statements as a frame.

        Returns
        -------
        pandas.DataFrame
            One row per statement, in the order in which they were sent: `statement` (`str`), `seconds` (`Float64`),
            `rows` (`Int64`, missing where the database does not say), `failed` (`boolean`).
        """
        import pandas as pd  # noqa: PLC0415 - not needed until a call needs it

        return pd.DataFrame(
            {
                "statement": pd.array([each.text for each in self], dtype=frames.TEXT),
                "seconds": pd.array([each.seconds for each in self], dtype=frames.NUMBER),
                "rows": pd.array([each.rows for each in self], dtype=frames.INTEGER),
                "failed": pd.array([each.failed for each in self], dtype=frames.BOOLEAN),
            }
        )


class TraceCalls(ServiceBase):
    """Watch the calls."""

    def trace(self) -> AbstractContextManager[ServiceTrace]:
        """Collect the statements that the calls in a `with` block send, with the time and the rows of each.

        Only statements of the calling thread are collected, from transactions that begin in the block, as their text
        with placeholders: no value of a row or of an argument is kept.

        Returns
        -------
        context manager of ServiceTrace
            It has a length, can be gone through, and `.frame()` gives a DataFrame.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> with service.trace() as trace:
        ...     total = service.get_variable("nightly", "total")
        >>> len(trace)
        2
        >>> trace.frame().loc[1, "rows"]
        np.int64(0)
        """
        return traced(self.database, ServiceTrace())
