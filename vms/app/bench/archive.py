"""A store with weeks of many cameras in its index, and real files where a measurement will look.

Eleven million segments fit no bench. The index has every row, in the order in which a shard writes them; the files are
a few real segments of a minute, of the bit rate of a usual camera, linked to the names that are looked at.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cameras.simulator.spec import MAIN_FILE
from recorder.hub.unit import DatedUnit
from recorder.recording.segment_file import SegmentFile
from recorder.recording.segmenter import Fragment, SegmentShape
from recorder.store.index import Index
from recorder.store.schema import INDEX_NAME, packed_source, unpacked_id
from recorder.store.segment import StoredSegment, VideoFormat, media_file
from vms.base import durable
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import new_id
from vms.media.access_unit import AccessUnit, ParameterSets
from vms.media.fmp4 import (
    NO_DIGEST,
    SegmentHeader,
    TimeSource,
    TimeTrust,
    init_segment,
    segment_header_box,
    video_parameters,
)
from vms.media.mp4_file import read_track

SEGMENT_NS: Final = 60 * NS_PER_SECOND
START_NS: Final = 1_767_225_600 * NS_PER_SECOND
MEGABITS_A_SECOND: Final = 4
_H264_FILLER: Final = 12

_ROWS = """
WITH RECURSIVE minute (m) AS (VALUES (0) UNION ALL SELECT m + 1 FROM minute WHERE m + 1 < :minutes)
INSERT INTO segment (id, camera, run, start_ns, end_ns, size_bytes, digest, previous_digest, video, uncertainty_ms,
                     time_source, camera_offset_ms, camera_clock)
SELECT randomblob(16), c.number, 1, :start_ns + m * :segment_ns + c.number * 7919,
       :start_ns + (m + 1) * :segment_ns + c.number * 7919, 30000000, randomblob(32), randomblob(32), 1, 40,
       :source, m % 100, :source
FROM minute CROSS JOIN camera c
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One segment that has its file."""

    camera_id: str
    start_ns: int
    end_ns: int
    path: Path


@dataclass(frozen=True, slots=True)
class _Real:
    path: Path
    size_bytes: int
    digest: bytes
    duration_ns: int


class BenchArchive:
    """Makes the store in an empty folder. Blocking."""

    def __init__(self, folder: Path, cameras: int, days: float, dice: random.Random) -> None:
        self.folder = folder
        self.index_path = folder / INDEX_NAME
        self.minutes = round(days * 1_440)
        self.camera_ids = [new_id("cam") for _ in range(cameras)]
        self._dice = dice
        self._real: list[_Real] = []
        self._taken: set[tuple[int, int]] = set()
        self._links = itertools.count()

    @property
    def start_ns(self) -> int:
        """The beginning of the oldest segment."""
        return START_NS

    @property
    def end_ns(self) -> int:
        """The end of the newest."""
        return START_NS + self.minutes * SEGMENT_NS

    def build(self, files: int) -> None:
        """Write the index and so many real segments."""
        for name in ("open", "media", "real"):
            (self.folder / name).mkdir(parents=True)
        video = self._write_segments(files)
        index = Index(self.folder)
        index.restore_gaps([(camera_id, 0, 1, "camera", "", 0) for camera_id in self.camera_ids])
        index.count_segment(self._template(video))
        index.close()
        connection = sqlite3.connect(self.index_path, isolation_level=None)
        try:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("DELETE FROM segment")
            connection.execute("BEGIN")
            source = packed_source(TimeSource.SENDER_REPORT)
            values = {"minutes": self.minutes, "start_ns": START_NS, "segment_ns": SEGMENT_NS, "source": source}
            connection.execute(_ROWS, values)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        descriptor = os.open(self.index_path, os.O_RDONLY)
        try:
            durable.sync_file(descriptor)
        finally:
            os.close(descriptor)

    def random_places(self, count: int) -> list[Place]:
        """So many segments anywhere in the store, with their files."""
        wanted: list[tuple[int, int]] = []
        while len(wanted) < count:
            one = self._dice.randrange(len(self.camera_ids)), self._dice.randrange(self.minutes)
            if one not in self._taken:
                self._taken.add(one)
                wanted.append(one)
        return self.places(wanted)

    def places(self, wanted: list[tuple[int, int]]) -> list[Place]:
        """Give these `(camera, minute)` their files."""
        connection = sqlite3.connect(self.index_path, isolation_level=None)
        try:
            connection.execute("BEGIN")
            found = [self._place(connection, camera, minute) for camera, minute in wanted]
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        return found

    def forget(self, path: Path) -> None:
        """Let the system forget what it holds of a file in memory, so that the next look goes to the disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

    def _place(self, connection: sqlite3.Connection, camera: int, minute: int) -> Place:
        camera_id = self.camera_ids[camera]
        self._taken.add((camera, minute))
        number, packed, start_ns = connection.execute(
            """SELECT s.number, s.id, s.start_ns FROM segment s JOIN camera c ON c.number = s.camera
               WHERE c.camera_id = ? AND s.start_ns >= ? ORDER BY s.start_ns LIMIT 1""",
            (camera_id, START_NS + minute * SEGMENT_NS),
        ).fetchone()
        real = self._real[next(self._links) % len(self._real)]
        end_ns = start_ns + real.duration_ns
        connection.execute(
            "UPDATE segment SET size_bytes = ?, digest = ?, end_ns = ? WHERE number = ?",
            (real.size_bytes, real.digest, end_ns, number),
        )
        path = self.folder / media_file(camera_id, start_ns, unpacked_id(packed))
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.add_name(real.path, path)
        return Place(camera_id, start_ns, end_ns, path)

    def _template(self, video: VideoFormat) -> StoredSegment:
        zeros = bytes(32)
        return StoredSegment(new_id("seg"), self.camera_ids[0], 1, 0, 1, 1, zeros, zeros, video, 40, "sender_report")

    def _write_segments(self, files: int) -> VideoFormat:
        data = MAIN_FILE.read_bytes()
        track = read_track(lambda offset, size: data[offset : offset + size], len(data))
        base = track.samples[0].presentation_time
        shown = [one for one in track.samples if (one.presentation_time - base) < 60 * track.timescale]
        padding = MEGABITS_A_SECOND * 1e6 / 8 * 60 / sum(one.size for one in shown) - 1
        for number in range(files):
            path = self.folder / "real" / f"{number}.mp4"
            trust = TimeTrust(TimeSource.SENDER_REPORT, 40)
            header = SegmentHeader(new_id("seg"), self.camera_ids[0], 1, START_NS, trust, NO_DIGEST)
            file = SegmentFile(path, init_segment(track.parameters, extra_boxes=segment_header_box(header)))
            shape: SegmentShape | None = None
            for one in shown:
                sample = data[one.offset : one.offset + one.size] + _filler(max(round(one.size * padding), 8))
                stamp_90k = (one.presentation_time - base) * 90_000 // track.timescale
                dated = _dated(track.parameters, stamp_90k, sample, key=one.key, first=shape is None)
                shape = shape or SegmentShape.begin(dated, 0)
                _append(file, shape.add(dated))
            assert shape is not None
            _append(file, shape.finish())
            file.finish()
            file.settle()
            self._real.append(_Real(path, file.size, file.digest, shape.end_ns - START_NS))
        video = video_parameters(track.parameters)
        return VideoFormat(video.codec, video.codec_string, video.width, video.height)


def _append(file: SegmentFile, fragment: Fragment | None) -> None:
    if fragment is not None:
        file.append(fragment.decode_time_90k, fragment.samples, fragment.chunks)


def _dated(parameters: ParameterSets, stamp_90k: int, data: bytes, *, key: bool, first: bool) -> DatedUnit:
    unit = AccessUnit(stamp_90k, [data], len(data), key, parameters, damaged=False)
    return DatedUnit(unit, START_NS + stamp_90k * 100_000 // 9, 1, 40, starts_run=first)


def _filler(size: int) -> bytes:
    """Filler data (ISO/IEC 14496-10, 7.3.2.7): what a decoder skips, so that a quiet film weighs what a street does."""
    return (size + 2).to_bytes(4) + bytes([_H264_FILLER]) + b"\xff" * size + b"\x80"
