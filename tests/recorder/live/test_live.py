"""Live pictures from a shard to a browser."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from recorder.contract.status import StreamCondition
from recorder.live import messages
from recorder.node.protocol import (
    FLAG_DAMAGED,
    FLAG_DISCONTINUITY,
    ParametersChanged,
    StatusChanged,
    SubscriptionEnded,
    UnitsDropped,
)
from tests.recorder.footage import B_FRAMES_FILE, footage, shown
from tests.recorder.gateways import CAMERA, RunningGateway, running_gateway, until
from tests.recorder.live.fake_shard import START_NS, FakeShard, fake_shard
from vms.base.clock import SystemClock
from vms.media.fmp4 import parse_moof, video_parameters


async def test_a_ticket_opens_a_stream_that_a_decoder_takes_without_an_error(
    node: RunningGateway, shard: FakeShard
) -> None:
    """LAW-26: entry and ticket first, then pictures, frame for frame what the camera sent."""
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        count = shard.send_group()
        stream = await wall.text("stream")
        assert stream == {
            "type": "stream",
            "tile": 1,
            "mime": f'video/mp4; codecs="{video_parameters(shard.film.parameters).codec_string}"',
            "width": shard.film.width,
            "height": shard.film.height,
            "generation": 1,
        }
        (init,) = await wall.media(1, messages.KIND_INIT)
        fragments = await wall.media(count)
    assert [fragment.key for fragment in fragments] == [True] + [False] * (count - 1)
    assert [fragment.capture_utc_ns for fragment in fragments] == [START_NS + n * 40_000_000 for n in range(count)]
    assert {(fragment.tile, fragment.generation) for fragment in [init, *fragments]} == {(1, 1)}
    assert all(fragment.data.endswith(shard.film.pictures[n].data) for n, fragment in enumerate(fragments))
    assert shown(init.data, [fragment.data for fragment in fragments]) == [
        shard.film.interval_90k * n for n in range(count)
    ]


async def test_a_second_viewer_shares_the_subscription_and_gets_the_group_at_hand_at_once(
    node: RunningGateway, shard: FakeShard
) -> None:
    async with node.wall() as first, node.wall() as second:
        await first.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(5)
        seen = await first.media(5)
        await second.open(node.centre.ticket("view-2"), tile=9)
        (init,) = await second.media(1, messages.KIND_INIT)
        cached = await second.media(5)
        shard.send(1)
        seen += await first.media(1)
        cached += await second.media(1)
        assert [fragment.data for fragment in cached] == [fragment.data for fragment in seen]
        assert shard.subscribed == [(CAMERA, "sub")]
        assert init.tile == 9
        assert cached[0].key


async def test_the_last_viewer_lets_the_stream_go_and_a_new_one_begins_with_what_the_shard_has(
    node: RunningGateway, shard: FakeShard
) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(3)
        await wall.media(3)
        await wall.say(type="close", tile=1)
        assert (await wall.text("ended"))["cause"] == "closed"
        await until(lambda: not shard.active)
        shard.position = 0
        await wall.open(node.centre.ticket("view-2"))
        await until(lambda: shard.active)
        shard.send(3)
        again = await wall.media(3)
        times = [parse_moof(fragment.data)[1] for fragment in again]
        assert times == [times[0] + shard.film.interval_90k * n for n in range(3)]


async def test_b_pictures_come_with_growing_decode_times_and_decode_in_display_order(
    node: RunningGateway, shard: FakeShard
) -> None:
    shard.film = footage(B_FRAMES_FILE.name)
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(30)
        (init,) = await wall.media(1, messages.KIND_INIT)
        fragments = [fragment.data for fragment in await wall.media(30)]
    times = [parse_moof(fragment)[1] for fragment in fragments]
    assert times[0] == 0
    assert times == sorted(set(times))
    times = shown(init.data, fragments)
    assert len(times) == 30
    # The very last ones wait for pictures between them that were not sent.
    steps = {later - earlier for earlier, later in pairwise(times[:26])}
    assert steps == {shard.film.interval_90k}


async def test_a_new_run_or_new_parameters_begin_a_new_generation_right_behind_the_old_one(
    node: RunningGateway, shard: FakeShard
) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(4)
        before = await wall.media(4)
        shard.position = shard.film.group * 2
        shard.send(1, flags=FLAG_DISCONTINUITY)
        assert (await wall.text("stream"))["generation"] == 2
        (first,) = await wall.media(1)
        assert first.key
        end_90k = parse_moof(before[-1].data)[1] + shard.film.interval_90k
        assert parse_moof(first.data)[1] == end_90k
        other = footage("street_768x576_h264.mp4")
        shard.film, shard.position = other, 0
        shard.say(ParametersChanged(other.parameters))
        shard.send(1)
        stream = await wall.text("stream")
        assert (stream["generation"], stream["width"], stream["height"]) == (3, 768, 576)


async def test_what_cannot_be_decoded_is_not_shown(node: RunningGateway, shard: FakeShard) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.position = 3
        shard.send_group()
        key_at = shard.position
        shard.send(2)
        shard.send(1, flags=FLAG_DAMAGED)
        shard.send_group()
        shard.send(1)
        shard.say(UnitsDropped(5))
        shard.position += 1
        shard.send_group()
        shard.send(1)
        fragments = await wall.media(4)
    assert [fragment.key for fragment in fragments] == [True, False, True, True]
    assert fragments[0].capture_utc_ns == START_NS + key_at * 40_000_000


async def test_a_tile_without_signal_says_since_when_and_why(node: RunningGateway, shard: FakeShard) -> None:
    shard.condition, shard.cause = StreamCondition.NO_SIGNAL, "unreachable"
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        assert await wall.status("unreachable") == {
            "type": "status",
            "tile": 1,
            "condition": "no_signal",
            "since": "2026-01-01T00:00:00.000Z",
            "cause": "unreachable",
        }
        shard.condition, shard.cause = StreamCondition.LIVE, ""
        shard.say(StatusChanged(shard.status()))
        shard.send(2)
        assert (await wall.text("status"))["condition"] == "live"
        await wall.media(2)
        shard.condition, shard.cause = StreamCondition.NO_SIGNAL, "silent"
        shard.say(StatusChanged(shard.status()))
        await wall.status("silent")
        await wall.open(node.centre.ticket("view-2"), tile=2)
        late = await wall.next()
        assert isinstance(late, dict), "a picture from before the loss must not pass for the present"
        assert (late["tile"], late["condition"], late["cause"]) == (2, "no_signal", "silent")


async def test_a_lost_shard_is_said_and_asked_again(tmp_path: Path, socket: Path) -> None:
    async with running_gateway(tmp_path, SystemClock(), shards=[socket]) as node, node.wall() as wall:
        await wall.open(node.centre.ticket())
        await wall.status("recorder")
        async with fake_shard(socket) as shard:
            await until(lambda: shard.active)
            shard.send(2)
            await wall.media(2)
            await shard.drop_connections()
            await wall.status("recorder")
            await until(lambda: shard.active)
            shard.send_group()
            shard.send(2)
            assert (await wall.text("stream"))["generation"] == 2
            shard.say(SubscriptionEnded("not_authorised"))
            assert (await wall.status("not_authorised"))["condition"] == "stopped"


async def test_a_camera_that_no_shard_has_is_stopped(node: RunningGateway) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket(camera_id="cam-other"))
        assert (await wall.status("unassigned"))["condition"] == "stopped"


async def test_the_shard_that_has_the_camera_is_found(tmp_path: Path) -> None:
    sockets = [tmp_path / "a.sock", tmp_path / "b.sock"]
    async with (
        fake_shard(sockets[0], cameras=()),
        fake_shard(sockets[1]) as holder,
        running_gateway(tmp_path, SystemClock(), shards=sockets) as node,
        node.wall() as wall,
    ):
        await wall.open(node.centre.ticket())
        await until(lambda: holder.active)
        holder.send(1)
        await wall.media(1)


async def test_a_change_of_role_keeps_the_old_pictures_until_the_new_stream_has_one(
    node: RunningGateway, shard: FakeShard
) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(1, role="sub")
        assert (await wall.text("stream"))["generation"] == 1
        await wall.media(1)
        await wall.say(type="role", tile=1, role="main")
        await until(lambda: shard.active == 2)
        shard.send(1, role="sub")
        (old,) = await wall.media(1)
        assert old.generation == 1
        shard.position = 0
        shard.send(2, role="main")
        assert (await wall.text("stream"))["generation"] == 2
        new = await wall.media(2)
        assert [fragment.generation for fragment in new] == [2, 2]
        assert new[0].key
        await until(lambda: shard.active == 1)
        assert shard.subscribed == [(CAMERA, "sub"), (CAMERA, "main")]


async def test_what_was_sent_is_counted_per_session(node: RunningGateway, shard: FakeShard) -> None:
    async with node.wall() as wall:
        await wall.open(node.centre.ticket())
        await until(lambda: shard.active)
        shard.send(3)
        (init,) = await wall.media(1, messages.KIND_INIT)
        fragments = await wall.media(3)
        (use,) = (await node.control(op="sessions"))["sessions"]
        assert use["sent_bytes"] == len(init.data) + sum(len(fragment.data) for fragment in fragments)
        assert (use["session_id"], use["person_id"], use["camera_id"]) == ("view-1", "per-1", CAMERA)
        assert (use["sent_fragments"], use["ended_at_ns"]) == (3, 0)
        (stream,) = (await node.control(op="counters"))["streams"]
        assert (stream["viewers"], stream["fragments"], stream["subscriptions"]) == (1, 3, 1)
    (use,) = (await node.control(op="sessions"))["sessions"]
    assert use["cause"] == "closed"
    assert use["ended_at_ns"] > 0
