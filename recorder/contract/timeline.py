"""What a node holds of a camera: recorded spans, and every missing second with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GapCause(StrEnum):
    """Why a second is missing."""

    CAMERA = "camera"
    LINK = "link"
    RECORDER = "recorder"
    DISK = "disk"
    MAINTENANCE = "maintenance"
    AUTHORISATION = "authorisation"


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """An unbroken stretch of one run, UTC nanoseconds, the end excluded. `uncertainty_ms` bounds the dating error."""

    start_ns: int
    end_ns: int
    run: int
    uncertainty_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without pictures. `detail` is a stable code; `end_ns` is None while it lasts."""

    start_ns: int
    end_ns: int | None
    cause: GapCause
    detail: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans and gaps of one camera between two instants, each in the order of time."""

    camera_id: str
    start_ns: int
    end_ns: int
    spans: tuple[RecordedSpan, ...]
    gaps: tuple[Gap, ...]
