"""Record the transcripts anew: `python -m tests.recorder.ingest.record_transcripts [FAULT…]`.

One real session of the recorder with the simulated camera for each of its faults, kept as the bytes of both sides.
Faults come sooner than in a demonstration, so that each session is short.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator
from unittest import mock

from cameras.onvif.device import open_device
from cameras.simulator import playback
from cameras.simulator.spec import B_FRAMES_FILE, HTTP_PORT, SUB_FILE, Fault
from recorder.ingest.causes import IngestError
from recorder.ingest.connection import open_stream
from tests.recorder.ingest.wire import Transcript, keep, tapped
from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import VmsError

ONVIF_FAULTS = frozenset({Fault.WRONG_XADDR, Fault.NONCONFORMING_SOAP, Fault.ENTITY_BOMB})
NOT_RECORDED = frozenset({Fault.CERTIFICATE_CHANGED})
"""A TLS handshake cannot be played again: `test_tls` has this one."""
HEALTHY = "healthy"
SESSION_S = 2.6


def free_host() -> str:
    """An address of loopback that nobody else uses: the port of ONVIF is named in its answers, and must be kept."""
    return f"127.28.{random.randint(1, 254)}.{random.randint(1, 254)}"


@contextlib.asynccontextmanager
async def _sooner() -> AsyncIterator[None]:
    with (
        mock.patch.object(playback, "JUMP_EVERY_FRAMES", 8),
        mock.patch.object(playback, "DROPPED_ONE_IN", 7),
        mock.patch.object(playback, "TROUBLE_AFTER_NS", NS_PER_SECOND),
    ):
        yield


async def record_stream(faults: frozenset[Fault]) -> list[Transcript]:
    """One session of a stream."""
    main = B_FRAMES_FILE if Fault.B_FRAMES in faults else SUB_FILE
    async with (
        _sooner(),
        simulated_camera(faults=faults, main=main) as camera,
        tapped(camera.rtsp_port) as (tap, port),
    ):
        with contextlib.suppress(IngestError):
            connection = await open_stream(f"rtsp://127.0.0.1:{port}/main", USERNAME, PASSWORD, 1 << 20)
            buffer = memoryview(bytearray(1 << 20))
            deadline = time.monotonic() + SESSION_S
            while time.monotonic() < deadline:
                await asyncio.sleep(0.02)
                connection.read(buffer)
            before = tap.transcripts[:]
            seen = [Transcript(each.about, each.records[:]) for each in before]
            connection.close()
            return seen
        return tap.transcripts


async def record_onvif(fault: Fault) -> list[Transcript]:
    """One conversation with the ONVIF services."""
    async with simulated_camera(faults=[fault]) as camera:
        behind, camera.device.http_port = camera.http_port, HTTP_PORT
        host = free_host()
        async with tapped(behind, host, HTTP_PORT) as (tap, port):
            with contextlib.suppress(VmsError):
                url = f"http://{host}:{port}/onvif/device_service"
                async with open_device(url, USERNAME, PASSWORD) as device:
                    await device.identity()
                    await device.streams()
            return tap.transcripts


async def main(wanted: list[str]) -> None:
    """Record each of the wanted names."""
    for name in wanted:
        about = {"fault": name, "recorded_utc_ns": str(time.time_ns())}
        if name in ONVIF_FAULTS:
            connections = await record_onvif(Fault(name))
        else:
            connections = await record_stream(frozenset({Fault(name)} if name != HEALTHY else ()))
        for transcript in connections:
            transcript.about = about
        print(f"{name}: {len(connections)} connections, {keep(name, connections)} bytes")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or [HEALTHY, *sorted(set(Fault) - NOT_RECORDED)]))
