"""One camera at a shard: its streams, its recording, and the second at which its authorisation ends.

Rules
1. The main stream is read as long as the authorisation is in force (LAW-01, LAW-02), watched or not.
2. The small stream is opened when somebody subscribes and lingers after the last one left, so that changing the page
   of a wall does not call every camera anew.
3. Outside of the authorisation nothing is fetched, recorded or shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass, field

import structlog

from access_audit.events import EventKind
from recorder.contract.assignment import CameraAssignment, StreamAddress, StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.timeline import GapCause
from recorder.hub.hub import StreamHub
from recorder.hub.reader import HubReader
from recorder.ingest.causes import Cause
from recorder.ingest.stream import IngestMachinery, StreamIngest, StreamSource
from recorder.node.journal import ShardJournal
from recorder.node.recording import RecordingReader
from recorder.recording.segment_writer import SegmentWriter
from recorder.store.shelf import Shelf
from vms.base.clock import NS_PER_MS, NS_PER_SECOND
from vms.media.fmp4 import NO_CAMERA_TIME, CameraTime, CameraTimeSource

log = structlog.get_logger(__name__)

LONGEST_WAIT_S = 1.0
OLDEST_SET_CLOCK_NS = 1_262_304_000 * NS_PER_SECOND
"""2010-01-01: a camera that states an earlier date was never set, and counts from its start or its manufacture."""


@dataclass(frozen=True, slots=True)
class ShardServices:
    """What every camera of a shard is built on."""

    machinery: IngestMachinery
    shelf: Shelf
    journal: ShardJournal
    segment_seconds: float
    linger_s: float


@dataclass(slots=True)
class _Stream:
    """A stream that is being fetched."""

    hub: StreamHub
    ingest: StreamIngest
    task: asyncio.Task[None]
    linger: asyncio.TimerHandle | None = field(default=None)


class CameraWorker:
    """Keeps one assigned camera recorded. `start` once, `stop` once; `update` in between."""

    def __init__(self, assignment: CameraAssignment, services: ShardServices) -> None:
        self.assignment = assignment
        self._services = services
        self._clock = services.machinery.clock
        self._streams: dict[StreamRole, _Stream] = {}
        self._since_ns = self._clock.utc_ns()
        self._recorded = False
        writer = SegmentWriter(
            services.shelf,
            assignment.camera_id,
            segment_seconds=services.segment_seconds,
            first_seconds=services.segment_seconds * _share_of(assignment.camera_id),
            place=f"{assignment.commune} {assignment.name}"[:200],
            camera_time=self._camera_time,
        )
        self._recording = RecordingReader(services.shelf, writer, assignment.camera_id, assignment.authorisation)
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if the authorisation allows it."""
        self._keeper = asyncio.create_task(self._keep(), name=f"camera {self.assignment.camera_id}")

    async def stop(self, cause: str, *, gap: GapCause, detail: str) -> None:
        """Let go of the camera and close its segment. What is missing from now on has this cause."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        recorded = self._recorded
        await self._close_all(cause, stopping=True)
        if recorded:
            self._recording.note_gap(self._clock.utc_ns(), gap, detail)

    def update_authorisation(self, assignment: CameraAssignment) -> None:
        """Take another authorisation; everything else must be the same."""
        self.assignment = assignment
        self._recording.authorisation = assignment.authorisation

    def statuses(self) -> list[StreamStatus]:
        """What the streams do; the main one is always among them."""
        statuses = [stream.hub.status for stream in self._streams.values()]
        if StreamRole.MAIN not in self._streams:
            statuses.insert(0, self._stopped())
        return statuses

    def counters(self) -> list[dict[str, object]]:
        """What has been counted, one object a stream."""
        return [_counters(role, stream) for role, stream in self._streams.items()]

    def attach(self, role: StreamRole, reader: HubReader) -> StreamHub | None:
        """Add a reader to a stream, opening it if need be. None, and nothing added, outside of the authorisation."""
        if not self.assignment.authorisation.in_force(self._clock.utc_ns()):
            return None
        if StreamRole.MAIN not in self._streams:
            self._begin_recording()
        stream = self._open(self._effective(role))
        if stream.linger is not None:
            stream.linger.cancel()
            stream.linger = None
        stream.hub.attach(reader)
        return stream.hub

    def detach(self, role: StreamRole, reader: HubReader) -> None:
        """Remove a reader; the small stream is closed a while after the last one."""
        role = self._effective(role)
        stream = self._streams.get(role)
        if stream is None:
            return
        stream.hub.detach(reader)
        if role is not StreamRole.MAIN and not stream.hub.readers and stream.linger is None:
            loop = asyncio.get_running_loop()
            stream.linger = loop.call_later(self._services.linger_s, self._leave, role, stream)

    async def _keep(self) -> None:
        """Follow the authorisation. Waits are short, as the wall clock may be set."""
        told = False
        while True:
            allowed = self.assignment.authorisation
            now_ns = self._clock.utc_ns()
            if allowed.in_force(now_ns):
                if StreamRole.MAIN not in self._streams:
                    self._begin_recording()
                told = False
            elif not told:
                await self._end_recording()
                told = True
            boundary_ns = min(
                (instant for instant in (allowed.starts_at_ns, allowed.ends_at_ns) if instant > now_ns),
                default=now_ns + round(LONGEST_WAIT_S * NS_PER_SECOND),
            )
            await self._clock.sleep(min(LONGEST_WAIT_S, (boundary_ns - now_ns) / NS_PER_SECOND))

    def _begin_recording(self) -> None:
        stream = self._open(StreamRole.MAIN)
        stream.hub.attach(self._recording, from_key_frame=False)
        self._recorded = True
        self._services.journal.note(
            EventKind.RECORDING_STARTED, self.assignment, authorisation=self.assignment.authorisation.reference[:120]
        )

    async def _end_recording(self) -> None:
        now_ns = self._clock.utc_ns()
        was_recorded = self._recorded
        await self._close_all(Cause.NOT_AUTHORISED, stopping=False)
        self._since_ns = now_ns
        self._recording.not_authorised(now_ns)
        log.warning("not authorised: not recorded", camera_id=self.assignment.camera_id)
        if was_recorded:
            self._services.journal.note(EventKind.RECORDING_STOPPED, self.assignment, cause=Cause.NOT_AUTHORISED)

    async def _close_all(self, cause: str, *, stopping: bool) -> None:
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            await _close(stream, cause)
        if self._recorded:
            self._recorded = False
            await self._recording.close(authorised=stopping, stopping=stopping)

    def _open(self, role: StreamRole) -> _Stream:
        stream = self._streams.get(role)
        if stream is not None:
            return stream
        assignment = self.assignment
        address = assignment.stream(role) or StreamAddress(role, "")
        source = StreamSource(
            address.url,
            assignment.commune,
            assignment.username,
            assignment.password,
            address.transport,
            address.tls_pins,
        )
        hub = StreamHub(assignment.camera_id, role, self._clock)
        ingest = StreamIngest(source, hub, self._services.machinery)
        task = asyncio.create_task(ingest.run(), name=f"stream {assignment.camera_id} {role}")
        stream = self._streams[role] = _Stream(hub, ingest, task)
        return stream

    def _camera_time(self) -> CameraTime:
        """What is known of the camera's own clock now."""
        stream = self._streams.get(StreamRole.MAIN)
        clock = stream.ingest.timeline.camera_clock if stream is not None else None
        if clock is None or not clock.reports:
            return NO_CAMERA_TIME
        if clock.measured_at_ns + clock.offset_ns < OLDEST_SET_CLOCK_NS:
            return CameraTime(CameraTimeSource.UNSET)
        return CameraTime(CameraTimeSource.SENDER_REPORT, clock.offset_ns // NS_PER_MS)

    def _leave(self, role: StreamRole, stream: _Stream) -> None:
        """The small stream was not wanted again."""
        stream.linger = None
        if not stream.hub.readers and self._streams.get(role) is stream:
            del self._streams[role]
            stream.task.cancel()

    def _effective(self, role: StreamRole) -> StreamRole:
        address = self.assignment.stream(role)
        return address.role if address is not None else StreamRole.MAIN

    def _stopped(self) -> StreamStatus:
        return StreamStatus(
            self.assignment.camera_id,
            StreamRole.MAIN,
            StreamCondition.STOPPED,
            self._since_ns,
            Cause.NOT_AUTHORISED.value,
        )


def _share_of(camera_id: str) -> float:
    """A number from a quarter to one, the same for a camera each time: when its first segment ends."""
    return 0.25 + 0.75 * zlib.crc32(camera_id.encode()) / (1 << 32)


async def _close(stream: _Stream, cause: str) -> None:
    if stream.linger is not None:
        stream.linger.cancel()
    stream.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stream.task
    stream.hub.end(cause)


def _counters(role: StreamRole, stream: _Stream) -> dict[str, object]:
    counters, timeline = stream.ingest.counters, stream.ingest.timeline
    return {
        "camera_id": stream.hub.status.camera_id,
        "role": role.value,
        "connections": counters.connections,
        "reads": counters.reads,
        "received_bytes": counters.received_bytes,
        "packets": counters.packets,
        "lost_packets": counters.lost_packets,
        "sequence_jumps": counters.sequence_jumps,
        "malformed_packets": counters.malformed_packets,
        "units": counters.units,
        "damaged_units": counters.damaged_units,
        "readers": stream.hub.readers,
        "watched": stream.hub.watched,
        "run": timeline.run,
        "steps": timeline.steps,
        "uncertainty_ms": timeline.uncertainty_ms,
        "sender_reports": timeline.camera_clock.reports,
        "camera_clock_offset_ms": timeline.camera_clock.offset_ns // 1_000_000,
    }
