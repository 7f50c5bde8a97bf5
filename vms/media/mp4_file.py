"""Reads the video track of a progressive MP4: what the camera simulator plays (ISO/IEC 14496-12, clause 8.6 and 8.7).

H.264 (`avc1`, `avc3`), H.265 (`hvc1`, `hev1`), MPEG-4 Part 2 and Motion JPEG (`mp4v`); other tracks are passed over.
Only the sample tables are read: the pictures stay in the file, and the caller fetches those that it sends. Tolerant of
what tools write (`ctts` of either version, 64-bit chunk offsets, several sample entries of which the first counts),
strict about every bound: a table that promises more than its bytes, or more than 2,000,000 samples, is a MediaError.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from vms.media.access_unit import ParameterSets
from vms.media.errors import MediaError
from vms.media.fmp4.boxes import (
    Box,
    ReadAt,
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
from vms.media.fmp4.sample_entry import SampleEntry, parse_sample_entry

MAX_SAMPLES = 2_000_000
MAX_MOOV_BYTES = 128 * 1024 * 1024

_U32 = struct.Struct(">I")
_TWO_U32 = struct.Struct(">II")


class Mp4Sample(NamedTuple):
    """One access unit of a file: where its bytes lie, when to decode and to present it, and whether it is a key frame.

    Times are ticks of the track's timescale, from zero; `presentation_time` honours no edit list.
    """

    offset: int
    size: int
    decode_time: int
    presentation_time: int
    key: bool


@dataclass(frozen=True, slots=True)
class Mp4Track:
    """The video track of a file. A sample is NAL units, each behind a length of `nal_length_bytes`, big-endian, or
    the picture as it is when that is 0.

    `duration` is in ticks of `timescale` per second: where the loop closes.
    """

    parameters: ParameterSets
    nal_length_bytes: int
    width: int
    height: int
    timescale: int
    duration: int
    samples: tuple[Mp4Sample, ...]


def read_track(read_at: ReadAt, size: int) -> Mp4Track:
    """The first video track of a file of `size` bytes.

    Raises MediaError when there is none, when the file is fragmented, or when its tables are unsound.
    """
    moov = _moov(read_at, size)
    memory = reader_of(read_at(moov.offset, moov.size))
    moov = moov._replace(offset=0)
    for trak in children(memory, moov):
        if trak.kind == b"trak" and _is_video(memory, trak):
            return _track(memory, trak, size)
    raise malformed("no video track")


def _moov(read_at: ReadAt, size: int) -> Box:
    for found in boxes_between(read_at, 0, size):
        if found.kind == b"moov":
            if found.size > MAX_MOOV_BYTES:
                raise too_large(f"moov of {found.size} bytes")
            return found
    raise malformed("no moov")


def _is_video(memory: ReadAt, trak: Box) -> bool:
    try:
        return content_of(memory, descend(memory, trak, b"mdia", b"hdlr"))[8:12] == b"vide"
    except MediaError:
        return False


def _track(memory: ReadAt, trak: Box, file_size: int) -> Mp4Track:
    mdia = child(memory, trak, b"mdia")
    mdhd = content_of(memory, child(memory, mdia, b"mdhd"))
    (timescale,) = unpack(_U32, mdhd, 20 if mdhd[:1] == b"\x01" else 12)
    if not timescale:
        raise malformed("timescale of zero")
    tables = {found.kind: found for found in children(memory, descend(memory, mdia, b"minf", b"stbl"))}
    entry = _first_entry(memory, tables)
    sizes = _sizes(memory, tables)
    offsets = _offsets(memory, tables, sizes)
    durations = _expand(_pairs(memory, tables, b"stts"), len(sizes), "stts")
    compositions = _compositions(memory, tables, len(sizes))
    keys = _keys(memory, tables, len(sizes))
    samples: list[Mp4Sample] = []
    decode_time = 0
    for number, size in enumerate(sizes):
        if offsets[number] + size > file_size:
            raise malformed(f"sample {number} lies outside the file")
        presentation_time = decode_time + compositions[number]
        key = keys is None or number in keys
        samples.append(Mp4Sample(offsets[number], size, decode_time, presentation_time, key))
        decode_time += durations[number]
    if not samples:
        raise malformed("no samples; a fragmented file is not read here")
    return Mp4Track(
        entry.parameters, entry.nal_length_bytes, entry.width, entry.height, timescale, decode_time, tuple(samples)
    )


def _table(memory: ReadAt, tables: dict[bytes, Box], kind: bytes) -> bytes:
    if kind not in tables:
        raise malformed(f"no {kind!r}")
    return content_of(memory, tables[kind], MAX_MOOV_BYTES)


def _first_entry(memory: ReadAt, tables: dict[bytes, Box]) -> SampleEntry:
    if b"stsd" not in tables:
        raise malformed("no stsd")
    stsd = tables[b"stsd"]
    for entry in boxes_between(memory, stsd.content + 8, stsd.end, limit=16):
        return parse_sample_entry(memory, entry)
    raise malformed("no sample entry")


def _bounded(count: int, available: int, width: int, name: str) -> int:
    if count > MAX_SAMPLES:
        raise too_large(f"{name} of {count} entries")
    if count * width > available:
        raise malformed(f"{name} promises {count} entries in {available} bytes")
    return count


def _sizes(memory: ReadAt, tables: dict[bytes, Box]) -> list[int]:
    table = _table(memory, tables, b"stsz")
    constant, count = unpack(_TWO_U32, table, 4)
    if constant:
        return [constant] * _bounded(count, MAX_SAMPLES, 1, "stsz")
    _bounded(count, len(table) - 12, 4, "stsz")
    return list(struct.unpack_from(f">{count}I", table, 12))


def _chunks(memory: ReadAt, tables: dict[bytes, Box]) -> tuple[int, ...]:
    wide = b"co64" in tables
    table = _table(memory, tables, b"co64" if wide else b"stco")
    (count,) = unpack(_U32, table, 4)
    _bounded(count, len(table) - 8, 8 if wide else 4, "stco")
    return struct.unpack_from(f">{count}{'Q' if wide else 'I'}", table, 8)


def _offsets(memory: ReadAt, tables: dict[bytes, Box], sizes: list[int]) -> list[int]:
    chunks = _chunks(memory, tables)
    table = _table(memory, tables, b"stsc")
    (count,) = unpack(_U32, table, 4)
    _bounded(count, len(table) - 8, 12, "stsc")
    runs = [struct.unpack_from(">II", table, 8 + 12 * number) for number in range(count)]
    runs.append((len(chunks) + 1, 0))
    offsets: list[int] = []
    for (first, per_chunk), (following, _) in itertools.pairwise(runs):
        if not 0 < first < following:
            raise malformed("stsc is out of order")
        for chunk in chunks[first - 1 : following - 1]:
            offset = chunk
            for size in sizes[len(offsets) : len(offsets) + per_chunk]:
                offsets.append(offset)
                offset += size
    if len(offsets) < len(sizes):
        raise malformed(f"{len(sizes)} samples, only {len(offsets)} in chunks")
    return offsets


def _pairs(memory: ReadAt, tables: dict[bytes, Box], kind: bytes) -> Iterator[tuple[int, int]]:
    table = _table(memory, tables, kind)
    (count,) = unpack(_U32, table, 4)
    _bounded(count, len(table) - 8, 8, kind.decode())
    signed = "i" if kind == b"ctts" else "I"
    return struct.Struct(f">I{signed}").iter_unpack(table[8 : 8 + 8 * count])


def _expand(pairs: Iterator[tuple[int, int]], wanted: int, name: str) -> list[int]:
    values: list[int] = []
    for repeat, value in pairs:
        values += [value] * min(repeat, wanted - len(values))
    if len(values) < wanted:
        raise malformed(f"{name} covers {len(values)} of {wanted} samples")
    return values


def _compositions(memory: ReadAt, tables: dict[bytes, Box], wanted: int) -> list[int]:
    if b"ctts" not in tables:
        return [0] * wanted
    return _expand(_pairs(memory, tables, b"ctts"), wanted, "ctts")


def _keys(memory: ReadAt, tables: dict[bytes, Box], wanted: int) -> frozenset[int] | None:
    if b"stss" not in tables:
        return None
    table = _table(memory, tables, b"stss")
    (count,) = unpack(_U32, table, 4)
    _bounded(count, len(table) - 8, 4, "stss")
    return frozenset(number - 1 for number in struct.unpack_from(f">{count}I", table, 8) if number <= wanted)
