"""All cameras of a process: films opened once, one timer, one discovery responder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from cameras.simulator.camera import SimulatedCamera
from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.discovery import Responder
from cameras.simulator.film import Film
from cameras.simulator.reel import Reel
from cameras.simulator.spec import B_FRAMES_FILE, CameraSpec
from cameras.simulator.wheel import Wheel
from vms.base.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FilmLibrary:
    """The open films by path, each opened once."""

    _films: dict[Path, Film] = field(default_factory=dict)

    async def get(self, path: Path) -> Film:
        """The film of a file. Raises VmsError(INVALID_INPUT) when it cannot be played."""
        film = self._films.get(path)
        if film is None:
            film = self._films[path] = await asyncio.to_thread(Film.load, path)
        return film

    def close(self) -> None:
        """Close every film."""
        for film in self._films.values():
            film.close()
        self._films.clear()


async def make_device(spec: CameraSpec, clock: Clock, library: FilmLibrary) -> Device:
    """The state of a camera that was just switched on. Raises VmsError(INVALID_INPUT) for a film that is none."""
    main = Reel.of(await library.get(spec.main), spec.offset_s)
    reordered = Reel.of(await library.get(B_FRAMES_FILE), spec.offset_s)
    streams = [StreamSettings("main", main)]
    if spec.sub is not None:
        streams.append(StreamSettings("sub", Reel.of(await library.get(spec.sub), spec.offset_s, like=main)))
    return Device(spec, clock, tuple(streams), StreamSettings("main", reordered))


@contextlib.asynccontextmanager
async def running_cameras(
    specs: Iterable[CameraSpec], clock: Clock, *, interface: str = "127.0.0.1", multicast: bool = True
) -> AsyncIterator[list[SimulatedCamera]]:
    """Cameras that run while the context is open, in the order of `specs`.

    `interface` is the address of the network interface of multicast discovery.
    Raises VmsError when a film, an address or a port cannot be had; whatever was started is stopped again.
    """
    library, wheel, responder = FilmLibrary(), Wheel(clock), Responder(interface)
    cameras: list[SimulatedCamera] = []
    turning = asyncio.create_task(wheel.run())
    try:
        if multicast:
            await responder.start()
        for spec in specs:
            camera = SimulatedCamera(await make_device(spec, clock, library), wheel, responder)
            await camera.start()
            cameras.append(camera)
        yield cameras
    finally:
        turning.cancel()
        await asyncio.gather(*(camera.stop() for camera in cameras), turning, return_exceptions=True)
        await responder.stop()
        library.close()


async def run_cameras(
    specs: Iterable[CameraSpec],
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    *,
    interface: str = "127.0.0.1",
) -> None:
    """The body of a simulator process: run the cameras until `stop`; `on_ready` is called when all of them answer.

    Raises VmsError when a film, an address or a port cannot be had.
    """
    async with running_cameras(specs, clock, interface=interface) as cameras:
        log.info("cameras simulated", count=len(cameras))
        on_ready()
        await stop.wait()
