"""H.265: what NAL units are, and what a sequence parameter set says.

Source: ITU-T H.265 (08/2021), 7.3.1, 7.3.2.2, 7.3.3, Annex E; ISO/IEC 14496-15, Annex E (codec string).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from vms.media.access_unit import Codec, VideoParameters
from vms.media.bits import BitReader, malformed, unescape, unsupported
from vms.media.errors import MediaError
from vms.media.h264 import MAX_SIDE_PIXELS, bounded_rate, usability_head

NAL_IRAP_FIRST: Final = 16
NAL_IRAP_LAST: Final = 23
NAL_VPS: Final = 32
NAL_SPS: Final = 33
NAL_PPS: Final = 34
NAL_AUD: Final = 35
NAL_AP: Final = 48
NAL_FU: Final = 49

MAX_PARAMETER_SET_BYTES: Final = 8_192
_CODED_SLICES: Final = 32


def nal_type(first_byte: int) -> int:
    """The type of a NAL unit from its first byte."""
    return first_byte >> 1 & 0x3F


def is_slice(kind: int) -> bool:
    """Whether a NAL unit of this type carries picture data."""
    return kind < _CODED_SLICES


def parse_sps(sps: bytes) -> VideoParameters:
    """What a sequence parameter set (NAL unit, header included) says; MediaError when it is malformed."""
    if not 15 <= len(sps) <= MAX_PARAMETER_SET_BYTES:
        raise malformed(f"sequence parameter set of {len(sps)} bytes")
    if nal_type(sps[0]) != NAL_SPS:
        raise malformed(f"NAL unit type {nal_type(sps[0])} is no sequence parameter set")
    payload = unescape(sps[2:])
    reader = BitReader(payload)
    reader.skip(4)
    layers = reader.bits(3) + 1
    if layers > 7:
        raise malformed(f"{layers} temporal layers")
    nested = reader.flag()
    profile_tier_level = payload[1:13]
    _skip_profile_tier_level(reader, layers)
    reader.ue(15)
    picture = _picture(reader)
    log2_poc_bits = reader.ue(12) + 4
    reorder = _reordering(reader, layers)
    try:
        aspect, frame_rate = _rest(reader, log2_poc_bits)
    except MediaError:
        aspect, frame_rate = (1, 1), None
    return VideoParameters(
        codec=Codec.H265,
        width=picture.width,
        height=picture.height,
        profile_idc=profile_tier_level[0] & 0x1F,
        level_idc=profile_tier_level[11],
        codec_string=codec_string(profile_tier_level),
        max_reorder_frames=reorder,
        frame_rate=frame_rate,
        sample_aspect=aspect,
        chroma_format_idc=picture.chroma,
        bit_depth_luma=picture.depth_luma,
        bit_depth_chroma=picture.depth_chroma,
        profile_tier_level=profile_tier_level,
        temporal_layers=layers,
        temporal_id_nested=nested,
    )


def codec_string(profile_tier_level: bytes) -> str:
    """`hvc1.1.6.L93.B0`, from the 12 bytes of general_profile_tier_level."""
    space = ("", "A", "B", "C")[profile_tier_level[0] >> 6]
    tier = "H" if profile_tier_level[0] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(profile_tier_level[1:5], 'big'):032b}"[::-1], 2)
    constraints = profile_tier_level[5:11].rstrip(b"\0")
    parts = [f"hvc1.{space}{profile_tier_level[0] & 0x1F}", f"{compatibility:X}", f"{tier}{profile_tier_level[11]}"]
    return ".".join([*parts, *(f"{byte:X}" for byte in constraints)])


@dataclass(frozen=True, slots=True)
class _Picture:
    width: int
    height: int
    chroma: int
    depth_luma: int
    depth_chroma: int


def _skip_profile_tier_level(reader: BitReader, layers: int) -> None:
    reader.skip(96)
    if layers == 1:
        return
    present = [(reader.flag(), reader.flag()) for _ in range(layers - 1)]
    reader.skip(2 * (8 - (layers - 1)))
    for has_profile, has_level in present:
        reader.skip(88 * has_profile + 8 * has_level)


def _picture(reader: BitReader) -> _Picture:
    chroma = reader.ue(3)
    if chroma == 3:
        reader.skip(1)
    width, height = reader.ue(MAX_SIDE_PIXELS), reader.ue(MAX_SIDE_PIXELS)
    if reader.flag():
        unit_x = 2 if chroma in {1, 2} else 1
        unit_y = 2 if chroma == 1 else 1
        left, right, top, bottom = (reader.ue(MAX_SIDE_PIXELS) for _ in range(4))
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
    if width <= 0 or height <= 0:
        raise malformed("cropping leaves no picture")
    return _Picture(width, height, chroma, reader.ue(8) + 8, reader.ue(8) + 8)


def _reordering(reader: BitReader, layers: int) -> int:
    reorder = 0
    for _ in range(layers if reader.flag() else 1):
        reader.ue(15)
        reorder = reader.ue(15)
        reader.ue()
    return reorder


def _rest(reader: BitReader, log2_poc_bits: int) -> tuple[tuple[int, int], Fraction | None]:
    """Sample aspect and frame rate, which stand behind everything else."""
    for limit in (3, 3, 3, 3, 4, 4):
        reader.ue(limit + 28)
    if reader.flag() and reader.flag():
        _skip_scaling_lists(reader)
    reader.skip(2)
    if reader.flag():
        reader.skip(8)
        reader.ue(3)
        reader.ue(3)
        reader.skip(1)
    _skip_reference_sets(reader)
    if reader.flag():
        for _ in range(reader.ue(32)):
            reader.skip(log2_poc_bits + 1)
    reader.skip(2)
    return _usability(reader) if reader.flag() else ((1, 1), None)


def _usability(reader: BitReader) -> tuple[tuple[int, int], Fraction | None]:
    aspect = usability_head(reader)
    reader.skip(3)
    if reader.flag():
        for _ in range(4):
            reader.ue(MAX_SIDE_PIXELS)
    if not reader.flag():
        return aspect, None
    ticks, scale = reader.bits(32), reader.bits(32)
    return aspect, bounded_rate(scale, ticks)


def _skip_scaling_lists(reader: BitReader) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not reader.flag():
                reader.ue(6)
                continue
            if size > 1:
                reader.se(256)
            for _ in range(min(64, 1 << (4 + 2 * size))):
                reader.se(256)


def _skip_reference_sets(reader: BitReader) -> None:
    """The short-term reference picture sets (H.265, 7.3.7): their sizes depend on one another."""
    sizes: list[int] = []
    for index in range(reader.ue(64)):
        if index and reader.flag():
            sizes.append(_predicted_set(reader, sizes[-1]))
            continue
        negative, positive = reader.ue(16), reader.ue(16)
        for _ in range(negative + positive):
            reader.ue()
            reader.skip(1)
        sizes.append(negative + positive)
        if sizes[-1] > 16:
            raise unsupported(f"reference set of {sizes[-1]} pictures")


def _predicted_set(reader: BitReader, previous: int) -> int:
    reader.skip(1)
    reader.ue()
    kept = 0
    for _ in range(previous + 1):
        used = reader.flag()
        kept += 1 if used or reader.flag() else 0
    return min(kept, 16)
