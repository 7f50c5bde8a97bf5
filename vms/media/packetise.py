"""From access units to RTP over RTSP/TCP: the camera's side, for the simulator and for tests.

A looped film sends the same pictures again and again: `plan_access_unit` lays out every packet of one picture once,
and `interleave_access_unit` copies the plan and patches sequence number, time stamp, SSRC and channel.

Source: RFC 2326 10.12, RFC 3550 5.1, RFC 6184 5.6 and 5.8 (single NAL unit, FU-A), RFC 7798 4.4.1 and 4.4.3 (FU).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vms.media import h264, h265
from vms.media.access_unit import Codec
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.packetise_whole import packetise_whole

DEFAULT_MAX_PAYLOAD_BYTES = 1400

_HEAD_BYTES = 16
_FRAME_HEAD = struct.Struct(">BBHBBHII")
_PATCH = struct.Struct(">HII")
_FU_START, _FU_END = 0x80, 0x40


def packetise(
    sample: bytes | memoryview, codec: Codec, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES
) -> list[bytes]:
    """The RTP payloads of one access unit given as sample bytes (NAL units behind 4-byte lengths, or as they are).

    Raises MediaError on lengths that do not fit, ValueError on a payload bound too small for a fragment.
    """
    if max_payload_bytes < 4:
        raise ValueError("a payload holds at least four bytes")
    if not codec.has_nal_units:
        return packetise_whole(bytes(sample), codec, max_payload_bytes)
    split = _fragments_h264 if codec is Codec.H264 else _fragments_h265
    payloads: list[bytes] = []
    for nal in _nal_units(memoryview(sample)):
        if len(nal) <= max_payload_bytes:
            payloads.append(bytes(nal))
        else:
            payloads.extend(split(nal, max_payload_bytes))
    return payloads


@dataclass(frozen=True, slots=True)
class AccessUnitPlan:
    """All packets of one access unit as interleaved bytes (RFC 2326, 10.12), with channel, sequence number, time
    stamp and SSRC still to be written. `offsets` are the places of each packet's '$'."""

    template: bytes
    offsets: tuple[int, ...]

    @property
    def packet_count(self) -> int:
        """How many RTP packets; the next sequence number is this much further."""
        return len(self.offsets)

    @property
    def payload_bytes(self) -> int:
        """RTP payload octets, as a sender report counts them."""
        return len(self.template) - _HEAD_BYTES * len(self.offsets)


def plan_access_unit(
    sample: bytes | memoryview,
    codec: Codec,
    payload_type: int = 96,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
) -> AccessUnitPlan:
    """The reusable part of sending this sample; keep it when the sample is sent again (a looped file)."""
    payloads = packetise(sample, codec, max_payload_bytes)
    parts: list[bytes] = []
    offsets: list[int] = []
    position = 0
    for number, payload in enumerate(payloads, 1):
        marked = payload_type | (0x80 if number == len(payloads) else 0)
        parts.append(_FRAME_HEAD.pack(0x24, 0, 12 + len(payload), 0x80, marked, 0, 0, 0))
        parts.append(payload)
        offsets.append(position)
        position += _HEAD_BYTES + len(payload)
    return AccessUnitPlan(b"".join(parts), tuple(offsets))


def interleave_access_unit(
    plan: AccessUnitPlan, *, sequence: int, timestamp: int, ssrc: int, channel: int = 0
) -> bytearray:
    """The complete bytes of one access unit, ready for one send: a copy of the plan with its headers patched."""
    patched = bytearray(plan.template)
    patch = _PATCH.pack_into
    timestamp &= 0xFFFF_FFFF
    for number, offset in enumerate(plan.offsets, sequence):
        patched[offset + 1] = channel
        patch(patched, offset + 6, number & 0xFFFF, timestamp, ssrc)
    return patched


def _nal_units(sample: memoryview) -> Iterator[memoryview]:
    position = 0
    while position < len(sample):
        length = int.from_bytes(sample[position : position + 4], "big")
        nal = sample[position + 4 : position + 4 + length]
        if length == 0 or len(nal) < length:
            raise MediaError(MediaErrorCode.NAL_MALFORMED, f"NAL unit of {length} bytes does not fit its sample")
        yield nal
        position += 4 + length


def _fragments_h264(nal: memoryview, max_payload_bytes: int) -> Iterator[bytes]:
    indicator = nal[0] & 0xE0 | h264.NAL_FU_A
    kind = nal[0] & 0x1F
    for flags, part in _parts(nal[1:], max_payload_bytes - 2):
        yield bytes((indicator, flags | kind)) + part


def _fragments_h265(nal: memoryview, max_payload_bytes: int) -> Iterator[bytes]:
    head = bytes((nal[0] & 0x81 | h265.NAL_FU << 1, nal[1]))
    kind = h265.nal_type(nal[0])
    for flags, part in _parts(nal[2:], max_payload_bytes - 3):
        yield head + bytes((flags | kind,)) + part


def _parts(body: memoryview, size: int) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(body), size):
        first = _FU_START if start == 0 else 0
        last = _FU_END if start + size >= len(body) else 0
        yield first | last, bytes(body[start : start + size])
