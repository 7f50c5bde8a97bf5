"""One recorder shard alone in a process, as a benchmark measures it.

`python -m vms.app.bench.shard_process FOLDER SOCKET`
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from recorder.node.shard import ShardSettings, run_shard
from vms.app.processes.lifecycle import run_process
from vms.base.clock import SystemClock
from vms.base.log import configure_logging
from vms.base.memory import keep_freed_memory


def main(arguments: list[str]) -> int:
    """Run the shard until it is asked to stop."""
    folder, socket = map(Path, arguments)
    configure_logging("shard-bench", level="warning")
    keep_freed_memory()
    settings = ShardSettings("shard-bench", folder, socket, minimum_free_bytes=256 << 20)

    async def body(stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        await run_shard(settings, SystemClock(), stop, on_ready)

    return run_process("shard-bench", body)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
