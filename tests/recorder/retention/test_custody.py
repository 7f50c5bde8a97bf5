"""What is held stays, to a group of pictures and to the byte; everything else goes in its time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recorder.retention.custody import Custody
from recorder.retention.eraser import Eraser
from recorder.retention.purgeable import purgeable
from recorder.store.fsck import examine
from recorder.store.groups import read_groups
from recorder.store.index import Index
from recorder.store.rebuild import move_aside, rebuild
from recorder.store.segment import TRIM_FOLDER
from tests.recorder.retention.held import DAY_S, hold_of, samples_of, through_pauses
from tests.recorder.store.recordings import (
    B_FRAMES_FILE,
    CAMERA,
    FOREVER_NS,
    MAIN_FILE,
    open_store,
    pictures,
    record_seconds,
)
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError


@pytest.mark.parametrize("film", [MAIN_FILE, B_FRAMES_FILE], ids=["in order", "reordered"])
async def test_a_held_part_of_a_segment_outlives_the_rest_byte_for_byte(tmp_path: Path, film: Path):
    """LAW-06, LAW-10: from the key frame at or before its start to the end of the group of its end, nothing else."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 20, path=film)
        await record_seconds(store, CAMERA, 20, path=film, start_ns=clock.utc_ns(), run=2)
        await clock.advance(20)
        first, second = await store.segments_between(CAMERA, 0, FOREVER_NS)
        groups = (await asyncio.to_thread(read_groups, tmp_path / first.file, first.start_ns)).groups
        assert len(groups) >= 4
        middle = hold_of(groups[1].start_ns + 40_000_000, groups[2].start_ns + 60_000_000, clock.utc_ns())
        before = samples_of(tmp_path, first)
        custody = Custody(store)
        await custody.place(middle)
        held = await custody.held_range(middle)
        clock.step_utc(DAY_S + 60)
        assert await through_pauses(clock, Eraser(store, clock).erase_expired()) == 2
        (part,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        kept = samples_of(tmp_path, part)
        assert (await asyncio.to_thread(examine, tmp_path)).findings == ()
        assert list((tmp_path / TRIM_FOLDER).iterdir()) == []
        assert await through_pauses(clock, Eraser(store, clock).erase_expired()) == 0
    assert part.chain_digest == first.digest
    assert part.previous_digest == first.previous_digest
    wanted = [one for one in before if held.held_start_ns <= one[0] < held.held_end_ns]
    assert [data for _, data in kept] == [data for _, data in wanted]
    assert max(abs(ours[0] - theirs[0]) for ours, theirs in zip(kept, wanted, strict=True)) <= 2
    assert held.held_start_ns <= middle.start_ns
    assert held.held_end_ns >= middle.end_ns
    assert held.held_end_ns - held.held_start_ns < (first.end_ns - first.start_ns) / 2
    assert await asyncio.to_thread(pictures, tmp_path) == len(kept)
    assert second.segment_id != part.segment_id


async def test_two_holds_in_one_segment_leave_two_parts_and_the_release_of_one_leaves_one(tmp_path: Path):
    """LAW-10: what is released goes with the next round, once its days are over."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 24)
        (whole,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        custody = Custody(store)
        early = hold_of(whole.start_ns, whole.start_ns + 1, clock.utc_ns(), number=1)
        late = hold_of(whole.end_ns - 1_000_000, whole.end_ns, clock.utc_ns(), number=2)
        for hold in (early, late):
            await custody.place(hold)
        clock.step_utc(DAY_S + 60)
        eraser = Eraser(store, clock)
        assert await through_pauses(clock, eraser.erase_expired()) == 1
        parts = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert [part.start_ns for part in parts] == [whole.start_ns, parts[1].start_ns]
        assert parts[0].end_ns < parts[1].start_ns < parts[1].end_ns
        assert {part.chain_digest for part in parts} == {whole.digest}
        await custody.forget([early.hold_id])
        assert await through_pauses(clock, eraser.erase_expired()) == 1
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == [parts[1]]
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


async def test_a_hold_past_its_end_purges_by_itself_also_of_a_camera_that_left(tmp_path: Path):
    """LAW-06, LAW-10: nobody has to do anything, and a restart in between changes nothing."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 8, segment_seconds=2)
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
        await Custody(store).place(hold_of(segments[1].start_ns, segments[2].end_ns, clock.utc_ns(), days=40))
    clock.step_utc(35 * DAY_S)
    async with open_store(tmp_path, clock) as store:
        await through_pauses(clock, Eraser(store, clock).erase_expired())
        left = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert {one.segment_id for one in segments[1:3]} <= {one.segment_id for one in left}
        assert (await asyncio.to_thread(examine, tmp_path)).findings == ()
        clock.step_utc(5 * DAY_S - 3_600)
        assert await through_pauses(clock, Eraser(store, clock).erase_expired()) == 0
        clock.step_utc(3_600)
        assert await through_pauses(clock, Eraser(store, clock).erase_expired()) == len(left)
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == []
    assert not list((tmp_path / "media").rglob("*.mp4"))


async def test_a_hold_that_comes_between_the_decision_and_the_erasure_is_honoured(tmp_path: Path):
    """LAW-10, S3."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, CAMERA, 4)
        (segment,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        decided = purgeable(CAMERA, [segment], 1, clock.utc_ns() + 2 * DAY_S * NS_PER_SECOND, ())
        assert decided is not None
        await Custody(store).place(hold_of(segment.start_ns, segment.end_ns, clock.utc_ns()))
        with pytest.raises(VmsError) as refused:
            await store.remove(decided)
        assert refused.value.code == "store.held"
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == [segment]


async def test_thousands_of_held_segments_do_not_stand_in_the_way_of_erasure(tmp_path: Path):
    """Held images are the oldest ones: what comes after them is erased all the same."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 160, segment_seconds=2)
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert len(segments) > 70
        boundary = segments[-4].start_ns
        await Custody(store).place(hold_of(segments[0].start_ns, boundary - 3 * NS_PER_SECOND, clock.utc_ns()))
        clock.step_utc(DAY_S + 200)
        await through_pauses(clock, Eraser(store, clock).erase_expired())
        left = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert 0 < len(left) < len(segments)
    assert left[0] == segments[0]
    assert segments[-1] not in left


async def test_a_held_segment_that_cannot_be_read_stays_whole(tmp_path: Path):
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 8)
        (segment,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        await Custody(store).place(hold_of(segment.start_ns, segment.start_ns + 10, clock.utc_ns()))
        await asyncio.to_thread((tmp_path / segment.file).write_bytes, b"\0\0\0\10junk")
        clock.step_utc(DAY_S + 60)
        assert await through_pauses(clock, Eraser(store, clock).erase_expired()) == 0
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == [segment]


async def test_fsck_says_when_less_is_held_than_was_promised(tmp_path: Path):
    """LAW-10, S3."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, CAMERA, 8, segment_seconds=2)
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
        hold = hold_of(segments[0].start_ns, segments[-1].end_ns, clock.utc_ns(), days=1)
        await Custody(store).place(hold)
        assert (await asyncio.to_thread(examine, tmp_path)).findings == ()
        await store.disk.run(lambda: store.index.discard([segments[1]]))
    kinds = {finding.kind for finding in (await asyncio.to_thread(examine, tmp_path)).findings}
    assert kinds == {"missing_held"}
    over = await asyncio.to_thread(lambda: examine(tmp_path, utc_ns=hold.expires_at_ns))
    assert "missing_held" not in {finding.kind for finding in over.findings}


async def test_holds_and_parts_survive_an_index_that_is_made_anew(tmp_path: Path):
    """LAW-10, LAW-40: a part says in its own file which whole it is of."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 20)
        (whole,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        hold = hold_of(whole.start_ns, whole.start_ns + 10, clock.utc_ns())
        await Custody(store).place(hold)
        clock.step_utc(DAY_S + 60)
        await through_pauses(clock, Eraser(store, clock).erase_expired())
        (part,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
    await asyncio.to_thread(_make_the_index_anew, tmp_path, clock)
    async with open_store(tmp_path, clock) as store:
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == [part]
        assert await Custody(store).holds() == (hold,)
    assert part.chain_digest == whole.digest


def _make_the_index_anew(folder: Path, clock: ManualClock) -> None:
    aside = move_aside(folder, clock.utc_ns())
    index = Index(folder)
    rebuild(folder, index, aside)
    index.close()
