"""H.264: what NAL units are, and what a sequence parameter set says.

Source: ITU-T H.264 (08/2021), 7.3.1, 7.3.2.1, Annex A and E; RFC 6381, 3.3; ISO/IEC 14496-15.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from vms.media.access_unit import Codec, VideoParameters
from vms.media.bits import BitReader, malformed, unescape, unsupported
from vms.media.errors import MediaError

NAL_SLICE: Final = 1
NAL_IDR: Final = 5
NAL_SEI: Final = 6
NAL_SPS: Final = 7
NAL_PPS: Final = 8
NAL_AUD: Final = 9
NAL_STAP_A: Final = 24
NAL_FU_A: Final = 28

MAX_SIDE_PIXELS: Final = 16_384
MAX_PARAMETER_SET_BYTES: Final = 4_096
_HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_INTRA_PROFILES: Final = frozenset({44, 86, 100, 110, 122, 244})
_CONSTRAINT_SET_3: Final = 0x10
_EXTENDED_SAR: Final = 255
_SAMPLE_ASPECTS: Final = (
    (1, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
_MAX_DPB_MACROBLOCKS: Final = {
    9: 396, 10: 396, 11: 900, 12: 2376, 13: 2376, 20: 2376, 21: 4752, 22: 8100, 30: 8100, 31: 18000, 32: 20480,
    40: 32768, 41: 32768, 42: 34816, 50: 110400, 51: 184320, 52: 184320, 60: 696320, 61: 696320, 62: 696320,
}  # fmt: skip


def nal_type(first_byte: int) -> int:
    """The type of a NAL unit from its first byte."""
    return first_byte & 0x1F


def parse_sps(sps: bytes) -> VideoParameters:
    """What a sequence parameter set (NAL unit, header included) says; MediaError when it is malformed."""
    if not 4 <= len(sps) <= MAX_PARAMETER_SET_BYTES:
        raise malformed(f"sequence parameter set of {len(sps)} bytes")
    if nal_type(sps[0]) != NAL_SPS:
        raise malformed(f"NAL unit type {nal_type(sps[0])} is no sequence parameter set")
    profile_idc, constraints, level_idc = sps[1], sps[2], sps[3]
    reader = BitReader(unescape(sps[4:]))
    reader.ue(31)
    chroma, depth_luma, depth_chroma = 1, 8, 8
    if profile_idc in _HIGH_PROFILES:
        chroma, depth_luma, depth_chroma = _high_profile(reader)
    reader.ue(12)
    in_order = _picture_order(reader)
    max_reference_frames = reader.ue(16)
    reader.skip(1)
    width_mbs = reader.ue(MAX_SIDE_PIXELS // 16 - 1) + 1
    height_units = reader.ue(MAX_SIDE_PIXELS // 16 - 1) + 1
    frame_only = reader.flag()
    if not frame_only:
        reader.skip(1)
    reader.skip(1)
    height_mbs = height_units * (1 if frame_only else 2)
    width, height = _cropped(reader, width_mbs * 16, height_mbs * 16, chroma, frame_only=frame_only)
    aspect, frame_rate, reorder = _usability_if_any(reader)
    if in_order:
        reorder = 0
    elif reorder is None:
        reorder = _implied_reorder(profile_idc, constraints, level_idc, width_mbs * height_mbs, max_reference_frames)
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
        chroma_format_idc=chroma,
        bit_depth_luma=depth_luma,
        bit_depth_chroma=depth_chroma,
        interlaced=not frame_only,
    )


def _high_profile(reader: BitReader) -> tuple[int, int, int]:
    chroma = reader.ue(3)
    if chroma == 3:
        reader.skip(1)
    depth_luma, depth_chroma = reader.ue(6) + 8, reader.ue(6) + 8
    reader.skip(1)
    if reader.flag():
        for index in range(8 if chroma != 3 else 12):
            if reader.flag():
                _skip_scaling_list(reader, 16 if index < 6 else 64)
    return chroma, depth_luma, depth_chroma


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + reader.se(128) + 256) % 256
        last = following or last


def _picture_order(reader: BitReader) -> bool:
    """Pass over the picture order; whether output order is decoding order (H.264, 8.2.1.3)."""
    kind = reader.ue(2)
    if kind == 0:
        reader.ue(12)
    elif kind == 1:
        reader.skip(1)
        reader.se()
        reader.se()
        for _ in range(reader.ue(255)):
            reader.se()
    return kind == 2


def _cropped(reader: BitReader, width: int, height: int, chroma: int, *, frame_only: bool) -> tuple[int, int]:
    if reader.flag():
        unit_x = 2 if chroma in {1, 2} else 1
        unit_y = (2 if chroma == 1 else 1) * (1 if frame_only else 2)
        left, right, top, bottom = (reader.ue(MAX_SIDE_PIXELS) for _ in range(4))
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
    if width <= 0 or height <= 0:
        raise malformed("cropping leaves no picture")
    if width > MAX_SIDE_PIXELS or height > MAX_SIDE_PIXELS:
        raise unsupported(f"picture of {width}x{height}")
    return width, height


def _usability_if_any(reader: BitReader) -> tuple[tuple[int, int], Fraction | None, int | None]:
    """What the usability information says, or nothing where it is cut: the picture's size is known already."""
    try:
        return _usability(reader) if reader.flag() else ((1, 1), None, None)
    except MediaError:
        return (1, 1), None, None


def _usability(reader: BitReader) -> tuple[tuple[int, int], Fraction | None, int | None]:
    """Sample aspect, frame rate and reordering of the video usability information, as far as they are stated."""
    aspect = usability_head(reader)
    frame_rate = None
    if reader.flag():
        ticks, scale = reader.bits(32), reader.bits(32)
        reader.skip(1)
        frame_rate = bounded_rate(scale, ticks * 2)
    has_hrd = [_skip_hrd(reader) if reader.flag() else False for _ in range(2)]
    if any(has_hrd):
        reader.skip(1)
    reader.skip(1)
    if not reader.flag():
        return aspect, frame_rate, None
    reader.skip(1)
    for _ in range(4):
        reader.ue()
    return aspect, frame_rate, reader.ue(16)


def usability_head(reader: BitReader) -> tuple[int, int]:
    """The sample aspect ratio; passes over what follows it, up to chroma location (H.264 E.1.1, H.265 E.2.1)."""
    aspect = sample_aspect(reader) if reader.flag() else (1, 1)
    if reader.flag():
        reader.skip(1)
    if reader.flag():
        reader.skip(4)
        if reader.flag():
            reader.skip(24)
    if reader.flag():
        reader.ue(5)
        reader.ue(5)
    return aspect


def sample_aspect(reader: BitReader) -> tuple[int, int]:
    """The sample aspect ratio that follows (H.264 and H.265, table E-1)."""
    code = reader.bits(8)
    if code == _EXTENDED_SAR:
        wide, high = reader.bits(16), reader.bits(16)
        return (wide, high) if wide and high else (1, 1)
    return _SAMPLE_ASPECTS[code] if code < len(_SAMPLE_ASPECTS) else (1, 1)


def bounded_rate(pictures: int, seconds: int) -> Fraction | None:
    """A frame rate that a camera could have, or None for one that makes no sense."""
    if not pictures or not seconds:
        return None
    rate = Fraction(pictures, seconds)
    return rate if Fraction(1, 60) <= rate <= 1_000 else None


def _skip_hrd(reader: BitReader) -> bool:
    count = reader.ue(31) + 1
    reader.skip(8)
    for _ in range(count):
        reader.ue()
        reader.ue()
        reader.skip(1)
    reader.skip(20)
    return True


def _implied_reorder(profile: int, constraints: int, level: int, macroblocks: int, references: int) -> int:
    """Frames that may be reordered when the stream does not say (H.264, E.2.1, `max_num_reorder_frames`).

    Baseline has no B pictures; nor has a stream that keeps at most one reference, in practice of cameras.
    """
    if profile in {66, 77, 88, 100} and (profile == 66 or references <= 1):
        return 0
    if profile in _INTRA_PROFILES and constraints & _CONSTRAINT_SET_3:
        return 0
    buffer = _MAX_DPB_MACROBLOCKS.get(level, 32_768) // max(1, macroblocks)
    return max(0, min(16, buffer, references))
