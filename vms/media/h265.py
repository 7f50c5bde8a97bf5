"""H.265 as far as a recorder must read it: NAL unit types and the sequence parameter set (ITU-T H.265, clause 7).

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
MAX_REFERENCE_SETS = 64
MAX_REFERENCE_PICTURES = 16


class NalType(IntEnum):
    """nal_unit_type (Table 7-1) and the aggregates of RFC 7798. 0 to 31 are slices, 16 to 21 random access points."""

    FIRST_IRAP = 16
    IDR_W_RADL = 19
    IDR_N_LP = 20
    CRA = 21
    LAST_IRAP = 23
    LAST_SLICE = 31
    VPS = 32
    SPS = 33
    PPS = 34
    AUD = 35
    PREFIX_SEI = 39
    SUFFIX_SEI = 40
    AP = 48
    FU = 49


def nal_type(nal: bytes | memoryview) -> int:
    """nal_unit_type of a unit that is not empty."""
    return (nal[0] >> 1) & 0x3F


def is_key_frame(sample: bytes | memoryview) -> bool:
    """Whether sample bytes (length-prefixed) hold a random access picture (IDR, CRA, BLA). Raises MediaError."""
    return any(NalType.FIRST_IRAP <= nal_type(nal) <= NalType.LAST_IRAP for nal in iterate_length_prefixed(sample))


def parse_pps_id(pps: bytes) -> int:
    """pps_pic_parameter_set_id. Raises MediaError."""
    if len(pps) < 3 or nal_type(pps) != NalType.PPS:
        raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "no picture parameter set")
    return BitReader(unescape(pps[2:66])).ue(63)


def parse_sps(sps: bytes) -> VideoParameters:
    """What a sequence parameter set says. Raises MediaError on a set that breaks the standard or our bounds."""
    if not 15 <= len(sps) <= MAX_PARAMETER_SET_BYTES or nal_type(sps) != NalType.SPS or sps[0] & 0x80:
        raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "no sequence parameter set")
    payload = unescape(sps[2:])
    bits = BitReader(payload)
    bits.skip(4)
    last_layer = bits.u(3)
    if last_layer > 6:
        raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "over 7 temporal layers")
    nested = bits.flag()
    profile_tier_level = payload[1:13]
    _skip_profile_tier_level(bits, last_layer)
    bits.ue(15)
    chroma_format_idc = bits.ue(3)
    separate_planes = chroma_format_idc == 3 and bits.flag()
    width, height = bits.ue(MAX_DIMENSION), bits.ue(MAX_DIMENSION)
    if bits.flag():
        subsampled = not separate_planes
        unit_x = 2 if subsampled and chroma_format_idc in {1, 2} else 1
        unit_y = 2 if subsampled and chroma_format_idc == 1 else 1
        left, right, top, bottom = (bits.ue(MAX_DIMENSION) for _ in range(4))
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    if width <= 0 or height <= 0:
        raise MediaError(MediaErrorCode.PARAMETER_SET_UNSUPPORTED, f"picture of {width}x{height}")
    depth_luma, depth_chroma = 8 + bits.ue(8), 8 + bits.ue(8)
    order_bits = bits.ue(12) + 4
    reorder = 0
    for _ in range(0 if bits.flag() else last_layer, last_layer + 1):
        bits.ue(15)
        reorder = bits.ue(16)
        bits.ue()
    frame_rate, aspect, interlaced = _parse_tail(bits, order_bits, chroma_format_idc)
    return VideoParameters(
        codec=Codec.H265,
        width=width,
        height=height,
        profile_idc=profile_tier_level[0] & 0x1F,
        level_idc=profile_tier_level[11],
        codec_string=codec_string(profile_tier_level),
        max_reorder_frames=reorder,
        frame_rate=frame_rate,
        sample_aspect=aspect,
        chroma_format_idc=chroma_format_idc,
        bit_depth_luma=depth_luma,
        bit_depth_chroma=depth_chroma,
        interlaced=interlaced,
        profile_tier_level=profile_tier_level,
        temporal_layers=last_layer + 1,
        temporal_id_nested=nested,
    )


def codec_string(profile_tier_level: bytes) -> str:
    """`hvc1.1.6.L93.B0` of the 12 bytes of general_profile_tier_level (ISO/IEC 14496-15, Annex E.3)."""
    first = profile_tier_level[0]
    space = ("", "A", "B", "C")[first >> 6]
    tier = "H" if first & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(profile_tier_level[1:5], 'big'):032b}"[::-1], 2)
    constraints = profile_tier_level[5:11].rstrip(b"\0")
    parts = [f"hvc1.{space}{first & 0x1F}", f"{compatibility:X}", f"{tier}{profile_tier_level[11]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def _skip_profile_tier_level(bits: BitReader, last_layer: int) -> None:
    bits.skip(96)
    present = [(bits.flag(), bits.flag()) for _ in range(last_layer)]
    if last_layer:
        bits.skip(2 * (8 - last_layer))
    for has_profile, has_level in present:
        bits.skip((88 if has_profile else 0) + (8 if has_level else 0))


def _parse_tail(
    bits: BitReader, order_bits: int, chroma_format_idc: int
) -> tuple[Fraction | None, tuple[int, int], bool]:
    """Frame rate, sample aspect ratio and whether pictures are fields, all from the VUI at the end of the set.

    A set that ends early here has told its geometry: what was read until there counts.
    """
    try:
        _skip_coding_tools(bits, chroma_format_idc)
        _skip_reference_sets(bits)
        if bits.flag():
            for _ in range(bits.ue(32)):
                bits.skip(order_bits + 1)
        bits.skip(2)
        if bits.flag():
            return _parse_vui(bits)
    except MediaError:
        pass
    return None, (1, 1), False


def _skip_coding_tools(bits: BitReader, chroma_format_idc: int) -> None:
    for _ in range(6):
        bits.ue()
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits, chroma_format_idc)
    bits.skip(2)
    if bits.flag():
        bits.skip(8)
        bits.ue()
        bits.ue()
        bits.skip(1)


def _skip_scaling_lists(bits: BitReader, chroma_format_idc: int) -> None:
    del chroma_format_idc  # the syntax has six 32x32 entries only in the range extensions, signalled elsewhere
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.ue(6)
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _skip_reference_sets(bits: BitReader) -> None:
    """st_ref_pic_set (7.3.7): each set may be predicted from the one before it."""
    pictures = 0
    for index in range(bits.ue(MAX_REFERENCE_SETS)):
        if index and bits.flag():
            bits.skip(1)
            bits.ue()
            kept = 0
            for _ in range(pictures + 1):
                used = bits.flag()
                kept += used or bits.flag()
            pictures = kept
        else:
            negative, positive = bits.ue(MAX_REFERENCE_PICTURES), bits.ue(MAX_REFERENCE_PICTURES)
            pictures = negative + positive
            for _ in range(pictures):
                bits.ue()
                bits.skip(1)


def _parse_vui(bits: BitReader) -> tuple[Fraction | None, tuple[int, int], bool]:
    aspect, interlaced = (1, 1), False
    frame_rate: Fraction | None = None
    try:
        if bits.flag():
            index = bits.u(8)
            aspect = (bits.u(16), bits.u(16)) if index == EXTENDED_SAR else ASPECT_RATIOS.get(index, (1, 1))
        if bits.flag():
            bits.skip(1)
        skip_video_signal(bits)
        bits.skip(1)
        interlaced = bits.flag()
        bits.skip(1)
        if bits.flag():
            for _ in range(4):
                bits.ue()
        if bits.flag():
            ticks, scale = bits.u(32), bits.u(32)
            frame_rate = Fraction(scale, ticks) if ticks and scale else None
    except MediaError:
        pass
    return frame_rate, aspect, interlaced
