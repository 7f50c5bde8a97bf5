"""WS-Discovery on real sockets: unicast to the camera's own address, multicast on the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from defusedxml import ElementTree

from cameras.simulator.discovery import GROUP
from cameras.simulator.fleet import running_cameras
from cameras.simulator.spec import DISCOVERY_PORT, FACTORY_ADDRESS, Fault
from tests.simulated import simulated_camera, spec_of
from vms.base.clock import SystemClock

ANYTHING = ""
STRICTLY = "http://schemas.xmlsoap.org/ws/2005/04/discovery/strcmp0"
TRANSMITTER = "<d:Types>dn:NetworkVideoTransmitter</d:Types>"


def message(body: str, action: str, message_id: str = "") -> bytes:
    identity = message_id or f"urn:uuid:{uuid.uuid4()}"
    return (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
        f"<e:Header><w:MessageID>{identity}</w:MessageID>"
        "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
        f"<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/{action}</w:Action></e:Header>"
        f"<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def probe(content: str = TRANSMITTER, message_id: str = "") -> bytes:
    return message(f"<d:Probe>{content}</d:Probe>", "Probe", message_id)


class Ear(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        ElementTree.fromstring(data)
        self.heard.put_nowait(data.decode())

    async def next(self, deadline_s: float = 5.0) -> str:
        async with asyncio.timeout(deadline_s):
            return await self.heard.get()


@contextlib.asynccontextmanager
async def listener(*, group: bool = False) -> AsyncIterator[tuple[Ear, asyncio.DatagramTransport]]:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind((GROUP, DISCOVERY_PORT) if group else ("127.0.0.1", 0))
    loopback = socket.inet_aton("127.0.0.1")
    own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
    if group:
        own.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + loopback)
    transport, ear = await asyncio.get_running_loop().create_datagram_endpoint(Ear, sock=own)
    try:
        yield ear, transport
    finally:
        transport.close()
        await asyncio.sleep(0)


async def test_a_unicast_probe_is_answered_with_identity_scopes_and_address():
    async with simulated_camera() as camera, listener() as (ear, out):
        out.sendto(probe(message_id="urn:uuid:42"), ("127.0.0.1", camera.discovery_port))
        answer = await ear.next()
    assert "<wsa:RelatesTo>urn:uuid:42</wsa:RelatesTo>" in answer
    assert f"<wsa:Address>{camera.device.endpoint}</wsa:Address>" in answer
    assert f"<d:XAddrs>{camera.device_url}</d:XAddrs>" in answer
    assert "onvif://www.onvif.org/name/Place%20de%20l%27Essai" in answer
    assert "onvif://www.onvif.org/hardware/VS-2M" in answer
    assert "dn:NetworkVideoTransmitter" in answer


async def test_the_endpoint_follows_the_hardware_and_not_the_address():
    async with simulated_camera(mac="02564d530a0b") as one, simulated_camera(mac="02564d530a0b") as same:
        assert one.device.endpoint == same.device.endpoint
        assert one.http_port != same.http_port


@pytest.mark.parametrize(
    ("content", "answered"),
    [
        (ANYTHING, True),
        ("<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes/>", True),
        ("<d:Types>dn:NetworkVideoDisplay</d:Types>", False),
        ("<d:Scopes>onvif://www.onvif.org/location/country/france</d:Scopes>", True),
        ("<d:Scopes>onvif://www.onvif.org/location</d:Scopes>", True),
        ("<d:Scopes>onvif://www.onvif.org/loc</d:Scopes>", False),
        ("<d:Scopes>onvif://www.onvif.org/hardware/other</d:Scopes>", False),
        (
            f'<d:Scopes MatchBy="{STRICTLY}">onvif://www.onvif.org/location</d:Scopes>',
            False,
        ),
    ],
)
async def test_a_probe_is_answered_by_those_it_means(content: str, answered: bool):
    async with simulated_camera() as camera, listener() as (ear, out):
        to = ("127.0.0.1", camera.discovery_port)
        out.sendto(probe(content, "urn:uuid:asked"), to)
        out.sendto(probe(ANYTHING, "urn:uuid:control"), to)
        first = await ear.next()
    assert ("urn:uuid:asked" in first) is answered


async def test_a_repeated_or_broken_message_is_not_answered_twice():
    async with simulated_camera() as camera, listener() as (ear, out):
        to = ("127.0.0.1", camera.discovery_port)
        for data in (b"", b"\xff" * 100, probe()[:200], b"x" * 40_000, message("<d:Bye/>", "Bye")):
            out.sendto(data, to)
        out.sendto(b'<!DOCTYPE a [<!ENTITY b "c">]>' + probe(), to)
        for _ in range(3):
            out.sendto(probe(message_id="urn:uuid:same"), to)
        out.sendto(probe(message_id="urn:uuid:last"), to)
        answers = [await ear.next(), await ear.next()]
    assert ["urn:uuid:same" in answers[0], "urn:uuid:last" in answers[1]] == [True, True]


async def test_a_resolve_finds_the_camera_by_its_endpoint():
    async with simulated_camera() as camera, listener() as (ear, out):
        reference = "<w:EndpointReference><w:Address>{}</w:Address></w:EndpointReference>"
        for endpoint in ("urn:uuid:somebody-else", camera.device.endpoint):
            body = f"<d:Resolve>{reference.format(endpoint)}</d:Resolve>"
            out.sendto(message(body, "Resolve"), ("127.0.0.1", camera.discovery_port))
        answer = await ear.next()
    assert "<d:ResolveMatches>" in answer
    assert camera.device.endpoint in answer


async def test_wrong_xaddr_shows_in_discovery():
    async with simulated_camera(faults=[Fault.WRONG_XADDR]) as camera, listener() as (ear, out):
        out.sendto(probe(), ("127.0.0.1", camera.discovery_port))
        answer = await ear.next()
    assert f"<d:XAddrs>http://{FACTORY_ADDRESS}:" in answer


async def test_every_camera_answers_a_multicast_probe_and_says_hello_and_goodbye():
    specs = [replace(spec_of(), mac=f"02564d5377{number:02x}") for number in range(5)]
    async with listener(group=True) as (group, _), listener() as (ear, out):
        async with running_cameras(specs, SystemClock()) as cameras:
            endpoints = {camera.device.endpoint for camera in cameras}
            hellos = [await _of_ours(group, endpoints, "<d:Hello>") for _ in specs]
            out.sendto(probe(), (GROUP, DISCOVERY_PORT))
            answers = [await _of_ours(ear, endpoints) for _ in specs]
        byes = [await _of_ours(group, endpoints, "<d:Bye>") for _ in specs]
    assert {each for each in endpoints for hello in hellos if each in hello} == endpoints
    assert {each for each in endpoints for answer in answers if each in answer} == endpoints
    assert {each for each in endpoints for bye in byes if each in bye} == endpoints


async def _of_ours(ear: Ear, endpoints: set[str], kind: str = "<d:ProbeMatches>") -> str:
    while True:
        heard = await ear.next()
        if kind in heard and any(each in heard for each in endpoints):
            return heard
