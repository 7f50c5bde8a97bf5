"""Whether the wall clock may be believed, before anything is erased by it.

Images are erased by the wall clock, and cannot come back. A clock that leaps ahead would erase a month in a minute.

Rules
1. A clock that runs ahead of monotonic time by more than ten minutes between two looks is in doubt. So is one that is
   more than a day ahead of what was last seen before a restart: whether the machine was off, or its clock is wrong,
   cannot be told.
2. Doubt ends when the kernel says that its clock is synchronised (NTP), when the clock comes back, or when an
   administrator confirms it. Until then nothing is erased.
3. A clock that goes back only delays erasure, and may come forth again to where it would have been; a store does not
   start behind its newest images (`store.clock_behind`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vms.base.clock import NS_PER_SECOND, Clock

MAX_LEAP_NS: Final = 600 * NS_PER_SECOND
MAX_OFF_NS: Final = 86_400 * NS_PER_SECOND
_TIMEX_BYTES: Final = 512
_TIME_ERROR: Final = 5


class Verdict(StrEnum):
    """How the clock came into doubt, or out of it."""

    LEAPT = "clock_leapt"
    SYNCHRONISED = "synchronised"
    CAME_BACK = "came_back"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Change:
    """The guard changed its mind: to what, and how far the clock was ahead of what was expected."""

    verdict: Verdict
    leap_ns: int

    @property
    def trusted(self) -> bool:
        """Whether the clock is believed from now on."""
        return self.verdict is not Verdict.LEAPT


def kernel_synchronised() -> bool:
    """Whether the kernel's clock is disciplined by a time service. False where it does not tell.

    Source: adjtimex(2); a clock that is set by hand is unsynchronised from then on.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= int(state) < _TIME_ERROR


class ClockGuard:
    """Watches the clock of a process. `seen_ns` is the wall clock as it was last seen before, 0 when never.

    `tell` hears of each change; it must not block.
    """

    def __init__(
        self,
        clock: Clock,
        seen_ns: int,
        tell: Callable[[Change], None],
        synchronised: Callable[[], bool] = kernel_synchronised,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._synchronised = synchronised
        self._utc_ns = seen_ns or clock.utc_ns()
        self._monotonic_ns = clock.monotonic_ns()
        self._leap_ns = 0
        if self._ahead_ns() > MAX_OFF_NS:
            self._doubt()
        else:
            self._look()

    @property
    def trusted_ns(self) -> int:
        """The wall clock as far as it is believed now."""
        return min(self._clock.utc_ns(), self._clock.utc_ns() - self._ahead_ns())

    @property
    def doubted(self) -> bool:
        """Whether the clock was in doubt at the last look."""
        return bool(self._leap_ns)

    def trusted(self) -> bool:
        """Look at the clock: whether it may be believed now."""
        ahead_ns = self._ahead_ns()
        if not self._leap_ns:
            if ahead_ns > MAX_LEAP_NS:
                self._doubt()
            elif ahead_ns >= -MAX_LEAP_NS:
                self._look()
        elif ahead_ns <= MAX_LEAP_NS:
            self._believe(Verdict.CAME_BACK)
        if self._leap_ns and self._synchronised():
            self._believe(Verdict.SYNCHRONISED)
        return not self._leap_ns

    def confirm(self) -> None:
        """An administrator says that the clock is right."""
        self.trusted()
        if self._leap_ns:
            self._believe(Verdict.CONFIRMED)

    def _ahead_ns(self) -> int:
        return self._clock.utc_ns() - self._utc_ns - (self._clock.monotonic_ns() - self._monotonic_ns)

    def _look(self) -> None:
        self._utc_ns, self._monotonic_ns = self._clock.utc_ns(), self._clock.monotonic_ns()

    def _doubt(self) -> None:
        self._leap_ns = self._ahead_ns()
        self._tell(Change(Verdict.LEAPT, self._leap_ns))

    def _believe(self, verdict: Verdict) -> None:
        leap_ns, self._leap_ns = self._leap_ns, 0
        self._look()
        self._tell(Change(verdict, leap_ns))
