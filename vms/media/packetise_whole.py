"""RTP payloads of pictures without NAL units, for the simulator and for tests.

Source: RFC 6416 5 (MPEG-4 Part 2: the bit stream, cut anywhere), RFC 2435 3 and 4 (JPEG: headers in a short form, then
the scan).
"""

from __future__ import annotations

import struct

from vms.media.access_unit import Codec
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.mjpeg import MAX_HEADER_BYTES, parse_size, segments

_TABLES_IN_BAND = 255
_MOST_BLOCKS = 255
_QUANTISATION, _RESTART, _SCAN = 0xDB, 0xDD, 0xDA
_TYPES = {0x21: 0, 0x22: 1}


def packetise_whole(sample: bytes, codec: Codec, max_payload_bytes: int) -> list[bytes]:
    """The payloads of one picture. Raises MediaError for a JPEG image that RTP has no short form for."""
    if codec is Codec.MJPEG:
        return _jpeg(sample, max_payload_bytes)
    return [sample[start : start + max_payload_bytes] for start in range(0, len(sample), max_payload_bytes)]


def _jpeg(image: bytes, max_payload_bytes: int) -> list[bytes]:
    width, height = parse_size(image)
    found = segments(image)
    frame = next(content for kind, content in found if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC})
    kind = _TYPES.get(frame[7])
    if kind is None or any(each == _RESTART for each, _ in found) or max(width, height) > 8 * _MOST_BLOCKS:
        raise MediaError(MediaErrorCode.PARAMETER_SET_UNSUPPORTED, "JPEG image of a kind that RTP does not carry")
    joined = b"".join(content for each, content in found if each == _QUANTISATION)
    tables = {joined[place] & 0x0F: joined[place + 1 : place + 65] for place in range(0, len(joined) - 64, 65)}
    luma, chroma = tables[frame[8]], tables[frame[11]]
    quantisation = struct.pack(">BBH", 0, 0, 128) + luma + chroma
    scan_start = image.index(bytes((0xFF, _SCAN)), 0, MAX_HEADER_BYTES)
    scan_start += 2 + int.from_bytes(image[scan_start + 2 : scan_start + 4], "big")
    scan = image[scan_start:].removesuffix(b"\xff\xd9")
    payloads = []
    offset = 0
    while offset < len(scan):
        head = struct.pack(">IBBBB", offset, kind, _TABLES_IN_BAND, -(-width // 8), -(-height // 8))
        head += quantisation if offset == 0 else b""
        part = scan[offset : offset + max_payload_bytes - len(head)]
        payloads.append(head + part)
        offset += len(part)
    return payloads
