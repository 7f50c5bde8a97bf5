"""One foreign stream, in a worker of its own: libavformat takes it apart, nothing is decoded for the record.

Rules
1. Only video is ever set up: sound and data are left out before SETUP (LAW-12).
2. Every wait has a deadline that the library keeps, and a later one that the kernel keeps.
3. The recorder is never waited for: what it does not take is bounded, and then the worker ends.
4. Only `rtsp://` is opened, and what that needs; nothing a camera says makes the library open anything else.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import av
import av.error
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from recorder.contract.assignment import StreamTransport
from recorder.decoding.forking import deadline
from recorder.decoding.units import MediaTimes, picture_reader
from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.foreign import json_message, parameters_message, unit_head
from vms.base.framing import FrameError, parse_json_frame
from vms.media.access_unit import RTP_CLOCK_HZ, AccessUnit, Codec, ParameterSets
from vms.media.errors import MediaError

OPEN_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 13.0
GRACE_S: Final = 5.0
REQUEST_TIMEOUT_S: Final = 5.0
MAX_REQUEST_BYTES: Final = 16 * 1024
MAX_UNSENT_BYTES: Final = 16 * 1024 * 1024
REPORT_EVERY_90K: Final = 5 * RTP_CLOCK_HZ
MAX_BAD_PICTURES: Final = 250
_SEND_BUFFER_BYTES = 4 * 1024 * 1024
_CODECS: Final = {"h264": Codec.H264, "hevc": Codec.H265, "mpeg4": Codec.MPEG4, "mjpeg": Codec.MJPEG}
_REFERENCE_TIME = struct.Struct("=q")
_OPTIONS: Final = {
    "allowed_media_types": "video",
    "protocol_whitelist": "rtsp,rtp,udp,tcp",
    "rtsp_flags": "prefer_tcp",
    "buffer_size": str(_SEND_BUFFER_BYTES),
    "fpsprobesize": "0",
    "analyzeduration": "2000000",
    "probesize": "2000000",
    "max_streams": "4",
}
_TRANSPORTS: Final = {StreamTransport.TCP: "tcp+udp", StreamTransport.UDP: "udp"}


def serve_stream(connection: socket.socket) -> None:
    """Fetch the stream that the other end asks for until one of the two ends it. Returns; never raises for a stream."""
    av.logging.set_level(None)
    outbox = _Outbox(connection)
    try:
        deadline(REQUEST_TIMEOUT_S)
        url, transport = _request(connection)
        _fetch(url, transport, outbox)
    except IngestError as ended:
        outbox.end(ended)
    except MemoryError:
        outbox.end(IngestError(Cause.PROTOCOL, "the stream needs more memory than a reader has"))
    except (BrokenPipeError, ConnectionError, FrameError):
        return


def _request(connection: socket.socket) -> tuple[str, StreamTransport]:
    connection.settimeout(REQUEST_TIMEOUT_S)
    length = int.from_bytes(_exactly(connection, 4), "big")
    if not 1 < length <= MAX_REQUEST_BYTES:
        raise FrameError(f"request of {length} bytes")
    values = parse_json_frame(_exactly(connection, length)[1:])
    try:
        url, username, password = (str(values[name]) for name in ("url", "username", "password"))
        return _with_credentials(url, username, password), StreamTransport(values["transport"])
    except (KeyError, ValueError):
        raise IngestError(Cause.PROTOCOL, "the stream address cannot be read") from None


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = connection.recv(size, socket.MSG_WAITALL)
    if len(data) != size:
        raise FrameError("request is cut")
    return data


def _with_credentials(url: str, username: str, password: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.lower() != "rtsp" or not parts.hostname:
        raise IngestError(Cause.PROTOCOL, f"the reader carries rtsp:// alone, not {parts.scheme[:10]!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{parts.port}" if parts.port else host
    if username or password:
        place = f"{quote(username, safe='')}:{quote(password, safe='')}@{place}"
    return urlunsplit(("rtsp", place, parts.path, parts.query, ""))


def _fetch(url: str, transport: StreamTransport, outbox: _Outbox) -> None:
    options = {**_OPTIONS, "rtsp_transport": _TRANSPORTS[transport]}
    deadline(OPEN_TIMEOUT_S + GRACE_S)
    try:
        with av.open(
            url, format="rtsp", options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S), metadata_errors="ignore"
        ) as container:
            _pump(container, outbox)
    except av.error.FFmpegError as failure:
        raise _as_ingest_error(failure) from None
    except UnicodeError:
        raise IngestError(Cause.PROTOCOL, "the camera describes its stream in no text") from None


def _pump(container: InputContainer, outbox: _Outbox) -> None:
    stream = next(iter(container.streams.video), None)
    name = stream.codec_context.name if stream is not None else "no video"
    codec = _CODECS.get(name)
    if stream is None or codec is None:
        raise IngestError(Cause.UNSUPPORTED_CODEC, f"the camera offers {name[:40]}")
    reader = picture_reader(codec, bytes(stream.codec_context.extradata or b""))
    times = MediaTimes(_interval_90k(stream))
    outbox.send(json_message(event="playing", codec=codec.value))
    next_report_90k: int | None = None
    bad = 0
    packets = container.demux(stream)
    while True:
        deadline(READ_TIMEOUT_S + GRACE_S)
        packet = next(packets, None)
        if packet is None or not packet.size:
            raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera ends the stream")
        for data, timestamp_90k in times.place(bytes(packet), _timestamp_90k(packet)):
            try:
                unit = reader.read(data, timestamp_90k, damaged=packet.is_corrupt)
                bad = 0
            except MediaError as wrong:
                bad += 1
                if bad > MAX_BAD_PICTURES:
                    raise IngestError(Cause.PROTOCOL, str(wrong)) from None
                continue
            if unit is not None:
                outbox.send_unit(unit)
        report = _camera_time(packet)
        if report is not None and (next_report_90k is None or report[1] >= next_report_90k):
            next_report_90k = report[1] + REPORT_EVERY_90K
            outbox.send(json_message(event="report", ntp_utc_ns=report[0], rtp_timestamp=report[1] & 0xFFFF_FFFF))


def _timestamp_90k(packet: Packet[Any]) -> int | None:
    ticks = packet.pts if packet.pts is not None else packet.dts
    if ticks is None:
        return None
    return int(ticks * packet.time_base * RTP_CLOCK_HZ)


def _interval_90k(stream: VideoStream) -> int:
    rate = stream.guessed_rate or stream.average_rate
    return round(RTP_CLOCK_HZ / rate) if rate and 1 <= rate <= 240 else RTP_CLOCK_HZ // 25


def _camera_time(packet: Packet[Any]) -> tuple[int, int] | None:
    """What the camera's clock said at the media time of this packet: UTC nanoseconds, ticks of 90 kHz."""
    timestamp_90k = _timestamp_90k(packet)
    if timestamp_90k is None or not packet.has_sidedata("prft"):
        return None
    data = bytes(packet.get_sidedata("prft"))
    if len(data) < _REFERENCE_TIME.size:
        return None
    (wall_us,) = _REFERENCE_TIME.unpack_from(data)
    return wall_us * 1_000, timestamp_90k


def _as_ingest_error(failure: av.error.FFmpegError) -> IngestError:
    causes: tuple[tuple[type[Exception], Cause], ...] = (
        (av.error.HTTPUnauthorizedError, Cause.BAD_PASSWORD),
        (av.error.HTTPForbiddenError, Cause.BAD_PASSWORD),
        (av.error.HTTPClientError, Cause.REFUSED),
        (av.error.HTTPServerError, Cause.REFUSED),
        (ConnectionRefusedError, Cause.REFUSED),
        (ConnectionError, Cause.CLOSED_BY_CAMERA),
        (TimeoutError, Cause.TIMEOUT),
        (av.error.ExitError, Cause.TIMEOUT),
        (av.error.EOFError, Cause.CLOSED_BY_CAMERA),
        (OSError, Cause.UNREACHABLE),
    )
    cause = next((cause for kind, cause in causes if isinstance(failure, kind)), Cause.PROTOCOL)
    if isinstance(failure, av.error.InvalidDataError):
        cause = Cause.PROTOCOL
    return IngestError(cause, f"libavformat: {type(failure).__name__} {failure.strerror}"[:200])


class _Outbox:
    """What goes to the recorder. Nothing waits but the last word."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._parameters: ParameterSets | None = None

    def send_unit(self, unit: AccessUnit) -> None:
        """Send a unit, and its parameter sets when they are others than before."""
        if unit.parameters is not self._parameters:
            self._parameters = unit.parameters
            self._queue(parameters_message(unit.parameters))
        self._queue(unit_head(unit.rtp_timestamp, unit.size, key=unit.key, damaged=unit.damaged))
        for chunk in unit.chunks:
            self._queue(chunk)
        self._flush()

    def send(self, data: bytes) -> None:
        """Send a message."""
        self._queue(data)
        self._flush()

    def end(self, ended: IngestError) -> None:
        """Say why nothing more comes, and wait a little for it to be taken."""
        deadline(GRACE_S)
        with contextlib.suppress(OSError):
            self._connection.setblocking(True)
            for waiting in self._unsent:
                self._connection.sendall(waiting)
            self._connection.sendall(json_message(event="ended", cause=ended.cause.value, detail=ended.detail))

    def _queue(self, data: bytes | memoryview) -> None:
        self._unsent.append(memoryview(data))
        self._unsent_bytes += len(data)

    def _flush(self) -> None:
        self._connection.setblocking(False)
        try:
            while self._unsent:
                head = self._unsent[0]
                count = self._connection.send(head)
                self._unsent_bytes -= count
                if count == len(head):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = head[count:]
        except BlockingIOError:
            if self._unsent_bytes > MAX_UNSENT_BYTES:
                raise IngestError(Cause.INTERNAL, "the recorder takes nothing of the reader") from None
