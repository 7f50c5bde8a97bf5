"""How long a person waits for the demonstration: at a first start, which onboards the cameras, and at a second.

The bare start of the interpreter stands beside it, as the part of the wait that no product can avoid, and the processor
time of all processes until then: on a machine with other work the wait is longer, and that time nearly the same.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vms.app.bench.demonstration import BASE, demonstration
from vms.app.bench.usage import usage_of_all

TARGET_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class StartBenchOptions:
    """How many times to start anew and again, on which addresses, and where to write (None: temporary files)."""

    rounds: int = 3
    base: str = BASE
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """One start: the wait, and the processor time that it took, in seconds."""

    wait_s: float
    cpu_s: float


def run_start_bench(options: StartBenchOptions) -> dict[str, Any]:
    """Seconds from the command to its word that it is ready. Raises VmsError when it does not become ready."""
    first: list[Start] = []
    second: list[Start] = []
    bare: list[float] = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=options.folder) as place:
            for found in (first, second):
                with demonstration(Path(place, "data"), base=options.base) as running:
                    used = usage_of_all(running.processes().values())
                    found.append(Start(running.ready_s, used.cpu_s))
        bare.append(_interpreter_s())
    return report(first, second, bare)


def report(first: Sequence[Start], second: Sequence[Start], bare: Sequence[float]) -> dict[str, Any]:
    """The figures of the measured starts, in seconds, and their ratio to the start of the bare interpreter."""
    medians = (
        statistics.median(one.wait_s for one in first),
        statistics.median(one.wait_s for one in second),
        statistics.median(bare),
    )
    return {
        "first_median_s": round(medians[0], 2),
        "second_median_s": round(medians[1], 2),
        "first_s": [round(one.wait_s, 2) for one in first],
        "second_s": [round(one.wait_s, 2) for one in second],
        "first_cpu_s": round(statistics.median(one.cpu_s for one in first), 2),
        "second_cpu_s": round(statistics.median(one.cpu_s for one in second), 2),
        "interpreter_s": round(medians[2], 3),
        "first_in_interpreter_starts": round(medians[0] / medians[2]),
        "second_in_interpreter_starts": round(medians[1] / medians[2]),
        "target_s": TARGET_S,
        "target_met": medians[1] < TARGET_S,
    }


def start_text(result: dict[str, Any]) -> str:
    """The figures as a table in French."""
    lines = [
        f"{label:18} {result[f'{name}_median_s']:6.2f} s  (médiane de {len(result[f'{name}_s'])},"
        f" {result[f'{name}_cpu_s']:.1f} s de processeur, {result[f'{name}_in_interpreter_starts']} interpréteurs nus)"
        for name, label in (("first", "premier démarrage"), ("second", "second démarrage"))
    ]
    met = "tenu" if result["target_met"] else "NON tenu"
    return "\n".join([*lines, f"Objectif, un second démarrage sous {result['target_s']:g} s : {met}."])


def _interpreter_s() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - started
