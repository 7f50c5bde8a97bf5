"""The Unix socket of a shard: requests answered one after the other, subscriptions pushed beside them.

Only processes of the same user reach the socket. A client that breaks the protocol is cut off; one that reads too
slowly loses units from its own queues.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any, Protocol

import structlog

from recorder.contract.assignment import CameraAssignment, StreamRole
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import Timeline
from recorder.hub.reader import Dropped, Ended, HubReader, QueuedReader
from recorder.hub.unit import DatedUnit
from recorder.node import protocol
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, read_frame
from vms.media.access_unit import ParameterSets

log = structlog.get_logger(__name__)

MAX_SUBSCRIPTIONS = 1_000
MAX_UNSENT_BYTES = 512 * 1024
_OWNER_ONLY = 0o600


class ShardOperations(Protocol):
    """What a shard does for its clients."""

    async def assign(self, assignments: list[CameraAssignment]) -> None:
        """Make these, and no others, the cameras of the shard."""

    def statuses(self) -> list[StreamStatus]:
        """The state of every stream."""

    def counters(self) -> dict[str, Any]:
        """What has been counted."""

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What is held of a camera."""

    async def place_hold(self, hold: Hold) -> HeldRange:
        """Keep a range on every disk."""

    async def release_hold(self, release: HoldRelease) -> None:
        """Let go of a hold."""

    async def holds(self) -> list[HeldRange]:
        """Every hold in force."""

    async def capacity(self) -> list[DiskCapacity]:
        """Every disk of the shard."""

    def confirm_clock(self) -> None:
        """An administrator says that the wall clock is right."""

    def attach(self, camera_id: str, role: StreamRole, reader: HubReader) -> None:
        """Add a reader to a stream; VmsError of kind not_found or forbidden."""

    def detach(self, camera_id: str, role: StreamRole, reader: HubReader) -> None:
        """Remove it."""


class ShardServer:
    """Listens for clients of one shard."""

    def __init__(self, socket: Path, operations: ShardOperations) -> None:
        self._socket = socket
        self._operations = operations
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. What a killed shard left under the name is replaced: the lock on the folder says who may."""
        await asyncio.to_thread(durable.remove, self._socket)
        self._server = await asyncio.start_unix_server(self._serve, self._socket)
        self._socket.chmod(_OWNER_ONLY)

    async def stop(self) -> None:
        """Let every client go."""
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await asyncio.to_thread(durable.remove, self._socket)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        client = _Client(self._operations, writer)
        try:
            while (content := await read_frame(reader)) is not None:
                await client.handle(content)
        except (FrameError, ConnectionError) as broken:
            log.warning("client cut off", error=repr(broken))
        except asyncio.CancelledError:
            pass  # the shard stops; a task of the server has nobody to tell
        except Exception:
            log.exception("client cut off by an internal error")
        finally:
            await client.close()
            self._clients.discard(task)


class _Subscribed:
    """A subscription of one client."""

    def __init__(self, camera_id: str, role: StreamRole, reader: QueuedReader) -> None:
        self.camera_id = camera_id
        self.role = role
        self.reader = reader
        self.pump: asyncio.Task[None] | None = None


class _Client:
    def __init__(self, operations: ShardOperations, writer: asyncio.StreamWriter) -> None:
        self._operations = operations
        self._writer = writer
        self._numbers = itertools.count(1)
        self._subscriptions: dict[int, _Subscribed] = {}
        writer.transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)

    async def handle(self, content: bytes) -> None:
        if content[:1] != protocol.JSON_MARK:
            raise FrameError("a client sends JSON only")
        request = protocol.parse_json(content[1:])
        number = request.get("id")
        try:
            answer = await self._answer(request)
        except VmsError as refused:
            self._write({"id": number, "ok": False, **protocol.error_to_json(refused)})
        except (KeyError, TypeError, ValueError) as wrong:
            error = VmsError(ErrorKind.INVALID_INPUT, "request.invalid", "Demande invalide.", detail=repr(wrong))
            self._write({"id": number, "ok": False, **protocol.error_to_json(error)})
        else:
            self._write({"id": number, "ok": True, **answer})
            if "subscription" in answer and request["op"] == "subscribe":
                self._start_pump(answer["subscription"])
        await self._writer.drain()

    async def close(self) -> None:
        for number in list(self._subscriptions):
            self._unsubscribe(number)
        self._writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._writer.wait_closed()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        operations = self._operations
        match request["op"]:
            case "assign":
                await operations.assign([protocol.assignment_from_json(camera) for camera in request["cameras"]])
                return {}
            case "statuses":
                return {"statuses": [protocol.status_to_json(status) for status in operations.statuses()]}
            case "timeline":
                timeline = await operations.timeline(
                    str(request["camera_id"]), int(request["start_ns"]), int(request["end_ns"])
                )
                return {"timeline": protocol.timeline_to_json(timeline)}
            case "place_hold":
                held = await operations.place_hold(protocol.hold_from_json(request["hold"]))
                return {"held": protocol.held_to_json(held)}
            case "release_hold":
                await operations.release_hold(protocol.release_from_json(request["release"]))
                return {}
            case "holds":
                return {"holds": [protocol.held_to_json(held) for held in await operations.holds()]}
            case "capacity":
                return {"disks": [protocol.capacity_to_json(disk) for disk in await operations.capacity()]}
            case "confirm_clock":
                operations.confirm_clock()
                return {}
            case "counters":
                return operations.counters()
            case "subscribe":
                return {"subscription": self._subscribe(str(request["camera_id"]), StreamRole(request["role"]))}
            case "unsubscribe":
                self._unsubscribe(int(request["subscription"]))
                return {}
            case unknown:
                raise ValueError(f"unknown operation {str(unknown)[:40]}")

    def _subscribe(self, camera_id: str, role: StreamRole) -> int:
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise VmsError(
                ErrorKind.EXHAUSTED, "recorder.too_many_subscriptions", "Trop de flux demandés à l'enregistreur."
            )
        subscribed = _Subscribed(camera_id, role, QueuedReader())
        self._operations.attach(camera_id, role, subscribed.reader)
        number = next(self._numbers)
        self._subscriptions[number] = subscribed
        return number

    def _start_pump(self, number: int) -> None:
        subscribed = self._subscriptions[number]
        subscribed.pump = asyncio.create_task(self._pump(number, subscribed), name=f"subscription {number}")

    def _unsubscribe(self, number: int) -> None:
        subscribed = self._subscriptions.pop(number, None)
        if subscribed is None:
            return
        self._operations.detach(subscribed.camera_id, subscribed.role, subscribed.reader)
        if subscribed.pump is not None:
            subscribed.pump.cancel()

    async def _pump(self, number: int, subscribed: _Subscribed) -> None:
        """Send a subscription's items as fast as the client reads."""
        parameters: ParameterSets | None = None
        writer = self._writer
        with contextlib.suppress(ConnectionError):
            while True:
                item = await subscribed.reader.next()
                match item:
                    case DatedUnit(unit=unit):
                        if unit.parameters is not parameters:
                            parameters = unit.parameters
                            changed = protocol.ParametersChanged(parameters)
                            writer.write(protocol.event_to_json(number, changed))
                        writer.writelines([_head(number, item), *unit.chunks])
                    case StreamStatus():
                        writer.write(protocol.event_to_json(number, protocol.StatusChanged(item)))
                    case Dropped(units):
                        writer.write(protocol.event_to_json(number, protocol.UnitsDropped(units)))
                    case Ended(cause):
                        writer.write(protocol.event_to_json(number, protocol.SubscriptionEnded(cause)))
                        self._unsubscribe(number)
                        return
                await writer.drain()

    def _write(self, message: dict[str, Any]) -> None:
        self._writer.write(protocol.json_message(message))


def _head(subscription: int, dated: DatedUnit) -> bytes:
    unit = dated.unit
    flags = protocol.FLAG_KEY * unit.key | protocol.FLAG_DAMAGED * unit.damaged
    flags |= protocol.FLAG_DISCONTINUITY * dated.starts_run
    return protocol.unit_head(subscription, max(unit.rtp_timestamp, 0), dated.capture_utc_ns, flags, unit.size)
