"""Sample entries `avc1` and `hvc1` with their decoder configuration records (ISO/IEC 14496-15, clauses 5.3 and 8.3),
and `mp4v` for MPEG-4 Part 2 and Motion JPEG (see `visual_descriptor`).

Parameter sets travel in the record; those that a camera repeats in band stay where they are as well, untouched.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vms.media import h264, h265, mjpeg, mpeg4
from vms.media.access_unit import Codec, ParameterSets, VideoParameters
from vms.media.fmp4.boxes import Box, ReadAt, box, boxes_between, content_of, malformed, unpack
from vms.media.fmp4.visual_descriptor import descriptor_box, parse_descriptor

NAL_LENGTH_BYTES = 4

_VISUAL_HEADER_BYTES = 78
_HEVC_PARAMETER_NALS = {32: "vps", 33: "sps", 34: "pps"}
_SIZES = struct.Struct(">HH")
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """What a sample entry says: parameter sets, bytes of the length before each NAL unit, and size in pixels.

    `nal_length_bytes` is 0 for codecs without NAL units.
    """

    parameters: ParameterSets
    nal_length_bytes: int
    width: int
    height: int


def video_parameters(parameters: ParameterSets) -> VideoParameters:
    """What the sequence parameter set says. Raises MediaError when it cannot be read."""
    return _PARSERS[parameters.codec](parameters.sps)


def sample_entry(parameters: ParameterSets, video: VideoParameters) -> bytes:
    """The bytes of an `avc1`, `hvc1` or `mp4v` box."""
    visual = struct.pack(
        ">6xH 16x HH II 4x H 32x Hh",
        1,
        min(video.width, 0xFFFF),
        min(video.height, 0xFFFF),
        0x0048_0000,
        0x0048_0000,
        1,
        0x0018,
        -1,
    )
    aspect = b""
    if video.sample_aspect not in ((1, 1), (0, 0)):
        aspect = box(b"pasp", struct.pack(">II", *video.sample_aspect))
    if parameters.codec is Codec.H264:
        return box(b"avc1", visual, box(b"avcC", _avc_record(parameters, video)), aspect)
    if not parameters.codec.has_nal_units:
        return box(b"mp4v", visual, descriptor_box(parameters), aspect)
    return box(b"hvc1", visual, box(b"hvcC", _hevc_record(parameters, video)), aspect)


def parse_sample_entry(read_at: ReadAt, entry: Box) -> SampleEntry:
    """The content of an `avc1`, `avc3`, `hvc1`, `hev1` or `mp4v` box; MediaError for any other or a broken one."""
    if entry.kind in {b"avc1", b"avc3"}:
        record_kind, parse = b"avcC", _parse_avc_record
    elif entry.kind in {b"hvc1", b"hev1"}:
        record_kind, parse = b"hvcC", _parse_hevc_record
    elif entry.kind == b"mp4v":
        record_kind, parse = b"esds", _parse_descriptor
    else:
        raise malformed(f"sample entry {entry.kind!r} is none that is recorded")
    if entry.size - entry.header < _VISUAL_HEADER_BYTES:
        raise malformed(f"{entry.kind!r} is cut")
    width, height = unpack(_SIZES, read_at(entry.content + 24, 4))
    for found in boxes_between(read_at, entry.content + _VISUAL_HEADER_BYTES, entry.end, limit=64):
        if found.kind == record_kind:
            parameters, nal_length_bytes = parse(content_of(read_at, found, limit=1 << 20))
            if parameters.codec is Codec.MJPEG:
                parameters = mjpeg.parameters_of(width, height)
            return SampleEntry(parameters, nal_length_bytes, width, height)
    raise malformed(f"no {record_kind!r} in {entry.kind!r}")


_PARSERS: Final[dict[Codec, Callable[[bytes], VideoParameters]]] = {
    Codec.H264: h264.parse_sps,
    Codec.H265: h265.parse_sps,
    Codec.MPEG4: mpeg4.parse_configuration,
    Codec.MJPEG: mjpeg.video_parameters,
}


def _parse_descriptor(record: bytes) -> tuple[ParameterSets, int]:
    return parse_descriptor(record), 0


def _avc_record(parameters: ParameterSets, video: VideoParameters) -> bytes:
    sps = parameters.sps
    pps = parameters.pps[:255]
    record = bytes((1, sps[1], sps[2], sps[3], 0xFC | NAL_LENGTH_BYTES - 1, 0xE0 | 1)) + _counted(sps)
    record += bytes((len(pps),)) + b"".join(map(_counted, pps))
    if video.profile_idc not in {66, 77, 88}:
        record += bytes(
            (0xFC | video.chroma_format_idc, 0xF8 | video.bit_depth_luma - 8, 0xF8 | video.bit_depth_chroma - 8, 0)
        )
    return record


def _parse_avc_record(record: bytes) -> tuple[ParameterSets, int]:
    if len(record) < 7:
        raise malformed("avcC is cut")
    sps_list, offset = _counted_list(record, 6, record[5] & 0x1F)
    if offset >= len(record) or not sps_list:
        raise malformed("avcC holds no parameter sets")
    pps_list, _ = _counted_list(record, offset + 1, record[offset])
    return ParameterSets(Codec.H264, b"", sps_list[0], tuple(pps_list)), (record[4] & 3) + 1


def _hevc_record(parameters: ParameterSets, video: VideoParameters) -> bytes:
    head = struct.pack(
        ">B12sHBBBBHB",
        1,
        video.profile_tier_level,
        0xF000,
        0xFC,
        0xFC | video.chroma_format_idc,
        0xF8 | video.bit_depth_luma - 8,
        0xF8 | video.bit_depth_chroma - 8,
        0,
        (video.temporal_layers & 7) << 3 | int(video.temporal_id_nested) << 2 | NAL_LENGTH_BYTES - 1,
    )
    arrays = [(32, (parameters.vps,)), (33, (parameters.sps,)), (34, parameters.pps)]
    body = b"".join(struct.pack(">BH", 0x80 | kind, len(nals)) + b"".join(map(_counted, nals)) for kind, nals in arrays)
    return head + bytes((len(arrays),)) + body


def _parse_hevc_record(record: bytes) -> tuple[ParameterSets, int]:
    if len(record) < 23:
        raise malformed("hvcC is cut")
    found: dict[str, list[bytes]] = {"vps": [], "sps": [], "pps": []}
    offset = 23
    for _ in range(record[22]):
        if len(record) < offset + 3:
            raise malformed("hvcC is cut")
        kind = record[offset] & 0x3F
        nals, offset = _counted_list(record, offset + 3, int.from_bytes(record[offset + 1 : offset + 3]))
        if kind in _HEVC_PARAMETER_NALS:
            found[_HEVC_PARAMETER_NALS[kind]] += nals
    if not found["sps"]:
        raise malformed("hvcC holds no sequence parameter set")
    vps = found["vps"][0] if found["vps"] else b""
    return ParameterSets(Codec.H265, vps, found["sps"][0], tuple(found["pps"])), (record[21] & 3) + 1


def _counted(nal: bytes) -> bytes:
    if len(nal) > 0xFFFF:
        raise malformed(f"parameter set of {len(nal)} bytes")
    return _LENGTH.pack(len(nal)) + nal


def _counted_list(record: bytes, offset: int, count: int) -> tuple[list[bytes], int]:
    nals: list[bytes] = []
    for _ in range(count):
        (length,) = unpack(_LENGTH, record, offset)
        nal = record[offset + 2 : offset + 2 + length]
        if len(nal) != length:
            raise malformed("a parameter set is cut")
        nals.append(nal)
        offset += 2 + length
    return nals, offset
