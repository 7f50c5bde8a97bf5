"""What the whole demonstration costs, and whether it grows: every process sampled through its life, a wall open."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vms.app.bench.console import open_wall
from vms.app.bench.demonstration import RunningDemonstration, demonstration
from vms.app.bench.usage import MIB, usage_of

SAMPLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: seconds since the start, processor seconds so far, resident MiB."""

    at_s: float
    cpu_s: float
    memory_mib: float


def slope_per_minute(samples: Sequence[Sample]) -> float:
    """The growth of memory over these samples in MiB a minute, by least squares."""
    if len(samples) < 3:
        return 0.0
    middle_x = sum(one.at_s for one in samples) / len(samples)
    middle_y = sum(one.memory_mib for one in samples) / len(samples)
    spread = sum((one.at_s - middle_x) ** 2 for one in samples)
    together = sum((one.at_s - middle_x) * (one.memory_mib - middle_y) for one in samples)
    return 60 * together / spread


def account(samples: Sequence[Sample]) -> dict[str, float]:
    """Processor and memory of one process, and its growth over the second half of its life."""
    first, last = samples[0], samples[-1]
    half = [one for one in samples if one.at_s >= (first.at_s + last.at_s) / 2]
    return {
        "cpu_percent": round(100 * (last.cpu_s - first.cpu_s) / max(last.at_s - first.at_s, 0.001), 2),
        "memory_mib": round(last.memory_mib, 1),
        "growth_second_half_mib": round(half[-1].memory_mib - half[0].memory_mib, 2),
        "growth_mib_per_minute": round(slope_per_minute(half), 3),
    }


def run_demo_bench(minutes: float, *, watched: bool, folder: Path | None = None) -> dict[str, Any]:
    """Measure the demonstration for so long, with or without an operator's wall (whose browser is not counted)."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="vms-bench-", dir=folder))
        running = stack.enter_context(demonstration(Path(place, "data")))
        if watched:
            stack.enter_context(open_wall(running.console_url))
        samples = _sample(running, minutes)
    processes = {name: account(found) for name, found in samples.items()}
    names = ("cpu_percent", "memory_mib", "growth_second_half_mib", "growth_mib_per_minute")
    return {
        "minutes": minutes,
        "wall_open": watched,
        "total": {name: round(sum(one[name] for one in processes.values()), 2) for name in names},
        "processes": processes,
    }


def _sample(running: RunningDemonstration, minutes: float) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {}
    started = time.monotonic()
    while (now := time.monotonic() - started) < minutes * 60 or len(samples) == 0:
        for name, number in running.processes().items():
            usage = usage_of(number)
            samples.setdefault(name, []).append(Sample(now, usage.cpu_s, usage.resident_bytes / MIB))
        time.sleep(SAMPLE_S)
    return samples
