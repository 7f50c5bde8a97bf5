from __future__ import annotations

import asyncio
import errno
import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest

from recorder.contract.timeline import GapCause
from recorder.recording import segmenter
from recorder.recording.segment_writer import CloseCause, SegmentWriter
from recorder.store.fsck import examine
from recorder.store.salvage import describe
from tests.recorder.store.recordings import (
    B_FRAMES_FILE,
    CAMERA,
    FOREVER_NS,
    dated,
    film,
    open_store,
    record_seconds,
)
from vms.base import durable
from vms.base.clock import NS_PER_MS, NS_PER_SECOND, ManualClock
from vms.media.fmp4 import NO_DIGEST, read_head, reader_of

START_NS = 1_767_225_600 * NS_PER_SECOND


def played(path: Path) -> tuple[int, list[int]]:
    """The pictures that a player decodes, and their presentation times in 90 kHz."""
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        times = [frame.pts for frame in container.decode(video=0)]
    return len(times), [time or 0 for time in times]


async def test_segments_begin_on_key_frames_and_play_in_any_player(tmp_path: Path):
    """LAW-12: one video track, nothing else."""
    async with open_store(tmp_path, ManualClock()) as store:
        await record_seconds(store, seconds=10, start_ns=START_NS, segment_seconds=4)
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert [round((one.end_ns - one.start_ns) / NS_PER_SECOND, 1) for one in segments] == [4.0, 4.0, 2.0]
    total = 0
    for one in segments:
        count, times = await asyncio.to_thread(played, tmp_path / one.file)
        assert times == sorted(times)
        total += count
    assert total == 125
    assert [after.start_ns - before.end_ns for before, after in pairwise(segments)] == [0, 0]


async def test_a_segment_says_of_itself_what_the_index_says(tmp_path: Path):
    """LAW-39, LAW-40: camera, run, start, trust and the digest of the one before it are in the file."""
    async with open_store(tmp_path, ManualClock()) as store:
        await record_seconds(store, seconds=4, start_ns=START_NS, segment_seconds=2, run=7)
        first, second = await store.segments_between(CAMERA, 0, FOREVER_NS)
    for one in (first, second):
        content = await asyncio.to_thread((tmp_path / one.file).read_bytes)
        header = read_head(reader_of(content), len(content)).header
        assert header is not None
        assert (header.camera_id, header.run, header.start_ns) == (CAMERA, 7, one.start_ns)
        assert header.place == "27229 Place de l'Essai"
        assert hashlib.sha256(content).digest() == one.digest
    assert first.previous_digest == NO_DIGEST
    assert second.previous_digest == first.digest


async def test_the_bytes_of_the_camera_pass_through_untouched(tmp_path: Path):
    """LAW-41: what is stored is what was sent."""
    async with open_store(tmp_path, ManualClock()) as store:
        await record_seconds(store, seconds=2, start_ns=START_NS)
        (one,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
    content = await asyncio.to_thread((tmp_path / one.file).read_bytes)
    for unit in film()[0][:25]:
        assert b"".join(unit.chunks) in content


async def test_reordered_pictures_play_in_their_order(tmp_path: Path):
    async with open_store(tmp_path, ManualClock()) as store:
        await record_seconds(store, seconds=4, start_ns=START_NS, path=B_FRAMES_FILE)
        (one,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
    count, times = await asyncio.to_thread(played, tmp_path / one.file)
    assert count >= 45
    assert times == sorted(set(times))


async def test_a_new_run_starts_a_new_segment_at_its_key_frame(tmp_path: Path):
    async with open_store(tmp_path, ManualClock()) as store:
        writer = SegmentWriter(store, CAMERA)
        writer.write(list(dated(START_NS, 3, run=1)))
        later = list(dated(START_NS + 10 * NS_PER_SECOND, 4, run=2))
        writer.write(later[5:])
        await writer.close()
        first, second = await store.segments_between(CAMERA, 0, FOREVER_NS)
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert (first.run, second.run) == (1, 2)
    assert second.start_ns == later[25].capture_utc_ns
    assert [gap.cause for gap in timeline.gaps] == [GapCause.RECORDER]


async def test_a_step_of_the_clock_between_key_frames_drops_nothing(tmp_path: Path):
    """Media time never drops footage: the units of the new run stay in the open segment until a key frame comes."""
    units = list(dated(START_NS, 6))
    for place, one in enumerate(units[40:], 40):
        stepped = replace(one.unit, rtp_timestamp=one.unit.rtp_timestamp + 10**9)
        later_ns = one.capture_utc_ns + 200 * NS_PER_MS
        units[place] = replace(one, unit=stepped, capture_utc_ns=later_ns, run=2, starts_run=place == 40)
    async with open_store(tmp_path, ManualClock()) as store:
        writer = SegmentWriter(store, CAMERA)
        writer.write(units)
        await writer.close()
        first, second = await store.segments_between(CAMERA, 0, FOREVER_NS)
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert (first.run, second.run) == (1, 2)
    assert second.start_ns == units[50].capture_utc_ns
    assert abs(first.end_ns - second.start_ns) < NS_PER_MS
    assert timeline.gaps == ()
    shown = [await asyncio.to_thread(played, tmp_path / one.file) for one in (first, second)]
    assert [count for count, _ in shown] == [50, len(units) - 50]


async def test_what_is_open_can_be_asked_for_while_it_grows(tmp_path: Path):
    async with open_store(tmp_path, ManualClock()) as store:
        writer = SegmentWriter(store, CAMERA)
        writer.write(list(dated(START_NS, 5)))
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
        (growing,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert growing.open
        assert timeline.spans[0].end_ns - START_NS >= 3 * NS_PER_SECOND
        count, _ = await asyncio.to_thread(played, tmp_path / growing.file)
        assert count >= 40
        await writer.close(CloseCause.STOPPING)


async def test_a_full_disk_closes_the_segment_says_so_and_recording_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """LAW-08: what is missing has its cause; what stands plays."""
    clock = ManualClock()
    async with open_store(tmp_path, clock) as store:
        writer = SegmentWriter(store, CAMERA)
        units = list(dated(START_NS, 20))
        writer.write(units[:50])
        await store.disk.run(lambda: None)
        with monkeypatch.context() as patch:
            patch.setattr(durable, "write_all", _refuse)
            writer.write(units[50:80])
            await store.disk.run(lambda: None)
        writer.write(units[80:100])
        await clock.advance(6)
        writer.write(units[100:])
        await writer.close()
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert len(segments) == 2
    assert (GapCause.DISK, "disk_full") in {(gap.cause, gap.detail) for gap in timeline.gaps}
    assert all(gap.end_ns is not None for gap in timeline.gaps)
    for one in segments:
        assert (await asyncio.to_thread(played, tmp_path / one.file))[0] > 20
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


def _refuse(_descriptor: int, _chunks: object) -> int:
    raise OSError(errno.ENOSPC, "no space left on device")


async def test_a_disk_that_is_too_slow_costs_a_stated_gap_and_no_memory(tmp_path: Path):
    async with open_store(tmp_path, ManualClock(), queue_bytes=400_000) as store:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()
        store.disk.put(lambda: asyncio.run_coroutine_threadsafe(release.wait(), loop).result())
        writer = SegmentWriter(store, CAMERA)
        writer.write(list(dated(START_NS, 30)))
        assert store.disk.waiting_bytes <= 400_000
        release.set()
        await writer.close()
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert (GapCause.DISK, "queue_full") in {(gap.cause, gap.detail) for gap in timeline.gaps}


async def test_a_disk_below_its_threshold_takes_no_more(tmp_path: Path):
    async with open_store(tmp_path, ManualClock(), min_free_bytes=1 << 60) as store:
        writer = SegmentWriter(store, CAMERA)
        writer.write(list(dated(START_NS, 4)))
        await writer.close()
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == []
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert [(gap.cause, gap.detail) for gap in timeline.gaps] == [(GapCause.DISK, "disk_full")]


async def test_without_key_frames_a_segment_is_cut_between_two_pictures_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A camera that gives a key frame only once is recorded for ever, in segments of a bounded length."""
    monkeypatch.setattr(segmenter, "LONGEST_SEGMENT_NS", 3 * NS_PER_SECOND)
    units = [
        replace(one, unit=replace(one.unit, key=one.unit.key and place == 0))
        for place, one in enumerate(dated(START_NS, 10))
    ]
    async with open_store(tmp_path, ManualClock(START_NS + 60 * NS_PER_SECOND)) as store:
        writer = SegmentWriter(store, CAMERA, segment_seconds=1)
        writer.write(units)
        await writer.close()
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert len(segments) == 4
    assert len(timeline.spans) == 1
    assert timeline.gaps == ()
    described = [await asyncio.to_thread(describe, tmp_path / one.file) for one in segments]
    fragments = [one.fragments for one in described if one is not None]
    assert [held[0].key for held in fragments] == [True, False, False, False]
    assert sum(fragment.sample_count for held in fragments for fragment in held) == len(units)
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


async def test_a_segment_that_grows_too_large_is_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segmenter, "LARGEST_SEGMENT_BYTES", 200_000)
    units = [
        replace(one, unit=replace(one.unit, key=one.unit.key and place == 0))
        for place, one in enumerate(dated(START_NS, 10))
    ]
    async with open_store(tmp_path, ManualClock(START_NS + 60 * NS_PER_SECOND)) as store:
        writer = SegmentWriter(store, CAMERA)
        writer.write(units)
        await writer.close()
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert len(segments) > 1
    assert all(one.size_bytes < 600_000 for one in segments)


async def test_the_first_segment_of_a_camera_may_be_shorter(tmp_path: Path):
    """Cameras that begin together do not close their segments together."""
    async with open_store(tmp_path, ManualClock(START_NS + 60 * NS_PER_SECOND)) as store:
        writer = SegmentWriter(store, CAMERA, segment_seconds=6, first_seconds=2)
        writer.write(list(dated(START_NS, 14)))
        await writer.close()
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert [round((one.end_ns - one.start_ns) / NS_PER_SECOND) for one in segments] == [2, 6, 6]
