"""The first words between a client and a writer: is this the log that I know, and is its writer the one in charge?

The client asks for the proof of the entry with which the writer began, for the newest checkpoint, and for the proof
that what it has seen is the beginning of that. A writer of a lower epoch is shown the proof of the higher one, so that
it ends; see `standby.py`. Until all this holds, nothing is recorded on the connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog

from access_audit.merkle import ProofError, root_from_consistency
from access_audit.receipt import ReceiptError, ReceiptVerifier
from access_audit.seen import Seen
from access_audit.standby import epoch_of
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)


async def greet(
    ask: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]],
    opened: Callable[[bytes], Awaitable[object]],
    verifier: ReceiptVerifier,
    seen: Seen,
) -> int:
    """The epoch of the writer, once all holds; what it has shown is kept in `seen`.

    `ask` asks one question of the writer, `opened` verifies a note, following the keys of the log. Raises VmsError
    `audit.superseded` or `audit.other_log`, ReceiptError when the answer proves nothing, and what `ask` raises.
    """
    known = seen.state
    answer = await ask("hello", {"size": 0 if known is None else known.checkpoint.size})
    try:
        note, proof = str(answer["note"]).encode(), answer["proof"]
        await opened(str(proof["checkpoint"]).encode())
        epoch = epoch_of(proof, verifier.verify_entry(proof))
        await opened(note)
        head = verifier.open(note).checkpoint
        path = None if answer["path"] is None else [bytes.fromhex(part) for part in answer["path"]]
    except (KeyError, TypeError, ValueError) as wrong:
        raise ReceiptError(f"no greeting: {wrong}") from None
    if known is not None:
        if epoch < known.epoch:
            # One whose log has changed its key since cannot read the proof: it is refused all the same.
            with suppress(VmsError):
                await ask("fence", {"proof": known.proof})
            raise _refused("audit.superseded", f"epoch {epoch}, and {known.epoch} has been seen")
        old = known.checkpoint
        if path is None:
            raise _refused("audit.other_log", f"the log ends before {old.size}, which has been seen")
        try:
            continues = old.origin == head.origin
            continues &= root_from_consistency(old.size, old.root, head.size, path) == head.root
        except ProofError:
            continues = False
        if not continues:
            raise _refused("audit.other_log", f"the log does not continue what has been seen at {old.size}")
    seen.keep(note, epoch, proof)
    return epoch


def _refused(code: str, detail: str) -> VmsError:
    log.error("the access log that answers is not the one that was seen", code=code, detail=detail)
    return VmsError(
        ErrorKind.UNAVAILABLE,
        code,
        "Le journal des accès qui répond n'est pas celui qui fait foi : aucune image ne peut être montrée.",
        hint="Prévenez l'exploitant : un ancien journal a été remis en marche, ou une copie trop ancienne restaurée.",
        detail=detail,
    )
