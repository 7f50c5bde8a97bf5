"""What a receiver reports of one RTP source: how far it has come, and what was missing (RFC 3550, 6.4.1 and A.3).

Fed once a read, never once a packet. Jitter and round-trip time are left at zero, as the standard allows: packets are
read a second at a time, and over TCP both say nothing of the camera.
"""

from __future__ import annotations

from vms.media.rtcp import ReportBlock

_MOST_LOST = 0x7F_FFFF


class Reception:
    """Counts of one source since its connection began. Numbers are extended: they go on beyond 16 bits."""

    __slots__ = ("_expected", "_highest", "_lost", "_reported_expected", "_reported_lost")

    def __init__(self) -> None:
        self._highest = -1
        self._expected = 0
        self._lost = 0
        self._reported_expected = 0
        self._reported_lost = 0

    def count(self, packets: int, lost: int, next_sequence: int) -> None:
        """Add one read; `next_sequence` is the 16-bit number expected now, -1 before the first packet."""
        if next_sequence < 0 or not packets:
            return
        last = next_sequence - 1 & 0xFFFF
        if self._highest < 0:
            self._highest = last
        else:
            near = self._highest + packets + lost
            self._highest = max(0, near + ((last - near + 0x8000) & 0xFFFF) - 0x8000)
        self._expected += packets + lost
        self._lost += lost

    def block(self, ssrc: int) -> ReportBlock:
        """The report on source `ssrc`; its fraction counts from the report before."""
        expected = self._expected - self._reported_expected
        lost = self._lost - self._reported_lost
        self._reported_expected, self._reported_lost = self._expected, self._lost
        return ReportBlock(
            ssrc,
            fraction_lost=min(255, (lost << 8) // expected) if expected else 0,
            cumulative_lost=min(self._lost, _MOST_LOST),
            highest_sequence=max(0, self._highest) & 0xFFFF_FFFF,
        )
