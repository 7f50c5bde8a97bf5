"""Continuous erasure, in small steps, beside recording and without anybody's help (LAW-06).

Each round looks at every camera of the store, those of earlier assignments included. A step erases a few segments and
lets recording go on; a disk that refuses is tried again in the next round. What was erased is told by camera and hour,
with a digest over the digests, so that a certificate of destruction can name it (LAW-09).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from recorder.retention.purgeable import purgeable, retention_ns
from recorder.store.segment import StoredSegment
from recorder.store.store import SegmentStore
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

ROUND_S: Final = 20.0
STEP_SEGMENTS: Final = 32
STEP_PAUSE_S: Final = 0.05
HOUR_NS: Final = 3_600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased of one camera and one hour: the range of its images, how much, and a digest over the digests."""

    camera_id: str
    start_ns: int
    end_ns: int
    segments: int
    size_bytes: int
    digest: str


class Eraser:
    """Erases from one store. `tell` hears of what is gone, after it is gone; it must not block."""

    def __init__(self, store: SegmentStore, clock: Clock, tell: Callable[[Erased], None]) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell

    async def run(self) -> None:
        """Erase for ever."""
        while True:
            await self.erase_expired()
            await self._clock.sleep(ROUND_S)

    async def erase_expired(self) -> int:
        """One round; the number of segments erased."""
        erased = 0
        for camera_id, days in (await self._store.retentions()).items():
            try:
                erased += await self._erase_camera(camera_id, days)
            except VmsError as refused:
                log.error("erasure failed, and is tried again", camera_id=camera_id, detail=refused.detail)
        return erased

    async def _erase_camera(self, camera_id: str, days: int | None) -> int:
        erased = 0
        while True:
            now = self._clock.utc_ns()
            oldest = await self._store.expired(camera_id, now - retention_ns(days) + 1, STEP_SEGMENTS)
            expired = purgeable(camera_id, oldest, days, now)
            if expired is None:
                if erased:
                    await self._store.forget_gaps(camera_id, now - retention_ns(days))
                return erased
            await self._store.remove(expired)
            erased += len(expired.segments)
            for hour in _by_hour(expired.segments):
                self._tell(_told(camera_id, hour))
            await self._clock.sleep(STEP_PAUSE_S)


def _by_hour(segments: Sequence[StoredSegment]) -> list[list[StoredSegment]]:
    hours: dict[int, list[StoredSegment]] = {}
    for segment in segments:
        hours.setdefault(segment.start_ns // HOUR_NS, []).append(segment)
    return list(hours.values())


def _told(camera_id: str, segments: Sequence[StoredSegment]) -> Erased:
    return Erased(
        camera_id=camera_id,
        start_ns=segments[0].start_ns,
        end_ns=max(segment.end_ns for segment in segments),
        segments=len(segments),
        size_bytes=sum(segment.size_bytes for segment in segments),
        digest=hashlib.sha256(b"".join(segment.digest for segment in segments)).hexdigest(),
    )
