"""The floor of a recorder: a C program that only receives and writes, on streams that are set up for it here.

The program (`receive.c`, beside this module) is built by the C compiler of the machine for each measurement. The RTSP
handshake and the keep-alives are made by this process on the same sockets, and are not counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from recorder.ingest.connection import StreamConnection, open_stream
from vms.app.bench.usage import Usage, usage_of
from vms.base.errors import ErrorKind, VmsError

SOURCE = Path(__file__).with_name("receive.c")
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
PERIOD_MS = 1_000
SETTLE_S = 4.0
CALLS_AT_ONCE = 16


async def floor_usage(
    urls: Sequence[str], username: str, password: str, folder: Path, seconds: float, *, on_arrival: bool
) -> tuple[Usage, Usage]:
    """What the program had used at the beginning and at the end of so many seconds.

    `on_arrival` reads whenever something comes, otherwise once a second as the relaxed pace does. Raises VmsError
    without a C compiler, or when a camera ends its stream.
    """
    program = await _built(folder)
    calls = asyncio.Semaphore(CALLS_AT_ONCE)

    async def call(url: str) -> StreamConnection:
        async with calls:
            return await open_stream(url, username, password, SOCKET_BUFFER_BYTES)

    connections = await asyncio.gather(*(call(url) for url in urls))
    keeping = asyncio.create_task(_keep_alive(connections))
    descriptors = [connection.fileno() for connection in connections]
    process = await asyncio.create_subprocess_exec(
        str(program),
        "0" if on_arrival else str(PERIOD_MS),
        str(folder),
        *map(str, descriptors),
        pass_fds=descriptors,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(SETTLE_S)
        before = await asyncio.to_thread(usage_of, process.pid)
        await asyncio.sleep(seconds)
        after = await asyncio.to_thread(usage_of, process.pid)
        if process.returncode is not None:
            raise VmsError(ErrorKind.CAMERA, "bench.floor_failed", "Une caméra a coupé son flux pendant la mesure.")
        return before, after
    finally:
        keeping.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for connection in connections:
            connection.close()


async def _built(folder: Path) -> Path:
    compiler = await asyncio.to_thread(_compiler)
    if compiler is None:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "bench.no_compiler",
            "La référence en C demande un compilateur, et cette machine n'en a pas.",
            hint="Installez-le : apt-get install gcc libc6-dev.",
        )
    program = folder / "receive"
    building = await asyncio.create_subprocess_exec(
        compiler, "-O2", "-o", str(program), str(SOURCE), stderr=asyncio.subprocess.PIPE
    )
    _, complaints = await building.communicate()
    if building.returncode:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "bench.not_compiled",
            "Le programme de référence en C ne se compile pas sur cette machine.",
            detail=complaints.decode(errors="replace")[:500],
        )
    return program


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


async def _keep_alive(connections: Sequence[StreamConnection]) -> None:
    while True:
        await asyncio.sleep(min(connection.keep_alive_s for connection in connections))
        for connection in connections:
            connection.keep_alive()
