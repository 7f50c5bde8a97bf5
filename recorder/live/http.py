"""A small, strict HTTP/1.1 server side for one connection, around the protocol machine of `h11`.

Only what the gateway needs: requests with small bodies, short answers, streamed answers with back-pressure, and the
hand-over of a connection that becomes a WebSocket. Sizes and times are bounded; what breaks the protocol is answered
with its 4xx status and the connection is closed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import h11

from vms.base.errors import ErrorKind, VmsError

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 8 * 1024
REQUEST_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 30.0
_READ_BYTES = 16 * 1024
_CLOSE_WAIT_S = 1.0

Header = tuple[str, str]


class HttpError(Exception):
    """The peer broke the protocol or a limit; `status` is what it is told before the connection is closed."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. Header names are in small letters; `query` holds each parameter once."""

    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header, or None when it is absent or given more than once."""
        values = [value for other, value in self.headers if other == name]
        return values[0] if len(values) == 1 else None

    def wants_websocket(self) -> bool:
        """Whether the client asks to speak WebSocket on this connection."""
        return (self.header("upgrade") or "").lower() == "websocket"


class HttpConnection:
    """Requests and answers of one accepted connection, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._machine = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def request(self) -> HttpRequest | None:
        """The next request, or None when the peer has closed or stayed idle. Raises HttpError."""
        if self._machine.our_state is h11.DONE:
            self._machine.start_next_cycle()
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                head = await self._event()
            if not isinstance(head, h11.Request):
                return None
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                body = await self._body()
        except (TimeoutError, ConnectionError):
            return None
        except h11.RemoteProtocolError as broken:
            raise HttpError(broken.error_status_hint) from None
        return _request(head, body)

    async def _event(self) -> object:
        while True:
            event = self._machine.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._machine.receive_data(await self._reader.read(_READ_BYTES))

    async def _body(self) -> bytes:
        body = bytearray()
        while True:
            event = await self._event()
            if not isinstance(event, h11.Data):
                return bytes(body)
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise HttpError(413)

    @property
    def may_continue(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._machine.our_state is h11.DONE and self._machine.their_state is h11.DONE

    def early_bytes(self) -> bytes:
        """What the peer has sent behind its request to change the protocol."""
        return self._machine.trailing_data[0]

    async def answer(self, status: int, headers: Sequence[Header] = (), body: bytes = b"") -> None:
        """A whole answer."""
        await self.begin(status, [*headers, ("content-length", str(len(body)))])
        if body:
            await self.send(body)
        await self.finish()

    async def answer_json(self, status: int, headers: Sequence[Header], values: dict[str, object]) -> None:
        """A whole answer in JSON."""
        body = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
        await self.answer(status, [*headers, ("content-type", "application/json; charset=utf-8")], body)

    async def answer_error(self, headers: Sequence[Header], error: VmsError) -> None:
        """An error for people and machines: its code, sentence and hint."""
        values: dict[str, object] = {"code": error.code, "message": error.message, "hint": error.hint}
        await self.answer_json(error.http_status, headers, values)

    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        """The head of an answer; without a length its body is sent in chunks."""
        common = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
        self._send(h11.Response(status_code=status, headers=[*common, *headers]))
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """A part of the body; waits until the peer takes it. Raises ConnectionError when the peer is gone."""
        self._send(h11.Data(data=data))
        await self._writer.drain()

    async def finish(self) -> None:
        """The end of the body."""
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    def _send(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        pieces = self._machine.send_with_data_passthrough(event)
        if pieces:
            self._writer.writelines(pieces)

    def abort(self) -> None:
        """Drop the connection and what is still to be sent."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection once what was sent is taken, and at the latest after a second."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self.abort()


def invalid_request(detail: str) -> VmsError:
    """The error for a request that the console never makes."""
    return VmsError(
        ErrorKind.INVALID_INPUT,
        "request.invalid",
        "La demande n'est pas valable.",
        hint="Rechargez la page de la console.",
        detail=detail,
    )


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    target = head.target.decode("ascii")
    try:
        parts = urlsplit(target)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=16)
    except ValueError:
        raise HttpError(400) from None
    query = dict(pairs)
    if len(query) != len(pairs) or not target.startswith("/"):
        raise HttpError(400)
    headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
    return HttpRequest(head.method.decode("ascii"), target, parts.path, query, headers, body)
