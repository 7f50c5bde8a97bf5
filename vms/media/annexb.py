"""NAL units between start codes (ITU-T H.264 and H.265, annex B): what decoder libraries give and take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

START_CODE = b"\0\0\0\1"
_SHORT_START_CODE = b"\0\0\1"


def split_annexb(data: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream, without start codes and the zeros around them."""
    start = data.find(_SHORT_START_CODE)
    while start >= 0:
        start += len(_SHORT_START_CODE)
        end = data.find(_SHORT_START_CODE, start)
        # A NAL unit never ends in a zero byte: those belong to the next start code.
        nal = (data[start:end] if end >= 0 else data[start:]).rstrip(b"\0")
        if nal:
            yield nal
        start = end


def join_annexb(nals: Iterable[bytes]) -> bytes:
    """These NAL units as a byte stream."""
    return b"".join(START_CODE + nal for nal in nals)
