"""Records of about 600 bytes, the same for every run of a seed."""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_IN: Final = 10
"""One record in so many holds a secret, when there are to be any."""

_FIRST: Final = dt.datetime(2026, 11, 16, 2, tzinfo=dt.UTC)


def records(number: int, seed: int = 1, *, secrets: bool = False) -> list[dict[str, Any]]:
    """Make records with nested objects, nulls, a small array and a history.

    Parameters
    ----------
    number : int
        How many.
    seed : int, default 1
        Of the generator.
    secrets : bool, default False
        Whether every tenth record holds a (made up) secret.

    Returns
    -------
    list of dict
        As `create_records` takes them.
    """
    return list(each_record(number, seed, secrets=secrets))


def each_record(number: int, seed: int = 1, *, secrets: bool = False) -> Iterator[dict[str, Any]]:
    """Make the records of `records` one after another, so that a million of them need no memory."""
    chance = random.Random(seed)  # noqa: S311 - made up data, not a secret
    for position in range(number):
        record = _record(chance, position)
        if secrets and position % _ONE_IN == 0:
            _add_secret(record, position // _ONE_IN)
        yield record


def rows(number: int, seed: int = 1, *, secrets: bool = False) -> Iterator[tuple[Any, ...]]:
    """Make the same records as rows of the table.

    Yields
    ------
    tuple
        `record_id, record_type, data, status, error_message, created_at, updated_at, processed_at`: the document as
        JSON text, the times as datetime in UTC. They are in no order of time, as in a table that was written to for
        a while.
    """
    chance = random.Random(seed)  # noqa: S311 - as above
    for record in each_record(number, seed, secrets=secrets):
        created = _FIRST + dt.timedelta(microseconds=chance.randrange(86_400_000_000))
        updated = created + dt.timedelta(milliseconds=chance.randrange(600_000))
        yield (
            record["record_id"],
            "email",
            json.dumps(record["data"]),
            record["status"],
            record["error_message"],
            created,
            updated,
            updated if record["status"] == "complete" else None,
        )


def variables(number: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Make variables of every category and type, as key and JSON text."""
    chance = random.Random(seed)  # noqa: S311 - as above
    for position in range(number):
        key = (f"total_{position}", f"node{position}.result", f"animal@iter:28:{position}")[position % 3]
        value = (position, f"text {chance.random()}", {"count": position}, [position], None, True)[position % 6]
        yield key, json.dumps(value)


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


def _add_secret(record: dict[str, Any], turn: int) -> None:
    """Put one in: under a name, in a sentence, or in an address."""
    value = f"FAKE-not-a-real-value-{turn:06}"
    document = record["data"]
    if turn % 3 == 0:
        document["vars"]["api_token"] = value
    elif turn % 3 == 1:
        document["fields"]["note"] = f"login failed: password={value} host=mail"
    else:
        document["targets"]["url"] = f"https://mail.example.com/inbox?access_token={value}"
