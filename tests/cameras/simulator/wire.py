"""Raw clients: what a test sees is what was on the wire, not what a library made of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx

from cameras.simulator.camera import SimulatedCamera
from cameras.simulator.onvif.markup import NAMESPACES, Markup, envelope, tag
from cameras.simulator.onvif.security import password_digest
from tests.simulated import PASSWORD, USERNAME
from vms.base.clock import utc_text
from vms.media.rtcp import Bye, SenderReport, parse_compound
from vms.media.rtp import RtpPacket, parse_packet
from vms.media.rtsp import InterleavedFrame, RtspParser, RtspResponse
from vms.media.rtsp_auth import authorisation_header, strongest_challenge

DEADLINE_S = 10.0


def token(at_ns: int, *, username: str = USERNAME, password: str = PASSWORD, nonce: bytes | None = None) -> Markup:
    """A WS-Security header with a UsernameToken created at `at_ns`."""
    nonce = nonce or os.urandom(16)
    created = utc_text(at_ns)
    return tag(
        "wsse:Security",
        tag(
            "wsse:UsernameToken",
            tag("wsse:Username", username),
            tag("wsse:Password", password_digest(nonce, created, password), Type="urn:x#PasswordDigest"),
            tag("wsse:Nonce", base64.b64encode(nonce).decode()),
            tag("wsu:Created", created),
        ),
    )


async def post(camera: SimulatedCamera, data: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """POST bytes to the camera's device service."""
    async with httpx.AsyncClient(timeout=DEADLINE_S) as client:
        return await client.post(camera.device_url, content=data, headers=headers)


async def call(camera: SimulatedCamera, body: Markup, security: Markup | None = None) -> httpx.Response:
    """One SOAP call; by default with a good token of the camera's own time."""
    if security is None:
        security = token(camera.device.utc_ns())
    return await post(camera, envelope(body, security))


async def anonymous(camera: SimulatedCamera, body: Markup) -> httpx.Response:
    """One SOAP call without credentials."""
    return await post(camera, envelope(body))


def between(text: str, element: str) -> str:
    """The text of the first `<element>` of an answer."""
    return text.partition(f"<{element}>")[2].partition("<")[0]


async def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - the condition is of any kind
            await asyncio.sleep(0.005)


@dataclass(slots=True)
class RtspClient:
    """A client over one connection that keeps every frame and report it gets."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    url: str
    password: str = PASSWORD
    packets: list[RtpPacket] = field(default_factory=list)
    reports: list[SenderReport] = field(default_factory=list)
    said_bye: bool = False
    closed: bool = False
    _parser: RtspParser = field(default_factory=RtspParser)
    _answers: list[RtspResponse] = field(default_factory=list)
    _sequence: int = 0
    _challenges: tuple[str, ...] = ()
    session: str = ""

    async def request(self, method: str, uri: str = "", *headers: tuple[str, str]) -> RtspResponse:
        """Send a request and wait for its answer; answers a digest challenge once."""
        answer = await self.send(method, uri or self.url, *headers)
        if answer.status == 401 and self.password:
            self._challenges = answer.all_headers("WWW-Authenticate")
            answer = await self.send(method, uri or self.url, *headers)
        if session := answer.header("Session"):
            self.session = session.partition(";")[0]
        return answer

    async def send(self, method: str, uri: str, *headers: tuple[str, str]) -> RtspResponse:
        """Send one request as it is and wait for its answer."""
        self._sequence += 1
        lines = [
            f"{method} {uri} RTSP/1.0",
            f"CSeq: {self._sequence}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        if self._challenges:
            challenge = strongest_challenge(self._challenges)
            lines.append(f"Authorization: {authorisation_header(challenge, method, uri, USERNAME, self.password)}")
        if self.session:
            lines.append(f"Session: {self.session}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.read_until(lambda: bool(self._answers))
        return self._answers.pop(0)

    async def play(self) -> RtspResponse:
        """DESCRIBE, SETUP of the video and PLAY; the answer to PLAY."""
        assert (await self.request("DESCRIBE")).status == 200
        setup = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")
        assert (await self.request("SETUP", f"{self.url}/trackID=1", setup)).status == 200
        return await self.request("PLAY")

    async def read_until(self, enough: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
        """Read until `enough`, or until the camera closes. Raises TimeoutError."""
        async with asyncio.timeout(deadline_s):
            while not enough() and not self.closed:
                await self._read_once()

    async def read_for(self, seconds: float) -> None:
        """Read whatever comes within `seconds`."""
        with contextlib.suppress(TimeoutError):
            await self.read_until(lambda: False, seconds)

    async def read_frames(self, count: int) -> None:
        """Read until `count` more whole access units have come."""
        wanted = sum(packet.marker for packet in self.packets) + count
        await self.read_until(lambda: sum(packet.marker for packet in self.packets) >= wanted)

    async def _read_once(self) -> None:
        try:
            data = await self.reader.read(65536)
        except ConnectionError:
            data = b""
        self.closed = not data
        for item in self._parser.feed(data):
            if isinstance(item, RtspResponse):
                self._answers.append(item)
            elif isinstance(item, InterleavedFrame) and item.channel == 0:
                self.packets.append(parse_packet(item.payload))
            elif isinstance(item, InterleavedFrame):
                for report in parse_compound(item.payload):
                    if isinstance(report, SenderReport):
                        self.reports.append(report)
                    elif isinstance(report, Bye):
                        self.said_bye = True


@contextlib.asynccontextmanager
async def rtsp_at(address: str, port: int, path: str, password: str = PASSWORD) -> AsyncIterator[RtspClient]:
    """A connection to a stream."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield RtspClient(reader, writer, f"rtsp://{address}:{port}{path}", password)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def rtsp(camera: SimulatedCamera, role: str = "main", password: str = PASSWORD) -> AsyncIterator[RtspClient]:
    """A connection to a stream of a camera."""
    async with rtsp_at(camera.device.spec.address, camera.rtsp_port, f"/{role}", password) as client:
        yield client


def operation(name: str, *content: Markup) -> Markup:
    """An operation element, `tds:GetUsers`."""
    assert name.partition(":")[0] in NAMESPACES
    return tag(name, *content)
