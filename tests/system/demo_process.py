"""The whole product as a person starts it: `vms demo` in a process, its children by name, and a client of its API."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from supervision_centre.people.provision import DEMONSTRATION_PASSWORD
from vms.base.clock import utc_text

BASE = "127.60.0.0/16"
READY_S = 60.0
FEW_CAMERAS = 4
BACK = "de nouveau en marche"


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], seconds: float = 30.0, what: str = "the condition") -> None:
    """Wait until a condition holds; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds} s"
        time.sleep(0.1)


def vms(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run one command of the product to its end."""
    command = [sys.executable, "-m", "vms.app.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


class Demo:
    """A running demonstration in a data folder."""

    def __init__(self, data: Path, *, base: str = BASE, config: Path | None = None) -> None:
        self.data = data
        self.port, self.media_port = free_port(), free_port()
        self.output = data.parent / f"{data.name}.out"
        self._arguments = ["demo", "--data", str(data), "--port", str(self.port)]
        self._arguments += ["--media-port", str(self.media_port), "--base", base]
        self._arguments += ["--config", str(config)] if config else []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def console_url(self) -> str:
        """Where the console is."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vms.app.cli.main", *self._arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "120"},
                start_new_session=True,
            )
        until(lambda: "Prêt" in self.said() or self.process.poll() is not None, READY_S, "the start")  # type: ignore[union-attr]
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def stop(self) -> int:
        """Stop it as Ctrl-C does; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def numbers(self) -> dict[str, int]:
        """The process number of every child, and of the supervisor."""
        numbers: dict[str, int] = json.loads((self.data / "run" / "processes.json").read_text())
        return numbers

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process."""
        os.kill(self.numbers()[name], number)

    def kill_and_wait_until_back(self, name: str) -> None:
        """`kill -9` one child and wait until another stands in its place."""
        before, returns = self.numbers()[name], self.said().count(BACK)
        os.kill(before, signal.SIGKILL)
        until(lambda: self.numbers().get(name) != before, 30, f"the return of {name}")
        until(lambda: self.said().count(BACK) > returns, 30, f"{name} to be ready again")

    @contextlib.contextmanager
    def client(self, login: str = "operatrice") -> Iterator[Client]:
        """A logged-in person."""
        with httpx.Client(base_url=self.console_url, timeout=20, headers={"Origin": self.console_url}) as http:
            client = Client(http)
            client.log_in(login)
            yield client

    def wait_until_recorded(self, seconds: float) -> None:
        """Wait until every camera has so many seconds on the disk."""
        with self.client() as client:
            for camera in client.cameras():
                until(lambda one=camera: client.recorded_s(one["id"]) >= seconds, 60, "recording")  # type: ignore[misc]


class Client:
    """The API as the console uses it."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.csrf = ""

    def log_in(self, login: str) -> None:
        """Open a session."""
        answer = self.http.post("/api/login", json={"login": login, "password": DEMONSTRATION_PASSWORD})
        assert answer.is_success, answer.text
        self.csrf = self.http.get("/api/me").json()["csrf"]

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """An unsafe request with its token."""
        return self.http.post(path, json=body, headers={"X-CSRF-Token": self.csrf})

    def cameras(self) -> list[dict[str, Any]]:
        """The cameras in this person's scope."""
        found: list[dict[str, Any]] = self.http.get("/api/cameras").raise_for_status().json()["cameras"]
        return found

    def purpose(self) -> str:
        """A purpose that the centre offers."""
        code: str = self.http.get("/api/me").json()["purposes"][0]["code"]
        return code

    def timeline(self, camera_id: str) -> dict[str, Any]:
        """The last hour of a camera; an empty one while the recorder has not been told of it."""
        now = time.time_ns()
        bounds = {"from": utc_text(now - 3_600_000_000_000), "to": utc_text(now)}
        response = self.http.get(f"/api/cameras/{camera_id}/timeline", params=bounds)
        if response.status_code == 404:
            return {"spans": [], "gaps": []}
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer

    def recorded_s(self, camera_id: str) -> float:
        """How many seconds of the last hour are on the disk."""

        return sum(
            (datetime.fromisoformat(span["end"]) - datetime.fromisoformat(span["start"])).total_seconds()
            for span in self.timeline(camera_id)["spans"]
        )

    def open_live(self, camera_id: str) -> httpx.Response:
        """Ask to see a camera."""
        return self.post("/api/live-sessions", {"cameras": [camera_id], "purpose": self.purpose(), "note": ""})

    def open_playback(self, camera_id: str, start: str, end: str) -> httpx.Response:
        """Ask to see what is recorded."""
        body = {"camera": camera_id, "from": start, "to": end, "purpose": self.purpose(), "note": ""}
        return self.post("/api/playback-sessions", body)


def small_department(folder: Path, more: str = "") -> Path:
    """A configuration with few cameras, for tests that do not need the whole department, and what else it says."""
    config = folder / "vms.toml"
    config.write_text(f"[demonstration]\ncommunes = 2\ncameras = {FEW_CAMERAS}\n{more}")
    return config


def copied(recorded: Path, folder: Path) -> Path:
    """A copy of a data folder, for a test that changes it. Its log is told that it has moved, not been copied."""
    data = folder / "data"
    shutil.copytree(recorded, data, ignore=shutil.ignore_patterns("*.sock", "lock"), dirs_exist_ok=True)
    identity = data / "audit" / "keys" / "writer.json"
    if identity.exists():
        known = json.loads(identity.read_bytes()) | {"folder": (data / "audit").stat().st_ino}
        identity.write_text(json.dumps(known))
    return data


@contextlib.contextmanager
def running_demo(folder: Path, **options: Any) -> Iterator[Demo]:
    """A demonstration that is ready at the start of the block and gone at its end."""
    demo = Demo(folder / "data", **options)
    try:
        demo.start()
        yield demo
    finally:
        if demo.process is not None:
            demo.stop()
