"""A report as a program takes it away."""

from __future__ import annotations

from typing import Any

from access_audit.journal import JournalEntry
from supervision_centre.journal.answers import Names
from supervision_centre.reports.service import Issued
from vms.base.clock import utc_text


def envelope(issued: Issued) -> dict[str, Any]:
    """The content with what proves it. `sha256` is that of `canonical`, the text whose digest is in the log."""
    receipt = issued.anchor.receipt
    return {
        "report": issued.content,
        "canonical": issued.canonical.decode(),
        "sha256": issued.digest,
        "receipt": {"index": receipt.index, "leaf": receipt.leaf_hash.hex(), "at": utc_text(receipt.at_ns)},
        "proof": issued.anchor.proof,
    }


def issued_json(entry: JournalEntry, names: Names) -> dict[str, Any]:
    """An entry `report.issued` in the list of reports."""
    event = entry.event
    assert event is not None
    return {
        "index": entry.index,
        "at": utc_text(entry.at_ns),
        "person": event.author.name,
        "commune": event.commune,
        "commune_name": names.commune(event.commune),
        "month": event.details.get("month", ""),
        "sha256": event.details.get("digest", ""),
    }
