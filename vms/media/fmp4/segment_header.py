"""What a recorded segment says of itself, in an own `uuid` box that players ignore (ISO/IEC 14496-12, clause 11.1).

The index of a store can be rebuilt from these boxes alone, and a file taken out of its folder still says which camera
it shows, since when, how far that instant may be trusted (LAW-39), and which file came before it (LAW-40).

Layout after the 16 bytes of the kind: version (1 byte), time source (1), run (4), start UTC ns (8), uncertainty ms
(4), SHA-256 of the previous segment's file (32, zeroes for the first), then three texts, each behind its length
(2 bytes): segment id, camera id, place. Version 2 adds the camera's own clock: what is known of it (1 byte), and how
many milliseconds it is ahead of the server (8). Version 3, written only for a part of a segment, adds the SHA-256 of
the whole file that it was cut out of (32). Big-endian; all versions are read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vms.media.fmp4.boxes import box, malformed, too_large

SEGMENT_HEADER_UUID: Final = bytes.fromhex("b6d0c1a25f7e4a5c9e0d766d732d7367")
DIGEST_BYTES: Final = 32
NO_DIGEST: Final = bytes(DIGEST_BYTES)
MAX_TEXT_BYTES: Final = 512

_VERSION = 2
_VERSION_OF_A_PART = 3
_FIXED = struct.Struct(">BBIqI32s")
_LENGTH = struct.Struct(">H")
_CAMERA_TIME = struct.Struct(">Bq")
_UNMEASURED = -(1 << 63)


class TimeSource(StrEnum):
    """How the start of a segment was dated, best first."""

    SENDER_REPORT = "sender_report"
    ARRIVAL = "arrival"
    UNKNOWN = "unknown"


class CameraTimeSource(StrEnum):
    """What is known of the camera's own clock."""

    UNKNOWN = ""
    SENDER_REPORT = "sender_report"
    UNSET = "unset"
    """Its sender reports bear no time of day: its clock was never set (RFC 3550, clause 6.4.1)."""


_SOURCES = tuple(TimeSource)
_CAMERA_SOURCES = tuple(CameraTimeSource)


@dataclass(frozen=True, slots=True)
class CameraTime:
    """The camera's own clock when a segment began: camera minus server; None where it was not measured (LAW-39)."""

    source: CameraTimeSource = CameraTimeSource.UNKNOWN
    offset_ms: int | None = None


NO_CAMERA_TIME: Final = CameraTime()


@dataclass(frozen=True, slots=True)
class TimeTrust:
    """How far an instant may be trusted: where it came from, and the bound of its error."""

    source: TimeSource
    uncertainty_ms: int


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The identity of one segment. `start_ns` is the UTC instant of media time zero, its first presented key frame.

    `run` counts the unbroken stretches of one camera's media time; `previous_digest` is the SHA-256 of the file of the
    camera's segment before this one, zeroes when there was none. `place` is text for people, it may be empty.
    `whole_digest` is the SHA-256 of the file that this one is a part of, zeroes for a segment as it was recorded.
    """

    segment_id: str
    camera_id: str
    run: int
    start_ns: int
    trust: TimeTrust
    previous_digest: bytes = NO_DIGEST
    place: str = ""
    camera_time: CameraTime = NO_CAMERA_TIME
    whole_digest: bytes = NO_DIGEST


def segment_header_box(header: SegmentHeader) -> bytes:
    """The bytes of the box. Raises MediaError for a text over 512 bytes or a digest of another length."""
    if len(header.previous_digest) != DIGEST_BYTES or len(header.whole_digest) != DIGEST_BYTES:
        raise malformed(f"digests of {len(header.previous_digest)} and {len(header.whole_digest)} bytes")
    part = header.whole_digest != NO_DIGEST
    fixed = _FIXED.pack(
        _VERSION_OF_A_PART if part else _VERSION,
        _SOURCES.index(header.trust.source),
        header.run,
        header.start_ns,
        header.trust.uncertainty_ms,
        header.previous_digest,
    )
    texts = [_text(value) for value in (header.segment_id, header.camera_id, header.place)]
    whole = header.whole_digest if part else b""
    return box(b"uuid", SEGMENT_HEADER_UUID, fixed, *texts, _camera_time(header.camera_time), whole)


def parse_segment_header(content: bytes) -> SegmentHeader | None:
    """The header in the content of a `uuid` box, or None when the box is somebody else's.

    Raises MediaError when it is ours and cut, or of a later version than this program knows.
    """
    if content[:16] != SEGMENT_HEADER_UUID:
        return None
    if len(content) < 16 + _FIXED.size:
        raise malformed("segment header is cut")
    version, source, run, start_ns, uncertainty_ms, previous = _FIXED.unpack_from(content, 16)
    if version not in {1, _VERSION, _VERSION_OF_A_PART} or source >= len(_SOURCES):
        raise malformed(f"segment header of version {version}, time source {source}")
    texts: list[str] = []
    offset = 16 + _FIXED.size
    for _ in range(3):
        (length,) = _LENGTH.unpack(content[offset : offset + 2].rjust(2, b"\xff"))
        text = content[offset + 2 : offset + 2 + length]
        if length > MAX_TEXT_BYTES or len(text) != length:
            raise malformed("a text of the segment header is cut")
        texts.append(text.decode("utf-8", "replace"))
        offset += 2 + length
    return SegmentHeader(
        segment_id=texts[0],
        camera_id=texts[1],
        run=run,
        start_ns=start_ns,
        trust=TimeTrust(_SOURCES[source], uncertainty_ms),
        previous_digest=previous,
        place=texts[2],
        camera_time=_parse_camera_time(content, offset) if version > 1 else NO_CAMERA_TIME,
        whole_digest=_parse_whole(content, offset + _CAMERA_TIME.size) if version > _VERSION else NO_DIGEST,
    )


def _camera_time(time: CameraTime) -> bytes:
    offset_ms = _UNMEASURED if time.offset_ms is None else time.offset_ms
    return _CAMERA_TIME.pack(_CAMERA_SOURCES.index(time.source), offset_ms)


def _parse_camera_time(content: bytes, offset: int) -> CameraTime:
    if len(content) < offset + _CAMERA_TIME.size:
        raise malformed("the camera's clock in the segment header is cut")
    source, offset_ms = _CAMERA_TIME.unpack_from(content, offset)
    if source >= len(_CAMERA_SOURCES):
        raise malformed(f"source {source} of the camera's clock")
    return CameraTime(_CAMERA_SOURCES[source], None if offset_ms == _UNMEASURED else offset_ms)


def _parse_whole(content: bytes, offset: int) -> bytes:
    digest = content[offset : offset + DIGEST_BYTES]
    if len(digest) != DIGEST_BYTES:
        raise malformed("the digest of the whole segment is cut")
    return digest


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) > MAX_TEXT_BYTES:
        raise too_large(f"text of {len(data)} bytes in a segment header")
    return _LENGTH.pack(len(data)) + data
