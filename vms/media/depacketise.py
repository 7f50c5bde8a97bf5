"""From one RTSP/TCP connection's bytes to access units: the hot path of the recorder.

`StreamDemuxer.feed` takes whatever one large read gave, hundreds of packets, and walks it in one loop with everything
in local variables. Most packets are the middle of a large NAL unit, of one size and numbered on: a whole run of them is
checked and taken by one call (`_run`). Each picture is joined once, out of the caller's buffer, which may then be read
into again.

Between '$' frames stand RTSP messages (answers to keep-alives); frames of other channels are passed over. Lengths,
sizes and counts are bounded; what cannot be understood is counted, and what cannot be survived raises MediaError.

Source: RFC 2326 10.12 (interleaving), RFC 3550 5.1 and A.1, RFC 6184 5 (H.264), RFC 7798 4 (H.265).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from vms.media import h264, h265
from vms.media.access_unit import AccessUnit, Codec, ParameterSets, unwrap_timestamp
from vms.media.assembly import Assembly
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.rtcp import Bye, SenderReport, parse_compound
from vms.media.rtsp import RtspLimits, RtspRequest, RtspResponse, parse_message

_DOLLAR: Final = 0x24
_LONGEST_FRAME: Final = 4 + 0xFFFF
_HEAD = struct.Struct(">HHHHIIH")
"""'$' and channel, length, first 16 bits of RTP, sequence, time stamp, SSRC, first two payload bytes."""
_MARKER: Final = 0x80
_PLAIN: Final = 0x8000
_MAX_DROPOUT: Final = 3_000
_SMALLEST_LEAP: Final = 256
"""Fewer packets may be the beginning of one picture, which its time stamp would not betray."""
_LONGEST_RUN: Final = 32
_SHORTEST_RUN: Final = 3
_EVERY_NUMBER: Final = tuple(range(0x1_0000)) + tuple(range(_LONGEST_RUN))
_FU_START: Final = 0x80
_FU_END: Final = 0x40
_NOT_FU_END: Final = 0xFFBF
_NO_LENGTH: Final = b"\0\0\0\0"


@dataclass(frozen=True, slots=True)
class DemuxerLimits:
    """Bounds on what one camera can make us hold."""

    access_unit_bytes: int = 8 * 1024 * 1024
    rtsp_message_bytes: int = 64 * 1024
    skipped_bytes: int = 256 * 1024
    useless_frames: int = 20_000
    messages: int = 1_000
    pictures: int = 4_000


@dataclass(slots=True)
class Batch:
    """What one `feed` gave."""

    access_units: list[AccessUnit] = field(default_factory=list)
    sender_reports: list[SenderReport] = field(default_factory=list)
    rtsp: list[RtspResponse | RtspRequest] = field(default_factory=list)
    packets: int = 0
    lost_packets: int = 0
    sequence_jumps: int = 0
    ignored_packets: int = 0
    malformed_packets: int = 0
    skipped_bytes: int = 0
    bye: bool = False


class StreamDemuxer:
    """State of one RTSP/TCP interleaved video stream after PLAY. `source` is its SSRC, -1 before the first marker.

    `feed` may be given a view of a buffer that the caller reuses: nothing in a Batch refers to `data` afterwards.
    """

    def __init__(
        self,
        codec: Codec,
        rtp_channel: int,
        rtcp_channel: int,
        payload_type: int,
        parameters: ParameterSets | None = None,
        limits: DemuxerLimits | None = None,
    ) -> None:
        self._limits = limits or DemuxerLimits()
        self._assembly = Assembly(codec, parameters, self._limits.access_unit_bytes)
        self._is_h264 = codec is Codec.H264
        self._rtp_magic = _DOLLAR << 8 | rtp_channel
        self._rtcp_magic = _DOLLAR << 8 | rtcp_channel
        self._plain_bits = _PLAIN | payload_type
        self._payload_type = payload_type
        self._rtsp_limits = RtspLimits(body_bytes=self._limits.rtsp_message_bytes)
        self._tail = b""
        self._failure: MediaError | None = None
        self._sequence = -1
        self._last_low = -1
        self._skipped_in_a_row = 0
        self._fu_place = -1
        self._fu_header = b""
        self._fu_bytes = 0
        self._fu_middle = b""
        self._fu_start = -1
        self._text = b""
        self.source = -1

    @property
    def next_sequence(self) -> int:
        """The RTP sequence number that is expected now, -1 before the first packet."""
        return self._sequence

    def feed(self, data: bytes | bytearray | memoryview) -> Batch:
        """Whatever one read gave; a partial frame at its end is kept.

        Raises MediaError on hostile input. Pictures that were whole before it are given out first, and the error is
        raised by the next call.
        """
        if self._failure is not None:
            raise self._failure
        batch = Batch()
        try:
            view = self._after_tail(memoryview(data), batch)
            self._tail = bytes(view[self._walk(view, batch) :])
            self._assembly.check_size(self._fu_bytes if self._fu_place >= 0 else 0)
        except MediaError as hostile:
            self._failure = hostile
            if not batch.access_units:
                raise
        finally:
            self._text = b""
            self._fu_place = self._assembly.settle(self._fu_place)
        return batch

    def finish(self) -> Batch:
        """The access unit that was open when the connection ended; it is damaged unless its marker had come."""
        batch = Batch()
        self._close_fragment()
        self._assembly.damaged = True
        self._emit(batch)
        return batch

    def _after_tail(self, data: memoryview, batch: Batch) -> memoryview:
        """What follows the frame that the last read left incomplete; that frame is dealt with."""
        tail, self._tail = self._tail, b""
        if not tail:
            return data
        start = tail if len(tail) >= 4 else tail + data[: 4 - len(tail)]
        missing = 4 + int.from_bytes(start[2:4], "big") - len(tail)
        if start[0] != _DOLLAR or len(start) < 4 or missing > len(data):
            return memoryview(tail + data)
        self._walk(memoryview(tail + data[:missing]), batch)
        self._text = b""
        return data[missing:]

    def _walk(self, view: memoryview, batch: Batch) -> int:
        end = len(view)
        unpack_head = _HEAD.unpack_from
        assembly = self._assembly
        rtp_magic, plain_bits = self._rtp_magic, self._plain_bits
        marked_bits = plain_bits | _MARKER
        is_h264 = self._is_h264
        position = packets = run_end = 0
        sequence = self._sequence
        last_low = self._last_low
        while end - position >= 18:
            magic, length, bits, number, timestamp, ssrc, start = unpack_head(view, position)
            after = position + 4 + length
            if magic != rtp_magic or length < 15 or (bits != plain_bits and bits != marked_bits):
                self._sequence = sequence
                after = self._unusual(view, position, batch)
                sequence = self._sequence
                last_low = self._last_low
                if after < 0:
                    break
                position = after
                continue
            if after > end:
                break
            if start == self._fu_start and number == sequence and bits == plain_bits and position >= run_end:
                count, run_end = self._run(view, position, length + 4, number, last_low)
                if count:
                    packets += count
                    sequence = (number + count) & 0xFFFF
                    position = run_end
                    continue
            packets += 1
            if number != sequence and self._gap(number, sequence, timestamp, batch) and timestamp != last_low:
                self._new_timestamp(timestamp, batch)
                last_low = timestamp
                assembly.damaged = True
            sequence = (number + 1) & 0xFFFF
            if timestamp != last_low:
                self._new_timestamp(timestamp, batch)
                last_low = timestamp
            if start & _NOT_FU_END == self._fu_start and is_h264:
                assembly.chunks.append(view[position + 18 : after])
                self._fu_bytes += length - 14
                if start & _FU_END:
                    self._close_fragment()
            else:
                self._payload(view[position + 16 : after], batch)
            if bits == marked_bits:
                self._marked(ssrc, batch)
            position = after
        self._sequence = sequence
        batch.packets += packets
        return self._short_end(view, position, batch)

    def _run(self, view: memoryview, position: int, stride: int, number: int, timestamp: int) -> tuple[int, int]:
        """Take the packets from `position` on that are alike: middles of the open NAL unit, one size, numbered on.

        Every head is compared whole: in hundreds of millions of pictures a day, chance makes any one byte look right.
        Gives how many were taken, and where the next one stands; with none, the place before which looking is in vain.
        """
        whole = min((len(view) - position) // stride, _LONGEST_RUN)
        stop = position + whole * stride
        lengths = bytes(view[position + 3 : stop : stride])
        count = whole - len(lengths.lstrip(lengths[:1]))
        if count < _SHORTEST_RUN:
            return 0, position + count * stride
        middle = self._fu_middle
        body = 16 + len(middle)
        heads, bodies = _run_layout(body, stride, count)
        fields = heads.unpack_from(view, position)
        if not (
            fields[0::4].count(fields[0]) == fields[3::4].count(middle) == fields[2::4].count(timestamp) == count
            and fields[1::4] == _EVERY_NUMBER[number : number + count]
        ):
            return 0, position + count * stride
        run = view[position : position + count * stride]
        self._assembly.chunks += [run[body] for body in bodies]
        self._fu_bytes += count * (stride - body)
        return count, position + count * stride

    def _short_end(self, view: memoryview, position: int, batch: Batch) -> int:
        """Frames too short for the loop's one look at a head stand at the end of a batch."""
        while len(view) - position >= 4:
            after = self._unusual(view, position, batch)
            if after < 0:
                break
            position = after
        return position

    def _unusual(self, view: memoryview, position: int, batch: Batch) -> int:
        """Anything but an ordinary packet of the stream; where it ends, or -1 while it is incomplete."""
        if view[position] != _DOLLAR:
            self._text = self._text or bytes(view)
            return self._between_frames(self._text, position, batch)
        after = position + 4 + int.from_bytes(view[position + 2 : position + 4], "big")
        if after > len(view):
            return -1
        magic = _DOLLAR << 8 | view[position + 1]
        frame = view[position + 4 : after]
        if magic in (self._rtp_magic, self._rtcp_magic) and len(frame) and frame[0] >> 6 == 2:
            self._skipped_in_a_row = 0
        if magic == self._rtp_magic:
            self._any_packet(frame, batch)
        elif magic == self._rtcp_magic:
            self._reports(frame, batch)
        else:
            batch.ignored_packets += 1
        if batch.malformed_packets + batch.ignored_packets > self._limits.useless_frames:
            raise MediaError(MediaErrorCode.FLOOD, "frames of no use without end")
        return after

    def _any_packet(self, frame: memoryview, batch: Batch) -> None:
        """A packet of the stream with padding, an extension, contributors, or less than an ordinary payload."""
        batch.packets += 1
        start = 12 + 4 * (frame[0] & 0x0F) if len(frame) >= 12 else 0
        if len(frame) < 12 or frame[0] >> 6 != 2 or start > len(frame):
            batch.malformed_packets += 1
            return
        stop = len(frame)
        if frame[0] & 0x10 and start + 4 <= stop:
            start += 4 + 4 * int.from_bytes(frame[start + 2 : start + 4], "big")
        if frame[0] & 0x20:
            stop -= frame[-1]
        if frame[1] & 0x7F != self._payload_type:
            batch.ignored_packets += 1
            return
        number = int.from_bytes(frame[2:4], "big")
        timestamp = int.from_bytes(frame[4:8], "big")
        lost = number != self._sequence and self._gap(number, self._sequence, timestamp, batch)
        self._sequence = (number + 1) & 0xFFFF
        if start >= stop:
            batch.malformed_packets += start > len(frame)
            return
        if timestamp != self._last_low:
            self._new_timestamp(timestamp, batch)
            self._assembly.damaged = self._assembly.damaged or lost
        self._payload(frame[start:stop], batch)
        if frame[1] & _MARKER:
            self._marked(int.from_bytes(frame[8:12], "big"), batch)

    def _between_frames(self, buffer: bytes, position: int, batch: Batch) -> int:
        """An RTSP message, or bytes that are neither message nor frame and are passed over within bounds."""
        if buffer[position : position + 1].isalpha():
            try:
                parsed = parse_message(buffer, position, self._rtsp_limits)
            except MediaError as wrong:
                if wrong.code is MediaErrorCode.RTSP_TOO_LARGE and b"\r\n" in buffer[position : position + 256]:
                    raise
            else:
                if parsed is None:
                    return -1
                batch.rtsp.append(parsed[0])
                if len(batch.rtsp) > self._limits.messages:
                    raise MediaError(MediaErrorCode.FLOOD, "RTSP messages without end")
                self._skipped_in_a_row = 0
                return parsed[1]
        after = self._next_frame(buffer, position + 1)
        batch.skipped_bytes += after - position
        self._skipped_in_a_row += after - position
        if self._skipped_in_a_row > self._limits.skipped_bytes:
            raise MediaError(MediaErrorCode.FRAMING_LOST, f"{self._skipped_in_a_row} bytes without a frame")
        return after

    def _next_frame(self, buffer: bytes, position: int) -> int:
        """The next place where a frame of our own channels may begin, or the end."""
        ours = (self._rtp_magic & 0xFF, self._rtcp_magic & 0xFF)
        while (position := buffer.find(b"$", position)) >= 0:
            if position + 1 == len(buffer) or buffer[position + 1] in ours:
                return position
            position += 1
        return len(buffer)

    def _reports(self, frame: memoryview, batch: Batch) -> None:
        try:
            reports = parse_compound(frame)
        except MediaError:
            batch.malformed_packets += 1
            return
        for report in reports:
            if isinstance(report, SenderReport):
                batch.sender_reports.append(report)
                if len(batch.sender_reports) > self._limits.messages:
                    raise MediaError(MediaErrorCode.FLOOD, "sender reports without end")
            elif isinstance(report, Bye):
                batch.bye = True

    def _gap(self, number: int, expected: int, timestamp: int, batch: Batch) -> bool:
        """Judge a sequence number that was not expected: whether packets are missing before it (RFC 3550, A.1).

        Time tells a loss from a leap: where a whole picture was followed by the next one, nothing but the number leapt.
        """
        if expected < 0:
            return False
        missing = (number - expected) & 0xFFFF
        if missing >= _MAX_DROPOUT or (missing >= _SMALLEST_LEAP and self._is_next_picture(timestamp)):
            batch.sequence_jumps += 1
            if self._fu_place < 0:
                return False
        else:
            batch.lost_packets += missing
        self._close_fragment()
        self._assembly.damaged = True
        return True

    def _is_next_picture(self, timestamp: int) -> bool:
        """Whether `timestamp` follows the last picture, which was whole, at the interval of those before it."""
        assembly = self._assembly
        if assembly.chunks or assembly.interval <= 0 or assembly.damaged:
            return False
        apart = unwrap_timestamp(assembly.last_timestamp, timestamp) - assembly.last_timestamp
        return 0 < apart <= assembly.interval + (assembly.interval >> 2)

    def _new_timestamp(self, timestamp: int, batch: Batch) -> None:
        """Another picture begins: what was open ends here, whatever its marker said."""
        assembly = self._assembly
        self._last_low = timestamp
        if assembly.chunks:
            self._emit(batch)
        if assembly.timestamp < 0:
            assembly.timestamp = timestamp
        else:
            assembly.timestamp = max(0, unwrap_timestamp(assembly.timestamp, timestamp))

    def _marked(self, source: int, batch: Batch) -> None:
        """The marker says that the picture ends here."""
        self.source = source
        if self._assembly.marker_is_trusted:
            self._emit(batch)

    def _emit(self, batch: Batch) -> None:
        if self._fu_place >= 0:
            self._close_fragment()
        unit = self._assembly.close()
        if unit is not None:
            batch.access_units.append(unit)
            if len(batch.access_units) > self._limits.pictures:
                raise MediaError(MediaErrorCode.FLOOD, "pictures without end")

    def _payload(self, payload: memoryview, batch: Batch) -> None:
        """One payload that is not the middle of a fragmented NAL unit."""
        if self._is_h264:
            kind = payload[0] & 0x1F
            if kind == h264.NAL_FU_A:
                self._fragment_h264(payload, batch)
            elif 0 < kind < h264.NAL_STAP_A:
                self._close_fragment()
                self._assembly.add_nal(payload, kind)
            elif kind == h264.NAL_STAP_A:
                self._aggregate(payload[1:], batch)
            else:
                batch.malformed_packets += 1
            return
        kind = payload[0] >> 1 & 0x3F
        if len(payload) < 3:
            batch.malformed_packets += 1
        elif kind == h265.NAL_FU:
            self._fragment_h265(payload, batch)
        elif kind < h265.NAL_AP:
            self._close_fragment()
            self._assembly.add_nal(payload, kind)
        elif kind == h265.NAL_AP:
            self._aggregate(payload[2:], batch)
        else:
            batch.malformed_packets += 1

    def _aggregate(self, payload: memoryview, batch: Batch) -> None:
        self._close_fragment()
        header = 1 if self._is_h264 else 2
        position = 0
        while len(payload) - position > 2:
            length = payload[position] << 8 | payload[position + 1]
            nal = payload[position + 2 : position + 2 + length]
            if length <= header or len(nal) < length:
                batch.malformed_packets += 1
                return
            kind = nal[0] & 0x1F if self._is_h264 else nal[0] >> 1 & 0x3F
            self._assembly.add_nal(nal, kind)
            position += 2 + length

    def _fragment_h264(self, payload: memoryview, batch: Batch) -> None:
        if len(payload) < 3:
            batch.malformed_packets += 1
            return
        indicator, header = payload[0], payload[1]
        kind = header & 0x1F
        if header & _FU_START:
            middle = bytes((indicator, kind))
            self._open_fragment(bytes((indicator & 0xE0 | kind,)), middle, payload[2:], kind)
        else:
            self._continue_fragment(payload[2:], batch)
        if header & _FU_END:
            self._close_fragment()

    def _fragment_h265(self, payload: memoryview, batch: Batch) -> None:
        if len(payload) < 4:
            batch.malformed_packets += 1
            return
        first, second, header = payload[0], payload[1], payload[2]
        kind = header & 0x3F
        if header & _FU_START:
            middle = bytes((first, second, kind))
            self._open_fragment(bytes((first & 0x81 | kind << 1, second)), middle, payload[3:], kind)
        else:
            self._continue_fragment(payload[3:], batch)
        if header & _FU_END:
            self._close_fragment()

    def _open_fragment(self, header: bytes, middle: bytes, rest: memoryview, kind: int) -> None:
        """Begin a fragmented NAL unit; `middle` stands before each of its fragments but the first and the last."""
        if self._fu_place >= 0:
            self._close_fragment()
        assembly = self._assembly
        self._fu_place = len(assembly.chunks)
        self._fu_header = header
        self._fu_middle = middle
        self._fu_start = middle[0] << 8 | middle[1]
        self._fu_bytes = len(rest)
        assembly.chunks.append(_NO_LENGTH)
        assembly.chunks.append(rest)
        assembly.note_start(kind, rest[0])

    def _continue_fragment(self, rest: memoryview, batch: Batch) -> None:
        if self._fu_place < 0:
            batch.malformed_packets += 1
            self._assembly.damaged = True
            return
        self._assembly.chunks.append(rest)
        self._fu_bytes += len(rest)

    def _close_fragment(self) -> None:
        if self._fu_place >= 0:
            place, self._fu_place, self._fu_start = self._fu_place, -1, -1
            self._assembly.end_fragmented(place, self._fu_header, self._fu_bytes)


@lru_cache(maxsize=512)
def _run_layout(body: int, stride: int, count: int) -> tuple[struct.Struct, tuple[slice, ...]]:
    """Where things stand in a run: of each packet the first six bytes, sequence, time stamp and fragment header; and
    the slices of the bodies, which begin at `body`."""
    heads = struct.Struct(">" + f"6sHI4x{body - 16}s{stride - body}x" * count)
    return heads, tuple(slice(start + body, start + stride) for start in range(0, count * stride, stride))
