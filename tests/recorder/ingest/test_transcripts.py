"""Real sessions, one for each named fault, kept as bytes and played again over a real socket.

`python -m tests.recorder.ingest.record_transcripts` records them anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from cameras.onvif.device import open_device
from cameras.simulator.spec import HTTP_PORT, WRONG_CLOCK_NS, Fault
from recorder.contract.status import StreamCondition
from recorder.ingest import stream as stream_module
from tests.recorder.ingest import wire
from tests.recorder.ingest.receiving import Receiver, receiving
from tests.recorder.ingest.record_transcripts import HEALTHY, NOT_RECORDED, ONVIF_FAULTS, free_host
from tests.recorder.ingest.wire import Player, Transcript, kept, playing
from tests.simulated import PASSWORD, USERNAME
from vms.base.clock import NS_PER_MS, NS_PER_SECOND, SystemClock
from vms.base.errors import VmsError
from vms.media import h264
from vms.media.access_unit import AccessUnit

NO_SIGNAL = StreamCondition.NO_SIGNAL


@contextlib.asynccontextmanager
async def played(name: str, speed: float = 0.0) -> AsyncIterator[tuple[Transcript, Receiver]]:
    """The stream that a transcript gives."""
    (transcript,) = await asyncio.to_thread(kept, name)
    async with playing(Player([transcript], speed)) as port, receiving(f"rtsp://127.0.0.1:{port}/main") as receiver:
        yield transcript, receiver


async def units_of(receiver: Receiver, count: int) -> list[AccessUnit]:
    await receiver.collector.until_units(count)
    return [dated.unit for dated in receiver.collector.units]


def near_now(receiver: Receiver) -> bool:
    return abs(SystemClock().utc_ns() - receiver.collector.units[-1].capture_utc_ns) < 1_500 * NS_PER_MS


def test_every_fault_has_its_transcript():
    assert wire.names() == {HEALTHY, *Fault} - NOT_RECORDED


async def test_healthy():
    async with played(HEALTHY, speed=1.0) as (_, receiver):
        units = await units_of(receiver, 12)
        counters = receiver.ingest.counters
        assert units[0].key
        assert (counters.lost_packets, counters.sequence_jumps, counters.damaged_units) == (0, 0, 0)
        assert receiver.ingest.timeline.camera_clock.reports >= 1
        assert near_now(receiver)


async def test_drops_rtp():
    async with played(Fault.DROPS_RTP) as (_, receiver):
        units = await units_of(receiver, 12)
        assert receiver.ingest.counters.lost_packets >= 5
        assert any(unit.damaged for unit in units)
        assert not all(unit.damaged for unit in units)


async def test_sequence_jump():
    async with played(Fault.SEQUENCE_JUMP) as (_, receiver):
        units = await units_of(receiver, 12)
        assert receiver.ingest.counters.sequence_jumps >= 1
        assert receiver.ingest.counters.lost_packets == 0
        assert not any(unit.damaged for unit in units)


async def test_timestamp_jump():
    async with played(Fault.TIMESTAMP_JUMP, speed=1.0) as (_, receiver):
        await receiver.collector.until(lambda: receiver.ingest.timeline.steps >= 1)
        captures = [dated.capture_utc_ns for dated in receiver.collector.units]
        assert captures == sorted(captures)
        assert near_now(receiver)


async def test_freezes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_module, "SILENT_AFTER_NS", NS_PER_SECOND // 2)
    monkeypatch.setattr(stream_module, "LOST_AFTER_NS", NS_PER_SECOND)
    async with played(Fault.FREEZES) as (_, receiver):
        await receiver.collector.until_condition(NO_SIGNAL, "silent")
        assert receiver.collector.units


async def test_closes():
    async with played(Fault.CLOSES) as (_, receiver):
        await receiver.collector.until_condition(NO_SIGNAL, "closed_by_camera")
        assert receiver.collector.units
        await receiver.collector.until(lambda: receiver.ingest.counters.connections >= 2)


async def test_bad_password():
    async with played(Fault.BAD_PASSWORD) as (transcript, receiver):
        await receiver.collector.until_condition(NO_SIGNAL, "bad_password")
        assert transcript.said_by("S").count(b"401 Unauthorized") == 2
        assert receiver.collector.units == []


async def test_udp_only():
    async with played(Fault.UDP_ONLY) as (transcript, receiver):
        await receiver.collector.until_condition(NO_SIGNAL, "protocol")
        assert b"461 " in transcript.said_by("S")


async def test_no_sender_report():
    async with played(Fault.NO_SENDER_REPORT) as (_, receiver):
        await units_of(receiver, 12)
        assert receiver.ingest.timeline.camera_clock.reports == 0


async def test_parameters_in_sdp_only():
    async with played(Fault.PARAMETERS_IN_SDP_ONLY) as (_, receiver):
        units = await units_of(receiver, 12)
        assert h264.parse_sps(units[0].parameters.sps).width == 352
        assert units[0].parameters.sps not in b"".join(bytes(chunk) for chunk in units[0].chunks)


async def test_b_frames():
    async with played(Fault.B_FRAMES) as (_, receiver):
        times = [unit.rtp_timestamp for unit in await units_of(receiver, 20)]
        assert times != sorted(times)
        assert len(set(times)) == len(times)
        assert len(receiver.collector.runs) == 1


async def test_audio_offered():
    """LAW-12: the kept session has one SETUP, of the picture, though the camera offers sound."""
    async with played(Fault.AUDIO_OFFERED) as (transcript, receiver):
        await units_of(receiver, 12)
        assert b"m=audio" in transcript.said_by("S")
        setups = [request.uri for request in transcript.requests() if request.method == "SETUP"]
        assert [uri.rpartition("/")[2] for uri in setups] == ["trackID=1"]
        assert receiver.ingest.counters.malformed_packets == 0


async def test_wrong_clock():
    """LAW-39: the recorded time is the server's; how far the camera was from it when it was recorded is seen."""
    async with played(Fault.WRONG_CLOCK) as (transcript, receiver):
        await receiver.collector.until(lambda: receiver.ingest.timeline.camera_clock.reports > 0)
        assert near_now(receiver)
        ago_ns = SystemClock().utc_ns() - int(transcript.about["recorded_utc_ns"])
        offset_ns = receiver.ingest.timeline.camera_clock.offset_ns
        assert abs(offset_ns + ago_ns - WRONG_CLOCK_NS) < 8 * NS_PER_SECOND


@contextlib.asynccontextmanager
async def device_played(name: str) -> AsyncIterator[str]:
    """The address of the ONVIF service that a transcript gives."""
    host = free_host()
    async with playing(Player(await asyncio.to_thread(kept, name), 0.0), host, HTTP_PORT) as port:
        yield f"http://{host}:{port}/onvif/device_service"


async def test_wrong_xaddr():
    async with device_played(Fault.WRONG_XADDR) as url, open_device(url, USERNAME, PASSWORD) as device:
        assert (await device.identity()).serial == "VS0101"
        streams = await device.streams()
    host = url.partition("://")[2].partition(":")[0]
    assert len(streams) == 2
    assert all(stream.url.startswith(f"rtsp://{host}:") for stream in streams)


@pytest.mark.parametrize("fault", sorted(ONVIF_FAULTS - {Fault.WRONG_XADDR}))
async def test_answers_that_are_no_soap_or_a_bomb(fault: Fault):
    async with device_played(fault) as url:
        with pytest.raises(VmsError) as refused:
            async with open_device(url, USERNAME, PASSWORD) as device:
                await device.identity()
    assert refused.value.code == "camera.soap"
