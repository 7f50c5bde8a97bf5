"""Streams over TLS: the key that was recorded is the only one that is trusted (RTSPS)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cameras.simulator.certificate import new_context
from cameras.simulator.spec import Fault
from recorder.contract.assignment import StreamAddress, StreamRole
from recorder.contract.status import StreamCondition
from recorder.contract.timeline import Timeline
from recorder.ingest import channel as channel_module
from recorder.ingest import stream as stream_module
from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.connection import open_stream
from tests.recorder.ingest.receiving import receiving
from tests.recorder.node.shards import camera_assignment, running_shard, until_recorded, until_timeline
from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.base.tls import is_pin, presented_pin

LIVE, NO_SIGNAL = StreamCondition.LIVE, StreamCondition.NO_SIGNAL
OTHER_PIN = "0" * 64


async def pin_of(url: str) -> str:
    return await presented_pin("127.0.0.1", urlsplit(url).port or 0)


async def test_a_camera_of_a_recorded_key_is_received_without_loss(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_module, "SETTLE_NS", 0)
    async with simulated_camera(rtsps=True) as camera:
        url = camera.stream_url("main")
        assert url.startswith("rtsps://")
        pin = await pin_of(url)
        assert is_pin(pin)
        async with receiving(url, tls_pins=(OTHER_PIN, pin)) as receiver:
            collector = receiver.collector
            await collector.until_units(40)
            assert max(collector.batches) > 5, "relaxed: a second of pictures in one read"
            assert receiver.ingest.counters.lost_packets == 0
            assert receiver.ingest.counters.malformed_packets == 0
            times = [dated.unit.rtp_timestamp for dated in collector.units]
            assert len({later - earlier for earlier, later in itertools.pairwise(times)}) <= 2


async def test_a_watched_stream_over_tls_is_read_on_arrival():
    async with simulated_camera(rtsps=True) as camera:
        url = camera.stream_url("main")
        async with receiving(url, tls_pins=(await pin_of(url),)) as receiver:
            watched = type(receiver.collector)(urgent=True)
            receiver.hub.attach(watched, from_key_frame=False)
            await receiver.collector.until_units(30)
            assert max(watched.batches[3:]) <= 3


async def test_without_a_recorded_key_nothing_is_fetched():
    async with simulated_camera(rtsps=True) as camera, receiving(camera.stream_url("main")) as receiver:
        await receiver.collector.until_condition(NO_SIGNAL, "tls_no_pin")
        assert camera.clients == 0


async def test_certificate_changed():
    """The fault: another key than the recorded one, until the installer has judged."""
    async with simulated_camera(rtsps=True) as camera:
        url = camera.stream_url("main")
        pin = await pin_of(url)
        camera.set_fault(Fault.CERTIFICATE_CHANGED)
        renewed = await pin_of(url)
        assert renewed != pin
        async with receiving(url, tls_pins=(pin,)) as receiver:
            await receiver.collector.until_condition(NO_SIGNAL, "tls_pin_mismatch")
            assert receiver.collector.units == []
        async with receiving(url, tls_pins=(pin, renewed)) as receiver:
            await receiver.collector.until_condition(LIVE)


async def test_a_changed_key_stands_in_the_ledger(tmp_path: Path):
    """LAW-14: a recorded stream over TLS, and what is missing once the camera shows another key, by its cause."""
    async with simulated_camera(rtsps=True) as camera, running_shard(tmp_path) as client:
        url = camera.stream_url("main")
        address = StreamAddress(StreamRole.MAIN, url, tls_pins=(await pin_of(url),))
        assignment = replace(camera_assignment(url), streams=(address,))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 1.0)
        camera.set_fault(Fault.CERTIFICATE_CHANGED)
        await camera.stop()
        await camera.start()
        timeline = await until_timeline(
            client, assignment.camera_id, lambda found: "tls_pin_mismatch" in _details(found)
        )
        assert timeline.spans


def _details(timeline: Timeline) -> set[str]:
    return {gap.detail for gap in timeline.gaps}


async def test_a_stranger_is_told_nothing():
    """Neither the address of the stream nor a proof of the password reaches whoever has another key."""
    heard: list[bytes] = []

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            heard.append(await reader.read())
        writer.close()

    async with tls_server(stranger) as url:
        with pytest.raises(IngestError) as refused:
            await open_stream(url, USERNAME, PASSWORD, 1 << 20, (OTHER_PIN,))
    assert refused.value.cause is Cause.TLS_PIN_MISMATCH
    assert not any(heard)


@pytest.mark.parametrize(
    "answer", [b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", b"\0" * 4_096, b"\x16\x03\x03\xff\xff" * 99, b""]
)
async def test_what_is_no_tls_is_refused(answer: bytes):
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        url = f"rtsps://127.0.0.1:{server.sockets[0].getsockname()[1]}/main"
        with pytest.raises(IngestError) as refused:
            await open_stream(url, USERNAME, PASSWORD, 1 << 20, (OTHER_PIN,))
    assert refused.value.cause in {Cause.PROTOCOL, Cause.CLOSED_BY_CAMERA}


async def test_tls_is_not_left_by_a_redirect():
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:554/main\r\n\r\n")
        await reader.read()

    async with tls_server(script) as url:
        with pytest.raises(IngestError) as refused:
            await open_stream(url, USERNAME, PASSWORD, 1 << 20, (await pin_of(url),))
    assert refused.value.cause is Cause.REDIRECTED


async def test_a_link_that_is_tampered_with_ends_with_a_cause():
    """A relay that flips one bit of the stream: TLS notices, the ledger has a cause, what came before is kept."""
    async with simulated_camera(rtsps=True) as camera:
        port = camera.rtsp_port

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            pump = asyncio.create_task(_pump(reader, back))
            passed = 0
            with contextlib.suppress(OSError):
                while data := await there.read(65_536):
                    passed += len(data)
                    writer.write(data if passed < 200_000 else data[:-1] + bytes((data[-1] ^ 1,)))
                    await writer.drain()
            pump.cancel()
            back.transport.abort()
            writer.transport.abort()

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        async with server:
            url = f"rtsps://127.0.0.1:{server.sockets[0].getsockname()[1]}/main"
            async with receiving(url, tls_pins=(await pin_of(url),)) as receiver:
                await receiver.collector.until_condition(NO_SIGNAL, "protocol")
                assert receiver.collector.units


async def test_what_a_tls_connection_keeps_for_itself_is_bounded():
    """Four megabytes that wait in the socket are taken in one call, and nothing readable stays behind."""
    payload = bytes(range(256)) * 16_384

    async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(payload)
        await writer.drain()
        await reader.read()

    async with tls_server(sender) as url:
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        await loop.sock_connect(sock, ("127.0.0.1", urlsplit(url).port))
        channel = await channel_module.open_tls(sock, (await pin_of(url),))
        buffer = memoryview(bytearray(1024 * 1024))
        received = bytearray()
        while len(received) < len(payload):
            try:
                received += buffer[: channel.recv_into(buffer)]
            except BlockingIOError:
                await asyncio.sleep(0)
            assert channel._incoming.pending <= channel_module.CIPHER_BYTES
        assert received == payload
        channel.close()


async def test_records_without_content_cannot_hold_up_the_loop():
    """Empty records as fast as they are read: each call ends, and says that this is no camera."""
    ours, theirs = socket.socketpair()
    try:
        for end in (ours, theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        channel = channel_module.TlsChannel(ours)
        pushed = 0

        def nothing(into: memoryview) -> int:
            assert into
            nonlocal pushed
            channel._incoming.read()
            with contextlib.suppress(BlockingIOError):
                pushed += theirs.send(b"\x17" * 65_536)
            return 0

        channel._decipher = nothing  # type: ignore[method-assign]  # no library writes such records
        buffer = memoryview(bytearray(256 * 1024))
        theirs.send(b"\x17" * 65_536)
        with pytest.raises(IngestError) as refused:
            channel.recv_into(buffer)
        assert refused.value.cause is Cause.FLOOD
        assert pushed < 8 * len(buffer)
    finally:
        ours.close()
        theirs.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


@contextlib.asynccontextmanager
async def tls_server(script: object) -> AsyncIterator[str]:
    """A server with a certificate of its own that follows a script with each client."""
    context: ssl.SSLContext = await asyncio.to_thread(new_context, "02564d53beef")
    server = await asyncio.start_server(script, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    try:
        yield f"rtsps://127.0.0.1:{server.sockets[0].getsockname()[1]}/main"
    finally:
        server.close()
