"""A node whose recordings are sealed in a real access log: two disks, two cameras, two hours."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from access_audit.spool import Spool
from recorder.node.collection import GRACE_NS, CollectionReports
from recorder.node.journal import ShardJournal
from recorder.recording.segment_writer import SegmentWriter
from recorder.store.disks import Disks
from recorder.store.queries import all_segments
from recorder.store.schema import INDEX_NAME, packed_id
from recorder.store.sealing import HOUR_NS
from recorder.store.segment import StoredSegment
from recorder.store.settings import StoreSettings
from tests.access_audit.logs import client_of, running_writer
from tests.recorder.node.shards import camera_assignment
from tests.recorder.store.recordings import dated
from vms.base.clock import NS_PER_SECOND, ManualClock

START_NS = 1_767_225_600 * NS_PER_SECOND
CAMERAS = ("cam-00000000000000000000000001", "cam-00000000000000000000000002")


@dataclass(frozen=True, slots=True)
class Sealed:
    """The folders of the node and of the log."""

    place: Path

    @property
    def log(self) -> Path:
        return self.place / "log"

    @property
    def stores(self) -> list[Path]:
        return [self.place / "a", self.place / "b"]

    def segments(self, camera_id: str = CAMERAS[0]) -> list[tuple[Path, StoredSegment]]:
        """`(store, segment)` of a camera, in the order of time."""
        found = []
        for store in self.stores:
            with closing(sqlite3.connect(store / INDEX_NAME)) as index:
                found += [(store, one) for one in all_segments(index) if one.camera_id == camera_id]
        return sorted(found, key=lambda one: one[1].start_ns)

    def change_row(self, place: int, camera_id: str = CAMERAS[0], **columns: object) -> None:
        """Change the row of a segment: what somebody with the disk can do."""
        store, segment = self.segments(camera_id)[place]
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self.execute(
            store, f"UPDATE segment SET {assignments} WHERE id = ?", *columns.values(), packed_id(segment.segment_id)
        )

    def drop(self, place: int, camera_id: str = CAMERAS[0]) -> StoredSegment:
        """Remove a segment with its row and its file."""
        store, segment = self.segments(camera_id)[place]
        self.execute(store, "DELETE FROM segment WHERE id = ?", packed_id(segment.segment_id))
        (store / segment.file).unlink()
        return segment

    def file(self, place: int, camera_id: str = CAMERAS[0]) -> Path:
        store, segment = self.segments(camera_id)[place]
        return store / segment.file

    @staticmethod
    def execute(store: Path, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(store / INDEX_NAME)) as index, index:
            index.execute(statement, values)

    def copied(self, place: Path) -> Sealed:
        shutil.copytree(self.place, place, ignore=shutil.ignore_patterns("*.sock"))
        return Sealed(place)


async def build(place: Path) -> Sealed:
    """Record, restart in between, and seal. The last segments are of an hour that is not told yet."""
    clock = ManualClock(START_NS)
    home = place / "home"
    await asyncio.to_thread(home.mkdir, parents=True)
    cameras = [replace(camera_assignment("rtsp://127.0.0.1/main"), camera_id=one) for one in CAMERAS]
    for hour in range(3):
        stores = [StoreSettings(place / name, min_free_bytes=0) for name in "ab"]
        disks = await Disks.open(home, stores, clock)
        for camera_id in CAMERAS:
            disks.set_retention(camera_id, 30)
            writer = SegmentWriter(disks, camera_id, segment_seconds=2)
            for part in range(2):
                writer.write(list(dated(clock.utc_ns() + 600 * part * NS_PER_SECOND, 4, run=hour * 2 + part + 1)))
            await writer.close()
        clock.step_utc(HOUR_NS / NS_PER_SECOND)
        await disks.close()
    clock.step_utc((GRACE_NS - HOUR_NS) / NS_PER_SECOND + 1)
    await seal(place, clock, cameras)
    return Sealed(place)


async def seal(place: Path, clock: ManualClock, cameras: list) -> None:  # type: ignore[type-arg]
    """Tell the log every hour that is over."""
    home = place / "home"
    spool = await asyncio.to_thread(Spool, home / "spool")
    stores = [StoreSettings(place / name, min_free_bytes=0) for name in "ab"]
    disks = await Disks.open(home, stores, clock)
    journal = ShardJournal(spool, "shard-0", clock)
    reports = CollectionReports(home, disks, journal, clock, lambda: cameras)
    reports._told_until_ns = START_NS
    await reports.tell_finished_hours()
    await journal.flush()
    await disks.close()
    async with running_writer(place) as settings, client_of(settings) as client:
        await spool.deliver(client)
