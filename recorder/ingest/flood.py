"""A camera that sends more than any camera does is not one: it is refused before it costs the others.

A bucket for each of bytes, packets and pictures is filled at the most generous rate of a real camera, and holds what a
full socket may hold after a pause of ours. A stream that empties one is a flood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from recorder.ingest.causes import Cause, IngestError
from vms.base.clock import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """The most a second of each kind, and the most at once."""

    bytes_a_second: int = 32 * 1024 * 1024
    bytes_at_once: int = 48 * 1024 * 1024
    frames_a_second: int = 40_000
    frames_at_once: int = 120_000
    pictures_a_second: int = 500
    pictures_at_once: int = 40_000


DEFAULT_LIMITS: Final = FloodLimits()


class FloodGate:
    """Judges one connection, once a read."""

    __slots__ = ("_last_ns", "_limits", "_spent")

    def __init__(self, now_ns: int, limits: FloodLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._last_ns = now_ns
        self._spent = (0.0, 0.0, 0.0)

    def pass_through(self, now_ns: int, size: int, frames: int, pictures: int) -> None:
        """Let one read through. Raises IngestError `flood`."""
        limits = self._limits
        passed_s = (now_ns - self._last_ns) / NS_PER_SECOND
        self._last_ns = now_ns
        a_second = (limits.bytes_a_second, limits.frames_a_second, limits.pictures_a_second)
        at_once = (limits.bytes_at_once, limits.frames_at_once, limits.pictures_at_once)
        spent = self._spent
        self._spent = (
            max(0.0, spent[0] - passed_s * a_second[0]) + size,
            max(0.0, spent[1] - passed_s * a_second[1]) + frames,
            max(0.0, spent[2] - passed_s * a_second[2]) + pictures,
        )
        for name, count, most in zip(("bytes", "frames", "pictures"), self._spent, at_once, strict=True):
            if count > most:
                raise IngestError(Cause.FLOOD, f"the camera sends {name} without end: {count:.0f} beyond their rate")
