"""A whole shard on several disks, and what its segments keep of their cameras' clocks."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cameras.simulator.spec import Fault
from recorder.contract.timeline import GapCause
from recorder.node.client import ShardClient
from recorder.node.shard import ShardSettings, run_shard
from recorder.store.disk import Disk
from recorder.store.queries import all_segments
from recorder.store.salvage import describe
from recorder.store.schema import INDEX_NAME
from recorder.store.segment import StoredSegment
from recorder.store.settings import StoreSettings
from tests.recorder.node.shards import FOREVER_NS, camera_assignment, running_shard, until_recorded
from tests.recorder.store.recordings import open_store
from tests.simulated import simulated_camera, simulated_cameras
from vms.base.clock import NS_PER_SECOND, SystemClock

WRONG_CLOCK_MS = -70 * 60_000


def stored(folder: Path) -> list[StoredSegment]:
    with closing(sqlite3.connect(folder / INDEX_NAME)) as index:
        return list(all_segments(index))


def two_of_each(folders: list[Path]) -> list[str]:
    """Identifiers of cameras of which two belong to each disk."""
    disks = [Disk(StoreSettings(folder), SystemClock()) for folder in folders]
    names = [f"cam-{number:026d}" for number in range(40)]
    shares = [[name for name in names if max(disks, key=lambda disk: disk.score(name)) is own] for own in disks]
    return [*shares[0][:2], *shares[1][:2]]


async def test_every_segment_keeps_what_is_known_of_the_cameras_clock(tmp_path: Path):
    """LAW-39: a camera that is 70 minutes behind is dated by the server, and its offset is kept beside, twice."""
    async with (
        simulated_camera(faults=[Fault.WRONG_CLOCK]) as camera,
        running_shard(tmp_path) as client,
    ):
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 4.5)
        await client.assign([])
        segments = await asyncio.to_thread(stored, tmp_path / "shard")
        told = await asyncio.to_thread(describe, tmp_path / "shard" / segments[-1].file)
    last = segments[-1]
    assert last.camera_clock == "sender_report"
    assert last.camera_offset_ms is not None
    assert abs(last.camera_offset_ms - WRONG_CLOCK_MS) < 2_000
    assert last.time_source == "arrival"
    assert told is not None
    assert (told.segment.camera_clock, told.segment.camera_offset_ms) == (last.camera_clock, last.camera_offset_ms)


async def test_a_shard_records_on_all_of_its_disks_and_tells_how_they_are(tmp_path: Path):
    async with simulated_cameras(4) as cameras, running_shard(tmp_path, disks=("a", "b")) as client:
        names = two_of_each([tmp_path / "a", tmp_path / "b"])
        assignments = [
            camera_assignment(camera.stream_url("main"), camera_id=name)
            for name, camera in zip(names, cameras, strict=True)
        ]
        await client.assign(assignments)
        for name in names:
            await until_recorded(client, name, 2.5)
        disks = (await client.counters())["disks"]
        assert [(Path(disk["folder"]).name, disk["cause"], disk["readable"]) for disk in disks] == [
            ("a", "", True),
            ("b", "", True),
        ]
        await client.assign([])
        for name in names:
            assert (await client.timeline(name, 0, FOREVER_NS)).spans
        held = [{one.camera_id for one in await asyncio.to_thread(stored, tmp_path / disk)} for disk in "ab"]
    assert all(held)
    assert not held[0] & held[1]
    assert held[0] | held[1] == set(names)
    assert not (tmp_path / "shard" / INDEX_NAME).exists()


@pytest.mark.parametrize(
    ("orphaned", "cause", "detail"),
    [(False, GapCause.MAINTENANCE, "stopped"), (True, GapCause.RECORDER, "supervisor_lost")],
)
async def test_only_a_stop_that_somebody_asked_for_is_maintenance(
    tmp_path: Path, orphaned: bool, cause: GapCause, detail: str
):
    """A shard whose supervisor was killed gets the same signal, and its ledger tells the difference."""
    settings = ShardSettings("shard-test", tmp_path / "shard", tmp_path / "shard.sock", minimum_free_bytes=1 << 20)
    async with simulated_camera() as camera:
        stop, ready = asyncio.Event(), asyncio.Event()
        shard = asyncio.create_task(run_shard(settings, SystemClock(), stop, ready.set, orphaned=lambda: orphaned))
        await ready.wait()
        client = ShardClient(settings.socket)
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 1.0)
        await client.close()
        stop.set()
        await shard
    async with open_store(tmp_path / "shard") as store:
        timeline = await store.timeline(assignment.camera_id, 0, FOREVER_NS)
    last = timeline.gaps[-1]
    assert (last.cause, last.detail, last.end_ns) == (cause, detail, None)
    assert abs(last.start_ns - timeline.spans[-1].end_ns) < NS_PER_SECOND // 2
