"""What a shard says to the access log, in the order in which it happened, without making anything wait (LAW-25).

The sink writes to a disk, so it is called in a thread of its own; a sink that fails is logged and tried again with the
next event. Recording never depends on it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

import structlog

from access_audit.events import AccessEvent, Author, EventKind, Reason
from recorder.contract.assignment import CameraAssignment
from recorder.node.events import EventSink
from vms.base.clock import Clock

log = structlog.get_logger(__name__)

MAX_WAITING = 10_000
RETRY_S = 5.0
RECORDING_REASON = Reason("recording")


class ShardJournal:
    """Hands events to a sink. `run` until it is cancelled; `flush` before the end."""

    def __init__(self, sink: EventSink, shard_name: str, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self.author = Author(shard_name, shard_name, "system")
        self._waiting: deque[AccessEvent] = deque()
        self._wake = asyncio.Event()

    def note(self, kind: EventKind, assignment: CameraAssignment, **details: str) -> None:
        """Something happened to the recording of this camera, now."""
        self.put(
            AccessEvent(
                kind,
                self.author,
                self._clock.utc_ns(),
                RECORDING_REASON,
                commune=assignment.commune,
                camera_id=assignment.camera_id,
                details=details,
            )
        )

    def put(self, event: AccessEvent) -> None:
        """Queue an event."""
        if len(self._waiting) >= MAX_WAITING:
            log.error("event lost: the sink takes nothing", kind=event.kind, camera_id=event.camera_id)
            return
        self._waiting.append(event)
        self._wake.set()

    async def keep(self, event: AccessEvent) -> None:
        """Hand an event over now; durable when it returns. Raises what the sink raises."""
        await asyncio.to_thread(self._sink.append, event)

    async def run(self) -> None:
        """Hand over what is queued, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self.flush():
                await self._clock.sleep(RETRY_S)
                self._wake.set()

    async def flush(self) -> bool:
        """Hand over what is queued; False when the sink failed, and the rest stays queued."""
        while self._waiting:
            try:
                await asyncio.to_thread(self._sink.append, self._waiting[0])
            except Exception:
                log.exception("event sink failed")
                return False
            with contextlib.suppress(IndexError):
                self._waiting.popleft()
        return True
