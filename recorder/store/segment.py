"""A recorded segment as the index knows it, and where its file lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from vms.base.clock import utc_text
from vms.media.access_unit import Codec

OPEN_FOLDER = "open"
MEDIA_FOLDER = "media"
ASIDE_FOLDER = "aside"
TRIM_FOLDER = "trim"


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a player needs to know before it reads: `codec_string` is that of RFC 6381."""

    codec: Codec
    codec_string: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One segment: UTC nanoseconds, the end excluded; size and SHA-256 of its file, and of the one before it.

    While `open`, `end_ns` is the last instant known to be readable, `size_bytes` and `digest` are not settled yet (0
    and empty), and the file grows; its whole fragments may be read at any time.

    `chain_digest` is the digest that the next segment refers to; None when that is `digest`, as it is for every segment
    but one that was trimmed for a hold. `camera_offset_ms` is how far the camera's own clock was ahead of the server
    when the segment began, None where that was not measured; `camera_clock` says by what it is known (LAW-39).
    """

    segment_id: str
    camera_id: str
    run: int
    start_ns: int
    end_ns: int
    size_bytes: int
    digest: bytes
    previous_digest: bytes
    video: VideoFormat
    uncertainty_ms: int
    time_source: str
    open: bool = False
    chain_digest: bytes | None = None
    camera_offset_ms: int | None = None
    camera_clock: str = ""

    @property
    def chained_digest(self) -> bytes:
        """The digest by which the camera's next segment names this one (LAW-40)."""
        return self.digest if self.chain_digest is None else self.chain_digest

    @property
    def file(self) -> str:
        """The path of the file, relative to the folder of the store."""
        return open_file(self.segment_id) if self.open else media_file(self.camera_id, self.start_ns, self.segment_id)


def media_file(camera_id: str, start_ns: int, segment_id: str) -> str:
    """Where a closed segment lies in its store: by camera and UTC day of its start."""
    return str(PurePosixPath(MEDIA_FOLDER, camera_id, utc_text(start_ns)[:10], f"{segment_id}.mp4"))


def trim_file(segment_id: str) -> str:
    """Where a held part of a segment lies while it is written."""
    return str(PurePosixPath(TRIM_FOLDER, f"{segment_id}.mp4"))


def open_file(segment_id: str) -> str:
    """Where a segment lies in its store while it is written."""
    return str(PurePosixPath(OPEN_FOLDER, f"{segment_id}.mp4"))
