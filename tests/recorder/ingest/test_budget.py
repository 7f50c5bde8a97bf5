from __future__ import annotations

import asyncio

from recorder.ingest.budget import FAILING_AFTER, ConnectionBudget
from vms.base.clock import ManualClock


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
