"""Where a playing stream comes from: the camera itself, or the reader of foreign streams.

Rules
1. A camera is called natively, unless its assignment says that it speaks UDP only.
2. A camera that refuses RTP over its RTSP connection, or offers a codec that the native path does not carry, goes to
   the reader by itself, and stays there; when the camera refuses the reader too, the next attempt is native again.
3. The native path depends on no other process. Without a reader, a foreign stream is refused with the camera's cause.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from recorder.contract.assignment import StreamTransport
from recorder.ingest.causes import Cause, ForeignStreamError, IngestError
from vms.media.access_unit import Codec
from vms.media.depacketise import Batch

log = structlog.get_logger(__name__)


class PlayingStream(Protocol):
    """A stream that plays. Nothing here waits.

    `extra_uncertainty_ms` is what the way of a picture adds to the error of its date; `hurried` streams are read on
    arrival, as what they come through holds too little for a second.
    """

    @property
    def codec(self) -> Codec:
        """What the pictures are coded in."""

    @property
    def keep_alive_s(self) -> float:
        """How long to wait between two `keep_alive`."""

    @property
    def capacity_bytes(self) -> int:
        """About what waits unread without loss."""

    @property
    def extra_uncertainty_ms(self) -> int:
        """See above."""

    @property
    def hurried(self) -> bool:
        """See above."""

    def fileno(self) -> int:
        """The descriptor that becomes readable when something has come."""

    def read(self, buffer: memoryview) -> tuple[int, Batch | None]:
        """Take what has arrived: the number of bytes and what they held. Raises IngestError when the stream is over."""

    def finish(self) -> Batch:
        """What was open when the stream ended."""

    def keep_alive(self) -> None:
        """Tell the other end that we are there."""

    def close(self) -> None:
        """Let go of the stream."""


NativeOpen = Callable[[], Awaitable[PlayingStream]]
ForeignOpen = Callable[[StreamTransport], Awaitable[PlayingStream]]


class StreamOpener:
    """Opens one stream again and again, by the path that it was found to need. `foreign` is None without a reader."""

    def __init__(
        self, transport: StreamTransport, native: NativeOpen, foreign: ForeignOpen | None, names: dict[str, str]
    ) -> None:
        self._told = transport if transport is StreamTransport.UDP else None
        self._found: StreamTransport | None = None
        self._native = native
        self._foreign = foreign
        self._names = names

    async def open(self) -> PlayingStream:
        """A playing stream. Raises IngestError."""
        transport = self._told or self._found
        if transport is None or self._foreign is None:
            try:
                return await self._native()
            except ForeignStreamError as foreign:
                if self._foreign is None:
                    raise
                log.warning(
                    "stream goes to the reader", reason=foreign.detail, transport=foreign.transport, **self._names
                )
                transport = self._found = foreign.transport
        try:
            return await self._foreign(transport)
        except IngestError as lost:
            if lost.cause is not Cause.READER_UNAVAILABLE:
                self._found = None
            raise
