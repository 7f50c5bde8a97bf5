"""Streams that the reader process fetches for us: UDP-only cameras, MPEG-4 Part 2, Motion JPEG.

The reader is `recorder.decoding.reader`, a process of its own behind a Unix socket, one connection for one stream. It
only takes streams apart, decodes nothing, and gives access units as the native path does; the bytes of a picture are
those that the camera sent (LAW-41).

Frames (`vms.base.framing`), the first byte tells the kind:

    J {"url", "username", "password", "transport"}                           to the reader, once
    J {"event": "playing", "codec"} or {"event": "ended", "cause", "detail"} its answer, within a deadline
    J {"event": "parameters", "codec", "vps", "sps", "pps"} (hexadecimal)    before the first unit and at each change
    U time stamp (90 kHz, signed 64 bits), flags (1 key, 2 damaged), sample bytes
    J {"event": "report", "ntp_utc_ns", "rtp_timestamp"}                     the camera's clock at a media time
    J {"event": "ended", "cause", "detail"}                                  nothing more comes, and why

A connection that ends without a word says that the reader itself died: a cause of ours, not of the camera.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from recorder.contract.assignment import StreamTransport
from recorder.ingest.causes import Cause, IngestError
from vms.base.framing import MAX_FRAME_BYTES, FrameError, frame, parse_json_frame
from vms.media.access_unit import RTP_CLOCK_HZ, AccessUnit, Codec, ParameterSets
from vms.media.depacketise import Batch
from vms.media.rtcp import SenderReport

UNIT_HEAD: Final = struct.Struct(">qB")
FLAG_KEY, FLAG_DAMAGED = 1, 2
JSON_FRAME, UNIT_FRAME = b"J"[0], b"U"[0]

MAX_UNIT_BYTES: Final = 8 * 1024 * 1024
MAX_JSON_BYTES: Final = 256 * 1024
"""A worker of the reader has read what a camera sent: it is no more trusted than the camera."""
OPEN_TIMEOUT_S = 30.0
"""Longer than the deadlines of the reader, whose own word says more."""
KEEP_ALIVE_S = 3_600.0
"""The reader keeps the session with the camera alive; there is nothing to say to it."""
READER_UNCERTAINTY_MS = 100
_MAX_INTERVAL_90K = RTP_CLOCK_HZ
_READ_BYTES = 64 * 1024
_LENGTH = struct.Struct(">I")


def json_message(**values: object) -> bytes:
    """A whole frame with a JSON object."""
    return frame(b"J" + json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode())


def unit_head(timestamp_90k: int, size: int, *, key: bool, damaged: bool) -> bytes:
    """What stands before the `size` sample bytes of a unit, the length of the frame included."""
    flags = FLAG_KEY * key | FLAG_DAMAGED * damaged
    return _LENGTH.pack(1 + UNIT_HEAD.size + size) + b"U" + UNIT_HEAD.pack(timestamp_90k, flags)


def parameters_message(parameters: ParameterSets) -> bytes:
    """A whole frame with parameter sets."""
    return json_message(
        event="parameters",
        codec=parameters.codec.value,
        vps=parameters.vps.hex(),
        sps=parameters.sps.hex(),
        pps=[one.hex() for one in parameters.pps],
    )


class ForeignConnection:
    """A stream that plays through the reader. See `PlayingStream`."""

    keep_alive_s = KEEP_ALIVE_S
    hurried = True

    def __init__(self, sock: socket.socket, codec: Codec, early: bytes) -> None:
        self.socket = sock
        self.codec = codec
        self._pending = bytearray(early)
        self._is_early = bool(early)
        self._parameters: ParameterSets | None = None
        self._last_90k: int | None = None
        self._interval_90k = RTP_CLOCK_HZ // 25
        self._over: IngestError | None = None

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self.socket.fileno()

    @property
    def capacity_bytes(self) -> int:
        """About what the socket holds."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2

    @property
    def extra_uncertainty_ms(self) -> int:
        """What the reader holds back: a picture is known to be whole when the next one begins."""
        return READER_UNCERTAINTY_MS + self._interval_90k * 1_000 // RTP_CLOCK_HZ

    def read(self, buffer: memoryview) -> tuple[int, Batch | None]:
        """Take what has arrived, without waiting. Raises IngestError when the stream is over."""
        if self._over is not None:
            raise self._over
        count = 0
        if self._is_early:
            self._is_early = False
        else:
            try:
                count = self.socket.recv_into(buffer)
            except (BlockingIOError, InterruptedError):
                return 0, None
            except OSError as broken:
                raise _reader_died(f"connection lost: {broken.strerror}") from None
            if not count:
                raise _reader_died("the reader closed the connection")
        self._pending += buffer[:count]
        batch = Batch()
        try:
            for content in _whole_frames(self._pending):
                self._take(content, batch)
        except FrameError as broken:
            self._over = _reader_died(str(broken))
        except IngestError as ended:
            self._over = ended
        if self._over is not None and not batch.access_units:
            raise self._over
        return count, batch

    def finish(self) -> Batch:
        """Nothing is ever half there."""
        return Batch()

    def keep_alive(self) -> None:
        """The reader does it."""

    def close(self) -> None:
        """Let go; the reader notices."""
        self.socket.close()

    def _take(self, content: memoryview, batch: Batch) -> None:
        if content[0] == UNIT_FRAME and 1 + UNIT_HEAD.size < len(content) <= MAX_UNIT_BYTES:
            self._take_unit(content, batch)
            return
        values = _json_values(content)
        match values.get("event"):
            case "parameters":
                self._parameters = _parameters(values)
            case "report":
                batch.sender_reports.append(_report(values))
            case "ended":
                raise _ended(values)

    def _take_unit(self, content: memoryview, batch: Batch) -> None:
        if self._parameters is None:
            raise FrameError("unit before its parameter sets")
        timestamp_90k, flags = UNIT_HEAD.unpack_from(content, 1)
        sample = bytes(content[1 + UNIT_HEAD.size :])
        if self._last_90k is not None and 0 < timestamp_90k - self._last_90k < _MAX_INTERVAL_90K:
            self._interval_90k = timestamp_90k - self._last_90k
        self._last_90k = timestamp_90k
        key, damaged = bool(flags & FLAG_KEY), bool(flags & FLAG_DAMAGED)
        batch.access_units.append(AccessUnit(timestamp_90k, [sample], len(sample), key, self._parameters, damaged))
        batch.packets += 1


async def open_foreign(
    reader_socket: Path, url: str, username: str, password: str, transport: StreamTransport
) -> ForeignConnection:
    """Let the reader fetch a stream. Raises IngestError: the camera's cause, or `reader_unavailable`."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await loop.sock_connect(sock, str(reader_socket))
            asked = json_message(url=url, username=username, password=password, transport=transport.value)
            await loop.sock_sendall(sock, asked)
            return await _until_playing(loop, sock)
    except TimeoutError:
        sock.close()
        raise IngestError(Cause.TIMEOUT, "no answer through the reader") from None
    except OSError as refused:
        sock.close()
        raise _reader_died(f"no reader: {refused.strerror}") from None
    except FrameError as broken:
        sock.close()
        raise _reader_died(str(broken)) from None
    except BaseException:
        sock.close()
        raise


async def _until_playing(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> ForeignConnection:
    pending = bytearray()
    while True:
        data = await loop.sock_recv(sock, _READ_BYTES)
        if not data:
            raise _reader_died("the reader closed the connection")
        pending += data
        content = next(_whole_frames(pending), None)
        if content is None:
            continue
        values = _json_values(content)
        if values.get("event") != "playing":
            raise _ended(values)
        try:
            codec = Codec(values["codec"])
        except (KeyError, ValueError):
            raise FrameError("codec of an unknown name") from None
        return ForeignConnection(sock, codec, bytes(pending))


def _whole_frames(pending: bytearray) -> Iterator[memoryview]:
    """Take every whole frame off the front, one by one; what is left is the beginning of the next."""
    while len(pending) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(pending)
        if not 0 < length <= MAX_FRAME_BYTES:
            raise FrameError(f"frame of {length} bytes")
        end = _LENGTH.size + length
        if len(pending) < end:
            return
        content = bytes(memoryview(pending)[_LENGTH.size : end])
        del pending[:end]
        yield memoryview(content)


def _json_values(content: memoryview) -> dict[str, Any]:
    if content[0] != JSON_FRAME or len(content) > MAX_JSON_BYTES:
        raise FrameError("frame of an unknown kind")
    return parse_json_frame(bytes(content[1:]))


def _parameters(values: dict[str, Any]) -> ParameterSets:
    try:
        return ParameterSets(
            Codec(values["codec"]),
            bytes.fromhex(values["vps"]),
            bytes.fromhex(values["sps"]),
            tuple(bytes.fromhex(one) for one in values["pps"]),
        )
    except (KeyError, TypeError, ValueError):
        raise FrameError("parameter sets of an unknown shape") from None


def _report(values: dict[str, Any]) -> SenderReport:
    try:
        return SenderReport(0, int(values["ntp_utc_ns"]), int(values["rtp_timestamp"]) & 0xFFFF_FFFF, 0, 0)
    except (KeyError, TypeError, ValueError):
        raise FrameError("report of an unknown shape") from None


def _ended(values: dict[str, Any]) -> IngestError:
    cause = str(values.get("cause"))
    known = Cause(cause) if cause in set(Cause) else Cause.PROTOCOL
    return IngestError(known, str(values.get("detail", ""))[:400])


def _reader_died(detail: str) -> IngestError:
    return IngestError(Cause.READER_UNAVAILABLE, detail)
