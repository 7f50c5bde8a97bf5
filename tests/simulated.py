"""Simulated cameras for the tests of every package: real servers on loopback, on ports that the system chooses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cameras.simulator.camera import SimulatedCamera
from cameras.simulator.fleet import running_cameras
from cameras.simulator.spec import SUB_FILE, CameraSpec, Fault
from vms.base.clock import Clock, SystemClock

USERNAME = "vms-install"
PASSWORD = "vms-demo"


@contextlib.asynccontextmanager
async def simulated_camera(
    *,
    faults: Iterable[Fault] = (),
    main: Path | None = None,
    sub: Path | None = SUB_FILE,
    clock: Clock | None = None,
    instant_key: bool = True,
    **fields: Any,
) -> AsyncIterator[SimulatedCamera]:
    """One camera on 127.0.0.1 with its own ports: `camera.device_url`, `camera.stream_url("main")`, `camera.http_port`.

    `fields` are any others of CameraSpec. Streams start at once (`instant_key`); multicast is off; the account is
    USERNAME and PASSWORD; `camera.set_fault(Fault.FREEZES)` switches a fault while the camera runs.
    """
    spec = spec_of(faults=frozenset(faults), sub=sub, instant_key=instant_key, **fields)
    if main is not None:
        spec = replace(spec, main=main)
    async with running_cameras([spec], clock or SystemClock(), multicast=False) as cameras:
        yield cameras[0]


@contextlib.asynccontextmanager
async def simulated_cameras(count: int, **fields: Any) -> AsyncIterator[list[SimulatedCamera]]:
    """Several such cameras in one simulator, each with its own identity and place in the film."""
    specs = [
        replace(
            spec_of(**fields),
            name=f"Caméra {number}",
            mac=f"02564d53ff{number:02x}",
            serial=f"TEST{number:04d}",
            offset_s=number * 2.0,
        )
        for number in range(1, count + 1)
    ]
    async with running_cameras(specs, SystemClock(), multicast=False) as cameras:
        yield cameras


def spec_of(**fields: Any) -> CameraSpec:
    """A camera on ports that the system chooses; `fields` are those of CameraSpec."""
    given: dict[str, Any] = {
        "name": "Place de l'Essai",
        "http_port": 0,
        "rtsp_port": 0,
        "discovery_port": 0,
        "username": USERNAME,
        "password": PASSWORD,
        "instant_key": True,
        "motion_every_s": 0.0,
        "reboot_s": 0.2,
    }
    return CameraSpec(**{**given, **fields})
