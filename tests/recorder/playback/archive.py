"""A store on the disk as a shard leaves it, made of the project's footage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recorder.hub.unit import DatedUnit
from recorder.recording.segment_file import SegmentFile
from recorder.recording.segmenter import Fragment, SegmentShape
from recorder.store.index import Index
from recorder.store.segment import StoredSegment, VideoFormat, open_file
from tests.recorder.footage import Footage, footage
from tests.recorder.gateways import CAMERA
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import new_id
from vms.media.access_unit import AccessUnit
from vms.media.fmp4 import (
    NO_DIGEST,
    SampleInfo,
    SegmentHeader,
    TimeSource,
    TimeTrust,
    init_segment,
    segment_header_box,
    video_parameters,
)

START_NS = 1_767_225_600 * NS_PER_SECOND


class Archive:
    """Records without a camera. `record` is called from a thread: it does file I/O."""

    def __init__(self, folder: Path, film: Footage | None = None) -> None:
        self.folder = folder
        self.film = film or footage()
        self.interval_ns = self.film.interval_90k * 100_000 // 9
        for name in ("open", "media"):
            (folder / name).mkdir(parents=True)
        self.index = Index(folder)

    def close(self) -> None:
        self.index.close()

    def record(
        self,
        start_ns: int,
        pictures: int,
        *,
        per_fragment: int = 4,
        still_open: bool = False,
        finish: bool = True,
        film: Footage | None = None,
        camera_id: str = CAMERA,
    ) -> StoredSegment:
        """One segment with the first pictures of the film."""
        film = film or self.film
        segment, file = self._begin(start_ns, pictures, film, camera_id)
        interval = film.interval_90k
        for first in range(0, pictures, per_fragment):
            group = film.pictures[first : min(first + per_fragment, pictures)]
            samples = [SampleInfo(len(picture.data), interval, picture.key) for picture in group]
            file.append(first * interval, samples, [picture.data for picture in group])
        if finish and not still_open:
            file.finish()
        file.settle()
        if still_open:
            return segment
        return self.close_segment(replace(segment, size_bytes=file.size, digest=file.digest))

    def record_as_shard(
        self,
        start_ns: int,
        pictures: int,
        *,
        film: Footage | None = None,
        first: int = 0,
        still_open: bool = False,
        finish: bool = True,
        camera_id: str = CAMERA,
    ) -> StoredSegment:
        """One segment with pictures of the film, from a key frame on, in the fragments that a shard makes of them."""
        film = film or self.film
        segment, file = self._begin(start_ns, pictures, film, camera_id)
        base_90k = film.pictures[first].presentation_90k
        shape: SegmentShape | None = None
        for picture in film.pictures[first : first + pictures]:
            stamp_90k = picture.presentation_90k - base_90k
            unit = AccessUnit(stamp_90k, [picture.data], len(picture.data), picture.key, film.parameters, damaged=False)
            dated = DatedUnit(unit, start_ns + stamp_90k * 100_000 // 9, 1, 40, starts_run=shape is None)
            shape = shape or SegmentShape.begin(dated, video_parameters(film.parameters).max_reorder_frames)
            self._append(file, shape.add(dated))
        assert shape is not None
        if not still_open:
            self._append(file, shape.finish())
            if finish:
                file.finish()
        file.settle()
        segment = replace(segment, end_ns=shape.end_ns)
        return segment if still_open else self.close_segment(replace(segment, size_bytes=file.size, digest=file.digest))

    def _append(self, file: SegmentFile, fragment: Fragment | None) -> None:
        if fragment is not None:
            file.append(fragment.decode_time_90k, fragment.samples, fragment.chunks)

    def _begin(self, start_ns: int, pictures: int, film: Footage, camera_id: str) -> tuple[StoredSegment, SegmentFile]:
        video = video_parameters(film.parameters)
        segment = StoredSegment(
            new_id("seg"),
            camera_id,
            1,
            start_ns,
            start_ns + pictures * self.interval_ns,
            0,
            b"",
            NO_DIGEST,
            VideoFormat(film.parameters.codec, video.codec_string, video.width, video.height),
            40,
            "arrival",
            open=True,
        )
        header = SegmentHeader(segment.segment_id, camera_id, 1, start_ns, TimeTrust(TimeSource.ARRIVAL, 40))
        head = init_segment(film.parameters, extra_boxes=segment_header_box(header))
        file = SegmentFile(self.folder / open_file(segment.segment_id), head)
        self.index.begin_segment(segment)
        return segment, file

    def close_segment(self, segment: StoredSegment) -> StoredSegment:
        closed = replace(segment, open=False)
        final = self.folder / closed.file
        final.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / open_file(segment.segment_id)).rename(final)
        if not closed.size_bytes:
            closed = replace(closed, size_bytes=final.stat().st_size)
        self.index.count_segment(closed)
        return closed
