"""The playback of the stub: groups of pictures over a WebSocket as they are asked for, small pictures over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.supervision_centre.console.stub_clock_film import (
    HEIGHT,
    SECONDS,
    TIMESCALE,
    WIDTH,
    clock_film,
    dated,
    still,
)
from tests.supervision_centre.console.stub_media import MediaState

HEAD = struct.Struct(">BBHIqq")
SECOND_NS = 1_000_000_000
REORDERED = "cam_2"


class Player:
    """One WebSocket and its streams."""

    def __init__(self, socket: WebSocket, state: MediaState) -> None:
        self._socket = socket
        self._state = state
        self._streams: dict[int, tuple[str, str, set[str]]] = {}  # session, camera, what it was told
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the browser until it leaves."""
        await self._socket.accept()
        self._state.players.add(self)
        try:
            while True:
                await self._follow(json.loads(await self._socket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            self._state.players.discard(self)
            for task in self._tasks.values():
                task.cancel()

    async def close(self) -> None:
        """Drop the connection."""
        await self._socket.close(1012)

    async def end(self, session: str, cause: str) -> None:
        """End the streams of a session."""
        for stream, (owner, _, _) in list(self._streams.items()):
            if owner == session:
                self._leave(stream)
                del self._streams[stream]
                await self._say(type="ended", stream=stream, cause=cause)

    async def disown(self, start: int, end: int) -> None:
        """Say of what was given that it is not what was recorded."""
        place = {"request": None, "from": f"{start}000000000", "to": f"{end}000000000"}
        for stream in self._streams:
            await self._say(type="error", stream=stream, **place, code="segment.altered", message="Altéré.", hint="")

    async def _follow(self, message: dict[str, Any]) -> None:
        stream, kind = message["stream"], message["type"]
        if kind == "open":
            if message["ticket"] not in self._state.tickets:
                await self._say(type="ended", stream=stream, cause="ticket.expired")
                return
            session, camera = self._state.tickets[message["ticket"]]
            self._streams[stream] = (session, camera, set())
            start_ns, end_ns = self._state.ranges[session]
            await self._say(type="opened", stream=stream, origin=str(start_ns), end=str(end_ns))
        elif kind == "fetch" and stream in self._streams:
            self._state.fetches.append((message["direction"], message["frames"], int(message["from"]) / 1e9))
            self._tasks[stream] = asyncio.create_task(self._answer(stream, message))
        elif kind in {"cancel", "close"}:
            self._leave(stream)
            if kind == "close":
                self._streams.pop(stream, None)

    def _leave(self, stream: int) -> None:
        task = self._tasks.pop(stream, None)
        if task is not None:
            task.cancel()

    async def _answer(self, stream: int, message: dict[str, Any]) -> None:
        session, camera, told = self._streams[stream]
        start_ns, end_ns = self._state.ranges[session]
        film, request = clock_film(reordered=camera == REORDERED), message["request"]
        if "init" not in told:
            told.add("init")
            await self._say(type="config", stream=stream, generation=1, mime=film.mime, width=WIDTH, height=HEIGHT)
            await self._socket.send_bytes(HEAD.pack(1, 1, stream, 1, start_ns, request << 32) + film.init)
        forward, key = message["direction"] == "forward", message["frames"] == "key"
        low_ns, high_ns = (int(message[name]) for name in (("from", "to") if forward else ("to", "from")))
        low, high = max(low_ns, start_ns) // SECOND_NS, -(-min(high_ns + (not forward), end_ns) // SECOND_NS)
        seconds = range(low, high) if forward else range(high - 1, low - 1, -1)
        given, last = 0, None
        for second in seconds:
            if second + 1 > time.time() - 1:
                await self._done(stream, request, second, "end")
                return
            if given == message["limit"]:
                await self._done(stream, request, second if forward else second + 1, "limit")
                return
            hole = self._state.hole_at(camera, second)
            if hole:
                if hole != last:
                    await self._gap(stream, request, hole)
                last = hole
                continue
            fragment = (film.keys if key else film.groups)[second % SECONDS]
            decode = (second * SECOND_NS - start_ns) * TIMESCALE // SECOND_NS - film.delays_90k[second % SECONDS]
            head = HEAD.pack(1, 2, stream, 1, second * SECOND_NS, request << 32 | 1)
            await asyncio.sleep(self._state.slow_s.get(camera, 0))
            await self._socket.send_bytes(head + dated(fragment, max(0, decode)))
            given += 1
        await self._done(stream, request, None, "end" if given else "nothing")

    async def _gap(self, stream: int, request: int, hole: tuple[float, float, str]) -> None:
        start, end, cause = hole
        place = {"stream": stream, "request": request, "from": f"{int(start)}000000000", "to": f"{int(end)}000000000"}
        if cause == "damaged":
            await self._say(type="error", **place, code="segment.damaged", message="Endommagé.", hint="")
        else:
            await self._say(type="gap", **place, cause=cause, detail="")

    async def _done(self, stream: int, request: int, second: int | None, reason: str) -> None:
        following = None if second is None else f"{second}000000000"
        await self._say(type="done", stream=stream, request=request, next=following, reason=reason)

    async def _say(self, **values: object) -> None:
        await self._socket.send_text(json.dumps(values))


def archive_routes(state: MediaState, origin: Callable[[], str]) -> list[Route | WebSocketRoute]:
    """The part of the gateway that shows what is recorded."""
    picture = base64.b64encode(still()).decode()

    async def play(socket: WebSocket) -> None:
        if state.gateway_down or socket.headers.get("origin") != origin():
            await socket.close(1013)
            return
        await Player(socket, state).run()

    def answer(request: Request, values: Callable[[], dict[str, Any]]) -> Response:
        headers = {"Access-Control-Allow-Origin": origin(), "Access-Control-Allow-Headers": "authorization"}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        if state.stills_down:
            return JSONResponse({"code": "stills.unavailable", "message": "…"}, 503, headers)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in state.tickets:
            return JSONResponse({"code": "ticket.expired", "message": "…"}, 403, headers)
        return JSONResponse(values(), headers=headers)

    async def strip(request: Request) -> Response:
        def stills() -> dict[str, Any]:
            start, end, count = (int(request.query_params[name]) for name in ("from", "to", "count"))
            step = (end - start) // max(1, count)
            return {"stills": [{"at": str(start + n * step + step // 2), "jpeg": picture} for n in range(count)]}

        return answer(request, stills)

    async def one(request: Request) -> Response:
        refused = answer(request, dict)
        if request.method == "OPTIONS" or refused.status_code != 200:
            return refused
        state.stills_asked.append(int(request.query_params["at"]) / 1e9)
        headers = {"Access-Control-Allow-Origin": origin()}
        return Response(base64.b64decode(picture), media_type="image/jpeg", headers=headers)

    return [
        WebSocketRoute("/playback", play),
        Route("/strip", strip, methods=["GET", "OPTIONS"]),
        Route("/still", one, methods=["GET", "OPTIONS"]),
    ]
