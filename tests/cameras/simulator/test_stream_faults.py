"""The faults that a client meets on RTSP and RTP, each seen on the wire."""

from __future__ import annotations

import asyncio
import itertools
import re

import pytest

from cameras.simulator import playback
from cameras.simulator.spec import H265_FILE, SEQUENCE_LEAP, TIMESTAMP_LEAP_90K, WRONG_CLOCK_NS, Fault
from tests.cameras.simulator.wire import RtspClient, rtsp
from tests.simulated import simulated_camera
from vms.base.clock import NS_PER_SECOND

FRAME_90K = 7_200


@pytest.fixture(autouse=True)
def quick_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults come after a fraction of a second, so that a test need not wait for them."""
    monkeypatch.setattr(playback, "TROUBLE_AFTER_NS", NS_PER_SECOND // 5)
    monkeypatch.setattr(playback, "JUMP_EVERY_FRAMES", 10)


def steps_of_sequence(client: RtspClient) -> list[int]:
    return [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(client.packets)]


def steps_of_time(client: RtspClient) -> list[int]:
    times = [packet.timestamp for packet in client.packets if packet.marker]
    return [(b - a) & 0xFFFF_FFFF for a, b in itertools.pairwise(times)]


async def test_drops_rtp_leaves_holes_in_the_sequence():
    async with simulated_camera(faults=[Fault.DROPS_RTP]) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_until(lambda: sum(step == 2 for step in steps_of_sequence(client)) >= 3)
    steps = steps_of_sequence(client)
    assert set(steps) == {1, 2}
    holes = [place for place, step in enumerate(steps) if step == 2]
    assert {b - a for a, b in itertools.pairwise(holes)} == {49}


async def test_sequence_jump_leaps_between_frames_and_loses_nothing():
    async with simulated_camera(faults=[Fault.SEQUENCE_JUMP]) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_frames(22)
    steps = steps_of_sequence(client)
    assert steps.count(SEQUENCE_LEAP + 1) >= 2
    assert set(steps) == {1, SEQUENCE_LEAP + 1}
    assert set(steps_of_time(client)) == {FRAME_90K}


async def test_timestamp_jump_leaps_and_the_sequence_goes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(playback, "REPORT_EVERY_NS", NS_PER_SECOND // 2)
    async with simulated_camera(faults=[Fault.TIMESTAMP_JUMP]) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_frames(22)
        await client.read_until(lambda: len(client.reports) >= 2)
    steps = steps_of_time(client)
    assert steps.count(FRAME_90K + TIMESTAMP_LEAP_90K) >= 2
    assert set(steps) == {FRAME_90K, FRAME_90K + TIMESTAMP_LEAP_90K}
    assert set(steps_of_sequence(client)) == {1}
    first, last = client.reports[0], client.reports[-1]
    media_90k = (last.rtp_timestamp - first.rtp_timestamp) & 0xFFFF_FFFF
    wall_90k = (last.ntp_utc_ns - first.ntp_utc_ns) * 9 // 100_000
    assert abs(media_90k - wall_90k) > TIMESTAMP_LEAP_90K // 2


async def test_freezes_sends_nothing_more_and_answers_still_then_goes_on_with_a_key_frame():
    async with simulated_camera(faults=[Fault.FREEZES]) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_for(0.7)
        frozen_at = len(client.packets)
        await client.read_for(0.4)
        assert frozen_at > 0
        assert len(client.packets) == frozen_at
        assert not client.closed
        assert (await client.request("GET_PARAMETER")).status == 200
        camera.set_fault(Fault.FREEZES, False)
        await client.read_frames(1)
    assert client.packets[frozen_at].payload[0] & 0x1F == 7
    assert client.packets[frozen_at].sequence == (client.packets[frozen_at - 1].sequence + 1) & 0xFFFF


async def test_closes_cuts_the_connection_without_goodbye_and_lets_the_client_come_back():
    async with simulated_camera(faults=[Fault.CLOSES]) as camera:
        async with rtsp(camera) as client:
            await client.play()
            await client.read_until(lambda: client.closed)
            assert client.packets
            assert not client.said_bye
        async with rtsp(camera) as again:
            assert (await again.request("DESCRIBE")).status == 200


async def test_bad_password_refuses_the_stream():
    async with simulated_camera(faults=[Fault.BAD_PASSWORD]) as camera, rtsp(camera) as client:
        assert (await client.request("DESCRIBE")).status == 401
        camera.set_fault(Fault.BAD_PASSWORD, False)
        assert (await client.request("DESCRIBE")).status == 200


@pytest.mark.parametrize(("faults", "expected"), [((), True), ((Fault.NO_SENDER_REPORT,), False)])
async def test_no_sender_report_keeps_the_clock_to_itself(monkeypatch, faults, expected: bool):
    monkeypatch.setattr(playback, "REPORT_EVERY_NS", NS_PER_SECOND // 10)
    async with simulated_camera(faults=faults) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_frames(4)
        await client.read_for(0.5)
    assert bool(client.reports) is expected
    assert client.packets


async def test_wrong_clock_shows_in_the_sender_reports():
    async with simulated_camera(faults=[Fault.WRONG_CLOCK]) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_until(lambda: bool(client.reports))
        now_ns = camera.device.clock.utc_ns()
    assert abs(client.reports[0].ntp_utc_ns - now_ns - WRONG_CLOCK_NS) < 5 * NS_PER_SECOND


@pytest.mark.parametrize("film", [None, H265_FILE])
async def test_parameters_in_sdp_only_never_sends_a_parameter_set(film):
    faults = [Fault.PARAMETERS_IN_SDP_ONLY]
    async with simulated_camera(faults=faults, main=film) as camera, rtsp(camera) as client:
        text = (await client.request("DESCRIBE")).body.decode()
        await client.play()
        await client.read_frames(3)
    if film is None:
        kinds = {packet.payload[0] & 0x1F for packet in client.packets}
        assert not kinds & {7, 8}
        assert "sprop-parameter-sets=" in text
    else:
        kinds = {packet.payload[0] >> 1 & 0x3F for packet in client.packets}
        assert not kinds & {32, 33, 34}
        assert "sprop-sps=" in text


async def test_b_frames_come_in_decoding_order_with_time_stamps_that_step_back():
    async with simulated_camera(faults=[Fault.B_FRAMES]) as camera, rtsp(camera) as client:
        await client.play()
        await client.read_frames(12)
    steps = steps_of_time(client)
    assert any(step > 1 << 31 for step in steps)
    times = sorted({packet.timestamp for packet in client.packets})
    assert {(b - a) % FRAME_90K for a, b in itertools.pairwise(times)} == {0}
    assert set(steps_of_sequence(client)) == {1}


async def test_b_frames_can_be_switched_for_the_next_client():
    async with simulated_camera(sub=None) as camera:
        sizes = []
        for present in (False, True, False):
            camera.set_fault(Fault.B_FRAMES, present)
            async with rtsp(camera) as client:
                sdp = (await client.request("DESCRIBE")).body.decode()
                sizes.append(re.findall(r"b=AS:(\d+)", sdp))
    assert sizes[0] == sizes[2] != sizes[1]


async def test_audio_offered_stands_in_the_sdp_and_a_set_up_is_counted():
    """What a recorder must never do (R. 253-1 CSI) is visible: `device.audio_setups`."""
    async with simulated_camera(faults=[Fault.AUDIO_OFFERED]) as camera, rtsp(camera) as client:
        text = (await client.request("DESCRIBE")).body.decode()
        await client.play()
        await client.read_frames(2)
        assert camera.device.audio_setups == 0
        async with rtsp(camera) as other:
            setup = ("Transport", "RTP/AVP/TCP;unicast;interleaved=2-3")
            answer = await other.request("SETUP", f"{camera.stream_url()}/trackID=2", setup)
    assert "m=audio 0 RTP/AVP 8" in text
    assert "a=control:trackID=2" in text
    assert answer.status == 200
    assert camera.device.audio_setups == 1


async def test_a_fault_of_one_camera_is_its_own():
    async with (
        simulated_camera(faults=[Fault.FREEZES]) as ill,
        simulated_camera() as well,
        rtsp(ill) as one,
        rtsp(well) as other,
    ):
        await asyncio.gather(one.play(), other.play())
        await one.read_for(0.5)
        frozen_at = len(one.packets)
        await other.read_frames(30)
        await one.read_for(0.1)
    assert len(one.packets) == frozen_at
