"""One group of pictures: read out of its segment, and written for a decoder that gets it alone.

Rules
1. A group begins with a key frame and is what its own pictures need: nothing of another group is needed to decode it.
   Leading pictures of an open group (RASL of H.265: presented before the key frame, made of the group before it too)
   are given only behind that group, and left out otherwise; what decodes alone (RADL) always stays.
2. The instant of a group is that at which its key frame is presented, its end that of the next group's; both are exact
   to the tick, also where pictures are reordered.
3. On the wire a group is `moof` + `mdat`, its decode times counted from an origin; the media bytes are those of the
   camera. One that is longer than `MAX_PART_BYTES` goes out in parts, of which only the first begins with a key frame.
4. A key frame alone lasts as long as its group, so that key frames one after the other are a film without holes.
5. Pictures before the origin are needed to decode those behind it. They keep their order, and have one tick each, right
   at the origin, because a decode time cannot be negative.
6. Nothing that is to be decoded at or behind the end of the range is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from recorder.playback.catalogue import FoundSegment
from recorder.playback.segment_file import DamagedSegmentError, GroupEntry, GroupIndex, SegmentFile
from recorder.playback.ticks import nanoseconds, ticks_90k
from vms.media.access_unit import Codec
from vms.media.errors import MediaError
from vms.media.fmp4 import Fragment, ReadAt, SampleInfo, fragment_header, read_fragment
from vms.media.fmp4.fragment import FIRST_SAMPLE_BYTES, first_composition_offset_90k

MAX_PART_BYTES: Final = 4 * 1024 * 1024
KEY_READ_BYTES: Final = 128 * 1024
_H265_RASL: Final = frozenset({8, 9})
_H265_LAST_VCL: Final = 31


class Picture(NamedTuple):
    """One access unit of a group: when it is decoded and presented in its segment, and where its bytes lie."""

    decode_90k: int
    present_90k: int
    duration_90k: int
    key: bool
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """`moof` + `mdat` in pieces; `key` when it begins with a key frame, `last` when it ends its group."""

    pieces: tuple[bytes | memoryview, ...]
    key: bool
    last: bool

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(len(piece) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pictures that was found. `start_ns` and `end_ns` are UTC, by presentation.

    `number` counts the groups of its file. `pictures` are all of it, or the key frame alone. `read_at` reads the file,
    or the memory where that was read already.
    """

    found: FoundSegment
    index: GroupIndex
    number: int
    start_ns: int
    end_ns: int
    pictures: tuple[Picture, ...]
    sequence: int
    read_at: ReadAt

    @property
    def mime(self) -> str:
        """What a player must be made for."""
        return f'video/mp4; codecs="{self.found.segment.video.codec_string}"'

    def parts(self, origin_ns: int, end_ns: int, *, alone: bool) -> Iterator[Part]:
        """The group on the time line of an origin, up to `end_ns`; `alone` when it does not follow its predecessor.

        Raises DamagedSegmentError.
        """
        pictures = self._without_rasl() if alone else self.pictures
        offset_90k = ticks_90k(self.found.segment.start_ns - origin_ns)
        moved = [
            one._replace(decode_90k=one.decode_90k + offset_90k, present_90k=one.present_90k + offset_90k)
            for one in pictures
        ]
        moved = squeezed(until(moved, ticks_90k(end_ns - origin_ns)))
        shares = list(shared_out(moved, MAX_PART_BYTES))
        for number, share in enumerate(shares):
            yield self._part(share, last=number == len(shares) - 1)

    def _part(self, pictures: Sequence[Picture], *, last: bool) -> Part:
        samples = [
            SampleInfo(one.size, one.duration_90k, one.key, one.present_90k - one.decode_90k) for one in pictures
        ]
        header = fragment_header(self.sequence, pictures[0].decode_90k, samples)
        return Part((header, *(self._bytes(offset, size) for offset, size in runs(pictures))), pictures[0].key, last)

    def _without_rasl(self) -> Sequence[Picture]:
        if self.found.segment.video.codec is not Codec.H265:
            return self.pictures
        key = self.pictures[0]
        kept = [key]
        for one in self.pictures[1:]:
            if one.present_90k < key.present_90k and self._is_rasl(one):
                kept[-1] = kept[-1]._replace(duration_90k=kept[-1].duration_90k + one.duration_90k)
            else:
                kept.append(one)
        return kept

    def _is_rasl(self, picture: Picture) -> bool:
        offset, end = picture.offset, picture.offset + picture.size
        while offset + 5 <= end:
            head = self._bytes(offset, 5)
            kind = head[4] >> 1 & 0x3F
            if kind <= _H265_LAST_VCL:
                return kind in _H265_RASL
            offset += 4 + int.from_bytes(head[:4])
        return False

    def _bytes(self, offset: int, size: int) -> bytes:
        data = self.read_at(offset, size)
        if len(data) != size:
            raise DamagedSegmentError("segment.truncated", f"{len(data)} of {size} bytes at {offset}")
        return data


def read_group(file: SegmentFile, index: GroupIndex, number: int, *, key_only: bool) -> Group:
    """One group of a file. Raises DamagedSegmentError when it is not what the index of the file says."""
    entry = index.groups[number]
    read_at = _read_ahead(file, entry, KEY_READ_BYTES if key_only else MAX_PART_BYTES)
    try:
        first = read_fragment(read_at, entry.offset, entry.end)
        if not first.samples[0].key or first.index.decode_time_90k != entry.decode_time_90k:
            raise DamagedSegmentError("segment.damaged", f"no key frame of {entry.decode_time_90k} at {entry.offset}")
        fragments = [first] if key_only else [first, *_others(read_at, first, entry)]
    except MediaError as broken:
        raise DamagedSegmentError("segment.damaged", str(broken)) from None
    pictures = [picture for fragment in fragments for picture in _pictures(fragment)]
    start_90k = pictures[0].present_90k
    end_90k = _next_key_90k(read_at, index, number)
    if key_only:
        end_90k = entry.end_90k if end_90k is None else end_90k
        pictures = [pictures[0]._replace(duration_90k=max(end_90k - start_90k, 1))]
    elif end_90k is None:
        end_90k = max(one.present_90k + one.duration_90k for one in pictures)
    segment_ns = file.found.segment.start_ns
    return Group(
        file.found,
        index,
        number,
        segment_ns + nanoseconds(start_90k),
        segment_ns + nanoseconds(max(end_90k, start_90k + 1)),
        tuple(pictures),
        first.sequence,
        read_at,
    )


def until(pictures: Sequence[Picture], end_90k: int) -> list[Picture]:
    """Those that are to be decoded before `end_90k`, the last of them cut there (rule 6)."""
    kept = [one for one in pictures if one.decode_90k < end_90k]
    if kept and kept[-1].decode_90k + kept[-1].duration_90k > end_90k:
        kept[-1] = kept[-1]._replace(duration_90k=end_90k - kept[-1].decode_90k)
    return kept


def squeezed(pictures: Sequence[Picture]) -> list[Picture]:
    """The same without negative times (rule 5); nothing changes where there are none."""
    if all(one.decode_90k >= 0 and one.present_90k >= 0 for one in pictures):
        return list(pictures)
    shown = [one.present_90k for one in pictures if one.present_90k >= 0]
    before = sorted(one.present_90k for one in pictures if one.present_90k < 0)
    limit = max(min(shown) - 1, 0) if shown else 2 * len(before)
    ranks = {present_90k: rank for rank, present_90k in enumerate(before)}
    late = max((place - ranks.get(one.present_90k, place) for place, one in enumerate(pictures)), default=0)
    moved: list[Picture] = []
    last_90k = -1
    for one in pictures:
        last_90k = max(one.decode_90k, last_90k + 1)
        rank = ranks.get(one.present_90k)
        present_90k = one.present_90k if rank is None else min(rank + late, limit)
        # A player may take no picture that is presented before it is decoded.
        moved.append(one._replace(decode_90k=last_90k, present_90k=max(present_90k, last_90k)))
    end_90k = pictures[-1].decode_90k + pictures[-1].duration_90k
    ends = [one.decode_90k for one in moved[1:]] + [max(end_90k, last_90k + 1)]
    return [one._replace(duration_90k=end - one.decode_90k) for one, end in zip(moved, ends, strict=True)]


def shared_out(pictures: Sequence[Picture], limit_bytes: int) -> Iterator[list[Picture]]:
    """Parts of at most `limit_bytes`, but for a picture that is larger alone."""
    share: list[Picture] = []
    size = 0
    for one in pictures:
        if share and size + one.size > limit_bytes:
            yield share
            share, size = [], 0
        share.append(one)
        size += one.size
    if share:
        yield share


def runs(pictures: Sequence[Picture]) -> Iterator[tuple[int, int]]:
    """`(offset, size)` of the bytes of these pictures, those that lie side by side made one."""
    begin = end = -1
    for one in pictures:
        if one.offset != end:
            if end > begin:
                yield begin, end - begin
            begin = one.offset
        end = one.offset + one.size
    if end > begin:
        yield begin, end - begin


def _next_key_90k(read_at: ReadAt, index: GroupIndex, number: int) -> int | None:
    """When the key frame of the next group is presented; None where none follows, or it is damaged."""
    if number + 1 >= len(index.groups):
        return None
    following = index.groups[number + 1]
    try:
        offset_90k = first_composition_offset_90k(read_at(following.offset, FIRST_SAMPLE_BYTES))
    except MediaError:
        return None
    return following.decode_time_90k + offset_90k


def _others(read_at: ReadAt, first: Fragment, entry: GroupEntry) -> Iterator[Fragment]:
    offset = first.index.offset + first.index.size
    while offset < entry.end:
        fragment = read_fragment(read_at, offset, entry.end)
        yield fragment
        offset += fragment.index.size


def _pictures(fragment: Fragment) -> Iterator[Picture]:
    offset, decode_90k = fragment.media_offset, fragment.index.decode_time_90k
    for sample in fragment.samples:
        present_90k = decode_90k + sample.composition_offset_90k
        yield Picture(decode_90k, present_90k, sample.duration_90k, sample.key, offset, sample.size)
        offset += sample.size
        decode_90k += sample.duration_90k


def _read_ahead(file: SegmentFile, entry: GroupEntry, limit_bytes: int) -> ReadAt:
    """Reads the file where the group lies, its beginning (and what tells of the next one) already in memory."""
    begin = entry.offset
    memory = memoryview(file.read_at(begin, min(entry.end - begin + FIRST_SAMPLE_BYTES, limit_bytes)))
    end = begin + len(memory)

    def read_at(offset: int, size: int) -> bytes:
        if begin <= offset and offset + size <= end:
            return bytes(memory[offset - begin : offset - begin + size])
        return file.read_at(offset, size)

    return read_at
