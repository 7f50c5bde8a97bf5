"""The gateway alone in a process, as a benchmark measures it.

`python -m vms.app.bench.gateway_process STORE PORT CONTROL_SOCKET TICKET_KEY`
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from recorder.live.gateway import GatewaySettings, run_gateway
from vms.app.processes.lifecycle import run_process
from vms.base.clock import SystemClock
from vms.base.log import configure_logging

ORIGIN = "http://bench.localhost"


def main(arguments: list[str]) -> int:
    """Run the gateway over one store until it is asked to stop."""
    store, port, control, key = arguments
    configure_logging("gateway-bench", level="error")
    settings = GatewaySettings("127.0.0.1", int(port), (), (Path(store),), Path(control), Path(key), (ORIGIN,))

    async def body(stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        await run_gateway(settings, SystemClock(), stop, on_ready)

    return run_process("gateway-bench", body)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
