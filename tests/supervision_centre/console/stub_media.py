"""The gateway's side of the stub: tiles of looped footage over one WebSocket."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.supervision_centre.console.stub_film import TIMESCALE, Film

HEAD = struct.Struct(">BBHIqq")


def utc_text(seconds: float) -> str:
    """RFC 3339 in milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


@dataclass(slots=True)
class MediaState:
    """What the tests turn on and off, and what both sides of the stub share."""

    sub: Film
    main: Film
    tickets: dict[str, tuple[str, str]] = field(default_factory=dict)  # ticket -> (session, camera)
    silent: dict[str, tuple[float, str]] = field(default_factory=dict)  # camera -> since, cause
    gaps: list[tuple[float, float, str]] = field(default_factory=list)  # UTC seconds, cause
    own_gaps: dict[str, list[tuple[float, float, str]]] = field(default_factory=dict)  # of one camera
    slow_s: dict[str, float] = field(default_factory=dict)  # camera -> seconds for each group of pictures
    gateway_down: bool = False
    stills_down: bool = False
    walls: set[Wall] = field(default_factory=set)
    players: set[Disowning] = field(default_factory=set)
    opened: list[tuple[str, str]] = field(default_factory=list)  # camera, role
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)  # session -> UTC nanoseconds
    fetches: list[tuple[str, str, float]] = field(default_factory=list)  # direction, frames, from
    stills_asked: list[float] = field(default_factory=list)

    def offset_s(self, camera: str) -> float:
        """Where in the loop this camera stands, so that tiles differ."""
        return int(camera.rsplit("_", 1)[1]) * 4.9

    def film(self, role: str) -> Film:
        """The film of a stream."""
        return self.sub if role == "sub" else self.main

    def holes(self, camera: str) -> list[tuple[float, float, str]]:
        """Where nothing of a camera was recorded, in the order of time."""
        return sorted([*self.gaps, *self.own_gaps.get(camera, ())])

    def hole_at(self, camera: str, second: int) -> tuple[float, float, str] | None:
        """The hole that holds this second, if any."""
        return next((hole for hole in self.holes(camera) if hole[0] <= second < hole[1]), None)


class Dropped(Protocol):
    """A connection that the stub can end."""

    async def close(self) -> None:
        """Drop it."""

    async def end(self, session: str, cause: str) -> None:
        """End what it shows under a session."""


class Disowning(Dropped, Protocol):
    """One that can take back what it gave."""

    async def disown(self, start: int, end: int) -> None:
        """Say that these seconds are not what was recorded."""


class Wall:
    """One WebSocket and its tiles."""

    def __init__(self, socket: WebSocket, state: MediaState) -> None:
        self._socket = socket
        self._state = state
        self._tiles: dict[int, tuple[str, str, asyncio.Task[None]]] = {}
        self._generations: dict[int, int] = {}

    async def run(self) -> None:
        """Follow the browser until it leaves."""
        await self._socket.accept()
        self._state.walls.add(self)
        try:
            while True:
                await self._follow(json.loads(await self._socket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            self._state.walls.discard(self)
            for *_, task in self._tiles.values():
                task.cancel()

    async def close(self) -> None:
        """Drop the connection."""
        await self._socket.close(1012)

    async def end(self, session: str, cause: str) -> None:
        """End the tiles of a session."""
        for tile, (owner, _, task) in list(self._tiles.items()):
            if owner == session:
                task.cancel()
                del self._tiles[tile]
                await self._say(type="ended", tile=tile, cause=cause)

    async def restart(self, camera: str) -> None:
        """Begin the stream of a camera again, as after a change at the camera."""
        for tile, (session, named, task) in list(self._tiles.items()):
            if named == camera:
                task.cancel()
                self._start(tile, session, camera, "sub")

    async def say_lag(self, camera: str, dropped: int) -> None:
        """Tell the tiles of a camera that images were dropped."""
        for tile, (_, named, _) in self._tiles.items():
            if named == camera:
                await self._say(type="lag", tile=tile, dropped=dropped)

    async def _follow(self, message: dict[str, Any]) -> None:
        tile = message["tile"]
        if message["type"] == "open":
            if message["ticket"] not in self._state.tickets:
                await self._say(type="ended", tile=tile, cause="ticket.expired")
                return
            session, camera = self._state.tickets[message["ticket"]]
            self._start(tile, session, camera, message["role"])
        elif message["type"] == "role" and tile in self._tiles:
            session, camera, task = self._tiles[tile]
            task.cancel()
            self._start(tile, session, camera, message["role"])
        elif message["type"] == "close" and tile in self._tiles:
            self._tiles.pop(tile)[2].cancel()

    def _start(self, tile: int, session: str, camera: str, role: str) -> None:
        self._state.opened.append((camera, role))
        self._generations[tile] = self._generations.get(tile, 0) + 1
        self._tiles[tile] = (session, camera, asyncio.create_task(self._stream(tile, camera, role)))

    async def _stream(self, tile: int, camera: str, role: str) -> None:
        film = self._state.film(role)
        generation = self._generations[tile]
        live_since = time.time()
        while True:
            if camera in self._state.silent:
                await self._silence(tile, camera)
            await self._say(
                type="stream", tile=tile, mime=film.mime, width=film.width, height=film.height, generation=generation
            )
            await self._say(type="status", tile=tile, condition="live", since=utc_text(live_since), cause="")
            await self._send(1, tile, generation, time.time(), False, film.init)
            await self._frames(tile, generation, camera, film)
            generation += 1
            self._generations[tile] = generation

    async def _silence(self, tile: int, camera: str) -> None:
        since, cause = self._state.silent[camera]
        await self._say(type="status", tile=tile, condition="no_signal", since=utc_text(since), cause=cause)
        while camera in self._state.silent:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def _frames(self, tile: int, generation: int, camera: str, film: Film) -> None:
        offset = self._state.offset_s(camera)
        position = round((time.time() + offset) * TIMESCALE)
        loop, index = position // film.duration_90k, film.index_at(position)
        index = film.key_before(index)
        origin = loop * film.duration_90k + film.pieces[index].start_90k
        while camera not in self._state.silent:
            piece = film.pieces[index]
            absolute = loop * film.duration_90k + piece.start_90k
            capture = absolute / TIMESCALE - offset
            await asyncio.sleep(max(0.0, capture - time.time()))
            data = piece.dated(absolute - origin)
            await self._send(2, tile, generation, capture, piece.key, data)
            index += 1
            if index == len(film.pieces):
                loop, index = loop + 1, 0

    async def _send(self, kind: int, tile: int, generation: int, capture: float, key: bool, body: bytes) -> None:
        head = HEAD.pack(1, kind, tile, generation, round(capture * 1e9), int(key))
        await self._socket.send_bytes(head + body)

    async def _say(self, **values: object) -> None:
        await self._socket.send_text(json.dumps(values))


def media_app(state: MediaState, origin: Callable[[], str], others: Sequence[BaseRoute]) -> Starlette:
    """The gateway of the stub; `others` serve what is recorded."""

    async def live(socket: WebSocket) -> None:
        if state.gateway_down or socket.headers.get("origin") != origin():
            await socket.close(1013)
            return
        await Wall(socket, state).run()

    return Starlette(
        routes=[
            WebSocketRoute("/live", live),
            *others,
        ]
    )
