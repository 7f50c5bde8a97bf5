"""What the whole demonstration costs, and whether it grows: every process sampled through its life.

Memory is PSS, which counts what processes share once. Growth is the slope of anonymous memory, which does not move when
another program maps the same libraries, over the second half of the run, as the first half still fills caches. The
browser is not counted.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vms.app.bench.console import moving_tiles, open_wall, require_browser
from vms.app.bench.demonstration import BASE, RunningDemonstration, demonstration
from vms.app.bench.reference import copying_cost
from vms.app.bench.usage import MIB, memory_of, usage_of
from vms.app.demonstration.cameras import expected_cameras
from vms.app.settings import DemonstrationSettings

SAMPLE_S = 5.0
REFERENCE_S = 20.0
_SUMMED: Final = (
    "cpu_percent",
    "memory_mib",
    "growth_first_half_mib",
    "growth_second_half_mib",
    "growth_mib_per_minute",
)


@dataclass(frozen=True, slots=True)
class DemoBenchOptions:
    """How long, with or without an operator's wall, on which addresses, and where to write (None: temporary files)."""

    minutes: float = 10.0
    watched: bool = True
    base: str = BASE
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: its number, seconds since the start, processor seconds so far, MiB (PSS, anonymous)."""

    pid: int
    at_s: float
    cpu_s: float
    memory_mib: float
    anonymous_mib: float


def slope_per_minute(samples: Sequence[Sample]) -> float:
    """The growth of anonymous memory over these samples in MiB a minute, by least squares."""
    if len(samples) < 3:
        return 0.0
    middle_x = sum(one.at_s for one in samples) / len(samples)
    middle_y = sum(one.anonymous_mib for one in samples) / len(samples)
    spread = sum((one.at_s - middle_x) ** 2 for one in samples)
    together = sum((one.at_s - middle_x) * (one.anonymous_mib - middle_y) for one in samples)
    return 60 * together / spread


def account(samples: Sequence[Sample]) -> dict[str, float]:
    """Processor and memory of one process, and its growth over the second half; of its last life if it died."""
    life = [one for one in samples if one.pid == samples[-1].pid]
    first, last = life[0], life[-1]
    half = [one for one in life if one.at_s >= (first.at_s + last.at_s) / 2]
    return {
        "cpu_percent": round(100 * (last.cpu_s - first.cpu_s) / max(last.at_s - first.at_s, 0.001), 2),
        "memory_mib": round(last.memory_mib, 1),
        "growth_first_half_mib": round(half[0].anonymous_mib - first.anonymous_mib, 2),
        "growth_second_half_mib": round(last.anonymous_mib - half[0].anonymous_mib, 2),
        "growth_mib_per_minute": round(slope_per_minute(half), 3),
        "restarts": len({one.pid for one in samples}) - 1,
    }


def run_demo_bench(options: DemoBenchOptions) -> dict[str, Any]:
    """Measure the demonstration, then one ffmpeg a camera beside it. Raises VmsError when either does not start."""
    if options.watched:
        require_browser()
    specs = expected_cameras(DemonstrationSettings(base=options.base))
    with (
        tempfile.TemporaryDirectory(prefix="vms-bench-", dir=options.folder) as place,
        demonstration(Path(place, "data"), base=options.base) as running,
    ):
        with open_wall(running.console_url) if options.watched else contextlib.nullcontext() as page:
            samples = _sample(running, options.minutes * 60)
            moving = moving_tiles(page) if page is not None else 0
        reference = copying_cost(specs, min(REFERENCE_S, options.minutes * 60), options.folder)
    processes = {name: account(found) for name, found in samples.items()}
    total = {name: round(sum(one[name] for one in processes.values()), 2) for name in _SUMMED}
    return {
        "minutes": options.minutes,
        "wall_open": options.watched,
        "cameras": len(specs),
        "tiles_moving_at_the_end": moving,
        "total": total,
        "processes": processes,
        "one_ffmpeg_a_camera": reference,
        "recorder_cpu_in_ffmpeg": _ratio(processes.get("shard-0"), reference, "cpu_percent"),
        "demonstration_cpu_in_ffmpeg": _ratio(total, reference, "cpu_percent"),
        "demonstration_memory_in_ffmpeg": _ratio(total, reference, "memory_mib"),
    }


def demo_text(result: dict[str, Any]) -> str:
    """The figures as a table in French."""
    lines = [
        f"{result['minutes']:g} min, {result['cameras']} caméras, "
        + (
            f"un mur d'images ouvert ({result['tiles_moving_at_the_end']} vignettes animées à la fin)"
            if result["wall_open"]
            else "sans spectateur"
        ),
        f"{'processus':14} {'processeur':>10} {'mémoire':>12} {'croissance (2e moitié)':>24}",
    ]
    lines += [
        f"{name:14} {found['cpu_percent']:8.1f} % {found['memory_mib']:8.1f} Mio"
        f" {found['growth_mib_per_minute']:+15.2f} Mio/min"
        for name, found in {**result["processes"], "total": result["total"]}.items()
    ]
    reference = result["one_ffmpeg_a_camera"]
    if reference:
        lines.append(f"{'ffmpeg':14} {reference['cpu_percent']:8.1f} % {reference['memory_mib']:8.1f} Mio")
        lines.append(f"Un ffmpeg par caméra = 1 : enregistreur {result['recorder_cpu_in_ffmpeg']} en processeur.")
    return "\n".join(lines)


def _ratio(ours: dict[str, float] | None, reference: dict[str, float] | None, name: str) -> float | None:
    if not ours or not reference or not reference[name]:
        return None
    return round(ours[name] / reference[name], 2)


def _sample(running: RunningDemonstration, seconds: float) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {}
    started = time.monotonic()
    while (now := time.monotonic() - started) < seconds or not samples:
        for name, pid in running.processes().items():
            # A process that dies between two looks is counted when it is back.
            with contextlib.suppress(OSError):
                samples.setdefault(name, []).append(_look(pid, now))
        time.sleep(min(SAMPLE_S, seconds / 4))
    return samples


def _look(pid: int, at_s: float) -> Sample:
    usage, memory = usage_of(pid), memory_of(pid)
    return Sample(pid, at_s, usage.cpu_s, memory.proportional_bytes / MIB, memory.anonymous_bytes / MIB)
