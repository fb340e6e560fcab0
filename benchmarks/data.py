"""Records of about 600 bytes, the same for every run of a seed."""

from __future__ import annotations

import random
from typing import Any


def records(number: int, seed: int = 1) -> list[dict[str, Any]]:
    """Make records with nested objects, nulls, a small array and a history.

    Parameters
    ----------
    number : int
        How many.
    seed : int, default 1
        Of the generator.

    Returns
    -------
    list of dict
        As `create_records` takes them.
    """
    chance = random.Random(seed)  # noqa: S311 - made up data, not a secret
    return [_record(chance, position) for position in range(number)]


def _record(chance: random.Random, position: int) -> dict[str, Any]:
    words = " ".join(chance.choices(("invoice", "order", "delivery", "reminder", "statement", "offer"), k=6))
    failed = chance.random() < 0.1  # noqa: PLR2004 - one in ten
    return {
        "record_id": f"email_{position:07}",
        "status": "failed" if failed else "complete",
        "error_message": f"Timeout after {chance.uniform(20, 60):.1f} s" if failed else None,
        "data": {
            "fields": {
                "subject": words,
                "from": {"address": f"sender{chance.randrange(500)}@example.com", "name": words.title()},
                "size": chance.randrange(1_000, 900_000),
                "message_id": chance.randrange(10**18),
                "has_attachments": chance.random() < 0.5,  # noqa: PLR2004 - half of them
                "attachments": [f"attachment_{chance.randrange(900):03}" for _ in range(chance.randrange(3))],
                "note": None,
            },
            "vars": {"confidence": round(chance.random(), 3), "label": chance.choice(("invoice", "order", None))},
            "targets": {"folder": "Accounts", "ticket": chance.randrange(10_000)},
            "history": [
                {"time": "2026-11-16T02:00:00Z", "node": "classify", "action": "labelled", "seconds": chance.random()},
                {"time": "2026-11-16T02:00:01Z", "node": "file", "action": "moved", "seconds": chance.random()},
            ],
        },
    }
