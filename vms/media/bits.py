"""Reading bits: fixed and Exp-Golomb codes of parameter sets, with emulation prevention removed.

Source: ITU-T H.264 and H.265, 7.3, 7.4.1 and 9.1 / 9.2.
"""

from __future__ import annotations

from vms.media.errors import MediaError, MediaErrorCode

_LONGEST_GOLOMB_PREFIX = 32


def unescape(nal: bytes) -> bytes:
    """The raw byte sequence payload: the NAL unit without its emulation prevention bytes."""
    if b"\0\0\3" not in nal:
        return nal
    parts = []
    start = 0
    while (found := nal.find(b"\0\0\3", start)) >= 0:
        parts.append(nal[start : found + 2])
        start = found + 3
    parts.append(nal[start:])
    return b"".join(parts)


class BitReader:
    """Bits of a byte string from the most significant on; MediaError at its end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    @property
    def bits_left(self) -> int:
        """How many bits have not been read."""
        return self._left

    def bits(self, count: int) -> int:
        """The next `count` bits as an unsigned integer."""
        self._left -= count
        if self._left < 0:
            raise malformed("parameter set ends too early")
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return bool(self.bits(1))

    def skip(self, count: int) -> None:
        """Pass over `count` bits."""
        self.bits(count)

    def ue(self, limit: int = 0xFFFF_FFFE) -> int:
        """The next unsigned Exp-Golomb code; MediaError over `limit`."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > _LONGEST_GOLOMB_PREFIX:
                raise malformed("Exp-Golomb code is too long")
        value = (1 << zeros) - 1 + (self.bits(zeros) if zeros else 0)
        if value > limit:
            raise malformed(f"value {value} over {limit}")
        return value

    def se(self, limit: int = 0x7FFF_FFFF) -> int:
        """The next signed Exp-Golomb code; MediaError beyond `limit` either way."""
        code = self.ue()
        value = (code + 1) // 2 if code % 2 else -(code // 2)
        if abs(value) > limit:
            raise malformed(f"value {value} beyond {limit}")
        return value


def malformed(detail: str) -> MediaError:
    """The error of a parameter set that breaks its format."""
    return MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, detail)


def unsupported(detail: str) -> MediaError:
    """The error of a parameter set that is valid, and beyond what is kept here."""
    return MediaError(MediaErrorCode.PARAMETER_SET_UNSUPPORTED, detail)
