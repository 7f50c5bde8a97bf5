"""The camera that sends over UDP alone, seen on the wire."""

from __future__ import annotations

import asyncio
import re
import socket

from cameras.simulator.spec import Fault
from cameras.simulator.udp import client_ports
from tests.cameras.simulator.wire import rtsp
from tests.foreign_films import foreign_film
from tests.simulated import simulated_camera
from vms.media.rtcp import SenderReport, parse_compound
from vms.media.rtp import parse_packet


def _receiver() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


async def test_udp_only_refuses_tcp_and_sends_datagrams():
    loop = asyncio.get_running_loop()
    with _receiver() as rtp, _receiver() as rtcp:
        async with simulated_camera(faults=[Fault.UDP_ONLY]) as camera, rtsp(camera) as client:
            assert (await client.request("DESCRIBE")).status == 200
            track = f"{client.url}/trackID=1"
            refused = await client.request("SETUP", track, ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"))
            assert refused.status == 461
            ports = f"{rtp.getsockname()[1]}-{rtcp.getsockname()[1]}"
            agreed = await client.request("SETUP", track, ("Transport", f"RTP/AVP;unicast;client_port={ports}"))
            assert agreed.status == 200
            transport = agreed.header("Transport") or ""
            assert f"client_port={ports}" in transport
            first, second = map(int, re.search(r"server_port=(\d+)-(\d+)", transport).groups())  # type: ignore[union-attr]
            assert (first % 2, second) == (0, first + 1)
            assert (await client.request("PLAY")).status == 200
            async with asyncio.timeout(5):
                packet = parse_packet(await loop.sock_recv(rtp, 2_000))
                report = parse_compound(await loop.sock_recv(rtcp, 2_000))
            assert packet.payload_type == 96
            assert isinstance(report[0], SenderReport)
            assert not client.packets
            assert (await client.request("TEARDOWN")).status == 200


async def test_without_the_fault_udp_is_refused():
    async with simulated_camera() as camera, rtsp(camera) as client:
        asked = ("Transport", "RTP/AVP;unicast;client_port=5000-5001")
        assert (await client.request("SETUP", f"{client.url}/trackID=1", asked)).status == 461


async def test_a_film_in_an_old_codec_is_offered_under_its_name():
    for codec, line in (("mpeg4", "a=rtpmap:96 MP4V-ES/90000"), ("mjpeg", "a=rtpmap:26 JPEG/90000")):
        async with simulated_camera(main=foreign_film(codec)) as camera, rtsp(camera) as client:
            described = (await client.request("DESCRIBE")).body.decode()
            assert line in described
            assert ("config=000001B0" in described) is (codec == "mpeg4")
            assert (await client.play()).status == 200
            await client.read_frames(3)


def test_only_an_offer_of_unicast_udp_has_ports():
    assert client_ports("RTP/AVP;unicast;client_port=5000-5001") == (5000, 5001)
    assert client_ports("RTP/AVP/TCP;interleaved=0-1,RTP/AVP/UDP;unicast;client_port=6-7") == (6, 7)
    assert client_ports("RTP/AVP;multicast;client_port=5000-5001") is None
    assert client_ports("RTP/AVP/TCP;interleaved=0-1") is None
