"""Streams of NAL units: start codes (Annex B) and lengths (ISO/IEC 14496-15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vms.media.errors import MediaError, MediaErrorCode

MAX_PARAMETER_SET_BYTES = 4096
"""Longest parameter set that is accepted; real ones have some tens of bytes."""


def split_annexb(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream with start codes of three or four bytes; empty ones are left out.

    Bytes before the first start code are ignored. Zero bytes before a start code belong to no unit (Annex B.1).
    """
    units = []
    position = data.find(b"\0\0\1")
    while position >= 0:
        start = position + 3
        position = data.find(b"\0\0\1", start)
        unit = (data[start:] if position < 0 else data[start:position]).rstrip(b"\0")
        if unit:
            units.append(unit)
    return units


def iterate_length_prefixed(sample: bytes | memoryview, length_bytes: int = 4) -> Iterator[memoryview]:
    """The NAL units of sample bytes, without copying; empty ones are left out.

    Raises MediaError when a length points outside the sample.
    """
    view = memoryview(sample)
    end = len(view)
    position = 0
    while position < end:
        start = position + length_bytes
        position = start + int.from_bytes(view[position:start], "big")
        if position > end or start > end:
            raise MediaError(MediaErrorCode.NAL_MALFORMED, "NAL unit length points outside the sample")
        if position > start:
            yield view[start:position]


def join_length_prefixed(units: Iterable[bytes | memoryview]) -> bytes:
    """Sample bytes: each unit behind its length of four bytes."""
    return b"".join(part for unit in units for part in (len(unit).to_bytes(4, "big"), unit))
