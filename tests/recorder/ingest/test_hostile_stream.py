"""Streams that mean harm once they play: a cause in the ledger, bounded memory, and the others lose nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recorder.contract.status import StreamCondition
from recorder.contract.timeline import Timeline
from recorder.ingest import stream as stream_module
from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.flood import FloodGate, FloodLimits
from tests.recorder.ingest.hostile import CAUSES, Nonsense, hostile_camera
from tests.recorder.ingest.receiving import receiving
from tests.recorder.node.shards import camera_assignment, running_shard, until_recorded, until_timeline
from tests.simulated import simulated_camera
from vms.base.clock import NS_PER_MS, NS_PER_SECOND
from vms.media.rtsp import InterleavedFrame

NO_SIGNAL = StreamCondition.NO_SIGNAL
MOST_GROWTH_KB = 64 * 1024
LONGEST_STOP_S = 1.5


class Memory:
    """The most that this process holds, from now on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before_kb = self._peak_kb()

    @property
    def growth_kb(self) -> int:
        return self._peak_kb() - self._before_kb

    @staticmethod
    def _peak_kb() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


@contextlib.asynccontextmanager
async def longest_stop() -> AsyncIterator[list[float]]:
    """How long the loop was held up at most."""
    stops = [0.0]

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            stops[0] = max(stops[0], time.monotonic() - before - 0.01)

    task = asyncio.create_task(watch())
    try:
        yield stops
    finally:
        task.cancel()


@pytest.mark.parametrize("nonsense", CAUSES, ids=lambda nonsense: nonsense.__name__)
async def test_a_hostile_stream_is_refused_with_a_cause_and_costs_the_others_nothing(nonsense: Nonsense):
    async with simulated_camera() as healthy, receiving(healthy.stream_url("main")) as good:
        await good.collector.until_units(5)
        memory = await asyncio.to_thread(Memory)
        async with longest_stop() as stops, hostile_camera(nonsense) as url, receiving(url) as bad:
            bad.collector.most_units = 10
            await bad.collector.until(lambda: any(one.condition is NO_SIGNAL for one in bad.collector.statuses))
            cause = next(one.cause for one in bad.collector.statuses if one.condition is NO_SIGNAL)
            assert len(bad.collector.units) >= 5, "what came before is kept"
        assert cause in CAUSES[nonsense]
        assert await asyncio.to_thread(lambda: memory.growth_kb) < MOST_GROWTH_KB
        assert stops[0] < LONGEST_STOP_S
        await good.collector.until_units(len(good.collector.units) + 5)
        assert good.ingest.counters.connections == 1
        assert (good.ingest.counters.lost_packets, good.ingest.counters.damaged_units) == (0, 0)
        captures = [dated.capture_utc_ns for dated in good.collector.units]
        assert max(later - earlier for earlier, later in itertools.pairwise(captures)) < 250 * NS_PER_MS


async def test_frames_of_unknown_channels_now_and_then_are_a_silent_camera(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_module, "SILENT_AFTER_NS", NS_PER_SECOND // 2)
    monkeypatch.setattr(stream_module, "LOST_AFTER_NS", NS_PER_SECOND)
    trickle = InterleavedFrame(9, b"x" * 100).encode()
    async with hostile_camera(lambda: itertools.chain([trickle] * 20)) as url, receiving(url) as bad:
        await bad.collector.until(lambda: any(one.condition is NO_SIGNAL for one in bad.collector.statuses))
        assert {one.cause for one in bad.collector.statuses if one.condition is NO_SIGNAL} <= {
            "silent",
            "closed_by_camera",
        }


async def test_the_cause_stands_in_the_ledger_and_the_others_have_no_gap(tmp_path: Path):
    """LAW-14: what is missing of a hostile camera is missing by its cause; its neighbour has no gap."""
    async with contextlib.AsyncExitStack() as stack:
        healthy = await stack.enter_async_context(simulated_camera())
        client = await stack.enter_async_context(running_shard(tmp_path))
        good = camera_assignment(healthy.stream_url("main"))
        bad = {
            nonsense: camera_assignment(await stack.enter_async_context(hostile_camera(nonsense, good_pictures=30)))
            for nonsense in CAUSES
        }
        await client.assign([good, *bad.values()])
        for nonsense, assignment in bad.items():

            def told(found: Timeline, causes: set[str] = CAUSES[nonsense]) -> bool:
                return bool(found.spans and causes & {gap.detail for gap in found.gaps})

            await until_timeline(client, assignment.camera_id, told)
        recorded = await until_recorded(client, good.camera_id, 4.0)
        assert [gap.detail for gap in recorded.gaps] == []


def test_a_flood_is_judged_by_the_second_and_a_backlog_is_none():
    limits = FloodLimits(1_000, 5_000, 100, 500, 10, 50)
    gate = FloodGate(0, limits)
    gate.pass_through(0, 5_000, 500, 50)
    for second in range(1, 100):
        gate.pass_through(second * NS_PER_SECOND, 1_000, 100, 10)
    for flood in ((5_001, 0, 0), (0, 501, 0), (0, 0, 51)):
        with pytest.raises(IngestError) as refused:
            FloodGate(0, limits).pass_through(0, *flood)
        assert refused.value.cause is Cause.FLOOD
