"""Time, as a value that is handed in.

Every decision of the product takes its time from a `Clock`, so that a test can live through a retention of thirty
days, a clock step or a daylight-saving night in a millisecond. Instants are integers of nanoseconds since the Unix
epoch (UTC); local time exists only on a screen.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime
from typing import Protocol

NS_PER_SECOND = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Where the time comes from.

    `utc_ns` may step, as any wall clock does; `monotonic_ns` never goes back and has no meaning beyond differences.
    """

    def utc_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never steps."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's monotonic time."""


class SystemClock:
    """The clock of the machine."""

    def utc_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when it is told to, for tests.

    Sleepers wake in the order of their instants while `advance` moves the clock; `step_utc` moves the wall clock
    alone, as a correction by NTP would.
    """

    def __init__(self, utc_ns: int = 1_767_225_600 * NS_PER_SECOND) -> None:
        self._utc_ns = utc_ns
        self._monotonic_ns = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def utc_ns(self) -> int:
        return self._utc_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def step_utc(self, seconds: float) -> None:
        """Move the wall clock by `seconds` (either sign) while monotonic time stands still."""
        self._utc_ns += round(seconds * NS_PER_SECOND)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wakes_at = self._monotonic_ns + round(seconds * NS_PER_SECOND)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (wakes_at, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move both clocks forward, waking each sleeper at its own instant."""
        target = self._monotonic_ns + round(seconds * NS_PER_SECOND)
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= target:
            wakes_at, _, waiter = heapq.heappop(self._sleepers)
            self._move_to(wakes_at)
            if not waiter.done():
                waiter.set_result(None)
            await _let_others_run()
        self._move_to(target)

    def _move_to(self, monotonic_ns: int) -> None:
        self._utc_ns += monotonic_ns - self._monotonic_ns
        self._monotonic_ns = monotonic_ns


async def _let_others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def utc_text(utc_ns: int) -> str:
    """RFC 3339 text of an instant, to the millisecond: `2026-11-24T08:13:00.125Z`."""
    moment = datetime.fromtimestamp(utc_ns // NS_PER_SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{utc_ns % NS_PER_SECOND // NS_PER_MS:03d}Z"


def parse_utc(text: str) -> int:
    """Nanoseconds of an RFC 3339 instant; the offset is mandatory.

    Raises ValueError when the text is no instant or names no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the instant {text!r} names no offset from UTC")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * NS_PER_SECOND + moment.microsecond * 1_000
