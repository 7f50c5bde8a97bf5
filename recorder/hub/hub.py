"""The hub of one stream: one writer, any number of readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.hub.reader import HubReader
from recorder.hub.unit import DatedUnit
from vms.base.clock import Clock

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_CACHED_UNITS = 600
MAX_CACHED_BYTES = 6 * 1024 * 1024


class StreamHub:
    """Hands what ingest publishes to every reader, keeps the group of pictures under way, and the stream's status.

    `on_demand` is called when readers come or go, so that the pace follows. A reader that raises is detached and
    logged; the others never notice.
    """

    def __init__(self, camera_id: str, role: StreamRole, clock: Clock) -> None:
        self.status = StreamStatus(camera_id, role, StreamCondition.CONNECTING, clock.utc_ns())
        self.units = 0
        self._clock = clock
        self.on_demand: Callable[[], None] = _ignore
        self._readers: list[HubReader] = []
        self._cached: list[DatedUnit] = []
        self._cached_bytes = 0

    @property
    def watched(self) -> bool:
        """Whether a reader needs units as they arrive."""
        return any(reader.urgent for reader in self._readers)

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    def attach(self, reader: HubReader, *, from_key_frame: bool = True) -> None:
        """Add a reader. It is told the status, then given the units since the last key frame if it wants them."""
        reader.status_changed(self.status)
        if from_key_frame and self._cached:
            reader.deliver(self._cached)
        self._readers.append(reader)
        self.on_demand()

    def detach(self, reader: HubReader) -> None:
        """Remove a reader; one that is not there is fine."""
        if reader in self._readers:
            self._readers.remove(reader)
            self.on_demand()

    def publish(self, units: Sequence[DatedUnit]) -> None:
        """Hand these units to every reader, in order."""
        if not units:
            return
        self.units += len(units)
        self._cache(units)
        for reader in tuple(self._readers):
            self._tell(reader, reader.deliver, units)

    def set_status(self, condition: StreamCondition, cause: str = "") -> None:
        """Change what the stream does; nothing happens when it does that already for the same cause."""
        status = self.status
        if status.condition is condition and status.cause == cause:
            return
        since_ns = self._clock.utc_ns()
        if condition is StreamCondition.NO_SIGNAL and status.condition is StreamCondition.NO_SIGNAL:
            since_ns = status.since_ns  # another cause of the same loss does not make it younger
        self.status = StreamStatus(status.camera_id, status.role, condition, since_ns, cause)
        if condition is not StreamCondition.LIVE:
            self._forget()
        for reader in tuple(self._readers):
            self._tell(reader, reader.status_changed, self.status)

    def end(self, cause: str) -> None:
        """Let every reader go."""
        readers, self._readers = self._readers, []
        self._forget()
        for reader in readers:
            self._tell(reader, reader.ended, cause)

    def _cache(self, units: Sequence[DatedUnit]) -> None:
        for index in range(len(units) - 1, -1, -1):
            if units[index].unit.key:
                self._cached = list(units[index:])
                self._cached_bytes = sum(dated.unit.size for dated in self._cached)
                return
        if not self._cached:
            return
        if units[0].starts_run:
            self._forget()
            return
        self._cached += units
        self._cached_bytes += sum(dated.unit.size for dated in units)
        if len(self._cached) > MAX_CACHED_UNITS or self._cached_bytes > MAX_CACHED_BYTES:
            self._forget()

    def _forget(self) -> None:
        self._cached = []
        self._cached_bytes = 0

    def _tell(self, reader: HubReader, say: Callable[[T], None], what: T) -> None:
        try:
            say(what)
        except Exception:
            log.exception("reader failed and is detached", camera_id=self.status.camera_id, role=self.status.role)
            self.detach(reader)


def _ignore() -> None:
    return
