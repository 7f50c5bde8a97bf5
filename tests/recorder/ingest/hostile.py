"""Cameras that play by the book up to PLAY, and then send anything."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator

from tests.media.streams import H264_PPS, H264_SPS, Sender, packets_of, slice_nal
from tests.recorder.ingest.wire import serving
from vms.media.access_unit import Codec
from vms.media.rtcp import build_sender_report
from vms.media.rtsp import InterleavedFrame, RtspRequest, RtspResponse

SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
PART_BYTES = 64 * 1024
Nonsense = Callable[[], Iterator[bytes]]


def picture(sender: Sender, size: int = 2_000) -> bytes:
    """A whole key frame with its parameter sets."""
    return sender.picture(H264_SPS, H264_PPS, slice_nal(Codec.H264, key=True, size=size), max_payload_bytes=1_400)


def _many(part: bytes) -> Iterator[bytes]:
    return itertools.repeat(part * (1 + PART_BYTES // len(part)))


def never_ending_header() -> Iterator[bytes]:
    """A message whose headers do not end."""
    yield b"RTSP/1.0 200 OK\r\nX-Filler: "
    yield from _many(b"a")


def nul() -> Iterator[bytes]:
    """Nothing but zeros."""
    yield from _many(b"\0")


def negative_length() -> Iterator[bytes]:
    """A body of less than nothing."""
    yield from _many(b"RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n")


def huge_length() -> Iterator[bytes]:
    """A body of a terabyte."""
    yield b"RTSP/1.0 200 OK\r\nContent-Length: 999999999\r\n\r\n"
    yield from _many(b"x")


def gigabyte_parameter_set() -> Iterator[bytes]:
    """One sequence parameter set without end."""
    start, middle = packets_of(Sender(sequence=0xFFFF).picture(H264_SPS * 10_000, max_payload_bytes=60_000))[:2]
    yield start
    for number in itertools.count():
        yield middle[:6] + (number & 0xFFFF).to_bytes(2, "big") + middle[8:]


def parameter_sets_for_ever() -> Iterator[bytes]:
    """Whole ones, of a megabyte each, with a picture now and then."""
    nals = (H264_SPS + b"\xab" * 1_000_000, H264_PPS, slice_nal(Codec.H264, key=True))
    sender = Sender()
    yield from itertools.repeat(b"".join(sender.picture(*nals, max_payload_bytes=60_000) for _ in range(3)))


def rtp_flood() -> Iterator[bytes]:
    """Pictures of a few bytes, without end."""
    sender = Sender()
    nal = slice_nal(Codec.H264, key=False, size=4)
    yield from itertools.repeat(b"".join(sender.picture(nal) for _ in range(1_000)))


def media_flood() -> Iterator[bytes]:
    """Real pictures, as fast as the line takes them."""
    sender = Sender()
    yield from itertools.repeat(b"".join(picture(sender, 60_000) for _ in range(4)))


def rtcp_flood() -> Iterator[bytes]:
    """Sender reports without end."""
    yield from _many(InterleavedFrame(1, build_sender_report(7, 1_700_000_000 * 10**9, 4_000, 1, 1)).encode())


def unknown_channels() -> Iterator[bytes]:
    """Frames of channels that nobody set up, for ever."""
    yield from _many(b"".join(InterleavedFrame(channel, b"x" * 8).encode() for channel in range(2, 250)))


def answer_flood() -> Iterator[bytes]:
    """Answers to nothing."""
    yield from _many(RtspResponse(200, "OK").encode())


def request_flood() -> Iterator[bytes]:
    """Requests without end, each of which wants an answer."""
    yield from _many(RtspRequest("OPTIONS", "*", (("CSeq", "1"),)).encode())


def nested_aggregates() -> Iterator[bytes]:
    """Aggregates in aggregates, a thousand deep, and folded headers."""
    nal = slice_nal(Codec.H264, key=True)
    for _ in range(1_000):
        nal = b"\x18" + len(nal).to_bytes(2, "big") + nal
    folded = b"RTSP/1.0 200 OK\r\nX: y" + b"\r\n folded" * 1_000 + b"\r\n\r\n"
    yield from itertools.repeat(InterleavedFrame(0, b"\x80\xe0" + bytes(10) + nal).encode() * 20 + folded)


CAUSES: dict[Nonsense, set[str]] = {
    never_ending_header: {"protocol"},
    nul: {"protocol"},
    negative_length: {"protocol"},
    huge_length: {"protocol"},
    gigabyte_parameter_set: {"protocol"},
    parameter_sets_for_ever: {"protocol"},
    rtp_flood: {"flood"},
    media_flood: {"flood"},
    rtcp_flood: {"flood"},
    unknown_channels: {"flood"},
    answer_flood: {"flood"},
    request_flood: {"flood", "protocol"},
    nested_aggregates: {"protocol"},
}


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sdp: bytes = SDP) -> None:
    """Answer up to PLAY, as a camera without a password does."""
    for number in range(1, 5):
        await reader.readuntil(b"\r\n\r\n")
        head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n"
        body = sdp if number == 2 else b""
        writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


@contextlib.asynccontextmanager
async def hostile_camera(nonsense: Nonsense, good_pictures: int = 10) -> AsyncIterator[str]:
    """The address of a camera that sends some good pictures at their time, and then nonsense as fast as it is read."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await follow(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        sender = Sender(timestamp=900_000, sequence=65_000)
        for _ in range(good_pictures):
            writer.write(picture(sender, 900))
            await asyncio.sleep(0.04)
        for part in nonsense():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(serve) as port:
        yield f"rtsp://127.0.0.1:{port}/main"
