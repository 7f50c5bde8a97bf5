"""The state of the log that a document rests on: the proof of the document's own entry, once it is published."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from access_audit.client import AuditClient
from access_audit.receipt import AuditReceipt
from vms.base.errors import ErrorKind, VmsError

_DEADLINE_S: Final = 5.0
_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Anchor:
    """A signed checkpoint (`note`), what it says, the receipt of an entry under it and the proof file of that entry."""

    origin: str
    size: int
    root: str
    note: str
    receipt: AuditReceipt
    proof: dict[str, Any]


async def anchor_of(audit: AuditClient, receipt: AuditReceipt) -> Anchor:
    """The newest checkpoint over an entry that was just recorded. VmsError `audit.unavailable`.

    A receipt holds before its entry is published; the proof is there a moment later.
    """
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            try:
                proof = await audit.proof(receipt.index)
                break
            except VmsError as refused:
                if refused.kind is not ErrorKind.NOT_FOUND:
                    raise
            await asyncio.sleep(_PAUSE_S)
    note = str(proof["checkpoint"])
    origin, size, root = note.split("\n")[:3]
    return Anchor(origin, int(size), root, note, receipt, proof)
