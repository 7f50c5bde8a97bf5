"""What a shard does so that nothing is kept too long, and nothing that is held is lost.

Rules
1. A disk is brought in line with the holds before anything is erased on it (see `custody`).
2. One guard watches the clock for all disks; while it doubts, nothing is erased on any of them.
3. What erasure must know of a camera (its days, its minimum, its commune) is on every disk, so that it outlives the
   assignment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from access_audit.events import AccessEvent, EventKind
from recorder.contract.assignment import CameraAssignment
from recorder.node.capacity import CapacityReports
from recorder.node.custody import ShardHolds
from recorder.node.erasure import ErasureReports
from recorder.node.journal import RECORDING_REASON, ShardJournal
from recorder.retention.clock_guard import Change, ClockGuard, kernel_synchronised
from recorder.retention.eraser import Eraser
from recorder.store.disks import Disks
from recorder.store.store import SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock

log = structlog.get_logger(__name__)

CLOCK_FILE: Final = "clock.json"
UPKEEP_S: Final = 60.0
KEEP_CLOCK_NS: Final = 300 * NS_PER_SECOND


class ShardRetention:
    """Erasure, holds and capacity of one shard. `start` once, before the first assignment."""

    def __init__(
        self,
        folder: Path,
        disks: Disks,
        journal: ShardJournal,
        clock: Clock,
        *,
        early: bool,
        synchronised: Callable[[], bool] = kernel_synchronised,
    ) -> None:
        self.holds = ShardHolds(folder, disks, clock)
        self.capacity = CapacityReports(folder, disks, journal, clock)
        self.erasures = ErasureReports(disks, journal, clock)
        self._clock_file = folder / CLOCK_FILE
        self._disks = disks
        self._journal = journal
        self._clock = clock
        self._early = early
        self._synchronised = synchronised
        self._guard: ClockGuard | None = None
        self._kept_ns = 0
        self._cameras: dict[str, tuple[int, str]] = {}

    async def start(self) -> None:
        """Take up holds and clock, then erase from every disk for as long as it is there."""
        await self.holds.load()
        newest_ns = [end_ns for store in self._disks.stores for end_ns, _, _ in store.newest.values()]
        seen_ns = max([await asyncio.to_thread(self._read_clock), *newest_ns])
        self._guard = ClockGuard(self._clock, seen_ns, self._tell_clock, self._synchronised)
        self._disks.beside("erasure", self._erase)

    @property
    def works(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """What runs beside it, each for ever."""
        return (("retention", self._upkeep), ("erasure reports", self.erasures.run), ("capacity", self.capacity.run))

    def assigned(self, assignments: Sequence[CameraAssignment]) -> None:
        """Keep on every disk what erasure must know of these cameras. Never waits."""
        for assignment in assignments:
            days = assignment.authorisation.retention_days
            self._disks.set_retention(assignment.camera_id, days)
            described = assignment.authorisation.minimum_days, assignment.commune
            if self._cameras.get(assignment.camera_id) == described:
                continue
            self._cameras[assignment.camera_id] = described
            for store in self._disks.stores:
                _describe(store, assignment.camera_id, *described)

    def confirm_clock(self) -> None:
        """An administrator says that the wall clock is right."""
        if self._guard is not None:
            self._guard.confirm()

    def _trusted(self) -> bool:
        return self._guard is not None and self._guard.trusted()

    async def _erase(self, store: SegmentStore) -> None:
        await self.holds.bring_in_line(store)
        for camera_id, described in self._cameras.items():
            _describe(store, camera_id, *described)
        await Eraser(store, self._clock, trusted=self._trusted, early=self._early).run()

    async def _upkeep(self) -> None:
        while True:
            if self._trusted():
                await self._keep_clock()
                await self.holds.forget_those_that_are_over()
            await self._clock.sleep(UPKEEP_S)

    async def _keep_clock(self) -> None:
        assert self._guard is not None
        seen_ns = self._guard.trusted_ns
        if abs(seen_ns - self._kept_ns) >= KEEP_CLOCK_NS:
            content = json.dumps({"seen_ns": seen_ns}).encode()
            await asyncio.to_thread(durable.write_atomic, self._clock_file, content)
            self._kept_ns = seen_ns

    def _read_clock(self) -> int:
        try:
            return int(json.loads(self._clock_file.read_bytes())["seen_ns"])
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, KeyError, TypeError) as unreadable:
            log.error("what was last seen of the clock cannot be read", error=repr(unreadable))
            return 0

    def _tell_clock(self, change: Change) -> None:
        leap_s = change.leap_ns // NS_PER_SECOND
        if change.trusted:
            log.warning("clock believed again: erasure goes on", why=change.verdict, leap_s=leap_s)
        else:
            log.error("clock in doubt: nothing is erased until it is confirmed", leap_s=leap_s)
        self._journal.put(
            AccessEvent(
                EventKind.RECORDING_CLOCK_DOUBTED,
                self._journal.author,
                self._clock.utc_ns(),
                RECORDING_REASON,
                details={"state": change.verdict.value, "leap_s": str(leap_s)},
            )
        )


def _describe(store: SegmentStore, camera_id: str, minimum_days: int, commune: str) -> None:
    if not store.disk.put(lambda: store.index.describe_camera(camera_id, minimum_days, commune)):
        log.error("a camera cannot be described on a disk", camera_id=camera_id, folder=str(store.settings.folder))
