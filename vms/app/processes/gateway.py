"""The live gateway of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from recorder.live.gateway import GatewaySettings, run_gateway
from vms.app.layout import DataFolder
from vms.base.clock import SystemClock


async def run(folder: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], _: int) -> None:
    """Show images to those who hold a ticket, until asked to stop."""
    settings = GatewaySettings(
        host=folder.settings.gateway.host,
        port=folder.settings.gateway.port,
        shard_sockets=folder.shard_sockets,
        shard_folders=folder.stores,
        control_socket=folder.gateway_socket,
        ticket_public_key=folder.ticket_public_key,
        allowed_origins=folder.settings.console_origins,
        stills_socket=folder.stills_socket,
        served_folder=folder.served,
    )
    await run_gateway(settings, SystemClock(), stop, on_ready)
