"""Continuous erasure, in small steps, beside recording and without anybody's help (LAW-06).

Rules
1. A round looks at every camera of the store, those of earlier assignments included. A step erases a few segments and
   lets recording go on; a disk that refuses is tried again in the next round.
2. What a hold touches is looked at group by group: what is held stays, the rest goes at the end of its days (LAW-10). A
   segment that cannot be read stays whole for as long as a hold touches it.
3. A disk that fills up, order (LAW-08): first what is over its days. Then, where the settings say so, the oldest images
   before their days are over, as long as they are above their camera's minimum and older than an hour. Then nothing:
   recording stops. What is held is never erased.
4. While the clock is in doubt nothing is erased at all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from recorder.contract.hold import Hold
from recorder.retention.custody import Custody
from recorder.retention.purgeable import (
    YOUNGEST_NS,
    Purgeable,
    Trimmable,
    purgeable,
    purgeable_early,
    reduced,
    retention_ns,
)
from recorder.store.closing import finish_erasing
from recorder.store.erasures import minimum_days
from recorder.store.queries import first_recorded
from recorder.store.segment import StoredSegment
from recorder.store.store import SegmentStore
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

ROUND_S: Final = 20.0
ROOM_CHECK_S: Final = 5.0
STEP_SEGMENTS: Final = 32
EARLY_STEP_SEGMENTS: Final = 16
STEP_PAUSE_S: Final = 0.05
PAUSE_FACTOR: Final = 3
"""A step is followed by a pause of three times its length: erasure has at most a quarter of a disk's time, and half of
it while the disk is about to fill."""
_CHECKS_AHEAD: Final = 4


def free_bytes(folder: Path) -> int:
    """What a disk still takes, as its file system counts. Blocks; raises OSError."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


class Eraser:
    """Erases from one store.

    `trusted` says whether the clock may be believed; `early` whether a full disk may take the oldest images.
    """

    def __init__(
        self,
        store: SegmentStore,
        clock: Clock,
        *,
        trusted: Callable[[], bool] = lambda: True,
        early: bool = False,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._store = store
        self._custody = Custody(store)
        self._clock = clock
        self._trusted = trusted
        self._early = early
        self._free = free
        self._last_free_bytes: int | None = None
        self._exhausted = False
        self._settled: dict[str, tuple[frozenset[str], set[str]]] = {}
        """Of each camera: the holds that counted, and the segments that they were found to keep as they are."""

    async def run(self) -> None:
        """Erase for ever."""
        while True:
            await self.erase_expired()
            for _ in range(round(ROUND_S / ROOM_CHECK_S)):
                await self._clock.sleep(ROOM_CHECK_S)
                await self.make_room()

    async def erase_expired(self) -> int:
        """One round; the number of segments erased, those that were cut included."""
        if not self._trusted():
            return 0
        erased = 0
        try:
            folder, index = self._store.settings.folder, self._store.index
            await self._store.change(lambda: finish_erasing(folder, index))
            retentions = await self._store.retentions()
        except VmsError as refused:
            log.error(
                "erasure failed, and is tried again", folder=str(self._store.settings.folder), detail=str(refused)
            )
            return 0
        for camera_id, days in retentions.items():
            try:
                erased += await self._erase_camera(camera_id, days)
            except VmsError as refused:
                log.error("erasure failed, and is tried again", camera_id=camera_id, detail=refused.detail)
        return erased

    async def make_room(self) -> int:
        """Erase the oldest images early while the disk is about to fill, where that is allowed; how many segments."""
        if not self._early or not self._trusted():
            return 0
        try:
            if await self._lacks_room():
                return await self.erase_expired() + await self._erase_early()
        except (OSError, VmsError) as refused:
            log.error("no room could be made", folder=str(self._store.settings.folder), error=repr(refused))
        return 0

    async def _lacks_room(self) -> bool:
        """Whether the space will be gone before a few more looks at the pace since the last one."""
        free = await asyncio.to_thread(self._free, self._store.settings.folder)
        pace = max(0, (self._last_free_bytes or free) - free)
        self._last_free_bytes = free
        return free < self._wanted_bytes + pace * _CHECKS_AHEAD

    @property
    def _wanted_bytes(self) -> int:
        minimum = self._store.settings.min_free_bytes
        return minimum + minimum // 2

    async def _erase_early(self) -> int:
        erased = after = 0
        minimums = await self._store.ask(minimum_days)
        while (lacking := await self._lacking_bytes()) > 0 and self._trusted():
            began_ns = self._clock.monotonic_ns()
            oldest = await self._first_recorded(after)
            if not oldest:
                if not self._exhausted:
                    log.error("disk full, and nothing may be erased before its days are over", erased=erased)
                self._exhausted = True
                break
            self._exhausted = False
            wanted: list[StoredSegment] = []
            for number, segment in oldest:
                if lacking > 0:
                    after = number
                    wanted.append(segment)
                    lacking -= segment.size_bytes
            for early in purgeable_early(wanted, minimums, self._clock.utc_ns(), await self._custody.holds()):
                await self._store.remove(early)
                erased += len(early.segments)
            await self._pause(began_ns, 1)
        if erased:
            log.warning("disk full: images erased before their days were over", segments=erased)
        return erased

    async def _lacking_bytes(self) -> int:
        return self._wanted_bytes - await asyncio.to_thread(self._free, self._store.settings.folder)

    async def _first_recorded(self, after: int) -> list[tuple[int, StoredSegment]]:
        now_ns = self._clock.utc_ns()
        return await self._store.ask(
            lambda index: first_recorded(index, EARLY_STEP_SEGMENTS, after, now_ns, now_ns - YOUNGEST_NS)
        )

    async def _erase_camera(self, camera_id: str, days: int | None) -> int:
        erased = after_ns = 0
        while self._trusted():
            began_ns = self._clock.monotonic_ns()
            now_ns = self._clock.utc_ns()
            before_ns = now_ns - retention_ns(days)
            oldest = await self._store.expired(camera_id, before_ns + 1, STEP_SEGMENTS, after_ns)
            if not oldest:
                break
            holds = await self._custody.holds(camera_id)
            expired = purgeable(camera_id, oldest, days, now_ns, holds)
            if expired is not None:
                await self._store.remove(expired)
                erased += len(expired.segments)
            gone = set(expired.segments) if expired is not None else set()
            for segment in oldest:
                if segment not in gone:
                    erased += await self._reduce(segment, days, holds)
            after_ns = oldest[-1].start_ns
            await self._pause(began_ns, PAUSE_FACTOR)
        if erased:
            await self._forget_gaps(camera_id, days)
        return erased

    async def _reduce(self, segment: StoredSegment, days: int | None, holds: tuple[Hold, ...]) -> int:
        """Take from a segment what no hold keeps; 1 when something went."""
        now_ns = self._clock.utc_ns()
        counting = frozenset(hold.hold_id for hold in holds if hold.in_force(now_ns))
        known, settled = self._settled.get(segment.camera_id, (frozenset(), set()))
        if known != counting:
            known, settled = self._settled[segment.camera_id] = counting, set()
        if segment.segment_id in settled:
            return 0
        try:
            decision = reduced(segment, await self._custody.groups(segment), days, now_ns, holds)
            match decision:
                case Purgeable():
                    await self._store.remove(decision)
                case Trimmable():
                    settled |= {part.segment_id for part in await self._custody.trim(decision)}
                case None:
                    settled.add(segment.segment_id)
        except VmsError as refused:
            log.error("held segment stays whole for now", segment_id=segment.segment_id, detail=refused.detail)
            return 0
        return int(decision is not None)

    async def _pause(self, began_ns: int, factor: int) -> None:
        """Leave the disk to what is recorded, the longer the more it has to do: a step took since `began_ns`."""
        took_s = (self._clock.monotonic_ns() - began_ns) / NS_PER_SECOND
        await self._clock.sleep(max(STEP_PAUSE_S, factor * took_s))

    async def _forget_gaps(self, camera_id: str, days: int | None) -> None:
        """Drop the gaps that explain images that nobody may have any more; those about held ones stay."""
        now_ns = self._clock.utc_ns()
        holds = await self._custody.holds(camera_id)
        starts = [hold.start_ns for hold in holds if hold.in_force(now_ns)]
        await self._store.forget_gaps(camera_id, min([now_ns - retention_ns(days), *starts]))
