"""One timer for all streams of a process: a wheel of short ticks, so that a wake-up serves every frame that is due.

The wheel also fixes the relation between the monotonic clock, by which frames are paced, and UTC, by which they find
their place in the film: taken once when the wheel is made, so that a step of the wall clock does not tear the streams
of one process apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from vms.base.clock import NS_PER_MS, NS_PER_SECOND, Clock

log = structlog.get_logger(__name__)

TICK_NS = 20 * NS_PER_MS

Callback = Callable[[int], None]


@dataclass(slots=True)
class Wheel:
    """Calls back at monotonic instants, late by at most one tick and by what the machine lacks."""

    clock: Clock
    tick_ns: int = TICK_NS
    epoch_ns: int = field(init=False)
    _slots: dict[int, list[Callback]] = field(default_factory=dict)
    _turned: int = field(init=False)

    def __post_init__(self) -> None:
        self.epoch_ns = self.clock.utc_ns() - self.clock.monotonic_ns()
        self._turned = self.clock.monotonic_ns() // self.tick_ns

    def utc_ns(self, monotonic_ns: int) -> int:
        """The UTC instant of a monotonic one."""
        return monotonic_ns + self.epoch_ns

    def monotonic_ns(self, utc_ns: int) -> int:
        """The monotonic instant of a UTC one."""
        return utc_ns - self.epoch_ns

    def at(self, monotonic_ns: int, callback: Callback) -> None:
        """Call `callback` with the time, at the first tick at or after `monotonic_ns`."""
        slot = max(-(-monotonic_ns // self.tick_ns), self._turned + 1)
        self._slots.setdefault(slot, []).append(callback)

    async def run(self) -> None:
        """Turn until cancelled."""
        while True:
            now_ns = self.clock.monotonic_ns()
            self._turn_to(now_ns)
            await self.clock.sleep(((self._turned + 1) * self.tick_ns - self.clock.monotonic_ns()) / NS_PER_SECOND)

    def _turn_to(self, now_ns: int) -> None:
        target = now_ns // self.tick_ns
        while self._turned < target:
            self._turned += 1
            for callback in self._slots.pop(self._turned, ()):
                try:
                    callback(now_ns)
                except Exception as failure:  # one stream's error must not stop the others
                    log.exception("a timed call failed", error=repr(failure))
