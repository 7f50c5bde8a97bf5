"""Access units of one camera into segments: what the segmenter decides, the disk's thread does.

The event loop keeps the shape of the segment and queues fragments; the thread makes the file, appends, closes and
counts it (`segment_job`). Both sides share one `Growing`, on which the thread writes its failure and the loop reads
it: a disk that refuses ends the segment with what stands and opens a gap with cause `disk`. Recording goes on at the
next key frame on another disk, or is tried again on the same one a little later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from recorder.contract.timeline import GapCause
from recorder.hub.unit import DatedUnit
from recorder.recording.segment_job import CloseCause, SegmentJob
from recorder.recording.segmenter import Fragment, SegmentShape, must_rotate, too_long
from recorder.store.segment import VideoFormat
from recorder.store.shelf import Shelf
from recorder.store.store import Growing
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import new_id
from vms.media.errors import MediaError
from vms.media.fmp4 import NO_CAMERA_TIME, CameraTime, TimeSource, TimeTrust, video_parameters

__all__ = ["CloseCause", "SegmentWriter"]

log = structlog.get_logger(__name__)

RETRY_NS = 5 * NS_PER_SECOND
CLOSE_WAIT_S = 5.0
"""How long the closing of a segment may hold up who stops a camera; it is done all the same."""


class SegmentWriter:
    """Records one camera on a shelf of disks. Lives on the event loop; nothing here waits for a disk.

    `write` never raises: what the disks refuse becomes a gap in the ledger with cause `disk`, and recording resumes
    at a later key frame by itself. `place` and what `camera_time` tells are kept in each segment (LAW-39).
    The first segment lasts `first_seconds`, so that many cameras that begin together do not rotate together.
    """

    def __init__(
        self,
        shelf: Shelf,
        camera_id: str,
        *,
        segment_seconds: float = 60.0,
        first_seconds: float | None = None,
        place: str = "",
        camera_time: Callable[[], CameraTime] = lambda: NO_CAMERA_TIME,
    ) -> None:
        self._shelf = shelf
        self._camera_id = camera_id
        self._segment_ns = round(segment_seconds * NS_PER_SECOND)
        first_ns = self._segment_ns if first_seconds is None else round(first_seconds * NS_PER_SECOND)
        self._length_ns = min(first_ns, self._segment_ns)
        self._place = place
        self._camera_time = camera_time
        self._shape: SegmentShape | None = None
        self._job: SegmentJob | None = None
        self._last: SegmentJob | None = None
        self._retry_ns = 0

    def write(self, units: Sequence[DatedUnit], source: TimeSource = TimeSource.ARRIVAL) -> None:
        """Record a batch of units, in decoding order."""
        if self._job is not None and self._job.store.refusal:
            self._give_up(CloseCause(self._job.store.refusal))
        for dated in units:
            splits = False
            if self._shape is not None and must_rotate(self._shape, dated, self._length_ns):
                same_run = dated.run == self._shape.run
                splits = too_long(self._shape, dated)
                self._length_ns = self._segment_ns
                self._end(CloseCause.ROTATION if same_run else CloseCause.RUN_CHANGED)
            if self._shape is None and not ((dated.unit.key or splits) and self._begin(dated, source)):
                continue
            assert self._shape is not None
            fragment = self._shape.add(dated)
            if fragment is not None:
                self._append(fragment)

    async def close(self, cause: CloseCause = CloseCause.STREAM_ENDED) -> None:
        """End the open segment and wait until it is in the index. The writer may be used again afterwards."""
        stores = {self._job.store} if self._job is not None else set(self._shelf.stores_for(self._camera_id))
        self._end(cause)
        for store in stores:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WAIT_S):
                    await store.disk.run(lambda: None)

    def _begin(self, dated: DatedUnit, source: TimeSource) -> bool:
        if self._shelf.clock.monotonic_ns() < self._retry_ns:
            return False
        stores = self._shelf.stores_for(self._camera_id)
        if not stores:
            self._note_gap(dated.capture_utc_ns, self._shelf.refusal_for(self._camera_id))
            return False
        try:
            video = video_parameters(dated.unit.parameters)
        except MediaError as wrong:
            log.warning(
                "key frame with parameter sets that cannot be read", camera_id=self._camera_id, error=str(wrong)
            )
            return False
        shape = SegmentShape.begin(dated, video.max_reorder_frames)
        start_ns, uncertainty_ms = dated.capture_utc_ns, dated.uncertainty_ms
        for store in stores:
            growing = Growing(new_id("seg"), self._camera_id, dated.run, start_ns, start_ns, uncertainty_ms)
            job = SegmentJob(
                store,
                growing,
                shape.parameters,
                VideoFormat(video.codec, video.codec_string, video.width, video.height),
                TimeTrust(source, uncertainty_ms),
                self._camera_time(),
                self._place,
                explained=self._shelf.begun(self._camera_id, store, start_ns),
                after=self._last,
            )
            if store.disk.put(job.begin):
                self._shape, self._job, self._last = shape, job, None
                store.growing[self._camera_id] = growing
                return True
            self._shelf.trouble(store, CloseCause.QUEUE_FULL)
        self._note_gap(start_ns, CloseCause.QUEUE_FULL)
        self._retry_ns = self._shelf.clock.monotonic_ns() + RETRY_NS
        return False

    def _append(self, fragment: Fragment) -> None:
        job, shape = self._job, self._shape
        assert job is not None
        assert shape is not None
        if job.growing.failure:
            self._give_up(CloseCause(job.growing.failure))
        elif job.store.disk.put(lambda: job.append(fragment), fragment.size):
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
        job = self._job
        assert job is not None
        lost = cause in {CloseCause.DISK_ERROR, CloseCause.DISK_HUNG} or bool(job.growing.failure)
        end_ns = job.written_ns if lost else job.growing.end_ns
        self._let_go(cause)
        elsewhere = self._shelf.trouble(job.store, cause)
        self._note_gap(end_ns, cause)
        self._retry_ns = 0 if elsewhere else self._shelf.clock.monotonic_ns() + RETRY_NS
        log.error("recording paused by its disk", camera_id=self._camera_id, cause=cause, elsewhere=elsewhere)

    def _let_go(self, cause: CloseCause) -> None:
        job, self._job, self._shape = self._job, None, None
        if job is None:
            return
        self._last = job
        job.store.growing.pop(self._camera_id, None)
        if not job.store.disk.put(lambda: job.close(cause)):
            log.error("segment left open for the next start", segment_id=job.growing.segment_id)

    def _note_gap(self, start_ns: int, detail: str) -> None:
        self._shelf.record_gap(self._camera_id, start_ns, GapCause.DISK, detail)
