"""The segments of one disk (signatures; being filled in)."""

from __future__ import annotations

from recorder.contract.timeline import GapCause, Timeline
from recorder.store.segment import StoredSegment
from recorder.store.settings import StoreSettings
from vms.base.clock import Clock


class SegmentStore:
    """The segments of one disk, owned by one process. Made by `open` only."""

    @classmethod
    async def open(cls, settings: StoreSettings, clock: Clock) -> SegmentStore:
        """Lock the folder, finish what was interrupted, and be ready.

        Raises VmsError `folder.in_use`, `store.not_writable`, `store.clock_behind`.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Settle what is queued and give the folder back. Every `SegmentWriter` must have been closed before."""
        raise NotImplementedError

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """Spans and gaps, those still growing included. VmsError `store.unknown_camera` (not_found) otherwise."""
        raise NotImplementedError

    async def segments_between(self, camera_id: str, start_ns: int, end_ns: int) -> list[StoredSegment]:
        """The segments that overlap `[start_ns, end_ns)`, in the order of time, the open one last."""
        raise NotImplementedError

    def record_gap(self, camera_id: str, start_ns: int, cause: GapCause, detail: str) -> None:
        """From `start_ns` on nothing is recorded, for this cause. Never waits.

        While a gap is open, the same cause changes nothing and another one splits it. The next segment ends it.
        """
        raise NotImplementedError

    def close_gap(self, camera_id: str, end_ns: int) -> None:
        """Pictures come again at `end_ns`. Never waits; nothing happens when no gap is open."""
        raise NotImplementedError

    def check_space(self) -> None:
        """VmsError `store.disk_almost_full` (exhausted) when the disk is below its threshold."""
        raise NotImplementedError
