"""Playback by WebSocket: groups of pictures, pulled forward and backward."""

from __future__ import annotations

import asyncio

from tests.recorder.gateways import RunningGateway
from tests.recorder.playback.archive import START_NS, Archive
from tests.recorder.playback.player import playing
from vms.base.clock import NS_PER_SECOND

END_NS = START_NS + 3_600 * NS_PER_SECOND


async def test_a_player_pulls_groups_forward_and_backward(node: RunningGateway, archive: Archive) -> None:
    group = archive.film.group
    length_ns = 3 * group * archive.interval_ns
    for number in range(3):
        await asyncio.to_thread(archive.record_as_shard, START_NS + number * length_ns, 3 * group)
    async with playing(node) as player:
        opened = await player.open(node.centre.playback(START_NS, END_NS))
        assert opened == {"type": "opened", "stream": 1, "origin": str(START_NS), "end": str(END_NS)}
        forward = await player.fetch(START_NS, END_NS, limit=4)
        assert [one.pictures for one in forward.groups] == [group] * 4
        assert forward.done["reason"] == "limit"
        whole = await player.everything(START_NS, END_NS, limit=4)
        assert len(whole) == 9
        shown_ns = player.shown_ns(whole, START_NS)
        assert len(shown_ns) == 9 * group
        assert shown_ns == sorted(shown_ns)
        assert shown_ns[0] == START_NS
        backward = await player.everything(END_NS, START_NS, direction="reverse", limit=2)
        assert [one.start_ns for one in backward] == [one.start_ns for one in reversed(whole)]
        assert [one.data for one in backward] == [one.data for one in reversed(whole)]
