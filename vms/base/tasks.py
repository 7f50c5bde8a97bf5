"""Supervised tasks: what must always run is restarted, each time after a growing, jittered pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from vms.base.clock import NS_PER_SECOND, Clock

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Backoff:
    """Growing pauses with full jitter, so that what failed together does not come back together.

    The n-th pause is drawn between half and the whole of `initial_s * factor**n`, at most `maximum_s`.
    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("equal jitter").
    """

    initial_s: float = 0.5
    maximum_s: float = 30.0
    factor: float = 2.0
    rng: random.Random = field(default_factory=random.Random)
    attempt: int = 0

    def next_pause_s(self) -> float:
        """The pause before the next try, in seconds."""
        ceiling = min(self.maximum_s, self.initial_s * self.factor ** min(self.attempt, 64))
        self.attempt += 1
        return ceiling * (0.5 + self.rng.random() / 2)

    def reset(self) -> None:
        """Begin again with short pauses, after a success."""
        self.attempt = 0


async def supervise(
    name: str,
    work: Callable[[], Awaitable[None]],
    clock: Clock,
    backoff: Backoff | None = None,
    healthy_after_s: float = 30.0,
) -> None:
    """Run `work` for ever: restart it when it fails or returns, until this task is cancelled.

    A run of at least `healthy_after_s` counts as a success, after which pauses are short again.
    """
    pauses = backoff or Backoff()
    while True:
        started_ns = clock.monotonic_ns()
        try:
            await work()
            log.warning("supervised task returned", task=name)
        except asyncio.CancelledError:
            raise
        except Exception as failure:
            log.exception("supervised task failed", task=name, error=repr(failure))
        if clock.monotonic_ns() - started_ns >= healthy_after_s * NS_PER_SECOND:
            pauses.reset()
        await clock.sleep(pauses.next_pause_s())
