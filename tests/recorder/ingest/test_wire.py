"""What the recorder says to a camera, listened to on the wire."""

from __future__ import annotations

import pytest

from cameras.simulator import digest, rtsp_server
from cameras.simulator.spec import Fault
from recorder.ingest import session as session_module
from tests.recorder.ingest.receiving import receiving
from tests.recorder.ingest.wire import tapped
from tests.simulated import simulated_camera
from vms.base.clock import NS_PER_SECOND
from vms.media.rtcp import ReceiverReport, SenderReport, parse_compound
from vms.media.rtsp import InterleavedFrame, RtspParser


async def test_only_the_video_track_is_ever_set_up():
    """LAW-12: a camera offers sound; on the wire there is one SETUP, of the picture, and no frame of another track."""
    async with simulated_camera(faults=[Fault.AUDIO_OFFERED]) as camera, tapped(camera.rtsp_port) as (tap, port):
        async with receiving(f"rtsp://127.0.0.1:{port}/main") as receiver:
            await receiver.collector.until_units(10)
        assert camera.device.audio_setups == 0
    (transcript,) = tap.transcripts
    assert b"m=audio" in transcript.said_by("S")
    setups = [request.uri for request in transcript.requests() if request.method == "SETUP"]
    assert len(setups) == 1
    assert setups[0].endswith("/trackID=1")
    frames = [item for item in RtspParser().feed(transcript.said_by("S")) if isinstance(item, InterleavedFrame)]
    assert {frame.channel for frame in frames} <= {0, 1}


async def test_reception_is_reported_to_the_camera(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_module, "LONGEST_KEEP_ALIVE_S", 0.5)
    async with simulated_camera(faults=[Fault.DROPS_RTP]) as camera, tapped(camera.rtsp_port) as (tap, port):
        async with receiving(f"rtsp://127.0.0.1:{port}/main") as receiver:
            await receiver.collector.until(lambda: receiver.ingest.counters.lost_packets > 3)
            await receiver.collector.until_units(len(receiver.collector.units) + 15)
            lost = receiver.ingest.counters.lost_packets
        (transcript,) = tap.transcripts
    frames = [item for item in transcript.client_items() if isinstance(item, InterleavedFrame)]
    reports = [packet for frame in frames for packet in parse_compound(frame.payload)]
    blocks = [block for report in reports if isinstance(report, ReceiverReport) for block in report.blocks]
    heard = RtspParser().feed(transcript.said_by("S"))
    sent = [
        packet
        for item in heard
        if isinstance(item, InterleavedFrame) and item.channel == 1
        for packet in parse_compound(item.payload)
        if isinstance(packet, SenderReport)
    ]
    assert {block.ssrc for block in blocks} == {sent[0].ssrc}
    assert 0 < blocks[-1].cumulative_lost <= lost
    assert any(block.fraction_lost for block in blocks)
    assert [block.highest_sequence for block in blocks] == sorted(block.highest_sequence for block in blocks)
    methods = [request.method for request in transcript.requests()]
    assert methods.count("GET_PARAMETER") == len(frames)


async def test_a_session_outlives_its_time_out_and_its_nonces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rtsp_server, "SESSION_TIMEOUT_S", 3)
    monkeypatch.setattr(rtsp_server, "SILENCE_S", 3)
    monkeypatch.setattr(digest, "NONCE_LIFE_NS", NS_PER_SECOND // 2)
    monkeypatch.setattr(session_module, "LONGEST_KEEP_ALIVE_S", 0.8)
    async with simulated_camera() as camera, tapped(camera.rtsp_port) as (tap, port):
        async with receiving(f"rtsp://127.0.0.1:{port}/main") as receiver:
            await receiver.collector.until_units(60)
            assert receiver.ingest.counters.connections == 1
        (transcript,) = tap.transcripts
    kept_alive = [request for request in transcript.requests() if request.method == "GET_PARAMETER"]
    nonces = {(request.header("Authorization") or "").partition('nonce="')[2][:32] for request in kept_alive}
    assert len(nonces) >= 2
