from __future__ import annotations

import asyncio
import random

import pytest

from vms.base.clock import ManualClock
from vms.base.tasks import Backoff, supervise


def test_pauses_grow_are_jittered_and_bounded():
    backoff = Backoff(initial_s=1.0, maximum_s=8.0, rng=random.Random(7))
    pauses = [backoff.next_pause_s() for _ in range(10)]
    for attempt, pause in enumerate(pauses):
        ceiling = min(8.0, 2.0**attempt)
        assert ceiling / 2 <= pause <= ceiling
    assert len(set(pauses)) == len(pauses)
    backoff.reset()
    assert backoff.next_pause_s() <= 1.0


def test_a_thousand_attempts_do_not_overflow():
    backoff = Backoff(attempt=5000)
    assert backoff.next_pause_s() <= 30.0


async def test_what_fails_or_returns_is_restarted_until_cancelled():
    clock = ManualClock()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs % 2:
            raise RuntimeError("camera fell over")

    keeper = asyncio.create_task(supervise("work", work, clock, Backoff(initial_s=1.0, maximum_s=1.0)))
    for _ in range(6):
        await clock.advance(1.0)
    assert runs >= 6
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper
