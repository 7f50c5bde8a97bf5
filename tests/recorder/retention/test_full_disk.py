"""LAW-08: what a disk that fills up may take, in which order, and what it may never take."""

from __future__ import annotations

from pathlib import Path

from recorder.retention.custody import Custody
from recorder.retention.eraser import Eraser
from recorder.retention.purgeable import ErasureCause
from recorder.store.erasures import erased_in, untold_hours
from recorder.store.store import SegmentStore
from tests.recorder.retention.held import DAY_S, hold_of, through_pauses
from tests.recorder.store.recordings import FOREVER_NS, open_store, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock

OLD, HELD, YOUNG, PROMISED = (f"cam-{number:026d}" for number in range(1, 5))


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "media").rglob("*.mp4"))


class Disk:
    """A disk of so many bytes, as far as its segments fill it."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def free(self, folder: Path) -> int:
        return self.size_bytes - used(folder)


async def recorded(store: SegmentStore, camera_id: str, hours_ago: int) -> None:
    start_ns = store.clock.utc_ns() - hours_ago * 3_600 * NS_PER_SECOND
    await record_seconds(store, camera_id, 8, segment_seconds=2, start_ns=start_ns)


async def causes(store: SegmentStore) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for camera_id, hour_ns in await store.ask(untold_hours):
        gone = await store.ask(lambda index: erased_in(index, camera_id, hour_ns))  # noqa: B023 - asked at once
        found.setdefault(camera_id, set()).update(one.cause for one in gone)
    return found


async def filled(store: SegmentStore) -> dict[str, int]:
    """Four cameras: one of long ago, one held, one of now, and one whose minimum is three days. Segments of each."""
    for camera_id, hours_ago in ((PROMISED, 60), (HELD, 50), (OLD, 40), (YOUNG, 2)):
        store.set_retention(camera_id, 30)
        await recorded(store, camera_id, hours_ago)
    await store.change(lambda: store.index.describe_camera(PROMISED, 3, "27229"))
    held = await store.segments_between(HELD, 0, FOREVER_NS)
    await Custody(store).place(hold_of(held[0].start_ns, held[-1].end_ns, store.clock.utc_ns(), camera_id=HELD))
    return await counts(store)


async def counts(store: SegmentStore) -> dict[str, int]:
    cameras = (OLD, HELD, YOUNG, PROMISED)
    return {camera_id: len(await store.segments_between(camera_id, 0, FOREVER_NS)) for camera_id in cameras}


async def test_the_oldest_images_above_their_minimum_go_first_and_a_held_one_never(tmp_path: Path):
    """LAW-08, LAW-10."""
    clock = ManualClock()
    async with open_store(tmp_path, clock, min_free_bytes=1_000_000) as store:
        before = await filled(store)
        disk = Disk(used(tmp_path) + 1_400_000)
        await through_pauses(clock, Eraser(store, clock, early=True, free=disk.free).make_room())
        after = await counts(store)
        assert await causes(store) == {OLD: {ErasureCause.DISK_FULL}}
        assert after == {**before, OLD: after[OLD]}
        assert after[OLD] < before[OLD]
        assert disk.free(tmp_path) >= 1_500_000


async def test_under_all_pressure_only_what_is_held_and_what_is_promised_stays(tmp_path: Path):
    """LAW-08, LAW-10, S3: then recording stops, and nothing of it goes."""
    clock = ManualClock()
    async with open_store(tmp_path, clock, min_free_bytes=1_000_000) as store:
        before = await filled(store)
        eraser = Eraser(store, clock, early=True, free=lambda _: 0)
        for _ in range(3):
            await through_pauses(clock, eraser.make_room())
        assert await counts(store) == {OLD: 0, YOUNG: 0, HELD: before[HELD], PROMISED: before[PROMISED]}


async def test_what_is_over_its_days_makes_room_before_anything_goes_early(tmp_path: Path):
    """LAW-06, LAW-08."""
    clock = ManualClock()
    async with open_store(tmp_path, clock, min_free_bytes=1_000_000) as store:
        before = await filled(store)
        store.set_retention(YOUNG, 1)
        clock.step_utc(DAY_S)
        disk = Disk(used(tmp_path) + 1_400_000)
        await through_pauses(clock, Eraser(store, clock, early=True, free=disk.free).make_room())
        assert await causes(store) == {YOUNG: {ErasureCause.RETENTION}}
        assert await counts(store) == {**before, YOUNG: 0}


async def test_where_the_settings_say_stop_nothing_goes_early(tmp_path: Path):
    """LAW-08."""
    clock = ManualClock()
    async with open_store(tmp_path, clock, min_free_bytes=1_000_000) as store:
        before = await filled(store)
        assert await through_pauses(clock, Eraser(store, clock, free=lambda _: 0).make_room()) == 0
        assert await counts(store) == before


async def test_a_disk_that_fills_quickly_is_given_room_before_recording_stops(tmp_path: Path):
    """LAW-08: room is made above the reserve, and earlier the faster the disk fills."""
    clock = ManualClock()
    async with open_store(tmp_path, clock, min_free_bytes=1_000_000) as store:
        before = await filled(store)
        disk = Disk(used(tmp_path) + 4_000_000)
        eraser = Eraser(store, clock, early=True, free=disk.free)
        assert await through_pauses(clock, eraser.make_room()) == 0
        disk.size_bytes -= 1_000_000
        await through_pauses(clock, eraser.make_room())
        assert disk.free(tmp_path) >= 3_000_000
        assert await counts(store) == before
        disk.size_bytes -= 1_600_000
        assert await through_pauses(clock, eraser.make_room()) > 0


async def test_the_last_hour_is_never_taken(tmp_path: Path):
    """LAW-08: a disk that has no room for an hour stops recording instead of erasing what it records."""
    clock = ManualClock()
    async with open_store(tmp_path, clock, min_free_bytes=1_000_000) as store:
        await record_seconds(store, YOUNG, 8, segment_seconds=2)
        before = len(await store.segments_between(YOUNG, 0, FOREVER_NS))
        eraser = Eraser(store, clock, early=True, free=lambda _: 0)
        assert await through_pauses(clock, eraser.make_room()) == 0
        clock.step_utc(3_600)
        assert await through_pauses(clock, eraser.make_room()) == before
