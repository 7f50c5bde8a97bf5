"""How many cameras may be called at once: a thousand that are down must not starve the one that comes back.

Two bounds: attempts under way over all, and on one link (a commune). Cameras that failed the last time may only take
half of either, and wait for that half without holding a place of the other. Attempts on one link are also spaced, so
that a line that comes back is not filled with handshakes. Waiting is first come, first served.

An attempt on a camera that is away costs a socket and at most five seconds (`CONNECT_TIMEOUT_S`, `FIRST_ANSWER_S`), so
many may be under way: with a thousand cameras away, each is called about every forty seconds, and one that was there a
moment ago at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from vms.base.clock import NS_PER_SECOND, Clock

ATTEMPTS_AT_ONCE = 256
ATTEMPTS_PER_LINK = 8
LINK_SPACING_S = 0.02
FAILING_AFTER = 1


@dataclass(slots=True)
class _Link:
    under_way: asyncio.Semaphore
    failing: asyncio.Semaphore
    next_ns: int = 0
    users: int = field(default=0)


class ConnectionBudget:
    """The right to call a camera."""

    def __init__(
        self,
        clock: Clock,
        *,
        at_once: int = ATTEMPTS_AT_ONCE,
        per_link: int = ATTEMPTS_PER_LINK,
        link_spacing_s: float = LINK_SPACING_S,
    ) -> None:
        self._clock = clock
        self._per_link = per_link
        self._spacing_ns = round(link_spacing_s * NS_PER_SECOND)
        self._all = asyncio.Semaphore(at_once)
        self._failing = asyncio.Semaphore(max(1, at_once // 2))
        self._links: dict[str, _Link] = {}

    @asynccontextmanager
    async def attempt(self, link: str, failures: int = 0) -> AsyncIterator[None]:
        """Hold a place while a camera of `link` is called; `failures` is how often it failed in a row."""
        entry = self._links.get(link)
        if entry is None:
            failing = asyncio.Semaphore(max(1, self._per_link // 2))
            entry = self._links[link] = _Link(asyncio.Semaphore(self._per_link), failing)
        entry.users += 1
        try:
            async with AsyncExitStack() as held:
                if failures >= FAILING_AFTER:
                    await held.enter_async_context(entry.failing)
                    await held.enter_async_context(self._failing)
                await held.enter_async_context(entry.under_way)
                await self._space(entry)
                await held.enter_async_context(self._all)
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                self._links.pop(link, None)

    async def _space(self, link: _Link) -> None:
        now_ns = self._clock.monotonic_ns()
        wait_ns = max(0, link.next_ns - now_ns)
        link.next_ns = max(now_ns, link.next_ns) + self._spacing_ns
        if wait_ns:
            await self._clock.sleep(wait_ns / NS_PER_SECOND)
