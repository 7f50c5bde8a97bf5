from __future__ import annotations

import asyncio
import itertools
import random
import socket

import pytest

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition
from recorder.hub.hub import StreamHub
from recorder.ingest import connection as connection_module
from recorder.ingest.budget import FAILING_AFTER, ConnectionBudget
from recorder.ingest.pace import Wheel
from recorder.ingest.stream import IngestMachinery, StreamIngest, StreamSource
from tests.recorder.ingest.receiving import Receiver
from tests.simulated import simulated_camera
from vms.base.clock import NS_PER_MS, NS_PER_SECOND, ManualClock, SystemClock
from vms.base.tasks import Backoff


class Caller:
    """Holds places of a budget until it is told to let go."""

    def __init__(self, budget: ConnectionBudget) -> None:
        self.budget = budget
        self.held: list[str] = []
        self.release = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def call(self, link: str, failures: int = 0) -> None:
        self.tasks.append(asyncio.create_task(self._hold(link, failures)))

    async def _hold(self, link: str, failures: int) -> None:
        async with self.budget.attempt(link, failures):
            self.held.append(link)
            await self.release.wait()

    async def settle(self) -> list[str]:
        for _ in range(20):
            await asyncio.sleep(0)
        return self.held

    async def end(self) -> None:
        self.release.set()
        await asyncio.gather(*self.tasks)


async def test_one_link_cannot_take_every_place():
    caller = Caller(ConnectionBudget(ManualClock(), at_once=10, per_link=2, link_spacing_s=0))
    for _ in range(20):
        caller.call("dead commune")
    caller.call("other commune")
    held = await caller.settle()
    assert sorted(held) == ["dead commune", "dead commune", "other commune"]
    await caller.end()
    assert len(caller.held) == 21


async def test_a_thousand_cameras_that_are_down_leave_room_for_one_that_comes_back():
    caller = Caller(ConnectionBudget(ManualClock(), at_once=8, per_link=8, link_spacing_s=0))
    for number in range(1_000):
        caller.call(f"commune {number % 100}", failures=FAILING_AFTER)
    assert len(await caller.settle()) == 4
    caller.call("commune 7", failures=0)
    assert len(await caller.settle()) == 5
    await caller.end()


async def test_cameras_that_were_just_there_or_come_back_are_not_starved_by_a_thousand_that_are_away():
    """Three minutes of a department: 1,000 cameras on 34 links that each cost five seconds to find away."""
    clock = ManualClock()
    budget = ConnectionBudget(clock)
    waited: dict[str, float] = {}

    async def away(number: int, back_at_s: float | None = None) -> None:
        pauses = Backoff(0.5, 30.0, rng=random.Random(number))
        failures = 0
        while True:
            async with budget.attempt(f"commune {number % 34}", failures):
                if back_at_s is not None and clock.monotonic_ns() >= back_at_s * NS_PER_SECOND:
                    waited[f"back {number}"] = clock.monotonic_ns() / NS_PER_SECOND - back_at_s
                    return
                await clock.sleep(connection_module.CONNECT_TIMEOUT_S)
            failures += 1
            await clock.sleep(pauses.next_pause_s())

    async def dropped(at_s: float) -> None:
        await clock.sleep(at_s)
        async with budget.attempt("commune 3", 0):
            waited[f"dropped {at_s}"] = clock.monotonic_ns() / NS_PER_SECOND - at_s

    calls = [away(number) for number in range(1_000)]
    calls += [away(1_000 + number, back_at_s=60.0 + number) for number in range(10)]
    calls += [dropped(30.0 + 10 * number) for number in range(10)]
    tasks = [asyncio.create_task(call) for call in calls]
    for _ in range(180):
        await clock.advance(1.0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(waited) == 20
    assert max(seconds for name, seconds in waited.items() if name.startswith("dropped")) < 1.0
    assert max(seconds for name, seconds in waited.items() if name.startswith("back")) < 60.0


async def test_a_thousand_cameras_that_hang_cost_a_stream_nothing(monkeypatch: pytest.MonkeyPatch):
    """Real sockets: the line is up, the cameras accept and say nothing; a stream goes on, and one comes back."""
    monkeypatch.setattr(connection_module, "FIRST_ANSWER_S", 0.5)
    clock = SystemClock()
    machinery = IngestMachinery(clock, Wheel(), ConnectionBudget(clock))
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen(4_096)
        url = f"rtsp://127.0.0.1:{hanging.getsockname()[1]}/main"
        async with simulated_camera() as camera:
            good = Receiver(camera.stream_url("main"), machinery=machinery)
            machinery.wheel.start()
            tasks = [asyncio.create_task(good.ingest.run())]
            await good.collector.until_units(10)
            for number in range(1_000):
                hub = StreamHub(f"cam-{number}", StreamRole.MAIN, clock)
                down = StreamIngest(StreamSource(url, f"commune {number % 34}"), hub, machinery)
                tasks.append(asyncio.create_task(down.run()))
            await good.collector.until_units(40)
            assert good.ingest.counters.connections == 1
            assert (good.ingest.counters.lost_packets, good.ingest.counters.damaged_units) == (0, 0)
            captures = [dated.capture_utc_ns for dated in good.collector.units]
            assert max(later - earlier for earlier, later in itertools.pairwise(captures)) < 250 * NS_PER_MS
            await camera.stop()
            await good.collector.until_condition(StreamCondition.NO_SIGNAL, "closed_by_camera")
            await camera.start()
            received = len(good.collector.units)
            await good.collector.until_units(received + 5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            machinery.wheel.stop()


async def test_attempts_on_one_link_are_spaced():
    clock = ManualClock()
    caller = Caller(ConnectionBudget(clock, link_spacing_s=1.0))
    for _ in range(3):
        caller.call("commune")
    assert len(await caller.settle()) == 1
    await clock.advance(1.0)
    assert len(await caller.settle()) == 2
    await clock.advance(1.0)
    assert len(await caller.settle()) == 3
    await caller.end()


async def test_links_that_nobody_calls_are_forgotten():
    budget = ConnectionBudget(ManualClock(), link_spacing_s=0)
    caller = Caller(budget)
    for number in range(50):
        caller.call(f"commune {number}")
    await caller.settle()
    await caller.end()
    assert budget._links == {}
