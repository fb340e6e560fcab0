"""A quick look at JSON text: whether a policy could hide anything in it at all.

Most documents hold no name that is even near a sensitive one. One pass over their text says so, and they are spared the
walk. It errs on one side only: what it lets pass holds nothing that the walk would hide, and a property test says so.
"""

from __future__ import annotations

import re
from typing import Final

from toolkit.masking.names import ACROSS_DOTS, ANYWHERE, ENDINGS, PHRASES, SENSITIVE
from toolkit.masking.structure import SECRET_FLAGS, SECRET_TYPES


def _alternatives() -> str:
    first = {pair[0] for pair in ACROSS_DOTS}
    stems = {*SENSITIVE, *ENDINGS, *ANYWHERE, *SECRET_FLAGS, *SECRET_TYPES, *first, "key"}
    # A stem that holds a shorter one adds nothing; a name beyond ASCII is found by its being so.
    needed = sorted(stem for stem in stems if stem.isascii() and not any(o in stem for o in stems - {stem}))
    phrases = sorted(f"{one}[^a-z]*{other}" for one, other in PHRASES if one not in first)
    # Names are compared in a normal form: text beyond ASCII, and escapes, may stand for anything.
    return "|".join([r"[^\x00-\x7F]", r"\\", "://", *map(re.escape, needed), *phrases])


TRIGGER: Final = _alternatives()
"""A regular expression (RE2 and Python alike, upper and lower case alike) without which nothing is hidden by a name."""
