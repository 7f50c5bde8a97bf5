"""What a player may ask for, and how its right to images ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from recorder.live.player import MAX_STREAMS
from recorder.live.player_stream import MAX_WAITING_REQUESTS
from recorder.playback.fetching import MAX_GROUPS
from tests.recorder.footage import footage
from tests.recorder.gateways import RunningGateway, running_gateway, until
from tests.recorder.playback.archive import START_NS, Archive
from tests.recorder.playback.player import Player, playing
from vms.base.clock import NS_PER_SECOND, ManualClock

END_NS = START_NS + 3_600 * NS_PER_SECOND
FETCH = {
    "type": "fetch",
    "stream": 1,
    "request": 1,
    "from": str(START_NS),
    "to": str(END_NS),
    "direction": "forward",
    "frames": "all",
    "limit": 1,
}


def record_much(archive: Archive) -> None:
    film = footage("street_768x576_h264.mp4")
    for number in range(12):
        archive.record_as_shard(START_NS + number * 300 * NS_PER_SECOND, len(film.pictures), film=film)


async def let_go(player: Player) -> None:
    """Read until the gateway closes the connection."""
    while True:
        await player.next()


async def text(player: Player, kind: str) -> dict[str, Any]:
    while True:
        message = await player.next()
        if isinstance(message, dict) and message["type"] == kind:
            return message


@pytest.mark.parametrize("origin", ["http://evil.example", None])
async def test_another_page_is_not_served(node: RunningGateway, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with playing(node, origin):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("changes", "cause"),
    [({"age_s": 20}, "ticket.expired"), ({"act": "live"}, "ticket.act"), ({"end_ns": START_NS}, "ticket.range")],
)
async def test_a_ticket_that_gives_no_right_ends_the_stream(
    node: RunningGateway, changes: dict[str, Any], cause: str
) -> None:
    """LAW-18."""
    claims = {"start_ns": START_NS, "end_ns": END_NS, **changes}
    ticket = node.centre.ticket(**claims) if "act" in changes else node.centre.playback(**claims)
    async with playing(node) as player:
        assert await player.open(ticket) == {"type": "ended", "stream": 1, "cause": cause}
        await player.ask(START_NS, END_NS)
        assert (await text(player, "error"))["code"] == "stream.unknown"


async def test_one_player_shows_the_images_of_one_person(node: RunningGateway) -> None:
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        other = node.centre.playback(START_NS, END_NS, "view-2", person_id="per-2")
        assert (await player.open(other, stream=2))["cause"] == "ticket.person"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{",
        "[" * 5_000,
        {"type": "fetch"},
        {**FETCH, "stream": 65_536},
        {**FETCH, "stream": True},
        {**FETCH, "request": -1},
        {**FETCH, "request": 1 << 31},
        {**FETCH, "from": START_NS},
        {**FETCH, "from": "-1"},
        {**FETCH, "from": "9" * 19},
        {**FETCH, "from": "\u0661"},
        {**FETCH, "to": None},
        {**FETCH, "direction": "sideways"},
        {**FETCH, "direction": ["forward"]},
        {**FETCH, "frames": "some"},
        {**FETCH, "limit": 0},
        {**FETCH, "limit": MAX_GROUPS + 1},
        {**FETCH, "limit": 1.5},
        {"type": "open", "stream": 1},
        {"type": "open", "stream": 1, "ticket": "x" * 5_000},
        {"type": "delete", "stream": 1},
    ],
)
async def test_what_is_no_message_is_refused_and_the_connection_stays(
    node: RunningGateway, archive: Archive, message: object
) -> None:
    await asyncio.to_thread(archive.record_as_shard, START_NS, 20)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        await player.connection.send(message if isinstance(message, str) else json.dumps(message))
        assert (await text(player, "error"))["code"] == "message.malformed"
        assert (await player.fetch(START_NS, END_NS, limit=1)).groups


@pytest.mark.parametrize(("direction", "way"), [("forward", (END_NS, START_NS)), ("reverse", (START_NS, END_NS))])
async def test_a_range_that_ends_before_it_begins_is_refused(
    node: RunningGateway, direction: str, way: tuple[int, int]
) -> None:
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        request = await player.ask(*way, direction=direction)
        refused = await text(player, "error")
        assert (refused["code"], refused["request"]) == ("fetch.range", request)


async def test_binary_messages_and_floods_end_the_connection(node: RunningGateway) -> None:
    async with playing(node) as player:
        await player.connection.send(b"\x00" * 10)
        with pytest.raises(ConnectionClosed):
            await player.connection.recv()
    async with playing(node) as player:
        for _ in range(1_000):
            with contextlib.suppress(ConnectionClosed):
                await player.say(type="cancel", stream=1)
        with pytest.raises(ConnectionClosed):
            await let_go(player)


async def test_streams_and_waiting_requests_are_bounded(node: RunningGateway, archive: Archive) -> None:
    await asyncio.to_thread(record_much, archive)
    async with playing(node) as player:
        for stream in range(MAX_STREAMS):
            ticket = node.centre.playback(START_NS, END_NS, f"view-{stream}")
            assert (await player.open(ticket, stream=stream))["type"] == "opened"
        one_more = node.centre.playback(START_NS, END_NS, "view-more")
        assert (await player.open(one_more, stream=MAX_STREAMS))["cause"] == "stream.too_many"
        again = await player.open(node.centre.playback(START_NS, END_NS, "view-0"), stream=0)
        assert again == {"type": "ended", "stream": 0, "cause": "replaced"}
        assert (await text(player, "opened"))["stream"] == 0
        for _ in range(MAX_WAITING_REQUESTS + 4):
            await player.ask(START_NS, END_NS)
        assert (await text(player, "error"))["code"] == "fetch.too_many"


async def test_the_streams_of_a_node_are_bounded(tmp_path: Path, archive: Archive) -> None:
    clock = ManualClock()
    async with running_gateway(tmp_path, clock, stores=[archive.folder], max_playback_streams=1) as node:
        async with playing(node) as player:
            await player.open(node.centre.playback(START_NS, END_NS))
            second = await player.open(node.centre.playback(START_NS, END_NS, "view-2"), stream=2)
            assert second["cause"] == "playback.busy"
            await player.say(type="close", stream=1)
            assert (await text(player, "ended"))["cause"] == "closed"
            await until(lambda: not node.gateway._playback._streams)
            await player.open(node.centre.playback(START_NS, END_NS))
        await until(lambda: not node.gateway._playback._streams)


async def test_what_was_asked_can_be_left(node: RunningGateway, archive: Archive) -> None:
    await asyncio.to_thread(record_much, archive)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        requests = [await player.ask(START_NS, END_NS) for _ in range(3)]
        await player.say(type="cancel", stream=1)
        after = await player.ask(START_NS, END_NS, limit=1)
        answers = [await player.answer() for _ in range(4)]
        assert [answer.done["request"] for answer in answers] == [*requests, after]
        assert [answer.done["reason"] for answer in answers[1:]] == ["cancelled", "cancelled", "limit"]


async def test_a_player_that_takes_nothing_costs_no_memory_and_its_right_ends_all_the_same(
    node: RunningGateway, archive: Archive
) -> None:
    """LAW-17: within a second of the revocation, whatever the player does."""
    await asyncio.to_thread(record_much, archive)
    async with playing(node, max_queue=1) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        for _ in range(6):
            await player.ask(START_NS, END_NS)
        sent = -1
        while sent != (sent := node.gateway._book.uses()[0].sent_bytes):  # noqa: ASYNC110 -- until it stands still
            await asyncio.sleep(0.1)
        total = sum(path.stat().st_size for path in archive.folder.glob("media/*/*/*.mp4"))
        assert sent < total / 2
        begun = time.monotonic()
        assert (await node.control(op="revoke", sessions=["view-1"]))["ended"] == 1
        (connection,) = node.gateway._front._connections
        await until(connection.done)
        assert time.monotonic() - begun < 2
    (use,) = (await node.control(op="sessions"))["sessions"]
    assert use["cause"] == "revoked"


async def test_a_revoked_stream_ends_at_once_and_the_others_go_on(node: RunningGateway, archive: Archive) -> None:
    """LAW-17."""
    await asyncio.to_thread(archive.record_as_shard, START_NS, 40)
    async with playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        await player.open(node.centre.playback(START_NS, END_NS, "view-2"), stream=2)
        await player.fetch(START_NS, END_NS)
        assert (await node.control(op="revoke", sessions=["view-1"]))["ended"] == 1
        assert await player.next() == {"type": "ended", "stream": 1, "cause": "revoked"}
        await player.ask(START_NS, END_NS)
        assert (await text(player, "error"))["code"] == "stream.unknown"
        assert (await player.fetch(START_NS, END_NS, stream=2)).groups
        again = await player.open(node.centre.playback(START_NS, END_NS))
        assert again["cause"] == "revoked"


async def test_a_stream_lives_as_long_as_its_lease_is_renewed(tmp_path: Path, archive: Archive) -> None:
    """LAW-17."""
    await asyncio.to_thread(archive.record_as_shard, START_NS, 40)
    clock = ManualClock()
    async with running_gateway(tmp_path, clock, stores=[archive.folder]) as node, playing(node) as player:
        await player.open(node.centre.playback(START_NS, END_NS))
        for _ in range(4):
            await clock.advance(6)
            await player.say(type="renew", stream=1, ticket=node.centre.playback(START_NS, END_NS))
            assert (await player.fetch(START_NS, END_NS, limit=1)).groups
        other = node.centre.playback(START_NS, END_NS, camera_id="cam-other")
        await player.say(type="renew", stream=1, ticket=other)
        assert (await text(player, "error"))["code"] == "ticket.mismatch"
        for _ in range(14):
            await clock.advance(1)
        assert (await text(player, "ended"))["cause"] == "lease_expired"


async def test_a_player_without_a_stream_is_let_go(tmp_path: Path, archive: Archive) -> None:
    clock = ManualClock()
    async with running_gateway(tmp_path, clock, stores=[archive.folder]) as node, playing(node) as player:
        await player.open("no.ticket")
        for _ in range(14):
            await clock.advance(5)
        with pytest.raises(ConnectionClosed):
            await let_go(player)
