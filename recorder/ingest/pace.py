"""When sockets are read: all of them about once a second, spread over the second.

A timing wheel with one timer for every stream of the shard. Most streams are recorded and not watched: they are read
when their slot comes, in one call, and never wake the loop in between. A stream that somebody watches is read on
arrival besides. A stream whose reads come near to filling its socket buffer gets shorter turns by itself.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
SLOTS = 20


class Paced(Protocol):
    """What the wheel visits."""

    def visit(self) -> int:
        """Do what is due and return after how many slots (1 to `SLOTS`) to come again. Must not raise."""


class Wheel:
    """Visits each member once in its turn. `start` and `stop` belong to the loop that runs it."""

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self._slot_s = period_s / SLOTS
        self._slots: list[list[Paced]] = [[] for _ in range(SLOTS)]
        self._members: set[Paced] = set()
        self._position = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to turn."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._slot_s
        self._timer = loop.call_at(self._due, self._turn)

    def stop(self) -> None:
        """Turn no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, member: Paced) -> None:
        """Visit this member from now on, in the slot that has the fewest."""
        ahead = min(range(1, SLOTS + 1), key=lambda slots: len(self._slots[(self._position + slots) % SLOTS]))
        self._members.add(member)
        self._slots[(self._position + ahead) % SLOTS].append(member)

    def remove(self, member: Paced) -> None:
        """Visit it no more; one that is not there is fine."""
        self._members.discard(member)
        for slot in self._slots:
            if member in slot:
                slot.remove(member)

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._position = (self._position + 1) % SLOTS
        due, self._slots[self._position] = self._slots[self._position], []
        for member in due:
            if member not in self._members:
                continue
            try:
                slots = member.visit()
            except Exception:
                log.exception("visit failed")
                slots = SLOTS
            if member in self._members:
                self._slots[(self._position + min(max(slots, 1), SLOTS)) % SLOTS].append(member)
        # After a pause of the whole process the missed slots are not made up for: their sockets have waited anyway.
        self._due = max(self._due + self._slot_s, loop.time() + self._slot_s / 4)
        self._timer = loop.call_at(self._due, self._turn)


class Turn:
    """How long the turns of one stream are, learnt from how much each read gives."""

    __slots__ = ("slots",)

    def __init__(self) -> None:
        self.slots = SLOTS

    def after(self, read_bytes: int, capacity_bytes: int) -> int:
        """The slots until the next read: half as many when the buffer was half full, more again when it was not.

        `capacity_bytes` is what the socket holds at present; a system that allows no large buffers grows it slowly.
        """
        if read_bytes > capacity_bytes // 2:
            self.slots = max(1, self.slots // 2)
        elif read_bytes < capacity_bytes // 6 and self.slots < SLOTS:
            self.slots += 1
        return self.slots
