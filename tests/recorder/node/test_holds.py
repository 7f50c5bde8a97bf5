"""Holds of a whole shard: on every disk or not confirmed, across restarts, disks that come and go, and lost files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.contract.hold import HoldRelease
from recorder.node.client import ShardClient
from recorder.node.custody import FILE_NAME, FORGET_AFTER_NS, ShardHolds
from recorder.node.local import LocalNode
from recorder.retention.custody import Custody
from recorder.store.disks import Disks
from recorder.store.settings import StoreSettings
from tests.recorder.node.shards import running_shard
from tests.recorder.retention.held import DAY_S, hold_of
from tests.recorder.store.recordings import CAMERA, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock, SystemClock
from vms.base.errors import ErrorKind, VmsError

TWO = HoldRelease("hold-00000000000000000000000001", "per-1", "per-2")


@contextlib.asynccontextmanager
async def shard(place: Path, clock: ManualClock, names: str = "ab") -> AsyncIterator[tuple[Disks, ShardHolds]]:
    (place / "home").mkdir(parents=True, exist_ok=True)
    disks = await Disks.open(place / "home", [StoreSettings(place / name, min_free_bytes=0) for name in names], clock)
    holds = ShardHolds(place / "home", disks, clock)
    try:
        await holds.load()
        for store in disks.stores:
            await holds.bring_in_line(store)
        yield disks, holds
    finally:
        await disks.close()


async def known_on(disks: Disks) -> list[set[str]]:
    return [{hold.hold_id for hold in await Custody(store).holds()} for store in disks.stores]


async def test_a_hold_is_on_every_disk_before_it_is_confirmed_and_after_a_restart(tmp_path: Path):
    """LAW-10: what two disks have of it is told as one range, and placing it again changes nothing."""
    clock = ManualClock()
    now_ns = clock.utc_ns()
    async with shard(tmp_path, clock) as (disks, holds):
        for number, store in enumerate(disks.stores):
            await record_seconds(store, CAMERA, 8, start_ns=now_ns - (20 - 10 * number) * NS_PER_SECOND)
        hold = hold_of(now_ns - 19 * NS_PER_SECOND, now_ns - 3 * NS_PER_SECOND, now_ns)
        held = await holds.place(hold)
        assert await holds.place(hold) == held
        assert held.held_start_ns <= hold.start_ns
        assert held.held_end_ns >= hold.end_ns
        assert held.size_bytes > 0
        assert await known_on(disks) == [{hold.hold_id}, {hold.hold_id}]
    async with shard(tmp_path, clock) as (disks, holds):
        assert await holds.ranges() == [held]
        assert await known_on(disks) == [{hold.hold_id}, {hold.hold_id}]


async def test_another_hold_under_the_same_name_is_refused(tmp_path: Path):
    clock = ManualClock()
    async with shard(tmp_path, clock, "a") as (_, holds):
        hold = hold_of(1, 2, clock.utc_ns())
        await holds.place(hold)
        with pytest.raises(VmsError) as refused:
            await holds.place(replace(hold, end_ns=3))
        assert refused.value.code == "hold.differs"
        with pytest.raises(ValueError, match="over already"):
            await holds.place(hold_of(1, 2, clock.utc_ns() - 2 * DAY_S * NS_PER_SECOND, days=1, number=2))


async def test_with_a_disk_away_a_hold_protects_yet_is_not_confirmed(tmp_path: Path):
    """LAW-10: never silently partial; the disk is brought in line before anything is erased on it."""
    clock = ManualClock()
    async with shard(tmp_path, clock):
        pass
    await asyncio.to_thread(shutil.move, tmp_path / "b", tmp_path / "elsewhere")
    await asyncio.to_thread((tmp_path / "b").write_text, "no folder: the disk is not mounted")
    hold = hold_of(1, 2, clock.utc_ns())
    async with shard(tmp_path, clock) as (disks, holds):
        with pytest.raises(VmsError) as refused:
            await holds.place(hold)
        assert (refused.value.kind, refused.value.code) == (ErrorKind.UNAVAILABLE, "hold.disk_away")
        assert await known_on(disks) == [{hold.hold_id}]
        with pytest.raises(VmsError):
            await holds.ranges()
    await asyncio.to_thread((tmp_path / "b").unlink)
    await asyncio.to_thread(shutil.move, tmp_path / "elsewhere", tmp_path / "b")
    async with shard(tmp_path, clock) as (disks, holds):
        assert await known_on(disks) == [{hold.hold_id}, {hold.hold_id}]
        assert (await holds.place(hold)).hold == hold


async def test_a_hold_that_was_released_while_a_disk_was_away_is_forgotten_there_too(tmp_path: Path):
    clock = ManualClock()
    async with shard(tmp_path, clock) as (disks, holds):
        await holds.place(hold_of(1, 2, clock.utc_ns()))
        await holds.release(TWO)
        assert await known_on(disks) == [set(), set()]
        await Custody(disks.stores[1]).place(hold_of(1, 2, clock.utc_ns()))
        with pytest.raises(VmsError) as unknown:
            await holds.release(TWO)
        assert unknown.value.kind is ErrorKind.NOT_FOUND
    async with shard(tmp_path, clock) as (disks, _):
        assert await known_on(disks) == [set(), set()]


@pytest.mark.parametrize("lost", ["missing", "unreadable"])
async def test_where_the_file_of_holds_is_lost_what_any_disk_knows_counts(tmp_path: Path, lost: str):
    """LAW-10: in doubt images are kept."""
    clock = ManualClock()
    hold = hold_of(1, 2, clock.utc_ns())
    async with shard(tmp_path, clock) as (_, holds):
        await holds.place(hold)
    file = tmp_path / "home" / FILE_NAME
    await asyncio.to_thread(file.write_text, '{"holds": [{') if lost == "unreadable" else file.unlink()
    async with shard(tmp_path, clock) as (disks, holds):
        assert [held.hold for held in await holds.ranges()] == [hold]
        assert await known_on(disks) == [{hold.hold_id}, {hold.hold_id}]


async def test_a_hold_that_is_over_is_listed_no_more_and_forgotten_a_while_later(tmp_path: Path):
    """LAW-10."""
    clock = ManualClock()
    async with shard(tmp_path, clock) as (disks, holds):
        await holds.place(hold_of(1, 2, clock.utc_ns(), days=1))
        clock.step_utc(DAY_S)
        assert await holds.ranges() == []
        await holds.forget_those_that_are_over()
        assert all(await known_on(disks))
        clock.step_utc(FORGET_AFTER_NS // NS_PER_SECOND)
        await holds.forget_those_that_are_over()
        assert await known_on(disks) == [set(), set()]
    content = await asyncio.to_thread((tmp_path / "home" / FILE_NAME).read_text)
    assert json.loads(content) == {"holds": []}


async def test_a_node_places_tells_and_releases_over_its_sockets(tmp_path: Path):
    """LAW-10: refused at the node too where a person releases alone, or a requisition is missing."""
    now_ns = SystemClock().utc_ns()
    hold = hold_of(now_ns - 60 * NS_PER_SECOND, now_ns, now_ns)
    async with running_shard(tmp_path) as client:
        node = LocalNode([tmp_path / "shard.sock"], None)
        assert (await node.place_hold(hold)).hold == hold
        assert [held.hold for held in await node.holds()] == [hold]
        (disk,) = await node.capacity()
        assert (disk.name, disk.held_bytes) == ("shard", 0)
        await node.confirm_clock()
        for release in ({"asked_by": "per-1", "confirmed_by": "per-1"}, {"asked_by": "per-1"}):
            assert await code_of(client, {"op": "release_hold", "release": {"hold_id": hold.hold_id, **release}}) == (
                "request.invalid"
            )
        wrong = {"hold_id": "hold-2", "camera_id": CAMERA, "start_ns": 1, "end_ns": 2, "placed_at_ns": 1}
        request = {"op": "place_hold", "hold": {**wrong, "expires_at_ns": 2, "reference": "", "authority": "x"}}
        assert await code_of(client, request) == "request.invalid"
        assert len(await node.holds()) == 1
        await node.release_hold(TWO)
        assert await node.holds() == []
        with pytest.raises(VmsError) as unknown:
            await node.release_hold(TWO)
        assert unknown.value.kind is ErrorKind.NOT_FOUND
        await node.close()


async def test_with_a_shard_away_nothing_is_confirmed(tmp_path: Path):
    """LAW-10: an answer for half of the node would be taken for the whole."""
    now_ns = SystemClock().utc_ns()
    async with running_shard(tmp_path):
        node = LocalNode([tmp_path / "shard.sock", tmp_path / "nobody.sock"], None)
        for call in (node.place_hold(hold_of(1, 2, now_ns)), node.release_hold(TWO), node.holds(), node.capacity()):
            with pytest.raises(VmsError) as away:
                await call
            assert away.value.kind is ErrorKind.UNAVAILABLE
        await node.close()


async def code_of(client: ShardClient, request: dict[str, Any]) -> str:
    with pytest.raises(VmsError) as refused:
        await client._ask(request)
    return refused.value.code
