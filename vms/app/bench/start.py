"""How long a person waits for the demonstration: a first start, which onboards the cameras, and the ones after it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vms.app.bench.demonstration import demonstration


def run_start_bench(starts: int, folder: Path | None = None) -> dict[str, Any]:
    """Seconds from the command to its word that it is ready; the bare interpreter's start beside it."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=folder) as place:
        seconds = []
        for _ in range(starts + 1):
            with demonstration(Path(place, "data")) as running:
                seconds.append(running.ready_s)
    later = statistics.median(seconds[1:])
    interpreter = _interpreter_s()
    return {
        "first_s": round(seconds[0], 2),
        "later_median_s": round(later, 2),
        "later_s": [round(one, 2) for one in seconds[1:]],
        "interpreter_s": round(interpreter, 3),
        "later_in_interpreter_starts": round(later / interpreter, 1),
    }


def _interpreter_s() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - started
