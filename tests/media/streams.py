"""Streams for the tests of this package: real parameter sets, made-up pictures, and their packets."""

from __future__ import annotations

from dataclasses import dataclass

from vms.media.access_unit import Codec, ParameterSets
from vms.media.depacketise import Batch, StreamDemuxer
from vms.media.packetise import interleave_access_unit, plan_access_unit

H264_SPS = bytes.fromhex("674d401fd980c0126840000003008000000c83c60c9a")
H264_PPS = bytes.fromhex("68e971cb20")
H265_VPS = bytes.fromhex("40010c01ffff01600000030090000003000003005a928090")
H265_SPS = bytes.fromhex("42010101600000030090000003000003005aa0060200905964a924cae6808000000301000003000c84")
H265_PPS = bytes.fromhex("4401c172b46240")
H264 = ParameterSets(Codec.H264, b"", H264_SPS, (H264_PPS,))
H265 = ParameterSets(Codec.H265, H265_VPS, H265_SPS, (H265_PPS,))
BY_CODEC = {Codec.H264: H264, Codec.H265: H265}
SETS = {Codec.H264: (H264_SPS, H264_PPS), Codec.H265: (H265_VPS, H265_SPS, H265_PPS)}
PAYLOAD_TYPE = 96


def slice_nal(codec: Codec, *, key: bool, size: int = 40, first: bool = True) -> bytes:
    """A NAL unit that looks like the first (or a later) slice of a picture, `size` bytes with its header."""
    begin = 0x80 if first else 0x10
    if codec is Codec.H264:
        return (bytes((0x65 if key else 0x41, begin)) + b"\xab" * size)[:size]
    return (bytes((19 << 1 if key else 1 << 1, 1, begin)) + b"\xab" * size)[:size]


def sample(*nals: bytes) -> bytes:
    """Sample bytes: NAL units behind their lengths."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


@dataclass(slots=True)
class Sender:
    """A camera's side of one stream: numbers packets and dates pictures."""

    codec: Codec = Codec.H264
    sequence: int = 65_530
    timestamp: int = 0xFFFF_F000

    def picture(self, *nals: bytes, step: int = 3600, max_payload_bytes: int = 200) -> bytes:
        """The interleaved bytes of the next picture."""
        plan = plan_access_unit(sample(*nals), self.codec, PAYLOAD_TYPE, max_payload_bytes)
        data = interleave_access_unit(plan, sequence=self.sequence, timestamp=self.timestamp, ssrc=7)
        self.sequence = (self.sequence + plan.packet_count) & 0xFFFF
        self.timestamp += step
        return bytes(data)


def demuxer(codec: Codec = Codec.H264, parameters: ParameterSets | None = None) -> StreamDemuxer:
    """A demuxer that knows the parameter sets from the SDP."""
    return StreamDemuxer(codec, 0, 1, PAYLOAD_TYPE, parameters or BY_CODEC[codec])


def samples_of(batch: Batch) -> list[bytes]:
    """The sample bytes of every access unit of a batch."""
    return [b"".join(unit.chunks) for unit in batch.access_units]


def packets_of(data: bytes) -> list[bytes]:
    """The '$' frames of interleaved bytes, each whole."""
    found = []
    while data:
        end = 4 + int.from_bytes(data[2:4], "big")
        found.append(data[:end])
        data = data[end:]
    return found
