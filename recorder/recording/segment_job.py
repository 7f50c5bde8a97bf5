"""One segment on the side of the disk's thread: begin, append any number of times, close."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from enum import StrEnum
from pathlib import Path

import structlog

from recorder.contract.timeline import GapCause
from recorder.recording.segment_file import SegmentFile
from recorder.recording.segmenter import Fragment
from recorder.store import ledger
from recorder.store.closing import close_segment
from recorder.store.segment import StoredSegment, VideoFormat, open_file
from recorder.store.store import Growing, SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND
from vms.media.access_unit import ParameterSets
from vms.media.fmp4 import (
    NO_DIGEST,
    CameraTime,
    SegmentHeader,
    TimeTrust,
    init_segment,
    segment_header_box,
)

log = structlog.get_logger(__name__)

PREDECESSOR_S = 1.0
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}


def _is_out_of_space(refused: Exception, folder: Path) -> bool:
    """Whether that is why a disk refused. SQLite calls it an I/O error where it maps a file that cannot grow."""
    if isinstance(refused, OSError):
        return refused.errno in _OUT_OF_SPACE
    if getattr(refused, "sqlite_errorname", "") == "SQLITE_FULL":
        return True
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False


class CloseCause(StrEnum):
    """Why a segment ends. Those of the disk are details of the gap ledger, too."""

    ROTATION = "rotation"
    RUN_CHANGED = "run_changed"
    PARAMETERS_CHANGED = "parameters_changed"
    STREAM_ENDED = "stream_ended"
    AUTHORISATION_ENDED = "authorisation_ended"
    STOPPING = "stopping"
    DISK_FULL = ledger.DISK_FULL
    DISK_ERROR = ledger.DISK_ERROR
    DISK_HUNG = ledger.DISK_HUNG
    QUEUE_FULL = ledger.QUEUE_FULL


class SegmentJob:
    """The file and the row of one segment. Everything but `written_ns` belongs to the disk's thread."""

    def __init__(
        self,
        store: SegmentStore,
        growing: Growing,
        parameters: ParameterSets,
        video: VideoFormat,
        trust: TimeTrust,
        camera_time: CameraTime,
        place: str,
        *,
        explained: bool = False,
        after: SegmentJob | None = None,
    ) -> None:
        self.store = store
        self.growing = growing
        self.written_ns = growing.start_ns
        self._parameters = parameters
        self._video = video
        self._trust = trust
        self._camera_time = camera_time
        self._place = place
        self._explained = explained
        self._after = after
        self.closed = threading.Event()
        self._file: SegmentFile | None = None
        self._previous_digest = NO_DIGEST
        self._duration_90k = 0
        self._synced_ns = store.clock.monotonic_ns()

    def begin(self) -> None:
        """Note the segment, then make its file, so that no file is without a note (S2)."""
        growing, index = self.growing, self.store.index
        after = self._let_predecessor_close()
        last_end_ns, _, self._previous_digest = self.store.newest.get(growing.camera_id, (None, 0, NO_DIGEST))
        why: tuple[GapCause, str] = (GapCause.RECORDER, ledger.UNEXPLAINED)
        if after is not None:
            last_end_ns = max(after.written_ns, last_end_ns or 0)
            disk = after.growing.failure or (after.store.refusal if after.store is not self.store else "")
            if disk:
                why = (GapCause.DISK, disk)
        hole = None if self._explained else ledger.unexplained(last_end_ns, growing.start_ns)
        if hole is not None:
            self.written_ns = hole[0]  # until something is written, for the gap that a failure opens
        try:
            if not index.close_gap(growing.camera_id, growing.start_ns, synced=False) and hole is not None:
                index.add_gap(growing.camera_id, *hole, *why)
            index.begin_segment(self._stored(0, b"", still_open=True))
            self._file = SegmentFile(self.store.settings.folder / open_file(growing.segment_id), self._head())
        except (OSError, sqlite3.Error) as refused:
            self._failed(refused)

    def append(self, fragment: Fragment) -> None:
        """Write one fragment; put the file on the disk when the interval is over."""
        if self._file is None or self.growing.failure:
            return
        try:
            self._file.append(fragment.decode_time_90k, fragment.samples, fragment.chunks)
            self._duration_90k = fragment.decode_time_90k + sum(sample.duration_90k for sample in fragment.samples)
            self.written_ns = self._end_ns()
            now = self.store.clock.monotonic_ns()
            if now - self._synced_ns >= self.store.settings.sync_interval_s * NS_PER_SECOND:
                self._synced_ns = now
                self._file.sync()
                self.store.index.settle()
        except (OSError, sqlite3.Error) as refused:
            self._failed(refused)

    def close(self, cause: CloseCause) -> None:
        """Finish the file and count it; one without a fragment is cleared away. What fails is tried again later."""
        try:
            self._close(cause)
        finally:
            self.closed.set()

    def _close(self, cause: CloseCause) -> None:
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
            stored = self._stored(file.size, file.digest)
            self.store.counted(close_segment(self.store.settings.folder, self.store.index, stored))
        except (OSError, sqlite3.Error) as refused:
            log.error("segment left open for now", segment_id=growing.segment_id, error=repr(refused))
            self.store.left_open[growing.segment_id] = growing.camera_id
            if file is not None:
                file.abandon()
        else:
            log.debug("segment closed", segment_id=growing.segment_id, camera_id=growing.camera_id, cause=cause)

    def _let_predecessor_close(self) -> SegmentJob | None:
        """Wait a little for the segment before this one where another disk closes it.

        On the same disk it is closed already. One that does not close in time is not waited for: then both segments
        name the same one before them, as after any closing that failed.
        """
        after, self._after = self._after, None
        if after is not None and after.store is not self.store and not after.store.refusal:
            after.closed.wait(PREDECESSOR_S)
        return after

    def _clear_away(self, file: SegmentFile | None) -> None:
        if file is not None:
            file.abandon()
            durable.remove(file.path)
        self.store.index.forget_open(self.growing.segment_id)

    def _failed(self, refused: Exception) -> None:
        full = _is_out_of_space(refused, self.store.settings.folder)
        self.growing.failure = CloseCause.DISK_FULL if full else CloseCause.DISK_ERROR
        log.error("the disk refuses", segment_id=self.growing.segment_id, error=repr(refused))

    def _head(self) -> bytes:
        growing = self.growing
        header = SegmentHeader(
            segment_id=growing.segment_id,
            camera_id=growing.camera_id,
            run=growing.run,
            start_ns=growing.start_ns,
            trust=self._trust,
            previous_digest=self._previous_digest,
            place=self._place,
            camera_time=self._camera_time,
        )
        return init_segment(self._parameters, extra_boxes=segment_header_box(header))

    def _end_ns(self) -> int:
        return self.growing.start_ns + self._duration_90k * NS_PER_SECOND // 90_000

    def _stored(self, size_bytes: int, digest: bytes, *, still_open: bool = False) -> StoredSegment:
        growing = self.growing
        return StoredSegment(
            segment_id=growing.segment_id,
            camera_id=growing.camera_id,
            run=growing.run,
            start_ns=growing.start_ns,
            end_ns=self._end_ns(),
            size_bytes=size_bytes,
            digest=digest,
            previous_digest=self._previous_digest,
            video=self._video,
            uncertainty_ms=growing.uncertainty_ms,
            time_source=self._trust.source,
            open=still_open,
            camera_offset_ms=self._camera_time.offset_ms,
            camera_clock=self._camera_time.source,
        )
