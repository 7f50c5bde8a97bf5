"""The demonstration as a process under measurement: started, asked, stopped."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vms.base.errors import ErrorKind, VmsError

READY_S = 60.0
STOP_S = 40.0
BASE = "127.91.0.0/16"


@dataclass(frozen=True, slots=True)
class RunningDemonstration:
    """A demonstration that is ready: its console, its data folder, and how long it took."""

    console_url: str
    data: Path
    ready_s: float

    def processes(self) -> dict[str, int]:
        """The number of each process by its name."""
        numbers: dict[str, int] = json.loads((self.data / "run" / "processes.json").read_text())
        return numbers


@contextlib.contextmanager
def demonstration(data: Path, settings: str = "") -> Iterator[RunningDemonstration]:
    """A demonstration on free ports; `settings` is TOML. Raises VmsError when it does not become ready."""
    data.parent.mkdir(parents=True, exist_ok=True)
    config = data.parent / "bench.toml"
    config.write_text(settings, encoding="utf-8")
    port, media_port = _free_port(), _free_port()
    command = [sys.executable, "-m", "vms.app.cli.main", "demo", "--data", str(data), "--config", str(config)]
    command += ["--port", str(port), "--media-port", str(media_port), "--base", BASE]
    output = data.parent / "demonstration.out"
    started = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603 — our own command
    try:
        _wait_until_ready(process, output, started)
        yield RunningDemonstration(f"http://localhost:{port}", data, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_S)


def _wait_until_ready(process: subprocess.Popen[bytes], output: Path, started: float) -> None:
    while "Prêt" not in (said := output.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() - started > READY_S:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "bench.no_demonstration",
                "La démonstration à mesurer n'a pas démarré.",
                hint=f"Lisez {output}.",
                detail=said[-500:],
            )
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
