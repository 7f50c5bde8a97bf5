"""One stream ingest over a simulated camera, without a store: what tests of faults look at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cameras.simulator.camera import SimulatedCamera
from cameras.simulator.spec import Fault
from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.hub.hub import StreamHub
from recorder.hub.unit import DatedUnit
from recorder.ingest.budget import ConnectionBudget
from recorder.ingest.pace import Wheel
from recorder.ingest.stream import IngestMachinery, StreamIngest, StreamSource
from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.base.clock import SystemClock


class Collector:
    """A reader that keeps everything, or the last units, and can be asked to wait until it is enough."""

    def __init__(self, *, urgent: bool = False) -> None:
        self.urgent = urgent
        self.units: list[DatedUnit] = []
        self.batches: list[int] = []
        self.statuses: list[StreamStatus] = []
        self.most_units = 1_000_000
        self._changed = asyncio.Event()

    def deliver(self, units: Sequence[DatedUnit]) -> None:
        self.units += units
        del self.units[: -self.most_units]
        self.batches.append(len(units))
        self._changed.set()

    def status_changed(self, status: StreamStatus) -> None:
        self.statuses.append(status)
        self._changed.set()

    def ended(self, cause: str) -> None:
        self._changed.set()

    async def until(self, satisfied: Callable[[], bool], seconds: float = 12.0) -> None:
        async with asyncio.timeout(seconds):
            while not satisfied():
                self._changed.clear()
                await self._changed.wait()

    async def until_units(self, count: int) -> None:
        await self.until(lambda: len(self.units) >= count)

    async def until_condition(self, condition: StreamCondition, cause: str = "") -> None:
        await self.until(lambda: any(one.condition is condition and one.cause == cause for one in self.statuses))

    @property
    def runs(self) -> list[int]:
        return list(dict.fromkeys(unit.run for unit in self.units))


class Receiver:
    """A stream under way, and the reader of its hub."""

    def __init__(
        self,
        url: str,
        *,
        username: str = USERNAME,
        password: str = PASSWORD,
        tls_pins: tuple[str, ...] = (),
        machinery: IngestMachinery | None = None,
    ) -> None:
        clock = SystemClock()
        machinery = machinery or IngestMachinery(clock, Wheel(), ConnectionBudget(clock))
        self.wheel = machinery.wheel
        self.hub = StreamHub("cam-test", StreamRole.MAIN, clock)
        self.ingest = StreamIngest(
            StreamSource(url, "27229", username, password, tls_pins=tls_pins),
            self.hub,
            machinery,
        )
        self.collector = Collector()
        self.hub.attach(self.collector)


@contextlib.asynccontextmanager
async def receiving(url: str, **fields: Any) -> AsyncIterator[Receiver]:
    """A stream that is fetched while the context is open."""
    receiver = Receiver(url, **fields)
    receiver.wheel.start()
    task = asyncio.create_task(receiver.ingest.run())
    try:
        yield receiver
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        receiver.wheel.stop()


@contextlib.asynccontextmanager
async def receiving_from_camera(
    faults: Iterable[Fault] = (), *, stream: str = "main", main: Path | None = None, **fields: Any
) -> AsyncIterator[tuple[SimulatedCamera, Receiver]]:
    """A simulated camera and the stream that is fetched from it."""
    async with (
        simulated_camera(faults=faults, main=main) as camera,
        receiving(camera.stream_url(stream), **fields) as it,
    ):
        yield camera, it
