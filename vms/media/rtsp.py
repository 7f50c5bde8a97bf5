"""RTSP messages (RFC 2326) as values, and a parser for the bytes of a connection.

Rules
- Pure: bytes in, messages out. Requests, responses and interleaved frames may come in any order and any split.
- Tolerant where cameras are: line ends of LF, folded header lines, empty lines between messages, header names in any
  case, RTSP/2.0 and lower-case versions. Strict where memory is at stake: header block, body and count are bounded.
  A line whose name is no name (RFC 7230, 3.2.6) is passed over: two readers would not agree on what it says.
- Header values are text of one byte per character (ISO 8859-1), so nothing a camera writes fails to decode.
- A message that is written never carries a line break inside a header: what came from outside cannot add a header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vms.media.errors import MediaError, MediaErrorCode

Headers = tuple[tuple[str, str], ...]

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"RTSP/\d+\.\d+[ \t]+(\d{3})(?:[ \t]+(.*))?", re.IGNORECASE)
_REQUEST_LINE = re.compile(r"([A-Z_]{3,32})[ \t]+(\S+)[ \t]+RTSP/\d+\.\d+[ \t]*", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,9}")
_HEADER_NAME = re.compile(r"[!#-'*+.0-9A-Z^_`a-z|~-]{1,64}")
_LINE_BREAKS = re.compile(r"[\r\n\0]+")


@dataclass(frozen=True, slots=True)
class RtspLimits:
    """Bounds on one message."""

    header_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024
    header_count: int = 64


def find_header(headers: Headers, name: str) -> str | None:
    """The first value of a header, whatever the case of its name."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def find_headers(headers: Headers, name: str) -> tuple[str, ...]:
    """All values of a header, in order."""
    wanted = name.lower()
    return tuple(value for key, value in headers if key.lower() == wanted)


def _sequence_number(headers: Headers) -> int | None:
    value = (find_header(headers, "CSeq") or "").strip()
    return int(value) if _LENGTH.fullmatch(value) else None


def _encode(first_line: str, headers: Headers, body: bytes) -> bytes:
    lines = [first_line, *(f"{name}: {value}" for name, value in headers)]
    if body and find_header(headers, "Content-Length") is None:
        lines.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(_LINE_BREAKS.sub(" ", line) for line in lines)
    return text.encode("latin-1", "replace") + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """A request. `headers` keeps order and repeats."""

    method: str
    uri: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def cseq(self) -> int | None:
        """The number that pairs it with its answer; None when absent or no number."""
        return _sequence_number(self.headers)

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return find_header(self.headers, name)

    def encode(self) -> bytes:
        """The bytes on the wire; Content-Length is added where a body needs it."""
        return _encode(f"{self.method} {self.uri} RTSP/1.0", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class RtspResponse:
    """A response. `headers` keeps order and repeats (two WWW-Authenticate lines are common)."""

    status: int
    reason: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def cseq(self) -> int | None:
        """The number of the request that it answers; None when absent or no number."""
        return _sequence_number(self.headers)

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return find_header(self.headers, name)

    def all_headers(self, name: str) -> tuple[str, ...]:
        """All values of a header."""
        return find_headers(self.headers, name)

    def encode(self) -> bytes:
        """The bytes on the wire; Content-Length is added where a body needs it."""
        return _encode(f"RTSP/1.0 {self.status} {self.reason}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class InterleavedFrame:
    """One '$' frame (RFC 2326, 10.12): binary data of one channel between messages."""

    channel: int
    payload: bytes

    def encode(self) -> bytes:
        """The bytes on the wire. Raises ValueError when the payload exceeds 65535 bytes."""
        if len(self.payload) > 0xFFFF:
            raise ValueError("an interleaved frame holds at most 65535 bytes")
        return b"$" + bytes([self.channel]) + len(self.payload).to_bytes(2, "big") + self.payload


RtspMessage = RtspRequest | RtspResponse
RtspItem = RtspMessage | InterleavedFrame


def parse_message(data: bytes | bytearray, start: int, limits: RtspLimits) -> tuple[RtspMessage, int] | None:
    """The message at `start` and where it ends; None while it is incomplete.

    Raises MediaError on what is no RTSP, or a header block or body over its limit.
    """
    found = _HEAD_END.search(data, start, start + limits.header_bytes + 4)
    if found is None:
        if len(data) - start > limits.header_bytes:
            raise MediaError(MediaErrorCode.RTSP_TOO_LARGE, f"RTSP header block over {limits.header_bytes} bytes")
        return None
    head = bytes(data[start : found.start()]).decode("latin-1")
    first_line, headers = _parse_head(head, limits)
    length = _body_length(headers, limits)
    stop = found.end() + length
    if len(data) < stop:
        return None
    body = bytes(data[found.end() : stop])
    if status := _STATUS_LINE.fullmatch(first_line):
        return RtspResponse(int(status[1]), (status[2] or "").strip(), headers, body), stop
    if request := _REQUEST_LINE.fullmatch(first_line):
        return RtspRequest(request[1].upper(), request[2], headers, body), stop
    raise MediaError(MediaErrorCode.RTSP_MALFORMED, f"no RTSP start line: {first_line[:80]!r}")


def _parse_head(head: str, limits: RtspLimits) -> tuple[str, Headers]:
    first_line, *lines = head.replace("\r\n", "\n").split("\n")
    if len(lines) > limits.header_count:
        raise MediaError(MediaErrorCode.RTSP_TOO_LARGE, f"over {limits.header_count} RTSP header lines")
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in {" ", "\t"} and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon and _HEADER_NAME.fullmatch(name.strip()):
            headers.append((name.strip(), value.strip()))
    return first_line.strip(), tuple(headers)


def _body_length(headers: Headers, limits: RtspLimits) -> int:
    value = find_header(headers, "Content-Length")
    if value is None:
        return 0
    if not _LENGTH.fullmatch(value):
        raise MediaError(MediaErrorCode.RTSP_MALFORMED, f"Content-Length is no number: {value[:20]!r}")
    length = int(value)
    if length > limits.body_bytes:
        raise MediaError(MediaErrorCode.RTSP_TOO_LARGE, f"RTSP body of {length} bytes, over {limits.body_bytes}")
    return length


class RtspParser:
    """Cuts the bytes of one connection into messages and frames: the handshake of a client, or all of a server.

    Holds at most one incomplete item beyond what was pushed. After a MediaError the connection is of no use.
    """

    def __init__(self, limits: RtspLimits | None = None) -> None:
        self._limits = limits or RtspLimits()
        self._buffer = bytearray()
        self._position = 0

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Adds bytes; `next_item` reads them."""
        if self._position:
            del self._buffer[: self._position]
            self._position = 0
        self._buffer += data

    def next_item(self) -> RtspItem | None:
        """The next complete message or frame; None when more bytes are needed. Raises MediaError."""
        buffer = self._buffer
        while self._position < len(buffer) and buffer[self._position] in b"\r\n":
            self._position += 1
        start = self._position
        if start == len(buffer):
            return None
        if buffer[start] == 0x24:
            if len(buffer) < start + 4:
                return None
            stop = start + 4 + int.from_bytes(buffer[start + 2 : start + 4], "big")
            if len(buffer) < stop:
                return None
            self._position = stop
            return InterleavedFrame(buffer[start + 1], bytes(buffer[start + 4 : stop]))
        parsed = parse_message(buffer, start, self._limits)
        if parsed is None:
            return None
        message, self._position = parsed
        return message

    def feed(self, data: bytes | bytearray | memoryview) -> list[RtspItem]:
        """`push`, then all complete items. Raises MediaError."""
        self.push(data)
        items = []
        while (item := self.next_item()) is not None:
            items.append(item)
        return items

    def take_rest(self) -> bytes:
        """The bytes not yet read: after the answer to PLAY they belong to the `StreamDemuxer`."""
        rest = bytes(self._buffer[self._position :])
        self._buffer.clear()
        self._position = 0
        return rest
