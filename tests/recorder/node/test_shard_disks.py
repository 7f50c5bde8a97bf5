"""A whole shard on several disks, and what its segments keep of their cameras' clocks."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from cameras.simulator.spec import Fault
from recorder.store.queries import all_segments
from recorder.store.salvage import describe
from recorder.store.schema import INDEX_NAME
from recorder.store.segment import StoredSegment
from tests.recorder.node.shards import FOREVER_NS, camera_assignment, running_shard, until_recorded
from tests.simulated import simulated_camera, simulated_cameras

WRONG_CLOCK_MS = -70 * 60_000


def stored(folder: Path) -> list[StoredSegment]:
    with closing(sqlite3.connect(folder / INDEX_NAME)) as index:
        return list(all_segments(index))


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
        names = [f"cam-{number:026d}" for number in (0, 1, 2, 3)]
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
