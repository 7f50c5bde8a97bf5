"""A whole gateway inside a test, with tickets that a centre could have signed, and a browser's end of the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from recorder.contract.assignment import StreamRole
from recorder.contract.ticket import MediaAct, TicketClaims, sign_ticket
from recorder.live import messages
from recorder.live.gateway import Gateway, GatewaySettings
from recorder.node import protocol
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.framing import read_frame

ORIGIN = "http://localhost:8080"
WITHIN_S = 5.0
CAMERA = "cam-01k3zzzzzzzzzzzzzzzzzzzzzz"


class Centre:
    """Signs tickets as the supervision centre does."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.key = Ed25519PrivateKey.generate()

    def ticket(
        self,
        session_id: str = "view-1",
        *,
        camera_id: str = CAMERA,
        person_id: str = "per-1",
        act: MediaAct = MediaAct.LIVE,
        roles: Sequence[StreamRole] = (StreamRole.MAIN, StreamRole.SUB),
        age_s: float = 0,
        life_s: float = 10,
        start_ns: int = 0,
        end_ns: int = 0,
        key: Ed25519PrivateKey | None = None,
    ) -> str:
        issued_ns = self.clock.utc_ns() - round(age_s * NS_PER_SECOND)
        claims = TicketClaims(
            session_id,
            person_id,
            camera_id,
            act,
            tuple(roles),
            1,
            "00" * 32,
            issued_ns,
            issued_ns + round(life_s * NS_PER_SECOND),
            start_ns,
            end_ns,
        )
        return sign_ticket(claims, key or self.key).text

    def playback(self, start_ns: int, end_ns: int, session_id: str = "view-1", **changes: Any) -> str:
        return self.ticket(session_id, act=MediaAct.PLAYBACK, roles=(), start_ns=start_ns, end_ns=end_ns, **changes)


@dataclass
class RunningGateway:
    """A gateway that listens, and the centre whose tickets it takes."""

    gateway: Gateway
    centre: Centre
    control_socket: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    @contextlib.asynccontextmanager
    async def wall(self, origin: str | None = ORIGIN, **options: Any) -> AsyncIterator[Wall]:
        headers = {} if origin is None else {"Origin": origin}
        async with connect(
            f"ws://127.0.0.1:{self.gateway.port}/live",
            additional_headers=headers,
            max_size=None,
            proxy=None,
            close_timeout=0.2,
            **options,
        ) as connection:
            yield Wall(connection)

    async def control(self, **request: Any) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(self.control_socket)
        try:
            writer.write(protocol.json_message({"id": 7, **request}))
            content = await read_frame(reader)
        finally:
            writer.close()
        assert content is not None
        assert content[:1] == protocol.JSON_MARK
        return protocol.parse_json(content[1:])


@dataclass(frozen=True)
class Media:
    """A binary message of a wall, taken apart."""

    kind: int
    tile: int
    generation: int
    capture_utc_ns: int
    key: bool
    data: bytes


class Wall:
    """A browser's end of one wall."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def open(self, ticket: str, tile: int = 1, role: str = "sub") -> None:
        await self.say(type="open", tile=tile, ticket=ticket, role=role)

    async def next(self) -> dict[str, Any] | Media:
        async with asyncio.timeout(WITHIN_S):
            message = await self.connection.recv()
        if isinstance(message, str):
            answer: dict[str, Any] = json.loads(message)
            return answer
        _, kind, tile, generation, capture_ns, flags = messages.HEAD.unpack_from(message)
        return Media(kind, tile, generation, capture_ns, bool(flags & 1), message[messages.HEAD.size :])

    async def close_code(self) -> int:
        """The code with which the gateway closes this wall."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.next()
        assert self.connection.close_code is not None
        return self.connection.close_code

    async def text(self, kind: str) -> dict[str, Any]:
        """The next text message of a type; others are passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self.next()
                if isinstance(message, dict) and message["type"] == kind:
                    return message

    async def status(self, cause: str) -> dict[str, Any]:
        """The next status with a cause; a browser may be spared those before it."""
        while (message := await self.text("status"))["cause"] != cause:
            pass
        return message

    async def media(self, count: int, kind: int = messages.KIND_FRAGMENT) -> list[Media]:
        """The next binary messages of a kind; others are passed over."""
        found: list[Media] = []
        async with asyncio.timeout(WITHIN_S):
            while len(found) < count:
                message = await self.next()
                if isinstance(message, Media) and message.kind == kind:
                    found.append(message)
        return found


@contextlib.asynccontextmanager
async def running_gateway(
    folder: Path,
    clock: Clock,
    *,
    shards: Sequence[Path] = (),
    stores: Sequence[Path] = (),
    **changes: Any,
) -> AsyncIterator[RunningGateway]:
    centre = Centre(clock)
    settings = GatewaySettings(
        "127.0.0.1",
        0,
        tuple(shards) or (folder / "nobody.sock",),
        tuple(stores),
        folder / "gateway.sock",
        folder / "unused.pem",
        (ORIGIN,),
        **changes,
    )
    gateway = Gateway(settings, clock, centre.key.public_key())
    try:
        await gateway.start()
        yield RunningGateway(gateway, centre, settings.control_socket)
    finally:
        await gateway.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 -- what is waited for is another process's state
            await asyncio.sleep(0.01)
