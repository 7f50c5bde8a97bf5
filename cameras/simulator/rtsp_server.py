"""The RTSP face of a camera: one TCP connection, one session, interleaved transport (RFC 2326, 10.12).

Order of an answer
1. What is no RTSP is answered with 400 and the connection ends.
2. OPTIONS needs no credentials; everything else needs a digest that names an account.
3. The path names a stream (`/main`, `/sub`), a control below it a track; UDP transports are refused with 461, so that
   a client takes TCP. With the fault `udp_only` it is the other way round.
4. A client that gives no sign of life for `SILENCE_S` is cut, as the Session header announced.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import structlog

from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.digest import DigestGate
from cameras.simulator.playback import Playback
from cameras.simulator.session_description import AUDIO_CONTROL, VIDEO_CONTROL, describe
from cameras.simulator.spec import Fault
from cameras.simulator.udp import UdpOutlet, client_ports
from cameras.simulator.wheel import Wheel
from vms.base.clock import NS_PER_SECOND
from vms.media.errors import MediaError
from vms.media.rtsp import RtspParser, RtspRequest, RtspResponse
from vms.media.rtsp_headers import Session, Transport, parse_transports

log = structlog.get_logger(__name__)

SESSION_TIMEOUT_S = 60
SILENCE_S = 90
MAXIMUM_CONNECTIONS = 32
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
}
_Headers = tuple[tuple[str, str], ...]


class _Refused(Exception):  # noqa: N818 - internal signal
    """A request that is answered with an error status."""

    def __init__(self, status: int) -> None:
        self.status = status


@dataclass(slots=True)
class RtspServer:
    """The RTSP server of one camera."""

    device: Device
    wheel: Wheel
    gate: DigestGate
    connections: set[RtspConnection] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self, address: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen, with `tls` for clients of `rtsps://` only; returns the port in use.

        Raises OSError when the address or the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: RtspConnection(self), address, port, backlog=128, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, *, say_bye: bool = True) -> None:
        """Stop listening; playing clients get a BYE."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self.connections):
            connection.close(say_bye=say_bye)
        await self._server.wait_closed()


class RtspConnection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: RtspServer) -> None:
        self._server = server
        self._parser = RtspParser()
        self._transport: asyncio.Transport | None = None
        self._session = ""
        self._stream: StreamSettings | None = None
        self._channels: dict[str, tuple[int, int]] = {}
        self._playback: Playback | None = None
        self._udp: UdpOutlet | None = None
        self._heard_ns = server.wheel.clock.monotonic_ns()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not say that they are one
        if len(self._server.connections) >= MAXIMUM_CONNECTIONS:
            self._transport.abort()
            return
        self._server.connections.add(self)
        self._watch(self._heard_ns)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - named by asyncio
        self._server.connections.discard(self)
        if self._playback is not None:
            self._playback.end(say_bye=False)
        self._close_udp()

    def data_received(self, data: bytes) -> None:
        self._heard_ns = self._server.wheel.clock.monotonic_ns()
        try:
            for item in self._parser.feed(data):
                if isinstance(item, RtspRequest):
                    self._answer(item)
        except MediaError as error:
            log.info("no RTSP", camera=self._server.device.spec.address, error=error.detail)
            self._write(RtspResponse(400, _REASONS[400]).encode())
            self.close(say_bye=False)

    def close(self, *, say_bye: bool) -> None:
        """End the connection, with what is already written still sent."""
        if self._playback is not None:
            self._playback.end(say_bye=say_bye)
        if self._transport is not None:
            self._transport.close()

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _watch(self, now_ns: int) -> None:
        """End connections that have been silent for too long."""
        if self._transport is None or self._transport.is_closing():
            return
        if now_ns - self._heard_ns > SILENCE_S * NS_PER_SECOND:
            self.close(say_bye=True)
            return
        self._server.wheel.at(now_ns + SESSION_TIMEOUT_S * NS_PER_SECOND // 4, self._watch)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _answer(self, request: RtspRequest) -> None:
        status = 200
        headers: _Headers = ()
        body = b""
        challenge: tuple[str, ...] = ()
        try:
            if request.method != "OPTIONS":
                account, _ = self._server.gate.check(request.header("Authorization"), request.method)
                if account is None:
                    challenge = self._server.gate.challenges()
                    raise _Refused(401)
            headers, body = self._handler(request.method)(request)
        except _Refused as refused:
            status = refused.status
        common = (
            ("CSeq", request.header("CSeq") or "0"),
            *(("WWW-Authenticate", each) for each in challenge),
            *((("Session", Session(self._session, SESSION_TIMEOUT_S).encode()),) if self._session else ()),
        )
        self._write(RtspResponse(status, _REASONS[status], (*common, *headers), body).encode())
        if request.method == "TEARDOWN" and status == 200:
            self._session, self._channels, self._stream = "", {}, None

    def _handler(self, method: str) -> Callable[[RtspRequest], tuple[_Headers, bytes]]:
        known: dict[str, Callable[[RtspRequest], tuple[_Headers, bytes]]] = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "GET_PARAMETER": self._keep_alive,
            "SET_PARAMETER": self._keep_alive,
            "TEARDOWN": self._teardown,
        }
        return known.get(method, self._unknown)

    @staticmethod
    def _unknown(_: RtspRequest) -> tuple[_Headers, bytes]:
        raise _Refused(501)

    @staticmethod
    def _options(_: RtspRequest) -> tuple[_Headers, bytes]:
        return (("Public", _METHODS),), b""

    def _named_stream(self, uri: str) -> tuple[StreamSettings, str]:
        """The stream and the control that a request names. Raises _Refused(404)."""
        with contextlib.suppress(ValueError):
            path = urlsplit(uri).path.rstrip("/")
            for stream in self._server.device.streams:
                if path == stream.path or path.startswith(stream.path + "/"):
                    return stream, path.removeprefix(stream.path).lstrip("/")
        raise _Refused(404)

    def _describe(self, request: RtspRequest) -> tuple[_Headers, bytes]:
        stream, _ = self._named_stream(request.uri)
        device = self._server.device
        body = describe(device, stream, audio=Fault.AUDIO_OFFERED in device.faults)
        base = request.uri.rstrip("/") + "/"
        return (("Content-Base", base), ("Content-Type", "application/sdp")), body

    def _setup(self, request: RtspRequest) -> tuple[_Headers, bytes]:
        stream, control = self._named_stream(request.uri)
        device = self._server.device
        if control == AUDIO_CONTROL and Fault.AUDIO_OFFERED in device.faults:
            device.audio_setups += 1
        elif control not in {"", VIDEO_CONTROL}:
            raise _Refused(404)
        if self._playback is not None or (self._stream is not None and self._stream.role != stream.role):
            raise _Refused(455)
        self._check_session(request)
        if Fault.UDP_ONLY in device.faults:
            return self._set_up_udp(request, stream, control)
        asked = parse_transports(request.header("Transport") or "")
        tcp = next((each for each in asked if each.protocol == "RTP/AVP/TCP" and each.unicast), None)
        if tcp is None:
            raise _Refused(461)
        channels = self._free_channels(tcp.interleaved)
        self._stream, self._channels[control or VIDEO_CONTROL] = stream, channels
        self._session = self._session or secrets.token_hex(8)
        return (("Transport", Transport(interleaved=channels).encode()),), b""

    def _set_up_udp(self, request: RtspRequest, stream: StreamSettings, control: str) -> tuple[_Headers, bytes]:
        ports = client_ports(request.header("Transport") or "")
        if ports is None or self._transport is None:
            raise _Refused(461)
        peer = self._transport.get_extra_info("peername")[0]
        self._close_udp()
        self._udp = UdpOutlet(self._server.device.spec.address, peer, ports)
        self._stream, self._channels[control or VIDEO_CONTROL] = stream, (0, 1)
        self._session = self._session or secrets.token_hex(8)
        ours = self._udp.ports
        transport = f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]};server_port={ours[0]}-{ours[1]}"
        return (("Transport", transport),), b""

    def _close_udp(self) -> None:
        if self._udp is not None:
            self._udp.close()
            self._udp = None

    def _free_channels(self, wanted: tuple[int, int] | None) -> tuple[int, int]:
        taken = {channel for pair in self._channels.values() for channel in pair}
        if wanted is not None and not taken & set(wanted) and wanted[0] != wanted[1]:
            return wanted
        first = next(channel for channel in range(0, 256, 2) if not taken & {channel, channel + 1})
        return first, first + 1

    def _check_session(self, request: RtspRequest) -> None:
        given = (request.header("Session") or "").partition(";")[0].strip()
        if given != self._session and (given or request.method == "PLAY"):
            raise _Refused(454)

    def _play(self, request: RtspRequest) -> tuple[_Headers, bytes]:
        self._check_session(request)
        if self._stream is None or self._transport is None or VIDEO_CONTROL not in self._channels:
            raise _Refused(455)
        if self._playback is not None:
            return (("Range", "npt=now-"),), b""
        playback = Playback(
            self._server.device,
            self._stream,
            self._server.wheel,
            self._udp or self._transport,
            self._channels[VIDEO_CONTROL],
            self._cut,
        )
        self._playback = playback
        sequence, timestamp = playback.begin()
        url = f"{self._server.device.rtsp_url(self._stream)}/{VIDEO_CONTROL}"
        return (("Range", "npt=now-"), ("RTP-Info", f"url={url};seq={sequence};rtptime={timestamp}")), b""

    def _keep_alive(self, request: RtspRequest) -> tuple[_Headers, bytes]:
        self._check_session(request)
        return (), b""

    def _teardown(self, request: RtspRequest) -> tuple[_Headers, bytes]:
        self._check_session(request)
        if self._playback is not None:
            self._playback.end(say_bye=True)
            self._playback = None
        return (), b""
