"""One stream of a player: what it was asked for, and its answers one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import structlog

from recorder.live import playback_messages as messages
from recorder.live.leases import Lease
from recorder.live.messages import KIND_FRAGMENT, KIND_INIT
from recorder.live.playback_messages import FetchGroups
from recorder.playback.fetching import Config, Done, DoneReason, Event, GroupStream, Media
from recorder.playback.service import PlaybackService
from recorder.playback.walk import Damage, Hole
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

MAX_WAITING_REQUESTS = 16


class Outlet(Protocol):
    """The way to the player, shared by its streams; each message waits for its turn.

    `say` and `give` raise ConnectionError when the player is gone.
    """

    def notice(self, text: str) -> None:
        """Send a text message soon; what nobody takes is dropped, the oldest first."""

    async def say(self, stream: PlayerStream, text: str) -> None:
        """Send a text message, unless the stream's lease is over."""

    async def give(self, stream: PlayerStream, pieces: list[bytes | memoryview]) -> None:
        """Send a binary message, unless the stream's lease is over."""


class PlayerStream:
    """The requests of one stream. `sending` while a message of it is on its way."""

    def __init__(self, number: int, outlet: Outlet, service: PlaybackService) -> None:
        self.number = number
        self._service = service
        self._alarmed: set[str] = set()
        self.sending = False
        self.task: asyncio.Task[None] | None = None
        self._outlet = outlet
        self._lease: Lease | None = None
        self._requests: deque[tuple[int, FetchGroups]] = deque()
        self._something = asyncio.Event()
        self._asked = 0
        self._cancelled = 0
        self._generation = 0

    @property
    def lease(self) -> Lease:
        """The lease that this stream shows images under."""
        assert self._lease is not None, "a stream is given its lease when it is opened"
        return self._lease

    def begin(self, lease: Lease, source: GroupStream) -> asyncio.Task[None]:
        """Answer requests under a lease, out of a source, until the task is cancelled or the lease is over."""
        self._lease = lease
        self.task = asyncio.create_task(self._serve(source), name="playback stream")
        return self.task

    def ask(self, request: FetchGroups) -> bool:
        """Answer this too, after what was asked before; false when too much waits already."""
        if len(self._requests) >= MAX_WAITING_REQUESTS:
            return False
        self._asked += 1
        self._requests.append((self._asked, request))
        self._something.set()
        return True

    def cancel(self) -> None:
        """Leave everything that was asked so far."""
        self._cancelled = self._asked

    async def _serve(self, source: GroupStream) -> None:
        while self.lease.running:
            while not self._requests:
                self._something.clear()
                await self._something.wait()
            serial, request = self._requests.popleft()
            answer = self._service.fetch(source, request.fetch)
            try:
                done = Done(None, DoneReason.END)
                while serial > self._cancelled and self.lease.running:
                    event = await answer.next()
                    if event is None:
                        break
                    if isinstance(event, Done):
                        done = event
                    else:
                        await self._pass_on(request.request, event)
                if serial <= self._cancelled:
                    done = Done(None, DoneReason.CANCELLED)
            except VmsError as refused:
                log.error("playback ended by an error", code=refused.code, detail=refused.detail)
                await self._outlet.say(self, messages.refusal_text(self.number, request.request, refused))
            finally:
                await answer.close()
            await self._outlet.say(self, messages.done_text(self.number, request.request, done))

    async def _pass_on(self, request: int, event: Event) -> None:
        match event:
            case Config():
                self._generation += 1
                await self._outlet.say(self, messages.config_text(self.number, self._generation, event))
                await self._give(KIND_INIT, request, event.start_ns, [event.init], key=False)
            case Media():
                await self._give(KIND_FRAGMENT, request, event.start_ns, [*event.part.pieces], key=event.part.key)
                self._service.digests.check(event.found, self._alarm)
            case Hole():
                await self._outlet.say(self, messages.gap_text(self.number, request, event))
            case Damage():
                await self._outlet.say(self, messages.damage_text(self.number, request, event))

    def _alarm(self, damage: Damage) -> None:
        """Say once that a segment which was shown is not what was recorded."""
        if self.lease.running and damage.segment_id not in self._alarmed:
            self._alarmed.add(damage.segment_id)
            self._outlet.notice(messages.damage_text(self.number, None, damage))

    async def _give(
        self, kind: int, request: int, start_ns: int, pieces: list[bytes | memoryview], *, key: bool
    ) -> None:
        head = messages.head(kind, self.number, self._generation, start_ns, request, key=key)
        await self._outlet.give(self, [head, *pieces])
        self.lease.count(sum(map(len, pieces)), int(kind == KIND_FRAGMENT))
