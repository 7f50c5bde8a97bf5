"""Cutting the held groups of pictures out of a segment, byte for byte.

A part is a segment of its own: the same head but for its header box (its own identifier and start, and the digest of
the whole it was cut out of), and the fragments of its groups with the very sample bytes that were recorded. Only the
decode times and sequence numbers of the fragments are counted from the start of the part. How a part takes the place
of the whole is told in `closing`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recorder.store.groups import Groups
from recorder.store.salvage import ns_of_90k, reading
from recorder.store.segment import StoredSegment, trim_file
from vms.base import durable
from vms.base.ids import new_id
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.fmp4 import (
    Fragment,
    FragmentIndexEntry,
    ReadAt,
    fragment_index,
    retime_fragment,
    segment_header_box,
)

_COPY_BYTES = 1 << 20


def write_parts(folder: Path, whole: StoredSegment, groups: Groups, kept: Sequence[range]) -> list[StoredSegment]:
    """Write these stretches of the groups of a segment under `trim/`, complete and synced.

    Blocks; not for the disk's thread, as it copies media. Raises OSError, or MediaError when the file is not what its
    groups say.
    """
    parts = []
    with reading(folder / whole.file) as (read_at, _):
        for stretch in kept:
            fragments = groups.fragments[groups.groups[stretch[0]].first : groups.groups[stretch[-1]].last + 1]
            parts.append(_write_part(folder, whole, groups, fragments, read_at))
    return parts


def _write_part(
    folder: Path, whole: StoredSegment, groups: Groups, fragments: Sequence[Fragment], read_at: ReadAt
) -> StoredSegment:
    header = groups.head.header
    if header is None:
        raise MediaError(MediaErrorCode.CONTAINER_MALFORMED, f"{whole.file} has no header box")
    base_90k = fragments[0].index.decode_time_90k
    end_90k = fragments[-1].index.decode_time_90k + fragments[-1].index.duration_90k
    start_ns = whole.start_ns + ns_of_90k(base_90k)
    segment_id = new_id("seg")
    own = replace(header, segment_id=segment_id, start_ns=start_ns, whole_digest=whole.chained_digest)
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(
        folder / trim_file(segment_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640
    )
    try:
        pieces = _pieces(groups.head.init + segment_header_box(own), fragments, base_90k, read_at)
        for piece in pieces:
            size += durable.write_all(descriptor, [piece])
            digest.update(piece)
        durable.sync_file(descriptor)
    finally:
        os.close(descriptor)
    return replace(
        whole,
        segment_id=segment_id,
        start_ns=start_ns,
        end_ns=start_ns + ns_of_90k(end_90k - base_90k),
        size_bytes=size,
        digest=digest.digest(),
        chain_digest=whole.chained_digest,
    )


def _pieces(head: bytes, fragments: Sequence[Fragment], base_90k: int, read_at: ReadAt) -> Iterator[bytes]:
    yield head
    offset = len(head)
    entries = []
    for sequence, fragment in enumerate(fragments, 1):
        index = fragment.index
        decode_90k = index.decode_time_90k - base_90k
        yield retime_fragment(fragment.head, sequence, decode_90k)
        end = index.offset + index.size
        for begin in range(fragment.media_offset, end, _COPY_BYTES):
            wanted = min(_COPY_BYTES, end - begin)
            media = read_at(begin, wanted)
            if len(media) != wanted:
                raise MediaError(MediaErrorCode.CONTAINER_MALFORMED, f"{len(media)} of {wanted} bytes at {begin}")
            yield media
        entries.append(
            FragmentIndexEntry(offset, index.size, decode_90k, index.duration_90k, index.key, index.sample_count)
        )
        offset += index.size
    yield fragment_index(entries)
