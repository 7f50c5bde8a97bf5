"""Packets of a demuxer into access units: the same form as the native path gives, without the library.

Rules
1. The bytes of a picture stay as they are; only start codes become lengths (LAW-41).
2. Media time is the packet's, in ticks of 90 kHz. Packets at the very beginning may come without one: they wait for the
   first that has one. A single one is the origin that the library counts from, where that lies within a second;
   others are placed before the dated one, a frame interval apart.
3. What is a key frame is looked up in the picture itself: a library also counts pictures that need others.
"""

from __future__ import annotations

from typing import Final, Protocol

from vms.media import h264, h265, mjpeg, mpeg4
from vms.media.access_unit import RTP_CLOCK_HZ, AccessUnit, Codec, ParameterSets
from vms.media.annexb import split_annexb
from vms.media.assembly import Assembly

ACCESS_UNIT_BYTES: Final = 8 * 1024 * 1024
MAX_WAITING_PACKETS: Final = 250
_ORIGIN_AND_NEXT: Final = 2


class PictureReader(Protocol):
    """Turns one coded picture into an access unit. None when there are no parameter sets for it yet."""

    def read(self, data: bytes, timestamp_90k: int, *, damaged: bool) -> AccessUnit | None:
        """The unit. Raises MediaError when the picture cannot be one."""


class NalPictures:
    """H.264 and H.265, as a byte stream; `extra` are parameter sets that came beside the stream."""

    def __init__(self, codec: Codec, extra: bytes) -> None:
        self._nal_type = h264.nal_type if codec is Codec.H264 else h265.nal_type
        # In an assembly of their own: what stood beside the stream must not come into its first picture.
        self._assembly = Assembly(codec, None, ACCESS_UNIT_BYTES)
        for nal in split_annexb(extra):
            self._add(nal)
        self._assembly.close()
        self._assembly = Assembly(codec, self._assembly.parameters, ACCESS_UNIT_BYTES)

    def read(self, data: bytes, timestamp_90k: int, *, damaged: bool) -> AccessUnit | None:
        self._assembly.timestamp = timestamp_90k
        for nal in split_annexb(data):
            self._add(nal)
        self._assembly.damaged = self._assembly.damaged or damaged
        return self._assembly.close()

    def _add(self, nal: bytes) -> None:
        self._assembly.add_nal(memoryview(nal), self._nal_type(nal[0]))


class Mpeg4Pictures:
    """MPEG-4 Part 2; `extra` is the configuration of the SDP, which one in band replaces."""

    def __init__(self, extra: bytes) -> None:
        self._parameters = mpeg4.configuration(extra)

    def read(self, data: bytes, timestamp_90k: int, *, damaged: bool) -> AccessUnit | None:
        key = mpeg4.is_key_picture(data)
        if key:
            fresh = mpeg4.configuration(data)
            if fresh is not None and fresh != self._parameters:
                self._parameters = fresh
        if self._parameters is None:
            return None
        return AccessUnit(timestamp_90k, [data], len(data), key, self._parameters, damaged)


class JpegPictures:
    """Motion JPEG: every picture stands by itself."""

    def __init__(self) -> None:
        self._parameters: ParameterSets | None = None

    def read(self, data: bytes, timestamp_90k: int, *, damaged: bool) -> AccessUnit | None:
        fresh = mjpeg.parameters_of(*mjpeg.parse_size(data))
        if fresh != self._parameters:
            self._parameters = fresh
        assert self._parameters is not None
        return AccessUnit(timestamp_90k, [data], len(data), True, self._parameters, damaged)


def picture_reader(codec: Codec, extra: bytes) -> PictureReader:
    """The reader for a codec; `extra` is what the stream's description holds for it."""
    match codec:
        case Codec.MPEG4:
            return Mpeg4Pictures(extra)
        case Codec.MJPEG:
            return JpegPictures()
        case _:
            return NalPictures(codec, extra)


class MediaTimes:
    """Gives every packet a media time (rule 2). `interval_90k` is what the stream says of its frame rate."""

    def __init__(self, interval_90k: int) -> None:
        self._interval_90k = interval_90k
        self._last_90k: int | None = None
        self._waiting: list[bytes] = []

    def place(self, data: bytes, timestamp_90k: int | None) -> list[tuple[bytes, int]]:
        """The packets that have a time now, in order, with it."""
        if timestamp_90k is None:
            if self._last_90k is None:
                self._waiting.append(data)
                del self._waiting[:-MAX_WAITING_PACKETS]
                return []
            timestamp_90k = self._last_90k + self._interval_90k
        elif self._last_90k is not None and timestamp_90k > self._last_90k:
            self._interval_90k = min(self._interval_90k, timestamp_90k - self._last_90k)
        self._last_90k = timestamp_90k
        waiting, self._waiting = [*self._waiting, data], []
        first_90k = timestamp_90k - (len(waiting) - 1) * self._interval_90k
        if len(waiting) == _ORIGIN_AND_NEXT and 0 < timestamp_90k <= RTP_CLOCK_HZ:
            return [(waiting[0], 0), (data, timestamp_90k)]
        return [(each, first_90k + number * self._interval_90k) for number, each in enumerate(waiting)]
