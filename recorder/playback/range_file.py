"""A range whose segments are all closed, as one file of known length that was never written.

Its bytes follow from the segments alone, so two requests for pieces of it agree, in whatever order they come and
whichever gateway answers them.

Layout
1. `ftyp` + `moov` of the first segment.
2. Of each segment the fragments as they are recorded. Only two numbers of each differ, and neither changes its length:
   the decode time (counted from the key frame at or before the beginning) and the sequence number (place of the
   segment, place in the segment), which grow through the file.
3. The first segment begins with the group that holds the beginning. The last fragment is cut before the first picture
   to be decoded at the end, or later: its `moof` is written anew, its pictures are those of the recording.
4. Where two segments overlap because the clock was stepped back, the later one takes over at its start.
5. The file ends before a segment with other parameter sets.

There is no such file (None) while a segment of the range is still written, when one of them is not what the index says,
and for more than `MAX_SEGMENTS` segments.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

from recorder.playback.catalogue import Catalogue, CataloguePool, FoundSegment
from recorder.playback.reader import CHUNK_BYTES, MIN_TAIL_NS, Chunk
from recorder.playback.segment_file import DamagedSegmentError, GroupEntry, GroupIndex, IndexCache, SegmentFile
from recorder.playback.ticks import nanoseconds, ticks_90k
from vms.media.errors import MediaError
from vms.media.fmp4 import Fragment, fragment_header, read_fragment, retime_fragment
from vms.media.fmp4.boxes import box_at

MAX_SEGMENTS: Final = 3_000
MAX_LAYOUTS: Final = 32
_RETIMED_BYTES: Final = 88
_LAYOUT_VERSION: Final = b"1"


@dataclass(frozen=True, slots=True)
class Cut:
    """The last fragment, shortened: its new head, and how much of its media bytes stays."""

    head: bytes
    media_offset: int
    media_bytes: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one segment gives, at `offset` of the range: whole fragments `[begin, end)` of its file, then a cut one."""

    found: FoundSegment
    offset: int
    begin: int
    end: int
    shift_90k: int
    place: int
    cut: Cut | None

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.begin + (len(self.cut.head) + self.cut.media_bytes if self.cut is not None else 0)


@dataclass(frozen=True, slots=True)
class RangeFile:
    """The layout of a range. `start_ns` is the UTC of decode time zero; `etag` names these bytes and no others."""

    mime: str
    init: bytes
    start_ns: int
    shares: tuple[Share, ...]
    size: int
    etag: str

    def read(self, begin: int, end: int, cache: IndexCache) -> Iterator[Chunk]:
        """The bytes `[begin, end)`, in pieces. Blocking; raises DamagedSegmentError, FileNotFoundError once erased."""
        if begin < len(self.init):
            yield Chunk(self.init[begin:end], ends_fragment=True)
        first = max(bisect_right([share.offset for share in self.shares], begin) - 1, 0)
        for share in self.shares[first:]:
            if share.offset >= end:
                return
            yield from _read_share(share, max(begin - share.offset, 0), min(end - share.offset, share.size), cache)


class RangeFiles:
    """Lays out ranges, and remembers the last ones for the requests that follow. For threads."""

    def __init__(self, pool: CataloguePool, cache: IndexCache) -> None:
        self._pool = pool
        self._cache = cache
        self._lock = threading.Lock()
        self._layouts: OrderedDict[bytes, RangeFile] = OrderedDict()

    def layout(self, camera_id: str, from_ns: int, to_ns: int) -> RangeFile | None:
        """The file of a range, or None when there is none. Raises VmsError `playback.index_unreadable`."""
        found = self._segments(camera_id, from_ns, to_ns)
        if not found:
            return None
        name = _name(camera_id, from_ns, to_ns, found)
        with self._lock:
            file = self._layouts.get(name)
        if file is None:
            try:
                file = self._laid_out(found, from_ns, to_ns, name)
            except (DamagedSegmentError, FileNotFoundError):
                return None
            if file is None:
                return None
        with self._lock:
            self._layouts[name] = file
            self._layouts.move_to_end(name)
            while len(self._layouts) > MAX_LAYOUTS:
                self._layouts.popitem(last=False)
        return file

    def _segments(self, camera_id: str, from_ns: int, to_ns: int) -> list[FoundSegment]:
        """The segments of a range by start, from the newest one that holds its beginning; none when one is open."""
        with self._pool.lent() as catalogue:
            found = _holding(catalogue, camera_id, from_ns)
            at_ns = from_ns
            for limit in chain((4, 16, 64), repeat(512)):
                following = catalogue.after(camera_id, at_ns, limit)
                found += [one for one in following if one.segment.start_ns < to_ns]
                if len(found) > MAX_SEGMENTS or any(one.segment.open for one in found):
                    return []
                if len(following) < limit or following[-1].segment.start_ns >= to_ns:
                    break
                at_ns = following[-1].segment.start_ns
        over = len(found) > 1 and found[0].segment.end_ns - from_ns < MIN_TAIL_NS
        return found[1:] if over else found

    def _laid_out(self, found: Sequence[FoundSegment], from_ns: int, to_ns: int, name: bytes) -> RangeFile | None:
        first: GroupIndex | None = None
        start_ns = 0
        shares: list[Share] = []
        offset = 0
        for place, one in enumerate(found):
            file = SegmentFile(one)
            try:
                index = file.groups(self._cache)
                if not index.groups:
                    continue
                segment_ns = one.segment.start_ns
                groups = index.groups
                if first is None:
                    first = index
                    held = [group for group in groups if group.decode_time_90k <= ticks_90k(from_ns - segment_ns)]
                    groups = groups[max(len(held) - 1, 0) :]
                    start_ns = segment_ns + nanoseconds(groups[0].decode_time_90k)
                    offset = len(index.init)
                if index.parameters != first.parameters:
                    break
                until_ns = found[place + 1].segment.start_ns if place + 1 < len(found) else to_ns
                groups = _started(groups, ticks_90k(min(until_ns, to_ns) - segment_ns))
                if groups:
                    share = _share(file, groups, offset, start_ns, to_ns, place)
                    shares.append(share)
                    offset += share.size
            finally:
                file.close()
        if first is None or not shares:
            return None
        mime = f'video/mp4; codecs="{shares[0].found.segment.video.codec_string}"'
        return RangeFile(mime, first.init, start_ns, tuple(shares), offset, f'"{name.hex()}"')


def _holding(catalogue: Catalogue, camera_id: str, instant_ns: int) -> list[FoundSegment]:
    for limit in (1, 4):
        for found in catalogue.at_or_before(camera_id, instant_ns, limit):
            if found.segment.open or found.segment.end_ns > instant_ns:
                return [found]
    return []


def _started(groups: Sequence[GroupEntry], end_90k: int) -> tuple[GroupEntry, ...]:
    return tuple(group for group in groups if group.decode_time_90k < end_90k)


def _share(
    file: SegmentFile, groups: tuple[GroupEntry, ...], offset: int, start_ns: int, to_ns: int, place: int
) -> Share:
    found = file.found
    shift_90k = ticks_90k(found.segment.start_ns - start_ns)
    end_90k = ticks_90k(to_ns - start_ns) - shift_90k
    begin, end = groups[0].offset, groups[-1].end
    cut: Cut | None = None
    if groups[-1].end_90k > end_90k:
        end = groups[-1].offset
        for fragment in _fragments(file, groups[-1]):
            entry = fragment.index
            if entry.decode_time_90k + entry.duration_90k > end_90k:
                cut = _cut(fragment, end_90k, shift_90k, place)
                break
            end += entry.size
    return Share(found, offset, begin, end, shift_90k, place, cut)


def _cut(fragment: Fragment, end_90k: int, shift_90k: int, place: int) -> Cut | None:
    decode_90k = fragment.index.decode_time_90k
    kept = []
    for sample in fragment.samples:
        if decode_90k >= end_90k:
            break
        kept.append(sample)
        decode_90k += sample.duration_90k
    if not kept:
        return None
    time_90k = fragment.index.decode_time_90k + shift_90k
    head = fragment_header(_sequence(place, fragment.sequence), time_90k, kept)
    return Cut(head, fragment.media_offset, sum(sample.size for sample in kept))


def _fragments(file: SegmentFile, group: GroupEntry) -> Iterator[Fragment]:
    offset = group.offset
    while offset < group.end:
        try:
            fragment = read_fragment(file.read_at, offset, group.end)
        except MediaError as broken:
            raise DamagedSegmentError("segment.damaged", str(broken)) from None
        yield fragment
        offset += fragment.index.size


def _read_share(share: Share, begin: int, end: int, cache: IndexCache) -> Iterator[Chunk]:
    """Bytes `[begin, end)` of a share, fragment by fragment."""
    file = SegmentFile(share.found)
    try:
        whole = share.end - share.begin
        if begin < whole:
            position = share.begin + begin
            stop = share.begin + min(end, whole)
            groups = file.groups(cache).groups
            number = bisect_right([group.offset for group in groups], position) - 1
            at = groups[max(number, 0)].offset
            while at < stop:
                fragment_end, head = _retimed(file, at, share)
                yield from _pieces(file, at, head, max(position, at), min(stop, fragment_end), fragment_end)
                at = fragment_end
        if share.cut is not None and end > whole:
            # The head is no part of the file: as if it lay right before the media bytes that it describes.
            head, media = share.cut.head, share.cut.media_offset
            at = media - len(head)
            last = media + share.cut.media_bytes
            yield from _pieces(file, at, head, at + max(begin - whole, 0), at + end - whole, last)
    finally:
        file.close()


def _pieces(file: SegmentFile, at: int, head: bytes, begin: int, end: int, fragment_end: int) -> Iterator[Chunk]:
    """Bytes `[begin, end)` of a file whose bytes from `at` on are `head`."""
    while begin < end:
        size = min(CHUNK_BYTES, end - begin)
        replaced = head[begin - at : begin - at + size]
        rest = size - len(replaced)
        data = replaced + file.read(begin + len(replaced), rest) if rest else replaced
        begin += size
        yield Chunk(data, ends_fragment=begin == fragment_end)


def _retimed(file: SegmentFile, at: int, share: Share) -> tuple[int, bytes]:
    """Where the fragment at an offset ends, and its first bytes on the time line of the range."""
    try:
        moof = box_at(file.read_at, at, share.end)
        mdat = box_at(file.read_at, moof.end, share.end)
        recorded = file.read(at, _RETIMED_BYTES)
        if moof.kind != b"moof" or mdat.kind != b"mdat":
            raise DamagedSegmentError("segment.damaged", f"no fragment at {at}")
        sequence = int.from_bytes(recorded[20:24])
        decode_90k = int.from_bytes(recorded[60:68])
        return mdat.end, retime_fragment(recorded, _sequence(share.place, sequence), decode_90k + share.shift_90k)
    except MediaError as broken:
        raise DamagedSegmentError("segment.damaged", str(broken)) from None


def _sequence(place: int, sequence: int) -> int:
    return place << 16 | sequence & 0xFFFF


def _name(camera_id: str, from_ns: int, to_ns: int, found: Sequence[FoundSegment]) -> bytes:
    """What the bytes depend on, and nothing else."""
    name = hashlib.sha256(_LAYOUT_VERSION)
    name.update(f"|{camera_id}|{from_ns}|{to_ns}|".encode())
    for one in found:
        name.update(one.segment.segment_id.encode() + one.segment.digest)
    return name.digest()[:16]
