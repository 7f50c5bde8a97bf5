"""The reader of foreign streams: a process that recording does without, except for the cameras that need it.

It serves the shards of this machine on a Unix socket as `recorder.ingest.foreign` says, one worker for one stream.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from recorder.decoding.demux import serve_stream
from recorder.decoding.forking import MIB, ForkingServer, WorkerLimits
from recorder.ingest.causes import Cause
from recorder.ingest.foreign import json_message

WORKER_MEMORY_BYTES = 512 * MIB
MAX_STREAMS = 250


def run_reader(path: Path, on_ready: Callable[[], None]) -> None:
    """Read foreign streams until SIGTERM. Blocks; must run in the main thread of a process without others."""
    limits = WorkerLimits(WORKER_MEMORY_BYTES, MAX_STREAMS)
    ForkingServer(path, serve_stream, _tell_of_death, limits).serve(on_ready)


def _tell_of_death(killed_by: int) -> bytes:
    cause = Cause.TIMEOUT if killed_by == signal.SIGALRM else Cause.PROTOCOL
    detail = (
        f"the reader of this stream ended by signal {killed_by}" if killed_by else "the reader of this stream failed"
    )
    return json_message(event="ended", cause=cause.value, detail=detail)
