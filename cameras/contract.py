"""What the rest of the product may know of cameras: read models and one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class CameraState(StrEnum):
    """The life of a camera, from the first answer on the wire to its retirement (LAW-33)."""

    DISCOVERED = "discovered"
    COMMISSIONED = "commissioned"
    AUTHORISED = "authorised"
    IN_SERVICE = "in_service"
    SUSPENDED = "suspended"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera as people see it. `commune` is the INSEE code; `authority` who answers for its images (LAW-20)."""

    camera_id: str
    name: str
    commune: str
    commune_name: str
    authority: str
    state: CameraState
    has_sub: bool
    site: str = ""
    latitude: float | None = None
    longitude: float | None = None
    orientation_deg: float | None = None


@dataclass(frozen=True, slots=True)
class RecordableStream:
    """One stream of a camera: `main` or `sub`, and an address that holds no credentials.

    `tls_pins` are the keys that the camera may show where the address is `rtsps://` (`vms.base.tls`).
    """

    role: str
    url: str
    tls_pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordableCamera:
    """A camera in service with all that a recorder needs; instants are UTC nanoseconds, the end excluded (LAW-01)."""

    camera_id: str
    name: str
    commune: str
    streams: tuple[RecordableStream, ...]
    authorisation_reference: str
    starts_at_ns: int
    ends_at_ns: int
    retention_days: int
    minimum_days: int = 0
    username: str = ""
    password: str = field(default="", repr=False)


class CameraDirectory(Protocol):
    """The cameras of the department, read only."""

    async def all(self) -> list[CameraView]:
        """Every camera that is not retired, by commune and name."""

    async def get(self, camera_id: str) -> CameraView | None:
        """One camera, a retired one included, or None."""

    async def recordable(self) -> list[RecordableCamera]:
        """Every camera in service, with its credentials: for the recorder nodes, never for a browser."""
