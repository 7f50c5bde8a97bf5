"""A player's end of the wire, and what it was given taken apart."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from recorder.live import messages
from tests.recorder.footage import shown
from tests.recorder.gateways import ORIGIN, WITHIN_S, RunningGateway
from vms.base.clock import NS_PER_SECOND
from vms.media.fmp4 import parse_moof


@dataclass(frozen=True)
class Given:
    """One group of pictures as it came."""

    generation: int
    request: int
    start_ns: int
    key: bool
    data: bytes

    @property
    def decode_90k(self) -> int:
        return parse_moof(self.data)[1]

    @property
    def pictures(self) -> int:
        return len(parse_moof(self.data)[2])

    @property
    def end_90k(self) -> int:
        _, decode_90k, samples = parse_moof(self.data)
        return decode_90k + sum(sample.duration_90k for sample in samples)


@dataclass
class Answer:
    """Everything that came for one request."""

    groups: list[Given] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> dict[str, Any]:
        return self.texts[-1]

    @property
    def next_ns(self) -> int | None:
        following = self.done["next"]
        return None if following is None else int(following)

    def said(self, kind: str) -> list[dict[str, Any]]:
        return [text for text in self.texts if text["type"] == kind]


class Player:
    """A connection, and the init segments that came over it by `(stream, generation)`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.inits: dict[tuple[int, int], bytes] = {}
        self.requests = 0

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def next(self) -> dict[str, Any] | Given:
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self.connection.recv()
                if isinstance(message, str):
                    said: dict[str, Any] = json.loads(message)
                    return said
                _, kind, stream, generation, start_ns, flags = messages.HEAD.unpack_from(message)
                data = message[messages.HEAD.size :]
                if kind == messages.KIND_INIT:
                    self.inits[stream, generation] = data
                else:
                    return Given(generation, flags >> 32, start_ns, bool(flags & 1), data)

    async def open(self, ticket: str, stream: int = 1) -> dict[str, Any]:
        await self.say(type="open", stream=stream, ticket=ticket)
        answer = await self.next()
        assert isinstance(answer, dict)
        return answer

    async def ask(
        self,
        from_ns: int,
        to_ns: int,
        *,
        direction: str = "forward",
        frames: str = "all",
        limit: int = 64,
        stream: int = 1,
    ) -> int:
        self.requests += 1
        await self.say(
            type="fetch",
            stream=stream,
            request=self.requests,
            **{"from": str(from_ns), "to": str(to_ns)},
            direction=direction,
            frames=frames,
            limit=limit,
        )
        return self.requests

    async def answer(self) -> Answer:
        answer = Answer()
        while not answer.texts or answer.done["type"] != "done":
            message = await self.next()
            if isinstance(message, Given):
                answer.groups.append(message)
            else:
                answer.texts.append(message)
        return answer

    async def fetch(self, from_ns: int, to_ns: int, **options: Any) -> Answer:
        request = await self.ask(from_ns, to_ns, **options)
        answer = await self.answer()
        assert {group.request for group in answer.groups} <= {request}
        assert answer.done["request"] == request
        return answer

    async def everything(self, from_ns: int, to_ns: int, **options: Any) -> list[Given]:
        """All groups of a range, asked for by `next` until there is none."""
        groups: list[Given] = []
        at: int | None = from_ns
        while at is not None:
            answer = await self.fetch(at, to_ns, **options)
            groups += answer.groups
            at = answer.next_ns if answer.done["reason"] == "limit" else None
        return groups

    def shown_ns(self, groups: list[Given], origin_ns: int, stream: int = 1) -> list[int]:
        """The UTC instants of the pictures that a decoder makes of these groups, without an error."""
        init = self.inits[stream, groups[0].generation]
        times = shown(init, [group.data for group in groups])
        return [origin_ns + time_90k * NS_PER_SECOND // 90_000 for time_90k in times]


@contextlib.asynccontextmanager
async def playing(node: RunningGateway, origin: str | None = ORIGIN, **options: Any) -> AsyncIterator[Player]:
    headers = {} if origin is None else {"Origin": origin}
    async with connect(
        f"ws://127.0.0.1:{node.gateway.port}/playback",
        additional_headers=headers,
        max_size=None,
        proxy=None,
        close_timeout=0.2,
        **options,
    ) as connection:
        yield Player(connection)
