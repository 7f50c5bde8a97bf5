"""The one door of the gateway: a connection is accepted here and goes to a wall, to playback, or away.

    GET  /live              WebSocket of a wall; `Origin` must be one of the console's
    GET  /playback          WebSocket of a player, likewise; see `playback_messages`
    GET  /playback          over HTTP, and POST /playback/renew: see `playback_http`
    GET  /still, /strip     single pictures of a recording: see `stills`
    OPTIONS of the latter   what a browser asks before it sends them (Fetch standard, CORS protocol)

A browser page of another origin gets nothing; a program without an origin still needs a ticket.
"""

from __future__ import annotations

import asyncio
import socket

import structlog

from recorder.live.http import Header, HttpConnection, HttpError, HttpRequest
from recorder.live.leases import LeaseBook
from recorder.live.playback_http import EXPOSED_HEADERS, PlaybackPages
from recorder.live.player import PlayerConnection
from recorder.live.stills import EXPOSED_HEADER, StillPages
from recorder.live.upstream import UpstreamPool
from recorder.live.wall import WallConnection
from recorder.live.websocket import WebSocket
from recorder.playback.service import PlaybackService
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

UNSENT_BYTES = 128 * 1024
BUFFERED_BYTES = 64 * 1024


class Front:
    """Serves accepted connections, at most `max_connections` at a time."""

    def __init__(
        self,
        book: LeaseBook,
        pool: UpstreamPool,
        playback: PlaybackService,
        stills: StillPages,
        clock: Clock,
        *,
        allowed_origins: frozenset[str],
        max_connections: int,
    ) -> None:
        self._book = book
        self._pool = pool
        self._playback = playback
        self._pages = PlaybackPages(book, playback)
        self._stills = stills
        self._clock = clock
        self._origins = allowed_origins
        self._max_connections = max_connections
        self._connections: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end. Never raises but on cancellation."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= self._max_connections:
            log.warning("connection refused: too many", limit=self._max_connections)
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            _tune(writer)
            await self._serve(reader, writer)
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            # Only `close` cancels; the task belongs to the server, which would report it as a failure.
            pass
        except Exception as failure:
            log.exception("connection failed", error=repr(failure))
        finally:
            self._connections.discard(task)
            if not writer.is_closing():
                writer.close()

    async def close(self) -> None:
        """End every connection."""
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = HttpConnection(reader, writer)
        while True:
            try:
                request = await connection.request()
            except HttpError as broken:
                await connection.answer(broken.status, [("connection", "close")])
                break
            if request is None:
                break
            if request.path in {"/live", "/playback"} and request.wants_websocket():
                await self._serve_websocket(connection, request, reader, writer)
                return
            await self._answer(connection, request)
            if not connection.may_continue:
                break
        await connection.close()

    async def _serve_websocket(
        self,
        connection: HttpConnection,
        request: HttpRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        origin = request.header("origin")
        if origin not in self._origins:
            log.warning("websocket refused: foreign origin", origin=origin, path=request.path)
            await connection.answer_error([], _foreign_origin())
            await connection.close()
            return
        peer = WebSocket(reader, writer, self._clock)
        if not peer.accept(request.target, list(request.headers), connection.early_bytes()):
            await peer.close()
            return
        if request.path == "/live":
            await WallConnection(peer, self._book, self._pool, self._clock).serve()
        else:
            await PlayerConnection(peer, self._book, self._playback, self._clock).serve()

    async def _answer(self, connection: HttpConnection, request: HttpRequest) -> None:
        origin = request.header("origin")
        headers: list[Header] = [("vary", "origin")]
        if origin in self._origins:
            headers += [
                ("access-control-allow-origin", origin or ""),
                ("access-control-expose-headers", f"{EXPOSED_HEADERS}, {EXPOSED_HEADER}"),
            ]
        try:
            if any(name == "origin" for name, _ in request.headers) and origin not in self._origins:
                raise _foreign_origin()
            match request.method, request.path:
                case "OPTIONS", "/playback" | "/playback/renew" | "/still" | "/strip":
                    await connection.answer(204, [*headers, *_PREFLIGHT])
                case "GET" | "HEAD", "/playback":
                    await self._pages.play(connection, request, headers)
                case "GET", "/still":
                    await self._stills.still(connection, request, headers)
                case "GET", "/strip":
                    await self._stills.strip(connection, request, headers)
                case "POST", "/playback/renew":
                    await connection.answer_json(200, headers, self._pages.renew(request))
                case _:
                    await connection.answer_error(headers, _no_such_page())
        except VmsError as refused:
            log.info("request refused", path=request.path, code=refused.code, detail=refused.detail)
            await connection.answer_error(headers, refused)


_PREFLIGHT: tuple[Header, ...] = (
    ("access-control-allow-methods", "GET, HEAD, POST"),
    ("access-control-allow-headers", "authorization, content-type, if-range, range"),
    ("access-control-max-age", "600"),
)


def _tune(writer: asyncio.StreamWriter) -> None:
    """Send at once, and keep what a slow peer has not taken here, where it can still be dropped."""
    transport_socket = writer.get_extra_info("socket")
    transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    writer.transport.set_write_buffer_limits(high=BUFFERED_BYTES)


def _foreign_origin() -> VmsError:
    return VmsError(
        ErrorKind.FORBIDDEN,
        "origin.foreign",
        "Cette page n'a pas le droit de demander des images.",
        hint="Ouvrez la console à l'adresse prévue, ou ajoutez son adresse aux origines admises de la passerelle.",
    )


def _no_such_page() -> VmsError:
    return VmsError(ErrorKind.NOT_FOUND, "page.unknown", "Cette adresse n'existe pas sur la passerelle vidéo.")
