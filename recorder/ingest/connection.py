"""One connection to a camera: from its address to a playing stream, then reads and small writes, clear or in TLS.

The handshake is awaited, within a deadline. From PLAY on nobody waits: `read` takes whatever has arrived, in one call,
when the pace says so.

A camera is trusted over TLS for its recorded key only; without one it is not called. Redirects are followed to the
same host, never from TLS to the clear: what else a camera asks for is refused with a cause, for the installer to judge.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import structlog

from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.channel import MAX_UNSENT_BYTES, Channel, PlainChannel, open_tls
from recorder.ingest.session import Phase, RedirectedError, RtspSession, VideoTrack
from vms.media.access_unit import Codec
from vms.media.depacketise import Batch, StreamDemuxer
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.reception import Reception
from vms.media.rtcp import build_receiver_report
from vms.media.rtsp import InterleavedFrame, RtspParser

log = structlog.get_logger(__name__)

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
"""As registered with IANA."""
CONNECT_TIMEOUT_S = 5.0
FIRST_ANSWER_S = 5.0
HANDSHAKE_TIMEOUT_S = 15.0
MAX_REDIRECTS = 3
MAX_EARLY_BYTES = 4 * 1024 * 1024
MAX_HANDSHAKE_MESSAGES = 200
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_OUR_SSRC = 0x564D5331


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and the address as the camera is to see it (without credentials)."""

    host: str
    port: int
    url: str
    secure: bool = False


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint of an `rtsp://` or `rtsps://` address; credentials in it are ignored. IngestError for any other."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise IngestError(Cause.PROTOCOL, "the stream address cannot be read") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not host:
        raise IngestError(Cause.PROTOCOL, f"no rtsp:// or rtsps:// address: scheme {scheme[:10]!r}")
    bare = f"[{host}]" if ":" in host else host
    netloc = f"{bare}:{port}" if port else bare
    address = urlunsplit((scheme, netloc, parts.path, parts.query, ""))
    return Endpoint(host, port or DEFAULT_PORTS[scheme], address, scheme == "rtsps")


class StreamConnection:
    """A playing stream."""

    extra_uncertainty_ms = 0
    hurried = False

    def __init__(self, channel: Channel, session: RtspSession, track: VideoTrack, early: bytes) -> None:
        self._channel = channel
        self._endpoint = parse_endpoint(session.url)
        self.keep_alive_s = session.keep_alive_s
        self.track = track
        self._session = session
        self._demuxer = StreamDemuxer(
            track.codec, track.rtp_channel, track.rtcp_channel, track.payload_type, track.parameters
        )
        self._early = early
        self._unsent = b""
        self._reception = Reception()

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._channel.socket.fileno()

    @property
    def codec(self) -> Codec:
        """What was set up."""
        return self.track.codec

    @property
    def capacity_bytes(self) -> int:
        """About what the socket holds at present: the system keeps half of its buffer for itself."""
        return self._channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def read(self, buffer: memoryview) -> tuple[int, Batch | None]:
        """Take what has arrived, without waiting: the number of bytes and what they held.

        Raises IngestError when the camera has closed, says goodbye or breaks the protocol.
        """
        data: memoryview | bytes
        if self._early:
            # By itself: the camera may have closed since, and this came before.
            data, self._early = self._early, b""
        else:
            try:
                data = buffer[: self._channel.recv_into(buffer)]
            except (BlockingIOError, InterruptedError):
                return 0, None
            except OSError as broken:
                raise _lost(broken) from None
            if not data:
                raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera closed the connection")
        try:
            batch = self._demuxer.feed(data)
        except MediaError as wrong:
            raise _refused(wrong) from None
        self._reception.count(batch.packets, batch.lost_packets, self._demuxer.next_sequence)
        for message in batch.rtsp:
            try:
                answer = self._session.receive(message)
            except RedirectedError as elsewhere:
                _redirected(self._endpoint, elsewhere.url)
                raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera moves the stream") from None
            if answer:
                self._send(answer)
        return len(data), batch

    def finish(self) -> Batch:
        """What was open when the connection ended."""
        try:
            return self._demuxer.finish()
        except MediaError:
            return Batch()

    def keep_alive(self) -> None:
        """Tell the camera that we are there, in RTSP and in RTCP."""
        source = self._demuxer.source
        report = build_receiver_report(_OUR_SSRC, (self._reception.block(source),) if source >= 0 else ())
        self._send(self._session.keep_alive() + InterleavedFrame(self.track.rtcp_channel, report).encode())

    def close(self) -> None:
        """Say goodbye, if that costs no waiting, and close."""
        with contextlib.suppress(OSError):
            if not self._unsent:
                self._channel.send(self._session.teardown())
        self._channel.close()

    def _send(self, data: bytes) -> None:
        data = self._unsent + data
        try:
            count = self._channel.send(data)
        except (BlockingIOError, InterruptedError):
            count = 0
        except OSError as broken:
            raise _lost(broken) from None
        self._unsent = data[count:]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise IngestError(Cause.PROTOCOL, "the camera reads nothing of what it is sent")


async def open_stream(
    url: str, username: str, password: str, buffer_bytes: int, tls_pins: Collection[str] = ()
) -> StreamConnection:
    """Connect, negotiate and start a stream. `buffer_bytes` is what its socket is to hold.

    `tls_pins` are the keys that a camera of an `rtsps://` address may have (`vms.base.tls`). Raises IngestError.
    """
    endpoint = parse_endpoint(url)
    for _ in range(MAX_REDIRECTS + 1):
        if endpoint.secure and not tls_pins:
            raise IngestError(Cause.TLS_NO_PIN, "an rtsps:// address, and no key recorded for it")
        session = RtspSession(endpoint.url, username, password)
        sock = await _connect(endpoint, buffer_bytes)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                return await _negotiate(sock, session, tls_pins if endpoint.secure else None)
        except RedirectedError as elsewhere:
            sock.close()
            endpoint = _redirected(endpoint, elsewhere.url)
        except TimeoutError:
            sock.close()
            raise IngestError(Cause.TIMEOUT, f"no answer to {session.phase}") from None
        except BaseException:
            sock.close()
            raise
    raise IngestError(Cause.PROTOCOL, "the camera redirects without end")


def _redirected(asked: Endpoint, url: str) -> Endpoint:
    """Where the camera sends us, as long as that is still the camera."""
    endpoint = parse_endpoint(url)
    if endpoint.host != asked.host:
        raise IngestError(Cause.REDIRECTED, f"the camera redirects to another host: {endpoint.host[:100]}")
    if asked.secure and not endpoint.secure:
        raise IngestError(Cause.REDIRECTED, "the camera redirects from TLS to the clear")
    return endpoint


def _refused(wrong: MediaError) -> IngestError:
    return IngestError(Cause.FLOOD if wrong.code is MediaErrorCode.FLOOD else Cause.PROTOCOL, str(wrong))


def _lost(broken: OSError) -> IngestError:
    if isinstance(broken, ssl.SSLError):
        return IngestError(Cause.PROTOCOL, f"TLS: {broken.reason}")
    return IngestError(Cause.CLOSED_BY_CAMERA, f"connection lost: {broken.strerror}")


async def _connect(endpoint: Endpoint, buffer_bytes: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            family, address = await _resolve(endpoint)
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            try:
                # Before connecting, as the window scale is settled in the first packet.
                _enlarge_buffer(sock, buffer_bytes)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                await loop.sock_connect(sock, address)
            except BaseException:
                sock.close()
                raise
            return sock
    except TimeoutError:
        raise IngestError(Cause.TIMEOUT, f"no connection to port {endpoint.port}") from None
    except ConnectionError as refused:
        raise IngestError(Cause.REFUSED, f"port {endpoint.port}: {refused.strerror}") from None
    except OSError as failed:
        cause = Cause.TIMEOUT if failed.errno == errno.ETIMEDOUT else Cause.UNREACHABLE
        raise IngestError(cause, f"{failed.strerror}") from None


def _enlarge_buffer(sock: socket.socket, wanted_bytes: int) -> None:
    """Let the socket hold so much, if the system allows it; otherwise leave it to the system, which grows it itself."""
    if _system_allows(wanted_bytes):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)


@functools.cache
def _system_allows(wanted_bytes: int) -> bool:
    """Whether `net.core.rmem_max` is no lower. Asked of a socket of its own: asking fixes the size for good."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)
        allowed = probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= wanted_bytes
    if not allowed:
        log.warning(
            "small socket buffers: cameras are read more often", wanted_bytes=wanted_bytes, fix="net.core.rmem_max"
        )
    return allowed


async def _resolve(endpoint: Endpoint) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """Addresses in numbers are taken as they are: the resolver is a thread that a thousand cameras would queue for."""
    try:
        version = ipaddress.ip_address(endpoint.host).version
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        return found[0][0], tuple(found[0][4])
    return socket.AF_INET6 if version == 6 else socket.AF_INET, (endpoint.host, endpoint.port)


async def _negotiate(sock: socket.socket, session: RtspSession, tls_pins: Collection[str] | None) -> StreamConnection:
    try:
        return await _converse(PlainChannel(sock) if tls_pins is None else await open_tls(sock, tls_pins), session)
    except MediaError as wrong:
        raise _refused(wrong) from None
    except ssl.SSLError as broken:
        raise _lost(broken) from None
    except TimeoutError:
        raise  # which is an OSError, too
    except OSError as broken:
        raise IngestError(
            Cause.CLOSED_BY_CAMERA, f"connection lost during {session.phase}: {broken.strerror}"
        ) from None


async def _converse(channel: Channel, session: RtspSession) -> StreamConnection:
    parser = RtspParser()
    early = bytearray()
    messages = 0
    await channel.send_all(session.start())
    while True:
        async with asyncio.timeout(FIRST_ANSWER_S if session.phase is Phase.OPTIONS else None):
            data = await channel.receive()
        if not data:
            raise IngestError(Cause.CLOSED_BY_CAMERA, f"connection closed during {session.phase}")
        parser.push(data)
        while (item := parser.next_item()) is not None:
            if isinstance(item, InterleavedFrame):
                early += item.encode()  # some cameras start before they answer PLAY
                if len(early) > MAX_EARLY_BYTES:
                    raise IngestError(Cause.PROTOCOL, "media floods the handshake")
                continue
            messages += 1
            if messages > MAX_HANDSHAKE_MESSAGES:
                raise IngestError(Cause.FLOOD, f"messages without end during {session.phase}")
            answer = session.receive(item)
            if answer:
                await channel.send_all(answer)
            if session.phase is Phase.PLAYING:
                assert session.track is not None, "PLAY comes after SETUP"
                return StreamConnection(channel, session, session.track, bytes(early) + parser.take_rest())
