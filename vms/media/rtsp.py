"""RTSP messages (RFC 2326) as values, and a parser for the bytes of a connection.

Rules
- Pure: bytes in, messages out. Requests, responses and interleaved frames may come in any order and any split.
- Tolerant where cameras are: line ends of LF, folded header lines, empty lines between messages, header names in any
  case, RTSP/2.0 and lower-case versions. Strict where memory is at stake: header block, body and count are bounded.
- Header values are text of one byte per character (ISO 8859-1), so nothing a camera writes fails to decode.
"""

from __future__ import annotations

from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RtspLimits:
    """Bounds on one message."""

    header_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024
    header_count: int = 64


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """A request. `headers` keeps order and repeats."""

    method: str
    uri: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class RtspResponse:
    """A response. `headers` keeps order and repeats (two WWW-Authenticate lines are common)."""

    status: int
    reason: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class InterleavedFrame:
    """One '$' frame (RFC 2326, 10.12)."""

    channel: int
    payload: bytes


RtspItem = RtspRequest | RtspResponse | InterleavedFrame


class RtspParser:
    """Cuts the bytes of one connection into messages and frames."""

    def __init__(self, limits: RtspLimits | None = None) -> None:
        raise NotImplementedError

    def push(self, data: bytes | memoryview) -> None:
        """Adds bytes; `next_item` reads them."""
        raise NotImplementedError

    def next_item(self) -> RtspItem | None:
        """The next complete message or frame; None when more bytes are needed."""
        raise NotImplementedError

    def feed(self, data: bytes | memoryview) -> list[RtspItem]:
        """`push`, then all complete items."""
        raise NotImplementedError

    def take_rest(self) -> bytes:
        """The bytes not yet read: after the answer to PLAY they belong to the `StreamDemuxer`."""
        raise NotImplementedError
