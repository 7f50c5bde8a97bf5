"""One client watching one stream: frames leave when they are due, in one write each.

Rules
- A new client starts with the next key frame, as with real cameras; with `instant_key` at once, with the key frame
  before the present position and all that follows it.
- A client that is more than `SLOW_READER_S` of film behind is cut: writers never wait for readers.
- After a stall of the process the stream goes on with the next key frame instead of sending the past.
- A sender report goes out with the first frame and every five seconds: the camera's own clock beside RTP time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import structlog

from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.spec import (
    DROPPED_ONE_IN,
    JUMP_EVERY_FRAMES,
    SEQUENCE_LEAP,
    TIMESTAMP_LEAP_90K,
    TROUBLE_AFTER_NS,
    Fault,
)
from cameras.simulator.udp import Outlet
from cameras.simulator.wheel import TICK_NS, Wheel
from vms.base.clock import NS_PER_SECOND
from vms.media.errors import MediaError
from vms.media.packetise import AccessUnitPlan, interleave_access_unit
from vms.media.rtcp import build_bye, build_sender_report
from vms.media.rtsp import InterleavedFrame

log = structlog.get_logger(__name__)

REPORT_EVERY_NS = 5 * NS_PER_SECOND
SLOW_READER_S = 4
SMALLEST_BACKLOG_BYTES = 512 * 1024
STALL_NS = NS_PER_SECOND
_PER_FRAME_FAULTS = frozenset(
    {Fault.DROPS_RTP, Fault.SEQUENCE_JUMP, Fault.TIMESTAMP_JUMP, Fault.FREEZES, Fault.CLOSES, Fault.NO_SENDER_REPORT}
)


@dataclass(slots=True)
class Playback:
    """The sending side of one playing session. `channels` are those of RTP and RTCP; `cut` ends the connection."""

    device: Device
    stream: StreamSettings
    wheel: Wheel
    transport: Outlet
    channels: tuple[int, int]
    cut: Callable[[], None]
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    sequence: int = field(default_factory=lambda: secrets.randbits(16))
    ended: bool = False
    _timestamp_base: int = field(default_factory=lambda: secrets.randbits(32))
    _in_band: bool = True
    _number: int = 0
    _frames: int = 0
    _packets: int = 0
    _octets: int = 0
    _started_ns: int = 0
    _report_due_ns: int = 0
    _frozen: bool = False
    _most_backlog_bytes: int = 0

    def begin(self) -> tuple[int, int]:
        """Choose the first frame and wait for it; returns its sequence number and RTP time stamp (for RTP-Info)."""
        reel = self.stream.reel
        now_ns = self.wheel.clock.monotonic_ns()
        following = reel.first_due(self.wheel.utc_ns(now_ns))
        if self.device.spec.instant_key:
            self._number = reel.key_before(following - 1)
        else:
            self._number = reel.key_from(following)
        self._in_band = Fault.PARAMETERS_IN_SDP_ONLY not in self.device.faults
        self._started_ns = self._report_due_ns = now_ns
        self._most_backlog_bytes = max(SMALLEST_BACKLOG_BYTES, reel.film.bit_rate_kbps * 125 * SLOW_READER_S)
        self._schedule()
        return self.sequence, self._timestamp()

    def end(self, *, say_bye: bool) -> None:
        """Stop sending; BYE tells the client that it was meant (RFC 3550, 6.6)."""
        if self.ended:
            return
        self.ended = True
        if say_bye and not self.transport.is_closing():
            self.transport.write(InterleavedFrame(self.channels[1], build_bye(self.ssrc)).encode())

    def _schedule(self) -> None:
        self.wheel.at(self.wheel.monotonic_ns(self.stream.reel.due_ns(self._number)), self._on_time)

    def _timestamp(self) -> int:
        return (self._timestamp_base + self.stream.reel.timestamp_90k(self._number)) & 0xFFFF_FFFF

    def _on_time(self, now_ns: int) -> None:
        if self.ended or self.transport.is_closing():
            return
        faults = self.device.faults & _PER_FRAME_FAULTS
        if faults and self._is_in_trouble(faults, now_ns):
            return
        if self.transport.get_write_buffer_size() > self._most_backlog_bytes:
            log.warning("slow reader cut", camera=self.device.spec.address, stream=self.stream.role)
            self.cut()
            return
        reel = self.stream.reel
        utc_ns = self.wheel.utc_ns(now_ns)
        if self._frozen or (self._frames and utc_ns - reel.due_ns(self._number) > STALL_NS):
            self._frozen = False
            self._number = reel.key_from(reel.first_due(utc_ns))
        try:
            self._send_due(now_ns, faults)
        except MediaError as error:
            log.error("film is damaged", film=reel.film.path.name, error=error.detail)
            self.cut()
            return
        self._schedule()

    def _send_due(self, now_ns: int, faults: AbstractSet[Fault]) -> None:
        utc_ns = self.wheel.utc_ns(now_ns)
        while self.stream.reel.due_ns(self._number) <= utc_ns:
            if now_ns >= self._report_due_ns and Fault.NO_SENDER_REPORT not in faults:
                self._report(now_ns)
            self._send(faults)
            self._number += 1

    def _is_in_trouble(self, faults: AbstractSet[Fault], now_ns: int) -> bool:
        """Faults that keep the stream from going on after `TROUBLE_AFTER_NS`."""
        if now_ns - self._started_ns < TROUBLE_AFTER_NS:
            return False
        if Fault.CLOSES in faults:
            self.cut()
            return True
        if Fault.FREEZES in faults:
            self._frozen = True
            self.wheel.at(now_ns + TICK_NS, self._on_time)
            return True
        return False

    def _send(self, faults: AbstractSet[Fault]) -> None:
        reel = self.stream.reel
        plan = reel.film.plan(reel.sample(self._number), in_band=self._in_band)
        if faults:
            self._leap(faults)
        data = interleave_access_unit(
            plan, sequence=self.sequence, timestamp=self._timestamp(), ssrc=self.ssrc, channel=self.channels[0]
        )
        if Fault.DROPS_RTP in faults:
            data = self._without_dropped(data, plan)
        self.transport.write(data)
        self.sequence = (self.sequence + plan.packet_count) & 0xFFFF
        self._frames += 1
        self._packets += plan.packet_count
        self._octets += plan.payload_bytes

    def _leap(self, faults: AbstractSet[Fault]) -> None:
        if self._frames == 0 or self._frames % JUMP_EVERY_FRAMES:
            return
        if Fault.SEQUENCE_JUMP in faults:
            self.sequence = (self.sequence + SEQUENCE_LEAP) & 0xFFFF
        if Fault.TIMESTAMP_JUMP in faults:
            self._timestamp_base += TIMESTAMP_LEAP_90K

    def _without_dropped(self, data: bytearray, plan: AccessUnitPlan) -> bytearray:
        ends = (*plan.offsets[1:], len(data))
        kept = bytearray()
        for packet, (start, end) in enumerate(zip(plan.offsets, ends, strict=True), self._packets + 1):
            if packet % DROPPED_ONE_IN:
                kept += data[start:end]
        return kept

    def _report(self, now_ns: int) -> None:
        rtp = self._timestamp_base + self.stream.reel.timestamp_90k_at(self.wheel.utc_ns(now_ns))
        report = build_sender_report(self.ssrc, self.device.utc_ns(), rtp & 0xFFFF_FFFF, self._packets, self._octets)
        self.transport.write(InterleavedFrame(self.channels[1], report).encode())
        self._report_due_ns = now_ns + REPORT_EVERY_NS
