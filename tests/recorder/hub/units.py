"""Made-up access units for tests of what does not look inside them."""

from __future__ import annotations

from recorder.hub.unit import DatedUnit
from vms.media.access_unit import AccessUnit, Codec, ParameterSets

PARAMETERS = ParameterSets(Codec.H264, b"", b"\x67\x42", (b"\x68\xce",))
FRAME_90K = 3_600


def access_unit(rtp_timestamp: int, *, key: bool = False, size: int = 100) -> AccessUnit:
    content = (size - 4).to_bytes(4, "big") + bytes(size - 4)
    return AccessUnit(rtp_timestamp, [content], size, key, PARAMETERS, damaged=False)


def group(first: int, length: int, *, size: int = 100) -> list[DatedUnit]:
    """A group of pictures: a key frame and what follows, numbered from `first` by their media time."""
    return [
        DatedUnit(access_unit(number * FRAME_90K, key=number == first, size=size), number * 40_000_000, 1, 40, False)
        for number in range(first, first + length)
    ]
