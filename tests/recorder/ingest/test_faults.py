"""One test for each fault that a simulated camera has on the wire of its streams."""

from __future__ import annotations

import itertools

import pytest

from cameras.simulator.spec import WRONG_CLOCK_NS, Fault
from recorder.contract.status import StreamCondition
from recorder.ingest import stream as stream_module
from tests.recorder.ingest.receiving import receiving, receiving_from_camera
from vms.base.clock import NS_PER_MS, NS_PER_SECOND, SystemClock
from vms.media.access_unit import Codec

LIVE, NO_SIGNAL = StreamCondition.LIVE, StreamCondition.NO_SIGNAL


async def test_a_healthy_camera_is_received_and_dated_by_the_server():
    async with receiving_from_camera() as (_, receiver):
        collector = receiver.collector
        await collector.until_units(40)
        now_ns = SystemClock().utc_ns()
        assert [status.condition for status in collector.statuses] == [StreamCondition.CONNECTING, LIVE]
        assert collector.units[0].unit.key
        assert collector.units[0].starts_run
        assert len(collector.runs) == 1
        assert abs(now_ns - collector.units[-1].capture_utc_ns) < 1_500 * NS_PER_MS
        assert receiver.ingest.counters.lost_packets == 0
        assert not any(dated.unit.damaged for dated in collector.units)


async def test_drops_rtp():
    async with receiving_from_camera([Fault.DROPS_RTP]) as (_, receiver):
        collector = receiver.collector
        await collector.until(lambda: receiver.ingest.counters.lost_packets > 3)
        await collector.until(lambda: any(dated.unit.damaged for dated in collector.units))
        assert receiver.hub.status.condition is LIVE
        assert len(collector.runs) == 1


async def test_sequence_jump():
    async with receiving_from_camera([Fault.SEQUENCE_JUMP]) as (_, receiver):
        collector = receiver.collector
        counters = receiver.ingest.counters
        await collector.until(lambda: counters.sequence_jumps >= 1)
        await collector.until_units(len(collector.units) + 5)
        assert receiver.hub.status.condition is LIVE
        captures = [dated.capture_utc_ns for dated in collector.units]
        assert all(0 < later - earlier < 250 * NS_PER_MS for earlier, later in itertools.pairwise(captures))
        assert (counters.lost_packets, counters.damaged_units) == (0, 0)


async def test_timestamp_jump():
    async with receiving_from_camera([Fault.TIMESTAMP_JUMP]) as (_, receiver):
        collector = receiver.collector
        await collector.until(lambda: receiver.ingest.timeline.steps >= 1)
        await collector.until(lambda: len(collector.runs) >= 2)
        captures = [dated.capture_utc_ns for dated in collector.units]
        assert all(0 < later - earlier < 400 * NS_PER_MS for earlier, later in itertools.pairwise(captures))
        assert all(dated.unit.key for dated in collector.units if dated.starts_run)
        assert abs(SystemClock().utc_ns() - captures[-1]) < 1_500 * NS_PER_MS
        assert receiver.ingest.counters.connections == 1


async def test_freezes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_module, "SILENT_AFTER_NS", NS_PER_SECOND // 2)
    monkeypatch.setattr(stream_module, "LOST_AFTER_NS", NS_PER_SECOND)
    async with receiving_from_camera([Fault.FREEZES]) as (camera, receiver):
        collector = receiver.collector
        await collector.until_units(10)
        await collector.until_condition(NO_SIGNAL, "silent")
        camera.set_fault(Fault.FREEZES, False)
        received = len(collector.units)
        await collector.until_units(received + 5)
        assert receiver.hub.status.condition is LIVE


async def test_closes():
    async with receiving_from_camera([Fault.CLOSES]) as (_, receiver):
        collector = receiver.collector
        await collector.until_condition(NO_SIGNAL, "closed_by_camera")
        await collector.until(
            lambda: receiver.ingest.counters.connections >= 2 and receiver.hub.status.condition is LIVE
        )
        assert len(collector.runs) == 2


async def test_bad_password():
    async with receiving_from_camera([Fault.BAD_PASSWORD]) as (_, receiver):
        await receiver.collector.until_condition(NO_SIGNAL, "bad_password")
        assert receiver.collector.units == []
        assert receiver.ingest.counters.connections == 0


async def test_no_sender_report():
    async with receiving_from_camera([Fault.NO_SENDER_REPORT]) as (_, receiver):
        await receiver.collector.until_units(35)
        assert receiver.ingest.timeline.camera_clock.reports == 0
        assert abs(SystemClock().utc_ns() - receiver.collector.units[-1].capture_utc_ns) < 1_500 * NS_PER_MS


async def test_parameters_in_sdp_only():
    async with receiving_from_camera([Fault.PARAMETERS_IN_SDP_ONLY]) as (_, receiver):
        await receiver.collector.until_units(10)
        parameters = receiver.collector.units[0].unit.parameters
        assert parameters.codec is Codec.H264
        assert parameters.sps[0] & 0x1F == 7
        assert parameters.pps[0][0] & 0x1F == 8


async def test_b_frames():
    async with receiving_from_camera([Fault.B_FRAMES]) as (_, receiver):
        collector = receiver.collector
        await collector.until_units(35)
        times = [dated.unit.rtp_timestamp for dated in collector.units]
        assert times != sorted(times)
        assert len(collector.runs) == 1
        assert abs(SystemClock().utc_ns() - collector.units[-1].capture_utc_ns) < 1_500 * NS_PER_MS


async def test_audio_offered():
    """LAW-12: sound is offered and never set up."""
    async with receiving_from_camera([Fault.AUDIO_OFFERED]) as (_, receiver):
        await receiver.collector.until_units(25)
        assert receiver.ingest.counters.malformed_packets == 0
        assert receiver.hub.status.condition is LIVE


async def test_wrong_clock():
    """LAW-39: the camera is 70 minutes behind; the recorded time is the server's, and the difference is known."""
    async with receiving_from_camera([Fault.WRONG_CLOCK]) as (_, receiver):
        collector = receiver.collector
        await collector.until(lambda: receiver.ingest.timeline.camera_clock.reports > 0)
        assert abs(SystemClock().utc_ns() - collector.units[-1].capture_utc_ns) < 1_500 * NS_PER_MS
        offset_ns = receiver.ingest.timeline.camera_clock.offset_ns
        assert abs(offset_ns - WRONG_CLOCK_NS) < 2 * NS_PER_SECOND


async def test_nothing_listens_at_the_address(free_port: int):
    async with receiving(f"rtsp://127.0.0.1:{free_port}/main") as receiver:
        await receiver.collector.until_condition(NO_SIGNAL, "refused")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "rtsp://", "rtsp://127.0.0.1:99999/x", ""])
async def test_an_address_that_is_none_is_refused(url: str):
    async with receiving(url) as receiver:
        await receiver.collector.until_condition(NO_SIGNAL, "protocol")


async def test_a_path_that_the_camera_does_not_have_is_refused():
    async with receiving_from_camera(stream="main") as (camera, _):
        url = camera.stream_url("main").replace("/main", "/nothing")
        async with receiving(url) as receiver:
            await receiver.collector.until_condition(NO_SIGNAL, "refused")


async def test_going_from_one_pace_to_the_other_loses_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_module, "SETTLE_NS", 0)
    async with receiving_from_camera() as (_, receiver):
        relaxed, watched = receiver.collector, type(receiver.collector)(urgent=True)
        await relaxed.until_units(25)
        assert max(relaxed.batches) > 5
        for _ in range(2):
            before = len(relaxed.units)
            receiver.hub.attach(watched, from_key_frame=False)
            watched.batches.clear()
            await relaxed.until_units(before + 15)
            receiver.hub.detach(watched)
            await relaxed.until_units(len(relaxed.units) + 15)
        assert max(watched.batches[2:]) <= 3
        times = [dated.unit.rtp_timestamp for dated in relaxed.units]
        assert len({later - earlier for earlier, later in itertools.pairwise(times)}) <= 2
        assert receiver.ingest.counters.lost_packets == 0
