"""A shard's end of the socket, led by the test: real frames over a real Unix socket, pictures from the footage."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.node import protocol
from recorder.node.protocol import ParametersChanged, StatusChanged, SubscriptionEnded, UnitsDropped
from tests.recorder.footage import Footage, footage
from tests.recorder.gateways import CAMERA
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import read_frame

START_NS = 1_767_225_600 * NS_PER_SECOND


class FakeShard:
    """Sends what the test says to whoever has subscribed. `subscribed` lists every subscription ever made."""

    def __init__(self, cameras: tuple[str, ...] = (CAMERA,)) -> None:
        self.film: Footage = footage()
        self.subscribed: list[tuple[str, str]] = []
        self.condition = StreamCondition.LIVE
        self.cause = ""
        self._cameras = cameras
        self._writers: dict[int, tuple[asyncio.StreamWriter, str]] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self.position = 0

    @property
    def active(self) -> int:
        return len(self._writers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        mine: set[int] = set()
        try:
            while (content := await read_frame(reader)) is not None:
                self._answer(protocol.parse_json(content[1:]), writer, mine)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            for number in mine:
                self._writers.pop(number, None)
            self._connections.discard(task)
            writer.close()

    def _answer(self, request: dict[str, Any], writer: asyncio.StreamWriter, mine: set[int]) -> None:
        head = {"id": request["id"], "ok": True}
        if request["op"] == "unsubscribe":
            self._writers.pop(request["subscription"], None)
            writer.write(protocol.json_message(head))
            return
        assert request["op"] == "subscribe"
        if request["camera_id"] not in self._cameras:
            unknown = VmsError(ErrorKind.NOT_FOUND, "camera.unknown", "Caméra inconnue.")
            writer.write(protocol.json_message({**head, "ok": False, **protocol.error_to_json(unknown)}))
            return
        self.subscribed.append((request["camera_id"], request["role"]))
        number = len(self.subscribed)
        mine.add(number)
        self._writers[number] = (writer, request["role"])
        writer.write(protocol.json_message({**head, "subscription": number}))
        writer.write(protocol.event_to_json(number, StatusChanged(self.status(request["role"]))))
        writer.write(protocol.event_to_json(number, ParametersChanged(self.film.parameters)))

    def status(self, role: str = "sub") -> StreamStatus:
        return StreamStatus(CAMERA, StreamRole(role), self.condition, START_NS, self.cause)

    def say(self, event: StatusChanged | ParametersChanged | UnitsDropped | SubscriptionEnded) -> None:
        for number, (writer, _) in self._writers.items():
            writer.write(protocol.event_to_json(number, event))

    def send(self, count: int, *, role: str | None = None, flags: int = 0) -> None:
        """The next pictures of the film, to every subscriber or to those of one role."""
        for _ in range(count):
            picture = self.film.pictures[self.position % len(self.film.pictures)]
            loops = self.position // len(self.film.pictures)
            timestamp = 1_000_000 + picture.presentation_90k + loops * len(self.film.pictures) * self.film.interval_90k
            capture_ns = START_NS + self.position * 40_000_000
            self.position += 1
            for number, (writer, of_role) in self._writers.items():
                if role in (None, of_role):
                    marks = flags | (protocol.FLAG_KEY if picture.key else 0)
                    head = protocol.unit_head(number, timestamp, capture_ns, marks, len(picture.data))
                    writer.write(head + picture.data)

    def send_group(self, **options: Any) -> int:
        """Pictures up to just before the next key frame; returns how many."""
        count = 1
        while not self.film.pictures[(self.position + count) % len(self.film.pictures)].key:
            count += 1
        self.send(count, **options)
        return count

    async def drop_connections(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def fake_shard(socket: Path, **options: Any) -> AsyncIterator[FakeShard]:
    shard = FakeShard(**options)
    server = await asyncio.start_unix_server(shard.serve, socket)
    try:
        yield shard
    finally:
        server.close()
        await shard.drop_connections()
