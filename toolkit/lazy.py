"""Arrow and numpy, loaded by the first call that needs them: to connect and to read one value does without.

A module says `from toolkit.lazy import pa, pc` where it would say `import pyarrow as pa`, and uses nothing of them
while it is imported itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
else:

    class _Later:
        """Stands for a module until something of it is asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            found = getattr(importlib.import_module(self._name), attribute)
            # From now on it is found without coming here.
            setattr(self, attribute, found)
            return found

        def __repr__(self) -> str:
            return f"<{self._name}, loaded when something of it is used>"

    np = _Later("numpy")
    pa = _Later("pyarrow")
    pc = _Later("pyarrow.compute")

__all__ = ["np", "pa", "pc"]
