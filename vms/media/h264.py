"""H.264 as far as a recorder must read it: NAL unit types and the sequence parameter set (ITU-T H.264, clause 7).

An SPS from a camera is hostile input: sizes are bounded, every number is range-checked, and only MediaError leaves.
"""

from __future__ import annotations

from enum import IntEnum
from fractions import Fraction

from vms.media.access_unit import Codec, VideoParameters
from vms.media.bits import BitReader, unescape
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.nal import MAX_PARAMETER_SET_BYTES, iterate_length_prefixed
from vms.media.vui import ASPECT_RATIOS, EXTENDED_SAR, skip_video_signal

MAX_DIMENSION = 16_384
MAX_REORDER_FRAMES = 16

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_INTRA_PROFILES = frozenset({44, 86, 100, 110, 122, 244})
_MAX_DPB_MACROBLOCKS = {
    9: 396, 10: 396, 11: 900, 12: 2376, 13: 2376, 20: 2376, 21: 4752, 22: 8100, 30: 8100, 31: 18000, 32: 20480,
    40: 32768, 41: 32768, 42: 34816, 50: 110400, 51: 184320, 52: 184320, 60: 696320, 61: 696320, 62: 696320,
}  # fmt: skip
"""Table A-1, MaxDpbMbs by level_idc."""


class NalType(IntEnum):
    """nal_unit_type (Table 7-1) and the aggregates of RFC 6184."""

    SLICE = 1
    PARTITION_A = 2
    PARTITION_B = 3
    PARTITION_C = 4
    IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    AUD = 9
    STAP_A = 24
    FU_A = 28


def nal_type(nal: bytes | memoryview) -> int:
    """nal_unit_type of a unit that is not empty."""
    return nal[0] & 0x1F


def is_key_frame(sample: bytes | memoryview) -> bool:
    """Whether sample bytes (length-prefixed) hold an IDR picture. Raises MediaError."""
    return any(nal_type(nal) == NalType.IDR for nal in iterate_length_prefixed(sample))


def parse_pps_id(pps: bytes) -> int:
    """pic_parameter_set_id. Raises MediaError."""
    if len(pps) < 2 or nal_type(pps) != NalType.PPS:
        raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "no picture parameter set")
    return BitReader(unescape(pps[1:65])).ue(255)


def parse_sps(sps: bytes) -> VideoParameters:
    """What a sequence parameter set says. Raises MediaError on a set that breaks the standard or our bounds.

    When the stream does not say how far it reorders, the size of the decoded picture buffer bounds it (E.2.1); a
    stream that keeps one reference picture, or whose order is fixed by its profile, is taken as not reordering.
    """
    if not 4 <= len(sps) <= MAX_PARAMETER_SET_BYTES or nal_type(sps) != NalType.SPS or sps[0] & 0x80:
        raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "no sequence parameter set")
    profile_idc, constraints, level_idc = sps[1], sps[2], sps[3]
    bits = BitReader(unescape(sps[4:]))
    bits.ue(31)
    chroma_format_idc, depth_luma, depth_chroma, separate_planes = 1, 8, 8, False
    if profile_idc in _HIGH_PROFILES:
        chroma_format_idc = bits.ue(3)
        separate_planes = chroma_format_idc == 3 and bits.flag()
        depth_luma, depth_chroma = 8 + bits.ue(6), 8 + bits.ue(6)
        bits.skip(1)
        if bits.flag():
            _skip_scaling_lists(bits, 12 if chroma_format_idc == 3 else 8)
    bits.ue(12)
    order_type = _skip_picture_order(bits)
    reference_frames = bits.ue(16)
    bits.skip(1)
    width_macroblocks, height_units = bits.ue(MAX_DIMENSION // 16) + 1, bits.ue(MAX_DIMENSION // 16) + 1
    frames_only = bits.flag()
    if not frames_only:
        bits.skip(1)
    bits.skip(1)
    height_macroblocks = height_units * (1 if frames_only else 2)
    width, height = 16 * width_macroblocks, 16 * height_macroblocks
    if bits.flag():
        unit_x = 2 if chroma_format_idc in {1, 2} else 1
        unit_y = (2 if chroma_format_idc == 1 else 1) * (1 if frames_only else 2)
        if separate_planes:
            unit_x, unit_y = 1, 1 if frames_only else 2
        left, right, top, bottom = (bits.ue(MAX_DIMENSION) for _ in range(4))
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    if not (0 < width <= MAX_DIMENSION and 0 < height <= MAX_DIMENSION):
        raise MediaError(MediaErrorCode.PARAMETER_SET_UNSUPPORTED, f"picture of {width}x{height}")
    frame_rate, aspect, stated_reorder = (None, (1, 1), None)
    if bits.flag():
        frame_rate, aspect, stated_reorder = _parse_vui(bits)
    reorder = stated_reorder
    if reorder is None:
        intra_only = profile_idc in _INTRA_PROFILES and bool(constraints & 0x10)
        level = 9 if level_idc == 11 and constraints & 0x10 and profile_idc in {66, 77, 88} else level_idc
        capacity = _MAX_DPB_MACROBLOCKS.get(level, 696320) // (width_macroblocks * height_macroblocks)
        fixed_order = intra_only or order_type == 2 or profile_idc == 66 or reference_frames <= 1
        reorder = 0 if fixed_order else min(capacity, reference_frames, MAX_REORDER_FRAMES)
    return VideoParameters(
        codec=Codec.H264,
        width=width,
        height=height,
        profile_idc=profile_idc,
        level_idc=level_idc,
        codec_string=f"avc1.{profile_idc:02X}{constraints:02X}{level_idc:02X}",
        max_reorder_frames=reorder,
        frame_rate=frame_rate,
        sample_aspect=aspect,
        chroma_format_idc=chroma_format_idc,
        bit_depth_luma=depth_luma,
        bit_depth_chroma=depth_chroma,
        interlaced=not frames_only,
    )


def _skip_scaling_lists(bits: BitReader, count: int) -> None:
    for index in range(count):
        if not bits.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) & 0xFF
            last = following or last


def _skip_picture_order(bits: BitReader) -> int:
    order_type = bits.ue(2)
    if order_type == 0:
        bits.ue(12)
    elif order_type == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue(255)):
            bits.se()
    return order_type


def _parse_vui(bits: BitReader) -> tuple[Fraction | None, tuple[int, int], int | None]:
    """Frame rate, sample aspect ratio and reorder depth (E.1.1).

    A VUI that ends early is common in cameras and no reason to refuse one: what was read until there counts.
    """
    frame_rate: Fraction | None = None
    aspect = (1, 1)
    try:
        if bits.flag():
            index = bits.u(8)
            aspect = (bits.u(16), bits.u(16)) if index == EXTENDED_SAR else ASPECT_RATIOS.get(index, (1, 1))
        if bits.flag():
            bits.skip(1)
        skip_video_signal(bits)
        if bits.flag():
            ticks, scale = bits.u(32), bits.u(32)
            bits.skip(1)
            frame_rate = Fraction(scale, 2 * ticks) if ticks and scale else None
        has_nal_hrd = bits.flag()
        if has_nal_hrd:
            _skip_hrd(bits)
        has_vcl_hrd = bits.flag()
        if has_vcl_hrd:
            _skip_hrd(bits)
        bits.skip(2 if has_nal_hrd or has_vcl_hrd else 1)
        if bits.flag():
            bits.skip(1)
            for _ in range(4):
                bits.ue(16)
            return frame_rate, aspect, bits.ue(MAX_REORDER_FRAMES)
    except MediaError:
        pass
    return frame_rate, aspect, None


def _skip_hrd(bits: BitReader) -> None:
    count = bits.ue(31) + 1
    bits.skip(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.skip(1)
    bits.skip(20)
