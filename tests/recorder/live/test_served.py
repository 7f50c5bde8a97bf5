"""What was sent is measured and kept, whatever becomes of the gateway (LAW-25, LAW-26)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recorder.contract.ticket import MediaAct, TicketVerifier
from recorder.live.leases import Lease, LeaseBook
from recorder.live.served import KEEP_DAYS, ServedBook, day_of, read_day
from recorder.node.local import LocalNode
from tests.recorder.gateways import Centre, running_gateway, until
from tests.recorder.live.fake_shard import FakeShard
from vms.base.clock import ManualClock, SystemClock
from vms.base.errors import VmsError

DAY_S = 86_400


class Life:
    """A lease book that sends as told, and its record."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.centre = Centre(clock)
        self.book = LeaseBook(TicketVerifier(self.centre.key.public_key(), clock), clock)
        self.served = ServedBook(folder, self.book, clock)

    def watch(self, sent_bytes: int) -> Lease:
        lease = self.book.open(self.centre.ticket(), MediaAct.LIVE, lambda _: None)
        lease.count(sent_bytes)
        return lease


async def test_a_view_is_kept_while_it_lasts_and_when_it_has_ended(tmp_path: Path):
    """LAW-25."""
    clock = ManualClock()
    life = Life(tmp_path, clock)
    lease = life.watch(1000)
    await clock.advance(5)
    await life.served.write()
    (view,) = await asyncio.to_thread(read_day, tmp_path, day_of(clock.utc_ns()))
    assert (view.running, view.seconds, view.sent_bytes) == (True, 5, 1000)
    lease.count(500)
    await clock.advance(2)
    life.book.close(lease)
    await life.served.write()
    (view,) = await asyncio.to_thread(read_day, tmp_path, day_of(clock.utc_ns()))
    assert (view.running, view.seconds, view.sent_bytes) == (False, 7, 1500)


async def test_a_killed_gateway_loses_seconds_and_the_cut_line_harms_nobody(tmp_path: Path):
    clock = ManualClock()
    life = Life(tmp_path, clock)
    life.watch(1000)
    await life.served.write()
    file = tmp_path / f"{day_of(clock.utc_ns())}.jsonl"
    content = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.write_bytes, content + content[:40])
    again = Life(tmp_path, clock)
    again.watch(7)
    await again.served.write()
    views = await asyncio.to_thread(read_day, tmp_path, file.stem)
    assert [view.sent_bytes for view in views][-1] == 7


async def test_old_days_are_forgotten(tmp_path: Path):
    """LAW-28: who watched is in the access log, for its time."""
    clock = ManualClock()
    life = Life(tmp_path, clock)
    life.watch(1)
    await life.served.write()
    first = day_of(clock.utc_ns())
    clock.step_utc((KEEP_DAYS + 1) * DAY_S)
    await life.served.write()
    assert not (await asyncio.to_thread((tmp_path / f"{first}.jsonl").exists))


async def test_a_disk_that_refuses_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = ManualClock()
    life = Life(tmp_path / "served", clock)
    life.watch(1)
    await asyncio.to_thread((tmp_path / "served").write_bytes, b"in the way")
    await life.served.write()
    await asyncio.to_thread((tmp_path / "served").unlink)
    await life.served.write()
    assert len(await asyncio.to_thread(read_day, tmp_path / "served", day_of(clock.utc_ns()))) == 1


async def test_the_node_tells_what_its_gateway_served(tmp_path: Path, socket: Path, shard: FakeShard):
    """LAW-25: measured by the process that sends, told to the centre over its own socket."""
    clock = SystemClock()
    async with running_gateway(tmp_path, clock, shards=[socket], served_folder=tmp_path / "served") as node:
        async with node.wall() as wall:
            await wall.open(node.centre.ticket(session_id="view-7"))
            await until(lambda: shard.active)
            shard.send(3)
            await wall.media(3)
        assert node.gateway._served is not None
        await node.gateway._served.write()
        local = LocalNode([], node.control_socket)
        (view,) = await local.served(day_of(clock.utc_ns()))
        assert view.session_id == "view-7"
        assert view.sent_bytes > 0
        assert await local.served("2020-01-01") == []
        with pytest.raises(VmsError, match=r"control\.invalid"):
            await local.served("yesterday")
