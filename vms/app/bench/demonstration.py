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
from typing import NoReturn

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
        """The number of each process by its name, the supervisor among them."""
        numbers: dict[str, int] = json.loads((self.data / "run" / "processes.json").read_text())
        return numbers


@contextlib.contextmanager
def demonstration(data: Path, *, settings: str = "", base: str = BASE) -> Iterator[RunningDemonstration]:
    """A demonstration on free ports, its cameras in the range `base`; `settings` is TOML.

    Raises VmsError when it does not become ready. It is gone at the end of the block, in order or not, and when this
    process is told to end. For the main thread only.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    config = data.parent / "bench.toml"
    config.write_text(settings, encoding="utf-8")
    port, media_port = _free_ports()
    command = [sys.executable, "-m", "vms.app.cli.main", "demo", "--data", str(data), "--config", str(config)]
    command += ["--port", str(port), "--media-port", str(media_port), "--base", base]
    output = data.parent / "demonstration.out"
    before = signal.signal(signal.SIGTERM, _end)
    started = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603 — our own command
    try:
        _wait_until_ready(process, output, started)
        yield RunningDemonstration(f"http://localhost:{port}", data, time.monotonic() - started)
    finally:
        _stop(process)
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _wait_until_ready(process: subprocess.Popen[bytes], output: Path, started: float) -> None:
    while "Prêt" not in (said := output.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() - started > READY_S:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "bench.no_demonstration",
                "La démonstration à mesurer n'a pas démarré.",
                hint=" ".join(said.split("Erreur : ")[-1].split()) if "Erreur : " in said else "",
                detail=said[-500:],
            )
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
