"""What the demonstration is compared with: one `ffmpeg -c copy` a camera, which writes its main stream to segments."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cameras.simulator.spec import CameraSpec
from vms.app.bench.usage import MIB, memory_of, usage_of_all

SETTLE_S = 5.0
STOP_S = 5.0


def copying_cost(specs: Sequence[CameraSpec], seconds: float, folder: Path | None = None) -> dict[str, float] | None:
    """Processor (percent of a core) and memory (MiB) of all those processes together, over so many seconds.

    None where ffmpeg is not installed or one of the processes ended before its time.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=folder) as place:
        try:
            for number, spec in enumerate(specs):
                command = [program, *_arguments(spec, Path(place, f"{number}-%05d.mp4"))]
                processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))  # noqa: S603 — our own command
            return _cost([process.pid for process in processes], seconds)
        except OSError:
            return None
        finally:
            _end(processes)


def _cost(pids: Sequence[int], seconds: float) -> dict[str, float]:
    time.sleep(SETTLE_S)
    before, began = usage_of_all(pids), time.monotonic()
    time.sleep(seconds)
    after, elapsed = usage_of_all(pids), time.monotonic() - began
    memory = sum(memory_of(pid).proportional_bytes for pid in pids)
    return {
        "cpu_percent": round(100 * (after.cpu_s - before.cpu_s) / elapsed, 2),
        "memory_mib": round(memory / MIB, 1),
    }


def _arguments(spec: CameraSpec, target: Path) -> list[str]:
    url = f"rtsp://{spec.username}:{spec.password}@{spec.address}:{spec.rtsp_port}/main"
    source = ["-nostdin", "-loglevel", "fatal", "-rtsp_transport", "tcp", "-i", url, "-an", "-c", "copy"]
    return [*source, "-f", "segment", "-segment_time", "60", "-segment_format", "mp4", str(target)]


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
