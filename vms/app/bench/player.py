"""What a benchmark needs of a player: tickets that a centre could have signed, the WebSocket and HTTP of playback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect

from recorder.contract.ticket import MediaAct, TicketClaims, sign_ticket
from recorder.live.messages import HEAD, KIND_FRAGMENT
from vms.app.bench.gateway_process import ORIGIN
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import new_id

WITHIN_S = 30.0
_LEASE_NS = 10 * NS_PER_SECOND


class Tickets:
    """Signs what the gateway takes."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self._person = new_id("per")

    def playback(self, camera_id: str, start_ns: int, end_ns: int) -> str:
        """A fresh lease on a range of a camera."""
        now_ns = time.time_ns()
        act = MediaAct.PLAYBACK
        claims = TicketClaims(
            new_id("view"), self._person, camera_id, act, (), 1, "00" * 32, now_ns, now_ns + _LEASE_NS, start_ns, end_ns
        )
        return sign_ticket(claims, self.key).text


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch gave: groups, bytes, seconds to the first group and to the end, and where it goes on."""

    groups: int
    size_bytes: int
    first_s: float
    whole_s: float
    next_ns: int | None


class BenchPlayer:
    """One connection, one stream at a time."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def say(self, **message: object) -> None:
        """Send a message."""
        await self._connection.send(json.dumps(message))

    async def fetch(
        self,
        ticket: str | None,
        from_ns: int,
        to_ns: int,
        *,
        backward: bool = False,
        key_only: bool = False,
        limit: int = 1,
    ) -> Fetched:
        """Ask for groups, first opening the stream when there is a ticket. Raises TimeoutError, RuntimeError."""
        begun = time.perf_counter()
        if ticket is not None:
            await self.say(type="open", stream=1, ticket=ticket)
        ends = {"from": str(from_ns), "to": str(to_ns)}
        direction, frames = "reverse" if backward else "forward", "key" if key_only else "all"
        await self.say(type="fetch", stream=1, request=1, **ends, direction=direction, frames=frames, limit=limit)
        groups = size_bytes = 0
        first_s = 0.0
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self._connection.recv()
                if isinstance(message, bytes):
                    if HEAD.unpack_from(message)[1] == KIND_FRAGMENT:
                        first_s = first_s or time.perf_counter() - begun
                        groups += 1
                        size_bytes += len(message)
                    continue
                said = json.loads(message)
                if said["type"] == "done":
                    following = None if said["next"] is None else int(said["next"])
                    return Fetched(groups, size_bytes, first_s, time.perf_counter() - begun, following)
                if said["type"] == "error" or (said["type"] == "ended" and said["cause"] != "replaced"):
                    raise RuntimeError(message)


@contextlib.asynccontextmanager
async def bench_player(port: int) -> AsyncIterator[BenchPlayer]:
    """A player that is connected."""
    async with connect(
        f"ws://127.0.0.1:{port}/playback",
        additional_headers={"Origin": ORIGIN},
        max_size=None,
        proxy=None,
        compression=None,
        close_timeout=0.5,
    ) as connection:
        yield BenchPlayer(connection)


async def first_bytes_over_http(port: int, ticket: str, from_ns: int, to_ns: int, size: int) -> float:
    """Seconds to the first `size` bytes of a range, over a connection of its own. Raises RuntimeError."""
    begun = time.perf_counter()
    async with asyncio.timeout(WITHIN_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            lines = (
                f"GET /playback?from={from_ns}&to={to_ns} HTTP/1.1",
                "Host: bench",
                f"Authorization: Bearer {ticket}",
            )
            writer.write("\r\n".join((*lines, f"Range: bytes=0-{size - 1}", "", "")).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith((b"HTTP/1.1 206", b"HTTP/1.1 200")):
                raise RuntimeError(head.decode("latin-1"))
            await reader.readexactly(size)
        finally:
            writer.close()
    return time.perf_counter() - begun
