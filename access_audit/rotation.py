"""The change of the log's key while it is written: the entry, the second signature, and its end.

`hand_over` and `settle` run in the committing thread, a publication between them. From the entry on, checkpoints carry
the signatures of both keys, until the time that was asked for is over and the old key is erased. A crash anywhere in
between is finished at the next start (K2 in `keys.py`).
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import structlog

from access_audit.checkpoint import OverlappingKey
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.handover import hand_over_details
from access_audit.keys import KeyRing
from access_audit.ledger import Ledger
from access_audit.search import JournalIndex
from access_audit.standby import admit, standing
from vms.base import durable
from vms.base.clock import Clock
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

LOG_WRITER = Author("audit-writer", "Journal des accès", "system")
"""The author of entries about the log itself."""


class Rotation:
    """The keys of an open ledger."""

    def __init__(self, ring: KeyRing, ledger: Ledger, clock: Clock) -> None:
        self._ring = ring
        self._ledger = ledger
        self._clock = clock
        self._handed_over_at = -1

    def hand_over(self) -> None:
        """Record the hand-over to the prepared key. VmsError `audit.no_next_key`, OSError: nothing has changed.

        A hand-over that the log has already is only gone on with.
        """
        new, old = self._ring.prepared(), self._ledger.key.newest
        if new.log_key.raw == old.log_key.raw:
            return
        index = self._ledger.size
        details = hand_over_details(index, old, new)
        kind = EventKind.LOG_KEY_CHANGED
        event = AccessEvent(kind, LOG_WRITER, self._clock.utc_ns(), Reason("operation"), details=details)
        self._ledger.hand_over(OverlappingKey(new, old), event)
        self._handed_over_at = index
        log.warning("the key of the log changes", index=index, key=new.log_key.key_id.hex())

    def settle(self) -> None:
        """Bring the files behind a published hand-over, and end an overlap that is over. OSError: call it again."""
        if self._ledger.published <= self._handed_over_at:
            return
        now_ns = self._clock.utc_ns()
        completed = self._ring.complete(now_ns)
        over = self._ring.overlap_over(now_ns)
        if over:
            self._ring.forget_old()
        if completed or over:
            self._ledger.use_key(self._ring.signer())
            log.info("the key of the log is in force", key=self._ledger.key.log_key.key_id.hex(), alone=over)

    def settle_soon(self) -> None:
        """The same, where a refusal of the disk or of a token can wait for the next round."""
        try:
            self.settle()
        except (OSError, VmsError) as refused:
            log.error("the change of the key is not finished, and is tried again", error=repr(refused))


def rotate_alone(folder: Path, ring: KeyRing, clock: Clock) -> None:
    """Hand over to the prepared key while no writer runs. Blocks.

    VmsError `folder.in_use` when a writer does run, `audit.other_writer` or `audit.fenced` when this is not the place
    of the log, `audit.no_next_key`, `audit.key`, `audit.corrupt`.
    """
    with durable.FolderLock(folder):
        ledger = Ledger(folder, ring.open(), clock)
        try:
            ledger.publish()
            with closing(JournalIndex(folder)) as index:
                admit(folder, ring.place, standing(index, ledger.published))
            rotation = Rotation(ring, ledger, clock)
            rotation.hand_over()
            ledger.publish()
            rotation.settle()
        finally:
            ledger.close()
