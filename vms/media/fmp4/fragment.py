"""Fragments and the index of fragments (ISO/IEC 14496-12, clauses 8.8.4 to 8.8.12).

One fragment is `moof` + `mdat` of one video track. Its samples are one run (`trun`), each with its own duration,
size, flags and composition offset. The composition offset is signed (version 1), so that the first presented picture
of a segment can lie at media time zero whatever the order of decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from vms.media.fmp4.boxes import box, full_box, malformed, too_large

TRACK_ID = 1
MAX_SAMPLES_IN_A_FRAGMENT = 65_536
MAX_FRAGMENT_BYTES = 0xFFFF_FFFF - 8
FIRST_SAMPLE_BYTES = 104
"""How much of a `moof` tells the first sample: what is fixed, the head of `trun` and one row of it."""

_KEY_FLAGS = 0x0200_0000
_OTHER_FLAGS = 0x0101_0000
_MOOF_FIXED_BYTES = 8 + 16 + 8 + 16 + 20
_HEAD = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIII")
_MDAT = struct.Struct(">I4s")
_DEFAULT_BASE_IS_MOOF = 0x02_0000
_DATA_OFFSET_DURATION_SIZE_FLAGS_COMPOSITION = 0x01 | 0x100 | 0x200 | 0x400 | 0x800


class SampleInfo(NamedTuple):
    """One access unit as a fragment describes it: bytes, ticks of 90 kHz, and whether decoding can start at it."""

    size: int
    duration_90k: int
    key: bool
    composition_offset_90k: int = 0


class FragmentIndexEntry(NamedTuple):
    """One fragment of a file: where its `moof` starts, bytes of `moof` + `mdat`, decode time, and what it holds."""

    offset: int
    size: int
    decode_time_90k: int
    duration_90k: int
    key: bool
    sample_count: int


def fragment_header(sequence: int, base_decode_time_90k: int, samples: Sequence[SampleInfo]) -> bytes:
    """`moof` and the header of `mdat` for these samples; the caller appends their bytes unchanged.

    Raises MediaError for no samples, more than 65,536, or more than 4 GiB.
    """
    count = len(samples)
    media_bytes = sum([sample.size for sample in samples])
    if not 0 < count <= MAX_SAMPLES_IN_A_FRAGMENT or media_bytes > MAX_FRAGMENT_BYTES:
        raise too_large(f"fragment of {count} samples and {media_bytes} bytes")
    run_bytes = 20 + 16 * count
    moof_bytes = _MOOF_FIXED_BYTES + run_bytes
    head = _HEAD.pack(
        *(moof_bytes, b"moof"),
        *(16, b"mfhd", 0, sequence & 0xFFFF_FFFF),
        *(moof_bytes - 24, b"traf"),
        *(16, b"tfhd", _DEFAULT_BASE_IS_MOOF, TRACK_ID),
        *(20, b"tfdt", 1 << 24, base_decode_time_90k),
        *(run_bytes, b"trun", 1 << 24 | _DATA_OFFSET_DURATION_SIZE_FLAGS_COMPOSITION, count, moof_bytes + 8),
    )
    fields: list[int] = []
    for size, duration_90k, key, composition_offset_90k in samples:
        fields += (duration_90k, size, _KEY_FLAGS if key else _OTHER_FLAGS, composition_offset_90k & 0xFFFF_FFFF)
    return head + struct.pack(f">{4 * count}I", *fields) + _MDAT.pack(8 + media_bytes, b"mdat")


def retime_fragment(header: bytes, sequence: int, base_decode_time_90k: int) -> bytes:
    """The same `moof` (+ `mdat` header), written by `fragment_header`, at another place of another time line.

    Nothing but the sequence number and the decode time changes, so playback serves recorded fragments without
    rewriting them. Raises MediaError for a fragment of another writer.
    """
    if len(header) < _HEAD.size or header[4:8] != b"moof" or header[12:16] != b"mfhd" or header[52:56] != b"tfdt":
        raise malformed("the fragment was not written by this writer")
    changed = bytearray(header)
    struct.pack_into(">I", changed, 20, sequence & 0xFFFF_FFFF)
    struct.pack_into(">Q", changed, 60, base_decode_time_90k)
    return bytes(changed)


def first_composition_offset_90k(header: bytes) -> int:
    """How much later than its decode time the first sample of a fragment is presented; `header` is the `moof`'s start.

    Raises MediaError for a fragment of another writer, or fewer bytes than `FIRST_SAMPLE_BYTES`.
    """
    if len(header) < FIRST_SAMPLE_BYTES or header[4:8] != b"moof" or header[72:76] != b"trun":
        raise malformed("the fragment was not written by this writer")
    (offset_90k,) = struct.unpack_from(">i", header, FIRST_SAMPLE_BYTES - 4)
    return int(offset_90k)


def fragment_index(entries: Sequence[FragmentIndexEntry]) -> bytes:
    """The `mfra` box that closes a segment: playback finds any fragment by one read at the end of the file.

    It lists the fragments that start with a key frame. Source: clauses 8.8.9 to 8.8.11.
    """
    keys = [entry for entry in entries if entry.key]
    rows = b"".join([struct.pack(">QQBBB", entry.decode_time_90k, entry.offset, 1, 1, 1) for entry in keys])
    tfra = full_box(b"tfra", 1, 0, struct.pack(">III", TRACK_ID, 0, len(keys)), rows)
    return box(b"mfra", tfra, full_box(b"mfro", 0, 0, struct.pack(">I", 8 + len(tfra) + 16)))
