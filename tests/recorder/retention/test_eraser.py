from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.contract.timeline import GapCause
from recorder.retention.eraser import Eraser
from recorder.retention.purgeable import DAY_NS, ErasureCause, Purgeable, Trimmable, purgeable
from recorder.store.erasures import digest_over, erased_in, untold_hours
from recorder.store.fsck import examine
from recorder.store.sealing import HOUR_NS
from recorder.store.segment import StoredSegment
from tests.recorder.retention.held import through_pauses
from tests.recorder.store.recordings import FOREVER_NS, open_store, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock

CAMERA = "cam-00000000000000000000000001"


def segment(start_ns: int, **fields: object) -> StoredSegment:
    given = {
        "segment_id": "seg-00000000000000000000000001", "camera_id": CAMERA, "run": 1, "start_ns": start_ns,
        "end_ns": start_ns + 60 * NS_PER_SECOND, "size_bytes": 1, "digest": b"d", "previous_digest": b"",
        "video": None, "uncertainty_ms": 0, "time_source": "arrival",
    }  # fmt: skip
    return StoredSegment(**{**given, **fields})  # type: ignore[arg-type]


def test_the_first_image_of_a_segment_decides():
    """LAW-06: no image outlives its days."""
    one = segment(100 * DAY_NS)
    assert purgeable(CAMERA, [one], 10, 110 * DAY_NS - 1, ()) is None
    expired = purgeable(CAMERA, [one], 10, 110 * DAY_NS, ())
    assert expired is not None
    assert expired.segments == (one,)


@pytest.mark.parametrize("days", [None, 31, 365])
def test_nobody_can_keep_images_over_the_legal_month(days: int | None):
    """LAW-07, also when the node was told something else, or nothing."""
    assert purgeable(CAMERA, [segment(100 * DAY_NS)], days, 130 * DAY_NS, ()) is not None


def test_an_open_segment_and_one_of_another_camera_stay():
    one = segment(0)
    others = [replace(one, open=True), replace(one, camera_id="cam-00000000000000000000000002")]
    assert purgeable(CAMERA, others, 1, 100 * DAY_NS, ()) is None


def test_what_may_be_erased_is_not_made_by_hand():
    with pytest.raises(TypeError, match="not by hand"):
        Purgeable(CAMERA, (), ErasureCause.RETENTION, (), object())
    with pytest.raises(TypeError, match="not by hand"):
        Trimmable(segment(0), None, (), (), object())  # type: ignore[arg-type]


async def test_two_cameras_with_ten_and_thirty_days_are_erased_apart(tmp_path: Path):
    """LAW-06, LAW-07, LAW-09: each at its own time, with what is gone noted and nothing left on the disk."""
    clock = ManualClock()
    other = "cam-00000000000000000000000002"
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 10)
        store.set_retention(other, 30)
        store.record_gap(CAMERA, clock.utc_ns() - 60 * NS_PER_SECOND, GapCause.LINK, "timeout")
        for camera in (CAMERA, other):
            await record_seconds(store, camera, 8, segment_seconds=2)
        recorded = await store.segments_between(CAMERA, 0, FOREVER_NS)
        eraser = Eraser(store, clock)
        assert await through_pauses(clock, eraser.erase_expired()) == 0
        clock.step_utc(10 * 86_400 - 3_600)
        assert await through_pauses(clock, eraser.erase_expired()) == 0
        clock.step_utc(7_200)
        assert await through_pauses(clock, eraser.erase_expired()) == 4
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == []
        assert len(await store.segments_between(other, 0, FOREVER_NS)) == 4
        assert (await store.timeline(CAMERA, 0, FOREVER_NS)).gaps == ()
        hours = await store.ask(untold_hours)
        gone = [one for camera, hour in hours for one in await store.ask(lambda index: erased_in(index, camera, hour))]  # noqa: B023
    assert {camera for camera, _ in hours} == {CAMERA}
    assert [one.segment_id for one in gone] == [one.segment_id for one in recorded]
    assert all(hour % HOUR_NS == 0 for _, hour in hours)
    assert len(digest_over(gone)) == 64
    assert not list((tmp_path / "media" / CAMERA).rglob("*.mp4"))
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


async def test_what_a_disk_refused_to_unlink_goes_in_the_next_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """LAW-06: a file that nobody finds any more is still a byte on the disk."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 4, segment_seconds=2)
        clock.step_utc(86_400 + 60)
        eraser = Eraser(store, clock)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", _refuse)
            assert await through_pauses(clock, eraser.erase_expired()) == 0
        assert list((tmp_path / "media").rglob("*.mp4"))
        await through_pauses(clock, eraser.erase_expired())
    assert not list((tmp_path / "media").rglob("*.mp4"))


def _refuse(*_: object, **__: object) -> None:
    raise OSError(5, "Input/output error")
