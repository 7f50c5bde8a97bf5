"""What a node is asked to record, by whom allowed, and for how long it may keep it (LAW-01, LAW-06, LAW-07)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MAX_RETENTION_DAYS = 30


class StreamRole(StrEnum):
    """Which of a camera's streams: the full one that is recorded, or the small one for tiles."""

    MAIN = "main"
    SUB = "sub"


class StreamTransport(StrEnum):
    """How a camera sends RTP: over its RTSP connection, or over UDP where it can do nothing else."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where one stream is fetched: `rtsp://` or `rtsps://`, without credentials in the address.

    `tls_pins` are the keys that the camera may show for `rtsps://` (`vms.base.tls`): several, so that a renewal can be
    prepared. Without any, such a stream is not fetched.
    """

    role: StreamRole
    url: str
    transport: StreamTransport = StreamTransport.TCP
    tls_pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordingAuthorisation:
    """The prefect's decision, as far as a node must enforce it alone.

    `starts_at_ns` and `ends_at_ns` are UTC nanoseconds, the end excluded. `minimum_days` is the minimum that the
    decision may set (LAW-08): a full disk erases nothing younger. Raises ValueError beyond the legal month.
    """

    reference: str
    starts_at_ns: int
    ends_at_ns: int
    retention_days: int
    minimum_days: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.retention_days <= MAX_RETENTION_DAYS:
            raise ValueError(f"retention of {self.retention_days} days is outside 1 to {MAX_RETENTION_DAYS}")
        if not 0 <= self.minimum_days <= self.retention_days:
            raise ValueError(f"minimum retention of {self.minimum_days} days of {self.retention_days}")
        if self.ends_at_ns <= self.starts_at_ns:
            raise ValueError("an authorisation ends after it starts")

    def in_force(self, utc_ns: int) -> bool:
        """Whether recording is allowed at this instant."""
        return self.starts_at_ns <= utc_ns < self.ends_at_ns


@dataclass(frozen=True, slots=True)
class CameraAssignment:
    """One camera given to a node. `commune` is the INSEE code; the password never appears in a repr."""

    camera_id: str
    name: str
    commune: str
    streams: tuple[StreamAddress, ...]
    authorisation: RecordingAuthorisation
    username: str = ""
    password: str = field(default="", repr=False)

    def stream(self, role: StreamRole) -> StreamAddress | None:
        """The stream of this role; the main one stands in where the camera has no small one."""
        by_role = {stream.role: stream for stream in self.streams}
        return by_role.get(role) or by_role.get(StreamRole.MAIN)
