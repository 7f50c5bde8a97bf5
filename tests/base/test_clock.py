from __future__ import annotations

import asyncio

import pytest

from vms.base.clock import NS_PER_SECOND, ManualClock, SystemClock, parse_utc, utc_text


async def test_sleepers_wake_in_the_order_of_their_instants():
    clock = ManualClock()
    woken: list[tuple[str, int]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic_ns() // NS_PER_SECOND))

    tasks = [asyncio.create_task(sleeper("late", 5)), asyncio.create_task(sleeper("early", 2))]
    await clock.advance(3)
    assert woken == [("early", 2)]
    await clock.advance(3)
    assert woken == [("early", 2), ("late", 5)]
    await asyncio.gather(*tasks)


async def test_a_step_of_the_wall_clock_leaves_monotonic_time_alone():
    clock = ManualClock()
    before = clock.utc_ns()
    clock.step_utc(-3600)
    assert clock.utc_ns() == before - 3600 * NS_PER_SECOND
    assert clock.monotonic_ns() == 0


async def test_the_system_clock_moves():
    clock = SystemClock()
    first = clock.monotonic_ns()
    await clock.sleep(0.001)
    assert clock.monotonic_ns() > first


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-01-01T00:00:00.125Z", 1_767_225_600_125_000_000),
        ("2026-01-01T01:00:00.125+01:00", 1_767_225_600_125_000_000),
    ],
)
def test_an_instant_with_an_offset_is_read(text: str, ns: int):
    assert parse_utc(text) == ns
    assert utc_text(ns) == "2026-01-01T00:00:00.125Z"


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "hier", ""])
def test_an_instant_without_an_offset_is_refused(text: str):
    with pytest.raises(ValueError, match=r"offset|Invalid"):
        parse_utc(text)
