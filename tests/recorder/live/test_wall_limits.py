"""Browsers that are slow, silent, or hostile."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.ticket import MediaAct, TicketVerifier
from recorder.live.conversation import IDLE_LIMIT_S
from recorder.live.fragmenter import Fragment, LiveStream
from recorder.live.leases import LeaseBook
from recorder.live.messages import HEAD, KIND_FRAGMENT, KIND_INIT, MAX_MESSAGE_BYTES
from recorder.live.tile import MAX_QUEUED_FRAGMENTS, Listener, Tile
from recorder.live.wall import MAX_TILES
from recorder.live.websocket import SILENCE_LIMIT_S
from tests.recorder.footage import footage
from tests.recorder.gateways import Centre, Media, RunningGateway, running_gateway, until
from tests.recorder.live.fake_shard import FakeShard
from vms.base.clock import ManualClock

STREAM = LiveStream('video/mp4; codecs="avc1.4D401F"', 640, 480, b"init")
STATUS = StreamStatus("cam-1", StreamRole.SUB, StreamCondition.LIVE, 0)


class Source:
    """A shared stream with a group at hand."""

    def __init__(self, group: list[Fragment]) -> None:
        self.group = group
        self.listeners: list[Listener] = []

    def attach(self, listener: Listener) -> None:
        self.listeners.append(listener)
        listener.on_status(STATUS)
        if self.group:
            listener.on_group(self.group)

    def detach(self, listener: Listener) -> None:
        self.listeners.remove(listener)

    def send(self, *fragments: Fragment) -> None:
        for fragment in fragments:
            for listener in self.listeners:
                listener.on_fragment(fragment)


def fragment(number: int, *, key: bool = False, stream: LiveStream = STREAM, size: int = 10) -> Fragment:
    return Fragment(stream, number.to_bytes(4) + bytes(size), number, key)


def open_tile(source: Source) -> Tile:
    clock = ManualClock()
    centre = Centre(clock)
    book = LeaseBook(TicketVerifier(centre.key.public_key(), clock), clock)
    tile = Tile(1, lambda: None)
    tile.begin(book.open(centre.ticket(), MediaAct.LIVE, lambda _: tile.stop()), StreamRole.SUB, source)
    return tile


def take_all(tile: Tile) -> list[str]:
    """What a browser would get: the types of texts, and `init`, or the number of a fragment."""
    taken: list[str] = []
    while (outgoing := tile.take()) is not None:
        if isinstance(outgoing, str):
            taken.append(json.loads(outgoing)["type"])
        elif HEAD.unpack(outgoing[0])[1] == KIND_INIT:
            taken.append("init")
        else:
            assert HEAD.unpack(outgoing[0])[1] == KIND_FRAGMENT
            taken.append(str(HEAD.unpack(outgoing[0])[4]))
    return taken


def test_a_slow_browser_loses_frames_up_to_the_next_key_frame_and_is_told_how_many() -> None:
    source = Source([fragment(0, key=True)])
    tile = open_tile(source)
    assert take_all(tile) == ["status", "stream", "init", "0"]
    source.send(*(fragment(number) for number in range(1, MAX_QUEUED_FRAGMENTS + 5)))
    assert take_all(tile) == []
    source.send(fragment(90), fragment(100, key=True), fragment(101))
    assert take_all(tile) == ["lag", "100", "101"]
    assert tile.lease.use.dropped_fragments == MAX_QUEUED_FRAGMENTS + 5


def test_a_group_longer_than_the_queue_still_reaches_a_new_browser_whole() -> None:
    length = MAX_QUEUED_FRAGMENTS * 4
    source = Source([fragment(number, key=number == 0) for number in range(length)])
    tile = open_tile(source)
    source.send(fragment(length), fragment(length + 1))
    assert take_all(tile)[3:] == [str(number) for number in range(length + 2)]
    assert tile.lease.use.dropped_fragments == 0


def test_a_browser_that_never_takes_its_first_group_is_bounded_too() -> None:
    source = Source([fragment(number, key=number == 0) for number in range(10)])
    tile = open_tile(source)
    source.send(*(fragment(number) for number in range(10, 1_000)))
    source.send(fragment(1_000, key=True))
    assert take_all(tile) == ["status", "stream", "init", "lag", "1000"]


def test_large_fragments_are_bounded_by_their_bytes() -> None:
    source = Source([])
    tile = open_tile(source)
    source.send(fragment(0, key=True, size=3_000_000), fragment(1, size=3_000_000), fragment(2))
    source.send(fragment(3, key=True, size=6_000_000))
    assert take_all(tile) == ["status", "stream", "init", "lag", "3"]


def test_nothing_is_taken_from_a_tile_that_has_stopped() -> None:
    source = Source([fragment(0, key=True)])
    tile = open_tile(source)
    tile.stop()
    assert take_all(tile) == []
    assert source.listeners == []


async def test_a_browser_that_stops_reading_delays_nobody_and_resumes_at_a_key_frame(
    node: RunningGateway, shard: FakeShard
) -> None:
    shard.film = footage("street_768x576_h264.mp4")
    async with node.wall() as quick, node.wall(max_queue=1) as slow:
        await quick.open(node.centre.ticket())
        await slow.open(node.centre.ticket("view-2"))
        await until(lambda: shard.active)
        shard.send(1)
        seen = await slow.media(1)
        await quick.media(1)
        dropped = 0
        while not dropped:
            shard.send(25)
            await quick.media(25)
            dropped = (await node.control(op="sessions"))["sessions"][1]["dropped_fragments"]
        shard.send_group()
        shard.send(1)
        lag: dict[str, Any] = {}
        while not lag:
            message = await slow.next()
            if isinstance(message, Media):
                seen.append(message)
            elif message["type"] == "lag":
                lag = message
        (resumed,) = await slow.media(1)
        assert resumed.key
        fragments = [media for media in seen if media.kind == KIND_FRAGMENT]
        lost_ns = resumed.capture_utc_ns - fragments[-1].capture_utc_ns
        assert lost_ns // 40_000_000 - 1 == lag["dropped"]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:8080.evil.example", "null", None])
async def test_a_page_of_another_origin_opens_no_wall(node: RunningGateway, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with node.wall(origin=origin):
            pass
    assert refused.value.response.status_code == 403


HOSTILE = [
    "",
    "[" * 4_000,
    "[]",
    "null",
    "{}",
    '{"type":"open","tile":1,"ticket":"x","role":"main"',
    '{"type":"open","tile":-1,"ticket":"x","role":"main"}',
    '{"type":"open","tile":65536,"ticket":"x","role":"main"}',
    '{"type":"open","tile":true,"ticket":"x","role":"main"}',
    '{"type":"open","tile":1.5,"ticket":"x","role":"main"}',
    '{"type":"open","tile":' + "1" * 5_000 + ',"ticket":"x","role":"main"}',
    '{"type":"open","tile":1,"ticket":"","role":"main"}',
    '{"type":"open","tile":1,"ticket":7,"role":"main"}',
    '{"type":"open","tile":1,"ticket":"' + "x" * 5_000 + '","role":"main"}',
    '{"type":"open","tile":1,"ticket":"x","role":["main"]}',
    '{"type":"open","tile":1,"ticket":"x","role":"../main"}',
    '{"type":"destroy","tile":1}',
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_message_of_another_shape_is_refused_and_the_wall_goes_on(node: RunningGateway, text: str) -> None:
    async with node.wall() as wall:
        await wall.connection.send(text)
        assert (await wall.text("error"))["code"] == "message.malformed"
        await wall.say(type="renew", tile=1, ticket="x")
        assert (await wall.text("error"))["code"] == "tile.unknown"


@pytest.mark.parametrize(
    ("message", "code"),
    [("x" * (MAX_MESSAGE_BYTES + 1), 1009), (b"binary", 1008), (["{"] * 40, 1008)],
    ids=["large", "binary", "pieces"],
)
async def test_what_no_console_sends_closes_the_wall(
    node: RunningGateway, message: str | bytes | list[str], code: int
) -> None:
    async with node.wall() as wall:
        await wall.connection.send(message)
        assert await wall.close_code() == code


async def test_a_flood_of_messages_closes_the_wall(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, ManualClock()) as node, node.wall() as wall:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(5_000):
                await wall.say(type="close", tile=1)
        assert await wall.close_code() == 1008


async def test_a_wall_has_a_bounded_number_of_tiles(node: RunningGateway) -> None:
    async with node.wall() as wall:
        for tile in range(MAX_TILES + 1):
            await wall.open(node.centre.ticket(f"view-{tile}"), tile=tile)
        assert await wall.text("ended") == {"type": "ended", "tile": MAX_TILES, "cause": "tile.too_many"}


async def test_a_wall_without_a_tile_is_closed_after_a_while(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_gateway(tmp_path, clock) as node, node.wall() as wall:
        await wall.say(type="close", tile=1)
        for _ in range(round(IDLE_LIMIT_S) + 10):
            await clock.advance(1)
            await asyncio.sleep(0.002)
        assert await wall.close_code() == 1000


async def test_a_browser_that_answers_no_ping_is_let_go(tmp_path: Path, socket: Path, shard: FakeShard) -> None:
    clock = ManualClock()
    async with running_gateway(tmp_path, clock, shards=[socket]) as node, node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        wall.connection.transport.pause_reading()
        for _ in range(round(SILENCE_LIMIT_S) + 15):
            await clock.advance(1)
            await asyncio.sleep(0.002)
        await until(lambda: not shard.active)


async def test_more_connections_than_allowed_are_refused(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, ManualClock(), max_connections=1) as node, node.wall():
        with pytest.raises((InvalidMessage, ConnectionError)):
            async with node.wall():
                pass
