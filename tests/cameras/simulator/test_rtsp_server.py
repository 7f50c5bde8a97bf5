"""RTSP on a real socket: the handshake, the clock of the stream, and clients that misbehave."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time

import pytest

from cameras.simulator import playback
from cameras.simulator.camera import SimulatedCamera
from cameras.simulator.spec import H265_FILE
from tests.cameras.simulator.wire import RtspClient, rtsp, until
from tests.simulated import simulated_camera, simulated_cameras
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.media.access_unit import unwrap_timestamp

TCP = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")


async def test_options_are_told_to_anybody_and_the_rest_needs_the_password():
    async with simulated_camera() as camera, rtsp(camera, password="") as client:
        options = await client.request("OPTIONS")
        refused = await client.request("DESCRIBE")
    assert "PLAY" in (options.header("Public") or "")
    assert refused.status == 401
    assert (refused.header("WWW-Authenticate") or "").startswith("Digest ")
    assert not refused.body


async def test_a_wrong_password_is_refused():
    async with simulated_camera() as camera, rtsp(camera, password="1234") as client:
        assert (await client.request("DESCRIBE")).status == 401


async def test_sha256_is_offered_first_where_it_is_switched_on():
    async with simulated_camera(rtsp_sha256=True) as camera, rtsp(camera, password="") as client:
        refused = await client.request("DESCRIBE")
        offered = refused.all_headers("WWW-Authenticate")
        async with rtsp(camera) as other:
            assert (await other.request("DESCRIBE")).status == 200
    assert ["SHA-256" in each for each in offered] == [True, False]


async def test_the_description_carries_parameter_sets_and_control():
    async with simulated_camera() as camera, rtsp(camera) as client, rtsp(camera, "sub") as other:
        described = await client.request("DESCRIBE")
        sub = await other.request("DESCRIBE")
    text = described.body.decode()
    assert described.header("Content-Type") == "application/sdp"
    assert "a=rtpmap:96 H264/90000" in text
    assert "sprop-parameter-sets=" in text
    assert "a=control:trackID=1" in text
    assert "m=audio" not in text
    assert sub.body != described.body


async def test_an_h265_stream_describes_its_three_parameter_sets():
    async with simulated_camera(main=H265_FILE) as camera, rtsp(camera) as client:
        text = (await client.request("DESCRIBE")).body.decode()
        await client.play()
        await client.read_frames(3)
    assert "a=rtpmap:96 H265/90000" in text
    assert all(f"sprop-{name}=" in text for name in ("vps", "sps", "pps"))
    assert client.packets[0].payload[0] >> 1 & 0x3F == 32


async def test_a_playing_stream_begins_with_parameter_sets_and_a_key_frame_as_rtp_info_says():
    async with simulated_camera() as camera, rtsp(camera) as client:
        answer = await client.play()
        await client.read_frames(30)
    first = client.packets[0]
    assert f"seq={first.sequence};rtptime={first.timestamp}" in (answer.header("RTP-Info") or "")
    frame = [each for each in client.packets if each.timestamp == first.timestamp]
    assert [packet.payload[0] & 0x1F for packet in frame][:2] == [7, 8]
    assert any(packet.payload[0] & 0x1F == 28 and packet.payload[1] & 0x1F == 5 for packet in frame)
    sequences = [each.sequence for each in client.packets]
    assert {(b - a) & 0xFFFF for a, b in itertools.pairwise(sequences)} == {1}
    assert {each.ssrc for each in client.packets} == {first.ssrc}
    assert all(len(each.payload) <= 1_400 for each in client.packets)


async def test_a_client_waits_for_the_next_key_frame_as_with_real_cameras():
    async with simulated_camera(instant_key=False) as camera, rtsp(camera) as client:
        wheel, reel = camera.wheel, camera.device.streams[0].reel
        await client.play()
        started_ns = wheel.utc_ns(camera.device.clock.monotonic_ns())
        await client.read_frames(1)
        arrived_ns = wheel.utc_ns(camera.device.clock.monotonic_ns())
    key = reel.key_from(reel.first_due(started_ns))
    assert reel.due_ns(key) <= arrived_ns + 50_000_000
    assert 0 < arrived_ns - reel.due_ns(key) < NS_PER_SECOND


async def test_frames_are_paced_by_the_clock():
    async with simulated_camera() as camera, rtsp(camera) as client:
        await client.play()
        await client.read_frames(27)
        backlog = len({each.timestamp for each in client.packets})
        started = time.monotonic()
        await client.read_frames(13)
        took_s = time.monotonic() - started
    assert backlog >= 27
    assert 0.6 < took_s < 4


async def test_the_sender_report_puts_the_first_frame_where_the_film_has_it():
    async with simulated_camera(offset_s=7.25) as camera, rtsp(camera) as client:
        await client.play()
        await _first_packet_and_report(client)
        reel = camera.device.streams[0].reel
    position_ns = (_capture_ns(client) + reel.offset_ns) % reel.loop_ns
    nearest_ns = min(abs(position_ns - each) for each in reel.film.decode_ns)
    assert nearest_ns < 2_000_000
    assert abs(client.reports[0].ntp_utc_ns - time.time_ns()) < 5 * NS_PER_SECOND


async def _first_packet_and_report(client: RtspClient) -> None:
    await client.read_until(lambda: bool(client.reports and client.packets))


def _capture_ns(client: RtspClient) -> int:
    """When the first packet's picture was taken, by the camera's clock."""
    report, packet = client.reports[0], client.packets[0]
    behind_90k = unwrap_timestamp(report.rtp_timestamp, packet.timestamp) - report.rtp_timestamp
    return report.ntp_utc_ns + behind_90k * 100_000 // 9


async def test_a_restarted_camera_goes_on_in_phase():
    positions = []
    for _ in range(2):
        async with simulated_camera(offset_s=3.0) as camera, rtsp(camera) as client:
            await client.play()
            await _first_packet_and_report(client)
            positions.append((_capture_ns(client) + 3 * NS_PER_SECOND) % camera.device.streams[0].reel.loop_ns)
    key_distance_ns = 2 * NS_PER_SECOND
    assert all(min(each % key_distance_ns, -each % key_distance_ns) < 2_000_000 for each in positions)


async def test_teardown_says_goodbye_and_the_session_is_gone():
    async with simulated_camera() as camera, rtsp(camera) as client:
        await client.play()
        await client.read_frames(1)
        assert (await client.request("GET_PARAMETER")).status == 200
        assert (await client.request("TEARDOWN")).status == 200
        assert client.said_bye
        assert (await client.request("PLAY")).status == 454


async def test_a_stopping_camera_says_goodbye():
    async with simulated_camera() as camera:
        async with rtsp(camera) as client:
            await client.play()
            await client.read_frames(1)
            await camera.stop()
            await client.read_until(lambda: client.closed)
        assert client.said_bye


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("DESCRIBE", "/nothing", (), 404),
        ("DESCRIBE", "/main2", (), 404),
        ("SETUP", "/main/trackID=2", (TCP,), 404),
        ("SETUP", "/main/trackID=1", (("Transport", "RTP/AVP;unicast;client_port=5000-5001"),), 461),
        ("SETUP", "/main/trackID=1", (), 461),
        ("PLAY", "/main", (), 455),
        ("PLAY", "/main", (("Session", "invented"),), 454),
        ("RECORD", "/main", (), 501),
    ],
)
async def test_what_cannot_be_is_refused_by_its_status(method: str, path: str, headers, status: int):
    async with simulated_camera() as camera, rtsp(camera) as client:
        uri = f"rtsp://127.0.0.1:{camera.rtsp_port}{path}"
        assert (await client.request(method, uri, *headers)).status == status
        assert (await client.request("OPTIONS")).status == 200


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64 + b"\r\n\r\n", b"A" * 40_000, b"PLAY x RTSP/1.0\r\n" * 2_000]
)
async def test_what_is_no_rtsp_ends_the_connection_and_not_the_camera(data: bytes):
    async with simulated_camera() as camera:
        reader, writer = await asyncio.open_connection("127.0.0.1", camera.rtsp_port)
        writer.write(data)
        try:
            assert b"400" in (await asyncio.wait_for(reader.read(), 5))[:20]
        finally:
            writer.close()
        async with rtsp(camera) as client:
            assert (await client.request("DESCRIBE")).status == 200


async def test_a_slow_reader_is_cut_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(playback, "SMALLEST_BACKLOG_BYTES", 2_048)
    monkeypatch.setattr(playback, "SLOW_READER_S", 0)
    async with simulated_camera() as camera, rtsp(camera) as slow:
        _shrink_buffers(camera, slow)
        await slow.play()
        assert camera.clients == 1
        await until(lambda: camera.clients == 0)
        monkeypatch.undo()
        async with rtsp(camera) as good:
            await good.play()
            await good.read_frames(3)
        await slow.read_until(lambda: slow.closed)
    assert not slow.said_bye


def _shrink_buffers(camera: SimulatedCamera, client: RtspClient) -> None:
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    assert camera._rtsp is not None
    (connection,) = camera._rtsp.connections
    assert connection._transport is not None
    connection._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2_048)


async def test_a_silent_client_is_cut():
    clock = ManualClock()
    async with simulated_camera(clock=clock) as camera, rtsp(camera) as client:
        assert (await client.request("OPTIONS")).status == 200
        await clock.advance(130)
        await client.read_until(lambda: client.closed)


async def test_main_and_sub_stream_of_many_cameras_play_from_one_process():
    async with simulated_cameras(4) as cameras, asyncio.TaskGroup() as group:
        for camera in cameras:
            for role in ("main", "sub"):
                group.create_task(_watch(camera, role))


async def _watch(camera, role: str) -> None:
    async with rtsp(camera, role) as client:
        await client.play()
        await client.read_frames(5)
