"""One stream, kept coming: connect, read at its pace, date, publish; when it is lost, say why and try again, paced.

Rules
1. Whatever goes wrong with one camera ends here: in a cause, a status, a log line and another try.
2. A stream is read by the wheel, about once a second; while it is watched, on arrival too. Going from one to the other
   loses nothing, as both read the same socket with the same state.
3. The first two seconds of a connection are read on arrival, so that its time line starts on small delays.
4. A wrong password is not tried again at once: cameras lock accounts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from recorder.contract.assignment import StreamTransport
from recorder.contract.status import StreamCondition
from recorder.hub.hub import StreamHub
from recorder.ingest.budget import ConnectionBudget
from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.connection import open_stream
from recorder.ingest.flood import FloodGate
from recorder.ingest.foreign import open_foreign
from recorder.ingest.pace import SLOTS, Turn, Wheel
from recorder.ingest.source import PlayingStream, StreamOpener
from recorder.ingest.timeline import Timeline
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.tasks import Backoff
from vms.media.depacketise import Batch

log = structlog.get_logger(__name__)

READ_BYTES = 4 * 1024 * 1024
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
FIRST_READ_AFTER_S = 0.1
"""Cameras and relays may send what they hold at once; read together, it is dated by its newest picture."""
SETTLE_NS = 2 * NS_PER_SECOND
SILENT_AFTER_NS = 5 * NS_PER_SECOND
LOST_AFTER_NS = 12 * NS_PER_SECOND
HEALTHY_AFTER_NS = 30 * NS_PER_SECOND
LOCKOUT_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Where a stream comes from. `link` names the line that it shares with others, such as its commune."""

    url: str
    link: str
    username: str = ""
    password: str = field(default="", repr=False)
    transport: StreamTransport = StreamTransport.TCP
    tls_pins: tuple[str, ...] = ()

    @property
    def is_secure(self) -> bool:
        """Whether it comes over TLS: then never through the reader, which compares no pin."""
        return self.url.lower().startswith("rtsps:")


@dataclass(slots=True)
class StreamCounters:
    """What one stream has done since the shard started."""

    connections: int = 0
    reads: int = 0
    received_bytes: int = 0
    packets: int = 0
    lost_packets: int = 0
    sequence_jumps: int = 0
    malformed_packets: int = 0
    units: int = 0
    damaged_units: int = 0

    def count(self, received_bytes: int, batch: Batch) -> None:
        """Add one read."""
        self.reads += 1
        self.received_bytes += received_bytes
        self.packets += batch.packets
        self.lost_packets += batch.lost_packets
        self.sequence_jumps += batch.sequence_jumps
        self.malformed_packets += batch.malformed_packets
        self.units += len(batch.access_units)
        self.damaged_units += sum(unit.damaged for unit in batch.access_units)


class IngestMachinery:
    """What all streams of a shard share: clock, wheel, budget, and the one buffer that every socket is read into.

    `reader_socket` is where the reader of foreign streams listens, None where there is none.
    """

    def __init__(self, clock: Clock, wheel: Wheel, budget: ConnectionBudget, reader_socket: Path | None = None) -> None:
        self.reader_socket = reader_socket
        self.clock = clock
        self.wheel = wheel
        self.budget = budget
        self.buffer = memoryview(bytearray(READ_BYTES))


class StreamIngest:
    """Keeps one stream coming into its hub. `run` until it is cancelled; `follow_demand` when readers come or go."""

    def __init__(self, source: StreamSource, hub: StreamHub, machinery: IngestMachinery) -> None:
        self.counters = StreamCounters()
        self.timeline = Timeline()
        self._source = source
        self._hub = hub
        self._machinery = machinery
        self._clock = machinery.clock
        self._connection: PlayingStream | None = None
        has_reader = machinery.reader_socket is not None and not source.is_secure
        foreign = self._open_foreign if has_reader else None
        self._opener = StreamOpener(source.transport, self._open_native, foreign, self._names())
        self._turn = Turn()
        self._flood = FloodGate(0)
        self._lost: asyncio.Future[None] | None = None
        self._on_arrival = False
        self._settled_ns = 0
        self._last_unit_ns = 0
        self._keep_alive_ns = 0
        hub.on_demand = self.follow_demand

    async def run(self) -> None:
        """Connect and read, again and again."""
        backoff = Backoff(initial_s=0.5, maximum_s=30.0)
        failures = 0
        while True:
            started_ns = self._clock.monotonic_ns()
            received = self.counters.units
            try:
                await self._once(failures)
            except IngestError as lost:
                cause, detail = lost.cause, lost.detail
            except Exception:
                log.exception("stream failed", **self._names())
                cause, detail = Cause.INTERNAL, "internal error"
            else:
                cause, detail = Cause.CLOSED_BY_CAMERA, ""
            failures = 0 if self.counters.units > received else failures + 1
            if self._clock.monotonic_ns() - started_ns >= HEALTHY_AFTER_NS:
                backoff.reset()
            pause_s = backoff.next_pause_s()
            if cause is Cause.BAD_PASSWORD:
                pause_s = max(pause_s, LOCKOUT_PAUSE_S)
            log.warning("stream lost", cause=cause, detail=detail, pause_s=round(pause_s, 1), **self._names())
            self._hub.set_status(StreamCondition.NO_SIGNAL, cause)
            await self._clock.sleep(pause_s)

    def follow_demand(self) -> None:
        """Take the pace that the hub's readers need now."""
        connection = self._connection
        if connection is None:
            return
        wanted = self._hub.watched or connection.hurried or self._clock.monotonic_ns() < self._settled_ns
        if wanted == self._on_arrival:
            return
        loop = asyncio.get_running_loop()
        self._on_arrival = wanted
        if wanted:
            loop.add_reader(connection.fileno(), self._arrived)
        else:
            loop.remove_reader(connection.fileno())

    def visit(self) -> int:
        """The wheel's turn: read, keep alive, notice silence."""
        connection = self._connection
        try:
            count = self._read()
            self._housekeep()
            self.follow_demand()
        except Exception as failure:  # noqa: BLE001 - told by `run`, which wakes up with it
            self._lose(failure)
            return SLOTS
        return self._turn.after(count, connection.capacity_bytes) if connection is not None else SLOTS

    async def _once(self, failures: int) -> None:
        source, machinery = self._source, self._machinery
        async with machinery.budget.attempt(source.link, failures):
            connection = await self._opener.open()
        self.counters.connections += 1
        try:
            await asyncio.sleep(FIRST_READ_AFTER_S)
            await self._play(connection)
        finally:
            self._stop_reading(connection)
            connection.close()

    async def _open_native(self) -> PlayingStream:
        source = self._source
        return await open_stream(source.url, source.username, source.password, SOCKET_BUFFER_BYTES, source.tls_pins)

    async def _open_foreign(self, transport: StreamTransport) -> PlayingStream:
        source, reader_socket = self._source, self._machinery.reader_socket
        assert reader_socket is not None, "asked only where there is a reader"
        return await open_foreign(reader_socket, source.url, source.username, source.password, transport)

    async def _play(self, connection: PlayingStream) -> None:
        now_ns = self._clock.monotonic_ns()
        self._settled_ns = now_ns + SETTLE_NS
        self._last_unit_ns = now_ns
        self._keep_alive_ns = now_ns + round(connection.keep_alive_s * NS_PER_SECOND)
        self._turn = Turn()
        self._flood = FloodGate(now_ns)
        self._connection = connection
        self._lost = asyncio.get_running_loop().create_future()
        self.timeline.restart()
        log.info("stream connected", codec=connection.codec, **self._names())
        self._machinery.wheel.add(self)
        self._read()
        self.follow_demand()
        await self._lost

    def _stop_reading(self, connection: PlayingStream) -> None:
        if self._on_arrival:
            asyncio.get_running_loop().remove_reader(connection.fileno())
            self._on_arrival = False
        self._machinery.wheel.remove(self)
        if self._lost is not None and self._lost.done() and not self._lost.cancelled():
            self._lost.exception()  # looked at, even when the task was cancelled before it could wake up with it
        if self._connection is connection:
            self._connection = None
            self._take(0, connection.finish())

    def _arrived(self) -> None:
        try:
            self._read()
        except Exception as failure:  # noqa: BLE001 - told by `run`, which wakes up with it
            self._lose(failure)

    def _read(self) -> int:
        connection = self._connection
        if connection is None:
            return 0
        count, batch = connection.read(self._machinery.buffer)
        if batch is not None:
            self._take(count, batch)
            frames = batch.packets + batch.ignored_packets + len(batch.sender_reports) + len(batch.rtsp)
            self._flood.pass_through(self._clock.monotonic_ns(), count, frames, len(batch.access_units))
            if batch.bye:
                raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera says goodbye")
        return count

    def _take(self, count: int, batch: Batch) -> None:
        self.counters.count(count, batch)
        if batch.access_units:
            clock = self._clock
            now_ns = clock.monotonic_ns()
            self._last_unit_ns = now_ns
            dated = self.timeline.date(batch.access_units, clock.utc_ns(), now_ns)
            if self._connection is not None and self._connection.extra_uncertainty_ms:
                for unit in dated:
                    unit.uncertainty_ms += self._connection.extra_uncertainty_ms
            if self._hub.status.condition is not StreamCondition.LIVE:
                self._hub.set_status(StreamCondition.LIVE)
            self._hub.publish(dated)
        for report in batch.sender_reports:
            self.timeline.measure_camera_clock(report)

    def _housekeep(self) -> None:
        connection = self._connection
        if connection is None:
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._keep_alive_ns:
            self._keep_alive_ns = now_ns + round(connection.keep_alive_s * NS_PER_SECOND)
            connection.keep_alive()
        silent_ns = now_ns - self._last_unit_ns
        if silent_ns >= LOST_AFTER_NS:
            raise IngestError(Cause.SILENT, f"no picture for {silent_ns // NS_PER_SECOND} s")
        if silent_ns >= SILENT_AFTER_NS:
            self._hub.set_status(StreamCondition.NO_SIGNAL, Cause.SILENT)

    def _lose(self, reason: Exception) -> None:
        """End the connection; whoever reads next finds none."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_exception(reason)

    def _names(self) -> dict[str, str]:
        return {"camera_id": self._hub.status.camera_id, "role": self._hub.status.role}
