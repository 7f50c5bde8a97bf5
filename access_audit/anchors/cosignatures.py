"""Submitting a checkpoint to a witness (C2SP tlog-witness, `add-checkpoint`).

The witness says which size it has seen last; we prove that our checkpoint continues that one. A cosignature is kept
when the key that was configured for the witness made it, over the text that we sent, at about our time. A witness that
has seen a larger log than ours, or another one, is the very alarm that it is there for.

A witness that knows none of the keys in force (403) is shown the hand-overs of the log (`hand-over`, ours): JSON with
`origin` and `hand_overs`, a list of `index` and `details`, which it can verify with the key that it has. A witness that
does not know that call answers 404 and is given the new key by its own people.

Source: c2sp.org/tlog-witness, c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog

from access_audit.anchors.files import AnchorError
from access_audit.anchors.http import Answer, post
from access_audit.checkpoint import Checkpoint
from access_audit.handover import HandOver
from access_audit.merkle import ProofError, consistency_path
from access_audit.tiles import TileError, TreeReader
from access_audit.verify.anchors import TOLERANCE_NS
from access_audit.verify.notes import Key, Unreadable, cosigned_at, read_note
from vms.base.clock import NS_PER_SECOND, Clock

log = structlog.get_logger(__name__)

SIZE_TYPE = "text/x.tlog.size"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """A witness: its submission prefix and its key."""

    url: str
    key: Key

    def path(self, call: str) -> str:
        """Where a call of the protocol is answered."""
        return f"{self.url.rstrip('/')}/{call}"


async def show_hand_overs(
    client: httpx.AsyncClient, witness: WitnessAddress, origin: str, hand_overs: Sequence[HandOver]
) -> None:
    """Show a witness how the log's key has changed. AnchorError when it cannot be reached."""
    content = {"origin": origin, "hand_overs": [{"index": each.index, "details": each.details} for each in hand_overs]}
    await post(client, witness.path("hand-over"), json.dumps(content).encode(), "application/json")


async def ask_for_cosignature(
    client: httpx.AsyncClient,
    witness: WitnessAddress,
    folder: Path,
    checkpoint: Checkpoint,
    note: bytes,
    known_size: int,
    clock: Clock,
) -> tuple[bytes, int]:
    """The witness's line for the note, verified, and the second that it states. AnchorError otherwise."""
    old_size = min(known_size, checkpoint.size)
    for _ in range(_TRIES):
        proof = await asyncio.to_thread(_proof, folder, old_size, checkpoint.size)
        body = b"".join(b"%s\n" % line for line in (b"old %d" % old_size, *map(base64.b64encode, proof), b"")) + note
        answer = await post(client, witness.path("add-checkpoint"), body, "text/plain; charset=utf-8")
        if answer.status == 200:
            return _verified_line(answer.body, witness.key, note, clock)
        if answer.status != 409 or not answer.kind.startswith(SIZE_TYPE):
            break
        old_size = _stated_size(answer, checkpoint.size)
        if old_size < known_size:
            log.error("a witness has forgotten what it cosigned", by=witness.key.name, states=old_size, had=known_size)
    raise AnchorError("inconsistent" if answer.status in {409, 422} else "refused", f"HTTP status {answer.status}")


def _proof(folder: Path, old_size: int, size: int) -> list[bytes]:
    try:
        return consistency_path(old_size, size, TreeReader(folder, size).subtree)
    except (TileError, ProofError, OSError) as wrong:
        raise AnchorError("storage", str(wrong)) from None


def _stated_size(answer: Answer, size: int) -> int:
    text = answer.body.decode("ascii", "replace").strip()
    if not text.isdecimal() or len(text) > 18:
        raise AnchorError("refused", "it states no size")
    if int(text) > size:
        raise AnchorError("ahead", f"it has seen a log of {text} entries, this one has {size}")
    return int(text)


def _verified_line(answer: bytes, key: Key, note: bytes, clock: Clock) -> tuple[bytes, int]:
    """The one line of the witness; lines of other keys are left aside."""
    for line in answer.splitlines(keepends=True):
        try:
            cosigned = read_note(note + line)
            seconds = cosigned_at(cosigned, key)
        except Unreadable as wrong:
            raise AnchorError("unverified", str(wrong)) from None
        if seconds is None:
            continue
        apart = abs(clock.utc_ns() - seconds * NS_PER_SECOND)
        if apart > TOLERANCE_NS:
            raise AnchorError("clock", f"its clock and ours are {apart // NS_PER_SECOND} s apart")
        return line if line.endswith(b"\n") else line + b"\n", seconds
    raise AnchorError("unverified", "no line of the key that is configured")
