"""Bits of a raw byte sequence payload (ISO/IEC 14496-10 and 23008-2, clause 7.2 and 9): fixed lengths and Exp-Golomb.

Every read is bounded by the payload: reading past its end is a MediaError, never a zero.
"""

from __future__ import annotations

from vms.media.errors import MediaError, MediaErrorCode

MAX_EXP_GOLOMB_ZEROS = 32


def unescape(nal: bytes | memoryview) -> bytes:
    """The payload of a NAL unit without its emulation prevention bytes (00 00 03 becomes 00 00)."""
    source = bytes(nal)
    if b"\0\0\3" not in source:
        return source
    parts = []
    start = 0
    while (found := source.find(b"\0\0\3", start)) >= 0:
        parts.append(source[start : found + 2])
        start = found + 3
    parts.append(source[start:])
    return b"".join(parts)


class BitReader:
    """Reads a payload of at most a few kilobytes from its first bit on."""

    __slots__ = ("_end", "_position", "_value")

    def __init__(self, payload: bytes) -> None:
        self._value = int.from_bytes(payload, "big")
        self._end = 8 * len(payload)
        self._position = 0

    @property
    def bits_left(self) -> int:
        """How many bits are unread, trailing bits included."""
        return self._end - self._position

    def u(self, count: int) -> int:
        """An unsigned number of `count` bits. Raises MediaError past the end."""
        position = self._position + count
        if position > self._end:
            raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "parameter set ends early")
        self._position = position
        return (self._value >> (self._end - position)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """One bit."""
        return self.u(1) == 1

    def skip(self, count: int) -> None:
        """Leaves `count` bits out."""
        self.u(count)

    def ue(self, most: int = 0xFFFF_FFFE) -> int:
        """An unsigned Exp-Golomb number. Raises MediaError when it exceeds `most`."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > MAX_EXP_GOLOMB_ZEROS:
                raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, "Exp-Golomb number over 32 bits")
        value = (1 << zeros) - 1 + self.u(zeros)
        if value > most:
            raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, f"value {value} over {most}")
        return value

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)
