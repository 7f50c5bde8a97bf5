"""One recorded file, opened for reading and checked against its row of the index.

A file that is not what the index says (LAW-14, LAW-40) is a `DamagedSegmentError` with a stable code:
`segment.missing`, `segment.truncated`, `segment.damaged`, or `segment.unreadable` where the disk refuses to read it.

Where the groups of pictures lie in a file is found once and remembered (`IndexCache`): a closed segment tells it in one
read of its end, one without a fragment index is scanned, and one that grows is scanned on from where it was.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple

from recorder.playback.catalogue import FoundSegment
from recorder.playback.ticks import ticks_90k
from vms.media.access_unit import ParameterSets
from vms.media.errors import MediaError
from vms.media.fmp4 import (
    Fragment,
    FragmentIndexEntry,
    ReadAt,
    SegmentHead,
    fragments_from,
    read_fragment,
    read_fragment_index,
    read_head,
    reader_of,
    scan_fragments,
)

MAX_GROUPS_KEPT: Final = 150_000
"""About 40 MiB; an hour of 30 cameras with a key frame each second."""

_GROUPS_OF_A_HEAD: Final = 8
HEAD_BYTES: Final = 16 * 1024
TAIL_BYTES: Final = 4 * 1024


class DamagedSegmentError(Exception):
    """A recorded file is not what the index says. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class GroupEntry(NamedTuple):
    """One group of pictures of a file: its bytes from the `moof` at `offset` to `end`, and its decode times."""

    offset: int
    end: int
    decode_time_90k: int
    end_90k: int


@dataclass(frozen=True, slots=True)
class GroupIndex:
    """What is known of a file: how to decode it, and its groups.

    `head_bytes` lie before the first fragment; `end` is the offset behind the last whole one.
    """

    init: bytes
    parameters: ParameterSets
    head_bytes: int
    end: int
    groups: tuple[GroupEntry, ...]


class IndexCache:
    """The indexes of the files that were read last, `limit` groups in all. For threads."""

    def __init__(self, limit: int = MAX_GROUPS_KEPT) -> None:
        self._limit = limit
        self._kept = 0
        self._lock = threading.Lock()
        self._indexes: OrderedDict[tuple[str, int], GroupIndex] = OrderedDict()

    def get(self, segment_id: str, size_bytes: int) -> GroupIndex | None:
        """What is remembered of a segment of so many bytes (0 while it grows)."""
        with self._lock:
            index = self._indexes.get((segment_id, size_bytes))
            if index is not None:
                self._indexes.move_to_end((segment_id, size_bytes))
            return index

    def keep(self, segment_id: str, size_bytes: int, index: GroupIndex) -> None:
        """Remember, and forget what was used longest ago."""
        with self._lock:
            before = self._indexes.pop((segment_id, size_bytes), None)
            self._kept += _weight(index) - (_weight(before) if before is not None else 0)
            self._indexes[segment_id, size_bytes] = index
            while self._kept > self._limit and len(self._indexes) > 1:
                _, oldest = self._indexes.popitem(last=False)
                self._kept -= _weight(oldest)


def _weight(index: GroupIndex) -> int:
    return _GROUPS_OF_A_HEAD + len(index.groups)


def open_found(found: FoundSegment, again: Callable[[FoundSegment], FoundSegment | None]) -> SegmentFile | None:
    """The file of a segment; None when it was erased since the index was asked. `again` asks the index once more.

    Raises DamagedSegmentError when it is not what the index says.
    """
    try:
        return SegmentFile(found)
    except FileNotFoundError:
        # Closed since the index was asked, then the file has its final name now; or erased, then it has no row.
        now = again(found)
    if now is None:
        return None
    try:
        return SegmentFile(now)
    except FileNotFoundError:
        raise DamagedSegmentError("segment.missing", str(now.path)) from None


class SegmentFile:
    """One open file. Raises FileNotFoundError, or DamagedSegmentError when it is not what the index says."""

    def __init__(self, found: FoundSegment) -> None:
        self.found = found
        try:
            self._descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise
        except OSError as refused:
            raise DamagedSegmentError("segment.unreadable", repr(refused)) from None
        self.read_at: ReadAt = partial(_pread, self._descriptor)
        self._head: SegmentHead | None = None
        try:
            self.size = os.fstat(self._descriptor).st_size
            stated = found.segment.size_bytes
            if not found.segment.open and self.size != stated:
                raise DamagedSegmentError("segment.truncated", f"{self.size} bytes on disk, {stated} in the index")
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> SegmentHead:
        """What lies before the first fragment. Raises DamagedSegmentError."""
        if self._head is None:
            try:
                self._head = self._read_head()
            except MediaError as broken:
                raise DamagedSegmentError("segment.damaged", str(broken)) from None
        return self._head

    def _read_head(self) -> SegmentHead:
        # What is on a disk is read in small pieces first: the head is nearly always far smaller than its limit.
        memory = reader_of(self.read_at(0, HEAD_BYTES))
        try:
            head = read_head(memory, min(self.size, HEAD_BYTES))
        except MediaError:
            head = None
        return head if head is not None and head.header is not None else read_head(self.read_at, self.size)

    def fragments(self, decode_time_90k: int) -> list[FragmentIndexEntry]:
        """The whole fragments from the key frame at or before a media time. Raises DamagedSegmentError."""
        try:
            entries = fragments_from(self.read_at, self.size, self.head.size, decode_time_90k)
        except MediaError as broken:
            raise DamagedSegmentError("segment.damaged", str(broken)) from None
        if not self.found.segment.open:
            self._check_end(entries[-1].offset + entries[-1].size if entries else self.head.size)
        return entries

    def groups(self, cache: IndexCache) -> GroupIndex:
        """Where the groups of pictures lie, as far as they are written. Raises DamagedSegmentError."""
        segment = self.found.segment
        known = cache.get(segment.segment_id, segment.size_bytes)
        if known is not None and not segment.open:
            return known
        index = known or GroupIndex(self.head.init, self.head.entry.parameters, self.head.size, self.head.size, ())
        rows = read_fragment_index(self._tail_first(), self.size) if not segment.open else None
        index = self._indexed(index, rows) if rows else self._scanned(index)
        cache.keep(segment.segment_id, segment.size_bytes, index)
        return index

    def _tail_first(self) -> ReadAt:
        begin = max(self.size - TAIL_BYTES, 0)
        tail = self.read_at(begin, TAIL_BYTES)
        return lambda offset, size: tail[offset - begin :][:size] if offset >= begin else self.read_at(offset, size)

    def _indexed(self, index: GroupIndex, rows: list[tuple[int, int]]) -> GroupIndex:
        """The groups of a closed segment by its own fragment index, which ends where it begins."""
        last_end = self.size - int.from_bytes(self.read_at(self.size - 4, 4))
        offsets = [offset for _, offset in rows] + [last_end]
        if offsets[0] != index.head_bytes or any(after <= before for before, after in pairwise(offsets)):
            raise DamagedSegmentError("segment.damaged", "the fragment index does not fit its file")
        segment = self.found.segment
        stated_90k = ticks_90k(segment.end_ns - segment.start_ns)
        times = [time_90k for time_90k, _ in rows] + [max(stated_90k, rows[-1][0] + 1)]
        spans = zip(pairwise(offsets), pairwise(times), strict=True)
        return replace(index, end=last_end, groups=tuple(GroupEntry(*offset, *time) for offset, time in spans))

    def _scanned(self, index: GroupIndex) -> GroupIndex:
        """The groups by looking at every fragment behind the last one known."""
        entries = scan_fragments(self.read_at, index.end, self.size)
        groups = list(index.groups)
        for entry in entries:
            end, end_90k = entry.offset + entry.size, entry.decode_time_90k + entry.duration_90k
            if groups and not entry.key:
                groups[-1] = groups[-1]._replace(end=end, end_90k=end_90k)
            elif entry.key:
                groups.append(GroupEntry(entry.offset, end, entry.decode_time_90k, end_90k))
        end = entries[-1].offset + entries[-1].size if entries else index.end
        if not self.found.segment.open:
            self._check_end(end)
        return replace(index, end=end, groups=tuple(groups))

    def _check_end(self, end: int) -> None:
        if end != self.size and self.read_at(end + 4, 4) != b"mfra":
            raise DamagedSegmentError("segment.damaged", f"no fragment at {end}")

    def fragment(self, entry: FragmentIndexEntry) -> Fragment:
        """One fragment, opened. Raises DamagedSegmentError."""
        try:
            return read_fragment(self.read_at, entry.offset, entry.offset + entry.size)
        except MediaError as broken:
            raise DamagedSegmentError("segment.damaged", str(broken)) from None

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes. Raises DamagedSegmentError."""
        data = self.read_at(offset, size)
        if len(data) != size:
            raise DamagedSegmentError("segment.truncated", f"{len(data)} of {size} bytes at {offset}")
        return data

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _pread(descriptor: int, offset: int, size: int) -> bytes:
    try:
        return os.pread(descriptor, size, offset)
    except OSError as refused:
        raise DamagedSegmentError("segment.unreadable", repr(refused)) from None
