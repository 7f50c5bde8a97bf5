"""Cameras that mean harm, or are broken beyond a name: a cause, bounded memory, and the others lose nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from recorder.contract.status import StreamCondition
from recorder.ingest import connection as connection_module
from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.connection import open_stream, parse_endpoint
from tests.recorder.ingest.receiving import receiving
from tests.simulated import simulated_camera

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"


@contextlib.asynccontextmanager
async def camera(script: Script) -> AsyncIterator[str]:
    """A server that follows a script with each client until the client goes."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/main"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def sends(*parts: bytes, times: int = 1) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for _ in range(times):
            for part in parts:
                writer.write(part)
            await writer.drain()
        await reader.read()

    return script


async def cause_of(url: str) -> Cause:
    with pytest.raises(IngestError) as failure:
        await open_stream(url, "vms", "secret", 1 << 20)
    return failure.value.cause


@pytest.mark.parametrize(
    ("parts", "times"),
    [
        ((b"RTSP/1.0 200 OK\r\n" + b"X-Filler: 1\r\n" * 1_000,), 1_000),
        ((ANSWER + b"Content-Length: 1000000000\r\n\r\n",), 1),
        ((ANSWER + b"Content-Length: -1\r\n\r\n",), 1),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), 1),
        ((b"\0" * 65_536,), 10),
        ((b"$\x00\xff\xff" + bytes(65_535),), 200),
        ((b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\r\n\r\n",), 1),
        ((b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Negotiate x\r\n\r\n",), 1),
    ],
)
async def test_what_is_no_rtsp_is_refused_within_bounds(parts: tuple[bytes, ...], times: int):
    async with camera(sends(*parts, times=times)) as url:
        assert await cause_of(url) is Cause.PROTOCOL


@pytest.mark.parametrize("message", [b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"])
async def test_messages_without_end_during_the_handshake_are_a_flood(message: bytes):
    async with camera(sends(message * 1_000, times=100)) as url:
        assert await cause_of(url) is Cause.FLOOD


async def test_a_camera_that_closes_during_the_handshake():
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with camera(script) as url:
        assert await cause_of(url) is Cause.CLOSED_BY_CAMERA


@pytest.mark.parametrize("deadline", ["HANDSHAKE_TIMEOUT_S", "FIRST_ANSWER_S"])
async def test_a_camera_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, deadline: str):
    monkeypatch.setattr(connection_module, deadline, 0.2)
    async with camera(sends()) as url:
        assert await cause_of(url) is Cause.TIMEOUT


async def test_a_camera_that_answers_one_byte_at_a_time_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT_S", 0.3)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"R")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with camera(script) as url:
        assert await cause_of(url) in {Cause.TIMEOUT, Cause.PROTOCOL}


async def test_a_camera_that_redirects_to_itself_is_given_up():
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        port = writer.get_extra_info("sockname")[1]
        writer.write(f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:{port}/x\r\n\r\n".encode())
        await reader.read()

    async with camera(script) as url:
        assert await cause_of(url) is Cause.PROTOCOL


async def test_a_redirect_to_another_host_is_refused_and_nobody_is_called_there():
    called: list[bytes] = []

    async def thief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append(await reader.readuntil(b"\r\n\r\n"))

    other = await asyncio.start_server(thief, "127.0.0.2", 0)
    target = f"rtsp://127.0.0.2:{other.sockets[0].getsockname()[1]}/main"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: {target}\r\n\r\n".encode())
        await reader.read()

    async with other, camera(script) as url:
        assert await cause_of(url) is Cause.REDIRECTED
    assert called == []


async def test_a_redirect_to_another_port_and_path_of_the_camera_is_followed():
    async with simulated_camera() as playing:
        target = playing.stream_url("main")

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: {target}\r\n\r\n".encode())
            await reader.read()

        async with camera(script) as url, receiving(url) as receiver:
            await receiver.collector.until_condition(StreamCondition.LIVE)


async def test_a_stream_of_noise_after_play_costs_that_camera_only():
    async with simulated_camera() as healthy, receiving(healthy.stream_url("main")) as good:

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sdp = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
            for number in range(1, 5):
                await reader.readuntil(b"\r\n\r\n")
                head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n"
                body = sdp if number == 2 else b""
                writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            for _ in range(200):
                writer.write(b"\xa5" * 65_536)
                await writer.drain()

        async with camera(script) as url, receiving(url) as bad:
            await bad.collector.until_condition(StreamCondition.NO_SIGNAL, "protocol")
            received = len(good.collector.units)
            await good.collector.until_units(received + 10)
            assert good.ingest.counters.connections == 1


@pytest.mark.parametrize(
    ("url", "host", "port", "shown"),
    [
        ("rtsp://192.0.2.1/main", "192.0.2.1", 554, "rtsp://192.0.2.1/main"),
        ("rtsp://192.0.2.1:8554/a?b=c", "192.0.2.1", 8554, "rtsp://192.0.2.1:8554/a?b=c"),
        ("rtsp://u:p@192.0.2.1/main", "192.0.2.1", 554, "rtsp://192.0.2.1/main"),
        ("RTSP://[2001:db8::1]:554/x", "2001:db8::1", 554, "rtsp://[2001:db8::1]:554/x"),
    ],
)
def test_an_address_is_shown_to_the_camera_without_credentials(url: str, host: str, port: int, shown: str):
    endpoint = parse_endpoint(url)
    assert (endpoint.host, endpoint.port, endpoint.url) == (host, port, shown)
