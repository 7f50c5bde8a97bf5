"""The simulated department of the demonstration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cameras.simulator.department import compose_department
from cameras.simulator.fleet import run_cameras
from vms.app.layout import DataFolder
from vms.base.clock import SystemClock


async def run(_: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], __: int) -> None:
    """Be twelve cameras in six communes until asked to stop."""
    await run_cameras(compose_department().cameras, SystemClock(), stop, on_ready)
