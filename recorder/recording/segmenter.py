"""Where segments and fragments begin: decisions on dated units, without any I/O.

Rules
1. A segment begins on a key frame, and ends when a key frame comes and it is long enough, or the run or the parameter
   sets are others. Where no key frame comes for ten minutes or two gigabytes, it is cut between two pictures; the next
   one then begins without a key frame, says so by the flags of its first sample, and is read behind the one before.
2. A fragment holds about a second and begins anew on each key frame, so that a player that seeks reads little.
3. Media time zero is the first key frame. Decode times never go back and never below zero; where units are reordered,
   the first ones are pushed together at zero and their composition offsets bear it.
4. A step of the clock drops nothing. A run that begins between key frames, right behind what is recorded, goes on in
   the open segment until the next key frame, and its media time follows the clock. Behind a hole, or before the end of
   the segment, it cannot: then the segment ends, and the next key frame begins another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from recorder.hub.unit import DatedUnit
from recorder.store.queries import JOIN_TOLERANCE_NS
from vms.base.clock import NS_PER_SECOND
from vms.media.access_unit import RTP_CLOCK_HZ, ParameterSets
from vms.media.fmp4 import DecodeTimer, SampleInfo

FRAGMENT_90K: Final = RTP_CLOCK_HZ * 9 // 10
MAX_FRAGMENT_BYTES: Final = 8 * 1024 * 1024
LONGEST_SEGMENT_NS: Final = 600 * NS_PER_SECOND
LARGEST_SEGMENT_BYTES: Final = 2 << 30
_LONGEST_INTERVAL_90K: Final = 10 * RTP_CLOCK_HZ
_USUAL_INTERVAL_90K: Final = 3_600


def must_rotate(current: SegmentShape, dated: DatedUnit, segment_ns: int) -> bool:
    """Whether this unit must begin another segment (rules 1 and 4)."""
    if not dated.unit.key:
        if dated.run != current.newest_run and not current.goes_on_with(dated):
            return True
        return too_long(current, dated)
    if dated.run != current.run:
        return True
    if dated.unit.parameters is not current.parameters and dated.unit.parameters != current.parameters:
        return True
    return dated.capture_utc_ns - current.start_ns >= segment_ns


def too_long(current: SegmentShape, dated: DatedUnit) -> bool:
    """Whether a unit that is no key frame, and follows on, must begin another segment all the same (rule 1)."""
    if dated.unit.key or dated.run != current.newest_run:
        return False
    long = dated.capture_utc_ns - current.start_ns >= LONGEST_SEGMENT_NS
    return (long or current.given_bytes >= LARGEST_SEGMENT_BYTES) and dated.unit.parameters == current.parameters


@dataclass(slots=True)
class Fragment:
    """A fragment that is complete: its decode time, its samples, their bytes as slices, and how many bytes."""

    decode_time_90k: int
    samples: list[SampleInfo]
    chunks: list[bytes | memoryview]
    size: int


@dataclass(slots=True)
class SegmentShape:
    """The shape of one segment while units come in: what was decided, and the fragment that is being filled.

    The newest unit waits outside of the fragment, because its duration is known only when the next one comes.
    """

    run: int
    start_ns: int
    parameters: ParameterSets
    base_90k: int
    timer: DecodeTimer
    newest_run: int
    end_90k: int = 0
    given_bytes: int = 0
    _samples: list[SampleInfo] = field(default_factory=list)
    _chunks: list[bytes | memoryview] = field(default_factory=list)
    _size: int = 0
    _first_90k: int = 0
    _waiting: DatedUnit | None = None
    _waiting_90k: int = 0
    _waiting_offset_90k: int = 0
    _interval_90k: int = _USUAL_INTERVAL_90K

    @classmethod
    def begin(cls, dated: DatedUnit, max_reorder_frames: int) -> SegmentShape:
        """A segment that starts with this key frame."""
        unit = dated.unit
        timer = DecodeTimer(max_reorder_frames)
        return cls(dated.run, dated.capture_utc_ns, unit.parameters, unit.rtp_timestamp, timer, dated.run)

    @property
    def end_ns(self) -> int:
        """The UTC instant at which what has been given out ends."""
        return self.start_ns + self.end_90k * NS_PER_SECOND // RTP_CLOCK_HZ

    def goes_on_with(self, dated: DatedUnit) -> bool:
        """Whether a unit of another run follows right behind the newest one (rule 4)."""
        newest_ns = self._waiting.capture_utc_ns if self._waiting is not None else self.end_ns
        return 0 <= dated.capture_utc_ns - newest_ns <= JOIN_TOLERANCE_NS

    def add(self, dated: DatedUnit) -> Fragment | None:
        """Take the next unit; the fragment that it completes, if any (rule 2)."""
        if dated.run != self.newest_run:
            self._follow_clock(dated)
        decode = self.timer.date(dated.unit.rtp_timestamp - self.base_90k)
        decode_90k = max(decode.decode_time_90k, self._waiting_90k + 1 if self._waiting else 0)
        done = None
        if self._waiting is not None:
            self._settle_waiting(decode_90k)
            if dated.unit.key or self.end_90k - self._first_90k >= FRAGMENT_90K or self._size > MAX_FRAGMENT_BYTES:
                done = self._take()
        self._waiting = dated
        self._waiting_90k = decode_90k
        self._waiting_offset_90k = decode.decode_time_90k + decode.composition_offset_90k - decode_90k
        return done

    def finish(self) -> Fragment | None:
        """The last fragment; the newest unit lasts as long as the one before it."""
        if self._waiting is not None:
            self._settle_waiting(self._waiting_90k + self._interval_90k)
            self._waiting = None
        return self._take() if self._samples else None

    def _follow_clock(self, dated: DatedUnit) -> None:
        wanted_90k = (dated.capture_utc_ns - self.start_ns) * RTP_CLOCK_HZ // NS_PER_SECOND
        self.base_90k = dated.unit.rtp_timestamp - wanted_90k
        self.timer = DecodeTimer(self.timer.depth, self._interval_90k)
        self.newest_run = dated.run

    def _settle_waiting(self, next_90k: int) -> None:
        assert self._waiting is not None
        unit = self._waiting.unit
        duration_90k = next_90k - self._waiting_90k
        if duration_90k <= _LONGEST_INTERVAL_90K:
            self._interval_90k = duration_90k
        if not self._samples:
            self._first_90k = self._waiting_90k
        self._samples.append(SampleInfo(unit.size, duration_90k, unit.key, self._waiting_offset_90k))
        self._chunks += unit.chunks
        self._size += unit.size
        self.end_90k = next_90k

    def _take(self) -> Fragment:
        fragment = Fragment(self._first_90k, self._samples, self._chunks, self._size)
        self.given_bytes += self._size
        self._samples, self._chunks, self._size = [], [], 0
        return fragment
