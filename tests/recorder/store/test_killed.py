"""`kill -9`, for real: at each file-system call of starting, recording, closing and erasing, and of a whole shard."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from recorder.contract.timeline import GapCause
from recorder.node.client import ShardClient
from recorder.recording.segment_writer import SegmentWriter
from recorder.store.fsck import examine
from recorder.store.settings import StoreSettings
from recorder.store.store import SegmentStore
from recorder.store.verify import verify_stores
from tests.recorder.node.shards import camera_assignment, until_live, until_recorded
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, dated, open_store, pictures, record_seconds, vanish
from tests.recorder.store.test_faults import START_NS, prepared
from tests.simulated import simulated_camera
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, ManualClock, SystemClock

KILLED_LOSES_S = 2.0


async def killed_at(before: Path, place: Path, turns: list[int]) -> dict[int, tuple[int, int]]:
    """Run the cycle once a turn; `(calls, signal)` of each."""
    await asyncio.to_thread(place.mkdir)
    arguments = ["-m", "tests.recorder.store.killed", str(before), str(place), *map(str, turns)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    lines = [list(map(int, line.split()[1:])) for line in output.decode().splitlines() if line.startswith("turn ")]
    return {turn: (calls, number) for turn, calls, number in lines}


async def judge(folder: Path, kept: set[str], told: str) -> None:
    """What a start without faults makes of what is left: whole by fsck, by the chain, and to a player."""
    clock = ManualClock(START_NS + 90_060 * NS_PER_SECOND)
    async with open_store(folder, clock) as store:
        found = {one.segment_id for one in await store.segments_between(CAMERA, 0, FOREVER_NS)}
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert (await asyncio.to_thread(examine, folder)).findings == (), told
    assert (await asyncio.to_thread(verify_stores, [folder])).findings == [], told
    assert list((folder / "open").iterdir()) == [], told
    assert len(kept - found) <= 1, f"more than the erased segment is gone: {told}"
    assert timeline.gaps, told
    assert await asyncio.to_thread(pictures, folder) >= 50, told


async def test_a_process_killed_at_a_call_leaves_a_sound_store(tmp_path: Path):
    kept = await prepared(tmp_path / "before", ManualClock(START_NS + 1_000 * NS_PER_SECOND))
    turns = [5, 31, 58]
    told = await killed_at(tmp_path / "before", tmp_path / "after", turns)
    assert {number for _, number in told.values()} == {signal.SIGKILL}
    for turn in turns:
        await judge(tmp_path / "after" / str(turn), kept, f"killed at call {turn}")


@pytest.mark.long
@pytest.mark.timeout(1_800)
async def test_a_process_killed_before_and_after_each_call_leaves_a_sound_store(tmp_path: Path):
    kept = await prepared(tmp_path / "before", ManualClock(START_NS + 1_000 * NS_PER_SECOND))
    whole = await killed_at(tmp_path / "before", tmp_path / "count", [1_000_000])
    ((calls, number),) = whole.values()
    assert number == 0
    turns = list(range(2 * calls))
    told = await killed_at(tmp_path / "before", tmp_path / "after", turns)
    survivors = [turn for turn, (_, number) in told.items() if number != signal.SIGKILL]
    assert all(turn > 2 * calls - 12 for turn in survivors), "a cycle may need a few writes less, joined in one"
    for turn in turns:
        await judge(tmp_path / "after" / str(turn), kept, f"killed at turn {turn} of {2 * calls}")


async def test_a_killed_shard_loses_at_most_two_seconds(tmp_path: Path):
    """Fragments are with the system as soon as they are built: only what is not yet one is lost."""
    folder, socket = tmp_path / "shard", tmp_path / "shard.sock"
    async with simulated_camera() as camera:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vms.app.bench.shard_process", str(folder), str(socket)
        )
        try:
            await _until_it_listens(socket)
            client = ShardClient(socket)
            assignment = camera_assignment(camera.stream_url("main"))
            await client.assign([assignment])
            await until_live(client)
            await until_recorded(client, assignment.camera_id, 4.0)
            await client.close()
        finally:
            process.send_signal(signal.SIGKILL)
            killed_ns = SystemClock().utc_ns()
            await process.wait()
    async with open_store(folder) as store:
        timeline = await store.timeline(assignment.camera_id, 0, FOREVER_NS)
    lost_s = (killed_ns - timeline.spans[-1].end_ns) / NS_PER_SECOND
    assert lost_s <= KILLED_LOSES_S
    assert [(gap.cause, gap.detail) for gap in timeline.gaps][-1] == (GapCause.RECORDER, "killed")
    assert (await asyncio.to_thread(verify_stores, [folder])).findings == []


async def test_a_power_cut_takes_at_most_the_sync_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of the open file only what was synced is left; what the interval bounds is lost, and stated."""
    clock = ManualClock(START_NS)
    synced = [0]
    real = durable.sync_data

    def sync(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(durable, "sync_data", sync)
    block = open_store(tmp_path, clock)
    store = await block.__aenter__()
    writer = SegmentWriter(store, CAMERA)
    units = list(dated(START_NS, 28))
    for second in range(28):
        writer.write(
            [one for one in units if one.capture_utc_ns // NS_PER_SECOND == START_NS // NS_PER_SECOND + second]
        )
        await store.disk.run(lambda: None)
        await clock.advance(1)
    await vanish(store)
    (unfinished,) = (tmp_path / "open").iterdir()
    assert len(synced) == 3
    os.truncate(unfinished, synced[-1])
    async with open_store(tmp_path, clock) as store:
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    lost_s = 28 - (timeline.spans[-1].end_ns - START_NS) / NS_PER_SECOND
    assert lost_s <= StoreSettings(tmp_path).sync_interval_s + KILLED_LOSES_S
    assert timeline.gaps[-1].start_ns == timeline.spans[-1].end_ns
    assert (await asyncio.to_thread(verify_stores, [tmp_path])).findings == []


async def _until_it_listens(socket: Path) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(socket)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def test_a_segment_that_could_not_be_closed_is_closed_while_the_store_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = ManualClock(START_NS)
    async with open_store(tmp_path, clock) as store:
        with monkeypatch.context() as patch:
            patch.setattr("recorder.store.closing.durable.publish", _refuse)
            await _record(store, clock)
            assert len(store.left_open) == 1
        (still_open,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert still_open.open
        async with asyncio.timeout(10):
            while store.left_open:
                await clock.advance(5)
                await store.disk.run(lambda: None)
        (closed,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert not closed.open
        await _record(store, clock)
        first, second = await store.segments_between(CAMERA, 0, FOREVER_NS)
        assert second.previous_digest == first.digest
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


async def _record(store: SegmentStore, clock: ManualClock) -> None:
    await record_seconds(store, seconds=2, start_ns=clock.utc_ns())


def _refuse(_unfinished: Path, _final: Path) -> None:
    raise OSError(5, "Input/output error")
