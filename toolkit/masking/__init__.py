"""Nothing shows a secret unless somebody asks for it."""

from __future__ import annotations

from toolkit.masking.policy import MaskingPolicy
from toolkit.masking.secret import HIDDEN, Secret
from toolkit.masking.view import EVERYTHING, View

__all__ = ["EVERYTHING", "HIDDEN", "MaskingPolicy", "Secret", "View"]
