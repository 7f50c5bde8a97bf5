"""Erasure, clock and capacity of a whole shard, as its folder and the access log have them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from access_audit.events import EventKind
from recorder.contract.capacity import CapacityState
from recorder.node.capacity import CapacityReports
from recorder.node.journal import ShardJournal
from recorder.node.retention import CLOCK_FILE, ShardRetention
from recorder.store.disks import Disks
from recorder.store.erasures import communes, minimum_days
from recorder.store.settings import StoreSettings
from tests.recorder.node.shards import Log, camera_assignment
from tests.recorder.retention.held import DAY_S
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock


class Bench:
    """A shard's retention without cameras around it."""

    def __init__(self, home: Path, disks: Disks, clock: ManualClock) -> None:
        self.disks = disks
        self.log = Log()
        self.synchronised = False
        self.journal = ShardJournal(self.log, "shard-0", clock)
        self.retention = ShardRetention(
            home, disks, self.journal, clock, early=False, synchronised=lambda: self.synchronised
        )

    async def told(self) -> list[tuple[EventKind, str]]:
        await self.journal.flush()
        return [(event.kind, event.details.get("state", "")) for event in self.log.events]


@contextlib.asynccontextmanager
async def bench(place: Path, clock: ManualClock, names: str = "a") -> AsyncIterator[Bench]:
    home = place / "home"
    home.mkdir(parents=True, exist_ok=True)
    disks = await Disks.open(home, [StoreSettings(place / name, min_free_bytes=0) for name in names], clock)
    tasks: list[asyncio.Task[None]] = []
    try:
        one = Bench(home, disks, clock)
        await one.retention.start()
        tasks = [asyncio.ensure_future(work()) for _, work in one.retention.works]
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await disks.close()


async def passing(clock: ManualClock, seconds: float) -> None:
    """Let time pass so slowly that threads keep up."""
    for _ in range(round(seconds / 5)):
        await clock.advance(5)
        await asyncio.sleep(0.01)


async def until_empty(one: Bench, clock: ManualClock) -> None:
    async with asyncio.timeout(20):
        while await one.disks.segments_between(CAMERA, 0, FOREVER_NS):
            await clock.advance(5)
            await asyncio.sleep(0.02)


async def test_after_a_restart_with_a_clock_a_week_ahead_nothing_goes_until_it_is_confirmed(tmp_path: Path):
    """LAW-06, LAW-08, LAW-25: the doubt and its end are in the log."""
    clock = ManualClock()
    async with bench(tmp_path, clock) as one:
        one.retention.assigned([camera_assignment("rtsp://127.0.0.1:9/main", camera_id=CAMERA)])
        one.disks.set_retention(CAMERA, 1)
        await record_seconds(one.disks.stores[0], CAMERA, 8, segment_seconds=2)
        await passing(clock, 10)
    seen_ns = json.loads(await asyncio.to_thread((tmp_path / "home" / CLOCK_FILE).read_text))["seen_ns"]
    assert 0 <= clock.utc_ns() - seen_ns <= 10 * NS_PER_SECOND
    clock.step_utc(7 * DAY_S)
    async with bench(tmp_path, clock) as one:
        await passing(clock, 120)
        assert await one.told() == [(EventKind.RECORDING_CLOCK_DOUBTED, "clock_leapt")]
        assert len(await one.disks.segments_between(CAMERA, 0, FOREVER_NS)) == 4
        one.retention.confirm_clock()
        await until_empty(one, clock)
        told = await one.told()
        assert told[:2] == [
            (EventKind.RECORDING_CLOCK_DOUBTED, "clock_leapt"),
            (EventKind.RECORDING_CLOCK_DOUBTED, "confirmed"),
        ]


async def test_erasure_goes_on_by_itself_for_a_camera_that_left_and_is_told_with_its_commune(tmp_path: Path):
    """LAW-06, LAW-09: cut off from the centre, after a restart without any assignment."""
    clock = ManualClock()
    async with bench(tmp_path, clock) as one:
        one.retention.assigned([camera_assignment("rtsp://127.0.0.1:9/main", camera_id=CAMERA)])
        one.disks.set_retention(CAMERA, 1)
        await record_seconds(one.disks.stores[0], CAMERA, 8, segment_seconds=2)
        assert await one.disks.stores[0].ask(minimum_days) == {CAMERA: 0}
    clock.step_utc(DAY_S - 60)
    async with bench(tmp_path, clock) as one:
        clock.step_utc(500)
        assert await one.disks.stores[0].ask(communes) == {CAMERA: "27229"}
        await until_empty(one, clock)
        await passing(clock, 60)
        (event,) = one.log.events
    assert (event.kind, event.camera_id, event.commune) == (EventKind.RECORDING_ERASED, CAMERA, "27229")
    assert event.details["seal"] == event.details["digest"]


async def test_a_change_of_a_disks_state_is_told_once_also_after_a_restart(tmp_path: Path):
    """LAW-08: days before the disk forces a choice."""
    clock = ManualClock()
    for expected in (["short"], ["enough", "short"]):
        async with bench(tmp_path, clock) as one:
            store = one.disks.stores[0]
            store.set_retention(CAMERA, 30)
            reports = CapacityReports(tmp_path / "home", one.disks, one.journal, clock)
            await reports.load()
            await record_seconds(store, CAMERA, 8, run=2)
            (first,) = await reports.look()
            assert first.state is CapacityState.ENOUGH
            store.settings = StoreSettings(store.settings.folder, min_free_bytes=first.free_bytes - 1_000_000)
            for _ in range(2):
                (disk,) = await reports.look()
            assert disk.state is CapacityState.SHORT
            assert disk.forced_at_ns is not None
            assert disk.forced_at_ns > clock.utc_ns()
            told = [state for kind, state in await one.told() if kind is EventKind.RECORDING_CAPACITY_CHANGED]
            clock.step_utc(60)
        assert told == expected


async def test_a_disk_that_is_away_is_dead_among_the_others(tmp_path: Path):
    """LAW-08."""
    clock = ManualClock()
    async with bench(tmp_path, clock, "ab"):
        pass
    await asyncio.to_thread((tmp_path / "b").rename, tmp_path / "elsewhere")
    await asyncio.to_thread((tmp_path / "b").write_text, "not mounted")
    async with bench(tmp_path, clock, "ab") as one:
        states = {disk.name: disk.state for disk in await one.retention.capacity.disks()}
        assert states == {"a": CapacityState.ENOUGH, "b": CapacityState.DEAD}
