"""Access units of one camera into segments: what the segmenter decides, the disk's thread does.

The event loop keeps the shape of the segment and queues fragments; the thread makes the file, appends, closes and
counts it. Both sides share one `Growing`, on which the thread writes its failure and the loop reads it: a disk that
refuses ends the segment with what stands, opens a gap with cause `disk`, and recording is tried again on a later key
frame.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence
from enum import StrEnum

import structlog

from recorder.contract.timeline import GapCause
from recorder.hub.unit import DatedUnit
from recorder.recording.segment_file import SegmentFile
from recorder.recording.segmenter import Fragment, SegmentShape, must_rotate
from recorder.store import ledger
from recorder.store.closing import close_segment
from recorder.store.segment import StoredSegment, VideoFormat, open_file
from recorder.store.store import Growing, SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import new_id
from vms.media.access_unit import VideoParameters
from vms.media.errors import MediaError
from vms.media.fmp4 import (
    NO_DIGEST,
    SegmentHeader,
    TimeSource,
    TimeTrust,
    init_segment,
    segment_header_box,
    video_parameters,
)

log = structlog.get_logger(__name__)

RETRY_NS = 5 * NS_PER_SECOND
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}


class CloseCause(StrEnum):
    """Why a segment ends."""

    ROTATION = "rotation"
    RUN_CHANGED = "run_changed"
    PARAMETERS_CHANGED = "parameters_changed"
    STREAM_ENDED = "stream_ended"
    AUTHORISATION_ENDED = "authorisation_ended"
    STOPPING = "stopping"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    QUEUE_FULL = "queue_full"


class SegmentWriter:
    """Records one camera into a store. Lives on the event loop; nothing here waits for the disk.

    `write` never raises: what the disk refuses becomes a gap in the ledger with cause `disk`, and recording resumes
    at a later key frame by itself. `place` is kept in each segment (LAW-39).
    """

    def __init__(self, store: SegmentStore, camera_id: str, *, segment_seconds: float = 60.0, place: str = "") -> None:
        self._store = store
        self._camera_id = camera_id
        self._segment_ns = round(segment_seconds * NS_PER_SECOND)
        self._place = place
        self._shape: SegmentShape | None = None
        self._job: _SegmentJob | None = None
        self._retry_ns = 0

    def write(self, units: Sequence[DatedUnit], source: TimeSource = TimeSource.ARRIVAL) -> None:
        """Record a batch of units, in decoding order."""
        for dated in units:
            if self._shape is not None and must_rotate(self._shape, dated, self._segment_ns):
                same_run = dated.run == self._shape.run
                self._end(CloseCause.ROTATION if same_run else CloseCause.RUN_CHANGED)
            if self._shape is None and not (dated.unit.key and self._begin(dated, source)):
                continue
            assert self._shape is not None
            fragment = self._shape.add(dated)
            if fragment is not None:
                self._append(fragment)
        if self._store.space_is_low and self._shape is not None:
            self._give_up(CloseCause.DISK_FULL)

    async def close(self, cause: CloseCause = CloseCause.STREAM_ENDED) -> None:
        """End the open segment and wait until it is in the index. The writer may be used again afterwards."""
        self._end(cause)
        await self._store.disk.run(lambda: None)

    def _begin(self, dated: DatedUnit, source: TimeSource) -> bool:
        if self._store.clock.monotonic_ns() < self._retry_ns:
            return False
        if self._store.space_is_low:
            self._note_gap(dated.capture_utc_ns, CloseCause.DISK_FULL)
            return False
        try:
            video = video_parameters(dated.unit.parameters)
        except MediaError as wrong:
            log.warning(
                "key frame with parameter sets that cannot be read", camera_id=self._camera_id, error=str(wrong)
            )
            return False
        self._shape = SegmentShape.begin(dated, video.max_reorder_frames)
        growing = Growing(
            new_id("seg"), self._camera_id, dated.run, dated.capture_utc_ns, dated.capture_utc_ns, dated.uncertainty_ms
        )
        self._job = _SegmentJob(self._store, growing, self._shape, video, source, self._place)
        if not self._store.disk.put(self._job.begin):
            self._give_up(CloseCause.QUEUE_FULL)
            return False
        self._store.growing[self._camera_id] = growing
        return True

    def _append(self, fragment: Fragment) -> None:
        job, shape = self._job, self._shape
        assert job is not None
        assert shape is not None
        if job.growing.failure:
            self._give_up(CloseCause(job.growing.failure))
        elif self._store.disk.put(lambda: job.append(fragment), fragment.size):
            job.growing.end_ns = shape.end_ns
        else:
            self._give_up(CloseCause.QUEUE_FULL)

    def _end(self, cause: CloseCause) -> None:
        """Queue the rest and the closing of the open segment, if there is one."""
        shape, job = self._shape, self._job
        if shape is None or job is None:
            return
        fragment = shape.finish()
        if fragment is not None:
            self._append(fragment)
        if self._job is job:
            self._let_go(cause)

    def _give_up(self, cause: CloseCause) -> None:
        """The disk does not take more: end the segment with what stands, and say why nothing follows."""
        end_ns = self._job.growing.end_ns if self._job is not None else self._store.clock.utc_ns()
        self._let_go(cause)
        self._note_gap(end_ns, cause)
        self._retry_ns = self._store.clock.monotonic_ns() + RETRY_NS
        log.error("recording paused by its disk", camera_id=self._camera_id, cause=cause)

    def _let_go(self, cause: CloseCause) -> None:
        job, self._job, self._shape = self._job, None, None
        self._store.growing.pop(self._camera_id, None)
        if job is not None and not self._store.disk.put(lambda: job.close(cause)):
            log.error("segment left open for the next start", segment_id=job.growing.segment_id)

    def _note_gap(self, start_ns: int, cause: CloseCause) -> None:
        self._store.record_gap(self._camera_id, start_ns, GapCause.DISK, cause)


class _SegmentJob:
    """One segment on the side of the disk's thread: begin, append any number of times, close."""

    def __init__(
        self,
        store: SegmentStore,
        growing: Growing,
        shape: SegmentShape,
        video: VideoParameters,
        source: TimeSource,
        place: str,
    ) -> None:
        self.growing = growing
        self._store = store
        self._parameters = shape.parameters
        self._video = VideoFormat(video.codec, video.codec_string, video.width, video.height)
        self._source = source
        self._place = place
        self._file: SegmentFile | None = None
        self._previous_digest = NO_DIGEST
        self._duration_90k = 0
        self._synced_ns = store.clock.monotonic_ns()

    def begin(self) -> None:
        """Note the segment, then make its file, so that no file is without a note (S2)."""
        growing, index = self.growing, self._store.index
        last_end_ns, _, self._previous_digest = self._store.newest.get(growing.camera_id, (None, 0, NO_DIGEST))
        try:
            if not index.close_gap(growing.camera_id, growing.start_ns):
                hole = ledger.unexplained(last_end_ns, growing.start_ns)
                if hole is not None:
                    index.add_gap(growing.camera_id, *hole, GapCause.RECORDER, ledger.UNEXPLAINED)
            index.begin_segment(self._stored(0, b"", still_open=True))
            self._file = SegmentFile(self._store.settings.folder / open_file(growing.segment_id), self._head())
        except (OSError, sqlite3.Error) as refused:
            self._failed(refused)

    def append(self, fragment: Fragment) -> None:
        """Write one fragment; put the file on the disk when the interval is over."""
        if self._file is None or self.growing.failure:
            return
        try:
            self._file.append(fragment.decode_time_90k, fragment.samples, fragment.chunks)
            self._duration_90k = fragment.decode_time_90k + sum(sample.duration_90k for sample in fragment.samples)
            now = self._store.clock.monotonic_ns()
            if now - self._synced_ns >= self._store.settings.sync_interval_s * NS_PER_SECOND:
                self._synced_ns = now
                self._file.sync()
        except OSError as refused:
            self._failed(refused)

    def close(self, cause: CloseCause) -> None:
        """Finish the file and count it; one without a fragment is cleared away."""
        file, growing = self._file, self.growing
        try:
            if file is None or not file.entries:
                self._clear_away(file)
                return
            try:
                file.finish()
            except OSError as refused:
                log.warning("segment closed without its index", segment_id=growing.segment_id, error=repr(refused))
            file.settle()
            stored = close_segment(self._store.settings.folder, self._store.index, self._stored(file.size, file.digest))
            self._store.newest[growing.camera_id] = (stored.end_ns, stored.run, stored.chained_digest)
            self._store.index.move_gap(growing.camera_id, stored.end_ns)
        except (OSError, sqlite3.Error) as refused:
            log.error("segment left open for the next start", segment_id=growing.segment_id, error=repr(refused))
            if file is not None:
                file.abandon()
        else:
            log.debug("segment closed", segment_id=growing.segment_id, camera_id=growing.camera_id, cause=cause)

    def _clear_away(self, file: SegmentFile | None) -> None:
        if file is not None:
            file.abandon()
            durable.remove(file.path)
        self._store.index.forget_open(self.growing.segment_id)

    def _failed(self, refused: Exception) -> None:
        full = isinstance(refused, OSError) and refused.errno in _OUT_OF_SPACE
        self.growing.failure = CloseCause.DISK_FULL if full else CloseCause.DISK_ERROR
        log.error("the disk refuses", segment_id=self.growing.segment_id, error=repr(refused))

    def _head(self) -> bytes:
        growing = self.growing
        header = SegmentHeader(
            segment_id=growing.segment_id,
            camera_id=growing.camera_id,
            run=growing.run,
            start_ns=growing.start_ns,
            trust=TimeTrust(self._source, growing.uncertainty_ms),
            previous_digest=self._previous_digest,
            place=self._place,
        )
        return init_segment(self._parameters, extra_boxes=segment_header_box(header))

    def _stored(self, size_bytes: int, digest: bytes, *, still_open: bool = False) -> StoredSegment:
        growing = self.growing
        return StoredSegment(
            segment_id=growing.segment_id,
            camera_id=growing.camera_id,
            run=growing.run,
            start_ns=growing.start_ns,
            end_ns=growing.start_ns + self._duration_90k * NS_PER_SECOND // 90_000,
            size_bytes=size_bytes,
            digest=digest,
            previous_digest=self._previous_digest,
            video=self._video,
            uncertainty_ms=growing.uncertainty_ms,
            time_source=self._source,
            open=still_open,
        )
