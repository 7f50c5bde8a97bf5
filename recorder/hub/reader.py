"""Readers of a hub, and the bounded queue that most of them are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.contract.status import StreamStatus
from recorder.hub.queue import MAX_QUEUED_BYTES, MAX_QUEUED_UNITS, UnitQueue
from recorder.hub.unit import DatedUnit


class HubReader(Protocol):
    """Who takes the units of one stream. No method may wait, or change a unit.

    `urgent` readers need each unit as it arrives: while one is attached, the stream is read at the watched pace.
    """

    @property
    def urgent(self) -> bool:
        """Whether units are wanted at once."""

    def deliver(self, units: Sequence[DatedUnit]) -> None:
        """Take the next units, in order."""

    def status_changed(self, status: StreamStatus) -> None:
        """Know that the stream does something else now."""

    def ended(self, cause: str) -> None:
        """Know that nothing more will come."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """So many units are missing here, because this reader was too slow."""

    units: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come, and why."""

    cause: str


News = StreamStatus | Dropped | Ended


class QueuedReader:
    """A reader in its own time, behind a bounded queue. Iterate with `next`; after `Ended` there is nothing."""

    def __init__(
        self, *, urgent: bool = True, max_units: int = MAX_QUEUED_UNITS, max_bytes: int = MAX_QUEUED_BYTES
    ) -> None:
        self._urgent = urgent
        self._queue: UnitQueue[DatedUnit, News] = UnitQueue(Dropped, max_units=max_units, max_bytes=max_bytes)

    @property
    def urgent(self) -> bool:
        return self._urgent

    @property
    def dropped_units(self) -> int:
        """How many units this reader has lost since it came."""
        return self._queue.dropped_units

    def deliver(self, units: Sequence[DatedUnit]) -> None:
        push = self._queue.push
        for dated in units:
            unit = dated.unit
            push(dated, unit.size, key=unit.key)

    def status_changed(self, status: StreamStatus) -> None:
        self._queue.push_news(status)

    def ended(self, cause: str) -> None:
        self._queue.push_news(Ended(cause))

    async def next(self) -> DatedUnit | News:
        """Wait for the next item and take it."""
        return await self._queue.next()
