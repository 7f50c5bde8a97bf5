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
   arrive before their time, a delay that stays, a step of the server's own clock, a pause without pictures.
5. No unit is ever dropped for its time stamp. Within one run captures follow media time; a new run never begins before
   the last capture of the one before it, unless the server's clock itself was set back.
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
WINDOW_NS = 10 * NS_PER_SECOND
WINDOWS = 6
LATE_RATE = 0.000_5
"""Drift towards later, in seconds a second: ten times what a bad crystal does."""
EARLY_RATE = 0.02
"""Drift towards earlier: the map is known to be wrong, as a picture came before its time."""
SETTLED_UNCERTAINTY_MS = 40
UNSETTLED_UNCERTAINTY_MS = 200


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


class Timeline:
    """The map of one stream. Times are nanoseconds, media times are ticks of 90 kHz."""

    def __init__(self, last_run: int = 0) -> None:
        self.run = last_run
        self.steps = 0
        self.uncertainty_ms = UNSETTLED_UNCERTAINTY_MS
        self.camera_clock = CameraClock()
        self._offset_ns = 0
        self._mapped = False
        self._latest_90k = 0
        self._latest_capture_ns = 0
        self._read_utc_ns = 0
        self._read_monotonic_ns = 0
        self._window_end_ns = 0
        self._minimum_ns = 0
        self._observed = False
        self._minima: list[int] = []

    def restart(self) -> None:
        """A new connection: whatever comes next starts a new run."""
        self._mapped = False

    def date(self, units: Sequence[AccessUnit], read_utc_ns: int, read_monotonic_ns: int) -> list[DatedUnit]:
        """Place the units of one read; `read_…` are both clocks just after it."""
        if not units:
            return []
        if self._mapped and self._server_clock_stepped(read_utc_ns, read_monotonic_ns):
            self._mapped = False
        newest_ns = _ns(units[-1].rtp_timestamp)
        starts = False
        if self._mapped:
            elapsed_ns = read_monotonic_ns - self._read_monotonic_ns
            starts = self._observe(read_utc_ns - newest_ns, read_monotonic_ns, elapsed_ns, units)
        else:
            self._begin(read_utc_ns - newest_ns, read_utc_ns, read_monotonic_ns)
            self._latest_90k = units[0].rtp_timestamp
            starts = True
        self._read_utc_ns = read_utc_ns
        self._read_monotonic_ns = read_monotonic_ns
        return self._place(units, read_utc_ns, read_monotonic_ns, starts=starts)

    def measure_camera_clock(self, report: SenderReport) -> None:
        """Compare the camera's clock with ours, by a sender report of the present run."""
        if not self._mapped:
            return
        media_90k = unwrap_timestamp(self._latest_90k, report.rtp_timestamp)
        if abs(media_90k - self._latest_90k) > 10 * RTP_CLOCK_HZ:
            return
        self.camera_clock.measure(report.ntp_utc_ns - _ns(media_90k) - self._offset_ns, self._read_utc_ns)

    def _place(
        self, units: Sequence[AccessUnit], read_utc_ns: int, read_monotonic_ns: int, *, starts: bool
    ) -> list[DatedUnit]:
        offset_ns, run, uncertainty_ms, latest_90k = self._offset_ns, self.run, self.uncertainty_ms, self._latest_90k
        capture_ns = self._latest_capture_ns
        dated: list[DatedUnit] = []
        append = dated.append
        for unit in units:
            media_90k = unit.rtp_timestamp
            if not -PAUSE_90K < media_90k - latest_90k < PAUSE_90K:
                self._latest_capture_ns = capture_ns
                self._leap(media_90k, latest_90k, units[-1], read_utc_ns, read_monotonic_ns)
                offset_ns, run, uncertainty_ms, starts = self._offset_ns, self.run, self.uncertainty_ms, True
            capture_ns = media_90k * 100_000 // 9 + offset_ns
            append(DatedUnit(unit, capture_ns, run, uncertainty_ms, starts))
            starts = False
            latest_90k = media_90k
        self._latest_90k = latest_90k
        self._latest_capture_ns = capture_ns
        return dated

    def _leap(
        self, media_90k: int, latest_90k: int, newest: AccessUnit, read_utc_ns: int, read_monotonic_ns: int
    ) -> None:
        """Media time left its run: a pause of the camera keeps the map, a step needs another one."""
        ahead_ns = _ns(media_90k) + self._offset_ns - read_utc_ns
        if media_90k > latest_90k and ahead_ns < STEP_NS // 2:
            self.run = next_run(self.run, read_utc_ns)
            return
        self.steps += 1
        after_newest_90k = newest.rtp_timestamp - media_90k
        if 0 <= after_newest_90k < PAUSE_90K:
            offset_ns = read_utc_ns - _ns(newest.rtp_timestamp)
        else:
            # More leaps follow in this batch, so its newest unit says nothing of this one.
            offset_ns = min(read_utc_ns, self._latest_capture_ns + NS_PER_SECOND // 25) - _ns(media_90k)
        earliest_ns = self._latest_capture_ns + NS_PER_MS - _ns(media_90k)
        self._begin(max(offset_ns, earliest_ns), read_utc_ns, read_monotonic_ns)

    def _begin(self, offset_ns: int, read_utc_ns: int, read_monotonic_ns: int) -> None:
        self.run = next_run(self.run, read_utc_ns)
        self._offset_ns = offset_ns
        self._mapped = True
        self.uncertainty_ms = UNSETTLED_UNCERTAINTY_MS
        self._minima.clear()
        self._observed = False
        self._window_end_ns = read_monotonic_ns + WINDOW_NS

    def _observe(self, delay_ns: int, read_monotonic_ns: int, elapsed_ns: int, units: Sequence[AccessUnit]) -> bool:
        """Learn from the newest unit of a read; whether that made a new run. `delay_ns` is a candidate offset."""
        if not -PAUSE_90K < units[-1].rtp_timestamp - self._latest_90k < PAUSE_90K:
            return False  # a leap: `_place` decides
        if delay_ns < self._offset_ns - STEP_NS:
            return self._step(delay_ns, read_monotonic_ns, units)
        if not self._observed or delay_ns < self._minimum_ns:
            self._minimum_ns = delay_ns
            self._observed = True
        if read_monotonic_ns >= self._window_end_ns:
            self._minima.append(self._minimum_ns)
            del self._minima[:-WINDOWS]
            self._window_end_ns = read_monotonic_ns + WINDOW_NS
            window_minimum_ns, self._observed = self._minimum_ns, False
            if window_minimum_ns > self._offset_ns + STEP_NS:
                return self._step(window_minimum_ns, read_monotonic_ns, units)
        self._drift(elapsed_ns)
        return False

    def _step(self, offset_ns: int, read_monotonic_ns: int, units: Sequence[AccessUnit]) -> bool:
        self.steps += 1
        read_utc_ns = offset_ns + _ns(units[-1].rtp_timestamp)
        earliest_ns = self._latest_capture_ns + NS_PER_MS - _ns(units[0].rtp_timestamp)
        self._begin(max(offset_ns, earliest_ns), read_utc_ns, read_monotonic_ns)
        return True

    def _drift(self, elapsed_ns: int) -> None:
        candidates = [*self._minima, self._minimum_ns] if self._observed else self._minima
        pending_ns = min(candidates) - self._offset_ns
        if pending_ns > 0 and not self._minima:
            # One window must be whole before a later date is believed: the first batches may all have waited.
            pending_ns = 0
        rate = LATE_RATE if pending_ns > 0 else EARLY_RATE
        most_ns = int(elapsed_ns * rate)
        change_ns = max(-most_ns, min(most_ns, pending_ns))
        self._offset_ns += change_ns
        floor_ms = SETTLED_UNCERTAINTY_MS if self._minima else UNSETTLED_UNCERTAINTY_MS
        self.uncertainty_ms = floor_ms + abs(pending_ns - change_ns) // NS_PER_MS

    def _server_clock_stepped(self, read_utc_ns: int, read_monotonic_ns: int) -> bool:
        drift_ns = (read_utc_ns - self._read_utc_ns) - (read_monotonic_ns - self._read_monotonic_ns)
        if -CLOCK_STEP_NS < drift_ns < CLOCK_STEP_NS:
            return False
        self.steps += 1
        return True


def _ns(ticks_90k: int) -> int:
    return ticks_90k * 100_000 // 9
