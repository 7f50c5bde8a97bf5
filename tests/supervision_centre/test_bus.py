"""The bus, in a process and over a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from supervision_centre.bus.in_process import InProcessBus, Mailbox
from supervision_centre.bus.over_redis import RedisBus
from supervision_centre.bus.port import Bus, Message, Topic
from tests.services import RedisServer
from tests.supervision_centre.centre import until
from vms.base.errors import VmsError

REVOKED = Message(Topic.REVOCATIONS, {"sessions": "view-1,view-2"})


@pytest.fixture(params=["in_process", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus = (
        InProcessBus() if request.param == "in_process" else RedisBus(request.getfixturevalue("redis_server").url)
    )
    yield made
    await made.close()


async def test_each_subscriber_gets_its_topics(bus: Bus) -> None:
    async with bus.subscribe(Topic.REVOCATIONS) as first, bus.subscribe(Topic.REVOCATIONS, Topic.PEOPLE) as second:
        await bus.publish(Message(Topic.PEOPLE, {"person": "per-1"}))
        await bus.publish(REVOKED)
        async with asyncio.timeout(5):
            assert await anext(first) == REVOKED
            assert [(await anext(second)).topic for _ in range(2)] == [Topic.PEOPLE, Topic.REVOCATIONS]


async def test_nothing_is_kept_for_who_is_not_there(bus: Bus) -> None:
    await bus.publish(REVOKED)
    async with bus.subscribe(Topic.REVOCATIONS) as messages:
        await bus.publish(Message(Topic.REVOCATIONS, {"sessions": "view-3"}))
        async with asyncio.timeout(5):
            assert (await anext(messages)).fields == {"sessions": "view-3"}


async def test_two_processes_hear_each_other(redis_server: RedisServer) -> None:
    one, other = RedisBus(redis_server.url), RedisBus(redis_server.url)
    async with one.subscribe(Topic.REVOCATIONS) as messages:
        await other.publish(REVOKED)
        async with asyncio.timeout(5):
            assert await anext(messages) == REVOKED
    await one.close()
    await other.close()


async def test_a_subscription_survives_the_server(redis_server: RedisServer) -> None:
    bus = RedisBus(redis_server.url)
    async with bus.subscribe(Topic.REVOCATIONS) as messages:
        await asyncio.to_thread(redis_server.stop)
        with pytest.raises(VmsError, match=r"bus\.unavailable"):
            await bus.publish(REVOKED)
        await asyncio.to_thread(redis_server.start)
        waiting = asyncio.ensure_future(anext(messages))

        async def heard() -> bool:
            await bus.publish(REVOKED)
            await asyncio.sleep(0.05)
            return waiting.done()

        await until(heard)
        assert waiting.result() == REVOKED
    await bus.close()


async def test_what_is_not_a_message_is_dropped(redis_server: RedisServer) -> None:
    from redis.asyncio import Redis

    bus, stranger = RedisBus(redis_server.url), Redis.from_url(redis_server.url)
    async with bus.subscribe(Topic.REVOCATIONS) as messages:
        for content in (b"\xff", b"[]", b'{"a":1}', b'{"a":"' + b"x" * 70_000 + b'"}'):
            await stranger.publish("vms:revocations", content)
        await bus.publish(REVOKED)
        async with asyncio.timeout(5):
            assert await anext(messages) == REVOKED
    await stranger.aclose()
    await bus.close()


async def test_a_slow_subscriber_loses_its_oldest_messages_counted() -> None:
    mailbox = Mailbox(frozenset(Topic), limit=2)
    for number in range(5):
        mailbox.put(Message(Topic.PEOPLE, {"number": str(number)}))
    messages = mailbox.messages()
    assert [(await anext(messages)).fields["number"] for _ in range(2)] == ["3", "4"]
    assert mailbox.dropped == 3
