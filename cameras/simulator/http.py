"""A small HTTP/1.1 server on h11: hundreds of cameras listen in one process, each at its own address.

Bounds: 64 connections a camera, 16 KiB of header, 256 KiB of body, 15 s to send a request, 60 s between two.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import h11
import structlog

log = structlog.get_logger(__name__)

MAXIMUM_CONNECTIONS = 64
MAXIMUM_HEADER_BYTES = 16 * 1024
MAXIMUM_BODY_BYTES = 256 * 1024
REQUEST_TIMEOUT_S = 15.0
IDLE_TIMEOUT_S = 60.0
_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its whole body; header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer; `headers` may repeat a name."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


HttpHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class _TooLarge(Exception):  # noqa: N818 - internal signal
    """The body exceeds its bound."""


@dataclass(slots=True)
class HttpServer:
    """The web server of one camera."""

    handler: HttpHandler
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, address: str, port: int) -> int:
        """Listen; returns the port in use. Raises OSError when the address or the port cannot be had."""
        self._server = await asyncio.start_server(self._accept, address, port, limit=MAXIMUM_HEADER_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= MAXIMUM_CONNECTIONS:
            writer.close()
            return
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAXIMUM_HEADER_BYTES)
        idle_s = REQUEST_TIMEOUT_S
        while True:
            try:
                request = await self._read(connection, reader, writer, idle_s)
                if request is None:
                    return
                response = await self.handler(request)
            except _TooLarge:
                response = HttpResponse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            except h11.RemoteProtocolError as error:
                if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
                    raise
                response = HttpResponse(error.error_status_hint)
            await _write(connection, writer, response)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()
            idle_s = IDLE_TIMEOUT_S

    @staticmethod
    async def _read(
        connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_s: float
    ) -> HttpRequest | None:
        head: h11.Request | None = None
        body: list[bytes] = []
        size = 0
        async with asyncio.timeout(idle_s) as deadline:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    if connection.they_are_waiting_for_100_continue:
                        writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                    connection.receive_data(await reader.read(_READ_BYTES))
                elif isinstance(event, h11.Request):
                    head = event
                    deadline.reschedule(asyncio.get_running_loop().time() + REQUEST_TIMEOUT_S)
                elif isinstance(event, h11.Data):
                    size += len(event.data)
                    if size > MAXIMUM_BODY_BYTES:
                        raise _TooLarge
                    body.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) and head is not None:
                    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
                    return HttpRequest(head.method.decode(), head.target.decode("latin-1"), headers, b"".join(body))
                else:
                    return None


async def _write(connection: h11.Connection, writer: asyncio.StreamWriter, response: HttpResponse) -> None:
    headers = [
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        *response.headers,
    ]
    if connection.their_state is not h11.DONE:
        headers.append(("Connection", "close"))
    head = h11.Response(
        status_code=response.status, headers=headers, reason=HTTPStatus(response.status).phrase.encode()
    )
    parts = (head, h11.Data(data=response.body), h11.EndOfMessage())
    writer.write(b"".join(connection.send(part) or b"" for part in parts))
    async with asyncio.timeout(REQUEST_TIMEOUT_S):
        await writer.drain()
