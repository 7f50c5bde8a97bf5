"""The box structure of ISO base media files: a length, a four-character kind, content (ISO/IEC 14496-12, clause 4).

Rules of this package
---------------------
1. Writing returns bytes; the samples themselves are never copied, the caller appends them.
2. Reading takes a `ReadAt`, asks only for what it needs, and never asks for more than a named limit at once.
3. Hostile bytes raise MediaError and nothing else. Lengths that point outside their container, boxes nested or
   repeated beyond a limit, and counts that do not fit their box are all hostile.
4. Durations and instants are ticks of 90 kHz (`_90k`), as on the wire (RFC 6184, clause 5.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vms.media.errors import MediaError, MediaErrorCode

TIMESCALE_90K = 90_000
MAX_BOXES_IN_A_CONTAINER = 4_096
MAX_HEADER_BOX_BYTES = 16 * 1024 * 1024

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, size)`: at most `size` bytes of a file from `offset`, fewer only at its end (as `os.pread`)."""

_SIZE_AND_KIND = struct.Struct(">I4s")
_LARGE_SIZE = struct.Struct(">Q")


def malformed(detail: str) -> MediaError:
    """The error for a file that breaks its format."""
    return MediaError(MediaErrorCode.CONTAINER_MALFORMED, detail)


def too_large(detail: str) -> MediaError:
    """The error for a file that breaks a limit."""
    return MediaError(MediaErrorCode.CONTAINER_TOO_LARGE, detail)


class Box(NamedTuple):
    """Where one box lies in a file: `offset` of its first byte, `header` bytes before its content, `size` in all."""

    kind: bytes
    offset: int
    header: int
    size: int

    @property
    def content(self) -> int:
        """Offset of the first byte of the content."""
        return self.offset + self.header

    @property
    def end(self) -> int:
        """Offset of the first byte after the box."""
        return self.offset + self.size


def box(kind: bytes, *parts: bytes) -> bytes:
    """The bytes of one box."""
    return _SIZE_AND_KIND.pack(8 + sum(map(len, parts)), kind) + b"".join(parts)


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """The bytes of one box with version and flags (clause 4.2)."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def reader_of(data: bytes | memoryview) -> ReadAt:
    """A `ReadAt` over bytes in memory."""
    view = memoryview(data)

    def read_at(offset: int, size: int) -> bytes:
        return bytes(view[offset : offset + size])

    return read_at


def box_at(read_at: ReadAt, offset: int, end: int) -> Box:
    """The box that starts at `offset` in a container (or file) ending at `end`.

    Raises MediaError when its header or its stated size passes `end`, or when the size is smaller than the header.
    """
    head = read_at(offset, min(16, end - offset))
    if len(head) < 8:
        raise malformed(f"no whole box header at {offset}")
    size, kind = _SIZE_AND_KIND.unpack_from(head)
    header = 8
    if size == 1:
        if len(head) < 16:
            raise malformed(f"no whole box header at {offset}")
        (size,) = _LARGE_SIZE.unpack_from(head, 8)
        header = 16
    elif size == 0:
        size = end - offset
    if size < header:
        raise malformed(f"box at {offset} states {size} bytes")
    if offset + size > end:
        raise malformed(f"box at {offset} states {size} bytes, {end - offset} are there")
    return Box(kind, offset, header, size)


def boxes_between(read_at: ReadAt, start: int, end: int, limit: int = MAX_BOXES_IN_A_CONTAINER) -> Iterator[Box]:
    """The boxes from `start` to `end`, one after the other; at most `limit` of them."""
    offset = start
    for _ in range(limit):
        if offset >= end:
            return
        found = box_at(read_at, offset, end)
        yield found
        offset = found.end
    if offset < end:
        raise too_large(f"more than {limit} boxes in one container")


def children(read_at: ReadAt, parent: Box) -> Iterator[Box]:
    """The boxes inside a plain container box."""
    return boxes_between(read_at, parent.content, parent.end)


def child(read_at: ReadAt, parent: Box, kind: bytes) -> Box:
    """The first box of this kind inside a container; MediaError when there is none."""
    for found in children(read_at, parent):
        if found.kind == kind:
            return found
    raise malformed(f"no {kind!r} in {parent.kind!r}")


def descend(read_at: ReadAt, parent: Box, *path: bytes) -> Box:
    """The box at the end of a path of kinds below a container."""
    for kind in path:
        parent = child(read_at, parent, kind)
    return parent


def content_of(read_at: ReadAt, found: Box, limit: int = MAX_HEADER_BOX_BYTES) -> bytes:
    """The content of a box; MediaError when it is over `limit` bytes or not all there."""
    size = found.size - found.header
    if size > limit:
        raise too_large(f"{found.kind!r} of {size} bytes, over the limit of {limit}")
    data = read_at(found.content, size)
    if len(data) != size:
        raise malformed(f"{found.kind!r} is cut")
    return data


def unpack(layout: struct.Struct, data: bytes, offset: int = 0) -> tuple[int, ...]:
    """`struct` fields at an offset; MediaError when they pass the end."""
    if offset < 0 or len(data) - offset < layout.size:
        raise malformed(f"{layout.format} at {offset} passes the end of {len(data)} bytes")
    return layout.unpack_from(data, offset)
