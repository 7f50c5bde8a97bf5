"""A reader process of its own, and streams that come through it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from recorder.contract.assignment import StreamRole, StreamTransport
from recorder.hub.hub import StreamHub
from recorder.ingest.budget import ConnectionBudget
from recorder.ingest.pace import Wheel
from recorder.ingest.stream import IngestMachinery, StreamIngest, StreamSource
from tests.recorder.ingest.receiving import Collector
from tests.simulated import PASSWORD, USERNAME
from vms.base.clock import SystemClock

_BODY = """
import sys
from pathlib import Path
from recorder.decoding.{module} import {function}
{function}(Path(sys.argv[1]), lambda: print("ready", flush=True))
"""


class DecodingProcess:
    """A running process of this package; `kill` it as the kernel would, `start` it again."""

    def __init__(self, socket: Path, module: str, function: str) -> None:
        self.socket = socket
        self._body = _BODY.format(module=module, function=function)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def workers(self) -> list[int]:
        """The process numbers of its workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", self._body, str(self.socket), stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"ready\n"

    async def kill(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        return await self._process.wait()


@contextlib.asynccontextmanager
async def running(socket: Path, module: str, function: str) -> AsyncIterator[DecodingProcess]:
    process = DecodingProcess(socket, module, function)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


class ForeignReceiver:
    """A stream that may come through the reader, and the collector at its hub."""

    def __init__(self, url: str, reader_socket: Path | None, transport: StreamTransport, password: str) -> None:
        clock = SystemClock()
        self.wheel = Wheel()
        self.hub = StreamHub("cam-test", StreamRole.MAIN, clock)
        self.ingest = StreamIngest(
            StreamSource(url, "27229", USERNAME, password, transport),
            self.hub,
            IngestMachinery(clock, self.wheel, ConnectionBudget(clock), reader_socket),
        )
        self.collector = Collector()
        self.hub.attach(self.collector)


@contextlib.asynccontextmanager
async def receiving(
    url: str,
    reader_socket: Path | None,
    transport: StreamTransport = StreamTransport.TCP,
    password: str = PASSWORD,
) -> AsyncIterator[ForeignReceiver]:
    """A stream that is fetched while the context is open."""
    receiver = ForeignReceiver(url, reader_socket, transport, password)
    receiver.wheel.start()
    task = asyncio.create_task(receiver.ingest.run())
    try:
        yield receiver
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        receiver.wheel.stop()
