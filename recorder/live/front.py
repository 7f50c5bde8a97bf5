"""The one door of the gateway: a connection is accepted here and goes to a wall, to playback, or away.

    GET  /live              WebSocket of a wall; `Origin` must be one of the console's
    GET  /playback          WebSocket of a player, likewise; see `playback_messages`
    GET  /playback          `from`, `to` (UTC nanoseconds), `Authorization: Bearer <ticket>`: fragmented MP4, streamed
    POST /playback/renew    {"ticket": …}: prolongs the lease of the session's running streams
    OPTIONS of the latter   what a browser asks before it sends them (Fetch standard, CORS protocol)

A browser page of another origin gets nothing; a program without an origin still needs a ticket.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket

import structlog

from recorder.contract.ticket import MediaAct, TicketClaims
from recorder.live.http import Header, HttpConnection, HttpError, HttpRequest, invalid_request
from recorder.live.leases import Lease, LeaseBook, refusal
from recorder.live.player import PlayerConnection
from recorder.live.upstream import UpstreamPool
from recorder.live.wall import WallConnection
from recorder.live.websocket import WebSocket
from recorder.playback.service import PlaybackService, PlaybackStream
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

UNSENT_BYTES = 128 * 1024
BUFFERED_BYTES = 64 * 1024
LEASE_END_GRACE_S = 0.5
_INSTANT = re.compile(r"[0-9]{1,19}")


class Front:
    """Serves accepted connections, at most `max_connections` at a time."""

    def __init__(
        self,
        book: LeaseBook,
        pool: UpstreamPool,
        playback: PlaybackService,
        clock: Clock,
        *,
        allowed_origins: frozenset[str],
        max_connections: int,
    ) -> None:
        self._book = book
        self._pool = pool
        self._playback = playback
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
                ("access-control-expose-headers", "x-media-start-ns"),
            ]
        try:
            if any(name == "origin" for name, _ in request.headers) and origin not in self._origins:
                raise _foreign_origin()
            match request.method, request.path:
                case "OPTIONS", "/playback" | "/playback/renew":
                    await connection.answer(204, [*headers, *_PREFLIGHT])
                case "GET", "/playback":
                    await self._play(connection, request, headers)
                case "POST", "/playback/renew":
                    renewed = self._book.renew_session(_ticket_in_body(request.body), MediaAct.PLAYBACK)
                    await connection.answer_json(200, headers, {"streams": renewed})
                case _:
                    await connection.answer_error(headers, _no_such_page())
        except VmsError as refused:
            log.info("request refused", path=request.path, code=refused.code, detail=refused.detail)
            await connection.answer_error(headers, refused)

    async def _play(self, connection: HttpConnection, request: HttpRequest, headers: list[Header]) -> None:
        start_ns, end_ns = _range(request.query)
        ended = asyncio.Event()
        lease = self._book.open(
            _bearer(request), MediaAct.PLAYBACK, lambda _: ended.set(), lambda claims: _covers(claims, start_ns, end_ns)
        )
        try:
            stream = await self._playback.open(lease.claims.camera_id, start_ns, end_ns)
            try:
                start: list[Header] = [
                    ("content-type", stream.mime),
                    ("x-media-start-ns", str(stream.start_ns)),
                    ("connection", "close"),
                ]
                await connection.begin(200, [*headers, *start])
                await _copy_while(lease, ended, stream, connection)
            finally:
                await stream.close()
        finally:
            self._book.close(lease)


async def _copy_while(lease: Lease, ended: asyncio.Event, stream: PlaybackStream, connection: HttpConnection) -> None:
    """Send the stream until it or the lease ends; a peer that is stuck inside a fragment then is cut off."""
    copying = asyncio.create_task(_copy(lease, stream, connection), name="playback copies")
    ending = asyncio.create_task(ended.wait(), name="playback waits for the end of its lease")
    try:
        await asyncio.wait({copying, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            await asyncio.wait({copying}, timeout=LEASE_END_GRACE_S)
        if copying.done():
            copying.result()
        else:
            log.info("playback cut off", session_id=lease.claims.session_id, cause=lease.cause)
            connection.abort()
    finally:
        copying.cancel()
        ending.cancel()
        await asyncio.gather(copying, ending, return_exceptions=True)


async def _copy(lease: Lease, stream: PlaybackStream, connection: HttpConnection) -> None:
    await connection.send(stream.init)
    lease.count(len(stream.init), 0)
    while lease.running:
        whole = False
        while not whole:
            chunk = await stream.next()
            if chunk is None:
                await connection.finish()
                return
            whole = chunk.ends_fragment
            await connection.send(chunk.data)
            lease.count(len(chunk.data), int(whole))
    log.info("playback ended with its lease", session_id=lease.claims.session_id, cause=lease.cause)
    await connection.finish()


_PREFLIGHT: tuple[Header, ...] = (
    ("access-control-allow-methods", "GET, POST"),
    ("access-control-allow-headers", "authorization, content-type"),
    ("access-control-max-age", "600"),
)


def _tune(writer: asyncio.StreamWriter) -> None:
    """Send at once, and keep what a slow peer has not taken here, where it can still be dropped."""
    transport_socket = writer.get_extra_info("socket")
    transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    writer.transport.set_write_buffer_limits(high=BUFFERED_BYTES)


def _range(query: dict[str, str]) -> tuple[int, int]:
    texts = query.get("from", ""), query.get("to", "")
    if set(query) != {"from", "to"} or not all(_INSTANT.fullmatch(text) for text in texts):
        raise invalid_request("`from` and `to` must be UTC nanoseconds, and alone")
    start_ns, end_ns = int(texts[0]), int(texts[1])
    if not start_ns < end_ns < 1 << 63:
        raise invalid_request("the range is empty or out of this world")
    return start_ns, end_ns


def _covers(claims: TicketClaims, start_ns: int, end_ns: int) -> None:
    if not claims.start_ns <= start_ns < end_ns <= claims.end_ns:
        raise refusal("ticket.range", "the ticket does not cover the range that was asked")


def _bearer(request: HttpRequest) -> str:
    scheme, _, ticket = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not ticket:
        raise VmsError(
            ErrorKind.UNAUTHENTICATED,
            "ticket.missing",
            "Aucun droit d'accès n'accompagne la demande.",
            hint="Rouvrez la lecture depuis la console.",
        )
    return ticket.strip()


def _ticket_in_body(body: bytes) -> str:
    try:
        ticket = json.loads(body)["ticket"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise invalid_request("no ticket in the body") from None
    if not isinstance(ticket, str):
        raise invalid_request("the ticket is no text")
    return ticket


def _foreign_origin() -> VmsError:
    return VmsError(
        ErrorKind.FORBIDDEN,
        "origin.foreign",
        "Cette page n'a pas le droit de demander des images.",
        hint="Ouvrez la console à l'adresse prévue, ou ajoutez son adresse aux origines admises de la passerelle.",
    )


def _no_such_page() -> VmsError:
    return VmsError(ErrorKind.NOT_FOUND, "page.unknown", "Cette adresse n'existe pas sur la passerelle vidéo.")
