"""A clock that leaps ahead erases nothing until it is believed again (LAW-06, LAW-08)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recorder.retention.clock_guard import Change, ClockGuard, Verdict, kernel_synchronised
from recorder.retention.eraser import Eraser
from tests.recorder.retention.held import DAY_S, through_pauses
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, open_store, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock


class Guarded:
    """A guard whose kernel says what it is told to say, and what was heard of it."""

    def __init__(self, clock: ManualClock, seen_ns: int = 0) -> None:
        self.synchronised = False
        self.told: list[Verdict] = []
        self.guard = ClockGuard(clock, seen_ns, self._hear, lambda: self.synchronised)

    def _hear(self, change: Change) -> None:
        self.told.append(change.verdict)


async def test_time_that_passes_and_small_steps_are_believed():
    clock = ManualClock()
    one = Guarded(clock)
    for _ in range(40):
        await clock.advance(3_600)
        clock.step_utc(30)
        assert one.guard.trusted()
    assert one.told == []


async def test_a_leap_is_doubted_until_an_administrator_confirms_it():
    clock = ManualClock()
    one = Guarded(clock)
    clock.step_utc(601)
    assert not one.guard.trusted()
    await clock.advance(30 * DAY_S)
    assert not one.guard.trusted()
    one.guard.confirm()
    assert one.guard.trusted()
    assert one.told == [Verdict.LEAPT, Verdict.CONFIRMED]


async def test_a_leap_is_believed_when_the_kernel_is_synchronised():
    clock = ManualClock()
    one = Guarded(clock)
    clock.step_utc(30 * DAY_S)
    assert not one.guard.trusted()
    one.synchronised = True
    assert one.guard.trusted()
    one.synchronised = False
    assert one.guard.trusted()
    assert one.told == [Verdict.LEAPT, Verdict.SYNCHRONISED]


async def test_a_clock_that_comes_back_is_believed_again():
    clock = ManualClock()
    one = Guarded(clock)
    clock.step_utc(DAY_S)
    assert not one.guard.trusted()
    await clock.advance(60)
    clock.step_utc(-DAY_S)
    assert one.guard.trusted()
    assert one.told == [Verdict.LEAPT, Verdict.CAME_BACK]


async def test_a_clock_that_goes_back_and_forth_again_was_never_ahead():
    clock = ManualClock()
    one = Guarded(clock)
    clock.step_utc(-DAY_S)
    assert one.guard.trusted()
    await clock.advance(60)
    clock.step_utc(DAY_S)
    assert one.guard.trusted()
    assert one.told == []


@pytest.mark.parametrize(("days_off", "believed"), [(0.9, True), (1.1, False)])
async def test_after_a_restart_a_day_is_believed_and_more_is_not(days_off: float, believed: bool):
    clock = ManualClock()
    seen_ns = clock.utc_ns() - round(days_off * DAY_S * NS_PER_SECOND)
    assert Guarded(clock, seen_ns).guard.trusted() is believed


def test_the_kernel_is_asked_without_being_changed():
    assert kernel_synchronised() in {True, False}


async def test_a_clock_that_is_set_a_year_ahead_erases_nothing(tmp_path: Path):
    """LAW-06, LAW-08: and when it is set right again, everything is still there."""
    clock = ManualClock()
    one = Guarded(clock)
    async with open_store(tmp_path, clock) as store:
        store.set_retention(CAMERA, 1)
        await record_seconds(store, CAMERA, 8, segment_seconds=2)
        recorded = await store.segments_between(CAMERA, 0, FOREVER_NS)
        eraser = Eraser(store, clock, trusted=one.guard.trusted, early=True, free=lambda _: 0)
        clock.step_utc(365 * DAY_S)
        assert await through_pauses(clock, eraser.erase_expired()) == 0
        assert await through_pauses(clock, eraser.make_room()) == 0
        assert await store.segments_between(CAMERA, 0, FOREVER_NS) == recorded
        clock.step_utc(-365 * DAY_S)
        await clock.advance(DAY_S)
        assert await through_pauses(clock, eraser.erase_expired()) == len(recorded)
        await asyncio.sleep(0)
