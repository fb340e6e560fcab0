"""Which names are sensitive, and the replacing of their values (first, minimal form)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from toolkit.masking.secret import HIDDEN

_WORDS = re.compile(r"(?i)passw|passphrase|pwd|secret|token|credential|apikey|api[_-]key|authorization")


@dataclass(frozen=True, slots=True)
class MaskingPolicy:
    """Decides what is hidden (minimal first form).

    Parameters
    ----------
    extra, allow : tuple of str, default ()
        Names always hidden, and names never hidden for their name.
    """

    extra: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    def is_sensitive_name(self, name: str) -> bool:
        """Tell whether the words of a name are sensitive."""
        return name not in self.allow and (name in self.extra or bool(_WORDS.search(name)))

    def hides(self, name: str, value: object) -> bool:
        """Tell whether a value of that name is hidden."""
        return self.is_sensitive_name(name) and value not in (None, "") and not isinstance(value, bool)

    def mask(self, value: Any, name: str | None = None) -> Any:
        """Return the value with secrets replaced by `[hidden]`."""
        if name is not None and self.hides(name, value):
            return HIDDEN
        if isinstance(value, dict):
            return {key: self.mask(item, str(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.mask(item) for item in value]
        return value

    def explain(self, name: str, value: object) -> str:
        """Say in one sentence which rule decided."""
        return f"{name}: {'hidden for its name' if self.hides(name, value) else 'shown'}."
