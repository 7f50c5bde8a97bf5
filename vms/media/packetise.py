"""From access units to RTP over RTSP/TCP: the camera's side (being filled in)."""

from __future__ import annotations

from dataclasses import dataclass

from vms.media.access_unit import Codec

DEFAULT_MAX_PAYLOAD_BYTES = 1400


def packetise(
    sample: bytes | memoryview, codec: Codec, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES
) -> list[bytes]:
    """The RTP payloads of one access unit given as sample bytes (NAL units behind 4-byte lengths)."""
    raise NotImplementedError


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
        return len(self.template) - 16 * len(self.offsets)


def plan_access_unit(
    sample: bytes | memoryview,
    codec: Codec,
    payload_type: int = 96,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
) -> AccessUnitPlan:
    """The reusable part of sending this sample; keep it when the sample is sent again (a looped file)."""
    raise NotImplementedError


def interleave_access_unit(
    plan: AccessUnitPlan, *, sequence: int, timestamp: int, ssrc: int, channel: int = 0
) -> bytearray:
    """The complete bytes of one access unit, ready for one send: a copy of the plan with its headers patched."""
    raise NotImplementedError
