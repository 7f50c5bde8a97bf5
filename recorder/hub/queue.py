"""The bounded queue between a stream and a slow reader: what is lost is counted, what is kept can be decoded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

U = TypeVar("U")
N = TypeVar("N")

MAX_QUEUED_UNITS = 500
MAX_QUEUED_BYTES = 12 * 1024 * 1024
MAX_QUEUED_NEWS = 200


class UnitQueue(Generic[U, N]):
    """Units, and news between them, for one reader in its own time.

    A unit that does not fit is lost, with all that follow it up to the next key frame that fits; what `dropped` makes
    of their number stands before that key frame. News are always kept, up to a bound that only a reader that has
    stopped can reach; beyond it the queue is `stuck` and takes nothing more.
    """

    def __init__(
        self,
        dropped: Callable[[int], N],
        *,
        max_units: int = MAX_QUEUED_UNITS,
        max_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self.dropped_units = 0
        self.stuck = False
        self._make_dropped = dropped
        self._max_units = max_units
        self._max_bytes = max_bytes
        self._items: deque[tuple[U | N, int]] = deque()
        self._units = 0
        self._bytes = 0
        self._skipped = 0
        self._waiter: asyncio.Future[None] | None = None

    def push(self, unit: U, size: int, *, key: bool) -> None:
        """Queue one unit of `size` bytes, or lose it."""
        fits = self._units < self._max_units and self._bytes + size <= self._max_bytes
        if not fits or (self._skipped and not key):
            self._skipped += 1
            self.dropped_units += 1
            return
        if self._skipped:
            self.push_news(self._make_dropped(self._skipped))
            self._skipped = 0
        self._items.append((unit, size))
        self._units += 1
        self._bytes += size
        self._wake()

    def push_news(self, news: N) -> None:
        """Queue something that is no unit."""
        if len(self._items) - self._units >= MAX_QUEUED_NEWS:
            self.stuck = True
            return
        self._items.append((news, -1))
        self._wake()

    async def next(self) -> U | N:
        """Wait for the next item and take it. For one reader at a time."""
        while not self._items:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        item, size = self._items.popleft()
        if size >= 0:
            self._units -= 1
            self._bytes -= size
        return item

    def __len__(self) -> int:
        return len(self._items)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
