"""When was a picture taken: the camera's media time, placed on the server's clock (LAW-39).

The server is the authority. A camera may state any hour; what is recorded is the hour of the server, and the camera's
own clock is noted beside it.

Rules
1. One run has one map: capture = media time + offset. The offset comes from arrival: no packet arrives before it was
   taken, so the packet with the smallest delay dates the run best. Sender reports never move the map; they measure the
   camera's clock (`CameraClock`).
2. Reading late does not blur the map. A batch that waited a second in the socket is dated by its newest unit, and only
   the smallest delay of many batches counts.
3. The offset drifts towards what was measured at a bounded rate, so durations stay true within one run; what is still
   to be corrected is part of the stated uncertainty.
4. What cannot be a drift is a step, and a step starts a new run: media time that leaps or goes back, pictures that
   arrive before their time, a delay that stays, a step of the server's own clock. The new run starts at the next key
   frame, as a file can only start there; until then the old one is carried on at its frame interval.
5. A pause without pictures starts a new run at once and keeps the map.
6. No unit is ever dropped for its time stamp. A new run never begins before the last capture of the one before it,
   unless the server's clock itself was set back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recorder.hub.unit import DatedUnit
from vms.base.clock import NS_PER_MS, NS_PER_SECOND
from vms.media.access_unit import RTP_CLOCK_HZ, AccessUnit, unwrap_timestamp
from vms.media.rtcp import SenderReport

STEP_NS = 1 * NS_PER_SECOND
"""A disagreement beyond this is a step, not a drift."""
CLOCK_STEP_NS = NS_PER_SECOND // 2
"""The server's wall clock leaving its monotonic clock by more than this was set, not slewed."""
PAUSE_90K = 2 * RTP_CLOCK_HZ
"""Units further apart than this do not belong to one run."""
KEY_FRAME_WAIT_NS = 10 * NS_PER_SECOND
"""A camera that gives no key frame for so long gets its new run without one."""
WINDOW_NS = 10 * NS_PER_SECOND
WINDOWS = 6
LATE_RATE = 0.000_5
"""Drift towards later, in seconds a second: ten times what a bad crystal does."""
EARLY_RATE = 0.02
"""Drift towards earlier: the map is known to be wrong, as a picture came before its time."""
SETTLED_UNCERTAINTY_MS = 40
UNSETTLED_UNCERTAINTY_MS = 200
_DEFAULT_INTERVAL_90K = RTP_CLOCK_HZ // 25


def next_run(previous: int, utc_ns: int) -> int:
    """The number of a new run: greater than the one before, and greater than those before a restart (32 bits)."""
    return max(previous + 1, utc_ns // NS_PER_SECOND) & 0xFFFF_FFFF


@dataclass(slots=True)
class CameraClock:
    """What sender reports say of the camera's clock: how far ahead of the server it is, and since when it is measured.

    `offset_ns` is camera minus server, network delay included; `largest_ns` the offset farthest from zero so far.
    """

    reports: int = 0
    offset_ns: int = 0
    largest_ns: int = 0
    measured_at_ns: int = 0

    def measure(self, offset_ns: int, at_ns: int) -> None:
        """Note one sender report."""
        self.reports += 1
        self.offset_ns = offset_ns
        self.measured_at_ns = at_ns
        if abs(offset_ns) > abs(self.largest_ns):
            self.largest_ns = offset_ns


@dataclass(frozen=True, slots=True)
class _Read:
    """Both clocks just after a read, and what it gave."""

    utc_ns: int
    monotonic_ns: int
    units: Sequence[AccessUnit]

    @property
    def newest_90k(self) -> int:
        """The media time of the last unit."""
        return self.units[-1].rtp_timestamp

    def stretch_from(self, unit: AccessUnit) -> tuple[int, bool]:
        """The last media time that follows `unit` without a leap, and whether that is the newest of this read."""
        end_90k = unit.rtp_timestamp
        begun = False
        for other in self.units:
            begun = begun or other is unit
            if begun:
                if not -PAUSE_90K < other.rtp_timestamp - end_90k < PAUSE_90K:
                    return end_90k, False
                end_90k = other.rtp_timestamp
        return end_90k, True


class Timeline:
    """The map of one stream. Times are nanoseconds, media times are ticks of 90 kHz."""

    def __init__(self, last_run: int = 0) -> None:
        self.run = last_run
        self.steps = 0
        self.uncertainty_ms = UNSETTLED_UNCERTAINTY_MS
        self.camera_clock = CameraClock()
        self._mapped = False
        self._offset_ns = 0
        self._carry_90k = 0
        self._step_since_ns: int | None = None
        self._latest_90k = 0
        self._latest_capture_ns = 0
        self._interval_90k = _DEFAULT_INTERVAL_90K
        self._read = _Read(0, 0, ())
        self._delays = _Delays()

    def restart(self) -> None:
        """A new connection: whatever comes next starts a new run."""
        self._mapped = False

    def date(self, units: Sequence[AccessUnit], read_utc_ns: int, read_monotonic_ns: int) -> list[DatedUnit]:
        """Place the units of one read; `read_…` are both clocks just after it."""
        if not units:
            return []
        read = _Read(read_utc_ns, read_monotonic_ns, units)
        starts = not self._mapped
        if starts:
            self._latest_90k = units[0].rtp_timestamp
            self._begin(units[0], read)
        else:
            self._observe(read)
        self._read = _Read(read_utc_ns, read_monotonic_ns, ())
        return self._place(units, read, starts=starts)

    def measure_camera_clock(self, report: SenderReport) -> None:
        """Compare the camera's clock with ours, by a sender report of the present run."""
        if not self._mapped:
            return
        media_90k = unwrap_timestamp(self._latest_90k, report.rtp_timestamp)
        if self._step_since_ns is None and abs(media_90k - self._latest_90k) <= 10 * RTP_CLOCK_HZ:
            self.camera_clock.measure(report.ntp_utc_ns - _ns(media_90k) - self._offset_ns, self._read.utc_ns)

    def _place(self, units: Sequence[AccessUnit], read: _Read, *, starts: bool) -> list[DatedUnit]:
        latest_90k, carry_90k, offset_ns = self._latest_90k, self._carry_90k, self._offset_ns
        interval_90k, capture_ns = self._interval_90k, self._latest_capture_ns
        dated: list[DatedUnit] = []
        for unit in units:
            media_90k = unit.rtp_timestamp
            apart_90k = media_90k - latest_90k
            if self._step_since_ns is not None or not -PAUSE_90K < apart_90k < PAUSE_90K:
                self._latest_90k, self._latest_capture_ns, self._interval_90k = latest_90k, capture_ns, interval_90k
                starts = self._transit(unit, read) or starts
                carry_90k, offset_ns = self._carry_90k, self._offset_ns
            elif apart_90k > 0:
                interval_90k = apart_90k
            latest_90k = media_90k
            if carry_90k:
                media_90k += carry_90k
                unit.rtp_timestamp = media_90k
            capture_ns = media_90k * 100_000 // 9 + offset_ns
            dated.append(DatedUnit(unit, capture_ns, self.run, self.uncertainty_ms, starts))
            starts = False
        self._latest_90k, self._latest_capture_ns, self._interval_90k = latest_90k, capture_ns, interval_90k
        return dated

    def _transit(self, unit: AccessUnit, read: _Read) -> bool:
        """Handle a unit that leaves its run, or waits to; whether it starts a new one."""
        media_90k = unit.rtp_timestamp
        apart_90k = media_90k - self._latest_90k
        if not -PAUSE_90K < apart_90k < PAUSE_90K:
            ahead_ns = _ns(media_90k + self._carry_90k) + self._offset_ns - read.utc_ns
            if apart_90k > 0 and ahead_ns < STEP_NS // 2 and self._step_since_ns is None:
                self.run = next_run(self.run, read.utc_ns)
                return True
            self._want_step(read)
            self._carry_90k += self._interval_90k - apart_90k
        assert self._step_since_ns is not None
        if not unit.key and read.monotonic_ns - self._step_since_ns < KEY_FRAME_WAIT_NS:
            return False
        self._begin(unit, read)
        return True

    def _want_step(self, read: _Read) -> None:
        if self._step_since_ns is None:
            self._step_since_ns = read.monotonic_ns
            self.steps += 1

    def _begin(self, unit: AccessUnit, read: _Read) -> None:
        """Start a run at a unit of this read."""
        media_90k = unit.rtp_timestamp
        stretch_end_90k, is_newest = read.stretch_from(unit)
        offset_ns = read.utc_ns - _ns(stretch_end_90k)
        if not is_newest and self._latest_capture_ns:
            # The read tells when its newest unit came, not when this stretch of it ended: that is where it began.
            offset_ns = min(offset_ns, self._latest_capture_ns + _ns(self._interval_90k) - _ns(media_90k))
        set_back = read.utc_ns < self._latest_capture_ns - STEP_NS
        if not set_back:
            offset_ns = max(offset_ns, self._latest_capture_ns + NS_PER_MS - _ns(media_90k))
        self.run = next_run(self.run, read.utc_ns)
        self._offset_ns = offset_ns
        self._carry_90k = 0
        self._step_since_ns = None
        self._mapped = True
        self.uncertainty_ms = UNSETTLED_UNCERTAINTY_MS
        self._delays = _Delays(read.monotonic_ns + WINDOW_NS)

    def _observe(self, read: _Read) -> None:
        """Learn from the newest unit of a read."""
        last = self._read
        elapsed_ns = read.monotonic_ns - last.monotonic_ns
        if abs(read.utc_ns - last.utc_ns - elapsed_ns) > CLOCK_STEP_NS:
            self._want_step(read)
        if self._step_since_ns is not None or not -PAUSE_90K < read.newest_90k - self._latest_90k < PAUSE_90K:
            return
        candidate_ns = read.utc_ns - _ns(read.newest_90k)
        minimum_ns = self._delays.add(candidate_ns, read.monotonic_ns)
        late_ns = minimum_ns - self._offset_ns if minimum_ns is not None else 0
        if candidate_ns < self._offset_ns - STEP_NS or late_ns > STEP_NS:
            self._want_step(read)
            return
        pending_ns = self._delays.smallest_ns - self._offset_ns
        if pending_ns > 0 and not self._delays.settled:
            pending_ns = 0  # the first batches may all have waited: later is believed after a whole window only
        most_ns = int(elapsed_ns * (LATE_RATE if pending_ns > 0 else EARLY_RATE))
        change_ns = max(-most_ns, min(most_ns, pending_ns))
        self._offset_ns += change_ns
        floor_ms = SETTLED_UNCERTAINTY_MS if self._delays.settled else UNSETTLED_UNCERTAINTY_MS
        self.uncertainty_ms = floor_ms + abs(pending_ns - change_ns) // NS_PER_MS


class _Delays:
    """The smallest offset that was seen in each of the last windows of time."""

    __slots__ = ("_current_ns", "_minima", "_window_end_ns", "smallest_ns")

    def __init__(self, window_end_ns: int = 0) -> None:
        self.smallest_ns = 0
        self._window_end_ns = window_end_ns
        self._current_ns: int | None = None
        self._minima: list[int] = []

    @property
    def settled(self) -> bool:
        """Whether one window is whole."""
        return bool(self._minima)

    def add(self, offset_ns: int, monotonic_ns: int) -> int | None:
        """Note an offset; the smallest of the window that it completes, or None while that one goes on."""
        current_ns = self._current_ns
        if current_ns is None or offset_ns < current_ns:
            self._current_ns = current_ns = offset_ns
            self.smallest_ns = min([*self._minima, current_ns])
        if monotonic_ns < self._window_end_ns:
            return None
        self._window_end_ns = monotonic_ns + WINDOW_NS
        self._minima = [*self._minima, current_ns][-WINDOWS:]
        self._current_ns = None
        self.smallest_ns = min(self._minima)
        return current_ns


def _ns(ticks_90k: int) -> int:
    return ticks_90k * 100_000 // 9
