"""RTP packets (RFC 3550, section 5.1), one at a time.

For tests, tools and odd packets; the recorder's loop is `vms.media.depacketise`, which reads headers in place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vms.media.errors import MediaError, MediaErrorCode

HEADER_BYTES = 12
_HEADER = struct.Struct(">BBHII")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet. `payload` is without header extension and padding, and a view of the bytes that were parsed."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: memoryview


def payload_bounds(data: memoryview, start: int, end: int) -> tuple[int, int]:
    """Where the payload of the packet in `data[start:end]` lies: after CSRC list and extension, before padding.

    Raises MediaError when the packet is shorter than what its header announces.
    """
    if end - start < HEADER_BYTES:
        raise MediaError(MediaErrorCode.RTP_MALFORMED, "RTP packet shorter than its header")
    first = data[start]
    if first >> 6 != 2:
        raise MediaError(MediaErrorCode.RTP_MALFORMED, f"RTP version {first >> 6}")
    position = start + HEADER_BYTES + 4 * (first & 0x0F)
    if first & 0x10:
        if position + 4 > end:
            raise MediaError(MediaErrorCode.RTP_MALFORMED, "RTP header extension outside the packet")
        position += 4 + 4 * int.from_bytes(data[position + 2 : position + 4], "big")
    if first & 0x20 and end > position:
        padding = data[end - 1]
        if padding == 0:
            raise MediaError(MediaErrorCode.RTP_MALFORMED, "RTP padding of no length")
        end -= padding
    if position > end:
        raise MediaError(MediaErrorCode.RTP_MALFORMED, "RTP header or padding longer than the packet")
    return position, end


def parse_packet(data: bytes | memoryview) -> RtpPacket:
    """One packet without copying its payload. Raises MediaError."""
    view = memoryview(data)
    start, end = payload_bounds(view, 0, len(view))
    _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(view)
    return RtpPacket(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, view[start:end])


def build_packet(
    payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes | memoryview
) -> bytes:
    """The bytes of one packet; sequence number and time stamp wrap."""
    second = payload_type | (0x80 if marker else 0)
    return _HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc) + bytes(payload)
