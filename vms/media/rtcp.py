"""RTCP compound packets (RFC 3550, section 6): the sender's clock, and goodbye.

Only what a recorder of live cameras uses is interpreted; other packet types are skipped by their length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from vms.media.errors import MediaError, MediaErrorCode

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
NTP_EPOCH_OFFSET_S = 2_208_988_800
"""Seconds from 1900-01-01 (NTP) to 1970-01-01 (Unix)."""

_HEADER = struct.Struct(">BBHI")
_SENDER = struct.Struct(">IIIII")
_BLOCK = struct.Struct(">IIIIII")
_NTP_ERA_S = 1 << 32


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source (RFC 3550, 6.4.1)."""

    ssrc: int
    fraction_lost: int = 0
    cumulative_lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0
    last_sender_report: int = 0
    delay_since_65536th_s: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """The sender's wall clock at an RTP time stamp. `rtp_timestamp` has 32 bits (`unwrap_timestamp` extends it)."""

    ssrc: int
    ntp_utc_ns: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """A receiver's report; in a stream from a camera it says no more than that the camera is there."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Bye:
    """The sources that leave (RFC 3550, 6.6)."""

    sources: tuple[int, ...]
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | Bye


def ntp_to_utc_ns(seconds: int, fraction: int) -> int:
    """Unix nanoseconds of an NTP time stamp (32.32 bits since 1900, era 1 from February 2036: high bit clear).

    RFC 4330, section 3: a time stamp with the high bit clear lies in 2036-2104.
    """
    if seconds < 0x8000_0000:
        seconds += _NTP_ERA_S
    return (seconds - NTP_EPOCH_OFFSET_S) * 1_000_000_000 + (fraction * 1_000_000_000 + (1 << 31) >> 32)


def utc_ns_to_ntp(utc_ns: int) -> tuple[int, int]:
    """Seconds and fraction of an NTP time stamp, each of 32 bits."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    return (seconds + NTP_EPOCH_OFFSET_S) & 0xFFFF_FFFF, (rest << 32) // 1_000_000_000


def parse_compound(data: bytes | memoryview) -> list[RtcpPacket]:
    """The packets of one compound. Raises MediaError when a length points outside; unknown types are skipped.

    A compound that starts with something else than a report is accepted (RFC 5506; many cameras).
    """
    packets: list[RtcpPacket] = []
    view = memoryview(data)
    end = len(view)
    position = 0
    while position < end:
        if end - position < 4:
            raise MediaError(MediaErrorCode.RTCP_MALFORMED, "RTCP packet shorter than its header")
        first, kind = view[position], view[position + 1]
        if first >> 6 != 2:
            raise MediaError(MediaErrorCode.RTCP_MALFORMED, f"RTCP version {first >> 6}")
        stop = position + 4 + 4 * int.from_bytes(view[position + 2 : position + 4], "big")
        if stop > end:
            raise MediaError(MediaErrorCode.RTCP_MALFORMED, "RTCP length points outside the packet")
        packet = _parse_one(kind, first & 0x1F, view[position + 4 : stop])
        if packet is not None:
            packets.append(packet)
        position = stop
    return packets


def _parse_one(kind: int, count: int, body: memoryview) -> RtcpPacket | None:
    if kind == SENDER_REPORT:
        if len(body) < 24:
            raise MediaError(MediaErrorCode.RTCP_MALFORMED, "sender report cut short")
        (ssrc,) = struct.unpack_from(">I", body)
        seconds, fraction, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body, 4)
        return SenderReport(
            ssrc, ntp_to_utc_ns(seconds, fraction), rtp_timestamp, packet_count, octet_count, _blocks(body[24:], count)
        )
    if kind == RECEIVER_REPORT:
        if len(body) < 4:
            raise MediaError(MediaErrorCode.RTCP_MALFORMED, "receiver report cut short")
        return ReceiverReport(int.from_bytes(body[:4], "big"), _blocks(body[4:], count))
    if kind == GOODBYE:
        if len(body) < 4 * count:
            raise MediaError(MediaErrorCode.RTCP_MALFORMED, "goodbye cut short")
        sources = struct.unpack_from(f">{count}I", body)
        rest = bytes(body[4 * count :])
        return Bye(sources, rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else "")
    return None


def _blocks(body: memoryview, count: int) -> tuple[ReportBlock, ...]:
    if len(body) < count * _BLOCK.size:
        raise MediaError(MediaErrorCode.RTCP_MALFORMED, "report blocks cut short")
    blocks = []
    for index in range(count):
        ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, index * _BLOCK.size)
        cumulative = (lost & 0xFF_FFFF) - ((lost & 0x80_0000) << 1)
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, last, delay))
    return tuple(blocks)


def _packet(kind: int, count: int, ssrc: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, 1 + len(body) // 4, ssrc) + body


def _description(ssrc: int, cname: str) -> bytes:
    """A source description with the canonical name, which every compound must hold (RFC 3550, 6.1)."""
    name = cname.encode()[:255]
    item = bytes([1, len(name)]) + name
    item += bytes(4 - len(item) % 4)
    return _packet(SOURCE_DESCRIPTION, 1, ssrc, item)


def _block_bytes(block: ReportBlock) -> bytes:
    lost = block.fraction_lost << 24 | block.cumulative_lost & 0xFF_FFFF
    return _BLOCK.pack(
        block.ssrc, lost, block.highest_sequence, block.jitter, block.last_sender_report, block.delay_since_65536th_s
    )


def build_sender_report(
    ssrc: int, ntp_utc_ns: int, rtp_timestamp: int, packet_count: int, octet_count: int, cname: str = "camera"
) -> bytes:
    """A compound of one sender report and the canonical name. Counters wrap at 32 bits."""
    seconds, fraction = utc_ns_to_ntp(ntp_utc_ns)
    body = _SENDER.pack(
        seconds, fraction, rtp_timestamp & 0xFFFF_FFFF, packet_count & 0xFFFF_FFFF, octet_count & 0xFFFF_FFFF
    )
    return _packet(SENDER_REPORT, 0, ssrc, body) + _description(ssrc, cname)


def build_receiver_report(ssrc: int, blocks: tuple[ReportBlock, ...] = (), cname: str = "recorder") -> bytes:
    """A compound of one receiver report (at most 31 blocks) and the canonical name.

    Some cameras end a stream for which they get none.
    """
    body = b"".join(map(_block_bytes, blocks[:31]))
    return _packet(RECEIVER_REPORT, len(blocks[:31]), ssrc, body) + _description(ssrc, cname)


def build_bye(ssrc: int, cname: str = "camera") -> bytes:
    """A compound that says goodbye: an empty receiver report, the canonical name, and BYE."""
    return build_receiver_report(ssrc, (), cname) + _packet(GOODBYE, 1, ssrc, b"")
