"""The shard's end of the reader: whatever comes through the socket, one stream ends with a cause and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.contract.assignment import StreamTransport
from recorder.ingest import foreign
from recorder.ingest.causes import Cause, ForeignStreamError, IngestError
from recorder.ingest.foreign import ForeignConnection, json_message, open_foreign, parameters_message, unit_head
from recorder.ingest.source import PlayingStream, StreamOpener
from vms.base.framing import frame
from vms.media import mjpeg
from vms.media.access_unit import Codec

PLAYING = json_message(event="playing", codec="mjpeg")
PARAMETERS = parameters_message(mjpeg.parameters_of(352, 288))
UNIT = unit_head(3_600, 4, key=True, damaged=False) + b"jpeg"


@contextlib.asynccontextmanager
async def reader_that_says(path: Path, *said: bytes) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for part in said:
            writer.write(part)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()


async def _open(path: Path) -> ForeignConnection:
    return await open_foreign(path, "rtsp://127.0.0.1/x", "", "", StreamTransport.UDP)


async def _read_to_the_end(connection: ForeignConnection) -> tuple[list[bytes], IngestError]:
    buffer = memoryview(bytearray(1 << 16))
    units: list[bytes] = []
    try:
        async with asyncio.timeout(5):
            while True:
                _, batch = connection.read(buffer)
                units += [bytes(unit.chunks[0]) for unit in batch.access_units] if batch is not None else []
                await asyncio.sleep(0)
    except IngestError as ended:
        return units, ended
    finally:
        connection.close()


async def test_what_came_before_the_end_is_kept_and_the_end_has_its_cause(tmp_path: Path):
    over = json_message(event="ended", cause="timeout", detail="the camera is silent")
    async with reader_that_says(tmp_path / "s", PLAYING + PARAMETERS + UNIT + over):
        units, ended = await _read_to_the_end(await _open(tmp_path / "s"))
    assert units == [b"jpeg"]
    assert (ended.cause, ended.detail) == (Cause.TIMEOUT, "the camera is silent")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        UNIT,
        frame(b"J{"),
        frame(b"X"),
        (1 << 31).to_bytes(4, "big"),
        bytes(4),
        PARAMETERS + frame(b"U" + bytes(foreign.MAX_UNIT_BYTES)),
        frame(b"J" + b'"' + bytes(foreign.MAX_JSON_BYTES) + b'"'),
        json_message(event="parameters", codec="vp9", vps="", sps="", pps=[]),
        json_message(event="parameters", codec="h264", vps="", sps="zz", pps=[]),
        json_message(event="report", ntp_utc_ns="yesterday", rtp_timestamp=0),
    ],
    ids=range(11),
)
async def test_a_reader_that_breaks_the_protocol_is_a_cause_of_ours(said: bytes, tmp_path: Path):
    async with reader_that_says(tmp_path / "s", PLAYING, said):
        units, ended = await _read_to_the_end(await _open(tmp_path / "s"))
    assert not units
    assert ended.cause is Cause.READER_UNAVAILABLE


@pytest.mark.parametrize(
    "said", [b"", frame(b"U" + bytes(20)), json_message(event="playing", codec="vp9")], ids=range(3)
)
async def test_a_reader_that_answers_nonsense_is_a_cause_of_ours(said: bytes, tmp_path: Path):
    async with reader_that_says(tmp_path / "s", said):
        with pytest.raises(IngestError) as lost:
            await _open(tmp_path / "s")
    assert lost.value.cause is Cause.READER_UNAVAILABLE


@settings(max_examples=80, deadline=None)
@given(noise=st.binary(max_size=300), cut=st.integers(0, 200))
def test_noise_ends_the_stream_and_nothing_else(noise: bytes, cut: int):
    here, there = socket.socketpair()
    with there:
        here.setblocking(False)
        connection = ForeignConnection(here, Codec.MJPEG, (PARAMETERS + UNIT)[:cut])
        there.sendall(noise or b"\0")
        there.shutdown(socket.SHUT_WR)
        buffer = memoryview(bytearray(1 << 12))
        with contextlib.suppress(IngestError):
            for _ in range(1_000):
                connection.read(buffer)
            pytest.fail("the stream goes on for ever")
        connection.close()


def _failing(error: IngestError, calls: list[str], name: str):
    async def attempt(*_: object) -> PlayingStream:
        calls.append(name)
        raise error

    return attempt


async def test_a_stream_that_went_to_the_reader_stays_there_until_the_camera_refuses_it_too():
    calls: list[str] = []
    refused = ForeignStreamError(Cause.PROTOCOL, "461", StreamTransport.UDP)
    for cause, expected in (
        (Cause.READER_UNAVAILABLE, ["native", "foreign", "foreign"]),
        (Cause.REFUSED, ["native", "foreign", "native", "foreign"]),
    ):
        calls.clear()
        native = _failing(refused, calls, "native")
        opener = StreamOpener(StreamTransport.TCP, native, _failing(IngestError(cause, ""), calls, "foreign"), {})
        for _ in range(2):
            with pytest.raises(IngestError):
                await opener.open()
        assert calls == expected
