"""One tile of one wall: its own bounded queue between a shared stream and a browser.

Rules:

1. `offer` never waits: a writer is not slowed by a reader.
2. A browser that is too slow loses every queued fragment, then everything up to the next key frame; each is counted,
   and a `lag` message says so before that key frame.
3. The first fragment of a stream goes out behind its announcement and its initialisation segment, and is a key frame.
4. A change of role keeps the old stream until the new one has its first picture.
5. When the lease ends, what is queued is thrown away: no frame leaves after that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.live import messages
from recorder.live.fragmenter import Fragment, LiveStream
from recorder.live.leases import Lease

MAX_QUEUED_FRAGMENTS = 50
MAX_QUEUED_BYTES = 4 * 1024 * 1024

Outgoing = str | tuple[bytes, bytes]
"""A text message, or the head and the body of a binary one."""


class Listener(Protocol):
    """What a shared stream tells each of its viewers. No call may wait or raise."""

    def on_status(self, status: StreamStatus) -> None:
        """The condition of the stream has changed."""

    def on_group(self, fragments: Sequence[Fragment]) -> None:
        """Everything since the last key frame, at once, for a viewer that has just come."""

    def on_fragment(self, fragment: Fragment) -> None:
        """The next fragment."""


class LiveSource(Protocol):
    """A shared stream that viewers attach to."""

    def attach(self, listener: Listener) -> None:
        """Tell this listener the condition and the group of pictures at hand, and everything from now on."""

    def detach(self, listener: Listener) -> None:
        """Tell it nothing more."""


class Tile:
    """The queue of one tile. `wake` is called whenever there is something to take."""

    def __init__(self, number: int, wake: Callable[[], None]) -> None:
        self.number = number
        self.role: StreamRole | None = None
        self._wake = wake
        self._lease: Lease | None = None
        self._queue: deque[StreamStatus | Fragment] = deque()
        self._burst = 0
        self._queued_bytes = 0
        self._unreported = 0
        self._awaits_key = True
        self._announced: LiveStream | None = None
        self._initialised: LiveStream | None = None
        self._generation = 0
        self._current: _Feed | None = None
        self._next: _Feed | None = None

    @property
    def lease(self) -> Lease:
        """The lease that this tile shows images under."""
        assert self._lease is not None, "a tile is given its lease when it is opened"
        return self._lease

    def begin(self, lease: Lease, role: StreamRole, source: LiveSource) -> None:
        """Show a stream under a lease."""
        self._lease = lease
        self.role = role
        self._current = _Feed(self, source)
        self._current.start()

    def switch(self, role: StreamRole, source: LiveSource) -> None:
        """Go over to another stream of the same camera, as soon as it has a picture."""
        self.role = role
        if self._next is not None:
            self._next.stop()
            self._next = None
        if self._current is not None and self._current.source is source:
            return
        feed = _Feed(self, source)
        if self._current is None or not self._current.shows_pictures:
            self._promote(feed)
        else:
            self._next = feed
        feed.start()

    def stop(self) -> None:
        """Leave the streams and throw away what is queued."""
        for feed in (self._current, self._next):
            if feed is not None:
                feed.stop()
        self._current = self._next = None
        self._clear()

    def take(self) -> Outgoing | None:
        """The next message for the browser, or None. Announcements come out just before what they announce."""
        if not self._queue:
            return None
        item = self._queue[0]
        if isinstance(item, StreamStatus):
            self._queue.popleft()
            return messages.status_text(self.number, item)
        if item.stream is not self._announced:
            self._announced = item.stream
            self._generation += 1
            stream = item.stream
            return messages.stream_text(self.number, stream.mime, stream.width, stream.height, self._generation)
        if item.stream is not self._initialised:
            self._initialised = item.stream
            self.lease.count(len(item.stream.init), 0)
            return self._binary(messages.KIND_INIT, item.capture_utc_ns, 0, item.stream.init)
        if self._unreported and item.key:
            dropped, self._unreported = self._unreported, 0
            return messages.lag_text(self.number, dropped)
        self._queue.popleft()
        self._burst = max(0, self._burst - 1)
        self._queued_bytes -= len(item.data)
        self.lease.count(len(item.data))
        flags = messages.FLAG_KEY if item.key else 0
        return self._binary(messages.KIND_FRAGMENT, item.capture_utc_ns, flags, item.data)

    def _binary(self, kind: int, capture_utc_ns: int, flags: int, body: bytes) -> Outgoing:
        return messages.head(kind, self.number, self._generation, capture_utc_ns, flags), body

    def offer_status(self, feed: _Feed, status: StreamStatus) -> None:
        """Queue a condition; one that the browser has not taken yet is replaced."""
        if feed is not self._current:
            return
        if self._queue and isinstance(self._queue[-1], StreamStatus):
            self._queue.pop()
        self._queue.append(status)
        self._wake()

    def offer_group(self, feed: _Feed, fragments: Sequence[Fragment]) -> None:
        """Queue the group of pictures at hand; it does not count against the bound, for it comes but once."""
        if not fragments:
            return
        self._promote(feed)
        self._awaits_key = False
        self._burst += len(fragments)
        for fragment in fragments:
            self._append(fragment)
        self._wake()

    def offer(self, feed: _Feed, fragment: Fragment) -> None:
        """Queue a fragment, or drop it by the rules of this module."""
        if feed is not self._current:
            if not fragment.key:
                return
            self._promote(feed)
        if self._awaits_key:
            if not fragment.key:
                if self._announced is not None:
                    self._count_drops(1)
                return
            self._awaits_key = False
        elif self._is_full(fragment):
            self._overflow(fragment)
            return
        self._append(fragment)
        self._wake()

    def _append(self, fragment: Fragment) -> None:
        self._queue.append(fragment)
        self._queued_bytes += len(fragment.data)

    def _is_full(self, fragment: Fragment) -> bool:
        live = len(self._queue) - self._burst
        if live >= MAX_QUEUED_FRAGMENTS:
            return True
        return not self._burst and bool(live) and self._queued_bytes + len(fragment.data) > MAX_QUEUED_BYTES

    def _overflow(self, fragment: Fragment) -> None:
        lost = sum(1 for item in self._queue if isinstance(item, Fragment))
        statuses = [item for item in self._queue if isinstance(item, StreamStatus)]
        self._clear()
        self._queue.extend(statuses[-1:])
        self._count_drops(lost)
        if fragment.key:
            self._awaits_key = False
            self._append(fragment)
        else:
            self._count_drops(1)

    def _count_drops(self, number: int) -> None:
        self.lease.use.dropped_fragments += number
        self._unreported += number

    def _clear(self) -> None:
        self._queue.clear()
        self._burst = 0
        self._queued_bytes = 0
        self._awaits_key = True

    def _promote(self, feed: _Feed) -> None:
        if feed is self._current:
            return
        if self._current is not None:
            self._current.stop()
        self._current, self._next = feed, None
        self._clear()
        if feed.status is not None:
            self._queue.append(feed.status)


class _Feed:
    """The end of a shared stream at one tile; a tile that changes its role has two for a moment."""

    __slots__ = ("_attached", "_tile", "source", "status")

    def __init__(self, tile: Tile, source: LiveSource) -> None:
        self._tile = tile
        self.source = source
        self.status: StreamStatus | None = None
        self._attached = False

    @property
    def shows_pictures(self) -> bool:
        return self.status is not None and self.status.condition is StreamCondition.LIVE

    def start(self) -> None:
        self._attached = True
        self.source.attach(self)

    def stop(self) -> None:
        if self._attached:
            self._attached = False
            self.source.detach(self)

    def on_status(self, status: StreamStatus) -> None:
        self.status = status
        if self._attached:
            self._tile.offer_status(self, status)

    def on_group(self, fragments: Sequence[Fragment]) -> None:
        if self._attached:
            self._tile.offer_group(self, fragments)

    def on_fragment(self, fragment: Fragment) -> None:
        if self._attached:
            self._tile.offer(self, fragment)
