"""The witness over HTTP: `POST /add-checkpoint` (C2SP), `POST /hand-over` (ours), `GET /` (its vkey line).

Small on purpose: HTTP/1.1 without TLS, which belongs to whatever stands in front. Requests are bounded in size and
time, connections in number; there is nothing to learn here that is not public.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h11
import structlog

from access_audit.checkpoint import LogKey
from access_audit.witness.state import Reply, Witness
from vms.base import durable
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError, refusal_text

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 65_536
MAX_CONNECTIONS = 64
REQUEST_WITHIN_S = 20.0
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """Where the witness keeps its state, what it is called, which logs it knows by which key, and where it listens."""

    folder: Path
    name: str
    log_keys: Sequence[LogKey]
    host: str
    port: int


async def run_witness(
    settings: WitnessSettings, clock: Clock, stop: asyncio.Event, on_ready: Callable[[Witness, int], None]
) -> None:
    """Answer until `stop` is set; `on_ready` is given the open witness and its port.

    Raises VmsError `folder.in_use`, `witness.state`, `witness.name`, `witness.log_key`, `witness.port`.
    """
    await asyncio.to_thread(durable.make_folder, settings.folder, 0o700)
    lock = await asyncio.to_thread(durable.FolderLock, settings.folder)
    try:
        witness = await asyncio.to_thread(Witness, settings.folder, settings.name, settings.log_keys, clock)
        server = _Server(witness)
        try:
            listening = await asyncio.start_server(server.connected, settings.host, settings.port)
        except OSError as taken:
            raise _no_port(settings, taken) from None
        try:
            on_ready(witness, listening.sockets[0].getsockname()[1])
            await stop.wait()
        finally:
            listening.close()
            await server.close()
    finally:
        lock.release()


class _Server:
    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._turn = asyncio.Lock()
        self._connections: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            writer.close()
            return
        task = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state = h11.Connection(h11.SERVER, max_incomplete_event_size=8_192)
        try:
            while True:
                async with asyncio.timeout(REQUEST_WITHIN_S):
                    request, body = await _read_request(state, reader)
                if request is None:
                    return
                reply = await self._answer(request, body)
                await _send(state, writer, reply)
                if state.our_state is not h11.DONE or state.their_state is not h11.DONE:
                    return
                state.start_next_cycle()
        except (h11.RemoteProtocolError, OSError, TimeoutError, _TooLong) as broken:
            log.info("a client of the witness broke off", detail=repr(broken))
            with suppress(h11.LocalProtocolError, OSError):
                await _send(state, writer, Reply(400))
        finally:
            writer.close()

    async def _answer(self, request: h11.Request, body: bytes) -> Reply:
        called = request.method, request.target.partition(b"?")[0]
        if called == (b"GET", b"/"):
            return Reply(200, f"{self._witness.key.text}\n".encode())
        calls = {b"/add-checkpoint": self._witness.add_checkpoint, b"/hand-over": self._witness.hand_over}
        call = calls.get(called[1])
        if call is None:
            return Reply(404)
        if called[0] != b"POST":
            return Reply(405)
        async with self._turn:
            try:
                return await asyncio.to_thread(call, body)
            except OSError as refused:
                log.error("the disk of the witness refuses", error=repr(refused))
                return Reply(503)


class _TooLong(Exception):  # noqa: N818
    pass


async def _read_request(state: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request | None, bytes]:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            state.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise _TooLong
        elif isinstance(event, h11.EndOfMessage):
            return request, bytes(body)
        else:
            return None, b""


async def _send(state: h11.Connection, writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = [("Content-Type", reply.kind), ("Content-Length", str(len(reply.body)))]
    events = (h11.Response(status_code=reply.status, headers=headers), h11.Data(data=reply.body), h11.EndOfMessage())
    writer.write(b"".join(state.send(event) or b"" for event in events))
    await writer.drain()


def _no_port(settings: WitnessSettings, taken: OSError) -> VmsError:
    return VmsError(
        ErrorKind.CONFLICT,
        "witness.port",
        f"Le témoin ne peut pas écouter sur {settings.host}:{settings.port} : {refusal_text(taken)}.",
        hint="Choisissez une autre adresse avec --listen.",
        detail=repr(taken),
    )
