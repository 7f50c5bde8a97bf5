"""The bus of several processes: Redis publish/subscribe.

Messages are JSON objects of strings on the channels `vms:<topic>`. What does not have that form is dropped with a
warning: the bus trusts its server no more than it must.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis
import structlog
from redis import DriverInfo
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from supervision_centre.bus.in_process import Mailbox
from supervision_centre.bus.port import Message, Topic
from vms.base.errors import ErrorKind, VmsError
from vms.base.tasks import Backoff

log = structlog.get_logger(__name__)

_PREFIX = "vms:"
_MAX_MESSAGE_BYTES = 64 * 1024
_POLL_S = 1.0
_SUBSCRIBED_WITHIN_S = 2.0


class RedisBus:
    """A bus for a centre of several processes. `url` is `redis://…`, `rediss://…` or `unix://…`."""

    def __init__(self, url: str) -> None:
        driver = DriverInfo(lib_version=redis.__version__)
        self._redis: Redis = Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=2.0, driver_info=driver)

    async def publish(self, message: Message) -> None:
        try:
            await self._redis.publish(_PREFIX + message.topic, json.dumps(dict(message.fields)))
        except (RedisError, OSError) as broken:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "bus.unavailable",
                "Le service de messages entre les processus ne répond pas.",
                hint="Vérifiez le serveur Redis.",
                detail=repr(broken),
            ) from None

    @asynccontextmanager
    async def subscribe(self, *topics: Topic) -> AsyncIterator[AsyncIterator[Message]]:
        """The messages of these topics from now on; the subscription stands when the block begins."""
        mailbox = Mailbox(frozenset(topics))
        ready = asyncio.Event()
        task = asyncio.create_task(self._listen(mailbox, ready), name="bus subscription")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SUBSCRIBED_WITHIN_S):
                    await ready.wait()
            yield mailbox.messages()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        await self._redis.aclose()

    async def _listen(self, mailbox: Mailbox, ready: asyncio.Event) -> None:
        backoff = Backoff(initial_s=0.1, maximum_s=5.0)
        while True:
            link = self._redis.pubsub(ignore_subscribe_messages=False)
            try:
                await link.subscribe(*(_PREFIX + topic for topic in mailbox.topics))
                await self._receive(link, mailbox, ready, backoff)
            except (RedisError, OSError) as broken:
                log.warning("bus subscription broken", error=repr(broken))
            finally:
                with suppress(RedisError, OSError):
                    await link.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(backoff.next_pause_s())

    async def _receive(self, link: PubSub, mailbox: Mailbox, ready: asyncio.Event, backoff: Backoff) -> None:
        while True:
            raw = await link.get_message(ignore_subscribe_messages=False, timeout=_POLL_S)
            if raw is None:
                continue
            if raw["type"] == "subscribe":
                ready.set()
                backoff.reset()
            elif raw["type"] == "message":
                message = _parse(raw["channel"], raw["data"])
                if message is not None:
                    mailbox.put(message)


def _parse(channel: bytes, data: bytes) -> Message | None:
    try:
        if len(data) > _MAX_MESSAGE_BYTES:
            raise ValueError("over-long")
        topic = Topic(channel.decode().removeprefix(_PREFIX))
        fields = json.loads(data)
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            raise ValueError("no object of strings")
    except ValueError as wrong:
        log.warning("message of another form on the bus", detail=str(wrong))
        return None
    return Message(topic, fields)
