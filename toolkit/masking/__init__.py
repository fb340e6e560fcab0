"""Nothing shows a secret unless somebody asks for it."""

from __future__ import annotations

from toolkit.masking.policy import MaskingPolicy
from toolkit.masking.secret import HIDDEN, Secret

__all__ = ["HIDDEN", "MaskingPolicy", "Secret"]
