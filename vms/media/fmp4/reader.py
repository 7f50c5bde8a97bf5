"""Reads what this package writes: segments whole, still growing, or cut by a crash.

A segment is `ftyp moov uuid (moof mdat)* mfra?`. Reading the head costs one read; finding the fragments costs one read
of `mfra` at the end of a closed segment, or one small read per fragment where there is none. The file may come from a
crashed process or a dying disk, so nothing in it is believed: see the rules in `boxes`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vms.media.errors import MediaError
from vms.media.fmp4.boxes import (
    Box,
    ReadAt,
    box_at,
    boxes_between,
    child,
    children,
    content_of,
    descend,
    malformed,
    reader_of,
    too_large,
    unpack,
)
from vms.media.fmp4.fragment import MAX_SAMPLES_IN_A_FRAGMENT, FragmentIndexEntry, SampleInfo
from vms.media.fmp4.sample_entry import SampleEntry, parse_sample_entry
from vms.media.fmp4.segment_header import SegmentHeader, parse_segment_header

MAX_HEAD_BYTES = 1 << 20
MAX_MOOF_BYTES = 1 << 21
MAX_FRAGMENTS = 65_536

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_NON_SYNC = 0x0001_0000


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """The part of a segment before its first fragment.

    `init` is `ftyp` + `moov`, ready for a decoder; `size` counts every byte before the first fragment. `header` is
    None in a file that this product did not record.
    """

    init: bytes
    size: int
    entry: SampleEntry
    header: SegmentHeader | None


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment, opened: the bytes of its `moof` and `mdat` header, and where each sample lies in the file."""

    index: FragmentIndexEntry
    head: bytes
    sequence: int
    samples: tuple[SampleInfo, ...]

    @property
    def media_offset(self) -> int:
        """Offset in the file of the first sample; the others follow without a space."""
        return self.index.offset + len(self.head)


def read_init(data: bytes) -> SampleEntry:
    """The sample entry of an init segment (`ftyp` + `moov`). Raises MediaError."""
    return read_head(reader_of(data), len(data)).entry


def read_head(read_at: ReadAt, size: int) -> SegmentHead:
    """The head of a segment of `size` bytes. Raises MediaError when it is no segment, or cut inside its head."""
    data = read_at(0, min(size, MAX_HEAD_BYTES))
    memory = reader_of(data)
    init_end = 0
    head_end = 0
    entry: SampleEntry | None = None
    header: SegmentHeader | None = None
    for found in _head_boxes(memory, len(data)):
        if found.kind == b"moov":
            entry = _sample_entry(memory, found)
            init_end = found.end
        elif found.kind == b"uuid" and header is None:
            header = parse_segment_header(content_of(memory, found))
        head_end = found.end
    if entry is None:
        raise malformed("no moov before the first fragment")
    return SegmentHead(data[:init_end], head_end, entry, header)


def read_fragment(read_at: ReadAt, offset: int, end: int) -> Fragment:
    """The fragment that starts at `offset` in a file ending at `end`, without its media bytes.

    Raises MediaError when it is not whole, or its samples do not fill its `mdat` exactly.
    """
    moof = box_at(read_at, offset, end)
    if moof.kind != b"moof":
        raise malformed(f"{moof.kind!r} at {offset} where a fragment should start")
    if moof.size > MAX_MOOF_BYTES:
        raise too_large(f"moof of {moof.size} bytes")
    mdat = box_at(read_at, moof.end, end)
    if mdat.kind != b"mdat":
        raise malformed(f"{mdat.kind!r} after the moof at {offset}")
    head = read_at(offset, mdat.content - offset)
    if len(head) != mdat.content - offset:
        raise malformed(f"the moof at {offset} is cut")
    sequence, decode_time_90k, samples = parse_moof(head)
    if sum(sample.size for sample in samples) != mdat.end - mdat.content:
        raise malformed(f"the samples at {offset} do not fill their mdat")
    duration_90k = sum(sample.duration_90k for sample in samples)
    index = FragmentIndexEntry(offset, mdat.end - offset, decode_time_90k, duration_90k, samples[0].key, len(samples))
    return Fragment(index, head, sequence, samples)


def parse_moof(head: bytes) -> tuple[int, int, tuple[SampleInfo, ...]]:
    """Sequence number, base decode time and samples of a `moof` in memory. Raises MediaError."""
    memory = reader_of(head)
    moof = box_at(memory, 0, len(head))
    (sequence,) = unpack(_U32, content_of(memory, child(memory, moof, b"mfhd")), 4)
    traf = child(memory, moof, b"traf")
    tfdt = content_of(memory, child(memory, traf, b"tfdt"))
    layout = _U64 if tfdt[:1] == b"\x01" else _U32
    (decode_time_90k,) = unpack(layout, tfdt, 4)
    samples = _parse_trun(content_of(memory, child(memory, traf, b"trun")))
    return sequence, decode_time_90k, samples


def scan_fragments(read_at: ReadAt, start: int, end: int) -> list[FragmentIndexEntry]:
    """Every whole fragment from `start` on, found one after the other.

    Stops without an error at the first byte that is no whole fragment, which is how a growing or a cut file ends.
    """
    found: list[FragmentIndexEntry] = []
    offset = start
    while offset < end and len(found) < MAX_FRAGMENTS:
        try:
            fragment = read_fragment(read_at, offset, end)
        except MediaError:
            break
        found.append(fragment.index)
        offset += fragment.index.size
    return found


def read_fragment_index(read_at: ReadAt, size: int) -> list[tuple[int, int]] | None:
    """`(decode_time_90k, moof offset)` of the fragments that start with a key frame, out of a closed segment's `mfra`.

    None where there is no (sound) `mfra`: then `scan_fragments` tells.
    """
    try:
        return _read_mfra(read_at, size)
    except MediaError:
        return None


def fragments_from(read_at: ReadAt, size: int, head_size: int, decode_time_90k: int) -> list[FragmentIndexEntry]:
    """The fragments that a playback from `decode_time_90k` on must read: from the last key frame at or before it.

    `head_size` is `SegmentHead.size`, `size` that of the file as it is now. A segment starts with a key frame, so the
    list is empty only while nothing has been written.
    """
    start = head_size
    for time_90k, offset in read_fragment_index(read_at, size) or ():
        if time_90k <= decode_time_90k:
            start = max(start, offset)
    found = scan_fragments(read_at, start, size)
    first = 0
    for position, entry in enumerate(found):
        if entry.key and entry.decode_time_90k <= decode_time_90k:
            first = position
    return found[first:]


def _head_boxes(read_at: ReadAt, end: int) -> list[Box]:
    found: list[Box] = []
    offset = 0
    while offset < end and len(found) < 16:
        if read_at(offset + 4, 4) in {b"moof", b"mdat", b"mfra"}:
            break
        try:
            head = box_at(read_at, offset, end)
        except MediaError:
            if found:
                break
            raise
        found.append(head)
        offset = head.end
    return found


def _sample_entry(read_at: ReadAt, moov: Box) -> SampleEntry:
    for trak in children(read_at, moov):
        if trak.kind != b"trak":
            continue
        stsd = descend(read_at, trak, b"mdia", b"minf", b"stbl", b"stsd")
        for entry in boxes_between(read_at, stsd.content + 8, stsd.end, limit=16):
            return parse_sample_entry(read_at, entry)
    raise malformed("no track with a sample entry")


def _parse_trun(content: bytes) -> tuple[SampleInfo, ...]:
    version_and_flags, count = unpack(struct.Struct(">II"), content)
    if version_and_flags != 0x0100_0F01:
        raise malformed(f"trun of another writer ({version_and_flags:#010x})")
    if not 0 < count <= MAX_SAMPLES_IN_A_FRAGMENT or len(content) != 12 + 16 * count:
        raise malformed(f"trun of {len(content)} bytes for {count} samples")
    return tuple(
        SampleInfo(size, duration, not flags & _NON_SYNC, composition)
        for duration, size, flags, composition in struct.Struct(">IIIi").iter_unpack(content[12:])
    )


def _read_mfra(read_at: ReadAt, size: int) -> list[tuple[int, int]] | None:
    tail = read_at(max(size - 16, 0), 16)
    if len(tail) != 16 or tail[4:8] != b"mfro":
        return None
    mfra_bytes = int.from_bytes(tail[12:])
    if mfra_bytes > min(size, MAX_HEAD_BYTES * 4):
        return None
    mfra = box_at(read_at, size - mfra_bytes, size)
    if mfra.kind != b"mfra" or mfra.end != size:
        return None
    memory = reader_of(content_of(read_at, mfra))
    tfra = content_of(memory, box_at(memory, 0, mfra.size - mfra.header))
    _, _, lengths, count = unpack(struct.Struct(">IIII"), tfra)
    rows = tfra[16:]
    if tfra[:1] != b"\x01" or lengths or len(rows) != 19 * count:
        return None
    return [(time_90k, offset) for time_90k, offset, _, _, _ in struct.iter_unpack(">QQBBB", rows)]
