"""LAW-08: real against required retention, and the day on which a disk would force a choice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from recorder.contract.capacity import CapacityState
from recorder.retention.capacity import DAY_NS, CameraLoad, DiskUse, forecast
from recorder.retention.measuring import contents, use_of
from tests.recorder.store.recordings import CAMERA, open_store, record_seconds
from vms.base.clock import ManualClock

NOW_NS = 100 * DAY_NS
GB = 1_000_000_000


def load(gigabytes_per_day: float, days: int, age_days: float = 0.0) -> CameraLoad:
    return CameraLoad(round(gigabytes_per_day * GB), days, NOW_NS - round(age_days * DAY_NS))


def disk(free_gb: float, recorded_gb: float = 0, held_gb: float = 0, reserve_gb: float = 0) -> DiskUse:
    sizes = (round(size * GB) for size in (free_gb + recorded_gb, free_gb, reserve_gb, recorded_gb, held_gb))
    return DiskUse("d1", *sizes)


def test_a_disk_with_room_for_all_days_is_enough_and_never_forced():
    found = forecast(disk(1_300), [load(43, 10), load(43, 10)], NOW_NS)
    assert (found.state, found.forced_at_ns, found.required_days) == (CapacityState.ENOUGH, None, 10.0)
    assert round(found.reached_days, 1) == 15.1


def test_a_disk_that_is_too_small_says_so_on_its_first_day_with_the_day_of_the_choice():
    """Ten cameras of 43 GB a day and thirty days on a disk of 4 TB: it lasts nine days and a third."""
    found = forecast(disk(4_000), [load(43, 30) for _ in range(10)], NOW_NS)
    assert found.state is CapacityState.SHORT
    assert found.forced_at_ns is not None
    assert round((found.forced_at_ns - NOW_NS) / DAY_NS, 1) == 9.3
    assert round(found.reached_days, 1) == 9.3


def test_a_disk_with_little_to_spare_is_tight():
    found = forecast(disk(450), [load(43, 10)], NOW_NS)
    assert (found.state, found.forced_at_ns) == (CapacityState.TIGHT, None)


def test_a_camera_of_few_days_makes_room_for_one_of_many():
    """The first erases from its tenth day on; what both need at most fits, so nothing is ever forced."""
    loads = [load(10, 10, age_days=8), load(10, 30, age_days=8)]
    found = forecast(disk(free_gb=250, recorded_gb=160), loads, NOW_NS)
    assert found.forced_at_ns is None
    assert forecast(disk(free_gb=230, recorded_gb=160), loads, NOW_NS).forced_at_ns is not None


def test_held_images_make_no_room():
    """LAW-10."""
    free = forecast(disk(free_gb=0, recorded_gb=430), [load(43, 10, age_days=10)], NOW_NS)
    held = forecast(disk(free_gb=0, recorded_gb=430, held_gb=86), [load(43, 10, age_days=10)], NOW_NS)
    assert free.reached_days == 10.0
    assert held.reached_days == 8.0
    assert held.state is CapacityState.SHORT


def test_an_empty_disk_promises_everything():
    found = forecast(disk(10), [], NOW_NS)
    assert (found.state, found.forced_at_ns, found.bytes_per_day) == (CapacityState.ENOUGH, None, 0)


@given(
    some.floats(0, 5_000),
    some.lists(some.tuples(some.floats(0.1, 50), some.integers(1, 30), some.floats(0, 30)), min_size=1, max_size=8),
)
def test_a_disk_is_forced_exactly_when_it_fills_day_by_day(free_gb: float, cameras: list[tuple[float, int, float]]):
    """The forecast against a walk in small steps."""
    loads = [load(pace, days, min(age, days)) for pace, days, age in cameras]
    found = forecast(disk(free_gb), loads, NOW_NS)
    step = 1 / 48
    room, day = free_gb, 0.0
    while room > 0 and day < 31:
        growing = [one for one in cameras if min(one[2], one[1]) + day < one[1]]
        room -= sum(pace for pace, _, _ in growing) * step
        day += step
    slack = sum(pace for pace, _, _ in cameras) * step * 2
    if found.forced_at_ns is None:
        assert room > -slack
    else:
        assert room < slack
        assert abs((found.forced_at_ns - NOW_NS) / DAY_NS - day) < 31
    assert 0 <= found.reached_days <= 366


async def test_the_pace_of_a_camera_is_measured_from_what_was_recorded(tmp_path: Path):
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 12)
        for hours in (6, 3, 0):
            end_ns = clock.utc_ns() - hours * 3_600 * 1_000_000_000
            await record_seconds(store, CAMERA, 4, start_ns=end_ns - 4_000_000_000)
        now_ns = clock.utc_ns()
        found = await store.ask(lambda index: contents(index, now_ns))
        use = await use_of(store, found.recorded_bytes, now_ns)
        on_disk = await asyncio.to_thread(
            lambda: sum(path.stat().st_size for path in (tmp_path / "media").rglob("*.mp4"))
        )
    (camera,) = found.loads
    assert found.recorded_bytes == on_disk == use.recorded_bytes
    assert camera.retention_days == 12
    assert abs(camera.bytes_per_day - on_disk * 4) < on_disk * 0.01
    assert use.held_bytes == 0
    assert use.total_bytes > use.free_bytes > 0
