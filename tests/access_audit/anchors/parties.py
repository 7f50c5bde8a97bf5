"""Third parties of the anchors, over real HTTP: an authority of `openssl ts`, and our witness."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from access_audit.anchors.cosignatures import WitnessAddress
from access_audit.anchors.files import read_state
from access_audit.anchors.process import AnchorSettings, run_anchors
from access_audit.checkpoint import LogKey
from access_audit.witness.server import WitnessSettings, run_witness
from access_audit.witness.state import Witness
from vms.base.clock import Clock, SystemClock

WITHIN_S = 20.0


@dataclass
class Service:
    """A POST service: `answer` makes the body of each answer, None stands for status 500."""

    answer: Callable[[bytes], bytes | None]
    asked: list[bytes] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(service: Service, port: int = 0) -> Iterator[Service]:
    """The service at work on a port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.asked.append(body)
            answer = service.answer(body)
            self.send_response(200 if answer is not None else 500)
            self.send_header("Content-Length", str(len(answer or b"")))
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def anchoring(settings: AnchorSettings, clock: Clock | None = None) -> AsyncIterator[None]:
    """The anchors' process as a task."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_anchors(settings, clock or SystemClock(), stop, ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if task.done():
            task.result()
        yield
    finally:
        stop.set()
        await asyncio.wait({task})
    task.result()


@dataclass
class OpenWitness:
    """A running witness."""

    witness: Witness
    port: int

    @property
    def address(self) -> WitnessAddress:
        return WitnessAddress(f"http://127.0.0.1:{self.port}", self.witness.key)


@asynccontextmanager
async def witnessing(
    folder: Path, *keys: LogKey, port: int = 0, clock: Clock | None = None
) -> AsyncIterator[OpenWitness]:
    """The witness as a task."""
    stop = asyncio.Event()
    ready: asyncio.Future[OpenWitness] = asyncio.get_running_loop().create_future()
    settings = WitnessSettings(folder, "temoin.test/1", keys, "127.0.0.1", port)
    task = asyncio.create_task(
        run_witness(
            settings, clock or SystemClock(), stop, lambda opened, at: ready.set_result(OpenWitness(opened, at))
        )
    )
    both: set[asyncio.Future[Any]] = {task, ready}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            task.result()
        yield await ready
    finally:
        stop.set()
        if not task.done():
            await task


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition of the disk holds."""
    async with asyncio.timeout(WITHIN_S):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the disk has no event
            await asyncio.sleep(0.02)


def cause_of(folder: Path, group: str, name: str) -> str:
    """What the state says is wrong with a third party."""
    state = read_state(folder)
    return "" if state is None else getattr(state, group)[name].cause
