"""What a shard tells the access log (LAW-25): collection and erasure, spooled.

A recorder depends on no other process. The sink keeps events durably on this machine and delivers them when the audit
writer answers; it is made and wired by the application.
"""

from __future__ import annotations

from typing import Protocol

from access_audit.events import AccessEvent


class EventSink(Protocol):
    """Where a shard's events go. `append` is durable when it returns, and never waits for another process."""

    def append(self, event: AccessEvent) -> None:
        """Keep one event. May do file I/O: call it in a thread."""


class NoEvents:
    """The sink of a shard outside of any centre, as in a benchmark."""

    def append(self, event: AccessEvent) -> None:
        """Forget the event."""
