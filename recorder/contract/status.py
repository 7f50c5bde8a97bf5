"""The state of a stream at a node, as a tile shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recorder.contract.assignment import StreamRole


class StreamCondition(StrEnum):
    """What a stream does now."""

    CONNECTING = "connecting"
    LIVE = "live"
    NO_SIGNAL = "no_signal"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The condition of one stream, since when (UTC nanoseconds), and why.

    `cause` is empty while live, else a stable code: `unreachable`, `refused`, `bad_password`, `timeout`, `silent`,
    `closed_by_camera`, `protocol`, `unsupported_codec`, `tls_pin_mismatch`, `tls_no_pin`, `redirected`, `flood`,
    `not_authorised`, `disk_full`, `reader_unavailable`, or for a viewer `unplayable_codec`: recorded well, yet in a
    codec that no browser shows.
    """

    camera_id: str
    role: StreamRole
    condition: StreamCondition
    since_ns: int
    cause: str = ""
