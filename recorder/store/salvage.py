"""What a segment's file says of itself: for what was open when the process ended, and for an index that is rebuilt.

A segment is worth what its whole fragments are worth. `describe` finds them, `complete` cuts what comes after them and
closes the file as its writer would have done.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from recorder.store.segment import StoredSegment, VideoFormat
from vms.base import durable
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import is_id
from vms.media.errors import MediaError
from vms.media.fmp4 import (
    NO_DIGEST,
    TIMESCALE_90K,
    FragmentIndexEntry,
    ReadAt,
    SegmentHead,
    SegmentHeader,
    fragment_index,
    read_fragment_index,
    read_head,
    scan_fragments,
    video_parameters,
)

_BLOCK_BYTES = 1 << 20
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Description:
    """A readable segment. `readable_bytes` ends its last whole fragment; `closed` says that its index follows."""

    segment: StoredSegment
    fragments: tuple[FragmentIndexEntry, ...]
    readable_bytes: int
    file_bytes: int
    closed: bool


@contextmanager
def reading(path: Path) -> Iterator[tuple[ReadAt, int]]:
    """A `ReadAt` over a file and its size now. Blocks; not for the event loop."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:

        def read_at(offset: int, size: int) -> bytes:
            return os.pread(descriptor, size, offset)

        yield read_at, os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def is_safe_name(text: str) -> bool:
    """Whether a camera identifier may name a folder."""
    return bool(_SAFE_NAME.fullmatch(text))


def ns_of_90k(ticks: int) -> int:
    """Nanoseconds of so many ticks of 90 kHz."""
    return ticks * NS_PER_SECOND // TIMESCALE_90K


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def describe(path: Path) -> Description | None:
    """What a file says of itself, without its digest; None when it is no segment of this product.

    A segment without a whole fragment has no `fragments`. Raises OSError when the disk refuses.
    """
    with reading(path) as (read_at, size):
        try:
            head = read_head(read_at, size)
        except MediaError:
            return None
        header = head.header
        if header is None or not is_id(header.segment_id, "seg") or not is_safe_name(header.camera_id):
            return None
        fragments = tuple(scan_fragments(read_at, head.size, size))
        closed = read_fragment_index(read_at, size) is not None
    readable_bytes = fragments[-1].offset + fragments[-1].size if fragments else head.size
    try:
        segment = _segment(head, header, fragments)
    except MediaError:
        return None
    return Description(segment, fragments, readable_bytes, size, closed)


def complete(path: Path, description: Description) -> StoredSegment:
    """Close a file that its writer could not: cut its torn tail, add the index of fragments, put it on the disk.

    Returns the segment with its size and digest. A file that was closed already is left as it is. Raises OSError.
    """
    if not description.closed:
        if description.file_bytes != description.readable_bytes:
            durable.truncate(path, description.readable_bytes)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            durable.write_all(descriptor, [fragment_index(description.fragments)])
            durable.sync_file(descriptor)
        finally:
            os.close(descriptor)
    return sealed(path, description.segment)


def sealed(path: Path, segment: StoredSegment) -> StoredSegment:
    """The segment with the size and digest of its file. Raises OSError."""
    return replace(segment, size_bytes=path.stat().st_size, digest=digest_of(path))


def _segment(head: SegmentHead, header: SegmentHeader, fragments: tuple[FragmentIndexEntry, ...]) -> StoredSegment:
    video = video_parameters(head.entry.parameters)
    duration_90k = fragments[-1].decode_time_90k + fragments[-1].duration_90k if fragments else 0
    return StoredSegment(
        segment_id=header.segment_id,
        camera_id=header.camera_id,
        run=header.run,
        start_ns=header.start_ns,
        end_ns=header.start_ns + ns_of_90k(duration_90k),
        size_bytes=0,
        digest=b"",
        previous_digest=header.previous_digest,
        video=VideoFormat(video.codec, video.codec_string, video.width, video.height),
        uncertainty_ms=header.trust.uncertainty_ms,
        time_source=str(header.trust.source),
        chain_digest=None if header.whole_digest == NO_DIGEST else header.whole_digest,
        camera_offset_ms=header.camera_time.offset_ms,
        camera_clock=str(header.camera_time.source),
    )
