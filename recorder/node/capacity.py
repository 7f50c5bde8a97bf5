"""What the disks of a shard can promise, kept up to date, and told to the access log when it changes (LAW-08).

The index is walked once a day; free space is looked at every few minutes. One event for each change of state of a disk,
also across restarts: the state that was last told is in the shard's folder.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from access_audit.events import AccessEvent, EventKind
from recorder.contract.capacity import CapacityState, DiskCapacity
from recorder.node.journal import RECORDING_REASON, ShardJournal
from recorder.retention.capacity import DAY_NS, dead, forecast
from recorder.retention.measuring import Contents, contents, use_of
from recorder.store.disks import Disks
from recorder.store.store import SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock, utc_text
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

FILE_NAME: Final = "capacity.json"
CHECK_S: Final = 300.0
FIRST_CHECK_S: Final = 20.0
WALK_AGAIN_NS: Final = DAY_NS
ANSWER_S: Final = 60.0
YOUNG_NS: Final = 2 * 3_600 * NS_PER_SECOND
"""A disk whose recordings are younger is walked again at each look: its pace is not settled yet."""

YOUNG_LOOK_NS: Final = 10 * NS_PER_SECOND
"""How old its forecast may be when somebody asks."""


class CapacityReports:
    """The forecasts of a shard's disks. `run` until it is cancelled."""

    def __init__(self, folder: Path, disks: Disks, journal: ShardJournal, clock: Clock) -> None:
        self._file = folder / FILE_NAME
        self._disks = disks
        self._journal = journal
        self._clock = clock
        self._walked: dict[str, tuple[int, Contents]] = {}
        self._told: dict[str, str] = {}
        self._latest: list[DiskCapacity] = []
        self._looked_ns = 0

    async def run(self) -> None:
        """Look again and again, and tell what changed."""
        await self.load()
        await self._clock.sleep(FIRST_CHECK_S)
        while True:
            await self.look()
            await self._clock.sleep(CHECK_S)

    async def load(self) -> None:
        """Take up what the last run of the shard has told."""
        self._told = await asyncio.to_thread(self._read)

    async def look(self) -> list[DiskCapacity]:
        """The forecast of every disk, dead ones included; a change of state is told."""
        disks = self._latest = await self.disks()
        for disk in disks:
            await self._tell(disk)
        return disks

    async def latest(self) -> list[DiskCapacity]:
        """The forecasts of the last look; made now when there was none yet, or a disk's pace is not settled yet."""
        now_ns = self._clock.utc_ns()
        young = any(_young(known, now_ns) for _, known in self._walked.values())
        if not self._latest or (young and not 0 <= now_ns - self._looked_ns < YOUNG_LOOK_NS):
            self._looked_ns = now_ns
            self._latest = await self.disks()
        return self._latest

    async def disks(self) -> list[DiskCapacity]:
        """The forecast of every disk, dead ones included."""
        readable = {state.folder for state in self._disks.states() if state.readable}
        stores = {store.settings.folder: store for store in self._disks.stores}
        found = []
        for state in self._disks.states():
            store = stores.get(state.folder)
            if store is None or state.folder not in readable:
                found.append(dead(state.folder.name))
                continue
            try:
                async with asyncio.timeout(ANSWER_S):
                    found.append(await self._forecast(store))
            except (VmsError, TimeoutError) as refused:
                log.warning("a disk does not tell its capacity", folder=str(state.folder), error=repr(refused))
                found.append(dead(state.folder.name))
        return found

    async def _forecast(self, store: SegmentStore) -> DiskCapacity:
        now_ns = self._clock.utc_ns()
        walked_ns, known = await self._contents(store, now_ns)
        pace = sum(load.bytes_per_day for load in known.loads)
        # What was written since then and what was erased since then are not counted anew before the next walk.
        recorded = known.recorded_bytes + (0 if _settled(known, now_ns) else pace * (now_ns - walked_ns) // DAY_NS)
        return forecast(await use_of(store, recorded, now_ns), known.loads, now_ns)

    async def _contents(self, store: SegmentStore, now_ns: int) -> tuple[int, Contents]:
        name = str(store.settings.folder)
        known = self._walked.get(name)
        if known is None or now_ns - known[0] >= WALK_AGAIN_NS or now_ns < known[0] or _young(known[1], now_ns):
            known = self._walked[name] = now_ns, await store.ask(lambda index: contents(index, now_ns))
        return known

    async def _tell(self, disk: DiskCapacity) -> None:
        told = self._told.get(disk.name, CapacityState.ENOUGH.value)
        if told == disk.state:
            return
        if disk.state is not CapacityState.ENOUGH:
            forced = None if disk.forced_at_ns is None else utc_text(disk.forced_at_ns)
            log.warning("disk cannot promise its retention", disk=disk.name, state=disk.state, forced_at=forced)
        event = AccessEvent(
            EventKind.RECORDING_CAPACITY_CHANGED,
            self._journal.author,
            self._clock.utc_ns(),
            RECORDING_REASON,
            details={
                "disk": disk.name[:120],
                "state": disk.state.value,
                "required_days": f"{disk.required_days:.1f}",
                "reached_days": f"{disk.reached_days:.1f}",
                "forced_at": "" if disk.forced_at_ns is None else utc_text(disk.forced_at_ns),
            },
        )
        await self._journal.keep(event)
        self._told[disk.name] = disk.state.value
        await asyncio.to_thread(durable.write_atomic, self._file, json.dumps(self._told).encode())

    def _read(self) -> dict[str, str]:
        try:
            return {str(name): str(state) for name, state in json.loads(self._file.read_bytes()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as unreadable:
            log.error("capacity state cannot be read", path=str(self._file), error=repr(unreadable))
            return {}


def _settled(known: Contents, now_ns: int) -> bool:
    """Whether every camera erases as much as it writes."""
    return all(now_ns - load.oldest_ns >= load.retention_days * DAY_NS for load in known.loads)


def _young(known: Contents, now_ns: int) -> bool:
    oldest: Sequence[int] = [load.oldest_ns for load in known.loads]
    return now_ns - min(oldest, default=now_ns) < YOUNG_NS
