"""The audit writer: the one process that may write the access log and read its signing key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from access_audit.writer import WriterSettings, run_writer
from vms.app.layout import DataFolder
from vms.base.clock import SystemClock


async def run(folder: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], _: int) -> None:
    """Write until asked to stop."""
    settings = WriterSettings(
        folder=folder.audit,
        socket=folder.audit_socket,
        key_file=folder.audit_key,
        origin=folder.settings.audit.origin,
        retention=folder.settings.audit.retention,
        key=folder.settings.audit.key,
    )
    await run_writer(settings, SystemClock(), stop, on_ready)
