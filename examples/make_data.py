"""Make `data/email_triage.json`, the workflow that `toolkit demo` shows.

`python examples/make_data.py` writes the same bytes every time, with any Python from 3.11 on.

The story: a workflow sorts the mail of a small office, at 02:00 UTC on two nights. The rows are not painted,
they are played, by the habits of engines of this kind:

- an id is used again the next night; its row gets the new mail's document, and nothing else is reset;
- a success fills `processed_at` only where it is empty, and clears neither message nor retry count;
- a failure writes its message and counts, and leaves `processed_at` alone;
- only `updated_at` says what happened last night.

The first night died over its last mail. The second had two mails fewer and was stopped before it was through.
Every company, address and secret in here is invented.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

SEED: Final = 1
Row: TypeAlias = dict[str, Any]
TARGET: Final = Path(__file__).parent / "data" / "email_triage.json"

DISCOVERED, PROCESSING, COMPLETE, FAILED, SKIPPED = (
    "discovered",
    "processing",
    "complete",
    "failed",
    "skipped",
)

EACH_EMAIL, EACH_ATTACHMENT = "each_email", "each_attachment"
READ_INVOICE, FILE_EMAIL = "read_invoice", "file_email"
CARRY_ON = "mark_failed_continue"

NODES: Final = (
    (4, "navigate", "open_mailbox", {"url": "https://mail.example.com/inbox", "wait_seconds": 30}),
    (12, "extract", "list_emails", {"into": "emails", "unread_only": True, "limit": 50}),
    (28, "iterate", EACH_EMAIL, {"over": "emails", "as": "email", "on_error": CARRY_ON}),
    (35, "iterate", EACH_ATTACHMENT, {"over": "email.attachments", "as": "attachment", "on_error": CARRY_ON}),
    (40, "extract", READ_INVOICE, {"languages": ["en", "fr"], "check_total": True}),
    (52, "update", FILE_EMAIL, {"crm": "https://crm.example.com", "folder": "{{labels}}"}),
)

SENDERS: Final = {
    "lamps": ("Harbour Lamps, accounts", "accounts.harbour-lamps@example.com"),
    "paper": ("Old Mill Paper Works", "invoices.old-mill@example.org"),
    "tools": ("Fern & Fettle Tools", "billing.fern-fettle@example.com"),
    "freight": ("Quay Nine Freight", "dispatch.quay-nine@example.test"),
    "tea": ("Maison du Thé Éclair", "commandes.eclair@example.org"),
    "portal": ("Customer portal", "no-reply.portal@example.test"),
    "gazette": ("The Stapler Gazette", "gazette@example.org"),
    "desk": ("Front desk", "front-desk@example.com"),
    "facilities": ("Facilities", "facilities@example.com"),
    "unknown": ("", "win-big@example.test"),
}

# Subject, sender, label: the mail that each of email_001 … email_040 held when it was seen last.
EMAILS: Final = (
    ("Your November statement, three files", "lamps", "invoice"),
    ("Order 7731: two boxes short", "portal", "complaint"),
    ("Meeting room 2 is closed on Tuesday", "facilities", "internal"),
    ("Livraison prévue jeudi, café & thé", "tea", "delivery"),
    ("Rechnung Nr. 2026-118 über 1.190,50 €", "paper", "invoice"),
    ("The Stapler Gazette, issue 311", "gazette", "newsletter"),
    ("Pick-up moved to 07:30", "freight", "delivery"),
    ("Where is my order?", "portal", "question"),
    ("Invoice for the workshop lamps", "lamps", "invoice"),
    ('RE: RE: FW: the "urgent" chair', "desk", "internal"),
    ("Invitation: stock-taking, 30 November", "facilities", "internal"),
    ("Container QN-9 is held at customs", "freight", "delivery"),
    ("Your new portal access", "portal", "internal"),
    ("Facture 0042 · échéance 15/12", "tea", "invoice"),
    ("Broken on arrival (photo follows)", "portal", "complaint"),
    ("Invoice 5500123, corrected", "tools", "invoice"),
    ("Price list 2027, 100% recycled_paper*", "paper", "order"),
    ("Automatic reply: out of the office until Monday", "desk", "auto-reply"),
    ("Third reminder, order 7698", "tools", "reminder"),
    ("ご注文ありがとうございます", "paper", "order"),
    ("Question about the warranty, please call back", "portal", "question"),
    ("Scan from the copier on floor 3", "desk", "invoice"),
    ("Thank you! 🎉 Everything arrived", "portal", "question"),
    ("Delivery note 88-1204", "freight", "delivery"),
    ("New opening hours, from December", "tea", "internal"),
    ("Order 7745: change of address", "portal", "order"),
    ('<script>alert("sale")</script> 50% off <b>everything</b>', "unknown", "spam"),
    ("Pallets back, please", "freight", "question"),
    ("Invoice and delivery note, order 7702", "tools", "invoice"),
    ("Fire drill on Friday, 10:00", "facilities", "internal"),
    ("Complaint 311: the lamp hums", "portal", "complaint"),
    ("Order 7750, sixty envelopes", "desk", "order"),
    ("Заказ 7751: конверты", "paper", "order"),
    ("Two invoices for October", "lamps", "invoice"),
    ("Lost parcel, Größe M", "freight", "delivery"),
    ("", "unknown", "question"),
    ("Order 7760 / rush", "portal", "order"),
    ("Parking spaces in January", "facilities", "internal"),
    ("Order 7688: thanks for the quick help", "portal", "question"),
    ("Statement for October, 40 pages", "tools", "invoice"),
)

# File name, number of the mail it came with, pages (None where a file has none).
ATTACHMENTS: Final = (
    ("statement-2026-11.pdf", 1, 3),
    ("invoices-october.pdf", 1, 2),
    ("invoice-late-fee.pdf", 1, 1),
    ("Rechnung 2026-118.pdf", 5, 1),
    ("workshop lamps (final).pdf", 9, 2),
    ("stock-taking.ics", 11, None),
    ("facture_0042.pdf", 14, 1),
    ("5500123_corrected.pdf", 16, 4),
    ("scan0003.tiff", 22, None),
    ("order-7702.pdf", 29, 2),
    ("october-1.pdf", 34, 1),
    ("october-2.pdf", 34, 1),
)

FIRST_OF_BLOCK: Final = {"email": 40, "attachment": 12, "invoice": 8}
"""By how much the numbers of each type go on from one block of the story to the next."""

# Number of the attachment that each of invoice_001 … invoice_008 was read from, and its supplier.
INVOICES: Final = (
    *((1, "lamps"), (2, "lamps"), (2, "lamps"), (3, "lamps")),
    *((5, "lamps"), (7, "tea"), (8, "tools"), (10, "tools")),
)

PRICES: Final = (("Desk lamp", 4250), ("Envelopes, 100", 999), ("Green tea, 1 kg", 3100), ("Delivery", 1500))
FOLDERS: Final = {"invoice": "Accounts/2026-11", "order": "Sales/Orders", "complaint": "Sales/Complaints"}

# What a few records have besides, by id: secrets that no list of columns names, an integer beyond 64 bits.
MORE_VARS: Final[dict[str, dict[str, Any]]] = {
    "email_013": {"portal": {"user": "triage", "password": "FAKE-not-a-real-value-0005"}},
    "attachment_005": {"download_token": "FAKE-not-a-real-value-0006"},
    "attachment_008": {"fingerprint": 2**70 + 1},
}
# A name with a dot, and an object that reads like it once it is flattened.
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "gazette": {"X-Header.v1": "weekly", "Precedence": "bulk"},
    "portal": {"X-Header.v1": "once"},
    "facilities": {"X-Header": {"v1": "nested"}},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work on a record ends: status, a failure's message, extra seconds, cents a total is off."""

    status: str
    message: str | None = None
    seconds: float = 0
    off_by: int = 0


@dataclass(frozen=True, slots=True)
class Night:
    """One run: when it starts, how many records of each type it finds, and what does not end well."""

    start: datetime
    found: dict[str, int]
    outcomes: dict[str, Outcome]
    seed: int | str = SEED

    def draw(self, low: int, high: int, *place: str | int) -> int:
        """Draw an integer from `low` to `high` that depends on the seed and on the name of its place only.

        Unlike a stream of random numbers, an edit in one place moves no value in another, on every Python.
        """
        digest = hashlib.sha256(repr((self.seed, *place)).encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)


class StoppedError(Exception):
    """The run ends here and leaves the records in hand as they are."""


def timeout(seconds: float, host: str) -> Outcome:
    """Give up on a host that does not answer."""
    return Outcome(FAILED, f"Timeout after {seconds} s while waiting for {host}", seconds)


def wrong_total(cents: int) -> Outcome:
    """Refuse an invoice; the amounts of the message come from its fields."""
    return Outcome(FAILED, "invoice total {total:.2f} does not match net {net:.2f} and tax {tax:.2f}", 0, cents)


LOGIN_FAILED: Final = Outcome(FAILED, "Login to crm.example.com failed: 401 Unauthorized")
SILENT, SKIP, STOPPED, DONE = Outcome(FAILED), Outcome(SKIPPED), Outcome(PROCESSING), Outcome(COMPLETE)

FIRST_NIGHT: Final = Night(
    datetime(2026, 11, 15, 2, tzinfo=UTC),
    {"email": 40, "attachment": 8, "invoice": 5},
    {
        "email_003": timeout(30.1, "archive-1.example.org"),
        "email_008": LOGIN_FAILED,
        "email_012": timeout(31.7, "archive-3.example.org"),
        "email_015": timeout(30.9, "archive-2.example.org"),
        "email_018": SKIP,
        "email_019": LOGIN_FAILED,
        "email_031": timeout(60.2, "archive-1.example.org"),
        "email_037": timeout(30.3, "archive-2.example.org"),
        "email_040": STOPPED,
        "attachment_004": timeout(45.6, "archive-2.example.org"),
        "attachment_007": SILENT,
        "attachment_008": timeout(45.2, "archive-1.example.org"),
        "invoice_002": wrong_total(27),
        "invoice_003": wrong_total(900),
    },
)
SECOND_NIGHT: Final = Night(
    datetime(2026, 11, 16, 2, tzinfo=UTC),
    {"email": 38, "attachment": 12, "invoice": 8},
    {
        "email_006": SKIP,
        "email_007": timeout(30.4, "archive-1.example.org"),
        "email_012": timeout(62.8, "archive-2.example.org"),
        "email_018": SKIP,
        "email_019": LOGIN_FAILED,
        "email_027": SKIP,
        "email_031": LOGIN_FAILED,
        "attachment_004": timeout(45.3, "archive-3.example.org"),
        "attachment_006": SKIP,
        "attachment_009": SILENT,
        "attachment_011": STOPPED,
        "invoice_003": wrong_total(-90),
        "invoice_006": wrong_total(1800),
    },
)


def hundredths(number: int) -> int | float:
    """Divide by 100, as JSON files hold amounts: 119000 is 1190, and 119050 is 1190.5."""
    return number // 100 if number % 100 == 0 else number / 100


def as_text(time: datetime) -> str:
    """Write a UTC time with microseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def identifier(record_type: str, number: int) -> str:
    """Name a record by its type and its number, counted from 1 every night."""
    return f"{record_type}_{number:03}"


def email_fields(number: int, night: Night) -> dict[str, Any]:
    """Describe a mail as the mailbox lists it."""
    subject, sender, _ = EMAILS[number - 1]
    name, address = SENDERS[sender]
    received = night.start - timedelta(seconds=night.draw(3_600, 64_800, number, "received"))
    files = children_of("email", number, night)
    return {
        "index": number - 1,
        "subject": subject,
        "from": {"name": name or None, "address": address},
        "received_at": received.strftime("%Y-%m-%dT%H:%M:%SZ"),
        # Odd and far above 2 ** 53: a reader that goes through floats gets another message.
        "message_id": 2**60 + 2 * night.draw(0, 10**15, number, "message_id") + 1,
        "size": night.draw(900, 48_000, number, "size") + 250_000 * len(files),
        "has_attachments": bool(files),
        "attachments": [identifier(*file) for file in files],
        "headers": HEADERS.get(sender, {}),
    }


def attachment_fields(number: int, night: Night) -> dict[str, Any]:
    """Describe a file of a mail; its index counts within the mail."""
    file_name, email, pages = ATTACHMENTS[number - 1]
    return {
        "email": identifier("email", email),
        "index": [mail for _, mail, _ in ATTACHMENTS[: number - 1]].count(email),
        "file_name": file_name,
        "bytes": night.draw(20_000, 400_000, file_name),
        "pages": pages,
    }


def invoice_fields(number: int, night: Night) -> dict[str, Any]:
    """Describe an invoice; its amounts are other ones every night."""
    attachment, sender = INVOICES[number - 1]
    goods = PRICES[number % 2 : 2 + number % 3]
    quantities = [night.draw(1, 9, number, text, night.start.day) for text, _ in goods]
    net = sum(quantity * price for quantity, (_, price) in zip(quantities, goods, strict=True))
    off_by = night.outcomes.get(identifier("invoice", number), DONE).off_by
    return {
        "attachment": identifier("attachment", attachment),
        "number": f"2026-{night.draw(100, 999, number, 'number')}",
        "supplier": SENDERS[sender][0],
        "currency": "EUR",
        "lines": [
            {"text": text, "quantity": quantity, "price": hundredths(price)}
            for quantity, (text, price) in zip(quantities, goods, strict=True)
        ],
        "net": hundredths(net),
        "tax": hundredths(net // 5),
        "total": hundredths(net + net // 5 + off_by),
        "due": f"2026-12-{night.draw(1, 28, number, 'due'):02}",
        "paid": number % 4 == 0,
    }


def email_results(number: int, outcome: Outcome, night: Night) -> tuple[dict[str, Any], dict[str, Any]]:
    """Work out what a mail is and where it goes."""
    _, sender, label = EMAILS[number - 1]
    found: dict[str, Any] = {"label": label, "confidence": hundredths(night.draw(71, 100, number, "confidence"))}
    if outcome.status != COMPLETE:
        return found, {}
    found["priority"] = "high" if label == "complaint" else night.draw(1, 3, number, "priority")
    found |= {"is_customer": sender == "portal", "note": None}
    goes: dict[str, Any] = {"folder": FOLDERS.get(label, "Inbox/Done")}
    if label in {"complaint", "question"}:
        goes["ticket"] = 48_200 + number
        goes["reply"] = {"sent": label == "question", "template": "thanks", "to": [SENDERS[sender][1]]}
    return found, goes


def attachment_results(number: int, outcome: Outcome, _: Night) -> tuple[dict[str, Any], dict[str, Any]]:
    """Work out what a file holds, and keep a copy of it."""
    if outcome.status != COMPLETE:
        return {"kind": "calendar"}, {}
    found = [identifier("invoice", n) for n, (file, _) in enumerate(INVOICES, 1) if file == number]
    stored = {"host": f"archive-{number % 3 + 1}.example.org", "copies": 2}
    return {"kind": "invoice", "has_text": bool(number % 5), "invoices": found}, {"stored": stored}


def invoice_results(number: int, _: Outcome, __: Night) -> tuple[dict[str, Any], dict[str, Any]]:
    """Book an invoice."""
    return {"checked": True}, {"ledger": {"account": 4400 + number % 2, "posted": True}}


NODE_OF: Final = {"email": EACH_EMAIL, "attachment": EACH_ATTACHMENT, "invoice": READ_INVOICE}
FIELDS_OF: Final = {"email": email_fields, "attachment": attachment_fields, "invoice": invoice_fields}
RESULTS_OF: Final = {"email": email_results, "attachment": attachment_results, "invoice": invoice_results}


def children_of(record_type: str, number: int, night: Night) -> list[tuple[str, int]]:
    """List the attachments of a mail, or the invoices in an attachment, that a night finds."""
    parents = {
        "email": ("attachment", [email for _, email, _ in ATTACHMENTS]),
        "attachment": ("invoice", [attachment for attachment, _ in INVOICES]),
        "invoice": ("", []),
    }
    child, numbers = parents[record_type]
    return [(child, n) for n, parent in enumerate(numbers[: night.found.get(child, 0)], 1) if parent == number]


class Engine:
    """The rows and a clock; what its methods leave in a row is what a real engine leaves.

    Attributes
    ----------
    rows : dict
        Records by id, in the order they were first seen.
    clock : datetime
        The time of the next write.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.clock = FIRST_NIGHT.start

    def play(self, night: Night) -> None:
        """Play one night: list the mails in one statement, then do one after the other."""
        self.clock = night.start + timedelta(seconds=6, milliseconds=night.draw(0, 999, night.start.day))
        emails = [("email", number) for number in range(1, night.found["email"] + 1)]
        with contextlib.suppress(StoppedError):
            self.work_on(emails, night)

    def work_on(self, records: list[tuple[str, int]], night: Night) -> None:
        """Discover all of a list, then do each, and within it those that it holds."""
        for record_type, number in records:
            self.discover(record_type, number, FIELDS_OF[record_type](number, night))
        for record_type, number in records:
            record_id = identifier(record_type, number)
            outcome = night.outcomes.get(record_id, DONE)
            self.begin(record_id, NODE_OF[record_type], outcome, night)
            if outcome.status == COMPLETE:
                self.work_on(children_of(record_type, number, night), night)
            if outcome.status != FAILED:
                self.keep(record_id, *RESULTS_OF[record_type](number, outcome, night))
            self.end(record_id, NODE_OF[record_type], outcome)

    def discover(self, record_type: str, number: int, fields: dict[str, Any]) -> None:
        """Take in a record; a row that has its id gets the new document and keeps the rest."""
        record_id = identifier(record_type, number)
        row: dict[str, Any] = {
            "record_id": record_id,
            "record_type": record_type,
            "status": DISCOVERED,
            "iteration_node_alias": None if record_type == "invoice" else NODE_OF[record_type],
            "error_message": None,
            "retry_count": 0,
            "created_at": as_text(self.clock),
            "updated_at": as_text(self.clock),
            "processed_at": None,
            "data": {},
        }
        data = {"fields": fields, "vars": {}, "targets": {}, "history": []}
        self.rows.setdefault(record_id, row)["data"] = data
        self.write(record_id, DISCOVERED)

    def begin(self, record_id: str, node: str, outcome: Outcome, night: Night) -> None:
        """Claim a record and spend the time its work takes; raises StoppedError where the run ends."""
        self.write(record_id, PROCESSING)
        self.note(record_id, node, "claimed")
        if outcome.status == PROCESSING:
            raise StoppedError
        seconds = night.draw(2_000, 14_000, record_id, self.clock.day) / 1000 + outcome.seconds
        self.clock += timedelta(milliseconds=round(seconds * 1000))

    def keep(self, record_id: str, found: dict[str, Any], goes: dict[str, Any]) -> None:
        """Write the results into the document."""
        data = self.rows[record_id]["data"]
        data["vars"], data["targets"] = found | MORE_VARS.get(record_id, {}), goes
        if "folder" in goes:
            self.note(record_id, FILE_EMAIL, "filed", folder=goes["folder"])
            self.clock += timedelta(milliseconds=120)

    def end(self, record_id: str, node: str, outcome: Outcome) -> None:
        """Write how it went; what is left of a former night stays."""
        row = self.rows[record_id]
        self.note(record_id, node, outcome.status)
        self.write(record_id, outcome.status)
        if outcome.status == COMPLETE:
            row["processed_at"] = row["processed_at"] or row["updated_at"]
        if outcome.status == FAILED:
            row["retry_count"] += 1
            row["error_message"] = outcome.message and outcome.message.format(**row["data"]["fields"])

    def write(self, record_id: str, status: str) -> None:
        """Set the status, and `updated_at` with it."""
        self.rows[record_id].update(status=status, updated_at=as_text(self.clock))

    def note(self, record_id: str, node: str, action: str, **more: object) -> None:
        """Append a step to the record's history."""
        step = {"time": as_text(self.clock), "node": node, "action": action, **more}
        self.rows[record_id]["data"]["history"].append(step)


SETTINGS: Final[dict[str, Any]] = {
    "labels": {**FOLDERS, "newsletter": None},
    "confidence_threshold": 0.85,
    "retry_delay": 0,
    "dry_run": False,
    "subject_prefix": "",
    "last_error": None,
    "ignored_senders": [],
    "nodejs_version": "22.11.0",
    "100%_done": True,
    "a[b]": {},
    "path\\with\\backslash": "C:\\triage\\inbox",
    "ключ": "значение, größer als ≥ 1 ✉️",
    "net, gross": [19.99, 23.99],
    "smtp_password": "FAKE-not-a-real-value-0001",
    "api_token": "FAKE-not-a-real-value-0002",
    "crm.credentials": {
        "user": "triage",
        "password": "FAKE-not-a-real-value-0003",
        "scopes": ["read", "write"],
    },
    "mailbox_url": "imaps://triage:FAKE-not-a-real-value-0004@mail.example.com:993/INBOX",
    "webhook_secret": None,
    "token_count": 48213,
    "monkey": "capuchin",
}
"""Custom variables: every JSON type, values that count as false, awkward keys, secrets and look-alikes."""

EDITED_BY_HAND: Final = {"labels", "confidence_threshold", "dry_run"}

# The iteration variable, the record it came from, and the field it shows.
ITERATIONS: Final = (
    ("email@iter:28:0", "email_001", "subject"),
    ("email@iter:28:4", "email_005", "subject"),
    ("email@iter:28:39", "email_040", "subject"),  # stale: the list has 38 mails now
    ("attachment@iter:28:0:35:0", "attachment_001", "file_name"),
    ("attachment@iter:28:0:35:1", "attachment_002", "file_name"),
    ("attachment@iter:28:0:35:2", "attachment_003", "file_name"),
    ("attachment@iter:28:4:35:0", "attachment_004", "file_name"),
    ("node40.result@iter:28:0:35:2", "invoice_004", "total"),
)


def node_results(rows: dict[str, Row], in_hand: dict[str, Any]) -> dict[str, Any]:
    """Give what nodes wrote: their lists, their results, and the mail in hand when the run was stopped."""
    invoices = [row["status"] for row in rows.values() if row["record_type"] == "invoice"]
    last_night = [row for row in rows.values() if row["updated_at"] >= as_text(SECOND_NIGHT.start)]
    return {
        "emails": [row["record_id"] for row in last_night if row["record_type"] == "email"],
        "node4": {"url": "https://mail.example.com/inbox", "http_status": 200, "seconds": 2.4},
        "node4.result": "inbox open",
        "node12.items": [{"page": 1, "emails": 20}, {"page": 2, "emails": 18}],
        "node40": {"invoices": len(invoices), "failed": invoices.count(FAILED)},
        "email": in_hand,
        "last_message_id": in_hand["message_id"],
    }


def variables(rows: dict[str, Row], in_hand: dict[str, Any]) -> list[Row]:
    """List all variables; the engine never moves their `updated_at`, only an edit by hand did."""
    set_up = as_text(FIRST_NIGHT.start - timedelta(minutes=5))
    edited = as_text(FIRST_NIGHT.start + timedelta(hours=6, minutes=41))
    written = as_text(FIRST_NIGHT.start + timedelta(seconds=6))
    cells: list[tuple[str, Any, str, str]] = [
        (key, value, set_up, edited if key in EDITED_BY_HAND else set_up) for key, value in SETTINGS.items()
    ]
    cells += [(key, value, written, written) for key, value in node_results(rows, in_hand).items()]
    for key, record_id, name in ITERATIONS:
        if record_id not in rows:
            continue
        time = rows[record_id]["data"]["history"][0]["time"]
        value = {"record_id": record_id, name: rows[record_id]["data"]["fields"][name]}
        cells.append((key, value, time, time))
    return [dict(zip(("key", "value", "created_at", "updated_at"), cell, strict=True)) for cell in cells]


def play(seed: int | str, block: int) -> dict[str, Row]:
    """Play both nights; a further block has the numbers after those of the block before."""
    engine = Engine()
    for night in (FIRST_NIGHT, SECOND_NIGHT):
        engine.play(replace(night, seed=f"{seed}.{block}" if block else seed))

    def further(name: re.Match[str]) -> str:
        return f'"{identifier(name[1], int(name[2]) + block * FIRST_OF_BLOCK[name[1]])}"'

    text = re.sub(r'"(email|attachment|invoice)_(\d{3})"', further, as_json([*engine.rows.values()]))
    rows: list[Row] = json.loads(text)
    return {row["record_id"]: row for row in rows}


def choose(records: int, failed: int, seed: int) -> tuple[dict[str, Row], dict[str, Any]]:
    """Play blocks until there are enough records of both kinds; give the first ones, and the mail in hand."""
    if not 0 <= failed <= records:
        raise ValueError(f"records={records}, failed={failed}: of so many records, at least 0 and at most all can fail")
    played = play(seed, 0)
    in_hand = played["email_034"]["data"]["fields"]
    wanted = {True: failed, False: records - failed}
    for block in itertools.count(1):
        of_kind = {kind: [name for name, row in played.items() if (row["status"] == FAILED) is kind] for kind in wanted}
        if all(len(of_kind[kind]) >= number for kind, number in wanted.items()):
            break
        played |= play(seed, block)
    chosen = {name for kind, number in wanted.items() for name in of_kind[kind][:number]}
    return {name: row for name, row in played.items() if name in chosen}, in_hand


def make_workflow(records: int = 60, failed: int = 8, seed: int = SEED) -> dict[str, Any]:
    """Play both nights, as often as it takes.

    Parameters
    ----------
    records : int, default 60
        How many records; the story has 60, of fewer the first ones are taken, and more are played with further numbers.
    failed : int, default 8
        How many of them failed.
    seed : int, default 1
        Of amounts, sizes and durations. What fails, and why, is the story.

    Returns
    -------
    dict
        `workflow_id` (text), `variables`, `records` and `nodes` (lists of dicts, one per row of their table;
        times are UTC as text).

    Raises
    ------
    ValueError
        When more should fail than there are.

    Examples
    --------
    >>> workflow = make_workflow()
    >>> len(workflow["records"]), workflow["records"][0]["record_id"]
    (60, 'email_001')
    >>> [row["status"] for row in make_workflow(records=3, failed=1)["records"]]
    ['complete', 'complete', 'failed']
    """
    rows, in_hand = choose(records, failed, seed)
    return {
        "workflow_id": "email-triage",
        "variables": variables(rows, in_hand),
        "records": list(rows.values()),
        "nodes": [dict(zip(("position", "type", "alias", "config"), node, strict=True)) for node in NODES],
    }


def layout(document: dict[str, Any]) -> str:
    """Write JSON with one row of a table per line, so that a change of one row is one line of a diff.

    Examples
    --------
    >>> print(layout({"workflow_id": "w", "nodes": [{"position": 4}, {"position": 12}]}), end="")
    {
    "workflow_id": "w",
    "nodes": [
      {"position": 4},
      {"position": 12}
    ]
    }
    """
    parts = []
    for name, value in document.items():
        text = as_json(value)
        if isinstance(value, list):
            text = "[\n  " + ",\n  ".join(as_json(row) for row in value) + "\n]"
        parts.append(f"{as_json(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_json(value: object) -> str:
    """Write one value on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def main() -> None:
    """Write the file; as bytes, because a text file's line ends differ between systems."""
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(layout(make_workflow()).encode())


if __name__ == "__main__":
    main()
