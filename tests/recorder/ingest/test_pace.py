from __future__ import annotations

import asyncio

from recorder.ingest.pace import SLOTS, Turn, Wheel


class Member:
    def __init__(self, slots: int = SLOTS, *, broken: bool = False) -> None:
        self.slots = slots
        self.broken = broken
        self.visits: list[float] = []

    def visit(self) -> int:
        self.visits.append(asyncio.get_running_loop().time())
        if self.broken:
            raise RuntimeError("broken member")
        return self.slots


async def turning(wheel: Wheel, seconds: float) -> None:
    wheel.start()
    await asyncio.sleep(seconds)
    wheel.stop()


async def test_every_member_is_visited_once_in_a_turn_and_they_are_spread_over_it():
    wheel = Wheel(period_s=0.4)
    members = [Member() for _ in range(SLOTS)]
    for member in members:
        wheel.add(member)
    await turning(wheel, 0.9)
    assert all(1 <= len(member.visits) <= 3 for member in members)
    first = sorted(member.visits[0] for member in members)
    assert first[-1] - first[0] > 0.2


async def test_a_member_may_come_again_sooner():
    wheel = Wheel(period_s=0.4)
    slow, quick = Member(), Member(2)
    wheel.add(slow)
    wheel.add(quick)
    await turning(wheel, 0.9)
    assert len(quick.visits) > 3 * len(slow.visits)


async def test_a_member_that_raises_is_visited_again_and_the_others_go_on():
    wheel = Wheel(period_s=0.2)
    broken, healthy = Member(broken=True), Member()
    wheel.add(broken)
    wheel.add(healthy)
    await turning(wheel, 0.7)
    assert len(broken.visits) >= 2
    assert len(healthy.visits) >= 2


async def test_a_removed_member_is_not_visited():
    wheel = Wheel(period_s=0.1)
    member = Member()
    wheel.add(member)
    wheel.remove(member)
    wheel.remove(member)
    await turning(wheel, 0.2)
    assert member.visits == []


def test_a_buffer_that_was_half_full_is_read_sooner_and_later_again_when_it_is_not():
    turn = Turn()
    assert turn.after(400_000, 1_000_000) == SLOTS
    assert turn.after(600_000, 1_000_000) == SLOTS // 2
    assert turn.after(600_000, 1_000_000) == SLOTS // 4
    for _ in range(SLOTS):
        turn.after(10_000, 1_000_000)
    assert turn.slots == SLOTS


def test_a_flood_is_never_read_less_than_once_a_slot():
    turn = Turn()
    for _ in range(10):
        turn.after(1_000, 1_000)
    assert turn.slots == 1
