"""The segments of one disk: its index, its thread, its space, and the gaps of its cameras.

Rules
1. One process owns a store. All that changes it runs in the disk's thread, in the order in which it was asked for;
   questions open the index for reading and wait for nobody.
2. Nothing that a recording does here waits: what the disk cannot take is refused with a cause.
3. Invariants S1 and S2 (see `closing`) hold at every instant at which the process may end.
4. A segment that could not be closed is tried again every few seconds, and counted as soon as the disk takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog

from recorder.contract.timeline import Gap, GapCause, RecordedSpan, Timeline
from recorder.store import ledger, queries
from recorder.store.closing import remove_segments
from recorder.store.disk_writer import DiskWriter, Job
from recorder.store.holds import check_holds
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.segment import StoredSegment
from recorder.store.settings import StoreSettings
from recorder.store.starting import STOPPED_AT, Started, index_refused, settle_left_open, start_store
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

if TYPE_CHECKING:
    from recorder.retention.purgeable import Purgeable

log = structlog.get_logger(__name__)

T = TypeVar("T")
DISK_CHECK_S = 5.0
SETTLE_S = 1.0


@dataclass(slots=True)
class Growing:
    """A segment that is being written, as far as questions need it. `end_ns` moves on as fragments are queued."""

    segment_id: str
    camera_id: str
    run: int
    start_ns: int
    end_ns: int
    uncertainty_ms: int
    failure: str = field(default="")


class SegmentStore:
    """The segments of one disk, owned by one process. Made by `open` only."""

    def __init__(self, settings: StoreSettings, clock: Clock, started: Started) -> None:
        self.refusal = ""
        """Why the disk takes no footage now, a detail of the ledger; empty while it does."""
        self.left_open: dict[str, str] = {}
        """Segments whose closing failed, by identifier, with their cameras. Changed by the disk's thread."""
        self.settings = settings
        self.clock = clock
        self.index = started.index
        self.newest = started.newest
        self.salvaged = started.salvaged
        self.disk = DiskWriter(f"disk {settings.folder.name}", settings.queue_bytes)
        self.growing: dict[str, Growing] = {}
        self.stopped = started.stopped
        self.total_bytes = 0
        self._lock = started.lock
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: StoreSettings, clock: Clock, *, announce: bool = True) -> SegmentStore:
        """Lock the folder, finish what was interrupted, and be ready. See `start_store` for `announce`.

        Raises VmsError `folder.in_use`, `store.not_writable`, `store.clock_behind`, `store.full` or
        `store.index_unavailable`.
        """
        try:
            started = await asyncio.to_thread(start_store, settings.folder, clock, announce=announce)
        except sqlite3.Error as refused:
            raise index_refused(settings.folder, refused) from None
        store = cls(settings, clock, started)
        await store._look_at_space()
        store._watch = asyncio.create_task(store._watch_disk(), name="watch disk")
        return store

    async def close(self, *, orderly: bool = True) -> None:
        """Settle what is queued and give the folder back. Every `SegmentWriter` must have been closed before.

        What is missing until the next start is maintenance when this was an `orderly` stop.
        """
        await self.stop_watching()
        stopped_at_ns = self.clock.utc_ns()
        if orderly:
            self.disk.put(lambda: self.index.set_state(STOPPED_AT, stopped_at_ns))
        await asyncio.to_thread(self.disk.stop)
        await asyncio.to_thread(self.index.close)
        self._lock.release()

    async def stop_watching(self) -> None:
        """Look at the disk no more. All that can be done with a store whose disk never answers again."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    @property
    def space_is_low(self) -> bool:
        """Whether the disk is below its threshold."""
        return self.refusal == ledger.DISK_FULL

    def stores_for(self, camera_id: str) -> Sequence[SegmentStore]:  # noqa: ARG002 - a shelf of one
        return () if self.refusal else (self,)

    def refusal_for(self, camera_id: str) -> str:  # noqa: ARG002 - a shelf of one
        return self.refusal

    def trouble(self, store: SegmentStore, cause: str) -> bool:  # noqa: ARG002 - a shelf of one
        return False

    def begun(self, camera_id: str, store: SegmentStore, start_ns: int) -> bool:  # noqa: ARG002 - a shelf of one
        return False

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """Spans and gaps, those still growing included. VmsError `store.unknown_camera` (not_found) otherwise."""
        await self._settled()
        growing = self.growing.get(camera_id)
        return await self.ask(lambda index: _timeline(index, growing, camera_id, start_ns, end_ns))

    async def segments_between(self, camera_id: str, start_ns: int, end_ns: int) -> list[StoredSegment]:
        """The segments that overlap `[start_ns, end_ns)`, in the order of time, the open one last."""

        def both(index: sqlite3.Connection) -> list[StoredSegment]:
            growing = [one for one in queries.open_segments(index, camera_id) if one.start_ns < end_ns]
            closed = queries.segments_between(index, camera_id, start_ns, end_ns)
            known = {one.segment_id for one in closed}
            return closed + [one for one in growing if one.segment_id not in known]

        return await self.ask(both)

    async def expired(self, camera_id: str, before_ns: int, limit: int, after_ns: int = -1) -> list[StoredSegment]:
        """At most `limit` closed segments of a camera that start between two instants, oldest first.

        Those that lie within a hold are left out, as there may be thousands; the rule decides about the others.
        """
        now_ns = self.clock.utc_ns()
        return await self.ask(
            lambda index: queries.oldest_segments(index, camera_id, before_ns, limit, after_ns, now_ns)
        )

    async def retentions(self) -> dict[str, int | None]:
        """The retention of each camera in days; None where no authorisation was ever told."""
        return await self.ask(queries.retentions)

    async def open_gaps(self) -> dict[str, Gap]:
        """The gap that each camera is in, as the ledger has it once what was noted before is written."""
        await self._settled()
        return await self.ask(queries.open_gaps)

    async def remove(self, expired: Purgeable) -> None:
        """Remove what retention decided, and nothing else, for good; see `closing`.

        Raises VmsError when the disk refuses, or `store.held` when a hold came that the rule did not know of.
        """

        def remove() -> None:
            check_holds(self.index.connection, expired.camera_id, expired.holds)
            remove_segments(self.settings.folder, self.index, expired.segments, expired.cause)

        await self.change(remove)

    async def change(self, job: Callable[[], T]) -> T:
        """Run a job on files and index in the disk's thread, in its turn. VmsError when the disk refuses."""
        try:
            return await self.disk.run(job)
        except (OSError, sqlite3.Error) as refused:
            raise self._unavailable(refused) from None

    async def forget_gaps(self, camera_id: str, before_ns: int) -> None:
        """Drop the gaps of a camera that ended before an instant."""
        await self.disk.run(lambda: self.index.forget_gaps(camera_id, before_ns))

    def record_gap(self, camera_id: str, start_ns: int, cause: GapCause, detail: str) -> None:
        """From `start_ns` on nothing is recorded, for this cause. Never waits.

        While a gap is open, the same cause changes nothing and another one splits it. The next segment ends it.
        """
        self._note(lambda: self.index.open_gap(camera_id, start_ns, cause, detail))

    def close_gap(self, camera_id: str, end_ns: int) -> None:
        """Pictures come again at `end_ns`. Never waits; nothing happens when no gap is open."""
        self._note(lambda: self.index.close_gap(camera_id, end_ns))

    def set_retention(self, camera_id: str, days: int) -> None:
        """Keep a camera's retention beside its segments, so that erasure needs nobody (LAW-06). Never waits."""
        self._note(lambda: self.index.set_retention(camera_id, days))

    def counted(self, segment: StoredSegment) -> None:
        """A segment is closed: what comes after it follows on it. In the disk's thread."""
        if segment.end_ns >= self.newest.get(segment.camera_id, (0, 0, b""))[0]:
            self.newest[segment.camera_id] = (segment.end_ns, segment.run, segment.chained_digest)
        self.index.move_gap(segment.camera_id, segment.start_ns, segment.end_ns)

    async def _settled(self) -> None:
        """Wait for what was noted before, so that an answer knows it; a disk that hangs holds no answer up for long."""
        with contextlib.suppress(TimeoutError, VmsError):
            async with asyncio.timeout(SETTLE_S):
                await self.disk.run(lambda: None)

    def _note(self, job: Job) -> None:
        if not self.disk.put(job):
            log.error("a note to the ledger is lost: the disk's thread is gone", failure=repr(self.disk.failure))

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the index something, in a thread; VmsError when it cannot be read."""

        def ask() -> T:
            index = connect_to_read(self.settings.folder / INDEX_NAME)
            try:
                return question(index)
            finally:
                index.close()

        try:
            return await asyncio.to_thread(ask)
        except sqlite3.Error as refused:
            raise self._unavailable(refused) from None

    def _unavailable(self, refused: Exception) -> VmsError:
        return VmsError(
            ErrorKind.UNAVAILABLE,
            "store.disk_error",
            f"Le disque du dossier d’enregistrement {self.settings.folder} ne répond pas comme il devrait.",
            hint="Vérifiez ce disque (journal du système, SMART).",
            detail=repr(refused),
        )

    async def _watch_disk(self) -> None:
        while True:
            await self.clock.sleep(DISK_CHECK_S)
            await self._look_at_space()
            for segment_id, camera_id in list(self.left_open.items()):
                self.disk.put(functools.partial(self._settle, camera_id, segment_id))

    def _settle(self, camera_id: str, segment_id: str) -> None:
        """Try again to close a segment; in the disk's thread."""
        try:
            segment = settle_left_open(self.settings.folder, self.index, camera_id, segment_id)
        except (OSError, sqlite3.Error) as refused:
            log.warning("segment still left open", segment_id=segment_id, error=repr(refused))
            return
        self.left_open.pop(segment_id, None)
        if segment is not None:
            self.counted(segment)
            log.info("segment closed after all", segment_id=segment_id, camera_id=camera_id)

    async def _look_at_space(self) -> None:
        try:
            status = await asyncio.to_thread(os.statvfs, self.settings.folder)
        except OSError as refused:
            log.error("the disk does not tell its free space", folder=str(self.settings.folder), error=repr(refused))
            return
        self.total_bytes = status.f_blocks * status.f_frsize
        wanted = self.settings.min_free_bytes
        if self.space_is_low:
            wanted += wanted // 8  # what was full takes footage again when there is a little more room than needed
        low = status.f_bavail * status.f_frsize < wanted
        if low != self.space_is_low and self.refusal in {"", ledger.DISK_FULL}:
            log.warning("disk almost full" if low else "disk has space again", folder=str(self.settings.folder))
            self.refusal = ledger.DISK_FULL if low else ""


def _timeline(
    index: sqlite3.Connection, growing: Growing | None, camera_id: str, start_ns: int, end_ns: int
) -> Timeline:
    if growing is None and not queries.knows(index, camera_id):
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "store.unknown_camera",
            "Cet enregistreur n’a jamais rien enregistré de cette caméra.",
            detail=f"{camera_id[:40]!r} is not in the index",
        )
    spans = queries.spans_between(index, camera_id, start_ns, end_ns)
    if growing is not None and growing.start_ns < end_ns and growing.end_ns > start_ns:
        spans.append(RecordedSpan(growing.start_ns, growing.end_ns, growing.run, growing.uncertainty_ms))
    gaps = queries.gaps_between(index, camera_id, start_ns, end_ns)
    return Timeline(camera_id, start_ns, end_ns, queries.joined(spans), tuple(gaps))
