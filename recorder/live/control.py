"""The gateway's own Unix socket, for the processes of this machine: revocations, uses, counters.

Frames and JSON as between shards and their clients (`recorder.node.protocol`):

    {"id": n, "op": "revoke", "sessions": [ids]}   -> {"id": n, "ok": true, "ended": leases}
    {"id": n, "op": "sessions"}                    -> {"id": n, "ok": true, "sessions": [{…}]}   what each was sent
    {"id": n, "op": "served", "day": d, "after": k} -> {"id": n, "ok": true, "views": [{…}], "more": bool}
    {"id": n, "op": "counters"}                    -> {"id": n, "ok": true, "streams": [{…}]}
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from recorder.live.leases import LeaseBook
from recorder.live.served import read_day
from recorder.live.upstream import UpstreamPool
from recorder.node import protocol
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, read_frame

log = structlog.get_logger(__name__)

MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_SESSION_ID_CHARS = 64
_ANSWERED_SESSIONS = 10_000
_ANSWERED_VIEWS = 2_000


class ControlServer:
    """Answers on the control socket, which only this machine's account can open."""

    def __init__(self, path: Path, book: LeaseBook, pool: UpstreamPool, served: Path | None = None) -> None:
        self._path = path
        self._served = served
        self._book = book
        self._pool = pool
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the path cannot be used."""
        listener = await asyncio.to_thread(_listening_socket, self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def close(self) -> None:
        """Stop listening and end the connections."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (content := await read_frame(reader, MAX_REQUEST_BYTES)) is not None:
                if content[:1] != protocol.JSON_MARK:
                    raise FrameError("frame of an unknown kind")
                request = protocol.parse_json(content[1:])
                answer = await self._views(request) if request.get("op") == "served" else self._answer(request)
                writer.write(protocol.json_message(answer))
                await writer.drain()
        except (FrameError, ConnectionError) as broken:
            log.warning("control connection broken", error=repr(broken))
        except asyncio.CancelledError:
            # Only `close` cancels; the task belongs to the server, which would report it as a failure.
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _views(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Some of what was served on a day, from the one numbered `after` on."""
        day, after = request.get("day"), request.get("after", 0)
        try:
            if not isinstance(day, str) or not isinstance(after, int) or after < 0:
                raise ValueError("a day and a number are expected")
            views = [] if self._served is None else await asyncio.to_thread(read_day, self._served, day)
        except ValueError as wrong:
            return {"id": request.get("id"), "ok": False, **protocol.error_to_json(_refused(str(wrong)))}
        part = [asdict(view) for view in views[after : after + _ANSWERED_VIEWS]]
        return {"id": request.get("id"), "ok": True, "views": part, "more": after + len(part) < len(views)}

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        head = {"id": request.get("id"), "ok": True}
        try:
            match request.get("op"):
                case "revoke":
                    ended = self._book.revoke(_session_ids(request.get("sessions")))
                    log.info("sessions revoked", sessions=len(request["sessions"]), ended=ended)
                    return {**head, "ended": ended}
                case "sessions":
                    return {**head, "sessions": [asdict(use) for use in self._book.uses()[-_ANSWERED_SESSIONS:]]}
                case "counters":
                    return {**head, "streams": [asdict(counters) for counters in self._pool.counters()]}
                case _:
                    raise _refused("unknown operation")
        except VmsError as refused:
            return {"id": request.get("id"), "ok": False, **protocol.error_to_json(refused)}


def _listening_socket(path: Path) -> socket.socket:
    durable.remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Before anybody can connect: a socket that does not listen yet refuses.
        path.chmod(0o600)
        listener.listen(64)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _session_ids(value: object) -> list[str]:
    if not isinstance(value, list):
        raise _refused("sessions must be a list")
    if not all(isinstance(one, str) and 0 < len(one) <= MAX_SESSION_ID_CHARS for one in value):
        raise _refused("a session identifier is no short text")
    return value


def _refused(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.INVALID_INPUT, "control.invalid", "La passerelle vidéo n'a pas compris l'ordre reçu.", detail=detail
    )
