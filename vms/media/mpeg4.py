"""MPEG-4 Part 2: what its decoder configuration says, and which of its pictures are key frames (ISO/IEC 14496-2).

The configuration is everything before the first picture: visual object sequence, visual object, video object layer.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from vms.media.access_unit import Codec, ParameterSets, VideoParameters
from vms.media.bits import BitReader, malformed, unsupported

MAX_CONFIGURATION_BYTES: Final = 4_096
_PREFIX: Final = b"\0\0\1"
_LAYER_FIRST, _LAYER_LAST = 0x20, 0x2F
_SEQUENCE, _GROUP, _PICTURE = 0xB0, 0xB3, 0xB6
_SIMPLE: Final = 1
_RECTANGULAR: Final = 0
_EXTENDED_ASPECT: Final = 15
_ASPECTS: Final = {2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33)}
_VIDEO_BUFFER_BITS: Final = 79


def configuration(data: bytes) -> ParameterSets | None:
    """The decoder configuration in front of the first picture of `data`, None when there is no layer in it."""
    end = len(data)
    has_layer = False
    for place, code in _start_codes(data):
        if code in {_GROUP, _PICTURE}:
            end = place
            break
        has_layer = has_layer or _LAYER_FIRST <= code <= _LAYER_LAST
    if not has_layer or end > MAX_CONFIGURATION_BYTES:
        return None
    return ParameterSets(Codec.MPEG4, b"", data[:end], ())


def is_key_picture(data: bytes) -> bool:
    """Whether the first picture of a sample is coded by itself (I-VOP)."""
    for place, code in _start_codes(data):
        if code == _PICTURE:
            return len(data) > place + 4 and data[place + 4] >> 6 == 0
    return False


def parse_configuration(data: bytes) -> VideoParameters:
    """What a decoder configuration says; MediaError when it is malformed or shows no rectangle."""
    if len(data) > MAX_CONFIGURATION_BYTES:
        raise malformed(f"configuration of {len(data)} bytes")
    profile_and_level = 0
    for place, code in _start_codes(data):
        if code == _SEQUENCE:
            profile_and_level = data[place + 4] if len(data) > place + 4 else 0
        elif _LAYER_FIRST <= code <= _LAYER_LAST:
            return _layer(data[place + 4 :], profile_and_level)
    raise malformed("no video object layer")


def _layer(data: bytes, profile_and_level: int) -> VideoParameters:
    """6.2.3, VideoObjectLayer."""
    reader = BitReader(data)
    reader.skip(1)
    kind = reader.bits(8)
    version = 1
    if reader.flag():
        version = reader.bits(4)
        reader.skip(3)
    aspect_code = reader.bits(4)
    aspect = _ASPECTS.get(aspect_code, (1, 1))
    if aspect_code == _EXTENDED_ASPECT:
        aspect = (reader.bits(8), reader.bits(8))
    low_delay = kind == _SIMPLE
    if reader.flag():
        reader.skip(2)
        low_delay = reader.flag()
        if reader.flag():
            reader.skip(_VIDEO_BUFFER_BITS)
    shape = reader.bits(2)
    if shape != _RECTANGULAR:
        raise unsupported(f"video object of shape {shape}, version {version}")
    reader.skip(1)
    resolution = reader.bits(16)
    if not resolution:
        raise malformed("time resolution of zero")
    reader.skip(1)
    frame_rate = None
    if reader.flag():
        increment = reader.bits(max(1, (resolution - 1).bit_length()))
        frame_rate = Fraction(resolution, increment) if increment else None
    reader.skip(1)
    width = reader.bits(13)
    reader.skip(1)
    height = reader.bits(13)
    reader.skip(1)
    if not width or not height:
        raise malformed("picture without a size")
    return VideoParameters(
        codec=Codec.MPEG4,
        width=width,
        height=height,
        profile_idc=profile_and_level,
        level_idc=0,
        codec_string=f"mp4v.20.{profile_and_level}",
        max_reorder_frames=0 if low_delay else 1,
        frame_rate=frame_rate,
        sample_aspect=aspect if all(aspect) else (1, 1),
        interlaced=reader.flag(),
    )


def _start_codes(data: bytes) -> list[tuple[int, int]]:
    """Place and value of each start code up to the first picture; no picture is searched through."""
    found: list[tuple[int, int]] = []
    place = data.find(_PREFIX)
    while 0 <= place < len(data) - 3:
        found.append((place, data[place + 3]))
        if data[place + 3] == _PICTURE:
            break
        place = data.find(_PREFIX, place + 3)
    return found
