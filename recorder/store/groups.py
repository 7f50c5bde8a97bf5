"""The groups of pictures of one recorded file, as far as holds need them.

A group begins at a fragment that starts with a key frame, and goes on until the next one. Its span is what a player
can show with it: from the first of its pictures that is presented, to the last. Where pictures are reordered, spans
overlap: leading pictures of an open group are presented before its key frame and are made of the group before it too,
so that group's span reaches as far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recorder.store.salvage import ns_of_90k, reading
from vms.media.fmp4 import Fragment, SegmentHead, read_fragment, read_head, scan_fragments


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its span, UTC nanoseconds, the end excluded; its fragments, by their position; their bytes."""

    start_ns: int
    end_ns: int
    first: int
    last: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Groups:
    """What a file holds: its head, its fragments and its groups, each in the order of decoding."""

    head: SegmentHead
    fragments: tuple[Fragment, ...]
    groups: tuple[Group, ...]


def read_groups(path: Path, start_ns: int) -> Groups:
    """The groups of a file whose media time zero is `start_ns`; those that are whole while it still grows.

    Reads the heads of its fragments alone. Blocks. Raises OSError, or MediaError for what is no segment.
    """
    with reading(path) as (read_at, size):
        head = read_head(read_at, size)
        entries = scan_fragments(read_at, head.size, size)
        fragments = tuple(read_fragment(read_at, entry.offset, entry.offset + entry.size) for entry in entries)
    return Groups(head, fragments, grouped(fragments, start_ns))


def grouped(fragments: Sequence[Fragment], start_ns: int) -> tuple[Group, ...]:
    """The groups that these fragments make. Pure."""
    begins = [place for place, one in enumerate(fragments) if place == 0 or one.index.key]
    spans: list[tuple[int, int, int, int, int]] = []
    for begin, end in pairwise([*begins, len(fragments)]):
        stamps = [stamp for fragment in fragments[begin:end] for stamp in _presented(fragment)]
        key_90k = stamps[0][0]
        spans.append((min(first for first, _ in stamps), max(last for _, last in stamps), key_90k, begin, end - 1))
    found = []
    for place, (first_90k, last_90k, _, begin, end) in enumerate(spans):
        next_key_90k = spans[place + 1][2] if place + 1 < len(spans) else last_90k
        end_ns = start_ns + ns_of_90k(max(last_90k, next_key_90k))
        size = sum(one.index.size for one in fragments[begin : end + 1])
        found.append(Group(start_ns + ns_of_90k(first_90k), end_ns, begin, end, size))
    return tuple(found)


def _presented(fragment: Fragment) -> list[tuple[int, int]]:
    """When each picture begins and ends to be shown."""
    decode_90k = fragment.index.decode_time_90k
    stamps = []
    for sample in fragment.samples:
        shown_90k = decode_90k + sample.composition_offset_90k
        stamps.append((shown_90k, shown_90k + sample.duration_90k))
        decode_90k += sample.duration_90k
    return stamps
