"""Pull points: bounded queues of what a camera noticed, each with a lease.

A reader that does not pull loses the oldest messages first; a subscription that is not renewed ends by itself.
Source: ONVIF Core Specification, 9.2 (real-time pull-point notification interface).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

MAXIMUM_PULL_POINTS: Final = 16
MAXIMUM_QUEUED = 128
MOTION_TOPIC = "tns1:RuleEngine/CellMotionDetector/Motion"


@dataclass(frozen=True, slots=True)
class Notice:
    """A change that the camera reports: motion begins or ends. `operation` is Initialized or Changed."""

    at_ns: int
    motion: bool
    operation: str


@dataclass(slots=True)
class PullPoint:
    """One subscription; `ends_ns` is in the camera's own UTC clock."""

    number: int
    ends_ns: int
    queue: deque[Notice] = field(default_factory=lambda: deque(maxlen=MAXIMUM_QUEUED))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def put(self, notice: Notice) -> None:
        """Queue a notice and wake whoever pulls."""
        self.queue.append(notice)
        self.arrived.set()

    def take(self, limit: int) -> list[Notice]:
        """At most `limit` notices, oldest first."""
        taken = [self.queue.popleft() for _ in range(min(limit, len(self.queue)))]
        if not self.queue and not self.closed:
            self.arrived.clear()
        return taken

    def close(self) -> None:
        """End the subscription and wake whoever pulls."""
        self.closed = True
        self.arrived.set()


@dataclass(slots=True)
class PullPoints:
    """The subscriptions of one camera."""

    motion: bool = False
    _points: dict[int, PullPoint] = field(default_factory=dict)
    _next: int = 1

    def open(self, now_ns: int, ends_ns: int) -> PullPoint | None:
        """A new subscription that begins with the present state; None when all are taken."""
        self._expire(now_ns)
        if len(self._points) >= MAXIMUM_PULL_POINTS:
            return None
        point = PullPoint(self._next, ends_ns)
        self._next += 1
        self._points[point.number] = point
        point.put(Notice(now_ns, self.motion, "Initialized"))
        return point

    def get(self, number: int, now_ns: int) -> PullPoint | None:
        """A live subscription by its number."""
        self._expire(now_ns)
        return self._points.get(number)

    def drop(self, number: int) -> None:
        """End a subscription."""
        point = self._points.pop(number, None)
        if point is not None:
            point.close()

    def set_motion(self, now_ns: int, motion: bool) -> None:
        """Report the state of the motion detector to every subscription, when it changed."""
        if motion == self.motion:
            return
        self.motion = motion
        self._expire(now_ns)
        for point in self._points.values():
            point.put(Notice(now_ns, motion, "Changed"))

    def close(self) -> None:
        """End every subscription, as a reboot does."""
        for number in tuple(self._points):
            self.drop(number)

    def _expire(self, now_ns: int) -> None:
        for number in [each.number for each in self._points.values() if each.ends_ns <= now_ns]:
            self.drop(number)
