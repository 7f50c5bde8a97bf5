"""The `esds` box of an `mp4v` sample entry: which MPEG-4 object the samples are (ISO/IEC 14496-1, 7.2.6; -14, 5.6).

Object type 0x20 is MPEG-4 Part 2, with its decoder configuration; 0x6C is JPEG, which has none.
"""

from __future__ import annotations

import struct
from typing import Final

from vms.media.access_unit import Codec, ParameterSets
from vms.media.fmp4.boxes import full_box, malformed

_ES, _DECODER_CONFIGURATION, _DECODER_SPECIFIC, _SYNC_LAYER = 0x03, 0x04, 0x05, 0x06
_MPEG4_VISUAL, _JPEG = 0x20, 0x6C
_VISUAL_STREAM: Final = 0x04 << 2 | 1
_MP4_SYNC_LAYER: Final = b"\x02"
_URL_FLAG, _DEPENDS_FLAG, _CLOCK_FLAG = 0x40, 0x80, 0x20


def descriptor_box(parameters: ParameterSets) -> bytes:
    """The whole `esds` box."""
    is_jpeg = parameters.codec is Codec.MJPEG
    decoder = struct.pack(">BB3xII", _JPEG if is_jpeg else _MPEG4_VISUAL, _VISUAL_STREAM, 0, 0)
    if not is_jpeg:
        decoder += _descriptor(_DECODER_SPECIFIC, parameters.sps)
    content = struct.pack(">HB", 0, 0) + _descriptor(_DECODER_CONFIGURATION, decoder)
    return full_box(b"esds", 0, 0, _descriptor(_ES, content + _descriptor(_SYNC_LAYER, _MP4_SYNC_LAYER)))


def parse_descriptor(content: bytes) -> ParameterSets:
    """The parameter sets of an `esds` box, those of Motion JPEG still without their size; MediaError when broken."""
    elementary = _find(content[4:], _ES)
    flags = elementary[2] if len(elementary) > 2 else 0
    if flags & (_URL_FLAG | _DEPENDS_FLAG | _CLOCK_FLAG):
        raise malformed("esds of a stream that is elsewhere")
    decoder = _find(elementary[3:], _DECODER_CONFIGURATION)
    if len(decoder) < 13:
        raise malformed("esds is cut")
    if decoder[0] == _JPEG:
        return ParameterSets(Codec.MJPEG, b"", b"", ())
    if decoder[0] != _MPEG4_VISUAL:
        raise malformed(f"object type {decoder[0]:#x} is none that is recorded")
    return ParameterSets(Codec.MPEG4, b"", _find(decoder[13:], _DECODER_SPECIFIC), ())


def _descriptor(tag: int, content: bytes) -> bytes:
    size = len(content)
    return (
        bytes((tag, size >> 21 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size & 0x7F)) + content
    )


def _find(data: bytes, wanted: int) -> bytes:
    """The content of the first descriptor with this tag; MediaError when there is none or it is cut."""
    place = 0
    while place + 2 <= len(data):
        tag, size = data[place], 0
        for _ in range(4):
            place += 1
            if place >= len(data):
                raise malformed("esds is cut")
            size = size << 7 | data[place] & 0x7F
            if data[place] < 0x80:
                break
        place += 1
        if place + size > len(data):
            raise malformed("esds is cut")
        if tag == wanted:
            return data[place : place + size]
        place += size
    raise malformed(f"no descriptor {wanted:#x} in esds")
