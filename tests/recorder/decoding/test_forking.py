"""What a worker may have, and how its end is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cameras.simulator.wire import until

_SERVER = """
import ctypes, os, signal, socket, sys, time
from pathlib import Path
from recorder.decoding.forking import MIB, ForkingServer, WorkerLimits, deadline

def handle(connection):
    asked = connection.recv(100).decode()
    if asked == "memory":
        held = bytearray(600 * MIB)
    elif asked == "file":
        Path(sys.argv[1] + ".written").write_bytes(b"picture")
    elif asked == "hang":
        deadline(0.3)
        time.sleep(60)
    elif asked == "crash":
        ctypes.string_at(0)
    elif asked == "wait":
        connection.recv(100)
    connection.sendall(b"well")

def farewell(killed_by):
    return b"killed by %d" % killed_by

server = ForkingServer(Path(sys.argv[1]), handle, farewell, WorkerLimits(256 * MIB, at_once=2, niceness=5))
server.serve(lambda: print("ready", flush=True))
"""


class Served:
    def __init__(self, path: Path, process: asyncio.subprocess.Process) -> None:
        self.path = path
        self.process = process

    async def open(self, request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(request.encode())
        return reader, writer

    async def ask(self, request: str) -> str:
        reader, writer = await self.open(request)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer.decode()


@pytest.fixture
async def served(tmp_path: Path):
    path = tmp_path / "workers.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    yield Served(path, process)
    if process.returncode is None:
        process.terminate()
    assert await process.wait() == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("nothing", "well"),
        ("memory", "killed by 0"),
        ("file", "killed by 0"),
        ("hang", f"killed by {signal.SIGALRM}"),
        ("crash", f"killed by {signal.SIGSEGV}"),
    ],
)
async def test_a_worker_ends_alone_and_its_end_is_told(request_text: str, answer: str, served: Served):
    """LAW-06: a worker cannot write what it decodes to any file."""
    assert await served.ask(request_text) == answer
    assert not served.path.with_name("workers.sock.written").read_bytes() if request_text == "file" else True
    assert await served.ask("nothing") == "well"


async def test_more_connections_than_workers_wait_their_turn(served: Served):
    first, second = await served.open("wait"), await served.open("wait")
    waiting = asyncio.create_task(served.ask("nothing"))
    _, pending = await asyncio.wait({waiting}, timeout=0.3)
    assert pending
    first[1].write(b"go")
    assert await waiting == "well"
    for _, writer in (first, second):
        writer.close()


async def test_nobody_but_the_owner_may_connect(served: Served):
    assert os.stat(served.path).st_mode & 0o777 == 0o600


async def test_workers_do_not_outlive_their_server(served: Served):
    reader, writer = await served.open("wait")
    served.process.terminate()
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):  # what it had not read yet
            assert await reader.read() == b""
    writer.close()
    await until(lambda: served.process.returncode is not None)
