"""The reader that never misses: from the hub of a camera's main stream into the store.

Rules
1. Nothing is recorded outside of the authorisation, to the picture (LAW-01, LAW-02).
2. Whenever nothing comes, the ledger says since when and why.
"""

from __future__ import annotations

from collections.abc import Sequence

from recorder.contract.assignment import RecordingAuthorisation
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.timeline import GapCause
from recorder.hub.unit import DatedUnit
from recorder.ingest.causes import Cause, gap_cause
from recorder.recording.segment_writer import CloseCause, SegmentWriter
from recorder.store.shelf import Shelf
from vms.base.clock import NS_PER_SECOND

PAUSE_NS = 2 * NS_PER_SECOND
PAUSE_DETAIL = "pause"


class RecordingReader:
    """Records one camera. `authorisation` may be replaced while it runs."""

    urgent = False

    def __init__(
        self, shelf: Shelf, writer: SegmentWriter, camera_id: str, authorisation: RecordingAuthorisation
    ) -> None:
        self.authorisation = authorisation
        self.last_ns = 0
        self._explained = False
        self._shelf = shelf
        self._writer = writer
        self._camera_id = camera_id

    def deliver(self, units: Sequence[DatedUnit]) -> None:
        allowed = self.authorisation
        if not (allowed.in_force(units[0].capture_utc_ns) and allowed.in_force(units[-1].capture_utc_ns)):
            units = [dated for dated in units if allowed.in_force(dated.capture_utc_ns)]
            if not units:
                return
        first_ns = units[0].capture_utc_ns
        paused = units[0].starts_run and self.last_ns and first_ns - self.last_ns > PAUSE_NS
        if paused and not self._explained:
            self._shelf.record_gap(self._camera_id, self.last_ns, GapCause.CAMERA, PAUSE_DETAIL)
        self._writer.write(units)
        self._explained = False
        self.last_ns = units[-1].capture_utc_ns

    def status_changed(self, status: StreamStatus) -> None:
        if status.condition is StreamCondition.NO_SIGNAL:
            self.note_gap(status.since_ns, gap_cause(status.cause), status.cause)

    def ended(self, cause: str) -> None:  # noqa: ARG002 - the worker that ends the stream notes why
        return

    def note_gap(self, since_ns: int, cause: GapCause, detail: str) -> None:
        """From the last picture on, or from `since_ns` if there was none, nothing is recorded."""
        self._explained = True
        self._shelf.record_gap(self._camera_id, self.last_ns or since_ns, cause, detail)

    async def close(self, *, authorised: bool, stopping: bool) -> None:
        """End the open segment."""
        cause = CloseCause.STREAM_ENDED
        if not authorised:
            cause = CloseCause.AUTHORISATION_ENDED
        elif stopping:
            cause = CloseCause.STOPPING
        await self._writer.close(cause)

    def not_authorised(self, since_ns: int) -> None:
        """The authorisation is not in force: the ledger says so."""
        self.note_gap(since_ns, GapCause.AUTHORISATION, Cause.NOT_AUTHORISED)
