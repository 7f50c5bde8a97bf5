"""The life of a child process: born of a supervisor, ready, asked to stop, gone.

A child says `ready` once on the pipe that its supervisor gave it, or one JSON object with the error that keeps it from
starting. It dies with its supervisor, so that no orphan holds a lock or a port when the next one starts.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

READY_VARIABLE = "VMS_READY_FD"
_PR_SET_PDEATHSIG = 1

Process = Callable[[asyncio.Event, Callable[[], None]], Awaitable[None]]


def run_process(name: str, process: Process) -> int:
    """Run the body of a child until it ends or is asked to stop, and return its exit code."""
    _die_with_supervisor()
    try:
        uvloop.run(_until_stopped(process))
    except VmsError as refused:
        log.error(
            "process cannot go on", process_name=name, code=refused.code, detail=refused.detail or refused.message
        )
        told = {"kind": refused.kind, "code": refused.code, "message": refused.message, "hint": refused.hint}
        _tell_supervisor(json.dumps(told))
        return refused.exit_code
    return 0


def run_forking_process(serve: Callable[[Callable[[], None]], None]) -> int:
    """Run the body of a child that forks workers, and so has no event loop, until it is asked to stop."""
    _die_with_supervisor()
    serve(lambda: _tell_supervisor("ready"))
    return 0


async def _until_stopped(process: Process) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await process(stop, lambda: _tell_supervisor("ready"))


def _tell_supervisor(line: str) -> None:
    descriptor = os.environ.pop(READY_VARIABLE, None)
    if descriptor is None:
        return
    with os.fdopen(int(descriptor), "w") as pipe:
        pipe.write(line + "\n")


def _die_with_supervisor() -> None:
    if sys.platform != "linux" or READY_VARIABLE not in os.environ:
        return
    supervisor = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        os._exit(0)
