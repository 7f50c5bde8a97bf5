"""One recorder shard. What it tells the access log goes into a spool of its own, so that it depends on nobody."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from access_audit.client import AuditClient
from access_audit.spool import Spool
from recorder.node.hourly import HourlySink
from recorder.node.settings import ShardSettings
from recorder.node.shard import run_shard
from vms.app.layout import DataFolder, read_audit_key
from vms.base.clock import Clock, SystemClock
from vms.base.errors import VmsError
from vms.base.memory import keep_freed_memory
from vms.base.tasks import supervise

DELIVERY_SECONDS = 5.0


async def run(folder: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], index: int) -> None:
    """Record this shard's share until asked to stop."""
    keep_freed_memory()
    clock = SystemClock()
    supervisor = os.getppid()
    shard_folder = folder.shard_folder(index)
    spool = await asyncio.to_thread(Spool, shard_folder / "spool")
    delivery = asyncio.create_task(supervise("spool delivery", lambda: _deliver(folder, spool, clock), clock))
    settings = ShardSettings(
        shard_name=f"shard-{index}",
        folder=shard_folder,
        socket=folder.shard_socket(index),
        segment_seconds=folder.settings.recorder.segment_seconds,
        reader_socket=folder.reader_socket,
        disks=folder.shard_stores(index),
        minimum_free_bytes=folder.settings.recorder.minimum_free_mb << 20,
        erase_oldest=folder.settings.recorder.when_full == "erase_oldest",
    )
    events = await asyncio.to_thread(HourlySink, spool, shard_folder / "hourly.jsonl", clock)
    try:
        await run_shard(settings, clock, stop, on_ready, events, orphaned=lambda: os.getppid() != supervisor)
    finally:
        delivery.cancel()


async def _deliver(folder: DataFolder, spool: Spool, clock: Clock) -> None:
    """Bring what the spool holds to the writer whenever it answers."""
    client: AuditClient | None = None
    while True:
        try:
            seen = folder.seen(spool.spool_id)
            client = client or AuditClient(folder.audit_socket, read_audit_key(folder.audit_public_key), seen=seen)
            await spool.deliver(client)
        except VmsError as away:
            if not away.retryable:
                raise
        await clock.sleep(DELIVERY_SECONDS)
