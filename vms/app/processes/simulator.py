"""The simulated department of the demonstration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cameras.simulator.fleet import run_cameras
from vms.app.demonstration.cameras import expected_cameras
from vms.app.layout import DataFolder
from vms.base.clock import SystemClock


async def run(folder: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], _: int) -> None:
    """Be every camera of the department until asked to stop."""
    await run_cameras(expected_cameras(folder.settings.demonstration), SystemClock(), stop, on_ready)
