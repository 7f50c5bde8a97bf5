"""Motion JPEG: each picture is a whole JPEG image (ITU-T T.81). Only its size is looked at.

The format has no parameter sets; width and height stand in for them, so that a change of size is noticed as with the
other codecs.
"""

from __future__ import annotations

import struct
from typing import Final

from vms.media.access_unit import Codec, ParameterSets, VideoParameters
from vms.media.bits import malformed

MAX_HEADER_BYTES: Final = 64 * 1024
CODEC_STRING: Final = "mp4v.6C"
_START_OF_IMAGE: Final = b"\xff\xd8"
_START_OF_SCAN: Final = 0xDA
_SIZE = struct.Struct(">HH")


def parse_size(image: bytes) -> tuple[int, int]:
    """Width and height of a JPEG image in pixels; MediaError when its header cannot be read."""
    for kind, content in segments(image):
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:
            if len(content) < 5:
                break
            height, width = _SIZE.unpack_from(content, 1)
            if width and height:
                return width, height
            break
    raise malformed("JPEG image without a size")


def segments(image: bytes) -> list[tuple[int, bytes]]:
    """The marker segments of an image up to its first scan, that one included; MediaError when they are cut."""
    if not image.startswith(_START_OF_IMAGE):
        raise malformed("no JPEG image")
    found: list[tuple[int, bytes]] = []
    place = 2
    while place + 4 <= min(len(image), MAX_HEADER_BYTES):
        if image[place] != 0xFF:
            raise malformed(f"no JPEG marker at {place}")
        kind = image[place + 1]
        if kind == 0xFF:
            place += 1
            continue
        length = int.from_bytes(image[place + 2 : place + 4], "big")
        if length < 2 or place + 2 + length > len(image):
            raise malformed(f"JPEG segment of {length} bytes at {place}")
        found.append((kind, image[place + 4 : place + 2 + length]))
        place += 2 + length
        if kind == _START_OF_SCAN:
            return found
    raise malformed("JPEG image without a scan")


def parameters_of(width: int, height: int) -> ParameterSets:
    """What stands in for parameter sets."""
    return ParameterSets(Codec.MJPEG, b"", _SIZE.pack(width, height), ())


def video_parameters(parameters: bytes) -> VideoParameters:
    """The parameters of pictures of this size; MediaError for anything else than two numbers."""
    if len(parameters) != _SIZE.size:
        raise malformed(f"size of {len(parameters)} bytes")
    width, height = _SIZE.unpack(parameters)
    if not width or not height:
        raise malformed("picture without a size")
    return VideoParameters(
        codec=Codec.MJPEG,
        width=width,
        height=height,
        profile_idc=0,
        level_idc=0,
        codec_string=CODEC_STRING,
        max_reorder_frames=0,
        frame_rate=None,
    )
