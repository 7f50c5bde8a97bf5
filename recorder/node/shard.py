"""One shard: the process that records its share of a node's cameras (being filled in)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from recorder.node.events import EventSink, NoEvents
from recorder.node.settings import ShardSettings
from vms.base.clock import Clock

__all__ = ["EventSink", "NoEvents", "ShardSettings", "run_shard"]


async def run_shard(
    settings: ShardSettings,
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    events: EventSink | None = None,
) -> None:
    """Record until `stop` is set; then close every open segment and return.

    `on_ready` is called when the socket answers. Raises VmsError when the folder is in use, cannot be written, or
    holds a store that cannot be opened.
    """
    raise NotImplementedError
