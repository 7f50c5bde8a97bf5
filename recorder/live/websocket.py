"""One WebSocket (RFC 6455) on a connection that has been accepted, around the protocol machine of `websockets`.

The machine does the framing and the handshakes without I/O; this module moves bytes and holds the limits: the size of
a message, its pieces, the number of messages a second, and how long a silent peer is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from websockets.datastructures import Headers
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from recorder.live.messages import MAX_MESSAGE_BYTES
from vms.base.clock import NS_PER_SECOND, Clock

PING_INTERVAL_S = 10.0
SILENCE_LIMIT_S = 25.0
MAX_MESSAGES_PER_SECOND = 200
MAX_PIECES = 16
FRAME_BYTES = 256 * 1024
_READ_BYTES = 16 * 1024
_CLOSE_WAIT_S = 1.0


class WebSocket:
    """An accepted WebSocket. Sending never waits; `drain` does, until the peer has taken what was sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._machine = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
        self._heard_ns = clock.monotonic_ns()

    def accept(self, target: str, headers: list[tuple[str, str]], early: bytes) -> bool:
        """Answer the handshake of a request, and say whether it was accepted. `early` came behind the request."""
        request = Request(target, Headers(headers))
        self._machine.receive_data(request.serialize())
        self._machine.events_received()
        response = self._machine.accept(request)
        self._machine.send_response(response)
        self._flush()
        if self._machine.state is not State.OPEN:
            return False
        if early:
            self._machine.receive_data(early)
        return True

    def send_text(self, text: str) -> None:
        """Send a text message; nothing happens on a connection that is closing."""
        if self._machine.state is State.OPEN:
            self._machine.send_text(text.encode())
            self._flush()

    def send_binary(self, head: bytes, body: bytes) -> None:
        """Send one binary message out of two parts; nothing happens on a connection that is closing."""
        if self._machine.state is State.OPEN:
            self._machine.send_binary(head + body)
            self._flush()

    async def send_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Send one binary message, frame by frame as the peer takes it, so that little of it waits here.

        Nothing else than pings may be sent meanwhile. Raises ConnectionError when the peer is gone.
        """
        frames = [piece[begin : begin + FRAME_BYTES] for piece in pieces for begin in range(0, len(piece), FRAME_BYTES)]
        for number, frame in enumerate(frames):
            if self._machine.state is not State.OPEN:
                return
            last = number == len(frames) - 1
            if number == 0:
                self._machine.send_binary(frame, last)
            else:
                self._machine.send_continuation(frame, last)
            self._flush()
            await self._writer.drain()

    def abort(self) -> None:
        """Drop the connection and what is still to be sent."""
        self._writer.transport.abort()

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was sent. Raises ConnectionError when it is gone."""
        await self._writer.drain()

    async def messages(self) -> AsyncIterator[str]:
        """The text messages of the peer, until it closes, breaks the protocol or a limit, or is gone."""
        budget = _Budget(self._clock)
        pieces: list[bytes] = []
        while True:
            for event in self._machine.events_received():
                if not isinstance(event, Frame) or event.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                    continue
                pieces.append(bytes(event.data))
                if event.opcode is Opcode.BINARY or len(pieces) > MAX_PIECES or not budget.spend():
                    self._fail(CloseCode.POLICY_VIOLATION, "unexpected, too many")
                    return
                if event.fin:
                    text = _decoded(pieces)
                    pieces = []
                    if text is None:
                        self._fail(CloseCode.INVALID_DATA, "not UTF-8")
                        return
                    yield text
            if self._flush():
                # Answers to pings and closes: a peer that asks for many and takes none is not read further.
                await self._writer.drain()
            if self._machine.state is not State.OPEN or not await self._receive():
                return

    async def _receive(self) -> bool:
        try:
            data = await self._reader.read(_READ_BYTES)
        except (ConnectionError, TimeoutError):
            return False
        if not data:
            return False
        self._heard_ns = self._clock.monotonic_ns()
        self._machine.receive_data(data)
        return True

    async def keep_alive(self) -> None:
        """Ping for ever; return when the peer has been silent for `SILENCE_LIMIT_S`."""
        while True:
            await self._clock.sleep(PING_INTERVAL_S)
            if self._clock.monotonic_ns() - self._heard_ns > SILENCE_LIMIT_S * NS_PER_SECOND:
                return
            if self._machine.state is State.OPEN:
                self._machine.send_ping(b"")
                self._flush()

    async def close(self, code: CloseCode = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Say goodbye, then close the connection, whether the peer answers or not."""
        try:
            self._machine.send_close(code, reason)
            self._flush()
        except InvalidState:
            self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self._writer.transport.abort()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._machine.fail(code, reason)
        self._flush()

    def _flush(self) -> bool:
        """Write what the machine has to say; its end-of-stream mark is left to `close`."""
        chunks = [chunk for chunk in self._machine.data_to_send() if chunk]
        if chunks and not self._writer.is_closing():
            self._writer.write(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        return bool(chunks)


class _Budget:
    """So many messages a second, and no more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._spent = 0

    def spend(self) -> bool:
        second = self._clock.monotonic_ns() // NS_PER_SECOND
        if second != self._second:
            self._second, self._spent = second, 0
        self._spent += 1
        return self._spent <= MAX_MESSAGES_PER_SECOND


def _decoded(pieces: list[bytes]) -> str | None:
    try:
        return b"".join(pieces).decode()
    except UnicodeDecodeError:
        return None
