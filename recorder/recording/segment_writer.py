"""Access units of one camera into segments (signatures; being filled in)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from recorder.hub.unit import DatedUnit
from recorder.store.store import SegmentStore
from vms.media.fmp4 import TimeSource


class CloseCause(StrEnum):
    """Why a segment ends."""

    ROTATION = "rotation"
    RUN_CHANGED = "run_changed"
    PARAMETERS_CHANGED = "parameters_changed"
    STREAM_ENDED = "stream_ended"
    AUTHORISATION_ENDED = "authorisation_ended"
    STOPPING = "stopping"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    QUEUE_FULL = "queue_full"


class SegmentWriter:
    """Records one camera into a store. Lives on the event loop; nothing here waits for the disk.

    `write` never raises: what the disk refuses becomes a gap in the ledger with cause `disk`, and recording resumes
    at a later key frame by itself. `place` is kept in each segment (LAW-39).
    """

    def __init__(self, store: SegmentStore, camera_id: str, *, segment_seconds: float = 60.0, place: str = "") -> None:
        raise NotImplementedError

    def write(self, units: Sequence[DatedUnit], source: TimeSource = TimeSource.ARRIVAL) -> None:
        """Record a batch of units, in decoding order."""
        raise NotImplementedError

    async def close(self, cause: CloseCause = CloseCause.STREAM_ENDED) -> None:
        """End the open segment and wait until it is in the index. The writer may be used again afterwards."""
        raise NotImplementedError
