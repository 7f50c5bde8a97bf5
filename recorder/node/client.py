"""Speaking with a shard of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any, Union

import structlog

from recorder.contract.assignment import CameraAssignment, StreamRole
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import Timeline
from recorder.hub.queue import UnitQueue
from recorder.node import protocol
from recorder.node.protocol import (
    LiveUnit,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionNews,
    UnitsDropped,
)
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, read_frame

log = structlog.get_logger(__name__)

CONNECTION_BUFFER_BYTES = 1024 * 1024
DISKS_TIMEOUT_S = 15.0
"""What waits for every disk of a shard, among them one that hangs."""

_Answer = Union[dict[str, Any], "Subscription"]


class Subscription:
    """The events of one stream, in order: `async for event in subscription`. The last one is SubscriptionEnded.

    A consumer that is too slow loses units from its own queue, counted in UnitsDropped, and goes on at a key frame.
    """

    def __init__(self, connection: _Connection, number: int, camera_id: str, role: StreamRole) -> None:
        self.number = number
        self.camera_id = camera_id
        self.role = role
        self._connection = connection
        self._queue: UnitQueue[LiveUnit, SubscriptionNews] = UnitQueue(UnitsDropped)
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[SubscriptionEvent]:
        while True:
            event = await self._queue.next()
            yield event
            if isinstance(event, SubscriptionEnded):
                return

    async def close(self) -> None:
        """Stop; iteration ends. Closing twice is fine."""
        if not self._ended:
            self._connection.forget(self.number)
            self.push(SubscriptionEnded("closed"))

    def push(self, event: SubscriptionEvent) -> None:
        """Queue an event that the connection has read."""
        if self._ended:
            return
        if isinstance(event, LiveUnit):
            self._queue.push(event, len(event.data), key=event.key)
            return
        self._ended = isinstance(event, SubscriptionEnded)
        self._queue.push_news(event)


class _Connection:
    """One open connection: requests matched with answers, pushes handed to subscriptions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open = True
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._calls: dict[int, tuple[asyncio.Future[_Answer], tuple[str, StreamRole] | None]] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._listener = asyncio.create_task(self._listen(), name="shard connection")

    async def call(self, request: dict[str, Any], subscribe: tuple[str, StreamRole] | None = None) -> _Answer:
        number = next(self._ids)
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._calls[number] = (answer, subscribe)
        self._writer.write(protocol.json_message({"id": number, **request}))
        try:
            await self._writer.drain()
            return await answer
        except ConnectionError:
            raise _unavailable("connection lost") from None
        finally:
            if subscribe is None or answer.done():
                self._calls.pop(number, None)

    def forget(self, subscription: int) -> None:
        """Tell the shard that nobody listens any more."""
        if self._subscriptions.pop(subscription, None) is None or not self.open:
            return
        self._writer.write(
            protocol.json_message({"id": next(self._ids), "op": "unsubscribe", "subscription": subscription})
        )

    async def close(self) -> None:
        self._listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listener

    async def _listen(self) -> None:
        try:
            while (content := await read_frame(self._reader)) is not None:
                self._handle(content)
        except (FrameError, ConnectionError) as broken:
            log.warning("shard connection broken", error=repr(broken))
        finally:
            self.open = False
            self._writer.close()
            for answer, _ in self._calls.values():
                if not answer.done():
                    answer.set_exception(_unavailable("connection closed"))
            for subscription in self._subscriptions.values():
                subscription.push(SubscriptionEnded("shard_lost"))
            self._subscriptions.clear()

    def _handle(self, content: bytes) -> None:
        mark = content[:1]
        if mark == protocol.UNIT_MARK:
            number, unit = protocol.parse_unit(content)
            subscription = self._subscriptions.get(number)
            if subscription is not None:
                subscription.push(unit)
            return
        if mark != protocol.JSON_MARK:
            raise FrameError("frame of an unknown kind")
        message = protocol.parse_json(content[1:])
        if "event" in message:
            self._handle_event(message)
        else:
            self._handle_answer(message)

    def _handle_event(self, message: dict[str, Any]) -> None:
        subscription = self._subscriptions.get(message.get("subscription", -1))
        if subscription is None:
            return
        event = protocol.event_from_json(message)
        subscription.push(event)
        if isinstance(event, SubscriptionEnded):
            del self._subscriptions[subscription.number]

    def _handle_answer(self, message: dict[str, Any]) -> None:
        call = self._calls.pop(message.get("id", -1), None)
        if call is None:
            return
        answer, subscribe = call
        if message.get("ok") is not True:
            if not answer.done():
                answer.set_exception(protocol.error_from_json(message))
            return
        result: _Answer = message
        if subscribe is not None:
            # Made here and not by the caller, as units may stand right behind this answer.
            result = Subscription(self, int(message["subscription"]), *subscribe)
            self._subscriptions[result.number] = result
        if answer.done():
            if isinstance(result, Subscription):
                self.forget(result.number)
            return
        answer.set_result(result)


class ShardClient:
    """One connection to one shard, made when it is first needed and made again after it broke.

    Every call raises VmsError `recorder.unavailable` (kind unavailable) when the shard does not answer in time.
    """

    def __init__(self, socket: Path, *, timeout_s: float = 3.0) -> None:
        self._socket = socket
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def assign(self, assignments: Collection[CameraAssignment]) -> None:
        """Make these, and no others, the cameras of the shard."""
        cameras = [protocol.assignment_to_json(assignment) for assignment in assignments]
        await self._ask({"op": "assign", "cameras": cameras})

    async def statuses(self) -> list[StreamStatus]:
        """The state of every stream of the shard."""
        answer = await self._ask({"op": "statuses"})
        return [protocol.status_from_json(status) for status in answer["statuses"]]

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What the shard holds of a camera; a VmsError of kind not_found for one that it never had."""
        answer = await self._ask({"op": "timeline", "camera_id": camera_id, "start_ns": start_ns, "end_ns": end_ns})
        return protocol.timeline_from_json(answer["timeline"])

    async def place_hold(self, hold: Hold) -> HeldRange:
        """Keep a range on every disk of the shard; durable when it returns."""
        answer = await self._ask({"op": "place_hold", "hold": protocol.hold_to_json(hold)}, DISKS_TIMEOUT_S)
        return protocol.held_from_json(answer["held"])

    async def release_hold(self, release: HoldRelease) -> None:
        """Let go of a hold; a VmsError of kind not_found for one that the shard does not have."""
        await self._ask({"op": "release_hold", "release": asdict(release)}, DISKS_TIMEOUT_S)

    async def holds(self) -> list[HeldRange]:
        """Every hold in force at the shard."""
        answer = await self._ask({"op": "holds"}, DISKS_TIMEOUT_S)
        return [protocol.held_from_json(held) for held in answer["holds"]]

    async def capacity(self) -> list[DiskCapacity]:
        """Every disk of the shard."""
        answer = await self._ask({"op": "capacity"}, DISKS_TIMEOUT_S)
        return [protocol.capacity_from_json(disk) for disk in answer["disks"]]

    async def confirm_clock(self) -> None:
        """Tell the shard that its wall clock is right."""
        await self._ask({"op": "confirm_clock"})

    async def counters(self) -> dict[str, Any]:
        """What the shard has counted since it started, per stream: `{"streams": [{...}], ...}`."""
        return await self._ask({"op": "counters"})

    async def subscribe(self, camera_id: str, role: StreamRole) -> Subscription:
        """The live units of a stream, from its last key frame on; a VmsError of kind not_found for a camera unknown."""
        request = {"op": "subscribe", "camera_id": camera_id, "role": role.value}
        subscription = await self._call(request, (camera_id, role))
        assert isinstance(subscription, Subscription)
        return subscription

    async def close(self) -> None:
        """End every subscription and the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _ask(self, request: dict[str, Any], timeout_s: float = 0.0) -> dict[str, Any]:
        answer = await self._call(request, timeout_s=max(timeout_s, self._timeout_s))
        assert isinstance(answer, dict)
        return answer

    async def _call(
        self,
        request: dict[str, Any],
        subscribe: tuple[str, StreamRole] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> _Answer:
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._connected()
                return await connection.call(request, subscribe)
        except TimeoutError:
            raise _unavailable(f"no answer to {request['op']} within {limit_s} s") from None

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or not self._connection.open:
                try:
                    streams = await asyncio.open_unix_connection(self._socket, limit=CONNECTION_BUFFER_BYTES)
                except OSError as refused:
                    raise _unavailable(f"{self._socket}: {refused.strerror}") from None
                self._connection = _Connection(*streams)
            return self._connection


def _unavailable(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "recorder.unavailable",
        "L'enregistreur ne répond pas.",
        hint="Il reprend de lui-même dès que son processus est relancé : réessayez dans quelques secondes.",
        detail=detail,
    )
