"""A step of a workflow, to be tested: mails that failed for a timeout are tried again, with a longer patience."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit import Workflow

PATIENCE = 60


def fetch(record: dict[str, Any]) -> dict[str, Any]:
    """Fetch one mail, which is what a real step would do; the largest ones take too long."""
    seconds = record["data"]["fields"]["size"] / 500
    if seconds > PATIENCE:
        raise TimeoutError(f"Timeout after {seconds:.1f} s while waiting for mail.example.com")
    return {"vars.fetched": True}


def try_again(run: Workflow) -> None:
    """Take the mails that failed for a timeout back into the queue, and fetch them."""
    causes = run.failures()
    for signature, ids in zip(causes["signature"], causes["record_ids"], strict=True):
        if signature.startswith("Timeout"):
            mails = run.records(ids=ids, record_type="email")["record_id"]
            run.retry_failed(ids=mails, reason="a longer patience")
            run.iterate_records(",".join(mails), body=fetch, progress=False)
