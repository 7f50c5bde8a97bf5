"""Decode times out of presentation times.

RTP stamps an access unit with the instant of its *presentation* and sends it in the order of *decoding* (RFC 6184,
clause 5.1). A file and a browser want both. In a stream that reorders at most N frames (`max_reorder_frames` of its
sequence parameter set), the decode time of a unit is the smallest of the N + 1 latest presentation times not yet given
out: known at once, never after the unit's presentation, and always growing.

Rules
1. With N = 0 the decode time is the presentation time.
2. The first N units of a run have no predecessor to borrow from; they go back from the first by one frame interval.
3. Decode times grow by at least one tick, whatever a camera stamps: two units with one stamp, or a stamp that goes
   back beyond N, are pushed forward, and their composition offset may then be negative.
"""

from __future__ import annotations

from heapq import heappushpop
from typing import NamedTuple

DEFAULT_INTERVAL_90K = 3_600
MAX_REORDER_FRAMES = 16


class DecodeTime(NamedTuple):
    """When to decode a unit, and how much later to present it, in ticks of 90 kHz."""

    decode_time_90k: int
    composition_offset_90k: int


class DecodeTimer:
    """Gives each access unit of one run its decode time, in the order of arrival. A new run needs a new timer.

    `depth` is the N of the rules above.
    """

    __slots__ = ("_heap", "_interval_90k", "_last_90k", "depth")

    def __init__(self, max_reorder_frames: int = 0, interval_90k: int = DEFAULT_INTERVAL_90K) -> None:
        self.depth = min(max(max_reorder_frames, 0), MAX_REORDER_FRAMES)
        self._interval_90k = max(interval_90k, 1)
        self._heap: list[int] = []
        self._last_90k: int | None = None

    def date(self, presentation_time_90k: int) -> DecodeTime:
        """The decode time of the next unit, given its unwrapped RTP time stamp."""
        decode_time_90k = presentation_time_90k
        if self.depth:
            if not self._heap:
                self._heap = [presentation_time_90k - ahead * self._interval_90k for ahead in range(self.depth, 0, -1)]
            decode_time_90k = heappushpop(self._heap, presentation_time_90k)
        if self._last_90k is not None and decode_time_90k <= self._last_90k:
            decode_time_90k = self._last_90k + 1
        self._last_90k = decode_time_90k
        return DecodeTime(decode_time_90k, presentation_time_90k - decode_time_90k)
