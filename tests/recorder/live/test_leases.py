"""Who sees what until when: tickets, leases, revocations (LAW-17, LAW-18, LAW-26)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.contract.assignment import StreamRole
from recorder.contract.ticket import MediaAct, TicketVerifier
from recorder.live.leases import MAX_REVOCATIONS, REVOCATION_MEMORY_SECONDS, LeaseBook
from tests.recorder.gateways import Centre, Media, RunningGateway, Wall, running_gateway, until
from tests.recorder.live.fake_shard import FakeShard
from vms.base.clock import ManualClock
from vms.base.errors import VmsError


class TimedNode:
    """A gateway whose clock the test moves."""

    def __init__(self, node: RunningGateway, clock: ManualClock) -> None:
        self.node = node
        self.clock = clock
        self.ticket = node.centre.ticket

    async def pass_time(self, seconds: float) -> None:
        # In small steps, so that renewals sent meanwhile are read at their time.
        for _ in range(round(seconds / 0.5)):
            await self.clock.advance(0.5)
            await asyncio.sleep(0.005)


@pytest.fixture
async def timed(tmp_path: Path, socket: Path, shard: FakeShard) -> AsyncIterator[TimedNode]:
    clock = ManualClock()
    async with running_gateway(tmp_path, clock, shards=[socket]) as node:
        yield TimedNode(node, clock)


async def assert_no_more_frames(wall: Wall, shard: FakeShard) -> None:
    shard.send_group()
    shard.send(3)
    await wall.say(type="close", tile=60000)
    await wall.say(type="renew", tile=60000, ticket="x")
    while isinstance(message := await wall.next(), Media) or message["type"] != "error":
        assert not isinstance(message, Media), "a frame came without a lease"


async def test_a_lease_that_is_not_renewed_ends_and_no_frame_follows(timed: TimedNode, shard: FakeShard) -> None:
    async with timed.node.wall() as wall:
        await wall.open(timed.ticket())
        await until(lambda: shard.active)
        shard.send(3)
        await wall.media(3)
        await timed.pass_time(9.5)
        shard.send(1)
        await wall.media(1)
        await timed.pass_time(1)
        assert await wall.text("ended") == {"type": "ended", "tile": 1, "cause": "lease_expired"}
        await until(lambda: not shard.active)
        await assert_no_more_frames(wall, shard)


async def test_a_renewed_lease_goes_on(timed: TimedNode, shard: FakeShard) -> None:
    async with timed.node.wall() as wall:
        await wall.open(timed.ticket())
        await until(lambda: shard.active)
        for _ in range(5):
            await timed.pass_time(5)
            await wall.say(type="renew", tile=1, ticket=timed.ticket())
            await asyncio.sleep(0.02)
        shard.send(2)
        await wall.media(2)


async def test_a_step_of_the_wall_clock_prolongs_nothing(timed: TimedNode, shard: FakeShard) -> None:
    async with timed.node.wall() as wall:
        await wall.open(timed.ticket())
        await until(lambda: shard.active)
        timed.clock.step_utc(-3_600)
        await timed.pass_time(11)
        assert (await wall.text("ended"))["cause"] == "lease_expired"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"age_s": 10}, "ticket.expired"),
        ({"age_s": 60, "life_s": 70}, "ticket.too_long"),
        ({"age_s": -60}, "ticket.expired"),
        ({"age_s": 5}, "ticket.expired"),
        ({"key": Ed25519PrivateKey.generate()}, "ticket.forged"),
        ({"act": MediaAct.PLAYBACK}, "ticket.act"),
        ({"roles": (StreamRole.MAIN,)}, "ticket.role"),
    ],
)
async def test_a_ticket_that_does_not_open_the_stream_is_refused_and_no_frame_comes(
    timed: TimedNode, shard: FakeShard, changes: dict[str, Any], cause: str
) -> None:
    """The one of five seconds is genuine and in its lease, but older than this gateway's knowledge of revocations."""
    async with timed.node.wall() as wall:
        await wall.open(timed.ticket(**changes))
        assert await wall.text("ended") == {"type": "ended", "tile": 1, "cause": cause}
        await assert_no_more_frames(wall, shard)
    assert shard.subscribed == []


async def test_a_changed_ticket_is_forged(node: RunningGateway) -> None:
    payload, _, signature = node.centre.ticket().partition(".")
    async with node.wall() as wall:
        await wall.open(payload[:-4] + "AAA0." + signature)
        assert (await wall.text("ended"))["cause"] == "ticket.forged"
        await wall.open("no ticket at all")
        assert (await wall.text("ended"))["cause"] == "ticket.malformed"


@pytest.mark.parametrize(
    "changes",
    [{"camera_id": "cam-other"}, {"session_id": "view-other"}, {"person_id": "per-other"}],
)
async def test_a_ticket_of_another_camera_session_or_person_renews_nothing(
    timed: TimedNode, shard: FakeShard, changes: dict[str, Any]
) -> None:
    async with timed.node.wall() as wall:
        await wall.open(timed.ticket())
        await timed.pass_time(8)
        await wall.say(type="renew", tile=1, ticket=timed.ticket(**changes))
        error = await wall.text("error")
        assert (error["tile"], error["code"]) == (1, "ticket.mismatch")
        await timed.pass_time(3)
        assert (await wall.text("ended"))["cause"] == "lease_expired"


async def test_one_wall_shows_the_images_of_one_person(node: RunningGateway) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await wall.open(node.centre.ticket("view-2", person_id="per-2"), tile=2)
        assert await wall.text("ended") == {"type": "ended", "tile": 2, "cause": "ticket.person"}


async def test_a_stream_that_the_ticket_does_not_cover_is_not_switched_to(
    node: RunningGateway, shard: FakeShard
) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket(roles=(StreamRole.SUB,)))
        await wall.say(type="role", tile=1, role="main")
        assert (await wall.text("error"))["code"] == "ticket.role"
    assert ("cam", "main") not in shard.subscribed


async def test_a_revocation_ends_every_tile_of_the_session_within_a_second_and_is_remembered(
    node: RunningGateway, shard: FakeShard
) -> None:
    """LAW-17: a suspended agent sees nothing more."""
    async with node.wall() as wall, node.wall() as other:
        await wall.open(node.centre.ticket())
        await other.open(node.centre.ticket("view-2", person_id="per-2"))
        await until(lambda: shard.active)
        shard.send(2)
        await wall.media(2)
        begun = time.monotonic()
        answer = await node.control(op="revoke", sessions=["view-1", "view-unknown"])
        assert await wall.text("ended") == {"type": "ended", "tile": 1, "cause": "revoked"}
        assert time.monotonic() - begun < 1
        assert (answer["id"], answer["ok"], answer["ended"]) == (7, True, 1)
        await wall.open(node.centre.ticket())
        assert (await wall.text("ended"))["cause"] == "revoked"
        await assert_no_more_frames(wall, shard)
        await other.media(5)


async def test_what_is_queued_for_a_browser_is_thrown_away_when_its_lease_ends(
    node: RunningGateway, shard: FakeShard
) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(2)
        await wall.media(2)
        await wall.say(type="close", tile=1)
        await wall.text("ended")
        await assert_no_more_frames(wall, shard)


async def test_a_tile_that_is_opened_again_replaces_what_it_showed(node: RunningGateway, shard: FakeShard) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await wall.open(node.centre.ticket("view-2"), role="main")
        assert await wall.text("ended") == {"type": "ended", "tile": 1, "cause": "replaced"}
        await until(lambda: shard.active == 1)
        assert shard.subscribed[-1][1] == "main"


async def test_a_browser_that_leaves_ends_its_leases(node: RunningGateway, shard: FakeShard) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        wall.connection.transport.abort()
        await until(lambda: not shard.active)
    (use,) = (await node.control(op="sessions"))["sessions"]
    assert use["cause"] == "closed"


def test_revocations_outlive_every_ticket_and_are_bounded() -> None:
    clock = ManualClock()
    centre = Centre(clock)
    book = LeaseBook(TicketVerifier(centre.key.public_key(), clock), clock)
    book.revoke([f"view-{number}" for number in range(MAX_REVOCATIONS + 10)])
    with pytest.raises(VmsError, match="revoked"):
        book.open(centre.ticket(f"view-{MAX_REVOCATIONS}"), MediaAct.LIVE, lambda _: None)
    asyncio.run(clock.advance(REVOCATION_MEMORY_SECONDS + 1))
    book.expire()
    book.open(centre.ticket(f"view-{MAX_REVOCATIONS}"), MediaAct.LIVE, lambda _: None)
