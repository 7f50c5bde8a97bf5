"""A camera that sends garbage is refused, or loses its own worker; the stream beside it loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from cameras.simulator.spec import Fault
from recorder.contract.assignment import StreamTransport
from recorder.contract.status import StreamCondition
from tests.recorder.decoding.readers import DecodingProcess, receiving
from tests.simulated import simulated_camera

UDP = StreamTransport.UDP
_NOISE = random.Random(27)
_ATOM = b"RTSP/1.0 200 OK\r\nCSeq: "


def _answer(request: bytes, headers: bytes = b"", body: bytes = b"") -> bytes:
    number = next((line[5:].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"cseq:")), b"1")
    return _ATOM + number + b"\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _sdp(name: str, fmtp: str = "") -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        f"a=rtpmap:96 {name}/90000\r\n{fmtp}a=control:track1\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def hostile_camera(sdp: bytes, flood: bytes) -> AsyncIterator[str]:
    """Answers the handshake over TCP, then sends `flood` again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                method = request.partition(b" ")[0]
                if method == b"DESCRIBE":
                    writer.write(_answer(request, b"Content-Type: application/sdp\r\n", sdp))
                elif method == b"SETUP":
                    transport = b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
                    writer.write(_answer(request, transport))
                else:
                    writer.write(_answer(request, b"Session: 1\r\n"))
                if method == b"PLAY":
                    for _ in range(300):
                        writer.write(flood)
                        await writer.drain()
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()


def _packets(payload: bytes, count: int = 20) -> bytes:
    head = bytes((0x80, 0xE0))
    out = b""
    for number in range(count):
        packet = head + number.to_bytes(2, "big") + (number * 3_600).to_bytes(4, "big") + b"ssrc" + payload
        out += b"$\0" + len(packet).to_bytes(2, "big") + packet
    return out


HOSTILE = {
    "noise": (_sdp("MP4V-ES"), _NOISE.randbytes(4_000)),
    "random pictures": (_sdp("MP4V-ES"), _packets(b"\0\0\1\xb6" + _NOISE.randbytes(900))),
    "random configuration": (
        _sdp("MP4V-ES", f"a=fmtp:96 profile-level-id=1;config={_NOISE.randbytes(900).hex()}\r\n"),
        _packets(b"\0\0\1\xb6" + _NOISE.randbytes(900)),
    ),
    "random JPEG": (_sdp("JPEG"), _packets(bytes(4) + bytes((1, 255, 255, 255)) + _NOISE.randbytes(900))),
    "a codec that nobody knows": (_sdp("VP8"), b""),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_garbage_costs_its_own_stream_alone(name: str, reader: DecodingProcess):
    sdp, flood = HOSTILE[name]
    async with (
        simulated_camera(faults=[Fault.UDP_ONLY]) as good,
        receiving(good.stream_url(), reader.socket, UDP) as beside,
        hostile_camera(sdp, flood) as url,
        receiving(url, reader.socket) as it,
    ):
        await beside.collector.until_units(3)
        await it.collector.until(
            lambda: any(one.condition is StreamCondition.NO_SIGNAL for one in it.collector.statuses), 20
        )
        have = len(beside.collector.units)
        await beside.collector.until_units(have + 5)
        assert StreamCondition.NO_SIGNAL not in {one.condition for one in beside.collector.statuses}
