from __future__ import annotations

import hashlib
from pathlib import Path

from access_audit.events import AccessEvent, EventKind
from recorder.contract.assignment import CameraAssignment
from recorder.node.collection import GRACE_NS, CollectionReports
from recorder.node.journal import ShardJournal
from recorder.store.sealing import HOUR_NS
from recorder.store.segment import StoredSegment, VideoFormat
from tests.recorder.node.shards import Log, camera_assignment
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.media.access_unit import Codec

FORMAT = VideoFormat(Codec.H264, "avc1.4D401F", 768, 576)
START_NS = 1_800_000_000 * NS_PER_SECOND // HOUR_NS * HOUR_NS


class Segments:
    """What the reports ask of the disks."""

    def __init__(self) -> None:
        self.complete = True
        self.held: list[StoredSegment] = []

    def add(self, camera_id: str, start_ns: int, *, still_open: bool = False) -> StoredSegment:
        number = len(self.held)
        digest = hashlib.sha256(bytes([number])).digest()
        segment = StoredSegment(
            segment_id=f"seg-{number:026d}",
            camera_id=camera_id,
            run=1,
            start_ns=start_ns,
            end_ns=start_ns + 60 * NS_PER_SECOND,
            size_bytes=1_000,
            digest=digest,
            previous_digest=b"",
            video=FORMAT,
            uncertainty_ms=40,
            time_source="arrival",
            open=still_open,
        )
        self.held.append(segment)
        return segment

    async def segments_between(self, camera_id: str, start_ns: int, end_ns: int) -> list[StoredSegment]:
        return [
            one for one in self.held if one.camera_id == camera_id and one.start_ns < end_ns and one.end_ns > start_ns
        ]


class Bench:
    """Reports over made-up segments."""

    def __init__(self, folder: Path, clock: ManualClock, segments: Segments, cameras: list[CameraAssignment]) -> None:
        self.log = Log()
        self.journal = ShardJournal(self.log, "shard-0", clock)
        self.reports = CollectionReports(
            folder,
            segments,  # type: ignore[arg-type]
            self.journal,
            clock,
            lambda: cameras,
        )

    async def tell(self) -> list[AccessEvent]:
        await self.reports.load()
        await self.reports.tell_finished_hours()
        await self.journal.flush()
        told, self.log.events = self.log.events, []
        return told


def clock_at(hours: int) -> ManualClock:
    return ManualClock(START_NS + hours * HOUR_NS + GRACE_NS)


async def test_an_hour_is_told_once_with_the_digest_of_its_segments(tmp_path: Path):
    """LAW-25: collection is logged; LAW-40: the entry contradicts any later loss or change."""
    segments, camera = Segments(), camera_assignment("rtsp://127.0.0.1/main")
    first = segments.add(camera.camera_id, START_NS + 5)
    second = segments.add(camera.camera_id, START_NS + HOUR_NS - 5)
    segments.add(camera.camera_id, START_NS + HOUR_NS + 5)
    (event,) = await Bench(tmp_path, clock_at(1), segments, [camera]).tell()
    assert (event.kind, event.camera_id, event.commune) == (
        EventKind.RECORDING_COLLECTED,
        camera.camera_id,
        camera.commune,
    )
    assert event.details == {
        "segments": "2",
        "bytes": "2000",
        "digest": hashlib.sha256(first.digest + second.digest).hexdigest(),
        "previous": "",
        "last": second.digest.hex(),
    }
    assert (event.range_start_ns, event.range_end_ns) == (first.start_ns, second.end_ns)
    assert await Bench(tmp_path, clock_at(1), segments, [camera]).tell() == []


async def test_what_was_missed_during_a_stop_is_told_after_it(tmp_path: Path):
    segments, camera = Segments(), camera_assignment("rtsp://127.0.0.1/main")
    await Bench(tmp_path, clock_at(1), segments, [camera]).tell()
    for hour in range(1, 4):
        segments.add(camera.camera_id, START_NS + hour * HOUR_NS)
    told = await Bench(tmp_path, clock_at(4), segments, [camera]).tell()
    assert [event.range_start_ns for event in told] == [START_NS + hour * HOUR_NS for hour in range(1, 4)]


async def test_a_camera_that_left_is_told_for_its_last_hour(tmp_path: Path):
    segments, camera = Segments(), camera_assignment("rtsp://127.0.0.1/main")
    await Bench(tmp_path, clock_at(1), segments, [camera]).tell()
    segments.add(camera.camera_id, START_NS + HOUR_NS)
    assert len(await Bench(tmp_path, clock_at(2), segments, []).tell()) == 1
    segments.add(camera.camera_id, START_NS + 2 * HOUR_NS)
    assert await Bench(tmp_path, clock_at(3), segments, []).tell() == []


async def test_an_hour_without_closed_segments_is_not_told(tmp_path: Path):
    segments, camera = Segments(), camera_assignment("rtsp://127.0.0.1/main")
    segments.add(camera.camera_id, START_NS, still_open=True)
    assert await Bench(tmp_path, clock_at(1), segments, [camera]).tell() == []


async def test_a_state_that_cannot_be_read_is_begun_again(tmp_path: Path):
    (tmp_path / "collected.json").write_text("{")
    segments, camera = Segments(), camera_assignment("rtsp://127.0.0.1/main")
    segments.add(camera.camera_id, START_NS)
    assert len(await Bench(tmp_path, clock_at(1), segments, [camera]).tell()) == 1


async def test_an_hour_of_which_a_disk_was_away_is_told_again_when_it_is_back(tmp_path: Path):
    """LAW-40: of two entries on one hour the last one counts, and it covers what the disk holds."""
    segments, camera = Segments(), camera_assignment("rtsp://127.0.0.1/main")
    segments.add(camera.camera_id, START_NS)
    segments.complete = False
    (first,) = await Bench(tmp_path, clock_at(1), segments, [camera]).tell()
    assert await Bench(tmp_path, clock_at(1), segments, [camera]).tell() == []
    segments.add(camera.camera_id, START_NS + 60 * NS_PER_SECOND)
    segments.complete = True
    (second,) = await Bench(tmp_path, clock_at(1), segments, [camera]).tell()
    assert (first.details["segments"], second.details["segments"]) == ("1", "2")
    assert await Bench(tmp_path, clock_at(1), segments, [camera]).tell() == []
